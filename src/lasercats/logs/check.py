"""Checks a log by its rows: the chain of hashes, and that the tables are the fold of the records."""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from itertools import pairwise
from typing import Any

from lasercats.core.address import Address
from lasercats.core.errors import LogCorrupt
from lasercats.core.fold import Claims, Open, left_by
from lasercats.core.head import Head
from lasercats.core.record import Event, Record
from lasercats.logs import schema
from lasercats.logs.chain import Facts, rules

Row = tuple[Any, ...]
_AGAIN = "`lasercats verify --repair` makes them anew from the records"


def check_chain(rows: Iterable[Row], stretches: Sequence[Row], path: str, log_id: str) -> int:
    """Check every hash and every position by the rule of its format; return how many records there are.

    A row of a record is its position, time, type, body, hash, clock, run and request; one of a stretch its
    first position, format and program.

    Raises:
        LogCorrupt: a record was changed, removed or put in, with the position where the chain breaks.

    """
    known, count, stretches = b"", 0, [*stretches]
    for append in _appends(rows, path):
        first, last = append[0], append[-1]
        while len(stretches) > 1 and stretches[1][0] <= first[0]:
            stretches.pop(0)
        if not stretches or stretches[0][0] > first[0]:
            raise LogCorrupt(
                f"the log {path} does not tell in which format record {first[0]} was written; restore it "
                "from a backup"
            )
        _, format_, program = stretches[0]
        clock = first[1] if first[5] is None else first[5]
        facts = Facts(log_id, clock, program, first[6] or "", first[7] or "")
        same = all(row[1] == first[1] and row[5] == first[5] for row in append)
        alone = all(row[6] is None and row[7] is None for row in append[1:])
        bare = [(*row[:4], None, None) for row in append]
        if not (same and alone and any(rule(known, bare) == last[4] for rule in rules(format_, facts))):
            raise LogCorrupt(
                f"records {first[0]} to {last[0]} of the log {path} are not as they were written; restore it "
                "from a backup"
            )
        known, count = last[4], last[0]
    return count


def _appends(found: Iterable[Row], path: str) -> Iterator[list[Row]]:
    """Iterate over the rows of each append."""
    expected, rows = 1, list[Row]()
    for row in found:
        if row[0] != expected:
            raise LogCorrupt(f"the log {path} has no record {expected}; restore it from a backup")
        if not (isinstance(row[1], int) and isinstance(row[2], str) and isinstance(row[3], bytes)):
            raise LogCorrupt(
                f"records {expected} to {expected} of the log {path} are not as they were written; restore "
                "it from a backup"
            )
        expected += 1
        rows.append(row)
        if row[4] is not None:
            yield rows
            rows = []
    if rows:
        raise LogCorrupt(
            f"the log {path} ends in the middle of a commit, after {rows[0][0] - 1}; restore it from a backup"
        )


def check_tables(versions: Iterable[Row], path: str, events: Iterable[Record]) -> int:
    """Check that the tables are the fold of the events; return how many versions there are.

    A row of a version is since when, its address, its body and until when, in the order of the first two.

    Raises:
        LogCorrupt: they are not.

    """
    count, rows, until = 0, iter(versions), dict[Address, int | None]()
    for record in events:
        assert isinstance(record.entry, Event)  # noqa: S101 - only these were asked for
        for address, raw in sorted(left_by(record.entry), key=lambda left: left[0]):
            count += 1
            row = next(rows, None)
            wanted = (record.position, address, schema.stored(raw))
            if row is None or row[:3] != wanted or until.get(address, record.position) != wanted[0]:
                raise _wrong(path, address)
            until[address] = row[3]
    row = next(rows, None)
    strange = row[1] if row else next((a for a, end in until.items() if end is not None), None)
    if strange is not None:
        raise _wrong(path, strange)
    return count


def check_open(
    kept: Mapping[int, object],
    path: str,
    records: Iterable[Record],
    part: Callable[[Open], object] = lambda opened: opened,
) -> None:
    """Check that the open commands are those that the records tell; `part` is what of them a store keeps.

    Raises:
        LogCorrupt: they are not.

    """
    claims = Claims()
    for record in records:
        claims.add(record.position, record.entry)
    if {position: part(opened) for position, opened in claims.open.items()} != kept:
        raise LogCorrupt(
            f"the log {path} keeps another list of open commands than its records tell; "
            f"{_AGAIN.replace('them', 'it')}"
        )


def check_segments(kept: Sequence[Row], clocks: Iterable[Row], path: str) -> None:
    """Check that the places where the clock went back are those that the records tell.

    Raises:
        LogCorrupt: they are not.

    """
    if [*kept] != [*segments(clocks)]:
        raise LogCorrupt(f"the log {path} keeps other reversals of its clock than its records tell; {_AGAIN}")


def segments(clocks: Iterable[Row]) -> Iterator[tuple[int, int]]:
    """Iterate over the positions at which the clock went back, each with what it told there."""
    for (_, before), (position, now) in pairwise(clocks):
        if now < before:
            yield position, now


def check_head(known: Head, found: Head, path: str) -> None:
    """Check that the end that a log says it has is the one that its records have.

    Raises:
        LogCorrupt: it is not.

    """
    if known != found:
        raise LogCorrupt(
            f"the log {path} says that it ends at {known.position}, and its records do at {found.position}; "
            "restore it from a backup"
        )


def check_claims(kept: Iterable[Row], opened: Mapping[int, Open], path: str) -> None:
    """Check that the claims are those of the open commands.

    Raises:
        LogCorrupt: they are not.

    """
    if {*kept} != {(claim, position) for position, one in opened.items() for claim in one.claims}:
        raise LogCorrupt(f"the log {path} keeps other claims than its open commands have; {_AGAIN}")


def _wrong(path: str, address: object) -> LogCorrupt:
    return LogCorrupt(f"the tables of the log {path} are not the fold of its events at {address}; {_AGAIN}")
