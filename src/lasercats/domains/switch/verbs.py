"""The verbs of what has VLANs: ports, and LAGs when they are written as `switch.lag/SWITCH:NAME`."""

from collections.abc import Mapping
from typing import Annotated, Any, ClassVar

from msgspec import Meta
from msgspec.structs import replace

from lasercats.core.address import Address
from lasercats.core.command import Command
from lasercats.core.errors import Refused
from lasercats.core.loose import Forms
from lasercats.core.resource import Resource
from lasercats.core.state import State
from lasercats.domains.switch import settings
from lasercats.domains.switch.settings import Switched, Text, check_free, existing
from lasercats.instructions import vlans

Some = Annotated[str, Meta(description="VLANs: 10,20-30")]


class _Verb(settings.Sets, frozen=True, init=False):
    @classmethod
    def sets(cls, before: Resource, desired: Mapping[str, Any]) -> frozenset[str]:
        """Return nothing: `configure` leads from one state to another."""
        return frozenset()


class _Switching(_Verb, frozen=True, init=False):
    def found(self, address: Address, state: State) -> Resource:
        """Return what is there, where no LAG uses it."""
        there = super().found(address, state)
        check_free(address, state)
        return there


class Access(
    _Switching,
    frozen=True,
    init=False,
    tag="switch.access",
    past="switch.access_set",
    of=Switched,
    takes=("vlan",),
):
    """Make ports access ports, whose frames are untagged and of one VLAN."""

    constant: ClassVar[Mapping[str, Any]] = {"mode": "access"}

    vlan: (
        Annotated[int, Meta(ge=vlans.FIRST, le=vlans.LAST, description="the VLAN of an access port")] | None
    ) = None


class Trunk(
    _Switching,
    frozen=True,
    init=False,
    tag="switch.trunk",
    past="switch.trunk_set",
    of=Switched,
    takes=("native", "allowed"),
):
    """Make ports trunks, which carry many VLANs by tags."""

    constant: ClassVar[Mapping[str, Any]] = {"mode": "trunk"}


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


def _set(text: str, summary: str) -> frozenset[int]:
    """Return a set of VLANs.

    Raises:
        Refused: it is none, as a switch or an old log may tell.

    """
    try:
        return vlans.carried(text)
    except ValueError as error:
        raise Refused(f"{summary}: {error}") from None


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


class Describe(
    _Verb,
    frozen=True,
    init=False,
    tag="switch.describe",
    past="switch.described",
    of=Switched,
    takes=("description",),
    needs=("description",),
):
    """Say what ports are for."""

    description: Annotated[Text, Meta(description='what they are for; "" for nothing')]


class Enable(
    _Verb, frozen=True, init=False, tag="switch.enable", past="switch.enabled", of=Switched, takes=()
):
    """Let ports carry frames."""

    constant: ClassVar[Mapping[str, Any]] = {"enabled": True}


class Disable(
    _Verb, frozen=True, init=False, tag="switch.disable", past="switch.disabled", of=Switched, takes=()
):
    """Shut ports down; what else they are set to stays."""

    announces: ClassVar[tuple[str, ...]] = ("interrupts",)
    constant: ClassVar[Mapping[str, Any]] = {"enabled": False}


SHARED = (Access, Trunk, Allow, Disallow, Describe, Enable, Disable)
