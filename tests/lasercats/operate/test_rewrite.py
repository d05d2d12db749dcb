"""Rewriting a real log: what becomes shorter, what stays, and that nothing wrong is ever written."""

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from lasercats.core.change import Change
from lasercats.core.command import Command
from lasercats.core.errors import Refused
from lasercats.core.registry import Kinds
from lasercats.domains.host import DOMAIN, file
from lasercats.operate import observe
from lasercats.operate.project import Project
from lasercats.operate.rewrite import RewritePlan, plan_rewrite, spans, write
from lasercats.testing.running import finish
from tests.lasercats.operate.test_undo import Issue


def short(made: RewritePlan) -> list[tuple[str, tuple[str, ...], tuple[int, ...]]]:
    """Return the commands as their verb, the last parts of their names, and what they stand for."""
    return [
        (str(c.__struct_config__.tag), tuple(a.rpartition("/")[2] for a in c.on), originals)
        for c, originals in made.commands
    ]


def test_write_chmod_write_is_one_write(project: Project, issue: Issue, tmp_path: Path) -> None:
    """The example of the seed: what was made small and changed to large is made large."""
    name = f"a:{tmp_path}/f"
    done = [issue("file.write", name, content="small"), issue("file.chmod", name, mode="0600")]
    done.append(issue("file.write", name, content="large"))
    made = plan_rewrite(project, 1, None)
    positions = tuple(result.position or 0 for result in done)
    assert short(made) == [("file.write", ("f",), positions)]
    assert (made.commands[0].command.content, made.commands[0].command.mode) == ("large", "0600")  # type: ignore[attr-defined]
    assert (len(made.before), made.compared, made.differs) == (3, 1, {})


def test_what_was_made_and_removed_vanishes(project: Project, issue: Issue, tmp_path: Path) -> None:
    """A directory and a file in it that are gone again leave nothing, nor does a command without effect."""
    issue("directory.create", f"a:{tmp_path}/d")
    issue("file.write", f"a:{tmp_path}/d/f", content="1")
    issue("file.remove", f"a:{tmp_path}/d/f")
    issue("directory.remove", f"a:{tmp_path}/d")
    issue("file.chmod", f"a:{tmp_path}/none", mode="0600")
    made = plan_rewrite(project, 1, None)
    assert made.commands == []
    assert list(made.vanished) == list(made.before)


def test_equal_commands_gather(project: Project, issue: Issue, tmp_path: Path) -> None:
    """Equal commands on what has nothing to do with each other become one over many."""
    for name in ("one", "two", "three"):
        issue("file.write", f"a:{tmp_path}/{name}", content="x")
        issue("file.write", f"a:{tmp_path}/{name}-other", content=name)
    made = plan_rewrite(project, 1, None)
    assert short(made)[0][:2] == ("file.write", ("one", "three", "two"))
    assert len(made.commands) == 4


def test_a_raw_command_is_a_barrier(project: Project, issue: Issue, tmp_path: Path) -> None:
    """What is before a raw command stays before it; one that only looks is left out."""
    name = f"a:{tmp_path}/f"
    issue("file.write", name, content="1")
    issue("exec", "a", argv=["true"])
    issue("file.write", name, content="2")
    look = issue("exec", "a", argv=["true"], elidable=True)
    issue("file.write", name, content="3")
    made = plan_rewrite(project, 1, None)
    assert [verb for verb, _, _ in short(made)] == ["file.write", "exec", "file.write"]
    assert made.elided == (look.position,)


def test_a_stretch_of_the_log(project: Project, issue: Issue, tmp_path: Path) -> None:
    """A range leads from the state before it to the state after it."""
    name = f"a:{tmp_path}/f"
    issue("file.write", name, content="1", mode="0600")
    second = issue("file.write", name, content="2")
    third = issue("file.chmod", name, mode="0640")
    end = project.log.head()
    issue("file.remove", name)
    made = plan_rewrite(project, second.position or 0, end)
    assert short(made) == [("file.write", ("f",), (second.position, third.position))]
    assert made.differs == {}


def test_what_was_observed_becomes_a_command(project: Project, issue: Issue, tmp_path: Path) -> None:
    """A change from outside that was recorded is part of the state, so a command tells it."""
    issue("file.write", f"a:{tmp_path}/f", content="1")
    (tmp_path / "f").write_text("by hand")
    observe.record(project, finish(project, observe.observe(project)))
    made = plan_rewrite(project, 1, None)
    assert (made.observed, len(made.commands), made.differs) == (1, 1, {})
    assert made.commands[0].command.content == "by hand"  # type: ignore[attr-defined]


def test_a_command_that_is_not_over(project: Project, issue: Issue, tmp_path: Path) -> None:
    """The log is not rewritten over an open command, but up to it."""
    from lasercats.core.record import Accepted, raw

    done = issue("file.write", f"a:{tmp_path}/f", content="1")
    end = project.log.head()
    open_ = Accepted(command=raw(done.command), actor="tester", run="x", claims=done.command.on)
    project.log.append([open_])
    with pytest.raises(Refused, match=f"command {end + 1} \\(tester\\) is not over"):
        plan_rewrite(project, 1, None)
    assert len(plan_rewrite(project, 1, end).commands) == 1


def _forgets_the_mode(address: Any, change: Change[Any]) -> Iterator[Command]:  # noqa: ANN401
    """Converge wrongly: a rule that loses permission bits."""
    for command in file.KIND.converge(address, change):
        yield replace_mode(command)


def replace_mode(command: Command) -> Command:
    """Return a write without its mode."""
    from msgspec.structs import replace as with_fields

    return with_fields(command, mode=None) if isinstance(command, file.Write) else command


def test_a_wrong_rule_is_caught(project: Project, issue: Issue, tmp_path: Path) -> None:
    """A planted rule that loses something is noticed by the evidence, which names the address."""
    name = f"a:{tmp_path}/f"
    for content in ("1", "2", "3"):
        issue("file.write", name, content=content, mode="0600")
    assert plan_rewrite(project, 1, None).differs == {}
    wrong = file.FileKind(converge=_forgets_the_mode)
    kinds = (wrong, *[kind for kind in DOMAIN.kinds if kind.name != "file"])
    project.kinds = Kinds([replace(DOMAIN, kinds=kinds)])
    (address,) = plan_rewrite(project, 1, None).differs
    assert address == f"file/{name}"


def test_what_is_written_is_read_again(project: Project, issue: Issue, tmp_path: Path) -> None:
    """The text of a rewriting is commands, with where each comes from beside it."""
    from lasercats.operate.inputs import LocalInputs
    from lasercats.operate.issue import read_commands

    issue("file.write", f"a:{tmp_path}/f", content="# one\n")
    issue("file.write", f"a:{tmp_path}/f", content="# two\n")
    made = plan_rewrite(project, 1, None)
    text = write(made, project, tmp_path / "short.jsonl")
    assert (tmp_path / "short.jsonl").read_text() == text
    inputs = LocalInputs(tmp_path, project.vault)
    assert read_commands(text, project.kinds, inputs, "x") == [c for c, _ in made.commands]
    assert "# stands for 1, 8" in text


def test_spans() -> None:
    """Positions that follow each other are told as one span."""
    assert spans([1, 2, 3, 7, 9, 10]) == "1-3, 7, 9-10"
    assert spans([]) == ""
