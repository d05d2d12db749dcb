"""SQL over the state and the history: what it means, what it costs, and what it refuses."""
# ruff: noqa: S608 - queries are what is tested

import json
import os
import re
import signal
import sqlite3
import threading
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Annotated, Any

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lasercats.core.address import Address
from lasercats.core.change import Change
from lasercats.core.command import Command
from lasercats.core.errors import BadInput, LaserCatsError
from lasercats.core.kind import Kind
from lasercats.core.program import Known, Step
from lasercats.core.record import FORGOTTEN, NULL, Accepted, Ended, Event, Finished, Started, raw
from lasercats.core.registry import Domain, Kinds
from lasercats.core.resource import SECRET, Resource
from lasercats.core.secret import Sealed, of_text
from lasercats.core.sql import Bounds, Fault
from lasercats.domains.host import DOMAIN as HOST
from lasercats.logs.sqlite import SqliteLog
from lasercats.logs.sqlite_engine import FUNCTIONS
from lasercats.logs.sqlite_process import run
from lasercats.views.query import Answer, query
from lasercats.views.statement import read
from lasercats.views.tables import tables, types

SECOND = 1_000_000


class Disk(msgspec.Struct, frozen=True):
    """A part of a server."""

    size: int


class Server(Resource, frozen=True):
    """A server, with fields of every sort."""

    tags: dict[str, str] | None = None
    sizes: list[int] | None = None
    disk: Disk | None = None
    count: int | None = None
    load: float | None = None
    on: bool | None = None
    name: str | None = None
    order: str | None = None
    password: Annotated[Sealed, SECRET] | None = None


def no_commands(address: Address, change: Change[Any]) -> Iterator[Command]:
    """Converge by nothing."""
    return iter(())


def no_act(address: Address, change: Change[Any], known: Known) -> Step:
    """Do not act."""
    raise NotImplementedError


KIND: Kind[Server] = Kind(name="rack.server", resource=Server, converge=no_commands, act=no_act)
KINDS = Kinds([HOST, Domain("rack", (KIND,), ())])
FILE = Address("file/web1:/etc/motd")
OTHER = Address("file/web2:/etc/motd")
SERVER = Address("rack.server/db")


class Log:
    """A log in memory, filled by hand, and queries on it."""

    def __init__(self) -> None:
        """Begin with none; each append is a second after the one before."""
        self.time = 0
        self.log = SqliteLog(":memory:", create=True, clock=self.now)
        self.held: dict[Address, msgspec.Raw] = {}

    def now(self) -> int:
        """Return the time of the next append."""
        self.time += SECOND
        return self.time

    def put(self, *changes: tuple[Address, Resource | None], **more: Any) -> int:  # noqa: ANN401
        """Append one event that leaves resources at addresses; return its position."""
        delta = {}
        for address, resource in changes:
            after = NULL if resource is None else raw(resource)
            delta[address] = (self.held.get(address, NULL), after)
            self.held[address] = after
        return self.log.append([Event(**{"type": "observed", "delta": delta, **more})])

    def resolve(self, text: str) -> int:
        """Return the position that a text means: a number, or `last`."""
        position = self.log.head() if text == "last" else int(text) if text.isdigit() else -1
        if not 0 <= position <= self.log.head():
            raise BadInput(f"there is no position {text}")
        return position

    def ask(self, sql: str, **more: Any) -> Answer:  # noqa: ANN401
        """Answer a query."""
        bounds = Bounds(more.pop("timeout", 30.0), more.pop("max_rows", 100_000), more.pop("max_memory", 512))
        return query(sql, KINDS, self.log, self.resolve, bounds=bounds, **more)

    def rows(self, sql: str, **more: Any) -> list[tuple[Any, ...]]:  # noqa: ANN401
        """Return the rows that answer a query."""
        return self.ask(sql, **more).rows

    def refuses(self, sql: str, **more: Any) -> str:  # noqa: ANN401
        """Return why a query is refused."""
        with pytest.raises(LaserCatsError) as caught:
            self.ask(sql, **more)
        assert "\n" not in str(caught.value)
        return str(caught.value)

    def plan(self, sql: str, as_of: int | None = None) -> str:
        """Return how SQLite would answer a query."""
        own = read(sql, tables(KINDS), self.log.sql).rewritten(self.resolve, as_of)
        with closing(sqlite3.connect(":memory:")) as connection:
            source = self.log.source()
            assert isinstance(source, bytes)
            connection.deserialize(source)
            connection.create_function("told", 2, lambda *_: None)
            connection.create_function("veiled", 2, lambda *_: None)
            return "\n".join(row[3] for row in connection.execute(f"EXPLAIN QUERY PLAN {own}"))


def file(**fields: Any) -> Resource:  # noqa: ANN401
    """Make a file."""
    return msgspec.convert(fields, KINDS.kinds["file"].resource)


@pytest.fixture
def log() -> Iterator[Log]:
    """An empty log."""
    made = Log()
    yield made
    made.log.close()


@pytest.fixture
def three(log: Log) -> Log:
    """A file with three versions, beside one that was removed, with what stands between them."""
    log.put((FILE, file(mode="0600", content="one")), (OTHER, file(mode="0600")))
    log.put((FILE, file(mode="0644", content="two")))
    log.put((OTHER, None))
    log.put((FILE, file(mode="0666", content="three")))
    return log


def test_a_kind_is_a_table(three: Log) -> None:
    """A row is a resource that is present, with the parts of its address, its fields and its period."""
    answer = three.ask("SELECT * FROM file")
    (row,) = answer.rows
    found = dict(zip(answer.columns, row, strict=True))
    assert found == {
        "address": FILE,
        "name": "web1:/etc/motd",
        "machine": "web1",
        "rest": "/etc/motd",
        "protect": None,
        "content": "three",
        "secret": None,
        "mode": "0666",
        "owner": None,
        "group": None,
        "modified": None,
        "valid_from": 4,
        "valid_to": None,
    }


def test_the_types_of_fields(log: Log) -> None:
    """Numbers are numbers, truth is 0 or 1, and what is nested is JSON; a field hides an added column."""
    log.put(
        (
            SERVER,
            Server(
                tags={"Name": "db", "a.b": "c"},
                sizes=[1, 2],
                disk=Disk(7),
                count=3,
                load=2.0,
                on=True,
                name="own",
                order="x",
            ),
        )
    )
    (row,) = log.rows(
        "SELECT count + 1, load / 4, [on], tags ->> '$.Name', tags ->> '$.\"a.b\"', sizes, name "
        "FROM rack_server"
    )
    assert row == (4, 0.5, 1, "db", "c", "[1,2]", "own")
    assert log.rows("SELECT e.value FROM rack_server s, json_each(s.sizes) e WHERE s.count = '3'") == [
        (1,),
        (2,),
    ]
    assert log.rows("SELECT disk ->> '$.size', rest, machine, address FROM rack_server") == [
        (7, "db", None, SERVER)
    ]
    found = types(tables(KINDS)["rack_server"])
    assert [found[n] for n in ("tags", "sizes", "disk", "count", "load", "on", "name", "valid_to")] == [
        "json",
        "json",
        "json",
        "integer",
        "real",
        "boolean",
        "text",
        "position",
    ]


def test_names_that_are_words_of_sql(log: Log) -> None:
    """A column that is called as a word of SQL is found, in quotes or without."""
    log.put((FILE, file(group="adm")), (SERVER, Server(order="x")))
    for group in ("group", '"group"', "[group]", "`GROUP`"):
        assert log.rows(f"SELECT {group} FROM file GROUP BY {group}") == [("adm",)]
    assert log.rows('SELECT "order" FROM rack_server ORDER BY "order"') == [("x",)]


def test_what_is_absent_or_not_known_is_no_row(log: Log) -> None:
    """Neither what was removed nor what was forgotten is in a table; what it was stays in the past."""
    log.put((FILE, file(mode="0600")), (OTHER, file(mode="0600")))
    log.put((FILE, None))
    log.put((OTHER, None), type="forgotten")
    assert log.log.fold().entries[OTHER].raw == FORGOTTEN
    assert log.rows("SELECT * FROM file") == []
    assert len(log.rows("SELECT * FROM file FOR SYSTEM_TIME ALL")) == 2


@pytest.mark.parametrize(
    ("clause", "modes"),
    [
        ("AS OF 1", ["0600"]),
        ("AS OF 2", ["0644"]),
        ("AS OF '3'", ["0644"]),
        ("AS OF last", ["0666"]),
        ("AS OF 0", []),
        ("BETWEEN 1 AND 2", ["0600", "0644"]),
        ("BETWEEN 2 AND 3", ["0644"]),
        ("BETWEEN 2 AND 'last'", ["0644", "0666"]),
        ("FROM 1 TO 2", ["0600"]),
        ("FROM 2 TO 4", ["0644"]),
        ("from 0 to 1", []),
        ("ALL", ["0600", "0644", "0666"]),
    ],
)
@pytest.mark.parametrize("form", ["file {}", "file {} AS file", "file {} f", "file f {}", "file AS f {}"])
def test_version_clauses(three: Log, clause: str, modes: list[str], form: str) -> None:
    """A clause chooses the versions that held then, before or after the alias."""
    table = form.format(f"FOR SYSTEM_TIME {clause}")
    assert three.rows(f"SELECT mode FROM {table} WHERE machine = 'web1' ORDER BY valid_from") == [
        (m,) for m in modes
    ]


def test_several_times_in_one_statement(three: Log) -> None:
    """Each table has its own time: a join across times is the difference between them."""
    sql = """WITH old AS (SELECT * FROM file FOR SYSTEM_TIME AS OF 1)
        SELECT coalesce(old.name, new.name), old.mode, new.mode, old.valid_to
        FROM old FULL JOIN file FOR SYSTEM_TIME AS OF 4 AS new USING (address) ORDER BY 1"""
    assert three.rows(sql) == [("web1:/etc/motd", "0600", "0666", 2), ("web2:/etc/motd", "0600", None, 3)]
    union = (
        "SELECT mode FROM file UNION ALL SELECT mode FROM file FOR SYSTEM_TIME AS OF 2 WHERE machine = 'web1'"
    )
    assert three.rows(union) == [("0666",), ("0644",)]


def test_as_of_for_all_tables_without_a_clause(three: Log) -> None:
    """The time given beside the query is for every table that says none, also in parts of it."""
    sql = "SELECT mode FROM file WHERE address IN (SELECT address FROM events) ORDER BY 1"
    assert three.rows(sql, as_of=1) == [("0600",), ("0600",)]
    assert three.rows(sql, as_of="2") == [("0600",), ("0644",)]
    assert three.rows("SELECT count(*) FROM file FOR SYSTEM_TIME ALL", as_of=0) == [(4,)]


ADDRESSES = [FILE, OTHER, SERVER]
STEPS = st.lists(
    st.lists(st.tuples(st.sampled_from(ADDRESSES), st.sampled_from(["0600", "0644", None])), min_size=1),
    max_size=5,
)


def filled(steps: list[list[tuple[Address, str | None]]], *, forgotten: set[int]) -> Log:
    """Make a log with an event for each step."""
    log = Log()
    for number, step in enumerate(steps):
        changes = {
            address: None if mode is None else Server(name=mode) if address == SERVER else file(mode=mode)
            for address, mode in step
        }
        log.put(*changes.items(), type="forgotten" if number in forgotten else "observed")
    return log


def folded(log: Log, position: int) -> dict[Address, tuple[int, str]]:
    """Return the files that the fold at a position tells of, each with its version and mode."""
    entries = log.log.fold(position).entries
    return {
        address: (version.since, json.loads(bytes(version.raw))["mode"])
        for address, version in entries.items()
        if address.startswith("file/") and version.raw not in (NULL, FORGOTTEN)
    }


@settings(deadline=None, max_examples=12)
@given(STEPS, st.sets(st.integers(0, 4)))
def test_as_of_is_the_fold_at_every_position(
    steps: list[list[tuple[Address, str | None]]], forgotten: set[int]
) -> None:
    """For any log, AS OF a position says what folding up to it says, with and without an address."""
    log = filled(steps, forgotten=forgotten)
    columns = "address, valid_from, mode"
    for position in range(log.log.head() + 1):
        want = {(address, *rest) for address, rest in folded(log, position).items()}
        clause = f"FOR SYSTEM_TIME AS OF {position}"
        rows = log.rows(f"SELECT {columns} FROM file {clause}")
        assert len(rows) == len(want)
        assert set(rows) == want
        assert set(log.rows(f"SELECT {columns} FROM file", as_of=position)) == want
        one = log.rows(f"SELECT {columns} FROM file {clause} WHERE address = '{FILE}'")
        assert one == [row for row in want if row[0] == FILE]


@settings(deadline=None, max_examples=12)
@given(STEPS, st.sets(st.integers(0, 4)))
def test_a_span_is_what_folding_says(
    steps: list[list[tuple[Address, str | None]]], forgotten: set[int]
) -> None:
    """BETWEEN and FROM give every version that some position of the span sees, and ALL gives all."""
    log = filled(steps, forgotten=forgotten)
    head = log.log.head()
    seen = [{(a, *rest) for a, rest in folded(log, p).items()} for p in range(head + 1)]
    for first in range(head + 1):
        for last in range(first, head + 1):
            clause = f"BETWEEN {first} AND {last}"
            rows = log.rows(f"SELECT address, valid_from, mode FROM file FOR SYSTEM_TIME {clause}")
            assert sorted(rows) == sorted(set().union(*seen[first : last + 1]))
            clause = f"FROM {first} TO {last}"
            rows = log.rows(f"SELECT address, valid_from, mode FROM file FOR SYSTEM_TIME {clause}")
            assert sorted(rows) == sorted(set().union(*seen[first:last]))
    rows = log.rows("SELECT address, valid_from, mode FROM file FOR SYSTEM_TIME ALL")
    assert sorted(rows) == sorted(set().union(*seen))


@settings(deadline=None, max_examples=12)
@given(STEPS)
def test_events_are_those_of_the_records(steps: list[list[tuple[Address, str | None]]]) -> None:
    """The table of events says of every address what its events say, both sides."""
    log = filled(steps, forgotten=set())
    want = [
        (record.position, address, *(None if side == NULL else bytes(side).decode() for side in sides))
        for record in log.log.read()
        for address, sides in record.entry.delta.items()  # type: ignore[union-attr]
    ]
    assert sorted(map(repr, log.rows("SELECT position, address, before, after FROM events"))) == sorted(
        map(repr, want)
    )
    for address in ADDRESSES:
        rows = log.rows(f"SELECT position FROM events WHERE address = '{address}' ORDER BY position")
        assert rows == [row[:1] for row in want if row[1] == address]


@pytest.fixture
def worked(log: Log) -> Log:
    """A log with a command that was done, one that failed, and one that is open."""
    chmod = raw({"command": "file.chmod", "mode": "0600", "on": [FILE]})
    fields: dict[str, Any] = {"command": chmod, "actor": "ada", "run": "r1"}
    log.log.append([Accepted(**fields, message="why", claims=(FILE,))])
    look = raw({"do": "host.read", "machine": "web1"})
    log.log.append(
        [
            Started(
                machine="web1",
                commands=(1, 1),
                instructions=(look, raw({"do": "host.attributes", "machine": "web1"})),
            )
        ]
    )
    outcomes = (raw({"type": "absent"}), raw({"type": "failure", "reason": "no"}))
    log.log.append([Finished(started=2, outcomes=outcomes)])
    log.put((FILE, file(mode="0600")), command=1, type="file.mode_changed")
    log.log.append([Ended(command=1, status="done")])
    log.log.append([Accepted(**{**fields, "actor": "bob"}, because="undo 1")])
    log.log.append([Ended(command=6, status="failed", error="it broke")])
    log.log.append([Accepted(**fields)])
    log.log.append([Started(machine="web1", commands=(8,), instructions=(look,))])
    log.put((OTHER, file()), actor="eve", message="found")
    return log


def test_commands(worked: Log) -> None:
    """A command has what was said when it was accepted, and what became of it."""
    rows = worked.rows(
        "SELECT position, type, actor, message, because, run, status, error, ended FROM commands"
    )
    assert rows == [
        (1, "file.chmod", "ada", "why", None, "r1", "done", None, 5),
        (6, "file.chmod", "bob", None, "undo 1", "r1", "failed", "it broke", 7),
        (8, "file.chmod", "ada", None, None, "r1", "open", None, None),
    ]
    assert worked.rows("SELECT command ->> '$.mode', time FROM commands LIMIT 1") == [
        ("0600", "1970-01-01T00:00:01.000000Z")
    ]


def test_commands_at_a_time(worked: Log) -> None:
    """What ended after a time is open as of it; a span is one of positions."""
    sql = "SELECT position, status FROM commands FOR SYSTEM_TIME {}"
    assert worked.rows(sql.format("AS OF 6")) == [(1, "done"), (6, "open")]
    assert worked.rows(sql.format("BETWEEN 6 AND 8")) == [(6, "failed"), (8, "open")]
    assert worked.rows(sql.format("FROM 6 TO 8")) == [(6, "failed")]
    assert worked.rows("SELECT position FROM events FOR SYSTEM_TIME AS OF 4") == [(4,)]
    assert worked.rows("SELECT finished FROM instructions FOR SYSTEM_TIME AS OF 2") == [(None,), (None,)]


def test_events_tell_who_and_why(worked: Log) -> None:
    """An event has the actor and message of its command where it has none of its own."""
    assert worked.rows(
        "SELECT position, type, command, actor, message, address, kind, before FROM events ORDER BY position"
    ) == [
        (4, "file.mode_changed", 1, "ada", "why", FILE, "file", None),
        (10, "observed", None, "eve", "found", OTHER, "file", None),
    ]


def test_instructions(worked: Log) -> None:
    """An instruction stands with its outcome, where that came back."""
    rows = worked.rows("SELECT batch, command, machine, type, outcome, failed, finished FROM instructions")
    assert rows == [
        (2, 1, "web1", "host.read", '{"type":"absent"}', 0, 3),
        (2, 1, "web1", "host.attributes", '{"type":"failure","reason":"no"}', 1, 3),
        (9, 8, "web1", "host.read", None, None, None),
    ]


def test_functions_between_positions_and_times(worked: Log) -> None:
    """`time_of` gives the time of a record, `position_of` what a text means."""
    assert worked.rows("SELECT time_of(2), time_of(99), position_of('last'), position_of(NULL)") == [
        ("1970-01-01T00:00:02.000000Z", None, 10, None)
    ]


TOKEN = "sealed:AAAABBBB=="  # noqa: S105 - made up


@pytest.fixture
def sealed(log: Log) -> Log:
    """Two servers with secrets, the commands, instructions and outcomes around them, and an unknown kind."""
    longer = f"{TOKEN}CCCC"
    other = Address("rack.server/other")
    log.put((SERVER, Server(password=of_text(TOKEN))))
    log.put((SERVER, Server(password=of_text(longer))), (other, Server(password=of_text(longer))))
    log.held[Address("gone.kind/x")] = msgspec.Raw(b"null")
    strange = raw({"key": TOKEN, "deep": [{"sealed:": "AAAABBBB=="}], "\u00e9": "x"})
    log.log.append(
        [Event(type="observed", delta={Address("gone.kind/x"): (NULL, strange)}, command=None, actor="ada")]
    )
    command = raw({"command": "x", "password": TOKEN, "on": [SERVER]})
    at = log.log.append([Accepted(command=command, actor="ada", run="r")])
    write = raw({"do": "host.write", "content": TOKEN, "more": {"sealed:": "AAAABBBB=="}})
    batch = log.log.append([Started(machine="web1", commands=(at,), instructions=(write,))])
    log.log.append([Finished(started=batch, outcomes=(raw({"type": "status", "content": TOKEN}),))])
    return log


EVERY_TABLE = ("rack_server", "events", "commands", "instructions", "unknown_kinds")


def test_secrets_stay_sealed(sealed: Log) -> None:
    """Every table tells that there is a secret, and no column of any, now or then, holds a token."""
    assert sealed.rows("SELECT DISTINCT password FROM rack_server") == [("(sealed)",)]
    for table in EVERY_TABLE:
        for clause in ("", " FOR SYSTEM_TIME ALL", " FOR SYSTEM_TIME AS OF 'last'"):
            text = str(sealed.rows(f"SELECT * FROM {table}{clause}"))
            assert "(sealed)" in text, (table, clause)
            assert "AAAABBBB" not in text, (table, clause)


@pytest.mark.parametrize(
    "expression",
    [
        "substr({0}, 8)",
        "'x' || {0}",
        "hex({0})",
        "CAST({0} AS BLOB)",
        "replace({0}, 'sealed:', '')",
        "quote({0})",
        "json_quote({0})",
        "json_group_array({0})",
        "group_concat({0})",
        "printf('%.99s', {0})",
        "trim({0}, 'sealed:')",
        "max({0}, '')",
        "(SELECT {0})",
        "CASE WHEN {0} LIKE '%AAAABBBB%' THEN 'AAAABBBB' END",
        "CASE WHEN instr({0}, 'AAAABBBB') THEN 'AAAABBBB' END",
        "CASE WHEN {0} GLOB '*AAAABBBB*' THEN 'AAAABBBB' END",
        "CASE WHEN {0} BETWEEN 'sealed:' AND 'sealed:z' THEN 'AAAABBBB' END",
    ],
)
def test_no_expression_gets_hold_of_a_token(sealed: Log, expression: str) -> None:
    """Functions, casts, comparisons and subqueries work on what stands in the place of a token."""
    columns = ("password", "before", "after", "command", "instruction", "outcome", "recorded")
    tables_ = ("rack_server", "events", "events", "commands", "instructions", "instructions", "unknown_kinds")
    for column, table in zip(columns, tables_, strict=True):
        for sql in (
            f"SELECT {expression.format(column)} AS x FROM {table} FOR SYSTEM_TIME ALL",
            f"WITH t AS (SELECT {column} AS y FROM {table}) SELECT {expression.format('y')} AS x FROM t",
        ):
            rows = sealed.rows(sql)
            assert not any("AAAABBBB" in str(cell) for row in rows for cell in row)
            held = bytes.fromhex("".join(re.findall("[0-9A-F]{16,}", str(rows))))
            assert b"AAAABBBB" not in held


def test_neither_length_nor_equality_of_secrets_is_told(sealed: Log) -> None:
    """Two different secrets are one to a query: to comparing, grouping and measuring."""
    assert sealed.rows("SELECT count(*), count(DISTINCT password) FROM rack_server") == [(2, 1)]
    versions = "rack_server FOR SYSTEM_TIME ALL"
    assert sealed.rows(f"SELECT DISTINCT length(password) FROM {versions}") == [(len("(sealed)"),)]
    assert sealed.rows(f"SELECT password, count(*) FROM {versions} GROUP BY 1") == [("(sealed)", 3)]
    assert sealed.rows("SELECT count(DISTINCT after) FROM events WHERE kind = 'rack.server'") == [(1,)]
    assert sealed.rows(f"SELECT count(*) FROM {versions} WHERE password = '{TOKEN}'") == [(0,)]
    assert sealed.rows(f"SELECT address FROM {versions} ORDER BY password, address, valid_from")[0] == (
        "rack.server/db",
    )


def test_text_that_only_looks_like_a_token_is_shown(log: Log) -> None:
    """A field that is no secret is as it is, also where it begins as a token does."""
    text = "sealed: a letter"
    log.put((FILE, file(content=text)))
    assert log.rows("SELECT content, after ->> '$.content' FROM file, events") == [(text, text)]


@pytest.mark.parametrize(
    "name",
    [
        "records",
        "present",
        "past",
        "main.present",
        "contents",
        "about",
        "heads",
        "sqlite_schema",
        "temp.sqlite_schema",
        "sqlite_stmt",
        "pragma_database_list",
        "dbstat",
    ],
)
def test_the_tables_below_cannot_be_named(sealed: Log, name: str) -> None:
    """What holds the tokens is reached by no name, quoted, qualified, in a subquery or beside WITH."""
    quoted = ".".join(f'"{part}"' for part in name.split("."))
    for sql in (
        f"SELECT * FROM {name}",
        f"SELECT * FROM {quoted}",
        f"SELECT 1 IN {name}",
        f"SELECT * FROM file, {name}",
        f"SELECT (SELECT body FROM {name})",
        f"SELECT * FROM (WITH x AS (SELECT 1) SELECT * FROM x), {name}",
        f"SELECT 1 UNION ALL SELECT body FROM {name}",
    ):
        assert "no table" in sealed.refuses(sql)


def test_a_name_of_with_hides_the_table_below(sealed: Log) -> None:
    """A part of a query may be called as a table of the log is, and stands for itself alone."""
    assert sealed.rows("WITH present AS (SELECT 1 AS body) SELECT body FROM present") == [(1,)]
    refusal = sealed.refuses("WITH present AS (SELECT body FROM present) SELECT * FROM present")
    assert "AAAABBBB" not in refusal
    assert "circular" in refusal


@pytest.mark.parametrize(
    "expression",
    [
        "json_extract('{\"a\":[1]}', '$.a')",
        "'{\"a.b\":1}' ->> 'a.b'",
        "'[1,2]' -> 1",
        "iif(1, 2, 3)",
        "max(1, 2), min(3, 4)",
        "count(*), sum(DISTINCT 3), group_concat('x', '-')",
        "CAST('3' AS NUMERIC), CAST('3' AS REAL), CAST(3 AS TEXT), CAST('x' AS BLOB)",
        "strftime('%Y', 0, 'unixepoch'), date(0)",
        "7 / 2, 7 % 2, 7.0 / 2, 1 << 3, ~1, -1, 5 & 4",
        "'a' LIKE 'A', 'a' GLOB 'A', 'a' NOT GLOB 'b', NULL IS NOT 1, 'a_' LIKE 'a\\_' ESCAPE '\\'",
        "x'00ff', 1 == 1, 1 <> 2, NOT 0, NULL ISNULL, 1 NOTNULL, 'it''s' || 'x'",
        "CASE 1 WHEN 1 THEN 'a' ELSE 'b' END, (1, 2) = (1, 2), EXISTS (SELECT 1)",
        "row_number() OVER (ORDER BY 1), replace('a', 'a', 'b'), json_object('a', 1), substr('abc', -2)",
        "'a' IN ('a', 'b'), 1 BETWEEN 0 AND 2, 'A' = 'a' COLLATE NOCASE, 0x10, 1e3",
        "ifnull(NULL, 1), nullif(1, 1), coalesce(NULL, 2), typeof(1.0), abs(-1), round(2.5), hex('a')",
    ],
)
def test_expressions_mean_what_they_mean_in_sqlite(log: Log, expression: str) -> None:
    """What is read and written again gives what SQLite gives for it as it was."""
    plain = sqlite3.connect(":memory:")
    assert log.rows(f"SELECT {expression}") == plain.execute(f"SELECT {expression}").fetchall()
    plain.close()


def test_columns_are_named_as_they_are_written(three: Log) -> None:
    """A column without a name is headed by what it says."""
    answer = three.ask("SELECT mode, count(*), f.mode || 'x', mode AS m FROM file f GROUP BY mode")
    assert answer.columns == ["mode", "count(*)", "f.mode || 'x'", "m"]


def test_as_of_searches_and_does_not_scan_the_past(three: Log) -> None:
    """AS OF seeks in the past for each address; with an address given both tables are searched by it."""
    plan = three.plan("SELECT mode FROM file FOR SYSTEM_TIME AS OF 2")
    assert not re.search(r"SCAN (v|past)\b", plan), plan
    assert "SEARCH v USING PRIMARY KEY (address=? AND since=?)" in plan
    plan = three.plan(f"SELECT mode FROM file FOR SYSTEM_TIME AS OF 2 WHERE address = '{FILE}'")
    assert plan.count("PRIMARY KEY (address=?)") == 2, plan
    assert "SCAN" not in plan


@pytest.mark.parametrize("clause", ["", "FOR SYSTEM_TIME ALL", "FOR SYSTEM_TIME BETWEEN 1 AND 3"])
def test_an_address_is_searched_for(three: Log, clause: str) -> None:
    """A condition on the address reaches the tables of the log, now and in a span."""
    for table in ("file", "events"):
        plan = three.plan(f"SELECT address FROM {table} {clause} WHERE address = '{FILE}'")
        assert "SCAN" not in plan, plan


def test_the_end_of_a_command_is_found_by_its_cause(worked: Log) -> None:
    """The table of commands reads no more of the log than the commands and what they caused."""
    plan = worked.plan("SELECT position, status FROM commands WHERE position = 6")
    assert "SEARCH e USING INDEX caused (cause=?)" in plan
    assert "SCAN" not in plan


@pytest.mark.parametrize(
    ("sql", "message"),
    [
        ("SELECT * FORM file", "mistake in its syntax at line 1, column 10, near 'FORM'; did you mean FROM?"),
        ("SELECT *\n  FROM file WHERE (", "at line 2, column 19, near '('"),
        ("SELECT 'abc", "ends within a text, a quoted name or a comment"),
        ("", "the query is empty"),
        ("file", "begins with 'file'; it must begin with SELECT, WITH or VALUES"),
        ("SELECT * FROM fil", "no table at line 1, column 15 is called 'fil'; did you mean 'file'?"),
        ("SELECT * FROM rack.server", "called 'rack.server'; did you mean 'rack_server'?"),
        ("SELECT\n naem FROM file", "no column at line 2, column 2 is called 'naem'; did you mean 'name'?"),
        ("SELECT f.naem FROM file f", "is called 'naem'; did you mean 'name'?"),
        ('SELECT 1 FROM file WHERE mode = "0666"', "is called '0666'; write text in single quotes"),
        ("SELECT name FROM file a, file b", "more than one table has the column 'name' at line 1, column 8"),
        ("SELECT uper('x')", "no function at line 1, column 8 is called 'uper'; did you mean 'upper'?"),
        ("SELECT count(1, 2)", "wrong number of arguments to function count()"),
        ("SELECT ?", "cannot be run"),
        ("SELECT tags -> '$' FROM file", "no column at line 1, column 8 is called 'tags'"),
        ("SELECT mode FROM file f(a)", "cannot be run"),
        ("SELECT '\udcff'", "the query is not in UTF-8"),
        ("SELECT '\0'", "a null character"),
        (f"SELECT {'(' * 3000}1{')' * 3000}", "it is nested too deep"),
        ("SELECT x.a FROM (SELECT 1 AS ab) x", "is called 'a'; did you mean 'ab'?"),
        ("SELECT 1; SELECT 2", "a second statement begins at line 1, column 11"),
        ("SELECT 1; DROP TABLE records", "a second statement begins"),
        *(
            (f"SELECT * FROM {table}", f"is called '{table}'")
            for table in ("records", "present", "past", "open")
        ),
        ("SELECT * FROM sqlite_master", "is called 'sqlite_master'"),
        ("SELECT * FROM main.records", "is called 'main.records'"),
        ("SELECT 1 IN records", "is called 'records'"),
        ("SELECT 1 IN pragma_table_list('x')", "no table function"),
        ("SELECT * FROM pragma_table_info('records')", "no table function at line 1, column 15"),
        ("SELECT load_extension('x')", "load_extension() is not allowed"),
        ("SELECT told(1, 'type')", "told() is not allowed"),
        ("SELECT * FROM file FOR SYSTEM_TIME AS OF 99", "there is no position 99"),
        ("SELECT * FROM file FOR SYSTEM_TIME AS OF", "a position is missing"),
        ("SELECT * FROM file FOR SYSTEM_TIME BETWEEN 1", "AND is missing"),
        ("SELECT * FROM file FOR SYSTEM_TIME 3", "AS OF, BETWEEN, FROM or ALL is missing"),
        ("SELECT position_of('never')", "there is no position never"),
        (
            "WITH f AS (SELECT 1) SELECT * FROM f FOR SYSTEM_TIME ALL",
            "a part of the query; put it after a table",
        ),
        ("SELECT * FROM json_each('[]') FOR SYSTEM_TIME ALL", "json_each() has no versions"),
        ("WITH f AS (SELECT 1) DELETE FROM file", "DELETE is not allowed: a query only reads"),
        *(
            (sql, f"{sql.split()[0]} is not allowed: a query only reads")
            for sql in (
                "INSERT INTO file VALUES (1)",
                "UPDATE file SET mode = 1",
                "DELETE FROM file",
                "CREATE TABLE x (a)",
                "DROP TABLE records",
                "ATTACH 'x' AS y",
                "DETACH x",
                "PRAGMA query_only = OFF",
                "VACUUM",
                "REPLACE INTO x VALUES (1)",
                "BEGIN",
                "EXPLAIN SELECT 1",
            )
        ),
    ],
)
def test_what_is_refused(three: Log, sql: str, message: str) -> None:
    """A query that cannot be answered is refused in one sentence that says where and why."""
    assert message in three.refuses(sql)


RUNAWAY = "WITH RECURSIVE c(x) AS (SELECT 1 UNION ALL SELECT x + 1 FROM c) SELECT x FROM c"


def test_limits(three: Log) -> None:
    """A query that takes too long or gives too much is stopped, and told how to have more."""
    assert three.refuses(f"SELECT count(*) FROM ({RUNAWAY})", timeout=0.2) == (
        "the query took longer than 0.2 seconds; make it simpler, or allow more with --timeout"
    )
    assert three.refuses(RUNAWAY, max_rows=10) == (
        "the query gives more than 10 rows; add a LIMIT, or allow more with --max-rows"
    )
    assert len(three.rows(f"{RUNAWAY} LIMIT 10", max_rows=10)) == 10


LARGE = "hex(randomblob(20000000))"
ONE_STEP = "SELECT instr(zeroblob(100000000), zeroblob(50000000) || x'01')"


@pytest.mark.parametrize(
    ("sql", "bound"),
    [
        (ONE_STEP, "longer than 0.2 seconds"),
        ("SELECT zeroblob(1000000000)", "a value of more than 256 MiB"),
        ("SELECT randomblob(1000000000)", "a value of more than 256 MiB"),
        (f"SELECT group_concat({LARGE}) FROM ({RUNAWAY} LIMIT 9)", "a value of more than 256 MiB"),
        (f"SELECT json_group_array({LARGE}) FROM ({RUNAWAY} LIMIT 20)", "more than 512 MiB of memory"),
        (f"SELECT DISTINCT {LARGE} FROM ({RUNAWAY} LIMIT 40)", "more than 512 MiB of memory"),
        (f"SELECT {LARGE} FROM ({RUNAWAY} LIMIT 40)", "the answer is larger than 512 MiB"),
        (f"SELECT x FROM ({RUNAWAY}) ORDER BY -x", "longer than 0.2 seconds"),
        (f"SELECT count(*) FROM ({RUNAWAY} LIMIT 99999) a, ({RUNAWAY} LIMIT 99999) b", "longer than 0.2"),
        ("SELECT 'a' LIKE '" + "%a" * 1000 + "'", "pattern too complex"),
        ("SELECT '" + "a" * 1_000_000 + "'", "has more than 1000000 characters"),
    ],
)
def test_what_takes_too_much_is_stopped(three: Log, sql: str, bound: str) -> None:
    """Time ends a query also within one step of SQLite, and memory and the size of an answer are bounded."""
    assert bound in three.refuses(sql, timeout=0.2 if "longer" in bound else 600.0)


def test_bounds_can_be_moved(three: Log) -> None:
    """What --max-memory allows is for values, for what is kept meanwhile, and for the answer."""
    sql = "SELECT hex(zeroblob(2000000)) AS x"
    assert "more than 1 MiB" in three.refuses(sql, max_memory=2)
    assert "needs more than 12 MiB" in three.refuses(
        f"{sql}, hex(zeroblob(2000001)), hex(zeroblob(1999999))", max_memory=12
    )
    assert len(three.rows(sql, max_memory=64)[0][0]) == 4_000_000


@pytest.mark.parametrize(
    "call",
    [
        "fts3_tokenizer('simple')",
        "load_extension('x')",
        "sqlite_compileoption_get(1)",
        "sqlite_log(1, 'x')",
        "fts5(1)",
        "rtreenode(2, x'00')",
        "subtype(1)",
        "told(1, 'actor')",
        "\"told\"(1, 'actor')",
        "`VEILED`('x', '')",
    ],
)
def test_functions_that_do_more_than_compute(three: Log, call: str) -> None:
    """What knows pointers, files and settings, and what is ours, cannot be called, however it is written."""
    assert "is not allowed" in three.refuses(f"SELECT {call}")


def test_every_function_of_sqlite_was_decided_upon() -> None:
    """What this SQLite can call is allowed, or is known to do more than compute."""
    with closing(sqlite3.connect(":memory:")) as connection:
        there = {str(row[0]) for row in connection.execute("SELECT name FROM pragma_function_list")}
    more = {
        "bm25",
        "changes",
        "highlight",
        "last_insert_rowid",
        "load_extension",
        "match",
        "matchinfo",
        "offsets",
    }
    more |= {"optimize", "snippet", "subtype", "total_changes"}
    others = {name for name in there - FUNCTIONS - more if not name.startswith(("fts", "rtree", "sqlite_"))}
    assert not {name for name in others if not name.startswith(("geopoly", "sha", "regexp"))}


def test_the_engine_denies_by_itself(three: Log) -> None:
    """What only the reading of the query refuses is refused by SQLite, too, were it to come through."""
    for sql in (
        "CREATE TABLE x (a)",
        "DELETE FROM records",
        "ATTACH ':memory:' AS y",
        "PRAGMA user_version",
        "SELECT * FROM pragma_database_list",
        "SELECT fts3_tokenizer('simple')",
        "SELECT load_extension('x')",
        "BEGIN",
    ):
        with pytest.raises(Fault, match=r"not authorized|prohibited"):
            run(three.log.source(), sql, {}, three.resolve, Bounds())


def test_a_process_that_ends_is_told(three: Log) -> None:
    """A query whose process is killed from outside is an error in a sentence, and nothing is left of it."""
    killed = list[int]()

    def kill(text: str) -> int:
        children = Path(f"/proc/self/task/{threading.get_native_id()}/children").read_text().split()
        killed.extend(int(n) for n in children if b"sqlite_engine" in Path(f"/proc/{n}/cmdline").read_bytes())
        for pid in killed:
            os.kill(pid, signal.SIGKILL)
        return int(text)

    with pytest.raises(LaserCatsError, match=r"ended before its answer \(signal 9\)"):
        run(three.log.source(), "SELECT position_of('1')", {}, kill, Bounds())
    assert killed
    assert not any(Path(f"/proc/{pid}").exists() for pid in killed)


def test_other_statements_that_read(three: Log) -> None:
    """VALUES, WITH, a trailing semicolon, comments and tables in IN are all fine."""
    assert three.rows("VALUES (1), (2);") == [(1,), (2,)]
    assert three.rows("WITH x AS (SELECT mode FROM file) SELECT * FROM x -- all") == [("0666",)]
    assert three.rows("WITH m AS (SELECT mode FROM file) SELECT '0666' IN m") == [(1,)]
    assert three.rows("SELECT count(*) FROM file a NATURAL JOIN file b") == [(0,)]
    assert three.rows("SELECT value FROM json_tree('[5]') WHERE type = 'integer'") == [(5,)]
