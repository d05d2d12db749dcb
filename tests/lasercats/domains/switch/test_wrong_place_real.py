"""Another Open vSwitch behind the same name, or another bridge of it, is noticed."""

import json
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from lasercats.testing.ovs import OvsLab

if TYPE_CHECKING:
    from tests.lasercats.domains.switch.conftest import Switches

pytestmark = pytest.mark.slow


def bind(project: "Switches", url: str) -> None:
    """Let the name lead elsewhere, as an editor does."""
    file: Path = project.folder / "lasercats.toml"
    lines = (f'sw1 = "{url}"' if "ovsdb:" in line else line for line in file.read_text().splitlines())
    file.write_text("\n".join(lines) + "\n")


def test_another_switch_is_refused(switches: "Switches", ovs: OvsLab) -> None:
    """Where another database, or another bridge, answers, nothing is configured and nothing is forgotten."""
    switches.add("sw1", ("eth1", "eth2"))
    switches.run("switch", "describe", "sw1:eth1", "--description", "mine")
    state = switches.state()
    ovs.add_switch("sw2", ("eth8",))
    switches.bridges.append("sw2")
    with OvsLab() as other:
        other.add_switch("sw1", ("eth1",))
        for url, fact in (
            (f"{ovs.url}?bridge=sw2", "bridge is sw2 and was sw1"),
            (other.url, "database is "),
        ):
            bind(switches, url)
            before = other.transactions(), ovs.transactions()
            for verb in (("switch", "create-vlan", "sw1:20"), ("drift",), ("adopt", "sw1")):
                said = switches.run(*verb, fails=True)
                assert fact in said
                assert "lasercats machine accept sw1" in said
            assert (other.transactions(), ovs.transactions()) == before
    bind(switches, f"{ovs.url}?bridge=sw1")
    switches.run("drift", "--detailed-exitcode")
    assert switches.state() == state


def test_a_bridge_that_was_made_anew_is_the_same(switches: "Switches", ovs: OvsLab) -> None:
    """A bridge that somebody removed and made anew is a change from outside, and no other machine."""
    switches.add("sw1", ("eth1",))
    switches.run("switch", "create-vlan", "sw1:20")
    ovs.remove_switch("sw1")
    ovs.add_switch("sw1", ("eth1",))
    assert "1 removed outside" in switches.run("drift")
    (known,) = [m for m in json.loads(switches.run("machine", "list", "--json")) if m["name"] == "sw1"]
    assert known["identity"]["bridge"] == "sw1"
    assert len(known["identity"]["database"]) == 36
