"""A log is brought from one store to another and back, byte for byte."""

import re
import sqlite3
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from lasercats.core.errors import LogConflict, LogError
from lasercats.core.head import Signature
from lasercats.core.ports import Log
from lasercats.core.record import Deferred, Ended, Met, Started, raw
from lasercats.operate import begin
from lasercats.operate.copying import copy
from lasercats.operate.places import DEFAULT_LOG, place
from lasercats.operate.project import Project
from lasercats.testing.logs import A, B, accepted, event
from lasercats.testing.postgresql import Server

FORMATS = Path(__file__).parent.parent / "logs" / "formats"
BACK = "sqlite:.lasercats/back.db"


def told(log: Log) -> tuple[Any, ...]:
    """Return all that a log tells."""
    end = range(log.head() + 1)
    facts = (log.id, log.mark(), [log.mark(p) for p in end], [log.writer(p) for p in end], log.reversals())
    now = (log.fold().entries, dict(log.open()), dict(log.leases()), log.machines(), log.signatures())
    return (*facts, *now, [*log.read()], [log.fold(p).entries for p in end], [*log.versions(A)])


@pytest.fixture
def project(tmp_path: Path) -> Project:
    """A project with a history: work in hand, a machine that was met, a signed head."""
    begin.init(tmp_path)
    made = Project(tmp_path)
    log = made.log
    log.append([event(content="one"), event(content="two"), event(B, "\u00fc \\ \t \N{GRINNING FACE}")])
    log.append([accepted("r", B)], run="r", holder="me", request="q")
    log.append([Started(machine="human", commands=(4,), instructions=(raw({}),))], run="r")
    log.append([Deferred(started=5, commands=(4,))], run="r")
    log.append([Met(machines={"web": {"machine-id": "a"}})])
    log.sign(Signature(7, "ssh:SHA256:x", log.mark().hash, 5, b"\0signature"))
    log.release("r")
    return made


def test_there_and_back(project: Project, postgresql: Server, tmp_path: Path) -> None:
    """Everything that the log tells is the same on a server and in a file again, and so are its hashes."""
    url, before = postgresql.url(postgresql.database()), told(project.log)
    assert copy(project, DEFAULT_LOG, url).head == project.log.mark()
    assert copy(project, url, BACK).log == project.log.id
    logs = [place(where, tmp_path).open() for where in (url, BACK)]
    for log in logs:
        assert told(log) == before
        assert log.append([event(content="later")], request="q") == 4
        first = log.append([accepted("s", A)], run="s", holder="you")
        assert log.leases()["s"].token == 2
        log.append([Ended(command=first, status="done")], run="s")
        assert log.check_chain() == log.head() == 9
        log.check_tables()
        log.close()


@pytest.mark.parametrize("path", sorted(FORMATS.glob("*.sql")), ids=lambda path: path.name)
def test_logs_of_earlier_formats_are_copied(
    project: Project, postgresql: Server, tmp_path: Path, path: Path
) -> None:
    """What an earlier format wrote is checked by its rule and read with its meaning on a server, too."""
    url = postgresql.url(postgresql.database())
    with closing(sqlite3.connect(tmp_path / ".lasercats/old.db")) as db:
        db.executescript(path.read_text())
    log = place("sqlite:.lasercats/old.db", tmp_path).open()
    log.append(
        [Ended(command=position, status="failed") for position, one in log.open().items() if one.at_work]
    )
    before = told(log)
    log.close()
    copy(project, "sqlite:.lasercats/old.db", url)
    other = place(url, tmp_path).open()
    assert told(other) == before
    other.close()


def test_a_log_that_is_there_stays(project: Project, postgresql: Server, tmp_path: Path) -> None:
    """A target with records in it is left as it is, and one at which a run is at work is no source."""
    url = postgresql.url(postgresql.database())
    copy(project, DEFAULT_LOG, url)
    for source, target in ((DEFAULT_LOG, url), (url, DEFAULT_LOG)):
        with pytest.raises(LogError, match="is not empty"):
            copy(project, source, target)
    log = place(url, tmp_path).open()
    log.append([accepted("s", A)], run="s", holder="you")
    with pytest.raises(LogConflict, match=re.escape("run s is at work on the log postgresql://")):
        copy(project, url, BACK)
    log.close()
