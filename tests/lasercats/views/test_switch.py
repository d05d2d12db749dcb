"""The faceplate of a switch: all of it is there, readable, and safe to open."""

import re
from typing import Any
from xml.etree import ElementTree

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lasercats.core.address import Address
from lasercats.core.resource import Resource
from lasercats.core.visible import hides
from lasercats.domains.switch import lag, port, vlan
from lasercats.domains.switch.lag import Lag
from lasercats.domains.switch.port import Port
from lasercats.domains.switch.settings import named
from lasercats.domains.switch.vlan import Vlan
from lasercats.views.faceplate import ink, rgb, short
from lasercats.views.switch import SwitchPicture
from tests.lasercats.domains.switch.test_any_value import values

SVG = "{http://www.w3.org/2000/svg}"
ANSI = re.compile(r"\x1b\[[0-9;]*m")


def resources(count: int, **more: Resource) -> dict[Address, Resource]:
    """Return a switch with ports in VLAN 20, and more."""
    found: dict[Address, Resource] = {Address("switch.vlan/sw1:20"): Vlan(name="servers")}
    for n in range(1, count + 1):
        found[Address(f"switch.port/sw1:eth{n}")] = Port(mode="access", vlan=20, enabled=True, link="up")
    return found | {Address(f"switch.{name.replace('_', '/sw1:')}"): one for name, one in more.items()}


def picture(count: int, **more: Resource) -> SwitchPicture:
    """Return the picture of such a switch."""
    return SwitchPicture("sw1", resources(count, **more))


def jacks(svg: str) -> dict[str, ElementTree.Element]:
    """Return the groups of the ports, by name, in their order."""
    groups = [g for g in ElementTree.fromstring(svg).iter(f"{SVG}g") if g.get("class") == "port"]  # noqa: S314
    return {f"{g.findtext(f'{SVG}title')}".partition(";")[0]: g for g in groups}


@pytest.mark.parametrize("count", [0, 1, 4, 48, 49, 130])
def test_every_port_is_drawn_once_in_its_order(count: int) -> None:
    """An SVG is well-formed and has a jack for each port, eth2 before eth10."""
    assert list(jacks(picture(count).svg())) == [f"eth{n}" for n in range(1, count + 1)]


@pytest.mark.parametrize("width", [*range(60, 200, 7), 80, 160])
@pytest.mark.parametrize("count", [0, 1, 47, 130])
def test_a_terminal_is_never_too_narrow(width: int, count: int) -> None:
    """No line is longer than the terminal; with colours it reads the same as without."""
    lag = Lag(members=tuple(f"eth{n}" for n in range(1, count + 1)) or ("eth1",), mode="trunk", allowed="all")
    drawn = picture(count, lag_bond0=lag)
    plain = drawn.terminal(width, color=False)
    assert "\x1b" not in plain
    assert max(map(len, plain.splitlines())) <= width
    colored = ANSI.sub("", drawn.terminal(width, color=True))
    assert max(map(len, colored.splitlines())) <= width
    frame = [line for line in plain.splitlines() if line[0] in "│┌├└"]
    assert [line for line in colored.splitlines() if line[0] in "│┌├└"] == frame


def test_what_a_port_is_set_to_is_told() -> None:
    """Mode, VLANs, link, shutdown and description are told of each port, in both forms."""
    drawn = picture(
        1,
        port_eth2=Port(mode="trunk", native=30, allowed="10,20-30", enabled=True, link="down"),
        port_eth3=Port(mode="trunk", native=0, allowed="all", enabled=False, link="up", description="old"),
    )
    titles = [f"{g.findtext(f'{SVG}title')}" for g in jacks(drawn.svg()).values()]
    assert titles == [
        "eth1; enabled; link up; access VLAN 20",
        "eth2; enabled; link down; trunk, native 30, allowed 10,20-30",
        "eth3; disabled; link up; trunk, native none, allowed all; old",
    ]
    cells = re.findall(r"[●○✕] *\w+(?=│)", drawn.terminal(80, color=False))
    assert cells == ["●  20", "✕   T", "○ T30"]
    assert "20 servers: 1 port" in drawn.svg()
    assert "3 ports, 2 up, 1 disabled" in drawn.terminal(80, color=False)


def test_a_member_of_a_lag_is_drawn_as_the_lag_is_set() -> None:
    """What a member had before is not shown; the LAG's VLANs are, and which LAG it is."""
    lag = Lag(members=("eth1", "eth2"), lacp="active", mode="access", vlan=30)
    drawn = picture(3, lag_bond0=lag)
    found = jacks(drawn.svg())
    assert "access VLAN 30; in bond0" in f"{found['eth1'].findtext(f'{SVG}title')}"
    assert "access VLAN 20" in f"{found['eth3'].findtext(f'{SVG}title')}"
    assert "LAG bond0: eth1, eth2; LACP active; access VLAN 30" in drawn.svg()
    shown = drawn.terminal(80, color=False)
    assert "1a" in shown
    assert "a bond0: eth1, eth2; LACP active; access VLAN 30" in shown
    assert "20 servers: 1 port" in shown


def test_what_somebody_wrote_stays_text() -> None:
    """Names and descriptions with markup in them do not become markup."""
    evil = "<script>alert('x')</script>&amp;\"'"
    drawn = SwitchPicture(
        "<b>sw</b>", {Address("switch.port/sw1:eth1"): Port(description=evil, mode="access", vlan=20)}
    )
    (jack,) = jacks(drawn.svg()).values()
    assert evil in f"{jack.findtext(f'{SVG}title')}"
    assert "<script" not in drawn.svg()


def test_a_vlan_keeps_its_colour_and_can_be_read() -> None:
    """The colour depends on the number alone, neighbours differ, and the ink is read on it (WCAG AA, 4.5)."""

    def luminance(color: tuple[int, int, int]) -> float:
        parts = [c / 255 for c in color]
        linear = [p / 12.92 if p <= 0.04045 else ((p + 0.055) / 1.055) ** 2.4 for p in parts]
        return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]

    for number in range(1, 4095):
        low, high = sorted((luminance(rgb(number)), luminance(ink(rgb(number)))))
        assert (high + 0.05) / (low + 0.05) >= 4.5, number
        assert sum(abs(a - b) for a, b in zip(rgb(number), rgb(number + 1), strict=True)) > 60


def test_labels_are_short() -> None:
    """What the names share is left out of their labels; another name stays whole."""
    assert short(["GigabitEthernet1/0/1", "GigabitEthernet1/0/24", "mgmt"]) == ["1", "24", "mgmt"]
    assert short(["uplink"]) == ["uplink"]


NAMES = st.text(st.characters(codec="utf-8"), min_size=1)


@given(values(port.KIND), values(lag.KIND), values(vlan.KIND), NAMES)
def test_whatever_a_switch_says_is_drawn(
    one: dict[str, Any], two: dict[str, Any], three: dict[str, Any], name: str
) -> None:
    """Any value of any field, and any name, is drawn: well-formed, and a terminal gets no orders."""
    there: dict[Address, Resource] = {
        named("sw1", "switch.port", name): Port(**one),
        Address("switch.port/sw1:eth1"): Port(**one),
        Address("switch.lag/sw1:b"): Lag(**two),
        Address("switch.vlan/sw1:20"): Vlan(**three),
    }
    drawn = SwitchPicture("sw1", there)
    assert len(jacks(drawn.svg())) >= 1
    assert not hides(drawn.terminal(100, color=False))
