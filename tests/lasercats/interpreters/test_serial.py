"""Turns: so many addresses at a time, one batch each, and no more after one that goes wrong."""

import asyncio
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path

import pytest

from lasercats.core.address import Address
from lasercats.core.command import Command
from lasercats.core.order import turns
from lasercats.core.record import Accepted, Ended, Started
from lasercats.interpreters.context import Context, Result
from lasercats.interpreters.live import Live
from lasercats.interpreters.simulate import Simulate
from lasercats.operate.replay import replay_command

MakeContext = Callable[..., Context]


@pytest.fixture
def context(make_context: MakeContext) -> Context:
    """A context on this machine, called `m`."""
    return make_context()


def command(context: Context, tag: str, *paths: Path, **fields: object) -> Command:
    """Build a command on some paths."""
    return context.kinds.command({"command": tag, "on": [f"m:{path}" for path in paths], **fields})


def run(context: Context, *commands: Command, serial: int) -> Sequence[Result]:
    """Carry commands out in turns."""
    return asyncio.run(Live().run(commands, replace(context, serial=serial)))


def acts(context: Context) -> list[int]:
    """Return how many instructions that act each batch had, without those that only look."""
    found = []
    for record in context.log.read(names=("started",)):
        assert isinstance(record.entry, Started)
        instructions = [context.kinds.decode_instruction(bytes(i)) for i in record.entry.instructions]
        found.append(sum(not instruction.looks for instruction in instructions))
    return [count for count in found if count]


def replays(context: Context) -> None:
    """Check that all commands on record do now, with the answers of then, what they did."""
    for record in context.log.read(names=("accepted",)):
        assert not asyncio.run(replay_command(context.log, context.kinds, record.position)).differences


def test_turns_are_slices_of_addresses_that_respect_what_waits() -> None:
    """Tasks at one address are together; what waits for a later turn is in it."""
    a, b, c = (Address(f"file/m:/{name}") for name in "abc")
    assert turns([(1, a, ()), (2, b, ()), (3, c, ()), (4, a, [1]), (5, b, [2])], 2) == [[1, 2, 4, 5], [3]]
    assert turns([(1, a, ()), (2, b, ()), (3, a, [1, 2]), (4, b, [3])], 1) == [[1], [2, 3, 4]]
    assert turns([], 3) == []


@pytest.mark.parametrize(("serial", "batches"), [(0, [7]), (1, [1] * 7), (3, [3, 3, 1]), (7, [7]), (50, [7])])
def test_a_batch_a_turn(context: Context, tmp_path: Path, serial: int, batches: list[int]) -> None:
    """Within a turn all is one batch, and the next is not sent before it is over."""
    (result,) = run(
        context,
        command(context, "file.write", *(tmp_path / f"{n}" for n in range(7)), content="x"),
        serial=serial,
    )
    assert result.status == "done"
    assert acts(context) == batches
    replays(context)


def test_what_needs_another_comes_after_it(context: Context, tmp_path: Path) -> None:
    """A directory and what is in it, and what is changed twice, are done in an order that works."""
    folder = tmp_path / "d"
    files = [folder / f"{n}" for n in range(3)]
    results = run(
        context,
        command(context, "directory.create", folder),
        command(context, "file.write", *files, content="x", mode="0600"),
        command(context, "file.chmod", *files, mode="0640"),
        serial=1,
    )
    assert [result.status for result in results] == ["done"] * 3
    assert acts(context) == [1, 2, 2, 2]
    replays(context)


def test_no_more_after_a_failure(context: Context, tmp_path: Path) -> None:
    """What fails stops what comes in later turns, not its neighbours; all is told, recorded and replayed."""
    paths = [tmp_path / f"{n}" for n in range(6)]
    asked = command(context, "file.write", *paths, content="x")
    (tmp_path / "2").symlink_to("/dev/null")
    (result,) = run(context, asked, serial=2)
    left = {str(a).rpartition("/")[2] for a in result.untried}
    assert left == {"4", "5"}
    assert set(result.problems) == {asked.on[2], asked.on[4], asked.on[5]}
    assert result.problems[asked.on[5]] == f"not tried, because {asked.on[2]} failed"
    assert (tmp_path / "3").read_text() == "x"
    assert not (tmp_path / "4").exists()
    (ended,) = [r.entry for r in context.log.read() if isinstance(r.entry, Ended)]
    assert "not tried" in (ended.error or "")
    replays(context)
    (tmp_path / "2").unlink()
    (again,) = run(replace(context, run="again"), asked, serial=2)
    assert set(again.delta) == {asked.on[2], asked.on[4], asked.on[5]}


def test_a_dry_run_stops_where_the_run_does(context: Context, tmp_path: Path) -> None:
    """What is refused in advance is refused in a dry run, with all that would not be tried."""
    removed = tmp_path / "gone"
    removed.mkdir()
    run(context, command(context, "directory.create", removed), serial=0)
    run(replace(context, run="2"), command(context, "directory.remove", removed), serial=0)
    asked = command(
        context, "file.write", tmp_path / "a", removed / "b", tmp_path / "c", tmp_path / "d", content="x"
    )
    (result,) = asyncio.run(Simulate().run([asked], replace(context, serial=2)))
    (done,) = run(replace(context, run="3"), asked, serial=2)
    assert result.untried == done.untried == {asked.on[2], asked.on[3]}
    assert result.problems.keys() == done.problems.keys()
    assert result.delta.keys() == done.delta.keys() == {asked.on[0]}
    assert result.status == done.status == "failed"


def test_raw_commands_stop_at_an_exit_status(make_context: MakeContext, tmp_path: Path) -> None:
    """What is executed on a machine and fails there is not executed on those of later turns."""
    context = make_context(**dict.fromkeys("abcd", "local:"))
    script = f'test "$(ls {tmp_path}/seen | wc -l)" != 1 && exit 3; echo x > {tmp_path}/seen/$$'
    (tmp_path / "seen").mkdir()
    (tmp_path / "seen" / "first").write_text("")
    command_ = context.kinds.command(
        {"command": "exec", "on": [f"exec/{n}:" for n in "abcd"], "argv": ["sh", "-c", script]}
    )
    (result,) = run(context, command_, serial=1)
    assert set(result.problems) == {"exec/b:", "exec/c:", "exec/d:"}
    assert set(result.untried) == {"exec/c:", "exec/d:"}
    assert len(list((tmp_path / "seen").iterdir())) == 2
    replays(context)


def test_it_is_on_record(context: Context, tmp_path: Path) -> None:
    """How many at a time is in the log, so that whoever goes on with it does it so."""
    run(context, command(context, "file.write", tmp_path / "a", content="x"), serial=4)
    (accepted,) = [r.entry for r in context.log.read() if isinstance(r.entry, Accepted)]
    assert accepted.serial == 4
