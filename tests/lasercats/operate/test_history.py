"""How a position is written, and what the history tells."""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from lasercats.core.errors import BadInput
from lasercats.interpreters.context import Result
from lasercats.operate import history, moments
from lasercats.operate.project import Project

Issue = Callable[..., Result]


@pytest.fixture
def ends(project: Project, issue: Issue, tmp_path: Path) -> list[tuple[int, int]]:
    """Three commands; where each was accepted and where it ended."""
    found = []
    for text in "123":
        result = issue("file.write", f"a:{tmp_path}/f", content=text)
        assert result.position is not None
        found.append((result.position, project.log.head()))
    return found


def test_a_number_is_the_end_of_its_command(project: Project, ends: list[tuple[int, int]]) -> None:
    """The position of a command means the moment after it; any other record means itself."""
    for first, last in ends:
        assert moments.resolve(project.log, str(first)) == last
        assert moments.resolve(project.log, str(first + 1)) == first + 1
        assert {moments.command_at(project.log, p) for p in range(first, last + 1)} == {first}


def test_head(project: Project, ends: list[tuple[int, int]]) -> None:
    """HEAD is the last command and HEAD~N the Nth before it."""
    assert moments.resolve(project.log, "HEAD") == ends[2][1]
    for n in range(3):
        assert moments.resolve(project.log, f"HEAD~{n}") == ends[2 - n][1]
    with pytest.raises(BadInput, match="HEAD~3 is before the first command; the log has 3"):
        moments.resolve(project.log, "HEAD~3")


def test_times(project: Project, ends: list[tuple[int, int]]) -> None:
    """A time is the last position before it, in UTC unless it names a zone."""
    hour = timedelta(hours=1)
    now = datetime.now(UTC)
    for moment, position in ((now - hour, 0), (now + hour, ends[2][1])):
        assert moments.resolve(project.log, moment.isoformat()) == position
        assert moments.resolve(project.log, moment.replace(tzinfo=None).isoformat()) == position
    times = [record.time for record in project.log.read()]
    between = datetime.fromtimestamp(times[ends[1][0] - 1] / 1e6 - 0.000001, UTC)
    assert moments.resolve(project.log, between.isoformat()) <= ends[0][1]


@pytest.mark.parametrize("unit", ["second", "minutes", "hour", "days", "weeks"])
def test_ago(project: Project, ends: list[tuple[int, int]], unit: str) -> None:
    """`@{N UNITS ago}` is that time before now."""
    assert moments.resolve(project.log, f"@{{9 {unit} ago}}") == 0
    assert moments.resolve(project.log, f"@{{0 {unit} ago}}") == ends[2][1]


@pytest.mark.parametrize("text", ["", "x", "HEAD~", "HEAD~-1", "-1", "1.5", "@{1 year ago}", "25:00"])
def test_what_is_no_position(project: Project, text: str) -> None:
    """Anything else is refused with how to write one."""
    with pytest.raises(BadInput, match="is no position; write a number, HEAD~3, a time"):
        moments.resolve(project.log, text)


def test_ranges(project: Project, ends: list[tuple[int, int]]) -> None:
    """A range runs from one position to the end of another, each of which may be left out."""
    one, two, three = ends
    log = project.log
    assert moments.resolve_range(log, None) == (1, None)
    assert moments.resolve_range(log, f"{one[0]}..{two[0]}") == (one[0], two[1])
    assert moments.resolve_range(log, f"{two[0]}..") == (two[0], None)
    assert moments.resolve_range(log, f"..{two[0]}") == (1, two[1])
    assert moments.resolve_range(log, "HEAD") == three
    assert moments.positions(log, [f"{one[0]}..HEAD"]) == [one[0], two[0], three[0]]
    assert moments.positions(log, ["HEAD", str(three[1]), f"{one[0]}..{one[0]}"]) == [three[0], one[0]]


def test_a_range_from_head(project: Project, ends: list[tuple[int, int]]) -> None:
    """A range from HEAD~1 holds that command too, as a range from its number does."""
    assert moments.positions(project.log, ["HEAD~1..HEAD"]) == [ends[1][0], ends[2][0]]


def test_happenings(project: Project, ends: list[tuple[int, int]], tmp_path: Path) -> None:
    """Each command is one line of history, with what it really changed."""
    found = history.happenings(project)
    assert [h.position for h in found] == [first for first, _ in ends]
    assert {h.status for h in found} == {"done"}
    assert [list(h.delta) for h in found] == [[f"file/a:{tmp_path}/f"]] * 3
    assert history.happening(project, ends[1][1]) == found[1]
    with pytest.raises(BadInput, match="there is no position 0; the log goes from 1 to"):
        history.happening(project, 0)


def test_between(project: Project, ends: list[tuple[int, int]]) -> None:
    """The delta between two positions leads from one state to the other, and back."""
    delta, before, after = history.between(project, ends[0][1], ends[2][1])
    assert before.apply(delta).resources() == after.resources()
    back, _, _ = history.between(project, ends[2][1], ends[0][1])
    assert after.apply(back).resources() == before.resources()


def test_an_empty_log(project: Project) -> None:
    """In an empty log there is no HEAD, and every time is before the first command."""
    with pytest.raises(BadInput, match="HEAD~0 is before the first command; the log has 0"):
        moments.resolve(project.log, "HEAD")
    assert moments.resolve(project.log, "2100-01-01") == 0
    assert history.happenings(project) == []


def test_a_range_that_ends_before_it_begins(project: Project, ends: list[tuple[int, int]]) -> None:
    """The later side first is refused; two times with nothing between them are a range without commands."""
    for text in (
        f"{ends[2][0]}..{ends[0][0]}",
        f"{ends[1][0]}..{ends[0][0]}",
        "HEAD..HEAD~1",
        f"{ends[1][0]}..0",
    ):
        with pytest.raises(BadInput, match="ends before it begins; write the earlier side first"):
            moments.resolve_range(project.log, text)
    assert moments.resolve_range(project.log, f"{ends[0][0]}..{ends[0][0]}") == ends[0]
    first, last = moments.resolve_range(project.log, "2001-01-01..2001-01-02")
    assert (first, last) == (1, 0)
    with pytest.raises(BadInput, match="ends before it begins"):
        moments.resolve_range(project.log, "2999-01-01..2001-01-01")
