"""Verbs that ask: query, and for, which runs a command on what a query gives."""

import csv
import io
import math
from collections.abc import Callable, Iterable, Sequence
from typing import TYPE_CHECKING, Any, TypeVar

import click

from lasercats.cli import arguments, fields, options, printing
from lasercats.core.errors import BadInput
from lasercats.core.visible import visible

if TYPE_CHECKING:
    from lasercats.views.query import Answer

F = TypeVar("F", bound=Callable[..., Any])
FORMATS = ("table", "json", "csv", "markdown")


class Seconds(click.FloatRange):
    """A number of seconds; what is no number is none, though it is in any range."""

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:  # noqa: ANN401
        """Read a number."""
        number = super().convert(value, param, ctx)
        return self.fail("nan is not a number of seconds", param, ctx) if math.isnan(number) else number


def _limits(function: F) -> F:
    """Add `--as-of`, `--timeout`, `--max-rows` and `--max-memory`."""
    timeout = options.option(
        "--timeout",
        type=Seconds(0, min_open=True),
        default=30.0,
        show_default=True,
        metavar="SECONDS",
        help="How long it may take.",
    )
    max_rows = options.option(
        "--max-rows",
        type=click.IntRange(1),
        default=100_000,
        show_default=True,
        metavar="N",
        help="How many rows it may give.",
    )
    max_memory = options.option(
        "--max-memory",
        type=click.IntRange(1, 1_000_000),
        default=512,
        show_default=True,
        metavar="MIB",
        help="How much memory it may take, and how large its answer may be.",
    )
    return options.as_of(timeout(max_rows(max_memory(function))))


@click.command()
@options.argument("sql", required=False)
@options.option(
    "--format",
    "form",
    type=click.Choice(FORMATS),
    default="table",
    show_default=True,
    help="How to print the rows.",
)
@_limits
@options.option("--tables", is_flag=True, help="List the tables and their columns instead.")
@options.as_json("rows", "tables")
@click.pass_context
def query(
    context: click.Context,
    /,
    sql: str | None,
    form: str,
    tables: bool,
    as_json: bool,
    **more: Any,  # noqa: ANN401
) -> None:
    """Answer a query in SQL over the state, its history and the log; `-` reads it from standard input.

    There is a table for each kind, and events, commands and instructions. After a table may stand FOR
    SYSTEM_TIME AS OF P, BETWEEN P AND Q, FROM P TO Q or ALL, where P is a position, or a text such as
    'HEAD~3' or a time.
    """
    from lasercats.operate import query as queries  # noqa: PLC0415

    form = "json" if as_json else form
    with options.opened(context, looking=True) as project:
        if tables:
            _print_tables(queries.tables(project), form)
            return
        answer = queries.ask(project, _text(sql), **more)
    {"table": _print_table, "json": _print_json, "csv": _print_csv, "markdown": _print_markdown}[form](answer)


@click.command("for", context_settings={"allow_interspersed_args": False})
@options.argument("sql")
@options.argument("command", nargs=-1, type=click.UNPROCESSED)
@_limits
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
    from lasercats.operate import query as queries  # noqa: PLC0415

    check = check or command[:1] == ("--check",)
    command = command[1:] if command[:1] == ("--check",) else command
    if not command:
        raise BadInput("no command is given; write `lasercats for SQL COMMAND ...`")
    with options.opened(context, looking=True, quiet=True) as project:
        names = _names(queries.ask(project, _text(sql), **more))
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


def _text(sql: str | None) -> str:
    if sql is None:
        raise BadInput('no query is given; write `lasercats query "SELECT ..."`, or see --tables')
    return arguments.standard_input() if sql == "-" else sql


def _names(answer: "Answer") -> list[str]:
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


def _print_tables(tables: Any, form: str) -> None:  # noqa: ANN401
    if form == "json":
        printing.data(tables)
        return
    rows = [(table, column, type_) for table, columns in tables.items() for column, type_ in columns.items()]
    printing.table(rows, ("TABLE", "COLUMN", "TYPE"))


def _print_table(answer: "Answer") -> None:
    limit = fields.WIDE if printing.is_terminal() else None
    printing.table(([_cell(cell, limit) for cell in row] for row in answer.rows), answer.columns)
    count = len(answer.rows)
    printing.note(f"{count} row{'' if count == 1 else 's'}")


def _print_json(answer: "Answer") -> None:
    names = list(_unique(answer.columns))
    printing.data([dict(zip(names, map(_plain, row), strict=True)) for row in answer.rows])


def _print_csv(answer: "Answer") -> None:
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(answer.columns)
    alike = _plain if not printing.is_terminal() else _in_a_line
    writer.writerows([alike(cell) for cell in row] for row in answer.rows)
    printing.exact(text.getvalue())


def _print_markdown(answer: "Answer") -> None:
    printing.fact(_markdown(answer.columns))
    printing.fact(_markdown(["---"] * len(answer.columns)))
    for row in answer.rows:
        printing.fact(_markdown([_cell(cell, None).replace("|", "\\|") for cell in row]))


def _markdown(cells: Sequence[str]) -> str:
    return f"| {' | '.join(cells)} |"


def _plain(cell: object) -> object:
    """Return a cell as it can stand in JSON or CSV; bytes and infinity as SQL writes them."""
    if isinstance(cell, float) and math.isinf(cell):
        return "9e999" if cell > 0 else "-9e999"
    return f"x'{cell.hex()}'" if isinstance(cell, bytes) else cell


def _in_a_line(cell: object) -> object:
    """Return a cell as it can stand in CSV that a person reads: its newlines are none."""
    return visible(cell) if isinstance(cell, str) else _plain(cell)


def _cell(cell: object, limit: int | None) -> str:
    """Return a cell as one line; cut where there is a limit."""
    if cell is None:
        return "NULL"
    text = visible(str(_plain(cell)))
    return text if limit is None or len(text) <= limit else f"{text[: limit - 1]}…"


def _unique(columns: Iterable[str]) -> Iterable[str]:
    """Iterate over names of columns, numbered where one is there already."""
    seen = set[str]()
    for column in columns:
        name, number = column, 1
        while name in seen:
            number += 1
            name = f"{column}_{number}"
        seen.add(name)
        yield name
