"""The commands that are printed for going back: each is typed as it is printed, and leads back."""

import json
import re
import shlex
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from lasercats.core import content
from lasercats.operate.project import Project
from lasercats.operate.spans import spans

if TYPE_CHECKING:
    from tests.lasercats.cli.conftest import Cli, Ran

Place = Callable[..., str]


def hinted(ran: "Ran") -> list[str]:
    """Return the words of the undo that was printed."""
    (found,) = re.findall(r"`lasercats ([^`]*undo [^`]*)`", ran.err)
    return shlex.split(found)


def standing(cli: "Cli", *root: str) -> object:
    """Return what the state decides."""
    return cli.done(*root, "document", "--json").data


def leads_back(cli: "Cli", ran: "Ran", before: object) -> "Ran":
    """Check that what was printed, as it is printed, leads back to a state."""
    words = hinted(ran)
    back = cli.done(*words)
    assert standing(cli, *words[: words.index("undo")]) == before
    return back


def wrote(path: Path, count: int, text: str = "x") -> str:
    """Return so many commands, each of which writes a file."""
    line = {"command": "file.write", "content": text}
    return "\n".join(json.dumps({**line, "on": [f"file/a:{path}/f{n}"]}) for n in range(count))


def test_direct_commands_and_undo_itself(cli: "Cli", place: Place) -> None:
    """The undo of a command over many leads back, and so do the undo of that, and of that."""
    cli.done("file", "write", place("a"), "--content", "one", "--mode", "0644")
    start = standing(cli)
    ran = cli.done("file", "write", place("a"), place("b"), "--content", "two", "--mode", "0600")
    end = standing(cli)
    undone = leads_back(cli, ran, start)
    leads_back(cli, leads_back(cli, undone, end), start)


def test_for_and_apply(cli: "Cli", place: Place) -> None:
    """The undo of what a query chose, and of a document with several commands, leads back."""
    cli.done("file", "write", place("a"), place("b"), "--content", "one", "--mode", "0600")
    start = standing(cli)
    sql = "SELECT name FROM file WHERE mode = '0600'"
    leads_back(cli, cli.done("for", sql, "file", "chmod", "--mode", "0640"), start)
    desired = {
        "resources": {
            f"directory/{place('d')}": {},
            f"file/{place('d/f')}": {"content": "f"},
            f"file/{place('a')}": {"content": "other", "mode": "0644"},
        }
    }
    ran = cli.done("apply", cli.file("desired.json", json.dumps(desired)), "--yes")
    assert ".." in hinted(ran)[1]
    leads_back(cli, ran, start)


def test_what_was_put_back(cli: "Cli", place: Place, tmp_path: Path) -> None:
    """The undo of a revert leads back to what was found outside."""
    cli.done("file", "write", place("a"), "--content", "one", "--mode", "0644")
    (tmp_path / "t" / "a").write_text("from outside")
    reverted = cli.done("drift", "--revert")
    cli.done(*hinted(reverted))
    assert (tmp_path / "t" / "a").read_text() == "from outside"


def test_what_was_forgotten(cli: "Cli", place: Place) -> None:
    """The undo of a forgetting brings back what was decided."""
    address = f"file/{place('a')}"
    cli.done("file", "write", place("a"), "--content", "one", "--mode", "0644")
    start = standing(cli)
    leads_back(cli, cli.done("forget", address, "--field", "mode"), start)
    cli.done(*hinted(cli.done("forget", address)))
    back = cli.done("document", "--json").data["resources"][address]
    assert back.items() >= {"content": "one", "mode": "0644"}.items()


def test_ranges_mean_no_others(cli: "Cli", place: Place, tmp_path: Path) -> None:
    """What others did between, and what was seen between, is in no range; what changed nothing may be."""
    cli.done("issue", cli.file("one.jsonl", wrote(tmp_path / "t", 3)))
    cli.done("issue", cli.file("one.jsonl", wrote(tmp_path / "t", 3)))
    cli.done("issue", cli.file("two.jsonl", wrote(tmp_path / "t", 3, "y")))
    (tmp_path / "t" / "f1").write_text("z")
    cli.done("observe")
    cli.done("file", "write", place("g"), "--content", "x")
    *all_, last = [one["position"] for one in cli.log()]
    first, second, third = all_[:3], all_[3:6], all_[6:9]
    with closing(Project(tmp_path)) as project:
        assert spans(project, [*first, *third]) == [f"{first[0]}..{third[-1]}"]
        assert spans(project, [first[0], first[2]]) == [f"{first[0]}", f"{first[2]}"]
        assert spans(project, [third[1], third[2], last]) == [f"{third[1]}..{third[2]}", f"{last}"]
        assert spans(project, second) == [f"{second[0]}..{second[-1]}"]
        assert spans(project, []) == []


def test_many_are_one_range(cli: "Cli", tmp_path: Path, place: Place) -> None:
    """Ninety-five commands, of which some change nothing, are one range."""
    cli.done("file", "write", place("f7"), place("f9"), "--content", "x")
    start = standing(cli)
    ran = cli.done("issue", cli.file("many.jsonl", wrote(tmp_path / "t", 95)))
    assert len(hinted(ran)) == len(["undo", "A..B"])
    leads_back(cli, ran, start)


@pytest.mark.usefixtures("place")
def test_what_cannot_be_undone_is_left_out(cli: "Cli", tmp_path: Path) -> None:
    """A raw command between others splits the range, as no undo takes it."""
    start = standing(cli)
    lines = wrote(tmp_path / "t", 4).splitlines()
    lines.insert(2, json.dumps({"command": "exec", "on": ["exec/a:"], "argv": ["true"]}))
    ran = cli.done("issue", cli.file("mixed.jsonl", "\n".join(lines)))
    first = int(hinted(ran)[1].partition("..")[0])
    assert hinted(ran) == ["undo", f"{first}..{first + 1}", f"{first + 3}..{first + 4}"]
    leads_back(cli, ran, start)


def test_a_failure_is_left_out(cli: "Cli", tmp_path: Path, place: Place) -> None:
    """Of commands of which one fails, the others are taken back."""
    start = standing(cli)
    lines = [*wrote(tmp_path / "t", 3).splitlines()]
    lines[1] = json.dumps({"command": "file.write", "content": "x", "on": [f"file/{place('none/x')}"]})
    ran = cli("issue", cli.file("failing.jsonl", "\n".join(lines)))
    assert ran.code == 1
    leads_back(cli, ran, start)


def test_a_range_ends_with_the_command_that_it_names(cli: "Cli", tmp_path: Path, place: Place) -> None:
    """Commands that were accepted before the last of a range was over are not in it."""
    cli.done("issue", cli.file("three.jsonl", wrote(tmp_path / "t", 3)))
    first = cli.log()[0]["position"]
    cli.done("undo", f"{first}..{first + 1}")
    assert list(standing(cli)["resources"]) == [f"file/{place('f2')}"]  # type: ignore[index]


def test_where_it_was_said(cli: "Cli", place: Place, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What was done in another environment, or in a project elsewhere, is taken back there."""
    with (tmp_path / "lasercats.toml").open("a") as file:
        file.write('\n[environments.second.machines]\na = "local:"\n')
    ran = cli.done("--env", "second", "file", "write", place("a"), "--content", "x")
    leads_back(cli, ran, {"resources": {}})
    elsewhere = tmp_path / "else where"
    elsewhere.mkdir()
    monkeypatch.chdir(elsewhere)
    ran = cli.done("-C", str(tmp_path), "file", "write", place("a"), "--content", "x")
    leads_back(cli, ran, {"resources": {}})


def test_what_no_undo_brings_back(cli: "Cli", place: Place, tmp_path: Path) -> None:
    """Where a content is lost, the undo of the rest is told, and does the rest."""
    (tmp_path / "t" / "large").write_bytes(bytes(content.LIMIT + 1))
    (tmp_path / "t" / "small").write_text("small")
    cli.done("observe", f"file/{place('large')}", f"file/{place('small')}")
    ran = cli.done("file", "write", place("large"), place("small"), "--content", "new", "--yes")
    assert hinted(ran)[:2] == ["undo", "--partial"]
    assert "too large to be kept" in cli(*hinted(ran)).err
    assert (tmp_path / "t" / "small").read_text() == "small"


def test_a_work_order(cli: "Cli") -> None:
    """What an order was about is taken back, also what had no step in it and what was done before it."""

    def reported() -> "Ran":
        number = cli.done("work", "list", "--json").data[-1]["order"]
        return cli.done("work", "done", str(number))

    cli.done("machine", "add", "human", "human:")
    cli.done("rack", "create", "r1", "--height", "3")
    start = standing(cli)
    cli.done("rack", "mount", "db1", "--unit", "1")
    reported()
    full = standing(cli)
    cli.done("undo", "HEAD")
    taken = reported()
    assert standing(cli) == start
    again = cli.done(*hinted(taken))
    assert "undo" not in again.err
    back = reported()
    assert standing(cli) == full
    cli.done(*hinted(back))
    reported()
    assert standing(cli) == start
