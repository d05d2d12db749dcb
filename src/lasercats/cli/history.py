"""Verbs about the past: log, show, diff, verify."""

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any

import click

from lasercats.cli import options, show
from lasercats.core.command import Effect

if TYPE_CHECKING:
    from lasercats.core.record import Started
    from lasercats.operate.history import Happening
    from lasercats.operate.project import Project


@click.command()
@click.argument("span", required=False, metavar="[A..B]")
@options.option("-n", "--limit", type=click.IntRange(1), help="Only the last so many.")
@options.as_json
@click.pass_context
def log(context: click.Context, span: str | None, limit: int | None, as_json: bool) -> None:
    """Show the history, command by command; a range is A..B in positions or times."""
    from lasercats.operate import history  # noqa: PLC0415

    with options.opened(context) as project:
        first, last = history.resolve_range(project.log, span)
        found = history.happenings(project, first, last)[-(limit or 0) :]
    if as_json:
        show.print_json([history.as_data(h) for h in found])
        return
    rows = [
        (str(h.position), history.iso(h.time), h.actor, _what(h), h.status, _effect(h) + _why(h))
        for h in found
    ]
    show.table(rows, ("POSITION", "TIME", "ACTOR", "COMMAND", "STATUS", "EFFECT"))


@click.command("show")
@click.argument("position")
@options.as_json
@click.pass_context
def show_(context: click.Context, position: str, as_json: bool) -> None:
    """Show one command with all that came of it: batches, instructions, outcomes, events."""
    from lasercats.operate import history  # noqa: PLC0415

    with options.opened(context) as project:
        (chosen,) = history.positions(project.log, [position])
        happened = history.happening(project, chosen)
        batches = list(_batches(project, chosen))
    if as_json:
        show.print_json({**history.as_data(happened), "batches": batches})
        return
    click.echo(click.style(f"{happened.position}  {_what(happened)}  {happened.status}", bold=True))
    click.echo(f"time:    {history.iso(happened.time)}\nactor:   {happened.actor}")
    for label, text in (
        ("message", happened.message),
        ("because", happened.because),
        ("error", happened.error),
    ):
        if text:
            click.echo(f"{label + ':':8} {text}")
    for batch in batches:
        click.echo(f"batch {batch['position']} to {batch['machine']}:")
        for line, outcome in zip(batch["instructions"], batch["outcomes"], strict=True):
            click.echo(f"    {line}\n      → {outcome}")
    if happened.observed:
        click.echo("found changed outside:")
        show.print_delta(happened.observed, both=True)
    show.print_delta(happened.delta, both=True)


@click.command()
@click.argument("first")
@click.argument("last", default="HEAD")
@options.detailed
@options.as_json
@click.pass_context
def diff(context: click.Context, first: str, last: str, detailed: bool, as_json: bool) -> None:
    """Show what changed between two positions; the second is HEAD if it is left out."""
    from lasercats.operate import history  # noqa: PLC0415

    with options.opened(context) as project:
        a, b = (0 if p == "0" else history.resolve(project.log, p) for p in (first, last))
        delta, _, _ = history.between(project, a, b)
    if as_json:
        show.print_json(show.changes_data(delta))
    else:
        show.print_delta(delta, both=True)
        click.echo(show.summary(delta), err=True)
    context.exit(2 if delta and detailed else 0)


@click.command()
@options.option("--repair", is_flag=True, help="Make the tables anew from the records first.")
@options.as_json
@click.pass_context
def verify(context: click.Context, repair: bool, as_json: bool) -> None:
    """Check the hashes of the log, that its events meet, and that its tables are the fold of them."""
    from lasercats.operate.verify import verify as check  # noqa: PLC0415

    with options.opened(context) as project:
        report = check(project, repair=repair)
    if as_json:
        show.print_json(report)
    else:
        told = ", ".join(f"{count} {name}" for name, count in report.items())
        click.echo(f"{told}: the chain and the fold hold")


def _what(happened: "Happening") -> str:
    command = happened.command
    if command is None:
        return happened.type
    first = command.on[0].partition("/")[2].removesuffix(":")
    more = f" and {len(command.on) - 1} more" if len(command.on) > 1 else ""
    return f"{happened.type.replace('.', ' ')} {first}{more}"


def _effect(happened: "Happening") -> str:
    if happened.status == "open":
        return "not known yet"
    if happened.error:
        return happened.error
    if happened.command is None:
        return f"{show.summary(happened.observed)} outside"
    removed = "forgotten" if happened.command.effect is Effect.RECORD else "removed"
    return "effect not in the state" if happened.opaque else show.summary(happened.delta, removed)


def _why(happened: "Happening") -> str:
    told = [text for text in (happened.because, happened.message) if text]
    return f"  ({'; '.join(told)})" if told else ""


def _batches(project: "Project", position: int) -> Iterator[dict[str, Any]]:
    from lasercats.core.record import Finished, Started  # noqa: PLC0415
    from lasercats.operate import history  # noqa: PLC0415

    open_: dict[int, Started] = {}
    for record in history.records_of(project, position):
        if isinstance(record.entry, Started):
            open_[record.position] = record.entry
        elif isinstance(record.entry, Finished):
            batch = open_.pop(record.entry.started)
            yield _batch(project, position, record.entry.started, batch, record.entry.outcomes)
    for at, batch in open_.items():
        yield _batch(project, position, at, batch, ())


def _batch(
    project: "Project", position: int, at: int, batch: "Started", outcomes: Sequence[Any]
) -> dict[str, Any]:
    from lasercats.interpreters.trace import describe, outcome_text  # noqa: PLC0415

    lines, told = [], []
    for number, (owner, raw) in enumerate(zip(batch.commands, batch.instructions, strict=True)):
        if owner == position:
            instruction = project.kinds.decode_instruction(bytes(raw))
            lines.append(describe(instruction))
            known = number < len(outcomes)
            text = "not known: it never came back"
            if known:
                text = outcome_text(project.kinds.decode_outcome(instruction, bytes(outcomes[number])))
            told.append(text)
    return {"position": at, "machine": batch.machine, "instructions": lines, "outcomes": told}
