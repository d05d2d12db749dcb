"""The channel: how batches get to their machines, and what comes back. It records nothing.

It is what looks go through that are no command's; commands go through the journal, which is one.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from lasercats.core.errors import LaserCatsError
from lasercats.core.instruction import Batch, Failure, Item
from lasercats.core.record import batch_token
from lasercats.interpreters.context import Context


@dataclass(slots=True, eq=False)
class Sending:
    """A batch that is about to be sent."""

    machine: str
    owners: Sequence[int]
    """For each item, the position of the command that it serves."""
    items: Batch
    position: int = 0
    """Where it is recorded, as far as it is really sent; 0 for nowhere."""
    known: list[Any] | None = None
    """What came of its items, where that is known without sending them; None where nothing can be."""
    due: Sequence[int] = ()
    """The places of those that are really sent, where something is known."""

    @property
    def sent(self) -> Batch:
        """What of it is really sent."""
        if self.known is None:
            return self.items
        place = {n: i for i, n in enumerate(self.due)}
        return tuple(
            Item(self.items[n].instruction, tuple(place[m] for m in self.items[n].after if m in place))
            for n in self.due
        )


class Channel:
    """Has machines do batches."""

    def __init__(self, context: Context) -> None:
        """Use the machines of a context."""
        self.context = context

    def is_parallel(self, machine: str) -> bool:
        """Tell whether a machine can be given a batch while it has another."""
        return getattr(self.context.machines.get(machine), "parallel", False)

    def started(self, batches: Sequence[Sending]) -> None:
        """Record, durably and all at once, that batches are about to be sent.

        Raises:
            LogError: it cannot be recorded; nothing must be sent.

        """

    async def answer(self, batch: Sending) -> Sequence[Any]:
        """Have a batch done, and return what came of each of its items."""
        return await self._done(batch)

    def finished(self, batch: Sending, outcomes: Sequence[Any]) -> None:
        """Record what came back of a batch; that can wait for the next commit."""

    def settled(self, *, due: bool) -> None:
        """Make durable what came back, where that is `due`, and not only what looks told.

        Raises:
            LogError: it cannot be recorded.

        """

    async def _done(self, batch: Sending) -> Sequence[Any]:
        """Have a machine do what is to be sent of a batch; an error of its is what came of each item."""
        items = batch.sent
        try:
            machine = self.context.machines.get(batch.machine)
            token = batch_token(self.context.run, batch.position)
            outcomes = await machine.run(items, self.context.watcher.output, token)
            if len(outcomes) != len(items):
                raise ValueError(f"{len(outcomes)} outcomes for {len(items)} instructions")
        except LaserCatsError as error:  # the machine, or the key of a secret; nothing was sent
            return [Failure(reason=str(error)) for _ in items]
        except Exception as error:
            fact = f"machine {batch.machine}: its answer cannot be understood: {error!r}"
            return [Failure(reason=fact, in_doubt=not item.instruction.looks) for item in items]
        return outcomes
