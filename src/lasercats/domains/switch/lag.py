"""`switch.lag`: ports that are one link together (IEEE 802.1AX)."""

from collections.abc import Iterator, Mapping
from typing import Any, ClassVar

from msgspec.structs import replace

from lasercats.core import setting
from lasercats.core.address import Address
from lasercats.core.errors import Refused
from lasercats.core.loose import Forms
from lasercats.core.resource import Resource
from lasercats.core.state import State
from lasercats.domains.switch import port, settings, verbs
from lasercats.domains.switch.settings import (
    LAG,
    PORT,
    Computed,
    Lacp,
    Members,
    Switched,
)


class Lag(Switched, frozen=True):
    """A link aggregation group; its VLANs are set on it and not on its members."""

    forms: ClassVar[Forms] = {**Switched.forms, "members": settings.members}

    members: Members | None = None
    lacp: Lacp | None = None
    link: Computed = None
    other: Computed = None


class Create(
    settings.Makes, frozen=True, init=False, tag="switch.create_lag", past="switch.lag.created", of=Lag
):
    """Make LAGs of ports that are in no other, or set those that are there."""

    announces: ClassVar[tuple[str, ...]] = ("interrupts",)
    new: ClassVar[Mapping[str, Any]] = {"lacp": "active"}

    def found(self, address: Address, state: State) -> Resource:
        """Return the LAG, or a new one; by default it speaks LACP."""
        name = settings.at(address).name
        if state.get(settings.sibling(address, PORT, name)) is not None:
            raise Refused(f"{name} is a port; give the LAG another name")
        if self.members is None and not isinstance(state.get(address), Lag):
            raise Refused("a LAG is made of ports; give --member")
        found = super().found(address, state)
        _check_ports(address, state, self.members, found)
        return found

    @classmethod
    def complete(cls, on: tuple[Address, ...], desired: Mapping[str, Any]) -> setting.Makes:
        """Return the command that says all that is desired."""
        if "members" not in desired:
            raise Refused(f"{on[0]} cannot be made without members")
        return super().complete(on, desired)


def _check_ports(address: Address, state: State, asked: tuple[str, ...] | None, found: Any) -> None:  # noqa: ANN401
    """Check that ports that are to become members are there and in no LAG.

    Raises:
        Refused: one is not.

    """
    for name in sorted({*settings.ports(asked)} - {*settings.ports(found.members)}):
        port = settings.sibling(address, PORT, name)
        if state.known_absent(port):
            raise Refused(f"there is no port {name} on {settings.at(address).machine}")
        lag = settings.holder(port, state)
        if lag not in (None, settings.at(address).name):
            raise Refused(f"{name} is in use by the LAG {lag}; take it out of that first")


class SetMembers(
    settings.Sets,
    frozen=True,
    init=False,
    tag="switch.set_members",
    past="switch.lag.members_set",
    of=Lag,
    takes=("members",),
    needs=("members",),
):
    """Let LAGs have these members and no others."""

    announces: ClassVar[tuple[str, ...]] = ("interrupts",)


class _Gathering(settings.Sets, frozen=True, init=False, takes=("members",), needs=("members",)):
    announces: ClassVar[tuple[str, ...]] = ("interrupts",)

    @classmethod
    def sets(cls, before: Resource, desired: Mapping[str, Any]) -> frozenset[str]:
        """Return nothing: `set-members` leads from one state to another."""
        return frozenset()


class Join(_Gathering, frozen=True, init=False, tag="switch.join", past="switch.lag.joined", of=Lag):
    """Add ports to LAGs; others stay."""

    def found(self, address: Address, state: State) -> Resource:
        """Return what is there, where these ports are in no other LAG."""
        found = super().found(address, state)
        _check_ports(address, state, self.members, found)
        return found

    def put(self, found: Any) -> Resource:  # noqa: ANN401 - a LAG
        """Return it with these members, too."""
        joined: Resource = replace(found, members=(*(found.members or ()), *self.members))
        return joined


class Leave(_Gathering, frozen=True, init=False, tag="switch.leave", past="switch.lag.left", of=Lag):
    """Take ports out of LAGs; at least one stays."""

    def put(self, found: Any) -> Resource:  # noqa: ANN401 - as above
        """Return it without these members."""
        left = tuple(name for name in found.members or () if name not in self.members)
        if not left:
            raise Refused("no port would be left in it; `lasercats switch delete-lag` removes it")
        rest: Resource = replace(found, members=left)
        return rest


class SetLacp(
    settings.Sets,
    frozen=True,
    init=False,
    tag="switch.lacp",
    past="switch.lag.lacp_set",
    of=Lag,
    takes=("lacp",),
    needs=("lacp",),
):
    """Let LAGs speak LACP, or not."""


class Delete(
    settings.Removes, frozen=True, init=False, tag="switch.delete_lag", past="switch.lag.deleted", of=Lag
):
    """Remove LAGs; their ports are what they were before."""


class LagKind(settings.SwitchKind[Lag]):
    """LAGs."""

    name = LAG
    what = "lag"
    resource = Lag
    commands = (*verbs.SHARED, SetMembers, SetLacp, port.Configure, Create, Join, Leave, Delete)
    form = "SWITCH:LAG"

    def needs(self, address: Address, resource: Lag | None) -> Iterator[Address]:
        """Return its members, and the VLAN of its untagged frames."""
        if resource is not None:
            yield from (settings.sibling(address, PORT, name) for name in settings.ports(resource.members))
        yield from settings.vlan_addresses(address, settings.used(resource))

    def holds(self, resource: Lag) -> tuple[str, ...]:
        """Return its members: a port is in one LAG at most."""
        return settings.ports(resource.members)

    def rivals(self, address: Address) -> tuple[Address, ...]:
        """Return the port of the same name."""
        return (settings.sibling(address, PORT, settings.at(address).name),)


KIND = LagKind()
