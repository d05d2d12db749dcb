"""Plans: from documents to commands, saved and loaded."""

from collections.abc import Callable
from pathlib import Path

import pytest

from lasercats.core.address import Address
from lasercats.core.errors import BadInput, StalePlan
from lasercats.domains.host.directory import Directory
from lasercats.domains.host.file import File
from lasercats.interpreters.context import Result
from lasercats.operate import plan as plans
from lasercats.operate import saved_plan
from lasercats.operate.project import Project
from lasercats.testing.running import finish

Issue = Callable[..., Result]


def tags(plan: plans.Plan) -> list[tuple[str, str]]:
    """Return the commands of a plan in short."""
    return [(str(c.__struct_config__.tag), on.rpartition("/")[2]) for c in plan.commands for on in c.on]


def test_a_directory_comes_first_and_goes_last(project: Project, issue: Issue, tmp_path: Path) -> None:
    """A plan makes a directory before what is in it, and removes it after."""
    d, f = Address(f"directory/a:{tmp_path}/d"), Address(f"file/a:{tmp_path}/d/f")
    made = finish(project, plans.make(project, {f: File(content="x"), d: Directory()}))
    assert tags(made) == [("directory.create", "d"), ("file.write", "f")]
    assert made.problems == {}
    assert made.versions == {d: 0, f: 0}
    issue("directory.create", d)
    issue("file.write", f, content="x")
    assert tags(finish(project, plans.make(project, {}, prune=True))) == [
        ("file.remove", "f"),
        ("directory.remove", "d"),
    ]
    assert tags(finish(project, plans.make(project, {}))) == []


def test_only_what_is_selected(project: Project, tmp_path: Path) -> None:
    """The patterns of only and exclude choose the addresses."""
    desired = {Address(f"file/a:{tmp_path}/{n}"): File(content=n) for n in "xyz"}
    assert len(finish(project, plans.make(project, desired, only=["*/x", "*/y"])).commands) == 2
    assert tags(finish(project, plans.make(project, desired, only=["*/x", "*/y"], exclude=["*/x"]))) == [
        ("file.write", "y")
    ]
    assert tags(finish(project, plans.make(project, desired, exclude=["*"]))) == []


def test_what_is_as_desired_needs_nothing(project: Project, issue: Issue, tmp_path: Path) -> None:
    """A desired state that decides no more than is so makes an empty plan; another mode makes one chmod."""
    f = Address(f"file/a:{tmp_path}/f")
    issue("file.write", f, content="x", mode="600")
    assert tags(finish(project, plans.make(project, {f: File(content="x")}))) == []
    assert tags(finish(project, plans.make(project, {f: File(content="x", mode="644")}))) == [
        ("file.chmod", "f")
    ]


def test_a_plan_that_is_refused(project: Project, issue: Issue, tmp_path: Path) -> None:
    """What would be refused is in the problems of the plan."""
    issue("file.write", f"a:{tmp_path}/f", content="x")
    below = Address(f"file/a:{tmp_path}/f/g")
    made = finish(project, plans.make(project, {below: File(content="x")}))
    assert list(made.problems) == [below]
    assert not made.delta


def test_a_plan_is_the_same_after_it_was_saved(project: Project, tmp_path: Path) -> None:
    """A saved plan is loaded as it was, and knows its documents."""
    f = Address(f"file/a:{tmp_path}/f")
    made = finish(project, plans.make(project, {f: File(content="x\n\x00")}, documents=["site.yaml"]))
    path = tmp_path / "plan"
    saved_plan.save(project, made, path)
    assert saved_plan.is_saved(path)
    assert saved_plan.load(project, path) == made
    assert made.because == "apply site.yaml"


def test_a_plan_is_stale(project: Project, issue: Issue, tmp_path: Path) -> None:
    """A saved plan is refused once an address of it moved, and only then."""
    f, path = Address(f"file/a:{tmp_path}/f"), tmp_path / "plan"
    saved_plan.save(project, finish(project, plans.make(project, {f: File(content="x")})), path)
    issue("file.write", f"a:{tmp_path}/other", content="y")
    assert saved_plan.load(project, path).commands
    issue("file.write", f, content="y")
    with pytest.raises(StalePlan, match=r"is stale: .* changed at position .*; make the plan again"):
        saved_plan.load(project, path)


def test_what_is_no_plan(project: Project, tmp_path: Path) -> None:
    """A document is no saved plan, and a folder cannot be written as one."""
    (tmp_path / "site.yaml").write_text("resources: {}\n")
    assert not saved_plan.is_saved(tmp_path / "site.yaml")
    assert not saved_plan.is_saved(tmp_path / "nope")
    with pytest.raises(BadInput, match="nope cannot be read: No such file"):
        saved_plan.load(project, tmp_path / "nope")
    with pytest.raises(BadInput, match="the plan cannot be written to"):
        saved_plan.save(project, finish(project, plans.make(project, {})), tmp_path)
