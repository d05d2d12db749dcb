"""The version clauses of SQL:2011, put into the parser of any dialect of sqlglot."""

from typing import Any

from sqlglot import exp
from sqlglot.parser import Parser
from sqlglot.tokenizer_core import TokenType

_FORMS = (
    ("AS OF", ("AS", "OF"), None),
    ("BETWEEN", ("BETWEEN",), "AND"),
    ("FROM", ("FROM",), "TO"),
    ("ALL", ("ALL",), None),
)


class Versions(Parser):
    """Knows `FOR SYSTEM_TIME` after a table."""

    def _parse_table(self, *args: Any, **more: Any) -> exp.Expr | None:  # noqa: ANN401
        table = super()._parse_table(*args, **more)
        if isinstance(table, exp.Table) and not table.args.get("version"):
            table.set("version", self._parse_version())
        return table

    def _parse_version(self) -> exp.Version | None:
        if not self._match_text_seq("FOR", "SYSTEM_TIME"):
            return None
        for form, words, between in _FORMS:
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
