"""The steps of a work order: what a technician does at a rack, and the order in which it is done.

The machine is a person. A step is printed as a sentence; what became of it is reported later.
"""

from collections.abc import Mapping, Sequence
from heapq import heapify, heappop, heappush
from typing import ClassVar

import msgspec

from lasercats.core.instruction import Instruction

HEAVY = 23.0
"""Kilograms that one person may lift at most (the load constant of the NIOSH lifting equation, 1994)."""


class Done(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, tag="done"):
    """A step was done, with what the technician found."""

    serial: str | None = None
    asset_tag: str | None = None
    note: str | None = None


class Place(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """A place in a rack."""

    rack: str
    unit: int | float | None
    height: int | float
    face: str
    floor: int | float
    """How far it is from the floor of the rack, in units; what is heavy should be low."""

    @property
    def slots(self) -> list[str]:
        """The halves of units that it takes, whatever the face."""
        if self.unit is None:
            return []
        return [f"{self.rack} {self.unit + half / 2:g}" for half in range(int(self.height * 2))]

    def __str__(self) -> str:
        """Say it: `rack r1, U12-13, front`."""
        if self.unit is None:
            return f"rack {self.rack}, beside the units, {self.face}"
        last = self.unit + self.height - 1
        told = f"U{self.unit:g}" + (f"-{last:g}" if last > self.unit else "")
        return f"rack {self.rack}, {told}, {self.face}"


class Step(Instruction, frozen=True, kw_only=True):
    """One step."""

    by_hand: ClassVar[bool] = True
    answer: ClassVar[type[Done]] = Done
    phase: ClassVar[int]
    """Steps of an earlier phase come first, as far as they need not wait for others."""

    def predict(self) -> Done:
        """Return that it was done."""
        return Done()

    @property
    def rank(self) -> tuple[float, ...]:
        """What comes first among steps of a phase."""
        return ()

    @property
    def touches(self) -> tuple[list[str], list[str]]:
        """What it changes, and what else must be there for it, in any words."""
        return [], []


class OnDevice(Step, frozen=True, kw_only=True):
    """A step at a device."""

    device: str
    what: str | None = None
    """What it is: its type."""
    weight: int | float | None = None
    """In kilograms."""

    @property
    def touches(self) -> tuple[list[str], list[str]]:
        """The device and the places."""
        places = [getattr(self, name) for name in ("source", "place") if hasattr(self, name)]
        return [f"device {self.device}", *(slot for place in places for slot in place.slots)], []

    @property
    def named(self) -> str:
        """The device in words."""
        return f"{self.device} ({self.what})" if self.what else self.device

    @property
    def effort(self) -> str:
        """What is to be minded when it is lifted."""
        if self.weight is None:
            return ""
        return f"; {round(self.weight, 1):g} kg" + (", two people" if self.weight > HEAVY else "")


class PowerDown(OnDevice, frozen=True, kw_only=True, tag="work.power_down"):
    """Shut a device down and switch it off."""

    phase: ClassVar[int] = 0
    early: ClassVar[bool] = True

    def line(self) -> str:
        """Say it."""
        return f"Shut {self.device} down and switch it off"


class OnCable(Step, frozen=True, kw_only=True):
    """A step at a cable."""

    cable: str
    ends: tuple[str, str]

    @property
    def touches(self) -> tuple[list[str], list[str]]:
        """The cable and its ends; the devices at them."""
        ends = [f"port {end}" for end in self.ends]
        return [f"cable {self.cable}", *ends], [f"device {end.partition(':')[0]}" for end in self.ends]


class Disconnect(OnCable, frozen=True, kw_only=True, tag="work.disconnect"):
    """Pull a cable off both ends."""

    phase: ClassVar[int] = 1

    about: str = ""

    def line(self) -> str:
        """Say it."""
        told = f" ({self.about})" if self.about else ""
        return f"Disconnect cable {self.cable}{told}: {self.ends[0]} and {self.ends[1]}"


class Unmount(OnDevice, frozen=True, kw_only=True, tag="work.unmount"):
    """Take a device out of a rack."""

    phase: ClassVar[int] = 2

    place: Place

    def line(self) -> str:
        """Say it."""
        return f"Unmount {self.named} from {self.place}{self.effort}"

    @property
    def rank(self) -> tuple[float, ...]:
        """The light first, from the top."""
        return ((self.weight or 0) > HEAVY, -self.place.floor)


class Move(OnDevice, frozen=True, kw_only=True, tag="work.move"):
    """Move a device to another place."""

    phase: ClassVar[int] = 3

    source: Place
    place: Place
    powered: bool = False
    """True where it was shut down for that."""

    def line(self) -> str:
        """Say it."""
        return f"Move {self.named} from {self.source} to {self.place}{self.effort}"

    @property
    def rank(self) -> tuple[float, ...]:
        """The heavy first, from the floor."""
        return ((self.weight or 0) <= HEAVY, self.place.floor)


class Mount(OnDevice, frozen=True, kw_only=True, tag="work.mount"):
    """Mount a device in a rack."""

    phase: ClassVar[int] = 4

    place: Place

    def line(self) -> str:
        """Say it."""
        return f"Mount {self.named} in {self.place}{self.effort}"

    @property
    def rank(self) -> tuple[float, ...]:
        """The heavy first, from the floor."""
        return ((self.weight or 0) <= HEAVY, self.place.floor)


class Label(OnCable, frozen=True, kw_only=True, tag="work.label"):
    """Put a label on both ends of a cable."""

    phase: ClassVar[int] = 5

    label: str

    def line(self) -> str:
        """Say it."""
        if not self.label:
            return f"Take the labels off cable {self.cable}, at {self.ends[0]} and {self.ends[1]}"
        return f"Label cable {self.cable} {self.label!r} at {self.ends[0]} and {self.ends[1]}"


class Connect(OnCable, frozen=True, kw_only=True, tag="work.connect"):
    """Connect two ends by a cable."""

    phase: ClassVar[int] = 6

    about: str = ""
    power: bool = False

    def line(self) -> str:
        """Say it."""
        told = f" ({self.about})" if self.about else ""
        return f"Connect {self.ends[0]} to {self.ends[1]} by cable {self.cable}{told}"

    @property
    def rank(self) -> tuple[float, ...]:
        """Power comes last."""
        return (self.power,)


VOCABULARY: tuple[type[Step], ...] = (PowerDown, Disconnect, Unmount, Move, Mount, Label, Connect)


def in_order(steps: Sequence[Step], after: Mapping[int, Sequence[int]]) -> list[int]:
    """Return the numbers of steps in the order in which a technician does them.

    Down comes before out, out before in, and cables last, power behind all; what is heavy goes out last and
    in first, low before high. `after` tells which steps must wait for which others.
    """
    left = {n: len({*after.get(n, ())}) for n in range(len(steps))}
    then: dict[int, list[int]] = {}
    for n in left:
        for other in {*after.get(n, ())}:
            then.setdefault(other, []).append(n)
    ready = [(steps[n].phase, steps[n].rank, n) for n, count in left.items() if not count]
    heapify(ready)
    ordered: list[int] = []
    while ready:
        ordered.append(heappop(ready)[2])
        for n in then.get(ordered[-1], ()):
            left[n] -= 1
            if not left[n]:
                heappush(ready, (steps[n].phase, steps[n].rank, n))
    return ordered


def waits(steps: Sequence[Step]) -> dict[int, list[int]]:
    """Return which of steps that are given in an order that works must wait for which before them.

    A step waits for what was done before to its device, to its cable and to its place; one that is early only
    for what it changes, and what comes behind it for all the rest.
    """
    wrote: dict[str, int] = {}
    read: dict[str, list[int]] = {}
    after: dict[int, list[int]] = {}
    for n, step in enumerate(steps):
        changes, uses = step.touches
        before = [wrote[key] for key in (*changes, *uses) if key in wrote]
        if not step.early:
            before += [other for key in changes for other in read.pop(key, ())]
        after[n] = sorted(set(before) - {n})
        wrote |= dict.fromkeys(changes, n)
        for key in uses:
            read.setdefault(key, []).append(n)
    return after
