"""Runs a query over the state, its history and the log: read only, within a time and a number of rows."""

import re
import sqlite3
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import lru_cache
from itertools import islice
from typing import Any, NamedTuple

import msgspec

from lasercats.core.errors import BadInput, LaserCatsError, LogCorrupt, UnknownName
from lasercats.core.kind import Kinds
from lasercats.core.secret import HIDDEN
from lasercats.views.statement import TABLE_FUNCTIONS, Resolve, Statement, columns_of, read
from lasercats.views.tables import iso, tables

TIMEOUT = 30.0
MAX_ROWS = 100_000
STEPS = 10_000
"""Instructions of SQLite between two looks at the clock."""
LONGEST = 256 * 1024 * 1024
"""The most bytes of one value: larger ones are made between two looks at the clock."""
_ALLOWED = (sqlite3.SQLITE_SELECT, sqlite3.SQLITE_READ, sqlite3.SQLITE_FUNCTION, sqlite3.SQLITE_RECURSIVE)
_DAMAGED = (sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB)
_TOKEN = re.compile(r'\{"sealed:": ?"[^"]*"\}|"sealed:[^"]*"')
_NO_COLUMN = re.compile(r"no such column: (?:(.+)\.)?(.+)")
_NO_FUNCTION = re.compile(r"no such function: (.+)")
_AMBIGUOUS = re.compile(r"ambiguous column name: (?:(.+)\.)?(.+)")


class Answer(NamedTuple):
    """What a query found."""

    columns: list[str]
    rows: list[tuple[Any, ...]]


class _Told(msgspec.Struct):
    """What a record says of itself, besides what may be long."""

    type: str | None = None
    actor: str | None = None
    message: str | None = None


def query(
    sql: str,
    kinds: Kinds,
    connection: sqlite3.Connection,
    resolve: Resolve,
    *,
    as_of: int | str | None = None,
    timeout: float = TIMEOUT,
    max_rows: int = MAX_ROWS,
) -> Answer:
    """Answer a query, over the tables of `lasercats.views.tables`.

    A text in a version clause, and `as_of` when it is one, mean what `resolve` says. `as_of` is for every
    table that has no version clause of its own.

    Raises:
        BadInput: the query has a mistake, does not only read, or goes beyond a limit.
        LogCorrupt: it met damage.

    """
    statement = read(sql, tables(kinds))
    own = statement.rewritten(resolve, resolve(as_of) if isinstance(as_of, str) else as_of)
    raised = list[LaserCatsError]()
    try:
        with _guarded(connection, _keeping(raised, resolve), timeout):
            cursor = connection.execute(own)
            rows = list(islice(cursor, min(max_rows + 1, sys.maxsize)))
    except (sqlite3.Error, sqlite3.Warning) as error:
        if getattr(error, "sqlite_errorcode", 0) & 0xFF in _DAMAGED:
            raise LogCorrupt(
                f"the log is damaged ({error}); see with `lasercats verify` what of it holds, or restore it "
                "from a backup"
            ) from None
        raise (raised or [_explained(str(error), statement, connection, timeout)])[0] from None
    if len(rows) > max_rows:
        raise BadInput(
            f"the query gives more than {max_rows} rows; add a LIMIT, or allow more with --max-rows"
        )
    return Answer([column[0] for column in cursor.description], [tuple(map(_shown, row)) for row in rows])


@contextmanager
def _guarded(
    connection: sqlite3.Connection, position_of: Callable[[object], int | None], timeout: float
) -> Iterator[None]:
    """Let a connection only read, and only for so long."""
    deadline = time.monotonic() + timeout
    connection.execute("PRAGMA query_only = ON")
    connection.setlimit(sqlite3.SQLITE_LIMIT_LENGTH, LONGEST)
    for function in TABLE_FUNCTIONS:
        connection.execute(f"SELECT 1 FROM {function}('[]')")  # noqa: S608 - made now, as it may not be later
    connection.create_function("told", 2, _teller(connection))
    connection.create_function("time_of", 1, _clock(connection))
    connection.create_function("position_of", 1, position_of)
    connection.set_progress_handler(lambda: time.monotonic() > deadline, STEPS)
    connection.set_authorizer(_authorize)
    try:
        yield
    finally:
        connection.set_authorizer(None)
        connection.set_progress_handler(None, 0)


def _authorize(action: int, _one: str | None, two: str | None, _database: str | None, _by: str | None) -> int:
    extension = action == sqlite3.SQLITE_FUNCTION and two == "load_extension"
    return sqlite3.SQLITE_OK if action in _ALLOWED and not extension else sqlite3.SQLITE_DENY


def _teller(connection: sqlite3.Connection) -> Callable[[int | None, str], str | None]:
    """Return a function that takes a fact from a record; a long record is read once, not once a row."""
    decoder = msgspec.json.Decoder(_Told)

    @lru_cache(maxsize=10_000)
    def told(position: int | None) -> _Told:
        row = connection.execute("SELECT body FROM records WHERE position = ?", (position,)).fetchone()
        return decoder.decode(row[0]) if row else _Told()

    return lambda position, fact: getattr(told(position), fact)


def _clock(connection: sqlite3.Connection) -> Callable[[object], str | None]:
    def time_of(position: object) -> str | None:
        sql = f"SELECT {iso('coalesce(clock, time)')} FROM records WHERE position = ?"  # noqa: S608 - a constant
        row = connection.execute(sql, (position,)).fetchone()
        return str(row[0]) if row else None

    return time_of


def _keeping(raised: list[LaserCatsError], resolve: Resolve) -> Callable[[object], int | None]:
    """Return `resolve` for SQLite, which forgets what an error of a function says."""

    def position_of(text: object) -> int | None:
        try:
            return None if text is None else resolve(str(text))
        except LaserCatsError as error:
            raised.append(error)
            raise

    return position_of


def _explained(
    fact: str, statement: Statement, connection: sqlite3.Connection, timeout: float
) -> LaserCatsError:
    """Return the error of SQLite as a sentence, with the place in the query."""
    if fact == "interrupted":
        return BadInput(
            f"the query took longer than {timeout:g} seconds; make it simpler, or allow more with --timeout"
        )
    if match := _NO_COLUMN.fullmatch(fact):
        return _unknown_column(statement, match[2], match[1] or "")
    if match := _NO_FUNCTION.fullmatch(fact):
        names = {str(row[0]) for row in connection.execute("SELECT name FROM pragma_function_list")}
        sort = f"function{statement.place(match[1])}"
        return UnknownName(
            sort, match[1], names - {"told"}, "see https://sqlite.org/lang.html for what there is"
        )
    if match := _AMBIGUOUS.fullmatch(fact):
        where = statement.place(match[2], match[1] or "")
        return BadInput(f"more than one table has the column {match[2]!r}{where}; write TABLE.{match[2]}")
    return BadInput(f"the query cannot be run: {fact}; write it otherwise")


def _unknown_column(statement: Statement, name: str, qualifier: str) -> LaserCatsError:
    of = statement.named.get(qualifier.lower())
    known = columns_of(of) if of else columns_of([t for ts in statement.named.values() for t in ts])
    sort = f"column{statement.place(name, qualifier)}"
    if not of:
        known |= statement.made
    if statement.is_quoted(name):
        return UnknownName(sort, name, known, "write text in single quotes")
    return UnknownName(sort, name, known)


def _shown(cell: object) -> object:
    """Return a cell without what is sealed."""
    if isinstance(cell, str):
        return _TOKEN.sub(f'"{HIDDEN}"', cell)
    return cell
