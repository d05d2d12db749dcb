"""What the machine refuses: told by its reason, the log whole, and the state as it really is."""

import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from tests.lasercats.cli.conftest import as_nobody

if TYPE_CHECKING:
    from tests.lasercats.cli.conftest import Cli

Place = Callable[..., str]


def test_a_directory_at_the_path(cli: "Cli", place: Place) -> None:
    """A file is not written where a directory stands."""
    failure = cli.fails("file", "write", place(), "--content", "x", status="refused")
    assert failure == f"file/{place()}: {place()} is a directory; remove it first"


@pytest.mark.parametrize("line", ["chmod --mode 700", "chown --owner 0", "remove"])
def test_a_link_where_a_directory_is_meant(cli: "Cli", place: Place, line: str) -> None:
    """What is of another kind is told as what it is, and not that nothing is there."""
    (cli.folder / "t/link").symlink_to("nowhere")
    verb, *options = line.split()
    failure = cli.fails("directory", verb, place("link"), *options, status="refused")
    assert failure == f"directory/{place('link')}: {cli.folder}/t/link is no directory but a symlink"


def test_a_file_below_a_file(cli: "Cli", place: Place) -> None:
    """Nothing is put below a file that is managed."""
    cli.done("file", "write", place("f"), "--content", "x")
    failure = cli.fails("file", "write", place("f/g"), "--content", "x", status="refused")
    assert failure == f"file/{place('f/g')}: {place('f')} is a file, so nothing can be put below it"


def test_a_file_below_a_file_that_is_not_managed(cli: "Cli", place: Place) -> None:
    """Nothing is put below a file that LaserCats did not know of."""
    (cli.folder / "t" / "f").write_text("mine")
    cli.fails("file", "write", place("f/g"), "--content", "x", status="failed")
    assert (cli.folder / "t" / "f").read_text() == "mine"


def test_a_directory_that_is_missing(cli: "Cli", place: Place) -> None:
    """A file in a directory that is not there is refused by the machine, which names the directory."""
    failure = cli.fails("file", "write", place("no/f"), "--content", "x", status="failed")
    assert f"directory {cli.folder}/t/no does not exist" in failure


def test_a_directory_that_is_not_empty(cli: "Cli", place: Place) -> None:
    """A directory with a managed file in it is not removed, and the file is named."""
    cli.done("directory", "create", place("d"))
    cli.done("file", "write", place("d/f"), "--content", "x")
    failure = cli.fails("directory", "remove", place("d"), status="refused")
    assert failure.endswith(f"is not empty: file/{place('d/f')} is in it; remove that first")
    assert (cli.folder / "t/d/f").exists()


def test_a_directory_with_a_stranger_in_it(cli: "Cli", place: Place) -> None:
    """A directory with something in it that nobody manages is not removed either."""
    cli.done("directory", "create", place("d"))
    (cli.folder / "t/d/mine").write_text("mine")
    failure = cli.fails("directory", "remove", place("d"), status="failed")
    assert "Directory not empty" in failure
    assert (cli.folder / "t/d/mine").read_text() == "mine"
    assert f"directory/{place('d')}" in cli.done("state", "--json").data["resources"]


def test_an_owner_that_is_unknown(cli: "Cli", place: Place) -> None:
    """An owner that the machine does not know leaves no file behind."""
    failure = cli.fails(
        "file", "write", place("f"), "--content", "x", "--owner", "nobody-such", status="failed"
    )
    assert "nobody-such" in failure
    assert list((cli.folder / "t").iterdir()) == []


def test_the_rest_is_done_where_one_fails(cli: "Cli", place: Place) -> None:
    """A failure at one address does not stop the same command at the others."""
    ran = cli("file", "write", place("no/f"), place("g"), "--content", "x", "--json")
    assert ran.code == 1
    (result,) = ran.data["results"]
    assert list(result["delta"]) == [f"file/{place('g')}"]
    assert list(result["problems"]) == [f"file/{place('no/f')}"]
    assert result["status"] == "failed"
    cli.verifies()


@pytest.mark.parametrize(
    "line", [["remove"], ["write", "--content", "new"]], ids=["by removing", "by writing"]
)
def test_what_no_undo_brings_back_is_told(cli: "Cli", place: Place, line: list[str]) -> None:
    """Where a content is too large to be recorded, nobody is told that an undo brings it back."""
    big = cli.folder / "t/big"
    big.write_bytes(b"x" * (8 * 1024 * 1024 + 1))
    cli.done("observe", f"file/{place('big')}")
    text = f"! file/{place('big')}: its unrecorded content does not come back\n"
    command = ["file", line[0], place("big"), *line[1:]]
    assert text in cli.done(*command, "--check").err
    site = cli.file("site.yaml", f"resources:\n  file/{place('big')}: {{content: x}}\n")
    assert text in cli.done("plan", site).err
    if line[0] == "write":
        assert "agree with --yes" in cli.refuses(*command)
        assert big.stat().st_size == 8 * 1024 * 1024 + 1
    ran = cli.done(*command, "--yes")
    assert text in ran.err
    assert "take it back" not in ran.err
    assert cli("undo", "HEAD").code == 1
    cli.done("file", "write", place("big"), "--content", "small")
    assert "take it back" in cli.done(*command).err


def test_exec_that_fails(cli: "Cli") -> None:
    """A raw command that fails ends with 1, its status told and its output kept."""
    failure = cli.fails("exec", "a", "--", "sh", "-c", "echo out; exit 7", status="failed")
    assert failure.endswith(": exit status 7")
    ran = cli("exec", "a", "--json", "--", "sh", "-c", "echo out; echo err >&2; exit 7")
    (report,) = ran.data["results"][0]["reports"].values()
    assert report["status"] == 7
    assert report["output"] == "out\nerr\n"


@pytest.mark.skipif(os.getuid() != 0, reason="needs root, to become another user")
def test_no_permission(cli: "Cli", place: Place, tmp_path: Path) -> None:
    """What the user may not write is told as the machine tells it, and the file stays as it is."""
    cli.done("file", "write", place("loaded"), "--content", "every module that this needs")
    (tmp_path / "t" / "f").write_text("root's")
    for folder in tmp_path.parents[:3]:
        folder.chmod(folder.stat().st_mode | 0o055)
    tmp_path.chmod(0o755)
    inner = tmp_path / ".lasercats"
    for path in (tmp_path, tmp_path / "lasercats.toml", inner, *inner.iterdir()):
        os.chown(path, 65534, 65534)
    ran = as_nobody(lambda: cli("file", "write", place("f"), "--content", "x"))
    assert ran.code == 1
    assert f"! file/{place('f')}: " in ran.err
    assert "Permission denied" in ran.err
    assert (tmp_path / "t" / "f").read_text() == "root's"
    assert cli.log()[-1]["status"] == "failed"
    cli.verifies()


def test_an_address_is_told_once(cli: "Cli", place: Place) -> None:
    """A refusal does not repeat the address before its own reason."""
    failure = cli.fails("file", "chmod", place("nope"), "--mode", "600", status="refused")
    assert failure.endswith("does not exist; make it with `lasercats file write`")


def test_a_look_is_not_a_change(cli: "Cli", place: Place) -> None:
    """What was only found outside is not counted as done by a command that failed."""
    (cli.folder / "t/d").mkdir()
    (cli.folder / "t/d/mine").write_text("mine")
    ran = cli("directory", "remove", place("d"))
    assert ran.code == 1
    assert ran.err.endswith("nothing changed\n")


def test_exec_gets_its_words_as_they_are(cli: "Cli") -> None:
    """The words of a command arrive byte by byte: what looks like an escape of ours, and what is no UTF-8."""
    main = (sys.executable, "-c", "from lasercats.cli.main import main; main()")
    ran = subprocess.run(
        [*main, "exec", "a", "--", "printf", "[%s]", rb"\xff", b"\xff", "two\nlines"],
        cwd=cli.folder,
        capture_output=True,
        check=True,
    )
    assert ran.stdout == b"[\\xff][\xff][two\nlines]\n"


def test_exec_has_a_time_limit_of_its_own(cli: "Cli") -> None:
    """A command that runs longer than its --timeout is ended, told, and its outcome is open."""
    ran = cli("exec", "--timeout", "0.3", "a", "--", "sleep", "30")
    assert ran.code == 1
    assert "it ran longer than 0.3 s, and was ended" in ran.err
    assert cli("exec", "--timeout", "-1", "a", "--", "true").code == 1


def test_an_open_way_is_told_of(cli: "Cli") -> None:
    """Adding a machine, and checking it, warns where others could read and change what goes there."""
    url = "ovsdb://192.0.2.1:6640?bridge=br0&connect_timeout=0.1"
    assert "the way to machine sw is open: it is plain TCP" in cli.done("machine", "add", "sw", url).err
    ran = cli("machine", "check", "sw", "a")
    assert ran.code == 1
    assert ran.err.count("the way to machine") == 1
    assert "plain TCP" in cli("machine", "check", "sw", "--json").data[0]["exposed"]
    assert cli.done("machine", "check", "a", "--json").data[0]["exposed"] is None
