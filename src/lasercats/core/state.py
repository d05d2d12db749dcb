"""State: an immutable map from addresses to resources, the fold of the log.

An address can be *present*, *known to be absent* (something removed it), or *unknown* (the log never
spoke of it). Deciding uses that difference; comparing two states does not.
"""

from collections.abc import Callable, Hashable, Iterable, Iterator, Mapping
from typing import NamedTuple, TypeAlias

from immutables import Map

from lasercats.core.address import Address
from lasercats.core.change import Change, Delta
from lasercats.core.resource import Resource

Index: TypeAlias = Callable[[Address, Resource], Iterable[Hashable]]
"""Tells under which keys a resource is found: the rack that it stands in."""


class StateEntry(NamedTuple):
    """What is known of an address: the position that said so, and the resource or its absence."""

    version: int
    resource: Resource | None
    forgotten: bool = False
    """True when it is no longer known whether something is there."""
    was: Resource | None = None
    """What was there before, where that was taken away by what this state came of since it was loaded."""


_UNKNOWN = StateEntry(0, None, forgotten=True)
"""What is known of an address that the log never spoke of."""


class State:
    """What is known of the infrastructure at one position of the log."""

    __slots__ = ("_entries", "_indices", "position")

    def __init__(self, entries: "Map[Address, StateEntry] | None" = None, position: int = 0) -> None:
        """Hold the entries as of a position."""
        self._entries: Map[Address, StateEntry] = Map() if entries is None else entries
        self._indices: Map[Index, Map[Hashable, tuple[Address, ...]]] = Map()
        self.position = position

    @classmethod
    def of(cls, resources: Mapping[Address, Resource], position: int = 0) -> "State":
        """Make a state in which just these resources are present."""
        return cls(Map({a: StateEntry(position, r) for a, r in resources.items()}), position)

    def get(self, address: Address) -> Resource | None:
        """Return the resource, or None when it is absent or unknown."""
        return self._entries.get(address, _UNKNOWN).resource

    def known_absent(self, address: Address) -> bool:
        """Tell whether the log says that nothing is at the address."""
        entry = self._entries.get(address, _UNKNOWN)
        return entry.resource is None and not entry.forgotten

    def formerly(self, address: Address) -> Resource | None:
        """Return what was there until it was taken away to be made anew; None where that is not so."""
        entry = self._entries.get(address, _UNKNOWN)
        return entry.was if entry.resource is None else None

    def version(self, address: Address) -> int:
        """Return the position that last changed the address, 0 if none did."""
        return self._entries.get(address, _UNKNOWN).version

    def items(self) -> Iterator[tuple[Address, Resource]]:
        """Iterate over the resources that are present."""
        for address, entry in self._entries.items():
            if entry.resource is not None:
                yield address, entry.resource

    def having(self, by: Index, key: Hashable) -> Iterator[tuple[Address, Resource]]:
        """Iterate over the resources that are found under a key.

        What is found for one state is kept for those that come of it, so that asking often is cheap.
        """
        if by not in self._indices:
            groups: dict[Hashable, list[Address]] = {}
            for address, resource in self.items():
                for name in by(address, resource):
                    groups.setdefault(name, []).append(address)
            index = Map({name: tuple(sorted(addresses)) for name, addresses in groups.items()})
            self._indices = self._indices.set(by, index)
        for address in self._indices[by].get(key, ()):
            found = self.get(address)
            if found is not None:
                yield address, found

    def on(self, place: str) -> Iterator[tuple[Address, Resource]]:
        """Iterate over the resources whose addresses begin with a place and a colon: `switch.lag/sw1`."""
        return self.having(_place, place)

    def resources(self) -> dict[Address, Resource]:
        """Return the present resources, sorted by address."""
        return dict(sorted(self.items()))

    def apply(self, delta: Delta, position: int | None = None) -> "State":
        """Return the state after a delta."""
        at = self.position if position is None else position
        new = {a: StateEntry(at, c.after, was=None if c.after else self._was(a)) for a, c in delta.items()}
        return State(self._entries.update(new), at)

    def holding(self, address: Address, resource: Resource | None, *, forgotten: bool = False) -> "State":
        """Return the state in which one address holds this."""
        version = self.version(address) if forgotten else self.position
        entry = StateEntry(
            version, resource, forgotten, None if resource or forgotten else self._was(address)
        )
        state = State(self._entries.set(address, entry), self.position)
        state._indices = self._indices
        for by, index in self._indices.items():  # an index for each way that was asked for
            changed = _reindexed(index, by, address, self.get(address), resource)
            if changed is not index:
                state._indices = state._indices.set(by, changed)
        return state

    def _was(self, address: Address) -> Resource | None:
        entry = self._entries.get(address, _UNKNOWN)
        return entry.resource or entry.was

    def forget(self, addresses: Iterable[Address]) -> "State":
        """Return the state in which nothing is known of these addresses."""
        new = {a: StateEntry(self.version(a), None, forgotten=True) for a in addresses}
        return State(self._entries.update(new), self.position)

    def put(self, resources: Iterable[tuple[Address, Resource | None]]) -> "State":
        """Return the state with these addresses set, or absent where None."""
        changes = {address: Change(self.get(address), resource) for address, resource in resources}
        return self.apply(Delta(changes))

    def absent(self, addresses: Iterable[Address]) -> "State":
        """Return the state in which it is known that nothing is at these addresses."""
        new = dict.fromkeys(addresses, StateEntry(self.position, None))
        return State(self._entries.update(new), self.position)

    def __eq__(self, other: object) -> bool:
        """Two states are equal when the same resources are present."""
        return isinstance(other, State) and dict(self.items()) == dict(other.items())

    def __hash__(self) -> int:
        """Hash as the set of what is present."""
        return hash(frozenset(self.items()))

    def __repr__(self) -> str:
        """Show the present resources."""
        return f"State({self.resources()!r}, position={self.position})"


def _place(address: Address, _resource: Resource) -> tuple[str, ...]:
    return (address.partition(":")[0],)


def _reindexed(
    index: "Map[Hashable, tuple[Address, ...]]",
    by: Index,
    address: Address,
    before: Resource | None,
    after: Resource | None,
) -> "Map[Hashable, tuple[Address, ...]]":
    """Return an index in which an address holds something else."""
    old = () if before is None else tuple(by(address, before))
    new = () if after is None else tuple(by(address, after))
    for key in old if old != new else ():
        index = index.set(key, tuple(other for other in index[key] if other != address))
    for key in new if old != new else ():
        index = index.set(key, (*index.get(key, ()), address))
    return index


def diff(before: State, after: State) -> Delta:
    """Return the delta with `a.apply(diff(a, b)) == b`."""
    old, new = dict(before.items()), dict(after.items())
    addresses = sorted(old.keys() | new.keys())
    return Delta({a: Change(old.get(a), new.get(a)) for a in addresses})
