"""`issue`: issue commands from a file."""

from pathlib import Path
from typing import Any

import click

from lasercats.cli import arguments, options
from lasercats.cli.act import act
from lasercats.cli.opening import opened
from lasercats.cli.request import Request
from lasercats.operate import files
from lasercats.operate.issue import read_commands


@click.command()
@options.argument("file", type=arguments.FILE)
@options.max_size
@options.acting("results")
@click.pass_context
def issue(context: click.Context, /, file: str, max_size: int, **values: Any) -> None:  # noqa: ANN401
    """Issue commands from FILE: JSON lines or a YAML list; `-` is standard input."""
    request = Request.take(values)
    with opened(context, looking=request.predicts) as project:
        folder = Path() if file == "-" else Path(file).parent
        label = "standard input" if file == "-" else file
        commands = read_commands(_text(file, max_size), project.kinds, project.inputs(folder), label)
        act(context, project, commands, request)


def _text(file: str, max_size: int) -> str:
    if file == "-":
        return arguments.standard_input(max_size)
    return files.had(file, lambda: files.text(Path(file), max_size))
