"""Bisect: the first change after which a check fails, in as few checks as it takes."""

from collections.abc import Sequence
from itertools import pairwise
from math import ceil, log2
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lasercats.core.address import make
from lasercats.core.change import Change, Delta
from lasercats.core.errors import BadInput
from lasercats.core.record import OBSERVED, Event, raw_delta
from lasercats.domains.host.file import File
from lasercats.operate import begin, observe
from lasercats.operate.bisect import Check, Found, Probe, bisect
from lasercats.operate.project import Project
from lasercats.testing.running import finish
from tests.lasercats.operate.test_undo import Issue

MANY = 100


@pytest.fixture(scope="module")
def long(tmp_path_factory: pytest.TempPathFactory) -> Project:
    """A project in which a file was seen to change a hundred times: position N is change N."""
    folder = tmp_path_factory.mktemp("long") / "project"
    begin.init(folder)
    project = Project(folder)
    before, address = None, make("file", "local:/f")
    for n in range(MANY):
        after = File(content=str(n))
        delta = Delta({address: Change(before, after)})
        project.log.append([Event(type=OBSERVED, delta=raw_delta(delta), actor="tester")])
        before = after
    return project


def search(project: Project, check: Check, first: int = 1, last: int | None = None) -> Found:
    """Bisect without a word."""
    return bisect(project, first, last, check, lambda _: None)


def content(project: Project, position: int) -> str | None:
    """Return the content of the one file at a position."""
    return next((r.content for _, r in project.state(position).items() if isinstance(r, File)), None)


@pytest.mark.parametrize("count", [1, 2, 3, 10, 100])
def test_every_culprit_is_found(long: Project, count: int) -> None:
    """Whichever of N changes it is, it is found with 2 + log2 N checks, none of which is made twice."""
    for culprit in range(1, count + 1):
        asked: list[int] = []

        def check(position: int, asked: list[int] = asked, culprit: int = culprit) -> bool:
            asked.append(position)
            return position < culprit

        found = search(long, check, last=count)
        assert (found.position, found.happening.position, found.skipped) == (culprit, culprit, ())
        assert len(asked) <= 2 + ceil(log2(count))
        assert len({*asked}) == len(asked)
        assert [step.position for step in found.steps] == asked


def test_the_check_sees_the_state_of_then(long: Project) -> None:
    """At each position the state is the one of that position."""
    found = search(long, lambda position: int(content(long, position) or 0) < 41)
    assert found.position == 42
    assert content(long, found.position) == "41"


@given(data=st.data())
def test_a_made_up_boundary_with_skips(long: Project, data: st.DataObject) -> None:
    """The true one is found, or is among the states that could not be told of just before what is found."""
    first = data.draw(st.integers(1, MANY))
    last = data.draw(st.integers(first, MANY))
    culprit = data.draw(st.integers(first, last))
    dark = data.draw(st.sets(st.integers(first, last - 1)) if first < last else st.just(set[int]()))

    def check(position: int) -> bool | None:
        return None if position in dark else position < culprit

    found = search(long, check, first, last)
    assert culprit == found.position or culprit in found.skipped
    assert {*found.skipped} <= dark
    assert found.position not in dark
    between = range(found.position - len(found.skipped), found.position)
    assert list(found.skipped) == [*between]
    assert between.start == first or check(between.start - 1) is True
    assert len({step.position for step in found.steps}) == len(found.steps)
    if not dark:
        assert len(found.steps) <= 2 + ceil(log2(last - first + 1))


@given(st.integers(2, MANY), st.data())
def test_what_is_left_goes_down(long: Project, count: int, data: st.DataObject) -> None:
    """Each step tells how many are still to come, and in the end none is."""
    culprit = data.draw(st.integers(1, count))
    probes: list[Probe] = []
    found = bisect(long, 1, count, lambda position: position < culprit, probes.append)
    assert tuple(probes) == found.steps
    left = [step.left for step in probes]
    assert all(later < earlier for earlier, later in pairwise(left))
    assert left[-1] in (0, 1)


def test_all_is_dark(long: Project) -> None:
    """Where nothing between can be told of, every one of them may be it."""
    found = search(long, lambda position: True if position == 0 else False if position == 8 else None, last=8)
    assert (found.position, found.skipped) == (8, (1, 2, 3, 4, 5, 6, 7))


@pytest.mark.parametrize(
    ("answers", "message"),
    [
        ((False, False), "the check does not hold before position 11; begin where it still held"),
        ((None, False), "the check cannot tell before position 11; begin where it still held"),
        ((True, True), "the check does not fail at position 20; end where it fails"),
        ((True, None), "the check cannot tell at position 20; end where it fails"),
    ],
)
def test_a_check_that_does_not_change(long: Project, answers: Sequence[bool | None], message: str) -> None:
    """A check must hold before the range and fail at its end; two checks are enough to tell."""
    asked: list[int] = []

    def check(position: int) -> bool | None:
        asked.append(position)
        return answers[0] if position < 11 else answers[1]

    with pytest.raises(BadInput) as caught:
        search(long, check, 11, 20)
    assert str(caught.value) == message
    assert len(asked) <= 2


def test_nothing_changed(project: Project, issue: Issue, tmp_path: Path) -> None:
    """Where nothing changed there is nothing to find, and the check is not asked."""

    def check(position: int) -> bool:
        raise AssertionError(position)

    with pytest.raises(BadInput, match="nothing changed from 1 to 0; choose a wider range"):
        search(project, check)
    issue("file.chmod", f"a:{tmp_path}/none", mode="0600")
    raw = issue("exec", "a", argv=["true"])
    with pytest.raises(BadInput, match="nothing changed from 1 to"):
        search(project, check)
    assert raw.position is not None
    with pytest.raises(BadInput, match=f"nothing changed from {raw.position} to"):
        search(project, check, raw.position)


def test_the_command_is_told(project: Project, issue: Issue, tmp_path: Path) -> None:
    """What is found is the command, with both sides of its change; what changed nothing is not asked of."""
    name = f"a:{tmp_path}/f"
    issue("file.write", name, content="1")
    issue("exec", "a", argv=["true"])
    culprit = issue("file.write", name, content="2")
    issue("file.write", name, content="2")
    issue("file.chmod", name, mode="0600")
    found = search(project, lambda position: content(project, position) in (None, "1"))
    assert found.happening.position == culprit.position
    (change,) = found.happening.delta.values()
    assert (change.before, change.after) != (None, None)
    assert [change.before.content, change.after.content] == ["1", "2"]  # type: ignore[union-attr]
    assert len(found.steps) <= 2 + ceil(log2(3))


def test_what_a_command_met(project: Project, issue: Issue, tmp_path: Path) -> None:
    """A change from outside that a command met is told apart from what the command did."""
    name = f"a:{tmp_path}/f"
    issue("file.write", name, content="1")
    (tmp_path / "f").write_text("by hand")
    met = issue("file.chmod", name, mode="0600")
    found = search(project, lambda position: content(project, position) != "by hand")
    (record,) = project.log.read(found.position, found.position)
    assert isinstance(record.entry, Event)
    assert record.entry.type == OBSERVED
    assert found.happening.position == met.position


def test_an_observation(project: Project, issue: Issue, tmp_path: Path) -> None:
    """An observation can be what is found."""
    issue("file.write", f"a:{tmp_path}/f", content="1")
    (tmp_path / "f").write_text("by hand")
    seen = observe.record(project, finish(project, observe.observe(project)))
    issue("file.chmod", f"a:{tmp_path}/f", mode="0600")
    found = search(project, lambda position: content(project, position) != "by hand")
    assert (found.position, found.happening.type, found.happening.command) == (seen.position, OBSERVED, None)
