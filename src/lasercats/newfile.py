"""An empty file of a mode, made by whoever comes first: for logs, and for what stands beside them."""

import os
from pathlib import Path


def make_file(path: Path, mode: int) -> bool:
    """Make an empty file of a mode, whatever the umask is; return False where one is there, which stays.

    SQLite gives the files that it makes beside a log the mode of that.

    Raises:
        OSError: it cannot be made.

    """
    try:
        handle = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, mode)
    except FileExistsError:
        return False
    try:
        os.fchmod(handle, mode)
    finally:
        os.close(handle)
    return True
