"""The fold of a log: the state, and which commands are still open, as of a position.

It keeps resources in their encoded form, so that folding costs the same for every kind; what is wanted
is decoded once, at the end.
"""

from collections.abc import Iterable, Mapping
from typing import NamedTuple

import msgspec
from immutables import Map

from lasercats.core.address import Address
from lasercats.core.command import Forget
from lasercats.core.errors import LogConflict
from lasercats.core.kind import Kinds
from lasercats.core.record import FORGOTTEN, NULL, Accepted, AnyEntry, Ended, Event
from lasercats.core.state import Entry, State


class Open(NamedTuple):
    """A command that was accepted and has not ended."""

    run: str
    process: str
    actor: str
    claims: tuple[Address, ...]


class Fold(msgspec.Struct):
    """An accumulator over records, in order."""

    position: int = 0
    entries: dict[Address, tuple[int, msgspec.Raw]] = {}
    """For each address: the position that last changed it, and the encoded resource or null."""
    open: dict[int, Open] = {}
    claims: dict[Address, list[int]] = {}
    """For each claimed address, the open commands that claim it."""

    def add(self, position: int, entry: AnyEntry) -> None:
        """Take in the next record."""
        self.position = position
        if isinstance(entry, Event):
            forgotten = entry.type == Forget.past
            for address, (_, after) in entry.delta.items():
                self.entries[address] = (position, FORGOTTEN if forgotten and after == NULL else after)
        elif isinstance(entry, Accepted):
            self.open[position] = Open(entry.run, entry.process, entry.actor, entry.claims)
            for address in entry.claims:
                self.claims.setdefault(address, []).append(position)
        elif isinstance(entry, Ended):
            self._end(entry.command)

    def version(self, address: Address) -> int:
        """Return the position that last changed the address, 0 if none did."""
        entry = self.entries.get(address)
        return 0 if entry is None else entry[0]

    def check(self, entries: Iterable[AnyEntry], expect: Mapping[Address, int]) -> None:
        """Check that entries may be appended by someone who saw the versions in `expect`.

        Raises:
            LogConflict: an address moved since, or is being moved by a command of another run.

        """
        for address, version in expect.items():
            if self.version(address) != version:
                raise LogConflict(
                    f"{address} was changed at position {self.version(address)}, after it was looked at; "
                    "look at it with `lasercats state` and issue the command again"
                )
        for entry in entries:
            if isinstance(entry, Accepted) and entry.claims:
                self._check_claims(entry)

    def _check_claims(self, entry: Accepted) -> None:
        for address in entry.claims:
            for position in self.claims.get(address, ()):
                other = self.open[position]
                if other.run != entry.run:
                    raise LogConflict(
                        f"{address} is being changed by command {position} ({other.actor}, "
                        f"process {other.process}); wait for it, or run `lasercats recover` if it died"
                    )

    def state(self, kinds: Kinds) -> State:
        """Decode the state."""
        decode = kinds.decode_resource
        entries = Map[Address, Entry]().mutate()
        for address, (version, raw) in self.entries.items():
            forgotten = raw == FORGOTTEN
            resource = None if forgotten else decode(address, bytes(raw))
            entries[address] = Entry(version, resource, forgotten)
        return State(entries.finish(), self.position)

    def _end(self, command: int) -> None:
        ended = self.open.pop(command, None)
        for address in ended.claims if ended else ():
            positions = self.claims[address]
            positions.remove(command)
            if not positions:
                del self.claims[address]
