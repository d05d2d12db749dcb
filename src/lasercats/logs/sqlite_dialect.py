"""The SQL of queries on SQLite: its own, with the version clauses of SQL:2011."""

from collections.abc import Callable, Collection
from typing import Any, ClassVar

from sqlglot import exp
from sqlglot.dialects.sqlite import SQLite
from sqlglot.generators.sqlite import SQLiteGenerator
from sqlglot.parsers.sqlite import SQLiteParser

from lasercats.core.errors import BadInput
from lasercats.core.sql import Resolve, Span, Table
from lasercats.logs.sqlite_engine import FUNCTIONS, TABLE_FUNCTIONS
from lasercats.logs.sqlite_tables import select
from lasercats.logs.temporal import Versions

_OWN = ("load_extension", "told", "veiled")
"""Functions that only the tables may call, and one that is not told of."""


class Temporal(SQLite):
    """SQLite, with `FOR SYSTEM_TIME` after a table; functions are kept as they are written."""

    def to_json_path(self, path: exp.Expr | None) -> exp.Expr | None:
        """Leave a path as it is written."""
        return path

    class Tokenizer(SQLite.Tokenizer):
        """Writes names in backticks, which SQLite never takes for text."""

        IDENTIFIERS: ClassVar[list[str | tuple[str, str]]] = ["`", '"', ("[", "]")]

    class Parser(Versions, SQLiteParser):
        """Knows the version clauses, and takes functions for what they are called."""

        FUNCTIONS: ClassVar[dict[str, Callable[..., Any]]] = {}
        FUNCTION_PARSERS: ClassVar[dict[str, Callable[..., Any]]] = {
            "CAST": SQLiteParser.FUNCTION_PARSERS["CAST"]
        }

    class Generator(SQLiteGenerator):
        """Keeps NUMERIC apart from REAL."""

        TYPE_MAPPING: ClassVar[dict[Any, str]] = {
            **SQLiteGenerator.TYPE_MAPPING,
            exp.DataType.Type.DECIMAL: "NUMERIC",
        }


class SqliteSql:
    """The SQL of `SqliteLog`."""

    grammar: Any = Temporal
    manual = "https://sqlite.org/lang.html"
    functions: Collection[str] = FUNCTIONS
    table_functions: Collection[str] = TABLE_FUNCTIONS

    def table(self, table: Table, columns: Collection[str], span: Span | None) -> str:
        """Return the SELECT of these columns of a table, now or in a span."""
        return select(table, columns, span)

    def prepare(self, tree: Any, resolve: Resolve) -> None:  # noqa: ANN401
        """Check that the query calls nothing that only the tables may; all else the engine refuses."""
        del resolve
        for call in tree.find_all(exp.Anonymous):
            if call.name.lower() in _OWN:
                raise BadInput(f"{call.name}() is not allowed: a query only reads; leave it out")
