"""Answers a query over the state, its history and the log: read only, sealed, and within bounds."""

import re
import sqlite3

from lasercats.core.errors import BadInput, LaserCatsError, LogCorrupt, UnknownName
from lasercats.core.registry import Kinds
from lasercats.views.engine import FUNCTIONS
from lasercats.views.process import Answer, Bounds, Fault, run, too_big, too_long, too_much
from lasercats.views.statement import Resolve, Statement, columns_of, read
from lasercats.views.tables import schemas, tables

__all__ = ["Answer", "Bounds", "query"]
BOUNDS = Bounds()
_DAMAGED = (sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB)
_BEYOND = {
    sqlite3.SQLITE_NOMEM: too_much,
    sqlite3.SQLITE_INTERRUPT: too_long,
    sqlite3.SQLITE_TOOBIG: too_big,
}
_NO_COLUMN = re.compile(r"no such column: (?:(.+)\.)?(.+)")
_NO_FUNCTION = re.compile(r"(no such function|not authorized to use function): (.+)")
_AMBIGUOUS = re.compile(r"ambiguous column name: (?:(.+)\.)?(.+)")


def query(
    sql: str,
    kinds: Kinds,
    source: str | bytes,
    resolve: Resolve,
    *,
    as_of: int | str | None = None,
    bounds: Bounds = BOUNDS,
) -> Answer:
    """Answer a query, over the tables of `lasercats.views.tables`, on the URI of a log or on its bytes.

    A text in a version clause, and `as_of` when it is one, mean what `resolve` says. `as_of` is for every
    table that has no version clause of its own.

    Raises:
        BadInput: the query has a mistake, does not only read, or goes beyond a limit.
        LogCorrupt: it met damage.

    """
    statement = read(sql, tables(kinds))
    own = statement.rewritten(resolve, resolve(as_of) if isinstance(as_of, str) else as_of)
    try:
        answer = run(source, own, schemas(kinds), resolve, bounds)
    except Fault as fault:
        raise _explained(fault, statement, bounds) from None
    if len(answer.rows) > bounds.rows:
        raise BadInput(
            f"the query gives more than {bounds.rows} rows; add a LIMIT, or allow more with --max-rows"
        )
    return answer


def _explained(fault: Fault, statement: Statement, bounds: Bounds) -> LaserCatsError:
    """Return the error of SQLite as a sentence, with the place in the query."""
    fact = str(fault)
    if fault.code in _DAMAGED:
        return LogCorrupt(
            f"the log is damaged ({fact}); see with `lasercats verify` what of it holds, or restore it "
            "from a backup"
        )
    if fault.code in _BEYOND:
        return _BEYOND[fault.code](bounds)
    if match := _NO_COLUMN.fullmatch(fact):
        return _unknown_column(statement, match[2], match[1] or "")
    if match := _NO_FUNCTION.fullmatch(fact):
        return _unknown_function(statement, match[2], there=match[1].startswith("not"))
    if match := _AMBIGUOUS.fullmatch(fact):
        where = statement.place(match[2], match[1] or "")
        return BadInput(f"more than one table has the column {match[2]!r}{where}; write TABLE.{match[2]}")
    return BadInput(f"the query cannot be run: {fact}; write it otherwise")


def _unknown_function(statement: Statement, name: str, *, there: bool) -> LaserCatsError:
    if there:
        return BadInput(
            f"{name}(){statement.place(name)} is not allowed: a query only computes on what it reads; leave "
            "it out"
        )
    known = FUNCTIONS | {"time_of", "position_of"}
    sort = f"function{statement.place(name)}"
    return UnknownName(sort, name, known, "see https://sqlite.org/lang.html for what there is")


def _unknown_column(statement: Statement, name: str, qualifier: str) -> LaserCatsError:
    of = statement.named.get(qualifier.lower())
    known = columns_of(of) if of else columns_of([t for ts in statement.named.values() for t in ts])
    sort = f"column{statement.place(name, qualifier)}"
    if not of:
        known |= statement.made
    if statement.is_quoted(name):
        return UnknownName(sort, name, known, "write text in single quotes")
    return UnknownName(sort, name, known)
