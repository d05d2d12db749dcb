"""`undo`: commands that take back what earlier commands did, and put back what changed outside."""

from collections.abc import Mapping, Sequence
from typing import Any

import msgspec

from lasercats.core.address import Address
from lasercats.core.change import Change, Delta, composed
from lasercats.core.command import Command, Forget
from lasercats.core.converge import converge, givable, keep_protected, kept_growth, one_way, retract
from lasercats.core.errors import Refused
from lasercats.core.loss import announced
from lasercats.core.record import FORGOTTEN, OBSERVED, Event, Record
from lasercats.core.resource import Resource
from lasercats.core.state import State
from lasercats.interpreters.simulate import simulate
from lasercats.operate.history import Happening, happening, record_at
from lasercats.operate.plan import Plan, acceptable, cannot_go_back, losses, made_anew
from lasercats.operate.project import Project
from lasercats.operate.secret import RESEALED, lost, readable, renewed_delta, renewed_state


def plan_undo(
    project: Project, positions: Sequence[int], *, partial: bool = False, recreate: bool = False
) -> Plan:
    """Plan to take commands back, the latest first; what stands in the way is in its problems.

    With `partial`, an address that cannot come back is left as it is instead. What cannot go back in place
    is in the way, too, unless it is to be removed and made anew (`recreate`).

    Raises:
        Refused: a command's effect is not in the state, or it is still open.

    """
    known = project.state()
    state = start = renewed_state(project.vault, known)  # what was sealed anew since is the same secret
    commands, deltas = list[Command](), list[Delta]()
    problems, gone = dict[Address, str](), dict[Address, Resource | None]()
    withheld = dict[Address, Mapping[str, str]]()
    for position in sorted(positions, reverse=True):
        happened = happening(project, position)
        _check(project, happened)
        delta = happened.observed if happened.command is None else happened.delta
        delta = renewed_delta(project.vault, delta)
        taken, conflicts = retract(delta, state)
        made_here = {a: delta[a] for a in conflicts if delta[a].before is None}
        if made_here:
            delta = Delta({**delta, **{a: _as_known(project, position, a, c) for a, c in made_here.items()}})
            taken, conflicts = retract(delta, state)
        for address, why in conflicts.items():
            problems[address] = lost(project.vault, delta[address]) or why + _culprit(
                project, position, address, Change(delta[address].after, start.get(address))
            )
        new = _taken_in(project, happened, taken)
        left = Delta({a: c for a, c in taken.items() if a not in new})
        stuck = {} if recreate else one_way(left)
        problems |= cannot_go_back(stuck)
        back, held_back = givable(project.kinds, kept_growth(left, stuck))
        withheld |= held_back
        made, faults = keep_protected(converge(project.kinds, back, state, amends=_amends(happened)), state)
        made, more = acceptable(project.kinds, made)
        problems |= more
        made, gone_secrets = readable(project.vault, made)
        problems |= faults | gone_secrets
        made += [Forget(on=new)] if new else []
        gone |= {address: delta[address].before for address in taken if taken[address].before is None}
        results, state = simulate(made, state)
        deltas += [result.delta for result in results]
        for result in results:
            problems |= result.problems
        commands += made
    gone = {address: resource for address, resource in gone.items() if start.get(address) is None}
    gone |= {address: start.get(address) for address in made_anew(deltas)}
    gone = {address: resource for address, resource in gone.items() if state.get(address) is not None}
    return Plan(
        commands=tuple(commands),
        delta=composed(deltas),
        problems={} if partial else problems,
        versions=_versions(commands, known),
        lost=losses(project.kinds, gone),
        withheld=withheld,
        losses=tuple(announced(project.kinds, commands, known)),
        documents=(),
    )


def _amends(happened: Happening) -> bool:
    """Tell whether a command only set the records right, so that nobody is sent to take it back."""
    return happened.command is not None and happened.command.amends


def _taken_in(project: Project, happened: Happening, taken: Delta) -> tuple[Address, ...]:
    """Return what an observation took in that nobody knew of: it is forgotten again, not removed."""
    if happened.command is not None:
        return ()
    first = happened.position

    def is_new(address: Address) -> bool:
        known = [v for v in project.log.versions(address) if v.since < first]
        return not known or known[-1].raw == FORGOTTEN

    found = (a for a, change in happened.observed.items() if change.before is None and a in taken)
    return tuple(address for address in found if is_new(address))


def _as_known(
    project: Project, position: int, address: Address, change: Change[Resource]
) -> Change[Resource]:
    """Return a creation with what commands have learned since of fields that it left undecided.

    They learn it for the way back, and where it is there again, nothing of theirs is left.
    """
    after: Any = change.after
    left: Resource | None = None
    for version in project.log.versions(address):
        came = version.resource(project.kinds, address)
        if version.since > position and left is not None and type(came) is type(left) is type(after):
            event = record_at(project.log, version.since, Event).entry
            if isinstance(event, Event) and event.type == OBSERVED:
                # What nobody decided is found there only where a command is about to decide it.
                learned = {n: getattr(came, n) for n in Change(left, came).fields if getattr(left, n) is None}
                unknown = {n: value for n, value in learned.items() if getattr(after, n) is None}
                after = msgspec.structs.replace(after, **unknown)
        left = came
    return Change(change.before, after)


def _culprit(project: Project, position: int, address: Address, since: Change[Resource]) -> str:
    """Return the position of the last command after one that made a change since."""
    fields, culprit, left = set(since.fields), 0, None
    for version in project.log.versions(address):
        came = version.resource(project.kinds, address)
        if version.since > position and fields & set(Change(left, came).fields):
            record = record_at(project.log, version.since, Event)
            if record.entry.cause != position and not _is_resealed(record):
                culprit = record.entry.cause or version.since
        left = came
    return f", at position {culprit}" if culprit else ""


def _is_resealed(record: Record) -> bool:
    return isinstance(record.entry, Event) and record.entry.type == RESEALED


def _check(project: Project, happened: Happening) -> None:
    if happened.opaque:
        raise Refused(
            f"command {happened.position} ({happened.type}) did something that is not in the state, so it "
            "cannot be undone; undo it by hand, and leave it out here"
        )
    if happened.status == "waiting":
        order = project.log.open()[happened.position].waits
        raise Refused(
            f"command {happened.position} is in the work order {order}; call that off with "
            f"`lasercats work fail {order} --why ...`, or undo it when it is done"
        )
    if happened.status == "open":
        raise Refused(f"command {happened.position} is not over; run `lasercats recover` first")


def _versions(commands: Sequence[Command], state: State) -> dict[Address, int]:
    return {address: state.version(address) for command in commands for address in command.on}
