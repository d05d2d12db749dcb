"""`symlink`: a symbolic link and where it points."""

from typing import Annotated, Any, ClassVar

from msgspec import Meta

from lasercats.core.address import Address
from lasercats.core.change import Change
from lasercats.core.instruction import Instruction
from lasercats.core.loose import Forms
from lasercats.core.resource import Resource
from lasercats.core.text import one_form, unescape
from lasercats.domains.host import place
from lasercats.instructions.host import MakeSymlink, PathStatus


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

    target: Annotated[str, Meta(min_length=1, description="the path that it points to")] | None = None

    forms: ClassVar[Forms] = {"target": target_of}


class Link(
    place.Makes,
    frozen=True,
    init=False,
    tag="symlink.link",
    past="symlink.linked",
    of=Symlink,
    needs=("target",),
):
    """Make a symbolic link point to a path, at once if it is there already."""


class Remove(
    place.Removes, frozen=True, init=False, tag="symlink.remove", past="symlink.removed", of=Symlink
):
    """Remove a symbolic link; what it points to stays."""


class SymlinkKind(place.OnPath[Symlink]):
    """Symbolic links."""

    name = "symlink"
    resource = Symlink
    commands = (Link, Remove)

    def acts(self, address: Address, change: Change[Any]) -> Instruction:
        """Make the link, or have it point elsewhere."""
        machine, path = place.at(address)
        desired: Any = change.after
        return MakeSymlink(machine=machine, path=path, target=desired.target)

    def read(self, answer: PathStatus, known: Symlink | None) -> Symlink:
        """Return the link that an answer tells of."""
        return Symlink(target=answer.target)


KIND = SymlinkKind()
