"""The fold of a log: what is known of every address, and who is at work on it.

Resources are kept in their encoded form, so that folding costs the same for every kind; what is wanted
is decoded once, at the end. A store may keep a fold as tables, but what the tables say is defined here.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import NamedTuple

import msgspec
from immutables import Map

from lasercats.core.address import Address
from lasercats.core.command import Forget
from lasercats.core.errors import LogConflict, LogCorrupt
from lasercats.core.record import (
    FORGOTTEN,
    NULL,
    Accepted,
    AnyEntry,
    Deferred,
    Ended,
    Event,
    Late,
    Record,
    legible,
)
from lasercats.core.registry import HELD, Kinds
from lasercats.core.resource import Resource
from lasercats.core.resting import against, subject
from lasercats.core.state import State, StateEntry


class Version(NamedTuple):
    """What an address held from one position on."""

    since: int
    raw: msgspec.Raw
    """The encoded resource, `NULL` where there is none, `FORGOTTEN` where it is not known any more."""

    def resource(self, kinds: Kinds, address: Address) -> Resource | None:
        """Decode the resource; None where there is none, or where that is not known any more.

        Raises:
            LogCorrupt: it is damaged.

        """
        if self.raw == FORGOTTEN:
            return None
        with legible(f"what the log holds of {address} since position {self.since}", LogCorrupt):
            return kinds.decode_resource(address, bytes(self.raw))


class Fold(msgspec.Struct):
    """An accumulator over records, in order: the newest version of every address."""

    position: int = 0
    entries: dict[Address, Version] = {}

    def go_on(self, records: Iterable[Record], position: int) -> None:
        """Take in the records that came since, up to a position."""
        for record in records:
            self.add(record.position, record.entry)
        self.position = position

    def add(self, position: int, entry: AnyEntry) -> None:
        """Take in the next record."""
        self.position = position
        if isinstance(entry, Event):
            for address, raw in left_by(entry):
                self.entries[address] = Version(position, raw)

    def state(self, kinds: Kinds) -> State:
        """Decode the state."""
        held = self.entries.items()
        entries = {a: StateEntry(v.since, v.resource(kinds, a), v.raw == FORGOTTEN) for a, v in held}
        return State(Map(entries), self.position)


def left_by(event: Event) -> list[tuple[Address, msgspec.Raw]]:
    """Return the addresses of an event, each with what the event left there, encoded."""
    forgets = event.type == Forget.past
    return [(a, FORGOTTEN if forgets and after == NULL else after) for a, (_, after) in event.delta.items()]


class Open(NamedTuple):
    """A command that was accepted and has not ended."""

    run: str
    process: str
    actor: str
    claims: tuple[Address, ...]
    held: bool = False
    """True where it only holds what others changed, until that is confirmed."""
    waits: int | None = None
    """The batch that a person has in hand and it waits for, by position."""
    late: bool = False
    """True where it is no command, but what a run was told after it had been taken over."""

    @property
    def at_work(self) -> bool:
        """Whether somebody is changing what it claims, or died doing that."""
        return not self.held and not self.late and self.waits is None

    def begun_by(self, run: str) -> bool:
        """Tell whether a run has begun it, and not only to hold: while it is open the run has a lease."""
        return self.run == run and not self.held and not self.late


class Claims:
    """An accumulator over records, in order: the open commands, and the addresses that they claim."""

    def __init__(self) -> None:
        """Begin with none."""
        self.open: dict[int, Open] = {}
        self._claimed: dict[Address, list[int]] = {}
        self._begun: dict[str, int] = {}
        """How many commands of each run are open, those apart that are only held."""

    def add(self, position: int, entry: AnyEntry) -> None:
        """Take in the next record."""
        if isinstance(entry, Accepted):
            self._begin(position, Open(entry.run, entry.process, entry.actor, entry.claims, entry.held))
        elif isinstance(entry, Late):
            self._begin(position, Open("", "", entry.actor, entry.on, late=True))
        elif isinstance(entry, Deferred):
            for command in entry.commands:
                if command in self.open:
                    self.open[command] = self.open[command]._replace(waits=entry.started)
        elif isinstance(entry, Ended):
            self._end(entry.command)

    def works(self, run: str, first: int, entries: Sequence[AnyEntry]) -> bool:
        """Tell whether a command of a run is open, but for those only held, once entries are taken in.

        The entries are to stand from position `first` on. It costs no more where more is open.
        """
        begun = {
            position
            for position, entry in enumerate(entries, first)
            if isinstance(entry, Accepted) and entry.run == run and not entry.held
        }
        ended = {entry.command for entry in entries if isinstance(entry, Ended)}
        over = sum(c in begun or (c in self.open and self.open[c].begun_by(run)) for c in ended)
        return self._begun.get(run, 0) + len(begun) > over

    def check(self, entries: Sequence[AnyEntry]) -> None:
        """Check that entries claim or change nothing that a command of another run is at work on.

        What is observed where nobody is at work, as at what is held or in doubt, may be recorded.

        Raises:
            LogConflict: one does.

        """
        accepted = {entry.run for entry in entries if isinstance(entry, Accepted)}
        for entry in entries:
            if isinstance(entry, Accepted):
                for claim in entry.claims:
                    for position in self._claimed.get(against(claim), ()):
                        if self.open[position].run != entry.run:
                            raise claimed(claim, position, self.open[position])
            elif isinstance(entry, Event):
                own = self.open.get(entry.command or 0)
                runs = accepted if own is None else {own.run}
                for address in entry.delta:
                    for position in self._claimed.get(address, ()):
                        if self.open[position].at_work and self.open[position].run not in runs:
                            raise claimed(address, position, self.open[position])

    def _begin(self, position: int, opened: Open) -> None:
        self.open[position] = opened
        if opened.begun_by(opened.run):
            self._begun[opened.run] = self._begun.get(opened.run, 0) + 1
        for address in opened.claims:
            self._claimed.setdefault(address, []).append(position)

    def _end(self, command: int) -> None:
        ended = self.open.pop(command, None)
        if ended is None:
            return
        if ended.begun_by(ended.run):
            self._begun[ended.run] -= 1
            if not self._begun[ended.run]:
                del self._begun[ended.run]
        for address in ended.claims:
            positions = self._claimed[address]
            positions.remove(command)
            if not positions:
                del self._claimed[address]


def check_versions(expect: Mapping[Address, int], version: Callable[[Address], int]) -> None:
    """Check that addresses are at the versions that someone saw; `version` tells those of now.

    Raises:
        LogConflict: an address moved since.

    """
    for address, seen in expect.items():
        now = version(address)
        if now != seen:
            raise moved(address, now)


def check_batches(seen: Mapping[int, int], last: Callable[[int], int]) -> None:
    """Check that no more came of batches than someone saw; `last` tells the last position that each caused.

    Raises:
        LogConflict: more did.

    """
    for batch, position in seen.items():
        if last(batch) != position:
            raise reported(batch)


def claimed(claim: Address, position: int, other: Open) -> LogConflict:
    """Return what is told of a claim that another has: the fact, and what to do."""
    address = claim.partition(": ")[2] or claim if claim.startswith(HELD) else subject(claim)
    if other.held:
        return LogConflict(
            f"{address} is held until command {position} ({other.actor}) is confirmed",
            remedy=f"run `lasercats confirm {position}`, or with --reject to take it back",
            subject=address,
        )
    if other.late:
        return LogConflict(
            f"{address} is in doubt: what a process was told of it came late (position {position}), when "
            "another had taken over",
            remedy="run `lasercats recover`, which looks at it",
            subject=address,
        )
    if other.waits is not None:
        return LogConflict(
            f"{address} is in the work order {other.waits} ({other.actor})",
            remedy=f"report what was done with `lasercats work done {other.waits}`, or call it off with "
            f"`lasercats work fail {other.waits} --why ...`",
            subject=address,
        )
    return LogConflict(
        f"{address} is being changed by command {position} ({other.actor}, process {other.process})",
        remedy="wait for it, or run `lasercats recover` if it died",
        subject=address,
    )


def moved(address: Address, now: int) -> LogConflict:
    """Return what is told of an address that moved since it was looked at."""
    return LogConflict(
        f"{address} was changed at position {now}, after it was looked at",
        remedy="look at it with `lasercats state` and issue the command again",
        subject=address,
    )


def reported(batch: int) -> LogConflict:
    """Return what is told of a batch of which more came than was seen."""
    return LogConflict(
        f"somebody else has just reported on the work order {batch}",
        remedy=f"look at it with `lasercats work show {batch}` and report what is left",
        subject=f"work order {batch}",
    )
