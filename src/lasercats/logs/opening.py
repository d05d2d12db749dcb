"""The file of a log: opened for reading where it cannot be written, and its faults in our words.

SQLite's write-ahead log lies beside the file (`-wal`, with an index in `-shm`), and a reader wants to make
these, too. Where it may not, there are three ways, the best first:

1. read only, beside those who write: works where `-wal` and `-shm` are there;
2. as a file that does not change: where there is no `-wal`, all that was committed is in the file;
3. a copy, in a folder of our own: where a `-wal` holds what is not in the file yet.
"""

import os
import sqlite3
import stat
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import msgspec

from lasercats.core.errors import LaserCatsError, LogCorrupt, LogError
from lasercats.core.text import escape
from lasercats.newfile import make_file

if TYPE_CHECKING:
    from tempfile import TemporaryDirectory

MEMORY = ":memory:"
_UNUSABLE = {
    sqlite3.SQLITE_PERM,
    sqlite3.SQLITE_BUSY,
    sqlite3.SQLITE_LOCKED,
    sqlite3.SQLITE_NOMEM,
    sqlite3.SQLITE_READONLY,
    sqlite3.SQLITE_INTERRUPT,
    sqlite3.SQLITE_IOERR,
    sqlite3.SQLITE_FULL,
    sqlite3.SQLITE_CANTOPEN,
    sqlite3.SQLITE_PROTOCOL,
    sqlite3.SQLITE_AUTH,
}
"""Errors that tell of the disk, of rights or of others at work, and not of damage."""
_BARRED = {sqlite3.SQLITE_CANTOPEN, sqlite3.SQLITE_READONLY}
_TRIES = 5
_ROLLBACK = b"\1\1"
"""Bytes 18 and 19 of a file that needs no write-ahead log beside it (SQLite's file format, 1.3)."""


class LogFile:
    """A file that holds a log, or a log in memory."""

    def __init__(self, path: Path | str, *, create: bool, barred: str = "", mode: int = 0o600) -> None:
        """Find out how it can be opened, or make an empty file of a mode, which what lies beside it gets.

        One that is `barred`, for a reason, is only read, and nothing is made beside it.

        Raises:
            LogError: there is none, or it may not be read, or not be made.

        """
        self.path = str(path)
        self.barred = barred
        """Why nothing can be written to it; empty where it can."""
        self._strange = bool(barred)
        self._uri, self._copy = self.path, list["TemporaryDirectory[str]"]()
        if self.path == MEMORY:
            return
        made = create and self._made(Path(path), mode)
        self._check_there(Path(path))
        if not made:
            self.barred = barred or _barred(Path(path))

    def connect(self) -> sqlite3.Connection:
        """Return a connection: one that reads and writes, or, where that cannot be, one that reads."""
        if not self.barred:
            return _connect(self._uri)
        if self._uri != self.path:
            return _connect(self._uri)
        base = Path(self.path).absolute().as_uri()
        ways = [] if self._strange else ["mode=ro"]  # where it can, that makes what lies beside the file
        for way in ways if _holds(f"{self.path}-wal") else [*ways, "mode=ro&immutable=1"]:
            try:
                return self._try(f"{base}?{way}")
            except sqlite3.OperationalError as error:
                if _code(error) not in _BARRED:
                    raise
        return self._try(self._copied())

    def source(self, db: sqlite3.Connection) -> str | bytes:
        """Return what another process can read it by: the URI of the file, or the bytes of one in memory."""
        if self._uri == MEMORY:
            data = db.serialize()
            return data[:18] + _ROLLBACK + data[20:]
        if self.barred:
            return self._uri if self._uri.startswith("file:") else Path(self.path).absolute().as_uri()
        return f"{Path(self.path).absolute().as_uri()}?mode=ro"

    def into_memory(self, db: sqlite3.Connection) -> sqlite3.Connection:
        """Return a copy in memory, to be changed where the file cannot be."""
        copy = sqlite3.connect(MEMORY, isolation_level=None)
        db.backup(copy)
        db.close()
        self._uri = MEMORY
        return copy

    def check_writable(self) -> None:
        """Check that it can be written.

        Raises:
            LogError: it cannot, with the reason.

        """
        if self.barred:
            raise LogError(f"the log {self.path} can only be read here: {self.barred}; nothing was written")

    @contextmanager
    def explained(self) -> Iterator[None]:
        """Turn the errors of SQLite, and of what it gives, into ours."""
        try:
            yield
        except (LaserCatsError, sqlite3.ProgrammingError):
            raise
        except UnicodeEncodeError as error:
            raise LogError(
                f"the log {self.path} cannot hold {error.object!r:.80}, which is no text; nothing was written"
            ) from None
        except sqlite3.Error as error:
            if _code(error) in _UNUSABLE:
                raise LogError(f"the log {self.path} cannot be used: {error}; nothing was written") from None
            raise self.damaged(str(error)) from None
        except (
            sqlite3.Warning,
            UnicodeDecodeError,
            OverflowError,
            TypeError,
            RecursionError,
            msgspec.DecodeError,
        ) as error:
            raise self.damaged(str(error)) from None

    def damaged(self, fact: str) -> LogCorrupt:
        """Return the error for a fact that can only come of damage."""
        shown = escape(fact.encode(errors="replace"))  # it may quote what stands in the file
        return LogCorrupt(
            f"the log {self.path} is damaged ({shown}); see with `lasercats verify` what of it holds, or "
            "restore it from a backup"
        )

    def close(self) -> None:
        """Remove what was made to read it."""
        while self._copy:
            self._copy.pop().cleanup()

    def _made(self, path: Path, mode: int) -> bool:
        """Make an empty file, unless one is there; return whether it was made."""
        try:
            return make_file(path, mode)
        except (OSError, ValueError) as error:
            why = error.strerror if isinstance(error, OSError) else str(error)
            raise LogError(f"no log can be made at {path}: {why}") from None

    def _check_there(self, path: Path) -> None:
        try:
            mode = path.stat().st_mode
        except PermissionError:
            raise self._hidden() from None
        except (OSError, ValueError):
            raise LogError(
                f"there is no log at {path}; make one with `lasercats init`, or bring that of this project, "
                "which no clone has"
            ) from None
        if not stat.S_ISREG(mode):
            raise LogCorrupt(f"{path} is no LaserCats log, as it is no file; restore it from a backup")
        if not os.access(path, os.R_OK):
            raise self._hidden()

    def _hidden(self) -> LogError:
        return LogError(f"the log {self.path} may not be read by this user; ask its owner for the right to")

    def _try(self, uri: str) -> sqlite3.Connection:
        db = _connect(uri)
        try:
            db.execute("SELECT count(*) FROM sqlite_schema").fetchone()
        except BaseException:
            db.close()
            raise
        self._uri = uri
        return db

    def _copied(self) -> str:
        """Copy the file and what is not in it yet, as they were at one moment."""
        import shutil  # noqa: PLC0415 - start-up stays light
        from tempfile import TemporaryDirectory  # noqa: PLC0415 - as above

        try:
            self._copy.append(TemporaryDirectory(prefix="lasercats-log-"))
            copy = Path(self._copy[0].name) / "log.db"
            for _ in range(_TRIES):
                before = self._marks()
                for suffix in ("", "-wal"):
                    shutil.copyfile(f"{self.path}{suffix}", f"{copy}{suffix}")
                if self._marks() == before:
                    break
        except OSError as error:
            raise LogError(
                f"the log {self.path} can only be read as a copy, and that cannot be made: {error.strerror}; "
                "set TMPDIR to a folder that can be written"
            ) from None
        return copy.as_uri()

    def _marks(self) -> list[tuple[int, int]]:
        found = [Path(f"{self.path}{suffix}").stat() for suffix in ("", "-wal")]
        return [(one.st_size, one.st_mtime_ns) for one in found]


def _connect(uri: str) -> sqlite3.Connection:
    return sqlite3.connect(uri, uri=uri.startswith("file:"), isolation_level=None, timeout=30)


def _barred(path: Path) -> str:
    """Return why a file cannot be written, with the files beside it; nothing where it can."""
    for place in (path, path.parent):
        if not os.access(place, os.W_OK):
            if os.statvfs(place).f_flag & os.ST_RDONLY:
                return "its disk is read-only; write where that is not so"
            return f"this user may not write {place}; ask its owner for the right to"
    return ""


def _holds(path: str) -> bool:
    try:
        return Path(path).stat().st_size > 0
    except OSError:
        return False


def _code(error: sqlite3.Error | sqlite3.Warning) -> int:
    return int(getattr(error, "sqlite_errorcode", 0) or 0) & 0xFF
