"""`init`: make a project."""

from collections.abc import Sequence
from pathlib import Path

import click

from lasercats.cli import arguments, options, printing
from lasercats.operate import begin, data, files
from lasercats.operate.project import FILE


@click.command()
@options.argument("directory", type=arguments.FILE, default=".", metavar="[DIR]")
@options.option("--shared", metavar="GROUP", help="Let the members of a group work in it, too.")
@options.option("--log", metavar="URL", help="Where its log is or will be, as postgresql://HOST/DATABASE.")
@options.option("--grant-reader", "readers", multiple=True, metavar="ROLE", help="Who may read that log.")
@options.option("--grant-writer", "writers", multiple=True, metavar="ROLE", help="Who may also append to it.")
@options.as_json("project")
def init(
    directory: str,
    shared: str | None,
    log: str | None,
    readers: Sequence[str],
    writers: Sequence[str],
    as_json: bool,
) -> None:
    """Make a project in DIR: `lasercats.toml` and the log; or what is missing of one, as in a clone."""
    folder = files.had(directory, Path(directory).resolve)
    made = begin.init(folder, shared, log, readers, writers)
    if as_json:
        printing.data(data.things.Project(str(folder)))
    elif FILE in made:
        printing.note(f"a project in {folder}; add machines with `lasercats machine add NAME URL`")
    elif made:
        new = "; a new log knows nothing yet, and `lasercats adopt` takes in what there is"
        new = new if begin.has_new_log(made) else ""
        printing.note(f"the project in {folder} now has {' and '.join(made)}{new}")
    if shared is not None and (left := begin.left_out(folder)):
        printing.note(left, fg="yellow")
