"""The part of the contract of hosts about what is still at work: no batch is judged before it has ended."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

import pytest

from lasercats.core.errors import StillWorking
from lasercats.core.instruction import Batch, Failure, Item
from lasercats.core.ports import Machine
from lasercats.instructions.host import ExecResult, Execute, ReadPath, WriteFile
from lasercats.machines.host import lock
from lasercats.machines.shell import OVER

TOKEN = "contract-1"  # noqa: S105 - by which a batch is known again, no secret
LISTING = "ls /run/lasercats /tmp/.lasercats-* /var/tmp/.lasercats-* 2>/dev/null"


def shell(script: str) -> Batch:
    """Make a batch of a raw command."""
    return (Item(Execute(machine="m", argv=("sh", "-c", script))),)


class StillContract:
    """What every host does about what is still at work on it."""

    def connect(self) -> Machine:
        """Return a machine that is not connected yet."""
        raise NotImplementedError

    def folder(self) -> str:
        """Return the path of an empty folder on it."""
        raise NotImplementedError

    @pytest.fixture(autouse=True)
    def _impatient(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr("lasercats.machines.host.WAIT", 0)

    def with_two(self, work: Callable[[Machine, Machine], Awaitable[None]]) -> None:
        """Work on two connections, and forget first what earlier tests left of their token."""

        async def whole() -> None:
            one, two = self.connect(), self.connect()
            try:
                name = lock(TOKEN).decode()
                places = "/run/lasercats /tmp/.lasercats-* /var/tmp/.lasercats-*"
                await one.run(shell(f"for d in {places}; do rm -f $d/{name}.*; done"))
                await work(one, two)
            finally:
                await one.close()
                await two.close()

        asyncio.run(whole())

    async def until(self, machine: Machine, path: str) -> None:
        """Wait until something was written to a file."""
        (found,) = await machine.run(shell(f"until [ -s {path} ]; do sleep 0.1; done"))
        assert found == ExecResult(0)

    def test_what_is_at_work_is_not_judged(self) -> None:
        """While a command runs it is not judged; when it has ended it may be, and nothing begins any more."""
        begun, end = f"{self.folder()}/begun", f"{self.folder()}/end"
        items = shell(f"echo >{begun}; while [ ! -e {end} ]; do sleep 0.1; done")

        async def work(one: Machine, two: Machine) -> None:
            running = asyncio.create_task(_run(one, items))
            await self.until(two, begun)
            with pytest.raises(StillWorking, match="still at work there"):
                await two.resolve(items, TOKEN)
            await two.run(shell(f"echo >{end}"))
            assert await running == [ExecResult(0)]
            assert await two.resolve(items, TOKEN) == [None]
            assert await _run(one, items) == [Failure(reason=OVER)]

        self.with_two(work)

    def test_what_is_at_work_can_be_ended(self) -> None:
        """A command that does not heed the signal to end is ended, with all that it started."""
        begun = f"{self.folder()}/begun"
        items = shell(f"trap '' TERM; sleep 300 & echo $! >{begun}; wait")

        async def work(one: Machine, two: Machine) -> None:
            running = asyncio.create_task(_run(one, items))
            await self.until(two, begun)
            assert await two.resolve(items, TOKEN, end=True) == [None]
            await running
            (alive,) = await two.run(shell(f"grep -q sleep /proc/$(cat {begun})/cmdline"))
            assert alive.status != 0

        self.with_two(work)

    def test_what_a_command_leaves_running_is_its_own(self) -> None:
        """What a command started on its own does not keep the command from being over."""
        items = shell("setsid sleep 300 >/dev/null 2>&1 & echo $!")

        async def work(one: Machine, two: Machine) -> None:
            (ran,) = await _run(one, items)
            assert await two.resolve(items, TOKEN, end=True) == [None]
            (ended,) = await two.run(shell(f"kill {ran.output}"))
            assert ended == ExecResult(0)

        self.with_two(work)

    def test_what_was_judged_never_begins(self) -> None:
        """A change that arrives after it was judged, as by a slow login, is not made."""
        path = f"{self.folder()}/late"
        items = (Item(WriteFile(machine="m", path=path, content="x")),)

        async def work(one: Machine, two: Machine) -> None:
            assert await two.resolve(items, TOKEN) == [None]
            assert await _run(one, items) == [Failure(reason=OVER)]
            assert (await two.run((Item(ReadPath(machine="m", path=path)),)))[0].type == "absent"

        self.with_two(work)

    def test_a_batch_leaves_no_lock(self) -> None:
        """When a batch is over, good or bad, nothing of its lock is left; a look takes none."""
        good = WriteFile(machine="m", path=f"{self.folder()}/f", content="x")
        bad = WriteFile(machine="m", path=f"{self.folder()}/none/f", content="x")

        async def work(one: Machine, two: Machine) -> None:
            for items in ((Item(good), Item(bad)), shell("exit 3"), (Item(ReadPath(machine="m", path="/")),)):
                await _run(one, items)
            (listed,) = await two.run(shell(LISTING))
            assert lock(TOKEN).decode() not in listed.output

        self.with_two(work)

    def test_what_ended_by_its_time_is_over(self) -> None:
        """What ran too long is told as ended only when nothing of it is left."""
        begun = f"{self.folder()}/begun"
        item = Item(
            Execute(
                machine="m", argv=("sh", "-c", f"trap '' TERM; sleep 300 & echo $! >{begun}; wait"), timeout=1
            )
        )

        async def work(one: Machine, two: Machine) -> None:
            (outcome,) = await _run(one, (item,))
            assert outcome == Failure(reason="it ran longer than 1 s, and was ended", in_doubt=True)
            (alive,) = await two.run(shell(f"grep -q sleep /proc/$(cat {begun})/cmdline"))
            assert alive.status != 0

        self.with_two(work)


async def _run(machine: Machine, items: Batch) -> list[Any]:
    return list(await machine.run(items, None, TOKEN))
