"""`--serial`: what acts does it so many addresses at a time, stops at a failure, and tells how to go on."""

import json
import re
import shlex
import signal
import sqlite3
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from tests.lasercats.cli.conftest import Cli, Ran

Place = Callable[..., str]
LASERCATS = [sys.executable, "-c", "from lasercats.cli.main import main; main()"]
LEFT = "2 not tried; when what failed is put right, "


@pytest.fixture
def folder(tmp_path: Path, place: Place) -> Path:
    """The folder of the files of a test."""
    assert place()
    return tmp_path / "t"


def turns(cli: "Cli", *args: str) -> int:
    """Carry something out; return how many batches that took, without the one that only looks."""
    before = cli.head()
    cli.done(*args)
    db = sqlite3.connect(cli.path)
    try:
        sent = db.execute("SELECT count(*) FROM records WHERE type = 'started' AND position > ?", [before])
        return int(sent.fetchone()[0]) - 1
    finally:
        db.close()


def stopped(ran: "Ran") -> str:
    """Check that a run stopped with two that are left, and return how to go on."""
    assert ran.code == 1
    assert ran.err.count("not tried, because") == 2
    (line,) = [line for line in ran.err.splitlines() if line.startswith(LEFT)]
    return line.removeprefix(LEFT)


@pytest.mark.parametrize(("size", "expected"), [("2", 3), ("50%", 3), ("1%", 5), ("100%", 1), ("9", 1)])
def test_sizes(cli: "Cli", place: Place, size: str, expected: int) -> None:
    """A number, or a part of all addresses, but at least one."""
    names = [place(f"{n}") for n in range(5)]
    assert turns(cli, "file", "write", *names, "--content", "x", "--serial", size) == expected


@pytest.mark.parametrize("size", ["0", "0%", "101%", "-1", "x", "1.5", "%", ""])
def test_what_is_no_size(cli: "Cli", place: Place, size: str) -> None:
    """It is refused in a sentence, and nothing is done."""
    refusal = cli.refuses("file", "write", place("a"), "--content", "x", f"--serial={size}")
    assert "is no size of a group; write how many at a time, as 5, or a part, as 30%" in refusal


def test_a_direct_command_goes_on(cli: "Cli", place: Place, folder: Path) -> None:
    """It stops after the turn that failed; the same again does only what is left."""
    names = [place("none/x" if n == 2 else f"{n}") for n in range(5)]
    command = ["file", "write", *names, "--content", "x", "--serial", "1"]
    assert stopped(cli(*command)) == "run the same again; what is done is not done again"
    assert sorted(p.name for p in folder.iterdir()) == ["0", "1"]
    cli.done("directory", "create", place("none"))
    assert "3 created" in cli.done(*command).err


def test_every_verb_that_acts(cli: "Cli", place: Place, folder: Path) -> None:
    """Documents, files of commands, undo, queries and reverts are carried out in turns too."""
    names = [place(f"{n}") for n in range(5)]
    desired = {"resources": {f"file/{name}": {"content": "x", "mode": "0644"} for name in names}}
    assert turns(cli, "apply", cli.file("d.json", json.dumps(desired)), "--yes", "--serial", "2") == 3
    lines = [json.dumps({"command": "file.chmod", "on": [f"file/{n}"], "mode": "0600"}) for n in names]
    assert turns(cli, "issue", cli.file("c.jsonl", "\n".join(lines)), "--serial", "2") == 3
    assert turns(cli, "undo", "HEAD~4..HEAD", "--serial", "4") == 2
    sql = "SELECT name FROM file"
    assert turns(cli, "for", "--serial", "1", sql, "file", "chmod", "--mode", "0600") == 5
    assert turns(cli, "for", sql, "file", "chmod", "--mode", "0640", "--serial", "3") == 2
    for n in range(5):
        (folder / f"{n}").write_text("outside")
    assert turns(cli, "drift", "--revert", "--serial", "1") == 5
    assert {(folder / f"{n}").read_text() for n in range(5)} == {"x"}


def test_a_revert_that_stops_goes_on(cli: "Cli", place: Place, folder: Path) -> None:
    """What was seen outside is on record, so its undo goes on with what is left."""
    names = [place(f"{n}") for n in range(4)]
    cli.done("file", "write", *names, "--content", "x", "--mode", "0644")
    for n in range(4):
        (folder / f"{n}").unlink()
    (folder / "1").mkdir()
    how = stopped(cli("drift", "--revert", "--serial", "1"))
    (folder / "1").rmdir()
    words = shlex.split(re.findall(r"`lasercats ([^`]*)`", how)[0])
    cli.done(*words)
    assert all((folder / f"{n}").read_text() == "x" for n in range(4))


def test_check_foresees_where_it_stops(cli: "Cli", place: Place, folder: Path) -> None:
    """A dry run tells what would not be tried, and the run does just that."""
    cli.done("directory", "create", place("gone"))
    cli.done("directory", "remove", place("gone"))
    command = ["file", "write", place("a"), place("gone/b"), place("c"), place("d"), "--content", "x"]
    ran = cli(*command, "--serial", "1", "--check", "--json")
    done = cli(*command, "--serial", "1", "--json")
    (foreseen,), (real,) = ran.data["results"], done.data["results"]
    assert (ran.code, done.code) == (1, 1)
    assert foreseen["untried"] == real["untried"] == [f"file/{place('c')}", f"file/{place('d')}"]
    assert [p.name for p in folder.iterdir()] == ["a"]


def test_held_until_it_is_confirmed(cli: "Cli", place: Place, folder: Path) -> None:
    """What is to be confirmed is done in turns as well, and what was done of it goes back."""
    names = [place("none/x" if n == 1 else f"{n}") for n in range(4)]
    stopped(cli("file", "write", *names, "--content", "x", "--serial", "1", "--confirm-within", "1h"))
    assert [p.name for p in folder.iterdir()] == ["0"]
    cli.done("confirm", "--reject")
    assert list(folder.iterdir()) == []
    cli.verifies()


def test_raw_commands_name_what_is_left(cli: "Cli") -> None:
    """What was executed is executed again, so those are named that are left."""
    for name in "cd":
        cli.done("machine", "add", name, "local:")
    ran = cli("exec", "a", "b", "c", "d", "--serial", "2", "--", "false")
    assert stopped(ran) == "run it for exec/c, exec/d alone"


def test_killed_in_the_middle(cli: "Cli", place: Place, folder: Path, tmp_path: Path) -> None:
    """Killed in its second turn, what became of that is found out, and nothing of the third was begun."""
    tools, begun, go = tmp_path / "tools", tmp_path / "begun", tmp_path / "go"
    tools.mkdir()
    slow = f"case $* in *hold*) touch {begun}; until [ -e {go} ]; do sleep 0.05; done;; esac"
    (tools / "mv").write_text(f'#!/bin/sh\n{slow}\nexec /bin/mv "$@"\n')
    (tools / "mv").chmod(0o755)
    names = [place(name) for name in ("a", "hold", "c", "d")]
    for name in names:
        Path(name.partition(":")[2]).write_text("old")
    cli.done("observe", *(f"file/{name}" for name in names))
    command = [*LASERCATS, "-C", str(tmp_path), "file", "write", *names, "--content", "new", "--serial", "1"]
    environment = {
        "PATH": f"{tools}:/usr/bin:/bin",
        "HOME": str(tmp_path),
        "XDG_STATE_HOME": str(tmp_path / ".state"),
    }
    process = subprocess.Popen(command, env=environment, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    deadline = time.monotonic() + 30
    while not begun.exists() and time.monotonic() < deadline:
        time.sleep(0.02)
    process.send_signal(signal.SIGKILL)
    process.wait()
    go.touch()
    ran = cli("recover")
    assert ran.out.count("not done") == 2, ran
    assert [Path(n.partition(":")[2]).read_text() for n in names] == ["new", "new", "old", "old"]
    assert "as the state says" in cli.done("drift").err
    cli.verifies()
    assert folder.exists()


def test_orders_are_handed_out_in_turns(cli: "Cli") -> None:
    """A person gets so many at a time; what is reported hands out the next, and a failure ends it."""
    cli.done("machine", "add", "human", "human:")
    cli.done("rack", "create", "r1", "--height", "9")
    lines = [
        json.dumps({"command": "rack.mount", "on": [f"rack.device/d{n}"], "rack": "rack/r1", "unit": n})
        for n in range(1, 6)
    ]
    cli.done("issue", cli.file("c.jsonl", "\n".join(lines)), "--serial", "2")
    (first,) = cli.done("work", "list", "--json").data
    assert len(first["steps"]) == 2
    cli.done("work", "done", str(first["order"]))
    (second,) = cli.done("work", "list", "--json").data
    assert ["d3" in second["steps"][0]["text"], len(second["steps"])] == [True, 2]
    step = str(second["steps"][0]["step"])
    cli("work", "fail", str(second["order"]), step, "--why", "no rails")
    cli("work", "done", str(second["order"]))
    assert cli.done("work", "list", "--json").data == []
    assert [one["status"] for one in cli.log()[-5:]] == ["done", "done", "failed", "done", "failed"]
    cli.verifies()


def test_a_field_of_that_name_is_its_own(cli: "Cli") -> None:
    """The serial number of a device is still that; the group has another spelling, which all verbs take."""
    cli.done("machine", "add", "human", "human:")
    cli.done("rack", "create", "r1", "--height", "9")
    cli.done("rack", "mount", "db1", "--unit", "1", "--serial", "5", "--at-a-time", "1")
    assert cli.log()[-1]["command"]["serial"] == "5"
