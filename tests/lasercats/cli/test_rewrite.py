"""`lasercats rewrite`: what an operator sees, chooses, and gets."""

import os
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from tests.lasercats.cli.conftest import Cli


@pytest.fixture
def filled(cli: "Cli") -> "Cli":
    """A project with a file that was written, changed and written again, and a raw command."""
    name = f"a:{cli.folder}/f"
    cli.done("file", "write", name, "--content", "small")  # 1
    cli.done("file", "chmod", name, "--mode", "0600")  # 8
    cli.done("exec", "a", "--", "true")  # 15
    cli.done("file", "write", name, "--content", "large")  # 20
    return cli


def editor(cli: "Cli", monkeypatch: pytest.MonkeyPatch, script: str) -> None:
    """Make `script`, in sed, the operator's editor."""
    path = cli.folder / "editor"
    path.write_text(f"#!/bin/sh\nsed -i '{script}' \"$1\"\n")
    path.chmod(0o755)
    monkeypatch.setenv("EDITOR", str(path))
    monkeypatch.delenv("VISUAL", raising=False)


def commands(text: str) -> list[str]:
    """Return the lines that are commands."""
    return [line for line in text.splitlines() if not line.startswith("#")]


def test_the_evidence_is_told(filled: "Cli") -> None:
    """Counts, and what was compared, stand on standard error; the log is as it was."""
    before = filled.head()
    ran = filled.done("rewrite")
    assert ran.err == "4 commands are 3 now; both end in the same state, 1 resource compared\n"
    assert "# stands for 1, 8\n" in ran.out
    data = filled.done("rewrite", "--json").data
    assert (data["before"], data["after"], data["same"], data["vanished"]) == (4, 3, True, [])
    assert [c["stands_for"] for c in data["commands"]] == [[1, 8], [15], [20]]
    assert filled.head() == before


def test_issue_takes_it(filled: "Cli", tmp_path: Path) -> None:
    """The file, issued in another environment, leads to the same state."""
    out = str(tmp_path / "short.jsonl")
    assert filled.done("rewrite", "--out", out).out == ""
    with (filled.folder / "lasercats.toml").open("a") as file:
        file.write('[environments.other.machines]\na = "local:"\n')
    os.unlink(tmp_path / "f")  # noqa: PTH108 - the other environment has none
    filled.done("--env", "other", "issue", out)
    assert filled.done("--env", "other", "document").out == filled.done("document").out


def test_keep(filled: "Cli", monkeypatch: pytest.MonkeyPatch) -> None:
    """What is kept is not absorbed."""
    editor(filled, monkeypatch, "s/^squash 8 /keep 8 /")
    ran = filled.done("rewrite", "-i")
    assert [line.partition('"command":"')[2].partition('"')[0] for line in commands(ran.out)] == [
        "file.write",
        "file.chmod",
        "exec",
        "file.write",
    ]


def test_what_is_dropped_must_not_matter(
    filled: "Cli", monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """To drop what matters is refused with the place, and nothing is written."""
    editor(filled, monkeypatch, "/^squash 8 /d")
    out = tmp_path / "out"
    refusal = filled.refuses("rewrite", "-i", "--out", str(out))
    assert refusal.startswith(
        f"the rewritten log would not end in the same state: at file/a:{filled.folder}/f "
    )
    assert "another mode" in refusal
    assert not out.exists()
    assert "they end in another state" in filled.done("rewrite", "-i", "--accept-difference").err
    editor(filled, monkeypatch, "s/^keep   15/d 15/")
    assert len(commands(filled.done("rewrite", "-i").out)) == 1


@pytest.mark.parametrize(
    ("script", "message"),
    [
        ("s/^squash 8/burn 8/", "line 2: 'burn' is no choice; write squash, keep or drop"),
        ("s/^squash 8/squash 9/", "line 2: '9' is no command of this range; leave the numbers"),
        ("s/^squash 8.*/keep/", "line 2: '' is no command of this range; leave the numbers"),
    ],
)
def test_a_list_that_cannot_be_read(
    filled: "Cli", monkeypatch: pytest.MonkeyPatch, script: str, message: str
) -> None:
    """A line of the list that makes no sense is told with its number."""
    editor(filled, monkeypatch, script)
    assert filled.refuses("rewrite", "-i") == message


def test_bad_input(filled: "Cli", monkeypatch: pytest.MonkeyPatch) -> None:
    """A range that is none, a file that cannot be written, an editor that fails: one sentence each."""
    assert "there is no position 99" in filled.refuses("rewrite", "1..99")
    assert "cannot be written" in filled.refuses("rewrite", "--out", "/nope/x")
    monkeypatch.setenv("EDITOR", "false")
    monkeypatch.delenv("VISUAL", raising=False)
    assert "set EDITOR to another one" in filled.refuses("rewrite", "-i")
