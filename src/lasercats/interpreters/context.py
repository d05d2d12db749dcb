"""What an interpreter is given, and what it answers."""

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Protocol

from lasercats.core.address import Address
from lasercats.core.change import Delta
from lasercats.core.command import Command
from lasercats.core.identity import Identity
from lasercats.core.instruction import Instruction
from lasercats.core.loss import Agreed, Loss
from lasercats.core.ports import Log, Machine
from lasercats.core.registry import Domain, Kinds

if TYPE_CHECKING:
    import asyncio


def _event() -> "asyncio.Event":
    import asyncio  # noqa: PLC0415 - start-up stays light where nothing is sent

    return asyncio.Event()


class Watcher:
    """Sees what goes on; progress bars, streamed output and traces are made of it. Does nothing itself."""

    def sent(self, machine: str, instructions: Sequence[Instruction]) -> None:
        """A batch goes out."""

    def answered(
        self, machine: str, instructions: Sequence[Instruction], outcomes: Sequence[Any], seconds: float
    ) -> None:
        """A batch came back."""

    def output(self, machine: str, instruction: Instruction, data: bytes) -> None:
        """A raw command printed something."""

    def finished(self, command: Command, address: Address) -> None:
        """A command is over at one of its addresses."""


class Machines(Protocol):
    """The machines of an environment, by name."""

    def check(self, name: str, domain: Domain | None = None) -> None:
        """Check that a machine is bound, and is one for a domain.

        Raises:
            UnknownName: none of that name is bound.
            BadInput: it is of another sort than the domain is for.

        """
        ...

    def get(self, name: str) -> Machine:
        """Return the machine; it connects when it is first used."""
        ...

    def url(self, name: str) -> str:
        """Return the URL that the name is bound to."""
        ...

    def news(self, name: str) -> Mapping[str, Identity]:
        """Return who a machine is, by its name, where it told something new; who asks records it."""
        ...


def _unheard(_: str) -> None:
    """Drop what nobody listens to."""


@dataclass
class Context:
    """Where and for whom commands are interpreted."""

    kinds: Kinds
    log: Log
    machines: Machines
    actor: str
    run: str = ""
    process: str = ""
    """Who it is that works, for people: `PID+START@HOST`."""
    holder: str = ""
    """Who it is, so that others can tell whether it lives; it holds the lease of the run."""
    message: str | None = None
    because: str | None = None
    resealed: Mapping[str, str] = field(default_factory=dict)
    """The places for which secrets were sealed that were given sealed for others, and which those were."""
    agreed: Agreed = ()
    """The losses that were announced and agreed to; None where the gate was passed by who ran it first."""
    direct: bool = True
    """True where an operator wrote out the addresses of the commands, so that each names its own losses."""
    undoes: tuple[int, ...] = ()
    """What the commands take back, by position."""
    serial: int = 0
    """At how many addresses at a time they are carried out, stopping after a failure; 0 for all at once."""
    watcher: Watcher = field(default_factory=Watcher)
    write: Callable[[str], object] = _unheard
    """Receives what an interpreter prints: a script, a trace."""
    stop: "asyncio.Event" = field(default_factory=_event)
    """Set when the operator wants no further batch to be sent."""


@dataclass(frozen=True)
class Result:
    """What became of one command."""

    command: Command
    status: str
    """`done`, `unchanged`, `failed`, `refused`, `cancelled`; `waiting` for what a person is to report; or
    `open` when its outcome is not known yet.
    """
    delta: Delta = field(default_factory=Delta)
    """What it really changed, or would change."""
    observed: Delta = field(default_factory=Delta)
    """What had changed outside, and was noticed on the way."""
    problems: Mapping[Address, str] = field(default_factory=dict)
    losses: Sequence[Loss] = ()
    """What it would have lost that was not announced, so it was refused."""
    untried: Collection[Address] = ()
    """Where a problem is that a step was not tried."""
    notes: Mapping[Address, str] = field(default_factory=dict)
    """What a machine noted of how it did what it should."""
    reports: Mapping[Address, Any] = field(default_factory=dict)
    """What a command answered whose effect is not in the state."""
    position: int | None = None
    """Its position in the log, when it was recorded."""
    order: int | None = None
    """The work order that it waits for: the position of the batch that a person has in hand."""

    @property
    def ok(self) -> bool:
        """True when all of it went well so far."""
        return self.status in ("done", "unchanged", "waiting")


class Interpreter(Protocol):
    """Drives the programs of commands."""

    async def run(self, commands: Sequence[Command], context: Context) -> Sequence[Result]:
        """Interpret commands, in order, each seeing the effect of those before it."""
        ...
