"""`replay`: runs recorded commands again from their recorded outcomes; touches no machine and no log.

It is `live` itself that runs, with a tape in place of the log and of the machines: the tape answers each
instruction with the outcome that was recorded for it, and keeps what would have been recorded. So what a
program does now with the answers of then can be compared with what it did then (law 8).
"""

from asyncio import sleep
from collections import deque
from collections.abc import Collection, Mapping, Sequence
from dataclasses import replace
from typing import Any, NamedTuple, cast

import msgspec

from lasercats.core.address import Address
from lasercats.core.command import Command
from lasercats.core.fold import Fold
from lasercats.core.identity import Identity, Who
from lasercats.core.instruction import Batch, Failure, Instruction, Later
from lasercats.core.ports import Log, Sink
from lasercats.core.record import (
    OBSERVED,
    Accepted,
    AnyEntry,
    Deferred,
    Ended,
    Event,
    Record,
    Started,
    came_back,
)
from lasercats.core.record import raw as encoded
from lasercats.core.registry import Domain, Kinds
from lasercats.interpreters.context import Context, Result, Watcher
from lasercats.interpreters.live import Live

Asked = tuple[int, bytes]
"""An instruction as it was recorded: the command that it serves, and its encoding."""


NOT_ON_RECORD = Failure(reason="this was not asked then, so there is no answer on record")

LOST = Failure(reason="it never came back", in_doubt=True)
LATER = encoded(Later())


class Facts(NamedTuple):
    """What the log says of some commands, without the order in which machines happened to answer."""

    asked: Mapping[Asked, int]
    """How often each instruction was given."""
    changed: Mapping[tuple[int, str, Address], tuple[bytes, bytes]]
    """Both sides of what each command changed, or found changed, by type of event and address."""
    ended: Mapping[int, tuple[str, str | None]]
    """Status and error of each command."""


class Tape:
    """What was recorded of a run: it stands for the log and the machines."""

    def __init__(self, kinds: Kinds, fold: Fold, first: int, records: Sequence[Record]) -> None:
        """Play the records of commands, of which the first stands at a position, on the fold before it."""
        self.entries: list[AnyEntry] = []
        self._kinds, self._fold, self._next = kinds, fold, first
        self._started: dict[str, Started] = {}
        self._outcomes: dict[Asked, deque[msgspec.Raw | None]] = {}
        """For each instruction the outcomes that came back, in order; None for one that never did."""
        self._back = self._read_back(records)
        self._deferred = {r.entry.started for r in records if isinstance(r.entry, Deferred)}
        for record in records:
            batch = record.entry
            if isinstance(batch, Started):
                missing = LATER if record.position in self._deferred else None
                for n, outcome in enumerate(self._back[record.position]):
                    asked = (batch.commands[n], bytes(batch.instructions[n]))
                    self._outcomes.setdefault(asked, deque()).append(missing if outcome is None else outcome)

    def _read_back(self, records: Sequence[Record]) -> dict[int, list[msgspec.Raw | None]]:
        """Return what came back of each batch."""
        return came_back(records)

    # In place of the log.

    def fold(self) -> Fold:
        """Return the fold before the commands."""
        return self._fold

    def append(
        self,
        entries: Sequence[AnyEntry],
        *,
        expect: Mapping[Address, int] | None = None,
        seen: Mapping[int, int] | None = None,
        run: str = "",
        request: str = "",
        holder: str = "",
    ) -> int:
        """Keep what would be recorded."""
        del expect, seen, run, request, holder
        first, self._next = self._next, self._next + len(entries)
        self.entries += entries
        self._started |= {entry.machine: entry for entry in entries if isinstance(entry, Started)}
        return first

    def release(self, run: str) -> None:
        """Do nothing: nobody else is there."""

    # In place of the machines.

    def check(self, name: str, domain: Domain | None = None) -> None:
        """Take any machine."""

    def url(self, name: str) -> str:
        """Return where a machine is: on tape."""
        return f"tape:{name}"

    def news(self, name: str) -> Mapping[str, Identity]:
        """Return nothing: who answered then is on record."""
        return {}

    def get(self, name: str) -> "_Machine":
        """Return what answers for a machine."""
        return _Machine(self, name)

    async def answer(self, machine: str, batch: Batch) -> list[Any]:
        """Return the recorded outcomes of the batch that was just started."""
        started = self._started.pop(machine)
        await sleep(0)
        return [
            self._recalled(item.instruction, (owner, bytes(raw)))
            for item, owner, raw in zip(batch, started.commands, started.instructions, strict=True)
        ]

    def _recalled(self, instruction: Instruction, asked: Asked) -> Any:  # noqa: ANN401
        known = self._outcomes.get(asked)
        if not known:
            return NOT_ON_RECORD
        outcome = known.popleft()
        if outcome is None:
            return LOST
        return self._kinds.decode_outcome(instruction, bytes(outcome))


class _Machine:
    """One machine, on tape."""

    parallel = False
    vocabulary: Collection[type[Instruction]] = ()

    def __init__(self, tape: Tape, name: str) -> None:
        self.trips, self.who = 0, Who(name)
        self._tape, self._name = tape, name

    async def run(self, batch: Batch, sink: Sink | None = None, token: str = "") -> Sequence[Any]:
        return await self._tape.answer(self._name, batch)

    async def resolve(self, batch: Batch, token: str = "", *, end: bool = False) -> Sequence[Any | None]:
        await sleep(0)
        return [None] * len(batch)

    def script(self, instructions: Sequence[Instruction], *, alone: bool) -> str:
        return "\n".join(instruction.line() for instruction in instructions)

    async def check(self) -> None:
        await sleep(0)

    async def close(self) -> None:
        await sleep(0)


def as_then(context: Context, head: Accepted) -> Context:
    """Return a context in which commands are decided as they were when they were accepted, unwatched."""
    return replace(
        context,
        actor=head.actor,
        agreed=head.agreed,
        direct=head.direct,
        serial=head.serial,
        watcher=Watcher(),
    )


async def replay(commands: Sequence[Command], tape: Tape, context: Context) -> Sequence[Result]:
    """Run commands again on a tape; afterwards `tape.entries` is what would have been recorded."""
    played = replace(context, log=cast("Log", tape), machines=tape)
    return await Live().run(commands, played)


def facts(entries: Sequence[AnyEntry], positions: Sequence[int]) -> Facts:
    """Return what entries say of the commands at some positions."""
    asked = dict[Asked, int]()
    changed = dict[tuple[int, str, Address], tuple[bytes, bytes]]()
    ended, mine = dict[int, tuple[str, str | None]](), set(positions)
    for entry in entries:
        if isinstance(entry, Started):
            for owner, raw in zip(entry.commands, entry.instructions, strict=True):
                if owner in mine:
                    asked[owner, bytes(raw)] = asked.get((owner, bytes(raw)), 0) + 1
        elif isinstance(entry, Event) and entry.command in mine:
            name = OBSERVED if entry.type == OBSERVED else "changed"
            for address, (before, after) in entry.delta.items():
                sides = changed.get((entry.command, name, address), (bytes(before), b""))
                changed[entry.command, name, address] = (sides[0], bytes(after))
        elif isinstance(entry, Ended) and entry.command in mine:
            ended[entry.command] = (entry.status, entry.error)
    return Facts(asked, changed, ended)
