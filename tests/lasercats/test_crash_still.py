"""Killed for real while a host is slow: nothing is judged while its shell, or what it began, is at work."""

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from lasercats.operate.project import Project
from lasercats.operate.recover import Recovered, recover
from lasercats.testing.lab import Host, Lab
from lasercats.testing.running import finish

pytestmark = pytest.mark.crash
LASERCATS = [sys.executable, "-c", "from lasercats.cli.main import main; main()"]
SLOW = """#!/bin/sh
echo $$ $PPID >{folder}/begun
while [ ! -e {folder}/go ]; do sleep 0.05; done
exec /bin/mv "$@"
"""
"""A `mv` that tells that it has begun, and goes on when it is let."""


def until(condition: Callable[[], object], seconds: float = 30) -> None:
    """Wait until something has come about."""
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.02)


class Slow:
    """A project, and a host with a slow `mv`, on which a process of ours can be killed at its work."""

    def __init__(self, root: Path, tools: Path, folder: Path, machine: str) -> None:
        self.root, self.folder, self.machine = root, folder, machine
        self._environment = {**os.environ, "PATH": f"{tools}:{os.environ['PATH']}"}
        subprocess.run([*LASERCATS, "-C", str(root), "init", str(root)], check=True, capture_output=True)

    def start(self, *arguments: str) -> "subprocess.Popen[str]":
        """Run the command line, and leave it at its work."""
        return subprocess.Popen(
            [*LASERCATS, "-C", str(self.root), *arguments],
            env=self._environment,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )

    def kill(self, *arguments: str) -> None:
        """Run the command line, and kill it when the slow tool has begun."""
        process = self.start(*arguments)
        until(lambda: self.begun().split())
        process.kill()
        process.communicate()

    def begun(self) -> str:
        """Return what the slow tool told: its number and its shell's."""
        file = self.folder / "begun"
        return file.read_text() if file.exists() else ""

    def recovered(self, *, force: bool = False) -> Recovered:
        """Recover the one command that is open."""
        project = Project(self.root)
        try:
            (found,) = finish(project, recover(project, force=force))
        finally:
            project.close()
        return found

    def state(self) -> dict[str, Any]:
        """Return what the log says of the file that is written."""
        project = Project(self.root)
        try:
            resources: dict[str, Any] = json.loads(
                subprocess.run(
                    [*LASERCATS, "-C", str(self.root), "state", "--json"], check=True, capture_output=True
                ).stdout
            )["resources"]
        finally:
            project.close()
        return resources


@pytest.fixture
def slow(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Slow:
    """This machine, with a slow `mv`."""
    for name in ("p", "tools", "files"):
        (tmp_path / name).mkdir()
    (tmp_path / "tools" / "mv").write_text(SLOW.format(folder=tmp_path / "files"))
    (tmp_path / "tools" / "mv").chmod(0o755)
    monkeypatch.setattr("lasercats.machines.host.WAIT", 0)
    return Slow(tmp_path / "p", tmp_path / "tools", tmp_path / "files", "local")


@pytest.mark.parametrize("orphan", [False, True], ids=["shell", "orphan"])
def test_a_slow_tool_is_waited_for(slow: Slow, *, orphan: bool) -> None:
    """While the shell, or only the mv that it began, is at work the command stays open; then it was done."""
    slow.kill("file", "write", f"local:{slow.folder}/a", "--content", "new")
    if orphan:
        os.kill(int(slow.begun().split()[1]), signal.SIGKILL)
    found = slow.recovered()
    assert found.status == "open"
    assert "it is still at work there (process" in next(iter(found.facts.values()))
    assert not slow.state()
    (slow.folder / "go").touch()
    until((slow.folder / "a").exists)
    until(lambda: slow.recovered().status == "done")
    assert (slow.folder / "a").read_text() == "new"
    (resource,) = slow.state().values()
    assert resource["content"] == "new"
    assert sorted(path.name for path in slow.folder.iterdir()) == ["a", "begun", "go"]


def test_force_ends_what_is_at_work(slow: Slow) -> None:
    """With --force what is at work is ended first, so that what is judged as not done never comes."""
    slow.kill("file", "write", f"local:{slow.folder}/a", "--content", "new")
    found = slow.recovered(force=True)
    assert (found.status, set(found.facts.values())) == ("failed", {"not done"})
    assert not Path(f"/proc/{slow.begun().split()[0]}").exists()
    (slow.folder / "go").touch()
    assert sorted(path.name for path in slow.folder.iterdir()) == ["begun", "go"]


def test_recover_waits_for_the_end(slow: Slow, monkeypatch: pytest.MonkeyPatch) -> None:
    """What ends in the time that recover gives it is judged in one go."""
    slow.kill("file", "write", f"local:{slow.folder}/a", "--content", "new")
    monkeypatch.setattr("lasercats.machines.host.WAIT", 60)
    recovering = slow.start("recover")
    (slow.folder / "go").touch()
    output, _ = recovering.communicate()
    assert "command 1 (file.write): done" in output
    assert (slow.folder / "a").read_text() == "new"


def test_a_raw_command_is_never_ended_without_force(slow: Slow) -> None:
    """A raw command whose process died goes on, and is told as still at work until it has ended."""
    script = f"echo $$ >{slow.folder}/begun; until [ -e {slow.folder}/go ]; do sleep 0.05; done"
    slow.kill("exec", "local", "--", "sh", "-c", script)
    assert slow.recovered().status == "open"
    assert Path(f"/proc/{int(slow.begun())}").exists()
    (slow.folder / "go").touch()
    until(lambda: slow.recovered().status == "failed")


def test_what_is_given_up_is_ended(slow: Slow) -> None:
    """Where the host is silent for too long its shell is ended, and what was not done never comes."""
    project = [*LASERCATS, "-C", str(slow.root), "machine", "add", "web", "local:?timeout=1"]
    subprocess.run(project, check=True, capture_output=True)
    process = slow.start("file", "write", f"web:{slow.folder}/a", "--content", "new")
    _, errors = process.communicate(timeout=60)
    assert "the host told nothing for 1 s, and was given up" in errors
    (slow.folder / "go").touch()
    assert slow.recovered().facts == {f"file/web:{slow.folder}/a": "not done"}
    assert not (slow.folder / "a").exists()


@pytest.mark.parametrize("confirmed", ["1s"])
def test_the_time_to_confirm_is_over_in_the_middle(slow: Slow, confirmed: str) -> None:
    """The operator's process stops by itself and says why, and all is as before and as the log says."""
    (slow.folder / "a").write_text("old")
    process = slow.start(
        "file", "write", f"local:{slow.folder}/a", "--content", "new", "--confirm-within", confirmed
    )
    until(lambda: slow.begun().split())
    _, errors = process.communicate(timeout=60)
    assert process.returncode == 1, errors
    assert "the time to confirm was over before it was done" in errors
    (slow.folder / "go").touch()  # so that what takes it back is not slow

    def over() -> bool:
        project = Project(slow.root)
        try:
            return not project.log.open()
        finally:
            project.close()

    until(over, 60)
    assert (slow.folder / "a").read_text() == "old"
    assert not [r for r in slow.state().values() if r["content"] != "old"]


@pytest.fixture
def host(lab: Lab) -> Iterator[Host]:
    """A host with a slow `mv`."""
    host = lab.hosts[1]
    place = host.ssh("echo ${PATH%%:*}").stdout.decode().strip()
    tool = SLOW.format(folder="/srv/slow").encode()
    host.ssh(f"rm -rf /srv/slow; mkdir -p /srv/slow {place}; cat >{place}/mv; chmod 755 {place}/mv", tool)
    try:
        yield host
    finally:
        host.ssh(f"touch /srv/slow/go; rm {place}/mv")


@pytest.mark.lab
@pytest.mark.parametrize("force", [False, True], ids=["wait", "force"])
def test_a_slow_tool_of_a_remote_host(
    tmp_path: Path, host: Host, monkeypatch: pytest.MonkeyPatch, *, force: bool
) -> None:
    """Over SSH, too, nothing is judged while the host is at work; with --force it is ended first."""
    monkeypatch.setattr("lasercats.machines.host.WAIT", 0)
    slow = Slow(tmp_path, tmp_path, tmp_path, "web")
    subprocess.run([*LASERCATS, "-C", str(tmp_path), "machine", "add", "web", host.url], check=True)
    process = slow.start("file", "write", "web:/srv/slow/a", "--content", "new")
    until(lambda: b" " in host.ssh("cat /srv/slow/begun 2>/dev/null").stdout)
    process.kill()
    process.communicate()
    if not force:
        assert slow.recovered().status == "open"
        host.ssh("touch /srv/slow/go")
        until(lambda: slow.recovered().status == "done")
    else:
        assert set(slow.recovered(force=True).facts.values()) == {"not done"}
        host.ssh("touch /srv/slow/go")
    there = host.ssh("ls -A /srv/slow").stdout.split()
    assert there == [b"begun", b"go"] if force else [b"a", b"begun", b"go"]
