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
from lasercats.operate.history import Happening, happening
from lasercats.operate.moments import record_at
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
    undoing = _Undoing(project, recreate=recreate)
    for position in sorted(positions, reverse=True):
        undoing.take_back(position)
    return undoing.plan(partial=partial)


class _Undoing:
    """What taking commands back comes to, one after the other."""

    def __init__(self, project: Project, *, recreate: bool) -> None:
        """Begin with the state as it is."""
        self._project, self._kinds, self._recreate = project, project.kinds, recreate
        self._known = project.state()
        self._state = renewed_state(project.vault, self._known)  # what was sealed anew is the same secret
        self._start = self._state
        self._commands, self._deltas = list[Command](), list[Delta]()
        self._problems, self._gone = dict[Address, str](), dict[Address, Resource | None]()
        self._withheld = dict[Address, Mapping[str, str]]()

    def take_back(self, position: int) -> None:
        """Take one command back, in the state that taking back the others left."""
        happened = happening(self._project, position)
        _check(self._project, happened)
        delta, taken = self._retracted(happened, position)
        new = _taken_in(self._project, happened, taken)
        made = self._way_back(happened, Delta({a: c for a, c in taken.items() if a not in new}))
        made += [Forget(on=new)] if new else []
        self._gone |= {address: delta[address].before for address in taken if taken[address].before is None}
        results, self._state = simulate(made, self._state)
        self._deltas += [result.delta for result in results]
        for result in results:
            self._problems |= result.problems
        self._commands += made

    def _retracted(self, happened: Happening, position: int) -> tuple[Delta, Delta]:
        """Return what was changed, and what of that can be taken back as things are now."""
        delta = happened.observed if happened.command is None else happened.delta
        delta = renewed_delta(self._project.vault, delta)
        taken, conflicts = retract(delta, self._state)
        made_here = {a: delta[a] for a in conflicts if delta[a].before is None}
        if made_here:
            known = {a: _as_known(self._project, position, a, c) for a, c in made_here.items()}
            delta = Delta({**delta, **known})
            taken, conflicts = retract(delta, self._state)
        for address, why in conflicts.items():
            since = Change(delta[address].after, self._start.get(address))
            gone = lost(self._project.vault, delta[address])
            self._problems[address] = gone or why + _culprit(self._project, position, address, since)
        return delta, taken

    def _way_back(self, happened: Happening, taken: Delta) -> list[Command]:
        """Return the commands that take changes back, as far as they may be given."""
        stuck = {} if self._recreate else one_way(taken)
        back, held_back = givable(self._kinds, kept_growth(taken, stuck))
        self._withheld |= held_back
        made = converge(self._kinds, back, self._state, amends=_amends(happened))
        made, faults = keep_protected(made, self._state)
        made, more = acceptable(self._kinds, made)
        made, gone_secrets = readable(self._project.vault, made)
        self._problems |= cannot_go_back(stuck) | more | faults | gone_secrets
        return made

    def plan(self, *, partial: bool) -> Plan:
        """Return the plan of all that was taken back."""
        gone = {a: resource for a, resource in self._gone.items() if self._start.get(a) is None}
        gone |= {address: self._start.get(address) for address in made_anew(self._deltas)}
        gone = {a: resource for a, resource in gone.items() if self._state.get(a) is not None}
        return Plan(
            commands=tuple(self._commands),
            delta=composed(self._deltas),
            problems={} if partial else self._problems,
            versions=_versions(self._commands, self._known),
            lost=losses(self._kinds, gone),
            withheld=self._withheld,
            losses=tuple(announced(self._kinds, self._commands, self._known)),
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
            "cannot be undone",
            remedy="undo it by hand, and leave it out here",
            subject=f"command {happened.position}",
        )
    if happened.status == "waiting":
        order = project.log.open()[happened.position].waits
        raise Refused(
            f"command {happened.position} is in the work order {order}",
            remedy=f"call that off with `lasercats work fail {order} --why ...`, or undo it when it is done",
            subject=f"command {happened.position}",
        )
    if happened.status == "open":
        raise Refused(
            f"command {happened.position} is not over",
            remedy="run `lasercats recover` first",
            subject=f"command {happened.position}",
        )


def _versions(commands: Sequence[Command], state: State) -> dict[Address, int]:
    return {address: state.version(address) for command in commands for address in command.on}
