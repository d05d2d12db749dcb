"""`file`: a regular file, its content, permission bits and owner."""

from collections.abc import Iterable, Iterator
from datetime import UTC, datetime
from typing import Annotated, Any, ClassVar, Literal

from msgspec import Meta

from lasercats.core import content as contents
from lasercats.core import secret as secrets
from lasercats.core.address import Address
from lasercats.core.change import Change
from lasercats.core.command import LOADS, Command
from lasercats.core.errors import Refused
from lasercats.core.instruction import Instruction
from lasercats.core.kind import Knowledge
from lasercats.core.loose import Forms
from lasercats.core.resource import COMPUTED, Resource, secret_of
from lasercats.core.secret import Sealed
from lasercats.core.state import State
from lasercats.domains.host import place
from lasercats.domains.host.place import Group, Mode, User
from lasercats.instructions.host import PathStatus, ReadPath, SetAttributes, WriteFile

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
    modified: Annotated[str | None, COMPUTED] = None
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


class Write(place.Makes, frozen=True, init=False, tag="file.write", past="file.written", of=File):
    """Write a file, whole and at once; what is not said of an existing file stays as it is."""

    def decide(self, address: Address, state: State) -> Resource:
        """Return the file with this content."""
        if (self.content is None) == (self.secret is None):
            raise Refused("give either content or secret")
        if self.content is not None and contents.is_digest(self.content):
            raise Refused("the content was too large to be kept and cannot be written again")
        return super().decide(address, state)

    def fresh(self) -> File:
        """Return one that only its owner may read where the content is secret."""
        return File(mode="0600" if self.secret else "0644")


class Chown(place.Chown, frozen=True, init=False, tag="file.chown", past="file.owner_changed", of=File):
    """Change the owner or the group of a file."""


class Chmod(place.Chmod, frozen=True, init=False, tag="file.chmod", past="file.mode_changed", of=File):
    """Change the permission bits of a file."""


class Remove(place.Removes, frozen=True, init=False, tag="file.remove", past="file.removed", of=File):
    """Remove a file."""


class FileKind(place.OnPath[File]):
    """Regular files; their content comes over only where it is not as known."""

    name = "file"
    resource = File
    commands = (Write, Chown, Chmod, Remove)

    def converge(self, address: Address, change: Change[File]) -> Iterable[Command]:
        """Set only attributes where no content is decided."""
        after = change.after
        if change.before is None and after is not None and after.content is None and after.secret is None:
            change = Change(File(), after)
        return super().converge(address, change)

    def acts(self, address: Address, change: Change[Any]) -> Instruction:
        """Write or change the file."""
        machine, path = place.at(address)
        before: Any = change.before
        after: Any = change.after
        if before is not None and not _differs(before, after):
            return SetAttributes(machine=machine, path=path, type="file", **place.changed(change))
        content, where = after.content, ""
        if after.secret is not None:
            content, where = after.secret, secrets.place(address, "secret")
        own = place.attributes(after)
        return WriteFile(machine=machine, path=path, content=content, place=where, **own, new=before is None)

    def looks(self, machine: str, address: Address, knowledge: Knowledge) -> Instruction:
        """Return the look at a file; what is there where a secret is, or is about to be, comes sealed.

        So does what nobody manages, where not everybody may read it: keys, passwords. Where only attributes
        are known, and what is about to be made has no content either, nothing is read; else it would not come
        back.
        """
        known, desired = knowledge[address], knowledge.expected.get(address)
        if isinstance(known, File) and known.content is None and known.secret is None:
            if isinstance(desired, File) and desired.content is not None:
                known = None
        file = next((one for one in (known, desired) if isinstance(one, File)), None)
        brought = any(isinstance(one, File) and one.secret is not None for one in (known, desired))
        if file is not None and file.content is None and not brought:
            return super().looks(machine, address, knowledge)
        seal: Literal["always", "closed"] | None = "always" if brought else "closed"
        if not brought and (known is not None or knowledge.in_clear):
            seal = None
        expect: str | Sealed | None = None if file is None else file.secret
        if file is not None and file.content is not None:
            expect = contents.digest(file.content)
        where, path = secrets.place(address, "secret") if seal else "", place.at(address)[1]
        return ReadPath(machine=machine, path=path, whole=True, expect=expect, seal=seal, place=where)

    def read(self, answer: PathStatus, known: File | None) -> File:
        """Return the file that an answer tells of, where `known` is what was expected."""
        known = known or File()
        content, secret = known.content, known.secret
        if isinstance(answer.content, Sealed):
            content, secret = None, answer.content
        elif answer.content is not None:
            old = secrets.of_text(answer.content) if known.secret else None  # as it was up to format 4
            content, secret = (answer.content, None) if old is None else (None, old)
        return File(
            content=content,
            secret=secret,
            **place.read_attributes(answer, known),
            modified=None if answer.modified is None else time_of(answer.modified),
        )

    def loses(self, resource: File) -> Iterator[str]:
        """Return what does not come back when it is removed and written again: what is not recorded.

        That it had an ACL or attributes is not known before; the host notes it when it removes the file.
        """
        if resource.secret is None and (resource.content is None or contents.is_digest(resource.content)):
            yield "its unrecorded content"

    def buries(self, before: File, after: File | None) -> Iterator[str]:
        """Return what is gone for good when a file is removed or gets another content."""
        if after is None or _differs(before, after):
            yield from self.loses(before)


def _differs(one: File, other: File) -> bool:
    """Tell whether the contents of two files differ."""
    return (one.content, one.secret) != (other.content, other.secret)


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


KIND = FileKind()
