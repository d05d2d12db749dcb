"""The ports: what a log store, a machine and an interpreter must be able to do.

Implementations stand in `lasercats.logs`, `.machines` and `.interpreters`, or in anyone's package, and are
found by the entry points of the same names.
"""

from collections.abc import Callable, Collection, Sequence
from typing import Any, Protocol, runtime_checkable

from lasercats.core.identity import Who
from lasercats.core.instruction import Batch, Instruction
from lasercats.core.secret import Sealed
from lasercats.core.stores import Log

__all__ = ["Inputs", "Log", "Machine", "Patient", "Reverting", "Sink", "Vault"]


Sink = Callable[[str, Instruction, bytes], None]
"""Receives output while it comes: machine name, instruction, bytes."""


@runtime_checkable
class Machine(Protocol):
    """An endpoint that runs batches. `lasercats.testing.machines.MachineContract` is its contract.

    One that can tell who it is does so by `who.meet` each time that it connects: before it sends anything
    that acts, and before it returns anything that it was told. It makes no further round trip for that where
    its protocol lets it. What `meet` raises is raised by whatever was asked of it, and then nothing was done.
    Where it cannot be asked it tells nothing.
    """

    trips: int
    """How many round trips it has made, not counting the connecting."""
    parallel: bool
    """True where a batch may be given while another is under way."""
    vocabulary: Collection[type[Instruction]]
    """The instructions that it can run, and with them whatever derives from one of them."""
    who: Who
    """Who it is and must be; nothing is ever told of one that has no identity."""

    async def run(self, batch: Batch, sink: Sink | None = None, token: str = "") -> Sequence[Any]:
        """Run a batch and return an outcome for each item, a `Failure` for one that failed.

        Never raises for one instruction's failure; an item whose predecessor failed is skipped. By the token
        what is at work for the batch is found again; no two batches have the same, and a look needs none.

        Raises:
            MachineError: the machine cannot be used at all; nothing was done.

        """

    async def resolve(self, batch: Batch, token: str = "", *, end: bool = False) -> Sequence[Any | None]:
        """Ask what became of a batch that never came back; change nothing that is managed.

        It returns only when nothing is at work for the batch, and nothing will be: within bounds it waits for
        that, or with `end` brings it about. What it cannot prove then is taken on the word of who says so.

        Returns for each item its outcome, or None where that is not told: then a look at the resource tells.

        Raises:
            StillWorking: something is at work for it, or, without `end`, nobody can tell.
            MachineError: the machine cannot be asked.

        """

    def script(self, instructions: Sequence[Instruction], *, alone: bool) -> str:
        """Return a part of a shell script that has instructions run by the machine.

        The script for one machine `alone` is run on that machine, if it has a shell of its own, and ends with
        its exit status; else the part sets `lc_failed` where something failed.
        """

    async def check(self) -> str | None:
        """Make the round trip that work makes, and change nothing; return what is worth telling, if anything.

        Raises:
            MachineError: the machine cannot be used.

        """

    async def close(self) -> None:
        """Disconnect."""


@runtime_checkable
class Reverting(Protocol):
    """A machine that may take back by itself what nobody confirms in time: NETCONF's confirmed commit.

    It does so even when nobody can reach it any more. One that finds that its device cannot, does nothing.
    """

    async def hold(self, token: str, seconds: float) -> bool:
        """Let the device take back, under a token, what is done from now on; return whether it will.

        Raises:
            MachineError: the machine cannot be used.

        """

    async def confirm(self, token: str) -> bool:
        """Let what the device holds under a token stay; return whether it held anything.

        Raises:
            MachineError: the machine cannot be asked.

        """

    async def reject(self, token: str) -> None:
        """Take back what is held under a token, if it still is.

        Raises:
            MachineError: the machine cannot be asked.

        """


@runtime_checkable
class Patient(Protocol):
    """A machine that may wait long for what it was asked for, and knows how long."""

    def longest(self, instruction: Instruction) -> float:
        """Return how many seconds it may wait for what an instruction waits for."""


class Vault(Protocol):
    """Seals and opens secrets. The core only ever sees what is sealed.

    A place is a secret field of an address, or a secret with a name (`lasercats.core.secret`).
    """

    def seal(self, secret: bytes, places: Sequence[str]) -> Sealed:
        """Return a secret, sealed for some places; one that stands there already, as it was.

        Raises:
            BadInput: the key cannot be made or read.

        """

    def places(self, sealed: Sealed) -> Sequence[str]:
        """Return the places that a secret is sealed for; none where it is not bound, as up to format 4."""

    def is_for(self, sealed: Sealed, place: str) -> bool:
        """Tell whether a secret may be opened for a place."""

    def open(self, sealed: Sealed, place: str) -> bytes:
        """Return the secret that is sealed for a place.

        Raises:
            BadInput: it is sealed for another, its key was destroyed, or is not at hand.

        """


class Inputs(Protocol):
    """Where the values come from that a command or document only names."""

    def source(self, path: str) -> str:
        """Return the content string of a local file."""

    def secret(self, reference: str, places: Sequence[str]) -> Sealed:
        """Return the secret that a reference names (`env:NAME`, `sealed:TOKEN`), sealed for some places."""
