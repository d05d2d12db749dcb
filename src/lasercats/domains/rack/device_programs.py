"""How devices get to where they are to be: the steps of a technician, and the commands of a plan."""

from collections.abc import Iterator
from typing import Any

from msgspec.structs import replace

from lasercats.core.address import Address
from lasercats.core.change import Change
from lasercats.core.command import Command
from lasercats.core.kind import Kind
from lasercats.core.program import Known, Program, Step
from lasercats.core.resource import decisions
from lasercats.core.state import State
from lasercats.domains.rack import place, power, room
from lasercats.domains.rack.device import (
    MOUNTED,
    OTHERS,
    PLACE,
    REMOVED,
    SIZE,
    Device,
    MountDevice,
    MoveDevice,
    Reserve,
    Retire,
    SetDevice,
    Stock,
    UnmountDevice,
    placed,
)
from lasercats.domains.rack.device_type import DeviceType
from lasercats.domains.rack.place import DEVICE, RACK, TYPE
from lasercats.instructions.work_order import Done, Mount, Move, Place, PowerDown, Unmount
from lasercats.instructions.work_order import Step as Act


def act(address: Address, change: Change[Any], known: Known) -> "Step | Program[Any]":
    """Have it mounted, moved or unmounted; all else is on record only."""
    before: Any = change.before
    after: Any = change.after
    was, is_ = _is_mounted(before), _is_mounted(after)
    if not was and not is_:
        return place.recorded(after)
    common: dict[str, Any] = {
        "machine": place.machine(address),
        "device": place.name(address),
        "what": ((after or before).type or "").removeprefix(f"{TYPE}/") or None,
        "weight": (after or before).weight,
    }
    named = {"machine": common["machine"], "device": common["device"]}
    acts: tuple[Act, ...]
    if not was:
        acts = (Mount(**common, place=_place(after, known)),)
    elif not is_:
        acts = (*_down(before, known, named), Unmount(**common, place=_place(before, known)))
    elif placed(before) == placed(after):
        return place.recorded(after)
    else:
        down = _down(before, known, named)
        places: dict[str, Any] = {"source": _place(before, known), "place": _place(after, known)}
        acts = (*down, Move(**common, **places, powered=bool(down)))
    return Step(acts, lambda outcomes: _with_found(after, outcomes))


def _is_mounted(device: Device | None) -> bool:
    return device is not None and device.status == MOUNTED


def _down(device: Device, known: Known, named: dict[str, Any]) -> tuple[Act, ...]:
    """Return that it is to be shut down, unless its type says that it has no power."""
    type_ = known(Address(device.type)) if device.type else None
    unpowered = isinstance(type_, DeviceType) and not power.ports(type_, "power-port")
    return () if unpowered else (PowerDown(**named),)


def _place(device: Device, known: Known) -> Place:
    """Return its place for a person, with how far it is from the floor."""
    rack: Any = known(Address(device.rack or ""))
    unit, height = device.unit, device.height or 0
    floor = 0.0
    if unit is not None:
        above = rack is not None and rack.numbering == "above"
        floor = (rack.height + 1 - unit - height) if above else unit - 1
    short = (device.rack or "").removeprefix(f"{RACK}/").rpartition(":")[2]
    return Place(rack=short, unit=unit, height=height, face=device.face or "front", floor=floor)


def _with_found(after: Device | None, outcomes: tuple[Done, ...]) -> Device | None:
    """Return the device with what the technician found."""
    if after is None:
        return None
    found = {
        n: v for done in outcomes for n in ("serial", "asset_tag") if (v := getattr(done, n)) is not None
    }
    return replace(after, **found)


# Converging.


def converge(address: Address, change: Change[Device]) -> Iterator[Command]:
    """Bring it to where it is to be, then set what else differs."""
    on, before, after = (address,), change.before, change.after
    if after is None:
        if _is_mounted(before):
            yield UnmountDevice(on=on, keep_cables=True)
        yield Retire(on=on)
        return
    wish, old = decisions(after), decisions(before)
    status = wish.pop("status", None) or (old.get("status") if before else MOUNTED)
    differs = {name: value for name, value in wish.items() if old.get(name) != value}
    was = old.get("status")
    if status == REMOVED and wish.get("rack"):  # a document that only says where it is to be
        status = MOUNTED
    if status == REMOVED:
        yield from _out(on, wish, differs, was)
    elif was == status:
        yield from _in_place(on, differs)
    else:
        if was == MOUNTED:
            yield UnmountDevice(on=on, keep_cables=True)
            differs |= {name: wish[name] for name in PLACE if name in wish}
        type_ = MountDevice if status == MOUNTED else Reserve
        yield type_(on=on, **(differs if was is None else _but(differs, OTHERS)))
        rest = {} if was is None else {n: v for n, v in differs.items() if n in OTHERS}
        if rest:
            yield SetDevice(on=on, **rest)


def _but(fields: dict[str, Any], names: tuple[str, ...]) -> dict[str, Any]:
    return {name: value for name, value in fields.items() if name not in names}


def _out(
    on: tuple[Address, ...], wish: dict[str, Any], differs: dict[str, Any], was: str | None
) -> Iterator[Command]:
    """Take it out, or into the records as one that is out."""
    if was is None:
        yield Stock(on=on, **_but(wish, PLACE))
        return
    if was != REMOVED:
        yield UnmountDevice(on=on, keep_cables=True)
    rest = _but(differs, PLACE)
    if rest:
        yield SetDevice(on=on, **rest)


def _in_place(on: tuple[Address, ...], differs: dict[str, Any]) -> Iterator[Command]:
    """Move it where it moves, with its size, and set what else differs."""
    moved = {name: value for name, value in differs.items() if name in (*PLACE, *SIZE)}
    moves = any(name in moved for name in PLACE)
    if moves:
        yield MoveDevice(on=on, **moved)
    rest = _but(differs, tuple(moved)) if moves else differs
    if rest:
        yield SetDevice(on=on, **rest)


def aside(_address: Address, change: Change[Device], state: State, end: State) -> Device | None:
    """Return it at a spare place in its rack, or else out of it, until its place is free."""
    before, after = change.before, change.after
    if before is None or before.rack is None or before.status == REMOVED:
        return None
    leaves = after is not None and after.rack != before.rack
    crowded = leaves and room.is_crowded(before.rack, state, end)
    unit = None if crowded else room.spare(before, state, end)
    if unit is None:
        return replace(before, rack=None, unit=None, face=None, status=REMOVED)
    return replace(before, unit=unit)


KIND = Kind(
    name=DEVICE,
    resource=Device,
    commands=(MountDevice, UnmountDevice, MoveDevice, Reserve, Stock, SetDevice, Retire),
    converge=converge,
    act=act,
    observe=None,
    canonical=place.canonical,
    form="NAME",
    holds=lambda device: tuple(room.held(device)),
    aside=aside,
    effort=lambda device: 0 if device.status != MOUNTED else 1 + (device.height or 0),
    machine=place.MACHINE,
)
