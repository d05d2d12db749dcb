"""`state`, `document`: what is, now or at any time."""

from collections.abc import Sequence
from fnmatch import fnmatchcase

import click

from lasercats.cli import arguments, options, printing
from lasercats.cli.opening import complete_address, opened
from lasercats.core.address import Address
from lasercats.core.document import dump_yaml, render
from lasercats.core.errors import BadInput
from lasercats.core.resource import Resource
from lasercats.operate import data
from lasercats.operate.moments import resolve
from lasercats.operate.project import Project

_addresses = options.argument(
    "addresses",
    type=arguments.NAME,
    nargs=-1,
    metavar="[ADDRESS]...",
    shell_complete=complete_address,
)


@click.command()
@_addresses
@options.as_of
@options.as_json("state")
@click.pass_context
def state(context: click.Context, addresses: tuple[str, ...], as_of: str | None, as_json: bool) -> None:
    """Show the state, now or at any time, with what the machines gave."""
    with opened(context, looking=True) as project:
        chosen = _chosen(project, addresses, as_of)
    found = data.resources(chosen)
    if as_json:
        printing.data(found)
    elif chosen:
        printing.page(dump_yaml(dict(found.resources)))
    else:
        printing.note("the state is empty")


@click.command()
@_addresses
@options.as_of
@options.as_json("document")
@click.pass_context
def document(context: click.Context, addresses: tuple[str, ...], as_of: str | None, as_json: bool) -> None:
    """Print the state as a document that `plan` and `apply` take."""
    with opened(context, looking=True) as project:
        chosen = _chosen(project, addresses, as_of)
    text = render(chosen.items(), form="json" if as_json else "yaml", kinds=project.kinds)
    (printing.json_text if as_json else printing.exact)(text)


def _chosen(project: Project, addresses: Sequence[str], position: str | None) -> dict[Address, Resource]:
    at = None if position is None else resolve(project.log, position)
    patterns = [text for text in addresses if any(sign in text for sign in "*?[")]
    named = {text: project.recorded(text) for text in addresses if text not in patterns}
    resources = project.state(at, None if patterns or not addresses else [*named.values()]).resources()
    if not addresses:
        return resources
    chosen: dict[Address, Resource] = {}
    for text in addresses:
        if text in patterns:
            chosen |= {a: r for a, r in resources.items() if fnmatchcase(a, text)}
        elif named[text] not in resources:
            if at is not None:
                raise BadInput(
                    f"{named[text]} was not there at position {at}; `lasercats log` tells when it was"
                )
            raise BadInput(
                f"{named[text]} is not in the state; `lasercats observe {named[text]}` would manage it"
            )
        else:
            chosen[named[text]] = resources[named[text]]
    return chosen
