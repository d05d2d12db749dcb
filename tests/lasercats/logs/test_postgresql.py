"""The PostgreSQL log keeps the contract, and detects damage."""
# ruff: noqa: S608 - SQL is what is tested

import hashlib
from collections.abc import Callable
from pathlib import Path

import pytest

from lasercats.core.errors import LogCorrupt, LogError, LogTooNew
from lasercats.core.record import Late, Met
from lasercats.logs.postgresql import PostgresqlLog
from lasercats.testing.logs import A, B, Clock, LogContract, accepted, event, in_processes
from lasercats.testing.postgresql import Server

Make = Callable[..., PostgresqlLog]


class TestContract(LogContract):
    """The contract of log stores."""

    @pytest.fixture(autouse=True)
    def server(self, postgresql: Server) -> None:
        """A server, on which each folder is a schema."""
        self._server, self._user = postgresql, "lab"

    def open(self, folder: Path, *, create: bool, clock: Callable[[], int] | None = None) -> PostgresqlLog:
        """Open the log in the schema of a folder."""
        schema = hashlib.sha256(str(folder).encode()).hexdigest()[:12]
        url = self._server.url(user=self._user)
        return PostgresqlLog(url, schema, create=create, clock=clock)

    def bar(self, folder: Path) -> None:
        """Let it be opened by a role that may only read."""
        schema = hashlib.sha256(str(folder).encode()).hexdigest()[:12]
        self._user = f"reader_{schema}"
        self._server.sql(f"CREATE ROLE {self._user} LOGIN; SELECT \"{schema}\".admit('{self._user}', false)")


def test_the_server_hashes_as_we_do(make: Make) -> None:
    """Whatever stands in the facts of an append and in its records, both sides hash the same bytes."""
    odd = 'a "quote", a \\ backslash, \x01\x1f\x7f\b\f\n\r\t, ü, \u2028 and \U0001f600'
    log = make(program=odd, clock=lambda: -5)
    log.append([event(content=odd), event(B, "x" * 100_000)], run=odd, request=odd)
    log.append([event(content=odd)])
    log.append([event(content=odd)] * 3, request='"')
    assert log.check_chain() == 6
    assert log.writer(1) == odd


@pytest.mark.parametrize(
    "statement",
    [
        "UPDATE records SET body = convert_to(replace(convert_from(body, 'UTF8'), 'xxx', 'yyy'), 'UTF8') "
        "WHERE position = 2",
        "UPDATE records SET time = time + 1 WHERE position = 3",
        "DELETE FROM records WHERE position = 3",
        "DELETE FROM records WHERE position > 4",
        "UPDATE head SET hash = 'x'",
        "UPDATE head SET position = 9",
    ],
)
def test_a_tampered_record_is_found(make: Make, postgresql: Server, schema: str, statement: str) -> None:
    """A changed, backdated, missing or cut off record is found by the check of the chain."""
    log = make()
    for n in range(3):
        log.append([event(content=str(n)), event(content="x" * 50)])
    postgresql.sql(f"SET search_path = {schema}; {statement}")
    with pytest.raises(LogCorrupt):
        log.check_chain()


@pytest.mark.parametrize(
    "statement",
    [
        "UPDATE present SET body = '{}'",
        "UPDATE present SET since = since + 1",
        "DELETE FROM present",
        "UPDATE past SET body = '{}' WHERE since = 2",
        "UPDATE past SET until = until + 1 WHERE since = 2",
        "DELETE FROM past WHERE since = 2",
        "INSERT INTO past VALUES ('file/m:/none', 7, 8, '{}')",
        "INSERT INTO open VALUES (1, '', '', '', '{}', false, false, NULL)",
        "DELETE FROM open",
        "UPDATE open SET actor = 'x'",
        "UPDATE open SET run = 'x'",
        "UPDATE open SET held = true",
        "DELETE FROM claims",
        "INSERT INTO segments VALUES (3, 17)",
        "INSERT INTO met VALUES ('db', 3, '{}')",
    ],
)
def test_tables_that_do_not_follow_are_found_and_made_anew(
    make: Make, postgresql: Server, schema: str, statement: str
) -> None:
    """What is not the fold of the records is told, and made anew from them."""
    times = Clock([5, 9, 2, 3])
    log = make(clock=times)
    log.append([event(content="1"), event(content="2"), accepted("r", B)])
    log.append([event(content="3"), Met(machines={"web": {"machine-id": "a"}})])
    log.append([event(content="4"), Late(commands=(3,), on=(A,))])
    before = (log.fold().entries, log.open(), log.machines(), log.reversals())
    postgresql.sql(f"SET search_path = {schema}; {statement}")
    with pytest.raises(LogCorrupt, match="verify --repair"):
        log.check_tables()
    log.rebuild()
    assert log.check_tables() == 4
    assert log.check_chain() == 7
    assert (log.fold().entries, log.open(), log.machines(), log.reversals()) == before


def test_a_log_of_a_later_version_is_left_alone(make: Make, postgresql: Server, schema: str) -> None:
    """A later format, or what this program does not know, is told; where it can be read, it is only read."""
    held = make()
    held.append([event()])
    postgresql.sql(f"UPDATE {schema}.head SET writes = array_append(writes, 'news')")
    with pytest.raises(LogError, match="can only be read here: it keeps news"):
        held.append([event()])
    with pytest.raises(LogError, match="can only be read here: it keeps news"):
        make().append([event()])
    assert make().head() == 1
    postgresql.sql(f"UPDATE {schema}.head SET reads = '{{novelty}}'")
    with pytest.raises(LogTooNew, match="novelty"):
        make()
    postgresql.sql(f"UPDATE {schema}.about SET value = '6' WHERE name = 'format'")
    with pytest.raises(LogTooNew, match="has format 6"):
        make()


def test_another_table_of_that_name_is_no_log(make: Make, postgresql: Server, schema: str) -> None:
    """A schema with something else in it is told, and left as it is."""
    postgresql.sql(f"CREATE SCHEMA {schema}; CREATE TABLE {schema}.about (name text, value text)")
    with pytest.raises(LogCorrupt, match="does not tell its id"):
        make()


def test_a_database_in_another_encoding_gets_no_log(postgresql: Server, schema: str) -> None:
    """A log needs UTF-8, and says so before anything is made."""
    postgresql.sql(f"CREATE DATABASE latin_{schema} ENCODING LATIN1 TEMPLATE template0")
    with pytest.raises(LogError, match="not in UTF8"):
        PostgresqlLog(postgresql.url(f"latin_{schema}"), create=True)


def test_many_make_one_log(make: Make) -> None:
    """Of processes that make the same log at once one does, and all have it."""
    in_processes(lambda _: make().close(), 4)
    assert make().head() == 0


def test_what_waits_sees_what_was_committed(make: Make, postgresql: Server, schema: str) -> None:
    """An append that waits for another decides on what that one left, and in no other isolation."""
    log = make()
    log.append([event()])
    role = f"strict_{schema}"
    postgresql.sql(f"CREATE ROLE {role} LOGIN SUPERUSER")
    postgresql.sql(f"ALTER ROLE {role} SET default_transaction_isolation = serializable")
    with pytest.raises(LogError, match="not `read committed`"):
        make(user=role).append([event()])
    assert log.head() == 1


def test_what_is_no_text_is_told(make: Make) -> None:
    """A NUL, which no text in PostgreSQL holds, is refused in a sentence, and nothing is written."""
    log = make()
    with pytest.raises(LogError, match="cannot hold"):
        log.append([accepted("a\0b")])
    with pytest.raises(LogError, match="cannot hold"):
        log.append([event()], run="a\0b")
    assert log.head() == 0
