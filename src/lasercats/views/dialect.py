"""The SQL of queries: SQLite's, with the version clauses of SQL:2011."""

from collections.abc import Callable
from typing import Any, ClassVar

from sqlglot import exp
from sqlglot.dialects.sqlite import SQLite
from sqlglot.generators.sqlite import SQLiteGenerator
from sqlglot.parsers.sqlite import SQLiteParser
from sqlglot.tokenizer_core import TokenType


class Temporal(SQLite):
    """SQLite, with `FOR SYSTEM_TIME` after a table; functions are kept as they are written."""

    def to_json_path(self, path: exp.Expr | None) -> exp.Expr | None:
        """Leave a path as it is written."""
        return path

    class Tokenizer(SQLite.Tokenizer):
        """Writes names in backticks, which SQLite never takes for text."""

        IDENTIFIERS: ClassVar[list[str | tuple[str, str]]] = ["`", '"', ("[", "]")]

    class Parser(SQLiteParser):
        """Knows the version clauses, and takes functions for what they are called."""

        FUNCTIONS: ClassVar[dict[str, Callable[..., Any]]] = {}
        FUNCTION_PARSERS: ClassVar[dict[str, Callable[..., Any]]] = {
            "CAST": SQLiteParser.FUNCTION_PARSERS["CAST"]
        }

        def _parse_table(self, *args: Any, **more: Any) -> exp.Expr | None:  # noqa: ANN401
            table = super()._parse_table(*args, **more)
            if isinstance(table, exp.Table) and not table.args.get("version"):
                table.set("version", self._parse_version())
            return table

        def _parse_version(self) -> exp.Version | None:
            if not self._match_text_seq("FOR", "SYSTEM_TIME"):
                return None
            for form, words, between in (
                ("AS OF", ("AS", "OF"), None),
                ("BETWEEN", ("BETWEEN",), "AND"),
                ("FROM", ("FROM",), "TO"),
                ("ALL", ("ALL",), None),
            ):
                if self._match_text_seq(*words):
                    sides = [] if form == "ALL" else [self._moment()]
                    if between is not None:
                        if not self._match_text_seq(between):
                            self.raise_error(f"{between} is missing")
                        sides.append(self._moment())
                    return self.expression(
                        exp.Version(this="TIMESTAMP", kind=form, expression=exp.Tuple(expressions=sides))
                    )
            self.raise_error("AS OF, BETWEEN, FROM or ALL is missing")
            return None

        def _moment(self) -> exp.Expr:
            if not self._match_set((TokenType.NUMBER, TokenType.STRING, TokenType.VAR)):
                self.raise_error("a position is missing")
            return exp.Literal.string(self._prev.text)

    class Generator(SQLiteGenerator):
        """Keeps NUMERIC apart from REAL."""

        TYPE_MAPPING: ClassVar[dict[Any, str]] = {
            **SQLiteGenerator.TYPE_MAPPING,
            exp.DataType.Type.DECIMAL: "NUMERIC",
        }
