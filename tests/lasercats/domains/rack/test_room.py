"""Room in racks, against a grid of half units and faces that knows nothing of the code under test."""

from collections import Counter
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lasercats.core.address import Address
from lasercats.core.change import Change
from lasercats.core.command import Command, decide
from lasercats.core.program import Step
from lasercats.core.state import State
from lasercats.domains.rack import device_programs, rack
from lasercats.domains.rack.device import MountDevice, MoveDevice, Reserve, SetDevice, UnmountDevice

NAMES = ("a", "b", "c", "d", "e")
LIMITS = {"height": 6, "max_weight": 50, "max_power": 500}
PLACING = {
    "rack": st.sampled_from(["rack/r1", "rack/r2"]),
    "unit": st.integers(1, 14).map(lambda half: half / 2),
    "face": st.sampled_from(["front", "rear"]),
}
SIZING = {
    "height": st.sampled_from([0, 0.5, 1, 1.5, 2, 4]),
    "depth": st.sampled_from(["full", "half"]),
    "weight": st.sampled_from([1, 20, 45]),
    "draw": st.sampled_from([0, 90, 300]),
}
RACKING = {
    "height": st.integers(1, 7),
    "numbering": st.sampled_from(["below", "above"]),
    "max_weight": st.sampled_from([20, 50, 90]),
    "max_power": st.sampled_from([90, 400, 600]),
}
Asked = tuple[str, str, dict[str, Any]]


def on(name: str) -> tuple[Address, ...]:
    """Return the address of a device, as that of a command."""
    return (Address(f"rack.device/{name}"),)


def some(fields: dict[str, st.SearchStrategy[Any]]) -> st.SearchStrategy[dict[str, Any]]:
    """Return a strategy for some of some fields."""
    return st.fixed_dictionaries({}, optional=fields)


ASKED: st.SearchStrategy[Asked] = st.one_of(
    st.tuples(
        st.sampled_from(["mount", "mount", "reserve"]),
        st.sampled_from(NAMES),
        st.fixed_dictionaries({**PLACING, **SIZING}),
    ),
    st.tuples(st.just("move"), st.sampled_from(NAMES), some({**PLACING, **SIZING})),
    st.tuples(st.just("set"), st.sampled_from(NAMES), some(SIZING)),
    st.tuples(st.just("unmount"), st.sampled_from(NAMES), st.just({})),
    st.tuples(st.just("rack"), st.sampled_from(["r1", "r2"]), some(RACKING)),
)


def command(asked: Asked) -> Command:
    """Return what is told as a command."""
    verb, name, fields = asked
    types: dict[str, Any] = {
        "mount": MountDevice,
        "reserve": Reserve,
        "move": MoveDevice,
        "set": SetDevice,
        "unmount": UnmountDevice,
    }
    made: Command = (
        rack.Set(on=(Address(f"rack/{name}"),), **fields)
        if verb == "rack"
        else types[verb](on=on(name), **fields)
    )
    return made


class Grid:
    """The oracle: what stands where, as cells of half a unit on one face."""

    def __init__(self) -> None:
        self.racks: dict[str, dict[str, Any]] = {"rack/r1": dict(LIMITS), "rack/r2": dict(LIMITS)}
        self.devices: dict[str, dict[str, Any]] = {}

    def take(self, asked: Asked) -> bool:
        """Take what is told, where that leaves all in its place; tell whether it did."""
        verb, name, fields = asked
        racks, devices = dict(self.racks), dict(self.devices)
        if verb == "rack":
            racks[f"rack/{name}"] = {**racks[f"rack/{name}"], **fields}
        else:
            before = devices.get(name)
            after = self._after(verb, before, fields)
            if after is not None and after["height"] == 0 and verb != "unmount":
                after = None if "unit" in fields else self._beside(after, fields)
            if after is None:
                return False
            devices[name] = after
        if not self._holds(racks, devices):
            return False
        self.racks, self.devices = racks, devices
        return True

    @staticmethod
    def _after(verb: str, before: dict[str, Any] | None, fields: dict[str, Any]) -> dict[str, Any] | None:
        status = None if before is None else before["status"]
        if verb in ("mount", "reserve"):
            stays = all(fields[n] == before[n] for n in PLACING) if before else False
            if status == "mounted" and (verb == "reserve" or not stays):
                return None
            return {**(before or {}), **fields, "status": "mounted" if verb == "mount" else "planned"}
        if before is None or (verb == "move" and status == "removed"):
            return None
        if verb == "unmount":
            return {**before, "rack": None, "unit": None, "face": None, "status": "removed"}
        return {**before, **fields}

    @staticmethod
    def _beside(after: dict[str, Any], fields: dict[str, Any]) -> dict[str, Any]:
        """Return what is 0 units high: it takes no unit."""
        return {**after, "unit": None} if "height" in fields else after

    @staticmethod
    def _holds(racks: dict[str, dict[str, Any]], devices: dict[str, dict[str, Any]]) -> bool:
        cells: Counter[tuple[str, int, str]] = Counter()
        for place, limits in racks.items():
            inside = [d for d in devices.values() if d["rack"] == place]
            if sum(d["weight"] for d in inside) > limits["max_weight"]:
                return False
            if sum(d["draw"] for d in inside) > limits["max_power"]:
                return False
            for one in inside:
                if one["unit"] is None:
                    if one["height"]:
                        return False
                    continue
                first, count = int(one["unit"] * 2), int(one["height"] * 2)
                if first < 2 or first + max(count, 1) > 2 * limits["height"] + 2:
                    return False
                faces = ("front", "rear") if one["depth"] == "full" else (one["face"],)
                cells.update((place, first + n, face) for n in range(count) for face in faces)
        return all(count == 1 for count in cells.values())


def racks(**more: Any) -> State:  # noqa: ANN401
    """Return a state with two racks, numbered from below and from above."""
    state = State()
    for name, numbering in (("r1", "below"), ("r2", "above")):
        made = rack.Create(on=(Address(f"rack/{name}"),), numbering=numbering, **{**LIMITS, **more})
        state = state.apply(decide(made, state).delta)
    return state


@settings(max_examples=200, deadline=None)
@given(st.lists(ASKED, min_size=4, max_size=14))
def test_commands_are_refused_just_where_the_grid_has_no_room(asked: list[Asked]) -> None:
    """Whatever is commanded is refused where a grid says so, and else leaves what the grid holds."""
    state, grid = racks(), Grid()
    for one in asked:
        decision = decide(command(one), state)
        assert grid.take(one) is not bool(decision.refusals), (one, decision.refusals)
        state = state.apply(decision.delta)
        for name, wanted in grid.devices.items():
            found = state.get(*on(name))
            assert {field: getattr(found, field) for field in wanted} == wanted


def mount(name: str, unit: float | None, where: str = "r1", **fields: Any) -> MountDevice:  # noqa: ANN401
    """Return the command that mounts a device."""
    return MountDevice(on=on(name), rack=where, unit=unit, **fields)


STANDING = (
    mount("web", 2, height=2, weight=30, draw=300),
    mount("switch", 5, height=1, depth="half", face="rear", weight=5),
    Reserve(on=on("next"), rack="r1", unit=6, height=0.5, weight=5),
    mount("pdu", None, height=0),
)


@pytest.mark.parametrize(
    ("asked", "sentence"),
    [
        (mount("x", 3), "U2-3 of rack/r1 is taken by rack.device/web"),
        (mount("x", 1.5), "U2-3 of rack/r1 is taken by rack.device/web"),
        (mount("x", 1, height=4), "U2-3 of rack/r1 is taken by rack.device/web"),
        (mount("x", 5), "U5, rear of rack/r1 is taken by rack.device/switch"),
        (
            mount("x", 5.5, height=0.5, depth="half", face="rear"),
            "U5, rear of rack/r1 is taken by rack.device/switch",
        ),
        (mount("x", 6), "U6 of rack/r1 is reserved for rack.device/next"),
        (MoveDevice(on=on("web"), unit=4), "U5, rear of rack/r1 is taken by rack.device/switch"),
        (SetDevice(on=on("web"), height=4), "U5, rear of rack/r1 is taken by rack.device/switch"),
        (Reserve(on=on("x"), rack="r1", unit=2), "U2-3 of rack/r1 is taken by rack.device/web"),
        (Reserve(on=on("web"), unit=1), "it is mounted at U2-3 of rack/r1; unmount it first"),
        (mount("web", 1), "it is mounted at U2-3 of rack/r1; `lasercats rack move` moves it"),
        (mount("x", 7), "U7 is out of rack/r1, which has U1-6"),
        (mount("x", 6.5), "U6.5 is out of rack/r1, which has U1-6"),
        (
            mount("x", 3, height=0),
            "it is 0 units high and hangs beside them, so it takes no unit; leave --unit out",
        ),
        (mount("x", 5, height=3), "U5-7 is out of rack/r1, which has U1-6"),
        (mount("x", None), "say at which unit: --unit"),
        (mount("x", 1, "r9"), "there is no rack/r9; take it into the records with `lasercats rack create`"),
        (mount("x", 1, weight=10.5), "50.5 kg would be in rack/r1, which takes 50 kg at most"),
        (mount("x", 1, draw=201), "501 W would be drawn in rack/r1, which takes 500 W at most"),
        (MountDevice(on=on("x"), unit=1), "say in which rack: --rack"),
        (MoveDevice(on=on("x"), unit=1), "nothing is known of rack.device/x"),
        (mount("dc2:x", 1, "rack/r1"), "rack/r1 is not at dc2; name a rack that is"),
    ],
)
def test_a_refusal_names_what_stands_there(asked: Command, sentence: str) -> None:
    """Where there is no room, it is said what is in the way, or which limit."""
    state = racks()
    for one in STANDING:
        state = state.apply(decide(one, state).delta)
    assert decide(asked, state).refusals == {asked.on[0]: sentence}


@pytest.mark.parametrize(
    ("fields", "sentence"),
    [
        (
            {"height": 5},
            "rack.device/next would be out of it: U6 is out of rack/r1, which has U1-5",
        ),
        ({"max_weight": 39}, "40 kg would be in rack/r1, which takes 39 kg at most"),
        ({"max_power": 299}, "300 W would be drawn in rack/r1, which takes 299 W at most"),
        ({"width": 20}, "a rack is 10, 19, 21 or 23 inches wide, and not 20"),
    ],
)
def test_a_rack_takes_no_less_than_is_in_it(fields: dict[str, int], sentence: str) -> None:
    """A rack is not made smaller than what stands or is planned in it."""
    state = racks()
    for one in STANDING:
        state = state.apply(decide(one, state).delta)
    address = Address("rack/r1")
    assert decide(rack.Set(on=(address,), **fields), state).refusals == {address: sentence}


def test_the_two_faces_are_apart() -> None:
    """Two devices of half depth stand back to back; one that hangs beside the units is in nobody's way."""
    state = racks()
    for one in (
        mount("front", 3, depth="half"),
        mount("rear", 3, depth="half", face="rear"),
        mount("pdu", None, height=0),
    ):
        decision = decide(one, state)
        assert not decision.refusals
        state = state.apply(decision.delta)
    assert decide(mount("x", 3, depth="half", face="rear"), state).refusals == {
        on("x")[0]: "U3, rear of rack/r1 is taken by rack.device/rear"
    }


@pytest.mark.parametrize(
    ("where", "unit", "height", "floor"),
    [
        ("r1", 1, 1, 0),
        ("r1", 3, 2, 2),
        ("r1", 6.5, 0.5, 5.5),
        ("r2", 1, 1, 5),
        ("r2", 6, 1, 0),
        ("r2", 3, 2, 2),
        ("r2", 6.5, 0.5, 0),
        ("r2", 1, 6, 0),
    ],
)
def test_the_floor_is_where_the_numbering_says(where: str, unit: float, height: float, floor: float) -> None:
    """A technician is told how high it goes: unit 1 is at the floor in one rack, at the top in the other."""
    state = racks()
    after = decide(mount("x", unit, where, height=height), state).delta[on("x")[0]].after
    program = device_programs.KIND.act(on("x")[0], Change(None, after), state.get)
    assert isinstance(program, Step)
    (step,) = program.instruction if isinstance(program.instruction, tuple) else (program.instruction,)
    assert getattr(step, "place").floor == floor  # noqa: B009 - a step of any vocabulary
