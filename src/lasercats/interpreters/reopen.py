"""`reopen`: runs commands that were cut off again, as far as they had come, to learn what they did.

It is `live` on a tape, as in `replay`, but the tape asks where the record ends: a batch that never came back
is resolved by its machine, a look that is missing is made. What was never sent is not sent now.
"""

from collections import deque
from collections.abc import Sequence
from typing import Any

from lasercats.core.errors import LaserCatsError
from lasercats.core.fold import Fold
from lasercats.core.instruction import Batch, Failure, Item, Later
from lasercats.core.record import Deferred, Record, Started, batch_token, raw
from lasercats.interpreters.context import Context
from lasercats.interpreters.replay import NOT_ON_RECORD, Tape

NEVER_SENT = Failure(reason="the next step was never sent", skipped=True)
NOT_TOLD = Failure(reason="nobody knows whether the last step was done", in_doubt=True, final=True)


class Reopened(Tape):
    """What was recorded of a run that was cut off, and what its machines tell of the rest."""

    def __init__(self, context: Context, fold: Fold, first: int, records: Sequence[Record]) -> None:
        """Play the records of commands on the fold before them, and ask the machines of a context."""
        super().__init__(context.kinds, fold, first, records)
        self._context, self._records = context, records
        self.handed: list[Deferred] = []
        """What turned out to be in the hands of a person."""

    async def resolve(self, *, end: bool = False) -> dict[int, str]:
        """Ask what became of batches that are in doubt; with `end` what is still at work for them is ended.

        Returns, for each command whose machine could not be asked, why.
        """
        unasked: dict[int, str] = {}
        for record in self._records:
            batch = record.entry
            if not isinstance(batch, Started):
                continue
            items = tuple(Item(self._kinds.decode_instruction(bytes(i))) for i in batch.instructions)
            known = self._back[record.position]
            if record.position in self._deferred:
                continue
            doubtful = [n for n, outcome in enumerate(known) if self._is_doubtful(items[n], outcome)]
            if not doubtful:
                continue
            try:
                token = batch_token(self._context.run, record.position)
                became = await self._context.machines.get(batch.machine).resolve(items, token, end=end)
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

    def worded_otherwise(self) -> set[int]:
        """Return the commands of which something that acts was asked then and is not asked now.

        So it is after their program has run on this tape, where another version of it began them.
        """
        return {
            owner
            for (owner, instruction), left in self._outcomes.items()
            if left and not self._kinds.decode_instruction(instruction).looks
        }

    def _is_doubtful(self, item: Item, outcome: Any) -> bool:  # noqa: ANN401
        if item.instruction.looks:
            return False
        if outcome is None:
            return True
        told = self._kinds.decode_outcome(item.instruction, bytes(outcome))
        return isinstance(told, Failure) and told.in_doubt

    def _settle(self, owner: int, instruction: bytes, outcome: Any) -> None:  # noqa: ANN401
        """Put what a machine tells in place of what is not known."""
        known = self._outcomes[owner, instruction]
        self._outcomes[owner, instruction] = deque([*list(known)[:-1], raw(outcome)])

    async def answer(self, machine: str, batch: Batch) -> list[Any]:
        """Return what is on record, or else is there to see."""
        outcomes = await super().answer(machine, batch)
        missing = [n for n, outcome in enumerate(outcomes) if self._is_missing(batch[n], outcome)]
        looks = [n for n in missing if batch[n].instruction.looks]
        for n, outcome in enumerate(outcomes):
            if n in missing:
                outcomes[n] = NEVER_SENT
            elif isinstance(outcome, Failure) and outcome.in_doubt:
                outcomes[n] = NOT_TOLD  # a look must tell
        if looks:
            asked = tuple(Item(batch[n].instruction) for n in looks)
            seen = await self._context.machines.get(machine).run(asked)
            for n, outcome in zip(looks, seen, strict=True):
                outcomes[n] = outcome
        return outcomes

    def _is_missing(self, item: Item, outcome: Any) -> bool:  # noqa: ANN401
        if outcome is NOT_ON_RECORD:
            return True
        return item.instruction.looks and isinstance(outcome, Failure) and outcome.in_doubt
