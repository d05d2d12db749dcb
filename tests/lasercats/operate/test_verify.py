"""Verify: a log in which an earlier version let a process record after the end of its command."""

import sqlite3
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from lasercats.core.address import Address
from lasercats.core.errors import LogCorrupt
from lasercats.core.record import NULL, Accepted, AnyEntry, Ended, Event, raw
from lasercats.logs.sqlite import SqliteLog
from lasercats.operate import history
from lasercats.operate.project import Project
from lasercats.operate.recover import recover
from lasercats.operate.verify import verify
from lasercats.testing.running import finish
from tests.lasercats.logs.test_formats import restore

WRITTEN = Path(__file__).parents[1] / "logs" / "after-the-end.sql"
FILE = "file/local:/srv/lasercats-late/a"


@pytest.fixture
def mended(project: Project) -> Project:
    """A project on the log that the program of then wrote."""
    project.close()
    restore(WRITTEN, project.root / ".lasercats" / "log.db")
    project._log = None
    project.urls["local"] = "local:"
    return project


def records(project: Project) -> list[tuple[Any, ...]]:
    """Return the bytes of the first records."""
    with closing(sqlite3.connect(project.root / ".lasercats" / "log.db")) as db:
        rows = db.execute("SELECT position, time, type, body, hash FROM records ORDER BY position")
        return rows.fetchall()[:23]


def test_it_is_told_and_mended(mended: Project) -> None:
    """Verify names the remedy, repair records what is late, and recover looks at what is there."""
    before = records(mended)
    with pytest.raises(LogCorrupt, match=r"position 22 .* had ended; `lasercats verify --repair`"):
        verify(mended)
    verify(mended, repair=True)
    verify(mended, repair=True)
    assert mended.log.head() == 24
    verify(mended)
    (found,) = finish(mended, recover(mended))
    assert (found.late, found.facts) == (True, {FILE: "recorded as observed"})
    assert mended.state().resources() == {}  # there is no such file on this machine
    verify(mended)
    assert records(mended) == before
    assert finish(mended, recover(mended)) == []


def test_its_history_is_read(mended: Project) -> None:
    """What came after the end is no work of the command, so it is told, and shown without it."""
    assert [h.status for h in history.happenings(mended)] == ["done"] * 3
    verify(mended, repair=True)
    happened = history.happening(mended, 8)
    assert happened.delta.keys() == {FILE}
    assert [at for at, _, _ in happened.events] == [12]
    assert history.happening(mended, 24).position == 8


def test_the_next_command_may_start_from_what_was_there(project: Project) -> None:
    """Where the late event fits, and the one after it starts from elsewhere, the late one is the fault."""
    path = project.root / ".lasercats" / "log.db"
    there = Address("file/a:/nowhere/f")
    old, new, third = raw({"content": "o"}), raw({"content": "n"}), raw({})
    with closing(SqliteLog(path)) as log:
        entries: list[AnyEntry] = [
            Event(type="observed", delta={there: (NULL, old)}),
            Accepted(command=raw({"command": "file.remove", "on": [there]}), actor="t", run="one"),
            Ended(command=2, status="failed"),
            Accepted(command=raw({"command": "file.remove", "on": [there]}), actor="t", run="two"),
            Event(type="file.written", delta={there: (old, new)}, command=2),
            Event(type="file.written", delta={there: (old, third)}, command=4),
            Ended(command=4, status="done"),
        ]
        log.append(entries)
    with pytest.raises(LogCorrupt, match=r"position 6 .* as the one at position 5 was recorded"):
        verify(project)
    verify(project, repair=True)
    assert {found.late for found in finish(project, recover(project))} == {True}
    verify(project)


def test_other_damage_is_not_mended(project: Project) -> None:
    """An event that does not start from what was left, and came in time, stays a fault."""
    path = project.root / ".lasercats" / "log.db"
    with closing(SqliteLog(path)) as log:
        for content in ("one", "two"):
            log.append(
                [Event(type="observed", delta={Address("file/a:/f"): (NULL, raw({"content": content}))})]
            )
    for repair in (False, True):
        with pytest.raises(LogCorrupt, match=r"position 2 starts from another file/a:/f than .* left$"):
            verify(project, repair=repair)
