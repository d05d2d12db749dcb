"""`rack.device_type`: a type of device, as the NetBox community library describes it; no machine is asked.

Its address holds the slug of the library: `rack.device_type/acme-server-1`.
"""

import re
from collections.abc import Mapping, Sequence
from typing import Annotated, Any, ClassVar, Literal, get_args

from msgspec import Meta, json

from lasercats.core.address import Address
from lasercats.core.errors import BadInput, Refused
from lasercats.core.loose import Forms, Part
from lasercats.core.resource import Resource
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


class DeviceType(place.Record, frozen=True):
    """A type of device: how large it is, and what ports it has."""

    manufacturer: Maker | None = None
    model: Model | None = None
    u_height: Units | None = None
    is_full_depth: FullDepth | None = None
    weight: Weight | None = None
    ports: Ports | None = None
    more: More | None = None

    forms: ClassVar[Forms] = {
        "u_height": one_height,
        "weight": place.plain,
        "ports": agreeing,
        "more": kept,
    }

    def fits(self, address: Address, state: State) -> None:
        """Check that a new one is of a maker."""
        if state.get(address) is None and (self.manufacturer is None or self.model is None):
            raise Refused("a new type needs a manufacturer and a model; give both")


class Define(
    place.Makes,
    frozen=True,
    init=False,
    tag="rack.define_type",
    past="rack.device_type.defined",
    of=DeviceType,
):
    """Define a type of device, or define it anew: what is not given stays as it is.

    A new one needs a manufacturer and a model; unless told otherwise, it is 1 unit high and of full depth.
    """

    # These defaults are those of NetBox, which the library documents.
    new: ClassVar[Mapping[str, Any]] = {"u_height": 1, "is_full_depth": True}
    again: ClassVar[bool] = True


class RemoveType(
    place.Removes,
    frozen=True,
    init=False,
    tag="rack.remove_type",
    past="rack.device_type.removed",
    of=DeviceType,
):
    """Remove a type of device that nothing is of."""

    def release(self, address: Address, found: Resource, state: State) -> None:
        """Check that nothing is of it."""
        taken = min((user for user, _ in state.having(place.typed, address)), default=None)
        if taken is not None:
            raise Refused(f"{taken} is of this type; remove that first")


def is_slug(text: str) -> bool:
    """Tell whether a text can name a type: at most 100 lower-case letters, digits, dashes and underscores."""
    return re.fullmatch(r"[a-z0-9_-]{1,100}", text) is not None


class DeviceTypeKind(place.OnRecord[DeviceType]):
    """Types of devices, at no machine."""

    name = place.TYPE
    resource = DeviceType
    commands = (Define, RemoveType)
    form = "SLUG"

    def canonical(self, name: str) -> str:
        """Give a slug back."""
        if not is_slug(name):
            raise BadInput(
                f"{name!r} is no slug of a device type; use up to 100 of a-z, 0-9, '-', '_': acme-server-1"
            )
        return name


KIND = DeviceTypeKind()
