"""The tables of a log in SQLite, and the number of their format; see docs/log-format.md.

    about(name, value)                      the id of the log; what a program must know to use it
    records(position, time, type, body,     one row a record; positions without a gap
            hash, cause, clock, run, request)
    stretches(first, format, program)       from which position on which format and which program wrote
    segments(first, low)                    where the clock went back, and to what
    present(address, since, body)           the newest version of every address
    past(address, since, until, body)       the versions before
    open(position, waits)                   the commands that have not ended; what they wait for
    met(machine, since, body)               what machines are known by, once one was met
    contents, heads, leases                 room for what later versions keep there

All but `about`, `records`, `stretches`, `contents`, `heads` and `leases` follow from the records and can be
made anew. The fold is a table and its history, as SQL:2011 has them for system-versioned tables: the state of
now is read without folding anything, and one of the past costs two searches for each address, however long
the log is. A `body` there is NULL where it is known that there is nothing, and empty where it is not known
(any more).
"""

import sqlite3
from collections.abc import Mapping

import msgspec

from lasercats.core.record import FORGOTTEN, NULL

APPLICATION = 0x4C436174
"""`LCat`, in the header of the file (SQLite's application_id)."""
FORMAT = 5
SEALED = "sealed"
"""What a program must know to write to a log from format 5 on: how sealed values stand."""

RECORDS = """
CREATE TABLE records (
    position INTEGER PRIMARY KEY, time INTEGER NOT NULL, type TEXT NOT NULL, body BLOB NOT NULL, hash BLOB,
    cause INTEGER, clock INTEGER, run TEXT, request TEXT
) STRICT
"""
FACTS = (
    "CREATE TABLE about (name TEXT PRIMARY KEY, value TEXT NOT NULL) STRICT, WITHOUT ROWID",
    """CREATE TABLE stretches (
        first INTEGER PRIMARY KEY, format INTEGER NOT NULL, program TEXT NOT NULL
    ) STRICT""",
    """CREATE TABLE contents (
        digest BLOB PRIMARY KEY, size INTEGER NOT NULL, packing TEXT NOT NULL, body BLOB
    ) STRICT, WITHOUT ROWID""",
    """CREATE TABLE heads (
        position INTEGER NOT NULL, signer TEXT NOT NULL, hash BLOB NOT NULL, time INTEGER NOT NULL,
        signature BLOB NOT NULL, PRIMARY KEY (position, signer)
    ) STRICT, WITHOUT ROWID""",
    """CREATE TABLE leases (
        run TEXT PRIMARY KEY, token INTEGER NOT NULL UNIQUE, holder TEXT NOT NULL, beat INTEGER NOT NULL
    ) STRICT, WITHOUT ROWID""",
)
"""What does not follow from the records."""
DERIVED = (
    "CREATE INDEX caused ON records (cause) WHERE cause IS NOT NULL",
    "CREATE UNIQUE INDEX requested ON records (request) WHERE request IS NOT NULL",
    "CREATE TABLE segments (first INTEGER PRIMARY KEY, low INTEGER NOT NULL) STRICT",
    "CREATE TABLE open (position INTEGER PRIMARY KEY, waits INTEGER) STRICT",
    """CREATE TABLE present (
        address TEXT PRIMARY KEY, since INTEGER NOT NULL, body BLOB
    ) STRICT, WITHOUT ROWID""",
    """CREATE TABLE past (
        address TEXT NOT NULL, since INTEGER NOT NULL, until INTEGER NOT NULL, body BLOB,
        PRIMARY KEY (address, since)
    ) STRICT, WITHOUT ROWID""",
    """CREATE TRIGGER keep_past BEFORE UPDATE ON present BEGIN
        INSERT INTO past VALUES (old.address, old.since, new.since, old.body);
    END""",
)
"""What is made anew from the records."""
GONE = (
    *(f"DROP INDEX IF EXISTS {name}" for name in ("caused", "requested")),
    *(f"DROP TABLE IF EXISTS {name}" for name in ("segments", "open", "present", "past", "met")),
)

INSERT = """
INSERT INTO records (position, time, type, body, cause, clock, hash, run, request)
VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)
"""
INSERT_MORE = "INSERT INTO records (position, time, type, body, cause, clock) VALUES (?, ?, ?, ?, ?, ?)"
"""For what stands between the first and the last record of an append."""
PUT = """
INSERT INTO present VALUES (?, ?, ?)
ON CONFLICT (address) DO UPDATE SET since = excluded.since, body = excluded.body
"""
AS_OF = """
SELECT address, since, body FROM present WHERE since <= ?1
UNION ALL
SELECT past.address, past.since, past.body FROM present CROSS JOIN past
ON past.address = present.address AND past.since = (
    SELECT max(since) FROM past WHERE past.address = present.address AND since <= ?1
) WHERE present.since > ?1
"""
ONE_AS_OF = """
SELECT address, since, body FROM present WHERE address = ?2 AND since <= ?1
UNION ALL
SELECT * FROM (
    SELECT address, since, body FROM past WHERE address = ?2 AND since <= ?1 AND until > ?1
    ORDER BY since DESC LIMIT 1
)
"""
HOLDING = f"SELECT * FROM ({AS_OF}) WHERE instr(body, CAST(?2 AS BLOB))"  # noqa: S608 - made of ours
CLOCK = "coalesce(clock, time)"
"""The clock as it was when a record was appended: it stands on its own only where it is not the time."""
CLOCKS = f"SELECT position, {CLOCK} FROM records ORDER BY position"  # noqa: S608 - made of ours
COLUMNS = "position, time, type, body, hash, cause, clock, run, request"
ROWS = "SELECT position, time, type, body, hash, clock, run, request FROM records ORDER BY position"
VERSIONS = """
SELECT since, address, body, until FROM past
UNION ALL SELECT since, address, body, NULL FROM present ORDER BY since, address
"""


def make(db: sqlite3.Connection) -> None:
    """Make the tables of an empty log."""
    for statement in (RECORDS, *FACTS, *DERIVED):
        db.execute(statement)
    db.execute(f"PRAGMA application_id = {APPLICATION}")
    db.execute(f"PRAGMA user_version = {FORMAT}")


_SPECIAL: Mapping[bytes, bytes | None] = {bytes(NULL): None, bytes(FORGOTTEN): b""}


def stored(raw: msgspec.Raw) -> bytes | None:
    """Return an encoded resource as the tables hold it."""
    return _SPECIAL.get(body := bytes(raw), body)


def told(body: bytes | None) -> msgspec.Raw:
    """Return what the tables hold as an encoded resource."""
    if body is None:
        return NULL
    return msgspec.Raw(body) if body else FORGOTTEN  # a number, which only damage puts there, is a TypeError
