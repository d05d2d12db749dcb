"""`file`: a regular file, its content, permission bits and owner."""

from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from typing import Annotated, Any, ClassVar, Literal

from msgspec import Meta
from msgspec.structs import replace

from lasercats.core import content as contents
from lasercats.core import secret as secrets
from lasercats.core.address import Address
from lasercats.core.change import Change
from lasercats.core.command import LOADS, Command
from lasercats.core.errors import Refused
from lasercats.core.kind import Found, Kind, Knowledge
from lasercats.core.loose import Forms
from lasercats.core.program import Known, Program, Step
from lasercats.core.resource import GIVEN, Resource, secret_of
from lasercats.core.secret import Sealed
from lasercats.core.state import State
from lasercats.domains.host import place
from lasercats.domains.host.place import Group, Mode, User
from lasercats.instructions.host import PathStatus, ReadPath, RemovePath, SetAttributes, WriteFile

CYCLE = 146_097 * 86_400
"""Seconds in 400 years of the Gregorian calendar."""

Content = Annotated[str, Meta(extra=LOADS, description="the content, as text")]
SecretContent = Annotated[Sealed, secret_of("content"), Meta(description="the content, kept sealed")]


class File(Resource, frozen=True):
    """A regular file on a host."""

    content: Content | None = None
    secret: SecretContent | None = None
    mode: Mode | None = None
    owner: User | None = None
    group: Group | None = None
    modified: Annotated[str | None, GIVEN] = None
    """When the content last changed, RFC 3339; years beyond 9999 are signed."""

    forms: ClassVar[Forms] = {"content": contents.canonical, **place.FORMS}

    def check(self) -> None:
        """Refuse a content beside a secret one.

        Raises:
            ValueError: both are given.

        """
        super().check()
        if self.content is not None and self.secret is not None:
            raise ValueError("give either content or secret, not both")


class Write(Command, frozen=True, tag="file.write"):
    """Write a file, whole and at once; what is not said of an existing file stays as it is."""

    past: ClassVar[str] = "file.written"
    forms: ClassVar[Forms] = {"content": contents.canonical, **place.FORMS}

    content: Content | None = None
    secret: SecretContent | None = None
    mode: Mode | None = None
    owner: User | None = None
    group: Group | None = None

    def decide(self, address: Address, state: State) -> File:
        """Return the file with this content."""
        if (self.content is None) == (self.secret is None):
            raise Refused("give either content or secret")
        if self.content is not None and contents.is_digest(self.content):
            raise Refused("the content was too large to be kept and cannot be written again")
        place.check(address, state)
        file = state.get(address)
        if not isinstance(file, File):
            file = File(mode="0600" if self.secret else "0644")
        return replace(
            file,
            content=self.content,
            secret=self.secret,
            mode=self.mode or file.mode,
            owner=self.owner or file.owner,
            group=self.group or file.group,
        )


class Chmod(place.Chmod, frozen=True, tag="file.chmod"):
    """Change the permission bits of a file."""

    past: ClassVar[str] = "file.mode_changed"


class Chown(place.Chown, frozen=True, tag="file.chown"):
    """Change the owner or the group of a file."""

    past: ClassVar[str] = "file.owner_changed"


class Remove(place.Remove, frozen=True, tag="file.remove"):
    """Remove a file."""

    past: ClassVar[str] = "file.removed"


def act(address: Address, change: Change[Any], _known: Known) -> Step:
    """Write, change or remove the file."""
    machine, path = place.at(address)
    before, after = change.before, change.after
    if after is None:
        return Step(RemovePath(machine=machine, path=path, type="file"), lambda _: None)
    if before is not None and (before.content, before.secret) == (after.content, after.secret):
        changed = place.attributes(before, after)
        instruction: Any = SetAttributes(machine=machine, path=path, type="file", **changed)
    else:
        new = {name: getattr(after, name) for name in ("mode", "owner", "group")}
        content, where = after.content, ""
        if after.secret is not None:
            content, where = after.secret, secrets.place(address, "secret")
        instruction = WriteFile(
            machine=machine, path=path, content=content, place=where, **new, new=before is None
        )
    return Step(instruction, lambda status: resource(status, after))


def converge(address: Address, change: Change[File]) -> Iterator[Command]:
    """Write where the content differs; else change only what differs."""
    on, before, after = (address,), change.before, change.after
    if after is None:
        yield Remove(on=on)
    elif after.content is None and after.secret is None:
        yield from place.converge_attributes(address, before or File(), after, Chown, Chmod)
    elif before is None or (before.content, before.secret) != (after.content, after.secret):
        yield Write(
            on=on,
            content=after.content,
            secret=after.secret,
            mode=after.mode,
            owner=after.owner,
            group=after.group,
        )
    else:
        yield from place.converge_attributes(address, before, after, Chown, Chmod)


def observe(machine: str, known: Mapping[Address, File | None]) -> Program[Found]:
    """Look at files; their content comes over only where it is not as known."""
    return (yield from place.look(machine, known, place.Reading(_read, resource)))


def _read(machine: str, path: str, told: Knowledge, address: Address) -> ReadPath:
    """Return the look at a file; what is there where a secret is, or is about to be, comes sealed.

    So does what nobody manages, where not everybody may read it: keys, passwords. Where only attributes are
    known, and what is about to be made has no content either, nothing is read; else it would not come back.
    """
    known, wish = told[address], told.expected.get(address)
    if isinstance(known, File) and known.content is None and known.secret is None:
        if isinstance(wish, File) and wish.content is not None:
            known = None
    file = next((one for one in (known, wish) if isinstance(one, File)), None)
    brought = any(isinstance(one, File) and one.secret is not None for one in (known, wish))
    if file is not None and file.content is None and not brought:
        return ReadPath(machine=machine, path=path)
    seal: Literal["always", "closed"] | None = "always" if brought else "closed"
    if not brought and (known is not None or told.in_clear):
        seal = None
    expect: str | Sealed | None = None if file is None else file.secret
    if file is not None and file.content is not None:
        expect = contents.digest(file.content)
    where = secrets.place(address, "secret") if seal else ""
    return ReadPath(machine=machine, path=path, whole=True, expect=expect, seal=seal, place=where)


def resource(status: PathStatus, known: File | None) -> File:
    """Return the file that a status tells of, where `known` is what was expected."""
    known = known or File()
    content, secret = known.content, known.secret
    if isinstance(status.content, Sealed):
        content, secret = None, status.content
    elif status.content is not None:
        old = secrets.of_text(status.content) if known.secret else None  # as it was up to format 4
        content, secret = (status.content, None) if old is None else (None, old)
    return File(
        content=content,
        secret=secret,
        mode=status.mode or known.mode,
        owner=place.owner_of(status, known.owner) or known.owner,
        group=place.group_of(status, known.group) or known.group,
        modified=None if status.modified is None else time_of(status.modified),
    )


def time_of(seconds: int) -> str:
    """Return a time of 1970 UTC and some seconds as RFC 3339; with a signed year where it has no four digits.

    A file system may hold any; years of five digits and more, and those before the year 0, are written as
    ISO 8601 writes them. The calendar repeats itself every 400 years.
    """
    cycles, rest = divmod(seconds, CYCLE)
    when = datetime.fromtimestamp(rest, UTC)
    year = when.year + 400 * cycles
    shown = f"{year:04d}" if 0 <= year <= 9999 else f"{year:+05d}"  # noqa: PLR2004 - RFC 3339 has four digits
    return f"{shown}{when:-%m-%dT%H:%M:%SZ}"


def loses(file: File) -> Iterator[str]:
    """Return what does not come back when it is removed and written again: what is not recorded.

    That it had an ACL or attributes is not known before; the host notes it when it removes the file.
    """
    if file.secret is None and (file.content is None or contents.is_digest(file.content)):
        yield "its unrecorded content"


def buries(before: File, after: File | None) -> Iterator[str]:
    """Return what is gone for good when a file is removed or gets another content."""
    if after is None or (before.content, before.secret) != (after.content, after.secret):
        yield from loses(before)


KIND = Kind(
    name="file",
    resource=File,
    commands=(Write, Chmod, Chown, Remove),
    converge=converge,
    act=act,
    observe=observe,
    canonical=place.canonical,
    needs=place.needs,
    rivals=place.rivals,
    loses=loses,
    buries=buries,
)
