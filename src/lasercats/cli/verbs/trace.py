"""`trace`: show the trace of a past command from the log alone."""

import click

from lasercats.cli import options, printing
from lasercats.cli.opening import opened
from lasercats.interpreters.trace import lines
from lasercats.operate import data, history, moments


@click.command()
@options.argument("position")
@options.as_json("trace")
@click.pass_context
def trace(context: click.Context, position: str, as_json: bool) -> None:
    """Show the trace of a past command from the log alone: batches, instructions, outcomes, times."""
    with opened(context, looking=True) as project:
        chosen = moments.one(project.log, position)
        found = history.batches(project, chosen)
    if as_json:
        printing.data([data.traced(batch) for batch in found])
        return
    for batch in found:
        for line in lines(batch.machine, batch.instructions, batch.outcomes, batch.seconds):
            printing.fact(line)
    if not found:
        printing.note("no instruction was given for it")
