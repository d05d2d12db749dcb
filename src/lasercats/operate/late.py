"""What a process was told after another had taken it over: it is looked at, and ended, whatever it is.

Such a `late` record changes nothing by itself. What is there now is recorded as observed. What was made and
can be known only by the id that was told late is taken into the state where nothing else is there, and told
where something is: nothing that exists is dropped.
"""

from collections.abc import Mapping, Sequence
from typing import NamedTuple

from lasercats.core.address import Address, label
from lasercats.core.change import Change, Delta
from lasercats.core.command import StrangeCommand
from lasercats.core.errors import LaserCatsError, LogConflict, LogError, MachineError
from lasercats.core.loose import ODD
from lasercats.core.record import OBSERVED, AnyEntry, Ended, Event, Late, raw_delta
from lasercats.core.resource import Resource, same
from lasercats.core.resource import settle as settled
from lasercats.core.settle import believe
from lasercats.core.state import State
from lasercats.interpreters.context import Context
from lasercats.interpreters.looking import look
from lasercats.operate.found import Recovered, play
from lasercats.operate.history import command_of
from lasercats.operate.moments import record_at
from lasercats.operate.project import Project

AS_RECORDED = "as recorded"


class _Looked(NamedTuple):
    """What is there, at one address of one late record."""

    made: Resource | None
    """What the process was told that it made."""
    found: Resource | None
    """What is there by the identity of that."""
    now: Resource | None
    """What is there by what the state knows."""


async def settle(project: Project, positions: Sequence[int], *, force: bool = False) -> list[Recovered]:
    """Look at what was told late at some positions, record what is there, and end it.

    What cannot be looked at stays open, unless `force` is given: then it ends, and what was told is told.
    """
    if not positions:
        return []
    context = project.context()
    return [await _settle_one(project, context, position, force=force) for position in sorted(positions)]


async def _settle_one(project: Project, context: Context, position: int, *, force: bool) -> Recovered:
    late = record_at(project.log, position, Late).entry
    assert isinstance(late, Late)  # noqa: S101 - it was just asked for
    try:
        command = command_of(project, late.commands[0])
        made, unread = await _made(project, context, late, force=force)
        facts, entries, versions = await _look(project, context, position, late, made)
        if unread:
            facts = {address: f"{fact}; {unread}" for address, fact in facts.items()}
    except (LaserCatsError, *ODD) as error:
        command = StrangeCommand(on=late.on)
        if not force:
            return Recovered(position, command, "open", dict.fromkeys(late.on, str(error)), late=True)
        facts, entries, versions = dict.fromkeys(late.on, f"not looked at: {error}"), [], {}
    left = "; ".join(f"{label(address)}: {fact}" for address, fact in facts.items() if fact != AS_RECORDED)
    ended = Ended(command=position, status="failed" if left else "done", error=left or None)
    try:
        project.log.append([*entries, ended], expect=versions)
    except LogError as error:  # somebody is at work there: it is looked at when that is over
        return Recovered(position, command, "open", dict.fromkeys(late.on, str(error)), late=True)
    return Recovered(position, command, ended.status, facts, late=True)


async def _made(
    project: Project, context: Context, late: Late, *, force: bool
) -> tuple[dict[Address, Resource | None], str]:
    """Return what the process made, as far as it was told: by its events, or by running the commands again.

    With the outcomes that came late on record, the commands come to the id of what was launched. Where they
    cannot be run again, that is an error, or with `force` told.

    Raises:
        MachineError: a machine is still at it, or cannot be asked.

    """
    events = [*late.events]
    for position in late.after:
        entry = record_at(project.log, position, Event).entry
        events += [entry] if isinstance(entry, Event) else []
    known = {a: c.after for event in events for a, c in project.kinds.decode_delta(event.delta).items()}
    if known.keys() >= {*late.on}:
        return known, ""
    try:
        return await _run_again(project, context, late.commands, force=force) | known, ""
    except (LaserCatsError, *ODD) as error:
        if not force:
            raise
        return known, f"what was told late cannot be understood ({error}); see it with `lasercats trace`"


async def _run_again(
    project: Project, context: Context, commands: Sequence[int], *, force: bool
) -> dict[Address, Resource | None]:
    """Return what commands made, by their positions, when they are run again from what is recorded."""
    made, left = dict[Address, Resource | None](), list(commands)
    while left:
        played = await play(project, context, left[0], force=force)
        if played.unasked and not force:
            raise MachineError(next(iter(played.unasked.values())))
        for position, result in zip(played.past.positions, played.results, strict=True):
            if position in left:
                made |= {address: change.after for address, change in result.delta.items()}
        left = [position for position in left if position > played.past.positions[-1]]
    return made


async def _look(
    project: Project, context: Context, position: int, late: Late, made: Mapping[Address, Resource | None]
) -> tuple[dict[Address, str], list[AnyEntry], dict[Address, int]]:
    """Look at what is in doubt; return what is told of each address, and what is to be recorded."""
    state = project.state()
    others = {a: r for a, r in made.items() if r is not None and _identity(project, a, r) is not None}
    others = {a: r for a, r in others.items() if _differs(project, a, state.get(a), r)}
    by_made, unseen = await look(dict.fromkeys(others, position), state.put(others.items()), context)
    wanted = [a for a in late.on if a not in others or state.get(a) is not None]
    by_state, blind = await look(dict.fromkeys(wanted, position), state, context)
    by_state |= {a: found for a, found in by_made.items() if a not in wanted}
    facts, changes = dict[Address, str](), dict[Address, Change[Resource]]()
    for address in late.on:
        if address in {**unseen, **blind}:
            raise LogConflict({**unseen, **blind}[address])
        if address not in by_state:
            there = same(made.get(address), state.get(address))
            facts[address] = AS_RECORDED if there else "only a person can look at it; see what was told"
            continue
        looked = _Looked(made.get(address), by_made.get(address), by_state[address])
        facts[address], now = _judge(project, address, state, looked)
        if now != state.get(address):
            changes[address] = Change(state.get(address), now)
    if not late.on:
        facts |= {a: "it ran after all" for p in late.commands for a in command_of(project, p).on}
    message = f"told late, at position {position}"
    delta = Delta(changes)
    event = Event(type=OBSERVED, delta=raw_delta(delta), actor=project.actor, message=message)
    return facts, [event] if delta else [], {address: state.version(address) for address in delta}


def _judge(project: Project, address: Address, state: State, looked: _Looked) -> tuple[str, Resource | None]:
    """Return what is told of an address, and what is there."""
    known, made = state.get(address), looked.made
    now = believe(state, {address: looked.now}).get(address)
    id_ = _identity(project, address, made)
    if looked.found is None or id_ is None or not _differs(project, address, known, made):
        return (AS_RECORDED if now == known else "recorded as observed"), now
    if known is None:
        return f"{id_} is there, and is recorded as observed", settled(made, looked.found)
    return f"{id_} was made as well, and is not in the state; remove it, or adopt it by another name", now


def _differs(project: Project, address: Address, known: Resource | None, made: Resource | None) -> bool:
    """Tell whether what was made is another thing than what the state knows."""
    return _identity(project, address, known) != _identity(project, address, made)


def _identity(project: Project, address: Address, resource: Resource | None) -> str | None:
    """Return the name that its machinery gave to a resource."""
    name = project.kinds.kind(address).identity
    return getattr(resource, name, None) if name and resource is not None else None
