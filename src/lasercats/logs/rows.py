"""Rows of records are read the same in every store: decoded, with the meaning that their format had."""

from collections.abc import Iterable, Iterator, Sequence
from typing import Any

import msgspec

from lasercats.core.errors import LogCorrupt
from lasercats.core.formats import modern
from lasercats.core.record import ENTRIES, Record

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


def _illegible(position: int, place: str) -> LogCorrupt:
    return LogCorrupt(f"record {position} of the log {place} cannot be read; restore it from a backup")
