"""`replay`: recorded commands are run again as they were decided then, and what comes of it is compared.

It is `live` itself that runs, by a journal that asks nobody (`lasercats.interpreters.journal`). So what a
program does now with the answers of then can be compared with what it did then (law 8).
"""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import NamedTuple

from lasercats.core.address import Address
from lasercats.core.errors import UnknownName
from lasercats.core.identity import Identity
from lasercats.core.ports import Machine
from lasercats.core.record import OBSERVED, Accepted, AnyEntry, Ended, Event, Started
from lasercats.core.registry import Domain
from lasercats.interpreters.context import Context, Watcher
from lasercats.interpreters.past import Asked


class Facts(NamedTuple):
    """What the log says of some commands, without the order in which machines happened to answer."""

    asked: Mapping[Asked, int]
    """How often each instruction was given."""
    changed: Mapping[tuple[int, str, Address], tuple[bytes, bytes]]
    """Both sides of what each command changed, or found changed, by type of event and address."""
    ended: Mapping[int, tuple[str, str | None]]
    """Status and error of each command."""


def as_then(context: Context, head: Accepted) -> Context:
    """Return a context in which commands are decided as they were when they were accepted, unwatched."""
    return replace(
        context,
        run=head.run,
        actor=head.actor,
        agreed=head.agreed,
        direct=head.direct,
        serial=head.serial,
        watcher=Watcher(),
    )


class NoMachines:
    """Stands for the machines where nobody is asked."""

    def check(self, name: str, domain: Domain | None = None) -> None:
        """Take any machine."""

    def get(self, name: str) -> Machine:
        """Have none.

        Raises:
            UnknownName: always.

        """
        raise UnknownName("machine", name, ())

    def url(self, name: str) -> str:
        """Return where a machine is: on record."""
        return f"record:{name}"

    def news(self, name: str) -> Mapping[str, Identity]:
        """Return nothing: who answered then is on record."""
        return {}


def facts(entries: Sequence[AnyEntry], positions: Sequence[int]) -> Facts:
    """Return what entries say of the commands at some positions."""
    asked = dict[Asked, int]()
    changed = dict[tuple[int, str, Address], tuple[bytes, bytes]]()
    ended, mine = dict[int, tuple[str, str | None]](), set(positions)
    for entry in entries:
        if isinstance(entry, Started):
            for owner, raw in zip(entry.commands, entry.instructions, strict=True):
                if owner in mine:
                    asked[owner, bytes(raw)] = asked.get((owner, bytes(raw)), 0) + 1
        elif isinstance(entry, Event) and entry.command in mine:
            name = OBSERVED if entry.type == OBSERVED else "changed"
            for address, (before, after) in entry.delta.items():
                sides = changed.get((entry.command, name, address), (bytes(before), b""))
                changed[entry.command, name, address] = (sides[0], bytes(after))
        elif isinstance(entry, Ended) and entry.command in mine:
            ended[entry.command] = (entry.status, entry.error)
    return Facts(asked, changed, ended)
