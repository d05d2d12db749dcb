"""A work order on paper: in the terminal, as Markdown, and as a page that prints well."""

from collections.abc import Iterator, Sequence
from html import escape

from lasercats.core.instruction import Failure
from lasercats.core.visible import visible
from lasercats.instructions.work_order import Done
from lasercats.operate.moments import iso
from lasercats.operate.order import figures
from lasercats.operate.work import WorkItem, WorkOrder

_STYLE = """
@page { size: A4; margin: 15mm; }
body { font: 11pt/1.4 Helvetica, Arial, sans-serif; color: #111; }
body { max-width: 180mm; margin: 0 auto; padding: 1em; }
h1 { font-size: 18pt; margin: 0 0 2mm; }
h2 { font-size: 13pt; margin: 8mm 0 2mm; }
dl { display: grid; grid-template-columns: max-content 1fr; gap: 0 1em; margin: 0 0 5mm; }
dt { font-weight: bold; }
dd { margin: 0; overflow-wrap: anywhere; }
table { border-collapse: collapse; width: 100%; }
th, td { border-bottom: 1px solid #999; padding: 2mm; text-align: left; vertical-align: top; }
td { overflow-wrap: anywhere; }
td:nth-child(1) { width: 8mm; font-size: 15pt; line-height: 1; }
td:nth-child(2) { width: 8mm; text-align: right; }
td:nth-child(4) { width: 45mm; }
tr { break-inside: avoid; }
small { color: #444; }
figure { margin: 0; break-inside: avoid; }
figure svg { max-width: 100%; max-height: 225mm; width: auto; height: auto; }
.break { break-before: page; }
footer { margin-top: 8mm; display: flex; gap: 10mm; break-inside: avoid; }
footer div { flex: 1; border-top: 1px solid #111; padding-top: 1mm; }
"""
_BOXES = {"open": "☐", "done": "☑", "failed": "☒", "skipped": "⊘"}


def terminal(order: WorkOrder, width: int, *, color: bool) -> Iterator[str]:
    """Iterate over what it changes, before and after, as lines for a terminal."""
    for figure in figures(order):
        for draw in figure.sides.values():
            yield draw(width, color=color)


def markdown(order: WorkOrder) -> str:
    """Return a work order as Markdown."""
    lines = [f"# Work order {order.number}", ""]
    lines += [f"- **{name}:** {_plain(text)}" for name, text in _head(order)]
    lines += ["", "## Steps", ""]
    for task, heading in _headed(order):
        lines += [*([""] if task.number > 1 else []), f"### {_plain(heading)}", ""] if heading else []
        box = "[x]" if task.status == "done" else "[ ]"
        lines.append(f"- {box} **{task.number}.** {_plain(task.step.line())}{_plain(_after(task))}")
        lines += [f"  - {_plain(line)}" for line in _below(order, task)]
    for figure in figures(order):
        lines += ["", f"## {_plain(figure.title)}", ""]
        for caption, draw in figure.sides.items():
            lines += [f"{caption.capitalize()}:", "", "```text"]
            lines += [draw(76, color=False).replace("```", "'''"), "```", ""]
    return "\n".join(lines).rstrip() + "\n"


def _plain(text: str) -> str:
    """Return text in which nothing is Markdown."""
    return "".join(f"\\{sign}" if sign in "\\`*_[]<>#|" else sign for sign in visible(text))


def _html(text: str) -> str:
    """Return text in which nothing is HTML."""
    return escape(visible(text))


def page(order: WorkOrder) -> str:
    """Return a work order as a page that prints well, with what it changes, before and after."""
    head = "".join(f"<dt>{_html(name)}</dt><dd>{_html(text)}</dd>" for name, text in _head(order))
    rows = "".join(
        (f"<tr><th colspan='4'>{_html(heading)}</th></tr>" if heading else "") + _row(order, task)
        for task, heading in _headed(order)
    )
    drawn = "".join(
        f"<section class='break'><h2>{_html(figure.title)}: {' and '.join(figure.sides)}</h2>"
        f"<figure>{figure.svg()}</figure></section>"
        for figure in figures(order)
    )
    return (
        "<!DOCTYPE html>\n<html lang='en'><head><meta charset='utf-8'>"
        "<meta name='viewport' content='width=device-width, initial-scale=1'>"
        f"<title>Work order {order.number}</title><style>{_STYLE}</style></head><body>"
        f"<h1>Work order {order.number}</h1><dl>{head}</dl>"
        "<table><thead><tr><th></th><th></th><th>Step</th><th>Serial, asset tag, note</th></tr></thead>"
        f"<tbody>{rows}</tbody></table>"
        "<footer><div>Done by</div><div>Date</div><div>Signature</div></footer>"
        f"{drawn}</body></html>\n"
    )


def _row(order: WorkOrder, task: WorkItem) -> str:
    below = "".join(f"<br><small>{_html(text)}</small>" for text in _below(order, task))
    after = f"<br><small>{_html(_after(task).strip())}</small>" if task.after else ""
    return (
        f"<tr><td>{_BOXES[task.status]}</td><td>{task.number}.</td>"
        f"<td>{_html(task.step.line())}{after}{below}</td><td></td></tr>"
    )


def _head(order: WorkOrder) -> Sequence[tuple[str, str]]:
    pairs = [
        ("For", order.machine),
        ("Asked by", order.actor),
        ("At", iso(order.time)),
        ("Why", order.message or order.because or ""),
        ("Report", f"lasercats work done {order.number} [STEP] [--serial …]"),
    ]
    return [(name, text) for name, text in pairs if text]


def _headed(order: WorkOrder) -> Iterator[tuple[WorkItem, str]]:
    """Iterate over the steps, each with the rack that begins with it where there are several."""
    several = len({task.step.at for task in order.tasks} - {None}) > 1
    here = None
    for task in order.tasks:
        moved = several and task.step.at not in (None, here)
        here = task.step.at or here
        yield task, f"Rack {here}" if moved else ""


def _after(task: WorkItem) -> str:
    if not task.after:
        return ""
    return f" (after {'step' if len(task.after) == 1 else 'steps'} {', '.join(map(str, task.after))})"


def _below(order: WorkOrder, task: WorkItem) -> Iterator[str]:
    """Iterate over what stands below a step: what is to be minded, and what became of it."""
    yield from order.notes.get(task.number, ())
    if isinstance(task.outcome, Failure):
        yield task.outcome.reason
    elif isinstance(task.outcome, Done):
        named = (
            ("serial", task.outcome.serial),
            ("asset tag", task.outcome.asset_tag),
            ("note", task.outcome.note),
        )
        yield from (f"{name}: {text}" for name, text in named if text)
    if (reporter := order.reporter(task.number)) is not None:
        yield f"reported by {reporter.actor} at {iso(reporter.time)}"
