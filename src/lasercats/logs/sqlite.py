"""The default log: one SQLite file, in WAL mode, every commit synced to disk.

    records(position, time, type, body, hash, cause)   one row a record; positions without a gap
    present(address, since, body)                      the newest version of every address
    past(address, since, until, body)                  the versions before
    open(position, waits)                              the commands that have not ended; what they wait for

Each append is one transaction. The last row of an append carries the SHA-256 of the hash before it and of
all that the append wrote, so that a changed or missing row breaks the chain.

The other tables are the fold of the records, kept in the same transaction: a table and its history, as
SQL:2011 has them for system-versioned tables. So the state of now is read without folding anything, and
one of the past costs two searches for each address, however long the log is. A `body` is NULL where it is
known that there is nothing, and empty where it is not known (any more) what there is.
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
from lasercats.core.fold import Claims, Fold, Open, Version, check_batches, check_versions, left_by
from lasercats.core.record import (
    ENTRIES,
    FORGOTTEN,
    NULL,
    Accepted,
    AnyEntry,
    Deferred,
    Ended,
    Event,
    Record,
)

APPLICATION = 0x4C436174
"""`LCat`, in the header of the file (SQLite's application_id)."""
FORMAT = 3
CLAIMING = ("accepted", "deferred", "ended")
CHUNK = 10_000
"""Records that are taken in at once when the tables are made anew."""

_RECORDS = """
CREATE TABLE records (
    position INTEGER PRIMARY KEY, time INTEGER NOT NULL, type TEXT NOT NULL, body BLOB NOT NULL, hash BLOB,
    cause INTEGER
) STRICT
"""
_TABLES = (
    "CREATE INDEX caused ON records (cause) WHERE cause IS NOT NULL",
    "CREATE TABLE open (position INTEGER PRIMARY KEY, waits INTEGER) STRICT",
    """CREATE TABLE present (
        address TEXT PRIMARY KEY, since INTEGER NOT NULL, body BLOB
    ) STRICT, WITHOUT ROWID""",
    """CREATE TABLE past (
        address TEXT NOT NULL, since INTEGER NOT NULL, until INTEGER NOT NULL, body BLOB,
        PRIMARY KEY (address, since)
    ) STRICT, WITHOUT ROWID""",
    """CREATE TRIGGER keep_past BEFORE UPDATE ON present BEGIN
        INSERT INTO past VALUES (old.address, old.since, new.since, old.body);
    END""",
)
_INSERT = "INSERT INTO records VALUES (?, ?, ?, ?, ?, ?)"
_PUT = """
INSERT INTO present VALUES (?, ?, ?)
ON CONFLICT (address) DO UPDATE SET since = excluded.since, body = excluded.body
"""
_AS_OF = """
SELECT address, since, body FROM present WHERE since <= ?1
UNION ALL
SELECT past.address, past.since, past.body FROM present CROSS JOIN past
ON past.address = present.address AND past.since = (
    SELECT max(since) FROM past WHERE past.address = present.address AND since <= ?1
) WHERE present.since > ?1
"""
_ONE_AS_OF = """
SELECT address, since, body FROM present WHERE address = ?2 AND since <= ?1
UNION ALL
SELECT * FROM (
    SELECT address, since, body FROM past WHERE address = ?2 AND since <= ?1 AND until > ?1
    ORDER BY since DESC LIMIT 1
)
"""
_SPECIAL: Mapping[bytes, bytes | None] = {bytes(NULL): None, bytes(FORGOTTEN): b""}
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
        self._head, self._hash, self._time = 0, b"", 0
        self._claims = Claims()
        self._fold: Fold | None = None
        with self._explained():
            self._db = sqlite3.connect(self._path, isolation_level=None, timeout=30)
            try:
                self._open(create=create)
            except BaseException:
                self._db.close()
                raise

    def append(
        self,
        entries: Sequence[AnyEntry],
        *,
        expect: Mapping[Address, int] | None = None,
        seen: Mapping[int, int] | None = None,
    ) -> int:
        """Commit entries together, durably, and return the position of the first."""
        with self._explained(), self._commit():
            self._catch_up()
            check_versions(expect or {}, self._version)
            check_batches(seen or {}, self._last_of)
            self._claims.check(entries)
            first = self._head + 1
            now = max(self._clock(), self._time)
            rows = [
                (position, now, entry.name, _encode(entry), None, entry.cause)
                for position, entry in enumerate(entries, first)
            ]
            digest = _chain(self._hash, rows)
            if rows:
                rows[-1] = (*rows[-1][:4], digest, rows[-1][5])  # type: ignore[assignment]
            self._db.executemany(_INSERT, rows)
            self._take_in(first, entries)
        self._head, self._hash, self._time = self._head + len(rows), digest, now
        for position, entry in enumerate(entries, first):
            if entry.name in CLAIMING:
                self._claims.add(position, entry)
        return first

    def read(
        self,
        first: int = 1,
        last: int | None = None,
        *,
        names: Sequence[str] = (),
        backwards: bool = False,
    ) -> Iterator[Record]:
        """Iterate over records from `first` to `last` inclusive, only those of these names if given."""
        sql = "SELECT position, time, type, body FROM records WHERE position BETWEEN ? AND ?"
        arguments: list[Any] = [first, 2**62 if last is None else last]
        if names:
            sql += f" AND type IN ({', '.join('?' * len(names))})"
            arguments += names
        return self._records(f"{sql} ORDER BY position {'DESC' if backwards else 'ASC'}", arguments)

    def caused(self, position: int) -> Iterator[Record]:
        """Iterate over the records that came of one: a command's events and end, a batch's outcomes."""
        sql = "SELECT position, time, type, body FROM records WHERE cause = ? ORDER BY position"
        return self._records(sql, [position])

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

    def fold(
        self,
        position: int | None = None,
        addresses: Sequence[Address] | None = None,
        *,
        holding: str | None = None,
    ) -> Fold:
        """Return the fold up to a position, by default up to now, of all addresses or of some."""
        with self._explained():
            head = self.head()
            if holding is not None:
                return self._holding(head if position is None else position, holding)
            if position is not None and position < head:
                return self._fold_of(position, addresses)
            if addresses is not None:
                return self._fold_of(head, addresses)
            if self._fold is None:
                self._fold = self._fold_of(head, None)
            for record in self.read(self._fold.position + 1, head, names=("event",)):
                self._fold.add(record.position, record.entry)
            self._fold.position = head
            return self._fold

    def versions(self, address: Address) -> Iterator[Version]:
        """Iterate over all that an address held, the oldest first."""
        sql = """SELECT since, body FROM past WHERE address = ?1
            UNION ALL SELECT since, body FROM present WHERE address = ?1 ORDER BY since"""
        with self._explained():
            for since, body in self._db.execute(sql, (address,)):
                yield Version(since, _raw(body))

    def open(self) -> Mapping[int, Open]:
        """Return the commands that have not ended, by position."""
        with self._explained():
            self._catch_up()
        return self._claims.open

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

    def check_tables(self) -> int:
        """Check that the tables are the fold of the records; return how many versions there are.

        Raises:
            LogCorrupt: they are not.

        """
        count = 0
        sql = """SELECT since, address, body, until FROM past
            UNION ALL SELECT since, address, body, NULL FROM present ORDER BY since, address"""
        with self._explained():
            self._check_open()
            rows = self._db.execute(sql)
            until: dict[Address, int | None] = {}
            for record in self.read(names=("event",)):
                for address, raw in sorted(left_by(record.entry)):  # type: ignore[arg-type]
                    count += 1
                    row = rows.fetchone()
                    wanted = (record.position, address, _body(raw))
                    if row is None or row[:3] != wanted or until.get(address, record.position) != wanted[0]:
                        raise self._wrong_tables(address)
                    until[address] = row[3]
            row = rows.fetchone()
            strange = row[1] if row else next((a for a, end in until.items() if end is not None), None)
            if strange is not None:
                raise self._wrong_tables(strange)
        return count

    def rebuild(self) -> None:
        """Make the tables anew from the records; those are not touched."""
        with self._explained(), self._commit():
            self._db.execute("DROP INDEX IF EXISTS caused")
            for table in ("open", "present", "past"):
                self._db.execute(f"DROP TABLE IF EXISTS {table}")
            self._make_tables()
        self._head, self._claims, self._fold = 0, Claims(), None
        self._load()

    def connect(self) -> sqlite3.Connection:
        """Return a connection of its own that can only read, for queries.

        Raises:
            LogError: the file cannot be opened.

        """
        with self._explained():
            if self._path == ":memory:":
                copy = sqlite3.connect(":memory:", isolation_level=None)
                self._db.backup(copy)
            else:
                uri = f"{Path(self._path).absolute().as_uri()}?mode=ro"
                copy = sqlite3.connect(uri, uri=True, isolation_level=None, timeout=30)
            copy.execute("PRAGMA query_only = ON")
        return copy

    def close(self) -> None:
        """Let go of the file."""
        self._db.close()

    def _open(self, *, create: bool) -> None:
        self._db.execute("PRAGMA journal_mode = WAL")
        self._db.execute("PRAGMA synchronous = FULL")
        if create:
            self._create()
        self._check_format()
        self._load()

    def _create(self) -> None:
        with self._commit():
            self._db.execute(_RECORDS)
            self._make_tables()
            self._db.execute(f"PRAGMA application_id = {APPLICATION}")
            self._db.execute(f"PRAGMA user_version = {FORMAT}")

    @contextmanager
    def _commit(self) -> Iterator[None]:
        self._db.execute("BEGIN IMMEDIATE")
        try:
            yield
            self._db.execute("COMMIT")
        except BaseException:
            self._db.rollback()
            raise

    def _check_format(self) -> None:
        application = self._db.execute("PRAGMA application_id").fetchone()[0]
        version = self._db.execute("PRAGMA user_version").fetchone()[0]
        if application != APPLICATION:
            raise LogCorrupt(f"{self._path} is no LaserCats log; restore it from a backup")
        if version > FORMAT:
            raise LogTooNew(
                f"the log {self._path} has format {version}, this LaserCats reads up to {FORMAT}; upgrade it"
            )
        if version < FORMAT:
            self._migrate()

    def _migrate(self) -> None:
        """Bring a log of format 1 or 2 to this one: they knew nothing of what is deferred."""
        with self._commit():
            version = self._db.execute("PRAGMA user_version").fetchone()[0]
            if version == 1:
                self._migrate_snapshots()
            elif version < FORMAT:
                self._db.execute("ALTER TABLE open ADD COLUMN waits INTEGER")
            self._db.execute(f"PRAGMA user_version = {FORMAT}")

    def _migrate_snapshots(self) -> None:
        """Take in a log that had snapshots and no tables."""
        self._db.execute("ALTER TABLE records ADD COLUMN cause INTEGER")
        self._db.execute("DROP TABLE snapshots")
        for first in range(1, self.head() + 1, CHUNK):
            chunk = list(self.read(first, first + CHUNK - 1))
            self._db.executemany(
                "UPDATE records SET cause = ? WHERE position = ?",
                [(record.entry.cause, record.position) for record in chunk],
            )
        self._make_tables()

    def _make_tables(self) -> None:
        """Make the tables, and take all records into them."""
        for statement in _TABLES:
            self._db.execute(statement)
        for first in range(1, self.head() + 1, CHUNK):
            self._take_in(first, [record.entry for record in self.read(first, first + CHUNK - 1)])

    def _take_in(self, first: int, entries: Sequence[AnyEntry]) -> None:
        """Bring the tables up to date with entries, of which the first stands at a position."""
        put, begun, ended = list[tuple[Address, int, bytes | None]](), list[tuple[int]](), list[tuple[int]]()
        waiting = list[tuple[int, int]]()
        for position, entry in enumerate(entries, first):
            if isinstance(entry, Event):
                put += [(address, position, _body(raw)) for address, raw in left_by(entry)]
            elif isinstance(entry, Accepted):
                begun.append((position,))
            elif isinstance(entry, Deferred):
                waiting += [(entry.started, command) for command in entry.commands]
            elif isinstance(entry, Ended):
                ended.append((entry.command,))
        self._db.executemany(_PUT, put)
        self._db.executemany("INSERT INTO open VALUES (?, NULL)", begun)
        self._db.executemany("UPDATE open SET waits = ? WHERE position = ?", waiting)
        self._db.executemany("DELETE FROM open WHERE position = ?", ended)

    def _fold_of(self, position: int, addresses: Sequence[Address] | None) -> Fold:
        if addresses is None:
            rows = self._db.execute(_AS_OF, (position,)).fetchall()
        else:
            rows = [row for a in addresses for row in self._db.execute(_ONE_AS_OF, (position, a))]
        return Fold(position, {address: Version(since, _raw(body)) for address, since, body in rows})

    def _holding(self, position: int, text: str) -> Fold:
        """Return the fold of what holds a text; it is looked for in the bytes, where they are."""
        sql = f"SELECT * FROM ({_AS_OF}) WHERE instr(body, CAST(?2 AS BLOB))"  # noqa: S608 - made of ours
        rows = self._db.execute(sql, (position, text)).fetchall()
        return Fold(position, {address: Version(since, _raw(body)) for address, since, body in rows})

    def _version(self, address: Address) -> int:
        row = self._db.execute("SELECT since FROM present WHERE address = ?", (address,)).fetchone()
        return 0 if row is None else int(row[0])

    def _last_of(self, batch: int) -> int:
        row = self._db.execute("SELECT max(position) FROM records WHERE cause = ?", (batch,)).fetchone()
        return int(row[0] or 0)

    def _check_open(self) -> None:
        claims = Claims()
        for record in self.read(names=CLAIMING):
            claims.add(record.position, record.entry)
        open_ = dict(self._db.execute("SELECT position, waits FROM open"))
        if {position: opened.waits for position, opened in claims.open.items()} != open_:
            raise LogCorrupt(
                f"the log {self._path} keeps another list of open commands than its records tell; "
                "`lasercats verify --repair` makes it anew from them"
            )

    def _wrong_tables(self, address: Address) -> LogCorrupt:
        return LogCorrupt(
            f"the tables of the log {self._path} are not the fold of its events at {address}; "
            "`lasercats verify --repair` makes them anew from the records"
        )

    def _records(self, sql: str, arguments: Sequence[Any]) -> Iterator[Record]:
        with self._explained():
            for position, when, name, body in self._db.execute(sql, arguments):
                yield Record(position, when, self._decode(position, name, body))

    def _decode(self, position: int, name: str, body: bytes) -> AnyEntry:
        try:
            return _DECODERS[name].decode(body)
        except (KeyError, msgspec.DecodeError):
            raise LogCorrupt(
                f"record {position} of the log {self._path} cannot be read; restore it from a backup"
            ) from None

    def _load(self) -> None:
        """Take in where the log ends, and the commands that are open."""
        self._head = self.head()
        self._end_at(self._head)
        for position, waits in self._db.execute("SELECT * FROM open ORDER BY position").fetchall():
            for record in self.read(position, position):
                self._claims.add(position, record.entry)
            if waits is not None:
                self._claims.add(waits, Deferred(started=waits, commands=(position,)))

    def _catch_up(self) -> None:
        """Take in what others have written."""
        head = self.head()
        if head == self._head:
            return
        for record in self.read(self._head + 1, head, names=CLAIMING):
            self._claims.add(record.position, record.entry)
        self._end_at(head)
        self._head = head

    def _end_at(self, head: int) -> None:
        if not head:
            return
        row = self._db.execute("SELECT hash, time FROM records WHERE position = ?", (head,)).fetchone()
        if row is None or row[0] is None:
            raise LogCorrupt(f"the log {self._path} ends in the middle of a commit; restore it from a backup")
        self._hash, self._time = row

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


def _body(raw: msgspec.Raw) -> bytes | None:
    """Return an encoded resource as the tables hold it."""
    return _SPECIAL.get(body := bytes(raw), body)


def _raw(body: bytes | None) -> msgspec.Raw:
    """Return what the tables hold as an encoded resource."""
    if body is None:
        return NULL
    return msgspec.Raw(body) if body else FORGOTTEN


def _chain(before: bytes, rows: Sequence[tuple[Any, ...]]) -> bytes:
    """Hash what was there before, then place, time, type and length of each row, then all bodies."""
    heads = [(row[0], row[1], row[2], len(row[3])) for row in rows]
    return hashlib.sha256(b"".join([before, _encode(heads), *[row[3] for row in rows]])).digest()
