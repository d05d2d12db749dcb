"""What waited for a person goes on where its record ends, and what was ended meanwhile does not."""

import asyncio
from collections.abc import Sequence
from typing import Any

from lasercats.core.address import Address
from lasercats.core.instruction import Batch, Item
from lasercats.core.record import Accepted, Ended, Event, raw
from lasercats.core.registry import Kinds
from lasercats.domains.host import DOMAIN
from lasercats.domains.host.file import Write
from lasercats.instructions.host import PathStatus, RemovePath
from lasercats.interpreters.channel import Sending
from lasercats.interpreters.context import Context
from lasercats.interpreters.journal import IS_OVER, Journal
from lasercats.interpreters.past import Past
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
    log, machines, kinds = SqliteLog(":memory:", create=True), Machines(), Kinds([DOMAIN])
    accepted = [Accepted(command=raw(Write(on=(a,), content="x")), actor="ada", run="r") for a in ADDRESSES]
    log.append(accepted)
    log.append([Ended(command=1, status="failed")])
    context = Context(kinds=kinds, log=log, machines=machines, actor="ada", run="r")  # type: ignore[arg-type]
    journal = Journal(context, Past(kinds, log.fold(0), list(enumerate(accepted, 1)), [], {2, 3}))
    acts = [RemovePath(machine="m", path=a.partition(":")[2], type="file") for a in ADDRESSES]
    batch = Sending("m", (1, 2, 3), (Item(acts[0]), Item(acts[1]), Item(acts[2], (0,))))
    journal.started([batch])
    outcomes = asyncio.run(journal.answer(batch))
    assert outcomes == [IS_OVER, PathStatus("absent"), IS_OVER]
    assert machines.asked == ["/two"]
    started = [r.entry.commands for r in log.read(names=("started",))]  # type: ignore[union-attr]
    assert started == [(2,)]
    journal.record(Event(type="file.removed", delta={ADDRESSES[0]: (raw(None), raw(None))}, command=1))
    assert journal.commit() == 0
    assert not [entry for entry in journal.entries if isinstance(entry, Event)]
