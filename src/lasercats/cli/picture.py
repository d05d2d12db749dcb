"""`DOMAIN show MACHINE`: pictures of machines."""

import shutil
import sys
from pathlib import Path
from typing import Any

import click

from lasercats.cli import options
from lasercats.core.errors import LaserCatsError

NARROW = 80
"""Columns where the output is no terminal."""


def make_show(domain: str) -> click.Command:
    """Return the verb that draws the machines of a domain."""

    @click.command("show", short_help=f"Draw a {domain}.")
    @click.argument("machine", metavar="MACHINE", shell_complete=options.complete_machine)
    @options.option("--svg", metavar="FILE", help="Write an SVG there; - is standard output.")
    @options.as_of
    @click.pass_context
    def show(context: click.Context, machine: str, svg: str | None, as_of: str | None) -> None:
        from lasercats.operate.picture import draw  # noqa: PLC0415 - start-up stays light

        with options.opened(context) as project:
            picture = draw(project, domain, machine, as_of)
        if svg is None:
            color = sys.stdout.isatty() if context.color is None else context.color
            width = shutil.get_terminal_size().columns if sys.stdout.isatty() else NARROW
            click.echo(picture.terminal(width, color=color))
        elif svg == "-":
            click.echo(picture.svg())
        else:
            _write(Path(svg), picture.svg())
            click.echo(f"{svg} is written", err=True)

    verb: Any = show
    verb.help = (
        f"Draw a {domain} as it is, after a look, or as the log says that it was; in the terminal or as SVG."
    )
    return show


def _write(path: Path, text: str) -> None:
    try:
        path.write_text(text)
    except OSError as error:
        raise LaserCatsError(f"{path} cannot be written: {error.strerror}") from None
