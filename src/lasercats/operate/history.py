"""`log`, `show`, `diff`: the history, command by command; and how a position is written."""

from collections.abc import Mapping, Sequence
from fnmatch import fnmatchcase
from types import MappingProxyType
from typing import Any, NamedTuple

import msgspec

from lasercats.core.address import Address, kind_of
from lasercats.core.change import Delta
from lasercats.core.command import Command, tag_of
from lasercats.core.identity import Identity
from lasercats.core.instruction import Instruction, Later
from lasercats.core.record import (
    OBSERVED,
    Accepted,
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
from lasercats.operate.moments import command_at, end_of, record_at
from lasercats.operate.project import Project


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


def between(project: Project, first: int, last: int) -> tuple[Delta, State, State]:
    """Return the delta between two positions, and both states."""
    a, b = project.state(first), project.state(last)
    return diff(a, b), a, b


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
    happened, ended = _begun(project, record, entry), False
    for later in project.log.caused(record.position):
        if isinstance(later.entry, Late):
            happened = happened._replace(late=(*happened.late, later.position))
        elif not ended:  # what earlier versions let come after the end is no work of the command any more
            happened = _with(happened, later, kinds)
        ended = ended or isinstance(later.entry, Ended)
    return happened


def _begun(project: Project, record: Record, entry: Accepted) -> Happening:
    """Return a command as it was accepted."""
    command = project.kinds.decode_command(bytes(entry.command))
    return Happening(
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
