"""`log`, `show`, `diff`: the history, command by command; and how a position is written."""

import re
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta
from fnmatch import fnmatchcase
from itertools import islice
from types import MappingProxyType
from typing import Any, NamedTuple

import msgspec

from lasercats.core.address import Address, kind_of
from lasercats.core.change import Delta
from lasercats.core.command import Command, tag_of
from lasercats.core.errors import BadInput, LogCorrupt
from lasercats.core.identity import Identity
from lasercats.core.instruction import Instruction, Later
from lasercats.core.ports import Log
from lasercats.core.record import (
    OBSERVED,
    Accepted,
    AnyEntry,
    Deferred,
    Ended,
    Event,
    Finished,
    Late,
    Met,
    Record,
    Started,
    came_back,
    legible,
)
from lasercats.core.registry import Kinds
from lasercats.core.state import State, diff
from lasercats.operate.project import Project

_UNITS = {"second": 1, "minute": 60, "hour": 3600, "day": 86400, "week": 604800}
_NUMBER = re.compile(r"[0-9]{1,18}")
_HEAD = re.compile(r"HEAD(?:~([0-9]{1,18}))?")
_AGO = re.compile(r"@\{\s*(\d+)\s+(second|minute|hour|day|week)s?\s+ago\s*\}")


SECOND = 1_000_000
"""Microseconds; what is told of times is told to the second."""
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


class Happening(NamedTuple):
    """One line of history: a command with all that came of it, or an observation on its own."""

    position: int
    time: int
    actor: str
    type: str
    """The command's tag, or `observed`."""
    status: str
    delta: Delta
    """What was really changed."""
    observed: Delta
    """What had changed outside."""
    command: Command | None = None
    message: str | None = None
    because: str | None = None
    error: str | None = None
    opaque: bool = False
    resealed: Mapping[str, str] = MappingProxyType({})
    """The places for which secrets were sealed that were given sealed for others, and which those were."""
    run: str = ""
    """Commands that were issued together share it."""
    undoes: tuple[int, ...] = ()
    """What it takes back, by position."""
    late: tuple[int, ...] = ()
    """Where something was told of it, or recorded of it, that came late."""
    events: tuple[tuple[int, str, int], ...] = ()
    """Position, type, and number of addresses of each event."""
    met: Mapping[str, Identity] = MappingProxyType({})
    """The machines that were met, or accepted, and what they are known by since."""


class Filter(NamedTuple):
    """Which happenings are wanted; patterns are those of a shell, and None wants all."""

    addresses: Sequence[str] = ()
    """Patterns, of which one must match an address that it is about."""
    actor: str | None = None
    kind: str | None = None
    command: str | None = None
    """A pattern for the tag: `file.write`, `file.*`, `observed`."""
    text: str | None = None
    """Must stand in the message, in the reason, or in the command, in whatever case."""
    status: str | None = None

    def fits(self, entry: Accepted | Event | Met) -> bool:
        """Tell whether what is seen at the start of a happening, before it is decoded, is wanted."""
        if isinstance(entry, Met):
            entry = Event(type=entry.name, delta={}, actor=entry.actor, message=entry.message)
        with legible("what a command of the log says of itself"):
            head = msgspec.json.decode(entry.command, type=_Head) if isinstance(entry, Accepted) else None
            on, tag = (entry.delta, entry.type) if head is None else (head.on, head.command)  # type: ignore[union-attr]
            texts = [entry.message, getattr(entry, "because", None), tag, *on]
            if isinstance(entry, Accepted) and self.text:
                texts += _texts(msgspec.json.decode(entry.command))
        return (
            (not self.addresses or any(fnmatchcase(a, p) for p in self.addresses for a in on))
            and (self.actor is None or fnmatchcase(entry.actor or "", self.actor))
            and (self.kind is None or any(kind_of(a) == self.kind for a in on))
            and (self.command is None or fnmatchcase(tag, self.command))
            and (self.text is None or any(self.text.casefold() in t.casefold() for t in texts if t))
        )


ALL = Filter()


def _texts(value: Any) -> list[str]:  # noqa: ANN401
    """Return the texts in plain data, and what a list of them says as a line."""
    if isinstance(value, dict):
        return [text for part in value.values() for text in _texts(part)]
    if isinstance(value, list):
        parts = [text for part in value for text in _texts(part)]
        return [*parts, " ".join(parts)]
    return [value] if isinstance(value, str) else []


class _Head(msgspec.Struct):
    command: str
    on: tuple[Address, ...]


def happenings(
    project: Project,
    first: int = 1,
    last: int | None = None,
    *,
    wanted: Filter = ALL,
    limit: int | None = None,
) -> list[Happening]:
    """Return what happened in a range of positions, in order of acceptance; of many only the last so many."""
    found: list[Happening] = []
    for record in project.log.read(first, last, names=("accepted", "event", "met"), backwards=True):
        if limit is not None and len(found) == limit:
            break
        entry = record.entry
        if isinstance(entry, Event) and entry.command is not None:
            continue
        if wanted is ALL or wanted.fits(entry):  # type: ignore[arg-type]
            happened = _legible(project, record)
            if wanted.status in (None, happened.status):
                found.append(happened)
    return found[::-1]


def happening(project: Project, position: int) -> Happening:
    """Return the command that a position belongs to, or the observation at it.

    Raises:
        BadInput: there is no such position.

    """
    position = command_at(project.log, position)
    return _legible(project, record_at(project.log, position, Accepted, Event, Met))


def command_of(project: Project, position: int) -> Command:
    """Return the command that was accepted at a position."""
    entry = record_at(project.log, position, Accepted).entry
    with legible(f"the command at position {position}"):
        return project.kinds.decode_command(bytes(entry.command))  # type: ignore[union-attr, arg-type]


class Waiting(NamedTuple):
    """A command that waits for a person."""

    position: int
    order: int
    """The work order that it waits for."""
    command: Command


def waiting(project: Project) -> list[Waiting]:
    """Return the commands that wait for people, in order of acceptance."""
    found = [(p, opened.waits) for p, opened in sorted(project.log.open().items())]
    return [Waiting(p, order, command_of(project, p)) for p, order in found if order is not None]


def met(project: Project, position: int) -> Mapping[str, Identity]:
    """Return the machines that told something new of who they are while a command was carried out."""
    records = project.log.read(position, end_of(project.log, position), names=("started", "finished"))
    mine, found = set[int](), dict[str, Identity]()
    for record in records:
        if isinstance(record.entry, Started) and position in record.entry.commands:
            mine.add(record.position)
        elif isinstance(record.entry, Finished) and record.entry.started in mine:
            found |= record.entry.met
    return found


class Batch(NamedTuple):
    """What was sent to a machine at once, as far as it served some commands."""

    position: int
    machine: str
    sent: int
    """When, in microseconds since 1970-01-01 UTC."""
    back: int | None
    """When its outcomes came back; None if they never did."""
    instructions: tuple[Instruction, ...]
    outcomes: tuple[Any, ...]
    """An outcome for each instruction, `Later` where a person is at it; none where it never came back."""

    @property
    def seconds(self) -> float | None:
        """How long it was away, 0 where the clock went back meanwhile; None if it never came back."""
        return None if self.back is None else max(0, self.back - self.sent) / 1e6


def batches(project: Project, position: int) -> list[Batch]:
    """Return the batches that served a command, with the instructions that did."""
    with legible(f"what was sent for command {position}"):
        return _batches(project, position)


def _batches(project: Project, position: int) -> list[Batch]:
    names = ("started", "deferred", "finished")
    records = list(project.log.read(position, end_of(project.log, position), names=names))
    records += [record for record in project.log.caused(position) if isinstance(record.entry, Late)]
    back, times = came_back(records), dict[int, int]()
    deferred = {r.entry.started for r in records if isinstance(r.entry, Deferred)}
    for record in records:
        if isinstance(record.entry, Finished):
            times[record.entry.started] = record.time
    found = []
    for record in records:
        entry = record.entry
        if isinstance(entry, Started) and position in entry.commands:
            mine = [n for n, owner in enumerate(entry.commands) if owner == position]
            asked = tuple(project.kinds.decode_instruction(bytes(entry.instructions[n])) for n in mine)
            raws = [back[record.position][n] for n in mine]
            whole = None not in raws
            outcomes = tuple(
                Later() if raw is None else project.kinds.decode_outcome(instruction, bytes(raw))
                for instruction, raw in zip(asked, raws, strict=True)
                if whole or record.position in deferred
            )
            time = times.get(record.position) if whole else None
            found.append(Batch(record.position, entry.machine, record.time, time, asked, outcomes))
    return found


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


def between(project: Project, first: int, last: int) -> tuple[Delta, State, State]:
    """Return the delta between two positions, and both states."""
    a, b = project.state(first), project.state(last)
    return diff(a, b), a, b


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


def _legible(project: Project, record: Record) -> Happening:
    """Return the happening that begins with a record."""
    with legible(f"what is recorded from position {record.position} on"):
        return _happening(project, record)


def _happening(project: Project, record: Record) -> Happening:
    entry, kinds = record.entry, project.kinds
    if isinstance(entry, Met):
        tag = "accepted" if entry.accepted else entry.name
        facts = (entry.actor, tag, "done", Delta(), Delta())
        return Happening(record.position, record.time, *facts, message=entry.message, met=entry.machines)
    if isinstance(entry, Event):
        return Happening(
            record.position,
            record.time,
            entry.actor or "",
            entry.type,
            "done",
            Delta(),
            kinds.decode_delta(entry.delta),
            message=entry.message,
            events=((record.position, entry.type, len(entry.delta)),),
            met=entry.met,
        )
    assert isinstance(entry, Accepted)  # noqa: S101 - nothing else begins one
    command = kinds.decode_command(bytes(entry.command))
    happened = Happening(
        record.position,
        record.time,
        entry.actor,
        tag_of(command),
        "waiting" if _waits(project, record.position) else "open",
        Delta(),
        Delta(),
        command,
        entry.message,
        entry.because,
        run=entry.run,
        resealed=entry.resealed,
        undoes=entry.undoes,
    )
    ended = False
    for later in project.log.caused(record.position):
        if isinstance(later.entry, Late):
            happened = happened._replace(late=(*happened.late, later.position))
        elif not ended:  # what earlier versions let come after the end is no work of the command any more
            happened = _with(happened, later, kinds)
        ended = ended or isinstance(later.entry, Ended)
    return happened


def _waits(project: Project, position: int) -> bool:
    opened = project.log.open().get(position)
    return opened is not None and opened.waits is not None


def _with(happened: Happening, record: Record, kinds: Kinds) -> Happening:
    """Return a happening with one more thing that came of its command."""
    entry = record.entry
    if isinstance(entry, Ended):
        return happened._replace(status=entry.status, error=entry.error)
    if not isinstance(entry, Event):
        return happened
    delta = kinds.decode_delta(entry.delta)
    happened = happened._replace(events=(*happened.events, (record.position, entry.type, len(delta))))
    if entry.type == OBSERVED:
        return happened._replace(observed=happened.observed.then(delta))
    return happened._replace(delta=happened.delta.then(delta), opaque=happened.opaque or entry.opaque)


def _nth_last(log: Log, n: int) -> int:
    commands = log.read(names=("accepted",), backwards=True)
    found = [record.position for record in islice(commands, n + 1)]
    if len(found) <= n:
        raise BadInput(f"HEAD~{n} is before the first command; the log has {len(found)}")
    return found[n]
