"""Positions of a log, as an operator writes them: a number, a time, `HEAD~3`, `@{10 minutes ago}`."""

import re
from datetime import UTC, datetime, timedelta
from itertools import islice

from lasercats.core.errors import BadInput, LogCorrupt
from lasercats.core.ports import Log
from lasercats.core.record import Accepted, AnyEntry, Deferred, Ended, Finished, Record, Started

_UNITS = {"second": 1, "minute": 60, "hour": 3600, "day": 86400, "week": 604800}
_NUMBER = re.compile(r"[0-9]{1,18}")
_HEAD = re.compile(r"HEAD(?:~([0-9]{1,18}))?")
_AGO = re.compile(r"@\{\s*(\d+)\s+(second|minute|hour|day|week)s?\s+ago\s*\}")


SECOND = 1_000_000
"""Microseconds; what is told of times is told to the second."""
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


def command_at(log: Log, position: int) -> int:
    """Return the position of the command, or of the observation, that a position belongs to.

    Raises:
        BadInput: there is no such position.

    """
    record = next(log.read(position, position), None) if 0 < position <= log.head() else None
    if record is None:
        raise BadInput(f"there is no position {position}; the log goes from 1 to {log.head()}")
    entry = record.entry
    if isinstance(entry, Deferred | Finished):
        entry = record_at(log, entry.started, Started).entry
    if isinstance(entry, Started):
        return entry.commands[0] if entry.commands else position
    cause = position if entry.cause is None else entry.cause
    return command_at(log, cause) if isinstance(entry, Ended) and cause < position else cause


def record_at(log: Log, position: int, *types: type[AnyEntry]) -> Record:
    """Return the record at a position that another record told of.

    Raises:
        LogCorrupt: there is none, or it is of none of these types.

    """
    record = next(log.read(position, position), None)
    if record is None or not isinstance(record.entry, types):
        raise LogCorrupt(
            f"the log has no record {types[0].name!r} at position {position}, of which another record tells; "
            "see with `lasercats verify` what of it holds, or restore it from a backup"
        )
    return record


def resolve(log: Log, text: str) -> int:
    """Return the position that a text means, as the moment after it.

    `0` is before all. `17` is a record, or, if a command was accepted there, the end of that command. `HEAD`
    is the last command and `HEAD~3` the third before it. `2026-11-23T04:00`, with or without a zone (UTC), is
    the last position whose clock is at most that time, `@{10 minutes ago}` likewise.

    Raises:
        BadInput: it is none of these, or out of range.

    """
    if _NUMBER.fullmatch(text):
        if int(text):
            command_at(log, int(text))
        return end_of(log, int(text))
    if match := _HEAD.fullmatch(text):
        return end_of(log, _nth_last(log, int(match[1] or 0)))
    if match := _AGO.fullmatch(text):
        try:
            moment = datetime.now(UTC) - timedelta(seconds=int(match[1]) * _UNITS[match[2]])
        except (OverflowError, ValueError):
            raise BadInput(f"{text!r} is before all time; write a shorter time ago") from None
        return log.at(int(moment.timestamp() * 1_000_000))
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        raise BadInput(
            f"{text!r} is no position; write a number, HEAD~3, a time such as 2026-11-23T04:00, "
            "or @{10 minutes ago}"
        ) from None
    moment = moment if moment.tzinfo else moment.replace(tzinfo=UTC)
    return log.at(int(moment.timestamp() * 1_000_000))


def resolve_range(log: Log, text: str | None) -> tuple[int, int | None]:
    """Return the first and last position of `A..B`, `A..`, `..B`, or of one position.

    Raises:
        BadInput: a side means no position, or the range ends before it begins.

    """
    if text is None:
        return 1, None
    first, dots, last = text.partition("..")
    if not dots:
        position = command_at(log, int(text)) if _NUMBER.fullmatch(text) else resolve(log, text)
        return command_at(log, position), resolve(log, text)
    named = bool(_NUMBER.fullmatch(first)) or first.startswith("HEAD")
    begin = 1
    if first:
        at = int(first) if _NUMBER.fullmatch(first) else resolve(log, first)
        begin = command_at(log, at) if named else at + 1
    end = resolve(log, last) if last else None
    if end is not None and end < (begin if named else begin - 1):  # between two times there may be nothing
        raise BadInput(f"the range {text!r} ends before it begins; write the earlier side first")
    return begin, end


def positions(log: Log, texts: list[str]) -> list[int]:
    """Return the commands and observations that texts mean: positions and ranges, without repeats.

    A range ends with the command that its right side names, whatever was accepted before that was over.
    """
    chosen: dict[int, None] = {}
    for text in texts:
        if ".." in text:
            first, last = resolve_range(log, text)
            named = _named(log, text.partition("..")[2])
            last = last if named is None else named
            for record in log.read(first, last, names=("accepted", "event")):
                if isinstance(record.entry, Accepted) or record.entry.command is None:  # type: ignore[union-attr]
                    chosen[record.position] = None
        else:
            position = int(text) if _NUMBER.fullmatch(text) else resolve(log, text)
            chosen[command_at(log, position)] = None
    return list(chosen)


def one(log: Log, text: str) -> int:
    """Return the position of the one command, or observation, that a text means.

    Raises:
        BadInput: it means none, or is a range.

    """
    if ".." in text:
        raise BadInput(f"{text!r} is a range; name one command, as 17 or HEAD~3")
    return positions(log, [text])[0]


def _named(log: Log, text: str) -> int | None:
    """Return where the command was accepted that a text names by its number, or from the end; else None."""
    if _NUMBER.fullmatch(text):
        return command_at(log, int(text)) if int(text) else None
    match = _HEAD.fullmatch(text)
    return _nth_last(log, int(match[1] or 0)) if match else None


def end_of(log: Log, position: int) -> int:
    """Return where the command accepted at a position ended; a position that is no command's is itself."""
    record = next(log.read(position, position), None)
    if record is None or not isinstance(record.entry, Accepted):
        return position
    ends = (later.position for later in log.caused(position) if isinstance(later.entry, Ended))
    return next(ends, log.head())


def reversals(log: Log, first: int, last: int | None) -> list[str]:
    """Return a sentence for each time that the clock went back in a range, by a second or more."""
    return [
        f"the clock went back at position {at}, from {iso(before)} to {iso(after)}; times before that may be "
        "wrong"
        for at, before, after in log.reversals(first, last)
        if before - after >= SECOND
    ]


def iso(time: int) -> str:
    """Return a time of the log as RFC 3339 in UTC, to the second; one beyond the calendar as microseconds."""
    try:
        return (_EPOCH + timedelta(microseconds=time)).strftime("%Y-%m-%dT%H:%M:%SZ")
    except OverflowError:
        return f"{time} µs since 1970"


def _nth_last(log: Log, n: int) -> int:
    commands = log.read(names=("accepted",), backwards=True)
    found = [record.position for record in islice(commands, n + 1)]
    if len(found) <= n:
        raise BadInput(f"HEAD~{n} is before the first command; the log has {len(found)}")
    return found[n]
