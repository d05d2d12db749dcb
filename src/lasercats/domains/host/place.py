"""Places on a host: what is true of every kind that lives at a path.

One path holds a file, a directory or a symbolic link, never two of them. What lies below a directory that
we manage must lie in directories that we manage; what lies elsewhere is taken to have its directory.
"""

import re
from collections.abc import Iterator, Mapping
from functools import lru_cache
from posixpath import dirname, normpath
from typing import Annotated, Any, ClassVar, Generic, NamedTuple, TypeVar

import msgspec
from msgspec.structs import replace

from lasercats.core.address import Address, kind_of, machine_of, make, rest_of
from lasercats.core.command import Command
from lasercats.core.errors import BadInput, Refused
from lasercats.core.kind import Found, Knowledge
from lasercats.core.loose import Forms
from lasercats.core.program import Program
from lasercats.core.resource import Resource
from lasercats.core.state import State
from lasercats.core.text import one_form, unescape
from lasercats.instructions.host import PathStatus, PathType, ReadPath

KINDS: tuple[PathType, ...] = ("file", "directory", "symlink")

Mode = Annotated[
    str, msgspec.Meta(pattern="^[0-7]{1,4}$", description="permission bits in octal, such as 0644")
]
User = Annotated[str, msgspec.Meta(min_length=1, description="user name or number")]
Group = Annotated[str, msgspec.Meta(min_length=1, description="group name or number")]

R = TypeVar("R", bound=Resource)


def canonical(name: str) -> str:
    """Return `MACHINE:/PATH` with the path normalised.

    Raises:
        BadInput: no machine, or a path that is relative, climbs, or is the root itself.

    """
    machine, colon, path = name.partition(":")
    if not colon or not path.startswith("/"):
        raise BadInput(f"{name!r} is no path on a machine; write MACHINE:/PATH, as in web1:/etc/motd")
    if ".." in path.split("/"):
        raise BadInput(f"path {path!r} climbs with '..'; write the path that is meant")
    if b"\0" in unescape(path):
        raise BadInput(f"path {path!r} holds NUL, which no path can")
    path = "/" + normpath(one_form(path)).lstrip("/")
    if path == "/":
        raise BadInput(f"{name!r} is the root directory, which cannot be managed")
    return f"{machine}:{path}"


def mode_of(mode: str | None) -> str | None:
    """Return permission bits as four octal digits."""
    return None if mode is None else mode.zfill(4)


def name_of(name: str) -> str:
    """Return the one form of the name of a user or group: any bytes that a host can hold in one.

    Raises:
        ValueError: no host can.

    """
    data = unescape(name)
    if not data or any(byte in data for byte in b":\0\n"):
        raise ValueError(f"{name!r} can be no user or group: it is empty, or holds ':', NUL or a line break")
    return one_form(name)


FORMS: Forms = {"mode": mode_of, "owner": name_of, "group": name_of}
"""Of permission bits, owner and group."""


class Place(NamedTuple):
    """A path of a host, and the addresses around it."""

    machine: str
    path: str
    rivals: tuple[Address, ...]
    """The same path under the other kinds."""
    needs: tuple[Address, ...]
    """The directories that it lies in, the nearest first."""
    blocked: tuple[Address, ...]
    """What would be in the place of one of these directories."""


@lru_cache(maxsize=100_000)
def place(address: Address) -> Place:
    """Return the place of an address."""
    machine, path = machine_of(address) or "", rest_of(address)
    above = list(_above(path))
    return Place(
        machine,
        path,
        tuple(make(kind, f"{machine}:{path}") for kind in KINDS if kind != kind_of(address)),
        tuple(make("directory", f"{machine}:{parent}") for parent in above),
        tuple(make(kind, f"{machine}:{parent}") for parent in above for kind in ("file", "symlink")),
    )


def at(address: Address) -> tuple[str, str]:
    """Return the machine and the path of an address."""
    return place(address)[:2]


def rivals(address: Address) -> tuple[Address, ...]:
    """Return the addresses of the same path under the other kinds."""
    return place(address).rivals


def needs(address: Address, _resource: object = None) -> tuple[Address, ...]:
    """Return the addresses of the directories that the path lies in, the nearest first."""
    return place(address).needs


def check(address: Address, state: State) -> None:
    """Check that something of this kind can be at its place.

    Raises:
        Refused: another kind is there, or the directory it would lie in is not.

    """
    here = place(address)
    for rival in here.rivals:
        if state.get(rival) is not None:
            raise Refused(f"{here.machine}:{here.path} is a {kind_of(rival)}; remove it first")
    for other in here.blocked:
        if state.get(other) is not None:
            where = f"{here.machine}:{rest_of(other)}"
            raise Refused(f"{where} is a {kind_of(other)}, so nothing can be put below it")
    for parent in here.needs[:1]:
        if not _has_directory(parent, state):
            raise Refused(
                f"directory {here.machine}:{rest_of(parent)} does not exist; "
                f"create it with `lasercats directory create {here.machine}:{rest_of(parent)}`"
            )


class Chmod(Command, frozen=True):
    """Change permission bits."""

    whole: ClassVar[bool] = False

    mode: Mode

    forms: ClassVar[Forms] = {"mode": mode_of}

    def decide(self, address: Address, state: State) -> Resource:
        """Return the resource with these bits."""
        changed: Resource = replace(existing(address, state), mode=self.mode)
        return changed


class Chown(Command, frozen=True):
    """Change the owner or the group."""

    whole: ClassVar[bool] = False

    owner: User | None = None
    group: Group | None = None

    forms: ClassVar[Forms] = {"owner": name_of, "group": name_of}

    def decide(self, address: Address, state: State) -> Resource:
        """Return the resource with this owner."""
        if self.owner is None and self.group is None:
            raise Refused("give an owner, a group or both")
        found = existing(address, state)
        owner, group = self.owner or found.owner, self.group or found.group
        changed: Resource = replace(found, owner=owner, group=group)
        return changed


class Remove(Command, frozen=True):
    """Remove what is at a path, if it is of this kind."""

    def decide(self, address: Address, state: State) -> None:
        """Leave nothing."""
        _check_kind(address, state)


def _check_kind(address: Address, state: State) -> None:
    for rival in rivals(address):
        if state.get(rival) is not None:
            raise Refused(f"{at(address)[1]} is no {kind_of(address)} but a {kind_of(rival)}")


def existing(address: Address, state: State) -> Any:  # noqa: ANN401 - of the kind of the address
    """Return the resource that a command needs to be there.

    Raises:
        Refused: it is not there, or of another kind.

    """
    found = state.get(address)
    if found is None:
        _check_kind(address, state)
        maker = {"file": "file write", "directory": "directory create"}[kind_of(address)]
        raise Refused(f"it does not exist; make it with `lasercats {maker}`")
    return found


def attributes(before: Any, after: Any) -> dict[str, Any]:  # noqa: ANN401 - files and directories alike
    """Return the attributes that a change sets: those that differ, and the bits that a chown would clear."""
    new = {name: getattr(after, name) for name in ("mode", "owner", "group")}
    changed = {name: value for name, value in new.items() if value != getattr(before, name)}
    if changed.keys() & {"owner", "group"} and (after.mode or "0")[0] != "0":
        changed["mode"] = after.mode  # chown(2) takes the setuid and setgid bits away
    return changed


def converge_attributes(
    address: Address,
    before: Any,  # noqa: ANN401 - files and directories alike
    after: Any,  # noqa: ANN401
    chown: type[Chown],
    chmod: type[Chmod],
) -> Iterator[Command]:
    """Give the commands that change owner, group and permission bits, where they differ."""
    owner = after.owner if after.owner != before.owner else None
    group = after.group if after.group != before.group else None
    if owner or group:
        yield chown(on=(address,), owner=owner, group=group)
    if after.mode and after.mode != before.mode:
        yield chmod(on=(address,), mode=after.mode)


def look(machine: str, known: Mapping[Address, R | None], read: "Reading[R]") -> Program[Found]:
    """Look at paths: for each, what is there, under whichever kind it is."""
    addresses = list(known)
    if not addresses:
        return {}
    told = known if isinstance(known, Knowledge) else Knowledge(known)
    wished = told.expected
    instructions = tuple(read.instruction(machine, rest_of(a), told, a) for a in addresses)
    found: dict[Address, Resource | None] = {}
    for address, status in zip(addresses, (yield instructions), strict=True):
        found[address] = None
        if status.type == kind_of(address):
            found[address] = read.resource(status, known[address] or wished.get(address))
        elif status.type in KINDS:
            found[make(status.type, f"{machine}:{rest_of(address)}")] = Stranger()
        elif status.type == "other":
            raise Refused(f"{machine}:{rest_of(address)} is a device, socket or pipe")
    return found


class Reading(msgspec.Struct, Generic[R], frozen=True):
    """How a kind asks for a path and understands the answer."""

    instruction: Any
    resource: Any


class Stranger(Resource, frozen=True):
    """Something of another kind that was met in passing."""


def read_plain(machine: str, path: str, *_: object) -> ReadPath:
    """Look at a path, not into it."""
    return ReadPath(machine=machine, path=path)


def owner_of(status: PathStatus, known: str | None) -> str | None:
    """Return the owner in the form in which it is known: by number or by name."""
    return known if known and known == str(status.uid) else status.owner


def group_of(status: PathStatus, known: str | None) -> str | None:
    """Return the group in the form in which it is known: by number or by name."""
    return known if known and known == str(status.gid) else status.group


def below(address: Address, state: State) -> Iterator[Address]:
    """Iterate over the managed addresses that lie below a directory."""
    machine, path = at(address)
    inside = re.compile(rf"({'|'.join(KINDS)})/{re.escape(f'{machine}:{path}/')}")
    return (other for other, _ in state.items() if inside.match(other))


def _above(path: str) -> Iterator[str]:
    while (parent := dirname(path)) not in ("", "/", path):  # what is no path has nothing above it
        yield (path := parent)


def _has_directory(address: Address, state: State) -> bool:
    if state.get(address) is not None:
        return True
    managed = (state.get(above) for above in place(address).needs)
    return not state.known_absent(address) and not any(managed)
