"""How devices get to where they are to be: the steps of a technician, and the commands of a plan."""

from collections.abc import Iterator
from typing import Any

from msgspec.structs import replace

from lasercats.core.address import Address
from lasercats.core.change import Change
from lasercats.core.command import Command, Forget
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
    Correct,
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
from lasercats.domains.rack.place import DEVICE, TYPE, spot_of
from lasercats.instructions.work_order import Done, Mount, Move, PowerDown, Unmount
from lasercats.instructions.work_order import Step as Act


def act(address: Address, change: Change[Any], known: Known) -> "Step | Program[Any]":
    """Have it mounted, moved or unmounted; all else is on record only."""
    before: Any = change.before
    after: Any = change.after
    was, is_ = _is_mounted(before), _is_mounted(after)
    if not was and not is_:
        return place.recorded(after)
    if was and is_ and placed(before) == placed(after):
        return place.recorded(after)
    spots = [spot_of(device, known) for device in (before, after) if _is_mounted(device)]
    named = _named(address, before if was else after)
    common = {**named, "at": spots[0].rack, "weight": (after or before).weight}
    down = _down(before, known, named) if was else ()
    acts: tuple[Act, ...]
    if not was:
        acts = (Mount(**common, place=spots[0]),)
    elif not is_:
        acts = (*down, Unmount(**common, place=spots[0]))
    else:
        moved = Move(**common, source=spots[0], place=spots[1], powered=bool(down))
        acts = (*down, moved)
    return Step(acts, lambda outcomes: _with_found(after, outcomes))


def _named(address: Address, device: Device) -> dict[str, Any]:
    """Return by what a technician knows the device: its name, and what is written on it."""
    return {
        "machine": place.machine(address),
        "device": place.name(address),
        "what": (device.type or "").removeprefix(f"{TYPE}/") or None,
        "serial": device.serial or None,
        "asset_tag": device.asset_tag or None,
    }


def _is_mounted(device: Device | None) -> bool:
    return device is not None and device.status == MOUNTED


def _down(device: Device, known: Known, named: dict[str, Any]) -> tuple[Act, ...]:
    """Return that it is to be shut down, unless its type says that it has no power.

    That is the same step wherever it is, as it is shut down once in an order in which it is moved twice.
    """
    type_ = known(Address(device.type)) if device.type else None
    passive = isinstance(type_, DeviceType) and power.is_passive(type_)
    return () if passive else (PowerDown(**named),)


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


def amend(address: Address, change: Change[Device]) -> Iterator[Command]:
    """Set right what is on record, and send nobody."""
    on, before, after = (address,), change.before, change.after
    if after is None:
        yield Forget(on=on)
        return
    wish, old = decisions(after), decisions(before)
    if before is None:
        old = {"status": REMOVED, **{name: wish[name] for name in (*SIZE, *OTHERS) if name in wish}}
        yield Stock(on=on, **_but(old, ("status",)))
    differs = {name: value for name, value in wish.items() if old.get(name) != value}
    if differs:
        yield Correct(on=on, **differs)


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


KIND: Kind[Any] = Kind(
    name=DEVICE,
    resource=Device,
    commands=(MountDevice, UnmountDevice, MoveDevice, Reserve, Stock, SetDevice, Correct, Retire),
    converge=converge,
    amend=amend,
    act=act,
    canonical=place.canonical,
    form="NAME",
    holds=lambda device: tuple(room.held(device)),
    aside=aside,
    effort=lambda device: 0 if device.status != MOUNTED else 1 + (device.height or 0),
    machine=place.MACHINE,
)
