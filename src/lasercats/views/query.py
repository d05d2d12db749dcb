"""Answers a query over the state, its history and the log: read only, sealed, and within bounds."""

from collections.abc import Callable, Mapping

from lasercats.core.errors import BadInput, LaserCatsError, LogCorrupt, UnknownName
from lasercats.core.registry import Kinds
from lasercats.core.sql import (
    Answer,
    Bounds,
    Fault,
    Queryable,
    Resolve,
    Sort,
    Sql,
    too_big,
    too_long,
    too_much,
)
from lasercats.views.statement import Statement, columns_of, read
from lasercats.views.tables import schemas, tables

__all__ = ["Answer", "Bounds", "query"]
BOUNDS = Bounds()


def query(
    sql: str,
    kinds: Kinds,
    log: Queryable,
    resolve: Resolve,
    *,
    as_of: int | str | None = None,
    bounds: Bounds = BOUNDS,
) -> Answer:
    """Answer a query, over the tables of `lasercats.views.tables`, on a log, in the language of its store.

    A text in a version clause, and `as_of` when it is one, mean what `resolve` says. `as_of` is for every
    table that has no version clause of its own.

    Raises:
        BadInput: the query has a mistake, does not only read, or goes beyond a limit.
        LogCorrupt: it met damage.

    """
    statement = read(sql, tables(kinds), log.sql)
    try:
        own = statement.rewritten(resolve, resolve(as_of) if isinstance(as_of, str) else as_of)
        answer = log.query(own, schemas(kinds), resolve, bounds)
    except Fault as fault:
        raise _explained(fault, statement, log.sql, bounds) from None
    if len(answer.rows) > bounds.rows:
        raise BadInput(
            f"the query gives more than {bounds.rows} rows; add a LIMIT, or allow more with --max-rows"
        )
    return answer


def _explained(fault: Fault, statement: Statement, language: Sql, bounds: Bounds) -> LaserCatsError:
    """Return the error of a database as a sentence, with the place in the query."""
    beyond: Mapping[Sort, Callable[[Bounds], LaserCatsError]] = {
        "time": too_long,
        "memory": too_much,
        "value": too_big,
    }
    if fault.sort in beyond:
        return beyond[fault.sort](bounds)
    where = statement.place(fault.name, fault.of) if fault.name else ""
    match fault.sort:
        case "damaged":
            return LogCorrupt(
                f"the log is damaged ({fault}); see with `lasercats verify` what of it holds, or restore it "
                "from a backup"
            )
        case "column":
            return _unknown_column(statement, fault.name, fault.of, where)
        case "function" if fault.name.lower() not in language.functions:
            known = {*language.functions, "time_of", "position_of"}
            return UnknownName(
                f"function{where}", fault.name, known, f"see {language.manual} for what there is"
            )
        case "forbidden":
            return BadInput(
                f"{fault.name}(){where} is not allowed: a query only computes on what it reads; leave it out"
            )
        case "ambiguous":
            return BadInput(
                f"more than one table has the column {fault.name!r}{where}; write TABLE.{fault.name}"
            )
    return BadInput(f"the query cannot be run: {fault}; write it otherwise")


def _unknown_column(statement: Statement, name: str, qualifier: str, where: str) -> LaserCatsError:
    of = statement.named.get(qualifier.lower())
    known = columns_of(of) if of else columns_of([t for ts in statement.named.values() for t in ts])
    if not of:
        known |= statement.made
    if statement.is_quoted(name):
        return UnknownName(f"column{where}", name, known, "write text in single quotes")
    return UnknownName(f"column{where}", name, known)
