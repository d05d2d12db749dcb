"""References: what a resource needs follows from its fields; what is loose lets go in time."""

from typing import Annotated, Any

import msgspec
import pytest

from lasercats.core.address import Address
from lasercats.core.change import Change
from lasercats.core.errors import Refused
from lasercats.core.kind import Kind
from lasercats.core.order import Dependencies
from lasercats.core.parts import Part, ordered
from lasercats.core.reference import let_go, needed, references, refers, renamed
from lasercats.core.registry import Domain, Kinds
from lasercats.core.resource import COMPUTED, Resource
from lasercats.core.state import State, diff
from lasercats.interpreters.looking import addressed

BOX, DISK, BELT = Address("box/a"), Address("disk/d"), Address("belt/b")


class Rule(msgspec.Struct, frozen=True):
    """A part with a reference in it."""

    peer: Annotated[str, refers("belt")]


class Belt(Resource, frozen=True):
    """Refers to others of its kind, and to itself, by its rules."""

    rules: tuple[Rule, ...] | None = None
    id: Annotated[str | None, COMPUTED] = None


class Box(Resource, frozen=True):
    """Cannot be without its belts; cannot change its size."""

    belts: tuple[Annotated[str, refers("belt")], ...] | None = None
    size: int | None = None
    id: Annotated[str | None, COMPUTED] = None


class Link(msgspec.Struct, frozen=True):
    """A part that can be left out."""

    to: Annotated[str, refers("net", loose=True)]


class Net(Resource, frozen=True):
    """Links to others of its kind, and stands in some; cannot change its size; was made by a box."""

    links: tuple[Link, ...] | None = None
    stands: tuple[Annotated[str, refers("net", loose=True)], ...] | None = None
    maker: Annotated[str, refers("box", initial=True)] | None = None
    size: int | None = None


class Disk(Resource, frozen=True):
    """Can be in a box, and in none."""

    box: Annotated[str, refers("box", loose=True)] | None = None


def _kind(name: str, resource: type[Resource], **more: Any) -> Kind[Any]:  # noqa: ANN401
    def never(*_: Any) -> Any:  # noqa: ANN401
        raise AssertionError

    return Kind(name=name, resource=resource, commands=(), converge=never, act=never, observe=never, **more)


KINDS = Kinds(
    [
        Domain(
            "test",
            (
                _kind("belt", Belt, identity="id"),
                _kind("box", Box, identity="id", replaces=lambda c: c.before.size != c.after.size),
                _kind("disk", Disk),
                _kind("net", Net, replaces=lambda c: c.before.size != c.after.size),
            ),
            (),
        )
    ]
)


def test_what_is_referred_to_is_needed() -> None:
    """References stand in fields, in tuples and in parts; only addresses are needed, and not one's own."""
    box = Box(belts=("belt/b", "belt-0123"))
    assert list(references(box)) == [("belt", "belt/b"), ("belt", "belt-0123")]
    assert KINDS.kind(BOX).needs(BOX, box) == (BELT,)
    belt = Belt(rules=(Rule("belt/b"), Rule("belt/c"), Rule("belt-9")))
    assert needed(BELT, belt) == (Address("belt/c"),)
    assert needed(DISK, Disk(box="")) == needed(DISK, Disk()) == needed(BOX, None) == ()


def test_references_are_renamed_everywhere() -> None:
    """A new name is put into fields, tuples and parts; what refers to nothing stays so."""

    def shout(kind: str, value: str) -> str:
        return f"{kind}!{value}"

    assert renamed(Box(belts=("x", "y"), size=1), shout) == Box(belts=("belt!x", "belt!y"), size=1)
    assert renamed(Belt(rules=(Rule("x"),)), shout) == Belt(rules=(Rule("belt!x"),))
    assert renamed(Disk(box=""), shout) == Disk(box="")
    assert renamed(Disk(), shout) == Disk()


def test_only_a_loose_reference_is_let_go() -> None:
    """What can be without another gives it up; what cannot, or holds it otherwise, does not."""
    assert let_go(Disk(box="box/a"), BOX) == Disk(box="")
    assert let_go(Disk(box="box/other"), BOX) is None
    assert let_go(Box(belts=("belt/b",)), BELT) is None


def test_what_can_be_without_a_replaced_thing_meanwhile_stays() -> None:
    """The disk leaves the box that is made anew and goes into the new one; it is not made anew itself."""
    before = State.of({BELT: Belt(), BOX: Box(belts=("belt/b",), size=1), DISK: Disk(box="box/a")})
    after = before.apply(diff(before, State.of({**before.resources(), BOX: Box(belts=("belt/b",), size=2)})))
    parts = ordered(KINDS, diff(before, after), before)
    assert parts == [
        Part(DISK, Change(Disk(box="box/a"), Disk(box=""))),
        Part(BOX, Change(before.get(BOX), None)),
        Part(BOX, Change(None, after.get(BOX))),
        Part(DISK, Change(Disk(box=""), Disk(box="box/a"))),
    ]


A, B = Address("net/a"), Address("net/b")


def test_one_of_many_is_let_go() -> None:
    """Parts are left out, of many references one; the last one of them stays."""
    assert let_go(Net(links=(Link("net/a"), Link("net/c"))), A) == Net(links=(Link("net/c"),))
    assert let_go(Net(links=(Link("net/a"),)), A) == Net(links=())
    assert let_go(Net(stands=("net/a", "net/c")), A) == Net(stands=("net/c",))
    assert let_go(Net(links=(Link("net/a"),), stands=("net/a",)), A) is None


def test_a_circle_is_opened() -> None:
    """Those that link to each other are made and removed: one of them first, or last, without its link."""
    a, b, empty = Net(links=(Link("net/b"),)), Net(links=(Link("net/a"),)), State.of({})
    both = State.of({A: a, B: b})
    assert ordered(KINDS, diff(empty, both), empty) == [
        Part(A, Change(None, Net(links=()))),
        Part(B, Change(None, b)),
        Part(A, Change(Net(links=()), a)),
    ]
    assert ordered(KINDS, diff(both, empty), both) == [
        Part(A, Change(a, Net(links=()))),
        Part(B, Change(b, None)),
        Part(A, Change(Net(links=()), None)),
    ]


def test_a_circle_that_cannot_be_opened() -> None:
    """Where none can be without the others, that is told."""
    one, other = Address("belt/1"), Address("belt/2")
    both = State.of({one: Belt(rules=(Rule("belt/2"),)), other: Belt(rules=(Rule("belt/1"),))})
    with pytest.raises(Refused, match=r"in a circle: belt/(1 → belt/2 → belt/1|2 → belt/1 → belt/2)"):
        ordered(KINDS, diff(State.of({}), both), State.of({}))


def test_what_was_only_made_with_something_is_not_replaced_with_it() -> None:
    """A net stays when the box is made anew by which it was made; it is still made after it."""
    before = State.of({BOX: Box(size=1), A: Net(maker="box/a")})
    after = before.apply(diff(before, State.of({**before.resources(), BOX: Box(size=2)})))
    assert [part.address for part in ordered(KINDS, diff(before, after), before)] == [BOX, BOX]
    assert [part.address for part in ordered(KINDS, diff(State.of({}), before), State.of({}))] == [BOX, A]


def test_what_is_put_into_one_thing_goes_one_by_one() -> None:
    """A disk that goes into a box waits for one that comes out of it; that of another box does not."""
    order = Dependencies[str](KINDS)
    other, third, box2 = Address("disk/e"), Address("disk/f"), Address("box/b")
    out, into = Change(Disk(box="box/a"), Disk(box="")), Change(Disk(box=""), Disk(box="box/a"))
    assert order.add(DISK, out, "out") == []
    assert order.add(third, Change(Disk(box=""), Disk(box=box2)), "elsewhere") == []
    assert order.add(other, into, "into") == ["out"]
    assert order.add(BOX, Change(Box(size=1), Box(size=2)), "box") == ["out", "into"]


def test_what_is_found_is_told_by_address() -> None:
    """An id that belongs to something managed, or found with it, becomes its address; others stay ids."""
    state = State.of({BELT: Belt(id="belt-1")})
    found = {
        BOX: Box(belts=("belt-1", "belt-2"), id="box-7"),
        DISK: Disk(box="box-7"),
        Address("box/b"): None,
    }
    assert addressed(found, state, KINDS) == {
        BOX: Box(belts=("belt/b", "belt-2"), id="box-7"),
        DISK: Disk(box="box/a"),
        Address("box/b"): None,
    }
