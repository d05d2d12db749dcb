"""`switch.port`: a port of a switch and its VLANs."""

from collections.abc import Iterator, Mapping
from typing import Annotated, Any, ClassVar

from msgspec import Meta

from lasercats.core.address import Address
from lasercats.core.change import Change
from lasercats.core.command import Command
from lasercats.core.errors import Refused
from lasercats.core.kind import Found, Kind
from lasercats.core.program import Known, Program, Step
from lasercats.core.resource import decisions
from lasercats.core.state import State
from lasercats.domains.switch import settings, verbs
from lasercats.domains.switch.settings import (
    LAG,
    Mtu,
    Speed,
    Switched,
    Told,
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
    link: Told = None
    mac: Told = None
    lag: Told = None
    other: Told = None


class Add(verbs.Setting, frozen=True, tag="switch.add_port"):
    """Make ports on a virtual switch, or set those that are there; a switch of hardware has its own."""

    past: ClassVar[str] = "switch.port.added"

    type: Type | None = None
    speed: Speed | None = None
    mtu: Mtu | None = None

    def concerns(self, address: Address) -> Iterator[Address]:
        """Return its VLANs, and a LAG of that name."""
        yield from super().concerns(address)
        yield settings.sibling(address, LAG, settings.at(address).name)

    def decide(self, address: Address, state: State) -> Port:
        """Return the port with these fields."""
        found = state.get(address)
        lag = settings.sibling(address, LAG, settings.at(address).name)
        if state.get(lag) is not None:
            raise Refused(f"{settings.at(address).name} is a lag of {settings.at(address).machine}: {lag}")
        if isinstance(found, Port) and self.type is not None and found.type not in (None, self.type):
            raise Refused(f"it is there as {found.type or 'a device of the system'!r}; remove it first")
        made = settings.with_fields(found if isinstance(found, Port) else Port(), self)
        return settings.check_used(address, state, made)


class Remove(Command, frozen=True, tag="switch.remove_port"):
    """Remove ports from a virtual switch."""

    past: ClassVar[str] = "switch.port.removed"

    def decide(self, address: Address, state: State) -> None:
        """Return nothing; a port in a LAG stays."""
        if state.get(address) is not None:
            settings.check_free(address, state)


def act(address: Address, change: Change[Any], known: Known) -> Step:
    """Make, configure or remove it."""
    told = None if change.before is None else change.before.lag
    lag = None if told is None else known(settings.sibling(address, LAG, told))
    held = settings.at(address).name in settings.ports(getattr(lag, "members", None))
    return settings.act("port", Port, address, change, told if held else None)


def converge(address: Address, change: Change[Port]) -> Iterator[Command]:
    """Make or remove it; else set what differs."""
    on, before, after = (address,), change.before, change.after
    if after is None:
        yield Remove(on=on)
    elif before is None:
        yield Add(on=on, **decisions(after))
    else:
        wish, old = decisions(after), decisions(before)
        told = {name: value for name, value in wish.items() if old.get(name) != value}
        if "type" in told:
            yield Add(on=on, **told)
        elif told:
            yield verbs.Configure(on=on, **told)


def observe(_machine: str, known: Mapping[Address, Any]) -> Program[Found]:
    """Look at ports."""
    return settings.look("port", Port, known)


def discover(machine: str) -> Program[Found]:
    """Find all ports of a switch."""
    return settings.survey("port", Port, machine)


def needs(address: Address, resource: Port | None) -> Iterator[Address]:
    """Return the VLAN of its untagged frames."""
    return settings.vlan_addresses(address, settings.used(resource))


def rivals(address: Address) -> tuple[Address, ...]:
    """Return the LAG of the same name."""
    return (settings.sibling(address, LAG, settings.at(address).name),)


def replaces(change: Change[Port]) -> bool:
    """Tell whether a change cannot be made in place: another type."""
    types = {change.before.type if change.before else None, change.after.type if change.after else None}
    return None not in types and len(types) > 1


KIND = Kind(
    name=settings.PORT,
    resource=Port,
    commands=(*verbs.SHARED, Add, Remove),
    converge=converge,
    act=act,
    observe=observe,
    canonical=settings.canonical,
    expand=settings.expand,
    form="SWITCH:PORT, or a range as in sw1:eth1-24",
    needs=needs,
    rivals=rivals,
    replaces=replaces,
    discover=discover,
    loses=settings.loses,
    interrupts=settings.interrupts,
)
