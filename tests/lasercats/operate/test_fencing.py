"""Who was taken over changes nothing any more, and what it was told is looked at: nothing of it is lost."""

import os
import signal
import sqlite3
import subprocess
import sys
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from lasercats.core.address import Address
from lasercats.core.errors import Fenced, LogConflict
from lasercats.core.lease import PATIENCE, Lease
from lasercats.core.record import Late
from lasercats.operate import holder, plan, reports, work
from lasercats.operate.documents import read_documents
from lasercats.operate.history import happening
from lasercats.operate.issue import carry_out
from lasercats.operate.project import Project
from lasercats.operate.recover import recover
from lasercats.operate.verify import verify
from lasercats.testing.running import finish
from tests.lasercats.operate.conftest import interfered

LASERCATS = "from lasercats.cli.main import main; main()"
MV = """#!/bin/sh
[ -e {room}/slow ] || exec {real} "$@"
touch {room}/reached
until [ -e {room}/go ]; do sleep 0.02; done
exec {real} "$@"
"""
MV_FIRST = """#!/bin/sh
[ -e {room}/slow ] || exec {real} "$@"
{real} "$@"; status=$?
touch {room}/reached
until [ -e {room}/go ]; do sleep 0.02; done
exit $status
"""


def until(fact: Callable[[], object]) -> None:
    """Wait for a fact."""
    deadline = time.monotonic() + 60
    while not fact():
        assert time.monotonic() < deadline
        time.sleep(0.01)


class Room:
    """A project whose local machine renames only when it may, and processes that work there."""

    def __init__(self, folder: Path, mv: str) -> None:
        """Make it, with one file that is managed."""
        self.folder, self.file = folder, folder / "a"
        (folder / "bin").mkdir()
        (folder / "bin" / "mv").write_text(mv.format(room=folder, real="/bin/mv"))
        (folder / "bin" / "mv").chmod(0o755)
        self.environment = {**os.environ, "PATH": f"{folder}/bin:{os.environ['PATH']}"}
        self.run("init", str(folder / "p"), project=False)
        self.write("old")

    def start(self, *arguments: str, project: bool = True) -> "subprocess.Popen[str]":
        """Start a command line."""
        where = ["-C", str(self.folder / "p")] if project else []
        return subprocess.Popen(
            [sys.executable, "-c", LASERCATS, *where, *arguments],
            env=self.environment,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )

    def run(self, *arguments: str, code: int = 0, project: bool = True) -> str:
        """Run a command line; return what it prints."""
        process = self.start(*arguments, project=project)
        out, err = process.communicate(timeout=120)
        assert process.returncode == code, out + err
        return out + err

    def write(self, content: str, code: int = 0) -> str:
        """Write the file."""
        return self.run("file", "write", f"local:{self.file}", "--content", content, code=code)

    def zombie(self, content: str) -> "subprocess.Popen[str]":
        """Start a process that writes the file, and wait until its machine is at the renaming."""
        (self.folder / "slow").touch()
        process = self.start("file", "write", f"local:{self.file}", "--content", content)
        until((self.folder / "reached").exists)
        (self.folder / "slow").unlink()
        return process

    def wake(self, process: "subprocess.Popen[str]") -> str:
        """Let the machine go on; the process must end with one sentence and the exit code 1."""
        (self.folder / "go").touch()
        out, err = process.communicate(timeout=120)
        assert process.returncode == 1, out + err
        assert err.startswith("lasercats: another process has taken over run ")
        assert err.count("\n") == 1
        return err

    def check(self) -> None:
        """State, fold, hashes and reality agree, and nothing is open."""
        assert "nothing is open" in self.run("recover")
        self.run("verify")
        self.run("drift", "--detailed-exitcode")
        assert f"content: {self.file.read_text()}" in self.run("state")


def killed_at_work(process: "subprocess.Popen[str]") -> None:
    """Kill a process; what its machine is at goes on."""
    process.kill()
    process.communicate(timeout=60)


@pytest.fixture(params=[MV, MV_FIRST], ids=["renames when it wakes", "has renamed"])
def room(request: pytest.FixtureRequest, tmp_path: Path) -> Room:
    """A room whose machine is slow before it renames, or after that."""
    return Room(tmp_path, request.param)


@pytest.mark.crash
@pytest.mark.parametrize("stopped", [False, True])
@pytest.mark.parametrize("wakes", ["before another command", "after it"])
def test_a_process_that_was_forced_changes_nothing(room: Room, wakes: str, *, stopped: bool) -> None:
    """Whenever it wakes, its log holds, and with the next `recover` the state is what is there."""
    process = room.zombie("zombie")
    if stopped:
        process.send_signal(signal.SIGSTOP)
    assert "file.write" in room.run("recover", "--force")
    if wakes == "after it":
        room.write("third")
    if stopped:
        process.send_signal(signal.SIGCONT)
    assert "is recorded at position" in room.wake(process)
    room.run("verify")
    if wakes != "after it":
        room.write("third")  # it looks first at what is in doubt
    elif (
        stopped
    ):  # one that runs hears at once that its work was ended, and then the other command looks first
        assert "told late" in room.run("recover")
    room.check()


@pytest.mark.crash
def test_what_lives_is_left_alone(room: Room) -> None:
    """Without --force a process that works, or is stopped, keeps its command."""
    process = room.zombie("zombie")
    assert "is still at it" in room.run("recover", code=1)
    process.send_signal(signal.SIGSTOP)
    assert "is still at it" in room.run("recover", code=1)
    process.send_signal(signal.SIGCONT)
    (room.folder / "go").touch()
    process.communicate(timeout=60)
    assert process.returncode == 0
    room.check()


@pytest.mark.crash
def test_a_recover_that_is_killed_is_recovered(tmp_path: Path) -> None:
    """After `recover` was killed at any of its writes, the next one ends what it left."""
    kill = """
import os, signal
from lasercats.logs.sqlite import SqliteLog
from lasercats.cli.main import main
left = int(os.environ["KILL_AT"])
def killing(real):
    def write(self, *arguments, **more):
        global left
        left -= 1
        if left == 0:
            os.kill(os.getpid(), signal.SIGKILL)
        return real(self, *arguments, **more)
    return write
for name in ("append", "take", "release"):
    setattr(SqliteLog, name, killing(getattr(SqliteLog, name)))
main()
"""
    killed = 0
    for n in (1, 2, 3):
        folder = tmp_path / str(n)
        folder.mkdir()
        room = Room(folder, MV)
        process = room.zombie("zombie")
        killed_at_work(process)
        (folder / "go").touch()
        until(lambda: room.file.read_text() == "zombie")  # noqa: B023 - it is asked at once
        arguments = [sys.executable, "-c", kill, "-C", str(folder / "p"), "recover"]
        done = subprocess.run(arguments, env={**room.environment, "KILL_AT": str(n)}, check=False, timeout=60)
        killed += done.returncode == -signal.SIGKILL
        room.run("recover")
        room.check()
    assert killed >= 2


@pytest.mark.crash
def test_a_recover_that_is_fenced_off_says_so(tmp_path: Path) -> None:
    """Of two that recover the same, the one that was taken over writes nothing, and tells it."""
    hold = """
import os, time
from pathlib import Path
from lasercats.logs.sqlite import SqliteLog
from lasercats.cli.main import main
real = SqliteLog.take
def take(self, *arguments, **more):
    real(self, *arguments, **more)
    Path(os.environ["ROOM"], "taken").touch()
    while not Path(os.environ["ROOM"], "on").exists():
        time.sleep(0.01)
SqliteLog.take = take
main()
"""
    room = Room(tmp_path, MV)
    process = room.zombie("zombie")
    killed_at_work(process)
    (tmp_path / "go").touch()
    until(lambda: room.file.read_text() == "zombie")
    first = subprocess.Popen(
        [sys.executable, "-c", hold, "-C", str(tmp_path / "p"), "recover"],
        env={**room.environment, "ROOM": str(tmp_path)},
        stdout=subprocess.PIPE,
        text=True,
    )
    until((tmp_path / "taken").exists)
    assert "is still at it" in room.run("recover", code=1)
    assert "done" in room.run("recover", "--force")
    (tmp_path / "on").touch()
    output, _ = first.communicate(timeout=60)
    assert first.returncode == 1
    assert "cannot be ended: command 8 was ended by another process" in output
    room.check()


@pytest.mark.crash
@pytest.mark.skipif(os.geteuid() != 0, reason="namespaces of processes need root")
def test_a_container_of_the_same_name_is_not_judged_by_our_proc(tmp_path: Path) -> None:
    """A process that our `/proc` does not show is no dead one: the age of its lease tells."""
    room = Room(tmp_path, MV)
    (tmp_path / "slow").touch()
    inside = ["unshare", "--pid", "--fork", "--kill-child", "--mount-proc", sys.executable, "-c", LASERCATS]
    more = ["-C", str(tmp_path / "p"), "file", "write", f"local:{room.file}", "--content", "inside"]
    process = subprocess.Popen([*inside, *more], env=room.environment, stdout=subprocess.DEVNULL)
    until((tmp_path / "reached").exists)
    (tmp_path / "slow").unlink()
    assert "is still at it" in room.run("recover", code=1)
    process.kill()
    process.wait()
    assert "is still at it" in room.run("recover", code=1)
    with closing(sqlite3.connect(tmp_path / "p" / ".lasercats" / "log.db")) as db:
        db.execute("UPDATE leases SET beat = beat - ?", (int(PATIENCE * 1.1e6),))
        db.commit()
    room.run("recover")
    room.check()


def test_who_is_proven_to_live_or_not(monkeypatch: pytest.MonkeyPatch) -> None:
    """Number, start, boot and namespace are a proof; where one of the last two is another's, age decides."""
    me = holder.holder()
    name, boot, space = me.split(" ")
    gone = f"{2**22 + 1}+1@{name.partition('@')[2]} {boot} {space}"
    later = me.replace("+", "+9", 1)
    assert [holder.lives(one) for one in (me, gone, later)] == [True, False, False]
    elsewhere = [f"{gone}x", gone.replace(boot, "another"), f"{2**22 + 1}+1@another.invalid"]
    assert [holder.lives(one) for one in elsewhere] == [None] * 3
    assert [holder.living(one) for one in (me, gone, *elsewhere, name)] == [os.getpid(), *[None] * 5]
    for one in elsewhere:
        assert not holder.is_dead(Lease("run", 1, one, PATIENCE / 2))
        assert holder.is_dead(Lease("run", 1, one, PATIENCE * 2))
    assert holder.is_dead(Lease("run", 1, gone, 0.0))
    assert not holder.is_dead(Lease("run", 1, me, PATIENCE * 99))
    monkeypatch.setattr(holder, "here", lambda: None)
    assert [holder.lives(one) for one in (me, gone, name)] == [None] * 3
    assert holder.holder() == f"{name} - -"
    monkeypatch.undo()
    assert holder.lives(f"{name} - -") is None


def test_an_earlier_process_is_not_dead_for_being_in_a_container(monkeypatch: pytest.MonkeyPatch) -> None:
    """Where its record tells only number, start and host, a process that started then may be it."""
    name = holder.process_name(os.getpid())
    _, _, rest = name.partition("+")
    assert holder.lives(name)
    assert holder.lives(f"{2**22 + 1}+{rest}") is None
    here = holder.here()
    assert here is not None
    gone = f"{2**22 + 1}+1@{rest.partition('@')[2]}"
    monkeypatch.setattr(holder, "here", lambda: here._replace(space="pid:[1]"))
    assert holder.lives(gone) is None
    monkeypatch.setattr(holder, "here", lambda: here._replace(space=holder._FIRST))
    assert holder.lives(gone) is False


def forced(root: Path, *then: Any) -> Callable[[], None]:  # noqa: ANN401
    """Return what another process does: recover all with force, and then carry commands out."""

    def do() -> None:
        other = Project(root)
        finish(other, recover(other, force=True))
        for command in then:
            finish(other, carry_out(other, [other.kinds.command(command)]))
        other.close()

    return do


@pytest.fixture(autouse=True)
def _without_signals(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let commands be carried out in threads: only the main one can be told of signals."""
    monkeypatch.setattr("asyncio.unix_events._UnixSelectorEventLoop.add_signal_handler", lambda *_: None)


def fenced(project: Project, do: Callable[[], object], *, before: bool, **command: Any) -> int:  # noqa: ANN401
    """Carry out a command that is fenced off in the middle; return the position of what came late."""
    with interfered(project, before=before, do=do), pytest.raises(Fenced, match="is recorded at position"):
        finish(project, carry_out(project, [project.kinds.command(command)]))
    (position,) = (p for p, opened in project.log.open().items() if opened.late)
    verify(project)
    return position


@pytest.mark.parametrize("before", [True, False])
@pytest.mark.parametrize(
    ("command", "more"),
    [("file.write", {"content": "x"}), ("directory.create", {}), ("symlink.link", {"target": "/x"})],
)
def test_what_came_late_is_observed(
    project: Project, tmp_path: Path, command: str, more: dict[str, str], *, before: bool
) -> None:
    """For each kind of a host `recover` takes what is there into the state, and ends the matter."""
    on = f"a:{tmp_path}/thing"
    position = fenced(project, forced(project.root), before=before, command=command, on=on, **more)
    address = project.kinds.command({"command": command, "on": on, **more}).on[0]
    assert (project.state().get(address) is None) == before
    (found,) = finish(project, recover(project))
    assert (found.position, found.late, found.status) == (position, True, "failed" if before else "done")
    assert found.facts == {address: "recorded as observed" if before else "as recorded"}
    assert project.state().get(address) is not None
    verify(project)
    assert finish(project, recover(project)) == []


def test_several_addresses_come_late_together(project: Project, tmp_path: Path) -> None:
    """All that one process was told is one matter, and each address is looked at."""
    on = [f"a:{tmp_path}/{n}" for n in range(3)]
    fenced(project, forced(project.root), before=True, command="file.write", on=on, content="x")
    (found,) = finish(project, recover(project))
    assert list(found.facts.values()) == ["recorded as observed"] * 3
    assert len(project.state().resources()) == 3


def test_a_raw_command_that_ran_after_all_is_told(project: Project) -> None:
    """It claims nothing, so it stands in nobody's way, and is told once."""
    fenced(project, forced(project.root), before=True, command="exec", on=["exec/a:"], argv=["true"])
    (found,) = finish(project, recover(project))
    assert (found.status, list(found.facts.values())) == ("failed", ["it ran after all"])
    assert finish(project, recover(project)) == []


def test_the_next_command_looks_first(project: Project, tmp_path: Path) -> None:
    """What is in doubt is looked at before another command decides there, and only there."""
    on = f"a:{tmp_path}/f"
    fenced(project, forced(project.root), before=True, command="file.write", on=on, content="x")
    elsewhere = {"command": "file.write", "on": f"a:{tmp_path}/g", "content": "y"}
    finish(project, carry_out(project, [project.kinds.command(elsewhere)]))
    assert any(opened.late for opened in project.log.open().values())
    (result,) = finish(
        project, carry_out(project, [project.kinds.command({"command": "file.remove", "on": on})])
    )
    assert (result.status, project.log.open()) == ("done", {})
    assert not (tmp_path / "f").exists()
    verify(project)


def test_a_plan_looks_first(project: Project, tmp_path: Path) -> None:
    """A plan is not made on what is in doubt."""
    address = Address(f"file/a:{tmp_path}/f")
    on = f"a:{tmp_path}/f"
    fenced(project, forced(project.root), before=True, command="file.write", on=on, content="x")
    other = f"resources: {{'file/a:{tmp_path}/g': {{content: y}}}}"
    assert finish(project, plan.make(project, read_documents(project, ["-"], other))).delta
    assert project.log.open()
    desired = read_documents(project, ["-"], f"resources: {{'{address}': {{content: y}}}}")
    assert finish(project, plan.make(project, desired)).delta[address].before is not None
    assert project.log.open() == {}


def test_where_it_cannot_be_looked_at_nothing_is_decided(project: Project, tmp_path: Path) -> None:
    """While its machine cannot be asked the address stays in doubt; --force ends that and tells what came."""
    on = f"a:{tmp_path}/f"
    fenced(project, forced(project.root), before=True, command="file.write", on=on, content="x")
    other = Project(project.root)
    other.urls["a"] = "ssh://127.0.0.1:1?connect_timeout=1"
    command = project.kinds.command({"command": "file.write", "on": on, "content": "y"})
    with pytest.raises(LogConflict, match=r"is in doubt.*cannot be reached.*`lasercats recover`"):
        finish(other, carry_out(other, [command]))
    assert [found.status for found in finish(other, recover(other))] == ["open"]
    (found,) = finish(other, recover(other, force=True))
    assert "not looked at" in next(iter(found.facts.values()))
    other.close()


def test_the_late_record_tells_what_was_told(project: Project, tmp_path: Path) -> None:
    """It holds the outcomes and the event that the process believed in, and stands with its command."""
    on = f"a:{tmp_path}/f"
    position = fenced(project, forced(project.root), before=True, command="file.write", on=on, content="x")
    (record,) = project.log.read(position, position)
    assert isinstance(record.entry, Late)
    assert record.entry.finished
    assert [event.type for event in record.entry.events] == ["file.written"]
    assert happening(project, position).position == record.entry.commands[0]
    assert happening(project, position).late == (position,)
    assert happening(project, project.log.head()).status == "failed"


def test_a_long_command_says_that_it_lives(
    project: Project, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """While its machine is at work, and nothing is recorded, its lease is renewed."""
    monkeypatch.setattr(project.log, "beating", partial(project.log.beating, 0.01))

    def beat() -> int:
        with closing(sqlite3.connect(project.root / ".lasercats" / "log.db")) as db:
            (found,) = db.execute("SELECT beat FROM leases").fetchone()
        return int(found)

    def renewed() -> None:
        first = beat()
        until(lambda: beat() > first)

    command = project.kinds.command({"command": "file.write", "on": f"a:{tmp_path}/f", "content": "x"})
    with interfered(project, before=True, do=renewed):
        (result,) = finish(project, carry_out(project, [command]))
    assert (result.status, project.log.leases()) == ("done", {})


def test_what_is_not_known_needs_no_lease(project: Project, tmp_path: Path) -> None:
    """A command that its process leaves open, as nobody knows what became of it, can be recovered at once."""

    def lost() -> None:
        raise OSError("the line is cut")

    command = project.kinds.command({"command": "file.write", "on": f"a:{tmp_path}/f", "content": "x"})
    with interfered(project, before=False, do=lost):
        (result,) = finish(project, carry_out(project, [command]))
    assert (result.status, project.log.leases()) == ("open", {})
    (found,) = finish(project, recover(project))
    assert found.status == "done"
    verify(project)


def test_what_was_reported_counts_though_it_came_late(
    project: Project, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A report of which the process was taken over is on record, and the commands go on with it."""
    file = project.root / "lasercats.toml"
    file.write_text(file.read_text() + 'human = "human:"\n')
    site = Project(project.root)
    for command in (
        {"command": "rack.create", "on": "rack/r1"},
        {"command": "rack.mount", "on": "rack.device/db1", "unit": 1},
    ):
        finish(site, carry_out(site, [site.kinds.command(command)]))
    assert site.log.leases() == {}
    (order,) = work.orders(site)
    real, left = site.log.append, [forced(site.root)]

    def append(*arguments: Any, **more: Any) -> int:  # noqa: ANN401
        if left:
            with ThreadPoolExecutor(1) as pool:
                pool.submit(left.pop()).result()
        return real(*arguments, **more)

    monkeypatch.setattr(site.log, "append", append)
    with pytest.raises(Fenced):
        finish(site, reports.done(site, order.number))
    assert site.state().get(Address("rack.device/db1")) is None
    assert {opened.late for opened in site.log.open().values()} == {True, False}
    assert {found.status for found in finish(site, recover(site))} == {"done"}
    assert site.state().get(Address("rack.device/db1")) is not None
    assert (site.log.open(), site.log.leases()) == ({}, {})
    verify(site)
    site.close()
