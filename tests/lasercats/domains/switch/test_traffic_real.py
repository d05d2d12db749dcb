"""Real frames through a real Open vSwitch between network namespaces that the test makes and removes."""

import itertools
import os
import shutil
import subprocess
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from lasercats.testing.ovs import OvsLab, why_not
from lasercats.testing.peers import need
from tests.lasercats.domains.switch.conftest import run_in

pytestmark = pytest.mark.slow
HOSTS = (1, 2, 3)


def why_not_here() -> str | None:
    """Return why frames cannot be sent here, None where they can."""
    if os.getuid() != 0:
        return "network namespaces need root"
    missing = [tool for tool in ("ip", "ping") if shutil.which(tool) is None]
    return f"iproute2 or iputils-ping is not installed: {', '.join(missing)}" if missing else why_not()


def sh(*command: str) -> None:
    """Run a command that must succeed."""
    subprocess.run(command, check=True, capture_output=True)


class Network:
    """A switch in a namespace of its own, and hosts in theirs, each on a port `vN`."""

    def __init__(self, name: str) -> None:
        self.name = name
        self.spaces = [f"{name}-sw", *(f"{name}-h{n}" for n in HOSTS)]

    def __enter__(self) -> "Network":
        for space in self.spaces:
            sh("ip", "netns", "add", space)
        self.lab = OvsLab(dummy=False, prefix=("ip", "netns", "exec", self.spaces[0]))
        self.lab.__enter__()
        self.lab.add_switch("sw1", ())
        for n in HOSTS:
            host = f"{self.name}-h{n}"
            sh(
                "ip",
                "link",
                "add",
                f"v{n}",
                "netns",
                self.spaces[0],
                "type",
                "veth",
                "peer",
                "eth0",
                "netns",
                host,
            )
            sh("ip", "-n", self.spaces[0], "link", "set", f"v{n}", "up")
            sh("ip", "-n", host, "addr", "add", f"10.77.0.{n}/24", "dev", "eth0")
            sh("ip", "-n", host, "link", "set", "eth0", "up")
        return self

    def __exit__(self, *_: object) -> None:
        self.lab.__exit__(None, None, None)
        for space in self.spaces:
            subprocess.run(["ip", "netns", "del", space], check=False, capture_output=True)

    def reached(self) -> set[tuple[int, int]]:
        """Return which hosts reach which: a ping comes back."""

        def ping(pair: tuple[int, int]) -> bool:
            one, other = pair
            space, address = f"{self.name}-h{one}", f"10.77.0.{other}"
            command = ["ip", "netns", "exec", space, "ping", "-c", "3", "-i", "0.2", "-W", "1", address]
            output = subprocess.run(command, check=False, capture_output=True, text=True).stdout
            return " 0 received" not in output and " received" in output

        pairs = list(itertools.combinations(HOSTS, 2))
        with ThreadPoolExecutor() as pool:
            return {pair for pair, there in zip(pairs, pool.map(ping, pairs), strict=True) if there}


@pytest.fixture
def network() -> Iterator[Network]:
    """Make the network."""
    need(why_not_here())
    with Network(f"lc{os.getpid()}") as made:
        yield made


def test_frames_go_as_the_state_says(network: Network, tmp_path: Path) -> None:
    """Hosts on ports of one VLAN reach each other and no others, as commands and their undoing say."""

    def run(*arguments: str) -> None:
        run_in(tmp_path, *arguments)

    run("init")
    run("machine", "add", "sw1", network.lab.socket_url)
    run("switch", "create-vlan", "sw1:10,20")
    run("switch", "add-port", "sw1:v1-2", "--mode", "access", "--vlan", "10")
    run("switch", "add-port", "sw1:v3", "--mode", "access", "--vlan", "20")
    assert network.reached() == {(1, 2)}
    run("switch", "access", "sw1:v3", "--vlan", "10")
    assert network.reached() == {(1, 2), (1, 3), (2, 3)}
    run("switch", "disable", "sw1:v1")
    assert network.reached() == {(2, 3)}
    run("undo", "HEAD~1..HEAD")
    assert network.reached() == {(1, 2)}
