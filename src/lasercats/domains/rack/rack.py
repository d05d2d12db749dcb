"""`rack`: a rack, and what it can take."""

from collections.abc import Mapping
from functools import partial
from typing import Annotated, Any, ClassVar

from msgspec import Meta

from lasercats.core.address import Address
from lasercats.core.errors import Refused
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
WIDTH_FORM = partial(place.among, (10, 19, 21, 23), "a rack is 10, 19, 21 or 23 inches wide")


class Rack(place.Record, frozen=True):
    """A rack."""

    height: Height | None = None
    numbering: Numbering | None = None
    width: Width | None = None
    max_weight: MaxWeight | None = None
    max_power: MaxPower | None = None
    location: Location | None = None

    forms: ClassVar[Forms] = {"width": WIDTH_FORM, "max_weight": place.plain, "max_power": place.plain}

    def fits(self, address: Address, state: State) -> None:
        """Check that all that is in it fits into it."""
        room.check_rack(address, self, state)


class Create(place.Makes, frozen=True, init=False, tag="rack.create", past="rack.created", of=Rack):
    """Take racks into the records: by default 48 units, numbered from below, 19 inches wide."""

    new: ClassVar[Mapping[str, Any]] = {"height": 48, "numbering": "below", "width": 19}


class Set(place.Sets, frozen=True, init=False, tag="rack.set", past="rack.set", of=Rack):
    """Set what racks can take, or where they stand."""


class Delete(place.Removes, frozen=True, init=False, tag="rack.delete", past="rack.deleted", of=Rack):
    """Take empty racks out of the records."""

    def release(self, address: Address, found: Resource, state: State) -> None:
        """Check that nothing is in it."""
        for other, _ in place.inside(address, state):
            raise Refused(f"{other} is in it; take that out of it first")


class RackKind(place.InRoom[Rack]):
    """Racks."""

    name = place.RACK
    resource = Rack
    commands = (Create, Set, Delete)


KIND = RackKind()
