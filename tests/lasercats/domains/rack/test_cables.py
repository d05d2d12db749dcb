"""Cables: what may be connected to what, and the order in which a plan cables anew."""

from typing import Any

import pytest

from lasercats.core.address import Address
from lasercats.core.command import Command, decide
from lasercats.core.converge import converge, wanted
from lasercats.core.registry import Kinds
from lasercats.core.resource import Resource
from lasercats.core.state import State
from lasercats.domains.rack import DOMAIN, feed, rack
from lasercats.domains.rack.cable import Cable, Connect, Disconnect, Relabel, SetCable
from lasercats.domains.rack.device import Device, MountDevice, Retire, UnmountDevice
from lasercats.domains.rack.device_type import Define, PortType, Sort
from lasercats.interpreters.simulate import simulate

KINDS = Kinds([DOMAIN])
SORTS: tuple[Sort, ...] = (
    "console-port",
    "console-server-port",
    "power-port",
    "power-outlet",
    "interface",
    "front-port",
    "rear-port",
)
NETWORK = {"interface", "front-port", "rear-port"}


def at(kind: str, name: str) -> tuple[Address, ...]:
    """Return an address, as that of a command."""
    return (Address(f"{kind}/{name}"),)


def c(name: str) -> Address:
    """Return the address of a cable."""
    return at("rack.cable", name)[0]


def connect(name: str, a: str, b: str, **fields: Any) -> Connect:  # noqa: ANN401
    """Return the command that connects two ends."""
    return Connect(on=(c(name),), a=a, b=b, **fields)


def made(*commands: Command, state: State | None = None) -> State:
    """Return the state after commands, none of which is refused."""
    results, state = simulate(commands, state or State())
    assert not [result.problems for result in results if result.problems]
    return state


TYPE = Define(
    on=at("rack.device_type", "all"),
    manufacturer="Acme",
    model="All",
    ports=(
        *(PortType(name=sort, sort=sort) for sort in SORTS),
        PortType(name="bay", sort="module-bay"),
        PortType(name="slot", sort="device-bay"),
    ),
)
SITE = (
    TYPE,
    rack.Create(on=at("rack", "r1")),
    MountDevice(on=at("rack.device", "s1"), rack="r1", unit=1, type="all"),
    MountDevice(on=at("rack.device", "s2"), rack="r1", unit=2, type="all"),
    MountDevice(on=at("rack.device", "x1"), rack="r1", unit=3),
    MountDevice(on=at("rack.device", "x2"), rack="r1", unit=4),
    feed.Add(on=at("rack.feed", "A"), rack="r1"),
    feed.Add(on=at("rack.feed", "B"), rack="r1"),
)


@pytest.mark.parametrize("one", SORTS)
@pytest.mark.parametrize("other", SORTS)
def test_ports_take_what_fits_them(one: Sort, other: Sort) -> None:
    """Network goes to network, a power port to an outlet, a console to its server, and nothing else."""
    fits = {one, other} <= NETWORK or {one, other} in (
        {"power-port", "power-outlet"},
        {"console-port", "console-server-port"},
    )
    refusals = decide(connect("c", f"s1:{one}", f"s2:{other}"), made(*SITE)).refusals
    text = f"no cable fits both s1:{one} ({one}) and s2:{other} ({other})"
    assert refusals == ({} if fits else {c("c"): text})


@pytest.mark.parametrize("port", SORTS)
def test_a_feed_takes_a_power_port(port: Sort) -> None:
    """Of all ports, only a power port goes to a feed."""
    refusals = decide(connect("c", "A", f"s1:{port}"), made(*SITE)).refusals
    text = f"no cable fits both A (feed) and s1:{port} ({port})"
    assert refusals == ({} if port == "power-port" else {c("c"): text})


@pytest.mark.parametrize(
    ("a", "b", "sentence"),
    [
        ("s1:eth9", "s2:interface", "rack.device_type/all has no port 'eth9'"),
        ("s1:interface", "s2:slot", "rack.device_type/all has no port 'slot'"),
        ("s9:eth0", "s1:interface", "nothing is known of rack.device/s9"),
        (
            "s1:power-port",
            "C",
            "there is no feed C; write DEVICE:PORT, or take it in with `lasercats rack add-feed`",
        ),
        ("A", "B", "no cable fits both A (feed) and B (feed)"),
        ("x1:7", "s2:interface", "x1:7 is taken by rack.cable/there, which leads to x2:7"),
        ("s2:interface", "x2:7", "x2:7 is taken by rack.cable/there, which leads to x1:7"),
    ],
)
def test_what_cannot_be_connected_is_told(a: str, b: str, sentence: str) -> None:
    """An end that is not there, is taken, or fits no other is told in a sentence."""
    state = made(*SITE, connect("there", "x1:7", "x2:7"))
    assert decide(connect("new", a, b), state).refusals == {c("new"): sentence}


@pytest.mark.parametrize(("a", "b"), [("x1:port:7", "x2:1/0/1"), ("A", "x1:in"), ("s1:console-port", "x1:9")])
def test_a_device_of_no_type_has_any_port(a: str, b: str) -> None:
    """What has no type takes whatever is put into it."""
    assert made(*SITE, connect("c", a, b)).get(c("c")) == Cable(a=a, b=b, status="connected")


@pytest.mark.parametrize("kind", [Cable, Connect])
@pytest.mark.parametrize(
    ("a", "b", "sentence"),
    [
        ("s1:eth0", "s1:eth0", "both ends are at s1:eth0; a cable has two"),
        ("s1:", "s2:eth0", "'s1:' is no end of a cable; write DEVICE:PORT, or the name of a feed"),
        (
            "s1/2:eth0",
            "s2:eth0",
            "'s1/2:eth0' is no end of a cable; write DEVICE:PORT, or the name of a feed",
        ),
    ],
)
def test_a_cable_has_two_ends(kind: Any, a: str, b: str, sentence: str) -> None:  # noqa: ANN401
    """Neither a cable nor a command to connect one may be given with ends that are none."""
    made = kind(a=a, b=b, **({"on": (c("c"),)} if kind is Connect else {}))
    with pytest.raises(ValueError, match="^" + sentence.replace("(", r"\(") + "$"):
        made.check()


def test_a_cable_that_is_there_goes_nowhere_else() -> None:
    """To connect what is connected is nothing new with the same ends, and refused with others."""
    state = made(*SITE, connect("c", "x1:1", "x2:1"))
    assert not decide(connect("c", "x1:1", "x2:1"), state).delta
    assert decide(connect("c", "x1:1", "x2:2"), state).refusals == {
        c("c"): "it connects x1:1 and x2:1; disconnect it first"
    }


def test_what_is_on_record_of_a_cable_is_set() -> None:
    """A cable is labelled and described once it is there, and not before."""
    label, about = Relabel(on=(c("c"),), label="A-17"), SetCable(on=(c("c"),), color="blue", length=2.0)
    for command in (label, about):
        assert decide(command, made(*SITE)).refusals == {c("c"): "nothing is known of rack.cable/c"}
    state = made(*SITE, connect("c", "x1:1", "x2:1"), label, about)
    assert state.get(c("c")) == Cable(
        a="x1:1", b="x2:1", label="A-17", color="blue", length=2, status="connected"
    )


def converged(
    state: State, desired: dict[Address, Resource], prune: tuple[Address, ...] = ()
) -> list[Command]:
    """Return the commands of a plan, after seeing that they bring it about."""
    delta = wanted(state, desired, prune=prune)
    commands = converge(KINDS, delta, state)
    assert made(*commands, state=state) == state.apply(delta)
    return commands


def test_two_cables_are_recabled_crosswise() -> None:
    """Two cables that change places are both pulled before either is put in."""
    state = made(*SITE, connect("c1", "x1:1", "x2:1", label="L"), connect("c2", "x1:2", "x2:2"))
    commands = converged(state, {c("c1"): Cable(b="x2:2"), c("c2"): Cable(b="x2:1")})
    assert [type(command) for command in commands] == [Disconnect, Disconnect, Connect, Connect]


def test_a_ring_of_cables_is_recabled() -> None:
    """Ports that go round among many cables are taken only when they are free."""
    state = made(*SITE, *(connect(f"c{n}", f"x1:{n}", f"x2:{n}") for n in range(6)))
    commands = converged(state, {c(f"c{n}"): Cable(b=f"x2:{(n + 1) % 6}") for n in range(6)})
    assert sum(isinstance(command, Disconnect) for command in commands) == 6


def test_the_same_ends_the_other_way_round_are_a_record() -> None:
    """A cable whose ends change their names for each other stays where it is."""
    state = made(*SITE, connect("c", "x1:1", "x2:1"))
    (command,) = converged(state, {c("c"): Cable(a="x2:1", b="x1:1", color="blue")})
    assert isinstance(command, Connect)


def test_a_port_goes_to_another_cable() -> None:
    """A new cable takes a port when the one in it is gone."""
    state = made(*SITE, connect("z", "x1:1", "x2:1"))
    commands = converged(state, {c("a"): Cable(a="x1:1", b="s1:interface", status="connected")}, (c("z"),))
    assert [type(command) for command in commands] == [Disconnect, Connect]


def test_a_device_with_cables_stays() -> None:
    """What has cables in it is not taken out of its rack, but where they stay its own."""
    state = made(*SITE, connect("c2", "x1:1", "x2:1"), connect("c1", "x1:2", "x1:3"))
    x1 = at("rack.device", "x1")
    sentence = "cable c1, c2 is in it; disconnect that first"
    assert decide(UnmountDevice(on=x1), state).refusals == {x1[0]: f"{sentence}, or --keep-cables"}
    state = made(UnmountDevice(on=x1, keep_cables=True), state=state)
    assert state.get(c("c2")) == Cable(a="x1:1", b="x2:1", status="connected")
    assert decide(Retire(on=x1), state).refusals == {x1[0]: sentence}
    state = made(Disconnect(on=(c("c1"), c("c2"))), Retire(on=x1), state=state)
    assert state.get(x1[0]) is None


def test_a_device_at_another_site_has_other_cables() -> None:
    """A cable is in the device of its own machine, not in that of the same name elsewhere."""
    x1 = at("rack.device", "dc2:x1")
    there = (rack.Create(on=at("rack", "dc2:r1")), MountDevice(on=x1, rack="r1", unit=1))
    state = made(*SITE, *there, connect("c", "x1:1", "x2:1"))
    assert not decide(UnmountDevice(on=x1), state).refusals
    assert decide(connect("dc2:c", "x1:1", "x2:1"), state).refusals == {
        c("dc2:c"): "nothing is known of rack.device/dc2:x2"
    }


@pytest.mark.parametrize("name", ["a", "z"])
def test_a_device_goes_with_its_cables(name: str) -> None:
    """In one plan, cables are pulled before what they are in is unmounted and retired."""
    device = at("rack.device", name)
    state = made(*SITE, MountDevice(on=device, rack="r1", unit=9), connect("m", f"{name}:1", "x1:1"))
    commands = converged(state, {}, (device[0], c("m")))
    assert [type(command) for command in commands] == [Disconnect, UnmountDevice, Retire]


@pytest.mark.parametrize("name", ["a", "z"])
def test_a_device_comes_before_its_cables(name: str) -> None:
    """In one plan, what is cabled is mounted, and a feed taken in, before the cable is connected."""
    desired: dict[Address, Resource] = {
        at("rack.device", name)[0]: Device(rack="r1", unit=9),
        at("rack.feed", name.upper())[0]: feed.Feed(voltage=230),
        c("m"): Cable(a=f"{name}:1", b="x1:1"),
        c("p"): Cable(a=f"{name}:2", b=name.upper()),
    }
    state = made(*SITE[:6])
    commands = converge(KINDS, wanted(state, desired), state, exact=False)
    made(*commands, state=state)
    assert {type(command) for command in commands[-2:]} == {Connect}


def test_a_feed_that_a_cable_is_in_stays() -> None:
    """A feed is taken out of the records when nothing hangs on it any more, as a plan knows."""
    state = made(*SITE, connect("c", "A", "x1:in"))
    feed_a = at("rack.feed", "A")
    assert decide(feed.Remove(on=feed_a), state).refusals == {
        feed_a[0]: "rack.cable/c is in it; disconnect that first"
    }
    commands = converged(state, {}, (feed_a[0], c("c")))
    assert [type(command) for command in commands] == [Disconnect, feed.Remove]
