"""The steps of a work order: what a technician does at a rack, and the order in which it is done.

The machine is a person. A step is printed as a sentence; what became of it is reported later.
"""

from collections.abc import Mapping, Sequence
from contextlib import suppress
from graphlib import CycleError, TopologicalSorter
from heapq import heappop, heappush
from typing import Any, ClassVar, cast

import msgspec

from lasercats.core.instruction import Instruction

HEAVY = 23.0
"""Kilograms that one person may lift at most (the load constant of the NIOSH lifting equation, 1994)."""


class Done(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, tag="done"):
    """A step was done, with what the technician found."""

    serial: str | None = None
    asset_tag: str | None = None
    note: str | None = None


class Spot(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
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
        """Say it: `rack r1, U12-13, front`; of a feed, which has no face, just the rack."""
        if not self.face:
            return f"rack {self.rack}"
        if self.unit is None:
            return f"rack {self.rack}, beside the units, {self.face}"
        last = self.unit + self.height - 1
        units = f"U{self.unit:g}" + (f"-{last:g}" if last > self.unit else "")
        return f"rack {self.rack}, {units}, {self.face}"


class WorkStep(Instruction, frozen=True, kw_only=True):
    """One step."""

    by_hand: ClassVar[bool] = True
    answer: ClassVar[type[Done]] = Done
    phase: ClassVar[int]
    """Steps of an earlier phase come first, as far as they need not wait for others."""

    at: str | None = None
    """The rack at which it is done, so that racks are done one after another.

    Orders of earlier programs do not tell it. They stay in the order in which they were handed out.
    """

    @property
    def rank(self) -> tuple[float, ...]:
        """What comes first among steps of a phase."""
        return ()

    @property
    def touches(self) -> tuple[list[str], list[str]]:
        """What it changes, and what else must be there for it, in any words."""
        return [], []


class OnDevice(WorkStep, frozen=True, kw_only=True):
    """A step at a device."""

    device: str
    what: str | None = None
    """What it is: its type."""
    serial: str | None = None
    asset_tag: str | None = None
    weight: int | float | None = None
    """In kilograms."""

    @property
    def subject(self) -> str:
        """The device."""
        return self.device

    @property
    def touches(self) -> tuple[list[str], list[str]]:
        """The device and the places."""
        places = [getattr(self, name) for name in ("source", "place") if hasattr(self, name)]
        return [f"device {self.device}", *(slot for place in places for slot in place.slots)], []

    @property
    def named(self) -> str:
        """The device in words, with what is written on the box."""
        parts = (
            self.what,
            self.serial and f"serial {self.serial}",
            self.asset_tag and f"tag {self.asset_tag}",
        )
        about = ", ".join(filter(None, parts))
        return f"{self.device} ({about})" if about else self.device

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

    stands: Spot | None = None
    """Where it is, as `located` tells; it waits for no place, so this is none of those that it touches."""

    def line(self) -> str:
        """Say it."""
        where = "" if self.stands is None else f", in {self.stands}"
        return f"Shut {self.named} down and switch it off{where}"


class OnCable(WorkStep, frozen=True, kw_only=True):
    """A step at a cable."""

    cable: str
    ends: tuple[str, str]
    where: tuple[Spot | None, Spot | None] = (None, None)
    """Where each of the ends is, as far as that is known."""

    @property
    def subject(self) -> str:
        """The cable."""
        return self.cable

    @property
    def labels(self) -> tuple[str, str]:
        """The ends in words: `db1:eth0 (rack r1, U12, front)`."""
        one, other = (
            end if place is None else f"{end} ({place})"
            for end, place in zip(self.ends, self.where, strict=True)
        )
        return one, other

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
        about = f" ({self.about})" if self.about else ""
        return f"Disconnect cable {self.cable}{about}: {' and '.join(self.labels)}"


class Unmount(OnDevice, frozen=True, kw_only=True, tag="work.unmount"):
    """Take a device out of a rack."""

    phase: ClassVar[int] = 2

    place: Spot

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

    source: Spot
    place: Spot
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

    place: Spot

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
        ends = " and ".join(self.labels)
        if not self.label:
            return f"Take the labels off cable {self.cable}, at {ends}"
        return f"Label cable {self.cable} {self.label!r} at {ends}"


class Connect(OnCable, frozen=True, kw_only=True, tag="work.connect"):
    """Connect two ends by a cable."""

    phase: ClassVar[int] = 6

    about: str = ""
    power: bool = False

    def line(self) -> str:
        """Say it."""
        about = f" ({self.about})" if self.about else ""
        return f"Connect {' to '.join(self.labels)} by cable {self.cable}{about}"

    @property
    def rank(self) -> tuple[float, ...]:
        """Power comes last."""
        return (self.power,)


VOCABULARY: tuple[type[WorkStep], ...] = (PowerDown, Disconnect, Unmount, Move, Mount, Label, Connect)


def located(steps: Sequence[WorkStep]) -> list[WorkStep]:
    """Return steps, told where they are by the others of their order.

    A step is made before the others are done. So what is shut down is where it is lifted from first, and a
    cable is put where the devices at its ends are by then.
    """
    if all(step.at is None for step in steps):  # an order of an earlier program, which tells no places
        return list(steps)
    stands: dict[str, Spot] = {}
    comes: dict[str, Spot] = {}
    for step in steps:
        if isinstance(step, Move | Unmount):
            stands.setdefault(step.device, step.source if isinstance(step, Move) else step.place)
        if isinstance(step, Move | Mount):
            comes[step.device] = step.place
    return [_located(step, stands, comes) for step in steps]


def _located(step: WorkStep, stands: Mapping[str, Spot], comes: Mapping[str, Spot]) -> WorkStep:
    if isinstance(step, PowerDown) and (place := stands.get(step.device)) is not None:
        return msgspec.structs.replace(step, stands=place, at=place.rack)
    if not isinstance(step, Connect | Label):
        return step
    one, other = (
        comes.get(end.partition(":")[0], place) if ":" in end else place
        for end, place in zip(step.ends, step.where, strict=True)
    )
    at = next((place.rack for place in (one, other) if place is not None), None)
    return msgspec.structs.replace(step, where=(one, other), at=at)


def in_order(steps: Sequence[WorkStep], after: Mapping[int, Sequence[int]]) -> list[int]:
    """Return the numbers of steps in the order in which a technician does them.

    One rack is done after another, as far as its steps need not wait for those at others. At each, down comes
    before out, out before in, and cables last, power behind all; what is heavy goes out last and in first,
    low before high. `after` tells which steps must wait for which others.
    """
    numbers = range(len(steps))
    sorter = TopologicalSorter({n: [m for m in after.get(n, ()) if m in numbers] for n in numbers})
    ready, ordered = _Ready(steps), list[int]()
    with suppress(CycleError):  # what waits for itself, in a log that is not ours, is left out
        sorter.prepare()
    while sorter.is_active():
        for n in sorter.get_ready():
            ready.add(n)
        ordered.append(ready.take())
        sorter.done(ordered[-1])
    return ordered


class _Ready:
    """Steps that need not wait any more, by the rack at which they are done."""

    def __init__(self, steps: Sequence[WorkStep]) -> None:
        self._steps, self._here = steps, cast("str | None", None)
        self._at: dict[str | None, list[tuple[Any, ...]]] = {}

    def add(self, n: int) -> None:
        """Take the step of a number in."""
        step = self._steps[n]
        heappush(self._at.setdefault(step.at, []), (step.phase, step.rank, n))

    def take(self) -> int:
        """Return the number of the next step, at the rack where the last was if there is one.

        What is done at no rack that is known fits anywhere.
        """
        near = [at for at in {self._here, None} if self._at.get(at)]
        if self._here is None or not near:
            near = [at for at, waiting in self._at.items() if waiting]
        at = min(near, key=lambda at: self._at[at][0])
        self._here = self._here if at is None else at
        return cast("int", heappop(self._at[at])[2])


def waits(steps: Sequence[WorkStep]) -> dict[int, list[int]]:
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
