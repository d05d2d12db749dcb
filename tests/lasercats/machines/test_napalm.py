"""Switches through NAPALM, on simulated ones of four vendors: the contract, the lines, and every fault."""

import asyncio
import inspect
import socket
import subprocess
import sys
from collections.abc import Awaitable, Callable
from copy import deepcopy
from pathlib import Path
from types import SimpleNamespace
from typing import Any, TypeVar
from xml.etree.ElementTree import Element, fromstring

import pytest
from hypothesis import given as for_all
from hypothesis import strategies as st
from jnpr.junos.exception import ConfigLoadError  # type: ignore[import-untyped]
from msgspec.structs import replace
from napalm import get_network_driver
from napalm.base.exceptions import (
    ConnectAuthError,
    ConnectionClosedException,
    ConnectionException,
    LockError,
    MergeConfigException,
)
from napalm.nxapi_plumbing import Device as NxapiDevice
from napalm.nxapi_plumbing import NXAPICommandError

from lasercats.core.errors import BadInput, LaserCatsError, MachineError, Unreachable
from lasercats.core.instruction import Failure, Instruction, Item
from lasercats.core.ports import Machine, Sink
from lasercats.instructions import ios, junos, vlans
from lasercats.instructions.switch import Configure, Look, Seen, Settings, Survey, Surveyed, given
from lasercats.instructions.switch_model import Wrong
from lasercats.machines.napalm import VENDORS, NapalmMachine
from lasercats.testing.cli_switch import PORTS, CliConfig, Device, Invalid, JunosConfig, SimulatedDriver, make
from lasercats.testing.switches import SwitchContract, port, vlan

LAGS = {"eos": "Port-Channel7", "ios": "Port-channel7", "nxos": "port-channel7", "junos": "ae3"}
T = TypeVar("T")
each_vendor = pytest.mark.parametrize("vendor", list(LAGS))


class Vault:
    """A vault that keeps nothing secret."""

    def seal(self, secret: bytes) -> str:
        return secret.decode()

    def open(self, token: str) -> bytes:
        return token.encode()


class Simulated(NapalmMachine):
    """A machine whose driver leads to a simulated switch."""

    def driver(self) -> type[SimulatedDriver]:
        return SimulatedDriver


def machine(vendor: str, host: str = "sw") -> Simulated:
    """Return a machine that is not connected yet."""
    return Simulated("sw1", Simulated.check_url(f"{vendor}://admin@{host}"), Vault())


class Contract(SwitchContract):
    """The contract, on a new switch for each test."""

    vendor: str

    @pytest.fixture(autouse=True)
    def switch(self) -> None:
        """Make the switch, with more ports than the contract uses."""
        self.device = make("contract", self.vendor)
        self.ports = PORTS[self.vendor][:6]

    def connect(self) -> Machine:
        """Return a machine for it."""
        return machine(self.vendor, "contract")


class TestEos(Contract):
    """Arista EOS."""

    vendor, lag = "eos", "Port-Channel7"


class TestIos(Contract):
    """Cisco IOS, which keeps its VLANs out of the running configuration."""

    vendor, lag = "ios", "Port-channel7"
    settings = Settings(description="to the cafe", enabled=False, mtu=9000, speed="100M")


class TestNxos(Contract):
    """Cisco NX-OS, whose switched ports have one MTU or the other."""

    vendor, lag = "nxos", "port-channel7"
    settings = Settings(description="to the cafe", enabled=False, mtu=9216, speed="10G")


class TestJunos(Contract):
    """Juniper Junos."""

    vendor, lag = "junos", "ae3"
    settings = Settings(description="to the cafe, #1", enabled=False, mtu=9000, speed="10G")

    def test_an_access_port_and_a_trunk(self) -> None:
        """One list of VLANs serves both modes: what belongs to the other mode is gone, and cannot be set."""
        name = self.ports[0]
        self.done(vlan(20, None, Settings(name="a")), vlan(30, None, Settings(name="b")))
        self.done(port(name, Settings(), Settings(mode="access", vlan=20)))
        self.done(port(name, Settings(mode="access"), Settings(mode="trunk", native=30, allowed="20,30-40")))
        seen = self.look("port", name)
        assert seen is not None
        assert seen.vlan is None
        self.done(port(name, Settings(allowed="20,30-40"), Settings(allowed="all")))
        self.done(port(name, Settings(allowed="all"), Settings(allowed="none")))
        self.done(port(name, Settings(allowed="none"), Settings(allowed="20")))
        self.refused(port(name, Settings(mode="trunk"), Settings(vlan=20)))
        self.done(port(name, Settings(mode="trunk"), Settings(mode="access")))
        seen = self.look("port", name)
        assert seen is not None
        assert (seen.mode, seen.vlan, seen.native, seen.allowed) == ("access", 1, None, None)
        (said,) = self.refused(port(name, Settings(), Settings(allowed="20")))
        assert "Junos" in said


def lag(vendor: str, before: Settings | None, after: Settings | None) -> Configure:
    """Configure the LAG of a vendor."""
    return Configure(machine="m", what="lag", name=LAGS[vendor], before=before, after=after)


def using(one: NapalmMachine, work: Callable[[NapalmMachine], Awaitable[T]]) -> T:
    """Connect, work, disconnect."""

    async def whole() -> T:
        try:
            return await work(one)
        finally:
            await one.close()

    return asyncio.run(whole())


def run(vendor: str, *items: Instruction, sink: Sink | None = None) -> list[Any]:
    """Run a batch on a connection of its own."""
    batch = tuple(Item(item) for item in items)
    return list(using(machine(vendor), lambda one: one.run(batch, sink)))


def told(vendor: str, *items: Configure, known: Surveyed | None = None) -> list[str]:
    """Return the lines of a batch, without what they end with."""
    lines = VENDORS[vendor].lines(items, known or Surveyed(), "")
    return [line for line in lines if line != "end"]


# The lines.


def test_the_lines_of_cisco_ios() -> None:
    """A VLAN, a trunk and a LAG are configured in this order, and the members like the LAG."""
    name, other = "GigabitEthernet1/0/1", "GigabitEthernet1/0/2"
    assert told(
        "ios",
        lag("ios", None, Settings(members=(other,), lacp="passive", mode="trunk", allowed="20")),
        port(name, Settings(), Settings(description="up", enabled=True, mode="trunk", native=30)),
        port(name, Settings(), Settings(speed="2.5G")),
        vlan(20, None, Settings(name="servers")),
        vlan(30, Settings(name="old"), None),
    ) == [
        *("no vlan 30", "vlan 20", " name servers", " exit"),
        *("interface Port-channel7", " switchport mode trunk", " switchport trunk allowed vlan 20"),
        *("interface GigabitEthernet1/0/2", " switchport mode trunk", " switchport trunk allowed vlan 20"),
        " channel-group 7 mode passive",
        *(f"interface {name}", " description up", " no shutdown", " switchport mode trunk"),
        *(" switchport trunk native vlan 30", " speed 2500"),
    ]


def test_the_lines_of_other_vendors_differ_where_they_must() -> None:
    """Each vendor has its own lines for members, speeds, and trunks that take no untagged frames."""
    new = Settings(members=("Ethernet1/2",), lacp="active")
    assert told("nxos", lag("nxos", None, new))[-1] == " channel-group 7 force mode active"
    assert told("eos", lag("eos", None, replace(new, lacp="off")))[-1] == " channel-group 7 mode on"
    eos = told("eos", port("Ethernet1", Settings(), Settings(native=0, speed="100M")))
    assert eos == ["interface Ethernet1", " switchport trunk native vlan tag", " speed 100full"]
    assert told("eos", port("Ethernet1", Settings(), Settings(speed="10G")))[1] == " speed 10g"
    back = Settings(description="", vlan=1, native=1, speed="auto", mtu=1500, allowed="all", enabled=False)
    assert [line[1:] for line in told("nxos", port("Ethernet1/1", Settings(), back))[1:]] == [
        *("no description", "shutdown", "no switchport access vlan", "no switchport trunk native vlan"),
        *("switchport trunk allowed vlan all", "no speed", "no mtu"),
    ]


def test_the_lines_of_junos() -> None:
    """A VLAN, an access port and a LAG are configured by `set` and `delete`."""
    assert told(
        "junos",
        vlan(20, None, Settings(name="servers")),
        port("ge-0/0/1", Settings(), Settings(mode="access", vlan=20, description="a b", mtu=9000)),
        lag("junos", Settings(members=("ge-0/0/2",), lacp="active"), None),
    ) == [
        "set vlans servers vlan-id 20",
        "delete interfaces ge-0/0/2 ether-options 802.3ad",
        "delete interfaces ae3",
        "set interfaces ge-0/0/1 unit 0 family ethernet-switching interface-mode access",
        "delete interfaces ge-0/0/1 unit 0 family ethernet-switching vlan members",
        "delete interfaces ge-0/0/1 native-vlan-id",
        "set interfaces ge-0/0/1 unit 0 family ethernet-switching vlan members 20",
        'set interfaces ge-0/0/1 description "a b"',
        "set interfaces ge-0/0/1 mtu 9014",
    ]


@pytest.mark.parametrize(
    ("vendor", "wrong", "why"),
    [
        ("ios", port("Gi1\nreload", Settings(), Settings(mtu=9000)), "names no interface"),
        ("ios", port("Gi1", Settings(), Settings(description="a\nreload")), "does not fit into a line"),
        ("ios", port("Gi1", Settings(), Settings(native=0)), "0 is none"),
        ("ios", port("Gi1", Settings(), Settings(type="internal")), "type cannot be set"),
        ("ios", port("Gi9", None, Settings()), "come with its hardware"),
        ("ios", vlan(20, None, Settings(name="two words")), "no spaces"),
        ("ios", vlan(20, None, Settings(mtu=9000)), "a VLAN has no mtu"),
        ("ios", vlan(5000, None, Settings(name="a")), "5000"),
        ("ios", lag("junos", None, Settings()), "names LAGs Port-channel1"),
        ("eos", lag("ios", None, Settings()), "names LAGs Port-Channel1"),
        ("junos", lag("eos", None, Settings()), "names LAGs ae0"),
        ("junos", vlan(20, None, Settings(name="20")), "no name on Junos"),
        ("junos", vlan(20, None, Settings(mtu=9000)), "a VLAN has no mtu"),
        ("junos", port("ge-0/0/1", Settings(), Settings(description='a "b"')), 'no "'),
        ("junos", port("ge-0/0/1 x", Settings(), Settings(mtu=9000)), "no name of a port"),
        ("junos", port("ge-0/0/1", Settings(), Settings(type="internal")), "type cannot be set"),
        ("junos", port("ge-0/0/1", Settings(), None), "come with its hardware"),
    ],
)
def test_what_a_vendor_cannot_be_told_is_refused(vendor: str, wrong: Configure, why: str) -> None:
    """What does not fit into a line, or what the vendor has no line for, is refused with its place."""
    with pytest.raises(Wrong, match=why) as raised:
        told(vendor, vlan(10, None, Settings(name="a")), wrong)
    assert raised.value.index == 1


SETTINGS = st.builds(
    Settings,
    description=st.none() | st.text("abc XYZ/-.,#", max_size=40).map(str.strip),
    enabled=st.none() | st.booleans(),
    mode=st.sampled_from([None, "access", "trunk"]),
    vlan=st.none() | st.integers(1, 4094),
    native=st.none() | st.integers(1, 4094),
    allowed=st.none() | st.sets(st.integers(1, 4094), max_size=60).map(vlans.write),
    speed=st.sampled_from([None, "auto", "100M", "1G", "10G"]),
    mtu=st.sampled_from([None, 1500, 9000]),
)


@pytest.mark.parametrize("vendor", ["eos", "nxos", "ios"])
@for_all(changes=st.lists(SETTINGS, max_size=4))
def test_what_is_configured_is_read_back(vendor: str, changes: list[Settings]) -> None:
    """After any changes a port reads as what was last asked of each field, and all else at its default."""
    config, name, expected = CliConfig(vendor), PORTS[vendor][0], ios.PLAIN
    for change in changes:
        wanted = replace(change, mtu=9216) if vendor == "nxos" and change.mtu == 9000 else change
        known = VENDORS[vendor].read(config.text())
        config.merge("\n".join(told(vendor, port(name, Settings(), wanted), known=known)))
        assert config.messages == []
        expected = replace(expected, **given(wanted))
        read = VENDORS[vendor].read(config.text())
        assert read.ports[name] == expected
        assert read.ports[PORTS[vendor][1]] == ios.PLAIN


@for_all(changes=st.lists(SETTINGS, max_size=4))
def test_what_is_configured_is_read_back_from_junos(changes: list[Settings]) -> None:
    """After any changes a port reads as what was last asked of each field that its mode has."""
    config, name = JunosConfig(), "ge-0/0/1"
    for change in changes:
        known = junos.read(config.text())
        mode = change.mode or known.ports[name].mode
        wanted = replace(change, **dict.fromkeys(("native", "allowed") if mode == "access" else ("vlan",)))
        lines = told("junos", port(name, Settings(), wanted), known=known)
        config.merge("\n".join(lines), ["statement not found"])
        found = junos.read(config.text()).ports[name]
        assert {field: getattr(found, field) for field in given(wanted)} == given(wanted)
        kept = set(given(found)) - set(given(wanted)) - set(ios.SWITCHING)
        assert {f: getattr(found, f) for f in kept} == {f: getattr(known.ports[name], f) for f in kept}


CATALYST = """
vlan internal allocation policy ascending
!
vlan 10,20-21
!
vlan 30
 name guests
!
interface Port-channel2
 switchport mode trunk
!
interface GigabitEthernet0/0
 vrf forwarding Mgmt-vrf
 no ip address
 no switchport
 speed 1000
!
interface GigabitEthernet1/0/1
 description to the core
 switchport access vlan 30
 switchport trunk native vlan 99
 switchport trunk allowed vlan 10,20,30
 switchport trunk allowed vlan add 40-42
 switchport mode dynamic desirable
 mtu 9198
 shutdown
 spanning-tree portfast
!
interface TwentyFiveGigE1/1/1
 switchport mode trunk
 channel-group 2 mode passive
!
interface TenGigabitEthernet1/1/2
 switchport mode dot1q-tunnel
 channel-group 3 mode on
!
interface Vlan1
 no ip address
"""


def test_a_configuration_of_a_catalyst_is_read() -> None:
    """Ranges, lists that go on, routed ports, LAGs and defaults are read; all else is passed over."""
    read = ios.read(CATALYST, ios.IOS)
    names = {number: told.name for number, told in read.vlans.items()}
    assert names == {"1": "default", "10": "VLAN0010", "20": "VLAN0020", "21": "VLAN0021", "30": "guests"}
    assert read.ports["GigabitEthernet1/0/1"] == Settings(
        description="to the core",
        enabled=False,
        mode="access",
        vlan=30,
        native=99,
        allowed="10,20,30,40-42",
        speed="auto",
        mtu=9198,
    )
    routed = read.ports["GigabitEthernet0/0"]
    assert (routed.mode, routed.vlan, routed.speed) == (None, None, "1G")
    assert read.lags["Port-channel2"].members == ("TwentyFiveGigE1/1/1",)
    assert (read.lags["Port-channel2"].lacp, read.lags["Port-channel2"].mode) == ("passive", "trunk")
    assert read.lags["Port-channel3"].lacp == "off"
    assert read.ports["TenGigabitEthernet1/1/2"].mode is None
    switched = told("ios", port("GigabitEthernet0/0", Settings(), Settings(mode="access")), known=read)
    assert switched == ["interface GigabitEthernet0/0", " switchport", " switchport mode access"]


def test_a_nexus_that_routes_by_default_is_read() -> None:
    """Where a port says `switchport`, those that do not are routed; a list of VLANs comes before names."""
    text = "vlan 1,10,20\nvlan 20\n  name a\ninterface Ethernet1/1\n  switchport\ninterface Ethernet1/2\n"
    read = ios.read(text, ios.NXOS)
    assert (read.ports["Ethernet1/1"].mode, read.ports["Ethernet1/2"].mode) == ("access", None)
    assert {n: v.name for n, v in read.vlans.items()} == {"1": "default", "10": "VLAN0010", "20": "a"}


def test_the_speeds_of_arista_are_read() -> None:
    """Old and new forms of a speed are read."""
    forms = {"forced 10gfull": "10G", "100full": "100M", "2.5g": "2.5G", "forced 1000full": "1G"}
    assert {form: ios.speed(form) for form in forms} == forms
    assert (ios.speed("100g-4"), ios.speed("auto 1g")) == ("100G", "auto")


JUNOS = """
set vlans servers vlan-id 20
set vlans guests vlan-id 30
set interfaces ge-0/0/1 description "to the \\"core\\""
set interfaces ge-0/0/1 native-vlan-id guests
set interfaces ge-0/0/1 unit 0 family ethernet-switching interface-mode trunk
set interfaces ge-0/0/1 unit 0 family ethernet-switching vlan members servers
set interfaces ge-0/0/1 unit 0 family ethernet-switching vlan members 40-41
set interfaces ge-0/0/1 unit 0 family ethernet-switching vlan members nowhere
set interfaces ge-0/0/2 unit 0 family inet address 192.0.2.1/24
set interfaces ge-0/0/3 disable
set interfaces ge-0/0/3 speed 100m
set interfaces xe-0/1/0 gigether-options 802.3ad ae0
set interfaces ae0 aggregated-ether-options lacp active
set interfaces ae0 aggregated-ether-options lacp periodic fast
set chassis aggregated-devices ethernet device-count 2
deactivate interfaces ge-0/0/3 disable
"""


def test_a_configuration_of_a_juniper_is_read() -> None:
    """Names of VLANs, ranges, what is deactivated and what is routed are read as what they mean."""
    read = junos.read(JUNOS)
    trunk = read.ports["ge-0/0/1"]
    assert (trunk.mode, trunk.native, trunk.allowed, trunk.vlan) == ("trunk", 30, "20,40-41", None)
    assert read.ports["ge-0/0/2"].mode is None
    assert (read.ports["ge-0/0/3"].enabled, read.ports["ge-0/0/3"].speed) == (True, "100M")
    assert (read.lags["ae0"].members, read.lags["ae0"].lacp) == (("xe-0/1/0",), "active")
    assert {n: v.name for n, v in read.vlans.items()} == {"1": "default", "20": "servers", "30": "guests"}
    assert junos.devices(JUNOS) == 2


def test_who_names_a_vlan_on_a_juniper_follows_its_new_name() -> None:
    """What lists a VLAN by its name lists it by the new one."""
    rename = vlan(20, Settings(name="servers"), Settings(name="hosts"))
    renamed = junos.lines([rename], junos.read(JUNOS), JUNOS)
    assert renamed == [
        "rename vlans servers to hosts",
        "delete interfaces ge-0/0/1 unit 0 family ethernet-switching vlan members servers",
        "set interfaces ge-0/0/1 unit 0 family ethernet-switching vlan members hosts",
    ]


# Batches.


@each_vendor
def test_a_port_stays_on_when_its_lag_is_removed(vendor: str) -> None:
    """Ports leave a LAG before it is removed, so that no switch shuts them down."""
    make("sw", vendor)
    a, b = PORTS[vendor][:2]
    (made,) = run(vendor, lag(vendor, None, Settings(members=(a, b), lacp="active")))
    run(vendor, lag(vendor, made.settings, None))
    surveyed = run(vendor, Survey(machine="m"))[0]
    assert surveyed.lags == {}
    assert all(surveyed.ports[name].enabled for name in (a, b))


@each_vendor
def test_a_lag_turns_static_and_a_port_moves_to_another(vendor: str) -> None:
    """LACP goes off for all members at once, and one batch moves a port from LAG to LAG."""
    make("sw", vendor)
    a, b, c = PORTS[vendor][:3]
    other = replace(lag(vendor, None, Settings(members=(c,), lacp="active")), name=LAGS[vendor][:-1] + "1")
    run(vendor, lag(vendor, None, Settings(members=(a, b), lacp="active")))
    (static,) = run(vendor, lag(vendor, Settings(lacp="active"), Settings(lacp="off")))
    assert (static.settings.lacp, static.settings.members) == ("off", (a, b))
    told = run(
        vendor,
        replace(other, after=Settings(members=(b, c), lacp="active")),
        lag(vendor, Settings(members=(a, b)), Settings(members=(a,))),
    )
    assert [seen.settings.members for seen in told] == [(b, c), (a,)]


@each_vendor
def test_what_is_removed_and_made_again_in_a_batch(vendor: str) -> None:
    """A VLAN that is removed and made again is there in the end, with its new name."""
    make("sw", vendor)
    run(vendor, vlan(20, None, Settings(name="old")))
    gone = (vlan(20, Settings(name="old"), None), vlan(20, None, Settings(name="new")))
    assert [seen.settings for seen in run(vendor, *gone)] == [None, Settings(name="new")]


@each_vendor
def test_ports_are_hardware(vendor: str) -> None:
    """A port is neither made nor removed."""
    make("sw", vendor)
    name = PORTS[vendor][0]
    for wrong in (port(name, Settings(), None), port(f"{name}9", None, Settings())):
        (failure,) = run(vendor, wrong)
        assert "come with its hardware" in failure.reason


@each_vendor
def test_the_compare_of_the_switch_is_shown_before_the_commit(vendor: str) -> None:
    """What the switch itself says that would change goes to whoever watches."""
    make("sw", vendor)
    shown: list[tuple[str, Instruction, bytes]] = []
    first = port(PORTS[vendor][0], Settings(), Settings(description="mine"))
    run(vendor, first, sink=lambda *told: shown.append(told))
    ((name, instruction, text),) = shown
    assert (name, instruction) == ("sw1", first)
    assert b"mine" in text


def test_looks_see_what_is_before_and_after_the_changes() -> None:
    """A look before the first change of a batch is of before, one after it of after."""
    make("sw", "eos")
    look = Look(machine="m", what="port", name="Ethernet1")
    batch = (look, port("Ethernet1", Settings(), Settings(description="mine")), look)
    before, _, after = run("eos", *batch)
    assert [seen.settings.description for seen in (before, after)] == ["", "mine"]


def test_a_port_without_link_says_so() -> None:
    """Link and hardware address are told as the switch tells them."""
    make("sw", "junos").down.add("ge-0/0/1")
    one, other = run("junos", *(Look(machine="m", what="port", name=f"ge-0/0/{n}") for n in (0, 1)))
    assert (one.settings.link, other.settings.link) == ("up", "down")
    assert other.settings.mac == "02:00:00:00:00:01"


def test_what_a_switch_passes_over_is_told() -> None:
    """Where IOS rejects a line without an error that its driver knows, what is read back tells it."""
    make("sw", "ios").config.encapsulates = True
    (seen,) = run("ios", port(PORTS["ios"][0], Settings(), Settings(mode="trunk", description="mine")))
    assert (seen.settings.mode, seen.settings.description) == ("access", "mine")


# Faults.


DESCRIBED = Settings(description="mine")


def changes(vendor: str) -> list[Configure]:
    """Return two changes."""
    return [port(name, Settings(), DESCRIBED) for name in PORTS[vendor][:2]]


def descriptions(vendor: str) -> list[str | None]:
    """Return what the two ports are described as."""
    surveyed = run(vendor, Survey(machine="m"))[0]
    return [surveyed.ports[name].description for name in PORTS[vendor][:2]]


@each_vendor
def test_a_line_that_the_switch_refuses_changes_nothing(vendor: str) -> None:
    """What the switch refuses is told in one line, for each of the batch, and nothing is changed."""
    make("sw", vendor)
    bad = port(PORTS[vendor][2], Settings(), Settings(mtu=20))
    outcomes = run(vendor, *changes(vendor), bad)
    assert all(isinstance(outcome, Failure) and not outcome.in_doubt for outcome in outcomes)
    assert all("\n" not in outcome.reason and outcome.reason.startswith("not done: ") for outcome in outcomes)
    assert descriptions(vendor) == ["", ""]


@each_vendor
@pytest.mark.parametrize("method", ["load_merge_candidate", "compare_config"])
def test_a_connection_lost_before_the_commit_changes_nothing(vendor: str, method: str) -> None:
    """Nothing is done, and that is certain."""
    device = make("sw", vendor)
    device.faults[method] = ConnectionClosedException("socket closed")
    outcomes = run(vendor, *changes(vendor))
    assert [(o.reason, o.in_doubt) for o in outcomes] == [("not done: socket closed", False)] * 2
    assert descriptions(vendor) == ["", ""]


@each_vendor
@pytest.mark.parametrize("done", [False, True])
def test_a_connection_lost_in_the_commit_leaves_doubt(vendor: str, done: bool) -> None:
    """Nobody knows whether it was done, and each of the batch says so; the machine can be used again."""
    device = make("sw", vendor)
    (device.late if done else device.faults)["commit_config"] = TimeoutError("timed out")

    async def work(one: NapalmMachine) -> list[Any]:
        outcomes = list(await one.run(tuple(Item(item) for item in changes(vendor))))
        return [*outcomes, await one.run((Item(Survey(machine="m")),))]

    *outcomes, (surveyed,) = using(machine(vendor), work)
    assert all(isinstance(outcome, Failure) and outcome.in_doubt for outcome in outcomes)
    assert surveyed.ports[PORTS[vendor][0]].description == ("mine" if done else "")
    assert asyncio.run(machine(vendor).resolve(tuple(Item(item) for item in changes(vendor)))) == [None, None]


def test_a_commit_that_fails_and_yet_changes_something_leaves_doubt() -> None:
    """What the switch says when it is read tells a refusal from a commit that is partly done."""
    device = make("sw", "ios")
    device.late["commit_config"] = MergeConfigException("Configuration merge failed;\n rollback failed")
    outcomes = run("ios", *changes("ios"))
    assert all(outcome.in_doubt and outcome.reason.endswith("a part of it is done") for outcome in outcomes)


def test_a_commit_that_cannot_be_read_back_leaves_doubt() -> None:
    """It is done, but as what nobody knows."""
    device = make("sw", "eos")

    def sink(_machine: str, _instruction: Instruction, _text: bytes) -> None:
        device.faults["get_config"] = MergeConfigException("busy")

    outcomes = run("eos", *changes("eos"), sink=sink)
    assert all(o.in_doubt and "done, but not read back" in o.reason for o in outcomes)


def test_a_candidate_that_another_holds_is_told() -> None:
    """Where somebody else configures the switch, nothing is done."""
    make("sw", "junos").faults["load_merge_candidate"] = LockError("configuration database locked by: root")
    (failure, _) = run("junos", *changes("junos"))
    assert failure.reason == "not done: configuration database locked by: root"


def test_a_connection_lost_while_idle_is_made_again() -> None:
    """What was connected once is connected again, for nothing was being done."""
    device = make("sw", "ios")

    async def work(one: NapalmMachine) -> list[Any]:
        await one.check()
        device.faults["get_config"] = EOFError()
        return list(await one.run((Item(Survey(machine="m")),)))

    assert isinstance(using(machine("ios"), work)[0], Surveyed)


@pytest.mark.parametrize(
    ("method", "error", "kind", "words"),
    [
        ("open", ConnectionException("Cannot connect to sw"), Unreachable, "reached: Cannot connect"),
        ("open", OSError("Server sw not found in known_hosts"), Unreachable, r"write \?verify=false"),
        ("open", ConnectAuthError("denied"), Unreachable, "does not let admin in; check user"),
        ("get_config", ConnectionClosedException(""), Unreachable, "connection is lost"),
        ("get_interfaces", ValueError("no\nparser"), MachineError, "cannot be used: no parser"),
    ],
)
def test_a_switch_that_cannot_be_used(
    method: str, error: Exception, kind: type[Exception], words: str
) -> None:
    """What keeps a switch from being used is told in one sentence that names it."""
    make("sw", "eos").faults[method] = error
    with pytest.raises(kind, match=words) as raised:
        run("eos", *changes("eos"))
    assert str(raised.value).startswith("machine sw1")


def test_a_check_of_what_does_not_live() -> None:
    """A check fails where the connection is lost."""
    make("sw", "eos").faults["is_alive"] = OSError("broken pipe")
    with pytest.raises(Unreachable, match="broken pipe"):
        using(machine("eos"), lambda one: one.check())


# Changes that the switch takes back.


async def hold(vendor: str, one: NapalmMachine) -> bool:
    """Change something that is to be confirmed within 90 seconds; return whether the switch can wait."""
    held = await one.hold("token-1", 90)
    outcomes = await one.run(tuple(Item(item) for item in changes(vendor)))
    assert all(isinstance(outcome, Seen) for outcome in outcomes), outcomes
    return held


@pytest.mark.parametrize("vendor", ["eos", "ios", "junos"])
@pytest.mark.parametrize("then", ["confirm", "reject", "wait"])
def test_a_change_is_taken_back_unless_it_is_confirmed(vendor: str, then: str) -> None:
    """Another connection confirms a change or takes it back; else the switch takes it back, and says so."""
    device = make("sw", vendor)
    assert using(machine(vendor), lambda one: hold(vendor, one))
    assert descriptions(vendor) == ["mine", "mine"]
    if then == "wait":
        device.now += 121
    elif then == "confirm":
        assert using(machine(vendor), lambda one: one.confirm("token-1"))
        device.now += 1000
    else:
        using(machine(vendor), lambda one: one.reject("token-1"))
    assert descriptions(vendor) == (["mine", "mine"] if then == "confirm" else ["", ""])
    assert not using(machine(vendor), lambda one: one.confirm("token-1"))
    using(machine(vendor), lambda one: one.reject("token-1"))


@pytest.mark.parametrize("vendor", ["eos", "ios", "junos"])
def test_a_switch_holds_one_change_at_a_time(vendor: str) -> None:
    """While a change waits, the next one fails and harms nothing; after it was confirmed, it is done."""
    make("sw", vendor)
    third = port(PORTS[vendor][2], Settings(), DESCRIBED)

    async def work(one: NapalmMachine) -> list[Any]:
        await hold(vendor, one)
        early = await one.run((Item(third),))
        await one.confirm("token-1")
        return [*early, *await one.run((Item(third),))]

    early, late = using(machine(vendor), work)
    assert early.reason == "not done: the switch waits for the change before this one to be confirmed"
    assert late.settings.description == "mine"


def test_what_a_switch_cannot_hold() -> None:
    """NX-OS holds nothing, IOS no more than two hours, and EOS less than a day."""

    def can(vendor: str, seconds: float) -> bool:
        able: bool = asyncio.run(machine(vendor).hold("t", seconds))
        return able

    assert not can("nxos", 60)
    assert can("ios", 7150)
    assert not can("ios", 7201)
    assert not can("eos", 86400)
    assert can("junos", 86400)


# URLs, secrets, scripts, and NAPALM itself.


@pytest.mark.parametrize(
    ("url", "words"),
    [
        ("ios://sw", "ios://user@host"),
        ("ios://admin@", "ios://user@host"),
        ("ios://admin@sw?password=hunter2", "env:NAME or file:PATH"),
        ("ios://admin@sw?verify=maybe", "true or false"),
        ("ios://admin@sw?timeout=0", "seconds"),
        ("ios://admin@sw?paswort=x", "did you mean 'password'"),
        ("ios://admin:hunter2@sw", "must not carry a password"),
    ],
)
def test_bad_urls(url: str, words: str) -> None:
    """A bad URL is refused with the remedy, and a password in it is not repeated."""
    with pytest.raises(BadInput) as raised:
        NapalmMachine.check_url(url)
    assert words in str(raised.value)
    assert "hunter2" not in str(raised.value)


def test_secrets_come_from_where_the_url_says(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Passwords come from the environment or a file; one that is missing is told."""
    make("sw", "ios")
    (tmp_path / "enable").write_text("letmein\n")
    monkeypatch.setenv("SWITCH_PASSWORD", "hunter2")
    url = f"ios://admin@sw:2222?password=env:SWITCH_PASSWORD&secret=file:{tmp_path}/enable&verify=false"
    seen: list[SimulatedDriver] = []

    class Driver(SimulatedDriver):
        def open(self) -> None:
            seen.append(self)
            super().open()

    class Watched(Simulated):
        def driver(self) -> type[SimulatedDriver]:
            return Driver

    def check() -> None:
        using(Watched("sw1", NapalmMachine.check_url(url), Vault()), lambda one: one.check())

    check()
    assert (seen[0].password, seen[0].arguments["secret"]) == ("hunter2", "letmein")
    assert (seen[0].arguments["port"], seen[0].arguments["ssh_strict"]) == (2222, False)
    monkeypatch.delenv("SWITCH_PASSWORD")
    with pytest.raises(MachineError, match="SWITCH_PASSWORD is not set"):
        check()
    monkeypatch.setenv("SWITCH_PASSWORD", "hunter2")
    (tmp_path / "enable").unlink()
    with pytest.raises(MachineError, match="cannot be read"):
        check()


@each_vendor
@pytest.mark.parametrize("alone", [True, False])
def test_a_script_prints_the_lines(vendor: str, alone: bool) -> None:
    """A script prints the lines of the vendor, as a person types them, and fails at nothing."""
    odd = Settings(description="it's $HOME `x`")
    items = [Look(machine="m", what="vlan", name="20"), port(PORTS[vendor][0], Settings(), odd)]
    script = machine(vendor).script(items, alone=alone)
    ran = subprocess.run(["sh", "-e"], input=script, capture_output=True, text=True, check=False)
    assert (ran.returncode, ran.stderr) == (0, "")
    printed = ran.stdout.splitlines()
    assert printed[0].startswith("configure")
    assert any("it's $HOME `x`" in line for line in printed)
    assert printed[-1] in ("write memory", "copy running-config startup-config", "commit and-quit")
    assert "# show vlan 20" in script
    assert "cannot be" in machine(vendor).script([vlan(20, None, Settings(name="a b"))], alone=alone)


def test_napalm_is_not_installed(monkeypatch: pytest.MonkeyPatch) -> None:
    """Without NAPALM the remedy is told."""
    monkeypatch.setitem(sys.modules, "napalm", None)
    real = NapalmMachine("sw1", NapalmMachine.check_url("ios://admin@sw"), Vault())
    with pytest.raises(MachineError, match=r"pip install 'lasercats\[napalm\]'"):
        asyncio.run(real.check())


@each_vendor
def test_the_simulated_driver_is_called_as_the_real_one(vendor: str) -> None:
    """Each method that the machine calls takes the same arguments in NAPALM's own driver."""
    real = get_network_driver(vendor)
    for method in (
        *("__init__", "open", "close", "is_alive", "get_interfaces", "get_vlans", "get_config", "cli"),
        *("load_merge_candidate", "compare_config", "commit_config", "confirm_commit", "discard_config"),
        *("has_pending_commit", "rollback"),
    ):
        ours, theirs = (inspect.signature(getattr(of, method)) for of in (SimulatedDriver, real))
        assert list(ours.parameters) == list(theirs.parameters), method


@each_vendor
def test_napalm_itself_tells_that_nobody_listens(vendor: str) -> None:
    """NAPALM's own drivers take our arguments, and what they raise is told in one sentence."""
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        number = unused.getsockname()[1]
    text = f"{vendor}://admin@127.0.0.1:{number}?timeout=5"
    real = NapalmMachine("sw1", NapalmMachine.check_url(text), Vault())
    with pytest.raises(Unreachable, match="machine sw1") as raised:
        asyncio.run(real.check())
    assert isinstance(raised.value, LaserCatsError)
    assert "\n" not in str(raised.value)


def test_what_works_below_napalm_prints_no_traceback() -> None:
    """Where nothing else is set up for logs, an error is told once: by the machine."""
    code = (
        "import asyncio; from lasercats.machines.napalm import NapalmMachine as M\n"
        "try: asyncio.run(M('sw1', M.check_url('eos://admin@127.0.0.1:1?timeout=5'), None).check())\n"
        "except Exception as error: print(error)\n"
    )
    ran = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert ran.stderr == ""
    assert "refused" in ran.stdout


class Node:
    """What Arista's own client gives NAPALM's driver: commands in, what EOS answers out."""

    def __init__(self, device: Device) -> None:
        self.device, self.sessions = device, dict[str, str]()
        self.connection = self

    def run_commands(self, commands: list[Any], encoding: str = "json", **_more: object) -> list[Any]:
        from pyeapi.eapilib import CommandError  # type: ignore[import-untyped]

        first, *rest = commands
        if first.startswith("configure session ") and first.count(" ") == 2:
            candidate = deepcopy(self.device.config)
            try:
                candidate.merge("\n".join(rest))
            except Invalid as invalid:
                raise CommandError(1002, str(invalid)) from None
            self.sessions[first.split()[2]] = "\n".join(rest)
            return [{}] * len(commands)
        return [self.answer(command) for command in commands]

    def answer(self, command: str) -> Any:  # noqa: ANN401
        device = self.device
        words = command.split()
        match words:
            case ["show", "running-config"]:
                return {"output": device.config.text()}
            case ["show", "interfaces"]:
                return {"interfaces": {name: self.interface(name) for name in device.config.names()}}
            case ["show", "version"]:
                return {"version": "4.31.2F", "uptime": 1000.0 + device.now}
            case ["show", "configuration", "sessions"]:
                return {"sessions": {}}
            case ["show", "configuration", "sessions", "detail"]:
                pending = {"state": "pendingCommitTimer", "commitBy": 1000.0 + (device.until or 0)}
                return {"sessions": {} if device.until is None else {device.session: pending}}
            case ["show", "session-config", "named", name, "diffs"]:
                return {"output": f"---\n+++\n{self.sessions[name]}"}
            case ["configure", "session", name, "commit", *timer]:
                if device.until is None:
                    device.before, device.config = device.config, deepcopy(device.config)
                    device.config.merge(self.sessions[name])
                device.until, device.session = (device.now + 90.0 if timer else None), name
            case ["configure", "session", name, "abort"]:
                if device.until is not None and device.session == name:
                    device.config, device.until = device.before, None
            case _:
                assert words[0] in ("copy", "write"), command
        return {"output": ""}

    def interface(self, name: str) -> dict[str, Any]:
        off = self.device.config.disabled(name)
        told = {"lineProtocolStatus": "down" if off else "up", "interfaceStatus": "disabled" if off else "up"}
        return told | {"description": "", "mtu": 1500, "bandwidth": 0, "physicalAddress": "02:00:00:00:00:01"}


class TestRealEosDriver(Contract):
    """The contract with NAPALM's own driver for Arista EOS; only what is below it is simulated."""

    vendor, lag = "eos", "Port-Channel7"

    def connect(self) -> NapalmMachine:
        """Return a machine whose driver finds a connection made."""
        device = self.device

        class Driver(get_network_driver("eos")):  # type: ignore[misc]
            def open(self) -> None:
                self.device = Node(device)

        class Real(NapalmMachine):
            def driver(self) -> type[Driver]:
                return Driver

        return Real("sw1", NapalmMachine.check_url("eos://admin@contract"), Vault())

    def test_what_eos_refuses_is_told(self) -> None:
        """A line that EOS refuses is told in one line, and nothing is changed."""
        (said,) = self.refused(port(self.ports[0], Settings(), Settings(mtu=20)))
        assert "Invalid input" in said

    @pytest.mark.parametrize("method", ["confirm", "reject"])
    def test_another_connection_settles_what_is_held(self, method: str) -> None:
        """The session has a name by which another connection finds it, and disconnecting does not end it."""
        settle(self, method)


def settle(contract: Contract, method: str) -> None:
    """Hold a change on one connection, confirm or reject it on another, and check what has become of it."""

    async def work(one: Any) -> bool:  # noqa: ANN401
        return await hold(contract.vendor, one)

    def described() -> str | None:
        found = contract.look("port", contract.ports[0])
        assert found is not None
        return found.description

    assert contract.using(work)
    assert described() == "mine"
    contract.using(lambda one: getattr(one, method)("token-1"))
    assert described() == ("mine" if method == "confirm" else "")
    assert not contract.using(lambda one: getattr(one, "confirm")("token-1"))  # noqa: B009 - no Machine has it


class Terminal:
    """What Netmiko gives NAPALM's driver: a terminal of IOS."""

    def __init__(self, device: Device) -> None:
        self.device, self.merge = device, ""

    def send_command(self, command: str, **_more: object) -> str:  # noqa: PLR0911, PLR0912 - a table
        device = self.device
        words = command.split()
        match words:
            case ["show", "running-config"]:
                return f"Building configuration...\n\nCurrent configuration : 1\n{device.config.text()}"
            case ["show", "interfaces"]:
                return "\n".join(self.interface(name) for name in device.config.names())
            case ["show", "vlan", "brief"]:
                return str(device.config.brief())
            case ["show", "archive", "config", "rollback", "timer"] if device.until is None:
                return "%No Rollback Confirmed Change pending"
            case ["show", "archive", "config", "rollback", "timer"]:
                return (
                    "Time configured(UTC): now\nTimer type: absolute timer\nTimer value: 2 min\nUser: admin"
                )
            case ["show", "archive", "config", "incremental-diffs", *_]:
                return "!List of Commands:\n" + self.merge
            case ["show", "archive"]:
                return "The maximum archive configurations allowed is 10."
            case ["dir", path]:
                return f"Directory of {path}"
            case ["copy", "flash:/merge_config.txt", "running-config"]:
                merged = deepcopy(device.config)
                try:
                    merged.merge(self.merge)
                except Invalid as invalid:
                    return str(invalid)
                device.before, device.config = device.config, merged
            case ["configure", "replace", *_]:
                pass
            case ["configure", "confirm"]:
                device.until = None
            case ["configure", "revert", "now"]:
                device.config, device.until = device.before, None
            case _:
                assert words[0] == "copy", command
        return ""

    def interface(self, name: str) -> str:
        state, line = ("administratively down", "down") if self.device.config.disabled(name) else ("up", "up")
        return (
            f"{name} is {state}, line protocol is {line}"
            "\n  Hardware is Gigabit Ethernet, address is 0200.0000.0001 (bia 0200.0000.0001)"
            "\n  MTU 1500 bytes, BW 1000000 Kbit/sec, DLY 10 usec,"
        )

    def config_mode(self, config_command: str) -> None:
        self.device.until = self.device.now + 60.0 * int(config_command.rsplit(maxsplit=1)[-1])

    def find_prompt(self) -> str:
        return "sw#"

    def write_channel(self, _text: str) -> None:
        pass

    @property
    def remote_conn(self) -> SimpleNamespace:
        return SimpleNamespace(transport=SimpleNamespace(is_active=lambda: True))

    def disconnect(self) -> None:
        pass

    def _autodetect_fs(self) -> str:
        return "flash:"

    def send_config_set(self, lines: list[str]) -> None:
        assert lines in (["file prompt quiet"], ["no file prompt quiet"])

    def exit_config_mode(self) -> None:
        pass

    def set_base_prompt(self) -> None:
        pass

    def save_config(self) -> str:
        return ""


class TestRealIosDriver(Contract):
    """The contract with NAPALM's own driver for Cisco IOS; only what is below it is simulated."""

    vendor, lag = "ios", "Port-channel7"
    settings = Settings(description="to the cafe", enabled=False, mtu=9000, speed="100M")

    def connect(self) -> NapalmMachine:
        """Return a machine whose driver finds a terminal open, and copies files at once."""
        device = self.device

        class Driver(get_network_driver("ios")):  # type: ignore[misc]
            def open(self) -> None:
                self.device = Terminal(device)

            def _xfer_file(self, **told: str) -> tuple[bool, str]:
                self.device.merge = Path(told["source_file"]).read_text()
                return True, ""

        class Real(NapalmMachine):
            def driver(self) -> type[Driver]:
                return Driver

        return Real("sw1", NapalmMachine.check_url("ios://admin@contract"), Vault())

    test_what_ios_refuses_is_told = TestRealEosDriver.test_what_eos_refuses_is_told

    @pytest.mark.parametrize("method", ["confirm", "reject"])
    def test_another_connection_settles_what_is_held(self, method: str) -> None:
        """Another connection of the same user confirms what is held or takes it back."""
        settle(self, method)


class Nexus(NxapiDevice):  # type: ignore[misc]
    """What NX-API gives NAPALM's driver."""

    def __init__(self, switch: Device) -> None:
        self.switch, self.checkpoint_ = switch, switch.config

    def show(self, command: str, raw_text: bool = False) -> Any:  # noqa: ANN401, FBT002 - as the real one
        config = self.switch.config
        if command.startswith("show running-config"):
            return f"!Command: show running-config\n{config.text()}"
        if command == "show interface":
            rows = [self.interface(name) for name in config.names()]
            return {"TABLE_interface": {"ROW_interface": rows}}
        assert command.startswith(("dir ", "copy run ")), command
        return ""

    def interface(self, name: str) -> dict[str, str]:
        state = "down" if self.switch.config.disabled(name) else "up"
        told = {"interface": name, "state": state, "admin_state": state}
        return told | {"eth_hw_addr": "0200.0000.0001", "eth_mtu": "1500", "eth_bw": "1000000"}

    def config_list(self, commands: list[str]) -> list[Any]:
        if commands[0] == "terminal dont-ask":
            self.checkpoint_ = deepcopy(self.switch.config)
            return [{}] * len(commands)
        try:
            self.switch.config.merge("\n".join(commands))
        except Invalid as invalid:
            raise NXAPICommandError(commands[0], str(invalid)) from None
        return [{}] * len(commands)

    def rollback(self, filename: str) -> None:
        self.switch.config = self.checkpoint_


class TestRealNxosDriver(Contract):
    """The contract with NAPALM's own driver for Cisco NX-OS; only what is below it is simulated."""

    vendor, lag = "nxos", "port-channel7"
    settings = Settings(description="to the cafe", enabled=False, mtu=9216, speed="10G")

    def connect(self) -> NapalmMachine:
        """Return a machine whose driver finds a connection made."""
        device = self.device

        class Driver(get_network_driver("nxos")):  # type: ignore[misc]
            def open(self) -> None:
                self.device = Nexus(device)

        class Real(NapalmMachine):
            def driver(self) -> type[Driver]:
                return Driver

        return Real("sw1", NapalmMachine.check_url("nxos://admin@contract"), Vault())

    def test_what_nxos_refuses_is_told(self) -> None:
        """A line that NX-OS refuses half-way is told, and what was done before it is taken back."""
        mine = port(self.ports[1], Settings(), DESCRIBED)
        said = self.refused(mine, port(self.ports[0], Settings(), Settings(mtu=20)))
        assert all("Invalid input" in text for text in said)


class Juniper:
    """What Juniper's own client gives NAPALM's driver: a candidate that is loaded, compared and committed."""

    def __init__(self, switch: Device) -> None:
        self.switch, self.candidate = switch, deepcopy(switch.config)
        self.cu = self.rpc = self

    def lock(self) -> None:
        pass

    unlock = close = lock

    def get_config(self, filter_xml: None, options: dict[str, str]) -> SimpleNamespace:
        assert options == {"format": "set", "database": "committed"}
        return SimpleNamespace(text=self.switch.config.text())

    def load(self, text: str, *, format: str, overwrite: bool, ignore_warning: list[str]) -> None:  # noqa: A002
        assert (format, overwrite) == ("set", False)
        self.candidate = deepcopy(self.switch.config)
        try:
            self.candidate.merge(text, ignore_warning)
        except Invalid as invalid:
            raise ConfigLoadError(None, None, [{"severity": "error", "message": str(invalid)}]) from None

    def diff(self, *, ignore_warning: list[str]) -> str:
        return str(self.candidate.text())

    def commit(self, *, ignore_warning: list[str], confirm: int | None = None) -> None:
        self.candidate.commit_check()
        if self.switch.until is None:
            self.switch.before, self.switch.config = self.switch.config, self.candidate
        self.switch.until = None if confirm is None else self.switch.now + 60.0 * confirm

    def rollback(self, *, rb_id: int, ignore_warning: list[str] | None = None) -> None:
        self.candidate = deepcopy(self.switch.before if rb_id else self.switch.config)
        if rb_id:
            self.switch.until = None

    def get_commit_revision_information(self, *, detail: bool) -> Element:
        until = self.switch.until
        told = "" if until is None else "<comment>commit confirmed, rollback in 2mins</comment>"
        return fromstring(f"<c><date-time seconds='0'/><revision>re0-1</revision>{told}</c>")  # noqa: S314 - our own

    def get_system_uptime_information(self) -> Element:
        return fromstring("<s><current-time><date-time seconds='1'/></current-time></s>")  # noqa: S314


class TestRealJunosDriver(TestJunos):
    """The contract with NAPALM's own driver for Junos, but for its table of interfaces."""

    def connect(self) -> NapalmMachine:
        """Return a machine whose driver finds a connection made."""
        device = self.device

        class Driver(get_network_driver("junos")):  # type: ignore[misc]
            def open(self) -> None:
                self.device = Juniper(device)

            def is_alive(self) -> dict[str, bool]:
                return {"is_alive": True}

            def get_interfaces(self) -> dict[str, Any]:
                return {name: {"is_up": not device.config.disabled(name)} for name in device.config.names()}

        class Real(NapalmMachine):
            def driver(self) -> type[Driver]:
                return Driver

        return Real("sw1", NapalmMachine.check_url("junos://admin@contract"), Vault())

    def test_what_junos_refuses_is_told(self) -> None:
        """A line that Junos refuses is told without what else its client says about it."""
        (said,) = self.refused(port(self.ports[0], Settings(), Settings(mtu=20)))
        assert said == "not done: error: syntax error: interfaces ge-0/0/0 mtu 34"

    @pytest.mark.parametrize("method", ["confirm", "reject"])
    def test_another_connection_settles_what_is_held(self, method: str) -> None:
        """Another connection confirms what is held or takes it back."""
        settle(self, method)
