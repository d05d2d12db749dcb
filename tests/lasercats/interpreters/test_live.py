"""Live: what is found outside is recorded, what is learned can be put back, conflicts do nothing."""

import asyncio
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import msgspec
import pytest

from lasercats.core.command import Command
from lasercats.core.converge import converge, retract
from lasercats.core.errors import LogConflict, UnknownName
from lasercats.core.fold import Fold
from lasercats.core.instruction import Instruction
from lasercats.core.ports import Log
from lasercats.core.record import Accepted, Event, raw
from lasercats.interpreters.context import Context, Result, Watcher
from lasercats.interpreters.live import Live
from lasercats.interpreters.script import Script
from lasercats.machines.vault import KeyVault

MakeContext = Callable[..., Context]


@pytest.fixture
def context(make_context: MakeContext) -> Context:
    """A context on this machine, called `m`."""
    return make_context()


def command(context: Context, tag: str, path: Path, **fields: object) -> Command:
    """Build a command on one path."""
    return context.kinds.command({"command": tag, "on": f"m:{path}", **fields})


def run(context: Context, *commands: Command) -> Sequence[Result]:
    """Carry commands out."""
    return asyncio.run(Live().run(commands, context))


def test_what_was_there_before_can_come_back(context: Context, tmp_path: Path) -> None:
    """A file that nobody managed is observed before it is overwritten, so undo restores its content."""
    path = tmp_path / "f"
    path.write_text("theirs")
    path.chmod(0o640)
    (result,) = run(context, command(context, "file.write", path, content="ours"))
    assert path.read_text() == "ours"
    assert path.stat().st_mode & 0o777 == 0o640
    (change,) = result.observed.values()
    assert change.before is None
    state = context.log.fold().state(context.kinds)
    run(context, *converge(context.kinds, retract(result.delta, state).delta, state))
    assert path.read_text() == "theirs"


def test_what_a_machine_notes_is_told(context: Context, tmp_path: Path) -> None:
    """A write that succeeds and breaks a hard link says so in its result, of the address that it was at."""
    path = tmp_path / "f"
    path.write_text("theirs")
    (tmp_path / "other").hardlink_to(path)
    write = command(context, "file.write", path, content="ours")
    (result,) = run(context, write)
    assert (result.status, list(result.notes)) == ("done", list(write.on))
    assert result.notes[write.on[0]].startswith("had other names, too (hard links)")
    assert run(context, command(context, "file.write", path, content="again"))[0].notes == {}


def test_one_place_is_one_claim(make_context: MakeContext, tmp_path: Path) -> None:
    """While a command makes a file, another operator is refused a link, a directory or a file there."""
    context, path = make_context(), tmp_path / "x"
    first = command(context, "file.write", path, content="one")
    others = [
        command(context, "symlink.link", path, target="/etc/hostname"),
        command(context, "directory.create", path),
        command(context, "file.write", path, content="two"),
    ]
    refused = []

    class Meanwhile(Watcher):
        """Another operator, who acts while the first one does."""

        def sent(self, machine: str, instructions: Sequence[Instruction]) -> None:
            """Try each of the others, in a run of its own."""
            for other in others:
                with pytest.raises(LogConflict, match="is being changed by command 1"):
                    Live().run([other], replace(context, run="other", watcher=Watcher())).send(None)
                refused.append(other)

    (result,) = asyncio.run(Live().run([first], replace(context, watcher=Meanwhile())))
    assert result.status == "done"
    assert len(refused) == 2 * len(others)
    assert [r.status for r in run(context, others[0])] == ["refused"]


def test_a_place_that_moved_is_a_conflict(context: Context, tmp_path: Path) -> None:
    """A command that was decided before another kind came to its place is refused."""
    path = tmp_path / "x"
    log = context.log
    before = log.fold()
    run(context, command(context, "symlink.link", path, target="/etc/hostname"))
    old = replace(context, log=_Behind(log, before))  # type: ignore[arg-type]
    with pytest.raises(LogConflict, match="was changed at position"):
        asyncio.run(Live().run([command(context, "file.write", path, content="x")], old))


class _Behind:
    """A log of which somebody has seen an earlier fold."""

    def __init__(self, log: Log, fold: Fold) -> None:
        self._log, self._fold = log, fold

    def fold(self) -> Fold:
        """Return what was seen."""
        return self._fold

    def __getattr__(self, name: str) -> object:
        """Be the log."""
        return getattr(self._log, name)


def test_one_run_may_use_a_place_twice(context: Context, tmp_path: Path) -> None:
    """Commands of one run share a place: a file goes and a link comes there."""
    path = tmp_path / "x"
    run(context, command(context, "file.write", path, content="one"))
    remove = command(context, "file.remove", path)
    results = run(context, remove, command(context, "symlink.link", path, target="y"))
    assert [result.status for result in results] == ["done", "done"]
    assert str(path.readlink()) == "y"


def test_drift_is_recorded_on_the_way(context: Context, tmp_path: Path) -> None:
    """A change from outside is an observed event, before the command's own."""
    path = tmp_path / "f"
    run(context, command(context, "file.write", path, content="one"))
    path.write_text("meddled")
    (result,) = run(context, command(context, "file.write", path, content="two"))
    assert [c.fields for c in result.observed.values()] == [("content",)]
    types = [r.entry.type for r in context.log.read(names=("event",)) if isinstance(r.entry, Event)]
    assert types == ["file.written", "observed", "file.written"]


def test_what_is_there_already_is_unchanged(context: Context, tmp_path: Path) -> None:
    """The same command twice does nothing the second time, and sends only a look."""
    write = command(context, "file.write", tmp_path / "f", content="x")
    assert run(context, write)[0].status == "done"
    machine = context.machines.get("m")
    before = machine.trips
    assert run(context, write)[0].status == "unchanged"
    assert machine.trips == before + 1


def test_a_directory_and_a_hundred_files_are_two_round_trips(context: Context, tmp_path: Path) -> None:
    """One look and one batch of changes, although the files need the directory."""
    folder = tmp_path / "d"
    commands = [command(context, "directory.create", folder)]
    commands += [command(context, "file.write", folder / str(n), content=str(n)) for n in range(100)]
    assert all(result.ok for result in run(context, *commands))
    assert context.machines.get("m").trips == 2


def test_what_depends_on_a_failure_is_not_tried(context: Context, tmp_path: Path) -> None:
    """A failed command fails what needs it and nothing else."""
    bad = command(context, "directory.create", tmp_path / "d", owner="no-such-user")
    inside = command(context, "file.write", tmp_path / "d/f", content="x")
    other = command(context, "file.write", tmp_path / "g", content="x")
    assert [r.status for r in run(context, bad, inside, other)] == ["failed", "failed", "done"]
    assert not (tmp_path / "d").exists()


def test_two_runs_at_one_address_conflict(context: Context, tmp_path: Path) -> None:
    """While one run holds an address, another is refused before anything is done."""
    write = command(context, "file.write", tmp_path / "f", content="x")
    context.log.append([Accepted(command=raw(write), actor="eve", run="other", claims=write.on)])
    with pytest.raises(LogConflict, match=r"is being changed by command 1 \(eve"):
        run(context, write)
    assert context.log.head() == 1
    assert not (tmp_path / "f").exists()


def test_an_unknown_machine_does_nothing(context: Context) -> None:
    """A machine that is not bound is told before anything is recorded."""
    write = context.kinds.command({"command": "file.write", "on": "web9:/etc/x", "content": "x"})
    with pytest.raises(UnknownName, match="no machine is called 'web9'"):
        run(context, write)
    assert context.log.head() == 0


def test_everything_is_recorded_before_it_is_sent(context: Context, tmp_path: Path) -> None:
    """The log has in this order: accepted, the look, the act (both started and finished), event, ended."""
    run(context, command(context, "file.write", tmp_path / "f", content="x"))
    names = [record.entry.name for record in context.log.read()]
    assert names == ["accepted", "started", "finished", "started", "finished", "event", "ended"]


def test_what_is_sent_at_one_moment_is_one_commit(
    make_context: MakeContext, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The batches that are sent to all machines at once are recorded by one append, before any is sent."""
    context = make_context(**{f"m{n}": "local:" for n in range(5)})
    appended: list[list[str]] = []
    append = context.log.append

    def counted(entries: Sequence[Any], **options: Any) -> int:  # noqa: ANN401 - as it is given
        appended.append([entry.name for entry in entries])
        return append(entries, **options)

    monkeypatch.setattr(context.log, "append", counted)
    on = [f"m{n}:{tmp_path}/{n}" for n in range(5)]
    run(context, context.kinds.command({"command": "file.write", "on": on, "content": "x"}))
    started = [names.count("started") for names in appended if "started" in names]
    assert started[0] == 5


def test_a_secret_is_nowhere_in_the_log(context: Context, tmp_path: Path) -> None:
    """A secret reaches the file and neither the log nor a printed script."""
    vault = KeyVault(tmp_path / "key")
    write = command(
        context,
        "file.write",
        tmp_path / "f",
        secret=vault.seal(b"hunter2-hunter2", [f"file/m:{tmp_path}/f secret"]),
    )
    printed: list[str] = []
    context.write = printed.append
    asyncio.run(Script().run([write], context))
    run(context, write)
    assert (tmp_path / "f").read_text() == "hunter2-hunter2"
    assert (tmp_path / "f").stat().st_mode & 0o777 == 0o600
    log = b"".join(msgspec.json.encode(record) for record in context.log.read())
    assert b"hunter2" not in log
    assert "hunter2" not in printed[0]
    assert "LASERCATS_SECRET_" in printed[0]
