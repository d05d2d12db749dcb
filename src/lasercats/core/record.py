"""Records: what the log holds. Each has a gap-free position and a time, assigned when it is committed.

accepted   a command, before it runs; it claims its addresses until it ends
started    a batch, before it is sent to its machine
deferred   a machine took a batch, and its outcomes come later, when a person reports them
finished   the outcomes of a batch, or of some of its instructions
event      what really changed, as a delta with both sides; the state is the fold of these
ended      a command is over: done, unchanged, failed, refused or cancelled
late       what a run was told after another process had taken it over; it changes nothing, and is open until
           it is looked at
met        what machines are known by, where no batch tells it: they were looked at, or accepted as they are
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any, ClassVar, NamedTuple, TypeAlias

import msgspec

from lasercats.core.address import Address
from lasercats.core.change import Delta
from lasercats.core.errors import BadInput, LogCorrupt
from lasercats.core.loss import Loss
from lasercats.core.resource import encoded

_encode = msgspec.json.Encoder().encode
NULL = msgspec.Raw(b"null")
FORGOTTEN = msgspec.Raw(b'""')
"""Stands for a resource of which it is no longer known whether it is there."""
OBSERVED = "observed"
"""The type of an event that no command caused: something was found changed on a machine."""


SAID = ("actor", "message", "because")
"""The fields of records in which somebody says something."""


class Entry(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, gc=False):
    """The body of a record."""

    name: ClassVar[str]
    came_of: ClassVar[str] = ""
    """The field that holds the position of what it came of; of several, the first."""

    @property
    def cause(self) -> int | None:
        """The position of the record that it came of; None for an acceptance or an observation."""
        found: int | tuple[int, ...] | None = getattr(self, self.came_of, None)
        return next(iter(found), None) if isinstance(found, tuple) else found


class Accepted(Entry, frozen=True, gc=False):
    """A command was accepted."""

    name: ClassVar[str] = "accepted"
    command: msgspec.Raw
    actor: str
    run: str
    """The run of the program that issued it: commands of one run may share addresses."""
    process: str = ""
    """`PID+START@HOST` of that run, so that others can tell whether it still lives."""
    message: str | None = None
    because: str | None = None
    """What made it, in words: `undo 12`, `apply site.yaml`."""
    undoes: tuple[int, ...] = ()
    """The commands and observations that it takes back, by position.

    Formats 1 to 4 told it by the words of `because` alone.
    """
    agreed: tuple[Loss, ...] | None = None
    """The losses that were announced before it, and agreed to; None where nobody asked, up to format 4."""
    direct: bool = False
    """True where an operator wrote out its addresses, so that it is itself the announcement of its losses."""
    claims: tuple[Address, ...] = ()
    resealed: dict[str, str] = {}
    """The places for which a secret was sealed that was given sealed for others, and which those were."""
    held: bool = False
    """True where the command only holds what others change, until that is confirmed.

    Formats 1 to 3 told it by the tag of the command alone.
    """
    serial: int = 0
    """At how many addresses at a time it is carried out with what is issued with it; 0 for all at once."""


class Started(Entry, frozen=True, gc=False):
    """A batch is about to be sent."""

    name: ClassVar[str] = "started"
    came_of: ClassVar[str] = "commands"
    machine: str
    commands: tuple[int, ...]
    """For each instruction, the position of the command that it serves."""
    instructions: tuple[msgspec.Raw, ...]
    after: dict[int, tuple[int, ...]] = {}
    """Which of them depend on which others of the batch: where those fail, they are not done."""

    def __post_init__(self) -> None:
        """Check that each instruction serves a command.

        Raises:
            ValueError: one does not.

        """
        if len(self.commands) != len(self.instructions):
            raise ValueError("each instruction serves one command")


class Deferred(Entry, frozen=True, gc=False):
    """A batch is in the hands of a person; the commands that it serves wait for what is reported."""

    name: ClassVar[str] = "deferred"
    came_of: ClassVar[str] = "started"
    started: int
    commands: tuple[int, ...]


class Finished(Entry, frozen=True, gc=False):
    """A batch came back, or a part of it."""

    name: ClassVar[str] = "finished"
    came_of: ClassVar[str] = "started"
    started: int
    outcomes: tuple[msgspec.Raw, ...]
    of: tuple[int, ...] = ()
    """Of which instructions these are the outcomes; of all, where it is empty."""
    actor: str | None = None
    """Who reported them."""
    met: dict[str, dict[str, str]] = {}
    """The machine that answered, by its name, and all that it is known by from now on, where that is new."""

    def __post_init__(self) -> None:
        """Check that each outcome is of an instruction.

        Raises:
            ValueError: one is not.

        """
        if self.of and len(self.of) != len(self.outcomes):
            raise ValueError("each outcome is of one instruction")

    def items(self) -> Iterator[tuple[int, msgspec.Raw]]:
        """Iterate over the outcomes, each with the number of its instruction, from 0."""
        return zip(self.of or range(len(self.outcomes)), self.outcomes, strict=True)


class Event(Entry, frozen=True, gc=False):
    """Something really changed."""

    name: ClassVar[str] = "event"
    came_of: ClassVar[str] = "command"
    type: str
    """Past tense: `file.written`; OBSERVED, or `forgotten`."""
    delta: dict[Address, tuple[msgspec.Raw, msgspec.Raw]]
    command: int | None = None
    """The command that caused it; None for an observation."""
    actor: str | None = None
    message: str | None = None
    opaque: bool = False
    """True when it also had an effect that is not in the state: a barrier for undo and rewrite."""
    met: dict[str, dict[str, str]] = {}
    """Of what was observed: the machines that were looked at, and all that they are known by, where new."""


class Ended(Entry, frozen=True, gc=False):
    """A command is over."""

    name: ClassVar[str] = "ended"
    came_of: ClassVar[str] = "command"
    command: int
    status: str
    """`done`, `unchanged`, `failed`, `refused` or `cancelled`."""
    error: str | None = None


class Late(Entry, frozen=True, gc=False):
    """What a run was told after another process had taken it over, or what it recorded then.

    It changes neither state nor claims. It is a matter of its own, open until an `ended` of its position:
    what is there must be looked at.
    """

    name: ClassVar[str] = "late"
    came_of: ClassVar[str] = "commands"
    commands: tuple[int, ...]
    """Whose outcomes and events these are."""
    on: tuple[Address, ...] = ()
    """What is in doubt until it is over."""
    actor: str = ""
    finished: tuple[Finished, ...] = ()
    """What came back."""
    events: tuple[Event, ...] = ()
    """What the run took for the change that it made; it is no event of the log."""
    after: tuple[int, ...] = ()
    """Events on record, by position, that came after the end of their command.

    Programs of formats 1 to 4 let that happen. They count as recorded, and need not start from what the
    events before them left.
    """


class Met(Entry, frozen=True, gc=False):
    """What machines are known by from now on."""

    name: ClassVar[str] = "met"
    machines: dict[str, dict[str, str]]
    """All facts of each (`lasercats.core.identity`), by its name."""
    actor: str = ""
    accepted: bool = False
    """True where an operator took another machine for the one that was known."""
    message: str | None = None


class Known(NamedTuple):
    """What a machine is known by."""

    since: int
    """The position that tells it."""
    facts: dict[str, str]


AnyEntry: TypeAlias = Accepted | Started | Deferred | Finished | Event | Ended | Late | Met
ENTRIES: dict[str, type[AnyEntry]] = {
    e.name: e for e in (Accepted, Started, Deferred, Finished, Event, Ended, Late, Met)
}


class Record(msgspec.Struct, frozen=True, gc=False):
    """An entry with its place in the log."""

    position: int
    time: int
    """The clock as it was, in microseconds since 1970-01-01 UTC; the position before may have a later one."""
    entry: AnyEntry


class Reversal(NamedTuple):
    """Where the clock told less than at the position before."""

    position: int
    before: int
    """What it told at the position before, in microseconds since 1970-01-01 UTC."""
    after: int


@contextmanager
def legible(what: str, *more: type[Exception]) -> Iterator[None]:
    """Turn what reading a damaged record raises into our error; `what` is what is read.

    So are errors of other types that are given.

    Raises:
        LogCorrupt: it cannot be decoded, or does not fit together.

    """
    faults: tuple[type[Exception], ...] = (msgspec.DecodeError, ValueError, RecursionError, *more)
    try:
        yield
    except faults:
        raise LogCorrupt(
            f"{what} cannot be read; see with `lasercats verify` what of the log holds, or restore it from a "
            "backup"
        ) from None


def batch_token(run: str, position: int) -> str:
    """Return by what a machine knows the batch again whose `started` record of a run stands at a position.

    It follows from the log alone. The run is part of it because a log that was restored from a copy uses
    positions anew. A batch that is not recorded has none.
    """
    return f"{run}-{position}" if position else ""


def came_back(records: Iterable[Record]) -> dict[int, list[msgspec.Raw | None]]:
    """Return for each batch among records an outcome for each instruction; None where none came back yet.

    What came back late counts, too.
    """
    found: dict[int, list[msgspec.Raw | None]] = {}
    for record in records:
        entry = record.entry
        if isinstance(entry, Started):
            found[record.position] = [None] * len(entry.instructions)
        for back in _finished(entry):
            if back.started in found:
                _take(found[back.started], back, record.position)
    return found


def _finished(entry: AnyEntry) -> tuple[Finished, ...]:
    """Return what an entry tells of batches that came back."""
    if isinstance(entry, Late):
        return entry.finished
    return (entry,) if isinstance(entry, Finished) else ()


def _take(outcomes: list[msgspec.Raw | None], back: Finished, position: int) -> None:
    """Take outcomes of a batch that a record at a position tells; the first that is told of one counts."""
    for n, outcome in back.items():
        if not 0 <= n < len(outcomes):
            raise LogCorrupt(
                f"record {position} has an outcome of no instruction of batch {back.started}; restore the "
                "log from a backup"
            )
        if outcomes[n] is None:
            outcomes[n] = outcome


def met_in(entry: AnyEntry) -> Mapping[str, dict[str, str]]:
    """Return what an entry tells of who machines are, by name."""
    if isinstance(entry, Met):
        return entry.machines
    return entry.met if isinstance(entry, Finished | Event) else {}


def raw(value: Any) -> msgspec.Raw:  # noqa: ANN401
    """Encode any value, to be carried in an entry as it is."""
    return msgspec.Raw(_encode(value))


def beginning(text: str) -> str:
    """Return how a text that begins so stands in an encoded value: `"db1:` of `"db1:eth0"`."""
    return _encode(text).decode().removesuffix('"')


def raw_delta(delta: Delta) -> dict[Address, tuple[msgspec.Raw, msgspec.Raw]]:
    """Encode a delta, to be carried in an event."""
    return {a: (msgspec.Raw(encoded(c.before)), msgspec.Raw(encoded(c.after))) for a, c in delta.items()}


def check_said(entries: Sequence[Entry]) -> None:
    """Check that what somebody says in entries that are to be written is text, and what they name positions.

    Who writes checks it, and not the type, so that reading costs nothing for it.

    Raises:
        BadInput: it is not, so that no log could be read that holds it.

    """
    for entry in entries:
        for name in SAID:
            value = getattr(entry, name, None)
            if value is not None and not isinstance(value, str):
                raise BadInput(f"{name} is to be text, and not {value!r}", remedy="give it as text")
        if not all(type(position) is int for position in getattr(entry, "undoes", ())):
            raise BadInput("what a command takes back is to be named by positions", remedy="give numbers")
