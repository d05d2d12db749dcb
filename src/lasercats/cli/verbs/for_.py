"""`for`: run a command on all that a query gives."""

from typing import Any

import click

from lasercats.cli import options, printing
from lasercats.cli.asking import limits, text
from lasercats.cli.opening import opened
from lasercats.core.errors import BadInput
from lasercats.operate import query as queries
from lasercats.views.query import Answer


@click.command("for", context_settings={"allow_interspersed_args": False})
@options.argument("sql")
@options.argument("command", nargs=-1, type=click.UNPROCESSED)
@limits
@options.option("--check", is_flag=True, help="Only show what the command would do.")
@options.serial
@click.pass_context
def for_(
    context: click.Context,
    /,
    sql: str,
    command: tuple[str, ...],
    check: bool,
    at_a_time: str | None,
    **more: Any,  # noqa: ANN401
) -> None:
    """Run a COMMAND on all that a query gives: its column address, else name, else the first.

    The names stand at the end of the command, or before its `--`:
    lasercats for "SELECT name FROM file WHERE mode = '0666'" file chmod --mode 0644
    """
    check = check or command[:1] == ("--check",)
    command = command[1:] if command[:1] == ("--check",) else command
    if not command:
        raise BadInput("no command is given; write `lasercats for SQL COMMAND ...`")
    with opened(context, looking=True, quiet=True) as project:
        names = _names(queries.ask(project, text(sql), **more))
    if not names:
        printing.note("nothing to do: the query gave no rows")
        return
    cut = command.index("--") if "--" in command else len(command)
    root = context.find_root()
    given = {"--project": root.params.get("project"), "--env": root.params.get("env")}
    line = [part for option, value in given.items() if value for part in (option, value)]
    serial = [] if at_a_time is None else ["--at-a-time", at_a_time]
    line += [*command[:cut], *(["--check"] if check else []), *serial, *names, *command[cut:]]
    code = root.command.main(line, prog_name=root.info_name, standalone_mode=False, obj={"queried": True})
    context.exit(code if isinstance(code, int) else 0)


def _names(answer: Answer) -> list[str]:
    """Return the names in an answer, once each.

    Raises:
        BadInput: one would be taken for an option.

    """
    lower = [column.lower() for column in answer.columns]
    index = next((lower.index(name) for name in ("address", "name") if name in lower), 0)
    names = list(dict.fromkeys(str(row[index]) for row in answer.rows if row[index] is not None))
    for name in names:
        if name.startswith("-"):
            raise BadInput(f"the query gave {name!r}, which is no name; select the column address or name")
    return names
