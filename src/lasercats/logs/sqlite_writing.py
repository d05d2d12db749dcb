"""What an append writes to the tables of a log in SQLite. It is called in the transaction of the append."""

import sqlite3
from collections.abc import Callable, Iterable, Mapping, Sequence

import msgspec

from lasercats.core.address import Address
from lasercats.core.fold import Claims, left_by
from lasercats.core.record import Accepted, AnyEntry, Deferred, Ended, Event, Late, Record
from lasercats.logs import about, check, leases, met, schema
from lasercats.logs.chain import Facts, chain

CHUNK = 10_000
"""Records that are taken in at once when the tables are made anew."""
_encode = msgspec.json.Encoder().encode


def derive(db: sqlite3.Connection, head: int, read: Callable[[int, int], Iterable[Record]]) -> None:
    """Make the tables that follow from the records, and take all records into them."""
    for statement in schema.DERIVED:
        db.execute(statement)
    for first in range(1, head + 1, CHUNK):
        take_in(db, first, [record.entry for record in read(first, first + CHUNK - 1)])
    db.executemany("INSERT INTO segments VALUES (?, ?)", list(check.segments(db.execute(schema.CLOCKS))))


def insert(
    db: sqlite3.Connection, before: bytes, facts: Facts, first: int, now: int, entries: Sequence[AnyEntry]
) -> bytes:
    """Write records, of which the first stands at a position, after a hash; return the new one."""
    clock = None if facts.clock == now else facts.clock
    run, request = facts.run or None, facts.request or None
    rows = [
        (at, now, entry.name, _encode(entry), entry.cause, clock) for at, entry in enumerate(entries, first)
    ]
    digest = chain(before, facts, rows)
    ends = [(*rows[0], None, run, request), (*rows[-1], digest, None, None)]
    if len(rows) == 1:
        ends = [(*rows[0], digest, run, request)]
    db.execute(schema.INSERT, ends[0])
    db.executemany(schema.INSERT_MORE, rows[1:-1])
    db.executemany(schema.INSERT, ends[1:])
    return digest


def take_in(db: sqlite3.Connection, first: int, entries: Sequence[AnyEntry]) -> None:
    """Bring the tables up to date with entries, of which the first stands at a position."""
    put, begun, ended = list[tuple[Address, int, bytes | None]](), list[tuple[int]](), list[tuple[int]]()
    waiting = list[tuple[int, int]]()
    for position, entry in enumerate(entries, first):
        if isinstance(entry, Event):
            put += [(address, position, schema.stored(raw)) for address, raw in left_by(entry)]
        elif isinstance(entry, Accepted | Late):
            begun.append((position,))
        elif isinstance(entry, Deferred):
            waiting += [(entry.started, command) for command in entry.commands]
        elif isinstance(entry, Ended):
            ended.append((entry.command,))
        met.take_in(db, position, entry)
    db.executemany(schema.PUT, put)
    db.executemany("INSERT INTO open VALUES (?, NULL)", begun)
    db.executemany("UPDATE open SET waits = ? WHERE position = ?", waiting)
    db.executemany("DELETE FROM open WHERE position = ?", ended)
    if any(isinstance(entry, Late) for entry in entries):
        about.use(db, "read", about.LATE, first)


def leased(
    db: sqlite3.Connection,
    first: int,
    entries: Sequence[AnyEntry],
    claims: Claims,
    taking: tuple[str, str],
    now: int,
    mine: Mapping[str, int],
) -> dict[str, int]:
    """Take the lease of a run for a holder, give back those of runs that are over; return the rest."""
    (run, holder), mine = taking, dict(mine)
    if holder:
        about.use(db, "write", leases.WORD, first)
        mine[run] = leases.give(db, run, holder, now)
    if not mine:
        return mine
    for held, token in [*mine.items()]:
        if claims.works(held, first, entries):
            leases.touch(db, held, token, now)
        elif leases.tokens(db).get(held) == token:
            leases.drop(db, held, token)
            del mine[held]
    return mine
