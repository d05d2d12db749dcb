"""Recover: a command that died is judged by what is on the machine."""

import asyncio
import os
import socket
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

from lasercats.core.instruction import Batch, Failure
from lasercats.core.ports import Machine, Sink
from lasercats.core.record import Accepted, Finished, Met, Started, raw
from lasercats.interpreters.asking import NEVER_SENT
from lasercats.logs.sqlite import SqliteLog
from lasercats.operate.confirm import pending
from lasercats.operate.holder import lives
from lasercats.operate.issue import carry_out
from lasercats.operate.project import Project
from lasercats.operate.recover import Recovered, recover
from lasercats.operate.verify import verify
from lasercats.program import PROGRAM
from lasercats.testing.estate import steps
from lasercats.testing.running import finish

HOST = socket.gethostname()
DEAD = f"{2**22 + 1}@{HOST}"
"""No process has this number: it is above what Linux gives out."""


def die(project: Project, *, process: str = DEAD, **command: Any) -> int:  # noqa: ANN401
    """Leave a command open, as a run does that is killed after it was accepted."""
    built = project.kinds.command(command)
    claims = () if command["command"] == "exec" else built.on
    entry = Accepted(command=raw(built), actor="tester", run="dead", process=process, claims=claims)
    return project.log.append([entry])


def cut_off(project: Project, monkeypatch: pytest.MonkeyPatch, **command: Any) -> None:  # noqa: ANN401
    """Leave a command open, as a run does that dies when its machine has been asked to act."""
    get = project.machines.get

    class Dying:
        parallel = False

        def __init__(self, machine: Machine) -> None:
            self.machine = machine

        def __getattr__(self, name: str) -> Any:  # noqa: ANN401
            return getattr(self.machine, name)

        async def run(self, batch: Batch, sink: Sink | None = None, token: str = "") -> Sequence[Any]:
            if all(item.instruction.looks for item in batch):
                return await self.machine.run(batch, sink, token)
            raise asyncio.CancelledError

    with monkeypatch.context() as patch:
        patch.setattr(project.machines, "get", lambda name: Dying(get(name)))
        with pytest.raises(asyncio.CancelledError):
            finish(project, carry_out(project, [project.kinds.command(command)]))


class Counting:
    """Counts of how many machines it is waited for at the same time, until they tell."""

    def __init__(self, project: Project, monkeypatch: pytest.MonkeyPatch) -> None:
        self.now, self.most, self.tokens = 0, 0, list[str]()
        get = project.machines.get

        def counted(name: str) -> Machine:
            machine = get(name)

            async def resolve(batch: Batch, token: str = "", *, end: bool = False) -> Sequence[Any]:
                del end
                self.tokens.append(token)
                self.now += 1
                self.most = max(self.most, self.now)
                for _ in range(9):
                    await asyncio.sleep(0)
                self.now -= 1
                return [None] * len(batch)

            monkeypatch.setattr(machine, "resolve", resolve)
            return machine

        monkeypatch.setattr(project.machines, "get", counted)


def judged(project: Project, *, force: bool = False) -> Recovered:
    """Recover the one command that is open; the log is whole afterwards."""
    (found,) = finish(project, recover(project, force=force))
    verify(project)
    return found


def test_it_was_done(project: Project, tmp_path: Path) -> None:
    """A file that is as asked was written: the event is made up for."""
    position = die(project, command="file.write", on=f"a:{tmp_path}/f", content="x")
    (tmp_path / "f").write_text("x")
    (tmp_path / "f").chmod(0o644)
    found = judged(project)
    assert (found.position, found.status, set(found.facts.values())) == (position, "done", {"done"})
    assert list(project.state().resources()) == [f"file/a:{tmp_path}/f"]
    assert finish(project, recover(project)) == []


def test_what_came_after_is_not_read(project: Project, tmp_path: Path) -> None:
    """It takes no more steps to recover a command where the log went on for long after it."""
    taken = []
    for number, more in enumerate((1, 300, 3)):
        die(project, command="file.write", on=f"a:{tmp_path}/f{number}", content="x")
        project.log.append([Met(machines={})] * more)
        taken.append(steps(lambda: finish(project, recover(project)), "logs/", "operate/", "interpreters/"))
    assert max(taken[1:]) <= 1.05 * min(taken)


def test_it_was_not_done(project: Project, tmp_path: Path) -> None:
    """Where nothing is there nothing was done, and nothing is done now."""
    die(project, command="file.write", on=f"a:{tmp_path}/f", content="x")
    found = judged(project)
    assert (found.status, set(found.facts.values())) == ("failed", {"not done"})
    assert not (tmp_path / "f").exists()
    assert project.state().resources() == {}


def test_what_would_be_refused_was_not_done(project: Project, tmp_path: Path) -> None:
    """A change of what is not there left nothing behind, and is not told as done for that."""
    position = die(project, command="file.chmod", on=f"a:{tmp_path}/f", mode="0600")
    found = judged(project)
    assert (found.position, found.status) == (position, "failed")
    assert set(found.facts.values()) == {"not done"}
    assert project.state().position == position + 1


def test_it_was_sent_and_done(project: Project, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A batch that never came back, and did its work, is as good as one that did."""
    cut_off(project, monkeypatch, command="file.write", on=f"a:{tmp_path}/f", content="x", mode="600")
    (tmp_path / "f").write_text("x")
    (tmp_path / "f").chmod(0o600)
    found = judged(project, force=True)
    assert (found.status, set(found.facts.values())) == ("done", {"done"})
    assert [v.since > found.position for v in project.log.versions(*found.command.on)] == [True]


def test_it_is_otherwise(project: Project, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What is neither as before nor as asked is taken in as found, and left alone."""
    cut_off(project, monkeypatch, command="file.write", on=f"a:{tmp_path}/f", content="x")
    (tmp_path / "f").write_text("mine")
    found = judged(project, force=True)
    assert (found.status, set(found.facts.values())) == ("failed", {"changed otherwise"})
    assert (tmp_path / "f").read_text() == "mine"
    assert "mine" in str(project.state().resources())


def test_one_was_done_and_one_was_not(project: Project, tmp_path: Path) -> None:
    """Each address is judged on its own."""
    on = [f"a:{tmp_path}/f", f"a:{tmp_path}/g"]
    die(project, command="file.write", on=on, content="x", mode="600")
    (tmp_path / "f").write_text("x")
    (tmp_path / "f").chmod(0o600)
    found = judged(project)
    assert found.status == "failed"
    assert list(found.facts.values()) == ["done", "not done"]


def test_nobody_knows_of_a_raw_command(project: Project, monkeypatch: pytest.MonkeyPatch) -> None:
    """A raw command is never repeated: it ends as not known."""
    cut_off(project, monkeypatch, command="exec", on=["exec/a:"], argv=["true"])
    found = judged(project, force=True)
    assert found.status == "failed"
    assert set(found.facts.values()) == {"nobody knows whether it ran; look for yourself"}


def test_a_raw_command_that_was_never_sent(project: Project) -> None:
    """Where no batch of it was ever sent, a raw command was not done."""
    die(project, command="exec", on=["exec/a:"], argv=["true"])
    found = judged(project)
    assert (found.status, set(found.facts.values())) == ("failed", {"not done"})


def test_what_stood_there_before_is_told_apart(project: Project, tmp_path: Path) -> None:
    """What is found where nothing was ever sent is no work of the command."""
    die(project, command="file.write", on=f"a:{tmp_path}/f", content="x")
    (tmp_path / "f").write_text("mine")
    assert set(judged(project).facts.values()) == {"not done"}
    assert "mine" in str(project.state().resources())


def test_forget_is_not_done(project: Project, tmp_path: Path) -> None:
    """A command that touches no machine and has no event was not done."""
    die(project, command="forget", on=[f"file/a:{tmp_path}/f"])
    assert set(judged(project).facts.values()) == {"not done"}


@pytest.mark.parametrize(
    "process", [f"{os.getpid()}@{HOST}", "1@elsewhere.invalid"], ids=["here", "elsewhere"]
)
def test_the_living_are_left_alone(project: Project, tmp_path: Path, process: str) -> None:
    """A command of a process that lives, or of another host, stays open unless forced."""
    die(project, process=process, command="file.write", on=f"a:{tmp_path}/f", content="x")
    found = judged(project)
    assert (found.status, set(found.facts.values())) == ("open", {f"process {process} is still at it"})
    assert judged(project, force=True).status == "failed"
    assert finish(project, recover(project)) == []


def test_a_machine_that_cannot_be_asked(project: Project, tmp_path: Path) -> None:
    """While its machine cannot be asked, a command stays open."""
    die(project, command="file.write", on=f"dead:{tmp_path}/f", content="x")
    project.urls["dead"] = "ssh://127.0.0.1:1?connect_timeout=1"
    found = judged(project)
    assert found.status == "open"
    assert "cannot be reached" in next(iter(found.facts.values()))
    assert len(project.log.open()) == 1


def test_who_lives() -> None:
    """A process of this host is looked for; of one of another nobody can tell; one without a name is dead."""
    assert lives(f"{os.getpid()}@{HOST}")
    assert lives("1@elsewhere.invalid") is None
    assert [lives(process) for process in (DEAD, "", f"x@{HOST}")] == [False] * 3


def written_by(project: Project, program: str) -> None:
    """Let what is recorded from now on be of another program."""
    path = project.root / ".lasercats" / "log.db"
    project.close()
    project._log = SqliteLog(path, program=program)


def begun_by_another(project: Project, instruction: object, **command: Any) -> int:  # noqa: ANN401
    """Leave a command open that another version began, and of which it had sent an instruction."""
    written_by(project, "lasercats 0.0.9")
    position = die(project, **command)
    project.log.append([Started(machine="a", commands=(position,), instructions=(raw(instruction),))])
    written_by(project, PROGRAM)
    return position


@pytest.mark.parametrize("there", [True, False])
@pytest.mark.parametrize("do", ["host.write", "host.write_as_of_then"])
def test_what_another_version_began_is_judged_by_a_look(
    project: Project, tmp_path: Path, do: str, *, there: bool
) -> None:
    """Where it sent what this version would not, known or not, what is on the machine tells what was done."""
    sent = {"do": do, "machine": "a", "path": f"{tmp_path}/f", "content": "x", "mode": "0600"}
    begun_by_another(project, sent, command="file.write", on=f"a:{tmp_path}/f", content="x")
    if there:
        (tmp_path / "f").write_text("x")
        (tmp_path / "f").chmod(0o644)
    found = judged(project)
    assert set(found.facts.values()) == {"done" if there else "not done"}
    assert finish(project, recover(project)) == []


def test_an_outcome_of_another_version_is_not_believed(project: Project, tmp_path: Path) -> None:
    """What came back of an instruction that this version does not give is no proof; the machine is asked."""
    sent = {"do": "host.write", "machine": "a", "path": f"{tmp_path}/f", "content": "x", "mode": "0600"}
    position = begun_by_another(project, sent, command="file.write", on=f"a:{tmp_path}/f", content="x")
    project.log.append([Finished(started=position + 1, outcomes=(raw({"type": "file", "mode": "0600"}),))])
    assert set(judged(project).facts.values()) == {"not done"}


def test_what_this_version_would_send_too_is_run_again(
    project: Project, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Another version that sent the same is judged as this one is: its outcomes count."""
    written_by(project, "lasercats 0.0.9")
    cut_off(project, monkeypatch, command="file.write", on=f"a:{tmp_path}/f", content="x")
    written_by(project, PROGRAM)
    (tmp_path / "f").write_text("x")
    (tmp_path / "f").chmod(0o644)
    assert set(finish(project, recover(project, force=True))[0].facts.values()) == {"done"}


def test_a_tag_that_says_hold_is_no_hold(project: Project, tmp_path: Path) -> None:
    """Words of a command are no fact of its record: it is recovered as any other."""
    words = 'x "command":"hold"'
    die(project, command="file.write", on=f"a:{tmp_path}/f", content=words)
    die(project, command="exec", on="exec/a:", argv=["echo", '"command":"hold"', "hold"])
    assert [found.status for found in finish(project, recover(project))] == ["failed", "failed"]


@pytest.mark.parametrize(
    "record",
    [
        {"command": {"command": "file.write", "on": "no list"}},
        {"command": {"command": "file.write"}},
        {"command": "nothing", "claims": ["file/a:/nowhere"]},
        {"command": {"command": "file.write", "on": ["file/a:/nowhere"], "content": "x"}, "held": True},
        {"command": {"command": "hold", "on": ["file/a:/nowhere"]}},
    ],
)
def test_one_bad_command_stops_no_other(project: Project, tmp_path: Path, record: dict[str, Any]) -> None:
    """Whatever a command that is open holds, the others are recovered, and it is told of."""
    die(project, command="file.write", on=f"a:{tmp_path}/f", content="x")
    bad = Accepted(**{"actor": "t", "run": "bad", **record, "command": raw(record["command"])})
    project.log.append([bad])
    die(project, command="file.write", on=f"a:{tmp_path}/g", content="x")
    found = {one.position: one.status for one in finish(project, recover(project))}
    assert (found[1], found[3]) == ("failed", "failed")
    pending(project)
    finish(project, recover(project, force=True))
    assert project.log.open() == {}


@pytest.mark.parametrize("words", ["cancelled by somebody", NEVER_SENT.reason])
def test_words_are_no_facts(
    project: Project, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, words: str
) -> None:
    """A machine that fails in the words of ours has failed: nothing was cancelled, and it was tried."""
    machine = project.machines.get("a")
    real = machine.run

    async def run(batch: Batch, sink: Sink | None = None, token: str = "") -> Sequence[Any]:
        if all(item.instruction.looks for item in batch):
            return await real(batch, sink, token)
        return [Failure(reason=words) for _ in batch]

    monkeypatch.setattr(machine, "run", run)
    command = {"command": "file.write", "on": f"a:{tmp_path}/f", "content": "x"}
    (result,) = finish(project, carry_out(project, [project.kinds.command(command)]))
    assert (result.status, list(result.problems.values()), result.untried) == ("failed", [words], set())


def test_machines_are_asked_at_once(
    project: Project, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What became of a batch is asked of all machines of a run at the same time, once of each."""
    folders = [tmp_path / name for name in "ab"]
    for folder in folders:
        folder.mkdir()
    project.urls["b"] = "local:"
    on = [f"{name}:{folder}/f" for name, folder in zip("ab", folders, strict=True)]
    cut_off(project, monkeypatch, command="file.write", on=on, content="x")
    counting = Counting(project, monkeypatch)
    (found,) = finish(project, recover(project, force=True))
    assert set(found.facts.values()) == {"not done"}
    assert counting.most == len(set(counting.tokens)) == len(counting.tokens) == 2
