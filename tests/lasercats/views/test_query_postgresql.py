"""SQL on a log in PostgreSQL: the same tables and versions as on SQLite, and it only reads."""
# ruff: noqa: S608 - queries are what is tested

from collections.abc import Iterator
from itertools import count
from typing import Any, NamedTuple

import msgspec
import pytest

from lasercats.core.address import Address
from lasercats.core.errors import BadInput, LaserCatsError
from lasercats.core.ports import Log
from lasercats.core.record import NULL, Accepted, AnyEntry, Ended, Event, Finished, Met, Started, raw
from lasercats.core.secret import of_text
from lasercats.logs.postgresql import PostgresqlLog
from lasercats.logs.sqlite import SqliteLog
from lasercats.testing.postgresql import Server as Database
from lasercats.views.query import Answer, Bounds, query
from lasercats.views.tables import tables
from tests.lasercats.views.test_query import FILE, KINDS, OTHER, SERVER, Server

GONE = Address("gone.kind/x")
TOKEN = "sealed:AAAABBBB=="  # noqa: S105 - made up
NUMBERS = count(1)


def history() -> Iterator[list[AnyEntry]]:
    """Iterate over appends with everything that a table may tell: versions, work, secrets, odd values."""
    server = Server(
        tags={"b": "ü", "a": "x"}, sizes=[3, 1], count=2**40, load=0.5, on=False, name="d", order="first"
    )
    look, failure = raw({"do": "host.read", "machine": "web1"}), raw({"type": "failure", "reason": "no"})
    chmod = raw({"command": "file.chmod", "mode": "0600", "on": [FILE], "message": "smile \U0001f600"})

    def change(address: Address, before: object, after: object, **more: Any) -> Event:  # noqa: ANN401
        delta = {address: tuple(NULL if side is None else raw(side) for side in (before, after))}
        return Event(**{"type": "observed", "delta": delta, **more})

    yield [change(FILE, None, {"mode": "0644"}), change(SERVER, None, server, actor="ada", message="why")]
    yield [Accepted(command=chmod, actor="ada", run="r1", message="it's", claims=(FILE,), because="undo 1")]
    yield [Started(machine="web1", commands=(3, 3), instructions=(look, raw({"do": "host.attributes"})))]
    yield [Finished(started=4, outcomes=(raw({"type": "absent"}), failure), met={"web1": {"host-key": "k"}})]
    yield [
        change(FILE, {"mode": "0644"}, {"mode": "0600"}, command=3, type="file.mode_changed"),
        Ended(command=3, status="failed", error="it broke"),
    ]
    yield [change(OTHER, None, {"mode": "0644"}), change(FILE, {"mode": "0600"}, None)]
    secret = {"password": of_text(TOKEN), "count": "many", "load": 3, "name": "sealed: is a word"}
    yield [
        change(SERVER, server, secret),
        change(GONE, None, {"key": TOKEN, "deep": [{"sealed:": "AAAABBBB"}]}),
    ]
    nul = msgspec.Raw(b'{"name":"nul\\u0000 and \\ud800 half","order":"\\\\u0000 stays","count":7}')
    yield [change(SERVER, secret, nul), change(OTHER, {"mode": "0644"}, {"mode": "0600"})]
    command = raw({"command": "x", "password": TOKEN, "on": [SERVER]})
    yield [Accepted(command=command, actor="eve", run="r2", claims=(SERVER,))]
    write = raw({"do": "host.write", "content": TOKEN})
    yield [Started(machine="web2", commands=(14, 14), instructions=(write, look))]
    yield [Finished(started=15, outcomes=(raw({"type": "status", "content": TOKEN}),), of=(1,), actor="bob")]
    yield [Met(machines={"web2": {"machine-id": "m"}}, actor="ada", accepted=True, message="new disk")]


class Both(NamedTuple):
    """The same history in two stores."""

    sqlite: SqliteLog
    postgresql: PostgresqlLog

    def ask(self, log: Log, sql: str, **more: Any) -> Answer:  # noqa: ANN401
        """Answer a query on one of them."""
        bounds = Bounds(more.pop("timeout", 30.0), more.pop("rows", 100_000), more.pop("mebibytes", 512))
        return query(sql, KINDS, log, self.resolve, bounds=bounds, **more)

    def rows(self, sql: str, **more: Any) -> list[tuple[Any, ...]]:  # noqa: ANN401
        """Return what PostgreSQL answers."""
        return self.ask(self.postgresql, sql, **more).rows

    def refuses(self, sql: str, **more: Any) -> str:  # noqa: ANN401
        """Return why a query is refused on PostgreSQL."""
        with pytest.raises(LaserCatsError) as caught:
            self.rows(sql, **more)
        assert "\n" not in str(caught.value)
        return str(caught.value)

    def resolve(self, text: str) -> int:
        """Return the position that a text means: a number, or `last`."""
        if not text.isdigit() and text != "last":
            raise BadInput(f"there is no position {text}")
        return self.sqlite.head() if text == "last" else int(text)


@pytest.fixture(scope="module")
def both(postgresql: Database) -> Both:
    """A history in both stores, an append each second."""
    clocks = [iter(range(1_764_000_000_000_000, 2**60, 1_234_567)) for _ in range(2)]
    one = SqliteLog(":memory:", create=True, clock=lambda: next(clocks[0]))
    schema = f"query_{next(NUMBERS)}"
    two = PostgresqlLog(postgresql.url(), schema, create=True, clock=lambda: next(clocks[1]))
    for entries in history():
        assert one.append(entries) == two.append(entries)
    return Both(one, two)


SPANS = (
    "",
    *(f"FOR SYSTEM_TIME AS OF {p}" for p in (0, 5, 10, 12)),
    "FOR SYSTEM_TIME BETWEEN 3 AND 12",
    "FOR SYSTEM_TIME BETWEEN 12 AND 3",
    "FOR SYSTEM_TIME FROM 2 TO 13",
    "FOR SYSTEM_TIME ALL",
)
TABLES = ("file", "rack_server", "unknown_kinds", "events", "commands", "instructions", "identities")
ODD = {("rack_server", "count"), ("rack_server", "name"), ("rack_server", "password")}
"""What differs where a value is not of the type of its column, or no text in PostgreSQL."""


@pytest.mark.parametrize("table", TABLES)
def test_the_tables_are_the_same_on_every_store(both: Both, table: str) -> None:
    """Each column of each table, now and in any span, tells on PostgreSQL what it tells on SQLite."""
    told = 0
    columns = [name for name in tables(KINDS)[table].columns if (table, name) not in ODD]
    chosen = ", ".join(f'"{name}"' for name in columns)
    for span in SPANS:
        answers = [both.ask(log, f"SELECT {chosen} FROM {table} {span}") for log in both]
        assert answers[0].columns == answers[1].columns == columns
        rows = [sorted(answer.rows, key=repr) for answer in answers]
        assert rows[0] == rows[1], span
        told += len(rows[0])
    assert told


def test_each_column_alone(both: Both) -> None:
    """A column that is asked for on its own tells what it tells among the others."""
    for name in TABLES:
        table = tables(KINDS)[name]
        for column in table.columns:
            alone = both.rows(f'SELECT "{column}" FROM {name} FOR SYSTEM_TIME ALL')
            whole = both.ask(both.postgresql, f"SELECT * FROM {name} FOR SYSTEM_TIME ALL")
            at = whole.columns.index(column)
            assert sorted(map(repr, alone)) == sorted(repr((row[at],)) for row in whole.rows)


def test_values_that_are_not_of_their_type(both: Both) -> None:
    """What is no number is none, NUL and half a character are U+FFFD, and no query breaks by them."""
    rows = both.rows(
        'SELECT count, load, "on", name, "order" FROM rack_server FOR SYSTEM_TIME ALL ORDER BY 1'
    )
    assert rows == [
        (7, None, None, "nul\ufffd and \ufffd half", "\\u0000 stays"),
        (2**40, 0.5, 0, "d", "first"),
        (None, 3.0, None, "sealed: is a word", None),
    ]


def test_secrets_stay_sealed(both: Both) -> None:
    """No column of any table, now or then, holds a token; that there is one is told."""
    for table in ("rack_server", "events", "commands", "instructions", "unknown_kinds"):
        told = str(both.rows(f"SELECT * FROM {table} FOR SYSTEM_TIME ALL"))
        assert "(sealed)" in told, table
        assert "AAAABBBB" not in told, table


def test_a_join_of_two_times(both: Both) -> None:
    """Each table of a query has its own time; functions between positions and times work."""
    sql = """SELECT coalesce(n.name, o.name), o.mode, n.mode, time_of(n.valid_from)
        FROM File FOR SYSTEM_TIME AS OF '1' AS o FULL JOIN file n USING (address) ORDER BY 1"""
    assert both.rows(sql) == [
        ("web1:/etc/motd", "0644", None, None),
        ("web2:/etc/motd", None, "0600", both.rows("SELECT time_of(13)")[0][0]),
    ]
    assert both.rows("SELECT position_of('last')") == [(both.sqlite.head(),)]
    assert both.rows("SELECT mode FROM file ORDER BY address", as_of=1) == [("0644",)]


def test_the_language_is_that_of_the_server(both: Both) -> None:
    """Operators, aggregates, windows and functions of PostgreSQL mean what they mean there."""
    sql = """WITH f AS (SELECT *, row_number() OVER (ORDER BY position) AS n FROM events)
        SELECT count(*) FILTER (WHERE address ~ '^file/'), string_agg(kind, ',' ORDER BY n), avg(n),
            max(position) > 3, array_agg(n ORDER BY n) FROM f WHERE f.address LIKE 'file%'"""
    kinds = ",".join(["file"] * 5)
    assert both.rows(sql) == [(5, kinds, 4.4, 1, "[1,3,4,5,9]")]
    tags = "SELECT t.key, t.value FROM rack_server FOR SYSTEM_TIME AS OF 2, json_each_text(tags) t ORDER BY 1"
    assert both.rows(tags) == [("a", "x"), ("b", "ü")]
    was = "SELECT before ->> 'mode' FROM events WHERE kind = 'file' ORDER BY 1"
    assert both.rows(was) == [("0600",), ("0644",), ("0644",), (None,), (None,)]
    assert both.ask(both.postgresql, "SELECT 1 + 1, now() > '2020-01-01'::date").columns[0] == "1 + 1"


@pytest.mark.parametrize(
    ("sql", "told"),
    [
        ("SELECT nane FROM file", "column at line 1, column 8"),
        ("SELECT f.nane FROM file f", "column at line 1, column 10"),
        ("SELECT * FROM fiel", "table at line 1, column 15"),
        ("SELECT * FROM records", "table"),
        ("SELECT * FROM pg_catalog.pg_authid", "table"),
        ("SELECT * FROM information_schema.tables", "table"),
        ("SELECT mode FROM file a, file b", "more than one table has the column 'mode'"),
        ("SELECT lower(1)", "cannot be run: function lower(integer) does not exist"),
        ("SELECT 'x'::bigint", "invalid input syntax"),
        ("SELECT * INTO t FROM file", "SELECT INTO is not allowed"),
        ("SELECT * FROM file FOR UPDATE", "FOR UPDATE is not allowed"),
        ("SELECT $1", "not allowed"),
        ("DELETE FROM file", "DELETE is not allowed"),
        ("WITH x AS (DELETE FROM records RETURNING 1) SELECT 1", ""),
        ("SELECT position_of(name) FROM file", "takes one text here"),
        ("SELECT 1; SELECT 2", "second statement"),
        ("SELECT current_user", "no function"),
        *(
            (f"SELECT {call}", "no function")
            for call in (
                "pg_sleep(1)",
                "pg_catalog.pg_sleep(1)",
                '"pg_sleep"(1)',
                "lo_creat(0)",
                "set_config('statement_timeout', '0', false)",
                "query_to_xml('DELETE FROM records', true, true, '')",
                "pg_advisory_lock(1)",
                "pg_terminate_backend(1)",
                "pg_read_file('/etc/passwd')",
                "nextval('x')",
                "pg_notify('a', 'b')",
                "veiled('', '')",
                "current_setting('data_directory')",
            )
        ),
        ("SELECT * FROM pg_ls_dir('/')", "no function"),
        ("SELECT 1 WHERE EXISTS (SELECT pg_sleep(9))", "no function"),
        ("SELECT * FROM LATERAL pg_sleep(9)", ""),
        ("SELECT * FROM ROWS FROM (pg_sleep(9)) x", ""),
        ("TABLE file", "must begin with"),
        ("COPY records TO '/tmp/x'", "must begin with"),
    ],
)
def test_what_is_refused(both: Both, sql: str, told: str) -> None:
    """A mistake is told with its place, and nothing that does more than read is carried out."""
    head = both.postgresql.head()
    assert told in both.refuses(sql)
    assert both.postgresql.head() == head


def test_limits(both: Both) -> None:
    """Rows, time and the size of the answer are bounded."""
    many = "SELECT * FROM generate_series(1, 1000000000)"
    assert "gives more than 10 rows" in both.refuses(many.replace("000000000", "00000"), rows=10)
    assert "took longer than 0.3 seconds" in both.refuses(f"SELECT count(*) FROM ({many}) x", timeout=0.3)
    assert "larger than 1 MiB" in both.refuses(
        "SELECT lpad('x', 9999) FROM generate_series(1, 999)", mebibytes=1
    )
    assert both.rows("SELECT 1") == [(1,)]
