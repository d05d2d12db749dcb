"""Answers one query on a server: in a transaction that only reads and that is rolled back, page by page.

What the server takes of memory for it is bounded by the server's own settings; how long it may take, and how
large the answer may be, is bounded here.
"""

import json
import re
import time
from collections.abc import Sequence
from datetime import date, datetime
from datetime import time as clock
from decimal import Decimal
from typing import Any

from lasercats.core.sealing import Schemas
from lasercats.core.sql import Answer, Bounds, Fault, Sort, too_large
from lasercats.logs.postgresql_link import Link, one_line

_PAGE = 200
_LONGEST = 2**31 - 1
"""The most milliseconds of a timeout."""
_SORTS: dict[str, Sort] = {
    "42703": "column",
    "42702": "ambiguous",
    "42883": "function",
    "57014": "time",
    "53200": "memory",
    "54000": "value",
    "XX001": "damaged",
    "XX002": "damaged",
    "22021": "damaged",
}
_NAME = re.compile(r'(?:column|reference|function) (?:(\w+)\.)?"?([^"()]+?)"?(?:\(.*)? (?:does not|is ambig)')


def answer(link: Link, sql: str, schemas: Schemas, bounds: Bounds) -> Answer:
    """Answer a query over the tables of a log; of more rows than allowed, one more than that is given.

    Raises:
        Fault: the server does not answer it.
        BadInput: it goes beyond a limit.
        LogError: the server cannot be reached.

    """
    with link.transaction("SET TRANSACTION READ ONLY"):
        try:
            _guard(link, bounds)
            if ".veil" in sql:
                link.run("SELECT set_config('lasercats.schemas', %s, true)", (json.dumps(schemas),))
            with link.connection().cursor("lasercats_query") as cursor:
                for name in ("json", "jsonb"):  # as it is written
                    cursor.adapters.register_loader(name, link.driver.types.string.TextLoader)
                cursor.execute(sql.encode())
                return _fetched(cursor, bounds)
        except link.driver.Error as error:
            if error.sqlstate and not error.sqlstate.startswith(("08", "57P")):
                raise fault(error) from None
            raise


def _guard(link: Link, bounds: Bounds) -> None:
    """Bound what the server does for the transaction, and let names mean what they mean to the server."""
    milliseconds = max(1, min(int(bounds.seconds * 1000), _LONGEST))
    settings = {"search_path": "pg_catalog", "jit": "off", "statement_timeout": str(milliseconds)}
    for setting in settings.items():
        link.run("SELECT set_config(%s, %s, true)", setting)


def _fetched(cursor: Any, bounds: Bounds) -> Answer:  # noqa: ANN401
    """Fetch an answer page by page, as far as bounds go."""
    deadline, left = time.monotonic() + bounds.seconds, bounds.mebibytes * 1024 * 1024
    found = Answer([column.name for column in cursor.description or ()], [])
    while page := cursor.fetchmany(min(_PAGE, bounds.rows + 1 - len(found.rows))):
        left -= _take(found.rows, page)
        if left < 0:
            raise too_large(bounds)
        if time.monotonic() > deadline:
            raise Fault("it took too long", "time")
        if len(found.rows) > bounds.rows:
            break
    return found


def fault(error: Any) -> Fault:  # noqa: ANN401
    """Return what the server says of a query."""
    fact = str(error.diag.message_primary or one_line(error))
    match = _NAME.search(fact)
    sort = _SORTS.get(error.sqlstate, "")
    return Fault(fact, sort, match[2] if match else "", (match[1] or "") if match else "")


def _take(rows: list[tuple[Any, ...]], page: Sequence[tuple[Any, ...]]) -> int:
    """Take in a page of rows; return about how many bytes they are."""
    plain = [tuple(map(_plain, row)) for row in page]
    rows += plain
    return sum(len(cell) if isinstance(cell, str | bytes) else 8 for row in plain for cell in row)


def _plain(cell: Any) -> Any:  # noqa: ANN401
    """Return a value as queries give it on every store: a number, a text, bytes or nothing; JSON as text."""
    match cell:
        case bool():
            return int(cell)
        case Decimal():
            return int(cell) if cell == cell.to_integral_value() else float(cell)
        case datetime() | date() | clock():
            return cell.isoformat()
        case list() | dict():
            return json.dumps(cell, ensure_ascii=False, separators=(",", ":"), default=str)
        case None | int() | float() | str() | bytes():
            return cell
    return str(cell)
