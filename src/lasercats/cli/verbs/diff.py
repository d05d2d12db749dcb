"""`diff`: what changed between two positions."""

import click

from lasercats.cli import options, printing, show
from lasercats.cli.opening import opened
from lasercats.operate import data, history, moments


@click.command()
@options.argument("first")
@options.argument("last", default="HEAD")
@options.detailed
@options.as_json("changes")
@click.pass_context
def diff(context: click.Context, first: str, last: str, detailed: bool, as_json: bool) -> None:
    """Show what changed between two positions; the second is HEAD if it is left out."""
    with opened(context, looking=True) as project:
        a, b = (moments.resolve(project.log, p) for p in (first, last))
        delta, _, _ = history.between(project, a, b)
    if as_json:
        printing.data(data.changes(delta))
    else:
        show.print_delta(delta, both=True)
        printing.note(show.summary(delta))
    context.exit(2 if delta and detailed else 0)
