"""Racks as elevations: what of two states is drawn of a rack, and in what words."""

from collections.abc import Iterator
from typing import Any, NamedTuple

from lasercats.core.address import Address, kind_of, name_of, rest_of
from lasercats.core.state import State
from lasercats.domains.rack import place, power, room
from lasercats.views.elevation import Box, Elevation


class Marks(NamedTuple):
    """How it is called what is only in the first of two states, only in the second, and in both."""

    first: str
    second: str
    both: str = "mounted"


PENDING = Marks("leaving", "planned")
DIFFERENCE = Marks("gone", "added", "stays")


def elevation(
    address: Address,
    now: State,
    then: State | None = None,
    marks: Marks = PENDING,
    caption: str = "",
    totals: State | None = None,
) -> Elevation:
    """Return the elevation of a rack in one state, or in two; the totals are of the last, or as given."""
    end = now if then is None else then
    rack: Any = now.get(address) or end.get(address)
    boxes, beside = list[Box](), list[str]()
    before, after = dict(room.standing(address, now)), dict(room.standing(address, end))
    for device in sorted(before.keys() | after.keys()):
        for box in _boxes(device, before.get(device), after.get(device), marks):
            if box.height and box.unit:
                boxes.append(box)
            else:
                beside.append(f"{box.name}: {box.label + ', ' if box.label else ''}{box.face}{_said(box)}")
    return Elevation(
        name=name_of(address),
        height=rack.height or 0,
        from_above=rack.numbering == "above",
        boxes=tuple(boxes),
        totals=tuple(_totals(address, rack, end if totals is None else totals)),
        beside=tuple(beside),
        caption=caption,
    )


def _said(box: Box) -> str:
    return "" if box.mark in ("mounted", "stays") else f" ({box.mark})"


def _boxes(address: Address, before: Any, after: Any, marks: Marks) -> Iterator[Box]:  # noqa: ANN401
    """Iterate over the places in which a device is drawn: one, or two where it moves."""
    if before is not None and after is not None and _place(before) == _place(after):
        came = before.status != after.status and marks is DIFFERENCE
        yield _box(address, after, marks.second if came else _mark(after, marks))
        return
    if before is not None:
        yield _box(address, before, marks.first)
    if after is not None:
        yield _box(address, after, marks.second)


def _place(device: Any) -> tuple[Any, ...]:  # noqa: ANN401
    return device.unit, device.height, device.face, device.depth


def _mark(device: Any, marks: Marks) -> str:  # noqa: ANN401
    return "planned" if device.status == "planned" else marks.both


def _box(address: Address, device: Any, mark: str) -> Box:  # noqa: ANN401
    type_ = (device.type or "").removeprefix(f"{place.TYPE}/")
    parts = [
        rest_of(address),
        device.status or "",
        type_,
        room.units(device.unit, device.height or 0) if device.unit else "beside the units",
        f"{device.face or 'front'}, {device.depth or 'full'} depth",
        f"serial {device.serial}" if device.serial else "",
        f"asset tag {device.asset_tag}" if device.asset_tag else "",
        f"machine {device.machine}" if device.machine else "",
    ]
    return Box(
        name=rest_of(address),
        unit=device.unit or 0,
        height=device.height or 0,
        face=device.face or "front",
        full_depth=device.depth != "half",
        mark=mark,
        label=type_,
        about="; ".join(filter(None, parts)),
    )


def _totals(address: Address, rack: Any, state: State) -> Iterator[str]:  # noqa: ANN401
    devices = [device for _, device in room.standing(address, state)]
    taken = {unit for device in devices for unit, _ in room.slots(device)}
    used = place.plain(len(taken) / 2)
    yield f"{used:g} of {rack.height} units used, {rack.height - (used or 0):g} free"
    for field, unit, limit in (("weight", "kg", rack.max_weight), ("draw", "W", rack.max_power)):
        known = [value for device in devices if (value := getattr(device, field)) is not None]
        if known or limit is not None:
            unknown = sum(1 for device in devices if getattr(device, field) is None)
            of = f" of {limit:,g}" if limit is not None else ""
            note = f", {unknown} not known" if unknown else ""
            yield f"{field} {round(sum(known), 1):,g}{of} {unit}{note}"
    for feed, found in sorted(place.inside(address, state), key=lambda item: item[0]):
        if kind_of(feed) == place.FEED:
            yield _feed(feed, found, state)


def _feed(address: Address, feed: Any, state: State) -> str:  # noqa: ANN401
    most = power.limit(feed)
    of = f" of {most:,.0f}" if most is not None else ""
    drawn = power.loads(address, state)
    if len(drawn) == 1:
        return f"feed {rest_of(address)}: {drawn['A']:,.0f}{of} W"
    text = ", ".join(f"{phase} {watts:,.0f}" for phase, watts in drawn.items())
    return f"feed {rest_of(address)}: phases {text}{of} W each"
