"""The contract of log stores: subclass it, give it a store, and run it unchanged.

class TestSqlite(LogContract):
    def open(self, folder, *, create, clock=None):
        return SqliteLog(folder / "log.db", create=create, clock=clock)

    def bar(self, folder): ...  # take the right to write from this user
"""

import os
import threading
import time
import traceback
import warnings
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from itertools import count, pairwise, product
from pathlib import Path
from random import Random
from typing import Any

import pytest
from msgspec.structs import replace

from lasercats.core.address import Address
from lasercats.core.errors import BadInput, Fenced, LogConflict, LogError
from lasercats.core.fold import Fold
from lasercats.core.head import Signature
from lasercats.core.ports import Log
from lasercats.core.record import (
    NULL,
    Accepted,
    AnyEntry,
    Deferred,
    Ended,
    Event,
    Finished,
    Known,
    Late,
    Met,
    Started,
    raw,
)

A, B = Address("file/m:/a"), Address("file/m:/b")


def event(address: Address = A, content: str = "hi") -> Event:
    """Make an event that wrote a file."""
    return Event(type="file.written", delta={address: (NULL, raw({"content": content}))})


def accepted(run: str = "one", *claims: Address) -> Accepted:
    """Make the acceptance of a command that claims addresses."""
    return Accepted(command=raw({}), actor="tester", run=run, process="1@here", claims=claims or (A,))


class Clock:
    """A clock that tells what it was given, and then its last time for ever."""

    def __init__(self, times: Sequence[int]) -> None:
        """Begin with the first of these microseconds; it is asked once an append."""
        self._times, self._next = times, 0

    def __call__(self) -> int:
        """Tell the next time."""
        self._next += 1
        return self._times[min(self._next, len(self._times)) - 1]


@contextmanager
def as_nobody(folder: Path) -> Iterator[None]:
    """Do what follows as a user who owns nothing, if we are root; a folder is where temporary files go."""
    if os.geteuid():
        yield
        return
    for parent in (folder, *folder.parents):
        if parent.stat().st_mode & 0o011 != 0o011:
            parent.chmod(parent.stat().st_mode | 0o011)  # pytest's are its user's alone
    uids = os.getresuid()
    os.setresuid(65534, 65534, 0)
    try:
        yield
    finally:
        os.setresuid(*uids)


class LogContract:
    """What every log store does."""

    def open(self, folder: Path, *, create: bool, clock: Callable[[], int] | None = None) -> Log:
        """Open the store in a folder, or make it; `clock` stands for the clock of the store."""
        raise NotImplementedError

    def bar(self, folder: Path) -> None:
        """Let nobody but root write to the store in a folder from now on."""
        raise NotImplementedError

    @pytest.fixture
    def log(self, tmp_path: Path) -> Log:
        """A new store."""
        return self.open(tmp_path, create=True)

    @pytest.fixture(autouse=True)
    def whole(self, tmp_path: Path) -> Iterator[None]:
        """After each test the chain holds, and what follows from the records does."""
        yield
        try:
            log = self.open(tmp_path, create=False)
        except LogError:
            return  # the test made none there
        assert log.check_chain() == log.head()
        log.check_tables()
        log.close()

    def test_an_empty_log_has_head_zero(self, log: Log) -> None:
        """Positions begin at 1."""
        assert log.head() == 0
        assert list(log.read()) == []
        assert log.append([event()]) == 1

    def test_positions_have_no_gap(self, log: Log) -> None:
        """Entries of one append follow each other, and appends follow each other."""
        assert log.append([event(), event(B)]) == 1
        assert log.append([event()]) == 3
        assert [record.position for record in log.read()] == [1, 2, 3]

    def test_what_is_written_is_read(self, log: Log) -> None:
        """Every type of entry comes back as it was."""
        entries: list[AnyEntry] = [accepted(), event(), Ended(command=1, status="done")]
        log.append(entries)
        assert [record.entry for record in log.read()] == entries

    @pytest.mark.parametrize("field", ["actor", "message", "because"])
    def test_a_record_holds_text(self, log: Log, field: str) -> None:
        """What somebody says in no text is refused, as no log that holds it could be read; nothing stays."""
        good = accepted()
        bad: Any = {"actor": "a", field: 5}
        with pytest.raises(BadInput, match=f"{field} is to be text"):
            log.append([good, Accepted(command=raw({}), run="r", **bad)])
        with pytest.raises(BadInput, match="positions"):
            log.append([Accepted(command=raw({}), run="r", actor="a", undoes=("x",))])  # type: ignore[arg-type]
        assert (log.head(), log.open()) == (0, {})

    def test_read_takes_a_range_and_names(self, log: Log) -> None:
        """A range is inclusive; names select the types of entries."""
        log.append([accepted(), event(), Ended(command=1, status="done"), event(B)])
        assert [r.position for r in log.read(2, 3)] == [2, 3]
        assert [r.position for r in log.read(names=("event",))] == [2, 4]

    def test_at_finds_the_last_position_at_a_time(self, log: Log) -> None:
        """Each record has the time of its append, and `at` finds the last one at a time."""
        for _ in range(5):
            log.append([event(), event(B)])
        times = [record.time for record in log.read()]
        assert times[::2] == times[1::2]
        assert log.at(max(times)) == 10
        assert log.at(min(times) - 1) == 0
        assert log.reversals() == []

    def test_a_clock_that_was_wrong_does_not_freeze_time(self, tmp_path: Path) -> None:
        """Each record has the clock as it was, whatever it told before, also for who opens the log later."""
        times = [100, 900, 101, 102]
        log = self.open(tmp_path, create=True, clock=Clock(times))
        for _ in times:
            log.append([event()])
        for one in (log, self.open(tmp_path, create=False)):
            assert [record.time for record in one.read()] == times
            assert [one.at(t) for t in (99, 100, 101, 102, 899, 900)] == [0, 1, 3, 4, 4, 4]
            assert one.reversals() == [(3, 900, 101)]
            assert one.reversals(4) == one.reversals(1, 2) == []

    @pytest.mark.parametrize("seed", range(20))
    def test_as_of_a_time_is_the_last_position_whose_clock_is_at_most_that(
        self, tmp_path: Path, seed: int
    ) -> None:
        """Wherever the clock goes, forth and back, `at` agrees with a search through all records."""
        times = Random(seed).choices(range(1, 12), k=25)  # noqa: S311 - no secret
        log = self.open(tmp_path, create=True, clock=Clock(times))
        for n in range(len(times)):
            log.append([event()] * (1 + n % 2))
        records = list(log.read())
        for moment in range(13):
            assert log.at(moment) == max([r.position for r in records if r.time <= moment], default=0)
        back = [(b.position, a.time, b.time) for a, b in pairwise(records) if b.time < a.time]
        assert log.reversals() == back

    def test_two_writers_share_one_clock(self, tmp_path: Path) -> None:
        """A reversal is noticed, too, between what two open stores append."""
        one = self.open(tmp_path, create=True, clock=Clock([500, 600]))
        two = self.open(tmp_path, create=False, clock=Clock([100]))
        one.append([event()])
        two.append([event()])
        one.append([event()])
        assert [reversal.position for reversal in two.reversals()] == [2]
        assert [two.at(t) for t in (99, 100, 500, 600)] == [0, 2, 2, 3]

    def test_a_log_is_known_by_its_head(self, tmp_path: Path) -> None:
        """The end of each append has a hash of its own, which stands for good, and is found."""
        log = self.open(tmp_path, create=True)
        assert log.mark() == (0, b"")
        log.append([event(), event(B)])
        first = log.mark()
        log.append([event()])
        second = log.mark()
        assert (first.position, second.position) == (2, 3)
        assert (log.mark(2), log.mark(1)) == (first, (0, b""))
        assert (log.marked(first.hash), log.marked(second.hash), log.marked(b"x" * 32)) == (2, 3, None)

    def test_signed_heads_are_kept(self, tmp_path: Path) -> None:
        """A signature is kept with its head, one for each signer and position, and lasts."""
        log = self.open(tmp_path, create=True)
        log.append([event()])
        head = log.mark()
        signed = Signature(head.position, "ssh:SHA256:x", head.hash, 5, b"signature")
        log.sign(signed)
        log.sign(signed._replace(time=6))
        log.sign(signed._replace(signer="ssh:SHA256:a"))
        kept = self.open(tmp_path, create=False).signatures()
        assert list(kept) == [signed._replace(signer="ssh:SHA256:a"), signed._replace(time=6)]

    def test_a_log_has_an_id(self, tmp_path: Path) -> None:
        """The id is the log's for ever, and no other log has it."""
        (tmp_path / "other").mkdir()
        log, other = self.open(tmp_path, create=True), self.open(tmp_path / "other", create=True)
        assert len(log.id) == 32
        assert log.id != other.id
        log.append([event()])
        assert self.open(tmp_path, create=False).id == log.id

    def test_a_record_tells_what_wrote_it(self, log: Log) -> None:
        """The program and its version are known of each position, before the first one too."""
        log.append([event(), event(B)])
        assert log.writer(1) == log.writer(2) != ""
        assert log.writer(0) == ""

    def test_a_request_is_done_once(self, tmp_path: Path) -> None:
        """An append that is repeated with its request does nothing and returns what it returned before."""
        log = self.open(tmp_path, create=True)
        log.append([event()])
        assert log.append([event(), event(B)], expect={A: 1}, run="one", request="q1") == 2
        assert log.append([event(), event(B)], expect={A: 1}, run="one", request="q1") == 2
        again = self.open(tmp_path, create=False)
        assert again.append([event(), event(B)], expect={A: 1}, run="one", request="q1") == 2
        assert log.append([event()], request="q2") == 4
        assert log.head() == 4

    def test_nothing_is_an_append_too(self, log: Log) -> None:
        """An append of nothing checks what it expects, writes nothing, and stands in nobody's way."""
        log.append([event()])
        assert log.append([], expect={A: 1}) == 2
        with pytest.raises(LogConflict):
            log.append([], expect={A: 7})
        assert log.append([event()]) == 2

    def test_it_is_read_where_it_cannot_be_written(self, tmp_path: Path) -> None:
        """Who may not write reads all there is, and is told why nothing is written."""
        folder = tmp_path / "barred"
        folder.mkdir()
        log = self.open(folder, create=True)
        log.append([accepted(), event(content="one")])
        log.append([replace(event(content="two"), command=1)])
        wanted = (list(log.read()), log.fold().entries, dict(log.open()), log.id, log.head())
        log.close()
        self.bar(folder)
        with as_nobody(tmp_path):
            other = self.open(folder, create=False)
            assert (
                list(other.read()),
                other.fold().entries,
                dict(other.open()),
                other.id,
                other.head(),
            ) == wanted
            assert (other.at(2**62), other.reversals(), len(list(other.versions(A)))) == (3, [], 2)
            with pytest.raises(LogError, match=r"can only be read here: .*; nothing was written"):
                other.append([event()])
            assert other.head() == 3
            other.close()

    def test_a_moved_address_is_a_conflict(self, log: Log) -> None:
        """An append that decided on an older version is refused, and nothing of it is written."""
        log.append([event()])
        log.append([event()], expect={A: 1})
        with pytest.raises(LogConflict, match="was changed at position 2"):
            log.append([event(B), event()], expect={A: 1})
        assert log.head() == 2
        log.append([event(B)], expect={B: 0})

    def test_what_a_person_has_in_hand_is_claimed(self, log: Log) -> None:
        """An open command knows the batch that it waits for, also to who opens the log later."""
        log.append([accepted("one"), accepted("one", B)])
        log.append([Started(machine="human", commands=(1, 2), instructions=(raw({}), raw({})))])
        log.append([Deferred(started=3, commands=(1, 2))])
        assert {position: opened.waits for position, opened in log.open().items()} == {1: 3, 2: 3}
        with pytest.raises(LogConflict, match="is in the work order 3"):
            log.append([accepted("two")])
        log.append([Finished(started=3, outcomes=(raw({}),), of=(1,)), Ended(command=2, status="done")])
        assert {position: opened.waits for position, opened in log.open().items()} == {1: 3}
        assert [record.position for record in log.caused(3)] == [4, 5]

    def test_what_holds_a_text_is_found(self, log: Log) -> None:
        """The fold of what holds a text is that part of the fold, now and at a position of the past."""
        log.append([event(content="to r1"), event(B, content="to r2"), event(A, content="to r2 and ü")])
        assert log.fold(holding="r2").entries == log.fold().entries
        assert log.fold(2, holding="r1").entries == log.fold(2, [A]).entries
        assert log.fold(holding="and ü").entries == log.fold(None, [A]).entries
        assert log.fold(holding="r1").entries == {}

    def test_a_report_that_saw_less_is_a_conflict(self, log: Log) -> None:
        """An append that saw less of a batch than came of it is refused, and nothing of it is written."""
        log.append([accepted(), Started(machine="human", commands=(1,), instructions=(raw({}),))])
        log.append([Deferred(started=2, commands=(1,))], seen={2: 0})
        report = Finished(started=2, outcomes=(raw({}),), of=(0,))
        log.append([report], seen={2: 3})
        with pytest.raises(LogConflict, match="somebody else has just reported on the work order 2"):
            log.append([report], seen={2: 3})
        assert log.head() == 4

    def test_a_claim_keeps_other_runs_away(self, log: Log) -> None:
        """An address of an open command is closed to other runs until it ends, open to its own."""
        log.append([accepted("one")])
        with pytest.raises(LogConflict, match="is being changed by command 1"):
            log.append([accepted("two")])
        log.append([accepted("one"), accepted("two", B)])
        log.append([Ended(command=1, status="done"), Ended(command=2, status="done")])
        log.append([accepted("two")])

    def test_a_run_has_a_lease_while_it_is_at_work(self, tmp_path: Path) -> None:
        """It is taken in the commit of the acceptance, and given back in that of the last end."""
        log = self.open(tmp_path, create=True)
        log.append([accepted("one"), accepted("one", B)], run="one", holder="me")
        log.append([Ended(command=1, status="done")], run="one")
        other = self.open(tmp_path, create=False)
        for each in (log, other):
            assert [(lease.run, lease.holder) for lease in each.leases().values()] == [("one", "me")]
        log.append([Ended(command=2, status="done")], run="one")
        assert log.leases() == other.leases() == {}
        assert log.head() == 4

    def test_what_is_held_needs_no_lease(self, log: Log) -> None:
        """A run of which only a hold is open is not at work; anybody may end that."""
        log.append([replace(accepted("one"), held=True), accepted("one", B)], run="one", holder="me")
        log.append([Ended(command=2, status="done")], run="one")
        assert log.leases() == {}
        log.append([Ended(command=1, status="done")])
        assert log.open() == {}

    def test_who_waits_for_a_person_gives_its_lease_back(self, tmp_path: Path) -> None:
        """The claims of a run stand without a lease, and who goes on with it takes one."""
        log, other = self.open(tmp_path, create=True), self.open(tmp_path, create=False)
        log.append([accepted("one")], run="one", holder="me")
        log.append([Started(machine="human", commands=(1,), instructions=(raw({}),))], run="one")
        log.append([Deferred(started=2, commands=(1,))], run="one")
        log.release("one")
        assert log.leases() == {}
        with pytest.raises(LogConflict, match="is in the work order 2"):
            other.append([accepted("two")], run="two", holder="you")
        other.take("one", "you")
        other.append([Finished(started=2, outcomes=(raw({}),)), Ended(command=1, status="done")], run="one")
        assert other.leases() == {}

    def test_tokens_grow(self, tmp_path: Path) -> None:
        """Each lease that is taken, or taken over, has a higher token than all before it."""
        one, two = self.open(tmp_path, create=True), self.open(tmp_path, create=False)
        tokens = []
        for log, run in ((one, "a"), (two, "b"), (one, "c")):
            log.append([accepted(run, Address(f"file/m:/{run}"))], run=run, holder="me")
            tokens.append(log.leases()[run].token)
        one.append([Ended(command=3, status="done")], run="c")
        two.take("a", "two", over=tokens[0])
        tokens.append(two.leases()["a"].token)
        two.append([Ended(command=1, status="done")])
        two.append([accepted("a", A)], run="a", holder="two")
        tokens.append(one.leases()["a"].token)
        assert tokens == sorted({*tokens})

    def test_who_was_taken_over_is_fenced_off(self, tmp_path: Path) -> None:
        """Nothing of it is written, whatever it is and whoever ends the command, and so for ever."""
        one, two = self.open(tmp_path, create=True), self.open(tmp_path, create=False)
        one.append([accepted("one")], run="one", holder="me")
        batch = Started(machine="m", commands=(1,), instructions=(raw({}),))
        one.append([batch], run="one")
        two.take("one", "you", over=one.leases()["one"].token)
        refused: list[AnyEntry] = [
            batch,
            Finished(started=2, outcomes=(raw({}),)),
            replace(event(), command=1),
            Ended(command=1, status="done"),
            accepted("one", B),
        ]
        for entry in refused:
            with pytest.raises(Fenced):
                one.append([entry], run="one")
        for entry in refused[:-1]:
            with pytest.raises(Fenced):
                one.append([entry])
        two.append([replace(event(content="yours"), command=1), Ended(command=1, status="done")])
        for entry in refused:
            with pytest.raises(Fenced):
                one.append([entry], run="one")
        assert (one.head(), one.open(), one.leases()) == (4, {}, {})

    def test_one_of_two_takes_it_over(self, tmp_path: Path) -> None:
        """Who names a token that is not that of now is refused; a release of what was lost takes nothing."""
        one, two = self.open(tmp_path, create=True), self.open(tmp_path, create=False)
        one.append([accepted("one")], run="one", holder="dead")
        token = one.leases()["one"].token
        two.take("one", "two", over=token)
        for over in (token, 0):
            with pytest.raises(LogConflict, match="has just taken over"):
                one.take("one", "three", over=over)
        with pytest.raises(LogConflict, match="another process is at work"):
            one.append([], run="one", holder="one")
        one.release("one")
        assert two.leases()["one"].holder == "two"

    def test_a_beat_is_by_the_clock_of_the_store(self, tmp_path: Path) -> None:
        """What the holder appends tells that it lives; others see how long ago that was."""
        clock = [1_000_000]
        log = self.open(tmp_path, create=True, clock=lambda: clock[0])
        log.append([accepted("one")], run="one", holder="me")
        clock[0] += 7_000_000
        assert log.leases()["one"].age == 7
        log.append([event(B)], run="one")
        assert log.leases()["one"].age == 0
        clock[0] -= 3_000_000
        assert log.leases()["one"].age == 0

    def test_it_beats_while_its_work_lasts(self, tmp_path: Path) -> None:
        """Who appends nothing for long says that it lives nevertheless, and needs no turn for it."""
        clock = count(1_000_000, 1_000_000)
        log = self.open(tmp_path, create=True, clock=lambda: next(clock))
        other = self.open(tmp_path, create=False, clock=lambda: 0)
        log.append([accepted("one")], run="one", holder="me")
        first = other.leases()["one"]
        with log.beating(0.01):
            seen = self._beat_of(tmp_path, "one")
            deadline = time.monotonic() + 30
            while self._beat_of(tmp_path, "one") < seen + 3 and time.monotonic() < deadline:
                time.sleep(0.01)
        assert self._beat_of(tmp_path, "one") >= seen + 3
        assert other.leases()["one"].token == first.token

    def _beat_of(self, folder: Path, run: str) -> float:
        """Return when, by a clock that stands still, a run said that it lives, in seconds."""
        far = 2**60
        log = self.open(folder, create=False, clock=lambda: far)
        age = log.leases()[run].age
        log.close()
        return far / 1e6 - age

    def test_what_was_begun_before_leases_is_held_by_its_process(self, log: Log) -> None:
        """Of a command that no lease covers, as an earlier version accepted it, the process counts."""
        log.append([accepted("old")])
        assert [(x.run, x.holder, x.token) for x in log.leases().values()] == [("old", "1@here", 0)]
        log.append([accepted("new", B)], run="new", holder="me")
        assert {lease.holder for lease in log.leases().values()} == {"1@here", "me"}
        log.take("old", "you")
        log.append([Ended(command=1, status="failed"), Ended(command=2, status="done")])
        assert log.leases() == {}
        log.append([accepted("newer")])
        assert log.leases() == {}

    def test_nobody_records_where_another_is_at_work(self, log: Log) -> None:
        """What was observed at an address that an open command is about to change would not fit its event."""
        log.append([accepted("one")])
        with pytest.raises(LogConflict, match="is being changed by command 1"):
            log.append([event()])
        log.append([replace(event(), command=1), Ended(command=1, status="done")])
        log.append([event(content="later")])

    def test_what_is_late_is_open_and_changes_nothing(self, tmp_path: Path) -> None:
        """Who was fenced off may record it; state and claims of others stay; new claims are refused there."""
        log, other = self.open(tmp_path, create=True), self.open(tmp_path, create=False)
        log.append([accepted("one")], run="one", holder="me")
        other.take("one", "you", over=log.leases()["one"].token)
        other.append([Ended(command=1, status="failed")])
        other.append([accepted("two")], run="two", holder="you")
        report = Finished(started=9, outcomes=(raw({"id": "i-1"}),))
        late = Late(commands=(1,), on=(A,), actor="me", finished=(report,), events=(event(),))
        assert log.append([late]) == 4
        other.append([replace(event(content="yours"), command=3), Ended(command=3, status="done")])
        assert bytes(log.fold().entries[A].raw) == b'{"content":"yours"}'
        for one in (log, other, self.open(tmp_path, create=False)):
            assert [(p, o.late, o.claims) for p, o in one.open().items()] == [(4, True, (A,))]
            assert [r.entry for r in one.caused(1)][-1] == late
        with pytest.raises(LogConflict, match="is in doubt"):
            other.append([accepted("three")], run="three", holder="you")
        other.append([event(content="seen"), Ended(command=4, status="done")])
        other.append([accepted("three")], run="three", holder="you")

    def test_the_fold_is_of_any_position(self, log: Log) -> None:
        """The fold up to a position has what was there then."""
        for content in ("one", "two", "three"):
            log.append([event(A, content)])
        assert bytes(log.fold(2).entries[A].raw) == b'{"content":"two"}'
        assert log.fold().entries[A].since == 3
        assert log.fold(0).entries == {}

    def test_every_fold_is_that_of_its_records(self, log: Log) -> None:
        """At each position, of all addresses or of one, the log knows what its records fold to."""
        for n, (address, kind) in enumerate(product((A, B), ("file.written", "forgotten", "removed"))):
            left = (NULL, raw({"content": str(n)})) if kind == "file.written" else (raw({}), NULL)
            change = Event(type=kind, delta={address: left}, command=log.head() + 1)
            log.append([accepted(), change, event(B, str(n))])
        fold = Fold()
        assert log.fold(0).entries == {}
        for record in log.read():
            fold.add(record.position, record.entry)
            assert log.fold(record.position).entries == fold.entries
            assert log.fold(record.position, [A]).entries == {a: v for a, v in fold.entries.items() if a == A}
        assert log.fold().entries == fold.entries
        assert [v.since for v in log.versions(A)] == [2, 5, 8]
        assert list(log.versions(B))[-1] == fold.entries[B]

    def test_it_tells_what_machines_are_known_by(self, tmp_path: Path) -> None:
        """The last that was told of each machine counts, by whatever record, and for others who open it."""
        log = self.open(tmp_path, create=True)
        other = self.open(tmp_path, create=False)
        assert log.machines() == {}
        log.append([accepted(), Started(machine="web", commands=(1,), instructions=(raw({}),))])
        log.append([Finished(started=2, outcomes=(NULL,), met={"web": {"machine-id": "a"}})])
        log.append([Met(machines={"web": {"machine-id": "b"}, "aws": {"region": "r"}}, accepted=True)])
        log.append([Finished(started=2, outcomes=(NULL,))])
        known = {"aws": Known(4, {"region": "r"}), "web": Known(4, {"machine-id": "b"})}
        assert log.machines() == other.machines() == known

    def test_what_came_of_a_command_is_found(self, log: Log) -> None:
        """A command's events and end, and a batch's outcomes, are found by their cause."""
        batch = Started(machine="m", commands=(1,), instructions=(raw({}),))
        of_one: list[AnyEntry] = [replace(event(A), command=1), Ended(command=1, status="done")]
        log.append([accepted("one"), accepted("two", B), batch, replace(event(B), command=2)])
        log.append([Finished(started=3, outcomes=(raw({}),)), *of_one])
        assert [r.position for r in log.caused(1)] == [3, 6, 7]
        assert [r.position for r in log.caused(2)] == [4]
        assert [r.position for r in log.caused(3)] == [5]

    def test_reading_backwards(self, log: Log) -> None:
        """The newest comes first."""
        log.append([accepted(), event(), event(B)])
        assert [r.position for r in log.read(2, backwards=True)] == [3, 2]

    def test_it_lasts(self, tmp_path: Path) -> None:
        """What one process appended another reads, with its fold and its claims."""
        first = self.open(tmp_path, create=True)
        first.append([accepted(), event()])
        first.close()
        second = self.open(tmp_path, create=False)
        assert second.head() == 2
        assert second.fold().entries[A].since == 2
        assert list(second.open()) == [1]

    def test_two_writers_share_it(self, tmp_path: Path) -> None:
        """Each of two open stores sees what the other wrote, and conflicts with it."""
        one = self.open(tmp_path, create=True)
        two = self.open(tmp_path, create=False)
        one.append([event()])
        assert two.fold().entries[A].since == 1
        two.append([event()], expect={A: 1})
        with pytest.raises(LogConflict):
            one.append([event()], expect={A: 1})

    def test_a_long_log_opens_with_its_fold(self, tmp_path: Path) -> None:
        """A log of many records has the same fold after it was closed and opened, in the past too."""
        log = self.open(tmp_path, create=True)
        for start in range(0, 12_000, 1000):
            log.append([event(Address(f"file/m:/{n % 50}"), str(n)) for n in range(start, start + 1000)])
        before, past = log.fold().entries, log.fold(7001).entries
        log.close()
        again = self.open(tmp_path, create=False)
        again.append([event()])
        again.close()
        again = self.open(tmp_path, create=False)
        assert {**again.fold().entries} == {**before, A: again.fold().entries[A]}
        assert again.fold(7001).entries == past

    def test_of_several_versions_in_one_append_the_last_is_present(self, log: Log) -> None:
        """What an address held in between is past, of what was there before and of what was not."""
        log.append([event(A, "zero")])
        log.append([event(A, "one"), event(B, "other"), event(A, "two"), event(A, "three"), event(B, "last")])
        assert [v.since for v in log.versions(A)] == [1, 2, 4, 5]
        assert [v.since for v in log.versions(B)] == [3, 6]
        assert bytes(log.fold().entries[A].raw) == b'{"content":"three"}'
        assert [log.fold(p).entries[A].since for p in range(1, 7)] == [1, 2, 2, 4, 5, 5]

    def test_who_stops_reading_may_append(self, log: Log) -> None:
        """A reader may append in the middle of what it reads, and leave off."""
        log.append([event(A, str(n)) for n in range(5000)])
        for record in log.read():
            log.append([event(B, str(record.position))])
            if record.position == 3:
                break
        assert log.head() == 5003
        assert [r.position for r in log.read(4999, backwards=True)] == [5003, 5002, 5001, 5000, 4999]

    def test_large_bodies_are_read(self, log: Log) -> None:
        """Records of some megabytes come back whole and in order, among small ones, both ways."""
        sizes = [9_000_000, 10, 9_000_000, 5]
        log.append([event(content="x" * size) for size in sizes])
        read = [(r.position, len(bytes(r.entry.delta[A][1])) - 14) for r in log.read()]  # type: ignore[union-attr]
        assert read == [*enumerate(sizes, 1)]
        assert [r.position for r in log.read(backwards=True)] == [4, 3, 2, 1]
        assert [r.position for r in log.read(1, 3, names=("event",))] == [1, 2, 3]

    def test_what_is_refused_leaves_nothing(self, tmp_path: Path) -> None:
        """Whatever an append would do, and whyever it is refused, nothing of it is there after."""
        log, other = self.open(tmp_path, create=True), self.open(tmp_path, create=False)
        log.append([accepted("one"), event(B)], run="one", holder="me")

        def told() -> tuple[object, ...]:
            tables = (log.fold().entries, log.open(), log.leases().keys(), log.machines(), log.reversals())
            return (log.mark(), [*log.read()], *map(str, tables))

        before = told()
        much: list[AnyEntry] = [
            accepted("two", B),
            event(B, "new"),
            Met(machines={"web": {"machine-id": "a"}}),
            Late(commands=(1,), on=(B,)),
        ]
        for more in (
            {"expect": {B: 1}},
            {"seen": {1: 9}},
            {"expect": {B: 2, A: 5}, "holder": "you"},
            {"run": "one", "holder": "you"},
        ):
            with pytest.raises(LogConflict):
                other.append(much, **{"run": "two", "request": "q", **more})  # type: ignore[arg-type]
        for last in (accepted("two"), event(A)):
            with pytest.raises(LogConflict):
                other.append([*much, last], run="two", holder="you", request="q")
        with pytest.raises(Fenced):
            other.append([*much, Ended(command=1, status="done")], run="two", holder="you", request="q")
        assert told() == before
        assert other.append(much, run="two", holder="you", request="q") == 3

    def test_a_claim_is_seen_by_all_who_have_it_open(self, tmp_path: Path) -> None:
        """What one store claims another is refused, and lets go when any of them ends the command."""
        one, two, three = (self.open(tmp_path, create=not n) for n in range(3))
        one.append([accepted("one", A, B)])
        for other in (two, three):
            with pytest.raises(LogConflict, match="is being changed by command 1"):
                other.append([accepted("two", B)])
        two.append([Ended(command=1, status="done")])
        three.append([accepted("three", A)])
        for other in (one, two):
            with pytest.raises(LogConflict, match="is being changed by command 3"):
                other.append([accepted("one", A)])
        assert [*one.open()] == [*two.open()] == [*three.open()] == [3]

    def test_a_request_is_done_once_whoever_repeats_it(self, tmp_path: Path) -> None:
        """Of many processes that append the same request at once, all are told the same position."""
        self.open(tmp_path, create=True).close()

        def work(number: int) -> None:
            log = self.open(tmp_path, create=False)
            for n in range(10):
                first = log.append([event(A, str(n)), event(B)], request=f"q{n}")
                (tmp_path / f"told-{number}-{n}").write_text(str(first))
            log.close()

        in_processes(work, 4)
        answers = [{(tmp_path / f"told-{k}-{n}").read_text() for k in range(4)} for n in range(10)]
        assert answers == [{str(1 + 2 * n)} for n in range(10)]
        assert self.open(tmp_path, create=False).head() == 20

    def test_processes_append_without_a_gap_or_a_lost_conflict(self, tmp_path: Path) -> None:
        """What each decides on is what is there: a number that all of them count up is right in the end."""
        self.open(tmp_path, create=True).close()

        def work(number: int) -> None:
            log, done = self.open(tmp_path, create=False), 0
            while done < 15:
                now = log.fold(None, [A]).entries.get(A)
                count = 0 if now is None else int(bytes(now.raw))
                up = Event(type="counted", delta={A: (raw(count), raw(count + 1))})
                try:
                    log.append([up, event(B, str(number))], expect={A: 0 if now is None else now.since})
                except LogConflict:
                    continue
                done += 1
            log.close()

        in_processes(work, 4)
        log = self.open(tmp_path, create=False)
        assert bytes(log.fold(None, [A]).entries[A].raw) == b"60"
        assert [r.position for r in log.read()] == [*range(1, 121)]

    def test_one_of_many_gets_a_claim(self, tmp_path: Path) -> None:
        """Whatever processes claim in any order, no address is ever claimed by two, and all end."""
        self.open(tmp_path, create=True).close()
        addresses = [Address(f"file/m:/{n}") for n in range(6)]

        def work(number: int) -> None:
            log, choose = self.open(tmp_path, create=False), Random(number)  # noqa: S311 - no secret
            for n in range(15):
                run = f"{number}-{n}"
                try:
                    first = log.append([accepted(run, *choose.sample(addresses, 3))], run=run, holder=run)
                except LogConflict:
                    continue
                log.append([Ended(command=first, status="done")], run=run)
            log.close()

        in_processes(work, 4)
        held, log = dict[int, tuple[Address, ...]](), self.open(tmp_path, create=False)
        for record in log.read():
            if isinstance(record.entry, Accepted):
                assert not {*record.entry.claims} & {claim for claims in held.values() for claim in claims}
                held[record.position] = record.entry.claims
            elif isinstance(record.entry, Ended):
                del held[record.entry.command]
        assert (log.open(), log.leases(), held) == ({}, {}, {})

    def test_tail_has_no_hole_under_writers(self, tmp_path: Path) -> None:
        """Who follows while processes append gets every record once and in order, with all that it caused."""
        log = self.open(tmp_path, create=True)

        def work(number: int) -> None:
            own = self.open(tmp_path, create=False)
            for n in range(15):
                run, on = f"{number}-{n}", Address(f"file/m:/{number}")
                first = own.append([accepted(run, on)])
                own.append([replace(event(on), command=first), Ended(command=first, status="done")])
            own.close()

        children = forked(work, 4)
        seen = list[int]()
        for record in log.tail(0, patience=60):
            seen.append(record.position)
            if isinstance(record.entry, Ended):
                caused = [type(r.entry) for r in log.caused(record.entry.command)]
                assert caused == [Event, Ended]
            if len(seen) == 180:
                break
        joined(children)
        assert seen == [*range(1, 181)]

    def test_many_threads_append_without_a_gap(self, tmp_path: Path) -> None:
        """Appends that race each other all land, one after another."""
        self.open(tmp_path, create=True).close()

        def work() -> None:
            log = self.open(tmp_path, create=False)
            for _ in range(20):
                log.append([event(), event(B)])
            log.close()

        _in_threads(work, 4)
        assert [r.position for r in self.open(tmp_path, create=False).read()] == list(range(1, 161))

    def test_tail_follows(self, tmp_path: Path) -> None:
        """Tail gives what others append while it waits."""
        reader, writer = self.open(tmp_path, create=True), self.open(tmp_path, create=False)
        writer.append([event()])
        tail = reader.tail(0, patience=0.5)
        assert next(tail).position == 1
        writer.append([event()])
        assert [record.position for record in tail] == [2]


def in_processes(work: Callable[[int], None], count: int) -> None:
    """Do work in several processes at once, each with its number from 0; all must succeed."""
    joined(forked(work, count))


def forked(work: Callable[[int], None], count: int) -> list[int]:
    """Begin processes, each with its number from 0."""
    children = []
    for number in range(count):
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # a fork among threads: the child needs none of them
            child = os.fork()
        if child == 0:
            code = 1
            try:
                work(number)
                code = 0
            except BaseException:
                traceback.print_exc()
            finally:
                os._exit(code)
        children.append(child)
    return children


def joined(children: Sequence[int]) -> None:
    """Wait for processes, which must all have succeeded."""
    codes = [os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) for child in children]
    assert codes == [0] * len(children)


def _in_threads(work: Callable[[], None], count: int) -> None:
    threads = [threading.Thread(target=work) for _ in range(count)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
