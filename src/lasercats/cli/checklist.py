"""Shows work orders as checklists."""

from collections.abc import Iterator

from lasercats.cli import printing
from lasercats.core.instruction import Failure
from lasercats.instructions.work_order import Done
from lasercats.operate.moments import iso
from lasercats.operate.work import WorkItem, WorkOrder

BOXES = {"open": "☐", "done": "☑", "failed": "☒", "skipped": "⊘"}


COLORS = {"done": "green", "failed": "red", "skipped": "yellow"}


def print_order(one: WorkOrder, *, whole: bool = False) -> None:
    """Print the checklist of a work order."""
    about = f" ({one.message})" if one.message else ""
    printing.fact(printing.style(f"work order {one.number} for {one.machine}{about}", bold=True))
    if whole:
        printing.fact(f"asked by {one.actor} at {iso(one.time)}")
    for task in one.tasks:
        print_task(one, task)
    for report in one.reports if whole else ():
        steps = ", ".join(map(str, report.steps))
        printing.fact(f"  reported by {report.actor} at {iso(report.time)}: {steps}")
    if one.open:
        left = f"{len(one.open)} to do; report with `lasercats work done {one.number} [STEP]`"
        printing.note(left)


def print_task(one: WorkOrder, task: WorkItem) -> None:
    """Print a step, with what is told below it."""
    head = f"  {BOXES[task.status]} {task.number:>2}. {task.step.line()}"
    if task.after and task.status == "open":
        head += f"  (after {', '.join(map(str, task.after))})"
    for line in (head, *(f"         {below}" for below in _below(one, task))):
        printing.fact(printing.style(line, fg=COLORS.get(task.status)))


def _below(one: WorkOrder, task: WorkItem) -> Iterator[str]:
    """Iterate over what is told below a step: notes, and what became of it."""
    if task.status != "done":
        yield from one.notes.get(task.number, ())
    if isinstance(task.outcome, Failure):
        yield task.outcome.reason
    elif isinstance(task.outcome, Done):
        held = {"serial": task.outcome.serial, "asset tag": task.outcome.asset_tag, "note": task.outcome.note}
        yield from (f"{name}: {text}" for name, text in held.items() if text)
