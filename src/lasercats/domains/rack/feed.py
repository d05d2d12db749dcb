"""`rack.feed`: a power feed that ends in a rack, and what it may give."""

from typing import Annotated, ClassVar

from msgspec import Meta
from msgspec.structs import replace

from lasercats.core.address import Address
from lasercats.core.command import Command
from lasercats.core.errors import Refused
from lasercats.core.kind import Kind
from lasercats.core.loose import Forms
from lasercats.core.reference import refers
from lasercats.core.resource import Resource
from lasercats.core.state import State
from lasercats.domains.rack import place, power
from lasercats.domains.rack.place import FEED, RACK

RackRef = Annotated[str, refers(RACK, description="the rack that it ends in")]
Voltage = Annotated[
    int, Meta(ge=1, le=10_000, description="in volts; of three phases, that between two of them")
]
Amperage = Annotated[int, Meta(ge=1, le=10_000, description="in amperes, of each phase")]
Phases = Annotated[int, Meta(description="how many phases it has: 1 or 3")]
Utilization = Annotated[int, Meta(ge=1, le=100, description="what of it may be used, in percent")]


def _phases(phases: int) -> int:
    if phases not in (1, 3):
        raise ValueError(f"a feed has 1 phase or 3, and not {phases}")
    return phases


class Feed(Resource, frozen=True):
    """A power feed."""

    rack: RackRef | None = None
    voltage: Voltage | None = None
    amperage: Amperage | None = None
    phases: Phases | None = None
    utilization: Utilization | None = None

    forms: ClassVar[Forms] = {"rack": place.RACK_FORM, "phases": _phases}


class _Setting(place.NearRack, Command, frozen=True):
    rack: Annotated[str, Meta(description="the rack that it ends in")] | None = None
    voltage: Voltage | None = None
    amperage: Amperage | None = None
    phases: Phases | None = None
    utilization: Utilization | None = None

    forms: ClassVar[Forms] = {"phases": _phases}

    def _set_on(self, address: Address, found: Feed, state: State) -> Feed:
        place.checked(self)
        feed = replace(found, **place.given(self, Feed))
        if feed.rack is not None:
            place.known_rack(feed.rack, state)
        power.check_feed(address, state.holding(address, feed))
        return feed


class Add(_Setting, frozen=True, tag="rack.add_feed"):
    """Take power feeds into the records: by default 230 V, 16 A, one phase, of which 80 % may be used."""

    past: ClassVar[str] = "rack.feed.added"

    def decide(self, address: Address, state: State) -> Feed:
        """Return the feed with these fields."""
        found = state.get(address)
        new = found if isinstance(found, Feed) else Feed(voltage=230, amperage=16, phases=1, utilization=80)
        return self._set_on(address, new, state)


class SetFeed(_Setting, frozen=True, tag="rack.set_feed"):
    """Set what power feeds may give."""

    past: ClassVar[str] = "rack.feed.set"

    def decide(self, address: Address, state: State) -> Feed:
        """Return it with these fields, where it still gives what is drawn."""
        return self._set_on(address, place.existing(address, state, Feed), state)


class Remove(Command, frozen=True, tag="rack.remove_feed"):
    """Take power feeds out of the records that nothing hangs on."""

    past: ClassVar[str] = "rack.feed.removed"

    def decide(self, address: Address, state: State) -> None:
        """Return nothing; a feed that a cable is in stays."""
        place.existing(address, state, Feed)
        taken = power.cable_in(address, place.name(address), state)
        if taken is not None:
            raise Refused(f"{taken[0]} is in it; disconnect that first")


KIND: Kind[Resource] = Kind(
    name=FEED,
    resource=Feed,
    commands=(Add, SetFeed, Remove),
    converge=place.converging(Add, SetFeed, Remove),
    act=place.record,
    canonical=place.canonical,
    form="NAME",
    machine=place.MACHINE,
)
