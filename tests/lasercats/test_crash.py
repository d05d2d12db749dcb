"""Killed for real, at any moment: nothing is lost, and `recover` makes the log true again."""

import json
import os
import random
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from lasercats.testing.lab import Lab
from lasercats.testing.postgresql import Server
from tests import forks

pytestmark = pytest.mark.crash
Run = Callable[..., subprocess.CompletedProcess[str]]
LASERCATS = [sys.executable, "-c", "from lasercats.cli.main import main; main()"]


def lasercats(project: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    """Run the command line in a project."""
    words = ["-C", str(project), *arguments]
    return subprocess.CompletedProcess(words, *forks.run(words, Path(), os.environ))


def write_commands(path: Path, machine: str, folder: str, turn: int) -> None:
    """Write a log that makes a directory, many files in it, changes and removes some."""
    on = f"{machine}:{folder}"
    commands = [{"command": "directory.create", "on": [on]}] if turn == 0 else []
    for n in range(120):
        commands.append({"command": "file.write", "on": [f"{on}/{n}"], "content": f"{turn} {n}\n"})
        if n % 3 == 0:
            commands.append({"command": "file.chmod", "on": [f"{on}/{n}"], "mode": "0600"})
        if n % 5 == 0:
            commands.append({"command": "file.remove", "on": [f"{on}/{n}"]})
    path.write_text("".join(json.dumps(command) + "\n" for command in commands))


def crash(project: Path, commands: Path, delay: float) -> int:
    """Issue the commands and kill the process after a delay; return how it ended."""
    process = subprocess.Popen(
        [*LASERCATS, "-C", str(project), "issue", str(commands)],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    time.sleep(delay)
    process.send_signal(signal.SIGKILL)
    return process.wait()


def check_recovery(project: Path, there: set[str]) -> None:
    """After `recover` nothing is open, the log holds, and a look at the machine finds no drift."""
    recovered = lasercats(project, "recover")
    assert recovered.returncode == 0, recovered.stderr + recovered.stdout
    assert lasercats(project, "recover").stderr == "nothing is open\n"
    assert lasercats(project, "verify").returncode == 0
    drift = lasercats(project, "drift", "--detailed-exitcode", "--json")
    assert drift.returncode == 0, drift.stdout
    state = json.loads(lasercats(project, "state", "--json").stdout)["resources"]
    assert {address.rpartition("/")[2] for address in state if address.startswith("file/")} == there


def run_all(project: Path, machine: str, folder: str, listing: Callable[[], list[str]], turns: int) -> None:
    """Crash at random moments, recover each time, and in the end carry everything out."""
    commands = project / "commands.jsonl"
    killed, rng = 0, random.Random(7)  # noqa: S311 - a seed, not a secret
    for turn in range(turns):
        write_commands(commands, machine, folder, turn)
        killed += crash(project, commands, rng.uniform(0.15, 0.9)) == -signal.SIGKILL
        time.sleep(0.3)  # what the host was doing when its controller died comes to an end
        check_recovery(project, {name for name in listing() if not name.startswith(".lasercats")})
    assert killed >= turns // 2
    write_commands(commands, machine, folder, 0)
    # What was cut off may have left a file of which only the permission bits are known: that is agreed to.
    done = lasercats(project, "issue", str(commands), "--json", "--yes")
    assert json.loads(done.stdout)["ok"], done.stderr
    check_recovery(project, {str(n) for n in range(120) if n % 5})


def test_killed_with_the_log_on_a_server(tmp_path: Path, postgresql: Server) -> None:
    """Kills lose nothing and repeat nothing where the log is in PostgreSQL."""
    project, folder = tmp_path / "p", tmp_path / "files"
    url = postgresql.url(postgresql.database())
    assert lasercats(tmp_path, "init", "--log", url, str(project)).returncode == 0
    run_all(project, "local", str(folder), lambda: [p.name for p in folder.glob("*")], turns=2)


def test_killed_on_the_local_machine(tmp_path: Path) -> None:
    """Six kills while a hundred files are written here lose nothing and repeat nothing."""
    project, folder = tmp_path / "p", tmp_path / "files"
    assert lasercats(tmp_path, "init", str(project)).returncode == 0
    run_all(project, "local", str(folder), lambda: [p.name for p in folder.glob("*")], turns=6)


@pytest.mark.lab
def test_killed_with_a_remote_host(tmp_path: Path, lab: Lab) -> None:
    """Kills while a host works by SSH lose nothing and repeat nothing."""
    project, host = tmp_path / "p", lab.hosts[1]
    assert lasercats(tmp_path, "init", str(project)).returncode == 0
    assert lasercats(project, "machine", "add", "web", host.url).returncode == 0
    run_all(
        project, "web", "/srv/crash", lambda: host.ssh("ls -A /srv/crash").stdout.decode().split(), turns=4
    )


@pytest.mark.lab
def test_the_host_dies_in_the_middle(tmp_path: Path, lab: Lab) -> None:
    """A host that loses power leaves commands open; when it is back, recover tells what became of them."""
    project, host = tmp_path / "p", lab.hosts[2]
    lasercats(tmp_path, "init", str(project))
    lasercats(project, "machine", "add", "web", host.url + "&timeout=3&connect_timeout=2")
    lasercats(project, "directory", "create", "web:/srv/dies")
    write_commands(project / "commands.jsonl", "web", "/srv/dies", 1)
    process = subprocess.Popen(
        [*LASERCATS, "-C", str(project), "issue", str(project / "commands.jsonl")],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
    )
    deadline = time.monotonic() + 20
    while not list(host.upper.glob("srv/dies/*")) and time.monotonic() < deadline:
        time.sleep(0.005)
    host.stop()
    _, errors = process.communicate(timeout=60)
    assert process.returncode == 1
    assert "lasercats recover" in errors
    host.start()
    host.wait()
    there = host.ssh("ls -A /srv/dies").stdout.decode().split()
    check_recovery(project, {name for name in there if not name.startswith(".lasercats")})
