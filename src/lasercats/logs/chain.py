"""The chain of hashes: each append is bound to all that was written before it.

The last row of an append carries the SHA-256 of the hash before it and of all that the append wrote. Each
format has its rule, and what an earlier format wrote is checked by the rule of then: no hash is made anew.
"""

import hashlib
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple, TypeAlias

import msgspec

Row: TypeAlias = tuple[int, int, str, bytes, Any, Any]
"""Position, time, type and body of a record; what follows is not hashed."""
_encode = msgspec.json.Encoder().encode


class Facts(NamedTuple):
    """What an append says of itself, besides its records."""

    log: str
    """The id of the log."""
    clock: int
    program: str
    run: str
    request: str


def chain(before: bytes, facts: Facts, rows: Sequence[Row]) -> bytes:
    """Hash what was before, the facts, then place, time, type and length of each row, then all bodies.

    `sha256(before || [log,clock,program,run,request] || [[position,time,type,length],…] || bodies)`, where
    what stands in brackets is JSON in UTF-8 without spaces.
    """
    return hashlib.sha256(
        b"".join([before, _encode(facts), _heads(rows), *[row[3] for row in rows]])
    ).digest()


def _without_facts(before: bytes, rows: Sequence[Row]) -> bytes:
    """Hash as formats 1 to 3 did: an append said nothing of itself."""
    return hashlib.sha256(b"".join([before, _heads(rows), *[row[3] for row in rows]])).digest()


def _row_by_row(before: bytes, rows: Sequence[Row]) -> bytes:
    """Hash as the first programs of format 1 did."""
    digest = hashlib.sha256(before)
    for position, when, name, body, *_ in rows:
        digest.update(b"%d %d %s %d\n" % (position, when, name.encode(), len(body)))
        digest.update(body)
    return digest.digest()


def rules(format_: int, facts: Facts) -> Sequence[Callable[[bytes, Sequence[Row]], bytes]]:
    """Return the rules by which an append of a format may be hashed."""
    if format_ > 3:  # noqa: PLR2004 - the last format whose appends said nothing of themselves
        return (lambda before, rows: chain(before, facts, rows),)
    return (_without_facts, _row_by_row)


def _heads(rows: Sequence[Row]) -> bytes:
    return _encode([(row[0], row[1], row[2], len(row[3])) for row in rows])
