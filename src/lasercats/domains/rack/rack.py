"""`rack`: a rack, and what it can take."""

from typing import Annotated, ClassVar

from msgspec import Meta
from msgspec.structs import replace

from lasercats.core.address import Address
from lasercats.core.command import Command
from lasercats.core.errors import Refused
from lasercats.core.kind import Kind
from lasercats.core.loose import Forms
from lasercats.core.resource import Resource
from lasercats.core.state import State
from lasercats.domains.rack import place, room
from lasercats.domains.rack.place import Kilograms, Text, Watts

Height = Annotated[int, Meta(ge=1, le=100, description="how many units it has")]
Numbering = Annotated[
    str, Meta(pattern="^(below|above)$", description="where unit 1 is: below, or above as in some racks")
]
Width = Annotated[int, Meta(description="between the rails in inches: 10, 19, 21 or 23")]
MaxWeight = Annotated[Kilograms, Meta(description="what it may carry at most in kilograms")]
MaxPower = Annotated[Watts, Meta(description="what may be drawn in it at most in watts")]
Location = Annotated[Text, Meta(description="where it stands")]
WIDTHS = (10, 19, 21, 23)


def _width(width: int) -> int:
    if width not in WIDTHS:
        raise ValueError(f"a rack is 10, 19, 21 or 23 inches wide, and not {width}")
    return width


FORMS: Forms = {"width": _width, "max_weight": place.plain, "max_power": place.plain}


class Rack(Resource, frozen=True):
    """A rack."""

    height: Height | None = None
    numbering: Numbering | None = None
    width: Width | None = None
    max_weight: MaxWeight | None = None
    max_power: MaxPower | None = None
    location: Location | None = None

    forms: ClassVar[Forms] = FORMS


class _Setting(Command, frozen=True):
    forms: ClassVar[Forms] = FORMS

    height: Height | None = None
    numbering: Numbering | None = None
    width: Width | None = None
    max_weight: MaxWeight | None = None
    max_power: MaxPower | None = None
    location: Location | None = None

    def _set_on(self, address: Address, found: Rack, state: State) -> Rack:
        place.checked(self)
        rack = replace(found, **place.given(self, Rack))
        room.check_rack(address, rack, state)
        return rack


class Create(_Setting, frozen=True, tag="rack.create"):
    """Take racks into the records: by default 48 units, numbered from below, 19 inches wide."""

    past: ClassVar[str] = "rack.created"

    def decide(self, address: Address, state: State) -> Rack:
        """Return the rack with these fields, or the one that is there with them."""
        found = state.get(address)
        new = found if isinstance(found, Rack) else Rack(height=48, numbering="below", width=19)
        return self._set_on(address, new, state)


class Set(_Setting, frozen=True, tag="rack.set"):
    """Set what racks can take, or where they stand."""

    past: ClassVar[str] = "rack.set"

    def decide(self, address: Address, state: State) -> Rack:
        """Return it with these fields, where all that is in it still fits."""
        return self._set_on(address, place.existing(address, state, Rack), state)


class Delete(Command, frozen=True, tag="rack.delete"):
    """Take empty racks out of the records."""

    past: ClassVar[str] = "rack.deleted"

    def decide(self, address: Address, state: State) -> None:
        """Return nothing; a rack that something is in stays."""
        place.existing(address, state, Rack)
        for other, _ in place.inside(address, state):
            raise Refused(f"{other} is in it; take that out of it first")


KIND: Kind[Resource] = Kind(
    name=place.RACK,
    resource=Rack,
    commands=(Create, Set, Delete),
    converge=place.converging(Create, Set, Delete),
    act=place.record,
    canonical=place.canonical,
    form="NAME",
    machine=place.MACHINE,
)
