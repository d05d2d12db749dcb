"""What cannot be changed in place is removed and made anew, and with it what cannot stay without it."""

from collections.abc import Iterator, Mapping
from typing import Annotated, Any, ClassVar

import pytest
from hypothesis import strategies as st
from msgspec import Meta
from msgspec.structs import replace

from lasercats.core.address import Address, make
from lasercats.core.change import Change, Delta
from lasercats.core.command import Command
from lasercats.core.converge import converge
from lasercats.core.errors import Refused
from lasercats.core.kind import Found, Kind
from lasercats.core.parts import ordered, replaced
from lasercats.core.program import Known, Program
from lasercats.core.registry import Domain, Kinds
from lasercats.core.resource import Resource
from lasercats.core.state import State, diff
from lasercats.operate.plan import plan_delta
from lasercats.testing.laws import KindLaws

Range = Annotated[str, Meta(pattern="^10[.][0-9]$")]


class Net(Resource, frozen=True):
    """A network, whose range can never be changed."""

    range: Range | None = None


class MakeNet(Command, frozen=True, tag="net.make"):
    """Make a network."""

    past: ClassVar[str] = "net.made"

    range: Range

    def decide(self, address: Address, state: State) -> Net:
        """Return the network."""
        known = state.get(address)
        if isinstance(known, Net) and known.range != self.range:
            raise Refused("its range cannot be changed")
        return Net(range=self.range)


class RemoveNet(Command, frozen=True, tag="net.remove"):
    """Remove a network that nothing is in."""

    past: ClassVar[str] = "net.removed"

    def decide(self, address: Address, state: State) -> None:
        """Leave nothing."""
        users = [a for a, box in state.items() if isinstance(box, Box) and box.net == address]
        if users:
            raise Refused(f"{users[0]} is in it")


class Box(Resource, frozen=True):
    """A box in a network, which it can never leave; its size can change."""

    net: str | None = None
    size: int | None = None


class MakeBox(Command, frozen=True, tag="box.make"):
    """Make a box."""

    past: ClassVar[str] = "box.made"

    net: str
    size: int = 1

    def decide(self, address: Address, state: State) -> Box:
        """Return the box."""
        if state.get(Address(self.net)) is None:
            raise Refused(f"there is no {self.net}")
        if state.get(address) is not None:
            raise Refused("it is there already")
        return Box(net=self.net, size=self.size)


class Resize(Command, frozen=True, tag="box.resize"):
    """Change the size of a box."""

    past: ClassVar[str] = "box.resized"

    size: int

    def decide(self, address: Address, state: State) -> Box:
        """Return the box in this size."""
        box = state.get(address)
        if not isinstance(box, Box):
            raise Refused("there is none")
        return replace(box, size=self.size)


class RemoveBox(Command, frozen=True, tag="box.remove"):
    """Remove a box."""

    past: ClassVar[str] = "box.removed"

    def decide(self, address: Address, state: State) -> None:
        """Leave nothing."""


def converge_net(address: Address, change: Change[Net]) -> Iterator[Command]:
    """Make or remove it."""
    if change.after is None:
        yield RemoveNet(on=(address,))
    else:
        yield MakeNet(on=(address,), range=change.after.range or "")


def converge_box(address: Address, change: Change[Box]) -> Iterator[Command]:
    """Make, resize or remove it."""
    if change.after is None:
        yield RemoveBox(on=(address,))
    elif change.before is None:
        yield MakeBox(on=(address,), net=change.after.net or "", size=change.after.size or 0)
    else:
        yield Resize(on=(address,), size=change.after.size or 0)


def act(_address: Address, change: Change[Any], _known: Known) -> Program[Any]:
    """Do as asked."""
    yield from ()
    return change.after


def observe(_machine: str, known: Mapping[Address, Any]) -> Program[Found]:
    """See what is known."""
    yield from ()
    return known


NET: Kind[Net] = Kind(
    name="net",
    resource=Net,
    commands=(MakeNet, RemoveNet),
    converge=converge_net,
    act=act,
    observe=observe,
    replaces=lambda change: "range" in change.fields,
)
BOX: Kind[Box] = Kind(
    name="box",
    resource=Box,
    commands=(MakeBox, Resize, RemoveBox),
    converge=converge_box,
    act=act,
    observe=observe,
    needs=lambda _, box: () if box is None or box.net is None else (Address(box.net),),
    replaces=lambda change: "net" in change.fields,
)
KINDS = Kinds([Domain("toy", (NET, BOX), ())])
A, B = make("net", "a"), make("net", "b")
X, Y = make("box", "x"), make("box", "y")
THERE = State.of({A: Net(range="10.1"), B: Net(range="10.2"), X: Box(net=A, size=1), Y: Box(net=B, size=1)})


class TestLaws(KindLaws):
    """Kinds with replacements keep the laws, also when both are changed at once."""

    kinds, kind, names = KINDS, BOX, ("a", "b", "c")
    fields: ClassVar[Any] = {"net": st.sampled_from([A, B]), "size": st.integers(1, 3)}

    @property
    def neighbours(self) -> list[Kind[Any]]:
        """Both kinds."""
        return [NET, BOX]


def verbs(delta: Delta) -> list[tuple[str, str]]:
    """Return the commands of a delta by their verb and name."""
    made = converge(KINDS, delta, THERE)
    return [(str(c.__struct_config__.tag), c.on[0].partition("/")[2]) for c in made]


def test_a_replacement_takes_along_what_needs_it() -> None:
    """A box whose network is replaced goes before it and comes back after it; others stay."""
    after = State.of({**THERE.resources(), A: Net(range="10.9")})
    assert verbs(diff(THERE, after)) == [
        ("box.remove", "x"),
        ("net.remove", "a"),
        ("net.make", "a"),
        ("box.make", "x"),
    ]
    assert replaced(KINDS, diff(THERE, after), THERE).keys() == {A, X}


def test_what_can_be_changed_in_place_is() -> None:
    """A change of size is no replacement, a change of network is one of the box alone."""
    bigger = State.of({**THERE.resources(), X: Box(net=A, size=2)})
    assert verbs(diff(THERE, bigger)) == [("box.resize", "x")]
    moved = State.of({**THERE.resources(), X: Box(net=B, size=1)})
    assert verbs(diff(THERE, moved)) == [("box.remove", "x"), ("box.make", "x")]


def test_what_goes_anyway_does_not_come_back() -> None:
    """A box that is to go is removed before the network that it is in is replaced."""
    after = State.of({A: Net(range="10.9"), B: Net(range="10.2"), Y: Box(net=B, size=1)})
    assert verbs(diff(THERE, after)) == [("box.remove", "x"), ("net.remove", "a"), ("net.make", "a")]


def test_a_plan_names_what_it_replaces() -> None:
    """Also what is the same before and after."""
    after = State.of({**THERE.resources(), A: Net(range="10.9")})
    plan = plan_delta(KINDS, diff(THERE, after), THERE)
    assert plan.replaced == (A, X)
    assert list(plan.delta) == [A]
    assert not plan.problems


def test_a_circle_is_refused() -> None:
    """Boxes that would need each other cannot be ordered."""
    one, other = Box(net=X, size=1), Box(net=Y, size=1)
    delta = Delta({X: Change(None, other), Y: Change(None, one)})
    with pytest.raises(Refused, match="need each other in a circle: "):
        ordered(KINDS, delta, State())
