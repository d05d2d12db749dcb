"""Drivers of NAPALM that answer or raise anything: our own errors, in time, and nobody else suffers."""

import asyncio
import threading
import time
from collections.abc import Callable
from random import Random
from typing import Any

import pytest

from lasercats.core.errors import MachineError
from lasercats.instructions.switch import Look, Settings, Survey
from lasercats.machines import worker
from lasercats.testing import cli_switch
from lasercats.testing.cli_config import PORTS
from lasercats.testing.garbage import cut, spoiled
from lasercats.testing.switches import port, vlan
from tests.lasercats.machines.garbage.common import judged
from tests.lasercats.machines.napalm.common import Simulated, Vault, each_vendor

FAULTS = (
    SystemExit(3),
    RecursionError("deep"),
    UnicodeError("odd"),
    KeyError("\ud800\0"),
    StopIteration(1),
    Exception(),
)


class Spoiled(cli_switch.SimulatedDriver):
    """A driver whose answers are spoiled, or that raises anything."""

    random = Random(0)  # noqa: S311 - set by a test

    def _do(self, method: str, work: Callable[[Any], Any]) -> Any:  # noqa: ANN401 - as it is
        answer = super()._do(method, work)
        if self.random.random() < 0.1:
            raise self.random.choice(FAULTS)
        if isinstance(answer, dict) and self.random.random() < 0.5:
            if isinstance(answer.get("running"), str) and self.random.random() < 0.7:
                text = cut(answer["running"].encode(), self.random).decode("utf-8", "surrogateescape")
                return {**answer, "running": text}
            return spoiled(answer, self.random, 0.1)
        return answer if answer is None else spoiled(answer, self.random)


class SpoiledMachine(Simulated):
    """A machine with such a driver."""

    def driver(self) -> type[Spoiled]:
        return Spoiled


@each_vendor
@pytest.mark.parametrize("seed", range(40))
def test_vendors_that_answer_anything(vendor: str, seed: int) -> None:
    """Answers of wrong types, without keys, of garbage, and errors of any kind are told as ours."""
    Spoiled.random = Random(seed)  # noqa: S311 - as above
    cli_switch.make("odd", vendor)
    one, other = PORTS[vendor][:2]
    looks = tuple(Look(machine="m", what="port", name=name) for name in (one, other))
    for asked in (
        (*looks, Survey(machine="m")),
        (vlan(20, None, Settings(name="a")), port(one, Settings(), Settings(description="x"))),
    ):
        judged(SpoiledMachine("m", SpoiledMachine.check_url(f"{vendor}://me@odd"), Vault()), asked)


def test_a_driver_that_never_answers(monkeypatch: pytest.MonkeyPatch) -> None:
    """A driver that hangs is given up after its time, and the machine can be used again."""
    go_on = threading.Event()
    cli_switch.make("odd", "eos")
    machine = Simulated("m", Simulated.check_url("eos://me@odd?timeout=0.05"), Vault())
    hung = cli_switch.SimulatedDriver.get_interfaces
    monkeypatch.setattr(cli_switch.SimulatedDriver, "get_interfaces", lambda _self: go_on.wait(60))
    began = time.monotonic()
    error = judged(machine)
    assert isinstance(error, MachineError)
    assert "did not answer within" in str(error)
    assert time.monotonic() - began < 30
    go_on.set()
    monkeypatch.setattr(cli_switch.SimulatedDriver, "get_interfaces", hung)
    patient = Simulated("m", Simulated.check_url("eos://me@odd"), Vault())
    assert isinstance(judged(patient), list)


def test_work_that_never_ends_is_given_up() -> None:
    """What is stuck is told, later work goes on in another thread, and what work raises is raised."""

    async def whole() -> None:
        one, go_on = worker.Worker("test"), threading.Event()
        with pytest.raises(worker.Stuck):
            await one.run(lambda: go_on.wait(60), 0.05)
        assert await one.run(lambda: 7, 60) == 7
        with pytest.raises(RuntimeError, match="SystemExit"):
            await one.run(lambda: (_ for _ in ()).throw(SystemExit(3)), 60)
        go_on.set()
        one.end()

    asyncio.run(whole())


def test_work_that_is_called_off_is_nobodys() -> None:
    """What comes of work that nobody waits for any more is dropped, and the thread goes on."""

    async def whole() -> None:
        one, begun, go_on = worker.Worker("test"), threading.Event(), threading.Event()

        def work() -> None:
            begun.set()
            go_on.wait(60)
            raise KeyError("late")

        task = asyncio.create_task(one.run(work, 60))
        await asyncio.to_thread(begun.wait, 60)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        go_on.set()
        assert await one.run(lambda: 7, 60) == 7
        one.end()

    asyncio.run(whole())
