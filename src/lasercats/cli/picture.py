"""`DOMAIN show MACHINE`: pictures of machines."""

from pathlib import Path
from typing import Any

import click

from lasercats.cli import arguments, options, printing, show
from lasercats.cli.opening import complete_machine, opened
from lasercats.cli.running import run
from lasercats.core.errors import LaserCatsError
from lasercats.core.text import clean
from lasercats.operate.picture import draw


def make_show(domain: str) -> click.Command:
    """Return the verb that draws the machines of a domain."""

    @click.command("show", short_help=f"Draw a {domain}.")
    @options.argument("machine", type=arguments.NAME, metavar="MACHINE", shell_complete=complete_machine)
    @options.option(
        "--svg", type=arguments.FILE, metavar="FILE", help="Write an SVG there; - is standard output."
    )
    @options.as_of
    @click.pass_context
    def verb(context: click.Context, machine: str, svg: str | None, as_of: str | None) -> None:
        with opened(context, looking=as_of is not None) as project:
            picture, unseen = run(project, draw(project, domain, machine, as_of))

        if svg is None:
            printing.picture(picture.terminal(show.width(), color=show.has_color(context)))
        elif svg == "-":
            printing.exact(picture.svg())
        else:
            write(Path(svg), picture.svg())
            printing.note(f"{svg} is written")
        show.print_problems(unseen)

    made: Any = verb
    made.help = (
        f"Draw a {domain} as it is, after a look, or as the log says that it was; in the terminal or as SVG."
    )
    return made  # type: ignore[no-any-return]


def write(path: Path, text: str) -> None:
    """Write a picture or a page.

    Raises:
        LaserCatsError: the file cannot be written.

    """
    try:
        path.write_text(clean(text), encoding="utf-8")
    except OSError as error:
        raise LaserCatsError(f"{path} cannot be written: {error.strerror}") from None
