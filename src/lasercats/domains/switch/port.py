"""`switch.port`: a port of a switch and its VLANs."""

from collections.abc import Iterator
from typing import Annotated, ClassVar

from msgspec import Meta

from lasercats.core.address import Address
from lasercats.core.change import Change
from lasercats.core.errors import Refused
from lasercats.core.program import Known
from lasercats.core.resource import Resource
from lasercats.core.setting import settable
from lasercats.core.state import State
from lasercats.domains.switch import settings, verbs
from lasercats.domains.switch.settings import (
    LAG,
    PORT,
    Computed,
    Mtu,
    Speed,
    Switched,
)

Type = Annotated[
    str,
    Meta(
        pattern=r"^[^\x00]*$",
        description='what a virtual port is made as: internal; "" for a device of the system',
    ),
]


class Port(Switched, frozen=True):
    """A port of a switch."""

    speed: Speed | None = None
    mtu: Mtu | None = None
    type: Type | None = None
    link: Computed = None
    mac: Computed = None
    lag: Computed = None
    other: Computed = None


class Add(settings.Makes, frozen=True, init=False, tag="switch.add_port", past="switch.port.added", of=Port):
    """Make ports on a virtual switch, or set those that are there; a switch of hardware has its own."""

    announces: ClassVar[tuple[str, ...]] = ("interrupts",)

    def found(self, address: Address, state: State) -> Resource:
        """Return the port, or a new one."""
        found, (machine, name) = super().found(address, state), settings.at(address)
        lag = settings.sibling(address, LAG, name)
        if state.get(lag) is not None:
            raise Refused(f"{name} is a lag of {machine}: {lag}")
        type_ = getattr(found, "type", None)
        if self.type is not None and type_ not in (None, self.type):
            raise Refused(f"it is there as {type_ or 'a device of the system'!r}; remove it first")
        return found


class Remove(
    settings.Removes, frozen=True, init=False, tag="switch.remove_port", past="switch.port.removed", of=Port
):
    """Remove ports from a virtual switch."""

    def decide(self, address: Address, state: State) -> None:
        """Return nothing; a port in a LAG stays."""
        if state.get(address) is not None:
            settings.check_free(address, state)


class Configure(
    settings.Sets,
    frozen=True,
    init=False,
    tag="switch.configure",
    past="switch.configured",
    of=Port,
    takes=(*settable(Switched), "speed", "mtu"),
):
    """Set any fields of ports at once; on a member of a LAG its VLANs are what it has when it leaves that."""

    announces: ClassVar[tuple[str, ...]] = ("interrupts",)


class PortKind(settings.SwitchKind[Port]):
    """Ports."""

    name = PORT
    what = "port"
    resource = Port
    commands = (*verbs.SHARED, Configure, Add, Remove)
    form = "SWITCH:PORT, or a range as in sw1:eth1-24"

    def needs(self, address: Address, resource: Port | None) -> Iterator[Address]:
        """Return the VLAN of its untagged frames."""
        return settings.vlan_addresses(address, settings.used(resource))

    def rivals(self, address: Address) -> tuple[Address, ...]:
        """Return the LAG of the same name."""
        return (settings.sibling(address, LAG, settings.at(address).name),)

    def replaces(self, change: Change[Port]) -> bool:
        """Tell whether a change cannot be made in place: another type."""
        types = {change.before.type if change.before else None, change.after.type if change.after else None}
        return None not in types and len(types) > 1

    def lag_of(self, address: Address, change: Change[Port], known: Known) -> str | None:
        """Return the LAG of which it is known to be a member."""
        was = None if change.before is None else change.before.lag
        lag = None if was is None else known(settings.sibling(address, LAG, was))
        return was if settings.at(address).name in settings.ports(getattr(lag, "members", None)) else None


KIND = PortKind()
