"""`switch.vlan`: a VLAN of a switch; its address holds its number (IEEE 802.1Q)."""

from typing import Annotated

from msgspec import Meta

from lasercats.core.address import Address
from lasercats.core.errors import Refused
from lasercats.core.resource import Resource
from lasercats.core.state import State
from lasercats.domains.switch import settings
from lasercats.domains.switch.settings import LAG, PORT, VLAN
from lasercats.instructions import vlans

Name = Annotated[str, Meta(min_length=1, pattern=r"^[^\x00]*$", description="what it is called")]


class Vlan(Resource, frozen=True):
    """A VLAN of a switch."""

    name: Name | None = None


class Create(
    settings.Makes, frozen=True, init=False, tag="switch.create_vlan", past="switch.vlan.created", of=Vlan
):
    """Make VLANs, or rename those that are there."""

    def found(self, address: Address, state: State) -> Resource:
        """Return what is there, or a new one, named as switches name it: VLAN0020."""
        there = state.get(address)
        return there if isinstance(there, Vlan) else Vlan(name=f"VLAN{int(settings.at(address).name):04}")


class Rename(
    settings.Sets,
    frozen=True,
    init=False,
    tag="switch.rename_vlan",
    past="switch.vlan.renamed",
    of=Vlan,
    needs=("name",),
):
    """Rename VLANs."""


class Delete(
    settings.Removes, frozen=True, init=False, tag="switch.delete_vlan", past="switch.vlan.deleted", of=Vlan
):
    """Remove VLANs that no port is in."""

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


class VlanKind(settings.SwitchKind[Vlan]):
    """VLANs."""

    name = VLAN
    what = "vlan"
    resource = Vlan
    commands = (Create, Rename, Delete)
    form = "SWITCH:NUMBER, or a range as in sw1:10,20-30"

    def canonical(self, name: str) -> str:
        """Check the name of a VLAN, and give the number its one form."""
        return settings.canonical_vlan(name)


KIND = VlanKind()
