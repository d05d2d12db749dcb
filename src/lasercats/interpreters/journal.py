"""The journal: everything that affects what is sent or recorded lives here.

What a run does follows from its commands, from the state before them, and from what machines answer; programs
are pure. So a run can be run again by any process, at any time, from what is on record, and comes to where it
was: what was answered then is not asked again, and what was recorded is not recorded again. What differs is
only what is done where the record ends, and that is a policy:

    send     has it done for real (`Send`): a fresh run, of which nothing is on record, and one that goes on
             when a person has reported
    ask      does nothing more, but asks machines what became of what they were given, and looks
             (`lasercats.interpreters.asking`): after a crash
    refuse   asks nobody (`Refuse`): a replay

For that to hold,

1. commands are on record, with all that they are decided by, before anything is looked at for them;
2. a batch is on record before it is sent, and its token, by which its machine knows it again, follows from
   the record;
3. what a batch that acts told is on record before a machine that told it is sent another: so no more than one
   batch of each machine is ever in doubt, but for those that run side by side;
4. an event is recorded of what was told, and never of what was asked for;
5. who lost the lease of the run records nothing more but what was told late, which changes nothing.

Nothing but this file appends to the log for a run, and nothing but its base, the channel, talks to machines.
"""

from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from contextlib import suppress
from typing import Any, ClassVar

import msgspec

from lasercats.core.address import Address
from lasercats.core.command import Command
from lasercats.core.errors import Fenced, LogConflict, LogError, Unrecorded
from lasercats.core.fold import Fold
from lasercats.core.identity import Identity
from lasercats.core.instruction import Failure, Later
from lasercats.core.record import OBSERVED, AnyEntry, Deferred, Event, Finished, Started, raw
from lasercats.interpreters.channel import Channel, Sending
from lasercats.interpreters.context import Context
from lasercats.interpreters.late import interrupted, late_record
from lasercats.interpreters.past import NOT_ON_RECORD, Past

IS_OVER = Failure(reason="its command is over, so nothing more is done for it", skipped=True)
NOBODY: Mapping[str, Identity] = {}


class Policy:
    """What is done about what is not on record: by default nothing, and nothing is written either."""

    writes: ClassVar[bool] = False
    """Whether what comes of it is written to the log."""
    repeats: ClassVar[bool] = False
    """Whether what is on record already comes of it again."""

    def settle(self, batch: Sending, past: Past) -> Sequence[int]:
        """Return the places of a batch that are to be done for real, and fill in what is known of the others.

        What is not on record is known as `NOT_ON_RECORD`.
        """
        return ()

    def seen(self, batch: Sending) -> None:
        """Take note of what was done for real."""


class Refuse(Policy):
    """Asks nobody: what is not on record fails, and all that would be recorded is kept to be compared."""

    repeats = True


class Send(Policy):
    """Has it done for real; nothing is done for what was ended meanwhile, nor for what depends on that."""

    writes = True

    def settle(self, batch: Sending, past: Past) -> Sequence[int]:
        """Return what is not on record, in any words: what a person has in hand is not given out again."""
        known, due = batch.known or [], list[int]()
        for n, (item, owner) in enumerate(zip(batch.items, batch.owners, strict=True)):
            if known[n] is NOT_ON_RECORD and item.instruction.by_hand:
                known[n] = past.recall_alike(owner, item.instruction)
            if known[n] is NOT_ON_RECORD:
                skipped = any(isinstance(known[m], Failure) and known[m].skipped for m in item.after)
                if skipped or owner in past.over:
                    known[n] = IS_OVER
                else:
                    due.append(n)
        return due


class Journal(Channel):
    """What a run sends and records; without a past it is that of a fresh one."""

    def __init__(
        self,
        context: Context,
        past: Past | None = None,
        policy: Policy | None = None,
        *,
        reports: Sequence[Finished] = (),
        seen: Mapping[int, int] | None = None,
    ) -> None:
        """Go on from the past; `reports`, which are a part of it, are recorded with what comes first.

        Of batches in `seen`, nothing may have come after those positions when that is.
        """
        super().__init__(context)
        self.entries: list[AnyEntry] = []
        """Where there is a past, what came of running it again that is new, or all that did (`Policy`)."""
        self.orders: dict[int, int] = {} if past is None else dict(past.orders)
        """The work order that each command waits for, or waited for last."""
        self._past, self._policy = past, policy or Send()
        self._queue: list[AnyEntry] = [*reports]
        self._seen = seen or {}
        self._commands: dict[int, Command] = {}
        self._acting: dict[int, Sequence[int]] = {}
        """The batches that were sent and do not only look, each with the commands that it serves."""
        self._due = False
        """True where what came back must not wait."""
        self._fenced: Fenced | None = None
        self._late: list[int] = []

    def fold(self) -> Fold:
        """Return the fold before the commands."""
        return self.context.log.fold() if self._past is None else self._past.fold

    @property
    def positions(self) -> Sequence[int]:
        """Where the commands are recorded; none where they are to be accepted yet."""
        return () if self._past is None else self._past.positions

    def accept(self, entries: Sequence[AnyEntry], expect: Mapping[Address, int]) -> Sequence[int]:
        """Record commands, where all addresses are at the versions that are expected; return where they are.

        Raises:
            LogConflict: one is not, or is claimed by others; nothing was recorded.

        """
        run, holder = self.context.run, self.context.holder
        first = self.context.log.append(entries, expect=expect, run=run, holder=holder)
        return range(first, first + len(entries))

    def begin(self, commands: Mapping[int, Command]) -> None:
        """Note what commands it is about, by position."""
        self._commands = dict(commands)

    def record(self, entry: AnyEntry) -> None:
        """Record something with the next commit, unless it is on record already."""
        last = self._queue[-1] if self._queue else None
        if isinstance(entry, Deferred):
            self.orders |= dict.fromkeys(entry.commands, entry.started)
        if isinstance(entry, Event):
            new = self._new(entry)
            if new is not None and not (isinstance(last, Event) and _join(last, new)):
                self._queue.append(new)
        elif self._past is None or self._policy.repeats or self._past.is_new(entry):
            self._queue.append(entry)

    def _new(self, event: Event) -> Event | None:
        """Return as much of an event as is to be recorded: nothing of a command that was over before."""
        if self._past is None or self._policy.repeats:
            return event
        return None if event.command in self._past.over else self._past.news(event)

    # What the driver asks of it.

    def is_parallel(self, machine: str) -> bool:
        """Tell whether a machine can be given a batch while it has another; those of a past come in turn."""
        return self._past is None and super().is_parallel(machine)

    def started(self, batches: Sequence[Sending]) -> None:
        """Record that batches are about to be sent, as far as they are to be sent now, in one commit."""
        sent, entries = list[Sending](), list[Started]()
        for batch in batches:
            encoded = [raw(item.instruction) for item in batch.items]
            if self._past is not None:
                self._recall(batch, encoded)
            if self._policy.writes and (batch.known is None or batch.due):
                sent.append(batch)
                entries.append(_started(batch, encoded))
            elif self._policy.repeats:
                self.entries.append(_started(batch, encoded))
        if not sent:
            return
        before = [*self._queue]
        self._queue += entries
        try:
            last = self.commit()
        except LogError:
            self._queue = before if self._fenced is None else []  # they are not sent
            raise
        for batch, entry, position in zip(sent, entries, range(last - len(sent) + 1, last + 1), strict=True):
            batch.position = position
            if not all(item.instruction.looks for item in batch.sent):
                self._acting[position] = entry.commands

    def _recall(self, batch: Sending, encoded: Sequence[bytes]) -> None:
        """Fill in what is known of a batch, and what is to be done of it for real."""
        assert self._past is not None  # noqa: S101 - whoever asks has looked
        batch.known = [
            self._past.recall(owner, bytes(one), item.instruction)
            for owner, one, item in zip(batch.owners, encoded, batch.items, strict=True)
        ]
        batch.due = self._policy.settle(batch, self._past)

    async def answer(self, batch: Sending) -> Sequence[Any]:
        """Return what is on record of a batch, and have done what is to be done."""
        if batch.known is None:
            return await self._done(batch)
        if batch.due:
            for n, outcome in zip(batch.due, await self._done(batch), strict=True):
                batch.known[n] = outcome
            self._policy.seen(batch)
        return batch.known

    def finished(self, batch: Sending, outcomes: Sequence[Any]) -> None:
        """Record what came back, as far as it was sent now; looks can wait for the next commit.

        What a person reports later is recorded as deferred.
        """
        if not batch.position:
            return
        owners = batch.owners
        if batch.known is not None:
            owners, outcomes = [owners[n] for n in batch.due], [outcomes[n] for n in batch.due]
        met = self.context.machines.news(batch.machine)
        for entry in _answered(batch.position, owners, outcomes, met):
            self._queue.append(entry)
            if isinstance(entry, Deferred):
                self.orders |= dict.fromkeys(entry.commands, entry.started)
        self._due = self._due or self._past is not None or isinstance(self._queue[-1], Deferred)

    def settled(self, *, due: bool) -> None:
        """Commit what came back, unless it can wait; what comes of the past waits for what is sent next."""
        if self._due or (due and self._past is None):
            self.commit()

    # What reaches the log.

    def commit(self) -> int:
        """Commit what is queued; return the position of the last entry, 0 for nothing.

        Raises:
            Fenced: another process took the run over; what machines told is recorded as late.
            LogConflict: more came of a batch than was seen of it.
            LogError: it cannot be written; it stays in the queue.

        """
        self._due = False
        if not self._queue or not self._policy.writes:
            self.entries += self._queue
            self._queue = []
            return 0
        if self._fenced is None:
            try:
                first = self.context.log.append(self._queue, seen=self._seen, run=self.context.run)
            except Fenced as error:
                self._fenced = error
            else:
                last = first + len(self._queue) - 1
                self.entries += () if self._past is None else self._queue
                self._queue, self._seen = [], {}
                return last
        self._record_late()
        raise self._fenced

    def _record_late(self) -> None:
        """Record what machines told after this run was taken over: it changes nothing, and is looked at."""
        past = () if self._past is None else self._past.sent
        sent = {position: batch.commands for position, batch in past} | self._acting
        late = late_record(self._queue, sent, self._commands, self.context.actor)
        self._queue = []
        if late is not None:
            self._late.append(self.context.log.append([late]))

    def give_up(self) -> None:
        """Record what is known, as far as that can be, where something stopped us in the middle."""
        with suppress(LogError):
            self.commit()
        self.release()

    def release(self) -> None:
        """Give the lease back where something is left open; where that cannot be, it comes to be old.

        Of what goes on from a past, whoever has it go on has the lease.
        """
        if self._past is None:
            with suppress(LogError):
                self.context.log.release(self.context.run)

    def fenced_off(self, error: Fenced) -> Fenced:
        """Return what is told where another process took this run over, with what it was told since."""
        with suppress(Fenced):
            self.commit()
        if not self._late:
            return error
        at = ", ".join(map(str, self._late))
        return Fenced(f"{error}; what it was told since then is recorded at position {at}")

    def unrecorded(
        self,
        error: LogError,
        reported: Iterable[Address],
        doubtful: Callable[[Collection[int]], Iterable[Address]],
    ) -> LogError:
        """Return what is told where the log cannot be written: what was done, and what is in doubt.

        `reported` is what is known besides the events; `doubtful` tells of commands where they are not over.
        """
        if self._past is not None and (isinstance(error, LogConflict) or not self._acting):
            return error  # nothing was done, and what was reported can be reported again
        done = [a for e in self._queue if isinstance(e, Event) and e.type != OBSERVED for a in e.delta]
        self.give_up()
        if not self._acting:
            return Unrecorded(f"{error}; nothing was changed; run the command again when it can be written")
        served = {owner for owners in self._acting.values() for owner in owners}
        return Unrecorded(interrupted(error, [*done, *reported], [*doubtful(served)]))


def _started(batch: Sending, encoded: Sequence[msgspec.Raw]) -> Started:
    """Return what is recorded of a batch before it is sent, as far as it is."""
    places = range(len(encoded)) if batch.known is None or not batch.due else batch.due
    after = {n: item.after for n, item in enumerate(batch.sent if batch.due else batch.items) if item.after}
    return Started(
        machine=batch.machine,
        commands=tuple(batch.owners[n] for n in places),
        instructions=tuple(encoded[n] for n in places),
        after=after,
    )


def _answered(
    started: int, owners: Sequence[int], outcomes: Sequence[Any], met: Mapping[str, Identity]
) -> list[AnyEntry]:
    """Return what is recorded of a batch that was answered: what came back, and what a person has in hand.

    So is who answered, where that is new.
    """
    back = [n for n, outcome in enumerate(outcomes) if not isinstance(outcome, Later)]
    later = dict.fromkeys(owners[n] for n, outcome in enumerate(outcomes) if isinstance(outcome, Later))
    entries: list[AnyEntry] = []
    if back:
        answered, some = tuple(raw(outcomes[n]) for n in back), tuple(back) if later else ()
        who = {name: dict(identity) for name, identity in met.items()}
        entries.append(Finished(started=started, outcomes=answered, of=some, met=who))
    return [*entries, Deferred(started=started, commands=tuple(later))] if later else entries


def _join(last: Event, event: Event) -> bool:
    """Put an event into the one before it, which nobody has seen yet, where they are of one sort."""
    one, other = ((e.command, e.type, e.opaque, e.actor) for e in (last, event))
    if one != other or last.delta.keys() & event.delta.keys():
        return False
    last.delta.update(event.delta)
    return True
