"""Heads of a log against what is known of it elsewhere: seen by this user, noted, or signed."""

import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

from lasercats.core.errors import BadInput, LogError, LogRewound
from lasercats.core.head import Head, Pin, Signature, signed_text
from lasercats.core.ports import Log
from lasercats.operate import seen, signing
from lasercats.operate.project import Project

SIGNERS = "allowed_signers"
"""The file of those whose signatures count, where none is named: this user's, and never the project's."""


class Checked(NamedTuple):
    """A signed head that holds."""

    position: int
    signer: str
    time: int
    who: str | None
    """Who that is by the file of allowed signers; None where it is nobody of them."""


def check_pins(log: Log, pins: Sequence[Pin]) -> None:
    """Check that a log holds heads that were noted elsewhere.

    Raises:
        LogRewound: one is not in it.

    """
    for pin in pins:
        if fact := _lost(log, pin):
            raise LogRewound(fact, remedy="bring back the log that was there")


def _lost(log: Log, pin: Pin) -> str:
    """Return in words how a log does not hold a head; nothing where it does."""
    end = log.mark().position
    if pin.log is not None and pin.log != log.id:
        return f"this is the log {log.id}, and the head was noted of {pin.log}"
    if pin.position is None and log.marked(pin.hash) is None:
        return (
            f"the log, which ends at position {end}, never had the hash {pin.hash.hex()}: its end was cut "
            "off, an older copy was brought back, or it was written anew"
        )
    if pin.position is None:
        return ""
    if pin.position > end:
        return (
            f"the log ends at position {end}, before {pin.position}, of which a head was noted: its end was "
            "cut off, or an older copy was brought back"
        )
    if log.mark(pin.position) != Head(pin.position, pin.hash):
        return f"the log has another hash at position {pin.position} than was noted: it was written anew"
    return ""


def check_signatures(log: Log, signers: Path | None) -> list[Checked]:
    """Check every signed head that the log holds.

    Where a file of allowed `signers` is named, one of them must have signed.

    Raises:
        LogRewound: the log is not what was signed.
        BadInput: the file cannot be read.

    """
    folder = seen.config_folder()
    allowed = signers or (folder / SIGNERS if folder is not None else Path())
    if signers is not None and not signers.is_file():
        raise BadInput(f"the file of allowed signers {signers} is not there; name another with --signers")
    checked = [_checked(log, one, allowed if allowed.is_file() else None) for one in log.signatures()]
    if signers is not None and not any(one.who for one in checked):
        raise LogRewound(
            f"nobody of {signers} signed a head of this log",
            remedy="sign it with `lasercats verify --sign`, if it is the right one",
        )
    return checked


def _checked(log: Log, one: Signature, allowed: Path | None) -> Checked:
    text = signed_text(log.id, Head(one.position, one.hash))
    if fact := _lost(log, Pin(one.hash, one.position)):
        raise LogRewound(fact, remedy=f"{one.signer} signed it: bring back the log that was there")
    if signing.signer(text, one.signature) != one.signer:
        raise LogRewound(
            f"the signature of {one.signer} at position {one.position} is not one of this head",
            remedy="somebody changed it: bring back the log that was there",
            subject=one.signer,
        )
    who = signing.principal(text, one.signature, allowed) if allowed is not None else None
    return Checked(one.position, one.signer, one.time, who)


def sign(log: Log, key: Path | None) -> Signature:
    """Sign the head of a log with an ssh key, by default the one that `ssh` takes, and keep that in it.

    Raises:
        LogError: the log is empty, or cannot be written.
        LaserCatsError: it cannot be signed.

    """
    head = log.mark()
    if not head.position:
        raise LogError("the log is empty; there is nothing to sign")
    text = signed_text(log.id, head)
    signature = signing.sign(text, key or signing.default_key())
    who = signing.signer(text, signature)
    if who is None:
        raise LogError("the signature that was made is not one of this head; try again")
    signed = Signature(head.position, who, head.hash, time.time_ns() // 1000, signature)
    log.sign(signed)
    return signed


def notes(project: Project) -> Iterator[str]:
    """Tell where this user has seen copies of the log that are not the same any more."""
    for other in seen.copies(project.log, project.place.name):
        yield seen.apart(project.log, other.seen)
