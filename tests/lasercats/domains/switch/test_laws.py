"""The laws of ports, VLANs and LAGs."""

from typing import ClassVar

from hypothesis import strategies as st

from lasercats.core.address import Address
from lasercats.core.command import Command
from lasercats.core.registry import Kinds
from lasercats.domains.switch import DOMAIN, lag, port, vlan
from lasercats.testing.laws import KindLaws
from lasercats.testing.strategies import Fields

SETS = st.sampled_from(["10", "20-30", "10,20-22,24", "all", "none"])
FIELDS: Fields = {
    "description": st.sampled_from(["", "to the café", "a'b\"c"]),
    "mode": st.sampled_from(["access", "trunk"]),
    "vlan": st.sampled_from([1, 20, 30]),
    "native": st.sampled_from([0, 1, 20, 30]),
    "allowed": SETS,
    "vlans": SETS,
    "speed": st.sampled_from(["auto", "1G"]),
    "mtu": st.sampled_from([1500, 9000]),
    "type": st.sampled_from(["", "internal"]),
    "members": st.lists(st.sampled_from(["e1", "e2", "e3"]), min_size=1, max_size=2).map(tuple),
    "lacp": st.sampled_from(["active", "passive", "off"]),
    "name": st.sampled_from(["servers", "guests"]),
}
VLANS: tuple[Command, ...] = (vlan.Create(on=(Address("switch.vlan/m:20"), Address("switch.vlan/m:30"))),)
PORTS: tuple[Command, ...] = (
    port.Add(on=tuple(Address(f"switch.port/m:e{n}") for n in (1, 2, 3)), type="internal"),
)


class TestPort(KindLaws):
    """Ports, among LAGs of the same names."""

    kinds = Kinds([DOMAIN])
    kind = port.KIND
    names: ClassVar = ("m:p1", "m:p2", "m:b")
    fields = FIELDS
    ground = (*VLANS, *PORTS)


class TestLag(KindLaws):
    """LAGs, among ports of the same names."""

    kinds = Kinds([DOMAIN])
    kind = lag.KIND
    names: ClassVar = ("m:a", "m:b")
    fields = FIELDS
    ground = (*VLANS, *PORTS)


class TestVlan(KindLaws):
    """VLANs."""

    kinds = Kinds([DOMAIN])
    kind = vlan.KIND
    names: ClassVar = ("m:20", "m:30", "m:40")
    fields = FIELDS
