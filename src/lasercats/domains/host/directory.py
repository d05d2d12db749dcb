"""`directory`: a directory, its permission bits and owner."""

from collections.abc import Mapping
from typing import Any, ClassVar

from lasercats.core.address import Address
from lasercats.core.change import Change
from lasercats.core.errors import Refused
from lasercats.core.instruction import Instruction
from lasercats.core.loose import Forms
from lasercats.core.resource import Resource
from lasercats.core.state import State
from lasercats.domains.host import place
from lasercats.domains.host.place import Group, Mode, User
from lasercats.instructions.host import MakeDirectory, PathStatus, SetAttributes


class Directory(Resource, frozen=True):
    """A directory on a host."""

    mode: Mode | None = None
    owner: User | None = None
    group: Group | None = None

    forms: ClassVar[Forms] = place.FORMS


class Create(
    place.Makes, frozen=True, init=False, tag="directory.create", past="directory.created", of=Directory
):
    """Create a directory, or give an existing one these attributes."""

    new: ClassVar[Mapping[str, Any]] = {"mode": "0755"}


class Chown(
    place.Chown, frozen=True, init=False, tag="directory.chown", past="directory.owner_changed", of=Directory
):
    """Change the owner or the group of a directory."""


class Chmod(
    place.Chmod, frozen=True, init=False, tag="directory.chmod", past="directory.mode_changed", of=Directory
):
    """Change the permission bits of a directory."""


class Remove(
    place.Removes, frozen=True, init=False, tag="directory.remove", past="directory.removed", of=Directory
):
    """Remove an empty directory."""

    def decide(self, address: Address, state: State) -> None:
        """Leave nothing, where nothing is inside."""
        super().decide(address, state)
        inside = next(place.below(address, state), None)
        if inside is not None:
            raise Refused(f"it is not empty: {inside} is in it; remove that first")


class DirectoryKind(place.OnPath[Directory]):
    """Directories; they are looked at, not into."""

    name = "directory"
    resource = Directory
    commands = (Create, Chown, Chmod, Remove)

    def acts(self, address: Address, change: Change[Any]) -> Instruction:
        """Make or change the directory."""
        machine, path = place.at(address)
        if change.before is not None:
            changed = place.changed(change)
            return SetAttributes(machine=machine, path=path, type="directory", **changed)
        return MakeDirectory(machine=machine, path=path, **place.attributes(change.after))

    def read(self, answer: PathStatus, known: Directory | None) -> Directory:
        """Return the directory that an answer tells of."""
        return Directory(**place.read_attributes(answer, known or Directory()))


KIND = DirectoryKind()
