"""Undo: what is taken back, in which order, and what is not."""

from collections.abc import Callable
from pathlib import Path

import pytest

from lasercats.core.errors import Refused
from lasercats.interpreters.context import Result
from lasercats.operate import observe
from lasercats.operate.issue import carry_out
from lasercats.operate.project import Project
from lasercats.operate.undo import plan_undo
from lasercats.testing.running import finish

Issue = Callable[..., Result]


def undo(project: Project, *results: Result) -> None:
    """Take commands back."""
    plan = plan_undo(project, [result.position or 0 for result in results])
    assert plan.problems == {}
    assert all(result.ok for result in finish(project, carry_out(project, plan.commands)))


def test_an_undo_of_an_undo(project: Project, issue: Issue, tmp_path: Path) -> None:
    """An undo is made of commands, so it can be undone itself."""
    issue("file.write", f"a:{tmp_path}/f", content="1")
    second = issue("file.write", f"a:{tmp_path}/f", content="2", mode="600")
    undo(project, second)
    assert (tmp_path / "f").read_text() == "1"
    last = project.log.fold().state(project.kinds)
    position = next(r.position for r in project.log.read(names=("accepted",)) if r.position > second.position)  # type: ignore[operator]
    assert last.resources()
    made = plan_undo(project, [position])
    finish(project, carry_out(project, made.commands))
    assert (tmp_path / "f").read_text() == "2"


def test_many_are_taken_back_the_latest_first(project: Project, issue: Issue, tmp_path: Path) -> None:
    """A directory and what was put into it go away together, the file first."""
    made = [
        issue("directory.create", f"a:{tmp_path}/d"),
        issue("file.write", f"a:{tmp_path}/d/f", content="1"),
    ]
    undo(project, *made)
    assert not (tmp_path / "d").exists()


@pytest.mark.parametrize("together", [True, False])
def test_what_was_learned_stands_not_in_the_way(
    project: Project, issue: Issue, tmp_path: Path, together: bool
) -> None:
    """The owner that an undone command learned does not keep the creation before it from being taken back."""
    made = issue("directory.create", f"a:{tmp_path}/d", mode="700")
    owned = issue("directory.chown", f"a:{tmp_path}/d", owner="1")
    alone = plan_undo(project, [made.position or 0])
    assert list(alone.problems.values()) == [f"owner changed since, at position {owned.position}"]
    if together:
        undo(project, made, owned)
    else:
        undo(project, owned)
        undo(project, made)
    assert not (tmp_path / "d").exists()


def test_a_removal_is_taken_back(project: Project, issue: Issue, tmp_path: Path) -> None:
    """A removed file comes back with its content and mode."""
    issue("file.write", f"a:{tmp_path}/f", content="1", mode="640")
    undo(project, issue("file.remove", f"a:{tmp_path}/f"))
    assert (tmp_path / "f").read_text() == "1"
    assert (tmp_path / "f").stat().st_mode & 0o777 == 0o640


def test_only_what_the_command_changed(project: Project, issue: Issue, tmp_path: Path) -> None:
    """A later change of another field stays."""
    issue("file.write", f"a:{tmp_path}/f", content="1")
    chmod = issue("file.chmod", f"a:{tmp_path}/f", mode="600")
    issue("file.write", f"a:{tmp_path}/f", content="2")
    undo(project, chmod)
    assert (tmp_path / "f").read_text() == "2"
    assert (tmp_path / "f").stat().st_mode & 0o777 == 0o644


def test_a_conflict_is_told(project: Project, issue: Issue, tmp_path: Path) -> None:
    """What was changed again is told with the position; a partial undo leaves it out."""
    first = issue("file.write", f"a:{tmp_path}/f", content="1")
    issue("file.write", f"a:{tmp_path}/f", content="2")
    plan = plan_undo(project, [first.position or 0])
    (why,) = plan.problems.values()
    assert why.startswith("content")
    assert "since, at position " in why
    assert plan_undo(project, [first.position or 0], partial=True).commands == ()


def test_an_observation_is_taken_back(project: Project, issue: Issue, tmp_path: Path) -> None:
    """What changed outside and was recorded can be put back as it was."""
    issue("file.write", f"a:{tmp_path}/f", content="1")
    (tmp_path / "f").write_text("mine")
    seen = observe.record(project, finish(project, observe.observe(project)))
    assert seen.position is not None
    plan = plan_undo(project, [seen.position])
    finish(project, carry_out(project, plan.commands))
    assert (tmp_path / "f").read_text() == "1"


def test_what_is_refused_needs_no_undo(project: Project, issue: Issue, tmp_path: Path) -> None:
    """A command that changed nothing is undone by nothing."""
    refused = issue("file.chmod", f"a:{tmp_path}/nope", mode="600")
    assert refused.status == "refused"
    assert plan_undo(project, [refused.position or 0]).commands == ()


def test_an_opaque_command_is_a_barrier(project: Project) -> None:
    """A raw command cannot be undone."""
    command = project.kinds.command({"command": "exec", "on": ["exec/a:"], "argv": ["true"]})
    (result,) = finish(project, carry_out(project, [command], watcher=None))
    with pytest.raises(Refused, match="did something that is not in the state, so it cannot be undone"):
        plan_undo(project, [result.position or 0])
