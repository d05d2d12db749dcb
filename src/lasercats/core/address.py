"""Addresses: `KIND/NAME`, where a name inside a machine is `MACHINE:REST`.

An address is a plain `str` at run time, so that maps keyed by it are as fast as maps of strings;
`parse` is the one gate through which text becomes one.
"""

import re
from typing import NewType

from lasercats.core.errors import BadInput

Address = NewType("Address", str)
"""`file/web1:/etc/motd`, `rack.device/r1:db1`."""

_KIND = re.compile(r"[a-z][a-z0-9_]*(\.[a-z][a-z0-9_]*)*")
_MACHINE = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]*")
_CONTROL = re.compile(r"[\x00-\x1f\x7f]")


def make(kind: str, name: str) -> Address:
    """Join a kind and a name that are known to be good."""
    return Address(f"{kind}/{name}")


def parse(text: str) -> Address:
    """Read an address.

    Raises:
        BadInput: the text is not `KIND/NAME`, or holds a control character.

    """
    kind, slash, name = text.partition("/")
    if not slash or not name or not _KIND.fullmatch(kind):
        raise BadInput(f"{text!r} is not an address; write KIND/NAME, as in file/web1:/etc/motd")
    if _CONTROL.search(name):
        raise BadInput(f"{text!r} holds a control character; an address is printable text")
    if ":" in name and not _MACHINE.fullmatch(machine_of(Address(text)) or ""):
        raise BadInput(f"{text!r} names no machine before the colon; write MACHINE:REST")
    return Address(text)


def check_machine_name(name: str) -> str:
    """Give the machine's name back when it can stand in an address.

    Raises:
        BadInput: it cannot.

    """
    if not _MACHINE.fullmatch(name):
        raise BadInput(f"{name!r} is no machine name; use letters, digits, '.', '_' and '-'")
    return name


def kind_of(address: Address) -> str:
    """Return the part before the first slash: `file` of `file/web1:/etc/motd`."""
    return address.split("/", 1)[0]


def name_of(address: Address) -> str:
    """Return the part after the first slash: `web1:/etc/motd`."""
    return address.partition("/")[2]


def machine_of(address: Address) -> str | None:
    """Return the machine in the name (`web1`), or None for a name without one."""
    machine, colon, _ = name_of(address).partition(":")
    return machine if colon else None


def label(address: Address) -> str:
    """Return the address as it stands before a colon in a sentence: `exec/web1` for `exec/web1:`."""
    return address.removesuffix(":")


def rest_of(address: Address) -> str:
    """Return what follows the machine in the name: `/etc/motd`; the whole name if there is none."""
    machine, colon, rest = name_of(address).partition(":")
    return rest if colon else machine
