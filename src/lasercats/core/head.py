"""Heads: what a log is known by at a position, to be noted elsewhere, signed, and looked for later.

The hash of an append is bound to all that was written before it, so whoever knows a later head notices that
the end of a log was cut off, that an older copy was brought back, or that all of it was written anew.
"""

import re
from typing import NamedTuple

from lasercats.core.errors import BadInput

_PIN = re.compile(r"(?:(?:([0-9a-f]{32}):)?([0-9]{1,18}):)?([0-9a-f]{64})")


class Head(NamedTuple):
    """The end of an append: its position, 0 where nothing was written, and its hash."""

    position: int
    hash: bytes


class Signature(NamedTuple):
    """A head that somebody signed."""

    position: int
    signer: str
    """Whose key it was, as `ssh:SHA256:…`."""
    hash: bytes
    time: int
    """When it was signed, by the clock of whoever did, in microseconds since 1970 UTC."""
    signature: bytes


class Pin(NamedTuple):
    """A head that was noted elsewhere: its hash, and, where they were noted, its position and log."""

    hash: bytes
    position: int | None = None
    log: str | None = None


def pin(text: str) -> Pin:
    """Read `HASH`, `POSITION:HASH` or `LOG:POSITION:HASH`.

    Raises:
        BadInput: it is none of these.

    """
    match = _PIN.fullmatch(text.strip().lower())
    if match is None:
        raise BadInput(
            f"{text!r} is no head of a log; give HASH, POSITION:HASH or what `lasercats log head` printed"
        )
    return Pin(bytes.fromhex(match[3]), int(match[2]) if match[2] else None, match[1])


def noted(log: str, head: Head) -> str:
    """Return a head as it is noted: `LOG:POSITION:HASH`."""
    return f"{log}:{head.position}:{head.hash.hex()}"


def signed_text(log: str, head: Head) -> bytes:
    """Return what is signed of a head; see docs/log-format.md."""
    return f"lasercats head 1\n{log} {head.position} {head.hash.hex()}\n".encode()
