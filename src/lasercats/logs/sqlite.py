"""The default log: one SQLite file, in WAL mode, every commit synced to disk.

    records(position, time, type, body, hash)   one row a record; positions without a gap
    snapshots(position, body, digest)           the fold at a position, so that opening is quick

Each append is one transaction. The last row of an append carries the SHA-256 of the hash before it and of
all that the append wrote, so that a changed or missing row breaks the chain.
"""

import hashlib
import sqlite3
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import msgspec

from lasercats.core.address import Address
from lasercats.core.errors import LogConflict, LogCorrupt, LogError, LogTooNew
from lasercats.core.fold import Fold
from lasercats.core.record import ENTRIES, AnyEntry, Record

APPLICATION = 0x4C436174
"""`LCat`, in the header of the file (SQLite's application_id)."""
FORMAT = 1
SNAPSHOT_EVERY = 5000
"""Records between snapshots, at least; a large state is written less often."""

_SCHEMA = """
CREATE TABLE records (
    position INTEGER PRIMARY KEY, time INTEGER NOT NULL, type TEXT NOT NULL, body BLOB NOT NULL, hash BLOB
) STRICT;
CREATE TABLE snapshots (position INTEGER PRIMARY KEY, body BLOB NOT NULL, digest BLOB NOT NULL) STRICT;
"""
_INSERT = "INSERT INTO records VALUES (?, ?, ?, ?, ?)"
_DECODERS = {name: msgspec.json.Decoder(type_) for name, type_ in ENTRIES.items()}
_encode = msgspec.json.Encoder().encode


class SqliteLog:
    """A log in one SQLite file."""

    def __init__(
        self, path: Path | str, *, create: bool = False, clock: Callable[[], int] | None = None
    ) -> None:
        """Open the log at `path`, or make it; `:memory:` keeps it in memory.

        Raises:
            LogError: there is none, or one is there already.
            LogTooNew: a later version wrote it.
            LogCorrupt: it is no log of ours, or it is damaged.

        """
        self._path = str(path)
        self._clock = clock or (lambda: time.time_ns() // 1000)
        exists = self._path != ":memory:" and Path(path).exists()
        if create and exists:
            raise LogError(f"there is a log at {path} already")
        if not create and not exists:
            raise LogError(f"there is no log at {path}; make one with `lasercats init`")
        self._fold, self._hash, self._time = Fold(), b"", 0
        with self._explained():
            self._db = sqlite3.connect(self._path, isolation_level=None, timeout=30)
            try:
                self._open(create=create)
            except BaseException:
                self._db.close()
                raise

    def append(self, entries: Sequence[AnyEntry], *, expect: Mapping[Address, int] | None = None) -> int:
        """Commit entries together, durably, and return the position of the first."""
        fold, db = self._fold, self._db
        with self._explained():
            db.execute("BEGIN IMMEDIATE")
            try:
                self._catch_up()
                fold.check(entries, expect or {})
                first = fold.position + 1
                now = max(self._clock(), self._time)
                rows = [
                    (position, now, entry.name, _encode(entry), None)
                    for position, entry in enumerate(entries, first)
                ]
                digest = _chain(self._hash, rows)
                if rows:
                    rows[-1] = (*rows[-1][:4], digest)  # type: ignore[assignment]
                db.executemany(_INSERT, rows)
                db.execute("COMMIT")
            except BaseException:
                db.rollback()
                raise
        self._hash, self._time = digest, now
        for position, entry in enumerate(entries, first):
            fold.add(position, entry)
        return first

    def read(self, first: int = 1, last: int | None = None, *, names: Sequence[str] = ()) -> Iterator[Record]:
        """Iterate over records from `first` to `last` inclusive, only those of these names if given."""
        for position, when, name, body in self._rows(first, last, names):
            yield Record(position, when, self._decode(position, name, body))

    def head(self) -> int:
        """Return the position of the last record, 0 when there is none."""
        with self._explained():
            return int(self._db.execute("SELECT coalesce(max(position), 0) FROM records").fetchone()[0])

    def at(self, time: int) -> int:
        """Return the last position committed at or before a time in microseconds since 1970 UTC."""
        low, high = 0, self.head()
        with self._explained():
            while low < high:
                middle = (low + high + 1) // 2
                row = self._db.execute("SELECT time FROM records WHERE position = ?", (middle,)).fetchone()
                low, high = (middle, high) if row[0] <= time else (low, middle - 1)
        return low

    def fold(self, position: int | None = None) -> Fold:
        """Return the fold up to a position, by default up to now. The caller must not change it."""
        if position is None or position >= self._fold.position:
            with self._explained():
                self._catch_up()
            if position is None or position >= self._fold.position:
                return self._fold
        fold = Fold()
        row = self._newest_snapshot(position)
        if row is not None:
            fold = row
        for record in self.read(fold.position + 1, position):
            fold.add(record.position, record.entry)
        fold.position = position
        return fold

    def tail(self, after: int, *, patience: float) -> Iterator[Record]:
        """Iterate over records after a position as they come, until none came for `patience` seconds."""
        deadline = time.monotonic() + patience
        while time.monotonic() < deadline:
            for record in self.read(after + 1):
                after = record.position
                deadline = time.monotonic() + patience
                yield record
            time.sleep(min(0.05, patience))

    def check_chain(self) -> int:
        """Check every hash and every position; return how many records there are.

        Raises:
            LogCorrupt: a record was changed, removed or put in, with the position where the chain breaks.

        """
        known, expected, rows = b"", 1, list[tuple[Any, ...]]()
        with self._explained():
            for row in self._db.execute(
                "SELECT position, time, type, body, hash FROM records ORDER BY position"
            ):
                if row[0] != expected:
                    raise LogCorrupt(
                        f"the log {self._path} has no record {expected}; restore it from a backup"
                    )
                expected += 1
                rows.append(row)
                if row[4] is not None:
                    known = _chain(known, rows)
                    if known != row[4]:
                        raise LogCorrupt(
                            f"records {rows[0][0]} to {row[0]} of the log {self._path} are not as they "
                            "were written; restore it from a backup"
                        )
                    rows = []
        if rows:
            raise LogCorrupt(f"the log {self._path} ends in the middle of a commit, after {rows[0][0] - 1}")
        return expected - 1

    def close(self) -> None:
        """Write a snapshot where one is due, and let go of the file."""
        try:
            grown = self._fold.position - self._snapshot
            if grown >= max(SNAPSHOT_EVERY, len(self._fold.entries)):
                self._save()
            self._db.close()
        except sqlite3.Error:
            self._db.close()

    def _open(self, *, create: bool) -> None:
        self._db.execute("PRAGMA journal_mode = WAL")
        self._db.execute("PRAGMA synchronous = FULL")
        if create:
            self._create()
        self._check_format()
        self._snapshot = self._load()
        self._catch_up()

    def _create(self) -> None:
        self._db.executescript(
            f"BEGIN; {_SCHEMA} PRAGMA application_id = {APPLICATION}; PRAGMA user_version = {FORMAT}; COMMIT;"
        )

    def _check_format(self) -> None:
        application = self._db.execute("PRAGMA application_id").fetchone()[0]
        version = self._db.execute("PRAGMA user_version").fetchone()[0]
        if application != APPLICATION:
            raise LogCorrupt(f"{self._path} is no LaserCats log; restore it from a backup")
        if version > FORMAT:
            raise LogTooNew(
                f"the log {self._path} has format {version}, this LaserCats reads up to {FORMAT}; upgrade it"
            )

    def _rows(
        self, first: int, last: int | None, names: Sequence[str]
    ) -> Iterator[tuple[int, int, str, bytes]]:
        sql = "SELECT position, time, type, body FROM records WHERE position >= ? AND position <= ?"
        arguments: list[Any] = [first, 2**62 if last is None else last]
        if names:
            sql += f" AND type IN ({', '.join('?' * len(names))})"
            arguments += names
        with self._explained():
            yield from self._db.execute(sql + " ORDER BY position", arguments)

    def _decode(self, position: int, name: str, body: bytes) -> AnyEntry:
        try:
            return _DECODERS[name].decode(body)
        except (KeyError, msgspec.DecodeError):
            raise LogCorrupt(
                f"record {position} of the log {self._path} cannot be read; restore it from a backup"
            ) from None

    def _catch_up(self) -> None:
        """Take in what others, or an earlier run, have written."""
        head = self._db.execute("SELECT max(position) FROM records").fetchone()[0] or 0
        if head == self._fold.position:
            return
        for record in self.read(self._fold.position + 1, head):
            self._fold.add(record.position, record.entry)
        row = self._db.execute("SELECT hash, time FROM records WHERE position = ?", (head,)).fetchone()
        if row is None or row[0] is None:
            raise LogCorrupt(f"the log {self._path} ends in the middle of a commit; restore it from a backup")
        self._hash, self._time = row

    def _load(self) -> int:
        fold = self._newest_snapshot(2**62)
        if fold is not None and fold.position <= self.head():
            self._fold = fold
            row = self._db.execute("SELECT hash, time FROM records WHERE position = ?", (fold.position,))
            self._hash, self._time = row.fetchone() or (b"", 0)
        return self._fold.position

    def _newest_snapshot(self, position: int) -> Fold | None:
        """Return the newest intact snapshot up to a position; a damaged one is as good as none."""
        with self._explained():
            rows = self._db.execute(
                "SELECT body, digest FROM snapshots WHERE position <= ? ORDER BY position DESC", (position,)
            )
            for body, digest in rows:
                if hashlib.sha256(body).digest() == digest:
                    return msgspec.json.decode(body, type=Fold)
        return None

    def _save(self) -> None:
        body = _encode(self._fold)
        row = (self._fold.position, body, hashlib.sha256(body).digest())
        self._db.execute("INSERT OR REPLACE INTO snapshots VALUES (?, ?, ?)", row)
        self._snapshot = self._fold.position

    @contextmanager
    def _explained(self) -> Iterator[None]:
        """Turn the errors of SQLite into ours."""
        try:
            yield
        except LogConflict:
            raise
        except sqlite3.OperationalError as error:
            if "malformed" in str(error):
                raise LogCorrupt(f"the log {self._path} is damaged; restore it from a backup") from None
            raise LogError(f"the log {self._path} cannot be used: {error}; nothing was done") from None
        except sqlite3.DatabaseError as error:
            raise LogCorrupt(f"the log {self._path} is damaged ({error}); restore it from a backup") from None


def _chain(before: bytes, rows: Sequence[tuple[Any, ...]]) -> bytes:
    """Hash what was there before, then place, time, type and length of each row, then all bodies."""
    heads = [(row[0], row[1], row[2], len(row[3])) for row in rows]
    return hashlib.sha256(b"".join([before, _encode(heads), *[row[3] for row in rows]])).digest()
