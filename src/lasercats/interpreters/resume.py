"""`resume`: goes on with commands that waited for a person, in whatever process the report arrives.

It is `live` on a tape, as in `replay`, of all that is on record and of what is reported now; where the tape
ends, it goes on for real: batches are journaled and sent. Only what is not on record yet is recorded, so that
resuming twice does nothing the second time.
"""

from collections.abc import Collection, Mapping, Sequence
from typing import Any

from msgspec.structs import replace

from lasercats.core.change import Delta
from lasercats.core.command import Command, tag_of
from lasercats.core.errors import Fenced, LaserCatsError
from lasercats.core.fold import Fold
from lasercats.core.instruction import Batch, Failure, Instruction, Item
from lasercats.core.record import OBSERVED, AnyEntry, Ended, Event, Finished, Record, Started, batch_token
from lasercats.interpreters.context import Context
from lasercats.interpreters.late import told_late
from lasercats.interpreters.live import answered
from lasercats.interpreters.replay import NOT_ON_RECORD, Asked, Tape

IS_OVER = Failure(reason="its command is over, so nothing more is done for it", skipped=True)


class Resumed(Tape):
    """What is on record of commands, and what is reported now; the log and the machines stand behind it."""

    def __init__(
        self,
        context: Context,
        fold: Fold,
        first: int,
        records: Sequence[Record],
        still_open: Collection[int],
        reports: Sequence[Finished] = (),
        seen: Mapping[int, int] | None = None,
        commands: Mapping[int, Command] | None = None,
    ) -> None:
        """Play the records of commands, of which some are `still_open`, and the reports.

        Of batches in `seen`, nothing may have come after those positions when something is recorded.
        """
        told = [Record(0, 0, report) for report in reports]
        super().__init__(context.kinds, fold, first, [*records, *told])
        self._context, self._open = context, set(still_open)
        self._over = {p for p in commands or () if p not in self._open}
        """The commands that had ended, as by `recover`, before those that waited with them go on."""
        self._queue: list[AnyEntry] = list(reports)
        self._on_record = {key for record in records for key in _keys(record.entry)}
        self._seen = dict(seen or {})
        self._commands = commands or {}
        self._sent = {
            record.position: record.entry.commands for record in records if isinstance(record.entry, Started)
        }
        self.changes: list[Delta] = []
        """What came of it now."""
        self.acted = False
        """Whether something was sent now that does not only look."""

    def append(self, entries: Sequence[AnyEntry], **_: Any) -> int:  # noqa: ANN401
        """Keep what is not on record; batches are recorded where they are really sent."""
        for entry in entries:
            if isinstance(entry, Event):
                self._keep(entry)
            elif isinstance(entry, Ended) and entry.command in self._open:
                self._open.remove(entry.command)
                self._queue.append(entry)
        return super().append(entries)

    def _keep(self, event: Event) -> None:
        if event.command in self._over:
            return
        new = {
            a: sides
            for a, sides in event.delta.items()
            if (event.command, event.type, a) not in self._on_record
        }
        if new or not (event.delta or (event.command, event.type, "") in self._on_record):
            self._queue.append(replace(event, delta=new))
            self._on_record |= set(_keys(self._queue[-1]))
            if event.type != OBSERVED:
                self.changes.append(self._kinds.decode_delta(new))

    def commit(self) -> int:
        """Write what is kept to the log, in one append; return the last position, 0 for nothing.

        Raises:
            Fenced: another process took the commands over; what was told is recorded as late.

        """
        if not self._queue:
            return 0
        try:
            first = self._context.log.append(self._queue, seen=self._seen, run=self._context.run)
        except Fenced:
            late = told_late(self._queue, self._sent, self._commands, self._context.actor)
            self._queue = []
            if late is not None:
                self._context.log.append([late])
            raise
        last = first + len(self._queue) - 1
        self._queue, self._seen = [], {}
        return last

    def _recalled(self, instruction: Instruction, asked: Asked) -> Any:  # noqa: ANN401
        """Return the outcome on record, also where a later LaserCats would word the step otherwise.

        So that what a person has in hand is not handed out again.
        """
        outcome = super()._recalled(instruction, asked)
        if outcome is not NOT_ON_RECORD or not instruction.by_hand:
            return outcome
        alike = (
            key
            for key, left in self._outcomes.items()
            if left and key[0] == asked[0] and self._is_alike(key[1], instruction)
        )
        return next((super(Resumed, self)._recalled(instruction, key) for key in alike), NOT_ON_RECORD)

    def _is_alike(self, recorded: bytes, instruction: Instruction) -> bool:
        """Tell whether a step on record does the same to the same thing, in whatever words."""
        other = self._kinds.decode_instruction(recorded)
        return tag_of(other) == tag_of(instruction) and other.subject == instruction.subject

    async def answer(self, machine: str, batch: Batch) -> list[Any]:
        """Return what is on record; have the rest done for real."""
        entry = self._started[machine]
        outcomes = await super().answer(machine, batch)
        for n, outcome in enumerate(outcomes):
            needs_it = any(isinstance(outcomes[m], Failure) and outcomes[m].skipped for m in batch[n].after)
            if outcome is NOT_ON_RECORD and (entry.commands[n] in self._over or needs_it):
                outcomes[n] = IS_OVER
        missing = [n for n, outcome in enumerate(outcomes) if outcome is NOT_ON_RECORD]
        if missing:
            place = {n: i for i, n in enumerate(missing)}
            items = tuple(
                Item(batch[n].instruction, tuple(place[m] for m in batch[n].after if m in place))
                for n in missing
            )
            for n, outcome in zip(missing, await self._send(machine, entry, missing, items), strict=True):
                outcomes[n] = outcome
        return outcomes

    async def _send(self, machine: str, entry: Started, chosen: Sequence[int], items: Batch) -> Sequence[Any]:
        started = Started(
            machine=machine,
            commands=tuple(entry.commands[n] for n in chosen),
            instructions=tuple(entry.instructions[n] for n in chosen),
            after={n: item.after for n, item in enumerate(items) if item.after},
        )
        self._queue.append(started)
        position = self.commit()
        self._sent[position] = started.commands
        self.acted = self.acted or not all(item.instruction.looks for item in items)
        try:
            sent_to = self._context.machines.get(machine)
            token = batch_token(self._context.run, position)
            outcomes = await sent_to.run(items, self._context.watcher.output, token)
        except LaserCatsError as error:  # nothing was sent
            outcomes = [Failure(reason=str(error)) for _ in items]
        met = self._context.machines.news(machine)
        self._queue += answered(position, started.commands, outcomes, met)
        self.commit()
        return outcomes


def _keys(entry: AnyEntry) -> list[tuple[int | None, str, str]]:
    """Return by what an event on record is known."""
    if not isinstance(entry, Event):
        return []
    return [(entry.command, entry.type, address) for address in entry.delta or ("",)]
