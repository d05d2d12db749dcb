"""The SQL of queries on PostgreSQL: its own, with the version clauses of SQL:2011.

A server has functions that write, wait, stop others or run any SQL that is in a text. So what a query may
call is a list here, and all else is refused before anything is sent.
"""

from collections.abc import Callable, Collection
from typing import Any, ClassVar

from sqlglot import exp
from sqlglot.dialects.postgres import Postgres
from sqlglot.parsers.postgres import PostgresParser

from lasercats.core.errors import BadInput
from lasercats.core.sql import Fault, Resolve, Span, Table
from lasercats.logs.postgresql_tables import select
from lasercats.logs.temporal import Versions

_ALLOWED = """
abs acos array_agg array_length array_position array_to_string ascii asin atan atan2 avg bit_length bool_and
bool_or btrim cardinality cbrt ceil ceiling char_length character_length chr coalesce concat concat_ws corr
cos cot count cume_dist date_part date_trunc degrees dense_rank div every exp first_value floor format
greatest initcap json_agg json_array_length json_build_array json_build_object json_extract_path
json_extract_path_text json_object_agg json_typeof jsonb_agg jsonb_array_length jsonb_build_array
jsonb_build_object jsonb_extract_path jsonb_extract_path_text jsonb_object_agg jsonb_pretty jsonb_strip_nulls
jsonb_typeof lag last_value lead least left length ln log log10 lower lpad ltrim make_date make_interval max
md5 min mod mode now nth_value ntile nullif octet_length percent_rank percentile_cont percentile_disc pi
position power radians random rank regexp_count regexp_match regexp_replace regexp_split_to_array replace
reverse right round row_number rpad rtrim sign sin split_part sqrt starts_with stddev stddev_pop stddev_samp
string_agg string_to_array strpos substr substring sum tan to_char to_date to_json to_jsonb to_number
to_timestamp translate trim trunc upper var_pop var_samp variance width_bucket
"""
_TABLE_FUNCTIONS = (
    "generate_series", "json_array_elements", "json_array_elements_text", "json_each", "json_each_text",
    "json_object_keys", "jsonb_array_elements", "jsonb_array_elements_text", "jsonb_each", "jsonb_each_text",
    "jsonb_object_keys", "regexp_split_to_table", "string_to_table", "unnest",
)  # fmt: skip
_SYNTAX = (
    *(exp.And, exp.Or, exp.Xor, exp.Array, exp.Exists, exp.Any, exp.All, exp.Case, exp.If, exp.Cast),
    *(exp.Extract, exp.StrPosition, exp.Substring, exp.Trim, exp.Unnest, exp.Pow),
    *(exp.CurrentDate, exp.CurrentTime, exp.CurrentTimestamp, exp.Localtime, exp.Localtimestamp),
    *(exp.JSONExtract, exp.JSONExtractScalar, exp.JSONBExtract, exp.JSONBExtractScalar, exp.JSONBContains),
    *(exp.RegexpLike, exp.RegexpILike, exp.ArrayContainsAll, exp.ArrayOverlaps),
)
"""What sqlglot takes for a function, and is an operator or has words of its own."""
_SPECIAL = ("CAST", "EXTRACT", "POSITION", "SUBSTRING", "TRIM")


class Temporal(Postgres):
    """PostgreSQL, with `FOR SYSTEM_TIME` after a table; functions are kept as they are written."""

    def to_json_path(self, path: exp.Expr | None) -> exp.Expr | None:
        """Leave a path as it is written."""
        return path

    class Parser(Versions, PostgresParser):
        """Knows the version clauses, and takes functions for what they are called."""

        FUNCTIONS: ClassVar[dict[str, Callable[..., Any]]] = {}
        FUNCTION_PARSERS: ClassVar[dict[str, Callable[..., Any]]] = {
            name: PostgresParser.FUNCTION_PARSERS[name] for name in _SPECIAL
        }


class PostgresqlSql:
    """The SQL of `PostgresqlLog`, for a log in a schema, whose name is quoted."""

    grammar: Any = Temporal
    manual = "https://www.postgresql.org/docs/current/functions.html"
    functions: Collection[str] = frozenset(_ALLOWED.split())
    table_functions: Collection[str] = _TABLE_FUNCTIONS

    def __init__(self, schema: str) -> None:
        """Make SELECTs over the tables of a schema."""
        self._schema = schema

    def table(self, table: Table, columns: Collection[str], span: Span | None) -> str:
        """Return the SELECT of these columns of a table, now or in a span."""
        return select(table, columns, span).replace("@.", f"{self._schema}.")

    def prepare(self, tree: Any, resolve: Resolve) -> None:  # noqa: ANN401
        """Check what a query must not hold, and write it as the server wants it.

        Raises:
            Fault: it calls what it may not.
            BadInput: it does what it may not.

        """
        for sort, words in ((exp.Into, "SELECT INTO"), (exp.Lock, "FOR UPDATE"), (exp.Parameter, "$1")):
            if tree.find(sort):
                raise BadInput(f"{words} is not allowed: a query only reads", remedy="leave it out")
        for name in tree.find_all(exp.Identifier):
            if not name.args.get("quoted"):  # else they would be written in quotes as they stand
                name.set("this", name.name.lower())
        for call in list(tree.find_all(exp.Func)):
            self._check(call, resolve)

    def _check(self, call: exp.Func, resolve: Resolve) -> None:
        if isinstance(call, _SYNTAX):
            return
        name = call.name.lower() if isinstance(call, exp.Anonymous) else call.sql_name().lower()
        if name == "position_of":
            call.replace(exp.Literal.number(resolve(_literal(call))))
        elif name == "time_of":
            call.set("this", f"{self._schema}.time_of")
        elif name not in self.functions and name not in self.table_functions:
            raise Fault("", "function", name)


def _literal(call: exp.Func) -> str:
    arguments = call.expressions
    if len(arguments) != 1 or not isinstance(arguments[0], exp.Literal):
        raise BadInput("position_of() takes one text here, as position_of('HEAD~3')", remedy="write it out")
    return arguments[0].name
