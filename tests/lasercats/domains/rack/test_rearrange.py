"""Racks that are rearranged by a plan: all ends as wanted, with no more lifts than there must be."""

from collections.abc import Mapping
from itertools import pairwise
from random import Random
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lasercats.core.address import Address
from lasercats.core.command import Command
from lasercats.core.converge import converge, wanted
from lasercats.core.registry import Kinds
from lasercats.core.resource import Resource
from lasercats.core.state import State
from lasercats.domains.rack import DOMAIN, cable, rack
from lasercats.domains.rack.device import Device, MountDevice, MoveDevice, Reserve, UnmountDevice
from lasercats.interpreters.simulate import simulate
from lasercats.operate.plan import Plan, plan_delta

KINDS = Kinds([DOMAIN])
Spot = tuple[str, float]
"""A rack, and a unit in it."""
ASIDE = "must be put aside meanwhile: there is no spare place for it"
QUICK = settings(max_examples=40, deadline=None)


def device(name: str) -> Address:
    """Return the address of a device."""
    return Address(f"rack.device/{name}")


def made(*commands: Command, state: State | None = None) -> State:
    """Return the state after commands, none of which is refused."""
    results, state = simulate(commands, state or State())
    assert not [result.problems for result in results if result.problems]
    return state


def site(height: int = 48, **limits: Any) -> State:  # noqa: ANN401
    """Return a state with two empty racks."""
    return made(rack.Create(on=(Address("rack/r1"), Address("rack/r2")), height=height, **limits))


def full(
    spots: Mapping[str, Spot],
    heights: Mapping[str, float],
    state: State,
    planned: frozenset[str] = frozenset(),
) -> State:
    """Return a state with devices mounted, or planned, at spots."""
    return made(
        *(
            (Reserve if name in planned else MountDevice)(
                on=(device(name),), rack=where, unit=unit, height=heights.get(name, 1)
            )
            for name, (where, unit) in spots.items()
        ),
        state=state,
    )


def lifts(plan: Plan, state: State) -> int:
    """Return how often a technician lifts a device: what is only planned is moved on paper."""
    count = 0
    for command in plan.commands:
        real = getattr(state.get(command.on[0]), "status", None) == "mounted"
        count += isinstance(command, MountDevice) or (
            real and isinstance(command, MoveDevice | UnmountDevice)
        )
        state = made(command, state=state)
    return count


def rearranged(state: State, spots: Mapping[str, Spot]) -> Plan:
    """Return the plan that brings devices to spots; check that it does, and that nothing is refused."""
    desired = {device(name): Device(rack=where, unit=unit) for name, (where, unit) in spots.items()}
    plan = plan_delta(KINDS, wanted(state, desired), state)
    assert not plan.problems
    end = made(*plan.commands, state=state)
    assert end == state.apply(wanted(state, desired))
    return plan


def circles(before: Mapping[str, Spot], after: Mapping[str, Spot]) -> int:
    """Return how many circles a permutation has, without those who stay."""
    held = {spot: name for name, spot in before.items()}
    left, count = {name for name in before if before[name] != after[name]}, 0
    while left:
        count, name = count + 1, min(left)
        while name in left:
            left.remove(name)
            name = held[after[name]]
    return count


def shuffled(spots: Mapping[str, Spot], random: Random) -> dict[str, Spot]:
    """Return the same spots in a random order."""
    values = list(spots.values())
    random.shuffle(values)
    return dict(zip(spots, values, strict=True))


FULL_48: dict[str, Spot] = {f"d{unit}": ("rack/r1", unit) for unit in range(1, 49)}
BOTH: dict[str, Spot] = {f"{r}-{unit}": (f"rack/{r}", unit) for r in ("r1", "r2") for unit in range(1, 11)}


@settings(max_examples=12, deadline=None)
@given(st.randoms())
def test_a_full_rack_is_permuted_with_one_more_lift_for_each_circle(random: Random) -> None:
    """A permutation of 48 devices takes a lift for each that moves, and one more for each circle."""
    after = shuffled(FULL_48, random)
    state = full(FULL_48, {}, site())
    plan = rearranged(state, after)
    moved = sum(FULL_48[name] != after[name] for name in after)
    assert lifts(plan, state) == moved + circles(FULL_48, after)
    assert set(plan.detours.values()) <= {ASIDE}
    assert len(plan.detours) == circles(FULL_48, after)


@QUICK
@given(st.randoms())
def test_two_full_racks_are_permuted_as_one(random: Random) -> None:
    """Devices change places across racks with one more lift for each circle."""
    after = shuffled(BOTH, random)
    state = full(BOTH, {}, site(10))
    moved = sum(BOTH[name] != after[name] for name in after)
    assert lifts(rearranged(state, after), state) == moved + circles(BOTH, after)


def test_a_free_unit_is_made_use_of() -> None:
    """Where a unit is free, nothing leaves the rack: one goes by way of it."""
    before: dict[str, Spot] = {"a": ("rack/r1", 1), "b": ("rack/r1", 2), "c": ("rack/r1", 3)}
    after: dict[str, Spot] = {"a": ("rack/r1", 2), "b": ("rack/r1", 3), "c": ("rack/r1", 1)}
    state = full(before, {}, site(4))
    plan = rearranged(state, after)
    assert [type(command) for command in plan.commands] == [MoveDevice] * 4
    (way,) = plan.detours.values()
    assert way.startswith("makes room first, by way of a spare place: unit 4")


def stacked(names: list[str], heights: Mapping[str, float]) -> dict[str, Spot]:
    """Return devices one on another from unit 1."""
    spots, unit = dict[str, Spot](), 1.0
    for name in names:
        spots[name] = ("rack/r1", unit)
        unit += heights[name]
    return spots


@QUICK
@given(st.randoms())
def test_a_full_rack_of_mixed_heights_is_stacked_anew(random: Random) -> None:
    """Devices of 1, 2 and 4 units that fill a rack end in any other order, each lifted twice at most."""
    heights = {f"{height}-{n}": height for height, count in ((4, 2), (2, 3), (1, 6)) for n in range(count)}
    one, other = list(heights), list(heights)
    random.shuffle(one)
    random.shuffle(other)
    before, after = stacked(one, heights), stacked(other, heights)
    state = full(before, heights, site(20))
    plan = rearranged(state, after)
    moved = sum(before[name] != after[name] for name in after)
    assert lifts(plan, state) == moved + len(plan.detours)


def fewest(before: tuple[float, ...], after: tuple[float, ...], sizes: tuple[int, ...], top: int) -> int:
    """Return the fewest lifts from one arrangement to another, by trying all; 0 is out of the rack."""

    def fits(spots: tuple[float, ...]) -> bool:
        taken = sorted((unit, unit + size) for unit, size in zip(spots, sizes, strict=True) if unit)
        return all(end <= start for (_, end), (start, _) in pairwise(taken))

    seen, edge, count = {before}, {before}, 0
    while after not in seen:
        near = {
            (*spots[:n], unit, *spots[n + 1 :])
            for spots in edge
            for n, size in enumerate(sizes)
            for unit in range(top - size + 2)
        }
        edge = {spots for spots in near - seen if fits(spots)}
        seen |= edge
        count += 1
    return count


@settings(max_examples=80, deadline=None)
@given(st.lists(st.sampled_from([1, 1, 2]), min_size=2, max_size=5), st.integers(0, 1), st.randoms())
def test_no_plan_would_need_fewer_lifts(sizes: list[int], free: int, random: Random) -> None:
    """In small racks, trying all finds no way with fewer lifts than the plan."""
    top = sum(sizes) + free
    names = [f"d{n}" for n in range(len(sizes))]
    heights: dict[str, float] = {**dict(zip(names, sizes, strict=True)), "gap": 1}
    ends = list[dict[str, Spot]]()
    for _ in range(2):
        order = [*names, *["gap"] * free]
        random.shuffle(order)
        spots = stacked(order, heights)
        ends.append({name: spots[name] for name in names})
    state = full(ends[0], heights, site(top))
    units = [tuple(spots[name][1] for name in names) for spots in ends]
    assert lifts(rearranged(state, ends[1]), state) == fewest(units[0], units[1], tuple(sizes), top)


SMALL: dict[str, Spot] = {f"d{unit}": ("rack/r1", unit) for unit in range(1, 6)}


@QUICK
@given(st.randoms(), st.frozensets(st.sampled_from(sorted(SMALL))))
def test_planned_devices_are_rearranged_on_paper(random: Random, planned: frozenset[str]) -> None:
    """What is planned gives way as what is mounted, stays planned, and is carried by nobody."""
    after = shuffled(SMALL, random)
    state = full(SMALL, {}, site(5), planned)
    plan = rearranged(state, after)
    real = sum(SMALL[name] != after[name] for name in after if name not in planned)
    extra = sum(address.removeprefix("rack.device/") not in planned for address in plan.detours)
    assert lifts(plan, state) == real + extra


def test_what_is_planned_gives_way_before_what_is_mounted() -> None:
    """Where one of two must be put aside, it is the one that is there on paper only."""
    before: dict[str, Spot] = {"a": ("rack/r1", 1), "b": ("rack/r1", 2)}
    for planned in before:
        state = full(before, {}, site(2), frozenset({planned}))
        plan = rearranged(state, {"a": before["b"], "b": before["a"]})
        assert list(plan.detours) == [device(planned)]


def cables(*ends: tuple[str, str]) -> tuple[Command, ...]:
    """Return commands that connect ends."""
    return tuple(
        cable.Connect(on=(Address(f"rack.cable/c{n}"),), a=a, b=b) for n, (a, b) in enumerate(ends, 1)
    )


def test_cables_stay_with_their_devices() -> None:
    """Devices with cables in them are rearranged, put aside too, and the cables stay theirs."""
    state = made(
        *cables(("d1:0", "d2:0"), ("d3:0", "d4:0"), ("d5:1", "d1:1")), state=full(SMALL, {}, site(5))
    )
    after = {name: SMALL[other] for name, other in zip(SMALL, ["d2", "d3", "d1", "d5", "d4"], strict=True)}
    plan = rearranged(state, after)
    assert len(plan.detours) == 2
    assert {type(command) for command in plan.commands} == {MountDevice, MoveDevice, UnmountDevice}


@pytest.mark.parametrize("names", [("a", "b"), ("b", "a")])
def test_what_is_put_aside_is_cabled_when_it_is_back(names: tuple[str, str]) -> None:
    """A new cable to a device that is put aside meanwhile is connected when that is in its place."""
    one, other = names
    state = full({one: ("rack/r1", 1), other: ("rack/r1", 2)}, {}, site(2))
    desired: dict[Address, Resource] = {
        device(one): Device(unit=2),
        device(other): Device(unit=1),
        Address("rack.cable/c1"): cable.Cable(a=f"{one}:0", b=f"{other}:0"),
    }
    commands = converge(KINDS, wanted(state, desired), state, exact=False)
    assert isinstance(commands[-1], cable.Connect)


@pytest.mark.parametrize("names", [("heavy", "light"), ("a", "b"), ("b", "a")])
def test_the_heavy_leaves_before_the_heavy_comes(names: tuple[str, str]) -> None:
    """Where a rack cannot carry both, one leaves it before the other comes, whatever they are called."""
    out, into = names
    state = made(
        MountDevice(on=(device(out),), rack="r1", unit=1, weight=80),
        MountDevice(on=(device(into),), rack="r2", unit=1, weight=90),
        state=site(4, max_weight=100),
    )
    state = made(rack.Set(on=(Address("rack/r2"),), max_weight=200), state=state)
    plan = rearranged(state, {out: ("rack/r2", 2), into: ("rack/r1", 2)})
    assert [command.on for command in plan.commands] == [(device(out),), (device(into),)]
    assert not plan.detours


@pytest.mark.parametrize("units", [(1, 1), (1, 3)])
def test_one_is_put_aside_where_no_rack_carries_both(units: tuple[int, int]) -> None:
    """Where neither rack carries both, one is put aside, spare places or not."""
    state = made(
        *(
            MountDevice(on=(device(name),), rack=where, unit=unit, weight=60)
            for name, where, unit in zip(("a", "b"), ("r1", "r2"), units, strict=True)
        ),
        state=site(4, max_weight=100),
    )
    plan = rearranged(state, {"a": ("rack/r2", units[1]), "b": ("rack/r1", units[0])})
    assert lifts(plan, state) == 3
    assert list(plan.detours.values()) == [ASIDE]


@QUICK
@given(
    st.lists(st.tuples(st.integers(1, 9), st.booleans(), st.booleans()), min_size=2, max_size=6), st.randoms()
)
def test_weights_never_stand_in_the_way(loads: list[tuple[int, bool, bool]], random: Random) -> None:
    """Racks that carry no more than is in them before or after are still rearranged."""
    names = [f"d{n}" for n in range(len(loads))]
    ends = []
    for side in (1, 2):
        units = random.sample(range(1, 7), len(loads))
        ends.append({n: (f"rack/r{1 + one[side]}", u) for n, one, u in zip(names, loads, units, strict=True)})
    state = site(6)
    for where in ("rack/r1", "rack/r2"):
        sums = [sum(w for n, (w, *_) in zip(names, loads, strict=True) if e[n][0] == where) for e in ends]
        state = made(rack.Set(on=(Address(where),), max_weight=max(sums)), state=state)
    state = made(
        *(
            MountDevice(on=(device(n),), rack=ends[0][n][0], unit=ends[0][n][1], weight=w)
            for n, (w, *_) in zip(names, loads, strict=True)
        ),
        state=state,
    )
    rearranged(state, ends[1])


@pytest.mark.parametrize(
    ("spot", "sentence"),
    [
        (("rack/r1", 2), "U2 of rack/r1 is taken by rack.device/b"),
        (("rack/r1", 9), "U9 is out of rack/r1, which has U1-2"),
        (("rack/r9", 1), "there is no rack/r9; take it into the records with `lasercats rack create`"),
    ],
)
def test_what_cannot_be_is_told(spot: Spot, sentence: str) -> None:
    """A desired state that no order brings about is a plan that says what is refused."""
    state = full({"a": ("rack/r1", 1), "b": ("rack/r1", 2)}, {}, site(2))
    desired = {device("a"): Device(rack=spot[0], unit=spot[1])}
    assert plan_delta(KINDS, wanted(state, desired), state).problems == {device("a"): sentence}
