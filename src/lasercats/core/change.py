"""The algebra: a Change has two sides, a Delta maps addresses to changes.

Deltas that meet form a groupoid: `then` is associative, `NOTHING` is its identity, `inverse` turns
a delta round. Plan, drift, undo, squash and time travel are all this one module.
"""

from collections.abc import Iterable, Iterator, Mapping
from typing import Generic, TypeVar

import msgspec

from lasercats.core.address import Address
from lasercats.core.resource import Resource, decided_fields, same

R_co = TypeVar("R_co", bound=Resource, covariant=True)


class Change(msgspec.Struct, Generic[R_co], frozen=True, gc=False):
    """What one resource was and is; either side may be absent."""

    before: R_co | None
    after: R_co | None

    def inverse(self) -> "Change[R_co]":
        """Return the change that goes back."""
        return Change(self.after, self.before)

    @property
    def fields(self) -> tuple[str, ...]:
        """The names of the decided fields that differ between the sides."""
        sides = self.before or self.after
        if sides is None or same(self.before, self.after):
            return ()
        names = decided_fields(type(sides))
        return tuple(n for n in names if getattr(self.before, n, None) != getattr(self.after, n, None))

    @property
    def verb(self) -> str:
        """`create`, `remove`, `change`, or `keep` where no decided field differs."""
        if self.before is None:
            return "keep" if self.after is None else "create"
        if self.after is None:
            return "remove"
        return "change" if self.fields else "keep"


class Delta(Mapping[Address, Change[Resource]]):
    """An immutable map from addresses to changes; a change whose sides are equal is dropped."""

    __slots__ = ("_changes",)

    def __init__(self, changes: Mapping[Address, Change[Resource]] | None = None) -> None:
        """Keep those of the changes that change something."""
        items = (changes or {}).items()
        self._changes = {address: change for address, change in items if change.before != change.after}

    def __getitem__(self, address: Address) -> Change[Resource]:
        """Return the change at an address."""
        return self._changes[address]

    def __iter__(self) -> Iterator[Address]:
        """Iterate over the addresses, in the order in which they were given."""
        return iter(self._changes)

    def __len__(self) -> int:
        """Count the changes."""
        return len(self._changes)

    def __eq__(self, other: object) -> bool:
        """Compare as maps."""
        return isinstance(other, Delta) and self._changes == other._changes

    def __hash__(self) -> int:
        """Hash as the set of changes."""
        return hash(frozenset(self._changes.items()))

    def __repr__(self) -> str:
        """Show the map."""
        return f"Delta({self._changes!r})"

    def then(self, later: "Delta") -> "Delta":
        """Compose: the first's `before` with the last's `after`.

        Raises:
            ValueError: the deltas do not meet: the later one starts from what this one did not leave.

        """
        return composed([self, later])

    def inverse(self) -> "Delta":
        """Return the delta that goes back."""
        return Delta({address: change.inverse() for address, change in self._changes.items()})


NO_CHANGES = Delta()
"""The identity."""


def composed(deltas: Iterable[Delta]) -> Delta:
    """Compose deltas, each starting from what those before it left.

    Raises:
        ValueError: one does not meet what was left.

    """
    changes: dict[Address, Change[Resource]] = {}
    for delta in deltas:
        for address, change in delta.items():
            first = changes.get(address)
            if first is None:
                changes[address] = change
            elif first.after != change.before:
                raise ValueError(f"the deltas do not meet at {address}")
            elif first.before == change.after:
                del changes[address]
            else:
                changes[address] = Change(first.before, change.after)
    return Delta(changes)
