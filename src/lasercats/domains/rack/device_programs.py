"""How devices get to where they are to be: the steps of a technician, and the commands of a plan."""

from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from msgspec.structs import replace

from lasercats.core import setting
from lasercats.core.address import Address
from lasercats.core.change import Change
from lasercats.core.command import Command
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
    out_of_rack,
)
from lasercats.domains.rack.device_type import DeviceType
from lasercats.domains.rack.place import DEVICE, TYPE, spot_of
from lasercats.instructions.work_order import Done, Mount, Move, PowerDown, Unmount, WorkStep

ARRIVES: Mapping[str, type[setting.Makes]] = {MOUNTED: MountDevice, REMOVED: Stock}


class DeviceKind(place.ByHand[Device]):
    """Devices, which a technician mounts, moves and takes out."""

    name = DEVICE
    resource = Device
    commands = (MountDevice, UnmountDevice, MoveDevice, Reserve, Stock, SetDevice, Correct, Retire)
    enters = Stock
    corrects = Correct

    def holds(self, resource: Device) -> Iterator[str]:
        """Return the units that it occupies."""
        return room.held(resource)

    def effort(self, resource: Device) -> float:
        """Return how much it takes to lift it."""
        return 0 if resource.status != MOUNTED else 1 + (resource.height or 0)

    def converge(self, address: Address, change: Change[Device]) -> Iterator[Command]:
        """Bring it to where it is to be, then set what else differs."""
        on, before, after = (address,), change.before, change.after
        if after is None:
            if _is_mounted(before):
                yield UnmountDevice(on=on, keep_cables=True)
            yield Retire(on=on)
            return
        desired = decisions(after)
        was, status = before and before.status, _status(before, desired)
        arrives = ARRIVES.get(status or "", Reserve)
        if before is None or was is None:
            yield arrives.complete(on, desired)
            return
        differs = _of(desired, setting.differing(before, desired))
        if was != status and (was == MOUNTED or status == REMOVED):
            yield UnmountDevice(on=on, keep_cables=True)
            differs |= _of(desired, PLACE)
        moves = status != REMOVED and (was != status or bool(differs.keys() & {*PLACE}))
        if moves:
            yield (MoveDevice if was == status else arrives)(on=on, **_of(differs, (*PLACE, *SIZE)))
        rest = _of(differs, OTHERS if moves else (*SIZE, *OTHERS))
        if rest:
            yield SetDevice(on=on, **rest)

    def aside(self, address: Address, change: Change[Device], state: State, end: State) -> Device | None:
        """Return it at a spare place in its rack, or else out of it, until its place is free."""
        before, after = change.before, change.after
        if before is None or before.rack is None or before.status == REMOVED:
            return None
        leaves = after is not None and after.rack != before.rack
        crowded = leaves and room.is_crowded(before.rack, state, end)
        unit = None if crowded else room.spare(before, state, end)
        return out_of_rack(before) if unit is None else replace(before, unit=unit)

    def act(self, address: Address, change: Change[Any], known: Known) -> "Step | Program[Any]":
        """Have it mounted, moved or unmounted; all else is on record only."""
        before: Any = change.before
        after: Any = change.after
        was, is_ = _is_mounted(before), _is_mounted(after)
        if was == is_ and (not was or not setting.differing(before, {n: getattr(after, n) for n in PLACE})):
            return place.recorded(after)
        spots = [spot_of(device, known) for device in (before, after) if _is_mounted(device)]
        named = _named(address, before if was else after)
        common = {**named, "at": spots[0].rack, "weight": (after or before).weight}
        down = _down(before, known, named) if was else ()
        act: WorkStep
        if was and is_:
            act = Move(**common, source=spots[0], place=spots[1], powered=bool(down))
        else:
            act = (Unmount if was else Mount)(**common, place=spots[0])
        return Step((*down, act), lambda outcomes: _with_found(after, outcomes))


def _status(before: Device | None, desired: Mapping[str, Any]) -> str | None:
    """Return what a device is to be, where a document may only say where."""
    status: str | None = desired.get("status") or (before.status if before else MOUNTED)
    return MOUNTED if status == REMOVED and desired.get("rack") else status


def _of(fields: Mapping[str, Any], names: Iterable[str]) -> dict[str, Any]:
    return {name: fields[name] for name in names if name in fields}


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


def _down(device: Device, known: Known, named: dict[str, Any]) -> tuple[WorkStep, ...]:
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


KIND = DeviceKind()
