"""The driver: runs many programs at once and hands each machine one batch of all they wait for.

Programs are written for one resource and know nothing of each other. The driver runs every program that is
ready until it waits, gathers the instructions by machine, drops repeated looks, and sends each machine one
batch; machines work side by side, and one that can take several batches at once is given them. A program that
depends on programs whose instructions are known beforehand (`Step`) goes into the same batch behind them.

What a person does is answered later: then a program waits, and so does all that depends on it, and the driver
is done when nothing else is left to do.

What has acted is never given up as if it had not: a program that changed something and then fails, without
telling what it leaves, is in doubt. One that is called off in the middle may still look.
"""

import asyncio
import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any, NamedTuple, Protocol

from msgspec.structs import replace

from lasercats.core.errors import LaserCatsError, LogError, Refused
from lasercats.core.instruction import (
    Failure,
    Instruction,
    InstructionFailed,
    Item,
    Later,
    PartlyDone,
    not_tried,
)
from lasercats.core.loose import ODD
from lasercats.core.program import Program, Request, Step, answer, generator, instructions
from lasercats.core.record import batch_token
from lasercats.interpreters.context import Context

MOST = 5000
"""The most instructions in one batch."""
CANCELLED = Failure(reason="cancelled before it was sent", skipped=True)


class Task:
    """A program on its way: what it depends on, what it waits for, what became of it."""

    def __init__(
        self,
        program: "Step | Program[Any]",
        owner: int = 0,
        after: Iterable["Task"] = (),
        token: str = "",
    ) -> None:
        """Run `program` for the command at position `owner`, after other tasks succeeded.

        No other task, of this or any other run, may have the same `token`.
        """
        self._token, self._given = token, 0
        self.owner = owner
        self.after = tuple(after)
        self.single = isinstance(program, Step)
        self.done = False
        self.deferred = False
        """True when a person has one of its instructions in hand."""
        self.sent: set[int] = set()
        """Which of its instructions are with a machine."""
        self.result: Any = None
        self.failure: Failure | None = None
        self.cancelled = False
        """True when the operator stopped it."""
        self.partly = False
        """True when it failed after it had changed something; its result is then what it leaves."""
        self.acted = False
        """True when a machine did something for it, or may have."""
        self.notes: list[str] = []
        """What machines noted of how they did it."""
        self._program = generator(program)
        self._request: Request = ()
        self.waiting: dict[int, Instruction] = {}
        self._outcomes: dict[int, Any] = {}

    @property
    def blame(self) -> str:
        """What is told to have failed, where others are not tried for its failure."""
        return f"command {self.owner}"

    def stopper(self) -> "Task | None":
        """Return what came before it and failed, so that it is not tried."""
        return next((other for other in self.after if other.failure is not None), None)

    def skip(self, failed: "Task") -> None:
        """Give it up before it is tried."""
        self.fail(not_tried(failed.blame))

    def start(self) -> None:
        """Run to the first instruction."""
        self._advance(lambda: next(self._program))

    def receive(self, index: int, outcome: Any) -> None:  # noqa: ANN401
        """Take the outcome of one instruction; go on when all are there."""
        if self.waiting[index].tidies and isinstance(outcome, Failure):
            self.notes.append(f"{self.waiting[index].line()}: {outcome.reason}")
            outcome = self.waiting[index].predict()
        self._outcomes[index] = outcome
        self.notes += getattr(outcome, "notes", ())
        self.acted = _did(self.waiting.pop(index), outcome) or self.acted
        self.sent.discard(index)
        if self.waiting:
            return
        outcomes = tuple(self._outcomes[i] for i in sorted(self._outcomes))
        try:
            value = answer(self._request, outcomes)
        except InstructionFailed as failed:
            error = failed
            self._advance(lambda: self._program.throw(error))
        else:
            self._advance(lambda: self._program.send(value))

    def _marked(self, instruction: Instruction) -> Instruction:
        self._given += 1
        return instruction.once(f"{self._token}-{self._given}")

    def fail(self, failure: Failure) -> None:
        """Give it up; what it did by then is in doubt until somebody looks."""
        if self.acted and not failure.in_doubt:
            failure = replace(failure, in_doubt=True)
        self._end(failure)

    def call_off(self) -> None:
        """Have nothing more sent for it that acts, or takes its time; it may look at what it leaves."""
        while left := [n for n, i in self.waiting.items() if n not in self.sent and _can_be_left(i)]:
            self.cancelled = True
            for index in left:
                self.receive(index, CANCELLED)

    def _end(self, failure: Failure) -> None:
        self.done, self.failure = True, failure
        self.waiting, self.sent = {}, set()

    def _advance(self, step: Any) -> None:  # noqa: ANN401
        try:
            self._request = step()
        except StopIteration as stop:
            self.done, self.result = True, stop.value
        except PartlyDone as failed:
            self._end(failed.failure)
            self.partly, self.result = True, failed.left
        except InstructionFailed as failed:
            self.fail(failed.failure)
        except Refused as refused:
            self.fail(Failure(reason=str(refused)))
        except ODD as error:  # an answer that its program did not foresee; it fails for itself alone
            self.fail(Failure(reason=f"the answer cannot be understood: {error!r}"))
        else:
            asked = instructions(self._request)
            self.waiting, self._outcomes = dict(enumerate(map(self._marked, asked))), {}
            if not asked:
                self._advance(lambda: self._program.send(()))


def _can_be_left(instruction: Instruction) -> bool:
    """Tell whether an instruction need not be sent any more: it acts, or takes its time."""
    return instruction.waits or not (instruction.looks or instruction.tidies)


def _did(instruction: Instruction, outcome: Any) -> bool:  # noqa: ANN401
    """Tell whether an instruction changed something, or may have; what a person did is what they report."""
    failed = isinstance(outcome, Failure) and not outcome.in_doubt
    return not (failed or instruction.looks or instruction.tidies or instruction.by_hand)


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


class _Slot:
    """One instruction of a batch and who waits for it."""

    def __init__(self, instruction: Instruction, after: tuple[int, ...]) -> None:
        self.item = Item(instruction, after)
        self.waiters: list[tuple[Task, int]] = []


class _Sent(NamedTuple):
    """A batch that is with its machine."""

    machine: str
    slots: Sequence[_Slot]
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

    async def run(self, tasks: Sequence[Task]) -> None:
        """Run all tasks; each is done at the end, with a result or a failure."""
        waiting = list(tasks)
        busy: dict[_Answer, str] = {}
        try:
            while True:
                self._start_ready(waiting)
                waiting = [task for task in waiting if not task.done]
                able = self._called_off(waiting) if self._context.stop.is_set() else waiting
                if self._fault is None:
                    with self._journaled():
                        for sent in self._sent(self._ready(able, set(busy.values()))):
                            busy[asyncio.create_task(self._send(sent))] = sent.machine
                if not busy:
                    break
                finished, _ = await asyncio.wait(busy, return_when=asyncio.FIRST_COMPLETED)
                with self._journaled():
                    self._take(finished, busy)
        finally:
            for future in busy:
                future.cancel()
        if self._fault is not None:
            raise self._fault
        for task in waiting:
            task.deferred = task.deferred or any(other.deferred for other in task.after)
            if not task.deferred:
                task.cancelled = True
                task.fail(CANCELLED)

    def _called_off(self, tasks: Sequence[Task]) -> list[Task]:
        """Call off what is under way; return what still has to look at what it leaves."""
        acted = [task for task in tasks if task.acted]
        for task in acted:
            task.call_off()
        return [task for task in acted if not task.done]

    @contextmanager
    def _journaled(self) -> Iterator[None]:
        """Where the journal cannot be written, let what is under way come back, and send nothing more."""
        try:
            yield
        except LogError as error:
            self._fault = self._fault or error
            self._context.stop.set()

    def _start_ready(self, tasks: Sequence[Task]) -> None:
        for task in tasks:
            if task.done or task.sent:
                continue
            failed = task.stopper()
            if failed is not None:
                task.skip(failed)
            elif not task.waiting and (task.single or all(other.done for other in task.after)):
                task.start()

    def _gather(self, machine: str, tasks: Sequence[Task]) -> list[_Slot]:
        """Collect what can go into the next batch for a machine, in order."""
        slots: list[_Slot] = []
        given: dict[Instruction, int] = {}
        placed: dict[int, int] = {}
        for task in tasks:
            if task.done or len(slots) >= MOST:
                continue
            before = [other for other in task.after if not other.done]
            if not all(id(other) in placed for other in before):
                continue
            others = tuple(placed[id(other)] for other in before)
            for index, instruction in task.waiting.items():
                if instruction.machine != machine or index in task.sent:
                    continue
                after = () if instruction.early else others
                if task.single and index and id(task) in placed:
                    after = (*after, placed[id(task)])  # each waits for the one before it
                if slots and instruction.waits != slots[0].item.instruction.waits:
                    continue
                shared = instruction.early or (instruction.looks and not after)
                n = given.get(instruction) if shared else None
                if n is None:
                    n = len(slots)
                    slots.append(_Slot(instruction, after))
                    if instruction.looks or instruction.early:
                        given[instruction] = n
                slots[n].waiters.append((task, index))
                task.sent.add(index)
                if task.single:
                    placed[id(task)] = n
                if instruction.alone:
                    return slots
        return slots

    def _idle(self, tasks: Sequence[Task], busy: set[str]) -> list[str]:
        """Return the machines that some task waits for and that can take a batch."""
        waiting = (i for task in tasks for n, i in task.waiting.items() if n not in task.sent)
        machines = dict.fromkeys(instruction.machine for instruction in waiting)
        return [machine for machine in machines if machine not in busy or self._is_parallel(machine)]

    def _is_parallel(self, machine: str) -> bool:
        return getattr(self._context.machines.get(machine), "parallel", False)

    def _take(self, finished: Iterable[_Answer], busy: dict[_Answer, str]) -> None:
        """Take what was answered, and record it all in one commit."""
        try:
            for future in finished:
                del busy[future]
                self._answered(*future.result())
        finally:
            if self._journal is not None:
                self._journal.settled()

    def _ready(self, waiting: Sequence[Task], busy: set[str]) -> Iterator[tuple[str, list[_Slot]]]:
        """Iterate over the batches that can be sent now."""
        for machine in self._idle(waiting, busy):
            while slots := self._gather(machine, waiting):
                yield machine, slots
                if not self._is_parallel(machine):
                    break

    def _sent(self, ready: Iterable[tuple[str, list[_Slot]]]) -> list[_Sent]:
        """Record that batches are about to be sent, all in one commit."""
        sending = []
        for machine, slots in ready:
            after = {n: slot.item.after for n, slot in enumerate(slots) if slot.item.after}
            owners = [slot.waiters[0][0].owner for slot in slots]
            sending.append(
                (Sending(machine, owners, [slot.item.instruction for slot in slots], after), slots)
            )
        started: Sequence[int] = [0] * len(sending)
        if self._journal is not None and sending:
            started = self._journal.started([batch for batch, _ in sending])
        return [
            _Sent(batch.machine, slots, position)
            for (batch, slots), position in zip(sending, started, strict=True)
        ]

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

    def _answered(self, sent: _Sent, outcomes: Sequence[Any]) -> None:
        """Hand out what was answered."""
        touched: dict[int, Task] = {}
        for slot, outcome in zip(sent.slots, outcomes, strict=True):
            for task, index in slot.waiters:
                if isinstance(outcome, Later):
                    task.deferred = True
                else:
                    task.receive(index, outcome)
                touched[id(task)] = task
        if self._journal is not None:
            self._journal.finished(sent.started, outcomes, [task for task in touched.values() if task.done])
