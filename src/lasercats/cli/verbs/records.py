"""`forget`, `protect`, `unprotect`: commands that change records only."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

import click

from lasercats.cli import arguments, options
from lasercats.cli.act import act
from lasercats.cli.opening import complete_address, opened
from lasercats.cli.request import Request

_addresses = options.argument(
    "addresses",
    type=arguments.NAME,
    nargs=-1,
    required=True,
    metavar="ADDRESS...",
    shell_complete=complete_address,
)


def _record(
    context: click.Context, given: Mapping[str, Any], addresses: Sequence[str], values: dict[str, Any]
) -> None:
    """Carry out a command that changes records only."""
    request = replace(Request.take(values), direct=not options.is_queried(context))
    with opened(context, looking=request.predicts) as project:
        on = [project.recorded(address) for address in addresses]
        act(context, project, [project.kinds.command({**given, "on": on})], request)


@click.command()
@_addresses
@options.option("--field", "fields", multiple=True, help="Only the decision on this field.")
@options.acting("results")
@click.pass_context
def forget(
    context: click.Context,
    /,
    addresses: tuple[str, ...],
    fields: tuple[str, ...],
    **values: Any,  # noqa: ANN401
) -> None:
    """Take resources out of the state, or decisions on some of their fields; touch no machine."""
    _record(context, {"command": "forget", "fields": list(fields)}, addresses, values)


@click.command()
@_addresses
@options.acting("results")
@click.pass_context
def protect(context: click.Context, /, addresses: tuple[str, ...], **values: Any) -> None:  # noqa: ANN401
    """Protect resources from being removed or made anew, by whatever asks for it; touch no machine.

    Neither a direct command, nor a document, a prune, an undo or a revert removes them until `unprotect` is
    run. In a document it is the field `protect: true`.
    """
    _record(context, {"command": "protect"}, addresses, values)


@click.command()
@_addresses
@options.acting("results")
@click.pass_context
def unprotect(context: click.Context, /, addresses: tuple[str, ...], **values: Any) -> None:  # noqa: ANN401
    """Lift the protection of resources from being removed; touch no machine."""
    _record(context, {"command": "unprotect"}, addresses, values)
