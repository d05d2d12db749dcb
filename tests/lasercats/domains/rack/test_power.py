"""Power: what is drawn from which phase of a feed, and where more would be drawn than it gives."""

from typing import Any

import pytest

from lasercats.core.address import Address
from lasercats.core.command import Command, decide
from lasercats.core.state import State
from lasercats.domains.rack import feed, power, rack
from lasercats.domains.rack.cable import Connect
from lasercats.domains.rack.device import MountDevice, SetDevice, Stock, UnmountDevice
from lasercats.domains.rack.device_type import Define, PortType
from lasercats.interpreters.simulate import simulate


def at(kind: str, name: str) -> tuple[Address, ...]:
    """Return an address, as that of a command."""
    return (Address(f"rack.{kind}/{name}"),)


FEED_A, FEED_B = at("feed", "A")[0], at("feed", "B")[0]


def type_(name: str, *ports: PortType, height: float = 0) -> Define:
    """Return the command that defines a type."""
    return Define(
        on=at("device_type", name), manufacturer="Acme", model=name, u_height=height, ports=tuple(ports)
    )


def supply(name: str, **draws: Any) -> PortType:  # noqa: ANN401
    """Return a power port."""
    return PortType(name=name, sort="power-port", **draws)


def outlet(name: str, leg: Any = None, power_port: str | None = "in") -> PortType:  # noqa: ANN401
    """Return an outlet."""
    return PortType(name=name, sort="power-outlet", power_port=power_port, feed_leg=leg)


TYPES = (
    type_("server", supply("PSU1", maximum_draw=300), supply("PSU2", maximum_draw=300)),
    type_("planned", supply("PSU1", maximum_draw=300, allocated_draw=120)),
    type_("large", supply("PSU1", maximum_draw=3000)),
    type_("pdu", supply("in"), outlet("1", "A"), outlet("2", "B"), outlet("3", "C"), outlet("4")),
    type_("strip", supply("in", maximum_draw=50), outlet("1"), outlet("2")),
    type_("switched", supply("in1"), supply("in2"), outlet("1", None, None), outlet("2", None, "in2")),
)
SITE = (*TYPES, rack.Create(on=(Address("rack/r1"),)))


def feeds(**fields: int) -> tuple[Command, ...]:
    """Return the commands that take two feeds in."""
    return (feed.Add(on=(FEED_A, FEED_B), rack="r1", **fields),)


def there(**types: str) -> tuple[Command, ...]:
    """Return the commands that mount devices of types beside the units."""
    return tuple(MountDevice(on=at("device", n), rack="r1", type=t, height=0) for n, t in types.items())


def cables(**ends: str) -> tuple[Command, ...]:
    """Return the commands that connect ends: `c1="A p:in"`."""
    rows = ((name, *both.split()) for name, both in ends.items())
    return tuple(Connect(on=at("cable", name), a=a, b=b) for name, a, b in rows)


def made(*commands: Command, state: State | None = None) -> State:
    """Return the state after commands, none of which is refused."""
    results, state = simulate(commands, state or State())
    assert not [result.problems for result in results if result.problems]
    return state


def refusal(command: Command, state: State) -> str | None:
    """Return why a command is refused; None where it is not."""
    return decide(command, state).refusals.get(command.on[0])


def refused_cable(state: State, **ends: str) -> str | None:
    """Return why a cable is refused."""
    (command,) = cables(**ends)
    return refusal(command, state)


@pytest.mark.parametrize(
    ("ends", "drawn"),
    [
        ({}, {"A": 0, "B": 0, "C": 0}),
        ({"c": "A p:in"}, {"A": 0, "B": 0, "C": 0}),
        ({"c": "A p:in", "d": "p:1 s:PSU1"}, {"A": 300, "B": 0, "C": 0}),
        ({"c": "p:in A", "d": "t:PSU1 p:2"}, {"A": 0, "B": 120, "C": 0}),
        ({"c": "A p:in", "d": "p:3 s:PSU1", "e": "p:2 s:PSU2"}, {"A": 0, "B": 300, "C": 300}),
        ({"c": "A p:in", "d": "p:4 s:PSU1"}, {"A": 100, "B": 100, "C": 100}),
        ({"c": "A s:PSU1"}, {"A": 100, "B": 100, "C": 100}),
        ({"c": "A p:in", "d": "p:2 q:in", "e": "q:1 s:PSU1"}, {"A": 0, "B": 300, "C": 0}),
        ({"c": "A p:in", "d": "p:2 q:in", "e": "q:3 s:PSU1", "f": "q:4 t:PSU1"}, {"A": 0, "B": 420, "C": 0}),
        (
            {"c": "A p:in", "d": "p:4 q:in", "e": "q:3 s:PSU1", "f": "q:4 t:PSU1"},
            {"A": 40, "B": 40, "C": 340},
        ),
        ({"c": "A p:in", "d": "p:1 x:in"}, {"A": 90, "B": 0, "C": 0}),
    ],
)
def test_what_is_drawn_is_followed_along_the_outlets(ends: dict[str, str], drawn: dict[str, float]) -> None:
    """What hangs on a leg is drawn from its phase, down a chain too; what hangs on none, from all alike."""
    state = made(*SITE, *feeds(phases=3), *there(p="pdu", q="pdu", s="server", t="planned"))
    state = made(
        MountDevice(on=at("device", "x"), rack="r1", height=0, draw=90), *cables(**ends), state=state
    )
    assert power.loads(FEED_A, state) == drawn


def test_a_feed_of_one_phase_has_one_sum() -> None:
    """On a feed of one phase, the legs of a PDU are all one; what hands power on draws nothing itself."""
    state = made(*SITE, *feeds(), *there(p="pdu", strip="strip", s="server", t="planned"))
    state = made(*cables(a="A p:in", b="p:1 s:PSU1", c="p:2 strip:in", d="strip:2 t:PSU1"), state=state)
    assert power.loads(FEED_A, state) == {"A": 420}


def test_each_of_two_supplies_counts_in_full() -> None:
    """A device on two feeds is counted on both, as each must carry it alone."""
    state = made(*SITE, *feeds(), *there(s="server"), *cables(a="A s:PSU1", b="B s:PSU2"))
    assert [power.loads(each, state) for each in (FEED_A, FEED_B)] == [{"A": 300}, {"A": 300}]


@pytest.mark.parametrize(("draw", "counted"), [(1000, 300), (300, 300), (250, 250), (0, 0)])
def test_a_supply_draws_no_more_than_its_device(draw: float, counted: float) -> None:
    """What is on record of a device caps what its type says of a power port."""
    state = made(*SITE, *feeds(), *there(s="server"), SetDevice(on=at("device", "s"), draw=draw))
    assert power.loads(FEED_A, made(*cables(c="A s:PSU1"), state=state)) == {"A": counted}


def test_the_draw_of_a_type_is_that_of_its_ports() -> None:
    """A device draws the sum of its supplies by default, as allocated before the maximum; a PDU nothing."""
    state = made(*SITE, *there(s="server", t="planned", p="strip"))
    found: list[Any] = [state.get(at("device", name)[0]) for name in "stp"]
    assert [device.draw for device in found] == [600, 120, 0]


@pytest.mark.parametrize(
    ("fields", "watts"),
    [
        ({}, 230 * 16 * 0.8),
        ({"voltage": 120, "amperage": 30, "utilization": 100}, 3600),
        ({"voltage": 400, "phases": 3}, 400 * 16 * 3**0.5 / 3 * 0.8),
        ({"voltage": 208, "amperage": 30, "phases": 3, "utilization": 50}, 208 * 30 * 3**0.5 / 3 * 0.5),
    ],
)
def test_a_feed_gives_what_its_fuse_allows(fields: dict[str, int], watts: float) -> None:
    """A phase gives volts x amperes x utilization; of three, the voltage is √3 of that of one."""
    state = made(*SITE, *feeds(**fields))
    assert power.limit(state.get(FEED_A)) == pytest.approx(watts)


ONE_PHASE = (*SITE, *feeds(amperage=2, utilization=100))  # 460 W
THREE = (*SITE, *feeds(amperage=1, voltage=400, phases=3, utilization=100))  # 231 W each


def test_a_cable_that_draws_too_much_is_refused() -> None:
    """A cable is refused where what hangs on it is more than the feed gives, at whichever end it is added."""
    too_much = "600 W would be drawn from rack.feed/A, which gives 460 W at most"
    state = made(*ONE_PHASE, *there(p="strip", s="server"), *cables(b="p:1 s:PSU1"))
    loaded = made(*cables(c="p:2 s:PSU2"), state=state)
    assert refused_cable(loaded, a="A p:in") == too_much
    hanging = made(*cables(a="A p:in"), state=state)
    assert refused_cable(hanging, c="s:PSU2 p:2") == too_much
    assert refused_cable(hanging, c="B s:PSU2") is None


def test_a_phase_that_gives_too_much_is_named() -> None:
    """On three phases, each has its own limit, and the refusal names the phase."""
    state = made(*THREE, *there(p="pdu", s="server", t="planned"), *cables(a="A p:in", b="p:2 t:PSU1"))
    assert refused_cable(state, c="p:3 s:PSU1") == (
        "300 W would be drawn from phase C of rack.feed/A, which gives 231 W at most"
    )
    assert refused_cable(state, c="p:4 s:PSU1") is None


def test_a_feed_is_not_set_to_less_than_is_drawn() -> None:
    """A feed gives no less than what is drawn from it, to the watt."""
    state = made(*SITE, *feeds(utilization=100), *there(s="server"), *cables(a="A s:PSU1"))

    def why(**fields: Any) -> str | None:  # noqa: ANN401
        return refusal(feed.SetFeed(on=(FEED_A,), **fields), state)

    assert why(amperage=1) == "300 W would be drawn from rack.feed/A, which gives 230 W at most"
    assert why(utilization=8) == "300 W would be drawn from rack.feed/A, which gives 294 W at most"
    assert why(voltage=300, amperage=1) is None
    assert why(phases=2) == "a feed has 1 phase or 3, and not 2"
    assert why(rack="r9") == ("there is no rack/r9; take it into the records with `lasercats rack create`")


def test_a_device_is_not_set_to_draw_too_much() -> None:
    """What a device is set to draw is checked along its cables, through what is between."""
    state = made(*ONE_PHASE, *there(p="strip", s="server"), *cables(a="A p:in", b="p:1 s:PSU1"))
    state = made(
        MountDevice(on=at("device", "x"), rack="r1", height=0, draw=100),
        *cables(c="x:anything p:2"),
        state=state,
    )
    device = at("device", "x")
    text = "461 W would be drawn from rack.feed/A, which gives 460 W at most"
    assert refusal(SetDevice(on=device, draw=160), state) is None
    assert refusal(SetDevice(on=device, draw=161), state) == text
    assert refusal(SetDevice(on=at("device", "s"), type="large", draw=361), state) == text
    out = made(UnmountDevice(on=device, keep_cables=True), state=state)
    assert refusal(Stock(on=device, draw=161), out) == text
    assert refusal(MountDevice(on=device, rack="r1", draw=161), out) == text


def test_an_outlet_of_any_supply_hangs_on_all_of_them() -> None:
    """Where it is not said which power port feeds an outlet, each feed must carry what hangs on it."""
    there_are = there(p="switched", s="server", t="planned", u="large")
    state = made(*ONE_PHASE, *there_are, *cables(a="A p:in1", b="B p:in2"))
    assert power.feeds_of(FEED_A, "p:1", state) == [FEED_A, FEED_B]
    assert power.feeds_of(FEED_A, "p:2", state) == [FEED_B]
    text = "3,000 W would be drawn from rack.feed/A, which gives 460 W at most"
    assert refused_cable(state, c="u:PSU1 p:1") == text
    state = made(*cables(c="s:PSU1 p:1", d="t:PSU1 p:2"), state=state)
    assert [power.loads(each, state) for each in (FEED_A, FEED_B)] == [{"A": 300}, {"A": 420}]


def test_a_circle_of_outlets_ends() -> None:
    """PDUs that feed each other in a circle hang on no feed, and what hangs on them is drawn from none."""
    state = made(*SITE, *feeds(), *there(p="pdu", q="pdu", s="large", w="switched"))
    state = made(*cables(a="p:1 q:in", b="q:1 p:in", c="q:2 s:PSU1"), state=state)
    assert power.feeds_of(FEED_A, "s:PSU1", state) == []
    assert power.loads(FEED_A, state) == {"A": 0}


def test_what_feeds_itself_is_counted_once() -> None:
    """An outlet that leads back into its own device ends there, and the rest is counted once."""
    state = made(*SITE, *feeds(), *there(w="switched", s="server"))
    state = made(*cables(a="A w:in1", b="w:1 w:in2", c="w:2 s:PSU1"), state=state)
    assert power.loads(FEED_A, state) == {"A": 300}
    assert power.feeds_of(FEED_A, "s:PSU1", state) == [FEED_A]
