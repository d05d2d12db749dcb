"""`reopen`: runs commands that were cut off again, as far as they had come, to learn what they did.

It is `live` on a tape, as in `replay`, but the tape asks where the record ends: a batch that never came back
is resolved by its machine; a look that is missing, or failed after something was done, is made. What was
never sent is not sent now.
"""

from asyncio import gather
from collections import deque
from collections.abc import Sequence
from typing import Any

import msgspec

from lasercats.core.errors import LaserCatsError
from lasercats.core.fold import Fold
from lasercats.core.instruction import Batch, Failure, Instruction, Item, Later
from lasercats.core.record import Deferred, Record, Started, batch_token, raw
from lasercats.interpreters.context import Context
from lasercats.interpreters.replay import NOT_ON_RECORD, Tape

NEVER_SENT = Failure(reason="the next step was never sent", skipped=True)
NOT_TOLD = Failure(reason="nobody knows whether the last step was done", in_doubt=True, final=True)


class Reopened(Tape):
    """What was recorded of a run that was cut off, and what its machines tell of the rest."""

    def __init__(self, context: Context, fold: Fold, first: int, records: Sequence[Record]) -> None:
        """Play the records of commands on the fold before them, and ask the machines of a context."""
        self.did: set[int] = set()
        """The commands for which a machine has done something, as it told then or tells now."""
        super().__init__(context.kinds, fold, first, records)
        self._context, self._records = context, records
        self.handed: list[Deferred] = []
        """What turned out to be in the hands of a person."""
        self.tidy: list[tuple[int, Instruction]] = []
        """What only takes away what we left, by command, and is to be sent once all is on record."""
        self.unseen: dict[int, str] = {}
        """The commands for which a look was made now, and failed; and why."""

    async def resolve(self, *, end: bool = False) -> dict[int, str]:
        """Ask what became of batches that are in doubt; with `end` what is still at work for them is ended.

        Machines are asked at once, as one that is waited for keeps no other from telling; each of its own in
        their order.

        Returns, for each command whose machine could not be asked, why.
        """
        doubtful = dict[str, list[tuple[Record, list[int]]]]()
        for record in self._records:
            if isinstance(record.entry, Started) and (
                places := self._doubtful(record.position, record.entry)
            ):
                doubtful.setdefault(record.entry.machine, []).append((record, places))
        asked = (self._ask(batches, end=end) for batches in doubtful.values())
        unasked: dict[int, str] = {}
        for told in await gather(*asked, return_exceptions=True):  # none is left at it when another fails
            if isinstance(told, BaseException):
                raise told
            unasked |= told
        self.handed.sort(key=lambda deferred: deferred.started)
        return unasked

    def _doubtful(self, position: int, batch: Started) -> list[int]:
        """Return the places of what is in doubt of a batch."""
        if position in self._deferred:
            return []
        known = zip(self._items(batch), self._back[position], strict=True)
        return [n for n, (item, outcome) in enumerate(known) if self._is_doubtful(item, outcome)]

    def _items(self, batch: Started) -> Batch:
        return tuple(Item(self._kinds.decode_instruction(bytes(i))) for i in batch.instructions)

    async def _ask(self, batches: Sequence[tuple[Record, list[int]]], *, end: bool) -> dict[int, str]:
        """Ask one machine of its batches; return the commands of which it does not tell, and why."""
        unasked: dict[int, str] = {}
        for record, doubtful in batches:
            batch = record.entry
            assert isinstance(batch, Started)  # noqa: S101 - whoever asks has looked
            try:
                token = batch_token(self._context.run, record.position)
                machine = self._context.machines.get(batch.machine)
                became = await machine.resolve(self._items(batch), token, end=end)
            except LaserCatsError as error:
                unasked |= {batch.commands[n]: str(error) for n in doubtful}
                continue
            for n in doubtful:
                if became[n] is not None:
                    self._settle(batch.commands[n], bytes(batch.instructions[n]), became[n])
            later = dict.fromkeys(batch.commands[n] for n in doubtful if isinstance(became[n], Later))
            if later:
                self.handed.append(Deferred(started=record.position, commands=tuple(later)))
        return unasked

    def _read_back(self, records: Sequence[Record]) -> dict[int, list[msgspec.Raw | None]]:
        """Return what came back of each batch, without looks that failed once something was done.

        What could not be seen then may be seen now. A look before that decided what to do, and stands.
        """
        back, acted = super()._read_back(records), False
        for record in records:
            if not isinstance(record.entry, Started):
                continue
            told = [self._kinds.decode_instruction(bytes(i)) for i in record.entry.instructions]
            acted = acted or not all(instruction.looks for instruction in told)
            for n, (instruction, outcome) in enumerate(zip(told, back[record.position], strict=True)):
                failed = outcome is None or self._has_failed(instruction, outcome)
                if not (failed or instruction.looks):
                    self.did.add(record.entry.commands[n])
                if acted and failed and instruction.looks:
                    back[record.position][n] = None
        return back

    def _has_failed(self, instruction: Instruction, outcome: msgspec.Raw) -> bool:
        return isinstance(self._kinds.decode_outcome(instruction, bytes(outcome)), Failure)

    def worded_otherwise(self) -> set[int]:
        """Return the commands of which something that acts was asked then and is not asked now.

        So it is after their program has run on this tape, where another version of it began them.
        """
        return {
            owner
            for (owner, instruction), left in self._outcomes.items()
            if left and not self._harmless(instruction)
        }

    def _harmless(self, instruction: bytes) -> bool:
        told = self._kinds.decode_instruction(instruction)
        return told.looks or told.tidies

    def _is_doubtful(self, item: Item, outcome: Any) -> bool:  # noqa: ANN401
        if item.instruction.looks or item.instruction.tidies:
            return False
        if outcome is None:
            return True
        told = self._kinds.decode_outcome(item.instruction, bytes(outcome))
        return isinstance(told, Failure) and told.in_doubt

    def _settle(self, owner: int, instruction: bytes, outcome: Any) -> None:  # noqa: ANN401
        """Put what a machine tells in place of what is not known."""
        if not isinstance(outcome, Failure | Later):
            self.did.add(owner)
        known = self._outcomes[owner, instruction]
        self._outcomes[owner, instruction] = deque([*list(known)[:-1], raw(outcome)])

    async def answer(self, machine: str, batch: Batch) -> list[Any]:
        """Return what is on record, or else is there to see."""
        owners = self._started[machine].commands
        outcomes = await super().answer(machine, batch)
        missing = [n for n, outcome in enumerate(outcomes) if self._is_missing(batch[n], outcome)]
        for n, outcome in enumerate(outcomes):
            if n in missing:
                outcomes[n] = NEVER_SENT
            elif isinstance(outcome, Failure) and outcome.in_doubt:
                outcomes[n] = NOT_TOLD  # a look must tell
        for n, (item, outcome) in enumerate(zip(batch, outcomes, strict=True)):
            if item.instruction.tidies and isinstance(outcome, Failure):
                self.tidy.append((owners[n], item.instruction))
                outcomes[n] = item.instruction.predict()
        looks = [n for n in missing if batch[n].instruction.looks]
        asked = [n for n in looks if not any(isinstance(outcomes[m], Failure) for m in batch[n].after)]
        for n, outcome in zip(asked, await self._seen(machine, [batch[n] for n in asked]), strict=True):
            outcomes[n] = outcome
            if isinstance(outcome, Failure):
                self.unseen[owners[n]] = outcome.reason
        return outcomes

    async def _seen(self, machine: str, items: Sequence[Item]) -> Sequence[Any]:
        """Make looks now."""
        if not items:
            return ()
        try:
            return await self._context.machines.get(machine).run(tuple(Item(i.instruction) for i in items))
        except LaserCatsError as error:
            return [Failure(reason=str(error))] * len(items)

    def _is_missing(self, item: Item, outcome: Any) -> bool:  # noqa: ANN401
        if outcome is NOT_ON_RECORD:
            return True
        return item.instruction.looks and isinstance(outcome, Failure) and outcome.in_doubt
