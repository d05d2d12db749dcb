"""What vendors do to lines that are too long, and to members that do not fit to their LAG."""

import pytest
from hypothesis import given as for_all
from hypothesis import strategies as st
from msgspec.structs import replace

from lasercats.instructions import ios, junos, vlans
from lasercats.instructions.switch import Configure, Settings, Surveyed
from lasercats.instructions.switch_model import Wrong
from lasercats.machines.napalm import VENDORS
from lasercats.testing.cli_config import LINE, PORTS, CliConfig, JunosConfig
from lasercats.testing.switches import port
from tests.lasercats.machines.napalm.common import lag, lines_of

DIALECTS = {"ios": ios.IOS, "nxos": ios.NXOS, "eos": ios.EOS}
each_dialect = pytest.mark.parametrize("vendor", list(DIALECTS))


@each_dialect
@for_all(numbers=st.frozensets(st.integers(vlans.FIRST, vlans.LAST), min_size=1))
def test_a_long_list_is_told_in_lines_that_are_taken(vendor: str, numbers: frozenset[int]) -> None:
    """A list of VLANs of any length is told in lines that a switch takes, and is that list then."""
    name, device = PORTS[vendor][0], CliConfig(vendor)
    lines = lines_of(vendor, port(name, Settings(), Settings(mode="trunk", allowed=vlans.write(numbers))))
    assert max(map(len, lines)) <= LINE
    device.merge("\n".join(lines))
    assert not device.messages
    assert ios.read(device.text(), DIALECTS[vendor]).ports[name].allowed == vlans.write(numbers)


@each_dialect
def test_what_does_not_fit_into_a_line_is_refused(vendor: str) -> None:
    """A description that would be cut off is refused before anything is sent."""
    with pytest.raises(Wrong, match="letters a line"):
        lines_of(vendor, port(PORTS[vendor][0], Settings(), Settings(description="x" * 300)))


OTHER = Settings(mode="trunk", native=99, vlan=50, allowed="10,20")
SECONDS = [OTHER, replace(OTHER, native=98), Settings(mode="access", vlan=50)]
WISHES = {
    "all undecided": Settings(lacp="active"),
    "native undecided": Settings(lacp="active", mode="trunk", allowed="10,20"),
    "another mode": Settings(lacp="active", mode="access", vlan=30),
    "all decided": Settings(lacp="active", mode="trunk", native=1, vlan=1, allowed="all"),
}


@each_dialect
@pytest.mark.parametrize("desired", WISHES)
@pytest.mark.parametrize(
    "second", [OTHER, replace(OTHER, native=98), Settings(mode="access", vlan=50)], ids=repr
)
def test_no_member_of_a_new_lag_is_suspended(vendor: str, desired: str, second: Settings) -> None:
    """Members and a new LAG are of the same VLANs, as all members have them, or as it is decided."""
    device, names = CliConfig(vendor), PORTS[vendor][:2]
    for name, settings in zip(names, (OTHER, second), strict=True):
        device.merge("\n".join(lines_of(vendor, port(name, ios.PLAIN, settings))))
    known = ios.read(device.text(), DIALECTS[vendor])
    made = replace(WISHES[desired], members=names)
    device.merge("\n".join(lines_of(vendor, lag(vendor, None, made), known=known)))
    assert not device.messages
    there = ios.read(device.text(), DIALECTS[vendor]).lags[lag(vendor, None, made).name]
    if vendor != "eos":  # whose members have what they had, and it does not matter
        assert device.suspended() == []
    if second == OTHER and "undecided" in desired:
        assert (there.mode, there.native, there.allowed) == ("trunk", 99, "10,20")
    if desired == "all decided":
        assert (there.mode, there.native, there.vlan, there.allowed) == ("trunk", 1, 1, "all")


def test_a_script_sets_members_alike_whatever_they_were() -> None:
    """Where nobody knows what members are set to, the lines for IOS set all that a LAG must share."""
    names = PORTS["ios"][:2]
    device = CliConfig("ios")
    for name in names:
        device.merge("\n".join(lines_of("ios", port(name, ios.PLAIN, OTHER))))
    device.merge(
        "\n".join(lines_of("ios", lag("ios", None, Settings(members=names, lacp="active", mode="trunk"))))
    )
    assert device.suspended() == []


def test_a_new_lag_of_junos_is_as_its_members_were() -> None:
    """A new LAG takes the native VLAN and the list of its members, which lose theirs."""
    device, names = JunosConfig(), PORTS["junos"][:2]
    device.merge("set vlans ten vlan-id 10\nset vlans nine vlan-id 99")
    own = Settings(mode="trunk", native=99, allowed="10")
    for name in names:
        device.merge("\n".join(lines_of("junos", port(name, Settings(), own))), ["statement not found"])
    known = junos.read(device.text())
    made = lag("junos", None, Settings(members=names, lacp="active", mode="trunk"))
    lines = VENDORS["junos"].lines([made], known, device.text())
    device.merge("\n".join(lines), ["statement not found"])
    device.commit_check()
    there = junos.read(device.text()).lags[made.name]
    assert (there.mode, there.native, there.allowed) == ("trunk", 99, "10")


@each_dialect
@pytest.mark.parametrize(
    "desired",
    [
        Settings(mode="native-tagged"),
        Settings(vlan=0),
        Settings(native=4095),
        Settings(allowed="0,10"),
        Settings(description="two\nlines"),
        Settings(description="a\0b"),
        Settings(mtu=-1),
        Settings(speed="a\nb"),
    ],
    ids=repr,
)
def test_what_a_vendor_has_no_line_for_is_refused(vendor: str, desired: Settings) -> None:
    """What a line cannot say is refused before anything is sent."""
    with pytest.raises(Wrong):
        lines_of(vendor, port(PORTS[vendor][0], Settings(), desired))
    if desired.mode is None:
        with pytest.raises(Wrong):
            lines_of(
                "junos",
                port(
                    PORTS["junos"][0], Settings(mode="trunk" if desired.vlan is None else "access"), desired
                ),
            )


@pytest.mark.parametrize(
    ("line", "field", "value"),
    [
        ("switchport mode dynamic auto", "mode", "dynamic auto"),
        ("switchport mode dot1q-tunnel", "mode", "dot1q-tunnel"),
        ("speed nonegotiate", "speed", "nonegotiate"),
        ("speed 100half", "speed", "100half"),
    ],
)
def test_words_of_the_switch_come_back(line: str, field: str, value: str) -> None:
    """A mode or a speed that is none of ours is told in the words of the switch, and written so again."""
    name = PORTS["ios"][0]
    read = ios.read(f"interface {name}\n {line}\n", ios.IOS).ports[name]
    assert getattr(read, field) == value
    desired = Settings(mode=value) if field == "mode" else Settings(speed=value)
    assert lines_of("ios", port(name, ios.PLAIN, desired))[-1] == f" {line}"


def test_what_all_carry_and_one_vlan_less() -> None:
    """On a switch that knows no VLAN 0, what is left of all carries no VLAN 0."""
    name = PORTS["eos"][0]
    known = Surveyed({name: replace(ios.PLAIN, mode="trunk", native=0)}, {}, {})
    change: Configure = port(name, Settings(allowed="all"), Settings(allowed="0-29,31-4094"))
    for there in (known, None):
        assert lines_of("eos", change, known=there)[-1] == " switchport trunk allowed vlan 1-29,31-4094"


def test_names_of_vlans_with_spaces_are_read() -> None:
    """A name is read to the column of the state, and reserved VLANs are left out."""
    brief = "VLAN Name   Status\n20   web servers/DMZ   active    Gi1/0/1\n1002 fddi-default  act/unsup\n"
    assert ios.read_vlans(brief) == {"20": Settings(name="web servers/DMZ")}


@pytest.mark.parametrize("text", ["vlan 5000\nvlan 20\n name a\n", "!\n! !\nvlan 20\n name a\n"])
def test_one_section_that_makes_no_sense(text: str) -> None:
    """A section that cannot be understood is told as strange, and the others are read."""
    read = ios.read(f"{text}interface Ethernet1\n mtu wide\ninterface Ethernet2\n mtu 9000\n", ios.EOS)
    assert read.vlans["20"].name == "a"
    assert list(read.ports) == ["Ethernet2"]
    assert "makes no sense" in read.strange["port Ethernet1"]
