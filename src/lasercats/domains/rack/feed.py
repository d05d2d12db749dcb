"""`rack.feed`: a power feed that ends in a rack, and what it may give."""

from collections.abc import Mapping
from functools import partial
from typing import Annotated, Any, ClassVar

from msgspec import Meta

from lasercats.core.address import Address
from lasercats.core.errors import Refused
from lasercats.core.loose import Forms
from lasercats.core.reference import refers
from lasercats.core.resource import Resource
from lasercats.core.state import State
from lasercats.domains.rack import place, power
from lasercats.domains.rack.place import RACK

RackRef = Annotated[str, refers(RACK, description="the rack that it ends in")]
Voltage = Annotated[
    int, Meta(ge=1, le=10_000, description="in volts; of three phases, that between two of them")
]
Amperage = Annotated[int, Meta(ge=1, le=10_000, description="in amperes, of each phase")]
Phases = Annotated[int, Meta(description="how many phases it has: 1 or 3")]
Utilization = Annotated[int, Meta(ge=1, le=100, description="what of it may be used, in percent")]
PHASES_FORM = partial(place.among, (1, 3), "a feed has 1 phase or 3")


class Feed(place.Record, frozen=True):
    """A power feed."""

    rack: RackRef | None = None
    voltage: Voltage | None = None
    amperage: Amperage | None = None
    phases: Phases | None = None
    utilization: Utilization | None = None

    forms: ClassVar[Forms] = {"rack": place.RACK_FORM, "phases": PHASES_FORM}

    def fits(self, address: Address, state: State) -> None:
        """Check that its rack is known, and that it gives what is drawn."""
        if self.rack is not None:
            place.known_rack(self.rack, state)
        power.check_feed(address, state.holding(address, self))


class Add(place.Makes, frozen=True, init=False, tag="rack.add_feed", past="rack.feed.added", of=Feed):
    """Take power feeds into the records: by default 230 V, 16 A, one phase, of which 80 % may be used."""

    new: ClassVar[Mapping[str, Any]] = {"voltage": 230, "amperage": 16, "phases": 1, "utilization": 80}


class SetFeed(place.Sets, frozen=True, init=False, tag="rack.set_feed", past="rack.feed.set", of=Feed):
    """Set what power feeds may give."""


class Remove(
    place.Removes, frozen=True, init=False, tag="rack.remove_feed", past="rack.feed.removed", of=Feed
):
    """Take power feeds out of the records that nothing hangs on."""

    def release(self, address: Address, found: Resource, state: State) -> None:
        """Check that no cable is in it."""
        taken = power.cable_in(address, place.name(address), state)
        if taken is not None:
            raise Refused(f"{taken[0]} is in it; disconnect that first")


class FeedKind(place.InRoom[Feed]):
    """Power feeds."""

    name = place.FEED
    resource = Feed
    commands = (Add, SetFeed, Remove)


KIND = FeedKind()
