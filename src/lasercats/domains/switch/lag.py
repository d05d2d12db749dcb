"""`switch.lag`: ports that are one link together (IEEE 802.1AX)."""

from collections.abc import Iterator, Mapping
from typing import Any, ClassVar

from msgspec.structs import replace

from lasercats.core.address import Address
from lasercats.core.change import Change
from lasercats.core.command import Command
from lasercats.core.errors import Refused
from lasercats.core.kind import Found, Kind
from lasercats.core.loose import Forms
from lasercats.core.program import Known, Program, Step
from lasercats.core.resource import decisions
from lasercats.core.state import State
from lasercats.domains.switch import settings, verbs
from lasercats.domains.switch.settings import (
    PORT,
    Lacp,
    Members,
    Switched,
    Told,
)


class Lag(Switched, frozen=True):
    """A link aggregation group; its VLANs are set on it and not on its members."""

    forms: ClassVar[Forms] = {**Switched.forms, "members": settings.members}

    members: Members | None = None
    lacp: Lacp | None = None
    link: Told = None
    other: Told = None


class _Gathering(Command, frozen=True):
    forms: ClassVar[Forms] = {"members": settings.members}
    announces: ClassVar[tuple[str, ...]] = ("interrupts",)

    members: Members

    def concerns(self, address: Address) -> Iterator[Address]:
        """Return the ports."""
        return (settings.sibling(address, PORT, name) for name in settings.ports(self.members))


class Create(verbs.Setting, frozen=True, tag="switch.create_lag"):
    """Make LAGs of ports that are in no other, or set those that are there."""

    past: ClassVar[str] = "switch.lag.created"
    forms: ClassVar[Forms] = {**verbs.Setting.forms, "members": settings.members}

    members: Members | None = None
    lacp: Lacp | None = None

    def concerns(self, address: Address) -> Iterator[Address]:
        """Return the ports and VLANs, and a port of that name."""
        yield from super().concerns(address)
        yield from (settings.sibling(address, PORT, name) for name in settings.ports(self.members))
        yield settings.sibling(address, PORT, settings.at(address).name)

    def decide(self, address: Address, state: State) -> Lag:
        """Return the LAG with these fields; by default it speaks LACP."""
        found, name = state.get(address), settings.at(address).name
        if state.get(settings.sibling(address, PORT, name)) is not None:
            raise Refused(f"{name} is a port; give the LAG another name")
        if not isinstance(found, Lag):
            if self.members is None:
                raise Refused("a LAG is made of ports; give --member")
            found = Lag(lacp="active")
        _check_ports(address, state, self.members, found)
        return settings.check_used(address, state, settings.with_fields(found, self))


def _check_ports(address: Address, state: State, asked: tuple[str, ...] | None, found: Lag) -> None:
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


class Join(_Gathering, frozen=True, tag="switch.join"):
    """Add ports to LAGs; others stay."""

    past: ClassVar[str] = "switch.lag.joined"

    def decide(self, address: Address, state: State) -> Lag:
        """Return it with these members, too."""
        found: Lag = settings.existing(address, state)
        _check_ports(address, state, self.members, found)
        return replace(found, members=(*(found.members or ()), *self.members))


class Leave(_Gathering, frozen=True, tag="switch.leave"):
    """Take ports out of LAGs; at least one stays."""

    past: ClassVar[str] = "switch.lag.left"

    def decide(self, address: Address, state: State) -> Lag:
        """Return it without these members."""
        found: Lag = settings.existing(address, state)
        left = tuple(name for name in found.members or () if name not in self.members)
        if not left:
            raise Refused("no port would be left in it; `lasercats switch delete-lag` removes it")
        return replace(found, members=left)


class SetLacp(Command, frozen=True, tag="switch.lacp"):
    """Let LAGs speak LACP, or not."""

    past: ClassVar[str] = "switch.lag.lacp_set"

    lacp: Lacp

    def decide(self, address: Address, state: State) -> Lag:
        """Return it with this mode."""
        found: Lag = settings.existing(address, state)
        return replace(found, lacp=self.lacp)


class SetMembers(_Gathering, frozen=True, tag="switch.set_members"):
    """Let LAGs have these members and no others."""

    past: ClassVar[str] = "switch.lag.members_set"

    def decide(self, address: Address, state: State) -> Lag:
        """Return it with these members, wherever they are now: the switch has the last word on that."""
        found: Lag = settings.existing(address, state)
        return replace(found, members=self.members)


class Delete(Command, frozen=True, tag="switch.delete_lag"):
    """Remove LAGs; their ports are what they were before."""

    past: ClassVar[str] = "switch.lag.deleted"

    def decide(self, address: Address, state: State) -> None:
        """Return nothing."""


def act(address: Address, change: Change[Any], _known: Known) -> Step:
    """Make, configure or remove it."""
    return settings.act("lag", Lag, address, change)


def converge(address: Address, change: Change[Lag]) -> Iterator[Command]:
    """Make or remove it; else set what differs."""
    on, before, after = (address,), change.before, change.after
    if after is None:
        yield Delete(on=on)
        return
    wish, old = decisions(after), decisions(before)
    if before is None:
        if after.members is None:
            raise Refused(f"{address} cannot be made without members")
        yield Create(on=on, **wish)
        return
    told = {name: value for name, value in wish.items() if old.get(name) != value}
    members, lacp = told.pop("members", None), told.pop("lacp", None)
    if members is not None:
        yield SetMembers(on=on, members=members)
    if lacp is not None:
        yield SetLacp(on=on, lacp=lacp)
    if told:
        yield verbs.Configure(on=on, **told)


def observe(_machine: str, known: Mapping[Address, Any]) -> Program[Found]:
    """Look at LAGs."""
    return settings.look("lag", Lag, known)


def discover(machine: str) -> Program[Found]:
    """Find all LAGs of a switch."""
    return settings.survey("lag", Lag, machine)


def needs(address: Address, resource: Lag | None) -> Iterator[Address]:
    """Return its members, and the VLAN of its untagged frames."""
    if resource is not None:
        yield from (settings.sibling(address, PORT, name) for name in settings.ports(resource.members))
    yield from settings.vlan_addresses(address, settings.used(resource))


def holds(resource: Lag) -> tuple[str, ...]:
    """Return its members: a port is in one LAG at most."""
    return settings.ports(resource.members)


def rivals(address: Address) -> tuple[Address, ...]:
    """Return the port of the same name."""
    return (settings.sibling(address, PORT, settings.at(address).name),)


KIND = Kind(
    name=settings.LAG,
    resource=Lag,
    commands=(*verbs.SHARED, Create, Join, Leave, SetMembers, SetLacp, Delete),
    converge=converge,
    act=act,
    observe=observe,
    canonical=settings.canonical,
    expand=settings.expand,
    form="SWITCH:LAG",
    needs=needs,
    holds=holds,
    rivals=rivals,
    discover=discover,
    loses=settings.loses,
    interrupts=settings.interrupts,
)
