"""`rack.cable`: a cable between two ports, or between a power port and a feed."""

import re
from collections.abc import Iterator
from typing import Annotated, Any, ClassVar

from msgspec import Meta
from msgspec.structs import replace

from lasercats.core.address import Address
from lasercats.core.change import Change
from lasercats.core.command import Command, Forget
from lasercats.core.errors import Refused
from lasercats.core.kind import Kind
from lasercats.core.loose import Forms
from lasercats.core.program import Known, Program, Step
from lasercats.core.resource import Resource, decisions
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


class Cable(Resource, frozen=True):
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
        _check_ends(self.a, self.b)


def _check_ends(*ends: str | None) -> None:
    for end in ends:
        if end is not None and (not _END.fullmatch(end) or end != end.strip()):
            raise ValueError(f"{end!r} is no end of a cable; write DEVICE:PORT, or the name of a feed")
    if ends[0] is not None and ends[0] == ends[1]:
        raise ValueError(f"both ends are at {ends[0]}; a cable has two")


class _Between(Command, frozen=True):
    """A command that says between what a cable is, and what it is like."""

    a: End | None = None
    b: End | None = None
    type: Type | None = None
    color: Color | None = None
    length: Length | None = None
    label: Label | None = None

    forms: ClassVar[Forms] = {"length": place.plain}

    def check(self) -> None:
        """Check the ends.

        Raises:
            ValueError: one is none, or both are the same.

        """
        super().check()
        _check_ends(self.a, self.b)

    def _with(self, found: Resource | None, status: str) -> Cable:
        """Return the cable with what is given; where it is known, its ends are those that it has."""
        cable = found if isinstance(found, Cable) else Cable()
        given = place.given(self, Cable)
        if isinstance(found, Cable) and {given.get("a", cable.a), given.get("b", cable.b)} != {
            cable.a,
            cable.b,
        }:
            raise Refused(f"it connects {found.a} and {found.b}; disconnect it first")
        after = replace(cable, **given, status=status)
        if after.a is None or after.b is None:
            raise Refused("say what it is between: --a and --b")
        return after


class Connect(_Between, frozen=True, tag="rack.connect"):
    """Connect two ports, or a port and a feed, by cables, or those that were planned."""

    past: ClassVar[str] = "rack.cable.connected"

    def decide(self, address: Address, state: State) -> Cable:
        """Return the cable, where both ends are mounted, are free and fit each other."""
        found = state.get(address)
        after = self._with(found, CONNECTED)
        if not is_connected(found):
            _check_new(address, after, state)
            _check_mounted(address, after, state)
        return after


class PlanCable(_Between, frozen=True, tag="rack.plan_cable"):
    """Plan cables: their ports are kept for them, and nobody is sent. Ones that are connected are pulled."""

    past: ClassVar[str] = "rack.cable.planned"

    def decide(self, address: Address, state: State) -> Cable:
        """Return the cable, where both ends are known, are free and fit each other."""
        found = state.get(address)
        after = self._with(found, PLANNED)
        if not isinstance(found, Cable):
            _check_new(address, after, state)
        return after


class Disconnect(Command, frozen=True, tag="rack.disconnect"):
    """Pull cables off both ends, and take them out of the records; planned ones are just taken out."""

    past: ClassVar[str] = "rack.cable.disconnected"

    def decide(self, address: Address, state: State) -> None:
        """Return nothing, where there is such a cable."""
        place.existing(address, state, Cable)


class Relabel(Command, frozen=True, tag="rack.label"):
    """Label cables at both ends."""

    past: ClassVar[str] = "rack.cable.labelled"

    label: Label

    def decide(self, address: Address, state: State) -> Cable:
        """Return it with this label."""
        return replace(place.existing(address, state, Cable), label=self.label)


class SetCable(Command, frozen=True, tag="rack.set_cable"):
    """Set what is on record of cables; nobody is sent."""

    past: ClassVar[str] = "rack.cable.set"

    type: Type | None = None
    color: Color | None = None
    length: Length | None = None

    forms: ClassVar[Forms] = {"length": place.plain}

    def decide(self, address: Address, state: State) -> Cable:
        """Return it with these fields."""
        found = place.existing(address, state, Cable)
        return replace(found, **place.given(self, Cable))


class CorrectCable(_Between, frozen=True, tag="rack.correct_cable"):
    """Say what is really so of cables, where the records are wrong; nobody is sent.

    `lasercats forget` takes one out of the records that is not there at all.
    """

    past: ClassVar[str] = "rack.cable.corrected"
    amends: ClassVar[bool] = True

    status: Status | None = None

    def decide(self, address: Address, state: State) -> Cable:
        """Return it as it is said to be, where both ends can be so."""
        found = place.existing(address, state, Cable)
        after = replace(found, **place.given(self, Cable))
        if (found.a, found.b, is_connected(found)) != (after.a, after.b, is_connected(after)):
            _check_new(address, after, state)
        return after

    def interpret(self, address: Address, change: Change[Resource], known: Known) -> Program[Any]:
        """Do nothing: it is so already."""
        return place.recorded(change.after)


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
        found: Any = state.get(place.sibling(address, DEVICE, device)) if colon else None
        if found is not None and found.status != "mounted":
            there = place.sibling(address, DEVICE, device)
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
    after = state.holding(address, cable)
    for feed in sorted({feed for end in ends for feed in power.feeds_of(address, end, after)}):
        power.check_feed(feed, after)


def _sort(address: Address, end: str, state: State) -> str | None:
    """Return of what sort an end is; None where that is not known."""
    if ":" not in end:
        if state.get(place.sibling(address, FEED, end)) is None:
            raise Refused(
                f"there is no feed {end}; write DEVICE:PORT, or take it in with `lasercats rack add-feed`"
            )
        return "feed"
    device, type_, port = power.at(address, end, state)
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
    fits = not special or any(known <= pair and (len(known) == 2 or None in sorts) for pair in pairs)  # noqa: PLR2004
    if not fits:
        told = " and ".join(f"{end} ({sort})" for end, sort in zip(ends, sorts, strict=True))
        raise Refused(f"no cable fits both {told}")


def act(address: Address, change: Change[Any], known: Known) -> "Step | Program[Any]":
    """Have it connected, disconnected or labelled; all else is on record only."""
    before: Any = change.before
    after: Any = change.after
    was, is_ = is_connected(before), is_connected(after)
    if was == is_ and (not was or (after.label or "") == (before.label or "")):
        return place.recorded(after)
    cable = after or before
    ends = (cable.a, cable.b)
    where = tuple(place.spot_of_end(address, end, known) for end in ends)
    common: dict[str, Any] = {
        "machine": place.machine(address),
        "cable": place.name(address),
        "ends": ends,
        "where": where,
        "at": next((spot.rack for spot in where if spot is not None), None),
    }
    act_: work_order.Step
    if not was:
        act_ = work_order.Connect(**common, about=_about(after), power=_is_power(address, after, known))
    elif not is_:
        act_ = work_order.Disconnect(**common, about=_about(before))
    else:
        act_ = work_order.Label(**common, label=after.label or "")
    return Step(act_, lambda _done: after)


def _about(cable: Cable) -> str:
    length = None if cable.length is None else f"{cable.length:g} m"
    label = f"labelled {cable.label!r}" if cable.label else None
    return ", ".join(filter(None, (cable.type, cable.color, length, label)))


def _is_power(address: Address, cable: Cable, known: Known) -> bool:
    if cable.type == "power" or ":" not in f"{cable.a}" or ":" not in f"{cable.b}":
        return True
    for end in (str(cable.a), str(cable.b)):
        name, _, port_name = end.partition(":")
        device: Any = known(place.sibling(address, DEVICE, name))
        type_: Any = known(Address(device.type)) if device is not None and device.type else None
        if any(port.name == port_name for port in power.ports(type_, *POWER)):
            return True
    return False


def converge(address: Address, change: Change[Cable]) -> Iterator[Command]:
    """Connect or disconnect it, or set what differs."""
    on, before, after = (address,), change.before, change.after
    if after is None:
        yield Disconnect(on=on)
        return
    wish, old = decisions(after), decisions(before)
    status = wish.pop("status", None)
    plans = (
        PLANNED
        if status == PLANNED or (status is None and before is not None and not is_connected(before))
        else CONNECTED
    )
    brings = PlanCable if plans == PLANNED else Connect
    if before is None:
        if after.a is None or after.b is None:
            raise Refused(f"{address} cannot be connected without both ends: a and b")
        yield brings(on=on, **wish)
        return
    if before.a != after.a and after.a and after.b:  # the same ends the other way round
        yield brings(on=on, **wish)
        return
    if status is not None and status != before.status:
        yield brings(on=on, **wish)
        return
    differs = {n: v for n, v in wish.items() if old.get(n) != v and n not in ("a", "b")}
    label = differs.pop("label", None)
    if label is not None:
        yield Relabel(on=on, label=label)
    if differs:
        yield SetCable(on=on, **differs)


def amend(address: Address, change: Change[Cable]) -> Iterator[Command]:
    """Set right what is on record, and send nobody."""
    on, before, after = (address,), change.before, change.after
    if after is None:
        yield Forget(on=on)
        return
    wish, old = decisions(after), decisions(before)
    if before is None:
        old = {name: wish[name] for name in ("a", "b") if name in wish}
        yield PlanCable(on=on, **old)
    differs = {name: value for name, value in wish.items() if old.get(name) != value}
    yield CorrectCable(on=on, **differs)


def replaces(change: Change[Cable]) -> bool:
    """Tell whether it goes elsewhere: then it is pulled and connected anew."""
    before, after = change.before, change.after
    return bool(before and after and {before.a, before.b} != {after.a, after.b})


def needs(address: Address, resource: Cable | None) -> Iterator[Address]:
    """Return the devices and feeds at its ends."""
    for end in (resource.a, resource.b) if resource is not None else ():
        if end is not None:
            name, colon, _ = end.partition(":")
            yield place.sibling(address, DEVICE if colon else FEED, name)


def holds(cable: Cable) -> tuple[str, ...]:
    """Return its ends: each port takes one cable."""
    return tuple(f"port {end}" for end in (cable.a, cable.b) if end is not None)


KIND: Kind[Any] = Kind(
    name=CABLE,
    resource=Cable,
    commands=(Connect, PlanCable, Disconnect, Relabel, SetCable, CorrectCable),
    converge=converge,
    amend=amend,
    act=act,
    canonical=place.canonical,
    form="NAME",
    needs=needs,
    holds=holds,
    replaces=replaces,
    machine=place.MACHINE,
)
