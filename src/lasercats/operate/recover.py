"""`recover`: finish what a crash left open, by asking the machines; nothing is ever blindly repeated.

A command whose run died holds its addresses. First the lease of the run is taken over, so that nothing which
it may still append counts (`lasercats.core.lease`). Then it is run again from what is on record, and from
what machines tell of the batches that never came back, as far as it had come (`reopen`). Where that ends in
no event, the machine is looked at: what is there is what the command would have made, what was there before,
or neither.
"""

from collections.abc import Collection, Iterable, Mapping, Sequence
from contextlib import suppress
from dataclasses import replace
from itertools import groupby
from typing import NamedTuple

from lasercats.core.address import Address, label
from lasercats.core.change import Change, Delta
from lasercats.core.command import Command, Effect, Hold, StrangeCommand
from lasercats.core.errors import LaserCatsError, LogConflict, LogError, Refused
from lasercats.core.fold import Open
from lasercats.core.instruction import Instruction, Item
from lasercats.core.lease import PATIENCE, Lease
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
from lasercats.interpreters.context import Context, Result
from lasercats.interpreters.looking import expectations, look
from lasercats.interpreters.reopen import Reopened
from lasercats.interpreters.replay import as_then, replay
from lasercats.operate.history import command_of
from lasercats.operate.holder import holder, is_dead, process_of
from lasercats.operate.project import Project
from lasercats.operate.replay import together
from lasercats.operate.work import resume
from lasercats.program import PROGRAM

NOT_FOUND = "something was made for it that cannot be found; --force gives it up"


class Recovered(NamedTuple):
    """What was found out about one open command."""

    position: int
    command: Command
    status: str
    """`done`, `failed`, `waiting` for a person, or `open` where nobody could be asked or the run lives."""
    facts: Mapping[Address, str]
    """For each address: `done`, `done in part`, `not done`, `changed otherwise`, or why it is not known."""
    late: bool = False
    """True where it is no open command, but what was told late of one that was over."""


async def recover(
    project: Project, *, force: bool = False, only: Collection[int] | None = None
) -> list[Recovered]:
    """Find out what became of every open command, or only of some, and end it in the log.

    All machines are looked at once, in one batch each. A command whose run lives, as far as anybody can tell,
    is left alone, unless `force` is given.
    """
    from lasercats.operate.late import settle  # noqa: PLC0415 - it runs commands again as we do

    opened = {p: o for p, o in project.log.open().items() if only is None or p in only}
    told_ = await _go_on(project, {p: o for p, o in opened.items() if o.waits is not None}, force=force)
    told_ += _held(project, {p: o for p, o in opened.items() if o.held}, force=force)
    at_work = {position: one for position, one in opened.items() if one.at_work}
    mine, more = _take_over(project, _still(project, at_work, told_), force=force)
    told_ += more
    try:
        with project.log.beating():
            told_ += await _judged(project, mine, force=force)
            told_ += await settle(project, [p for p, o in opened.items() if o.late], force=force)
    finally:
        for run in {one.run for one in mine.values()}:
            with suppress(LogError):  # one that cannot be given back comes to be old
                project.log.release(run)
    return sorted(told_, key=lambda found: found.position)


async def _go_on(project: Project, opened: Mapping[int, Open], *, force: bool) -> list[Recovered]:
    """Let commands that wait for a person go on with what a crash cut off."""
    found, resumed = [], dict[str, str]()
    for position, one in sorted(opened.items()):
        if one.run not in resumed:
            try:
                await resume(project, position, patience=0, force=force)
                resumed[one.run] = ""
            except (LaserCatsError, *ODD) as error:  # it never stops the recovery of others
                resumed[one.run] = str(error)
        found.append(_in_hand(project, position, one, resumed[one.run]))
    return found


def _still(project: Project, at_work: Mapping[int, Open], told_: list[Recovered]) -> dict[int, Open]:
    """Return what is still to be judged; what went on with others of its run that waited is told."""
    now = project.log.open()
    left = {position: now[position] for position in at_work if position in now and now[position].at_work}
    told_ += [_in_hand(project, p, one, "") for p, one in sorted(at_work.items()) if p not in left]
    return left


def _held(project: Project, opened: Mapping[int, Open], *, force: bool) -> list[Recovered]:
    """Tell of what is recorded as held by a command that is no hold; a real one is waited for."""
    commands = {position: _read(project, position, one) for position, one in opened.items()}
    strange = {p: StrangeCommand(on=c.on) for p, c in commands.items() if not isinstance(c, Hold)}
    return [_strange(project, position, command, force=force) for position, command in strange.items()]


def _take_over(
    project: Project, opened: Mapping[int, Open], *, force: bool
) -> tuple[dict[int, Open], list[Recovered]]:
    """Take over the runs of commands, each atomically; return the commands that are ours now, and the others.

    From then on nothing that their processes append changes anything.
    """
    leases, why = project.log.leases(), dict[str, str]()
    for run in dict.fromkeys(one.run for one in opened.values()):
        lease = leases.get(run)
        if lease is not None and not force and not is_dead(lease):
            why[run] = _at_it(lease)
            continue
        try:
            project.log.take(run, holder(), lease.token if lease else 0)
        except LogConflict as error:
            why[run] = str(error)
    mine = {position: one for position, one in sorted(opened.items()) if one.run not in why}
    left = {position: one for position, one in opened.items() if one.run in why}
    return mine, [_open(_read(project, p, one), p, why[one.run]) for p, one in left.items()]


def _at_it(lease: Lease) -> str:
    """Return what is told of a run that seems to live."""
    heard = f", and was last heard of {lease.age:.0f} s ago" if lease.age > PATIENCE else ""
    return f"process {process_of(lease.holder)} is still at it{heard}"


def _open(command: Command, position: int, fact: str) -> Recovered:
    return Recovered(position, command, "open", dict.fromkeys(command.on or (Address("?"),), fact))


def _read(project: Project, position: int, opened: Open) -> Command:
    """Return the command at a position; one that cannot be read is told of by what it claims."""
    try:
        return command_of(project, position)
    except LaserCatsError:
        return StrangeCommand(on=opened.claims or (Address("?"),))


async def _judged(project: Project, mine: Mapping[int, Open], *, force: bool) -> list[Recovered]:
    """Find out what became of commands whose runs are ours."""
    found, dead = list[Recovered](), dict[int, Command]()
    for position, one in mine.items():
        command = _read(project, position, one)
        if isinstance(command, StrangeCommand):
            try:
                found.append(_strange(project, position, command, force=force))
            except LogError as error:  # one that cannot be ended never stops the others
                found.append(_open(command, position, f"it cannot be ended: {error}"))
        else:
            dead[position] = command
    found += await _find_out(project, dead, project.context(), force=force)
    return found


def _strange(project: Project, position: int, command: StrangeCommand, *, force: bool) -> Recovered:
    """Tell of a command that no installed plugin knows; with `force` it ends, and its records stay."""
    if not force:
        fact = f"no plugin is installed for {command.name}; install it, or end the command with --force"
        return _open(command, position, fact)
    fact = f"ended without its plugin; `lasercats trace {position}` shows what was sent and answered"
    return _end(project, position, command, [], dict.fromkeys(command.on, fact))


def _in_hand(project: Project, position: int, was: Open, problem: str) -> Recovered:
    """Tell of a command that waited for a person, after it went on with what a crash had cut off."""
    command, opened = _read(project, position, was), project.log.open().get(position)
    if problem:
        return _open(command, position, f"it cannot go on: {problem}")
    if opened is None:
        facts = dict.fromkeys(command.on, "went on with what was reported")
        return Recovered(position, command, "done", facts)
    facts = dict.fromkeys(command.on, f"in work order {opened.waits}; `lasercats work show {opened.waits}`")
    return Recovered(position, command, "waiting", facts)


async def _find_out(
    project: Project, dead: Mapping[int, Command], context: Context, *, force: bool
) -> list[Recovered]:
    known = _on_record(project, min(dead, default=0))
    learned = await _reopen(project, dead, context, known, force=force)
    state = project.state()
    for position, events in learned.events.items():
        try:
            for event in events:
                state = state.apply(project.kinds.decode_delta(event.delta))
        except (LaserCatsError, *ODD) as error:
            learned.unasked[position] = f"what it did cannot be read: {error}"
    todo = {
        (position, address): command
        for position, command in dead.items()
        if command.effect is Effect.STATE and position not in learned.unasked | learned.handed
        for address in command.on
        if (position, address, False) not in known and project.kinds.kind(address).has("observe")
    }
    expected = expectations(todo.values(), project.kinds)
    wanted = {address: position for position, address in todo}
    found, unseen = await look(wanted, state, context, expected=expected)
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
        try:
            seen = {address: found[address] for address in mine}
            judged, more, after = _judge_all(command, position, state, seen)
            missing = (a for a, fact in judged.items() if fact == "not done" and after.get(a) is None)
            # Where its machine gives a name, a look by the address does not tell of what was made.
            made = {a for a in missing if project.kinds.kind(a).identity is not None}
            if made and position in learned.made and not force:
                lost = dict.fromkeys(made, NOT_FOUND)
                results.append(Recovered(position, command, "open", lost))
            else:
                results.append(_end(project, position, command, [*entries, *more], facts | judged))
                state = after
        except (LogError, *ODD) as error:  # one that cannot be ended never stops the others
            results.append(_open(command, position, f"it cannot be ended: {error}"))
    over = {result.position for result in results if result.status != "open"}
    await _tidied(context, [instruction for owner, instruction in learned.tidy if owner in over])
    return results


async def _tidied(context: Context, instructions: Iterable[Instruction]) -> None:
    """Have taken away what we left at machines for ourselves; where that fails, nothing does."""
    for machine, mine in groupby(sorted(instructions, key=lambda i: i.machine), key=lambda i: i.machine):
        with suppress(LaserCatsError):
            await context.machines.get(machine).run(tuple(Item(i) for i in mine))


def _judge_all(
    command: Command, position: int, state: State, found: Mapping[Address, Resource | None]
) -> tuple[dict[Address, str], list[AnyEntry], State]:
    """Judge a command by what was found; return the facts, what is to be recorded, and the state then."""
    facts, entries = dict[Address, str](), list[AnyEntry]()
    for address, seen in found.items():
        now = believe(state, {address: seen}).get(address)
        facts[address], entry = _judge(command, position, address, state, now)
        if entry is not None:
            entries.append(entry)
            state = state.put([(address, now)])
    return facts, entries, state


class _Learned(NamedTuple):
    """What running the commands again told, as far as they had come."""

    events: dict[int, list[Event]]
    """Those that are not on record yet, by command."""
    problems: dict[tuple[int, Address], str]
    """What went wrong, or was never sent."""
    untried: set[tuple[int, Address]]
    """Where the next step was never sent."""
    reports: set[tuple[int, Address]]
    """What came back of a command whose effect is not in the state."""
    unasked: dict[int, str]
    """The commands of which nobody can be asked now, and why."""
    handed: dict[int, int]
    """The commands that a person has in hand, and in which work order."""
    made: set[int]
    """The commands for which something was done, and of which only a look can tell what."""
    tidy: list[tuple[int, Instruction]]
    """What takes away what we left, by command, once all is on record."""

    def fact(self, position: int, command: Command, address: Address) -> str:
        """Return what is known at an address without looking at it."""
        key, problem = (position, address), self.problems.get((position, address))
        never = key in self.untried
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
    learned, left = _Learned({}, {}, set(), set(), {}, {}, set(), []), sorted(dead)
    while left:
        try:
            accepted = together(project.log, left[0])
        except LaserCatsError as error:
            learned.unasked[left.pop(0)] = str(error)
            continue
        positions = [record.position for record, _ in accepted]
        left = [position for position in left if position > positions[-1]]
        writer = project.log.writer(positions[0])
        try:
            commands = [project.kinds.decode_command(bytes(entry.command)) for _, entry in accepted]
            if any(isinstance(command, StrangeCommand) for command in commands):
                continue  # they cannot be run again together, so a look judges those that are known
            tape, results, unasked = await play(project, context, accepted, force=force)
            learned.unasked.update(unasked)
            for deferred in tape.handed:
                project.log.append([deferred])
                learned.handed.update(dict.fromkeys(deferred.commands, deferred.started))
            otherwise = tape.worded_otherwise() & set(dead)
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
        still = {p for p, r in zip(positions, results, strict=True) if r.status == "open" and p in dead}
        learned.unasked.update((p, tape.unseen[p]) for p in still if p in tape.unseen)
        learned.made.update((otherwise | still) & tape.did)
        learned.tidy.extend(tape.tidy)
        for position, result in zip(positions, results, strict=True):
            learned.reports.update((position, address) for address in result.reports)
            if position not in otherwise:
                learned.untried.update((position, address) for address in result.untried)
                learned.problems.update(((position, a), why) for a, why in result.problems.items())
        for entry in tape.entries:
            if not isinstance(entry, Event) or entry.command in otherwise:
                continue
            if (own := _unrecorded(entry, dead, known)) is not None:
                learned.events.setdefault(own.command or 0, []).append(own)
    return learned


async def play(
    project: Project, context: Context, accepted: Sequence[tuple[Record, Accepted]], *, force: bool
) -> tuple[Reopened, Sequence[Result], dict[int, str]]:
    """Run commands that were issued together on the tape of what is recorded, and ask what is in doubt.

    What machines are still at for them is ended with `force`.

    Returns the tape, what came of each command, and of which nobody could be asked, and why.
    """
    positions = [record.position for record, _ in accepted]
    records = [
        record
        for record in project.log.read(positions[0])
        if not isinstance(record.entry, Started) or set(positions) & set(record.entry.commands)
    ]
    asking = replace(context, run=accepted[0][1].run)
    tape = Reopened(asking, project.log.fold(positions[0] - 1), positions[0], records)
    unasked = await tape.resolve(end=force)
    commands = [project.kinds.decode_command(bytes(entry.command)) for _, entry in accepted]
    head = accepted[0][1]
    rerun = as_then(replace(context, run=head.run), head)
    return tape, await replay(commands, tape, rerun), unasked


def _can_be_looked_at(project: Project, command: Command) -> bool:
    kinds = project.kinds
    return command.effect is Effect.STATE and all(kinds.kind(a).has("observe") for a in command.on)


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
    left = "; ".join(f"{label(address)}: {fact}" for address, fact in facts.items() if fact != "done")
    error = f"interrupted: {left}" if left else None
    project.log.append([*entries, Ended(command=position, status=status, error=error)])
    return Recovered(position, command, status, facts)
