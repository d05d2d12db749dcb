"""`project`: whose projects, beside the own ones, may act."""

from pathlib import Path

import click

from lasercats.cli import arguments, options, printing
from lasercats.cli.group import VerbGroup
from lasercats.operate import data, files, trust
from lasercats.operate.project import find


@click.group(cls=VerbGroup)
def project() -> None:
    """Trust projects of others, and no more; list them.

    A project that does not belong to you, or that others can write to, can be looked at. What it says is only
    done where you marked its folder: it names programs that are run as you.
    """


def _folder(context: click.Context, directory: str | None) -> Path:
    """Return the folder that is named, or else that of the project that the operator stands in."""
    if directory is not None:
        return files.had(directory, lambda: Path(directory).resolve(strict=True))
    here = context.find_root().params.get("project") or "."
    return find(files.had(here, Path(here).resolve))


@project.command("trust")
@options.argument("directory", type=arguments.FILE, required=False, metavar="[DIR]")
@options.as_json("trust")
@click.pass_context
def project_trust(context: click.Context, directory: str | None, as_json: bool) -> None:
    """Trust whoever can write to the project in DIR, by default to the one that you stand in.

    This is written into your own configuration. It holds for that folder, and also for what others left open
    in its log.
    """
    folder = _folder(context, directory)
    trust.mark(folder)
    if as_json:
        printing.data(data.things.Trust(str(folder), trusted=True))
    else:
        printing.note(
            f"{folder} is trusted, whoever writes there; take that back with `lasercats project untrust`"
        )


@project.command("untrust")
@options.argument("directory", type=arguments.FILE, required=False, metavar="[DIR]")
@options.as_json("trust")
@click.pass_context
def project_untrust(context: click.Context, directory: str | None, as_json: bool) -> None:
    """Trust a project no more; one that is yours needs no trust."""
    folder = _folder(context, directory) if directory is None or Path(directory).exists() else Path(directory)
    trust.unmark(folder)
    if as_json:
        printing.data(data.things.Trust(str(folder), trusted=False))
    else:
        printing.note(f"{folder} is trusted no more")


@project.command("list")
@options.as_json("trusted")
def project_list(as_json: bool) -> None:
    """List the projects that are trusted, and whose they are."""
    found = [(str(folder), trust.doubt(folder) or "yours alone") for folder in trust.marked()]
    if as_json:
        printing.data([data.things.Trusted(folder, why) for folder, why in found])
    elif found:
        printing.table(found, ("PROJECT", "WHY IT NEEDS TRUST"))
    else:
        printing.note("no project is trusted but those that are yours alone")
