"""SQL over a log, as a store offers it: what its tables are, how much a query may take, what went wrong.

The tables are the same for every store, and so are the version clauses of SQL:2011. All else of a query is
in the language of the store's database: `lasercats.views` reads it by the `grammar` of the `Sql` of a store,
puts in place of each table what `Sql.table` gives, and has the store answer that.
"""

from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass
from typing import Any, Literal, NamedTuple, Protocol

from lasercats.core.errors import BadInput

_MIB = 1024 * 1024
Resolve = Callable[[str], int]
"""Returns the position that a text means; raises BadInput."""
Sort = Literal["", "column", "ambiguous", "function", "forbidden", "damaged", "time", "memory", "value"]


class Column(NamedTuple):
    """A column of a table."""

    type: str
    """`text`, `integer`, `real`, `boolean`, `json`, or `position`, which is a whole number."""
    key: str = ""
    """The key of the field in an encoded resource; empty where it is no field of it."""
    hidden: bool = False
    """True where it tells only that there is something."""


class Table(NamedTuple):
    """A table that a query can name."""

    name: str
    columns: Mapping[str, Column]
    kind: str = ""
    """The kind whose resources are in it; empty for the other tables."""
    kinds: Collection[str] = ()
    """All kinds that have tables."""


class Span(NamedTuple):
    """What a version clause wants: `FOR SYSTEM_TIME AS OF last`, `BETWEEN first AND last` and so on."""

    form: Literal["AS OF", "BETWEEN", "FROM", "ALL"]
    first: int = 0
    last: int = 0

    def positions(self, column: str) -> str:
        """Return the condition that a record stands in the span."""
        match self.form:
            case "AS OF":
                return f"{column} <= {self.last}"
            case "BETWEEN":
                return f"{column} BETWEEN {self.first} AND {self.last}"
            case "FROM":
                return f"{column} >= {self.first} AND {column} < {self.last}"
            case "ALL":
                return "true"

    def until(self, column: str) -> str:
        """Return the condition that what a record tells was known at the time of the span."""
        return f"{column} <= {self.last}" if self.form == "AS OF" else "true"

    def begun(self, column: str) -> str:
        """Return the condition that a version began before the span was over."""
        match self.form:
            case "AS OF":
                return f"{column} <= {self.last}"
            case "BETWEEN":
                return f"{column} <= {self.last} AND {self.first} <= {self.last}"
            case "FROM":
                return f"{column} < {self.last} AND {self.first} < {self.last}"
            case "ALL":
                return "true"


ALL = Span("ALL")


@dataclass(frozen=True)
class Bounds:
    """How much a query may take."""

    seconds: float = 30.0
    rows: int = 100_000
    mebibytes: int = 512
    """Of memory; also how large the answer may be."""


class Answer(NamedTuple):
    """What a query found."""

    columns: list[str]
    rows: list[tuple[Any, ...]]


class Fault(Exception):
    """What a database says of a query that it does not answer, and what sort of fault that is."""

    def __init__(self, fact: str, sort: Sort = "", name: str = "", of: str = "") -> None:
        """Carry it, with the name that it is about and what that is `of`."""
        super().__init__(fact)
        self.sort, self.name, self.of = sort, name, of


class Sql(Protocol):
    """The SQL of a store."""

    grammar: Any
    """The dialect of sqlglot, with the version clauses."""
    manual: str
    """Where its functions are explained."""
    functions: Collection[str]
    """What a query may call, by names in lower case."""
    table_functions: Collection[str]

    def table(self, table: Table, columns: Collection[str], span: Span | None) -> str:
        """Return the SELECT of these columns of a table, now or in a span."""

    def prepare(self, tree: Any, resolve: Resolve) -> None:  # noqa: ANN401
        """Check what a query, as sqlglot read it, must not hold in this language, and write it for the store.

        Raises:
            Fault: it calls what it may not.
            BadInput: it does what it may not.

        """


class Queryable(Protocol):
    """A store that answers queries, in its SQL."""

    @property
    def sql(self) -> Sql:
        """Its SQL."""

    def query(self, sql: str, schemas: Mapping[str, Any], resolve: Resolve, bounds: Bounds) -> Answer:
        """Answer a query over its own tables: read only, sealed (`core.sealing`), and within bounds.

        Of more rows than allowed, one more than that is given.

        Raises:
            Fault: the database does not answer it.
            BadInput: it goes beyond a limit.
            LaserCatsError: `resolve` raised it, or the store failed.

        """


def longest(memory: int) -> int:
    """Return the most bytes of one value, where a query may take so much memory; no store takes above 10⁹."""
    return min(memory // 2, 1_000_000_000)


def too_long(bounds: Bounds) -> BadInput:
    """Return the error for a query that took too long."""
    return BadInput(
        f"the query took longer than {bounds.seconds:g} seconds; make it simpler, or allow more with "
        "--timeout"
    )


def too_much(bounds: Bounds) -> BadInput:
    """Return the error for a query that needs too much memory."""
    return BadInput(
        f"the query needs more than {bounds.mebibytes} MiB of memory; make it simpler, or allow more with "
        "--max-memory"
    )


def too_big(bounds: Bounds) -> BadInput:
    """Return the error for a query that makes, or meets, too large a value."""
    most = longest(bounds.mebibytes * _MIB) // _MIB
    return BadInput(
        f"the query has a value of more than {most} MiB; make it simpler, or allow more with --max-memory"
    )


def too_large(bounds: Bounds) -> BadInput:
    """Return the error for a query whose answer is too large."""
    return BadInput(
        f"the answer is larger than {bounds.mebibytes} MiB; select less, or allow more with --max-memory"
    )
