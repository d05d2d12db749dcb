"""What many machines are sent, and answer, is recorded in shares, before these machines are sent more."""

import asyncio
from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any

import pytest

from lasercats.core.address import Address
from lasercats.core.instruction import Batch
from lasercats.core.ports import Log, Sink
from lasercats.core.record import Finished, Started
from lasercats.domains.host.execute import Exec
from lasercats.domains.host.file import Write
from lasercats.interpreters import driver
from lasercats.interpreters.context import Context
from lasercats.interpreters.live import Live
from lasercats.testing.estate import Estate, MemoryHost

MACHINES = [f"m{n}" for n in range(8)]


class Witness(MemoryHost):
    """A host that looks into the log when it is sent something."""

    def __init__(self, name: str, log: Log, pace: int) -> None:
        """Answer after so many rounds of the loop."""
        super().__init__(name)
        self.log, self.pace = log, pace
        self.unrecorded: list[int] = []
        """How many of its former batches were not on record as answered, each time."""

    async def run(self, batch: Batch, sink: Sink | None = None, token: str = "") -> Sequence[Any]:
        """Look into the log first."""
        records = list(self.log.read())
        mine = [
            r.position for r in records if isinstance(r.entry, Started) and r.entry.machine == self.who.name
        ]
        back = {r.entry.started for r in records if isinstance(r.entry, Finished)}
        assert token.endswith(f"-{mine[-1]}"), "it is on record before it is sent"
        self.unrecorded.append(len(set(mine) - back) - 1)
        for _ in range(self.pace):
            await asyncio.sleep(0)
        return await super().run(batch, sink, token)


@pytest.mark.parametrize("share", [1, 3, 5000])
def test_nothing_more_is_sent_before_what_came_back_is_on_record(
    make_context: Callable[..., Context], monkeypatch: pytest.MonkeyPatch, share: int
) -> None:
    """Whatever is recorded together, in whatever order machines answer, each has one open batch at most."""
    monkeypatch.setattr(driver, "SHARE", share)
    context, estate = make_context(), Estate()
    for n, name in enumerate(MACHINES):
        estate.hosts[name] = Witness(name, context.log, pace=n * 7 % 5)
    files = [Write(on=(Address(f"file/{m}:/{f}"),), content="x") for m in MACHINES for f in range(3)]
    execs = [Exec(on=(Address(f"exec/{m}:"),), argv=("true",)) for m in MACHINES * 2]
    results = asyncio.run(Live().run([*files, *execs], replace(context, machines=estate)))
    assert {result.status for result in results} == {"done"}
    for host in estate.hosts.values():
        assert isinstance(host, Witness)
        assert host.unrecorded == [0] * len(host.unrecorded)
        assert host.trips >= 3
