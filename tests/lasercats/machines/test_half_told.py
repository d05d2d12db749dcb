"""A batch of which a part is done, and the rest cannot be: what is done is told."""

import asyncio
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

from lasercats.core.errors import MachineError, Unreachable
from lasercats.core.instruction import Failure, Item
from lasercats.instructions.host import Execute, WriteFile
from lasercats.instructions.switch import Configure, Look, Seen, Settings
from lasercats.machines.local import LocalMachine
from lasercats.machines.netconf import NetconfMachine
from lasercats.machines.ovsdb import OvsdbMachine
from lasercats.machines.vault import KeyVault
from lasercats.machines.worker import Stuck, Worker
from lasercats.testing.machines import batch

GONE = Failure(reason="it went away")


class Going(LocalMachine):
    """A host that cannot be reached any more after one round trip."""

    async def _pipe(self, *arguments: Any) -> Any:  # noqa: ANN401
        if self.trips:
            raise Unreachable(GONE.reason)
        return await super()._pipe(*arguments)


def test_a_host_that_goes_away_between_two_round_trips(tmp_path: Path) -> None:
    """What the first one did is told; what was not sent failed, and is not in doubt."""
    machine = Going("m", Going.check_url("local:"), KeyVault(tmp_path / "key"))
    write, ask = (
        WriteFile(machine="m", path=f"{tmp_path}/f", content="x"),
        Execute(machine="m", argv=("true",)),
    )
    written, *others = asyncio.run(machine.run(batch(write, ask, write)))
    assert (written.type, others) == ("file", [GONE, GONE])
    with pytest.raises(Unreachable):
        asyncio.run(machine.run(batch(ask)))


SWITCHES = [(OvsdbMachine, "ovsdb://h:1", "_read"), (NetconfMachine, "netconf://h", "_survey")]


@pytest.mark.parametrize(("machine", "url", "reads"), SWITCHES, ids=["ovsdb", "netconf"])
def test_a_switch_that_cannot_be_read_after_a_change(
    machine: Any,  # noqa: ANN401
    url: str,
    reads: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """The change is told as done, and the look beside it fails alone."""
    done = [Seen(Settings())]

    async def later(*_: object) -> Sequence[Any]:
        return done

    async def going(*_: object) -> None:
        raise MachineError(GONE.reason)

    def gone(*_: object) -> None:
        raise MachineError(GONE.reason)

    monkeypatch.setattr(machine, "_configure", later if reads == "_read" else lambda *_: done)
    monkeypatch.setattr(machine, reads, going if reads == "_read" else gone)
    made = machine("m", machine.check_url(url), KeyVault(tmp_path / "key"))
    change = Configure(machine="m", what="port", name="e1", before=None, after=Settings())
    look = Item(Look(machine="m", what="port", name="e1"))

    async def work() -> None:
        assert await made.run((Item(change), look)) == [*done, GONE]
        with pytest.raises(MachineError, match=GONE.reason):
            await made.run((look,))
        await made.close()

    asyncio.run(work())


def test_a_library_that_is_stuck_in_a_commit(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Nobody knows whether NETCONF has committed when its library does not come back."""

    async def stuck(*_: object) -> None:
        raise Stuck

    made = NetconfMachine("m", NetconfMachine.check_url("netconf://h"), KeyVault(tmp_path / "key"))
    monkeypatch.setattr(Worker, "run", stuck)
    change = Configure(machine="m", what="port", name="e1", before=None, after=Settings())
    (outcome,) = asyncio.run(made.run((Item(change),)))
    assert isinstance(outcome, Failure)
    assert outcome.in_doubt
