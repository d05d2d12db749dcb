"""A bridge of Open vSwitch, by its real database server and switch daemon."""

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from lasercats.core.ports import Machine
from lasercats.machines.ovsdb import OvsdbMachine
from lasercats.machines.vault import KeyVault
from lasercats.testing.ovs import OvsLab, why_not
from lasercats.testing.switches import SwitchContract

PORTS = tuple(f"eth{n}" for n in range(1, 9))


@pytest.fixture(scope="module")
def lab() -> Iterator[OvsLab]:
    """Run Open vSwitch."""
    if why_not() is not None:
        pytest.fail(f"{why_not()}") if os.environ.get("CI") else pytest.skip(f"{why_not()}")
    with OvsLab() as started:
        yield started


def connected(url: str) -> OvsdbMachine:
    """Return a machine for a URL."""
    return OvsdbMachine("m", OvsdbMachine.check_url(url), KeyVault(Path("/nowhere")))


class TestByTcp(SwitchContract):
    """The contract, by TCP."""

    ports = PORTS

    @pytest.fixture(autouse=True)
    def _switch(self, lab: OvsLab) -> Iterator[None]:
        lab.add_switch("sw1", self.ports)
        self.url = f"{lab.url}?bridge=sw1"
        yield
        lab.remove_switch("sw1")

    def connect(self) -> Machine:
        """Return the machine."""
        return connected(self.url)


class TestBySocket(TestByTcp):
    """The contract, by the socket of the server, where its only bridge need not be named."""

    @pytest.fixture(autouse=True)
    def _switch(self, lab: OvsLab) -> Iterator[None]:
        lab.add_switch("sw1", self.ports)
        self.url = lab.socket_url
        yield
        lab.remove_switch("sw1")
