"""Work orders: the sentences of their steps, and the order in which they are done."""

from collections.abc import Mapping, Sequence
from itertools import combinations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lasercats.instructions.work_order import (
    Connect,
    Disconnect,
    Done,
    Label,
    Mount,
    Move,
    PowerDown,
    Spot,
    Unmount,
    WorkStep,
    in_order,
    located,
    waits,
)


def place(unit: float | None = 1, height: float = 1, rack: str = "r1", face: str = "front") -> Spot:
    """Return a place in a rack that is numbered from below."""
    return Spot(rack=rack, unit=unit, height=height, face=face, floor=(unit or 1) - 1)


def down(device: str) -> PowerDown:
    """Return that a device is shut down."""
    return PowerDown(machine="m", device=device)


def out(device: str, unit: float = 1, weight: float | None = None) -> Unmount:
    """Return that a device is unmounted."""
    return Unmount(machine="m", device=device, place=place(unit), weight=weight)


def into(device: str, unit: float = 1, weight: float | None = None) -> Mount:
    """Return that a device is mounted."""
    return Mount(machine="m", device=device, place=place(unit), weight=weight)


def move(device: str, source: float, target: float, weight: float | None = None) -> Move:
    """Return that a device is moved."""
    return Move(machine="m", device=device, source=place(source), place=place(target), weight=weight)


def pull(cable: str, *ends: str) -> Disconnect:
    """Return that a cable is pulled."""
    return Disconnect(machine="m", cable=cable, ends=(ends[0], ends[1]))


def plug(cable: str, *ends: str, power: bool = False) -> Connect:
    """Return that a cable is connected."""
    return Connect(machine="m", cable=cable, ends=(ends[0], ends[1]), power=power)


def label(cable: str, *ends: str, text: str = "A-17") -> Label:
    """Return that a cable is labelled."""
    return Label(machine="m", cable=cable, ends=(ends[0], ends[1]), label=text)


def sequence(steps: Sequence[WorkStep], after: Mapping[int, Sequence[int]] | None = None) -> list[WorkStep]:
    """Return steps in the order in which they are done."""
    return [steps[n] for n in in_order(steps, after or {})]


@pytest.mark.parametrize(
    ("step", "sentence"),
    [
        (down("web1"), "Shut web1 down and switch it off"),
        (out("web1", 12, 10), "Unmount web1 from rack r1, U12, front; 10 kg"),
        (into("web1", 12.5, 23), "Mount web1 in rack r1, U12.5, front; 23 kg"),
        (into("web1", 12, 23.04), "Mount web1 in rack r1, U12, front; 23 kg, two people"),
        (move("web1", 1, 2), "Move web1 from rack r1, U1, front to rack r1, U2, front"),
        (
            Move(
                machine="m",
                device="web1",
                what="acme-1",
                source=place(3, 2),
                place=place(7, 2, "r2", "rear"),
                weight=40.25,
                powered=True,
            ),
            "Move web1 (acme-1) from rack r1, U3-4, front to rack r2, U7-8, rear; 40.2 kg, two people",
        ),
        (
            Mount(machine="m", device="pdu", what="strip", place=place(None, 0, face="rear")),
            "Mount pdu (strip) in rack r1, beside the units, rear",
        ),
        (pull("c1", "a:1", "b:2"), "Disconnect cable c1: a:1 and b:2"),
        (
            Disconnect(machine="m", cable="c1", ends=("a:1", "A"), about="power, 2 m"),
            "Disconnect cable c1 (power, 2 m): a:1 and A",
        ),
        (plug("c1", "a:1", "b:2"), "Connect a:1 to b:2 by cable c1"),
        (
            Connect(machine="m", cable="c1", ends=("a:1", "b:2"), about="cat6a, blue"),
            "Connect a:1 to b:2 by cable c1 (cat6a, blue)",
        ),
        (label("c1", "a:1", "b:2"), "Label cable c1 'A-17' at a:1 and b:2"),
        (label("c1", "a:1", "b:2", text=""), "Take the labels off cable c1, at a:1 and b:2"),
    ],
)
def test_a_step_is_a_sentence(step: WorkStep, sentence: str) -> None:
    """A technician is told what to do, where, and what to mind, in one line."""
    assert step.line() == sentence
    assert step.by_hand
    assert step.predict() == Done()


PHASES = (
    [down("a"), down("b")],
    [pull("c1", "a:1", "b:1")],
    [out("d", 9), out("e", 4), out("f", 20, 30), out("g", 10, 30)],
    [move("h", 1, 2, 30), move("i", 3, 8, 30), move("j", 5, 6), move("k", 7, 9)],
    [into("l", 30, 24), into("m", 40, 24), into("n", 1, 23), into("o", 3)],
    [label("c2", "a:2", "b:2")],
    [plug("c3", "a:3", "b:3"), plug("c4", "a:4", "A", power=True)],
)


@given(st.permutations([step for phase in PHASES for step in phase]))
def test_work_is_done_in_phases(steps: list[WorkStep]) -> None:
    """Down is before out, out before in, cables last, power behind; heavy goes out last, in first and low."""
    done = sequence(steps)
    for phase in PHASES:
        now, done = done[: len(phase)], done[len(phase) :]
        apart = not isinstance(phase[0], PowerDown)
        assert now == phase if apart else sorted(map(repr, now)) == sorted(map(repr, phase))


@given(st.data())
def test_what_must_wait_waits(data: st.DataObject) -> None:
    """Whatever waits for whatever, each step is done once, and none before what it waits for."""
    steps: list[WorkStep] = data.draw(
        st.lists(st.sampled_from([step for phase in PHASES for step in phase]), max_size=10)
    )
    names = data.draw(st.permutations(range(len(steps))))
    pairs = [(names[i], names[j]) for i, j in combinations(range(len(steps)), 2)]
    edges = data.draw(st.lists(st.sampled_from(pairs))) if pairs else []
    after: dict[int, list[int]] = {}
    for first, then in edges:
        after.setdefault(then, []).append(first)
    order = in_order(steps, after)
    assert sorted(order) == list(range(len(steps)))
    assert all(order.index(first) < order.index(then) for first, then in edges)
    ready = [n for n in range(len(steps)) if not after.get(n)]
    assert not order or steps[order[0]].phase == min(steps[n].phase for n in ready)


class World:
    """What is where, by half units; it takes no step that cannot be done."""

    def __init__(
        self, stands: Mapping[str, float], cables: Mapping[str, tuple[str, str]] | None = None
    ) -> None:
        self.stands, self.on = dict(stands), {*stands}
        self.cables = dict(cables or {})

    def do(self, step: WorkStep) -> None:
        """Do a step, if it can be done as things are."""
        match step:
            case PowerDown():
                self.on.discard(step.device)
            case Unmount():
                assert step.device not in self.on
                assert not any(end.startswith(f"{step.device}:") for c in self.cables.values() for end in c)
                assert self.stands.pop(step.device) == step.place.unit
            case Move():
                assert step.device not in self.on
                assert self.stands[step.device] == step.source.unit
                del self.stands[step.device]
                self._put(step.device, step.place)
            case Mount():
                self._put(step.device, step.place)
            case Disconnect():
                del self.cables[step.cable]
            case Connect():
                assert {end.partition(":")[0] for end in step.ends} <= {*self.stands}
                assert not {end for ends in self.cables.values() for end in ends} & {*step.ends}
                self.cables[step.cable] = step.ends
            case _:
                assert isinstance(step, Label)

    def _put(self, device: str, where: Spot) -> None:
        assert where.unit is not None
        assert where.unit not in self.stands.values()
        self.stands[device] = where.unit


def rotation(units: Sequence[int]) -> list[WorkStep]:
    """Return the steps, in an order that works, by which each of a full rack goes to where the next stands.

    The first is put aside meanwhile.
    """
    steps: list[WorkStep] = [down("d0"), out("d0", units[0])]
    for n in range(len(units) - 1, 0, -1):
        steps += [down(f"d{n}"), move(f"d{n}", units[n], units[(n + 1) % len(units)])]
    return [*steps, into("d0", units[1])]


@settings(max_examples=50)
@given(st.permutations(range(1, 8)), st.integers(2, 7))
def test_a_rotation_is_done_in_an_order_that_works(units: list[int], count: int) -> None:
    """However devices go round, none is put where another still stands, and none is lifted while it runs."""
    steps = rotation(units[:count])
    world = World({f"d{n}": units[n] for n in range(count)})
    for step in sequence(steps, waits(steps)):
        world.do(step)
    assert world.stands == {f"d{n}": units[(n + 1) % count] for n in range(count)}


def test_who_comes_is_shut_down_when_it_is_there() -> None:
    """What is mounted and moved in one order is shut down in between, and not before it has come."""
    steps: list[WorkStep] = [into("a", 1), down("a"), move("a", 1, 2)]
    assert sequence(steps, waits(steps)) == steps


def test_cables_are_pulled_before_and_put_in_after() -> None:
    """A device is unmounted when its cables are pulled, and cabled where it is mounted, in whatever phase."""
    steps: list[WorkStep] = [
        pull("old", "x:1", "y:1"),
        plug("c", "x:1", "a:1"),  # a is about to leave
        pull("c", "x:1", "a:1"),
        down("a"),
        out("a", 1),
        down("b"),
        move("b", 2, 1),
        into("a", 2),
        plug("c1", "a:1", "b:1"),
    ]
    world = World({"a": 1, "b": 2, "x": 3, "y": 4}, {"old": ("x:1", "y:1")})
    for step in sequence(steps, waits(steps)):
        world.do(step)
    assert world.cables == {"c1": ("a:1", "b:1")}


def test_lifting_waits_for_cables_and_shutting_down_does_not() -> None:
    """A device is lifted when its cables are pulled, whether it is shut down before or after that."""
    steps = [pull("c", "x:1", "a:1"), down("a"), out("a", 1), into("a", 2), plug("d", "a:1", "x:2")]
    assert waits(steps) == {0: [], 1: [], 2: [0, 1], 3: [2], 4: [0, 3]}


def test_shutting_down_waits_for_no_place() -> None:
    """All that is to be lifted can be shut down at once, at the beginning."""
    steps = rotation([1, 2, 3])
    after = waits(steps)
    assert not any(after[n] for n, step in enumerate(steps) if isinstance(step, PowerDown))
    assert {type(step) for step in sequence(steps, after)[:3]} == {PowerDown}


def test_a_place_is_waited_for_by_half_units() -> None:
    """Who comes to where part of another stood waits for that one; who comes beside it does not."""
    tall = Unmount(machine="m", device="tall", place=place(3, 2.5))
    steps = [tall, into("in", 4), into("half", 5.5), into("above", 7), into("elsewhere", 1)]
    assert waits(steps) == {0: [], 1: [0], 2: [], 3: [], 4: []}
    other = Mount(machine="m", device="other", place=place(4, 1, "r2"))
    assert waits([tall, other]) == {0: [], 1: []}


def test_one_rack_is_done_after_another() -> None:
    """What is ready at the rack of the last step comes first, and another rack when nothing is left there."""
    one, other = (
        [
            Unmount(machine="m", device=f"{r}-out", place=place(1, 1, r), at=r),
            Mount(machine="m", device=f"{r}-in", place=place(1, 1, r), at=r),
            Connect(machine="m", cable=r, ends=(f"{r}-in:1", f"{r}-in:2"), at=r),
        ]
        for r in ("r1", "r2")
    )
    mixed: list[WorkStep] = [step for pair in zip(other, one, strict=True) for step in pair]
    assert sequence(mixed, waits(mixed)) == [*other, *one]
    across = Move(machine="m", device="x", source=place(9, 1, "r2"), place=place(1, 1, "r1"), at="r2")
    steps: list[WorkStep] = [*one[:1], across, *other]
    assert sequence(steps, waits(steps)) == [one[0], other[0], across, *other[1:]]


def test_a_step_is_told_where_it_is_by_the_others_of_its_order() -> None:
    """What is shut down is where it is lifted from first, and a cable where its devices are by then."""
    steps: list[WorkStep] = [
        down("a"),
        Move(machine="m", device="a", source=place(1), place=place(5), at="r1"),
        Move(machine="m", device="a", source=place(5), place=place(3), at="r1"),
        Connect(machine="m", cable="c", ends=("a:1", "F"), where=(place(1), None), at="r1"),
    ]
    assert [step.line() for step in located(steps) if not isinstance(step, Move)] == [
        "Shut a down and switch it off, in rack r1, U1, front",
        "Connect a:1 (rack r1, U3, front) to F by cable c",
    ]


def test_an_order_of_an_earlier_program_stays_as_it_was_handed_out() -> None:
    """Its steps tell no racks: they keep the words and the order that are on the paper."""
    steps: list[WorkStep] = [
        down("a"),
        Move(machine="m", device="a", source=place(1, 1, "r2"), place=place(5, 1, "r2")),
        Move(machine="m", device="b", source=place(1, 1, "r1"), place=place(5, 1, "r1")),
        plug("c", "a:1", "b:1"),
    ]
    assert located(steps) == steps
    assert sequence(steps, waits(steps)) == steps
