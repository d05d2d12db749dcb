"""The leases of a log in SQLite: rows of the table `leases`, which follow from no record.

All of it is called in a transaction of the log, but for the beats, which have a connection of their own, so
that what is said of the life of a run does not wait for what the run does.
"""

import sqlite3
from collections.abc import Callable, Iterator, Mapping
from contextlib import closing, contextmanager, suppress

from lasercats.core.errors import LogError
from lasercats.core.fold import Open
from lasercats.core.lease import Lease, beaten

WORD = "leases"
"""What a program must know to write to a log in which leases are used."""
_LAST = "token"
"""Under which name `about` keeps the last token that was given."""
_PUT = "INSERT OR REPLACE INTO leases VALUES (?, ?, ?, ?)"


def leases(
    db: sqlite3.Connection, now: int, opened: Mapping[int, Open], since: int | None
) -> dict[str, Lease]:
    """Return the leases, by run; `now` is the clock of the store in microseconds."""
    rows = db.execute("SELECT run, token, holder, beat FROM leases").fetchall()
    return unleased(opened, since) | {
        run: Lease(run, token, holder, max(0, now - beat) / 1e6) for run, token, holder, beat in rows
    }


def unleased(opened: Mapping[int, Open], since: int | None) -> dict[str, Lease]:
    """Return the leases that stand for commands accepted before leases were used, `since` a position.

    Such a one counts as held by its process, with the token 0.
    """
    return {
        one.run: Lease(one.run, 0, one.process, 0.0)
        for position, one in opened.items()
        if one.at_work and (since is None or position < since)
    }


def tokens(db: sqlite3.Connection) -> dict[str, int]:
    """Return the token of each run that is at work."""
    return dict(db.execute("SELECT run, token FROM leases").fetchall())


def give(db: sqlite3.Connection, run: str, holder: str, now: int) -> int:
    """Give a lease to a holder, whoever had it before; return its token."""
    row = db.execute("SELECT value FROM about WHERE name = ?", (_LAST,)).fetchone()
    token = int(row[0]) + 1 if row else 1
    db.execute("INSERT OR REPLACE INTO about VALUES (?, ?)", (_LAST, str(token)))
    db.execute(_PUT, (run, token, holder, now))
    return token


def take(db: sqlite3.Connection, run: str, holder: str, over: int, now: int) -> int:
    """Take a lease over from who has a token, or take one that nobody has (0); return the new token.

    Raises:
        LogConflict: somebody else has it by now.

    """
    if tokens(db).get(run, 0) != over:
        raise beaten(run)
    return give(db, run, holder, now)


def touch(db: sqlite3.Connection, run: str, token: int, now: int) -> bool:
    """Record that the holder of a token lives; return whether it still has the lease."""
    sql = "UPDATE leases SET beat = ? WHERE run = ? AND token = ?"
    return db.execute(sql, (now, run, token)).rowcount > 0


def drop(db: sqlite3.Connection, run: str, token: int) -> None:
    """Give a lease back, if it is still held."""
    db.execute("DELETE FROM leases WHERE run = ? AND token = ?", (run, token))


@contextmanager
def saying(
    connect: Callable[[], sqlite3.Connection], held: Callable[[], Mapping[str, int]], clock: Callable[[], int]
) -> Iterator[Callable[[], None]]:
    """Give what says, by a connection of its own, that the holder of leases lives."""
    with suppress(sqlite3.Error, LogError), closing(connect()) as db:
        db.execute("PRAGMA synchronous = NORMAL")  # a beat that is lost harms nobody
        db.execute("PRAGMA busy_timeout = 2000")  # nor one that is left out

        def say() -> None:
            with suppress(sqlite3.Error):  # the disk may be full, or the log locked, for a while
                for run, token in held().items():
                    touch(db, run, token, clock())

        yield say
        return
    yield lambda: None
