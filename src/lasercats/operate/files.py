"""Files that the operator names: read and written here, and told of in one sentence where they cannot be."""

import os
import tempfile
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import BinaryIO, TypeVar

from lasercats.core.errors import BadInput

T = TypeVar("T")

FAILURES = (OSError, RuntimeError, ValueError)
"""What comes of a file: beside what the system says, that a name holds NUL, or `~who` has no home."""


MOST = 32
"""The most MiB of what is read, where no other limit is given: some 400,000 addresses, in 500 MB."""


def bounded(name: str | Path, file: BinaryIO, mebibytes: int = MOST) -> bytes:
    """Return what is in an open file, also in one that does not end.

    Raises:
        BadInput: it is longer than the limit.

    """
    most = mebibytes * 1024 * 1024
    data = file.read(most + 1)
    if len(data) > most:
        raise BadInput(
            f"{name} has more than {mebibytes} MiB; give it in parts, or allow more with --max-size"
        )
    return data


def read(path: Path, mebibytes: int = MOST) -> bytes:
    """Return what is in a file.

    Raises:
        BadInput: it is longer than the limit.
        OSError: it cannot be had.

    """
    with path.open("rb") as file:
        return bounded(path, file, mebibytes)


def text(path: Path, mebibytes: int = MOST) -> str:
    r"""Return the text in a file, with its ends of lines as `\n`.

    Raises:
        BadInput: it is longer than the limit.
        OSError: it cannot be had.
        UnicodeDecodeError: it is no UTF-8.

    """
    return read(path, mebibytes).decode().replace("\r\n", "\n").replace("\r", "\n")


def why(error: Exception) -> str:
    """Return why a file cannot be had, in the words of the system."""
    if isinstance(error, OSError):
        return error.strerror or str(error)
    if isinstance(error, UnicodeDecodeError):
        return f"this is not UTF-8 text (byte {error.start}); write it in UTF-8"
    if isinstance(error, RuntimeError):
        home = "home" in str(error)
        return "there is no such home directory" if home else "it is a loop of symbolic links"
    return "its name holds NUL"


def had(name: str | Path, get: Callable[[], T]) -> T:
    """Return what `get` has of a file.

    Raises:
        BadInput: it cannot be had.

    """
    try:
        return get()
    except FAILURES as error:
        raise BadInput(f"{name} cannot be read: {why(error)}") from None


def replace(path: Path, data: bytes, mode: int) -> None:
    """Replace a file at once by a new one of a mode, of the same group where that may be.

    So nobody who had it open, or made it before us, sees or changes what is written.

    Raises:
        OSError: it cannot be written; the one before is as it was.

    """
    handle, temporary = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name[:50]}.")
    try:
        with os.fdopen(handle, "wb") as file:
            file.write(data)
            with suppress(OSError):
                os.fchown(file.fileno(), -1, path.stat().st_gid)
            os.fchmod(file.fileno(), mode)
            file.flush()
            os.fsync(file.fileno())
        Path(temporary).replace(path)
    except BaseException:
        Path(temporary).unlink(missing_ok=True)
        raise
