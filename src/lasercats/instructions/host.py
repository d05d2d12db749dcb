"""The vocabulary of a host: files by their paths, and commands to execute.

Every instruction that changes something is one call of a shell function that its class brings along; what
`--interpreter script` prints and what is sent to a host are the same lines. Nothing here is known to what
sends it: an instruction of any package that derives from `Act` or `Look` (`lasercats.instructions.shell`)
runs in the same batch.
"""

import re
from collections.abc import Iterator, Sequence
from posixpath import dirname
from typing import Any, ClassVar, Literal

import msgspec

from lasercats.core import content as contents
from lasercats.core.instruction import Failure, Instruction
from lasercats.core.ports import Vault
from lasercats.core.secret import Sealed
from lasercats.core.text import unescape
from lasercats.instructions.look import LOOK
from lasercats.instructions.path import Answers, Question, ask, noted
from lasercats.instructions.path import PathStatus as PathStatus  # noqa: PLC0414 - part of this vocabulary
from lasercats.instructions.path import PathType as PathType  # noqa: PLC0414 - as above
from lasercats.instructions.prelude import PRELUDE as PRELUDE  # noqa: PLC0414 - as above
from lasercats.instructions.shell import Act, Look, Records, printable, printable_command


class ExecResult(msgspec.Struct, frozen=True, omit_defaults=True):
    """How a command ended."""

    status: int
    """Its exit status; 128 + N for signal N."""
    output: str = ""
    """The last part of what it printed, standard output and standard error together."""


class ReadPath(Look, frozen=True, tag="host.read"):
    """Look at a path; read a file only when its content is not the expected one."""

    shell: ClassVar[tuple[str, ...]] = (LOOK,)
    answer: ClassVar[Any] = PathStatus

    path: str
    whole: bool = False
    """True to bring the content of a file along, where it is not the expected one."""
    expect: str | Sealed | None = None
    """The digest `sha256:…` of the expected content, or that content sealed."""
    seal: Literal["closed", "always"] | None = None
    """When its content is answered sealed, if ever: `closed` is where not everybody there may read it."""
    place: str = ""
    """What it is, or would be, sealed for."""

    def line(self) -> str:
        """Return a line that shows the path."""
        return f"stat -- {printable(unescape(self.path))}"

    def predict(self) -> PathStatus:
        """Expect nothing to be there."""
        return PathStatus("absent")

    def question(self, vault: Vault) -> Question:
        """Return what a shell is asked."""
        if not self.whole:
            return Question(unescape(self.path))
        if self.expect is None:
            return Question(unescape(self.path), "-")
        digest = self.expect
        if isinstance(digest, Sealed):
            digest = contents.digest_of(vault.open(digest, self.place))
        return Question(unescape(self.path), digest.removeprefix("sha256:") or "-")

    @classmethod
    def ask(cls, looks: Sequence[Any], vault: Vault, mark: bytes) -> Iterator[bytes]:
        """Return the lines of a script that ask for all the paths."""
        return ask([look.question(vault) for look in looks], mark)

    @classmethod
    def read(cls, looks: Sequence[Any], records: Records, vault: Vault, mark: bytes) -> Iterator[Any]:
        """Return what is at each path."""
        answers = Answers(records, mark)
        for look in looks:
            status = answers.status(look.question(vault))
            yield look.sealed(status, vault) if isinstance(status, PathStatus) else status

    def sealed(self, status: PathStatus, vault: Vault) -> PathStatus:
        """Return what is at the path, with its content sealed where that is wanted."""
        content = status.content
        wanted = self.seal == "always" or (self.seal == "closed" and _is_closed(status))
        if not wanted or not isinstance(content, str) or contents.is_digest(content):
            return status
        return msgspec.structs.replace(status, content=vault.seal(contents.decode(content), [self.place]))


class PathAct(Act, frozen=True):
    """Something that is done to a path; a look at it tells what it did."""

    shell: ClassVar[tuple[str, ...]] = PRELUDE
    apart: ClassVar[bool] = False
    answer: ClassVar[Any] = PathStatus

    path: str

    def after(self) -> ReadPath:
        """Return the look at the path."""
        return ReadPath(machine=self.machine, path=self.path)

    def folders(self) -> tuple[bytes, ...]:
        """Return the folder that it works in."""
        return (dirname(unescape(self.path)),)

    def settled(self, answer: Any, said: bytes, vault: Vault) -> Any:  # noqa: ANN401
        """Return what is at the path, with what was noted of how it was done."""
        notes = noted(said, unescape(self.path))
        return (
            msgspec.structs.replace(answer, notes=notes)
            if notes and isinstance(answer, PathStatus)
            else answer
        )


class WriteFile(PathAct, frozen=True, tag="host.write"):
    """Replace a file, whole and at once."""

    content: str | Sealed
    """A content string, or the bytes of the content, sealed."""
    place: str = ""
    """What it is sealed for, if it is: it is opened for nothing else."""
    mode: str | None = None
    owner: str | None = None
    group: str | None = None
    new: bool = False
    """True where none is known to be there: what others put there meanwhile does not say whose it is."""

    def line(self) -> str:
        """Return the call; a sealed content is taken from an environment variable."""
        if isinstance(self.content, str):
            return super().line()
        plain = re.fullmatch(r"[A-Za-z0-9@%+=:,./_-]+", self.path)
        hint = f"the secret content of {self.path if plain else 'a file'}"
        words = " ".join(map(printable, (self._function("text"), *self._attributes())))
        return f'{words} "${{{secret_variable(self.content)}:?{hint}}}"'

    def words(self, vault: Vault | None) -> tuple[bytes, ...]:
        """Return the call with the content in it."""
        form, text = contents.shell_form(self._data(vault))
        return (self._function(form), *self._attributes(), text.encode())

    def settled(self, answer: Any, said: bytes, vault: Vault) -> Any:  # noqa: ANN401
        """Check that the file is as long as what was written, and take what was noted."""
        if isinstance(answer, PathStatus):
            size = len(self._data(vault))
            if answer.size != size:
                return Failure(reason=f"the file has {answer.size} bytes after {size} were written")
        return super().settled(answer, said, vault)

    def predict(self) -> PathStatus:
        """Expect the file as asked."""
        return PathStatus("file", mode=self.mode, owner=self.owner, group=self.group)

    def _data(self, vault: Vault | None) -> bytes:
        if isinstance(self.content, str):
            return contents.decode(self.content)
        return str(self.content).encode() if vault is None else vault.open(self.content, self.place)

    def _function(self, form: str) -> bytes:
        verb = b"lc_create" if self.new else b"lc_write"
        return verb if form == "text" else verb + b"64"

    def _attributes(self) -> tuple[bytes, ...]:
        return _words(self.path, self.mode, self.owner, self.group)


class SetAttributes(PathAct, frozen=True, tag="host.attributes"):
    """Change permission bits, owner or group of a file or directory."""

    type: Literal["file", "directory"]
    mode: str | None = None
    owner: str | None = None
    group: str | None = None

    def words(self, vault: Vault | None) -> tuple[bytes, ...]:
        """Return the call."""
        return (b"lc_attributes", *_words(self.path, self.mode, self.owner, self.group))

    def predict(self) -> PathStatus:
        """Expect the attributes as asked."""
        return PathStatus(self.type, mode=self.mode, owner=self.owner, group=self.group)


class MakeDirectory(PathAct, frozen=True, tag="host.mkdir"):
    """Create a directory; its parent must exist."""

    mode: str | None = None
    owner: str | None = None
    group: str | None = None

    def words(self, vault: Vault | None) -> tuple[bytes, ...]:
        """Return the call."""
        return (b"lc_mkdir", *_words(self.path, self.mode, self.owner, self.group))

    def predict(self) -> PathStatus:
        """Expect the directory as asked."""
        return PathStatus("directory", mode=self.mode, owner=self.owner, group=self.group)


class MakeSymlink(PathAct, frozen=True, tag="host.symlink"):
    """Create a symbolic link, or replace one at once."""

    target: str

    def words(self, vault: Vault | None) -> tuple[bytes, ...]:
        """Return the call."""
        return (b"lc_symlink", *_words(self.path, self.target))

    def predict(self) -> PathStatus:
        """Expect the link as asked."""
        return PathStatus("symlink", target=self.target)


class RemovePath(PathAct, frozen=True, tag="host.remove"):
    """Remove a file, a symbolic link or an empty directory."""

    type: Literal["file", "directory", "symlink"]

    def words(self, vault: Vault | None) -> tuple[bytes, ...]:
        """Return the call."""
        return (b"lc_rmdir" if self.type == "directory" else b"lc_remove", *_words(self.path))

    def predict(self) -> PathStatus:
        """Expect nothing to be left."""
        return PathStatus("absent")


class Execute(Instruction, frozen=True, tag="host.execute"):
    """Execute a command; its output is streamed."""

    answer: ClassVar[Any] = ExecResult
    alone: ClassVar[bool] = True

    argv: tuple[str, ...]
    timeout: float | None = None
    """Seconds after which it is ended; it has no limit if there is none."""

    def line(self) -> str:
        """Return the command, quoted."""
        return printable_command(self.words())

    def words(self) -> tuple[bytes, ...]:
        """Return the command, word by word."""
        return tuple(unescape(word) for word in self.argv)

    def predict(self) -> ExecResult:
        """Expect success."""
        return ExecResult(0)


VOCABULARY = (ReadPath, WriteFile, SetAttributes, MakeDirectory, MakeSymlink, RemovePath, Execute)


def secret_variable(sealed: Sealed) -> str:
    """Return the name of the environment variable that a printed script takes a secret from."""
    return f"LASERCATS_SECRET_{contents.digest_of(str(sealed).encode())[7:15].upper()}"


def _is_closed(status: PathStatus) -> bool:
    """Tell whether not everybody may read a file; where its mode is not told, it is taken to be so."""
    return status.mode is None or not int(status.mode, 8) & 0o4


def _words(*values: str | None) -> tuple[bytes, ...]:
    return tuple(unescape(value or "") for value in values)
