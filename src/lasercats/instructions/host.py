"""The vocabulary of a host: files by their paths, and commands to execute.

Every instruction that changes something is one call of a shell function of `PRELUDE`; what
`--interpreter script` prints and what is sent to a host are the same lines.
"""

import shlex
from typing import Any, ClassVar, Literal

import msgspec

from lasercats.core import content as contents
from lasercats.core.instruction import Instruction
from lasercats.core.secret import is_sealed
from lasercats.instructions.prelude import PRELUDE

__all__ = ["PRELUDE", "VOCABULARY"]

PathType = Literal["absent", "file", "directory", "symlink", "other"]


class PathStatus(msgspec.Struct, frozen=True, omit_defaults=True):
    """What a host says of a path."""

    type: PathType
    mode: str | None = None
    """Permission bits in octal, four digits."""
    owner: str | None = None
    """User name, or the number of a user without one."""
    group: str | None = None
    uid: int | None = None
    gid: int | None = None
    size: int | None = None
    """Bytes."""
    modified: int | None = None
    """Seconds since 1970 UTC."""
    target: str | None = None
    """Where a symbolic link points."""
    content: str | None = None
    """The content string, or its sealed token, when it is not the one that was expected."""
    same: bool = False
    """True when the content is the expected one."""
    notes: tuple[str, ...] = ()
    """What an operator should know of how it was done, in a sentence each."""


class ExecResult(msgspec.Struct, frozen=True, omit_defaults=True):
    """How a command ended."""

    status: int
    """Its exit status; 128 + N for signal N."""
    output: str = ""
    """The last part of what it printed, standard output and standard error together."""


class ReadPath(Instruction, frozen=True, tag="host.read"):
    """Look at a path; read a file only when its content is not the expected one."""

    looks: ClassVar[bool] = True
    answer: ClassVar[Any] = PathStatus

    path: str
    whole: bool = False
    """True to bring the content of a file along, where it is not the expected one."""
    expect: str | None = None
    """The digest `sha256:…` of the expected content, or its sealed token."""
    sealed: bool = False
    """True when the content is a secret: it is answered sealed."""

    def line(self) -> str:
        """Return a line that shows the path."""
        return f"stat -- {shlex.quote(self.path)}"

    def predict(self) -> PathStatus:
        """Expect nothing to be there."""
        return PathStatus("absent")


class WriteFile(Instruction, frozen=True, tag="host.write"):
    """Replace a file, whole and at once."""

    answer: ClassVar[Any] = PathStatus

    path: str
    content: str
    """A content string, or the sealed token of one."""
    mode: str | None = None
    owner: str | None = None
    group: str | None = None
    new: bool = False
    """True where none is known to be there: what others put there meanwhile does not say whose it is."""

    def line(self) -> str:
        """Return the call; a sealed content is taken from an environment variable."""
        verb = "lc_create" if self.new else "lc_write"
        if is_sealed(self.content):
            name = secret_variable(self.content)
            hint = f"the secret content of {self.path}"
            return f'{verb} {self._attributes()} "${{{name}:?{hint}}}"'
        return self.filled(contents.decode(self.content))

    def filled(self, data: bytes) -> str:
        """Return the call with the content in it."""
        form, text = contents.shell_form(data)
        verb = "lc_create" if self.new else "lc_write"
        return f"{verb}{'' if form == 'text' else '64'} {self._attributes()} {shlex.quote(text)}"

    def predict(self) -> PathStatus:
        """Expect the file as asked."""
        return PathStatus("file", mode=self.mode, owner=self.owner, group=self.group)

    def _attributes(self) -> str:
        return _words(self.path, self.mode, self.owner, self.group)


class SetAttributes(Instruction, frozen=True, tag="host.attributes"):
    """Change permission bits, owner or group of a file or directory."""

    answer: ClassVar[Any] = PathStatus

    path: str
    type: Literal["file", "directory"]
    mode: str | None = None
    owner: str | None = None
    group: str | None = None

    def line(self) -> str:
        """Return the call."""
        return f"lc_attributes {_words(self.path, self.mode, self.owner, self.group)}"

    def predict(self) -> PathStatus:
        """Expect the attributes as asked."""
        return PathStatus(self.type, mode=self.mode, owner=self.owner, group=self.group)


class MakeDirectory(Instruction, frozen=True, tag="host.mkdir"):
    """Create a directory; its parent must exist."""

    answer: ClassVar[Any] = PathStatus

    path: str
    mode: str | None = None
    owner: str | None = None
    group: str | None = None

    def line(self) -> str:
        """Return the call."""
        return f"lc_mkdir {_words(self.path, self.mode, self.owner, self.group)}"

    def predict(self) -> PathStatus:
        """Expect the directory as asked."""
        return PathStatus("directory", mode=self.mode, owner=self.owner, group=self.group)


class MakeSymlink(Instruction, frozen=True, tag="host.symlink"):
    """Create a symbolic link, or replace one at once."""

    answer: ClassVar[Any] = PathStatus

    path: str
    target: str

    def line(self) -> str:
        """Return the call."""
        return f"lc_symlink {_words(self.path, self.target)}"

    def predict(self) -> PathStatus:
        """Expect the link as asked."""
        return PathStatus("symlink", target=self.target)


class RemovePath(Instruction, frozen=True, tag="host.remove"):
    """Remove a file, a symbolic link or an empty directory."""

    answer: ClassVar[Any] = PathStatus

    path: str
    type: Literal["file", "directory", "symlink"]

    def line(self) -> str:
        """Return the call."""
        return f"{'lc_rmdir' if self.type == 'directory' else 'lc_remove'} {_words(self.path)}"

    def predict(self) -> PathStatus:
        """Expect nothing to be left."""
        return PathStatus("absent")


class Execute(Instruction, frozen=True, tag="host.execute"):
    """Execute a command; its output is streamed."""

    answer: ClassVar[Any] = ExecResult
    alone: ClassVar[bool] = True

    argv: tuple[str, ...]

    def line(self) -> str:
        """Return the command, quoted."""
        return shlex.join(self.argv)

    def predict(self) -> ExecResult:
        """Expect success."""
        return ExecResult(0)


VOCABULARY = (ReadPath, WriteFile, SetAttributes, MakeDirectory, MakeSymlink, RemovePath, Execute)


def secret_variable(token: str) -> str:
    """Return the name of the environment variable that a printed script takes a secret from."""
    return f"LASERCATS_SECRET_{contents.digest(token)[7:15].upper()}"


def _words(*values: str | None) -> str:
    return " ".join(shlex.quote(value or "") for value in values)
