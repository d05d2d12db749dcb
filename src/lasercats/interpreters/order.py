"""The order of changes: what must wait for what, and what may go at once.

Two changes touch each other when one is at, needs or rivals the address of the other. A raw command on a
machine may touch anything there, so it waits for all before it and all after it wait for it.
"""

from lasercats.core.address import Address, machine_of
from lasercats.core.change import Change
from lasercats.core.kind import Kinds
from lasercats.core.resource import Resource
from lasercats.interpreters.driver import Task


class Order:
    """Remembers, in order, which task touches what."""

    def __init__(self, kinds: Kinds) -> None:
        """Ask the kinds for needs and rivals."""
        self._kinds = kinds
        self._writer: dict[Address, Task] = {}
        self._readers: dict[Address, list[Task]] = {}
        self._barrier: dict[str | None, Task] = {}
        self._since: dict[str | None, list[Task]] = {}

    def after(self, address: Address, change: Change[Resource]) -> list[Task]:
        """Return the earlier tasks that a change must wait for."""
        tasks = [self._writer[a] for a in self._touched(address, change) if a in self._writer]
        tasks += self._readers.get(address, ())
        barrier = self._barrier.get(machine_of(address))
        return list(dict.fromkeys(tasks if barrier is None else [*tasks, barrier]))

    def add(self, address: Address, change: Change[Resource], task: Task) -> None:
        """Remember the task of a change."""
        self._writer[address] = task
        self._readers[address] = []
        for touched in self._touched(address, change):
            if touched != address:
                self._readers.setdefault(touched, []).append(task)
        self._since.setdefault(machine_of(address), []).append(task)

    def barrier(self, machine: str | None) -> list[Task]:
        """Return the earlier tasks that a raw command on a machine must wait for."""
        before = self._barrier.get(machine)
        return [*self._since.get(machine, ()), *([] if before is None else [before])]

    def set_barrier(self, machine: str | None, task: Task) -> None:
        """Remember a raw command on a machine."""
        self._barrier[machine] = task
        self._since[machine] = []

    def _touched(self, address: Address, change: Change[Resource]) -> list[Address]:
        kind = self._kinds.kind(address)
        touched = [address, *kind.rivals(address)]
        for side in (change.before, change.after):
            if side is not None:
                touched += kind.needs(address, side)
        return list(dict.fromkeys(touched))
