"""The default log: one SQLite file, in WAL mode, every commit synced to disk.

The tables, and what each is for, stand in `lasercats.logs.schema`; the hashes in `.chain`, earlier formats in
`.migration`, what `verify` asks in `.check`, and how a file is opened that cannot be written in `.opening`.

Each append is one transaction: the records, their hash, and what follows from them in the other tables.
"""

import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager, nullcontext
from operator import itemgetter
from pathlib import Path
from typing import Any

import msgspec

from lasercats.core.address import Address
from lasercats.core.errors import LogCorrupt, LogError, LogTooNew
from lasercats.core.fold import Claims, Fold, Open, Version, check_batches, check_versions, left_by
from lasercats.core.formats import modern
from lasercats.core.head import Head, Signature
from lasercats.core.lease import BEAT, Fence, Lease
from lasercats.core.record import (
    ENTRIES,
    Accepted,
    AnyEntry,
    Deferred,
    Ended,
    Event,
    Known,
    Late,
    Record,
    Reversal,
)
from lasercats.logs import about, check, heads, leases, met, migration, schema
from lasercats.logs.chain import Facts, chain
from lasercats.logs.opening import MEMORY, LogFile
from lasercats.program import PROGRAM

CLAIMING = ("accepted", "deferred", "ended", "late")
CHUNK = 10_000
"""Records that are taken in at once when the tables are made anew."""
_END = 2**62
"""Beyond the last position of any log, and within what SQLite can hold."""
_READ = f"SELECT position, {schema.CLOCK}, type, body FROM records WHERE"  # noqa: S608 - made of ours
_BACK = f"""
SELECT s.first, {schema.CLOCK}, s.low FROM segments s JOIN records ON position = s.first - 1
WHERE s.first BETWEEN ? AND ? ORDER BY s.first
"""  # noqa: S608 - made of ours
_DECODERS = {name: msgspec.json.Decoder(type_) for name, type_ in ENTRIES.items()}
_encode = msgspec.json.Encoder().encode


class SqliteLog:
    """A log in one SQLite file."""

    def __init__(
        self,
        path: Path | str,
        *,
        create: bool = False,
        exist_ok: bool = False,
        barred: str = "",
        mode: int = 0o600,
        clock: Callable[[], int] | None = None,
        program: str = PROGRAM,
    ) -> None:
        """Open the log at `path`, or make it, in a file of a `mode`; `:memory:` keeps it in memory.

        To `create` is also to finish what was begun and cut off; with `exist_ok` a whole one is opened. Where
        the file cannot be written, or is `barred` for a reason, it is opened for reading. `clock` tells
        microseconds since 1970, and `program` is recorded as what wrote.

        Raises:
            LogError: there is none, or one is there already.
            LogTooNew: a later version wrote it.
            LogCorrupt: it is no log of ours, or it is damaged.

        """
        self._file = LogFile(path, create=create, barred=barred, mode=mode)
        self._path, self._program = self._file.path, program
        self._clock = clock or (lambda: time.time_ns() // 1000)
        self._head, self._hash, self._time, self._told = 0, b"", 0, 0
        self._id, self._writer = "", (0, "")
        self._eras: list[tuple[int, int]] = []
        """Until which position records have which earlier format."""
        self._mine: dict[str, int] = {}
        """The leases that were taken here, each with its token; also those that somebody took over since."""
        self._claims: Claims | None = None
        self._fold: Fold | None = None
        with self._explained():
            self._db = self._file.connect()
            try:
                self._open(create=create, exist_ok=exist_ok)
            except BaseException:
                self.close()
                raise

    @property
    def id(self) -> str:
        """The id that the log was given when it was made; a copy of its file has the same."""
        return self._id

    def append(
        self,
        entries: Sequence[AnyEntry],
        *,
        expect: Mapping[Address, int] | None = None,
        seen: Mapping[int, int] | None = None,
        run: str = "",
        request: str = "",
        holder: str = "",
    ) -> int:
        """Commit entries together, durably, and return the position of the first."""
        self._file.check_writable()
        with self._explained(), self._commit():
            claims = self._catch_up()
            self._file.check_writable()
            if request and (before := self._requested(request)) is not None:
                return before
            first, told = self._head + 1, self._clock()
            fence = Fence(leases.tokens(self._db), self._mine, claims.open)
            if holder:
                fence.check_free(run)
            fence.check(entries, "" if holder else run, first, self._cause)
            check_versions(expect or {}, self._version)
            check_batches(seen or {}, self._last_of)
            claims.check(entries)
            if not entries:
                return first
            now = max(told, self._time)
            digest = self._insert(first, now, told, entries, run, request)
            self._take_in(first, entries)
            mine = self._leased(first, entries, claims, (run, holder), told)
        self._head, self._hash, self._time, self._told = self._head + len(entries), digest, now, told
        self._writer, self._mine = (schema.FORMAT, self._program), mine
        for position, entry in enumerate(entries, first):
            if entry.name in CLAIMING:
                claims.add(position, entry)
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
        sql = f"{_READ} position BETWEEN ? AND ?"
        arguments: list[Any] = [min(first, _END), _END if last is None else min(last, _END)]
        if names:
            sql += f" AND type IN ({', '.join('?' * len(names))})"
            arguments += names
        return self._records(f"{sql} ORDER BY position {'DESC' if backwards else 'ASC'}", arguments)

    def caused(self, position: int) -> Iterator[Record]:
        """Iterate over the records that came of one: a command's events and end, a batch's outcomes."""
        return self._records(f"{_READ} cause = ? ORDER BY position", [position])

    def head(self) -> int:
        """Return the position of the last record, 0 when there is none."""
        with self._explained():
            return int(self._db.execute("SELECT coalesce(max(position), 0) FROM records").fetchone()[0])

    def mark(self, position: int | None = None) -> Head:
        """Return the end of the last append, or of the last one up to a position."""
        with self._explained():
            return heads.head_at(self._db, position)

    def marked(self, digest: bytes) -> int | None:
        """Return the position at which a hash stands, if it does."""
        with self._explained():
            return heads.find(self._db, digest)

    def signatures(self) -> list[Signature]:
        """Return the heads that somebody signed, in the order of positions."""
        with self._explained():
            return heads.signatures(self._db)

    def sign(self, signed: Signature) -> None:
        """Keep a head that somebody signed, in place of one that the same signed there."""
        self._file.check_writable()
        with self._explained(), self._commit():
            heads.keep(self._db, signed)

    def at(self, time: int) -> int:
        """Return the last position whose clock is at most a time in microseconds since 1970 UTC."""
        with self._explained():
            sql = "SELECT first FROM segments WHERE low <= ? ORDER BY first DESC LIMIT 1"
            begin = self._db.execute(sql, (time,)).fetchone() or (0,)
            sql = "SELECT min(first) - 1 FROM segments WHERE first > ?"
            (end,) = self._db.execute(sql, begin).fetchone()
            low, high = begin[0], self.head() if end is None else end
            sql = f"SELECT {schema.CLOCK} FROM records WHERE position = ?"  # noqa: S608 - made of ours
            while low < high:
                middle = (low + high + 1) // 2
                row = self._db.execute(sql, (middle,)).fetchone()
                if row is None or not isinstance(row[0], int):
                    raise self._file.damaged(f"record {middle} has no time")
                low, high = (middle, high) if row[0] <= time else (low, middle - 1)
        return int(low)

    def reversals(self, first: int = 1, last: int | None = None) -> list[Reversal]:
        """Return where from `first` to `last` inclusive the clock told less than at the position before."""
        with self._explained():
            rows = self._db.execute(_BACK, (first, _END if last is None else last)).fetchall()
        return [Reversal(*row) for row in rows]

    def writer(self, position: int) -> str:
        """Return the program that wrote a record, with its version; nothing where that was not recorded."""
        sql = "SELECT program FROM stretches WHERE first <= ? ORDER BY first DESC LIMIT 1"
        with self._explained():
            row = self._db.execute(sql, (position,)).fetchone()
        return str(row[0]) if row else ""

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
                return self._folded(head if position is None else position, schema.HOLDING, holding)
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
                if type(since) is not int:
                    raise self._wrong_tables()
                yield Version(since, schema.told(body))

    def open(self) -> Mapping[int, Open]:
        """Return the commands that have not ended, by position."""
        with self._explained(), self._snapshot():
            return self._catch_up().open

    def leases(self) -> Mapping[str, Lease]:
        """Return which runs are at work, and who says so."""
        with self._explained(), self._snapshot():
            since, opened = about.used_since(self._db, leases.WORD), self._catch_up().open
            return leases.leases(self._db, self._clock(), opened, since)

    def take(self, run: str, holder: str, over: int = 0) -> None:
        """Take the lease of a run over from who has a token, or one that nobody has (0)."""
        self._file.check_writable()
        with self._explained(), self._commit():
            self._catch_up()
            about.use(self._db, "write", leases.WORD, self._head + 1)
            token = leases.take(self._db, run, holder, over, self._clock())
        self._mine[run] = token

    def release(self, run: str) -> None:
        """Give the lease of a run back, if it is still held here."""
        token = self._mine.pop(run, None)
        if token is not None:
            with self._explained(), self._commit():
                leases.drop(self._db, run, token)

    def beating(self, every: float = BEAT) -> AbstractContextManager[None]:
        """Say every so many seconds, as long as the context lasts, that the holder of leases lives."""
        if self._file.path == MEMORY:
            return nullcontext()
        return leases.beating(self._file.connect, lambda: dict(self._mine), self._clock, every)

    def machines(self) -> Mapping[str, Known]:
        """Return what each machine is known by, by name."""
        with self._explained():
            return met.known(self._db)

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
        with self._explained():
            return check.check_chain(self._db, self._path, self._id)

    def check_tables(self) -> int:
        """Check that the tables are the fold of the records; return how many versions there are.

        Raises:
            LogCorrupt: they are not.

        """
        with self._explained():
            check.check_open(self._db, self._path, self.read(names=CLAIMING))
            check.check_segments(self._db, self._path)
            met.check(self._db, self._path, self.read(names=("finished", "event", "met")))
            return check.check_tables(self._db, self._path, self.read(names=("event",)))

    def rebuild(self) -> None:
        """Make the tables anew from the records; those are not touched."""
        self._file.check_writable()
        with self._explained(), self._commit():
            for statement in schema.GONE:
                self._db.execute(statement)
            self._derive()
        self._head, self._claims, self._fold = 0, None, None

    def source(self) -> str | bytes:
        """Return what another process can read the log by: the URI of its file, or its bytes if in memory."""
        with self._explained():
            return self._file.source(self._db)

    def close(self) -> None:
        """Let go of the file."""
        self._db.close()
        self._file.close()

    def _open(self, *, create: bool, exist_ok: bool) -> None:
        self._db.execute("PRAGMA trusted_schema = OFF")  # whoever made the file says what is in its schema
        if create:
            self._create(exist_ok=exist_ok)
        version = self._version_of_format()
        if version < schema.FORMAT:
            self._migrate(version)
        if not self._file.barred:
            if self._db.execute("PRAGMA journal_mode").fetchone()[0] not in ("wal", "memory"):
                self._db.execute("PRAGMA journal_mode = WAL")
            self._db.execute("PRAGMA synchronous = FULL")
        self._learn()

    def _create(self, *, exist_ok: bool) -> None:
        """Make the tables, in one transaction, so that what is killed leaves all of them or none."""
        if self._is_empty():
            self._file.check_writable()
            self._db.execute("PRAGMA journal_mode = WAL")
            with self._commit():
                if self._is_empty():  # somebody else may have made them in the meantime
                    schema.make(self._db)
                    migration.begin(self._db)
        elif not exist_ok and self._pragma("application_id") == schema.APPLICATION:
            raise LogError(f"there is a log at {self._path} already")

    def _is_empty(self) -> bool:
        return not self._db.execute("SELECT count(*) FROM sqlite_schema").fetchone()[0]

    def _pragma(self, name: str) -> int:
        return int(self._db.execute(f"PRAGMA {name}").fetchone()[0])

    def _version_of_format(self) -> int:
        application, version = self._pragma("application_id"), self._pragma("user_version")
        if application != schema.APPLICATION or version < 1:
            if self._is_empty():
                raise LogError(
                    f"the log {self._path} was begun and not finished; `lasercats init` finishes it"
                )
            raise LogCorrupt(f"{self._path} is no LaserCats log; restore it from a backup")
        if version > schema.FORMAT:
            raise LogTooNew(
                f"the log {self._path} has format {version}, this LaserCats reads up to {schema.FORMAT}; "
                "upgrade it"
            )
        return version

    def _migrate(self, version: int) -> None:
        """Bring a log of an earlier format to this one; a copy of it, where it cannot be written."""
        if self._file.barred:
            self._db = self._file.into_memory(self._db)
        with self._commit():
            version = self._version_of_format()  # somebody else may have done it in the meantime
            if version < schema.FORMAT and migration.migrate(self._db, version):
                for statement in schema.GONE:
                    self._db.execute(statement)
                self._eras = about.eras(self._db, self.head())
                self._derive()

    def _learn(self) -> None:
        """Take in what the log says of itself."""
        facts = dict(self._db.execute("SELECT name, value FROM about"))
        if not facts.get("id") or not all(isinstance(fact, str) for fact in facts.values()):
            raise self._file.damaged("it does not tell its id")
        self._id = facts["id"]
        if strange := about.unknown(facts, "read"):
            raise LogTooNew(
                f"the log {self._path} keeps {strange} in a way that this LaserCats cannot read; upgrade it"
            )
        if (strange := about.unknown(facts, "write")) and not self._file.barred:
            self._file.barred = f"it keeps {strange}, which this LaserCats does not know; upgrade it"
        self._eras = about.eras(self._db, self.head())

    def _commit(self) -> AbstractContextManager[None]:
        """Write all of it or nothing."""
        return self._transaction("BEGIN IMMEDIATE")

    def _snapshot(self) -> AbstractContextManager[None]:
        """Let several reads see the log as it is at one moment."""
        return self._transaction("BEGIN")

    @contextmanager
    def _transaction(self, begin: str) -> Iterator[None]:
        self._db.execute(begin)
        try:
            yield
            self._db.execute("COMMIT")
        except BaseException:
            self._db.rollback()
            raise

    def _derive(self) -> None:
        """Make the tables that follow from the records, and take all records into them."""
        for statement in schema.DERIVED:
            self._db.execute(statement)
        for first in range(1, self.head() + 1, CHUNK):
            self._take_in(first, [record.entry for record in self.read(first, first + CHUNK - 1)])
        self._db.executemany("INSERT INTO segments VALUES (?, ?)", list(check.segments(self._db)))

    def _insert(
        self, first: int, now: int, told: int, entries: Sequence[AnyEntry], run: str, request: str
    ) -> bytes:
        """Write records, and where the program or the course of the clock is another; return the hash."""
        clock = None if told == now else told
        rows = [
            (at, now, entry.name, _encode(entry), entry.cause, clock)
            for at, entry in enumerate(entries, first)
        ]
        digest = chain(self._hash, Facts(self._id, told, self._program, run, request), rows)
        ends = [(*rows[0], None, run or None, request or None), (*rows[-1], digest, None, None)]
        if len(rows) == 1:
            ends = [(*rows[0], digest, run or None, request or None)]
        self._db.execute(schema.INSERT, ends[0])
        self._db.executemany(schema.INSERT_MORE, rows[1:-1])
        self._db.executemany(schema.INSERT, ends[1:])
        if self._writer != (schema.FORMAT, self._program):
            self._db.execute("INSERT INTO stretches VALUES (?, ?, ?)", (first, schema.FORMAT, self._program))
        if told < self._told:
            self._db.execute("INSERT INTO segments VALUES (?, ?)", (first, told))
        return digest

    def _take_in(self, first: int, entries: Sequence[AnyEntry]) -> None:
        """Bring the tables up to date with entries, of which the first stands at a position."""
        put, begun, ended = list[tuple[Address, int, bytes | None]](), list[tuple[int]](), list[tuple[int]]()
        waiting = list[tuple[int, int]]()
        for position, entry in enumerate(entries, first):
            if isinstance(entry, Event):
                put += [(address, position, schema.stored(raw)) for address, raw in left_by(entry)]
            elif isinstance(entry, Accepted | Late):
                begun.append((position,))
            elif isinstance(entry, Deferred):
                waiting += [(entry.started, command) for command in entry.commands]
            elif isinstance(entry, Ended):
                ended.append((entry.command,))
            met.take_in(self._db, position, entry)
        self._db.executemany(schema.PUT, put)
        self._db.executemany("INSERT INTO open VALUES (?, NULL)", begun)
        self._db.executemany("UPDATE open SET waits = ? WHERE position = ?", waiting)
        self._db.executemany("DELETE FROM open WHERE position = ?", ended)
        if any(isinstance(entry, Late) for entry in entries):
            about.use(self._db, "read", about.LATE, first)

    def _leased(
        self,
        first: int,
        entries: Sequence[AnyEntry],
        claims: Claims,
        taking: tuple[str, str],
        now: int,
    ) -> dict[str, int]:
        """Take the lease of a run for a holder, give back those of runs that are over; return the rest."""
        (run, holder), mine = taking, dict(self._mine)
        if holder:
            about.use(self._db, "write", leases.WORD, first)
            mine[run] = leases.give(self._db, run, holder, now)
        if not mine:
            return mine
        for held, token in [*mine.items()]:
            if claims.works(held, first, entries):
                leases.touch(self._db, held, token, now)
            elif leases.tokens(self._db).get(held) == token:
                leases.drop(self._db, held, token)
                del mine[held]
        return mine

    def _cause(self, position: int) -> int | None:
        row = self._db.execute("SELECT cause FROM records WHERE position = ?", (position,)).fetchone()
        return row[0] if row else None

    def _fold_of(self, position: int, addresses: Sequence[Address] | None) -> Fold:
        if addresses is None:
            return self._folded(position, schema.AS_OF)
        found = [self._folded(position, schema.ONE_AS_OF, address).entries for address in addresses]
        return Fold(position, {address: version for one in found for address, version in one.items()})

    def _folded(self, position: int, sql: str, *arguments: str) -> Fold:
        rows = self._db.execute(sql, (position, *arguments)).fetchall()
        entries = {address: Version(since, schema.told(body)) for address, since, body in rows}
        if {*map(type, entries)} - {str} or {*map(type, map(itemgetter(1), rows))} - {int}:
            raise self._wrong_tables()
        return Fold(position, entries)

    def _wrong_tables(self) -> LogCorrupt:
        return LogCorrupt(
            f"the tables of the log {self._path} hold what cannot be; `lasercats verify --repair` makes them "
            "anew from the records"
        )

    def _version(self, address: Address) -> int:
        row = self._db.execute("SELECT since FROM present WHERE address = ?", (address,)).fetchone()
        if row is not None and type(row[0]) is not int:
            raise self._wrong_tables()
        return 0 if row is None else int(row[0])

    def _last_of(self, batch: int) -> int:
        row = self._db.execute("SELECT max(position) FROM records WHERE cause = ?", (batch,)).fetchone()
        return int(row[0] or 0)

    def _requested(self, request: str) -> int | None:
        row = self._db.execute("SELECT position FROM records WHERE request = ?", (request,)).fetchone()
        return None if row is None else int(row[0])

    def _records(self, sql: str, arguments: Sequence[Any]) -> Iterator[Record]:
        eras = self._eras
        with self._explained():
            for position, when, name, body in self._db.execute(sql, arguments):
                if type(when) is not int or type(body) is not bytes:
                    raise self._illegible(position)
                try:
                    for end, format_ in eras:
                        if position < end:
                            body = modern(format_, name, body)  # noqa: PLW2901 - it is the same body
                            break
                    body.decode()  # parts of it are carried as they are, and decoded later
                    entry = _DECODERS[name].decode(body)
                except (KeyError, UnicodeDecodeError, RecursionError, msgspec.DecodeError):
                    raise self._illegible(position) from None
                yield Record(position, when, entry)

    def _illegible(self, position: int) -> LogCorrupt:
        return LogCorrupt(
            f"record {position} of the log {self._path} cannot be read; restore it from a backup"
        )

    def _catch_up(self) -> Claims:
        """Take in what others have written; return the open commands. It is called in a transaction."""
        head, claims = self.head(), self._claims
        if claims is None:
            claims = self._load_claims()
        elif head != self._head:
            for record in self.read(self._head + 1, head, names=CLAIMING):
                claims.add(record.position, record.entry)
        if head != self._head:
            self._end_at(head)
        self._claims, self._head = claims, head
        return claims

    def _load_claims(self) -> Claims:
        claims = Claims()
        for position, waits in self._db.execute("SELECT * FROM open ORDER BY position").fetchall():
            if not isinstance(waits, int | None):
                raise self._wrong_tables()
            for record in self.read(position, position):
                claims.add(position, record.entry)
            if waits is not None:
                claims.add(waits, Deferred(started=waits, commands=(position,)))
        return claims

    def _end_at(self, head: int) -> None:
        """Take in how the log ends: what the next append is bound to."""
        if not head:
            return
        self._learn()
        sql = f"SELECT hash, time, {schema.CLOCK} FROM records WHERE position = ?"  # noqa: S608 - made of ours
        row = self._db.execute(sql, (head,)).fetchone()
        if row is None or not isinstance(row[0], bytes) or not isinstance(row[2], int):
            raise LogCorrupt(f"the log {self._path} ends in the middle of a commit; restore it from a backup")
        self._hash, self._time, self._told = row
        sql = "SELECT format, program FROM stretches WHERE first <= ? ORDER BY first DESC LIMIT 1"
        self._writer = self._db.execute(sql, (head,)).fetchone() or (0, "")

    @contextmanager
    def _explained(self) -> Iterator[None]:
        """Turn the errors of SQLite into ours."""
        with self._file.explained():
            yield
