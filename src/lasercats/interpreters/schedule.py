"""The schedule: which tasks can go on, and what can go into the next batch for a machine.

A task is looked at again only when something happened to it or to what it comes after, and what is ready is
kept by machine, in the order of the tasks; so a run takes as many steps for each task however many there are.
"""

from collections.abc import Iterable, Sequence
from heapq import heappop, heappush
from typing import NamedTuple

from lasercats.core.instruction import Instruction, Item
from lasercats.interpreters.task import CANCELLED, Task

MOST = 5000
"""The most instructions in one batch."""


class Slot(NamedTuple):
    """One instruction of a batch and who waits for it."""

    item: Item
    waiters: list[tuple[Task, int]]


class _Place(NamedTuple):
    """A task that has something for a machine, and the first instruction that is meant."""

    number: int
    first: int


class Schedule:
    """What of some tasks can start, and what can be sent; whoever answers a task tells by `touch`."""

    def __init__(self, tasks: Sequence[Task]) -> None:
        """Begin with tasks that were not started; each comes after earlier ones."""
        self._tasks = tasks
        self._fresh = list(range(len(tasks)))
        """A heap of what may start, or be given up, by now."""
        self._ready: dict[str, dict[bool, list[_Place]]] = {}
        """For each machine the heaps of what can be sent: of what does not wait, and of what does."""
        self._touched: list[Task] = []
        self._stopped = False
        self.due: dict[str, None] = {}
        """The machines for which something came to be ready; whoever takes a batch takes them away."""
        for number, task in enumerate(tasks):
            task.number = number
            for other in task.after:
                if not other.done:
                    task.left += 1
                    other.behind.append(task)

    def start(self) -> None:
        """Start, or give up, what can be by now, in order."""
        while self._fresh:
            task = self._tasks[heappop(self._fresh)]
            if task.done or task.sent:
                continue
            failed = task.stopper()
            if failed is not None:
                task.skip(failed)
            elif not task.waiting and (task.single or not task.left):
                task.start()
            self._take_note(task)

    def touch(self, task: Task) -> None:
        """Take note that a task was answered."""
        if self._stopped:
            self._touched.append(task)
        if task.single and task.waiting:  # what it comes after may have failed meanwhile
            heappush(self._fresh, task.number)
        else:
            self._take_note(task)

    def call_off(self) -> None:
        """Call off what is under way; from now on only what has acted is sent, so that it looks."""
        some: Iterable[Task] = self._touched
        if not self._stopped:
            self._stopped, some = True, self._tasks
            self._ready, self.due = {}, {}
        for task in [task for task in some if task.acted and not task.done]:
            task.call_off()
            self._take_note(task)
        self._touched = []

    def end(self) -> None:
        """Give up what is left, but for what a person has in hand, and what comes after that."""
        for task in self._tasks:
            if not task.done:
                task.deferred = task.deferred or any(other.deferred for other in task.after)
                if not task.deferred:
                    task.cancelled = True
                    task.fail(CANCELLED)

    def has(self, machine: str) -> bool:
        """Tell whether something is ready for a machine."""
        return any(self._ready.get(machine, {}).values())

    def batch(self, machine: str) -> list[Slot]:
        """Take what can go into the next batch for a machine, in order; nothing where nothing can."""
        heaps = [heap for heap in self._ready.get(machine, {}).values() if heap]
        if not heaps:
            return []
        ready, made = min(heaps, key=lambda heap: heap[0]), _Batch(machine)
        while (ready or made.chained) and len(made.slots) < MOST and not made.closed:
            heap = made.chained if not ready or (made.chained and made.chained[0] < ready[0]) else ready
            task = self._tasks[heappop(heap).number]
            if not task.done:
                made.add(task)
                if made.closed:
                    self._take_note(task)
        return made.slots or self.batch(machine)  # what is over is taken off, so there is less each time

    def _take_note(self, task: Task) -> None:
        """Have what comes after a task looked at where it is done; where not, let it be sent."""
        if task.done:
            behind, task.behind = task.behind, []
            for other in behind:
                other.left -= 1
                if task.failure is not None or not other.left:
                    heappush(self._fresh, other.number)
        elif not task.left and (task.acted or not self._stopped):
            self._make_ready(task)

    def _make_ready(self, task: Task) -> None:
        first: dict[tuple[str, bool], int] = {}
        for index, instruction in task.waiting.items():
            if index not in task.sent:
                first.setdefault((instruction.machine, instruction.waits), index)
        for (machine, waits), index in first.items():
            heaps = self._ready.setdefault(machine, {})
            heappush(heaps.setdefault(waits, []), _Place(task.number, index))
            self.due[machine] = None


class _Batch:
    """A batch as it is put together: equal looks are made once, and what depends on a step goes behind it."""

    def __init__(self, machine: str) -> None:
        self.slots: list[Slot] = []
        self.chained: list[_Place] = []
        """A heap of what waits for nothing but what is in the batch."""
        self.closed = False
        self._machine = machine
        self._given: dict[Instruction, int] = {}
        self._placed: dict[Task, int] = {}
        self._left: dict[Task, int] = {}
        """How many that a task comes after are neither done nor in the batch."""

    def add(self, task: Task) -> None:
        """Put in what a task waits for, as far as that can be."""
        others = tuple(self._placed[other] for other in task.after if not other.done) if task.left else ()
        for index, instruction in task.waiting.items():
            if instruction.machine != self._machine or index in task.sent:
                continue
            if self.slots and instruction.waits != self.slots[0].item.instruction.waits:
                continue
            after = () if instruction.early else others
            if task.single and index and task in self._placed:
                after = (*after, self._placed[task])  # each waits for the one before it
            n = self._slot(instruction, after)
            self.slots[n].waiters.append((task, index))
            task.sent.add(index)
            if task.single:
                self._place(task, n)
            if instruction.alone:
                self.closed = True
                return

    def _slot(self, instruction: Instruction, after: tuple[int, ...]) -> int:
        """Return the place of an instruction, which may stand there for others already."""
        shared = instruction.early or (instruction.looks and not after)
        if shared and instruction in self._given:
            return self._given[instruction]
        self.slots.append(Slot(Item(instruction, after), []))
        if instruction.looks or instruction.early:
            self._given[instruction] = len(self.slots) - 1
        return len(self.slots) - 1

    def _place(self, task: Task, n: int) -> None:
        """Note where a step stands, and what may come behind it."""
        new = task not in self._placed
        self._placed[task] = n
        for other in task.behind if new else ():
            left = self._left[other] = self._left.get(other, other.left) - 1
            if not left and other.single and other.waiting:
                heappush(self.chained, _Place(other.number, 0))
