"""Whether there is room: units, weight and power of a rack. What is planned counts as if it were there."""

from collections.abc import Iterator
from typing import Any

from msgspec.structs import replace

from lasercats.core.address import Address, kind_of
from lasercats.core.errors import Refused
from lasercats.core.state import State
from lasercats.domains.rack import place

FACES = ("front", "rear")
TALLEST = 100
"""No rack has more units, so nothing occupies more of them, whatever is on record."""
Slot = tuple[float, str]
"""Half a unit on one face."""


def units(unit: float, height: float) -> str:
    """Return units in words: `U12-13`, `U12.5`."""
    last = unit + height - 1
    return f"U{unit:g}" + (f"-{last:g}" if last > unit else "")


def slots(device: Any) -> Iterator[Slot]:  # noqa: ANN401
    """Iterate over the halves of units that a device occupies."""
    if device.unit is None or not device.height or device.rack is None:
        return
    for face in FACES if device.depth != "half" else (device.face or "front",):
        for half in range(int(min(device.height, TALLEST) * 2)):
            yield device.unit + half / 2, face


def held(device: Any) -> Iterator[str]:  # noqa: ANN401
    """Iterate over what it occupies in words."""
    for unit, face in slots(device):
        yield f"U{unit:g} of {device.rack}, {face}"


def standing(rack: str, state: State) -> Iterator[tuple[Address, Any]]:
    """Iterate over the devices in a rack, planned ones too."""
    for address, found in place.inside(rack, state):
        if kind_of(address) == place.DEVICE:
            yield address, found


def check_device(address: Address, device: Any, state: State) -> None:  # noqa: ANN401
    """Check that a device fits where it is to be.

    Raises:
        Refused: it does not, with what is in the way.

    """
    rack = place.known_rack(device.rack, state)
    if place.machine(Address(device.rack)) != place.machine(address):
        raise Refused(f"{device.rack} is not at {place.machine(address)}; name a rack that is")
    _check_bounds(device, rack)
    others = [(a, d) for a, d in standing(device.rack, state) if a != address]
    wanted = set(slots(device))
    for other, found in others:
        if not wanted.isdisjoint(slots(found)):
            there = "is reserved for" if found.status == "planned" else "is taken by"
            sides = "" if found.depth != "half" else f", {found.face}"
            raise Refused(f"{units(found.unit, found.height)}{sides} of {device.rack} {there} {other}")
    _check_sums(Address(device.rack), rack, [device, *(d for _, d in others)])


def check_rack(address: Address, rack: Any, state: State) -> None:  # noqa: ANN401
    """Check that a rack takes all that is in it.

    Raises:
        Refused: it does not.

    """
    devices = list(standing(address, state))
    for other, device in devices:
        try:
            _check_bounds(device, rack)
        except Refused as refused:
            raise Refused(f"{other} would be out of it: {refused}") from None
    _check_sums(address, rack, [device for _, device in devices])


def _check_bounds(device: Any, rack: Any) -> None:  # noqa: ANN401
    if device.unit is None:
        if device.height:
            raise Refused("say at which unit: --unit")
        return
    top = (rack.height or 0) + 1
    if device.unit < 1 or device.unit + max(device.height or 0, 0.5) > top:
        raise Refused(
            f"{units(device.unit, device.height or 0)} is out of {device.rack}, "
            f"which has U1-{rack.height or 0}"
        )


def _check_sums(address: Address, rack: Any, devices: list[Any]) -> None:  # noqa: ANN401
    for limit, field, unit, how in (
        (rack.max_weight, "weight", "kg", "be in"),
        (rack.max_power, "draw", "W", "be drawn in"),
    ):
        total = sum(getattr(device, field) or 0 for device in devices)
        if limit is not None and total > limit:
            raise Refused(
                f"{total:,.10g} {unit} would {how} {address}, which takes {limit:,.10g} {unit} at most"
            )


def is_crowded(rack: str, state: State, end: State) -> bool:
    """Tell whether a rack could not take all that is in it before and after all changes at once.

    Then another place in it is no help to what comes: weight and power are given up by leaving it only.
    """
    found: Any = end.get(Address(rack))
    if found is None:
        return False
    both = [d for _, d in standing(rack, state)]
    both += [d for address, d in standing(rack, end) if getattr(state.get(address), "rack", None) != rack]
    try:
        _check_sums(Address(rack), found, both)
    except Refused:
        return True
    return False


def spare(device: Any, state: State, end: State) -> float | None:  # noqa: ANN401
    """Return the lowest unit of its rack in which a device finds room before and after all changes."""
    rack: Any = end.get(Address(device.rack))
    if rack is None or device.unit is None or not device.height:
        return None
    there: Any = state.get(Address(device.rack))
    top = min(rack.height or 0, getattr(there, "height", None) or 0)
    taken = {slot for side in (state, end) for _, d in standing(device.rack, side) for slot in slots(d)}
    for half in range(2, int((top + 1 - device.height) * 2) + 1):
        wanted = set(slots(replace(device, unit=half / 2)))
        if (half % 2 == 0 or device.unit % 1) and wanted.isdisjoint(taken):
            return place.plain(half / 2)
    return None
