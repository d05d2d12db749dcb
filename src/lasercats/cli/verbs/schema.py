"""`schema`: print the JSON Schema of documents, or of what --json prints."""

import click

from lasercats.cli import options, printing
from lasercats.cli.generate import schemas
from lasercats.cli.opening import kinds_of
from lasercats.core.document import schema as make
from lasercats.operate import data


@click.command()
@options.option("--of", "name", metavar="NAME", help="Of what --json prints, as results or plan.")
@click.pass_context
def schema(context: click.Context, name: str | None) -> None:
    """Print the JSON Schema of documents; editors that know it complete and check them.

    In a project it has the kinds that are made for it from data, too. With --of it is that of the JSON that
    verbs print; a NAME that there is not lists those that there are.
    """
    if name not in (None, "document"):
        printing.data(data.schema(name, schemas()))
        return

    printing.data(make(kinds_of(context)))
