"""What somebody else left open in a log: shown, and gone on with only where that is agreed to."""

import json
import os
import shutil
import signal
import time
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from lasercats.cli import printing
from tests.lasercats.cli.test_confirm import guards, path, statuses, until

if TYPE_CHECKING:
    from tests.lasercats.cli.conftest import Cli

Place = Callable[[str], str]
NOT_OURS = "what is open in this log was not begun by you, or not on this machine, so nothing was done"


def hold(cli: "Cli", place: Place) -> None:
    """Change a file for an hour, kill the guard that would take that back, and let an hour pass."""
    cli.done("file", "write", place("f"), "--content", "old")
    cli.done("file", "write", place("f"), "--content", "new", "--confirm-within", "1h")
    for pid in guards(cli):
        os.kill(pid, signal.SIGKILL)
    until(lambda: not guards(cli))
    now = time.time()
    cli.patch(time, "time", lambda: now + 4000)


def unpacked(cli: "Cli") -> Path:
    """Stand in a copy of the project, as of an archive that somebody sent; all files are this user's."""
    copy = cli.folder / "unpacked"
    copy.mkdir()
    shutil.copy(cli.folder / "lasercats.toml", copy)
    shutil.copytree(cli.folder / ".lasercats", copy / ".lasercats")
    os.chdir(copy)
    return copy


@pytest.fixture
def answers(monkeypatch: pytest.MonkeyPatch) -> Callable[..., list[str]]:
    """Answer what is asked at the terminal, and return what was asked."""

    def answer(*, yes: bool) -> list[str]:
        asked = list[str]()

        def agreed(question: str) -> bool:
            asked.append(question)
            return yes

        monkeypatch.setattr(printing, "agreed", agreed)
        return asked

    return answer


def test_recover_takes_nothing_back(cli: "Cli", place: Place) -> None:
    """What a log from elsewhere says is overdue is shown, and stays: agreeing or trusting goes on with it."""
    hold(cli, place)
    copy = unpacked(cli)
    ran = cli("recover", "--force")
    assert ran.code == 1
    assert f"take back command 8 (hold {place('f')}) of tester\n~ file/{place('f')}\n" in ran.out
    assert "content: new → old" in ran.out
    assert NOT_OURS in ran.err
    assert f"`lasercats project trust {copy}`" in ran.err
    assert path(place, "f").read_text() == "new"
    assert statuses(cli)[-2:] == [("hold", "open"), ("file.write", "done")]
    assert "taken back" in cli.done("recover", "--force", "--yes").out
    assert path(place, "f").read_text() == "old"


def test_it_asks_at_a_terminal(cli: "Cli", place: Place, answers: Callable[..., list[str]]) -> None:
    """A person is asked, after all was shown; no is no."""
    hold(cli, place)
    unpacked(cli)
    asked = answers(yes=False)
    assert cli("recover", "--force").code == 1
    assert asked == ["Go on with it?"]
    assert path(place, "f").read_text() == "new"
    answers(yes=True)
    cli.done("recover", "--force")
    assert path(place, "f").read_text() == "old"


def test_who_trusts_it_is_not_asked(cli: "Cli", place: Place) -> None:
    """Trust holds for what is open, too; so does having begun it here."""
    hold(cli, place)
    unpacked(cli)
    cli.done("project", "trust")
    cli.done("recover", "--force")
    assert path(place, "f").read_text() == "old"


@pytest.mark.parametrize("verb", [["confirm", "--reject"], ["recover", "--force", "--json"]], ids=" ".join)
def test_other_ways_to_take_back(cli: "Cli", place: Place, verb: list[str]) -> None:
    """Each way to take back what somebody holds asks first."""
    hold(cli, place)
    unpacked(cli)
    ran = cli(*verb)
    assert ran.code == 1
    assert NOT_OURS in ran.err
    assert path(place, "f").read_text() == "new"
    cli.done(*verb, "--yes")
    assert path(place, "f").read_text() == "old"


def test_keeping_is_not_taking_back(cli: "Cli", place: Place) -> None:
    """To confirm changes nothing on a machine, so nobody is asked."""
    hold(cli, place)
    unpacked(cli)
    cli.done("confirm")
    assert path(place, "f").read_text() == "new"


def test_what_waits_for_a_report_is_somebodys(cli: "Cli", place: Place) -> None:
    """A report lets commands go on; those that others began are shown first."""
    cli.done("machine", "add", "human", "human:")
    cli.done("rack", "create", "r1", "--height", "3")
    cli.done("rack", "mount", "db1", "--unit", "1", "--rack", "rack/r1")
    number = str(cli.done("work", "list", "--json").data[0]["order"])
    unpacked(cli)
    for verb in (["work", "done", number], ["work", "fail", number, "--why", "no"]):
        ran = cli(*verb)
        assert ran.code == 1
        assert "go on with command " in ran.out
        assert "(rack mount db1) of tester" in ran.out
        assert NOT_OURS in ran.err
    assert cli.log()[-1]["status"] == "waiting"
    ran = cli("recover")
    assert f"go on, by work order {number}, with command" in ran.out
    assert NOT_OURS in ran.err
    cli.done("work", "done", number, "--yes")


def test_a_command_that_was_cut_off_is_somebodys(cli: "Cli", place: Place) -> None:
    """What died in the middle elsewhere is not asked about here, before that is agreed to."""
    from lasercats.core.record import Accepted, raw
    from lasercats.logs.sqlite import SqliteLog

    command = {"command": "file.write", "content": "x", "on": [f"file/{place('f')}"]}
    log = SqliteLog(cli.path)
    log.append([Accepted(command=raw(command), actor="ada@desk", run="r", process="1+1@elsewhere")])
    log.close()
    unpacked(cli)
    ran = cli("recover", "--force")
    assert f"ask what became of command 1 (file write {place('f')}) of ada@desk\n" in ran.out
    assert NOT_OURS in ran.err
    assert cli.log()[-1]["status"] == "open"
    cli.done("recover", "--force", "--yes")
    assert [one["status"] for one in cli.log() if one["position"] == 1] == ["failed"]


def test_acting_does_not_make_it_ours(cli: "Cli", place: Place) -> None:
    """While something of others is open, an own command goes through, and makes nothing of theirs ours."""
    hold(cli, place)
    unpacked(cli)
    cli.done("file", "write", place("other"), "--content", "x")
    assert NOT_OURS in cli("recover", "--force").err


def test_looking_does_not_make_it_ours(cli: "Cli", place: Place) -> None:
    """A log that was looked at, and in which more is open when it comes again, is still somebody else's."""
    cli.done("file", "write", place("f"), "--content", "old")
    copy = unpacked(cli)
    cli.done("log")
    cli.done("verify")
    os.chdir(cli.folder)
    shutil.rmtree(copy)
    hold(cli, place)
    unpacked(cli)
    assert NOT_OURS in cli("recover", "--force").err


def test_a_project_that_moved_is_known_again(cli: "Cli", place: Place) -> None:
    """Who acts in a log in which nothing is open is at home in it, wherever it came from."""
    copy = unpacked(cli)
    cli.done("file", "write", place("f"), "--content", "x")
    cli.folder, cli.path = copy, copy / ".lasercats" / "log.db"
    hold(cli, place)
    cli.done("recover", "--force")
    assert path(place, "f").read_text() == "old"


def test_where_nothing_can_be_remembered(cli: "Cli", place: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    """Without a folder to remember logs in all goes on, but for what is open, which needs --yes."""
    monkeypatch.setenv("XDG_STATE_HOME", "/proc/nowhere")
    hold(cli, place)
    assert NOT_OURS in cli("recover", "--force").err
    cli.done("recover", "--force", "--yes")


class TestWhatWasChangedSince:
    """In an own project `recover` takes back without a word, unless somebody's work would be lost."""

    def test_it_is_shown(self, cli: "Cli", place: Place) -> None:
        """What is taken back is told, field by field, and done."""
        hold(cli, place)
        ran = cli.done("recover", "--force")
        assert f"take back command 8 (hold {place('f')}) of tester\n~ file/{place('f')}\n" in ran.out
        assert "content: new → old" in ran.out
        assert path(place, "f").read_text() == "old"

    def test_it_is_not_overwritten(self, cli: "Cli", place: Place, answers: Callable[..., list[str]]) -> None:
        """What somebody wrote there since is kept, and told, until that is agreed to."""
        hold(cli, place)
        path(place, "f").write_text("mine")
        ran = cli("recover", "--force")
        assert ran.code == 1
        assert "content: new → mine" in ran.out
        assert f"(hold): not taken back: file/{place('f')} was changed outside since" in ran.out
        data = json.loads(cli("recover", "--force", "--json").out)
        assert data[0]["told"].startswith("not taken back: ")
        asked = answers(yes=False)
        assert cli("recover", "--force").code == 1
        assert asked == ["Take it back, and lose that?"]
        assert path(place, "f").read_text() == "mine"
        cli.done("recover", "--force", "--yes")
        assert path(place, "f").read_text() == "old"

    @pytest.mark.parametrize("by", ["hand", "chmod", "removal"])
    def test_what_loses_nothing_is_not_asked(self, cli: "Cli", place: Place, by: str) -> None:
        """Where it was put back by hand, or only something else changed, or it is gone, nothing is lost."""
        hold(cli, place)
        if by == "hand":
            path(place, "f").write_text("old")
        elif by == "chmod":
            path(place, "f").chmod(0o600)
        else:
            path(place, "f").unlink()
        cli.done("recover", "--force")
        assert path(place, "f").read_text() == "old"
