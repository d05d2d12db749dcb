"""Logs of earlier formats are brought to this one when they are opened, in one transaction.

Records and hashes stay byte for byte as they were written; `stretches` tells which format wrote which. What
the tables hold is made anew where it was literal and means another thing today (`lasercats.core.formats`).
"""

import hashlib
import sqlite3

import msgspec

from lasercats.core.record import ENTRIES
from lasercats.logs import schema

_CHUNK = 10_000
LITERAL = ("\\\\x", "\\\\X")
SECRET = '"secret":"sealed:'  # noqa: S105 - no secret
"""What stands in a record that may read otherwise today."""


def begin(db: sqlite3.Connection) -> None:
    """Give a log its id, and say that every program of this format can read and write it.

    The id is random. That of a log which was there before follows from its first hash, so that it is the same
    for all copies, and each time that one is opened that cannot be written.
    """
    import secrets  # noqa: PLC0415 - start-up stays light

    first = db.execute("SELECT hash FROM records WHERE hash IS NOT NULL ORDER BY position LIMIT 1").fetchone()
    made = secrets.token_hex(16) if first is None else hashlib.sha256(b"id" + first[0]).hexdigest()[:32]
    facts = {"id": made, "read": "", "write": schema.SEALED}
    db.executemany("INSERT INTO about VALUES (?, ?)", facts.items())


def migrate(db: sqlite3.Connection, version: int) -> bool:
    """Bring the tables of a log from a format to this one; return whether those that follow are to be made.

    It is called in a transaction.
    """
    if version == 4:  # noqa: PLR2004 - only what records hold is otherwise since
        db.execute("UPDATE about SET value = trim(value || ' ' || ?) WHERE name = 'write'", (schema.SEALED,))
        db.execute(f"PRAGMA user_version = {schema.FORMAT}")
        return _holds(db, SECRET)
    if version == 1:
        _add_causes(db)
        db.execute("DROP TABLE snapshots")
    for column in ("clock INTEGER", "run TEXT", "request TEXT"):
        db.execute(f"ALTER TABLE records ADD COLUMN {column}")
    for statement in schema.FACTS:
        db.execute(statement)
    begin(db)
    db.execute("INSERT INTO stretches SELECT 1, ?, '' WHERE EXISTS (SELECT 1 FROM records)", (version,))
    db.execute(f"PRAGMA user_version = {schema.FORMAT}")
    if version == 1 or _holds(db, *LITERAL, SECRET):
        return True
    if version == 2:  # noqa: PLR2004 - it knew nothing of what is deferred
        db.execute("ALTER TABLE open ADD COLUMN waits INTEGER")
    for statement in schema.DERIVED:
        if "requested" in statement or "segments" in statement:
            db.execute(statement)
    return False


def _add_causes(db: sqlite3.Connection) -> None:
    """Add to records what they came of."""
    db.execute("ALTER TABLE records ADD COLUMN cause INTEGER")
    last = db.execute("SELECT coalesce(max(position), 0) FROM records").fetchone()[0]
    for first in range(1, last + 1, _CHUNK):
        sql = "SELECT position, type, body FROM records WHERE position BETWEEN ? AND ?"
        rows = db.execute(sql, (first, first + _CHUNK - 1)).fetchall()
        causes = [(_cause(name, body), at) for at, name, body in rows]
        db.executemany("UPDATE records SET cause = ? WHERE position = ?", causes)


def _cause(name: str, body: bytes) -> int | None:
    """Return what a record came of.

    Raises:
        msgspec.DecodeError: it is none that can be read.

    """
    if name not in ENTRIES:
        raise msgspec.DecodeError(f"a record of the type {name!r}")
    return msgspec.json.decode(body, type=ENTRIES[name]).cause


def _holds(db: sqlite3.Connection, *texts: str) -> bool:
    """Tell whether a text in the log might read otherwise today."""
    wanted = " OR ".join("instr(body, CAST(? AS BLOB))" for _ in texts)
    sql = f"SELECT 1 FROM records WHERE {wanted} LIMIT 1"  # noqa: S608 - made of ours
    return db.execute(sql, texts).fetchone() is not None
