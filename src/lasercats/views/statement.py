"""Turns a query of an operator into one over the tables of the log.

The query is read with sqlglot, in the language of the store with the version clauses of SQL:2011. Every
table that it names becomes a subquery with the columns that it mentions (`lasercats.core.sql`).
"""

import re
from collections.abc import Iterator, Mapping, Sequence
from difflib import get_close_matches
from itertools import pairwise
from typing import Any

from sqlglot import exp
from sqlglot.errors import ErrorLevel, ParseError, SqlglotError, TokenError, UnsupportedError
from sqlglot.tokenizer_core import Token, TokenType

from lasercats.core.errors import BadInput, UnknownName
from lasercats.core.sql import ALL, Resolve, Span, Sql, Table

BEGINNINGS = ("SELECT", "WITH", "VALUES")
READ_ONLY = "a query only reads; change things with commands, as `lasercats file write`"
LONGEST = 1_000_000
"""The most characters of a query; reading more takes seconds."""
KEYWORDS = ("SELECT", "FROM", "JOIN", "WHERE", "GROUP", "HAVING", "ORDER", "LIMIT", "UNION", "SYSTEM_TIME")
"""What a word that does not fit may be a slip of."""
_WRITING = re.compile(
    "ALTER|ANALYZE|ATTACH|BEGIN|COMMIT|CREATE|DELETE|DETACH|DROP|END|EXPLAIN|INSERT|MERGE|PRAGMA|REINDEX|RELEASE"
    "|REPLACE|ROLLBACK|SAVEPOINT|SET|UPDATE|VACUUM"
)


class Statement:
    """One query, read and checked."""

    def __init__(self, sql: str, tables: Mapping[str, Table], language: Sql) -> None:
        """Read it, in the language of a store.

        Raises:
            BadInput: it has a mistake in its syntax, is not one statement, or does not only read.

        """
        self.text = sql
        self._tables, self._language = tables, language
        self.tree = self._parse()
        self.named: dict[str, list[Table]] = {}
        """The tables by the names that they have in the query, in lower case."""
        self.made: set[str] = set()
        """The names that the query itself gives."""

    def rewritten(self, resolve: Resolve, as_of: int | None) -> str:
        """Return the query over the tables of the log.

        Raises:
            BadInput: it names a table that there is not, or a position that is none.

        """
        self._language.prepare(self.tree, resolve)
        self.made = {alias.alias for alias in self.tree.find_all(exp.Alias)}
        self.made |= {i.name for alias in self.tree.find_all(exp.TableAlias) for i in alias.columns}
        mentioned = (
            None if self._wants_all() else {i.name.lower() for i in self.tree.find_all(exp.Identifier)}
        )
        self._title()
        default = None if as_of is None else Span("AS OF", last=as_of)
        for node in list(self.tree.find_all(exp.Table)):
            self._replace(node, mentioned, resolve, default)
        try:
            return self.tree.sql(
                dialect=self._language.grammar,
                identify=True,
                normalize_functions=False,
                comments=False,
                unsupported_level=ErrorLevel.RAISE,
            )
        except UnsupportedError as error:
            fact = str(error).splitlines()[0].rstrip(".")
            raise BadInput(f"the query cannot be run: {fact}; write it otherwise") from None

    def place(self, name: str, qualifier: str = "") -> str:
        """Return ` at line L, column C` of the first column, function or table of a name."""
        for node in self.tree.find_all(exp.Column, exp.Anonymous):
            if node.name.lower() == name.lower() and qualifier.lower() in ("", node.text("table").lower()):
                return self._place(node)
        return ""

    def is_quoted(self, name: str) -> bool:
        """Tell whether a column of that name is written in quotes."""
        found = (c.this for c in self.tree.find_all(exp.Column) if c.name == name)
        return any(isinstance(i, exp.Identifier) and i.quoted for i in found)

    def _place(self, node: exp.Expr) -> str:
        for part in node.find_all(exp.Identifier, exp.Anonymous):
            if "start" in part.meta:
                return at(self.text, part.meta["start"])
        return ""

    def _parse(self) -> exp.Expr:
        tokens = self._tokens()
        first = tokens[0].text.upper()
        if _WRITING.fullmatch(first):
            raise BadInput(f"{first} is not allowed: {READ_ONLY}")
        if first not in BEGINNINGS:
            raise BadInput(
                f"the query begins with {tokens[0].text!r}; it must begin with SELECT, WITH or VALUES"
            )
        try:
            (tree,) = (
                self._language.grammar().parser(error_level=ErrorLevel.IMMEDIATE).parse(tokens, self.text)
            )
        except ParseError as error:
            raise BadInput(_syntax(error, tokens)) from None
        except (SqlglotError, RecursionError):
            raise BadInput("the query cannot be read: it is nested too deep; make it simpler") from None
        if not isinstance(tree, exp.Query | exp.Values):
            raise BadInput(f"{type(tree).__name__.upper()} is not allowed: {READ_ONLY}")
        return tree

    def _tokens(self) -> list[Token]:
        if len(self.text) > LONGEST:
            raise BadInput(f"the query has more than {LONGEST} characters; give a shorter one")
        try:
            self.text.encode()
            tokens: list[Token] = self._language.grammar().tokenize(self.text)
        except TokenError:
            raise BadInput(
                "the query ends within a text, a quoted name or a comment; close it with what it began with"
            ) from None
        except UnicodeEncodeError:
            raise BadInput("the query is not in UTF-8; write it so") from None
        while tokens and tokens[-1].token_type is TokenType.SEMICOLON:
            tokens.pop()
        if not tokens:
            raise BadInput('the query is empty; write one, as "SELECT * FROM file"')
        for token, after in pairwise(tokens):
            if token.token_type is TokenType.SEMICOLON:
                where = at(self.text, after.start)
                raise BadInput(f"a second statement begins{where}; give one query at a time")
        return tokens

    def _title(self) -> None:
        """Head the columns that have no name with what was written."""
        tree = self.tree
        while isinstance(tree, exp.SetOperation | exp.Subquery):
            tree = tree.this
        if isinstance(tree, exp.Select):
            for item in list(tree.expressions):
                if not isinstance(item, exp.Alias | exp.Column | exp.Star):
                    title = item.sql(
                        dialect=self._language.grammar, normalize_functions=False, comments=False
                    )
                    item.replace(exp.alias_(item.copy(), title.replace("`", ""), quoted=True))

    def _wants_all(self) -> bool:
        stars = (star.parent for star in self.tree.find_all(exp.Star))
        natural = any(join.method == "NATURAL" for join in self.tree.find_all(exp.Join))
        return natural or any(isinstance(parent, exp.Select | exp.Column) for parent in stars)

    def _replace(
        self, node: exp.Table, mentioned: set[str] | None, resolve: Resolve, default: Span | None
    ) -> None:
        version = node.args.get("version")
        if isinstance(node.this, exp.Func):
            self._check_table_function(node)
            return
        name = ".".join(part.name for part in node.parts)
        if name.lower() in _common(node):
            if version is not None:
                raise BadInput(
                    f"FOR SYSTEM_TIME stands after {name!r}{self._place(node)}, a part of the query; "
                    "put it after a table"
                )
            return
        table = self._tables.get(name.lower())
        if table is None:
            raise UnknownName(f"table{self._place(node)}", name, self._tables)
        span = default if version is None else _span(version, resolve)
        alias = node.alias or name
        self.named.setdefault(alias.lower(), []).append(table)
        columns = table.columns if mentioned is None else mentioned
        if not node.alias:
            node.set("alias", exp.TableAlias(this=exp.to_identifier(name, quoted=True)))
        node.set("this", exp.Var(this=f"({self._language.table(table, columns, span)})"))
        node.set("version", None)

    def _check_table_function(self, node: exp.Table) -> None:
        known = self._language.table_functions
        if node.this.name.lower() not in known:
            raise UnknownName(f"table function{self._place(node)}", node.this.name, known)
        if node.args.get("version") is not None:
            raise BadInput(f"{node.this.name}() has no versions; put FOR SYSTEM_TIME after a table")


def read(sql: str, tables: Mapping[str, Table], language: Sql) -> Statement:
    """Read a query; `x IN name` becomes `x IN (SELECT * FROM name)`.

    Raises:
        BadInput: it has a mistake in its syntax, is not one statement, or does not only read.

    """
    statement = Statement(sql, tables, language)
    for node in list(statement.tree.find_all(exp.In)):
        field = node.args.get("field")
        if isinstance(field, exp.Column | exp.Anonymous):
            name = field.this if isinstance(field, exp.Column) else field
            whole = exp.Select(expressions=[exp.Star()]).from_(exp.Table(this=name))
            node.set("field", None)
            node.set("query", exp.Subquery(this=whole))
    return statement


def at(text: str, offset: int) -> str:
    """Return ` at line L, column C`, both from 1."""
    before = text[:offset]
    return f" at line {before.count(chr(10)) + 1}, column {offset - before.rfind(chr(10))}"


def _span(version: exp.Expr, resolve: Resolve) -> Span:
    sides = [resolve(side.name) for side in version.expression.expressions]
    form = version.text("kind")
    if form == "ALL":
        return ALL
    if form == "AS OF":
        return Span("AS OF", last=sides[0])
    return Span("BETWEEN" if form == "BETWEEN" else "FROM", *sides)


def _common(node: exp.Expr) -> Iterator[str]:
    """Iterate over the names that WITH gives around a node."""
    above: exp.Expr | None = node
    while above is not None:
        clause = above.args.get("with_")
        for part in clause.expressions if clause else ():
            yield part.alias.lower()
        above = above.parent


def _syntax(error: ParseError, tokens: Sequence[Token]) -> str:
    facts: Mapping[str, Any] = error.errors[0] if error.errors else {}
    said = str(facts.get("description") or "")
    place = (facts.get("line"), facts.get("col"))
    index = next((i for i, token in enumerate(tokens) if (token.line, token.col) == place), len(tokens) - 1)
    hint = said if said.endswith("is missing") else "look at it and at what stands before it"
    token = tokens[index]
    for near in tokens[max(0, index - 1) : index + 1]:
        meant = get_close_matches(near.text.upper(), KEYWORDS, n=1, cutoff=0.7)
        if near.token_type is TokenType.VAR and meant and meant[0] != near.text.upper():
            token, hint = near, f"did you mean {meant[0]}?"
            break
    line, column = token.line, token.col - len(token.text) + 1
    return (
        f"the query has a mistake in its syntax at line {line}, column {column}, near {token.text!r}; {hint}"
    )


def columns_of(named: Sequence[Table]) -> set[str]:
    """Return the columns of tables."""
    return {column for table in named for column in table.columns}
