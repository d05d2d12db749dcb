"""What the tests of switches through NAPALM share: machines, the contract, and changes."""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from typing import Any, TypeVar

import pytest

from lasercats.core.instruction import Instruction, Item
from lasercats.core.ports import Machine, Sink
from lasercats.core.secret import Sealed
from lasercats.instructions.switch import Configure, Seen, Settings, Survey, Surveyed
from lasercats.machines.napalm import VENDORS, NapalmMachine
from lasercats.testing.cli_config import PORTS
from lasercats.testing.cli_switch import SimulatedDriver, make
from lasercats.testing.switches import SwitchContract, port, vlan

LAGS = {"eos": "Port-Channel7", "ios": "Port-channel7", "nxos": "port-channel7", "junos": "ae3"}
T = TypeVar("T")
each_vendor = pytest.mark.parametrize("vendor", list(LAGS))


class Vault:
    """A vault that keeps nothing secret."""

    def seal(self, secret: bytes, places: Sequence[str]) -> Sealed:
        del places
        return Sealed(secret.decode())

    def places(self, sealed: Sealed) -> tuple[str, ...]:
        del sealed
        return ()

    def is_for(self, sealed: Sealed, place: str) -> bool:
        del sealed, place
        return True

    def open(self, sealed: Sealed, place: str) -> bytes:
        del place
        return str(sealed).encode()


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


class JunosContract(Contract):
    """The contract as Juniper Junos can keep it."""

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


def lines_of(vendor: str, *items: Configure, known: Surveyed | None = None) -> list[str]:
    """Return the lines of a batch, without what they end with."""
    lines = VENDORS[vendor].lines(items, known or Surveyed(), "")
    return [line for line in lines if line != "end"]


DESCRIBED = Settings(description="mine")


def changes(vendor: str) -> list[Configure]:
    """Return two changes."""
    return [port(name, Settings(), DESCRIBED) for name in PORTS[vendor][:2]]


def descriptions(vendor: str) -> list[str | None]:
    """Return what the two ports are described as."""
    surveyed = run(vendor, Survey(machine="m"))[0]
    return [surveyed.ports[name].description for name in PORTS[vendor][:2]]


async def hold(vendor: str, one: NapalmMachine) -> bool:
    """Change something that is to be confirmed within 90 seconds; return whether the switch can wait."""
    held = await one.hold("token-1", 90)
    outcomes = await one.run(tuple(Item(item) for item in changes(vendor)))
    assert all(isinstance(outcome, Seen) for outcome in outcomes), outcomes
    return held
