"""Killed for real around a work order: nobody is sent twice, and nothing that was reported is lost."""

import json
import os
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from tests import forks

pytestmark = pytest.mark.crash
KILLED = """
import os, signal
from lasercats.logs.sqlite import SqliteLog
from lasercats.cli.main import main
real, left = SqliteLog.append, int(os.environ["KILL_AT"])

def append(self, *arguments, **more):
    global left
    left -= 1
    if left == 0 and os.environ["KILL"] == "before":
        os.kill(os.getpid(), signal.SIGKILL)
    position = real(self, *arguments, **more)
    if left == 0:
        os.kill(os.getpid(), signal.SIGKILL)
    return position

SqliteLog.append = append
main()
"""
"""Kills itself before or after it has written to the log for the nth time."""
LASERCATS = "from lasercats.cli.main import main; main()"


class Room:
    """A project with a rack and a technician."""

    def __init__(self, folder: Path) -> None:
        """Make it."""
        self.folder = folder
        self.run("init", str(folder), project=False)
        self.run("machine", "add", "human", "human:")
        self.run("machine", "add", "a", "local:")
        self.run("rack", "create", "r1")

    def run(self, *arguments: str, project: bool = True, code: int = 0) -> str:
        """Run the command line; return what it prints."""
        where = ["-C", str(self.folder)] if project else []
        ended, out, err = forks.run([*where, *arguments], Path(), os.environ)
        assert ended == code, out + err
        return out

    def killed(self, at: int, when: str, *arguments: str) -> bool:
        """Run the command line, killed around its nth write to the log; return whether it wrote so often."""
        environment = {**os.environ, "KILL_AT": f"{at}", "KILL": when}
        done = subprocess.run(
            [sys.executable, "-c", KILLED, "-C", str(self.folder), *arguments],
            env=environment,
            capture_output=True,
            check=False,
            timeout=60,
        )
        assert done.returncode in (0, -signal.SIGKILL)
        return done.returncode != 0

    def orders(self) -> list[dict[str, Any]]:
        """Return the work orders that wait."""
        found: list[dict[str, Any]] = json.loads(self.run("work", "list", "--json"))
        return found

    def mounts(self) -> int:
        """Count the events that mounted the device, as the log has them."""
        sql = "SELECT count(*) AS n FROM events WHERE type = 'rack.device.mounted'"
        return int(json.loads(self.run("query", sql, "--format", "json"))[0]["n"])

    def whole(self) -> None:
        """Check that the log holds, and that nothing is open."""
        self.run("verify")
        assert json.loads(self.run("recover", "--json")) == []


@pytest.fixture
def room(tmp_path: Path) -> Room:
    """A project with a rack."""
    return Room(tmp_path / "p")


MOUNT = ("rack", "mount", "db1", "--unit", "1")


@pytest.mark.parametrize(
    ("at", "when", "handed"),
    [(1, "after", False), (2, "before", False), (2, "after", True), (3, "before", True), (3, "after", True)],
)
def test_who_was_sent_is_waited_for(room: Room, at: int, when: str, handed: bool) -> None:
    """Killed while it hands an order out, it was handed out once or not at all, and recover tells which."""
    assert room.killed(at, when, *MOUNT)
    (recovered,) = json.loads(room.run("recover", "--json"))
    assert recovered["status"] == ("waiting" if handed else "failed")
    orders = room.orders()
    assert len(orders) == handed
    if handed:
        room.run("work", "done", str(orders[0]["order"]))
    else:
        room.run(*MOUNT)
        room.run("work", "done", str(room.orders()[0]["order"]))
    assert room.mounts() == 1
    room.whole()


@pytest.mark.parametrize("at", [2, 3, 4, None])
def test_what_waits_for_others_is_waited_for_too(room: Room, tmp_path: Path, at: int | None) -> None:
    """A command that nobody is sent for, behind one that somebody is, is not taken for done or lost."""
    commands = [
        {"command": "rack.mount", "on": "rack.device/db1", "unit": 1},
        {"command": "rack.set_device", "on": "rack.device/db1", "asset_tag": "A1"},
        {"command": "rack.reserve", "on": "rack.device/db2", "unit": 2},
    ]
    file = tmp_path / "commands.jsonl"
    file.write_text("\n".join(map(json.dumps, commands)))
    if at is None:
        room.run("issue", str(file))
    else:
        assert room.killed(at, "after", "issue", str(file))
    for _ in range(2):
        statuses = {
            one["command"]["command"]: one["status"] for one in json.loads(room.run("recover", "--json"))
        }
        assert (statuses["rack.mount"], statuses["rack.set_device"]) == ("waiting", "waiting")
    (order,) = room.orders()
    room.run("work", "done", str(order["order"]))
    there = json.loads(room.run("state", "--json"))["resources"]
    assert there["rack.device/db1"]["asset_tag"] == "A1"
    assert room.mounts() == 1
    room.whole()


@pytest.mark.parametrize(("when", "heard"), [("before", False), ("after", True)])
def test_a_report_is_heard_or_not(room: Room, when: str, heard: bool) -> None:
    """Killed while it takes a report in, all of the report is in the log, or none of it."""
    room.run(*MOUNT)
    number = str(room.orders()[0]["order"])
    assert room.killed(1, when, "work", "done", number)
    assert room.mounts() == heard
    room.run("recover")
    if not heard:
        room.run("work", "done", number)
    assert room.mounts() == 1
    room.whole()


def test_what_others_did_in_the_same_run_is_found_out(room: Room, tmp_path: Path) -> None:
    """Killed between the machines of one run, the technician is waited for and the host is asked."""
    path = tmp_path / "motd"
    commands = [
        {"command": "rack.mount", "on": "rack.device/db1", "unit": 1},
        {"command": "file.write", "on": f"file/a:{path}", "content": "hi"},
    ]
    file = tmp_path / "commands.jsonl"
    file.write_text("\n".join(map(json.dumps, commands)))
    kills = 0
    for at in range(2, 7):
        kills += room.killed(at, "after", "issue", str(file))
        statuses = {
            one["command"]["command"]: one["status"] for one in json.loads(room.run("recover", "--json"))
        }
        assert statuses.get("file.write", "done") in ("done", "failed")
        for order in room.orders():
            room.run("work", "done", str(order["order"]))
        assert json.loads(room.run("query", "SELECT address FROM file", "--format", "json")) == (
            [{"address": f"file/a:{path}"}] if path.exists() else []
        )
        room.whole()
        if json.loads(room.run("state", "--json"))["resources"].get("rack.device/db1"):
            room.run("forget", "rack.device/db1")
        if path.exists():
            room.run("file", "remove", f"a:{path}")
    assert kills > 2


def test_what_was_ended_is_not_done_later(room: Room, tmp_path: Path) -> None:
    """What `recover` ended as never sent stays undone when a report lets others of its run go on."""
    path = tmp_path / "motd"
    commands = [
        {"command": "rack.mount", "on": "rack.device/db1", "unit": 1},
        {"command": "exec", "on": "exec/a:", "argv": ["true"]},
        {"command": "file.write", "on": f"file/a:{path}", "content": "hi"},
    ]
    file = tmp_path / "commands.jsonl"
    file.write_text("\n".join(map(json.dumps, commands)))
    undone = 0
    for at in range(2, 7):
        room.killed(at, "after", "issue", str(file))
        statuses = {
            one["command"]["command"]: one["status"] for one in json.loads(room.run("recover", "--json"))
        }
        there = path.exists()
        undone += statuses.get("file.write") == "failed" and bool(room.orders())
        for order in room.orders():
            room.run("work", "done", str(order["order"]))
        assert path.exists() == there
        room.whole()
        if json.loads(room.run("state", "--json"))["resources"].get("rack.device/db1"):
            room.run("forget", "rack.device/db1")
        if there:
            room.run("file", "remove", f"a:{path}")
    assert undone
