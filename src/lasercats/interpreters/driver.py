"""The driver: runs many programs at once and hands each machine one batch of all they wait for.

Programs are written for one resource and know nothing of each other. The driver runs every program that is
ready until it waits, gathers the instructions by machine, drops repeated looks, and sends each machine one
batch; machines work side by side, and one that can take several batches at once is given them. A program that
depends on programs whose instructions are known beforehand (`Step`) goes into the same batch behind them.

What a person does is answered later: then a program waits, and so does all that depends on it, and the driver
is done when nothing else is left to do.

What several machines answered within some milliseconds is taken, and recorded, together, and so is what is
sent at one moment; each of these in shares, so that no commit keeps machines waiting for long.
"""

import asyncio
import time
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from typing import Any, NamedTuple

from lasercats.core.errors import LogError
from lasercats.core.instruction import Later
from lasercats.interpreters.channel import Channel, Sending
from lasercats.interpreters.context import Context
from lasercats.interpreters.schedule import Schedule, Slot
from lasercats.interpreters.task import Task

TOGETHER = 0.003
"""Seconds for which answers are awaited that can be recorded together with one that is there."""
SHARE = 5000
"""The instructions after which what is sent, or was answered, is recorded, though there is more."""


class _Out(NamedTuple):
    """A batch that is with its machine, and who waits for it."""

    batch: Sending
    slots: Sequence[Slot]


_Answer = asyncio.Task[tuple[_Out, Sequence[Any]]]
"""A batch on its way, and what comes of it."""


def _nobodys(_: Sequence[Task]) -> bool:
    """Tell that tasks that a batch ended are no command's."""
    return False


class Driver:
    """Runs tasks to their end."""

    def __init__(
        self,
        context: Context,
        channel: Channel | None = None,
        ended: Callable[[Sequence[Task]], bool] = _nobodys,
    ) -> None:
        """Send batches by a channel, by default one that records nothing.

        `ended` is called with the tasks that a batch ended; it tells whether what came back must be on record
        before anything else is sent.
        """
        self._context = context
        self._channel, self._ended = channel or Channel(context), ended
        self._fault: LogError | None = None
        self._out: set[_Answer] = set()
        self._back: deque[_Answer] = deque()
        """What came back and is not taken yet."""
        self._busy: dict[str, int] = {}
        """How many batches each machine has."""
        self._heard = asyncio.Event()

    async def run(self, tasks: Sequence[Task]) -> None:
        """Run all tasks; each is done at the end, with a result or a failure."""
        schedule = Schedule(tasks)
        try:
            while self._go_on(schedule):
                await self._hear(schedule)
                with self._journaled():
                    self._take(schedule)
        finally:
            for future in self._out:
                future.cancel()
            await asyncio.gather(*self._out, return_exceptions=True)
        if self._fault is not None:
            raise self._fault
        schedule.end()

    def _go_on(self, schedule: Schedule) -> bool:
        """Start and send what can be by now; return whether there is anything to wait for."""
        schedule.start()
        if self._context.stop.is_set():
            schedule.call_off()
        if self._fault is None:
            with self._journaled():
                self._send_some(schedule)
        return bool(self._out)

    @contextmanager
    def _journaled(self) -> Iterator[None]:
        """Where the journal cannot be written, let what is under way come back, and send nothing more."""
        try:
            yield
        except LogError as error:
            self._fault = self._fault or error
            self._context.stop.set()

    def _send_some(self, schedule: Schedule) -> None:
        """Record that a share of what can be sent now is about to be, in one commit, and send it."""
        ready = list[tuple[str, list[Slot]]]()
        size = 0
        while schedule.due and size < SHARE:
            machine = next(iter(schedule.due))
            slots = schedule.batch(machine) if self._can_take(machine) else []
            if not slots or not self._channel.is_parallel(machine):
                del schedule.due[machine]
            if slots:
                self._busy[machine] = self._busy.get(machine, 0) + 1
                ready.append((machine, slots))
                size += len(slots)
        batches = [_sending(machine, slots) for machine, slots in ready]
        if batches:
            self._channel.started(batches)
        for batch, (_, slots) in zip(batches, ready, strict=True):
            future = asyncio.create_task(self._send(_Out(batch, slots)))
            self._out.add(future)
            future.add_done_callback(self._came_back)

    def _can_take(self, machine: str) -> bool:
        return not self._busy.get(machine) or self._channel.is_parallel(machine)

    async def _send(self, sent: _Out) -> tuple[_Out, Sequence[Any]]:
        """Send a batch, and return what was answered."""
        machine, watcher = sent.batch.machine, self._context.watcher
        instructions = [item.instruction for item in sent.batch.items]
        watcher.sent(machine, instructions)
        begin = time.perf_counter()
        outcomes = await self._channel.answer(sent.batch)
        watcher.answered(machine, instructions, outcomes, time.perf_counter() - begin)
        return sent, outcomes

    def _came_back(self, future: _Answer) -> None:
        self._back.append(future)
        self._heard.set()

    async def _hear(self, schedule: Schedule) -> None:
        """Wait for an answer, and a moment for more; where more is to be sent, only let machines work."""
        if schedule.due and self._fault is None:
            await asyncio.sleep(0)
            return
        self._heard.clear()
        if not self._back:
            await self._heard.wait()
        with suppress(TimeoutError):
            async with asyncio.timeout(TOGETHER):
                while len(self._back) < len(self._out):
                    self._heard.clear()
                    await self._heard.wait()

    def _take(self, schedule: Schedule) -> None:
        """Take a share of what was answered, and record it all in one commit."""
        size, due = 0, False
        try:
            while self._back and size < SHARE:
                future = self._back.popleft()
                self._out.discard(future)
                sent, outcomes = future.result()
                size += len(outcomes)
                due = self._answered(schedule, sent, outcomes) or due
        finally:
            self._channel.settled(due=due)

    def _answered(self, schedule: Schedule, sent: _Out, outcomes: Sequence[Any]) -> bool:
        """Hand out what was answered; tell whether it must be recorded before anything else is sent."""
        machine = sent.batch.machine
        self._busy[machine] -= 1
        if schedule.has(machine):
            schedule.due[machine] = None
        touched: dict[Task, None] = {}
        for slot, outcome in zip(sent.slots, outcomes, strict=True):
            for task, index in slot.waiters:
                if isinstance(outcome, Later):
                    task.deferred = True
                else:
                    task.receive(index, outcome)
                touched[task] = None
        for task in touched:
            schedule.touch(task)
        self._channel.finished(sent.batch, outcomes)
        return self._ended([task for task in touched if task.done])


def _sending(machine: str, slots: Sequence[Slot]) -> Sending:
    return Sending(machine, [slot.waiters[0][0].owner for slot in slots], tuple(slot.item for slot in slots))
