"""The heads of a log in SQLite: its hashes, and the table of those that somebody signed."""

import sqlite3

from lasercats.core.head import Head, Signature


def head_at(db: sqlite3.Connection, position: int | None) -> Head:
    """Return the end of the last append, or of the last one up to a position."""
    sql = "SELECT position, hash FROM records WHERE hash IS NOT NULL AND position <= ? ORDER BY position DESC"
    row = db.execute(f"{sql} LIMIT 1", (2**62 if position is None else position,)).fetchone()
    if row is not None and not isinstance(row[1], bytes):
        raise TypeError("a hash is none")
    return Head(0, b"") if row is None else Head(*row)


def find(db: sqlite3.Connection, digest: bytes) -> int | None:
    """Return the position at which a hash stands, if it does."""
    row = db.execute("SELECT position FROM records WHERE hash = ?", (digest,)).fetchone()
    return None if row is None else int(row[0])


def signatures(db: sqlite3.Connection) -> list[Signature]:
    """Return the heads that somebody signed, in the order of positions."""
    rows = db.execute("SELECT position, signer, hash, time, signature FROM heads ORDER BY position, signer")
    found = [Signature(*row) for row in rows]
    for one in found:
        if tuple(map(type, one)) != (int, str, bytes, int, bytes):
            raise TypeError("a signed head is none")
    return found


def keep(db: sqlite3.Connection, signed: Signature) -> None:
    """Keep a head that somebody signed, in place of one that the same signed there."""
    db.execute("INSERT OR REPLACE INTO heads VALUES (?, ?, ?, ?, ?)", signed)
