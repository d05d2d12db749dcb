"""The past: what is on record of commands that were accepted together.

It is read by what came of what, so what it costs does not depend on how long the log is.
"""

from collections import deque
from collections.abc import Collection, Iterable, Iterator, Sequence
from functools import cached_property
from typing import Any, NamedTuple

import msgspec

from lasercats.core.command import Command, tag_of
from lasercats.core.fold import Fold
from lasercats.core.instruction import Failure, Instruction, Later
from lasercats.core.ports import Log
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
    raw,
)
from lasercats.core.registry import Kinds

NOT_ON_RECORD = Failure(reason="this was not asked then, so there is no answer on record")
LOST = Failure(reason="it never came back", in_doubt=True)
LATER = raw(Later())

Asked = tuple[int, bytes]
"""An instruction as it was recorded: the command that it serves, and its encoding."""
Mark = tuple[int | None, bool, str]
"""By what an event on record is known at an address: its command, and whether it is an observation."""


class Sent(NamedTuple):
    """A batch on record."""

    position: int
    batch: Started


class Past:
    """What is on record of commands, and the state before them."""

    def __init__(
        self,
        kinds: Kinds,
        fold: Fold,
        accepted: Sequence[tuple[int, Accepted]],
        records: Sequence[Record],
        still_open: Collection[int] = (),
    ) -> None:
        """Take the records of commands, each accepted at its position; some are `still_open`.

        Raises:
            LaserCatsError: a command cannot be read.

        """
        self.fold, self.head, self.records = fold, accepted[0][1], records
        self.positions = [position for position, _ in accepted]
        self.commands: list[Command] = [kinds.decode_command(bytes(one.command)) for _, one in accepted]
        self.over = {position for position in self.positions if position not in still_open}
        """Those that had ended before they are run again."""
        self.sent = [Sent(r.position, r.entry) for r in records if isinstance(r.entry, Started)]
        deferred = [record.entry for record in records if isinstance(record.entry, Deferred)]
        self.orders = {command: entry.started for entry in deferred for command in entry.commands}
        """The work order that each command waits for, or waited for last."""
        self.deferred = {entry.started for entry in deferred}
        self.back = came_back(records)
        """What came back of each batch, by its position; None where nothing did yet."""
        self._kinds = kinds
        self._ended = {*self.over}
        self._marks = {mark for record in records for mark in marks(record.entry)}

    def news(self, event: Event) -> Event | None:
        """Return as much of an event as is not on record yet; from now on it counts as being there."""
        new = [mark for mark in marks(event) if mark not in self._marks]
        if not new:
            return None
        self._marks.update(new)
        places = {place for _, _, place in new}
        return msgspec.structs.replace(
            event, delta={address: sides for address, sides in event.delta.items() if address in places}
        )

    def is_new(self, entry: AnyEntry) -> bool:
        """Tell whether an end, or that a command waits, is not on record yet; an end counts as such then."""
        if isinstance(entry, Ended):
            new = entry.command not in self._ended
            self._ended.add(entry.command)
            return new
        return isinstance(entry, Deferred) and any(command not in self.orders for command in entry.commands)

    def recall(self, owner: int, encoded: bytes, instruction: Instruction) -> Any:  # noqa: ANN401
        """Return the next outcome on record of an instruction of a command."""
        known = self._outcomes.get((owner, encoded))
        if not known:
            return NOT_ON_RECORD
        outcome = known.popleft()
        return LOST if outcome is None else self._kinds.decode_outcome(instruction, bytes(outcome))

    def recall_alike(self, owner: int, instruction: Instruction) -> Any:  # noqa: ANN401
        """Return the next outcome of what did the same to the same thing, in whatever words."""
        for (command, encoded), left in self._outcomes.items():
            if left and command == owner:
                other = self._kinds.decode_instruction(encoded)
                if tag_of(other) == tag_of(instruction) and other.subject == instruction.subject:
                    return self.recall(owner, encoded, instruction)
        return NOT_ON_RECORD

    def unasked(self) -> Iterator[Asked]:
        """Iterate over what was asked then and has not been recalled by now."""
        return (asked for asked, left in self._outcomes.items() if left)

    @cached_property
    def _outcomes(self) -> dict[Asked, deque[msgspec.Raw | None]]:
        """For each instruction the outcomes that came back, in order; None for one that never did."""
        found: dict[Asked, deque[msgspec.Raw | None]] = {}
        for position, batch in self.sent:
            missing = LATER if position in self.deferred else None
            for n, outcome in enumerate(self.back[position]):
                asked = (batch.commands[n], bytes(batch.instructions[n]))
                found.setdefault(asked, deque()).append(missing if outcome is None else outcome)
        return found


def marks(entry: AnyEntry) -> list[Mark]:
    """Return by what an event is known at each of its addresses; at none, where it has none."""
    if not isinstance(entry, Event):
        return []
    return [(entry.command, entry.type == OBSERVED, address) for address in entry.delta or ("",)]


def records_of(log: Log, positions: Iterable[int]) -> list[Record]:
    """Return what came of commands: their batches, what came back of these, their events and ends."""
    found: dict[int, Record] = {}
    for position in positions:
        for record in log.caused(position):
            found[record.position] = record
            if isinstance(record.entry, Started):
                found |= {later.position: later for later in log.caused(record.position)}
    return [found[position] for position in sorted(found)]
