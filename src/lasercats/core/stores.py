"""The port of logs, in parts: what a store of records does, and how one is found by its URL.

A store is a class with all parts, `Log`; `lasercats.testing.logs.LogContract` is their contract. Who needs
less asks for less: a query needs a `Queryable` (`lasercats.core.sql`), `verify` what is `Verifiable`.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager
from typing import Any, NamedTuple, Protocol, runtime_checkable

from lasercats.core.address import Address
from lasercats.core.fold import Fold, Open, Version
from lasercats.core.head import Head, Signature
from lasercats.core.lease import BEAT, Lease
from lasercats.core.record import AnyEntry, Known, Record, Reversal
from lasercats.core.sql import Queryable


class Appending(Protocol):
    """Takes entries in."""

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


class Readable(Protocol):
    """Gives records back, as they were appended."""

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

    def at(self, time: int) -> int:
        """Return the last position whose clock is at most a time in microseconds since 1970 UTC.

        The clock is the one of the store, as it was when the record was appended. What it costs does not
        depend on the length of the log, also where the clock went back.
        """

    def reversals(self, first: int = 1, last: int | None = None) -> Sequence[Reversal]:
        """Return where from `first` to `last` inclusive the clock told less than at the position before."""

    def writer(self, position: int) -> str:
        """Return the program that wrote a record, with its version; nothing where that was not recorded."""

    def tail(self, after: int, *, patience: float) -> Iterator[Record]:
        """Iterate over records after a position as they come, until none came for `patience` seconds."""


class Folding(Protocol):
    """Knows what its records fold to, now and at any position, without folding them."""

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

    def machines(self) -> Mapping[str, Known]:
        """Return what each machine is known by, by name; what it costs does not depend on the length."""


class Leasing(Protocol):
    """Knows who is at work on what, and refuses who was taken over (`lasercats.core.lease`)."""

    def open(self) -> Mapping[int, Open]:
        """Return the commands that have not ended, by position."""

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


class Marked(Protocol):
    """Is known by its heads, which can be signed."""

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


class Verifiable(Protocol):
    """Can be checked without its records being decoded."""

    def check_chain(self) -> int:
        """Check every hash and every position; return how many records there are.

        Raises:
            LogCorrupt: a record was changed, removed or put in, with the position where the chain breaks.

        """

    def check_tables(self) -> int:
        """Check that all that follows from the records does; return how many versions of resources there are.

        Raises:
            LogCorrupt: it does not.

        """

    def rebuild(self) -> None:
        """Make anew what follows from the records; those are not touched.

        Raises:
            LogError: it cannot be written, with the reason.

        """


class Copy(NamedTuple):
    """A log as it is brought to another store: all of it that does not follow from its records."""

    log: str
    """Its id."""
    reads: str
    """What a program must know to read it, in words with spaces between."""
    writes: str
    """What a program must know to write to it."""
    about: Mapping[str, str]
    """Since when those words are used, and the last token of a lease."""
    stretches: Sequence[tuple[Any, ...]]
    """From which position on which format and which program wrote."""
    signatures: Sequence[Signature]
    rows: Iterator[tuple[Any, ...]]
    """Of each record its position, time, type, body, hash, cause, clock, run and request."""


class Copyable(Protocol):
    """Can be brought to another store."""

    def copy(self) -> Copy:
        """Return all of it up to its head, which nobody is to write to meanwhile."""


@runtime_checkable
class Log(Appending, Readable, Folding, Leasing, Marked, Verifiable, Queryable, Copyable, Protocol):
    """An append-only sequence of records. `lasercats.testing.logs.LogContract` is its contract."""

    @property
    def id(self) -> str:
        """The id that the log was given when it was made; a copy has the same."""

    def close(self) -> None:
        """Let go of the store."""


class LogPlace(Protocol):
    """Where a log is: what a URL and an environment of a project name.

    A class of this sort stands under `lasercats.logs` by the scheme of the URL, and is called with the URL,
    the root of the project and the name of the environment, which is empty for the default one.
    """

    name: str
    """How it is called in what is told and noted; it has no secrets."""
    by_file: bool
    """True where it is a file of the project, which whoever clones the project does not get."""

    def is_begun(self) -> bool:
        """Tell whether there is a log.

        Raises:
            LogError: that cannot be found out.

        """

    def open(
        self, *, create: bool = False, exist_ok: bool = False, barred: str = "", mode: int = 0o600
    ) -> Log:
        """Open the log, or make it; with `exist_ok` one that is there is opened.

        One that is `barred`, for a reason, is only read. `mode` is that of files that are made.

        Raises:
            LogError: there is none, or one is there already, or it cannot be had.
            LogTooNew: a later version wrote it.
            LogCorrupt: it is no log of ours, or it is damaged.

        """

    def fill(self, copy: Copy, *, mode: int = 0o600) -> Log:
        """Make the log, all of it or nothing, of what came from another store; an empty one may be there.

        Raises:
            LogError: there is one that is not empty, or it cannot be made.

        """

    def admit(self, readers: Sequence[str], writers: Sequence[str]) -> None:
        """Let others read the log, or also append to it: by the roles that its database knows them by.

        Raises:
            BadInput: the store has no roles.
            LogError: this user may not say so, or there is no such role.

        """

    def environments(self) -> Mapping[str, "LogPlace"]:
        """Return where the logs of all environments are, by name, empty for the default one."""


OpenLog = Callable[[str, str, str], LogPlace]
"""What stands under `lasercats.logs`: it takes the URL, the root of the project and the environment."""
