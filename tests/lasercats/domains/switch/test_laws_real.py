"""The laws of ports, VLANs and LAGs on a real Open vSwitch."""

from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from lasercats.core.address import Address
from lasercats.core.command import Command
from lasercats.core.kind import Kind
from lasercats.core.resource import Resource
from lasercats.domains.switch import lag, port, vlan
from lasercats.testing import strategies
from lasercats.testing.laws import check_fidelity, check_recreate, check_replay
from tests.lasercats.domains.switch.test_laws import FIELDS

if TYPE_CHECKING:
    from tests.lasercats.domains.switch.conftest import Switch

pytestmark = pytest.mark.slow
E1, E2, E3 = (Address(f"switch.port/m:e{n}") for n in (1, 2, 3))
V20, V30 = Address("switch.vlan/m:20"), Address("switch.vlan/m:30")
GROUND: tuple[Command, ...] = (vlan.Create(on=(V20, V30)), port.Add(on=(E1, E2, E3)))
REAL = {
    **FIELDS,
    "speed": st.just("auto"),
    "type": st.just("dummy"),
    "mtu": st.sampled_from([1500, 1400]),
    "members": st.lists(st.sampled_from(["e1", "e2"]), min_size=1, max_size=2, unique=True).map(tuple),
}


@pytest.mark.parametrize(
    ("kind", "name"), [(port.KIND, "m:e3"), (port.KIND, "m:p9"), (lag.KIND, "m:b"), (vlan.KIND, "m:20")]
)
def test_law_6_fidelity_and_law_8_replay(switch: "Switch", kind: Kind[Any], name: str) -> None:
    """What is simulated is what Open vSwitch does, and every recorded program runs again the same way."""
    kinds: list[Kind[Any]] = [kind, port.KIND, lag.KIND] if kind is lag.KIND else [kind]

    @settings(max_examples=100, deadline=None, suppress_health_check=list(HealthCheck))
    @given(strategies.logs(kinds, (name,), REAL, size=8))
    def law(log: list[Command]) -> None:
        switch.fresh()
        switch.do(*GROUND)
        check_fidelity(log, switch.context, switch.runner)
        check_replay(switch.context)

    law()


def test_law_6_among_all_kinds(switch: "Switch") -> None:
    """Ports, VLANs and LAGs that are in each other's way are so in the simulation as on the switch."""
    parts = [
        strategies.commands(port.KIND, ("m:e1", "m:e2", "m:e3", "m:p9"), REAL),
        strategies.commands(lag.KIND, ("m:b",), REAL),
        strategies.commands(vlan.KIND, ("m:20", "m:30"), REAL),
    ]

    @settings(max_examples=100, deadline=None, suppress_health_check=list(HealthCheck))
    @given(st.lists(st.one_of(parts), min_size=1, max_size=10))
    def law(log: list[Command]) -> None:
        switch.fresh()
        switch.do(*GROUND)
        check_fidelity(log, switch.context, switch.runner)
        check_replay(switch.context)

    law()


def test_law_7_recreate(switch: "Switch") -> None:
    """A desired state of every kind is brought about on an empty switch and seen as it is."""
    desired: dict[Address, Resource] = {
        V20: vlan.Vlan(name="servers"),
        E1: port.Port(
            description="to the café",
            enabled=False,
            mode="access",
            vlan=20,
            native=30,
            allowed="20",
            mtu=1400,
        ),
        Address("switch.port/m:p9"): port.Port(
            description="", enabled=True, mode="trunk", vlan=1, native=20, allowed="10,20-30", type="dummy"
        ),
        Address("switch.lag/m:b"): lag.Lag(
            members=("e2", "e3"), lacp="active", mode="trunk", native=0, allowed="20", description="up"
        ),
    }
    check_recreate(desired, switch.context, switch.runner)
