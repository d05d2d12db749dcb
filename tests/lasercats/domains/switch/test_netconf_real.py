"""A switch with NETCONF from the command line: a real server, and its own confirmed commit."""

import asyncio
import json
import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from lasercats.core.address import Address
from lasercats.core.command import Command
from lasercats.core.resource import Resource
from lasercats.domains.switch import lag, port, vlan
from lasercats.domains.switch.lag import Lag
from lasercats.domains.switch.port import Port
from lasercats.domains.switch.vlan import Vlan
from lasercats.interpreters.context import Context
from lasercats.interpreters.live import Live
from lasercats.logs.sqlite import SqliteLog
from lasercats.machines.vault import KeyVault
from lasercats.operate.bound import BoundMachines
from lasercats.testing import strategies
from lasercats.testing.laws import check_fidelity, check_recreate, check_replay
from lasercats.testing.netconf import NetconfLab, why_not
from lasercats.testing.peers import need
from tests.lasercats.domains.switch.conftest import KINDS, run_in
from tests.lasercats.domains.switch.test_laws import FIELDS

pytestmark = pytest.mark.slow


class Netconf:
    """A project with one switch."""

    def __init__(self, folder: Path, lab: NetconfLab) -> None:
        self.folder, self.lab = folder, lab
        self.run("init")
        self.run("machine", "add", "sw1", lab.url)

    def run(self, *arguments: str, fails: bool = False) -> str:
        """Run what must succeed, or fail, and return what it printed."""
        return run_in(self.folder, *arguments, fails=fails)

    def state(self, address: str) -> str:
        """Return what the log says there is."""
        return self.run("state", address)


@pytest.fixture(scope="module")
def lab() -> Iterator[NetconfLab]:
    """Run a server."""
    need(why_not())
    with NetconfLab() as started:
        yield started


@pytest.fixture
def netconf(lab: NetconfLab, tmp_path: Path) -> Netconf:
    """Make a project on a switch as it was delivered."""
    lab.reset()
    return Netconf(tmp_path, lab)


def until(condition: Callable[[], bool], seconds: float = 40) -> None:
    """Wait until something has come about."""
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.3)


def test_a_range_and_back(netconf: Netconf) -> None:
    """A command over a range is one commit, it is undone, and the log tells what the switch is."""
    netconf.run("adopt", "sw1")
    netconf.run("switch", "create-vlan", "sw1:20", "--name", "servers")
    netconf.run("switch", "access", "sw1:eth1-8", "--vlan", "20")
    netconf.run("switch", "create-lag", "sw1:ae1", "--member", "eth7-8", "--mode", "trunk", "--allowed", "20")
    netconf.run("drift", "--detailed-exitcode")
    netconf.run("undo", "HEAD~1..HEAD", "--yes")
    netconf.run("drift", "--detailed-exitcode")
    assert "vlan: 1\n" in netconf.state("switch.port/sw1:eth8")
    assert "in use by the LAG" not in netconf.run("switch", "trunk", "sw1:eth8", "--allowed", "20")


@contextmanager
def delivered(lab: NetconfLab, folder: Path) -> Iterator[tuple[Context, asyncio.Runner]]:
    """Give a switch as it was delivered, without the command line."""
    lab.reset()
    machines = BoundMachines({"m": lab.url}, KeyVault(folder / "key"))
    log = SqliteLog(":memory:", create=True)
    with asyncio.Runner() as runner:
        yield Context(kinds=KINDS, log=log, machines=machines, actor="tester", run="test"), runner
        runner.run(machines.close())


V20, V30 = Address("switch.vlan/m:20"), Address("switch.vlan/m:30")
PORTS = tuple(Address(f"switch.port/m:eth{n}") for n in (1, 2, 3))
CAN_BE_SAID = {
    **FIELDS,
    "native": st.sampled_from([1, 20, 30]),
    "allowed": st.sampled_from(["10", "10,20-30", "all"]),
    "vlans": st.just("20-30"),
    "type": st.none(),
    "members": st.lists(st.sampled_from(["eth1", "eth2"]), min_size=1, max_size=2, unique=True).map(tuple),
}
"""What the models of OpenConfig can say: not that a trunk has no VLAN."""


def test_law_6_fidelity_and_law_8_replay(lab: NetconfLab, tmp_path: Path) -> None:
    """What is simulated is what the switch does, and every recorded program runs again the same way."""
    commands = st.one_of(
        strategies.commands(port.KIND, ("m:eth1", "m:eth2", "m:eth3"), CAN_BE_SAID),
        strategies.commands(lag.KIND, ("m:b",), CAN_BE_SAID),
        strategies.commands(vlan.KIND, ("m:20", "m:30"), CAN_BE_SAID),
    )
    possible = commands.filter(lambda command: not isinstance(command, port.Remove))  # ports are hardware

    @settings(max_examples=8, deadline=None, suppress_health_check=list(HealthCheck))
    @given(st.lists(possible, min_size=1, max_size=6))
    def law(log: list[Command]) -> None:
        with delivered(lab, tmp_path) as (context, runner):
            ground = (vlan.Create(on=(V20, V30)), port.Add(on=PORTS))
            assert all(result.ok for result in runner.run(Live().run(ground, context)))
            check_fidelity(log, context, runner)
            check_replay(context)

    law()


def test_law_7_recreate(lab: NetconfLab, tmp_path: Path) -> None:
    """A desired state of every kind is brought about on a switch as it was delivered, and seen as it is."""
    desired: dict[Address, Resource] = {
        V20: Vlan(name="servers"),
        PORTS[0]: Port(
            description="to the café",
            enabled=False,
            mode="access",
            vlan=20,
            native=30,
            allowed="20",
            mtu=1400,
            speed="10G",
        ),
        Address("switch.lag/m:ae1"): Lag(
            members=("eth2", "eth3"), lacp="passive", mode="trunk", native=20, allowed="10-12,20"
        ),
    }
    with delivered(lab, tmp_path) as (context, runner):
        check_recreate(desired, context, runner)


def test_a_script_does_the_same_and_runs_nothing_of_a_description(netconf: Netconf) -> None:
    """A printed script writes what it is asked, and no line of a description ends what is sent or is run."""
    netconf.run("adopt", "sw1")
    ran_it = netconf.folder / "ran"
    for said in (
        "uplink",
        "x\x7f\x9b31m",
        f"a\nLASERCATS_NETCONF_END\ntouch {ran_it}\ncat <<'LASERCATS_NETCONF_END'\nb",
    ):
        change = ("switch", "describe", "sw1:eth1", "--description", said, "--interpreter", "script")
        script = netconf.run(*change)
        ran = subprocess.run(["sh"], input=script, capture_output=True, text=True, check=False)
        assert ran.returncode == 0, ran.stderr + script
        assert "port-speed" not in script
        assert not set(script) & {"\x7f", "\x9b"}
        netconf.run("drift", "--adopt")
        data = json.loads(netconf.run("state", "--json"))["resources"]["switch.port/sw1:eth1"]
        assert data["description"] == said
    assert not ran_it.exists()


def test_the_switch_takes_back_what_cut_us_off(netconf: Netconf) -> None:
    """While nobody can reach it, the switch itself takes the change back; then our log says so, too."""
    netconf.run("adopt", "sw1")
    netconf.run("switch", "disable", "sw1:eth1", "--confirm-within", "12s")
    assert "enabled: false" in netconf.state("switch.port/sw1:eth1")
    until(lambda: "nothing" in netconf.run("confirm", "--list"))
    netconf.run("drift", "--detailed-exitcode")
    assert "enabled: true" in netconf.state("switch.port/sw1:eth1")


def test_what_is_confirmed_stays(netconf: Netconf) -> None:
    """What is confirmed here is confirmed on the switch: it does not take it back."""
    netconf.run("adopt", "sw1")
    netconf.run("switch", "describe", "sw1:eth1", "--description", "uplink", "--confirm-within", "15s")
    netconf.run("confirm")
    time.sleep(15)
    netconf.run("drift", "--detailed-exitcode")
    assert "description: uplink" in netconf.state("switch.port/sw1:eth1")


def test_what_the_switch_took_back_cannot_be_confirmed(netconf: Netconf) -> None:
    """A switch that has been started anew has forgotten what was not confirmed, and that is told."""
    netconf.run("adopt", "sw1")
    netconf.run("switch", "describe", "sw1:eth1", "--description", "uplink", "--confirm-within", "1h")
    netconf.lab.reset()
    assert "was taken back already" in netconf.run("confirm", fails=True)
    netconf.run("confirm", "--reject")
    netconf.run("drift", "--detailed-exitcode")
