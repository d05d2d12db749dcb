"""`--confirm-within`: what nobody confirms is taken back, also when the operator's process is gone."""

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from lasercats.core.address import Address
from lasercats.core.errors import BadInput, LaserCatsError
from lasercats.core.record import OBSERVED, Event, raw
from lasercats.operate import guard
from lasercats.operate.confirm import duration
from lasercats.operate.project import Project
from lasercats.operate.revertible import check
from lasercats.testing.running import finish

if TYPE_CHECKING:
    from tests.lasercats.cli.conftest import Cli

Place = Callable[[str], str]
LASERCATS = [sys.executable, "-c", "from lasercats.cli.main import main; main()"]


def path(place: Place, name: str) -> Path:
    """Return where a file of a test is."""
    return Path(place(name).partition(":")[2])


def until(condition: Callable[[], bool], seconds: float = 20) -> None:
    """Wait until something has come about."""
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.05)


def guards(cli: "Cli") -> list[int]:
    """Return the guards of a project that run."""
    found = []
    for entry in Path("/proc").glob("[0-9]*"):
        try:
            line = (entry / "cmdline").read_bytes()
        except OSError:
            continue
        if b"--guard" in line and os.fsencode(cli.folder) in line:
            found.append(int(entry.name))
    return found


def slow_tools(cli: "Cli", begun: Path, go: Path) -> Path:
    """Return a folder with a `mv` that tells that it has begun, and goes on when it is let."""
    tools = cli.folder / "tools"
    tools.mkdir()
    wait = f"touch {begun}; until [ -e {go} ]; do sleep 0.05; done"
    (tools / "mv").write_text(f'#!/bin/sh\n{wait}\nexec /bin/mv "$@"\n')
    (tools / "mv").chmod(0o755)
    return tools


def statuses(cli: "Cli") -> list[tuple[str, str]]:
    """Return the commands of the log, each with its status."""
    return [(record["type"], record["status"]) for record in json.loads(cli.done("log", "--json").out)]


def test_what_is_confirmed_stays(cli: "Cli", place: Place) -> None:
    """It is told until when it is held and how to keep it; confirmed, it is as any other change."""
    ran = cli.done("file", "write", place("f"), "--content", "x", "--confirm-within", "1h")
    assert "held: taken back at" in ran.err
    assert "unless you run `lasercats confirm 1`" in ran.err
    assert "to be confirmed by" in cli.done("log").out
    (held,) = cli.done("confirm", "--list", "--json").data
    assert (held["position"], held["on"], held["status"]) == (1, [f"file/{place('f')}"], "held")
    assert cli.done("confirm", "2").out.endswith(": confirmed\n")
    assert statuses(cli) == [("hold", "done"), ("file.write", "done")]
    assert cli.done("confirm").err == "nothing is to be confirmed\n"
    cli.done("undo", "HEAD")
    cli.verifies()
    until(lambda: not guards(cli))


def test_what_is_not_confirmed_is_taken_back(cli: "Cli", place: Place) -> None:
    """When the time is over all of it is as it was, and the log tells why."""
    path(place, "f").write_text("old")
    cli.done("observe", f"file/{place('f')}")
    cli.done("file", "write", place("f"), place("g"), "--content", "new", "--confirm-within", "1s")
    assert path(place, "g").read_text() == "new"
    until(lambda: ("hold", "failed") in statuses(cli))
    assert path(place, "f").read_text() == "old"
    assert not path(place, "g").exists()
    assert "not confirmed, so taken back" in cli.done("log").out
    assert "not confirmed by" in cli.done("log").out
    assert cli.done("drift").err.endswith("all as the state says\n")
    cli.verifies()


def test_the_others_wait(cli: "Cli", place: Place) -> None:
    """What is held is not changed by anybody else, and the reason is told with what can be done."""
    cli.done("file", "write", place("f"), "--content", "x", "--confirm-within", "1h")
    for line in (["file", "write", place("f"), "--content", "y"], ["undo", "HEAD"]):
        refusal = cli.refuses(*line)
        assert "is held until command 1 (tester) is confirmed; run `lasercats confirm 1`" in refusal
    cli.done("file", "write", place("g"), "--content", "y")
    assert cli.done("confirm", "--reject").out.endswith(": taken back\n")
    assert not path(place, "f").exists()
    assert path(place, "g").exists()
    cli.verifies()


def test_one_of_many(cli: "Cli", place: Place) -> None:
    """Each change is held on its own."""
    for name in "fg":
        cli.done("file", "write", place(name), "--content", "x", "--confirm-within", "1h")
    first, second = (held["position"] for held in cli.done("confirm", "--list", "--json").data)
    cli.done("confirm", str(second))
    cli.done("confirm", str(first), "--reject", "--json")
    assert not path(place, "f").exists()
    assert path(place, "g").exists()
    assert "nothing at position 999 is to be confirmed" in cli.refuses("confirm", "999")


def test_recover_takes_back_what_no_guard_did(cli: "Cli", place: Place) -> None:
    """Where the guard died, too, recover does its work; what is not overdue stays held."""
    cli.done("file", "write", place("f"), "--content", "x", "--confirm-within", "1h")
    for pid in guards(cli):
        os.kill(pid, signal.SIGKILL)
    assert "command 1 (hold): to be confirmed by" in cli.done("recover").out
    cli.done("confirm")
    cli.done("file", "write", place("g"), "--content", "x", "--confirm-within", "1s")
    for pid in guards(cli):
        os.kill(pid, signal.SIGKILL)
    time.sleep(1.1)
    assert "(hold): not confirmed, so taken back" in cli.done("recover", "--force").out
    assert not path(place, "g").exists()
    assert cli.done("recover").err == "nothing is open\n"
    cli.verifies()


@pytest.mark.crash
def test_the_operator_is_cut_off(cli: "Cli", place: Place) -> None:
    """The process dies in the middle, with its session: what it had done is taken back in time."""
    commands = [{"command": "file.write", "on": [place(f"f{n}")], "content": "x"} for n in range(300)]
    file = cli.folder / "commands.jsonl"
    file.write_text("".join(json.dumps(command) + "\n" for command in commands))
    process = subprocess.Popen(
        [*LASERCATS, "-C", str(cli.folder), "issue", str(file), "--confirm-within", "3s"],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        start_new_session=True,
    )
    until(lambda: path(place, "f0").exists())
    os.killpg(process.pid, signal.SIGKILL)
    process.wait()
    until(lambda: ("hold", "failed") in statuses(cli), 60)
    assert list(path(place, "f0").parent.glob("f*")) == []
    assert not cli.done("state", "--json").data["resources"]
    assert cli.done("recover").err == "nothing is open\n"
    cli.verifies()


def test_nothing_is_held_where_nothing_changed(cli: "Cli", place: Place) -> None:
    """What is as it should be needs no confirmation, and a prediction is none."""
    cli.done("file", "write", place("f"), "--content", "x")
    ran = cli.done("file", "write", place("f"), "--content", "x", "--confirm-within", "1h")
    assert "held" not in ran.err
    assert statuses(cli)[1:] == [("hold", "unchanged"), ("file.write", "unchanged")]
    head = cli.head()
    cli.done("file", "write", place("f"), "--content", "y", "--confirm-within", "1h", "--check")
    assert cli.head() == head


def test_it_is_told_as_json(cli: "Cli", place: Place) -> None:
    """With --json it is told what holds the change, and until when."""
    ran = cli.done("file", "write", place("f"), "--content", "x", "--confirm-within", "1h", "--json")
    assert ran.data["held"]["position"] == 1
    assert ran.data["held"]["until"].endswith("Z")
    cli.done("confirm")


def test_what_cannot_be_taken_back(cli: "Cli") -> None:
    """A raw command is refused, and a time that is none."""
    refusal = cli.refuses("exec", "a", "--confirm-within", "1m", "--", "true")
    assert "the effect of exec is not in the state, so it cannot be taken back" in refusal
    assert "--list only lists" in cli.refuses("confirm", "--list", "--reject")


@pytest.mark.parametrize("text", ["10", "m", "10 m", "1m30", "-1m", "0s", "8d", "1h-1m", ""])
def test_no_duration(text: str) -> None:
    """A duration has a unit, is not nothing, and is not longer than a week."""
    with pytest.raises(BadInput):
        duration(text)


def test_durations() -> None:
    """They may be put together."""
    assert duration("90s").total_seconds() == 90
    assert duration("1h30m").total_seconds() == 5400
    assert duration("1d").total_seconds() == 86400


def test_it_leaves_no_trace_in_a_rewritten_history(cli: "Cli", place: Place) -> None:
    """A hold is no change: a shorter history does without it."""
    cli.done("file", "write", place("f"), "--content", "x", "--confirm-within", "1h")
    cli.done("confirm")
    lines = [line for line in cli.done("rewrite").out.splitlines() if not line.startswith("#")]
    assert [json.loads(line)["command"] for line in lines] == ["file.write"]


def test_the_guard_imports_nothing_of_others(
    cli: "Cli", place: Place, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """Modules in the current folder, and those that the environment names, are not imported by the guard."""
    code = f"open({str(tmp_path / 'imported')!r}, 'a').write(__name__ + ' ')\n"
    for name in ("secrets", "click", "usercustomize", "sitecustomize", "msgspec", "lasercats", "startup"):
        (tmp_path / f"{name}.py").write_text(code)
    for name in ("PYTHONPATH", "PYTHONUSERBASE", "PYTHONHOME", "PYTHONSTARTUP"):
        monkeypatch.setenv(name, str(tmp_path / "startup.py" if name == "PYTHONSTARTUP" else tmp_path))
    cli.done("file", "write", place("f"), "--content", "x", "--confirm-within", "1s")
    until(lambda: ("hold", "failed") in statuses(cli))
    assert not (tmp_path / "imported").exists()
    assert not path(place, "f").exists()


@pytest.mark.parametrize(
    ("code", "message"),
    [
        ("raise SystemExit(3)", "its guard died, see "),
        ("import time; time.sleep(600)", "its guard was not ready within 1 s, see "),
        ("import socket; socket.socket(fileno=0).send(b'-it is so\\n')", "its guard cannot work: it is so"),
    ],
    ids=["dies", "silent", "unable"],
)
def test_without_a_guard_nothing_is_done(
    cli: "Cli", place: Place, monkeypatch: pytest.MonkeyPatch, code: str, message: str
) -> None:
    """Where no guard says in time that it is ready nothing is changed, and none is left."""
    cli.done("machine", "check", "a")
    monkeypatch.setattr(guard, "_START", code)
    monkeypatch.setattr(guard, "READY", 1.0)
    line = ("file", "write", place("f"), "--content", "x", "--confirm-within", "1h")
    assert cli.refuses(*line).startswith(f"nothing was done, because {message}")
    assert not path(place, "f").exists()
    until(lambda: not guards(cli))


def test_a_guard_opens_its_machines_first(cli: "Cli") -> None:
    """A guard that could not use a machine says so before anything is done."""
    project = Project(cli.folder)
    try:
        with pytest.raises(LaserCatsError, match="its guard cannot work: no machine is called 'nowhere'"):
            guard.start(project, "run", ["a", "nowhere"])
    finally:
        project.close()


def test_a_guard_that_dies_stops_the_work(cli: "Cli", place: Place) -> None:
    """Where the guard dies in the middle nothing more is done, and the operator hears who takes it back."""
    tools = slow_tools(cli, path(place, "begun"), path(place, "go"))
    line = ("file", "write", place("f"), "--content", "x", "--confirm-within", "1h")
    process = subprocess.Popen(
        [*LASERCATS, "-C", str(cli.folder), *line],
        env={**os.environ, "PATH": f"{tools}:{os.environ['PATH']}"},
        stderr=subprocess.PIPE,
        text=True,
    )
    until(path(place, "begun").exists)
    for pid in guards(cli):
        os.kill(pid, signal.SIGKILL)
    until(lambda: not guards(cli))
    path(place, "go").touch()
    _, errors = process.communicate(timeout=60)
    assert process.returncode == 1
    assert "its guard died before it was done" in errors
    cli.done("confirm", "--reject")
    assert not path(place, "f").exists()
    cli.verifies()


@pytest.mark.crash
def test_a_suspended_operator_is_ended(cli: "Cli", place: Place) -> None:
    """A process that does not heed that the time is over is ended, and what it did is taken back."""
    begun = path(place, "begun")
    tools = slow_tools(cli, begun, path(place, "go"))
    line = ("file", "write", place("f"), "--content", "x")
    process = subprocess.Popen(
        [*LASERCATS, "-C", str(cli.folder), *line, "--confirm-within", "2s"],
        env={**os.environ, "PATH": f"{tools}:{os.environ['PATH']}"},
        stderr=subprocess.DEVNULL,
    )
    until(begun.exists)
    process.send_signal(signal.SIGSTOP)
    path(place, "go").touch()
    assert process.wait(90) == -signal.SIGKILL
    until(lambda: ("hold", "failed") in statuses(cli), 90)
    assert not path(place, "f").exists()
    cli.verifies()


def test_a_time_that_is_too_short_is_refused(cli: "Cli") -> None:
    """What AWS may take longer for than the time to confirm is not begun."""
    there = {"state": "running", "image": "ami-1", "type": "t3.micro", "id": "i-0123456789abcdef0"}
    names = (f"{machine}{n}" for machine in ("", "fast:") for n in range(20))
    known = {Address(f"ec2.instance/{name}"): (raw(None), raw(there)) for name in names}
    project = Project(cli.folder)
    project.log.append([Event(type=OBSERVED, delta=known)])
    project.close()
    cli.done("machine", "add", "aws", "aws://us-east-1")
    refusal = cli.refuses("ec2", "stop", "aws:1", "--confirm-within", "9m")
    assert refusal.startswith("this can take 600 s, and would be taken back in the middle; give")
    cli.done("machine", "add", "fast", "aws://us-east-1?timeout=100")
    project = Project(cli.folder)
    try:
        commands = [
            project.kinds.command(
                {"command": "ec2.stop", "on": [f"ec2.instance/fast:{n}" for n in range(20)]}
            )
        ]
        finish(project, check(project, commands, timedelta(seconds=100)))
        with pytest.raises(BadInput, match="this can take 100 s"):
            finish(project, check(project, commands, timedelta(seconds=99)))
        finish(project, check(project, commands, timedelta(seconds=400), serial=5))
        with pytest.raises(BadInput, match="this can take 400 s"):
            finish(project, check(project, commands, timedelta(seconds=399), serial=5))
    finally:
        project.close()


@pytest.mark.parametrize(
    ("line", "why"),
    [
        ("launch aws:new --image ami-1 --type t3.micro", "its own volumes would be lost for good"),
        ("create-volume aws:new --zone us-east-1a --size 1", "the data on it would be lost for good"),
        ("allocate aws:new", "removing it would lose it for good"),
        ("grow-volume aws:v --size 9", "size cannot go from 9 to 5 in place"),
        ("start aws:i", "it would be stopped"),
    ],
)
def test_what_cannot_go_back_by_itself_is_not_held(cli: "Cli", line: str, why: str) -> None:
    """What no guard would take back, as that has a price, is refused with --confirm-within in advance."""
    known = {
        Address("ec2.volume/v"): (raw(None), raw({"size": 5, "zone": "us-east-1a", "id": "vol-1"})),
        Address("ec2.instance/i"): (raw(None), raw({"state": "stopped", "id": "i-1"})),
    }
    project = Project(cli.folder)
    project.log.append([Event(type=OBSERVED, delta=known)])
    project.close()
    cli.done("machine", "add", "aws", "aws://us-east-1")
    refusal = cli.refuses("ec2", *line.split(), "--confirm-within", "60m")
    assert "could not be taken back by itself: " in refusal
    assert why in refusal


def test_recover_sends_no_signal(cli: "Cli", place: Place) -> None:
    """A process that a log names is not ended, whatever is overdue."""
    import socket

    from lasercats.core.record import Accepted, raw

    sleeping = subprocess.Popen(["sleep", "600"])
    project, on = Project(cli.folder), (f"file/{place('f')}",)
    try:
        for command, process in (
            ({"command": "hold", "on": on, "until": 1}, "1+1@elsewhere"),
            ({"command": "file.write", "on": on, "content": "x"}, f"{sleeping.pid}+@{socket.gethostname()}"),
        ):
            built = project.kinds.command(command)
            entry = Accepted(
                command=raw(built), actor="x", run="r", process=process, claims=built.on, held=not built.ends
            )
            project.log.append([entry], run="r")
    finally:
        project.close()
    for line in (["recover"], ["confirm", "--reject"], ["recover", "--force"]):
        cli(*line)
        assert sleeping.poll() is None
    sleeping.kill()
    sleeping.wait()


def test_what_is_lost_when_it_is_done_is_not_held(cli: "Cli", place: Place) -> None:
    """What no guard could bring back is not done with --confirm-within, known before or found by the look."""
    from lasercats.core.content import LIMIT

    cli.done("machine", "check", "a")
    path(place, "big").write_bytes(b"x" * (LIMIT + 1))
    for known in (False, True):
        if known:
            cli.done("observe", f"file/{place('big')}")
        for line in (("remove", place("big")), ("write", place("big"), "--content", "new", "--yes")):
            before = cli.log()
            ran = cli("file", *line, "--confirm-within", "1h")
            lost = "its unrecorded content would be lost for good; leave --confirm-within out"
            assert f"file/{place('big')} could not be taken back by itself: {lost}" in ran.err
            assert ran.code == 1
            assert path(place, "big").stat().st_size == LIMIT + 1
            assert cli.log() == before
    assert guards(cli) == []
