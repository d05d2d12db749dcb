"""The law that nothing is destroyed unasked, on a real Open vSwitch, as ovs-vsctl sees it."""

import os
from typing import TYPE_CHECKING

import pytest

from lasercats.testing.ovs import OvsLab
from lasercats.testing.unasked import check_unasked
from tests.lasercats.cli.conftest import bare, cli
from tests.lasercats.domains.switch.conftest import ovs
from tests.lasercats.unasked.wires import PORTS, Wires

if TYPE_CHECKING:
    from tests.lasercats.cli.conftest import Cli

__all__ = ["bare", "cli", "ovs"]
WALKS = int(os.environ.get("UNASKED", "1"))
pytestmark = pytest.mark.slow


@pytest.mark.parametrize("seed", range(WALKS))
def test_no_setting_is_lost_unasked(cli: "Cli", ovs: OvsLab, seed: int) -> None:
    """Whatever verbs in whatever order: what does not come back is asked for, an event tells the rest."""
    ovs.remove_switch("sw1")
    ovs.add_switch("sw1", PORTS)
    cli.done("machine", "add", "sw1", f"{ovs.url}?bridge=sw1")
    cli.done("adopt", "sw1")
    world = Wires(cli, ovs, seed)
    checked = check_unasked(world, world.walk(40))
    assert checked.spared
    cli.verifies()
