"""Who is at work: each process says who it is, so that others can prove that it is dead, where that can be.

A process is known by its number and start, within the namespace of processes and the boot of the system that
these are numbers of (pid_namespaces(7), proc(5)). Only where both are ours does our `/proc` tell anything of
it: two containers may have one host name, and the same numbers. Of all others the age of their lease tells.
"""

import os
import socket
from functools import cache
from pathlib import Path
from typing import NamedTuple

from lasercats.core.lease import PATIENCE, Lease
from lasercats.core.text import clean

_BOOT = Path("/proc/sys/kernel/random/boot_id")
_FIRST = "pid:[4026531836]"
"""The namespace of processes that a system boots with, from which all others are seen (PROC_PID_INIT_INO)."""


_NOWHERE = ("-", "-")


class ProcessSpace(NamedTuple):
    """Where the numbers of processes mean something."""

    boot: str
    space: str


@cache
def here() -> ProcessSpace | None:
    """Return where this process is; None where `/proc` is missing, or is that of another namespace."""
    try:
        if Path("/proc/self").readlink() != Path(str(os.getpid())):
            return None
        return ProcessSpace(_BOOT.read_text().strip(), str(Path("/proc/self/ns/pid").readlink()))
    except OSError:
        return None


def started(pid: int) -> str | None:
    """Return when a process of this machine started, None when it does not run (any more)."""
    try:
        state, *fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    except OSError:
        return None
    return None if state in "ZX" else fields[18]  # field 22 of proc(5): starttime


def process_name(pid: int) -> str:
    """Return `PID+START@HOST`, where START (clock ticks since boot) tells a process from a later one."""
    return clean(f"{pid}+{started(pid) or ''}@{socket.gethostname()}")


def holder() -> str:
    """Return who this process is: `PID+START@HOST BOOT SPACE`, both `-` where nobody can check it."""
    return " ".join([process_name(os.getpid()), *(here() or _NOWHERE)])


def process_of(holder_: str) -> str:
    """Return the part of a holder that is for people: `PID+START@HOST`."""
    return holder_.partition(" ")[0]


def lives(holder_: str) -> bool | None:
    """Tell whether a holder is a living process; None where nobody here can."""
    process, *place = holder_.split(" ")
    if here() is None:
        return None
    if not place:
        return _lives_as_then(process)
    if tuple(place) != here() or _is_hidden(_number(process)[0]):
        return None
    return living(holder_) is not None


def living(holder_: str) -> int | None:
    """Return the number of a process while it lives, if it is proven to be one of those that we see."""
    process, *place = holder_.split(" ")
    if not place or tuple(place) != here():
        return None
    pid, start = _number(process)
    return pid if pid is not None and start and started(pid) == start else None


def is_dead(lease: Lease) -> bool:
    """Tell whether the holder of a lease is dead: for sure, or because nothing was heard of it for long."""
    alive = lives(lease.holder)
    return lease.age > PATIENCE if alive is None else not alive


def _lives_as_then(process: str) -> bool | None:
    """Tell of a process of which an earlier version recorded only number, start and host.

    It is not proven dead by our `/proc` where that does not show every process of the host.
    """
    (pid, start), host = _number(process), process.partition("@")[2]
    if host and host != clean(socket.gethostname()):
        return None
    if pid is None:
        return False  # nobody said who it is
    now = started(pid)
    if now is not None and start in ("", now):
        return True
    place = here()
    if place is None or place.space != _FIRST:
        return None
    return None if start and _runs_since(start) else False


def _is_hidden(pid: int | None) -> bool:
    """Tell whether a process runs of which we are told nothing, because it is another user's (`hidepid`)."""
    if pid is None or started(pid) is not None:
        return False
    try:
        os.kill(pid, 0)
    except PermissionError:
        return True
    except (OSError, OverflowError):
        return False
    return False  # it is a process of ours that has ended and was not waited for


def _runs_since(start: str) -> bool:
    """Tell whether any process of the host started then: in a namespace of its own it has another number."""
    numbers = (int(entry.name) for entry in Path("/proc").iterdir() if entry.name.isdigit())
    return any(started(number) == start for number in numbers)


def _number(process: str) -> tuple[int | None, str]:
    pid, _, start = process.partition("@")[0].partition("+")
    return (int(pid) if pid.isdecimal() and pid.isascii() else None), start
