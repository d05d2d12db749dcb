"""The ports: what a log store, a machine and an interpreter must be able to do.

Implementations stand in `lasercats.logs`, `.machines` and `.interpreters`, or in anyone's package, and are
found by the entry points of the same names.
"""

from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager
from typing import Any, Protocol, runtime_checkable

from lasercats.core.address import Address
from lasercats.core.fold import Fold, Open, Version
from lasercats.core.head import Head, Signature
from lasercats.core.identity import Who
from lasercats.core.instruction import Batch, Instruction
from lasercats.core.lease import BEAT, Lease
from lasercats.core.record import AnyEntry, Known, Record, Reversal
from lasercats.core.secret import Sealed


@runtime_checkable
class Log(Protocol):
    """An append-only sequence of records. `lasercats.testing.logs.LogContract` is its contract."""

    @property
    def id(self) -> str:
        """The id that the log was given when it was made; a copy has the same."""

    def append(
        self,
        entries: Sequence[AnyEntry],
        *,
        expect: Mapping[Address, int] | None = None,
        seen: Mapping[int, int] | None = None,
        run: str = "",
        request: str = "",
        holder: str = "",
    ) -> int:
        """Commit entries together, durably, and return the position of the first.

        `run` is the run of the program that appends. An append whose `request` was written already does
        nothing and returns what it returned then, so that one whose answer was lost can be repeated.

        With a `holder`, who it is, the lease of the run is taken in the same commit. It is given back in the
        commit after which no command of the run is open, those apart that are only held. Every append says
        that the holder of the leases that were taken here lives.

        Raises:
            LogConflict: an address in `expect` is at another version; one that is claimed, or changed by an
                event, is claimed by another run; more came of a batch than what was `seen` of it, the last
                position that it caused; or another process has the lease that is to be taken.
            Fenced: the lease of the run was taken over, or given back; or an entry is about a command that is
                over, or whose run another process has the lease of.
            LogError: it cannot be written, with the reason.

        """

    def leases(self) -> Mapping[str, Lease]:
        """Return which runs are at work, and who says so."""

    def take(self, run: str, holder: str, over: int = 0) -> None:
        """Take the lease of a run over from who has it by a token, or one that nobody has (0).

        From then on what the former holder appends is refused.

        Raises:
            LogConflict: another process has it by now; of several that take it over, one does.
            LogError: it cannot be written, with the reason.

        """

    def release(self, run: str) -> None:
        """Give the lease of a run back, if it was taken here; one that was taken over is left."""

    def beating(self, every: float = BEAT) -> AbstractContextManager[None]:
        """Say every so many seconds, as long as the context lasts, that the holder of the leases here lives.

        It does not wait for what is done meanwhile. Work that is over before costs no commit for it.
        """

    def read(
        self,
        first: int = 1,
        last: int | None = None,
        *,
        names: Sequence[str] = (),
        backwards: bool = False,
    ) -> Iterator[Record]:
        """Iterate over records from `first` to `last` inclusive, only those of these names if given."""

    def caused(self, position: int) -> Iterator[Record]:
        """Iterate over the records that came of one: a command's events and end, a batch's outcomes."""

    def head(self) -> int:
        """Return the position of the last record, 0 when there is none."""

    def mark(self, position: int | None = None) -> Head:
        """Return the end of the last append, or of the last one up to a position: the log is known by it."""

    def marked(self, digest: bytes) -> int | None:
        """Return the position at which a hash stands, if it does."""

    def signatures(self) -> Sequence[Signature]:
        """Return the heads that somebody signed, in the order of positions."""

    def sign(self, signed: Signature) -> None:
        """Keep a head that somebody signed, in place of one that the same signed there.

        Raises:
            LogError: it cannot be written, with the reason.

        """

    def at(self, time: int) -> int:
        """Return the last position whose clock is at most a time in microseconds since 1970 UTC.

        The clock is the one of the store, as it was when the record was appended. What it costs does not
        depend on the length of the log, also where the clock went back.
        """

    def reversals(self, first: int = 1, last: int | None = None) -> Sequence[Reversal]:
        """Return where from `first` to `last` inclusive the clock told less than at the position before."""

    def writer(self, position: int) -> str:
        """Return the program that wrote a record, with its version; nothing where that was not recorded."""

    def fold(
        self,
        position: int | None = None,
        addresses: Sequence[Address] | None = None,
        *,
        holding: str | None = None,
    ) -> Fold:
        """Return the fold up to a position, by default up to now, of all addresses or of some.

        Those `holding` a text have it in their encoded resource: so what refers to something is found without
        decoding all that does not.

        What it costs does not depend on the length of the log. The caller must not change it.
        """

    def versions(self, address: Address) -> Iterator[Version]:
        """Iterate over all that an address held, the oldest first."""

    def open(self) -> Mapping[int, Open]:
        """Return the commands that have not ended, by position."""

    def machines(self) -> Mapping[str, Known]:
        """Return what each machine is known by, by name; what it costs does not depend on the length."""

    def tail(self, after: int, *, patience: float) -> Iterator[Record]:
        """Iterate over records after a position as they come, until none came for `patience` seconds."""

    def close(self) -> None:
        """Let go of the store."""


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
