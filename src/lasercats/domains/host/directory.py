"""`directory`: a directory, its permission bits and owner."""

from collections.abc import Iterator, Mapping
from typing import Any, ClassVar

from msgspec.structs import replace

from lasercats.core.address import Address
from lasercats.core.change import Change
from lasercats.core.command import Command
from lasercats.core.errors import Refused
from lasercats.core.kind import Found, Kind
from lasercats.core.loose import Forms
from lasercats.core.program import Known, Program, Step
from lasercats.core.resource import Resource
from lasercats.core.state import State
from lasercats.domains.host import place
from lasercats.domains.host.place import Group, Mode, User
from lasercats.instructions.host import MakeDirectory, PathStatus, RemovePath, SetAttributes


class Directory(Resource, frozen=True):
    """A directory on a host."""

    mode: Mode | None = None
    owner: User | None = None
    group: Group | None = None

    forms: ClassVar[Forms] = place.FORMS


class Create(Command, frozen=True, tag="directory.create"):
    """Create a directory, or give an existing one these attributes."""

    past: ClassVar[str] = "directory.created"

    mode: Mode | None = None
    owner: User | None = None
    group: Group | None = None

    forms: ClassVar[Forms] = place.FORMS

    def decide(self, address: Address, state: State) -> Directory:
        """Return the directory with these attributes."""
        place.check(address, state)
        directory = state.get(address)
        if not isinstance(directory, Directory):
            directory = Directory(mode="0755")
        return replace(
            directory,
            mode=self.mode or directory.mode,
            owner=self.owner or directory.owner,
            group=self.group or directory.group,
        )


class Chmod(place.Chmod, frozen=True, tag="directory.chmod"):
    """Change the permission bits of a directory."""

    past: ClassVar[str] = "directory.mode_changed"


class Chown(place.Chown, frozen=True, tag="directory.chown"):
    """Change the owner or the group of a directory."""

    past: ClassVar[str] = "directory.owner_changed"


class Remove(place.Remove, frozen=True, tag="directory.remove"):
    """Remove an empty directory."""

    past: ClassVar[str] = "directory.removed"

    def decide(self, address: Address, state: State) -> None:
        """Leave nothing, where nothing is inside."""
        place.Remove.decide(self, address, state)
        inside = next(place.below(address, state), None)
        if inside is not None:
            raise Refused(f"it is not empty: {inside} is in it; remove that first")


def act(address: Address, change: Change[Any], _known: Known) -> Step:
    """Make, change or remove the directory."""
    machine, path = place.at(address)
    before, after = change.before, change.after
    if after is None:
        return Step(RemovePath(machine=machine, path=path, type="directory"), lambda _: None)
    if before is None:
        new = {name: getattr(after, name) for name in ("mode", "owner", "group")}
        instruction: Any = MakeDirectory(machine=machine, path=path, **new)
    else:
        changed = place.attributes(before, after)
        instruction = SetAttributes(machine=machine, path=path, type="directory", **changed)
    return Step(instruction, lambda status: resource(status, after))


def converge(address: Address, change: Change[Directory]) -> Iterator[Command]:
    """Create or remove it; else change what differs."""
    on, before, after = (address,), change.before, change.after
    if after is None:
        yield Remove(on=on)
        return
    if before is None:
        yield Create(on=on, mode=after.mode, owner=after.owner, group=after.group)
        return
    yield from place.converge_attributes(address, before, after, Chown, Chmod)


def observe(machine: str, known: Mapping[Address, Directory | None]) -> Program[Found]:
    """Look at directories, not into them."""
    return (yield from place.look(machine, known, place.Reading(place.read_plain, resource)))


def resource(status: PathStatus, known: Directory | None) -> Directory:
    """Return the directory that a status tells of."""
    known = known or Directory()
    return Directory(
        mode=status.mode or known.mode,
        owner=place.owner_of(status, known.owner) or known.owner,
        group=place.group_of(status, known.group) or known.group,
    )


KIND = Kind(
    name="directory",
    resource=Directory,
    commands=(Create, Chmod, Chown, Remove),
    converge=converge,
    act=act,
    observe=observe,
    canonical=place.canonical,
    needs=place.needs,
    rivals=place.rivals,
)
