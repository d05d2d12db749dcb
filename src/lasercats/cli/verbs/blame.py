"""`blame`: who gave each field of a resource its value, when and why."""

import click

from lasercats.cli import arguments, fields, options, printing, show
from lasercats.cli.opening import complete_address, opened
from lasercats.operate import data, moments
from lasercats.operate.blame import blame as find


@click.command()
@options.argument("address", type=arguments.NAME, shell_complete=complete_address)
@options.as_of
@options.as_json("blame")
@click.pass_context
def blame(context: click.Context, address: str, as_of: str | None, as_json: bool) -> None:
    """Show for each field of a resource its value, since when, by which command, by whom and why."""
    with opened(context, looking=True) as project:
        position = None if as_of is None else moments.resolve(project.log, as_of)
        found = [data.blame(one) for one in find(project, project.recorded(address), position)]
    if as_json:
        printing.data(found)
        return
    rows = [
        (
            b.field,
            fields.short(b.value),
            b.time,
            b.actor,
            f"{b.type} {b.command or b.position}" + show.why(b.because, b.message),
        )
        for b in found
    ]
    printing.table(rows, ("FIELD", "VALUE", "SINCE", "ACTOR", "BY"))
