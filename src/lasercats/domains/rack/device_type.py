"""`rack.device_type`: a type of device, as the NetBox community library describes it; no machine is asked.

Its address holds the slug of the library: `rack.device_type/acme-server-1`.
"""

import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Annotated, Any, ClassVar, Literal, get_args

from msgspec import Meta, json
from msgspec.structs import replace

from lasercats.core.address import Address
from lasercats.core.change import Change
from lasercats.core.command import Command
from lasercats.core.errors import BadInput, Refused
from lasercats.core.kind import Kind
from lasercats.core.loose import Forms, Part
from lasercats.core.resource import Resource, decisions
from lasercats.core.state import State
from lasercats.domains.rack import place

Sort = Literal[
    "console-port",
    "console-server-port",
    "power-port",
    "power-outlet",
    "interface",
    "front-port",
    "rear-port",
    "module-bay",
    "device-bay",
    "inventory-item",
]
SORTS: tuple[Sort, ...] = get_args(Sort)
"""The sorts of ports, in the order in which files of the library list them."""

_LINE = r"^[^\x00-\x1f\x7f]+$(?!\n)"
Maker = Annotated[str, Meta(min_length=1, max_length=100, pattern=_LINE, description="who makes it")]
Model = Annotated[
    str, Meta(min_length=1, max_length=100, pattern=_LINE, description="what its maker calls it")
]
TALLEST = 1000
"""The most rack units that a device may be high."""
Units = (
    Annotated[int, Meta(ge=0, le=TALLEST, description="its height in rack units, a multiple of 0.5")]
    | Annotated[float, Meta(ge=0, le=TALLEST, multiple_of=0.5)]
)
FullDepth = Annotated[bool, Meta(description="it takes both faces of the rack")]
Weight = Annotated[float, Meta(ge=0, le=1e6, description="its weight in kilograms")]
Watts = Annotated[int, Meta(ge=0, le=10**9, description="in watts")] | Annotated[float, Meta(ge=0, le=1e9)]
More = Annotated[dict[str, Any], Meta(description="what else the library says of it")]
PortName = Annotated[str, Meta(min_length=1, max_length=64, pattern=_LINE, description="what it is called")]


def one_height(height: float) -> int | float | None:
    """Return a height in its one form: an int where it is whole.

    Raises:
        ValueError: it is no multiple of 0.5, or out of bounds.

    """
    if not 0 <= height <= TALLEST or height * 2 % 1:
        raise ValueError(f"a height is a multiple of 0.5 from 0 to {TALLEST} units, and not {height}")
    return place.plain(height)


def kept(more: Mapping[str, Any]) -> Mapping[str, Any]:
    """Give back what comes back from the log as it is; JSON has no word for all.

    Raises:
        ValueError: there is such a value, as NaN.

    """
    for key, value in more.items():
        if not is_kept(value):
            raise ValueError(f"{key!r} holds what cannot be kept; use text, numbers, lists and maps")
    return more


def is_kept(value: object) -> bool:
    """Tell whether a value comes back from the log as it is."""
    try:
        return bool(json.decode(json.encode(value)) == value)
    except (TypeError, ValueError, RecursionError):
        return False


class PortType(Part, frozen=True):
    """A port, outlet or bay that devices of a type have."""

    name: PortName
    sort: Annotated[Sort, Meta(description="what it is")]
    type: Annotated[str, Meta(description="its connector: 1000base-t, iec-60320-c14")] | None = None
    maximum_draw: Watts | None = None
    """What a power port may draw, in watts."""
    allocated_draw: Watts | None = None
    """What a power port is planned to draw, in watts."""
    power_port: Annotated[str, Meta(description="the power port that feeds an outlet")] | None = None
    feed_leg: Annotated[Literal["A", "B", "C"], Meta(description="the phase of an outlet")] | None = None
    more: More | None = None

    forms: ClassVar[Forms] = {
        "maximum_draw": place.plain,
        "allocated_draw": place.plain,
        "more": kept,
    }


Ports = Annotated[tuple[PortType, ...], Meta(description="its ports, outlets and bays")]


def agreeing(ports: Sequence[PortType]) -> Sequence[PortType]:
    """Give ports back that do not contradict each other.

    Raises:
        ValueError: two of a sort have one name, or an outlet is fed by a power port that is not there.

    """
    seen = set[tuple[str, str]]()
    for port in ports:
        if (port.sort, port.name) in seen:
            raise ValueError(f"two ports of sort {port.sort} are called {port.name!r}; rename one")
        seen.add((port.sort, port.name))
    for port in ports:
        feed = port.power_port if port.sort == "power-outlet" else None
        if feed is not None and ("power-port", feed) not in seen:
            raise ValueError(f"outlet {port.name!r} names power port {feed!r}, which is not there")
    return ports


FORMS: Forms = {"u_height": one_height, "weight": place.plain, "ports": agreeing, "more": kept}


class DeviceType(Resource, frozen=True):
    """A type of device: how large it is, and what ports it has."""

    manufacturer: Maker | None = None
    model: Model | None = None
    u_height: Units | None = None
    is_full_depth: FullDepth | None = None
    weight: Weight | None = None
    ports: Ports | None = None
    more: More | None = None

    forms: ClassVar[Forms] = FORMS


class Define(Command, frozen=True, tag="rack.define_type"):
    """Define a type of device, or define it anew: what is not given stays as it is.

    A new one needs a manufacturer and a model; unless told otherwise, it is 1 unit high and of full depth.
    """

    past: ClassVar[str] = "rack.device_type.defined"
    forms: ClassVar[Forms] = FORMS

    manufacturer: Maker | None = None
    model: Model | None = None
    u_height: Units | None = None
    is_full_depth: FullDepth | None = None
    weight: Weight | None = None
    ports: Ports | None = None
    more: More | None = None

    def decide(self, address: Address, state: State) -> DeviceType:
        """Return the type with what is given put over what is there."""
        given, found = self._type(), state.get(address)
        if isinstance(found, DeviceType):
            return replace(found, **decisions(given))
        if given.manufacturer is None or given.model is None:
            raise Refused("a new type needs a manufacturer and a model; give both")
        # The defaults are those of NetBox, which the library documents.
        return replace(DeviceType(u_height=1, is_full_depth=True), **decisions(given))

    def _type(self) -> DeviceType:
        return DeviceType(**{name: getattr(self, name, None) for name in DeviceType.__struct_fields__})


class RemoveType(Command, frozen=True, tag="rack.remove_type"):
    """Remove a type of device that nothing is of."""

    past: ClassVar[str] = "rack.device_type.removed"

    def decide(self, address: Address, state: State) -> None:
        """Return nothing; a type that something is of stays."""
        place.existing(address, state, DeviceType)
        taken = users(address, state)
        if taken:
            raise Refused(f"{taken[0]} is of this type; remove that first")


def users(address: Address, state: State) -> tuple[Address, ...]:
    """Return what is of a type."""
    return tuple(sorted(user for user, _ in state.having(place.typed, address)))


def canonical(name: str) -> str:
    """Give a slug back.

    Raises:
        BadInput: it is none.

    """
    if not is_slug(name):
        raise BadInput(
            f"{name!r} is no slug of a device type; use up to 100 of a-z, 0-9, '-', '_': acme-server-1"
        )
    return name


def is_slug(text: str) -> bool:
    """Tell whether a text can name a type: at most 100 lower-case letters, digits, dashes and underscores."""
    return re.fullmatch(r"[a-z0-9_-]{1,100}", text) is not None


def converge(address: Address, change: Change[DeviceType]) -> Iterator[Command]:
    """Define what differs, or remove it."""
    before, after = decisions(change.before), decisions(change.after)
    if change.after is None:
        yield RemoveType(on=(address,))
        return
    differing = {name: value for name, value in after.items() if before.get(name) != value}
    if differing or change.before is None:
        yield Define(on=(address,), **differing)


KIND: Kind[Any] = Kind(
    name=place.TYPE,
    resource=DeviceType,
    commands=(Define, RemoveType),
    converge=converge,
    act=place.record,
    canonical=canonical,
    form="SLUG",
)
