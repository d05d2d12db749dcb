"""Killed at any moment, over all peers at once, in the worst weather: reality, state and fold agree."""

import os
import random
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from lasercats.testing import aws, netconf, ovs
from lasercats.testing.lab import Lab, unavailable
from lasercats.testing.peers import need
from tests.soak.cloud import Cloud
from tests.soak.hosts import Here, There
from tests.soak.peer import Peer
from tests.soak.room import Room
from tests.soak.storm import Storm
from tests.soak.switches import Netconf, Ovs

pytestmark = [pytest.mark.crash, pytest.mark.lab, pytest.mark.slow]
KILLS = int(os.environ.get("SOAK", "10"))
SEED = int(os.environ.get("STORM_SEED", "13"))
"""0 for one that is drawn."""
PEERS = os.environ.get("STORM_PEERS", "local web old aws sw1 sw2 human").split()
"""To make a failure small: only these, and their troubles."""


@pytest.fixture
def storm(tmp_path: Path) -> Iterator[Storm]:
    """Run every peer that there is."""
    for why_not in (unavailable, aws.why_not, ovs.why_not, netconf.why_not):
        need(why_not())
    with ExitStack() as stack:
        lab = stack.enter_context(Lab(hosts=2))
        account = stack.enter_context(
            aws.StrictEc2(stack.enter_context(aws.MotoServer()), delay=0.3, invisible=0.2)
        )
        fast, slow = lab.hosts
        peers: list[Peer] = [
            Here("local", tmp_path / "files"),
            There("web", fast),
            There("old", slow, slow=0.15),
            Cloud(account),
            Ovs("sw1", stack.enter_context(ovs.OvsLab())),
            Netconf("sw2", stack.enter_context(netconf.NetconfLab())),
            Room(),
        ]
        chosen = [peer for peer in peers if peer.name in PEERS]
        seed = SEED or random.getrandbits(32)
        yield Storm(tmp_path / "storm", chosen, seed, aws.environment(account.endpoint))


def test_nothing_is_lost_doubled_orphaned_or_stuck(storm: Storm) -> None:
    """After each kill, recover makes the log true again, whatever happened to the peers meanwhile."""
    counts = storm.rage(KILLS)
    print(counts)  # `make soak` shows it
    assert counts.killed >= KILLS
