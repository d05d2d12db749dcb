"""What an append tells the function of the server besides its records: what follows from them.

The server decodes no record. What each means for the tables is said here, once, for all writers; `verify`
tells of one who said something else.
"""

from collections.abc import Sequence
from typing import Any, NamedTuple

import msgspec

from lasercats.core.address import Address
from lasercats.core.fold import left_by
from lasercats.core.record import (
    Accepted,
    AnyEntry,
    Deferred,
    Ended,
    Event,
    Finished,
    Late,
    Met,
    Started,
    met_in,
)
from lasercats.core.resting import against
from lasercats.logs.about import LATE, MET
from lasercats.logs.schema import stored

_encode = msgspec.json.Encoder().encode


class Facts(NamedTuple):
    """What entries mean for the tables; the place of each entry is its number among them, from 0."""

    puts: list[int]
    """Which entry leaves something at an address, and so on in the next three."""
    addresses: list[Address]
    states: list[bytes | None]
    commands: list[int | None]
    more: dict[str, Any]


def facts(entries: Sequence[AnyEntry]) -> Facts:
    """Return what entries mean for the tables, and what of them must be checked."""
    found = Facts([], [], [], [], {})
    for number, entry in enumerate(entries):
        _take(found, number, entry)
    return found


def _take(found: Facts, number: int, entry: AnyEntry) -> None:
    if isinstance(entry, Event):
        for address, raw in left_by(entry):
            found.puts.append(number)
            found.addresses.append(address)
            found.states.append(stored(raw))
            found.commands.append(entry.command)
    for key, values in _said(number, entry):
        found.more.setdefault(key, []).extend(values)
    if machines := met_in(entry):
        met = found.more.setdefault("met", {})
        met |= {name: (number, _encode(known).decode()) for name, known in machines.items()}
        found.more.setdefault("words", []).append(("write", MET, number))


def _said(number: int, entry: AnyEntry) -> list[tuple[str, list[Any]]]:
    """Return what an entry tells, by the names that the function of the server knows."""
    match entry:
        case Accepted():
            wanted = [(against(claim), claim, entry.run) for claim in entry.claims]
            opened = _opened(number, entry.run, entry.process, entry.actor, entry.claims, held=entry.held)
            return [("wanted", wanted), ("opened", [opened])]
        case Late():
            opened = _opened(number, "", "", entry.actor, entry.on, late=True)
            return [("opened", [opened]), ("words", [("read", LATE, number)])]
        case Started():
            return [("commands", [*entry.commands])]
        case Deferred():
            waits = [(command, entry.started) for command in entry.commands]
            return [("commands", [*entry.commands]), ("waits", waits)]
        case Finished():
            return [("batches", [entry.started])]
        case Event():
            return [] if entry.command is None else [("commands", [entry.command])]
        case Ended():
            return [("commands", [entry.command]), ("ended", [entry.command])]
        case Met():
            return [("words", [("read", MET, number)])]


def _opened(
    number: int,
    run: str,
    process: str,
    actor: str,
    claims: Sequence[Address],
    *,
    held: bool = False,
    late: bool = False,
) -> dict[str, Any]:
    return {
        "at": number,
        "run": run,
        "process": process,
        "actor": actor,
        "claims": claims,
        "held": held,
        "late": late,
    }
