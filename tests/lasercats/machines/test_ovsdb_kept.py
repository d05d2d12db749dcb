"""What is not modelled of an Open vSwitch is kept, whatever is written beside it."""

import asyncio
import subprocess
from collections.abc import Iterator
from typing import Any

import pytest
from msgspec.structs import replace

from lasercats.core.instruction import Failure, Instruction, Item
from lasercats.instructions.switch import Configure, Look, Seen, Settings, What, values_of
from lasercats.testing.ovs import OvsLab, why_not
from lasercats.testing.peers import need
from lasercats.testing.switches import port
from tests.lasercats.machines.test_ovsdb import connected


@pytest.fixture(scope="module")
def running() -> Iterator[OvsLab]:
    """Run Open vSwitch."""
    need(why_not())
    with OvsLab() as started:
        yield started


@pytest.fixture
def lab(running: OvsLab) -> Iterator[OvsLab]:
    """Make a switch with four ports."""
    running.add_switch("sw1", ("e1", "e2", "e3", "e4"))
    yield running
    running.remove_switch("sw1")


def run(lab: OvsLab, *items: Instruction) -> list[Any]:
    """Run one batch on a connection of its own."""

    async def whole() -> list[Any]:
        machine = connected(f"{lab.url}?bridge=sw1")
        try:
            return list(await machine.run(tuple(Item(item) for item in items)))
        finally:
            await machine.close()

    return asyncio.run(whole())


def dummies(*names: str) -> list[str]:
    """Return what makes interfaces dummies."""
    return [word for name in names for word in ("--", "set", "Interface", name, "type=dummy")]


def look(lab: OvsLab, what: What, name: str) -> Settings:
    """Return what there is."""
    (seen,) = run(lab, Look(machine="m", what=what, name=name))
    assert isinstance(seen, Seen), seen
    assert seen.settings is not None
    return seen.settings


def there_and_back(lab: OvsLab, what: What, name: str, desired: Settings) -> None:
    """Change something, and set what was changed to what it was."""
    before = look(lab, what, name)
    change = Configure(machine="m", what=what, name=name, before=before, after=desired)
    (done,) = run(lab, change)
    assert isinstance(done, Seen), done
    assert done.settings is not None
    assert {field: getattr(done.settings, field) for field in values_of(desired)} == values_of(desired)
    back = Settings(**{field: getattr(before, field) for field in values_of(desired)})
    (undone,) = run(lab, replace(change, before=done.settings, after=back))
    assert isinstance(undone, Seen), undone
    assert look(lab, what, name) == before


ROWS = {
    "untagged among tags": ["trunks=0,10,20"],
    "nothing but untagged": ["trunks=0"],
    "native and tagged": ["tag=30", "vlan_mode=native-tagged", "trunks=10,30"],
    "native and untagged": ["tag=30", "vlan_mode=native-untagged"],
    "a tunnel": ["tag=40", "vlan_mode=dot1q-tunnel", "cvlans=1,2"],
    "access to nothing": ["tag=4095"],
    "access without a word": ["tag=20"],
}
CHANGES = {
    "described": Settings(description="two\nlines"),
    "more allowed": Settings(mode="trunk", allowed="0,40"),
    "access": Settings(mode="access", vlan=7),
    "disabled": Settings(enabled=False),
}


@pytest.mark.parametrize("row", ROWS)
def test_vlans_that_are_not_ours_come_back(lab: OvsLab, row: str) -> None:
    """Whatever the VLAN columns of a port say, it is told, and is so again after any change is undone."""
    lab.vsctl(
        "set", "Port", "e1", *ROWS[row], "--", "set", "Bridge", "sw1", "external_ids:lasercats-vlan-7=a"
    )
    columns = ("get", "Port", "e1", "tag", "trunks", "cvlans")
    before = lab.vsctl(*columns)
    for desired in CHANGES.values():
        there_and_back(lab, "port", "e1", desired)
        assert lab.vsctl(*columns) == before, desired
    seen = look(lab, "port", "e1")
    (same,) = run(lab, port("e1", seen, Settings(mode=seen.mode, allowed=seen.allowed)))
    assert isinstance(same, Seen), same


REDUNDANT = {
    "a trunk with a tag that means nothing": ["vlan_mode=trunk", "tag=5", "trunks=4,6"],
    "native without a tag": ["vlan_mode=native-untagged"],
    "native of VLAN 0": ["vlan_mode=native-untagged", "tag=0", "trunks=0,4095"],
    "access of no VLAN": ["vlan_mode=access"],
    "a tunnel of no VLAN": ["vlan_mode=dot1q-tunnel"],
}


@pytest.mark.parametrize("row", REDUNDANT)
def test_what_is_set_in_an_odd_way_is_told_as_it_works(lab: OvsLab, row: str) -> None:
    """Columns that mean nothing in their mode, or are missing there, hinder no change and no way back."""
    lab.vsctl("set", "Bridge", "sw1", "external_ids:lasercats-vlan-7=a")
    for desired in CHANGES.values():
        lab.vsctl("clear", "Port", "e1", "tag", "trunks", "--", "set", "Port", "e1", *REDUNDANT[row])
        seen = look(lab, "port", "e1")
        assert seen.mode == "trunk" or seen.vlan == 0
        ways = lab.leaves("sw1", "e1"), lab.leaves("sw1", "e1", 4)
        there_and_back(lab, "port", "e1", desired)
        assert (lab.leaves("sw1", "e1"), lab.leaves("sw1", "e1", 4)) == ways, desired


def test_untagged_stays_where_a_vlan_comes_or_goes(lab: OvsLab) -> None:
    """VLAN 0 of `trunks` is told, and stays when other VLANs are set."""
    lab.vsctl("set", "Port", "e1", "trunks=0,10,20")
    assert look(lab, "port", "e1").allowed == "0,10,20"
    run(lab, port("e1", Settings(allowed="0,10,20"), Settings(allowed="0,10,20,40")))
    assert lab.vsctl("get", "Port", "e1", "trunks") == "[0, 10, 20, 40]"


@pytest.mark.parametrize("lacp", ["off", "active"])
@pytest.mark.parametrize("mode", ["active-backup", "balance-slb", "balance-tcp"])
def test_a_bond_spreads_frames_as_before(lab: OvsLab, mode: str, lacp: str) -> None:
    """LACP on and off, or off and on, leaves how a bond spreads frames, and its other settings."""
    for name in ("x1", "x2"):
        lab.vsctl("--if-exists", "del-port", name)
    made = ("add-bond", "sw1", "b0", "x1", "x2", f"bond_mode={mode}", f"lacp={lacp}")
    others = ("bond_updelay=100", "other_config:lacp-time=fast", "external_ids:theirs=1")
    lab.vsctl(*made, *others, *dummies("x1", "x2"))
    columns = ("get", "Port", "b0", "bond_mode", "lacp", "other_config", "bond_updelay")
    before = lab.vsctl(*columns)
    there_and_back(lab, "lag", "b0", Settings(lacp="off" if lacp == "active" else "active"))
    assert lab.vsctl(*columns) == before
    there_and_back(lab, "lag", "b0", Settings(lacp="passive"))
    assert lab.vsctl(*columns) == before
    assert "lasercats" not in lab.vsctl("get", "Port", "b0", "external_ids")
    assert "theirs" in lab.vsctl("get", "Port", "b0", "external_ids")
    assert "lacp-time=fast" in (look(lab, "lag", "b0").other or "")


def test_a_bond_made_by_us_says_nothing_else(lab: OvsLab) -> None:
    """How a LAG of ours spreads frames is nothing that would be lost with it."""
    made = Settings(members=("e1", "e2"), lacp="active")
    (done,) = run(lab, Configure(machine="m", what="lag", name="b0", after=made))
    assert isinstance(done, Seen)
    assert done.settings is not None
    assert done.settings.other is None
    assert lab.vsctl("get", "Port", "b0", "bond_mode") == "balance-tcp"


def test_what_others_set_on_a_port_outlasts_a_lag(lab: OvsLab) -> None:
    """A port that joins a LAG and leaves it has its other columns again, of the Port and of the Interface."""
    theirs = ("external_ids:theirs=1", "other_config:priority-tags=always", "cvlans=7")
    lab.vsctl("set", "Port", "e1", *theirs)
    lab.vsctl("set", "Interface", "e1", "external_ids:iface-id=vm7", "ingress_policing_rate=1000")
    columns = ("get", "Port", "e1", "external_ids", "other_config", "cvlans")
    before = lab.vsctl(*columns)
    lag = Settings(members=("e1", "e2"), lacp="off")
    (made,) = run(lab, Configure(machine="m", what="lag", name="b0", after=lag))
    assert isinstance(made, Seen), made
    (gone,) = run(lab, Configure(machine="m", what="lag", name="b0", before=lag, after=None))
    assert isinstance(gone, Seen), gone
    assert lab.vsctl(*columns) == before
    assert lab.vsctl("get", "Interface", "e1", "ingress_policing_rate") == "1000"
    ids = lab.vsctl("get", "Interface", "e1", "external_ids")
    assert "iface-id=vm7" in ids
    assert "lasercats-port" not in ids
    assert "priority-tags" in (look(lab, "port", "e1").other or "")


def test_ports_that_are_made_in_a_lag_do_not_stand_alone(lab: OvsLab) -> None:
    """Ports and the LAG of them, made at once, are in no Port but that of the LAG: else frames would loop."""
    new = [
        Configure(machine="m", what="port", name=name, after=Settings(type="dummy")) for name in ("n1", "n2")
    ]
    lag = Configure(machine="m", what="lag", name="b0", after=Settings(members=("n1", "n2"), lacp="active"))
    for one in run(lab, *new, lag):
        assert isinstance(one, Seen), one
    assert lab.vsctl("list-ports", "sw1").split() == ["b0", "e1", "e2", "e3", "e4"]
    assert look(lab, "port", "n1").lag == "b0"
    lab.vsctl("del-port", "b0")


def test_a_member_that_is_made_anew_stays_in_its_lag(lab: OvsLab) -> None:
    """A member of another type is another interface, and the LAG holds that one."""
    lag = Settings(members=("e1", "e2"), lacp="off")
    run(lab, Configure(machine="m", what="lag", name="b0", after=lag))
    (done,) = run(lab, port("e1", Settings(type="dummy"), Settings(type="internal")))
    assert isinstance(done, Seen), done
    assert look(lab, "lag", "b0").members == ("e1", "e2")
    assert lab.vsctl("get", "Interface", "e1", "type") == "internal"


@pytest.mark.parametrize("name", ["vm1-2", "a,b", "x y"])
def test_a_port_of_an_odd_name(lab: OvsLab, name: str) -> None:
    """A port whose name looks like a range or holds a space is made, and removed, as any other."""
    (made,) = run(lab, Configure(machine="m", what="port", name=name, after=Settings(type="dummy")))
    assert isinstance(made, Seen), made
    assert made.settings is not None
    (gone,) = run(lab, Configure(machine="m", what="port", name=name, before=made.settings, after=None))
    assert isinstance(gone, Seen), gone


@pytest.mark.parametrize(
    "desired",
    [
        Settings(mode="dynamic auto"),
        Settings(mtu=67),
        Settings(vlan=5000),
        Settings(speed="1G"),
        Settings(description="a\0b"),
        Settings(allowed="any"),
    ],
    ids=repr,
)
def test_what_it_cannot_be_is_not_sent(lab: OvsLab, desired: Settings) -> None:
    """What Open vSwitch cannot hold is refused before anything is sent."""
    columns = ("--columns=name,tag,trunks,vlan_mode", "list", "Port")
    before = lab.vsctl(*columns)
    (refused,) = run(lab, port("e1", Settings(), desired))
    assert isinstance(refused, Failure)
    assert "Open vSwitch" in refused.reason
    assert lab.vsctl(*columns) == before


@pytest.mark.parametrize(
    ("mode", "then"), [("balance-tcp", "balance-slb"), ("active-backup", "active-backup")]
)
def test_a_script_without_lacp_keeps_how_frames_are_spread(lab: OvsLab, mode: str, then: str) -> None:
    """A printed script changes how a bond spreads frames only where that is not possible without LACP."""
    for name in ("e1", "e2"):
        lab.vsctl("del-port", name)
    lab.vsctl("add-bond", "sw1", "b0", "e1", "e2", f"bond_mode={mode}", "lacp=active", *dummies("e1", "e2"))
    on, off = Settings(lacp="active"), Settings(lacp="off")
    off_now = Configure(machine="m", what="lag", name="b0", before=on, after=off)
    script = connected(f"{lab.url}?bridge=sw1").script([off_now], alone=True)
    subprocess.run(["sh", "-c", script], check=True, env=lab.environment)
    assert lab.vsctl("get", "Port", "b0", "lacp") == "off"
    assert lab.vsctl("get", "Port", "b0", "bond_mode") == then


def test_a_script_is_one_transaction(lab: OvsLab) -> None:
    """Ports and LAGs that a script makes, and members that change, take effect together, or not at all."""
    run(
        lab,
        Configure(machine="m", what="lag", name="b0", after=Settings(members=("e1", "e2", "e3"), lacp="off")),
    )
    new = [
        Configure(machine="m", what="port", name=name, after=Settings(type="dummy")) for name in ("n1", "n 2")
    ]
    held = Settings(members=("e1", "e2", "e3"))
    batch = [
        *new,
        Configure(machine="m", what="lag", name="b0", before=held, after=Settings(members=("e1",))),
        Configure(machine="m", what="lag", name="b1", after=Settings(members=("e2", "n1"), lacp="active")),
        Configure(machine="m", what="lag", name="b2", after=Settings(members=("e3", "n 2"), lacp="off")),
    ]
    wrong = Configure(machine="m", what="vlan", name="20", after=Settings(name="a"))
    script = connected(f"{lab.url}?bridge=sw1").script([*batch, wrong], alone=True)
    before = lab.transactions()
    failed = script.replace("set Bridge sw1", "set Bridge none")
    ran = subprocess.run(
        ["sh", "-c", failed], check=False, env=lab.environment, capture_output=True, text=True
    )
    assert ran.returncode == 1
    assert lab.transactions() == before
    subprocess.run(["sh", "-c", script], check=True, env=lab.environment)
    assert lab.vsctl("list-ports", "sw1").split() == ["b0", "b1", "b2", "e4"]
    assert [look(lab, "lag", name).members for name in ("b0", "b1", "b2")] == [
        ("e1",),
        ("e2", "n1"),
        ("e3", "n 2"),
    ]
    for name in ("b1", "b2"):
        lab.vsctl("del-port", name)
