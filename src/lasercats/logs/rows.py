"""Rows of records are read the same in every store: decoded, with the meaning that their format had."""

import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Any

import msgspec

from lasercats.core.errors import LogCorrupt
from lasercats.core.formats import modern
from lasercats.core.record import ENTRIES, Known, Record, legible

_DECODERS = {name: msgspec.json.Decoder(type_) for name, type_ in ENTRIES.items()}
CLAIMING = ("accepted", "deferred", "ended", "late")
"""The records that tell which commands are open."""


def decoded(
    rows: Iterable[Sequence[Any]], place: str, eras: Sequence[tuple[int, int]] = ()
) -> Iterator[Record]:
    """Iterate over records from rows of position, clock, type and body of the log at a place.

    `eras` tell until which position records have an earlier format that reads otherwise today, and which.

    Raises:
        LogCorrupt: one cannot be read.

    """
    for position, when, name, body in rows:
        if type(when) is not int or type(body) is not bytes:
            raise _illegible(position, place)
        try:
            for end, format_ in eras:
                if position < end:
                    body = modern(format_, name, body)  # noqa: PLW2901 - it is the same body
                    break
            body.decode()  # parts of it are carried as they are, and decoded later
            entry = _DECODERS[name].decode(body)
        except (KeyError, UnicodeDecodeError, RecursionError, msgspec.DecodeError):
            raise _illegible(position, place) from None
        yield Record(position, when, entry)


def known(rows: Iterable[tuple[str, int, bytes]]) -> dict[str, Known]:
    """Return what machines are known by from rows of name, since when, and facts.

    Raises:
        LogCorrupt: the facts of one cannot be read.

    """
    with legible("what the log holds of the identity of machines"):
        return {
            name: Known(since, msgspec.json.decode(body, type=dict[str, str])) for name, since, body in rows
        }


def tail(
    read: Callable[[int], Iterator[Record]], after: int, patience: float, least: float, most: float
) -> Iterator[Record]:
    """Iterate over records after a position as they come, until none came for `patience` seconds.

    Between two looks it waits the `least` seconds just after there was one, then more, up to the `most`.
    """
    deadline, pause = time.monotonic() + patience, least
    while time.monotonic() < deadline:
        pause = min(1.2 * pause, most)
        for record in read(after + 1):
            after, pause = record.position, least
            deadline = time.monotonic() + patience
            yield record
        time.sleep(min(pause, patience))


def _illegible(position: int, place: str) -> LogCorrupt:
    return LogCorrupt(f"record {position} of the log {place} cannot be read; restore it from a backup")
