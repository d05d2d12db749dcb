"""A log in SQLite as it is copied to another store, and one that is filled with what came from another."""

import sqlite3
from collections.abc import Iterator

from lasercats.core.stores import Copy
from lasercats.logs import heads, schema

_FACTS = ("id", "read", "write")
_INSERT = f"INSERT INTO records ({schema.COLUMNS}) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)"  # noqa: S608 - ours


def give(db: sqlite3.Connection, head: int) -> Copy:
    """Return all that a log holds up to its head, and that does not follow from the records."""
    about = dict(db.execute("SELECT name, value FROM about").fetchall())
    sql = f"SELECT {schema.COLUMNS} FROM records WHERE position <= ? ORDER BY position"  # noqa: S608 - ours

    def rows() -> Iterator[tuple[object, ...]]:
        yield from db.execute(sql, (head,))

    return Copy(
        about["id"],
        about.get("read", ""),
        about.get("write", ""),
        {name: value for name, value in about.items() if name not in _FACTS},
        db.execute("SELECT first, format, program FROM stretches WHERE first <= ?", (head,)).fetchall(),
        heads.signatures(db),
        rows(),
    )


def take(db: sqlite3.Connection, copy: Copy) -> None:
    """Fill an empty log; it is called in a transaction, before what follows from the records is made."""
    facts = {"id": copy.log, "read": copy.reads, "write": copy.writes, **copy.about}
    db.execute("DELETE FROM about")
    db.executemany("INSERT INTO about VALUES (?, ?)", facts.items())
    db.executemany(_INSERT, copy.rows)
    db.executemany("INSERT INTO stretches VALUES (?, ?, ?)", copy.stretches)
    for signed in copy.signatures:
        heads.keep(db, signed)
