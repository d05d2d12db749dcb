"""Looks for a secret in bytes, in whatever form: plain, in Base64 or hexadecimal, packed, or escaped.

What is looked for is a *needle*: a run of letters and digits in the middle of each secret, which escapes of
JSON, YAML, shells and URLs leave as it is.
"""

import base64
import binascii
import re
import sqlite3
import zlib
from collections.abc import Iterator, Mapping
from contextlib import closing
from pathlib import Path

DEEPEST = 4
"""How often one form may be in another: packed, in Base64, in JSON, in Base64."""
PACKED = ((b"\x1f\x8b\x08", 31), (b"\x78\x01", 15), (b"\x78\x9c", 15), (b"\x78\xda", 15))
"""How streams of gzip and zlib begin (RFC 1952, RFC 1950), and what zlib calls their form."""
BASE64 = re.compile(rb"[A-Za-z0-9+/_-]{24,}={0,2}")
MOST = 64 * 1024 * 1024


def forms(needle: bytes) -> Iterator[bytes]:
    """Return a needle as it is, backwards, in hexadecimal, in UTF-16, and in Base64 at each place."""
    yield needle
    yield needle[::-1]
    yield needle.hex().encode()
    yield needle.hex().upper().encode()
    yield needle.decode().encode("utf-16-le")
    for shift in range(3):
        coded = base64.b64encode(b"\0" * shift + needle)
        yield coded[4 if shift else 0 : -4]  # the ends depend on what stands beside it


class Sweep:
    """Finds needles, and remembers where."""

    def __init__(self, needles: Mapping[str, bytes]) -> None:
        """Take needles by what they are called."""
        pairs = [(form, name) for name, needle in needles.items() for form in forms(needle)]
        self._names = dict(pairs)
        self._any = re.compile(b"|".join(re.escape(form) for form, _ in pairs))
        self.found: dict[str, list[str]] = {name: [] for name in needles}

    def look(self, data: bytes, where: str, depth: int = 0) -> None:
        """Look in bytes, and in what is packed or in Base64 there."""
        for match in self._any.finditer(data):
            places = self.found[self._names[match[0]]]
            if where not in places:
                places.append(where)
        if depth < DEEPEST:
            for inner, how in (*_unpacked(data), *_decoded(data)):
                self.look(inner, f"{where} ({how})", depth + 1)

    def look_at_file(self, path: Path) -> None:
        """Look in a file, and in the rows of one that is a log."""
        self.look(path.read_bytes(), str(path))
        if path.suffix == ".db":
            with closing(sqlite3.connect(f"file:{path}?mode=ro", uri=True)) as base:
                for (table,) in base.execute(
                    "SELECT name FROM sqlite_master WHERE type = 'table'"
                ).fetchall():
                    for row in base.execute(f'SELECT * FROM "{table}"'):  # noqa: S608  # its own tables
                        cells = (cell if isinstance(cell, bytes) else str(cell).encode() for cell in row)
                        self.look(b"\n".join(cells), f"{path}, table {table}, {row[0]}")

    def look_below(self, folder: Path, without: frozenset[Path] = frozenset()) -> None:
        """Look in the names and contents of all files below a folder."""
        for path in sorted(folder.rglob("*")):
            if path in without or any(parent in without for parent in path.parents):
                continue
            self.look(str(path).encode(errors="surrogateescape"), f"the name of {path}")
            if path.is_file() and not path.is_symlink():
                self.look_at_file(path)


def _unpacked(data: bytes) -> Iterator[tuple[bytes, str]]:
    for begin, bits in PACKED:
        at = data.find(begin)
        while at >= 0:
            try:
                inner = zlib.decompressobj(bits).decompress(data[at:], MOST)
            except zlib.error:
                inner = b""
            if inner:
                yield inner, f"packed, at {at}"
            at = data.find(begin, at + 1)


def _decoded(data: bytes) -> Iterator[tuple[bytes, str]]:
    """Return what is in Base64 and packed; what is only in Base64 is found by its form."""
    for match in BASE64.finditer(data):
        try:
            inner = base64.b64decode(
                match[0].rstrip(b"=") + b"==", altchars=b"-_" if b"_" in match[0] else None
            )
        except binascii.Error:
            continue
        if inner.startswith(tuple(begin for begin, _ in PACKED)):
            yield inner, f"Base64, at {match.start()}"
