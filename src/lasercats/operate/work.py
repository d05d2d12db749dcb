"""`work`: what people have in hand, and what they report of it.

A work order is a batch that a person has in hand; its number is the position of the batch in the log. What is
reported is recorded as outcomes of the batch, and the commands that waited go on from there, wherever they
were begun (`lasercats.interpreters.resume`).
"""

import asyncio
import re
import time
from collections.abc import Callable, Collection, Mapping, Sequence
from contextlib import suppress
from dataclasses import replace
from functools import cached_property
from itertools import chain
from typing import Any, NamedTuple, cast

from lasercats.core.address import Address
from lasercats.core.change import Delta, composed
from lasercats.core.errors import BadInput, Fenced, LogConflict, LogError, Unrecorded
from lasercats.core.instruction import Failure
from lasercats.core.lease import PATIENCE
from lasercats.core.record import Accepted, Deferred, Finished, Record, Started, came_back, raw
from lasercats.core.state import State
from lasercats.instructions.work_order import Done, WorkStep, in_order, located
from lasercats.interpreters.late import interrupted
from lasercats.interpreters.replay import as_then, replay
from lasercats.interpreters.resume import Resumed
from lasercats.interpreters.simulate import simulate
from lasercats.operate import order as ordering
from lasercats.operate.history import record_at
from lasercats.operate.holder import holder, is_dead, process_of
from lasercats.operate.project import Project
from lasercats.operate.replay import together

Steps = Sequence[int | range]
"""Steps of a work order, by their numbers; none stands for all that are open."""


class WorkItem(NamedTuple):
    """A step of a work order."""

    number: int
    """Its place on the checklist, from 1."""
    item: int
    """Its place in the batch, from 0."""
    command: int
    """The position of the command that it serves."""
    step: WorkStep
    after: tuple[int, ...]
    """The steps that must be done before it, by their numbers."""
    outcome: Done | Failure | None
    """None as long as nothing is reported."""

    @property
    def status(self) -> str:
        """`open`, `done`, `failed`, or `skipped` where something failed before it."""
        if self.outcome is None:
            return "open"
        if isinstance(self.outcome, Failure):
            return "skipped" if self.outcome.skipped else "failed"
        return "done"


class Report(NamedTuple):
    """What somebody reported at once."""

    time: int
    """Microseconds since 1970-01-01 UTC."""
    actor: str
    steps: tuple[int, ...]
    """By their numbers."""


class WorkOrder:
    """A work order: a batch in the hands of a person, now or once."""

    def __init__(self, project: Project, record: Record) -> None:
        """Read the work order that a batch is."""
        batch = record.entry
        assert isinstance(batch, Started)  # noqa: S101 - whoever asks has looked
        self._project, self._batch = project, batch
        self.number, self.time, self.machine = record.position, record.time, batch.machine
        self.records = [record, *project.log.caused(record.position)]
        accepted = record_at(project.log, batch.commands[0], Accepted)
        assert isinstance(accepted.entry, Accepted)  # noqa: S101 - it was just asked for
        self.actor, self.message = accepted.entry.actor, accepted.entry.message
        self.because = accepted.entry.because

    @cached_property
    def _steps(self) -> list[Any]:
        steps = [self._project.kinds.decode_instruction(bytes(i)) for i in self._batch.instructions]
        return located(cast("list[WorkStep]", steps))

    @cached_property
    def tasks(self) -> tuple[WorkItem, ...]:
        """The steps, in the order in which they are done."""
        kinds, batch = self._project.kinds, self._batch
        steps = self._steps
        outcomes = came_back(self.records)[self.number]
        order = in_order(steps, batch.after)
        number = {index: place for place, index in enumerate(order, 1)}
        return tuple(
            WorkItem(
                number[i],
                i,
                batch.commands[i],
                steps[i],
                tuple(sorted(number[other] for other in batch.after.get(i, ()))),
                None if (found := outcomes[i]) is None else kinds.decode_outcome(steps[i], bytes(found)),
            )
            for i in order
        )

    @cached_property
    def notes(self) -> dict[int, tuple[str, ...]]:
        """What is to be minded at a step, by its number: cables that come along, and power."""
        return ordering.notes(self._project, self)

    @property
    def about(self) -> list[int]:
        """The commands that waited for it, and what was issued with them at their addresses, by position."""
        deferred = (r.entry.commands for r in self.records if isinstance(r.entry, Deferred))
        waited = {*self._batch.commands, *(position for some in deferred for position in some)}
        log, kinds = self._project.log, self._project.kinds
        issued = {
            record.position: set(kinds.decode_command(bytes(entry.command)).on)
            for record, entry in together(log, self._batch.commands[0])
        }
        places = {address for position in waited for address in issued.get(position, ())}
        return [position for position, on in issued.items() if on & places]

    @property
    def open(self) -> list[WorkItem]:
        """The steps of which nothing is reported yet."""
        return [task for task in self.tasks if task.status == "open"]

    @cached_property
    def reports(self) -> list["Report"]:
        """Who reported of which steps, and when."""
        number = {task.item: task.number for task in self.tasks}
        finished = ((r.time, r.entry) for r in self.records if isinstance(r.entry, Finished))
        return [
            Report(time, entry.actor or "", tuple(sorted(number[n] for n, _ in entry.items())))
            for time, entry in finished
        ]

    def reporter(self, step: int) -> "Report | None":
        """Return the report of a step, by its number; None where there is none."""
        return next((one for one in self.reports if step in one.steps), None)

    @cached_property
    def before(self) -> State:
        """The state in which it was handed out."""
        return self._project.state(self.number)

    @cached_property
    def after(self) -> State:
        """The state that it leaves when all of it is done; of one that is over, the state that it left."""
        if not self.open:
            return self._project.state(self._over())
        kinds, log = self._project.kinds, self._project.log
        commands = []
        for record, accepted in together(log, self._batch.commands[0]):
            if record.position in self._batch.commands:
                commands.append(kinds.decode_command(bytes(accepted.command)))
        first = self._batch.commands[0]
        return simulate(commands, self._project.state(first - 1))[1]

    def _over(self) -> int:
        """Return the position at which the commands had taken in all that was reported."""
        caused = (self._project.log.caused(n) for n in set(self._batch.commands))
        last = max(record.position for record in self.records)
        return max([last, *(r.position for one in caused for r in one if not isinstance(r.entry, Started))])


def orders(project: Project, *, everything: bool = False) -> list[WorkOrder]:
    """Return the work orders that wait for a report, or all that ever were, by their numbers."""
    if everything:
        numbers = [
            r.entry.started for r in project.log.read(names=("deferred",)) if isinstance(r.entry, Deferred)
        ]
    else:
        numbers = _waiting(project)
    found = [order(project, number) for number in dict.fromkeys(sorted(numbers))]
    return found if everything else [one for one in found if one.open]


def _waiting(project: Project) -> list[int]:
    """Return the batches that open commands wait for: one command may wait for several."""
    waiting = [position for position, opened in project.log.open().items() if opened.waits is not None]
    runs: dict[int, None] = {}
    for position in waiting:
        if position not in runs:
            runs |= dict.fromkeys(record.position for record, _ in together(project.log, position))
    return [r.entry.started for r in _of_run(project, list(runs)) if isinstance(r.entry, Deferred)]


def order(project: Project, number: int) -> WorkOrder:
    """Return a work order.

    Raises:
        BadInput: there is none of that number.

    """
    record = next(project.log.read(number, number), None)
    handed = record is not None and any(isinstance(r.entry, Deferred) for r in project.log.caused(number))
    if record is None or not handed:
        raise BadInput(f"there is no work order {number}; `lasercats work list` shows which there are")
    return WorkOrder(project, record)


def commands(project: Project, number: int) -> list[int]:
    """Return the commands that go on with what is reported of a work order, as far as they are open.

    Raises:
        BadInput: there is none of that number.

    """
    still_open = project.log.open()
    run = together(project.log, order(project, number).tasks[0].command)
    return [record.position for record, _ in run if record.position in still_open]


class Reported(NamedTuple):
    """What came of a report."""

    order: WorkOrder
    """As it is now."""
    tasks: tuple[WorkItem, ...]
    """The steps of which something was reported, with those that are skipped for it."""
    delta: Delta
    """What changed by it."""
    problems: Mapping[Address, str]
    """Where it is not as it was asked for."""


def numbers(texts: Sequence[str]) -> list[range]:
    """Return the steps that texts name: `7`, `1-32`, `1,4-6`.

    Raises:
        BadInput: one is none of these.

    """
    found = []
    for part in (part for text in texts for part in text.split(",")):
        match = re.fullmatch(r"([0-9]{1,9})(?:-([0-9]{1,9}))?", part.strip())
        if match is None or int(match[2] or match[1]) < int(match[1]):
            raise BadInput(f"{part!r} names no step; write a number, a range such as 1-32, or a list: 1,4-6")
        found.append(range(int(match[1]), int(match[2] or match[1]) + 1))
    return found


async def done(
    project: Project,
    number: int,
    steps: Steps = (),
    *,
    serial: str | None = None,
    asset_tag: str | None = None,
    note: str | None = None,
) -> Reported:
    """Report that steps of a work order are done, by default all that are open; the commands go on.

    Raises:
        BadInput: there is no such order or step, it is reported already, another must be done before it, or
            what was found belongs to one device and several are reported.

    """

    def outcomes(one: WorkOrder, chosen: Sequence[WorkItem]) -> dict[int, Done | Failure]:
        _check_before(one, chosen)
        answers: dict[int, Done | Failure] = {task.item: Done(note=note) for task in chosen}
        if serial is not None or asset_tag is not None:
            answers[_found_at(chosen)] = Done(serial=serial, asset_tag=asset_tag, note=note)
        return answers

    return await _reported(project, number, steps, outcomes)


def _check_before(one: WorkOrder, chosen: Sequence[WorkItem]) -> None:
    """Check that no step is reported before what it waits for."""
    places, still = {task.number for task in chosen}, {task.number for task in one.open}
    for task in chosen:
        missing = [n for n in task.after if n in still and n not in places]
        if missing:
            raise BadInput(
                f"step {task.number} of work order {one.number} comes after step {missing[0]}, of which "
                f"nothing is reported; report both: `lasercats work done {one.number} {missing[0]} "
                f"{task.number}`"
            )


def _found_at(chosen: Sequence[WorkItem]) -> int:
    """Return of which instruction it is told what was found: the last one at the only device."""
    named = {getattr(task.step, "device", None) for task in chosen} - {None}
    if len(named) != 1:
        fact = "no step" if not named else "several devices"
        raise BadInput(
            f"--serial and --asset-tag are of one device, and this reports of {fact}; name its step"
        )
    last = {getattr(task.step, "device", None): task.item for task in chosen}
    return last[next(iter(named))]


async def fail(project: Project, number: int, steps: Steps = (), *, why: str) -> Reported:
    """Report that steps of a work order cannot be done, by default all that are open, and why.

    What must wait for them is skipped, and no more.

    Raises:
        BadInput: there is no such order or step, it is reported already, or no reason is given.

    """
    if not why.strip():
        raise BadInput("say why it cannot be done: --why")
    return await _reported(project, number, steps, lambda one, chosen: _failed(one, chosen, why))


def _failed(one: WorkOrder, chosen: Sequence[WorkItem], why: str) -> dict[int, Done | Failure]:
    """Return what comes of steps that fail, and of what waits for them."""
    failed = {task.number: task for task in chosen}
    outcomes: dict[int, Done | Failure] = {task.item: Failure(reason=why) for task in failed.values()}
    stopped = set(failed)
    for task in one.tasks:
        cause = next((n for n in task.after if n in stopped), None)
        if task.status == "open" and task.number not in stopped and cause is not None:
            outcomes[task.item] = Failure(
                reason=f"not done, because step {cause} failed: {why}", skipped=True
            )
            stopped.add(task.number)
    then: dict[int, set[int]] = {}
    for task in one.tasks:
        for number in task.after:
            then.setdefault(number, set()).add(task.number)
    for task in one.open:
        behind = then.get(task.number, set())
        if task.step.early and task.number not in stopped and behind and behind <= stopped:
            reason = f"not needed any more, because step {min(failed)} failed: {why}"
            outcomes[task.item] = Failure(reason=reason, skipped=True)
    return outcomes


async def _reported(
    project: Project,
    number: int,
    steps: Steps,
    outcomes: Callable[[WorkOrder, Sequence[WorkItem]], Mapping[int, Done | Failure]],
) -> Reported:
    """Report of steps; where others reported of other steps at the same time, after them.

    Raises:
        BadInput: somebody has reported of one of these steps.
        LogConflict: somebody else is going on with the commands, and does not come to an end.

    """
    one = order(project, number)
    chosen = _chosen(one, steps)
    while True:
        try:
            return await report(project, one, outcomes(one, chosen))
        except LogConflict:
            seen, one = one, order(project, number)
            if one.records[-1].position == seen.records[-1].position:
                raise
            chosen = _chosen(one, [task.number for task in chosen])


def _chosen(one: WorkOrder, steps: Steps) -> list[WorkItem]:
    by_number = {task.number: task for task in one.tasks}
    named: dict[int, None] = {}
    for step in chain.from_iterable([step] if isinstance(step, int) else step for step in steps):
        if step not in by_number:
            raise BadInput(f"work order {one.number} has no step {step}; it has 1 to {len(by_number)}")
        if by_number[step].status != "open":
            by = f", by {reporter.actor}" if (reporter := one.reporter(step)) else ""
            raise BadInput(
                f"step {step} of work order {one.number} is reported already: {by_number[step].status}{by}"
            )
        named[step] = None
    if not one.open:
        raise BadInput(
            f"work order {one.number} is over; `lasercats work show {one.number}` tells how it went"
        )
    return [by_number[step] for step in sorted(named)] if steps else one.open


async def report(project: Project, one: WorkOrder, outcomes: Mapping[int, Done | Failure]) -> Reported:
    """Record outcomes of a work order, by their places in the batch, and let the commands go on.

    Raises:
        LogConflict: somebody else reported since the order was read; nothing was recorded.

    """
    indices = tuple(sorted(outcomes))
    finished = Finished(
        started=one.number, outcomes=tuple(raw(outcomes[n]) for n in indices), of=indices, actor=project.actor
    )
    seen = {one.number: one.records[-1].position}
    delta, problems = await resume(project, one.tasks[0].command, [finished], seen)
    now = order(project, one.number)
    return Reported(now, tuple(task for task in now.tasks if task.item in outcomes), delta, problems)


async def resume(
    project: Project,
    position: int,
    reports: Sequence[Finished] = (),
    seen: Mapping[int, int] | None = None,
    *,
    patience: float = PATIENCE,
    force: bool = False,
) -> tuple[Delta, dict[Address, str]]:
    """Let the commands that were issued with one go on, from what is on record and what is reported now.

    Returns what changed, and where that is not as it was asked for. Of batches in `seen`, nothing may have
    come after those positions. Another process that goes on with them is waited for, for some seconds, or
    taken over with `force`.

    Raises:
        LogConflict: somebody else reported on the same batch meanwhile, or is going on with the commands;
            nothing was recorded.

    """
    accepted = together(project.log, position)
    run = accepted[0][1].run
    await _take_lease(project, run, patience, force=force)
    try:  # what is on record is read when nobody else goes on with it
        return await _go_on(project, accepted, reports, seen or {})
    finally:
        with suppress(LogError):  # one that cannot be given back comes to be old
            project.log.release(run)


async def _go_on(
    project: Project,
    accepted: Sequence[tuple[Record, Accepted]],
    reports: Sequence[Finished],
    seen: Mapping[int, int],
) -> tuple[Delta, dict[Address, str]]:
    """Let commands that were accepted together go on, where this process holds their lease."""
    positions = [record.position for record, _ in accepted]
    commands = [project.kinds.decode_command(bytes(entry.command)) for _, entry in accepted]
    still_open = set(positions) & set(project.log.open())
    first, head = positions[0], accepted[0][1]
    context = project.context(message=head.message, because=head.because)
    rerun = as_then(replace(context, run=head.run), head)
    records = _of_run(project, positions)
    fold, by_position = project.log.fold(first - 1), dict(zip(positions, commands, strict=True))
    tape = Resumed(rerun, fold, first, records, still_open, reports, seen, by_position)

    try:
        with project.log.beating():
            results = await replay(commands, tape, rerun)
            tape.commit()
    except (Fenced, LogConflict):
        raise
    except LogError as error:
        if not tape.acted:
            raise
        raise Unrecorded(interrupted(error, [a for delta in tape.changes for a in delta], [])) from None
    delta = composed(tape.changes)
    problems = {a: why for result in results for a, why in result.problems.items() if a in delta}
    return delta, problems


async def _take_lease(project: Project, run: str, patience: float, *, force: bool) -> None:
    """Take the lease of a run that waits, to go on with it; where another process has just that, wait for it.

    Raises:
        LogConflict: the other does not come to an end.

    """
    deadline = time.monotonic() + patience
    while True:
        lease = project.log.leases().get(run)
        late = time.monotonic() > deadline
        if lease is None or force or is_dead(lease):
            try:
                project.log.take(run, holder(), lease.token if lease else 0)
            except LogConflict:  # another was faster since the look
                if late:
                    raise
            else:
                return
        elif late:
            raise LogConflict(
                f"process {process_of(lease.holder)} is going on with these commands, so nothing was "
                "recorded; report again when that is over"
            )
        await asyncio.sleep(0.1)


def _of_run(project: Project, positions: Collection[int]) -> list[Record]:
    """Return what is on record of commands, without reading what came between."""
    found: dict[int, Record] = {}
    for position in positions:
        for record in project.log.caused(position):
            found[record.position] = record
            if isinstance(record.entry, Started):
                found |= {later.position: later for later in project.log.caused(record.position)}
    return [found[position] for position in sorted(found)]


def reporters(project: Project, positions: Collection[int]) -> dict[int, tuple[str, ...]]:
    """Return who reported of what was done for commands, those that anybody reported of."""
    found: dict[int, dict[str, None]] = {}
    for position in positions:
        if position in found:
            continue
        run = [record.position for record, _ in together(project.log, position)]
        found |= {command: {} for command in (position, *run)}
        records = _of_run(project, run)
        owners = {r.position: r.entry.commands for r in records if isinstance(r.entry, Started)}
        for entry in (r.entry for r in records if isinstance(r.entry, Finished) and r.entry.actor):
            served = [owners[entry.started][n] for n, _ in entry.items()]
            for command in served:
                found[command][entry.actor or ""] = None
    return {position: tuple(found[position]) for position in positions if found[position]}
