"""`rack.cable`: a cable between two ports, or between a power port and a feed."""

import re
from collections.abc import Iterable, Iterator, Mapping
from typing import Annotated, Any, ClassVar

from msgspec import Meta

from lasercats.core.address import Address
from lasercats.core.change import Change
from lasercats.core.command import Command
from lasercats.core.errors import Refused
from lasercats.core.loose import Forms
from lasercats.core.program import Known, Program, Step
from lasercats.core.resource import Resource
from lasercats.core.state import State
from lasercats.domains.rack import place, power
from lasercats.domains.rack.place import CABLE, DEVICE, FEED, Text
from lasercats.instructions import work_order

_END = re.compile(r"[^\x00-\x1f\x7f:/]{1,64}(:[^\x00-\x1f\x7f]{1,64})?")
POWER = ("power-port", "power-outlet")
CONSOLE = ("console-port", "console-server-port")
PLUGGED = (*POWER, *CONSOLE, "interface", "front-port", "rear-port")

End = Annotated[Text, Meta(description="DEVICE:PORT, as in db1:eth0, or the name of a power feed")]
Type = Annotated[
    str, Meta(pattern="^[a-z0-9.-]{0,32}$", description="what it is: cat6a, mmf-om4, dac-passive, power")
]
Color = Annotated[
    str, Meta(pattern="^([a-z ]{0,32}|#[0-9a-f]{6})$", description="its colour: blue, or #0055aa")
]
Length = Annotated[float, Meta(ge=0, le=10_000, description="how long it is in metres")]
PLANNED, CONNECTED = "planned", "connected"
"""The words of NetBox. A cable of which nothing is said is connected."""
Status = Annotated[str, Meta(pattern="^(planned|connected)$", description="planned or connected")]
Label = Annotated[Text, Meta(description='what is written on both of its ends; "" for nothing')]


class Cable(place.Record, frozen=True):
    """A cable. Its ends are at the same machine as itself."""

    a: End | None = None
    b: End | None = None
    type: Type | None = None
    color: Color | None = None
    length: Length | None = None
    label: Label | None = None
    status: Status | None = None

    forms: ClassVar[Forms] = {"length": place.plain}

    def check(self) -> None:
        """Check the ends.

        Raises:
            ValueError: one is none, or both are the same.

        """
        super().check()
        for end in (self.a, self.b):
            if end is not None and (not _END.fullmatch(end) or end != end.strip()):
                raise ValueError(f"{end!r} is no end of a cable; write DEVICE:PORT, or the name of a feed")
        if self.a is not None and self.a == self.b:
            raise ValueError(f"both ends are at {self.a}; a cable has two")


class _Between(place.Makes, frozen=True, init=False, takes=("a", "b", "type", "color", "length", "label")):
    """A command that says between what a cable is, and what it is like."""

    def found(self, address: Address, state: State) -> Cable:
        """Return the cable, or a new one; where it is known, its ends are those that it has."""
        found: Cable = super().found(address, state)
        ends = {found.a, found.b}
        if state.get(address) is not None and {self.a or found.a, self.b or found.b} != ends:
            raise Refused(f"it connects {found.a} and {found.b}; disconnect it first")
        return found

    def admit(self, address: Address, after: Cable, state: State) -> None:
        """Check that it has two ends."""
        if after.a is None or after.b is None:
            raise Refused("say what it is between: --a and --b")


class Connect(_Between, frozen=True, init=False, tag="rack.connect", past="rack.cable.connected", of=Cable):
    """Connect two ports, or a port and a feed, by cables, or those that were planned."""

    constant: ClassVar[Mapping[str, Any]] = {"status": CONNECTED}

    def admit(self, address: Address, after: Cable, state: State) -> None:
        """Check that both ends are mounted, are free and fit each other."""
        super().admit(address, after, state)
        if not is_connected(state.get(address)):
            _check_new(address, after, state)
            _check_mounted(address, after, state)


class PlanCable(
    _Between, frozen=True, init=False, tag="rack.plan_cable", past="rack.cable.planned", of=Cable
):
    """Plan cables: their ports are kept for them, and nobody is sent. Ones that are connected are pulled."""

    constant: ClassVar[Mapping[str, Any]] = {"status": PLANNED}

    def admit(self, address: Address, after: Cable, state: State) -> None:
        """Check that both ends are known, are free and fit each other."""
        super().admit(address, after, state)
        if state.get(address) is None:
            _check_new(address, after, state)


class Disconnect(
    place.Removes, frozen=True, init=False, tag="rack.disconnect", past="rack.cable.disconnected", of=Cable
):
    """Pull cables off both ends, and take them out of the records; planned ones are just taken out."""


class Relabel(
    place.Sets,
    frozen=True,
    init=False,
    tag="rack.label",
    past="rack.cable.labelled",
    of=Cable,
    takes=("label",),
    needs=("label",),
):
    """Label cables at both ends."""


class SetCable(
    place.Sets,
    frozen=True,
    init=False,
    tag="rack.set_cable",
    past="rack.cable.set",
    of=Cable,
    takes=("type", "color", "length"),
):
    """Set what is on record of cables; nobody is sent."""


class CorrectCable(
    place.Tells, frozen=True, init=False, tag="rack.correct_cable", past="rack.cable.corrected", of=Cable
):
    """Say what is really so of cables, where the records are wrong; nobody is sent.

    `lasercats forget` takes one out of the records that is not there at all.
    """

    amends: ClassVar[bool] = True

    def admit(self, address: Address, after: Cable, state: State) -> None:
        """Check that both ends can be so, where they are not as on record."""
        found: Any = state.get(address)
        if (found.a, found.b, is_connected(found)) != (after.a, after.b, is_connected(after)):
            _check_new(address, after, state)


def is_connected(cable: Resource | None) -> bool:
    """Tell whether a cable is there, and not just planned."""
    return isinstance(cable, Cable) and cable.status != PLANNED


def _check_mounted(address: Address, cable: Cable, state: State) -> None:
    """Check that a technician finds both ends of a cable.

    Raises:
        Refused: the device at one is planned, or out of its rack.

    """
    for end in (cable.a, cable.b):
        device, colon, _ = (end or "").partition(":")
        there = place.sibling(address, DEVICE, device)
        found: Any = state.get(there) if colon else None
        if found is not None and found.status != "mounted":
            raise Refused(
                f"{there} is {found.status}, so {end} is not there; mount it first, or plan the cable with "
                "`lasercats rack plan-cable`"
            )


def _check_new(address: Address, cable: Cable, state: State) -> None:
    """Check that a cable can be connected.

    Raises:
        Refused: an end is not there, is taken, or does not fit the other; or a feed would give too much.

    """
    ends = (str(cable.a), str(cable.b))
    sorts = [_sort(address, end, state) for end in ends]
    for end in ends:
        taken = power.cable_in(address, end, state)
        if taken is not None and taken[0] != address:
            raise Refused(f"{end} is taken by {taken[0]}, which leads to {power.other(taken[1], end)}")
    _check_fit(ends, sorts)
    power.check_feeds(address, ends, state.holding(address, cable))


def _sort(address: Address, end: str, state: State) -> str | None:
    """Return of what sort an end is; None where that is not known."""
    if ":" not in end:
        if state.get(place.sibling(address, FEED, end)) is None:
            raise Refused(
                f"there is no feed {end}; write DEVICE:PORT, or take it in with `lasercats rack add-feed`"
            )
        return "feed"
    device, type_, port = power.at(address, end, state.get)
    if device is None:
        raise Refused(f"nothing is known of {place.sibling(address, DEVICE, end.partition(':')[0])}")
    if port is not None and port.sort == "module-bay":
        return None  # the module in the bay has ports, of which the type of its device tells nothing
    if type_ is not None and type_.ports and (port is None or port.sort not in PLUGGED):
        raise Refused(f"{device.type} has no port {end.partition(':')[2]!r}")
    return None if port is None else port.sort


def _check_fit(ends: tuple[str, str], sorts: list[str | None]) -> None:
    pairs = ({"power-port", "power-outlet"}, {"power-port", "feed"}, set(CONSOLE))
    known = {sort for sort in sorts if sort is not None}
    special = known & {*POWER, *CONSOLE, "feed"}
    if special and not any(known <= pair and (len(known) == 2 or None in sorts) for pair in pairs):  # noqa: PLR2004
        described = " and ".join(f"{end} ({sort})" for end, sort in zip(ends, sorts, strict=True))
        raise Refused(f"no cable fits both {described}")


def _found_by(address: Address, cable: Cable, known: Known) -> dict[str, Any]:
    """Return by what a technician finds a cable."""
    ends = (str(cable.a), str(cable.b))
    where = tuple(place.spot_of_end(address, end, known) for end in ends)
    return {
        "machine": place.machine(address),
        "cable": place.name(address),
        "ends": ends,
        "where": where,
        "at": next((spot.rack for spot in where if spot is not None), None),
    }


def _about(cable: Cable) -> str:
    length = None if cable.length is None else f"{cable.length:g} m"
    label = f"labelled {cable.label!r}" if cable.label else None
    return ", ".join(filter(None, (cable.type, cable.color, length, label)))


def _is_power(address: Address, cable: Cable, known: Known) -> bool:
    ends = (str(cable.a), str(cable.b))
    if cable.type == "power" or any(":" not in end for end in ends):
        return True
    types = ((power.at(address, end, known)[1], end.partition(":")[2]) for end in ends)
    return any(port.name == name for type_, name in types for port in power.ports(type_, *POWER))


class CableKind(place.ByHand[Cable]):
    """Cables, which a technician plugs in, labels and pulls."""

    name = CABLE
    resource = Cable
    commands = (Connect, PlanCable, Disconnect, Relabel, SetCable, CorrectCable)
    enters = PlanCable
    corrects = CorrectCable

    def needs(self, address: Address, resource: Cable | None) -> Iterator[Address]:
        """Return the devices and feeds at its ends."""
        for end in (resource.a, resource.b) if resource is not None else ():
            if end is not None:
                name, colon, _ = end.partition(":")
                yield place.sibling(address, DEVICE if colon else FEED, name)

    def holds(self, resource: Cable) -> Iterator[str]:
        """Return its ends: each port takes one cable."""
        return (f"port {end}" for end in (resource.a, resource.b) if end is not None)

    def replaces(self, change: Change[Cable]) -> bool:
        """Tell whether it goes elsewhere: then it is pulled and connected anew."""
        before, after = change.before, change.after
        return bool(before and after and {before.a, before.b} != {after.a, after.b})

    def converge(self, address: Address, change: Change[Cable]) -> Iterable[Command]:
        """Connect or disconnect it, or set what differs."""
        after = change.after
        if change.before is None and after is not None and (after.a is None or after.b is None):
            raise Refused(f"{address} cannot be connected without both ends: a and b")
        return super().converge(address, change)

    def act(self, address: Address, change: Change[Any], known: Known) -> "Step | Program[Any]":
        """Have it connected, disconnected or labelled; all else is on record only."""
        before: Any = change.before
        after: Any = change.after
        was, is_ = is_connected(before), is_connected(after)
        if was == is_ and (not was or (after.label or "") == (before.label or "")):
            return place.recorded(after)
        common = _found_by(address, after or before, known)
        act: work_order.WorkStep
        if not was:
            act = work_order.Connect(**common, about=_about(after), power=_is_power(address, after, known))
        elif not is_:
            act = work_order.Disconnect(**common, about=_about(before))
        else:
            act = work_order.Label(**common, label=after.label or "")
        return Step(act, lambda _done: after)


KIND = CableKind()
