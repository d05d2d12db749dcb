"""The keyring: which keys there are, what each is for, and the keys themselves, wrapped by the root key.

A file of JSON lines. The first says where the root key is kept, each other one holds a key. A new key is a
line that is added; all else writes the file anew. A last line without its end is of a process that was
killed, and no token was made with its key.
"""

from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import NamedTuple

import msgspec

from lasercats.core.errors import BadInput
from lasercats.machines import vault_file

FORMAT = 1
PROJECT = "project"
"""The id of the key that sealed all secrets of a project up to format 4 of the log, bound to nothing."""


class Root(msgspec.Struct, frozen=True, omit_defaults=True):
    """Where the root key is kept."""

    kept: str
    """`file`, `age`, `keyring` or `cmd`."""
    id: str
    """Tells whether a key is the one; it tells nothing of it."""
    recipients: tuple[str, ...] = ()
    """Of age: who can open it."""
    sealed: str = ""
    """The root key, encrypted to them; in base 64."""
    command: str = ""
    """What prints it."""


class Key(msgspec.Struct, frozen=True, omit_defaults=True):
    """A key of one secret, and what is known of it."""

    id: str
    places: tuple[str, ...]
    """What its tokens are for, sorted: one secret has one set of places, and its keys are its versions."""
    version: int
    made: str
    """When, RFC 3339."""
    by: str = ""
    wrapped: str | None = None
    """The key, wrapped by the root key; None where it was destroyed."""
    value: str | None = None
    """Of a secret with a name: the token of its value."""
    gone: str | None = None
    """When it was destroyed."""
    gone_by: str = ""


class _Header(msgspec.Struct, frozen=True):
    lasercats_keys: int
    root: Root


class Ring(NamedTuple):
    """The keyring, as it was read."""

    root: Root
    keys: dict[str, Key]
    versions: dict[tuple[str, ...], list[Key]]
    """The keys of each secret, the oldest first."""

    def put(self, key: Key) -> None:
        """Take in one more key."""
        self.keys[key.id] = key
        self.versions.setdefault(key.places, []).append(key)

    def current(self, places: tuple[str, ...]) -> Key | None:
        """Return the key with which a secret is sealed now; None where it has none, or that was destroyed."""
        keys = self.versions.get(places)
        return keys[-1] if keys and keys[-1].wrapped else None

    def next(self, places: tuple[str, ...]) -> int:
        """Return the number of the version that comes next."""
        return len(self.versions.get(places, ())) + 1


def made(root: Root, keys: Iterable[Key]) -> Ring:
    """Return the keyring of some keys."""
    ring = Ring(root, {}, {})
    for key in keys:
        ring.put(key)
    return ring


def read(path: Path, before: tuple[bytes, Ring] | None = None) -> tuple[bytes, Ring] | None:
    """Read a keyring; None where there is none. What was read `before` is not taken apart again.

    Raises:
        BadInput: it cannot be read, or is damaged.

    """
    try:
        data = vault_file.read(path)
    except FileNotFoundError:
        return None
    except OSError as error:
        raise BadInput(f"the keyring {path} cannot be read ({error.strerror}); secrets need it") from None
    data = data[: data.rfind(b"\n") + 1]
    if before is not None and data.startswith(before[0]):
        ring, number = before[1], len(before[1].keys) + 2
        rows = data[len(before[0]) :].split(b"\n")[:-1]
    else:
        first, *rows = data.split(b"\n")
        ring, number = made(_root(first, path), ()), 2
    for key in _keys(rows, number, path):
        ring.put(key)
    return data, ring


def _root(line: bytes, path: Path) -> Root:
    try:
        header = msgspec.json.decode(line, type=_Header)
    except msgspec.DecodeError:
        raise BadInput(_damaged(path, 1)) from None
    if header.lasercats_keys > FORMAT:
        raise BadInput(f"the keyring {path} was written by a later LaserCats; use that one")
    return header.root


def _keys(lines: Iterable[bytes], first: int, path: Path) -> Iterator[Key]:
    for number, line in enumerate(lines, first):
        if not line:
            continue
        try:
            yield msgspec.json.decode(line, type=Key)
        except msgspec.DecodeError:
            raise BadInput(_damaged(path, number)) from None


def _damaged(path: Path, line: int) -> str:
    return f"the keyring {path} is damaged in line {line}; bring back a copy of it"


class RingFile:
    """A keyring in a file, which other processes may change at any time."""

    def __init__(self, path: Path) -> None:
        """Use the file at `path`."""
        self.path = path
        self._mark: object = None
        self._read: tuple[bytes, Ring] | None = None

    def get(self) -> Ring | None:
        """Return the keyring as it is now; None where there is none. One that seems damaged is read again.

        Raises:
            BadInput: it cannot be read, or is damaged.

        """
        try:
            status = self.path.stat()
            mark = (status.st_ino, status.st_size, status.st_mtime_ns)
        except OSError:
            mark = None
        if mark is None or mark != self._mark:
            try:
                self._read = read(self.path, self._read)
            except BadInput:  # as it is where it is just being written anew
                return self.fresh()
            self._mark = mark
        return None if self._read is None else self._read[1]

    def fresh(self) -> Ring | None:
        """Return the keyring as it is while nobody writes it.

        Raises:
            BadInput: it cannot be read, or is damaged.

        """
        self._mark = None
        try:
            with vault_file.locked(self.path):
                self._read = read(self.path)
        except BadInput:
            self._read = read(self.path)
        return None if self._read is None else self._read[1]

    def latest(self) -> Ring | None:
        """Return the keyring as it is now. Only for who has it locked.

        Raises:
            BadInput: it cannot be read, or is damaged.

        """
        self._mark, self._read = None, read(self.path, self._read)
        return None if self._read is None else self._read[1]

    def add(self, key: Key) -> None:
        """Add a key, durably. Only for who has it locked."""
        vault_file.append(self.path, msgspec.json.encode(key))

    def write(self, ring: Ring) -> None:
        """Write the keyring anew, durably. Only for who has it locked."""
        rows = [_Header(FORMAT, ring.root), *ring.keys.values()]
        vault_file.write(self.path, b"".join(msgspec.json.encode(row) + b"\n" for row in rows))
