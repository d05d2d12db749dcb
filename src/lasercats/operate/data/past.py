"""What the log tells, as plain data."""

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from msgspec.structs import asdict

from lasercats.core.address import Address
from lasercats.core.command import as_shown
from lasercats.core.secret import shown
from lasercats.operate.data.acts import Result, result
from lasercats.operate.data.base import Data, Sides, Values, changes, plain
from lasercats.operate.moments import iso

if TYPE_CHECKING:
    from lasercats.operate import history
    from lasercats.operate.bisect import Found
    from lasercats.operate.blame import Blame as Blamed
    from lasercats.operate.replay import Replayed as Again
    from lasercats.operate.rewrite import RewritePlan

UNKNOWN = "not known: it never came back"


class Happening(Data, frozen=True, kw_only=True):
    """A command with all that came of it, or an observation on its own."""

    position: int
    time: str
    """RFC 3339, in UTC."""
    actor: str
    type: str
    """The name of the command, `observed`, `met` or `accepted`."""
    status: str
    """`done`, `unchanged`, `failed`, `refused`, `cancelled`, `waiting` or `open`."""
    message: str | None = None
    because: str | None = None
    """What made it: a document, an undo."""
    resealed: Mapping[str, str] = {}
    """The places for which secrets were sealed that were given sealed for others, and which those were."""
    error: str | None = None
    undoes: Sequence[int] = []
    """What it takes back, by position."""
    late: Sequence[int] = []
    """Where something was recorded of it that came late."""
    met: Mapping[str, dict[str, str]] = {}
    """The machines that were met or accepted, and what they are known by since."""
    opaque: bool = False
    """True where its effect is not in the state."""
    delta: Mapping[Address, Sides] = {}
    observed: Mapping[Address, Sides] = {}
    """What had changed outside."""
    command: Values = None
    reported_by: Sequence[str] = []
    """Who reported of what people did for it."""


class Batch(Data, frozen=True):
    """What was sent to a machine at once for a command, in words."""

    position: int
    machine: str
    instructions: list[str]
    outcomes: list[str]


class Detail(Happening, frozen=True, kw_only=True):
    """One command with what was sent for it."""

    batches: list[Batch]


class Traced(Data, frozen=True):
    """What was sent to a machine at once for a command, in words, with its time."""

    position: int
    machine: str
    sent: str
    """When, RFC 3339."""
    seconds: float | None
    """How long it was away; null where it never came back."""
    instructions: list[str]
    outcomes: list[str]


class Blame(Data, frozen=True):
    """What is known of one field of a resource."""

    field: str
    value: Values
    role: str
    """`specified`, `computed` or `secret`."""
    position: int
    """Of the event that gave it this value."""
    time: str
    """RFC 3339, in UTC."""
    type: str
    """Of the event."""
    actor: str
    command: int | None
    """The command that caused it; null for an observation."""
    message: str | None
    because: str | None


class Replayed(Data, frozen=True, kw_only=True):
    """What came of a past command now, with the answers of then."""

    position: int
    same: bool
    differences: list[str]
    program: str = ""
    """The program that recorded it, where that is another than this."""
    cut_off: bool
    """True where a crash cut it off."""
    instructions: int
    """How many were answered from the record."""
    result: Result


class Probe(Data, frozen=True):
    """One state that was checked."""

    position: int
    good: bool | None
    """Null where the check could not tell."""
    left: int
    """About how many checks were still to come."""


class Bisected(Data, frozen=True):
    """The first change after which a check fails."""

    position: int
    first: Happening
    steps: list[Probe]
    skipped: list[int]
    """States just before it of which the check could not tell."""


class Rewritten(Data, frozen=True):
    """A command of a rewritten log."""

    command: Values
    stands_for: list[int]
    """The commands that it stands for, by position."""


class Rewriting(Data, frozen=True):
    """A shorter log of commands, and the evidence that it is as good as the one that it comes from."""

    first: int
    last: int
    before: int
    """How many commands there are."""
    observations: int
    after: int
    """How many commands are left."""
    elided: list[int]
    dropped: list[int]
    vanished: list[int]
    compared: int
    """How many resources were compared."""
    same: bool
    """True where it ends in the same state."""
    commands: list[Rewritten]


def happening(happened: "history.Happening", reporters: Sequence[str] | None = ()) -> Happening:
    """Return a happening as plain data, with who reported of it where people are at work."""
    return Happening(
        position=happened.position,
        time=iso(happened.time),
        actor=happened.actor,
        type=happened.type,
        status=happened.status,
        message=happened.message,
        because=happened.because,
        resealed=dict(happened.resealed),
        error=happened.error,
        undoes=list(happened.undoes),
        late=list(happened.late),
        met={name: dict(identity) for name, identity in happened.met.items()},
        opaque=happened.opaque,
        delta=changes(happened.delta),
        observed=changes(happened.observed),
        command=None if happened.command is None else as_shown(happened.command),
        reported_by=list(reporters or ()),
    )


def detail(whole: Happening, batches: "Sequence[history.Batch]") -> Detail:
    """Return a happening with what was sent for it."""
    return Detail(**asdict(whole), batches=[_batch(batch) for batch in batches])


def _batch(batch: "history.Batch") -> Batch:
    instructions, outcomes = _words(batch)
    return Batch(batch.position, batch.machine, instructions, outcomes or [UNKNOWN] * len(instructions))


def traced(batch: "history.Batch") -> Traced:
    """Return a batch as plain data."""
    return Traced(batch.position, batch.machine, iso(batch.sent), batch.seconds, *_words(batch))


def blame(field: "Blamed") -> Blame:
    """Return what is known of a field as plain data."""
    return Blame(**{**field._asdict(), "value": shown(field.value), "time": iso(field.time)})


def replayed(found: "Again") -> Replayed:
    """Return a replay as plain data."""
    return Replayed(
        position=found.position,
        same=not found.differences,
        differences=list(found.differences),
        program=found.program,
        cut_off=found.cut,
        instructions=found.instructions,
        result=result(found.result),
    )


def bisected(found: "Found") -> Bisected:
    """Return what a bisection found as plain data."""
    steps = [Probe(*step) for step in found.steps]
    return Bisected(found.position, happening(found.happening), steps, list(found.skipped))


def rewriting(made: "RewritePlan") -> Rewriting:
    """Return a rewritten log as plain data."""
    return Rewriting(
        first=made.first,
        last=made.last,
        before=len(made.before),
        observations=made.observed,
        after=len(made.commands),
        elided=list(made.elided),
        dropped=list(made.dropped),
        vanished=list(made.vanished),
        compared=made.compared,
        same=not made.differs,
        commands=[Rewritten(plain(command), list(originals)) for command, originals in made.commands],
    )


def _words(batch: "history.Batch") -> tuple[list[str], list[str]]:
    from lasercats.interpreters.trace import describe, outcome_text  # noqa: PLC0415 - few ask, and it brings `live`

    return [describe(one) for one in batch.instructions], [outcome_text(one) for one in batch.outcomes]
