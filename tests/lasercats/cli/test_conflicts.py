"""Two at once, plans that are stale, and undo where it cannot be: nothing is done, and why is told."""

import json
import os
import socket
from collections.abc import Callable
from typing import TYPE_CHECKING

import pytest

from lasercats.core.address import Address
from lasercats.core.record import Accepted, raw
from lasercats.domains.host.file import Write
from lasercats.logs.sqlite import SqliteLog

if TYPE_CHECKING:
    from tests.lasercats.cli.conftest import Cli

Place = Callable[..., str]
DEAD = 2**22 + 1
"""No process has this number: it is above what Linux gives out."""


def claim(cli: "Cli", name: str, pid: int) -> int:
    """Leave a command open, of a process with this number; return its position."""
    address = Address(f"file/{name}")
    log = SqliteLog(cli.path)
    entry = Accepted(
        command=raw(Write(on=(address,), content="other")),
        actor="other",
        run="other",
        process=f"{pid}@{socket.gethostname()}",
        claims=(address,),
    )
    position = log.append([entry])
    log.close()
    return position


def test_an_open_claim(cli: "Cli", place: Place) -> None:
    """A file that another command is at is not touched, and that command is named."""
    position = claim(cli, place("f"), os.getpid())
    refusal = cli.refuses("file", "write", place("f"), "--content", "x")
    assert refusal == (
        f"file/{place('f')} is being changed by command {position} (other, process "
        f"{os.getpid()}@{socket.gethostname()}); wait for it, or run `lasercats recover` if it died"
    )
    assert not (cli.folder / "t/f").exists()
    cli.done("file", "write", place("g"), "--content", "x")
    ran = cli("recover")
    assert ran.code == 1
    assert f"process {os.getpid()}@{socket.gethostname()} is still at it" in ran.out
    cli.verifies()


def test_a_claim_of_the_dead(cli: "Cli", place: Place) -> None:
    """A file that a dead command claims is told with `recover`, which frees it."""
    position = claim(cli, place("f"), DEAD)
    assert "run `lasercats recover`" in cli.refuses("file", "write", place("f"), "--content", "x")
    assert "run `lasercats recover` first" in cli.refuses("undo", str(position))
    ran = cli.done("recover", "--json")
    (found,) = ran.data
    assert found["facts"] == {f"file/{place('f')}": "not done"}
    assert found["status"] == "failed"
    cli.done("file", "write", place("f"), "--content", "x")
    assert cli.done("recover").err == "nothing is open\n"
    cli.verifies()


def site(cli: "Cli", name: str, content: str = "x") -> str:
    """Write a document with one file."""
    return cli.file("site.yaml", json.dumps({"resources": {f"file/{name}": {"content": content}}}))


def test_a_stale_plan(cli: "Cli", place: Place) -> None:
    """A saved plan is not carried out once an address of it has moved."""
    cli.done("plan", site(cli, place("f")), "--out", "p")
    cli.done("file", "write", place("f"), "--content", "other")
    position = int(cli.done("log", "--json").data[-1]["position"])
    refusal = cli.refuses("apply", "p", "--yes")
    assert refusal.startswith(f"the plan p is stale: file/{place('f')} changed at position ")
    assert refusal.endswith("; make the plan again")
    assert int(refusal.split("position ")[1].split(";")[0]) > position
    assert (cli.folder / "t/f").read_text() == "other"


@pytest.mark.parametrize(
    "text",
    [
        '{"lasercats_plan": 1}',
        '{"lasercats_plan": 1, "documents',
        '{"lasercats_plan": "1", "documents": [], "versions": {}, "commands": []}',
        '{"lasercats_plan": 2, "documents": [], "versions": {}, "commands": []}',
    ],
)
def test_a_plan_of_rubbish(cli: "Cli", text: str) -> None:
    """A saved plan that cannot be read is told as such."""
    assert cli.refuses("apply", cli.file("p", text), "--yes")


@pytest.mark.parametrize("command", ['{"command": "file.wrte", "on": []}', "7", '{"command": "file.write"}'])
def test_a_plan_with_a_command_of_rubbish(cli: "Cli", command: str) -> None:
    """A saved plan whose commands cannot be read is told as such."""
    cli.done("plan", cli.file("empty.yaml", "resources: {}"), "--out", "p")
    text = (cli.folder / "p").read_text().replace('"commands": []', f'"commands": [{command}]')
    refusal = cli.refuses("apply", cli.file("p", text), "--yes")
    assert "holds a command that cannot be read" in refusal
    assert refusal.endswith("make the plan again")


def test_apply_without_consent(cli: "Cli", place: Place) -> None:
    """Without --yes and without a terminal nothing is carried out."""
    file = site(cli, place("f"))
    before = cli.head()
    for more in ([], ["--json"]):
        ran = cli("apply", file, *more)
        assert ran.code == 1
        assert ran.err.endswith(
            "lasercats: not carried out, because it was not agreed to; agree with --yes\n"
        )
    assert cli.head() == before
    assert not (cli.folder / "t/f").exists()


def test_an_apply_that_is_refused(cli: "Cli", place: Place) -> None:
    """A plan with an address that would be refused is refused as a whole."""
    cli.done("file", "write", place("f"), "--content", "x")
    before = cli.head()
    ran = cli("apply", site(cli, place("f/g")), "--yes")
    assert ran.code == 1
    assert ran.err.rstrip().endswith("so nothing can be put below it; nothing was done")
    assert cli.head() == before


def test_undo_of_exec(cli: "Cli") -> None:
    """A raw command is not undone: nobody knows what it did."""
    cli.done("exec", "a", "--", "true")
    position = cli.log()[-1]["position"]
    assert cli.refuses("undo", "HEAD") == (
        f"command {position} (exec) did something that is not in the state, so it cannot be undone; "
        "undo it by hand, and leave it out here"
    )


def test_undo_with_a_conflict(cli: "Cli", place: Place) -> None:
    """What changed again since is not taken back, unless --partial leaves it out."""
    cli.done("file", "write", place("f"), place("g"), "--content", "1")
    cli.done("file", "write", place("f"), "--content", "2")
    before = cli.head()
    first = str(cli.log()[0]["position"])
    ran = cli("undo", first)
    assert ran.code == 1
    assert f"! file/{place('f')}: content" in ran.err
    assert "this cannot all be taken back, so nothing was done; --partial leaves that out" in ran.err
    assert cli.head() == before
    cli.done("undo", first, "--partial")
    assert (cli.folder / "t/f").read_text() == "2"
    assert not (cli.folder / "t/g").exists()
    cli.verifies()


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ("undo 99", "there is no position 99; the log goes from 1 to "),
        ("undo 0", "there is no position 0; the log goes from 1 to "),
        ("undo 1..99", "there is no position 99; "),
        ("undo foo", "'foo' is no position; write a number, HEAD~3, a time such as 2026-11-23T04:00, or"),
        ("show 99", "there is no position 99; "),
        ("diff 1 99", "there is no position 99; "),
        ("state --as-of 99", "there is no position 99; "),
        ("state --as-of 2026-13-01", "'2026-13-01' is no position; "),
        ("log HEAD~9", "HEAD~9 is before the first command; the log has 1"),
        ("document --as-of @{yesterday}", "'@{yesterday}' is no position; "),
    ],
)
def test_a_bad_position(cli: "Cli", place: Place, line: str, message: str) -> None:
    """A position that is not there or cannot be read is refused."""
    cli.done("file", "write", place("f"), "--content", "1")
    assert cli.refuses(*line.split()).startswith(message)


@pytest.mark.parametrize(
    "position",
    [
        "@{99999999 weeks ago}",
        "9" * 30,
        "0001-01-01T00:00+12:00",
        "9999-12-31T23:59-12:00",
    ],
)
def test_a_position_beyond_all_bounds(cli: "Cli", place: Place, position: str) -> None:
    """A time or number beyond what a computer can hold makes no traceback."""
    cli.done("file", "write", place("f"), "--content", "1")
    assert cli("state", "--as-of", position).code in (0, 1)
