"""The SQLite log keeps the contract, and detects damage."""

import sqlite3
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import pytest
from msgspec.structs import replace

from lasercats.core.errors import LogCorrupt, LogError, LogTooNew
from lasercats.core.record import Ended, Late, Started, raw
from lasercats.logs.sqlite import SqliteLog
from lasercats.testing.logs import A, B, Clock, LogContract, accepted, event

BEND = "UPDATE records SET body = CAST(replace(CAST(body AS TEXT), 'xxx', 'yyy') AS BLOB) WHERE position = 2"


class TestContract(LogContract):
    """The contract of log stores."""

    def open(self, folder: Path, *, create: bool, clock: Callable[[], int] | None = None) -> SqliteLog:
        """Open the log file."""
        return SqliteLog(folder / "log.db", create=create, clock=clock)

    def bar(self, folder: Path) -> None:
        """Take the right to write from the file and from its folder."""
        (folder / "log.db").chmod(0o444)
        folder.chmod(0o555)


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
        "INSERT INTO segments VALUES (3, 17)",
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


def test_what_queries_read_by_cannot_write(tmp_path: Path) -> None:
    """It reads what is there, of a log in memory by a copy, and of a file by a URI that refuses to write."""
    memory = SqliteLog(":memory:", create=True)
    memory.append([event()])
    copy, uri = memory.source(), SqliteLog(make(tmp_path)).source()
    assert isinstance(copy, bytes)
    assert isinstance(uri, str)
    with closing(sqlite3.connect(":memory:")) as db:
        db.deserialize(copy)
        assert db.execute("SELECT address FROM present").fetchall() == [(A,)]
    with closing(sqlite3.connect(uri, uri=True)) as db:
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
    db.execute("PRAGMA user_version = 6")
    db.close()
    with pytest.raises(LogTooNew, match="has format 6, this LaserCats reads up to 5; upgrade"):
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


def test_the_id_is_in_the_chain(tmp_path: Path) -> None:
    """A log that is given the id of another does not hold."""
    path = make(tmp_path)
    other = "CASE WHEN value LIKE 'f%' THEN 'e' ELSE 'f' END || substr(value, 2)"
    change(path, f"UPDATE about SET value = {other} WHERE name = 'id'")  # noqa: S608 - a constant
    with pytest.raises(LogCorrupt, match="records 1 to 2"):
        SqliteLog(path).check_chain()


@pytest.mark.parametrize(
    "statement",
    [
        "UPDATE records SET clock = time - 1 WHERE position = 3",
        "UPDATE records SET clock = time - 1 WHERE position IN (3, 4)",
        "UPDATE records SET run = 'other' WHERE position = 3",
        "UPDATE records SET request = 'other' WHERE position = 4",
        "UPDATE stretches SET program = 'other'",
        "UPDATE stretches SET format = 3",
        "DELETE FROM stretches",
    ],
)
def test_what_an_append_says_of_itself_is_in_the_chain(tmp_path: Path, statement: str) -> None:
    """Clock, run, request, program and format cannot be changed afterwards."""
    path = make(tmp_path)
    change(path, statement)
    with pytest.raises(LogCorrupt):
        SqliteLog(path).check_chain()


def test_what_a_program_must_know_is_asked(tmp_path: Path) -> None:
    """A log that a later version writes otherwise is only read, one that it keeps otherwise is not opened."""
    path = make(tmp_path)
    late = SqliteLog(path)
    change(path, "UPDATE about SET value = 'leases seals' WHERE name = 'write'")
    with closing(SqliteLog(path)) as log:
        assert len(list(log.read())) == log.check_chain() == 6
        with pytest.raises(
            LogError, match="only be read here: it keeps seals, which this LaserCats does not"
        ):
            log.append([event()])
    with pytest.raises(LogError, match="only be read here: it keeps seals"):
        late.append([event()])
    change(path, "UPDATE about SET value = 'contents late' WHERE name = 'read'")
    with pytest.raises(LogTooNew, match="keeps contents in a way that this LaserCats cannot read; upgrade"):
        SqliteLog(path)


def test_programs_of_two_versions_take_turns(tmp_path: Path) -> None:
    """Of each record it is known which version wrote it, and the chain holds."""
    one, two = SqliteLog(make(tmp_path), program="one"), SqliteLog(tmp_path / "log.db", program="two")
    for log in (one, two, two, one, one):
        log.append([event(), event()])
    assert [two.writer(n) for n in range(7, 17)] == ["one"] * 2 + ["two"] * 4 + ["one"] * 4
    assert one.check_chain() == 16


def change(path: Path, statement: str) -> None:
    """Change a log behind its back."""
    with closing(sqlite3.connect(path, isolation_level=None)) as db:
        db.execute(statement)


def test_what_is_no_text_is_not_written(tmp_path: Path) -> None:
    """A lone surrogate, which JSON cannot hold, is told, and the log is as it was."""
    with closing(SqliteLog(make(tmp_path))) as log:
        with pytest.raises(LogError, match="which is no text; nothing was written"):
            log.append([event(), replace(event(), message="\udcff")])
        assert log.append([event()]) == log.check_chain() == 7


def test_each_record_has_two_times(tmp_path: Path) -> None:
    """One is the clock as it was, the other never goes back; the clock stands there where they differ."""
    log = SqliteLog(tmp_path / "log.db", create=True, clock=Clock([100, 900, 0, 901]))
    for _ in range(4):
        log.append([event(), event()])
    with closing(sqlite3.connect(tmp_path / "log.db")) as db:
        rows = db.execute("SELECT time, clock FROM records ORDER BY position").fetchall()
    assert rows[::2] == rows[1::2] == [(100, None), (900, None), (900, 0), (901, None)]
    assert [record.time for record in log.read()][::2] == [100, 900, 0, 901]
    assert log.check_chain() == 8


def test_a_lease_costs_no_commit(tmp_path: Path) -> None:
    """It is taken and given back in the commits of the first and the last append, and renewed in others."""
    with closing(SqliteLog(tmp_path / "log.db", create=True)) as log:
        commits = list[str]()
        log._db.set_trace_callback(lambda sql: commits.append(sql) if sql == "COMMIT" else None)
        with log.beating():
            log.append([accepted("one")], run="one", holder="me")
            log.append([Started(machine="m", commands=(1,), instructions=(raw({}),))], run="one")
            log.append([Ended(command=1, status="done")], run="one")
            log.release("one")
        log._db.set_trace_callback(None)
        assert (len(commits), log.leases()) == (3, {})


def test_what_is_used_must_be_known(tmp_path: Path) -> None:
    """Leases bar who does not know them from writing, and what came late from reading, from then on."""
    with closing(SqliteLog(make(tmp_path))) as log:
        db = log._db
        words = "SELECT name, value FROM about WHERE name IN ('read', 'write') ORDER BY name"
        assert dict(db.execute(words)) == {"read": "", "write": "sealed"}
        log.append([accepted("one", B)], run="one", holder="me")
        assert dict(db.execute(words)) == {"read": "", "write": "sealed leases"}
        log.append([Late(commands=(1,), on=(A,))])
        log.append([Late(commands=(1,), on=(A,))])
        assert dict(db.execute(words)) == {"read": "late", "write": "sealed leases"}
        since = dict(db.execute("SELECT name, value FROM about WHERE name LIKE '% since'"))
        assert since == {"leases since": "7", "late since": "8"}
        assert log.check_chain() == 9
        log.check_tables()
        log.rebuild()
        assert [opened.late for opened in log.open().values()] == [False, True, True]
