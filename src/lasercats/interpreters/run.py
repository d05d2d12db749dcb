"""A run: commands that are carried out together, what is known by now, and what is recorded of each."""

from collections.abc import Collection, Iterator, Sequence
from typing import Any

from lasercats.core.address import Address
from lasercats.core.change import Change, Delta
from lasercats.core.command import Command, Effect, Target
from lasercats.core.record import Event, raw_delta
from lasercats.core.resource import Resource, same
from lasercats.core.state import State
from lasercats.interpreters.journal import Journal
from lasercats.interpreters.progress import Progress


class Run:
    """What the parts of a run share."""

    def __init__(self, commands: Sequence[Command], journal: Journal) -> None:
        """Begin with the state before the commands."""
        self.context, self.kinds, self.journal = journal.context, journal.context.kinds, journal
        self.commands = commands
        self.progress = [Progress(command, left=len(command.on)) for command in commands]
        self.state: State = journal.fold().state(self.kinds)
        """What was known before anybody looked."""
        self.now = self.state
        """What is known by now: what was found, and what was made."""
        self.own = {address for command in commands for address in command.on}
        """The addresses of all of them."""

    def altered(self, target: Target) -> list[Address]:
        """Return what is managed, or will be by then, and given other values when a target changes."""
        command, change = self.commands[target.command], target.change
        if change is None or command.effect is not Effect.STATE or same(change.before, change.after):
            return []
        others = self.kinds.altered(target.address, change)
        known = (a for a in others if a in self.own or self.state.get(a) is not None)
        return [a for a in known if a not in command.on]

    def learn(self, address: Address, resource: Resource | None) -> None:
        """Take in what is at an address."""
        if resource != self.now.get(address):
            self.now = self.now.holding(address, resource)

    def changed(self, one: Progress, address: Address, real: Resource | None) -> None:
        """Record what a command really left at an address."""
        delta = Delta({address: Change(self.now.get(address), real)})
        self.learn(address, real)
        one.deltas.append(delta)
        if delta:
            event = Event(type=one.command.past, delta=raw_delta(delta), command=one.position)
            self.journal.record(event)

    def reported(self, one: Progress, address: Address, result: Any) -> None:  # noqa: ANN401
        """Record that a command was carried out whose effect is not in the state, and what it answered."""
        one.reports[address] = result
        if getattr(result, "status", 0):
            one.problems[address] = f"exit status {result.status}"
        self.journal.record(Event(type=one.command.past, delta={}, command=one.position, opaque=True))

    def over(self, one: Progress, address: Address | None = None) -> None:
        """Note that a command is over at an address, or with what it altered elsewhere."""
        one.left -= 1
        if address is not None:
            self.context.watcher.finished(one.command, address)
        if one.is_over:
            self.journal.record(one.ended())

    def doubtful(self, served: Collection[int]) -> Iterator[Address]:
        """Iterate over where some commands, by their positions, are not over."""
        for one in self.progress:
            if one.position in served:
                yield from (address for address in one.command.on if not one.knows(address))
