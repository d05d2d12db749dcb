"""Switches of Open vSwitch, and a project on them that the command line drives."""

import asyncio
import json
import os
import subprocess
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import pytest

from lasercats.core.address import Address
from lasercats.core.command import Command
from lasercats.core.registry import Kinds
from lasercats.core.state import State
from lasercats.domains.switch import DOMAIN
from lasercats.interpreters.context import Context, Result
from lasercats.interpreters.live import Live
from lasercats.logs.sqlite import SqliteLog
from lasercats.machines.vault import KeyVault
from lasercats.operate.bound import BoundMachines
from lasercats.testing.ovs import OvsLab, why_not
from lasercats.testing.peers import need
from tests import forks

KINDS = Kinds([DOMAIN])
LASERCATS = [sys.executable, "-c", "from lasercats.cli.main import main; main()"]
PORTS = tuple(f"eth{n}" for n in range(1, 49))


@pytest.fixture(scope="module")
def ovs() -> Iterator[OvsLab]:
    """Run Open vSwitch."""
    need(why_not())
    with OvsLab() as lab:
        yield lab


def run_in(folder: Path, *arguments: str, fails: bool = False, **environment: str) -> str:
    """Run the command line in a folder, which must succeed, or fail, and return what it printed."""
    code, out, err = forks.run(arguments, folder, {**os.environ, **environment})
    assert (code != 0) == fails, out + err
    assert "Traceback" not in err
    return out + err


class Switches:
    """A project on switches, driven by the command line; and what plain eyes see of them."""

    def __init__(self, folder: Path, lab: OvsLab) -> None:
        self.folder, self.lab = folder, lab
        self.bridges: list[str] = []
        self.run("init")

    def add(self, name: str, ports: Sequence[str] = PORTS, url: str | None = None) -> None:
        """Make a switch and bind it."""
        self.lab.add_switch(name, ports)
        self.bridges.append(name)
        self.run("machine", "add", name, url or f"{self.lab.url}?bridge={name}")

    def run(self, *arguments: str, fails: bool = False, **environment: str) -> str:
        """Run what must succeed, or fail, and return what it printed."""
        return run_in(self.folder, *arguments, fails=fails, **environment)

    def start(self, *arguments: str) -> subprocess.Popen[bytes]:
        """Start what goes on by itself, or is going to be killed."""
        return subprocess.Popen(
            [*LASERCATS, *arguments],
            cwd=self.folder,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )

    def state(self) -> dict[str, Any]:
        """Return what the log says there is."""
        data: dict[str, Any] = json.loads(self.run("state", "--json"))["resources"]
        return data

    def column(self, port: str, column: str) -> str:
        """Return a column of a port, as ovs-vsctl tells it."""
        return self.lab.vsctl("get", "Port", port, column)

    def external_ids(self, port: str) -> str:
        """Return what others see beside the columns of an interface."""
        return self.lab.vsctl("get", "Interface", port, "external_ids")


@pytest.fixture
def switches(ovs: OvsLab, tmp_path: Path) -> Iterator[Switches]:
    """Make a project and let no switch be left of it."""
    made = Switches(tmp_path, ovs)
    yield made
    for bridge in made.bridges:
        ovs.remove_switch(bridge)


class Switch:
    """A switch that is driven without the command line."""

    def __init__(self, lab: OvsLab, runner: asyncio.Runner, folder: Path, ports: Sequence[str]) -> None:
        self.lab, self.runner, self.ports = lab, runner, ports
        self.machines = BoundMachines({"m": f"{lab.url}?bridge=m"}, KeyVault(folder / "key"))

    def fresh(self) -> None:
        """Make the switch anew and start a new log."""
        self.lab.remove_switch("m")
        self.lab.add_switch("m", self.ports)
        self.runner.run(self.machines.close())
        log = SqliteLog(":memory:", create=True)
        self.context = Context(kinds=KINDS, log=log, machines=self.machines, actor="tester", run="test")

    def run(self, *commands: Command) -> Sequence[Result]:
        """Carry commands out in one run."""
        return self.runner.run(Live().run(commands, self.context))

    def do(self, *commands: Command) -> None:
        """Carry commands out, all of them."""
        results = self.run(*commands)
        assert all(result.ok for result in results), results

    def state(self) -> State:
        """Return what the log says."""
        return self.context.log.fold().state(KINDS)

    def get(self, address: Address) -> Any:  # noqa: ANN401 - of the kind of the address
        """Return what the log says of an address."""
        return self.state().get(address)


@pytest.fixture
def switch(ovs: OvsLab, tmp_path: Path) -> Iterator[Switch]:
    """Make a switch with three ports."""
    with asyncio.Runner() as runner:
        made = Switch(ovs, runner, tmp_path, ("e1", "e2", "e3"))
        made.fresh()
        yield made
        runner.run(made.machines.close())
        ovs.remove_switch("m")
