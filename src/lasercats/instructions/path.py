"""What a host says of a path: how a shell is asked, many paths in one call, and how the answer is read.

A process is started for all paths together, and one more only for what a link points at and for a content
that is not the expected one. What cannot be looked at fails for itself alone, with the reason that is told.
"""

import base64
import binascii
import re
import stat as bits
from collections.abc import Iterator, Mapping, Sequence
from typing import Literal, NamedTuple

import msgspec

from lasercats.core import content as contents
from lasercats.core.instruction import Failure
from lasercats.core.secret import Sealed
from lasercats.core.text import escape
from lasercats.instructions.shell import BYTES, Records, Unread, raw

PathType = Literal["absent", "file", "directory", "symlink", "other"]

CHUNK = 1000
"""The most paths in one call."""

_SORTS: Mapping[int, PathType] = {bits.S_IFREG: "file", bits.S_IFDIR: "directory", bits.S_IFLNK: "symlink"}
_STATUS = re.compile(rb"([0-9a-f]{1,8}) ([0-9]{1,20}) ([0-9]{1,20}) ([0-9]{1,20}) (-?[0-9]{1,20})", re.ASCII)
_ABSENT = (b": No such file or directory", b": Not a directory")


class PathStatus(msgspec.Struct, frozen=True, omit_defaults=True, gc=False):
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
    content: str | Sealed | None = None
    """The content string, or the content sealed, when it is not the one that was expected."""
    same: bool = False
    """True when the content is the expected one."""
    notes: tuple[str, ...] = ()
    """What an operator should know of how it was done, in a sentence each."""


def noted(said: bytes, path: bytes) -> tuple[str, ...]:
    """Return what a shell function noted of a path while it did what it should: `note: PATH: text`."""
    parts = (b"\n" + said).split(b"\nnote: " + path + b": ")[1:]
    return tuple(escape(part.partition(b"\n")[0]) for part in parts)


class Question(NamedTuple):
    """A path, and what of its content is wanted: the digest that is expected, `-` for all, or nothing."""

    path: bytes
    expect: str = ""


def ask(questions: Sequence[Question], separator: bytes) -> Iterator[bytes]:
    """Return the lines of a script that ask for some paths."""
    wanted: dict[bytes, str] = {}
    for path, expect in questions:
        before = wanted.get(path, "")
        wanted[path] = expect if before in ("", expect) else before if expect == "" else "-"
    if wanted:
        yield b"lc_s=" + separator
    for some in _chunks(list(wanted)):
        yield b"lc_stat " + b" ".join(raw(path) for path in some)
        read = [path for path in some if wanted[path]]
        if read:
            expects = " ".join(wanted[path] for path in read)
            yield b"lc_read " + raw(expects.encode()) + b" " + b" ".join(raw(path) for path in read)


def _chunks(paths: Sequence[bytes]) -> Iterator[list[bytes]]:
    some, size = list[bytes](), 0
    for path in paths:
        if some and (len(some) >= CHUNK or size + len(path) > BYTES):
            yield some
            some, size = [], 0
        some.append(path)
        size += len(path) + 1
    if some:
        yield some


class Answers:
    """What a host answered about the paths that it was asked for."""

    def __init__(self, records: Records, separator: bytes) -> None:
        """Take the records of its answer."""
        self._records = records
        self._stats: dict[bytes, set[tuple[bytes, ...]]] = {}
        for (blob,) in (fields for fields in records.get(b"stat", ()) if len(fields) == 1):
            parts = blob.split(separator)
            for path, *status in zip(*[iter(parts)] * 4, strict=False):
                # Each begins on a line of its own; the name comes first.
                self._stats.setdefault(path.removeprefix(b"\n"), set()).add(tuple(status))

    def status(self, question: Question) -> PathStatus | Failure | None:
        """Return what is at a path, a failure with the reason, or None where it is to be asked again."""
        try:
            return self._status(*question)
        except Unread as unread:
            return Failure(reason=str(unread))

    def _status(self, path: bytes, expect: str) -> PathStatus | Failure | None:
        stats = self._stats.get(path)
        if not stats:
            return self._absent(path)
        if len(stats) > 1 or self._one(b"gone ", path) is not None:
            raise Unread("the host answered twice, and not the same")
        found = _parsed(*next(iter(stats)))
        if found.type == "symlink":
            target = self._one(b"link ", path)
            if not target:
                raise Unread("the symbolic link changed while it was looked at")
            return msgspec.structs.replace(found, target=escape(target))
        if found.type == "file" and expect:
            return self._content(path, expect, found)
        return found

    def _absent(self, path: bytes) -> PathStatus:
        why = self._one(b"absent ", path)
        if self._one(b"gone ", path) is not None:
            return PathStatus("absent")
        if why is None:
            raise Unread("the path changed while it was looked at, or the host's tools answer otherwise")
        if why.rstrip(b"\n").endswith(_ABSENT):
            return PathStatus("absent")
        raise Unread(_reason(why))

    def _content(self, path: bytes, expect: str, found: PathStatus) -> PathStatus | None:
        why, large, total = (self._one(key, path) for key in (b"why ", b"large ", b"sum "))
        if why is not None:
            raise Unread(f"the content cannot be read: {_reason(why)}")
        if large is not None:
            token = contents.unread(found.size or 0, found.modified or 0)
            same = expect == token.removeprefix("sha256:")
            return msgspec.structs.replace(found, same=same, content=None if same else token)
        if total is not None and total.decode(errors="replace") == expect:
            return msgspec.structs.replace(found, same=True)
        if self._one(b"later ", path) is not None:
            return None
        body = self._one(b"body ", path)
        if body is None or total is None:
            raise Unread("the content changed while it was looked at, or the host's tools answer otherwise")
        return msgspec.structs.replace(found, content=_whole(body, total))

    def _one(self, key: bytes, path: bytes) -> bytes | None:
        answers = self._records.get(key + path, ())
        if len(answers) > 1 or any(len(fields) != 1 for fields in answers):
            raise Unread("the host answered twice, and not the same")
        return answers[0][0] if answers else None


def _parsed(status: bytes, owner: bytes, group: bytes) -> PathStatus:
    found = _STATUS.fullmatch(status)
    if found is None:
        raise Unread(f"the host's stat answers otherwise: {escape(status[:80])}")
    mode = int(found[1], 16)
    uid, gid, size, modified = (int(found[n]) for n in range(2, 6))
    return PathStatus(
        _SORTS.get(bits.S_IFMT(mode), "other"),
        mode=f"{bits.S_IMODE(mode):04o}",
        owner=str(uid) if owner in (b"UNKNOWN", b"") else escape(owner),
        group=str(gid) if group in (b"UNKNOWN", b"") else escape(group),
        uid=uid,
        gid=gid,
        size=size,
        modified=modified,
    )


def _whole(body: bytes, total: bytes) -> str:
    """Return the content that was sent, where it is the one whose digest was told."""
    try:
        data = base64.b64decode(b"".join(body.split()), validate=True)
    except binascii.Error:
        raise Unread("the content came damaged") from None
    if contents.digest_of(data) != "sha256:" + total.decode(errors="replace"):
        raise Unread("the content changed while it was looked at, or came damaged")
    return contents.encode(data)


def _reason(why: bytes) -> str:
    """Return what a tool said without its name and the path: `Permission denied`."""
    text = escape(why.strip())
    if text.endswith("not found"):
        return f"a tool is missing on the host ({text}); `lasercats machine check` tells which"
    return text.rpartition(": ")[2] or "the host did not tell why"
