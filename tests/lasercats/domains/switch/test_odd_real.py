"""A real Open vSwitch that others have set as we would not: all of it is lived with."""

from pathlib import Path

import pytest

from lasercats.domains.switch import lag
from tests.lasercats.domains.switch.conftest import Switches

pytestmark = pytest.mark.slow


@pytest.fixture
def odd(switches: Switches) -> Switches:
    """Make a switch that holds what nobody foresaw, and adopt it."""
    switches.add("odd", ("e1", "e2", "e3", "vm1-2", "vm3-4"))
    vsctl = switches.lab.vsctl
    for key, name in (("20", "web servers/DMZ"), ("9999", "none"), ("x", "none")):
        vsctl("set", "Bridge", "odd", f'external_ids:lasercats-vlan-{key}="{name}"')
    vsctl("set", "Port", "e1", "trunks=0,10,20")
    vsctl("set", "Port", "e2", "tag=30", "vlan_mode=dot1q-tunnel")
    vsctl("set", "Interface", "e1", 'external_ids:description="two\\nlines"', "mtu_request=9500")
    vsctl("set", "Interface", "e2", f'external_ids:description="{"x" * 300}"')
    for name in ("vm1-2", "vm3-4"):
        vsctl("del-port", "odd", name)
    dummies = [word for x in ("vm1-2", "vm3-4") for word in ("--", "set", "Interface", x, "type=dummy")]
    vsctl("add-bond", "odd", "b0", "vm1-2", "vm3-4", "bond_mode=active-backup", *dummies)
    switches.run("adopt", "odd")
    return switches


def test_what_is_adopted_is_a_document_that_changes_nothing(odd: Switches, tmp_path: Path) -> None:
    """The document of a switch that others have set is accepted, and there is nothing to do."""
    (tmp_path / "site.yaml").write_text(odd.run("document"))
    assert "nothing to do" in odd.run("plan", "--refresh", "site.yaml")
    assert "all as the state says" in odd.run("drift")
    state = odd.state()
    assert state["switch.vlan/odd:20"]["name"] == "web servers/DMZ"
    assert state["switch.port/odd:e1"]["description"] == "two\nlines"
    assert state["switch.lag/odd:b0"]["members"] == ["switch.port/vm1-2", "switch.port/vm3-4"]


def test_every_verb_goes_on(odd: Switches) -> None:
    """A change beside what is odd is made and undone, and the log is whole."""
    before = odd.lab.vsctl("--columns=name,tag,trunks,bond_mode,external_ids", "list", "Port")
    for line in (
        "switch disable odd:e1-2",
        "switch allow odd:e1 --vlans 40",
        "switch disallow odd:e3 --vlans 30",
        "switch lacp odd:b0 --lacp active",
        "switch leave odd:b0 --member switch.port/vm3-4",
        "switch rename-vlan odd:20 --name plain",
        "switch describe switch.port/odd:vm1-2 --description x",
    ):
        odd.run(*line.split())
        if "disallow" in line:
            assert odd.column("e3", "trunks").startswith("[0, 1, 2,")
        odd.run("undo", "HEAD")
    after = odd.lab.vsctl("--columns=name,tag,trunks,bond_mode,external_ids", "list", "Port")
    assert sorted(after.split("\n\n")) == sorted(before.split("\n\n"))
    assert "web servers/DMZ" in odd.lab.vsctl("get", "Bridge", "odd", "external_ids")
    assert "lasercats-vlan-9999" in odd.lab.vsctl("get", "Bridge", "odd", "external_ids")
    odd.run("verify")
    odd.run("forget", "switch.port/odd:e1")


def test_what_a_lag_loses_is_told_in_advance(odd: Switches) -> None:
    """What of a LAG is not managed, and goes with it, is known before it is removed."""
    read = odd.state()["switch.lag/odd:b0"]
    assert read["other"] == "bond_mode=active-backup"
    assert list(lag.KIND.loses(lag.Lag(other=read["other"]))) == [
        "what else is set on it: bond_mode=active-backup"
    ]
    odd.run("switch", "delete-lag", "odd:b0")
    odd.run("undo", "HEAD")
    assert odd.lab.vsctl("list-ports", "odd").split() == ["b0", "e1", "e2", "e3"]
