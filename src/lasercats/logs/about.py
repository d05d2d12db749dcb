"""What a log in SQLite says of itself: what a program must know to use it, and which formats it has."""

import sqlite3
from collections.abc import Mapping, Sequence

from lasercats.core.formats import WORDED
from lasercats.logs import schema
from lasercats.logs.leases import WORD

LATE = "late"
"""What a program must know to read a log in which something was told late."""
MET = "met"
"""What a program must know to write to a log that tells who machines are, or to read a record of that."""
KNOWN = {"read": {LATE, MET}, "write": {WORD, schema.SEALED, MET}}
_END = 2**62


def unknown(facts: Mapping[str, str], name: str) -> str:
    """Return what a program must know to `read` or `write` the log, and this one does not."""
    return " ".join(word for word in facts.get(name, "").split() if word not in KNOWN[name])


def use(db: sqlite3.Connection, name: str, word: str, first: int) -> None:
    """Record, once, that a program must know something from a position on."""
    (words,) = db.execute("SELECT value FROM about WHERE name = ?", (name,)).fetchone()
    if word not in words.split():
        db.execute("UPDATE about SET value = ? WHERE name = ?", (f"{words} {word}".strip(), name))
        db.execute("INSERT OR REPLACE INTO about VALUES (?, ?)", (f"{word} since", str(first)))


def used_since(db: sqlite3.Connection, word: str) -> int | None:
    """Return from which position on something is used; None where it is not."""
    row = db.execute("SELECT value FROM about WHERE name = ?", (f"{word} since",)).fetchone()
    return int(row[0]) if row else None


def eras(stretches: Sequence[tuple[int, int]], head: int) -> list[tuple[int, int]]:
    """Return until which position records have an earlier format that reads otherwise today, and which.

    Stretches tell from which position on records have which format.
    """
    rows = stretches
    ends: dict[int, int] = {}
    for n, (_, format_) in enumerate(rows):
        last = _END if format_ == schema.FORMAT else head + 1
        ends[format_] = rows[n + 1][0] if n + 1 < len(rows) else last
    return [(end, format_) for format_, end in ends.items() if format_ <= WORDED]
