"""Progress: how far one command has come, and what is told of it."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from lasercats.core.address import Address, label
from lasercats.core.change import Delta, composed
from lasercats.core.command import Command
from lasercats.core.loss import Loss
from lasercats.core.record import Ended
from lasercats.interpreters.context import Result


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
    cancelled: set[Address] = field(default_factory=set)
    untried: set[Address] = field(default_factory=set)
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
            return "cancelled" if self.problems.keys() <= self.cancelled else "failed"
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
            untried=self.untried,
            losses=self.losses,
            notes=self.notes,
            reports=self.reports,
            position=self.position,
            order=order if self.waits else None,
        )
