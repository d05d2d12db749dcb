"""The lines that vendors are told, and what is read of their configurations."""

import pytest
from hypothesis import given as for_all
from hypothesis import strategies as st
from msgspec.structs import replace

from lasercats.instructions import ios, junos, vlans
from lasercats.instructions.switch import SWITCHING, Configure, Settings, values_of
from lasercats.instructions.switch_model import Wrong
from lasercats.machines.napalm import VENDORS
from lasercats.testing.cli_config import PORTS, CliConfig, JunosConfig
from lasercats.testing.switches import port, vlan
from tests.lasercats.machines.napalm.common import lag, lines_of


def test_the_lines_of_cisco_ios() -> None:
    """A VLAN, a trunk and a LAG are configured in this order, and the members like the LAG."""
    name, other = "GigabitEthernet1/0/1", "GigabitEthernet1/0/2"
    assert lines_of(
        "ios",
        lag("ios", None, Settings(members=(other,), lacp="passive", mode="trunk", allowed="20")),
        port(name, Settings(), Settings(description="up", enabled=True, mode="trunk", native=30)),
        port(name, Settings(), Settings(speed="2.5G")),
        vlan(20, None, Settings(name="servers")),
        vlan(30, Settings(name="old"), None),
    ) == [
        *("no vlan 30", "vlan 20", " name servers", " exit"),
        *("interface Port-channel7", " switchport mode trunk", " no switchport access vlan"),
        *(" no switchport trunk native vlan", " switchport trunk allowed vlan 20"),
        *("interface GigabitEthernet1/0/2", " switchport mode trunk", " no switchport access vlan"),
        *(" no switchport trunk native vlan", " switchport trunk allowed vlan 20"),
        " channel-group 7 mode passive",
        *(f"interface {name}", " description up", " no shutdown", " switchport mode trunk"),
        *(" switchport trunk native vlan 30", " speed 2500"),
    ]


def test_the_lines_of_other_vendors_differ_where_they_must() -> None:
    """Each vendor has its own lines for members, speeds, and trunks that take no untagged frames."""
    new = Settings(members=("Ethernet1/2",), lacp="active")
    assert lines_of("nxos", lag("nxos", None, new))[-1] == " channel-group 7 force mode active"
    assert lines_of("eos", lag("eos", None, replace(new, lacp="off")))[-1] == " channel-group 7 mode on"
    eos = lines_of("eos", port("Ethernet1", Settings(), Settings(native=0, speed="100M")))
    assert eos == ["interface Ethernet1", " switchport trunk native vlan tag", " speed 100full"]
    assert lines_of("eos", port("Ethernet1", Settings(), Settings(speed="10G")))[1] == " speed 10g"
    back = Settings(description="", vlan=1, native=1, speed="auto", mtu=1500, allowed="all", enabled=False)
    assert [line[1:] for line in lines_of("nxos", port("Ethernet1/1", Settings(), back))[1:]] == [
        *("no description", "shutdown", "no switchport access vlan", "no switchport trunk native vlan"),
        *("switchport trunk allowed vlan all", "no speed", "no mtu"),
    ]


def test_the_lines_of_junos() -> None:
    """A VLAN, an access port and a LAG are configured by `set` and `delete`."""
    assert lines_of(
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
        lines_of(vendor, vlan(10, None, Settings(name="a")), wrong)
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
        config.merge("\n".join(lines_of(vendor, port(name, Settings(), wanted), known=known)))
        assert config.messages == []
        expected = replace(expected, **values_of(wanted))
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
        lines = lines_of("junos", port(name, Settings(), wanted), known=known)
        config.merge("\n".join(lines), ["statement not found"])
        found = junos.read(config.text()).ports[name]
        assert {field: getattr(found, field) for field in values_of(wanted)} == values_of(wanted)
        kept = set(values_of(found)) - set(values_of(wanted)) - set(SWITCHING)
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
    names = {number: one.name for number, one in read.vlans.items()}
    assert names == {"1": "default", "10": "VLAN0010", "20": "VLAN0020", "21": "VLAN0021", "30": "guests"}
    assert read.ports["GigabitEthernet1/0/1"] == Settings(
        description="to the core",
        enabled=False,
        mode="dynamic desirable",
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
    assert read.ports["TenGigabitEthernet1/1/2"].mode == "dot1q-tunnel"
    switched = lines_of("ios", port("GigabitEthernet0/0", Settings(), Settings(mode="access")), known=read)
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
    assert (ios.speed("100g-4"), ios.speed("auto 1g"), ios.speed("10half")) == ("100G", "auto 1g", "10half")


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
