"""`rack.device`: a device, and where in a rack it is: planned there, mounted, or removed."""

from typing import Annotated, Any, ClassVar

from msgspec import Meta
from msgspec.structs import replace

from lasercats.core.address import Address
from lasercats.core.change import Change
from lasercats.core.command import Command
from lasercats.core.errors import Refused
from lasercats.core.loose import Forms
from lasercats.core.program import Known, Program
from lasercats.core.reference import refers
from lasercats.core.resource import REPORTED, Resource
from lasercats.core.state import State
from lasercats.domains.rack import place, power, room
from lasercats.domains.rack.device_type import DeviceType
from lasercats.domains.rack.place import RACK, TYPE, Kilograms, Text, Units, Watts

PLANNED, MOUNTED, REMOVED = "planned", "mounted", "removed"

RackRef = Annotated[str, refers(RACK, description="the rack that it is in")]
TypeRef = Annotated[str, refers(TYPE, description="its type")]
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


class Device(Resource, frozen=True):
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


class _Sized(Command, frozen=True):
    height: Height | None = None
    depth: Depth | None = None
    weight: Weight | None = None
    draw: Draw | None = None

    forms: ClassVar[Forms] = {"height": place.HEIGHT_FORM}


class _Described(_Sized, frozen=True):
    type: Annotated[str, Meta(description="its type; height, depth, weight and draw come from it")] | None = (
        None
    )
    serial: Serial | None = None
    asset_tag: AssetTag | None = None
    machine: MachineName | None = None

    forms: ClassVar[Forms] = {**_Sized.forms, "type": place.TYPE_FORM}


RackName = Annotated[str, Meta(description="the rack; the only one need not be named")]


class _Arriving(place.NearRack, _Described, frozen=True):
    forms: ClassVar[Forms] = {**_Described.forms, "unit": place.UNIT_FORM}

    rack: RackName | None = None
    unit: Unit | None = None
    face: Face | None = None

    def _arrived(self, address: Address, state: State, found: Device, status: str) -> Device:
        """Return the device in its place, where there is room."""
        given = place.given(self, Device)
        rack = given.get("rack") or found.rack or _only_rack(address, state)
        after = replace(found, **{"face": found.face or "front", **given, "rack": rack, "status": status})
        return _fitting(address, _sized(_of_type(after, state, given), given), state)


class Reserve(_Arriving, frozen=True, tag="rack.reserve"):
    """Reserve places for devices that are to come, or plan where they will be."""

    past: ClassVar[str] = "rack.device.reserved"

    def decide(self, address: Address, state: State) -> Device:
        """Return it planned, where there is room and it is not mounted."""
        found = _found(address, state)
        if found.status == MOUNTED:
            raise Refused(f"it is mounted at {_at(found)}; unmount it first")
        return self._arrived(address, state, found, PLANNED)


class MountDevice(_Arriving, frozen=True, tag="rack.mount"):
    """Mount devices, where they were planned or where it is said."""

    past: ClassVar[str] = "rack.device.mounted"

    def decide(self, address: Address, state: State) -> Device:
        """Return it mounted, where there is room."""
        found = _found(address, state)
        if found.status == MOUNTED and any(
            getattr(found, n) != v for n, v in place.given(self, Device).items() if n in PLACE
        ):
            raise Refused(f"it is mounted at {_at(found)}; `lasercats rack move` moves it")
        return self._arrived(address, state, found, MOUNTED)


class MoveDevice(place.NearRack, _Sized, frozen=True, tag="rack.move"):
    """Move devices to other places, mounted or planned ones."""

    past: ClassVar[str] = "rack.device.moved"
    forms: ClassVar[Forms] = {**_Sized.forms, "unit": place.UNIT_FORM}

    rack: RackName | None = None
    unit: Unit | None = None
    face: Face | None = None

    def decide(self, address: Address, state: State) -> Device:
        """Return it in its new place, where there is room."""
        found = place.existing(address, state, Device)
        if found.status not in (PLANNED, MOUNTED):
            raise Refused("it is in no rack; `lasercats rack mount` mounts it")
        given = place.given(self, Device)
        return _fitting(address, _sized(replace(found, **given), given), state)


class UnmountDevice(Command, frozen=True, tag="rack.unmount"):
    """Take devices out of their racks, or give up the places that were planned for them."""

    past: ClassVar[str] = "rack.device.unmounted"

    keep_cables: Annotated[bool, Meta(description="its cables stay its own, as it comes back soon")] = False

    def decide(self, address: Address, state: State) -> Device:
        """Return it out of the rack, where no cables are in it."""
        found = place.existing(address, state, Device)
        if found.status != REMOVED and not self.keep_cables:
            _check_free(address, state, ", or --keep-cables", planned=False)
        return replace(found, rack=None, unit=None, face=None, status=REMOVED)


class Stock(_Described, frozen=True, tag="rack.stock"):
    """Take devices into the records that are in no rack."""

    past: ClassVar[str] = "rack.device.stocked"

    def decide(self, address: Address, state: State) -> Device:
        """Return it as removed, where it is new or in no rack."""
        found = _found(address, state)
        if found.status in (PLANNED, MOUNTED):
            raise Refused(f"it is {found.status} at {_at(found)}; unmount it first")
        given = place.given(self, Device)
        return _fitting(address, _of_type(replace(found, **given, status=REMOVED), state, given), state)


class SetDevice(_Described, frozen=True, tag="rack.set_device"):
    """Set what is on record of devices; nobody is sent."""

    past: ClassVar[str] = "rack.device.set"

    def decide(self, address: Address, state: State) -> Device:
        """Return it with these fields, where it still fits."""
        found = place.existing(address, state, Device)
        after = _sized(replace(found, **place.given(self, Device)), place.given(self, Device))
        if self.type is not None:
            _type(after, state)
        return _fitting(address, after, state)

    def interpret(self, address: Address, change: Change[Resource], known: Known) -> Program[Any]:
        """Do nothing: it is so already."""
        return place.recorded(change.after)


class Correct(place.NearRack, _Described, frozen=True, tag="rack.correct"):
    """Say what is really so of devices, where the records are wrong; nobody is sent.

    So a false report is set right: another place, another serial number, or that it is in no rack at all
    (--status removed).
    """

    past: ClassVar[str] = "rack.device.corrected"
    amends: ClassVar[bool] = True
    forms: ClassVar[Forms] = {**_Described.forms, "unit": place.UNIT_FORM}

    rack: RackName | None = None
    unit: Unit | None = None
    face: Face | None = None
    status: Status | None = None

    def decide(self, address: Address, state: State) -> Device:
        """Return it as it is said to be, where that can be so."""
        found, given = place.existing(address, state, Device), place.given(self, Device)
        status = given.get("status") or found.status
        if status == REMOVED:
            _check_no_place(given)
            given |= dict.fromkeys(PLACE)
        elif found.rack is None:
            given = (
                {"rack": _only_rack(address, state), "face": "front"} | given
                if "rack" not in given
                else {"face": "front"} | given
            )
        after = _sized(replace(found, **given), given)
        if self.type is not None:
            _type(after, state)
        return _fitting(address, after, state)

    def interpret(self, address: Address, change: Change[Resource], known: Known) -> Program[Any]:
        """Do nothing: it is so already."""
        return place.recorded(change.after)


class Retire(Command, frozen=True, tag="rack.retire"):
    """Take devices out of the records that are in no rack any more."""

    past: ClassVar[str] = "rack.device.retired"

    def decide(self, address: Address, state: State) -> None:
        """Return nothing; what is mounted or has cables stays."""
        found = place.existing(address, state, Device)
        if found.status == MOUNTED:
            raise Refused(f"it is mounted at {_at(found)}; unmount it first")
        _check_free(address, state)


def _fitting(address: Address, after: Device, state: State) -> Device:
    """Return a device as it is to be, where its rack has room, and its feeds give what it draws."""
    if after.rack is not None:
        room.check_device(address, after, state)
    power.check_device(address, after, state)  # also out of a rack: it may have kept its cables
    return after


def _sized(device: Device, given: dict[str, Any]) -> Device:
    """Return a device, which takes no unit where it is 0 units high.

    Raises:
        Refused: a unit is given for it.

    """
    if device.height != 0 or device.unit is None:
        return device
    if "unit" in given:
        raise Refused("it is 0 units high and hangs beside them, so it takes no unit; leave --unit out")
    return replace(device, unit=None) if {"height", "type"} & given.keys() else device


def _check_no_place(given: dict[str, Any]) -> None:
    if any(name in given for name in PLACE):
        raise Refused("what is removed is in no rack; give it --status mounted, or no place")


def _found(address: Address, state: State) -> Device:
    found = state.get(address)
    return found if isinstance(found, Device) else Device()


def placed(device: Device) -> tuple[Any, ...]:
    """Return where it is."""
    return tuple(getattr(device, name) for name in PLACE)


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


def _type(device: Device, state: State) -> DeviceType | None:
    if not device.type:
        return None
    found = state.get(Address(device.type))
    if not isinstance(found, DeviceType):
        raise Refused(f"there is no {device.type}; `lasercats rack import` takes types from a library")
    return found


def _of_type(device: Device, state: State, given: dict[str, Any]) -> Device:
    """Return a device with the size of its type, where that is not given and not known."""
    type_ = _type(device, state)
    again = "type" in given
    sizes: dict[str, Any] = {"height": 1, "depth": "full", "weight": None, "draw": None}
    if type_ is not None:
        sizes["height"] = type_.u_height if type_.u_height is not None else 1
        sizes["depth"] = "half" if type_.is_full_depth is False else "full"
        sizes["weight"], sizes["draw"] = type_.weight, power.draw_of(type_)
    kept = {n: v for n in SIZE if (v := given.get(n, None if again else getattr(device, n))) is not None}
    return replace(device, **{**sizes, **kept})


def _check_free(address: Address, state: State, otherwise: str = "", *, planned: bool = True) -> None:
    there = power.cables_at(address, state)
    cables = sorted(place.name(a) for a, cable in there if planned or cable.status != PLANNED)
    if cables:
        raise Refused(f"cable {', '.join(cables)} is in it; disconnect that first{otherwise}")
