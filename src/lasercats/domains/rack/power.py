"""What is drawn where: along the cables, from the power ports of devices by outlets to a feed.

A power port draws what its type says: `allocated_draw`, or else `maximum_draw` (NetBox's device types), but
no more than its whole device. Each of two supplies counts in full, as each must be able to carry all.
"""

from collections.abc import Iterable, Iterator
from typing import Any

from lasercats.core.address import Address, kind_of
from lasercats.core.errors import Refused
from lasercats.core.program import Known
from lasercats.core.resource import Resource
from lasercats.core.state import State
from lasercats.domains.rack import place
from lasercats.domains.rack.device_type import DeviceType, PortType

PHASES = ("A", "B", "C")
ROOT_3 = 3**0.5


def ports(type_: DeviceType | None, *sorts: str) -> list[PortType]:
    """Return the ports of a type that are of some sorts."""
    return [port for port in (type_.ports or () if type_ else ()) if port.sort in sorts]


PASSIVE = ("front-port", "rear-port", "inventory-item")
"""Sorts of what needs no power: a patch panel has nothing else."""


def is_passive(type_: DeviceType) -> bool:
    """Tell whether devices of a type surely have no power, so that there is nothing to shut down.

    The library says so (`is_powered: false`), or they are panels. What has bays gets its power by modules, a
    blade by its chassis, a camera by its network port; and of what lists nothing it is not known.
    """
    powered = (type_.more or {}).get("is_powered")
    listed = type_.ports or ()
    return powered is False or (powered is None and bool(listed) and all(p.sort in PASSIVE for p in listed))


def draw_of(type_: DeviceType) -> int | float | None:
    """Return what devices of a type draw at most; what only hands power on draws nothing itself."""
    if ports(type_, "power-outlet"):
        return 0
    drawn = [d for port in ports(type_, "power-port") if (d := _draw(port)) is not None]
    return place.plain(sum(drawn)) if drawn else None


def _draw(port: PortType) -> float | None:
    return port.allocated_draw if port.allocated_draw is not None else port.maximum_draw


def ends(address: Address, resource: Resource) -> Iterator[object]:
    """Yield by what a cable is found: its ends, and the devices at them."""
    if kind_of(address) == place.CABLE:
        there = [end for end in (getattr(resource, "a", None), getattr(resource, "b", None)) if end]
        devices = {f"{end.partition(':')[0]}:": None for end in there if ":" in end}  # one, or two
        yield from (f"{place.machine(address)}|{key}" for key in (*there, *devices))


def cables_at(device: Address, state: State) -> Iterator[tuple[Address, Any]]:
    """Iterate over the cables that are in a device."""
    return state.having(ends, f"{place.machine(device)}|{place.name(device)}:")


def cable_in(near: Address, end: str, state: State) -> tuple[Address, Any] | None:
    """Return the cable that is in a port, `db1:PSU1`, or in a feed."""
    return next(iter(state.having(ends, f"{place.machine(near)}|{end}")), None)


def other(cable: Any, end: str) -> str:  # noqa: ANN401
    """Return the other end of a cable."""
    return str(cable.b if cable.a == end else cable.a)


def at(near: Address, end: str, known: Known) -> tuple[Any, DeviceType | None, PortType | None]:
    """Return the device at an end, its type, and the port; what is not known of it is None."""
    device_name, _, port_name = end.partition(":")
    device: Any = known(place.sibling(near, place.DEVICE, device_name))
    found = known(Address(device.type)) if device is not None and device.type else None
    type_ = found if isinstance(found, DeviceType) else None
    port = next((p for p in type_.ports or () if p.name == port_name), None) if type_ else None
    return device, type_, port


def loads(feed: Address, state: State) -> dict[str, float]:
    """Return what is drawn from a feed in watts, by phase; a feed of one phase has only A."""
    found: Any = state.get(feed)
    phases = found.phases if found is not None and found.phases else 1
    drawn = dict.fromkeys(PHASES[:phases], 0.0)
    start = place.name(feed)
    plugged = cable_in(feed, start, state)
    if plugged is not None:
        _add(feed, other(plugged[1], start), tuple(drawn), state, drawn, set())
    return drawn


def _add(
    near: Address, end: str, on: tuple[str, ...], state: State, drawn: dict[str, float], seen: set[str]
) -> None:
    """Add what is drawn at an end to phases; what hands power on is followed along its outlets."""
    if end in seen or ":" not in end:
        return
    seen.add(end)
    device, type_, port = at(near, end, state.get)
    name, _, port_name = end.partition(":")
    outlets = ports(type_, "power-outlet")
    if outlets:
        for outlet in outlets:
            plugged = cable_in(near, f"{name}:{outlet.name}", state)
            if plugged is not None and outlet.power_port in (None, port_name):
                leg = (outlet.feed_leg,) if outlet.feed_leg in on and len(on) > 1 else on
                _add(near, other(plugged[1], f"{name}:{outlet.name}"), leg, state, drawn, seen)
    elif device is not None:
        limits = [w for w in (_draw(port) if port else None, device.draw) if w is not None]
        for phase in on if limits else ():
            drawn[phase] += min(limits) / len(on)


def limit(feed: Any) -> float | None:  # noqa: ANN401
    """Return what may be drawn from each phase of a feed in watts.

    On three phases the voltage is that between two of them, so that all together give
    voltage x amperage x √3, as NetBox reckons.
    """
    if feed.voltage is None or feed.amperage is None:
        return None
    whole = feed.voltage * feed.amperage * (feed.utilization or 100) / 100
    return float(whole / ROOT_3 if feed.phases == len(PHASES) else whole)


def feeds_of(near: Address, end: str, state: State) -> list[Address]:
    """Return the feeds that an end hangs on, along the cables."""
    met = [end]
    for one in met:
        met += (other for other in _hangs_on(near, one, state) if other not in met)
    return sorted(place.sibling(near, place.FEED, one) for one in met if ":" not in one)


def _hangs_on(near: Address, end: str, state: State) -> list[str]:
    """Return what an end gets its power from: the power port of an outlet, or what a cable leads to.

    An outlet of which it is not said hangs on all power ports of its device, as in `loads`.
    """
    if ":" not in end:
        return []
    _, type_, port = at(near, end, state.get)
    if port is not None and port.sort == "power-outlet":
        inlets = [port.power_port] if port.power_port else [p.name for p in ports(type_, "power-port")]
        return [f"{end.partition(':')[0]}:{inlet}" for inlet in inlets]
    plugged = cable_in(near, end, state)
    return [] if plugged is None else [other(plugged[1], end)]


def check_feeds(near: Address, ends: Iterable[str], state: State) -> None:
    """Check the feeds that some ends hang on.

    Raises:
        Refused: one would have to give more than it may.

    """
    for feed in sorted({feed for end in ends for feed in feeds_of(near, end, state)}):
        check_feed(feed, state)


def check_feed(feed: Address, state: State) -> None:
    """Check that no more is drawn from a feed than it may give.

    Raises:
        Refused: more would be.

    """
    found = state.get(feed)
    most = None if found is None else limit(found)
    if most is None:
        return
    drawn = loads(feed, state)
    for phase, watts in drawn.items():
        if watts > most * (1 + 1e-9):
            on = f"phase {phase} of " if len(drawn) > 1 else ""
            raise Refused(f"{watts:,.0f} W would be drawn from {on}{feed}, which gives {most:,.0f} W at most")


def check_device(address: Address, device: Any, state: State) -> None:  # noqa: ANN401
    """Check the feeds of a device that is about to be as given.

    Raises:
        Refused: one would have to give more than it may.

    """
    before: Any = state.get(address)
    if before is not None and (before.draw, before.type) == (device.draw, device.type):
        return
    after = state.holding(address, device)
    cables = [cable for _, cable in cables_at(address, after)]
    ends = (end for cable in cables for end in (cable.a, cable.b))
    check_feeds(address, (end for end in ends if end.startswith(f"{place.name(address)}:")), after)
