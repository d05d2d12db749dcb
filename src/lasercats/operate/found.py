"""What became of commands that were cut off: they are run again as far as they had come, then looked at.

They are run again from what is on record, and from what machines tell of the batches that never came back
(`lasercats.interpreters.asking`). Where that ends in no event, the machine is looked at: what is there is
what the command would have made, what was there before, or neither.
"""

from collections.abc import Collection, Iterable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from itertools import groupby
from typing import NamedTuple

from lasercats.core.address import Address, label
from lasercats.core.change import Change, Delta
from lasercats.core.command import Command, Effect, StrangeCommand
from lasercats.core.errors import LaserCatsError, LogError, Refused
from lasercats.core.instruction import Instruction, Item
from lasercats.core.loose import ODD
from lasercats.core.record import OBSERVED, AnyEntry, Deferred, Ended, Event, raw_delta
from lasercats.core.resource import Resource, same, settle
from lasercats.core.settle import believe
from lasercats.core.state import State
from lasercats.interpreters.asking import Ask
from lasercats.interpreters.context import Context, Result
from lasercats.interpreters.journal import Journal
from lasercats.interpreters.live import carry_out
from lasercats.interpreters.looking import expectations, look
from lasercats.interpreters.past import Mark, Past, marks
from lasercats.interpreters.replay import as_then
from lasercats.operate.issued import together
from lasercats.operate.project import Project
from lasercats.operate.replay import past_of
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


def still_open(command: Command, position: int, fact: str) -> Recovered:
    """Return that a command stays open, for one reason everywhere."""
    return Recovered(position, command, "open", dict.fromkeys(command.on or (Address("?"),), fact))


@dataclass(slots=True, eq=False)
class _Case:
    """What is known of a command that was cut off."""

    position: int
    command: Command
    known: set[Mark]
    """What is on record of it, or learned by now, by address."""
    events: list[Event] = field(default_factory=list)
    """Those that are not on record yet."""
    problems: dict[Address, str] = field(default_factory=dict)
    """What went wrong, or was never sent."""
    untried: set[Address] = field(default_factory=set)
    """Where the next step was never sent."""
    reports: set[Address] = field(default_factory=set)
    """What came back of a command whose effect is not in the state."""
    unasked: str = ""
    """Why nobody can be asked now."""
    order: int | None = None
    """In which work order a person has it in hand."""
    made: bool = False
    """True where something was done for it, and only a look can tell what."""
    tidy: list[Instruction] = field(default_factory=list)
    """What takes away what we left, once all is on record."""

    def learn(self, event: Event) -> None:
        """Take an event that is not on record; what is only on record was not done without its event."""
        if self.command.effect is not Effect.RECORD:
            self.known.update(marks(event))
            self.events.append(event)

    def fact(self, address: Address) -> str:
        """Return what is known at an address without looking at it."""
        problem, never = self.problems.get(address), address in self.untried
        changed = any(address in event.delta for event in self.events)
        if self.command.effect is Effect.RECORD or (never and not changed):
            return "not done"
        if self.command.effect is Effect.OPAQUE and address not in self.reports:
            return "nobody knows whether it ran; look for yourself"
        return "done" if problem is None else f"done in part: {problem}"

    def unknown(self, project: Project) -> list[Address]:
        """Return the addresses of which only a look can tell."""
        if self.command.effect is not Effect.STATE or self.unasked or self.order is not None:
            return []
        return [
            address
            for address in self.command.on
            if (self.position, False, address) not in self.known
            and project.kinds.kind(address).has("observe")
        ]


async def find_out(project: Project, dead: Mapping[int, Command], *, force: bool) -> list[Recovered]:
    """Find out what became of commands, whose runs are ours, and end them in the log.

    All machines are looked at once. What stays open is told with the reason.
    """
    context, cases = project.context(), dict[int, _Case]()
    for position, command in dead.items():
        known = {mark for record in project.log.caused(position) for mark in marks(record.entry)}
        cases[position] = _Case(position, command, known)
    await _run_again(project, context, cases, force=force)
    return await _judged(project, context, cases, force=force)


class Played(NamedTuple):
    """What came of running commands again that were issued together."""

    past: Past
    ask: Ask
    results: Sequence[Result]
    unasked: Mapping[int, str]
    """Of which nobody could be asked, and why."""
    entries: Sequence[AnyEntry]
    """What is not on record yet."""


async def play(project: Project, context: Context, position: int, *, force: bool) -> Played:
    """Run commands again that were issued with one, from what is on record, and ask what is in doubt.

    What machines are still at for them is ended with `force`.
    """
    past = past_of(project.log, project.kinds, position)
    then = as_then(context, past.head)
    ask = Ask(then, past)
    unasked = await ask.resolve(end=force)
    journal = Journal(then, past, ask)
    results = await carry_out(past.commands, journal)
    return Played(past, ask, results, unasked, journal.entries)


async def _run_again(project: Project, context: Context, cases: Mapping[int, _Case], *, force: bool) -> None:
    """Run what was cut off again, with all that was issued together, as far as it had come."""
    left = sorted(cases)
    while left:
        try:
            accepted = together(project.log, left[0])
        except LaserCatsError as error:
            cases[left.pop(0)].unasked = str(error)
            continue
        positions = [record.position for record, _ in accepted]
        left = [position for position in left if position > positions[-1]]
        mine = [cases[position] for position in positions if position in cases]
        try:
            commands = [project.kinds.decode_command(bytes(entry.command)) for _, entry in accepted]
            if any(isinstance(command, StrangeCommand) for command in commands):
                continue  # they cannot be run again together, so a look judges those that are known
            played = await play(project, context, positions[0], force=force)
            otherwise = played.ask.worded_otherwise()
            _hand(project, cases, played)
        except (LaserCatsError, *ODD) as error:  # one that cannot be run again never stops the others
            _leave(project, mine, error, force=force)
        else:
            _learn(project, cases, played, otherwise)


def _leave(project: Project, cases: Sequence[_Case], error: Exception, *, force: bool) -> None:
    """Let commands that cannot be run again be judged by a look, or else stay open.

    They are looked at where another version of this program began them, or by `force`.
    """
    writer = project.log.writer(cases[0].position)
    for case in cases:
        if writer == PROGRAM and not force:
            case.unasked = f"it cannot be run again: {error}; --force has a look judge it"
        elif (
            writer != PROGRAM and case.command.effect is Effect.STATE and not _is_seen(project, case.command)
        ):
            began = writer or "an earlier version"
            case.unasked = f"{began} began it, and this one cannot tell; recover it with that one"


def _is_seen(project: Project, command: Command) -> bool:
    """Tell whether a look tells all of a command."""
    seen = all(project.kinds.kind(address).has("observe") for address in command.on)
    return seen and command.effect is Effect.STATE


def _hand(project: Project, cases: Mapping[int, _Case], played: Played) -> None:
    """Record what is in the hands of a person, where a crash came before that.

    So are commands that wait with others of their run.
    """
    handed = dict[int, int]()
    for deferred in played.ask.handed:
        project.log.append([deferred])
        handed |= dict.fromkeys(deferred.commands, deferred.started)
    results = zip(played.past.positions, played.results, strict=True)
    waiting, opened = [p for p, result in results if result.status == "waiting"], project.log.open()
    orders = [order for p in waiting if p in opened and (order := opened[p].waits) is not None]
    missing = [p for p in waiting if p in cases and p not in handed]
    if orders and missing:
        project.log.append([Deferred(started=orders[0], commands=tuple(missing))])
        handed |= dict.fromkeys(missing, orders[0])
    for position in handed.keys() & cases.keys():
        cases[position].order = handed[position]


def _learn(project: Project, cases: Mapping[int, _Case], played: Played, otherwise: Collection[int]) -> None:
    """Take in what came of running commands again; not of those that are worded `otherwise` now.

    These are looked at, where that tells all of them.
    """
    ask = played.ask
    otherwise = {p for p in otherwise if p in cases and _is_seen(project, cases[p].command)}
    for position, result in zip(played.past.positions, played.results, strict=True):
        if (case := cases.get(position)) is None:
            continue
        is_open = result.status == "open"
        case.unasked = played.unasked.get(position, "")
        if is_open:
            case.unasked = ask.unseen.get(position, case.unasked)
        case.made = position in ask.did and (is_open or position in otherwise)
        case.reports.update(result.reports)
        case.tidy += [instruction for owner, instruction in ask.tidy if owner == position]
        if position not in otherwise:
            case.untried.update(result.untried)
            case.problems.update(result.problems)
    for entry in played.entries:
        if isinstance(entry, Event) and (case := cases.get(entry.command or 0)) is not None:
            if case.position not in otherwise:
                case.learn(entry)


async def _judged(
    project: Project, context: Context, cases: Mapping[int, _Case], *, force: bool
) -> list[Recovered]:
    """Look at what nobody told of, and end the commands."""
    state = project.state()
    for case in cases.values():
        try:
            for event in case.events:
                state = state.apply(project.kinds.decode_delta(event.delta))
        except (LaserCatsError, *ODD) as error:
            case.unasked = f"what it did cannot be read: {error}"
    unknown = {case.position: case.unknown(project) for case in cases.values()}
    expected = expectations((cases[p].command for p, some in unknown.items() if some), project.kinds)
    wanted = {address: position for position, some in unknown.items() for address in some}
    found, unseen = await look(wanted, state, context, expected=expected)
    results = []
    for case in cases.values():
        mine = unknown[case.position]
        lost = {address: unseen[address] for address in mine if address in unseen}
        if case.unasked:
            lost = dict.fromkeys(case.command.on, case.unasked)
        if lost:
            results.append(Recovered(case.position, case.command, "open", lost))
        elif case.order is not None:
            facts = dict.fromkeys(case.command.on, f"in work order {case.order}")
            results.append(Recovered(case.position, case.command, "waiting", facts))
        else:
            seen = {address: found[address] for address in mine}
            result, state = _ended(project, case, state, seen, force=force)
            results.append(result)
    over = [cases[result.position] for result in results if result.status != "open"]
    await _tidied(context, [instruction for case in over for instruction in case.tidy])
    return results


def _ended(
    project: Project, case: _Case, state: State, seen: Mapping[Address, Resource | None], *, force: bool
) -> tuple[Recovered, State]:
    """End a command by what is known of it, and by what was seen; return the state then."""
    position, command = case.position, case.command
    facts = {address: case.fact(address) for address in command.on}
    try:
        judged, more, after = _judge_all(command, position, state, seen)
        missing = (a for a, fact in judged.items() if fact == "not done" and after.get(a) is None)
        # Where its machine gives a name, a look by the address does not tell of what was made.
        made = {a for a in missing if project.kinds.kind(a).identity is not None}
        if made and case.made and not force:
            return Recovered(position, command, "open", dict.fromkeys(made, NOT_FOUND)), state
        return end(project, position, command, [*case.events, *more], facts | judged), after
    except (LogError, *ODD) as error:  # one that cannot be ended never stops the others
        return still_open(command, position, f"it cannot be ended: {error}"), state


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


def end(
    project: Project,
    position: int,
    command: Command,
    entries: list[AnyEntry],
    facts: Mapping[Address, str],
) -> Recovered:
    """End a command in the log, with what is to be recorded of it, and tell what is known of it.

    Raises:
        LogError: it cannot be written.

    """
    status = "done" if all(fact == "done" for fact in facts.values()) else "failed"
    left = "; ".join(f"{label(address)}: {fact}" for address, fact in facts.items() if fact != "done")
    error = f"interrupted: {left}" if left else None
    project.log.append([*entries, Ended(command=position, status=status, error=error)])
    return Recovered(position, command, status, facts)
