"""`recover`: finish what a crash left open, by asking the machines; nothing is ever blindly repeated.

A command whose run died holds its addresses. It is run again from what is on record, and from what machines
tell of the batches that never came back, as far as it had come (`reopen`). Where that ends in no event, the
machine is looked at: what is there is what the command would have made, what was there before, or neither.
"""

import asyncio
import socket
from collections.abc import Collection, Mapping, Sequence
from dataclasses import replace
from typing import NamedTuple

from lasercats import PROGRAM
from lasercats.core.address import Address, told
from lasercats.core.change import Change, Delta
from lasercats.core.command import Command, Effect, StrangeCommand
from lasercats.core.errors import LaserCatsError, Refused
from lasercats.core.loose import ODD
from lasercats.core.record import (
    OBSERVED,
    Accepted,
    AnyEntry,
    Deferred,
    Ended,
    Event,
    Record,
    Started,
    raw_delta,
)
from lasercats.core.resource import Resource, same, settle
from lasercats.core.settle import believe
from lasercats.core.state import State
from lasercats.interpreters.context import Context, Result, Watcher
from lasercats.interpreters.looking import look
from lasercats.interpreters.reopen import NEVER_SENT, Reopened
from lasercats.interpreters.replay import replay
from lasercats.operate.history import command_of
from lasercats.operate.issue import run_until
from lasercats.operate.project import Project, started
from lasercats.operate.replay import together
from lasercats.operate.work import resume


class Recovered(NamedTuple):
    """What was found out about one open command."""

    position: int
    command: Command
    status: str
    """`done`, `failed`, `waiting` for a person, or `open` where nobody could be asked or the run lives."""
    facts: Mapping[Address, str]
    """For each address: `done`, `done in part`, `not done`, `changed otherwise`, or why it is not known."""


def recover(project: Project, *, force: bool = False, only: Collection[int] | None = None) -> list[Recovered]:
    """Find out what became of every open command, or only of some, and end it in the log.

    All machines are looked at once, in one batch each. A command whose run still lives on this host is left
    alone, unless `force` is given.
    """
    living, dead, resumed = dict[int, Recovered](), dict[int, Command](), set[str]()
    for position, opened in sorted(project.log.open().items()):
        if opened.held or (only is not None and position not in only):
            continue
        if opened.waits is not None:
            if opened.run not in resumed:
                resume(project, position)
                resumed.add(opened.run)
            living[position] = _in_hand(project, position)
            continue
        command = command_of(project, position)
        if isinstance(command, StrangeCommand):
            living[position] = _strange(project, position, command, force=force)
        elif not force and alive(opened.process):
            facts = dict.fromkeys(command.on, f"process {opened.process} is still at it")
            living[position] = Recovered(position, command, "open", facts)
        else:
            dead[position] = command
    return sorted([*living.values(), *run_until(_recover(project, dead, force=force), asyncio.Event())])


def _strange(project: Project, position: int, command: StrangeCommand, *, force: bool) -> Recovered:
    """Tell of a command that no installed plugin knows; with `force` it ends, and its records stay."""
    if not force:
        fact = f"no plugin is installed for {command.name}; install it, or end the command with --force"
        return Recovered(position, command, "open", dict.fromkeys(command.on, fact))
    fact = f"ended without its plugin; `lasercats trace {position}` shows what was sent and answered"
    return _end(project, position, command, [], dict.fromkeys(command.on, fact))


def _in_hand(project: Project, position: int) -> Recovered:
    """Tell of a command that waited for a person, after it went on with what a crash had cut off."""
    command, opened = command_of(project, position), project.log.open().get(position)
    if opened is None:
        facts = dict.fromkeys(command.on, "went on with what was reported")
        return Recovered(position, command, "done", facts)
    facts = dict.fromkeys(command.on, f"in work order {opened.waits}; `lasercats work show {opened.waits}`")
    return Recovered(position, command, "waiting", facts)


def alive(process: str) -> bool:
    """Tell whether `PID+START@HOST` is a living process; one of another host is taken to be."""
    host = process.partition("@")[2]
    return bool(host) if host != socket.gethostname() else living(process) is not None


def living(process: str) -> int | None:
    """Return the number of a process of this host, while it lives."""
    name, _, host = process.partition("@")
    pid, _, start = name.partition("+")
    if host != socket.gethostname() or not pid.isdigit():
        return None
    now = started(int(pid))
    return int(pid) if now is not None and start in ("", now) else None


async def _recover(project: Project, dead: Mapping[int, Command], *, force: bool) -> list[Recovered]:
    context = project.context()
    try:
        return await _find_out(project, dead, context, force=force)
    finally:
        await project.machines.close()


async def _find_out(
    project: Project, dead: Mapping[int, Command], context: Context, *, force: bool
) -> list[Recovered]:
    known = _on_record(project, min(dead, default=0))
    learned = await _reopen(project, dead, context, known, force=force)
    state = project.state()
    for events in learned.events.values():
        for event in events:
            state = state.apply(project.kinds.decode_delta(event.delta))
    todo = {
        (position, address): command
        for position, command in dead.items()
        if command.effect is Effect.STATE and position not in learned.unasked | learned.handed
        for address in command.on
        if (position, address, False) not in known and project.kinds.kind(address).observe is not None
    }
    found, unseen = await look({address: position for position, address in todo}, state, context)
    results = []
    for position, command in dead.items():
        mine = [address for p, address in todo if p == position]
        lost = {address: unseen[address] for address in mine if address in unseen}
        if position in learned.unasked:
            lost = dict.fromkeys(command.on, learned.unasked[position])
        if lost:
            results.append(Recovered(position, command, "open", lost))
            continue
        if position in learned.handed:
            facts = dict.fromkeys(command.on, f"in work order {learned.handed[position]}")
            results.append(Recovered(position, command, "waiting", facts))
            continue
        entries: list[AnyEntry] = [*learned.events.get(position, ())]
        facts = {address: learned.fact(position, command, address) for address in command.on}
        for address in mine:
            now = believe(state, {address: found[address]}).get(address)
            facts[address], entry = _judge(command, position, address, state, now)
            if entry is not None:
                entries.append(entry)
                state = state.put([(address, now)])
        results.append(_end(project, position, command, entries, facts))
    return results


class _Learned(NamedTuple):
    """What running the commands again told, as far as they had come."""

    events: dict[int, list[Event]]
    """Those that are not on record yet, by command."""
    problems: dict[tuple[int, Address], str]
    """What went wrong, or was never sent."""
    reports: set[tuple[int, Address]]
    """What came back of a command whose effect is not in the state."""
    unasked: dict[int, str]
    """The commands of which nobody can be asked now, and why."""
    handed: dict[int, int]
    """The commands that a person has in hand, and in which work order."""

    def fact(self, position: int, command: Command, address: Address) -> str:
        """Return what is known at an address without looking at it."""
        key, problem = (position, address), self.problems.get((position, address))
        never = problem == NEVER_SENT.reason
        if command.effect is Effect.RECORD or (never and not self._changed(position, address)):
            return "not done"
        if command.effect is Effect.OPAQUE and key not in self.reports:
            return "nobody knows whether it ran; look for yourself"
        return "done" if problem is None else f"done in part: {problem}"

    def _changed(self, position: int, address: Address) -> bool:
        return any(address in event.delta for event in self.events.get(position, ()))


async def _reopen(
    project: Project,
    dead: Mapping[int, Command],
    context: Context,
    known: set[tuple[int, Address, bool]],
    *,
    force: bool,
) -> _Learned:
    """Run what was cut off again, with all that was issued together, as far as it had come."""
    learned, left = _Learned({}, {}, set(), {}, {}), sorted(dead)
    while left:
        accepted = together(project.log, left[0])
        positions = [record.position for record, _ in accepted]
        left = [position for position in left if position > positions[-1]]
        writer = project.log.writer(positions[0])
        commands = [project.kinds.decode_command(bytes(entry.command)) for _, entry in accepted]
        if any(isinstance(command, StrangeCommand) for command in commands):
            continue  # they cannot be run again together, so a look judges those that are known
        try:
            tape, results = await _play(project, context, accepted, learned)
            otherwise = tape.worded_otherwise() & set(dead) if writer != PROGRAM else set[int]()
        except (LaserCatsError, *ODD) as error:  # one that cannot be run again never stops the others
            if writer != PROGRAM:
                _leave_to_a_look(project, learned, [p for p in positions if p in dead], dead, writer)
            elif not force:
                fact = f"it cannot be run again: {error}; --force has a look judge it"
                learned.unasked.update(dict.fromkeys(positions, fact))
            continue
        otherwise = {p for p in otherwise if _can_be_looked_at(project, dead[p])}
        _hand(
            project,
            learned,
            [p for p, r in zip(positions, results, strict=True) if r.status == "waiting"],
            dead,
        )
        for position, result in zip(positions, results, strict=True):
            learned.reports.update((position, address) for address in result.reports)
            if position not in otherwise:
                learned.problems.update(((position, a), why) for a, why in result.problems.items())
        for entry in tape.entries:
            if not isinstance(entry, Event) or entry.command in otherwise:
                continue
            if (own := _unrecorded(entry, dead, known)) is not None:
                learned.events.setdefault(own.command or 0, []).append(own)
    return learned


async def _play(
    project: Project, context: Context, accepted: Sequence[tuple[Record, Accepted]], learned: _Learned
) -> tuple[Reopened, Sequence[Result]]:
    """Run commands that were issued together on the tape of what is recorded, and ask what is in doubt."""
    positions = [record.position for record, _ in accepted]
    records = [
        record
        for record in project.log.read(positions[0])
        if not isinstance(record.entry, Started) or set(positions) & set(record.entry.commands)
    ]
    tape = Reopened(context, project.log.fold(positions[0] - 1), positions[0], records)
    learned.unasked.update(await tape.resolve())
    for deferred in tape.handed:
        project.log.append([deferred])
        learned.handed.update(dict.fromkeys(deferred.commands, deferred.started))
    commands = [project.kinds.decode_command(bytes(entry.command)) for _, entry in accepted]
    rerun = replace(context, run=accepted[0][1].run, actor=accepted[0][1].actor, watcher=Watcher())
    return tape, await replay(commands, tape, rerun)


def _can_be_looked_at(project: Project, command: Command) -> bool:
    kinds = project.kinds
    return command.effect is Effect.STATE and all(kinds.kind(a).observe is not None for a in command.on)


def _leave_to_a_look(
    project: Project, learned: _Learned, positions: Sequence[int], dead: Mapping[int, Command], writer: str
) -> None:
    """Let commands whose record this version cannot run again be judged by a look, or else stay open."""
    for position in positions:
        if dead[position].effect is Effect.STATE and not _can_be_looked_at(project, dead[position]):
            began = writer or "an earlier version"
            learned.unasked[position] = (
                f"{began} began it, and this one cannot tell; recover it with that one"
            )


def _hand(project: Project, learned: _Learned, waiting: Sequence[int], dead: Collection[int]) -> None:
    """Record of commands that wait with others of their run that they do, where a crash came before that."""
    opened = project.log.open()
    orders = [one for p in waiting if p in opened and (one := opened[p].waits) is not None]
    missing = [p for p in waiting if p in dead and p not in learned.handed]
    if orders and missing:
        project.log.append([Deferred(started=orders[0], commands=tuple(missing))])
        learned.handed.update(dict.fromkeys(missing, orders[0]))


def _on_record(project: Project, first: int) -> set[tuple[int, Address, bool]]:
    """Return which command has an event at which address, and whether that is an observation."""
    known: set[tuple[int, Address, bool]] = set()
    for record in project.log.read(first, names=("event",)) if first else ():
        event = record.entry
        if isinstance(event, Event) and event.command is not None:
            known |= _marks(event)
    return known


def _marks(event: Event) -> set[tuple[int, Address, bool]]:
    addresses = list(event.delta) or [Address("")]
    return {(event.command or 0, address, event.type == OBSERVED) for address in addresses}


def _unrecorded(
    event: Event, dead: Mapping[int, Command], known: set[tuple[int, Address, bool]]
) -> Event | None:
    """Return as much of an event as is not on record yet, and put it on the list of what is."""
    command = dead.get(event.command or 0)
    new = _marks(event) - known
    if command is None or command.effect is Effect.RECORD or not new:
        return None
    known |= new
    delta = {address: sides for address, sides in event.delta.items() if any(a == address for _, a, _ in new)}
    return Event(type=event.type, delta=delta, command=event.command, actor=event.actor, opaque=event.opaque)


def _judge(
    command: Command, position: int, address: Address, state: State, now: Resource | None
) -> tuple[str, AnyEntry | None]:
    before = state.get(address)
    refused, asked = False, before
    try:
        asked = command.decide(address, state)
    except (Refused, *ODD):
        refused = True
    now = settle(asked, now) if before is None and asked is not None else now
    delta = raw_delta(Delta({address: Change(before, now)}))
    if same(now, asked) and not refused:  # what would be refused was not done where nothing changed
        event = Event(type=command.past, delta=delta, command=position) if not same(now, before) else None
        return "done", event
    if same(now, before):
        return "not done", None
    return "changed otherwise", Event(type=OBSERVED, delta=delta, command=position)


def _end(
    project: Project,
    position: int,
    command: Command,
    entries: list[AnyEntry],
    facts: Mapping[Address, str],
) -> Recovered:
    status = "done" if all(fact == "done" for fact in facts.values()) else "failed"
    left = "; ".join(f"{told(address)}: {fact}" for address, fact in facts.items() if fact != "done")
    error = f"interrupted: {left}" if left else None
    project.log.append([*entries, Ended(command=position, status=status, error=error)])
    return Recovered(position, command, status, facts)
