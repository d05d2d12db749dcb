"""`symlink`: a symbolic link and where it points."""

from collections.abc import Iterator, Mapping
from typing import Annotated, Any, ClassVar

from msgspec import Meta
from msgspec.structs import replace

from lasercats.core.address import Address
from lasercats.core.change import Change
from lasercats.core.command import Command
from lasercats.core.kind import Found, Kind
from lasercats.core.loose import Forms
from lasercats.core.program import Known, Program, Step
from lasercats.core.resource import Resource
from lasercats.core.state import State
from lasercats.core.text import one_form, unescape
from lasercats.domains.host import place
from lasercats.instructions.host import MakeSymlink, PathStatus, RemovePath

Target = Annotated[str, Meta(min_length=1, description="the path that it points to")]


def target_of(target: str) -> str:
    """Return the one form of a target: any bytes but NUL.

    Raises:
        ValueError: no link can point there.

    """
    data = unescape(target)
    if not data or b"\0" in data:
        raise ValueError(f"{target!r} can be no target: it is empty, or holds NUL")
    return one_form(target)


class Symlink(Resource, frozen=True):
    """A symbolic link on a host."""

    target: Target | None = None

    forms: ClassVar[Forms] = {"target": target_of}


class Link(Command, frozen=True, tag="symlink.link"):
    """Make a symbolic link point to a path, at once if it is there already."""

    past: ClassVar[str] = "symlink.linked"

    target: Target

    forms: ClassVar[Forms] = {"target": target_of}

    def decide(self, address: Address, state: State) -> Symlink:
        """Return the link with this target."""
        place.check(address, state)
        link = state.get(address)
        return replace(link if isinstance(link, Symlink) else Symlink(), target=self.target)


class Remove(place.Remove, frozen=True, tag="symlink.remove"):
    """Remove a symbolic link; what it points to stays."""

    past: ClassVar[str] = "symlink.removed"


def act(address: Address, change: Change[Any], _known: Known) -> Step:
    """Make or remove the link."""
    machine, path = place.at(address)
    after = change.after
    if after is None:
        return Step(RemovePath(machine=machine, path=path, type="symlink"), lambda _: None)
    instruction = MakeSymlink(machine=machine, path=path, target=after.target)
    return Step(instruction, lambda status: resource(status, after))


def converge(address: Address, change: Change[Symlink]) -> Iterator[Command]:
    """Link or remove."""
    if change.after is None or change.after.target is None:
        yield Remove(on=(address,))
    else:
        yield Link(on=(address,), target=change.after.target)


def observe(machine: str, known: Mapping[Address, Symlink | None]) -> Program[Found]:
    """Look at links."""
    return (yield from place.look(machine, known, place.Reading(place.read_plain, resource)))


def resource(status: PathStatus, _known: Symlink | None) -> Symlink:
    """Return the link that a status tells of."""
    return Symlink(target=status.target)


KIND = Kind(
    name="symlink",
    resource=Symlink,
    commands=(Link, Remove),
    converge=converge,
    act=act,
    observe=observe,
    canonical=place.canonical,
    needs=place.needs,
    rivals=place.rivals,
)
