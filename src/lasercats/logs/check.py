"""Checks a log in SQLite: the chain of hashes, and that the tables are the fold of the records."""

import sqlite3
from collections.abc import Iterable, Iterator
from itertools import pairwise
from typing import Any

from lasercats.core.address import Address
from lasercats.core.errors import LogCorrupt
from lasercats.core.fold import Claims, left_by
from lasercats.core.record import Event, Record
from lasercats.logs import schema
from lasercats.logs.chain import Facts, rules

_ROWS = "SELECT position, time, type, body, hash, clock, run, request FROM records ORDER BY position"
_VERSIONS = """
SELECT since, address, body, until FROM past
UNION ALL SELECT since, address, body, NULL FROM present ORDER BY since, address
"""
_AGAIN = "`lasercats verify --repair` makes them anew from the records"


def check_chain(db: sqlite3.Connection, path: str, log_id: str) -> int:
    """Check every hash and every position by the rule of its format; return how many records there are.

    Raises:
        LogCorrupt: a record was changed, removed or put in, with the position where the chain breaks.

    """
    known, count = b"", 0
    stretches = db.execute("SELECT first, format, program FROM stretches ORDER BY first").fetchall()
    for rows in _appends(db, path):
        first, last = rows[0], rows[-1]
        while len(stretches) > 1 and stretches[1][0] <= first[0]:
            stretches.pop(0)
        if not stretches or stretches[0][0] > first[0]:
            raise LogCorrupt(
                f"the log {path} does not tell in which format record {first[0]} was written; restore it "
                "from a backup"
            )
        _, format_, program = stretches[0]
        clock = first[1] if first[5] is None else first[5]
        facts = Facts(log_id, clock, program, first[6] or "", first[7] or "")
        same = all(row[1] == first[1] and row[5] == first[5] for row in rows)
        alone = all(row[6] is None and row[7] is None for row in rows[1:])
        bare = [(*row[:4], None, None) for row in rows]
        if not (same and alone and any(rule(known, bare) == last[4] for rule in rules(format_, facts))):
            raise LogCorrupt(
                f"records {first[0]} to {last[0]} of the log {path} are not as they were written; restore it "
                "from a backup"
            )
        known, count = last[4], last[0]
    return count


def _appends(db: sqlite3.Connection, path: str) -> Iterator[list[tuple[Any, ...]]]:
    """Iterate over the rows of each append."""
    expected, rows = 1, list[tuple[Any, ...]]()
    for row in db.execute(_ROWS):
        if row[0] != expected:
            raise LogCorrupt(f"the log {path} has no record {expected}; restore it from a backup")
        if not (isinstance(row[1], int) and isinstance(row[2], str) and isinstance(row[3], bytes)):
            raise LogCorrupt(
                f"records {expected} to {expected} of the log {path} are not as they were written; restore "
                "it from a backup"
            )
        expected += 1
        rows.append(row)
        if row[4] is not None:
            yield rows
            rows = []
    if rows:
        raise LogCorrupt(
            f"the log {path} ends in the middle of a commit, after {rows[0][0] - 1}; restore it from a backup"
        )


def check_tables(db: sqlite3.Connection, path: str, events: Iterable[Record]) -> int:
    """Check that the tables are the fold of the events; return how many versions there are.

    Raises:
        LogCorrupt: they are not.

    """
    count, rows, until = 0, db.execute(_VERSIONS), dict[Address, int | None]()
    for record in events:
        assert isinstance(record.entry, Event)  # noqa: S101 - only these were asked for
        for address, raw in sorted(left_by(record.entry), key=lambda left: left[0]):
            count += 1
            row = rows.fetchone()
            wanted = (record.position, address, schema.stored(raw))
            if row is None or row[:3] != wanted or until.get(address, record.position) != wanted[0]:
                raise _wrong(path, address)
            until[address] = row[3]
    row = rows.fetchone()
    strange = row[1] if row else next((a for a, end in until.items() if end is not None), None)
    if strange is not None:
        raise _wrong(path, strange)
    return count


def check_open(db: sqlite3.Connection, path: str, records: Iterable[Record]) -> None:
    """Check that the open commands are those that the records tell.

    Raises:
        LogCorrupt: they are not.

    """
    claims = Claims()
    for record in records:
        claims.add(record.position, record.entry)
    kept = dict(db.execute("SELECT position, waits FROM open"))
    if {position: opened.waits for position, opened in claims.open.items()} != kept:
        raise LogCorrupt(
            f"the log {path} keeps another list of open commands than its records tell; "
            f"{_AGAIN.replace('them', 'it')}"
        )


def check_segments(db: sqlite3.Connection, path: str) -> None:
    """Check that the places where the clock went back are those that the records tell.

    Raises:
        LogCorrupt: they are not.

    """
    kept = db.execute("SELECT first, low FROM segments ORDER BY first").fetchall()
    if kept != list(segments(db)):
        raise LogCorrupt(f"the log {path} keeps other reversals of its clock than its records tell; {_AGAIN}")


def segments(db: sqlite3.Connection) -> Iterator[tuple[int, int]]:
    """Iterate over the positions at which the clock went back, each with what it told there."""
    clocks = db.execute(f"SELECT position, {schema.CLOCK} FROM records ORDER BY position")  # noqa: S608
    for (_, before), (position, now) in pairwise(clocks):
        if now < before:
            yield position, now


def _wrong(path: str, address: object) -> LogCorrupt:
    return LogCorrupt(f"the tables of the log {path} are not the fold of its events at {address}; {_AGAIN}")
