"""A run: commands that are carried out together, how far each has come, and what is known by now."""

from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

from lasercats.core.address import Address, label
from lasercats.core.change import Change, Delta, composed
from lasercats.core.command import Command, Effect, Target
from lasercats.core.loss import Loss
from lasercats.core.record import Ended, Event, raw_delta
from lasercats.core.resource import Resource, same
from lasercats.core.state import State
from lasercats.interpreters.context import Result
from lasercats.interpreters.journal import Journal


@dataclass(slots=True, eq=False)
class Progress:
    """How far a command has come."""

    command: Command
    position: int = 0
    """Where it is recorded."""
    left: int = 0
    """At how many of its addresses, and of those that it displaces, it is not over."""
    deltas: list[Delta] = field(default_factory=list)
    """What it changed by now."""
    observed: Delta = field(default_factory=Delta)
    """What had changed outside before it."""
    problems: dict[Address, str] = field(default_factory=dict)
    notes: dict[Address, str] = field(default_factory=dict)
    reports: dict[Address, Any] = field(default_factory=dict)
    losses: Sequence[Loss] = ()
    """What it would have lost that was not announced."""
    refused: int = 0
    """At how many addresses it is refused, for more than that they could not be looked at."""
    cancelled: list[Address] = field(default_factory=list)
    untried: list[Address] = field(default_factory=list)
    in_doubt: bool = False
    """True where nobody knows what was done: then it stays open."""
    waits: bool = False
    """True where a person has it in hand."""
    altered: list[Address] = field(default_factory=list)
    """What is given other values elsewhere when it is over, and is to be looked up then."""

    @property
    def status(self) -> str:
        """What became of it, as `Result` tells it."""
        if self.in_doubt:
            return "open"
        if self.waits:
            return "waiting"
        if self.refused == len(self.command.on):
            return "refused"
        if self.problems:
            return "cancelled" if self.problems.keys() <= {*self.cancelled} else "failed"
        return "done" if composed(self.deltas) or self.reports else "unchanged"

    @property
    def is_over(self) -> bool:
        """Whether nothing is left of it, and nothing in doubt."""
        return not self.left and not self.in_doubt

    def knows(self, address: Address) -> bool:
        """Tell whether it is over at an address, for better or worse."""
        return any(address in one for one in (self.problems, self.reports, *self.deltas))

    def ended(self) -> Ended:
        """Return what is recorded when it is over."""
        problems = "; ".join(f"{label(address)}: {why}" for address, why in self.problems.items())
        return Ended(command=self.position, status=self.status, error=problems or None)

    def result(self, order: int | None) -> Result:
        """Return what became of it, and for which work order it waits."""
        return Result(
            command=self.command,
            status=self.status,
            delta=composed(self.deltas),
            observed=self.observed,
            problems=self.problems,
            untried=frozenset(self.untried),
            losses=self.losses,
            notes=self.notes,
            reports=self.reports,
            position=self.position,
            order=order if self.waits else None,
        )


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
