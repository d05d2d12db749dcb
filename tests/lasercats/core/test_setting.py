"""Commands by declaration: their fields are those of the resource, and what they decide and bring follows."""

from collections.abc import Mapping
from typing import Annotated, Any, ClassVar

import msgspec
import pytest
from msgspec import Meta

from lasercats.core.address import Address
from lasercats.core.change import Change
from lasercats.core.command import LOADS, Command, state_after, tag_of
from lasercats.core.errors import Refused
from lasercats.core.kind import Kind
from lasercats.core.loose import Forms
from lasercats.core.program import Known, Program
from lasercats.core.registry import Domain, Kinds
from lasercats.core.resource import COMPUTED, Resource
from lasercats.core.setting import Makes, Removes, Sets, settable
from lasercats.core.state import State
from lasercats.testing.laws import KindLaws

Size = Annotated[int, Meta(ge=1, le=9, description="how large it is")]


class Lamp(Resource, frozen=True):
    """A lamp."""

    size: Size | None = None
    lit: bool | None = None
    colour: Annotated[str, Meta(extra=LOADS)] | None = None
    hours: Annotated[int | None, COMPUTED] = None

    forms: ClassVar[Forms] = {"colour": str.lower}


class Hang(Makes, frozen=True, init=False, tag="lamp.hang", past="lamp.hung", of=Lamp):
    """Hang lamps."""

    new: ClassVar[Mapping[str, Any]] = {"lit": False}


class Light(Sets, frozen=True, init=False, tag="lamp.light", past="lamp.lit", of=Lamp, takes=()):
    """Light lamps."""

    constant: ClassVar[Mapping[str, Any]] = {"lit": True}


class Darken(Sets, frozen=True, init=False, tag="lamp.darken", past="lamp.darkened", of=Lamp, takes=()):
    """Darken lamps."""

    constant: ClassVar[Mapping[str, Any]] = {"lit": False}


class Paint(
    Sets,
    frozen=True,
    init=False,
    tag="lamp.paint",
    past="lamp.painted",
    of=Lamp,
    takes=("colour",),
    needs=("colour",),
):
    """Paint lamps."""


class Take(Removes, frozen=True, init=False, tag="lamp.take", past="lamp.taken", of=Lamp):
    """Take lamps down."""


class LampKind(Kind[Lamp]):
    """Lamps."""

    name = "lamp"
    resource = Lamp
    commands = (Hang, Light, Darken, Paint, Take)

    def act(self, address: Address, change: Change[Lamp], known: Known) -> Program[Lamp | None]:
        """Have it so."""
        yield from ()
        return change.after


KIND = LampKind()
ON = (Address("lamp/m:a"),)


class TestLaws(KindLaws):
    """A kind that writes nothing of its own keeps the laws."""

    kinds, kind, names = Kinds([Domain("lamp", (KIND,), ())]), KIND, ("m:a", "m:b")


def brings(before: Lamp | None, after: Lamp | None) -> list[Command]:
    """Return the commands that a change takes."""
    return list(KIND.converge(ON[0], Change(before, after)))


def test_fields_stand_once() -> None:
    """A command has the types, descriptions, forms and marks of the fields that it takes, and no others."""
    own = {field.name: field for field in msgspec.structs.fields(Hang)}
    assert set(own) == {"on", "size", "lit", "colour"}
    assert own["size"].type == Size | None
    assert own["colour"].default is None
    assert {field.name for field in msgspec.structs.fields(Paint)} == {"on", "colour"}
    assert next(f for f in msgspec.structs.fields(Paint) if f.name == "colour").required
    assert Paint(on=ON, colour="RED").colour == "red"
    assert settable(Lamp) == ("size", "lit", "colour")


@pytest.mark.parametrize("data", [{"size": 10}, {"size": "big"}, {"watts": 3}, {"hours": 1}])
def test_what_is_given_is_checked(data: dict[str, Any]) -> None:
    """A value that the resource may not have is refused, and so is a field that is not an operator's."""
    from lasercats.core.errors import BadInput

    with pytest.raises(BadInput):
        TestLaws.kinds.command({"command": "lamp.hang", "on": ["lamp/m:a"], **data})
    with pytest.raises(TypeError):
        Paint(on=ON)


def test_deciding() -> None:
    """One that is made has what is said of new ones; one that is there keeps what is not said."""
    nothing, there = State.of({}), State.of({ON[0]: Lamp(size=3, lit=True, hours=7)})
    assert Hang(on=ON, size=2).decide(ON[0], nothing) == Lamp(size=2, lit=False)
    assert Hang(on=ON, colour="x").decide(ON[0], there) == Lamp(size=3, lit=True, colour="x", hours=7)
    assert Darken(on=ON).decide(ON[0], there) == Lamp(size=3, lit=False, hours=7)
    assert state_after([Take(on=ON)], there).get(ON[0]) is None
    with pytest.raises(Refused, match="nothing is known of lamp/m:a"):
        Light(on=ON).decide(ON[0], nothing)


def test_as_few_commands_as_can_be() -> None:
    """A change takes the smallest commands that set it, and what makes it anew only where none can."""
    lamp = Lamp(size=1, lit=False, colour="red")
    assert brings(None, lamp) == [Hang(on=ON, size=1, lit=False, colour="red")]
    assert brings(lamp, None) == [Take(on=ON)]
    assert brings(lamp, Lamp(size=1, lit=True, colour="red")) == [Light(on=ON)]
    assert brings(lamp, Lamp(lit=True, colour="blue")) == [Light(on=ON), Paint(on=ON, colour="blue")]
    assert brings(lamp, Lamp(size=2, colour="blue")) == [Hang(on=ON, size=2, colour="blue")]
    assert brings(lamp, lamp) == []
    assert [tag_of(command) for command in brings(Lamp(lit=True), Lamp(lit=False))] == ["lamp.darken"]


class Coloured(Sets, frozen=True, init=False, takes=()):
    """What says the form of a field of its own."""

    forms: ClassVar[Forms] = {"shade": str.upper}


class Replaced(
    Makes,
    frozen=True,
    init=False,
    tag="lamp.replace",
    past="lamp.replaced",
    of=Lamp,
    takes=("size", "colour", "hours"),
    needs=("size", "colour"),
):
    """Replace lamps."""

    over: ClassVar[bool] = False


class Shade(
    Coloured,
    frozen=True,
    init=False,
    tag="lamp.shade",
    past="lamp.shaded",
    of=Lamp,
    takes=("size",),
    announces=("interrupts",),
    constant={"lit": False},
):
    """Shade lamps."""

    size: Size = 4
    shade: str = "none"


def test_what_stands_in_its_own_body_stays() -> None:
    """A default of its own is kept, and so are the forms of its family."""
    assert Shade(on=ON).size == 4
    assert Shade(on=ON, shade="dim").shade == "DIM"
    assert (Shade.announces, Shade.constant) == (("interrupts",), {"lit": False})


def test_what_only_makes_is_not_given_for_what_is_there() -> None:
    """What no command sets stays as it is; a new one has what is given of the fields that are taken."""
    kind = Kind[Lamp](name="lamp", resource=Lamp, commands=(Replaced, Paint, Take))
    lamp = Lamp(size=1, colour="red")
    assert list(kind.converge(ON[0], Change(lamp, Lamp(size=2, colour="blue")))) == [
        Paint(on=ON, colour="blue")
    ]
    made = Replaced(on=ON, size=1, colour="red", hours=3)
    assert list(kind.converge(ON[0], Change(None, Lamp(size=1, colour="red", hours=3)))) == [made]
    with pytest.raises(Refused, match="lamp/m:a cannot be replaced without size and colour"):
        list(kind.converge(ON[0], Change(None, Lamp())))
