"""The library: what programs of others do with a project, in loops and threads of their own."""

# ruff: noqa: ASYNC240 - a test reads small files of its own
import asyncio
import signal
import threading
from collections.abc import Callable, Coroutine
from functools import wraps
from pathlib import Path
from typing import Any, ParamSpec

import pytest

import lasercats
from lasercats.core.address import Address
from lasercats.core.errors import BadInput, LaserCatsError, LogConflict, UnknownName
from lasercats.domains.host.directory import Directory
from lasercats.domains.host.file import File, Write
from lasercats.operate.api import Session
from lasercats.operate.begin import init
from lasercats.operate.project import Project

P = ParamSpec("P")


def in_a_loop(test: Callable[P, Coroutine[Any, Any, None]]) -> Callable[P, None]:
    """Let a test have a loop, as programs of others have one."""

    @wraps(test)
    def run(*args: P.args, **more: P.kwargs) -> None:
        asyncio.run(test(*args, **more))

    return run


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A project with the machine `local`, on which a folder is ours."""
    init(tmp_path)
    (tmp_path / "t").mkdir()
    return tmp_path


def place(folder: Path, name: str) -> Address:
    """Return the address of a file in our folder."""
    return Address(f"file/local:{folder}/t/{name}")


def opened(folder: Path, actor: str = "ci@example.org") -> Session:
    """Open the project."""
    return lasercats.open(folder, actor=actor)


@in_a_loop
async def test_from_command_to_undo(folder: Path) -> None:
    """A command acts and is on record with its actor; an undo takes it back."""
    f = place(folder, "f")
    async with opened(folder) as project:
        (result,) = await project.issue(project.command("file.write", f, content="hi\n"), message="why not")
        assert result.ok
        assert Path(folder, "t/f").read_text() == "hi\n"
        assert project.state().get(f) is not None
        (happened,) = project.log()
        assert (happened.actor, happened.message) == ("ci@example.org", "why not")
        assert {blame.actor for blame in project.blame(f)} == {"ci@example.org"}
        assert (await project.undo("HEAD"))[0].ok
        assert not Path(folder, "t/f").exists()
        assert project.query("SELECT count(*) FROM file").rows == [(0,)]
        assert "hi" in project.document(at=happened.events[0][0])


@in_a_loop
async def test_a_plan_looks_first_and_applies(folder: Path) -> None:
    """A plan says what would change, from documents or resources; applied once, it is empty the next time."""
    f = place(folder, "f")
    Path(folder, "site.yaml").write_text(f"resources:\n  {f}: {{content: new}}\n")
    async with opened(folder) as project:
        plan = await project.plan(folder / "site.yaml")
        assert list(plan.delta) == [f]
        assert all(result.ok for result in await project.apply(plan))
        assert not (await project.plan({f: File(content="new")})).commands
        Path(folder, "t/f").write_text("by hand")
        seen = await project.observe()
        assert list(seen.drift) == [f]
        assert project.record(seen).position is not None
        assert list((await project.plan(folder / "site.yaml")).delta) == [f]


@in_a_loop
async def test_nothing_is_lost_that_was_not_agreed_to(folder: Path) -> None:
    """A command that would lose something is refused, with the loss; agreed to, it is carried out."""
    from lasercats.core.content import LIMIT

    big = folder / "t/big"
    big.write_bytes(b"x" * (LIMIT + 1))
    async with opened(folder) as project:
        command = project.command("file.write", place(folder, "big"), content="small")
        (result,) = await project.issue(command)
        assert not result.ok
        assert result.losses
        assert big.stat().st_size == LIMIT + 1
        (result,) = await project.issue(command, agreed=result.losses)
        assert result.ok
        assert big.read_text() == "small"


@in_a_loop
async def test_tasks_share_a_project(folder: Path) -> None:
    """Many tasks work at once; of two that want one address, one is refused, and nothing is mixed up."""
    async with opened(folder) as project:

        async def write(name: str, text: str) -> bool:
            command = project.command("file.write", place(folder, name), content=text)
            try:
                return all(result.ok for result in await project.issue(command))
            except LogConflict:
                return False

        assert all(await asyncio.gather(*(write(f"f{n}", str(n)) for n in range(10))))
        assert [Path(folder, f"t/f{n}").read_text() for n in range(10)] == [str(n) for n in range(10)]
        won = await asyncio.gather(write("same", "a"), write("same", "b"))
        assert sum(won) >= 1
        kept = project.state().get(place(folder, "same"))
        assert isinstance(kept, File)
        assert Path(folder, "t/same").read_text() == kept.content
        assert not project.project.log.open()


def test_in_a_thread(folder: Path) -> None:
    """A thread opens the project in a loop of its own; no handler of a signal is set."""
    before = signal.getsignal(signal.SIGINT)
    failed = list[BaseException]()

    async def work() -> None:
        async with opened(folder, "thread") as project:
            (result,) = await project.issue(project.command("file.write", place(folder, "f"), content="x"))
            assert result.ok

    def whole() -> None:
        try:
            asyncio.run(work())
        except BaseException as error:
            failed.append(error)

    thread = threading.Thread(target=whole)
    thread.start()
    thread.join()
    assert not failed
    assert Path(folder, "t/f").read_text() == "x"
    assert signal.getsignal(signal.SIGINT) is before


@in_a_loop
async def test_it_is_followed(folder: Path) -> None:
    """Who follows sees each command that is accepted, also of another process, in order and once."""
    async with opened(folder) as project, asyncio.timeout(20):
        names = list[str]()

        async def follow() -> None:
            async for happened in project.follow(0):
                names.append(happened.message or "")
                if len(names) == 3:
                    return

        following = asyncio.create_task(follow())
        for n in range(3):
            command = project.command("file.write", place(folder, f"f{n}"), content="x")
            await project.issue(command, message=str(n))
        await following
        assert names == ["0", "1", "2"]


@in_a_loop
async def test_stopped_is_stopped(folder: Path) -> None:
    """After a stop nothing is sent, and it is on record that nothing was."""
    async with opened(folder) as project:
        project.stop()
        (result,) = await project.issue(project.command("file.write", place(folder, "f"), content="x"))
        assert not result.ok
        assert not Path(folder, "t/f").exists()
        assert not project.project.log.open()


@in_a_loop
async def test_bad_input_is_told(folder: Path, tmp_path_factory: pytest.TempPathFactory) -> None:
    """Each has its error, and nothing is changed."""
    session = opened(folder)
    with pytest.raises(BadInput, match="not open"):
        session.state()
    with pytest.raises(BadInput, match="actor"):
        await opened(folder, "").__aenter__()
    with pytest.raises(LaserCatsError, match="lies in no"):
        await opened(tmp_path_factory.mktemp("none")).__aenter__()
    async with session as project:
        with pytest.raises(UnknownName):
            project.command("file.wriet", "file/local:/x")
        with pytest.raises(BadInput):
            project.command("file.write", "file/local:/x", contents="x")
        with pytest.raises(UnknownName):
            await project.issue(project.command("file.write", "file/nosuch:/x", content="x"))
        with pytest.raises(BadInput):
            project.state(at="HEAD~7")
        assert project.log() == []


@in_a_loop
async def test_the_project_is_closed_after_an_error(folder: Path) -> None:
    """What is raised inside comes out, and the log is let go of."""
    with pytest.raises(ZeroDivisionError):
        async with opened(folder):
            raise ZeroDivisionError
    project = Project(folder)
    assert project.log.head() == 0
    project.close()


@pytest.mark.parametrize(
    ("what", "why"),
    [({"message": 5}, "a message is text"), ({"message": b"x"}, "a message is text")],
)
@in_a_loop
async def test_a_message_of_no_text_never_reaches_the_log(
    folder: Path, what: dict[str, Any], why: str
) -> None:
    """It is refused, nothing is done, and the log still reads."""
    async with opened(folder) as project:
        command = project.command("file.write", place(folder, "f"), content="x")
        with pytest.raises(BadInput, match=why):
            await project.issue(command, **what)
        with pytest.raises(BadInput, match=why):
            project.record(await project.observe(), **what)
        assert project.log() == []
        assert not Path(folder, "t/f").exists()


BAD: list[Any] = [
    "file.write",
    Write(content="x", on=()),
    Write(content="x", on=(Address("nonsense"),)),
    Write(content="x", on=(Address("file/local:relative"),)),
    Write(content="x", mode=420, on=(Address("file/local:/x"),)),
    Write(content=5, on=(Address("file/local:/x"),)),
]


@pytest.mark.parametrize("command", BAD, ids=range(len(BAD)))
@in_a_loop
async def test_a_command_of_its_class_is_checked_as_one_by_name(folder: Path, command: Any) -> None:  # noqa: ANN401
    """What may not be given is refused before anything is recorded, whoever built it."""
    async with opened(folder) as project:
        with pytest.raises(BadInput):
            await project.issue(command)
        assert project.log() == []


@pytest.mark.parametrize(
    ("address", "resource"),
    [
        ("file/local:/x", None),
        ("file/local:/x", Directory()),
        ("nonsense", File()),
        ("file/local:/x", File(mode="9")),
    ],
)
@in_a_loop
async def test_what_is_desired_is_checked_as_a_document(folder: Path, address: str, resource: Any) -> None:  # noqa: ANN401
    """An address that is none, or a resource that may not be given, is an error with both."""
    async with opened(folder) as project:
        with pytest.raises(BadInput):
            await project.plan({Address(address): resource})


@in_a_loop
async def test_leaving_the_block_lets_work_finish(folder: Path) -> None:
    """What a task still does when the block is left is finished and recorded, and nothing more is sent."""
    async with opened(folder) as project:
        on = "exec/local:"
        command = project.command("exec", on, argv=["sh", "-c", f"sleep 1; touch {folder}/t/done"])
        task = asyncio.create_task(project.issue(command))
        async for _ in project.follow(0):
            break
    (result,) = await task
    assert result.ok
    assert Path(folder, "t/done").exists()
    async with opened(folder) as project:
        assert not project.project.log.open()
        assert [happened.status for happened in project.log()] == ["done"]


@in_a_loop
async def test_a_project_is_of_one_block_and_one_thread(folder: Path) -> None:
    """A second block, or another thread, is told to open its own; the first goes on."""
    session = opened(folder)
    async with session as project:
        with pytest.raises(BadInput, match="open already"):
            await session.__aenter__()
        with pytest.raises(BadInput, match="thread that opened it"):
            await asyncio.to_thread(project.state)
        assert not project.state().resources()
    for wrong in ("a\0b", None):
        with pytest.raises(BadInput, match="is no folder"):
            await lasercats.open(wrong, actor="a").__aenter__()  # type: ignore[arg-type]


@in_a_loop
async def test_following_from_beyond_the_end_waits_for_it(folder: Path) -> None:
    """Nothing before the position is given."""
    async with opened(folder) as project:
        await project.issue(project.command("file.write", place(folder, "f"), content="x"))
        following = project.follow(10**6)
        with pytest.raises(TimeoutError):
            await asyncio.wait_for(anext(following), 0.5)
