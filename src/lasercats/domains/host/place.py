"""Places on a host: what is true of every kind that lives at a path.

One path holds a file, a directory or a symbolic link, never two of them. What lies below a directory that
we manage must lie in directories that we manage; what lies elsewhere is taken to have its directory.
"""

import re
from collections.abc import Iterator, Mapping
from functools import lru_cache
from posixpath import dirname, normpath
from typing import Annotated, Any, ClassVar, NamedTuple, TypeVar, cast

import msgspec

from lasercats.core import setting
from lasercats.core.address import Address, kind_of, machine_of, make, rest_of
from lasercats.core.change import Change
from lasercats.core.errors import BadInput, Refused
from lasercats.core.instruction import Instruction
from lasercats.core.kind import Knowledge
from lasercats.core.loose import Forms
from lasercats.core.program import Known, Step
from lasercats.core.resource import Resource
from lasercats.core.state import State
from lasercats.core.text import one_form, unescape
from lasercats.domains.host.family import OnHost
from lasercats.instructions.host import PathStatus, PathType, ReadPath, RemovePath

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


class HostPath(NamedTuple):
    """A path of a host, and the addresses around it."""

    machine: str
    path: str
    rivals: tuple[Address, ...]
    """The same path under the other kinds."""
    needs: tuple[Address, ...]
    """The directories that it lies in, the nearest first."""
    blocked: tuple[Address, ...]
    """What would be in the place of one of these directories."""


@lru_cache(maxsize=250_000)  # of a plan that goes over more in turn, none would be found again
def place(address: Address) -> HostPath:
    """Return the place of an address."""
    machine, path = machine_of(address) or "", rest_of(address)
    kind, folder = kind_of(address), dirname(path)
    rivals = tuple(make(other, f"{machine}:{path}") for other in KINDS if other != kind)
    return HostPath(machine, path, rivals, *_above(machine, "" if folder == path else folder))


@lru_cache(maxsize=100_000)
def _above(machine: str, folder: str) -> tuple[tuple[Address, ...], tuple[Address, ...]]:
    """Return what a path in a folder needs, and what it is blocked by; so that is one for all paths there."""
    above = [f"{machine}:{parent}" for parent in _parents(folder)]
    needs = tuple(make("directory", parent) for parent in above)
    return needs, tuple(make(kind, parent) for parent in above for kind in ("file", "symlink"))


def at(address: Address) -> tuple[str, str]:
    """Return the machine and the path of an address."""
    return place(address)[:2]


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


class Makes(setting.Makes, frozen=True, init=False):
    """Makes what is at a path, or gives what is there these fields."""

    def admit(self, address: Address, after: Resource, state: State) -> None:
        """Check that something of this kind can be at its place."""
        check(address, state)


class _Sets(setting.Sets, frozen=True, init=False):
    whole: ClassVar[bool] = False

    def found(self, address: Address, state: State) -> Resource:
        """Return what is there."""
        there: Resource = existing(address, state)
        return there


class Chmod(_Sets, frozen=True, init=False, takes=("mode",), needs=("mode",)):
    """Changes permission bits."""


class Chown(_Sets, frozen=True, init=False, takes=("owner", "group")):
    """Changes the owner or the group."""

    def decide(self, address: Address, state: State) -> Resource:
        """Return the resource with this owner."""
        if self.owner is None and self.group is None:
            raise Refused("give an owner, a group or both")
        return super().decide(address, state)


class Removes(setting.Removes, frozen=True, init=False):
    """Removes what is at a path, if it is of this kind."""

    def decide(self, address: Address, state: State) -> None:
        """Leave nothing."""
        _check_kind(address, state)


def _check_kind(address: Address, state: State) -> None:
    for rival in place(address).rivals:
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


def owner_of(status: PathStatus, known: str | None) -> str | None:
    """Return the owner in the form in which it is known: by number or by name."""
    return known if known and known == str(status.uid) else status.owner


def group_of(status: PathStatus, known: str | None) -> str | None:
    """Return the group in the form in which it is known: by number or by name."""
    return known if known and known == str(status.gid) else status.group


class Stranger(Resource, frozen=True):
    """Something of another kind that was met in passing."""


def attributes(resource: Any) -> dict[str, Any]:  # noqa: ANN401 - files and directories alike
    """Return permission bits, owner and group."""
    return {name: getattr(resource, name) for name in FORMS}


def changed(change: Change[Any]) -> dict[str, Any]:
    """Return the attributes that a change sets: those that differ, and the bits that a chown would clear."""
    before, after = attributes(change.before), attributes(change.after)
    new = {name: value for name, value in after.items() if value != before[name]}
    if new.keys() & {"owner", "group"} and (after["mode"] or "0")[0] != "0":
        new["mode"] = after["mode"]  # chown(2) takes the setuid and setgid bits away
    return new


def read_attributes(status: PathStatus, known: Any) -> dict[str, Any]:  # noqa: ANN401 - as above
    """Return the attributes that a status tells of, names and numbers as they are known."""
    return {
        "mode": status.mode or known.mode,
        "owner": owner_of(status, known.owner) or known.owner,
        "group": group_of(status, known.group) or known.group,
    }


class OnPath(OnHost[R]):
    """The family of what lives at a path of a host: a file, a directory or a link."""

    def canonical(self, name: str) -> str:
        """Return `MACHINE:/PATH` with the path normalised."""
        return canonical(name)

    def needs(self, address: Address, resource: R | None) -> tuple[Address, ...]:
        """Return the addresses of the directories that the path lies in, the nearest first."""
        return place(address).needs

    def rivals(self, address: Address) -> tuple[Address, ...]:
        """Return the addresses of the same path under the other kinds."""
        return place(address).rivals

    def looks(self, machine: str, address: Address, knowledge: Knowledge) -> Instruction:
        """Return the look at a path, not into it."""
        return ReadPath(machine=machine, path=rest_of(address))

    def act(self, address: Address, change: Change[R], known: Known) -> Step:
        """Make, change or remove what is at the path."""
        if change.after is None:
            machine, path = at(address)
            gone = RemovePath(machine=machine, path=path, type=cast("Any", self.name))
            return Step(gone, lambda _: None)
        return super().act(address, change, known)

    def finds(self, address: Address, answer: Any, known: R | None) -> Mapping[Address, Resource | None]:  # noqa: ANN401
        """Return what is at a path, under whichever kind it is.

        Raises:
            Refused: it is of none that we have.

        """
        if answer.type == kind_of(address):
            return super().finds(address, answer, known)
        machine, path = at(address)
        if answer.type == "other":
            raise Refused(f"{machine}:{path} is a device, socket or pipe")
        met = {make(answer.type, f"{machine}:{path}"): Stranger()} if answer.type in KINDS else {}
        return {address: None, **met}


def below(address: Address, state: State) -> Iterator[Address]:
    """Iterate over the managed addresses that lie below a directory."""
    machine, path = at(address)
    inside = re.compile(rf"({'|'.join(KINDS)})/{re.escape(f'{machine}:{path}/')}")
    return (other for other, _ in state.items() if inside.match(other))


def _parents(folder: str) -> Iterator[str]:
    """Iterate over a folder and those above it; what is no path has nothing above it."""
    while folder not in ("", "/"):
        yield folder
        parent = dirname(folder)
        folder = "" if parent == folder else parent


def _has_directory(address: Address, state: State) -> bool:
    if state.get(address) is not None:
        return True
    managed = (state.get(above) for above in place(address).needs)
    return not state.known_absent(address) and not any(managed)
