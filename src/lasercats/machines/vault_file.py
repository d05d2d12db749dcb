"""Private files: written whole or not at all, one process at a time; refused where others can read them."""

import fcntl
import os
import stat
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from lasercats.core.errors import BadInput

SHARED = stat.S_ISGID | stat.S_IRWXG
"""The mode of a folder that a group shares on purpose."""


def is_shared(folder: Path) -> bool:
    """Tell whether a folder is one that a group shares on purpose: what is in it is for the group."""
    return folder.stat().st_mode & SHARED == SHARED


def read(path: Path) -> bytes:
    """Return what a private file holds.

    Raises:
        BadInput: others can read it, as ssh refuses such a key.
        OSError: it cannot be read.

    """
    check(path)
    return path.read_bytes()


def check(path: Path) -> None:
    """Check that nobody else can read a file of keys.

    Raises:
        BadInput: others can.
        OSError: it cannot be looked at.

    """
    mode = path.stat().st_mode
    if mode & (stat.S_IRWXO if is_shared(path.parent) else stat.S_IRWXO | stat.S_IRWXG):
        raise BadInput(
            f"{path} holds keys and can be read by others (mode {mode & 0o777:04o}); close it with "
            f"`chmod 600 {path}`, and make other keys if somebody may have read it"
        )


@contextmanager
def locked(path: Path) -> Iterator[None]:
    """Let no other process write a file meanwhile. What is written in it is in order, whoever writes.

    Raises:
        BadInput: the folder cannot be written.

    """
    try:
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        lock = _open(path.with_name(f"{path.name}.lock"), os.O_RDWR | os.O_CREAT)
    except OSError as error:
        raise BadInput(
            f"the keys of the secrets cannot be written in {path.parent}: {error.strerror}; no secret can be "
            "sealed without"
        ) from None
    try:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield
    finally:
        os.close(lock)


def write(path: Path, data: bytes) -> None:
    """Write a file whole, durably. What it held is overwritten, as far as the file system does so.

    Only for who has it locked.
    """
    new = path.with_name(f"{path.name}.new")  # one of a process that was killed is in nobody's use
    new.unlink(missing_ok=True)
    file = _open(new, os.O_WRONLY | os.O_CREAT | os.O_EXCL)
    try:
        _write_all(file, data)
    finally:
        os.close(file)
    with _wiped(path):
        new.replace(path)
        _sync(path.parent)


def append(path: Path, line: bytes) -> None:
    """Add a line to a file, durably; half a line, of a process that was killed, is cut off first.

    Only for who has it locked.
    """
    file = _open(path, os.O_RDWR)
    try:
        size = os.fstat(file).st_size
        whole = os.pread(file, size, 0).rfind(b"\n") + 1
        if whole < size:
            os.ftruncate(file, whole)
        os.lseek(file, whole, os.SEEK_SET)
        _write_all(file, line + b"\n")
    finally:
        os.close(file)


def remove(path: Path) -> None:
    """Remove a file; what it held is overwritten, as far as the file system does so."""
    with _wiped(path):
        path.unlink(missing_ok=True)
        _sync(path.parent)


@contextmanager
def _wiped(path: Path) -> Iterator[None]:
    """Overwrite what a name meant before, when it means something else."""
    try:
        old = os.open(path, os.O_WRONLY | os.O_NOFOLLOW)
    except FileNotFoundError:
        yield
        return
    try:
        yield
        if os.fstat(old).st_nlink == 0:  # a hard link would be somebody's copy, which is theirs
            _write_all(old, bytes(os.fstat(old).st_size))
    finally:
        os.close(old)


def _open(path: Path, flags: int) -> int:
    mode = 0o660 if is_shared(path.parent) else 0o600
    file = os.open(path, flags | os.O_NOFOLLOW | os.O_CLOEXEC, mode)
    if flags & os.O_CREAT and os.fstat(file).st_uid == os.geteuid():
        os.fchmod(file, mode)  # whatever the umask is
    return file


def _write_all(file: int, data: bytes) -> None:
    while data:
        data = data[os.write(file, data) :]
    os.fsync(file)


def _sync(folder: Path) -> None:
    file = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(file)
    finally:
        os.close(file)
