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
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from typing import Any, NamedTuple, Protocol

from lasercats.core.errors import LaserCatsError, LogError
from lasercats.core.instruction import Failure, Instruction, Later
from lasercats.core.record import batch_token
from lasercats.interpreters.context import Context
from lasercats.interpreters.schedule import Schedule, Slot
from lasercats.interpreters.task import Task

TOGETHER = 0.003
"""Seconds for which answers are awaited that can be recorded together with one that is there."""
SHARE = 5000
"""The instructions after which what is sent, or was answered, is recorded, though there is more."""


class Sending(NamedTuple):
    """A batch that is about to be sent."""

    machine: str
    owners: Sequence[int]
    instructions: Sequence[Instruction]
    after: Mapping[int, tuple[int, ...]]
    """What in it depends on what."""


class Journal(Protocol):
    """Records batches; the live interpreter writes them to the log."""

    def started(self, batches: Sequence[Sending]) -> Sequence[int]:
        """Record, durably and all at once, that batches are about to be sent."""
        ...

    def finished(self, started: int, outcomes: Sequence[Any], tasks: Sequence[Task]) -> None:
        """Record that one came back, and the tasks that it ended; what is answered `Later` did not."""
        ...

    def settled(self) -> None:
        """Make durable what came back."""
        ...


class _Sent(NamedTuple):
    """A batch that is with its machine."""

    machine: str
    slots: Sequence[Slot]
    started: int
    """The position at which it is recorded."""


_Answer = asyncio.Task[tuple[_Sent, Sequence[Any]]]
"""A batch on its way, and what comes of it."""


class Driver:
    """Runs tasks to their end."""

    def __init__(self, context: Context, journal: Journal | None = None) -> None:
        """Use the machines and the watcher of a context."""
        self._context = context
        self._journal = journal
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
            if not slots or not self._is_parallel(machine):
                del schedule.due[machine]
            if slots:
                self._busy[machine] = self._busy.get(machine, 0) + 1
                ready.append((machine, slots))
                size += len(slots)
        for sent in self._recorded(ready):
            future = asyncio.create_task(self._send(sent))
            self._out.add(future)
            future.add_done_callback(self._came_back)

    def _can_take(self, machine: str) -> bool:
        return not self._busy.get(machine) or self._is_parallel(machine)

    def _is_parallel(self, machine: str) -> bool:
        return getattr(self._context.machines.get(machine), "parallel", False)

    def _recorded(self, ready: Sequence[tuple[str, list[Slot]]]) -> list[_Sent]:
        """Record that batches are about to be sent, all in one commit."""
        sending = []
        for machine, slots in ready:
            after = {n: slot.item.after for n, slot in enumerate(slots) if slot.item.after}
            owners = [slot.waiters[0][0].owner for slot in slots]
            sending.append(Sending(machine, owners, [slot.item.instruction for slot in slots], after))
        started: Sequence[int] = [0] * len(sending)
        if self._journal is not None and sending:
            started = self._journal.started(sending)
        return [_Sent(*pair, position) for pair, position in zip(ready, started, strict=True)]

    async def _send(self, sent: _Sent) -> tuple[_Sent, Sequence[Any]]:
        """Send a batch, and return what was answered."""
        machine, slots = sent.machine, sent.slots
        instructions = [slot.item.instruction for slot in slots]
        watcher = self._context.watcher
        watcher.sent(machine, instructions)
        begin = time.perf_counter()
        try:
            batch = tuple(slot.item for slot in slots)
            token = batch_token(self._context.run, sent.started)
            outcomes = await self._context.machines.get(machine).run(batch, watcher.output, token)
            if len(outcomes) != len(slots):
                raise ValueError(f"{len(outcomes)} outcomes for {len(slots)} instructions")
        except LaserCatsError as error:  # the machine, or the key of a secret; nothing was sent
            outcomes = [Failure(reason=str(error)) for _ in slots]
        except Exception as error:
            fact = f"machine {machine}: its answer cannot be understood: {error!r}"
            outcomes = [Failure(reason=fact, in_doubt=not i.looks) for i in instructions]
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
        size = 0
        try:
            while self._back and size < SHARE:
                future = self._back.popleft()
                self._out.discard(future)
                sent, outcomes = future.result()
                size += len(outcomes)
                self._answered(schedule, sent, outcomes)
        finally:
            if self._journal is not None:
                self._journal.settled()

    def _answered(self, schedule: Schedule, sent: _Sent, outcomes: Sequence[Any]) -> None:
        """Hand out what was answered."""
        self._busy[sent.machine] -= 1
        if schedule.has(sent.machine):
            schedule.due[sent.machine] = None
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
        if self._journal is not None:
            self._journal.finished(sent.started, outcomes, [task for task in touched if task.done])
