"""`rack.device`: a device, and where in a rack it is: planned there, mounted, or removed."""

from collections.abc import Mapping
from typing import Annotated, Any, ClassVar

from msgspec import Meta
from msgspec.structs import replace

from lasercats.core import setting
from lasercats.core.address import Address
from lasercats.core.errors import Refused
from lasercats.core.loose import Forms
from lasercats.core.reference import refers
from lasercats.core.resource import REPORTED, decisions
from lasercats.core.state import State
from lasercats.domains.rack import place, power, room
from lasercats.domains.rack.device_type import DeviceType
from lasercats.domains.rack.place import RACK, TYPE, Kilograms, Text, Units, Watts

PLANNED, MOUNTED, REMOVED = "planned", "mounted", "removed"

RackRef = Annotated[str, refers(RACK, description="the rack that it is in; the only one need not be named")]
TypeRef = Annotated[str, refers(TYPE, description="its type; height, depth, weight and draw come from it")]
Unit = Annotated[
    float, Meta(ge=1, le=100, description="the lowest-numbered unit that it occupies; halves are 12.5")
]
Height = Annotated[Units, Meta(description="how many units it is high; 0 for what hangs beside them")]
Face = Annotated[str, Meta(pattern="^(front|rear)$", description="where it is mounted: front or rear")]
Depth = Annotated[
    str, Meta(pattern="^(full|half)$", description="full where it occupies both faces, or half")
]
Weight = Annotated[Kilograms, Meta(description="in kilograms; by default that of its type")]
Draw = Annotated[Watts, Meta(description="what it draws at most in watts; by default that of its type")]
Status = Annotated[
    str, Meta(pattern="^(planned|mounted|removed)$", description="planned, mounted or removed")
]
Serial = Annotated[Text, REPORTED, Meta(description="its serial number; the technician may report it")]
AssetTag = Annotated[Text, REPORTED, Meta(description="its asset tag; the technician may report it")]
MachineName = Annotated[Text, Meta(description="the machine that it is: a host or switch of this project")]

PLACE = ("rack", "unit", "face")
SIZE = ("height", "depth", "weight", "draw")
OTHERS = ("type", "serial", "asset_tag", "machine")


class Device(place.Record, frozen=True):
    """A device in a rack, or one that was or will be in one."""

    rack: RackRef | None = None
    unit: Unit | None = None
    face: Face | None = None
    height: Height | None = None
    depth: Depth | None = None
    type: TypeRef | None = None
    weight: Weight | None = None
    draw: Draw | None = None
    status: Status | None = None
    serial: Serial | None = None
    asset_tag: AssetTag | None = None
    machine: MachineName | None = None

    forms: ClassVar[Forms] = {
        "rack": place.RACK_FORM,
        "type": place.TYPE_FORM,
        "unit": place.UNIT_FORM,
        "height": place.HEIGHT_FORM,
        "weight": place.plain,
        "draw": place.plain,
    }

    def fits(self, address: Address, state: State) -> None:
        """Check that its rack has room, and its feeds give what it draws."""
        if self.rack is not None:
            room.check_device(address, self, state)
        power.check_device(address, self, state)  # also out of a rack: it may have kept its cables


class _Describes(place.Sets, frozen=True, init=False, takes=(*SIZE, *OTHERS)):
    """Sets what a device is, and where."""

    def decide(self, address: Address, state: State) -> Device:
        """Return it as it is to be, where it fits."""
        given = self.given()
        after = self.completed(self.put(self.found(address, state)), address, state)
        after = _sized(after, given)
        if "type" in given:
            _type(after, state)
        self.admit(address, after, state)
        return after

    def completed(self, device: Device, address: Address, state: State) -> Device:
        """Return a device with what follows from the rest."""
        return device


class _Arrives(_Describes, setting.Makes, frozen=True, init=False, takes=(*SIZE, *OTHERS, *PLACE)):
    """Brings a device to a place, or into the records."""

    def completed(self, device: Device, address: Address, state: State) -> Device:
        """Return a device in a rack, with the size of its type."""
        return _of_type(_racked(device, address, state), state, self.given())


class Reserve(_Arrives, frozen=True, init=False, tag="rack.reserve", past="rack.device.reserved", of=Device):
    """Reserve places for devices that are to come, or plan where they will be."""

    constant: ClassVar[Mapping[str, Any]] = {"status": PLANNED}

    def found(self, address: Address, state: State) -> Device:
        """Return what is known of it, where it is not mounted."""
        found: Device = super().found(address, state)
        if found.status == MOUNTED:
            raise Refused(f"it is mounted at {_at(found)}; unmount it first")
        return found


class MountDevice(_Arrives, frozen=True, init=False, tag="rack.mount", past="rack.device.mounted", of=Device):
    """Mount devices, where they were planned or where it is said."""

    constant: ClassVar[Mapping[str, Any]] = {"status": MOUNTED}

    def found(self, address: Address, state: State) -> Device:
        """Return what is known of it, where it is not mounted elsewhere."""
        found: Device = super().found(address, state)
        if found.status == MOUNTED and setting.differing(found, self.given()) & {*PLACE}:
            raise Refused(f"it is mounted at {_at(found)}; `lasercats rack move` moves it")
        return found


class Stock(
    _Arrives,
    frozen=True,
    init=False,
    tag="rack.stock",
    past="rack.device.stocked",
    of=Device,
    takes=(*SIZE, *OTHERS),
):
    """Take devices into the records that are in no rack."""

    constant: ClassVar[Mapping[str, Any]] = {"status": REMOVED}

    def found(self, address: Address, state: State) -> Device:
        """Return what is known of it, where it is in no rack."""
        found: Device = super().found(address, state)
        if found.status in (PLANNED, MOUNTED):
            raise Refused(f"it is {found.status} at {_at(found)}; unmount it first")
        return found

    def completed(self, device: Device, address: Address, state: State) -> Device:
        """Return a device with the size of its type."""
        return _of_type(device, state, self.given())


class MoveDevice(
    _Describes,
    frozen=True,
    init=False,
    tag="rack.move",
    past="rack.device.moved",
    of=Device,
    takes=(*SIZE, *PLACE),
):
    """Move devices to other places, mounted or planned ones."""

    def found(self, address: Address, state: State) -> Device:
        """Return it, where it is in a rack."""
        found: Device = super().found(address, state)
        if found.status not in (PLANNED, MOUNTED):
            raise Refused("it is in no rack; `lasercats rack mount` mounts it")
        return found


class UnmountDevice(
    place.Sets,
    frozen=True,
    init=False,
    tag="rack.unmount",
    past="rack.device.unmounted",
    of=Device,
    takes=(),
):
    """Take devices out of their racks, or give up the places that were planned for them."""

    keep_cables: Annotated[bool, Meta(description="its cables stay its own, as it comes back soon")] = False

    def found(self, address: Address, state: State) -> Device:
        """Return it, where no cables are in it."""
        found: Device = super().found(address, state)
        if found.status != REMOVED and not self.keep_cables:
            _check_free(address, state, ", or --keep-cables", planned=False)
        return found

    def put(self, found: Device) -> Device:
        """Return it out of the rack."""
        return out_of_rack(found)


class SetDevice(
    place.Tells,
    _Describes,
    frozen=True,
    init=False,
    tag="rack.set_device",
    past="rack.device.set",
    of=Device,
    takes=(*SIZE, *OTHERS),
):
    """Set what is on record of devices; nobody is sent."""


class Correct(
    place.Tells,
    _Describes,
    frozen=True,
    init=False,
    tag="rack.correct",
    past="rack.device.corrected",
    of=Device,
    takes=(*SIZE, *OTHERS, *PLACE, "status"),
):
    """Say what is really so of devices, where the records are wrong; nobody is sent.

    So a false report is set right: another place, another serial number, or that it is in no rack at all
    (--status removed).
    """

    amends: ClassVar[bool] = True

    def completed(self, device: Device, address: Address, state: State) -> Device:
        """Return a device in a rack, or out of it."""
        if device.status != REMOVED:
            found: Any = state.get(address)
            return device if found.rack is not None else _racked(device, address, state)
        if any(name in self.given() for name in PLACE):
            raise Refused("what is removed is in no rack; give it --status mounted, or no place")
        return out_of_rack(device)


class Retire(
    place.Removes, frozen=True, init=False, tag="rack.retire", past="rack.device.retired", of=Device
):
    """Take devices out of the records that are in no rack any more."""

    def release(self, address: Address, found: Device, state: State) -> None:
        """Check that it is not mounted and has no cables."""
        if found.status == MOUNTED:
            raise Refused(f"it is mounted at {_at(found)}; unmount it first")
        _check_free(address, state)


def out_of_rack(device: Device) -> Device:
    """Return a device that is in no rack any more."""
    return replace(device, **dict.fromkeys(PLACE), status=REMOVED)


def _racked(device: Device, address: Address, state: State) -> Device:
    """Return a device in a rack: the only one, at the front, where nothing else is said."""
    rack = device.rack or _only_rack(address, state)
    return replace(device, rack=rack, face=device.face or "front")


def _sized(device: Device, given: Mapping[str, Any]) -> Device:
    """Return a device, which takes no unit where it is 0 units high.

    Raises:
        Refused: a unit is given for it.

    """
    if device.height != 0 or device.unit is None:
        return device
    if "unit" in given:
        raise Refused("it is 0 units high and hangs beside them, so it takes no unit; leave --unit out")
    return replace(device, unit=None) if {"height", "type"} & given.keys() else device


def _at(device: Device) -> str:
    return (
        f"{room.units(device.unit, device.height or 0)} of {device.rack}" if device.unit else f"{device.rack}"
    )


def _only_rack(address: Address, state: State) -> str:
    racks = [
        rack for rack, _ in state.having(place.users, place.machine(address)) if rack.startswith("rack/")
    ]
    if len(racks) != 1:
        raise Refused("say in which rack: --rack")
    return racks[0]


def _type(device: Device, state: State) -> DeviceType:
    """Return its type; of one that has none, a type of which nothing is known."""
    if not device.type:
        return DeviceType()
    found = state.get(Address(device.type))
    if not isinstance(found, DeviceType):
        raise Refused(f"there is no {device.type}; `lasercats rack import` takes types from a library")
    return found


def _of_type(device: Device, state: State, given: dict[str, Any]) -> Device:
    """Return a device with the size of its type, where that is not given and not known."""
    type_ = _type(device, state)
    sizes = {
        "height": 1 if type_.u_height is None else type_.u_height,
        "depth": "half" if type_.is_full_depth is False else "full",
        "weight": type_.weight,
        "draw": power.draw_of(type_),
    }
    kept = given if "type" in given else decisions(device)
    return replace(device, **{**sizes, **{name: kept[name] for name in SIZE if name in kept}})


def _check_free(address: Address, state: State, otherwise: str = "", *, planned: bool = True) -> None:
    there = power.cables_at(address, state)
    cables = sorted(place.name(a) for a, cable in there if planned or cable.status != PLANNED)
    if cables:
        raise Refused(f"cable {', '.join(cables)} is in it; disconnect that first{otherwise}")
