"""The order of changes: what must wait for what, what may go at once, and what goes in turns.

Two changes touch each other when one is at, needs or rivals the address of the other. A command whose effect
is not in the state may touch anything in its lane, which is its machine, so it waits for all before it there
and all after it wait for it.
"""

from collections.abc import Callable, Hashable, Iterable
from typing import Generic, TypeVar

from lasercats.core.address import Address
from lasercats.core.change import Change
from lasercats.core.reference import moved
from lasercats.core.registry import HELD, Kinds
from lasercats.core.resource import Resource

T = TypeVar("T", bound=Hashable)
Lane = Callable[[Address], str | None]


class Dependencies(Generic[T]):
    """Remembers, in order, which task touches what; a task is whatever its user makes of it."""

    def __init__(self, kinds: Kinds, lane: Lane | None = None) -> None:
        """Ask the kinds for needs and rivals, and `lane`, if given, for the lane of an address."""
        self._kinds, self._lane = kinds, lane or kinds.machine_of
        self._writer: dict[Address, T] = {}
        self._readers: dict[Address, list[T]] = {}
        self._barrier: dict[str | None, T] = {}
        self._since: dict[str | None, list[T]] = {}

    def after(self, address: Address, change: Change[Resource]) -> list[T]:
        """Return the earlier tasks that a change must wait for."""
        return self._after(address, touched(self._kinds, address, change))

    def add(self, address: Address, change: Change[Resource], task: T) -> list[T]:
        """Remember the task of a change; return the earlier tasks that it must wait for."""
        around = touched(self._kinds, address, change)
        before = self._after(address, around)
        self._writer[address] = task
        self._readers[address] = []
        for other in around:
            if other.startswith(HELD):
                self._writer[other] = task
            elif other != address:
                self._readers.setdefault(other, []).append(task)
        self._since.setdefault(self._lane(address), []).append(task)
        return before

    def _after(self, address: Address, around: list[Address]) -> list[T]:
        tasks = [self._writer[a] for a in around if a in self._writer]
        tasks += self._readers.get(address, ())
        lane = self._lane(address)
        return list(dict.fromkeys([*tasks, self._barrier[lane]] if lane in self._barrier else tasks))

    def barrier(self, address: Address) -> list[T]:
        """Return the earlier tasks that a command at an address must wait for, as it may touch anything."""
        lane = self._lane(address)
        before = [self._barrier[lane]] if lane in self._barrier else []
        return [*self._since.get(lane, ()), *before]

    def set_barrier(self, address: Address, task: T) -> None:
        """Remember a command that may touch anything."""
        lane = self._lane(address)
        self._barrier[lane] = task
        self._since[lane] = []


def touched(kinds: Kinds, address: Address, change: Change[Resource]) -> list[Address]:
    """Return the addresses that a change touches: its own, its rivals, and what either side needs.

    Where it moves something from one thing to another, as a volume between instances, that is among them, and
    so is what it takes for itself or lets go of.
    """
    kind = kinds.kind(address)
    found = [address, *kind.rivals(address)]
    for side in (change.before, change.after):
        if side is not None:
            found += kind.needs(address, side)
    found += [Address(f"{HELD}{holder}") for holder in moved(change.before, change.after)]
    found += sorted({*kinds.held(address, change.before)} ^ {*kinds.held(address, change.after)})
    return list(dict.fromkeys(found))


def turns(tasks: Iterable[tuple[T, Address, Iterable[T]]], size: int) -> list[list[T]]:
    """Return tasks in turns that follow each other, in each so many addresses that are new; no empty one.

    Each task has its address and the earlier tasks that it waits for. All tasks at an address are in one turn
    where that can be; one that waits for what has its turn later has it then, too.
    """
    place, turn, found = dict[Address, int](), dict[T, int](), dict[int, list[T]]()
    for task, address, after in tasks:
        own = place.setdefault(address, len(place)) // size
        turn[task] = max([own, *(turn[other] for other in after if other in turn)])
        found.setdefault(turn[task], []).append(task)
    return [found[n] for n in sorted(found)]
