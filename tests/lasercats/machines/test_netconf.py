"""A switch with NETCONF, by a real server."""

import asyncio
import os
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from lasercats.core.instruction import Instruction
from lasercats.core.ports import Machine
from lasercats.instructions.switch import Settings
from lasercats.machines.netconf import NetconfMachine
from lasercats.machines.vault import KeyVault
from lasercats.testing.netconf import NetconfLab, why_not
from lasercats.testing.switches import SwitchContract

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def lab() -> Iterator[NetconfLab]:
    """Run a server."""
    if why_not() is not None:
        pytest.fail(f"{why_not()}") if os.environ.get("CI") else pytest.skip(f"{why_not()}")
    with NetconfLab() as started:
        yield started


def connected(url: str) -> NetconfMachine:
    """Return a machine for a URL."""
    return NetconfMachine("m", NetconfMachine.check_url(url), KeyVault(Path("/nowhere")))


class TestNetconf(SwitchContract):
    """The contract."""

    ports = tuple(f"eth{n}" for n in range(1, 9))
    settings = Settings(description="to the café", enabled=False, mtu=9000, speed="10G")
    carries_none = False

    @pytest.fixture(autouse=True)
    def _switch(self, lab: NetconfLab) -> Iterator[None]:
        self.lab = lab
        lab.reset()
        self.machine: Machine | None = None
        with asyncio.Runner() as self.runner:
            yield
            if self.machine is not None:
                self.runner.run(self.machine.close())

    def using(self, work: Callable[[Machine], Any]) -> Any:  # noqa: ANN401
        """Work in the one session of a test: to connect takes longer than all else."""
        self.machine = self.machine or self.connect()
        return self.runner.run(work(self.machine))

    def counted(self, *items: Instruction) -> int:
        """Count the round trips of a batch in a session that is there."""
        self.using(lambda machine: machine.check())
        before = self.machine.trips if self.machine else 0
        return super().counted(*items) - before

    def connect(self) -> Machine:
        """Return the machine."""
        return connected(self.lab.url)
