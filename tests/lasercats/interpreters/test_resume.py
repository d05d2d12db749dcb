"""What waited for a person goes on where its tape ends, and what was ended meanwhile does not."""

import asyncio
from collections.abc import Sequence
from typing import Any

from lasercats.core.address import Address
from lasercats.core.command import Command
from lasercats.core.instruction import Batch, Failure, Item
from lasercats.core.record import Accepted, Ended, Event, Started, raw
from lasercats.core.registry import Kinds
from lasercats.domains.host import DOMAIN
from lasercats.domains.host.file import Write
from lasercats.instructions.host import PathStatus, RemovePath
from lasercats.interpreters.context import Context
from lasercats.interpreters.resume import IS_OVER, Resumed
from lasercats.logs.sqlite import SqliteLog

ADDRESSES = (Address("file/m:/one"), Address("file/m:/two"), Address("file/m:/three"))


class Machines:
    """One machine that does everything, and remembers it."""

    def __init__(self) -> None:
        self.asked: list[str] = []

    def get(self, _name: str) -> "Machines":
        return self

    def news(self, _name: str) -> dict[str, dict[str, str]]:
        return {}

    async def run(self, batch: Batch, _sink: object = None, _token: str = "") -> Sequence[Any]:
        self.asked += [item.instruction.path for item in batch]  # type: ignore[attr-defined]
        return [PathStatus("absent") for _ in batch]


def test_what_was_ended_is_not_gone_on_with() -> None:
    """Of three commands of a run, nothing is sent for the one that is over, nor for what depends on it."""
    log, machines = SqliteLog(":memory:", create=True), Machines()
    commands: dict[int, Command] = {
        n: Write(on=(address,), content="x") for n, address in enumerate(ADDRESSES, 1)
    }
    log.append([Accepted(command=raw(c), actor="ada@desk", run="r") for c in commands.values()])
    log.append([Ended(command=1, status="failed")])
    context = Context(kinds=Kinds([DOMAIN]), log=log, machines=machines, actor="ada@desk", run="r")  # type: ignore[arg-type]
    tape = Resumed(context, log.fold(0), 1, [], {2, 3}, commands=commands)
    paths = [address.partition(":")[2] for address in ADDRESSES]
    acts = [RemovePath(machine="m", path=path, type="file") for path in paths]
    tape.append([Started(machine="m", commands=(1, 2, 3), instructions=tuple(map(raw, acts)))])
    batch = (Item(acts[0]), Item(acts[1]), Item(acts[2], (0,)))
    outcomes = asyncio.run(tape.answer("m", batch))
    assert outcomes == [IS_OVER, PathStatus("absent"), IS_OVER]
    assert all(isinstance(o, Failure) == (n != 1) for n, o in enumerate(outcomes))
    assert machines.asked == ["/two"]
    started = [r.entry.commands for r in log.read(names=("started",))]  # type: ignore[union-attr]
    assert started == [(2,)]
    tape.append([Event(type="file.removed", delta={ADDRESSES[0]: (raw(None), raw(None))}, command=1)])
    assert tape.commit() == 0
    assert tape.changes == []
