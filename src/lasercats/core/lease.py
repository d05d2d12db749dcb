"""Leases: which runs are at work, and how the records of one that was taken over are refused.

A run takes a lease when its commands are accepted, says again and again that it lives, and gives the lease
back with its last end. Who takes it over gets a token that is higher than any before, and from then on
nothing that the former holder appends changes the state or ends a command: it is *fenced*. What machines told
it can still be recorded, as `Late`.

Pure; every store of logs uses it, in the transaction of an append.
"""

from collections.abc import Callable, Iterable, Mapping
from typing import NamedTuple

from lasercats.core.errors import Fenced, LogConflict
from lasercats.core.fold import Open
from lasercats.core.record import AnyEntry, Deferred, Ended, Event, Finished, Started

BEAT = 5.0
"""Seconds after which a run says again that it lives."""
PATIENCE = 30.0
"""Seconds without a sign of life after which a run is taken for dead, where nobody can tell for sure."""


class Lease(NamedTuple):
    """That a run is at work."""

    run: str
    token: int
    """A number that grows with each lease of a log that is taken, or taken over."""
    holder: str
    """Who it is, in the words of the holder."""
    age: float
    """Seconds since it last said that it lives, by the clock of the store."""


class Fence(NamedTuple):
    """What is known, at one moment, of the leases of a log and of those that one who appends holds."""

    tokens: Mapping[str, int]
    """Of each run that is at work."""
    mine: Mapping[str, int]
    """Of each run of which the one who appends holds the lease, or held it."""
    open: Mapping[int, Open]
    """The commands that are not over."""

    def check(
        self, entries: Iterable[AnyEntry], run: str, first: int, cause: Callable[[int], int | None]
    ) -> None:
        """Check that nothing is written by one who was fenced off, nor of a command that another is at.

        The entries are to stand from position `first` on; `cause` tells what a record came of.

        Raises:
            Fenced: it is.

        """
        if run and self._is_lost(run):
            raise lost(run)
        for entry in entries:
            for command in self._subjects(entry, cause):
                if command < first:
                    self._check_command(command, entry)

    def check_free(self, run: str) -> None:
        """Check that nobody holds the lease of a run, or that it is the one who asks.

        Raises:
            LogConflict: another does.

        """
        if run in self.tokens and self._is_lost(run):
            raise busy(run)

    def _is_lost(self, run: str) -> bool:
        return self.tokens.get(run) != self.mine.get(run)

    def _check_command(self, command: int, entry: AnyEntry) -> None:
        opened = self.open.get(command)
        if opened is None:
            if isinstance(entry, Finished):  # it changes nothing by itself
                return
            raise ended(command)
        if not opened.held and not opened.late and opened.run in self.tokens and self._is_lost(opened.run):
            raise held(command)

    def _subjects(self, entry: AnyEntry, cause: Callable[[int], int | None]) -> Iterable[int]:
        """Return the commands that an entry is about."""
        if isinstance(entry, Started | Deferred):
            return entry.commands
        first = cause(entry.started) if isinstance(entry, Finished) else None
        first = entry.command if isinstance(entry, Event | Ended) else first
        return () if first is None else (first,)


def lost(run: str) -> Fenced:
    """Return what is told whose run was taken over."""
    return Fenced(
        f"another process has taken over run {run} while this one was at it, so nothing more of it "
        "is recorded",
        remedy="`lasercats recover` finds out what became of it",
        subject=f"run {run}",
    )


def busy(run: str) -> LogConflict:
    """Return what is told who wants the lease of a run that another has."""
    return LogConflict(
        f"another process is at work on run {run}",
        remedy="wait for it, or run `lasercats recover` if it died",
        subject=f"run {run}",
    )


def ended(command: int) -> Fenced:
    """Return what is told who writes of a command that is over."""
    return Fenced(
        f"command {command} was ended by another process while this one was at it, so nothing was written",
        remedy=f"see with `lasercats show {command}` how it ended",
        subject=f"command {command}",
    )


def held(command: int) -> Fenced:
    """Return what is told who writes of a command that another is at."""
    return Fenced(
        f"command {command} is in the hands of another process, so nothing was written",
        remedy="wait for it, or run `lasercats recover` if it died",
        subject=f"command {command}",
    )


def beaten(run: str) -> LogConflict:
    """Return what is told who wants to take over what another has just taken over."""
    return LogConflict(
        f"another process has just taken over run {run}, so it is left to that one",
        remedy="run `lasercats recover` again if it died",
        subject=f"run {run}",
    )
