"""Verbs about racks that are no commands: show, swap, rename, import."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import click

from lasercats.cli import arguments, options, printing, show
from lasercats.cli.act import act
from lasercats.cli.opening import opened
from lasercats.cli.picture import write
from lasercats.cli.request import Request
from lasercats.cli.running import run
from lasercats.core.errors import BadInput
from lasercats.operate import plan as plans
from lasercats.racks import elevation
from lasercats.racks.changes import renamed, swapped
from lasercats.racks.library import read_library
from lasercats.views.elevation import Elevation


def verbs() -> tuple[click.Command, ...]:
    """Return the verbs."""
    return (show_, swap, rename, import_)


@click.command("show", short_help="Draw racks.")
@options.argument("names", type=arguments.NAME, nargs=-1, metavar="[RACK]...")
@options.option(
    "--face", type=click.Choice(["front", "rear"]), default="front", show_default=True, help="Which."
)
@options.option(
    "--svg", type=arguments.FILE, metavar="FILE", help="Write an SVG there; - is standard output."
)
@options.option("--diff", "between", nargs=2, metavar="A B", help="What came and went between two positions.")
@options.as_of
@options.as_json(elevations=list[Elevation])
@click.pass_context
def show_(
    context: click.Context,
    names: tuple[str, ...],
    face: str,
    svg: str | None,
    between: tuple[str, str] | None,
    as_of: str | None,
    as_json: bool,
) -> None:
    """Draw racks as they are, with what is planned and what is about to leave, or as they were.

    RACK is the name of a rack, or of the machine that several are at; by default all are drawn.
    """
    if between and as_of:
        raise BadInput("--diff names both positions itself; leave --as-of out")
    with opened(context, looking=True) as project:
        drawn = elevation.chosen(project, names, face, as_of=as_of, between=between)
    if as_json:
        printing.data(drawn)
    elif svg == "-":
        printing.exact(elevation.svg(drawn, face))
    elif svg is not None:
        write(Path(svg), elevation.svg(drawn, face))
        printing.note(f"{svg} is written")
    else:
        width, color = show.width(), show.has_color(context)
        printing.picture("\n\n".join(elevation.terminal(one, face, width, color=color) for one in drawn))


@click.command()
@options.argument("one", type=arguments.NAME, metavar="DEVICE")
@options.argument("other", type=arguments.NAME, metavar="DEVICE")
@options.acting("results")
@click.pass_context
def swap(context: click.Context, /, one: str, other: str, **values: Any) -> None:  # noqa: ANN401
    """Let two devices change places; what makes room first goes to a spare place, or is put aside."""
    request = Request.take(values)
    with opened(context, looking=request.predicts) as project:
        made = swapped(project, one, other)
        if not request.as_json:
            show.print_detours(made.detours)
        act(context, project, made.commands, request)


@click.command()
@options.argument("old", type=arguments.NAME, metavar="DEVICE")
@options.argument("new", type=arguments.NAME, metavar="NAME")
@options.acting("results")
@click.pass_context
def rename(context: click.Context, /, old: str, new: str, **values: Any) -> None:  # noqa: ANN401
    """Give a device its right name on record, with its cables; nobody is sent."""
    direct = not options.is_queried(context)
    request = replace(Request.take(values), because=f"rack rename {old} {new}", direct=direct)
    with opened(context, looking=request.predicts) as project:
        act(context, project, renamed(project, old, new), request)


@click.command("import")
@options.argument("folder", type=arguments.FILE, metavar="FOLDER")
@options.only
@options.acting("results")
@click.pass_context
def import_(context: click.Context, /, folder: str, only: tuple[str, ...], **values: Any) -> None:  # noqa: ANN401
    """Take device types from a folder in the layout of the NetBox device-type library.

    FOLDER is the library, one maker's folder in it, or one file; --only takes patterns for MAKER/SLUG. Files
    that cannot be taken are told, with the line, and the others are taken.
    """
    request = replace(Request.take(values), because=f"rack import {folder}", brief=True)
    library = read_library(Path(folder), only)
    with opened(context) as project:
        made = run(project, plans.make(project, library.types))
        for where, fact in library.problems:
            printing.note(f"! {where}: {fact}", fg="red")
        if made.commands:
            act(context, project, made.commands, request)
        text = f"{len(library.types)} types read, {len(made.commands)} of them new or changed"
        bad = len(library.problems)
        more = f"; {bad} file{'s' if bad > 1 else ''} could not be taken" if bad else ""
        printing.note(text + more)
    context.exit(1 if library.problems else 0)
