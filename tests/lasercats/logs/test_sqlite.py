"""The SQLite log keeps the contract, and detects damage."""

import sqlite3
from contextlib import closing
from pathlib import Path

import pytest
from msgspec.structs import replace

from lasercats.core.errors import LogCorrupt, LogError, LogTooNew
from lasercats.core.record import Deferred, Ended, Started, raw
from lasercats.logs.sqlite import SqliteLog
from lasercats.testing.logs import A, B, LogContract, accepted, event

BEND = "UPDATE records SET body = CAST(replace(CAST(body AS TEXT), 'xxx', 'yyy') AS BLOB) WHERE position = 2"


class TestContract(LogContract):
    """The contract of log stores."""

    def open(self, folder: Path, *, create: bool) -> SqliteLog:
        """Open the log file."""
        return SqliteLog(folder / "log.db", create=create)


def make(path: Path, appends: int = 3) -> Path:
    """Make a log with some appends of two entries."""
    log = SqliteLog(path / "log.db", create=True)
    for n in range(appends):
        log.append([event(content=str(n)), event(content="x" * 50)])
    log.close()
    return path / "log.db"


def test_the_chain_holds(tmp_path: Path) -> None:
    """An untouched log passes its check."""
    assert SqliteLog(make(tmp_path)).check_chain() == 6


@pytest.mark.parametrize(
    ("statement", "message"),
    [
        (BEND, "records 1 to 2"),
        ("UPDATE records SET time = time + 1 WHERE position = 3", "records 3 to 4"),
        ("DELETE FROM records WHERE position = 3", "no record 3"),
        (
            "DELETE FROM records WHERE position > 4; UPDATE records SET hash = NULL WHERE position = 4",
            "middle",
        ),
    ],
)
def test_a_tampered_record_breaks_the_chain(tmp_path: Path, statement: str, message: str) -> None:
    """A changed, backdated or missing record is found, with its position."""
    path = make(tmp_path)
    db = sqlite3.connect(path)
    db.executescript(statement)
    db.close()
    with pytest.raises(LogCorrupt, match=message):
        SqliteLog(path).check_chain()


@pytest.mark.parametrize(
    "statement",
    [
        "UPDATE present SET body = x'7b7d'",
        "UPDATE present SET since = since + 1",
        "DELETE FROM present",
        "UPDATE past SET body = x'7b7d' WHERE since = 2",
        "UPDATE past SET until = until + 1 WHERE since = 2",
        "DELETE FROM past WHERE since = 2",
        "INSERT INTO past VALUES ('file/m:/none', 7, 8, x'7b7d')",
        "INSERT INTO open VALUES (1, NULL)",
    ],
)
def test_tables_that_are_not_the_fold_are_found_and_repaired(tmp_path: Path, statement: str) -> None:
    """Whatever is wrong with the tables is noticed, and they are made anew from the records."""
    path = make(tmp_path)
    db = sqlite3.connect(path)
    db.execute("DROP TRIGGER keep_past")
    db.execute(statement)
    db.commit()
    db.close()
    log = SqliteLog(path)
    with pytest.raises(LogCorrupt, match="verify --repair"):
        log.check_tables()
    log.rebuild()
    assert log.check_tables() == 6
    assert [version.since for version in log.versions(A)] == [1, 2, 3, 4, 5, 6]


def test_a_log_of_format_1_is_brought_to_this_one(tmp_path: Path) -> None:
    """What an earlier LaserCats wrote has all its records, chain, folds and causes after it is opened."""
    path = make(tmp_path)
    now = SqliteLog(path)
    now.append([accepted(), replace(event(), command=7), accepted("two", B), Ended(command=7, status="done")])
    entries, opened = now.fold().entries, dict(now.open())
    now.close()
    db = sqlite3.connect(path)
    db.executescript("""
        DROP TABLE present; DROP TABLE past; DROP TABLE open; DROP INDEX caused;
        ALTER TABLE records DROP COLUMN cause;
        CREATE TABLE snapshots (position INTEGER PRIMARY KEY, body BLOB, digest BLOB) STRICT;
        PRAGMA user_version = 1;
    """)
    db.close()
    log = SqliteLog(path)
    assert log.check_chain() == 10
    assert log.check_tables() == 7
    assert (log.fold().entries, dict(log.open())) == (entries, opened)
    assert [record.position for record in log.caused(7)] == [8, 10]
    log.append([event()], expect={A: 8})
    assert SqliteLog(path).check_chain() == 11


def test_a_log_of_format_2_is_brought_to_this_one(tmp_path: Path) -> None:
    """A log that knew nothing of people is opened as it is, and takes what they have in hand from then on."""
    path = make(tmp_path)
    SqliteLog(path).append([accepted()])
    with closing(sqlite3.connect(path)) as db:
        db.executescript("ALTER TABLE open DROP COLUMN waits; PRAGMA user_version = 2;")
    log = SqliteLog(path)
    log.append([Started(machine="human", commands=(7,), instructions=(raw({}),))])
    log.append([Deferred(started=8, commands=(7,))])
    assert log.check_tables() == 6
    for opened in (log.open(), SqliteLog(path).open()):
        assert {position: one.waits for position, one in opened.items()} == {7: 8}


def test_a_connection_for_queries_cannot_write(tmp_path: Path) -> None:
    """It reads what is there, also of a log in memory, and refuses to write."""
    memory = SqliteLog(":memory:", create=True)
    memory.append([event()])
    for log in (memory, SqliteLog(make(tmp_path))):
        with closing(log.connect()) as db:
            assert db.execute("SELECT address FROM present").fetchall() == [(A,)]
            with pytest.raises(sqlite3.OperationalError, match="readonly"):
                db.execute("DELETE FROM present")


def test_what_is_no_log_is_told(tmp_path: Path) -> None:
    """A missing file, another file, another database and a later format each have their sentence."""
    with pytest.raises(LogError, match=r"there is no log at .*; make one with `lasercats init`"):
        SqliteLog(tmp_path / "none.db")
    (tmp_path / "text.db").write_bytes(b"not a database, but long enough to be looked at" * 100)
    with pytest.raises(LogCorrupt, match="is damaged"):
        SqliteLog(tmp_path / "text.db")
    sqlite3.connect(tmp_path / "other.db").executescript("CREATE TABLE x (y)")
    with pytest.raises(LogCorrupt, match="is no LaserCats log"):
        SqliteLog(tmp_path / "other.db")
    path = make(tmp_path)
    db = sqlite3.connect(path)
    db.execute("PRAGMA user_version = 4")
    db.close()
    with pytest.raises(LogTooNew, match="has format 4, this LaserCats reads up to 3; upgrade"):
        SqliteLog(path)
    with pytest.raises(LogError, match="there is a log at"):
        SqliteLog(path, create=True)


def test_a_record_that_cannot_be_read_is_told(tmp_path: Path) -> None:
    """A body that is no JSON is named by its position."""
    path = make(tmp_path)
    db = sqlite3.connect(path)
    db.execute("UPDATE records SET body = x'00' WHERE position = 5")
    db.commit()
    db.close()
    with pytest.raises(LogCorrupt, match="record 5"):
        list(SqliteLog(path).read())
