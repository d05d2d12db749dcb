"""`query`: answer a query in SQL over the state and its history."""

import csv
import io
import math
from collections.abc import Iterable, Sequence
from typing import Any

import click

from lasercats.cli import fields, options, printing
from lasercats.cli.asking import limits, text
from lasercats.cli.opening import opened
from lasercats.core.visible import visible
from lasercats.operate import query as queries
from lasercats.views.query import Answer

FORMATS = ("table", "json", "csv", "markdown")


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
@limits
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
    form = "json" if as_json else form
    with opened(context, looking=True) as project:
        if tables:
            _print_tables(queries.tables(project), form)
            return
        answer = queries.ask(project, text(sql), **more)
    {"table": _print_table, "json": _print_json, "csv": _print_csv, "markdown": _print_markdown}[form](answer)


def _print_tables(tables: Any, form: str) -> None:  # noqa: ANN401
    if form == "json":
        printing.data(tables)
        return
    rows = [(table, column, type_) for table, columns in tables.items() for column, type_ in columns.items()]
    printing.table(rows, ("TABLE", "COLUMN", "TYPE"))


def _print_table(answer: Answer) -> None:
    limit = fields.WIDE if printing.is_terminal() else None
    printing.table(([_cell(cell, limit) for cell in row] for row in answer.rows), answer.columns)
    count = len(answer.rows)
    printing.note(f"{count} row{'' if count == 1 else 's'}")


def _print_json(answer: Answer) -> None:
    names = list(_unique(answer.columns))
    printing.data([dict(zip(names, map(_plain, row), strict=True)) for row in answer.rows])


def _print_csv(answer: Answer) -> None:
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(answer.columns)
    alike = _plain if not printing.is_terminal() else _in_a_line
    writer.writerows([alike(cell) for cell in row] for row in answer.rows)
    printing.exact(text.getvalue())


def _print_markdown(answer: Answer) -> None:
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
