"""What the kinds of racks have in common: names, places, and what stands in a rack.

A unit is 1.75 inches high (EIA-310); halves are allowed. A device occupies the units from its lowest-numbered
one, on one face of the rack or, where it has full depth, on both.
"""

import re
from collections.abc import Collection, Iterable, Iterator
from contextlib import suppress
from functools import lru_cache, partial
from typing import Annotated, Any, TypeVar, cast

from msgspec import Meta

from lasercats.core import address as addresses
from lasercats.core import setting
from lasercats.core.address import Address, machine_of, make, rest_of
from lasercats.core.change import Change
from lasercats.core.command import Command, Forget
from lasercats.core.errors import BadInput, Refused
from lasercats.core.kind import Kind
from lasercats.core.loose import ODD
from lasercats.core.program import Known, Program, Step
from lasercats.core.resource import Resource, decisions
from lasercats.core.state import State
from lasercats.instructions.work_order import Spot

MACHINE = "human"
"""The machine of a name that names none: whoever is sent to the racks."""
RACK, DEVICE, TYPE, CABLE, FEED = "rack", "rack.device", "rack.device_type", "rack.cable", "rack.feed"
NAME = re.compile(r"[^\x00-\x1f\x7f:/]{1,64}")

Text = Annotated[str, Meta(max_length=200, pattern=r"^[^\x00-\x1f\x7f]*$")]
Units = Annotated[float, Meta(ge=0, le=100)]
Kilograms = Annotated[float, Meta(ge=0, le=100_000)]
Watts = Annotated[float, Meta(ge=0, le=1_000_000)]

R = TypeVar("R", bound=Resource)


def halves(what: str, value: float) -> int | float | None:
    """Return units in their one form: whole where they are.

    Raises:
        ValueError: it is no multiple of a half.

    """
    if (value * 2) % 1:
        raise ValueError(f"{what} is given in halves of a unit, and not as {value:g}")
    return plain(value)


def plain(value: float | None) -> int | float | None:
    """Return a number in its one form: 12 and not 12.0."""
    return int(value) if isinstance(value, float) and value.is_integer() else value


def among(values: Collection[int], fact: str, value: int) -> int:
    """Give a number back that is one of some.

    Raises:
        ValueError: it is none of them.

    """
    if value not in values:
        raise ValueError(f"{fact}, and not {value}")
    return value


def canonical(name: str) -> str:
    """Return the one form of a name: without the machine where that is the one that needs no naming.

    Raises:
        BadInput: it is none.

    """
    machine, colon, rest = name.partition(":")
    if not colon:
        machine, rest = MACHINE, name
    if not NAME.fullmatch(rest) or rest != rest.strip():
        raise BadInput(
            f"{name!r} names nothing in a rack; write NAME or MACHINE:NAME, of at most 64 characters, "
            "without ':' and '/' in it"
        )
    addresses.check_machine_name(machine)
    return rest if machine == MACHINE else f"{machine}:{rest}"


def machine(address: Address) -> str:
    """Return the machine that an address is on."""
    return machine_of(address) or MACHINE


def name(address: Address) -> str:
    """Return the name at its machine."""
    return rest_of(address)


def sibling(address: Address, kind: str, other: str) -> Address:
    """Return the address of another thing at the same machine."""
    there = machine_of(address)
    return make(kind, other if there is None else f"{there}:{other}")


@lru_cache(maxsize=4096)  # many are in one rack, and of one type
def reference(kind: str, value: str | None) -> str | None:
    """Return a reference in its one form: a name becomes an address of the kind.

    Raises:
        ValueError: it is no name of that kind.

    """
    if not value:
        return value
    try:
        short = canonical(value.removeprefix(f"{kind}/"))
    except BadInput as error:
        raise ValueError(str(error)) from None
    return make(kind, short)


def near(on: tuple[Address, ...], kind: str, value: str | None) -> str | None:
    """Return a reference that a command makes: a name without a machine is at the machine of the command."""
    if value and on and "/" not in value and ":" not in value:
        return sibling(on[0], kind, value)
    return reference(kind, value)


RACK_FORM = partial(reference, RACK)
"""Returns the one form of a reference to a rack."""
TYPE_FORM = partial(reference, TYPE)
"""Returns the one form of a reference to a type of device."""
UNIT_FORM = partial(halves, "a place")
"""Returns the one form of a place in a rack."""
HEIGHT_FORM = partial(halves, "a height")
"""Returns the one form of a height in units."""


def known_rack(rack: str, state: State) -> Any:  # noqa: ANN401
    """Return a rack by its address.

    Raises:
        Refused: there is none.

    """
    found = state.get(Address(rack))
    if found is None:
        raise Refused(f"there is no {rack}; take it into the records with `lasercats rack create`")
    return found


class Record(Resource, frozen=True):
    """What is on record of racks and of what is in them."""

    def fits(self, address: Address, state: State) -> None:
        """Check that it can be so, in a world as in `state`.

        Raises:
            Refused: it cannot.

        """


class Sets(setting.Sets, frozen=True, init=False):
    """Sets fields; a rack that is named without a machine is at that of the command."""

    def __post_init__(self) -> None:
        """Bring the rack to its one form; what names none stays as it is."""
        if "rack" in self.takes:
            with suppress(*ODD):
                self._set("rack", near(self.on, RACK, self.rack))
        super().__post_init__()

    def decide(self, address: Address, state: State) -> Resource:
        """Return what is there with these fields, where they may be given: a program may have made them."""
        try:
            self.check()
        except ValueError as error:
            raise Refused(str(error).partition(" - at `")[0]) from None
        return super().decide(address, state)

    def admit(self, address: Address, after: Any, state: State) -> None:  # noqa: ANN401 - of its type
        """Check that it can be so."""
        after.fits(address, state)


class Makes(Sets, setting.Makes, frozen=True, init=False):
    """Takes something into the records, or sets fields of what is there."""


class Removes(setting.Removes, frozen=True, init=False):
    """Takes out of the records what is there."""

    def decide(self, address: Address, state: State) -> None:
        """Leave nothing, where it may go; what nobody knows of is told."""
        self.release(address, setting.existing(address, state, self.of), state)


class Tells(Sets, frozen=True, init=False):
    """Tells what is so already; nobody is sent."""

    def interpret(self, address: Address, change: Change[Resource], known: Known) -> Program[Any]:
        """Do nothing."""
        return recorded(change.after)


def recorded(result: Any) -> Program[Any]:  # noqa: ANN401
    """Return a program that has nothing done: what is decided is so."""
    yield from ()
    return result


class OnRecord(Kind[R]):
    """The family of what is kept on record only; a person answers for it."""

    by_hand = True

    def act(self, address: Address, change: Change[R], known: Known) -> "Step | Program[Any]":
        """Take the change into the records."""
        return recorded(change.after)


class InRoom(OnRecord[R]):
    """The family of what has a name at a machine, by default at whoever is sent to the racks."""

    form = "NAME"
    machine = MACHINE

    def canonical(self, name: str) -> str:
        """Return the one form of a name."""
        return canonical(name)


class ByHand(InRoom[R]):
    """The family of what a person does; where the records are wrong, they are set right without one."""

    enters: type[setting.Makes]
    """The command that takes one into the records and sends nobody."""
    corrects: type[Sets]
    """The command that says what is really so."""

    def amend(self, address: Address, change: Change[R]) -> Iterator[Command]:
        """Set right what is on record, and send nobody."""
        on, now, desired = (address,), change.before, decisions(change.after)
        if change.after is None:
            yield Forget(on=on)
            return
        if now is None:
            entered = self.enters.complete(on, desired)
            yield entered
            now = cast("R", entered.put(entered.fresh()))
        differs = setting.differing(now, desired)
        if differs:
            yield self.corrects(on=on, **{name: desired[name] for name in desired if name in differs})


def users(address: Address, resource: Resource) -> Iterator[object]:
    """Yield by what a resource is found: the rack that it is in; for the rack itself, its machine."""
    rack = getattr(resource, "rack", None)
    if rack:
        yield rack
    if addresses.kind_of(address) == RACK:
        yield machine(address)


def typed(_address: Address, resource: Resource) -> Iterator[object]:
    """Yield by what a device is found: its type."""
    type_ = getattr(resource, "type", None)
    if type_:
        yield type_


def inside(rack: str, state: State) -> Iterable[tuple[Address, Any]]:
    """Iterate over what is in a rack, planned things too."""
    return state.having(users, rack)


def spot_of(device: Any, known: Known) -> Spot:  # noqa: ANN401
    """Return the place of a device for a person, with how far it is from the floor."""
    rack: Any = known(Address(device.rack or ""))
    unit, height = device.unit, device.height or 0
    floor = 0.0
    if unit is not None:
        above = rack is not None and rack.numbering == "above"
        floor = (rack.height + 1 - unit - height) if above else unit - 1
    return Spot(rack=_short(device.rack), unit=unit, height=height, face=device.face or "front", floor=floor)


def spot_of_end(near: Address, end: str, known: Known) -> Spot | None:
    """Return where an end of a cable is for a person: a port, or a feed, of which only the rack is told."""
    name_, colon, _ = end.partition(":")
    found: Any = known(sibling(near, DEVICE if colon else FEED, name_))
    if found is None or not found.rack:
        return None
    return (
        spot_of(found, known)
        if colon
        else Spot(rack=_short(found.rack), unit=None, height=0, face="", floor=0)
    )


def _short(rack: str | None) -> str:
    """Return the name of a rack at its machine."""
    return (rack or "").removeprefix(f"{RACK}/").rpartition(":")[2]
