"""What machines are known by, in a log in SQLite: rows of the table `met`, which follow from the records.

The table is made when the first machine is met, so that a log without one is as it was before.
"""

import sqlite3
from collections.abc import Iterable, Mapping

import msgspec

from lasercats.core.errors import LogCorrupt
from lasercats.core.record import AnyEntry, Known, Met, Record, met_in
from lasercats.logs import about, rows

_TABLE = """
CREATE TABLE IF NOT EXISTS met (
    machine TEXT PRIMARY KEY, since INTEGER NOT NULL, body BLOB NOT NULL
) STRICT, WITHOUT ROWID
"""
_PUT = "INSERT OR REPLACE INTO met VALUES (?, ?, ?)"
_encode = msgspec.json.Encoder().encode


def take_in(db: sqlite3.Connection, position: int, entry: AnyEntry) -> None:
    """Take in what the entry at a position tells of who machines are."""
    machines = met_in(entry)
    if machines:
        db.execute(_TABLE)
        db.executemany(_PUT, [(name, position, _encode(facts)) for name, facts in machines.items()])
        about.use(db, "write", about.MET, position)
    if isinstance(entry, Met):
        about.use(db, "read", about.MET, position)


def known(db: sqlite3.Connection) -> dict[str, Known]:
    """Return what each machine is known by."""
    if not db.execute("SELECT 1 FROM sqlite_schema WHERE name = 'met'").fetchone():
        return {}
    return rows.known(db.execute("SELECT machine, since, body FROM met ORDER BY machine"))


def folded(records: Iterable[Record]) -> Mapping[str, Known]:
    """Return what each machine is known by, from the records that tell it."""
    return {
        name: Known(record.position, facts)
        for record in records
        for name, facts in met_in(record.entry).items()
    }


def check(kept: Mapping[str, Known], path: str, records: Iterable[Record]) -> None:
    """Check that what machines are known by is what the records tell.

    Raises:
        LogCorrupt: it is not.

    """
    if folded(records) != kept:
        raise LogCorrupt(
            f"the log {path} keeps other identities of machines than its records tell; `lasercats verify "
            "--repair` makes them anew from the records"
        )
