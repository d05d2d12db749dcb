"""`Ask`: the policy after a crash. Nothing more is done; machines tell what became of what they were given.

A batch that never came back is resolved by its machine before the commands are run again; a look that is
missing, or failed after something was done, is made when they are. What was never sent is not sent now.
"""

from asyncio import gather
from collections.abc import Mapping, Sequence
from typing import Any

import msgspec

from lasercats.core.errors import LaserCatsError
from lasercats.core.instruction import Batch, Failure, Instruction, Item, Later
from lasercats.core.record import Deferred, Started, batch_token, raw
from lasercats.interpreters.channel import Sending
from lasercats.interpreters.context import Context
from lasercats.interpreters.journal import Policy
from lasercats.interpreters.past import NOT_ON_RECORD, Past, Sent

NEVER_SENT = Failure(reason="the next step was never sent", skipped=True)
NOT_KNOWN = Failure(reason="nobody knows whether the last step was done", in_doubt=True, final=True)


class Ask(Policy):
    """Asks the machines, and looks; what it learns is kept here, besides what comes of running it again."""

    def __init__(self, context: Context, past: Past) -> None:
        """Ask the machines of a context about a past.

        Looks that failed once something was done do not count: what could not be seen then may be seen now. A
        look before that decided what to do, and stands.
        """
        self._context, self._kinds, self._past = context, context.kinds, past
        self.did: set[int] = set()
        """The commands for which a machine has done something, as it told then or tells now."""
        self.handed: list[Deferred] = []
        """What turned out to be in the hands of a person."""
        self.tidy: list[tuple[int, Instruction]] = []
        """What only takes away what we left, by command, and is to be sent once all is on record."""
        self.unseen: dict[int, str] = {}
        """The commands for which a look was made now, and failed; and why."""
        acted = False
        for position, batch in past.sent:
            acted = self._read(batch, past.back[position], acted=acted)

    def _read(self, batch: Started, back: list[msgspec.Raw | None], *, acted: bool) -> bool:
        """Read what came back of a batch; tell whether something acted by then, as it had before or not."""
        given = self._given(batch)
        acted = acted or not all(instruction.looks for instruction in given)
        for n, (instruction, outcome) in enumerate(zip(given, back, strict=True)):
            failed = outcome is None or isinstance(self._decoded(instruction, outcome), Failure)
            if not (failed or instruction.looks):
                self.did.add(batch.commands[n])
            if acted and failed and instruction.looks:
                back[n] = None
        return acted

    def _given(self, batch: Started) -> list[Instruction]:
        return [self._kinds.decode_instruction(bytes(encoded)) for encoded in batch.instructions]

    def _decoded(self, instruction: Instruction, outcome: msgspec.Raw) -> Any:  # noqa: ANN401
        return self._kinds.decode_outcome(instruction, bytes(outcome))

    # Before the commands are run again.

    async def resolve(self, *, end: bool = False) -> dict[int, str]:
        """Ask what became of batches that are in doubt; with `end` what is still at work for them is ended.

        Machines are asked at once, as one that is waited for keeps no other from telling; each of its own in
        their order.

        Returns, for each command whose machine could not be asked, why.
        """
        doubtful = dict[str, list[tuple[Sent, list[int]]]]()
        for sent in self._past.sent:
            if places := self._doubtful(sent):
                doubtful.setdefault(sent.batch.machine, []).append((sent, places))
        asked = (self._ask(batches, end=end) for batches in doubtful.values())
        unasked: dict[int, str] = {}
        for answer in await gather(*asked, return_exceptions=True):  # none is left at it when another fails
            if isinstance(answer, BaseException):
                raise answer
            unasked |= answer
        self.handed.sort(key=lambda deferred: deferred.started)
        return unasked

    def _doubtful(self, sent: Sent) -> list[int]:
        """Return the places of what is in doubt of a batch."""
        if sent.position in self._past.deferred:
            return []
        known = zip(self._given(sent.batch), self._past.back[sent.position], strict=True)
        return [
            n for n, (instruction, outcome) in enumerate(known) if self._is_doubtful(instruction, outcome)
        ]

    def _is_doubtful(self, instruction: Instruction, outcome: msgspec.Raw | None) -> bool:
        if instruction.looks or instruction.tidies:
            return False
        answer = None if outcome is None else self._decoded(instruction, outcome)
        return answer is None or (isinstance(answer, Failure) and answer.in_doubt)

    async def _ask(self, batches: Sequence[tuple[Sent, list[int]]], *, end: bool) -> dict[int, str]:
        """Ask one machine of its batches; return the commands of which it does not tell, and why."""
        unasked: dict[int, str] = {}
        for (position, batch), doubtful in batches:
            try:
                token = batch_token(self._context.run, position)
                machine = self._context.machines.get(batch.machine)
                items: Batch = tuple(map(Item, self._given(batch)))
                became = await machine.resolve(items, token, end=end)
            except LaserCatsError as error:
                unasked |= {batch.commands[n]: str(error) for n in doubtful}
                continue
            self._take(position, batch, {n: became[n] for n in doubtful if became[n] is not None})
        return unasked

    def _take(self, position: int, batch: Started, became: Mapping[int, Any]) -> None:
        """Put what a machine tells in place of what is not known."""
        for n, outcome in became.items():
            self._past.back[position][n] = raw(outcome)
            if not isinstance(outcome, Failure | Later):
                self.did.add(batch.commands[n])
        later = dict.fromkeys(
            batch.commands[n] for n, outcome in became.items() if isinstance(outcome, Later)
        )
        if later:
            self.handed.append(Deferred(started=position, commands=tuple(later)))

    # While they are.

    def settle(self, batch: Sending, past: Past) -> Sequence[int]:
        """Return the looks that are missing; the rest was never sent, and what is in doubt a look tells."""
        known, missing = batch.known or [], list[int]()
        for n, (item, owner) in enumerate(zip(batch.items, batch.owners, strict=True)):
            outcome, in_doubt = known[n], isinstance(known[n], Failure) and known[n].in_doubt
            if outcome is NOT_ON_RECORD or (in_doubt and item.instruction.looks):
                known[n] = NEVER_SENT
                missing.append(n)
            elif in_doubt:
                known[n] = NOT_KNOWN
            if item.instruction.tidies and isinstance(known[n], Failure):
                self.tidy.append((owner, item.instruction))
                known[n] = item.instruction.predict()
        looks = [n for n in missing if batch.items[n].instruction.looks]
        return [n for n in looks if not any(isinstance(known[m], Failure) for m in batch.items[n].after)]

    def seen(self, batch: Sending) -> None:
        """Take note of looks that failed now."""
        for n in batch.due:
            outcome = (batch.known or [])[n]
            if isinstance(outcome, Failure):
                self.unseen[batch.owners[n]] = outcome.reason

    # After that.

    def worded_otherwise(self) -> set[int]:
        """Return the commands of which something that acts was asked then and is not asked now.

        Another version of this program began them.
        """
        left = ((owner, self._kinds.decode_instruction(encoded)) for owner, encoded in self._past.unasked())
        return {owner for owner, instruction in left if not (instruction.looks or instruction.tidies)}
