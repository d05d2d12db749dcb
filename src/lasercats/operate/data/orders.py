"""Work orders, what people have in hand, as plain data."""

from typing import TYPE_CHECKING

from lasercats.core.address import Address
from lasercats.operate.data.base import Changes, Data, Values, changes, plain
from lasercats.operate.moments import iso

if TYPE_CHECKING:
    from lasercats.operate.reports import Reported as Came
    from lasercats.operate.work import WorkItem
    from lasercats.operate.work import WorkOrder as Order


class Report(Data, frozen=True):
    """What somebody reported at once."""

    time: str
    """RFC 3339, in UTC."""
    actor: str
    steps: list[int]


class Step(Data, frozen=True):
    """A step of a work order."""

    step: int
    status: str
    """`open`, `done`, `failed`, or `skipped` where something failed before it."""
    command: int
    """The position of the command that it serves."""
    text: str
    after: list[int]
    """The steps that must be done before it."""
    notes: list[str]
    """What is to be minded."""
    reported_by: str | None
    instruction: Values
    outcome: Values
    """Null as long as nothing is reported."""


class WorkOrder(Data, frozen=True):
    """A work order: what a person has in hand, or had."""

    order: int
    machine: str
    time: str
    """RFC 3339, in UTC."""
    actor: str
    message: str | None
    because: str | None
    open: int
    """How many steps are to do."""
    reports: list[Report]
    steps: list[Step]


class Reported(Data, frozen=True):
    """What came of a report."""

    order: WorkOrder
    delta: Changes
    problems: dict[Address, str]
    """Where it is not as it was asked for."""


def work_order(one: "Order") -> WorkOrder:
    """Return a work order as plain data."""
    reports = [Report(iso(report.time), report.actor, list(report.steps)) for report in one.reports]
    steps = [_step(one, task) for task in one.tasks]
    about = (one.actor, one.message, one.because)
    return WorkOrder(one.number, one.machine, iso(one.time), *about, len(one.open), reports, steps)


def _step(one: "Order", task: "WorkItem") -> Step:
    reporter = one.reporter(task.number)
    return Step(
        step=task.number,
        status=task.status,
        command=task.command,
        text=task.step.line(),
        after=list(task.after),
        notes=list(one.notes.get(task.number, ())),
        reported_by=reporter.actor if reporter else None,
        instruction=plain(task.step),
        outcome=plain(task.outcome),
    )


def reported(came: "Came") -> Reported:
    """Return what came of a report as plain data."""
    return Reported(work_order(came.order), changes(came.delta), dict(came.problems))
