"""`switch.vlan`: a VLAN of a switch; its address holds its number (IEEE 802.1Q)."""

from collections.abc import Iterator, Mapping
from typing import Annotated, Any, ClassVar

from msgspec import Meta
from msgspec.structs import replace

from lasercats.core.address import Address
from lasercats.core.change import Change
from lasercats.core.command import Command
from lasercats.core.errors import Refused
from lasercats.core.kind import Found, Kind
from lasercats.core.program import Known, Program, Step
from lasercats.core.resource import Resource
from lasercats.core.state import State
from lasercats.domains.switch import settings
from lasercats.domains.switch.settings import LAG, PORT
from lasercats.instructions import vlans

Name = Annotated[str, Meta(min_length=1, pattern=r"^[^\x00]*$", description="what it is called")]


class Vlan(Resource, frozen=True):
    """A VLAN of a switch."""

    ranged: ClassVar[bool] = True

    name: Name | None = None


class Create(Command, frozen=True, tag="switch.create_vlan"):
    """Make VLANs, or rename those that are there."""

    past: ClassVar[str] = "switch.vlan.created"

    name: Name | None = None

    def decide(self, address: Address, state: State) -> Vlan:
        """Return it with this name, or the one that switches give: VLAN0020."""
        found = state.get(address)
        own = found.name if isinstance(found, Vlan) else f"VLAN{int(settings.at(address).name):04}"
        return Vlan(name=self.name or own)


class Rename(Command, frozen=True, tag="switch.rename_vlan"):
    """Rename VLANs."""

    past: ClassVar[str] = "switch.vlan.renamed"

    name: Name

    def decide(self, address: Address, state: State) -> Vlan:
        """Return it with this name."""
        found: Vlan = settings.existing(address, state)
        return replace(found, name=self.name)


class Delete(Command, frozen=True, tag="switch.delete_vlan"):
    """Remove VLANs that no port is in."""

    past: ClassVar[str] = "switch.vlan.deleted"

    def decide(self, address: Address, state: State) -> None:
        """Return nothing; a VLAN that is used stays, and so does the first."""
        number = int(settings.at(address).name)
        if number == vlans.DEFAULT:
            raise Refused("VLAN 1 is always there")
        if state.get(address) is None:
            return
        for kind in (PORT, LAG):
            for other, found in settings.on_switch(address, state, kind):
                if settings.used(found) == number:
                    raise Refused(f"{other} is in it; take that out of it first")


def act(address: Address, change: Change[Any], _known: Known) -> Step:
    """Make, rename or remove it."""
    return settings.act("vlan", Vlan, address, change)


def converge(address: Address, change: Change[Vlan]) -> Iterator[Command]:
    """Make, rename or remove it."""
    on, before, after = (address,), change.before, change.after
    if after is None:
        yield Delete(on=on)
    elif before is None:
        yield Create(on=on, name=after.name)
    elif after.name is not None and after.name != before.name:
        yield Rename(on=on, name=after.name)


def observe(_machine: str, known: Mapping[Address, Any]) -> Program[Found]:
    """Look at VLANs."""
    return settings.look("vlan", Vlan, known)


def discover(machine: str) -> Program[Found]:
    """Find all VLANs of a switch."""
    return settings.survey("vlan", Vlan, machine)


KIND: Kind[Any] = Kind(
    name=settings.VLAN,
    resource=Vlan,
    commands=(Create, Rename, Delete),
    converge=converge,
    act=act,
    observe=observe,
    canonical=settings.canonical_vlan,
    expand=settings.expand,
    form="SWITCH:NUMBER, or a range as in sw1:10,20-30",
    discover=discover,
)
