"""The verbs of what has VLANs: ports, and LAGs when they are written as `switch.lag/SWITCH:NAME`."""

from collections.abc import Iterator
from typing import Annotated, ClassVar

from msgspec import Meta
from msgspec.structs import replace

from lasercats.core.address import Address
from lasercats.core.command import Command
from lasercats.core.errors import Refused
from lasercats.core.loose import Forms
from lasercats.core.state import State
from lasercats.domains.switch.settings import (
    Allowed,
    Description,
    Enabled,
    Mode,
    Mtu,
    Native,
    Speed,
    Switched,
    Text,
    Vlan,
    check_free,
    check_used,
    existing,
    vlan_addresses,
    with_fields,
)
from lasercats.instructions import vlans

Some = Annotated[str, Meta(description="VLANs: 10,20-30")]


class Access(Command, frozen=True, tag="switch.access"):
    """Make ports access ports, whose frames are untagged and of one VLAN."""

    past: ClassVar[str] = "switch.access_set"

    vlan: (
        Annotated[int, Meta(ge=vlans.FIRST, le=vlans.LAST, description="the VLAN of an access port")] | None
    ) = None

    def concerns(self, address: Address) -> Iterator[Address]:
        """Return the VLAN."""
        return vlan_addresses(address, self.vlan)

    def decide(self, address: Address, state: State) -> Switched:
        """Return it as an access port, of this VLAN if one is given."""
        found: Switched = existing(address, state)
        check_free(address, state)
        return check_used(address, state, with_fields(replace(found, mode="access"), self))


class Trunk(Command, frozen=True, tag="switch.trunk"):
    """Make ports trunks, which carry many VLANs by tags."""

    past: ClassVar[str] = "switch.trunk_set"
    forms: ClassVar[Forms] = {"allowed": vlans.one_form}

    native: Native | None = None
    allowed: Allowed | None = None

    def concerns(self, address: Address) -> Iterator[Address]:
        """Return the VLAN of untagged frames."""
        return vlan_addresses(address, self.native)

    def decide(self, address: Address, state: State) -> Switched:
        """Return it as a trunk, with these VLANs if they are given."""
        found: Switched = existing(address, state)
        check_free(address, state)
        return check_used(address, state, with_fields(replace(found, mode="trunk"), self))


class _Allowing(Command, frozen=True):
    forms: ClassVar[Forms] = {"vlans": vlans.one_form}

    vlans: Some

    def _there(self, address: Address, state: State) -> tuple[Switched, frozenset[int], frozenset[int]]:
        """Return the trunk, its VLANs, and those of the command.

        Raises:
            Refused: it is no trunk, or is in use by a LAG.

        """
        found: Switched = existing(address, state)
        check_free(address, state)
        if found.mode == "access":
            raise Refused(f"it is an access port; `lasercats switch trunk {address}` makes it a trunk")
        return found, _carried(found), _set(self.vlans, self.vlans)


def _carried(found: Switched) -> frozenset[int]:
    """Return what a trunk carries; of all, frames in no VLAN only where they are in none by themselves."""
    there = _set(found.allowed or vlans.NONE, "what it allows")
    return there - {vlans.UNTAGGED} if found.allowed == vlans.ALL and found.native else there


def _set(text: str, told: str) -> frozenset[int]:
    """Return a set of VLANs.

    Raises:
        Refused: it is none, as a switch or an old log may tell.

    """
    try:
        return vlans.carried(text)
    except ValueError as error:
        raise Refused(f"{told}: {error}") from None


class Allow(_Allowing, frozen=True, tag="switch.allow"):
    """Let trunks carry more VLANs; others stay."""

    past: ClassVar[str] = "switch.vlans_allowed"

    def decide(self, address: Address, state: State) -> Switched:
        """Return it with these VLANs, too."""
        found, old, these = self._there(address, state)
        return replace(found, allowed=vlans.write(old | these))


class Disallow(_Allowing, frozen=True, tag="switch.disallow"):
    """Let trunks carry some VLANs no more; others stay."""

    past: ClassVar[str] = "switch.vlans_disallowed"

    def decide(self, address: Address, state: State) -> Switched:
        """Return it without these VLANs."""
        found, old, these = self._there(address, state)
        left = vlans.write(old - these)
        if left == vlans.ALL and these:
            raise Refused(
                "all but what is untagged cannot be said; put that into a VLAN with `lasercats switch trunk`"
            )
        return replace(found, allowed=left)


class Describe(Command, frozen=True, tag="switch.describe"):
    """Say what ports are for."""

    past: ClassVar[str] = "switch.described"

    description: Annotated[Text, Meta(description='what they are for; "" for nothing')]

    def decide(self, address: Address, state: State) -> Switched:
        """Return it with this description."""
        found: Switched = existing(address, state)
        return replace(found, description=self.description)


class Enable(Command, frozen=True, tag="switch.enable"):
    """Let ports carry frames."""

    past: ClassVar[str] = "switch.enabled"

    def decide(self, address: Address, state: State) -> Switched:
        """Return it enabled."""
        found: Switched = existing(address, state)
        return replace(found, enabled=True)


class Disable(Command, frozen=True, tag="switch.disable"):
    """Shut ports down; what else they are set to stays."""

    past: ClassVar[str] = "switch.disabled"
    announces: ClassVar[tuple[str, ...]] = ("interrupts",)

    def decide(self, address: Address, state: State) -> Switched:
        """Return it shut down."""
        found: Switched = existing(address, state)
        return replace(found, enabled=False)


class Setting(Command, frozen=True):
    """A command that sets any fields of what has VLANs."""

    forms: ClassVar[Forms] = {"allowed": vlans.one_form}
    announces: ClassVar[tuple[str, ...]] = ("interrupts",)

    description: Description | None = None
    enabled: Enabled | None = None
    mode: Mode | None = None
    vlan: Vlan | None = None
    native: Native | None = None
    allowed: Allowed | None = None

    def concerns(self, address: Address) -> Iterator[Address]:
        """Return its VLANs."""
        return vlan_addresses(address, self.vlan, self.native)


class Configure(Setting, frozen=True, tag="switch.configure"):
    """Set any fields of ports at once; on a member of a LAG its VLANs are what it has when it leaves that."""

    past: ClassVar[str] = "switch.configured"

    speed: Speed | None = None
    mtu: Mtu | None = None

    def decide(self, address: Address, state: State) -> Switched:
        """Return it with these fields."""
        found: Switched = existing(address, state)
        return check_used(address, state, with_fields(found, self))


SHARED = (Access, Trunk, Allow, Disallow, Describe, Enable, Disable, Configure)
