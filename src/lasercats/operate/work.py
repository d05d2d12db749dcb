"""`work`: what people have in hand, and what they report of it.

A work order is a batch that a person has in hand; its number is the position of the batch in the log. What is
reported is recorded as outcomes of the batch, and the commands that waited go on from there, wherever they
were begun (`lasercats.interpreters.journal`).
"""

from collections.abc import Collection
from functools import cached_property
from typing import Any, NamedTuple, cast

from lasercats.core.errors import BadInput
from lasercats.core.instruction import Failure
from lasercats.core.record import (
    Accepted,
    Deferred,
    Finished,
    Record,
    Started,
    came_back,
)
from lasercats.core.state import State
from lasercats.instructions.work_order import Done, WorkStep, in_order, located
from lasercats.interpreters.past import records_of
from lasercats.interpreters.simulate import simulate
from lasercats.operate import order as ordering
from lasercats.operate.issued import together
from lasercats.operate.moments import record_at
from lasercats.operate.project import Project


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
    return [r.entry.started for r in records_of(project.log, list(runs)) if isinstance(r.entry, Deferred)]


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


def reporters(project: Project, positions: Collection[int]) -> dict[int, tuple[str, ...]]:
    """Return who reported of what was done for commands, those that anybody reported of."""
    found: dict[int, dict[str, None]] = {}
    for position in positions:
        if position in found:
            continue
        run = [record.position for record, _ in together(project.log, position)]
        found |= {command: {} for command in (position, *run)}
        records = records_of(project.log, run)
        owners = {r.position: r.entry.commands for r in records if isinstance(r.entry, Started)}
        for entry in (r.entry for r in records if isinstance(r.entry, Finished) and r.entry.actor):
            served = [owners[entry.started][n] for n, _ in entry.items()]
            for command in served:
                found[command][entry.actor or ""] = None
    return {position: tuple(found[position]) for position in positions if found[position]}
