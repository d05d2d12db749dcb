"""The default log: one SQLite file, in WAL mode, every commit synced to disk.

The tables, and what each is for, stand in `lasercats.logs.schema`; the hashes in `.chain`, earlier formats in
`.migration`, what `verify` asks in `.check`, what queries ask in `.sqlite_tables`, and how a file is opened
that cannot be written in `.opening`. `SqlitePlace` is where a log is in a project.

Each append is one transaction: the records, their hash, and what follows from them in the other tables.
"""

from collections.abc import Mapping, Sequence
from contextlib import AbstractContextManager, nullcontext
from functools import partial
from operator import attrgetter
from typing import Any

from lasercats.core.address import Address
from lasercats.core.errors import LogCorrupt, LogError
from lasercats.core.fold import Claims, Open, check_batches, check_versions
from lasercats.core.head import Signature
from lasercats.core.lease import BEAT, Fence, Lease
from lasercats.core.record import AnyEntry, Deferred, check_said
from lasercats.core.sealing import Schemas
from lasercats.core.sql import Answer, Bounds, Resolve, Sql
from lasercats.core.stores import Copy
from lasercats.logs import about, check, heads, leases, met, schema, sqlite_copy, sqlite_writing
from lasercats.logs.beats import beating
from lasercats.logs.chain import Facts
from lasercats.logs.opening import MEMORY
from lasercats.logs.rows import CLAIMING
from lasercats.logs.sqlite_reader import SqliteReader


class SqliteLog(SqliteReader):
    """A log in one SQLite file."""

    def __init__(self, *args: Any, **options: Any) -> None:  # noqa: ANN401
        """Open the log, or make it, as `SqliteBase` tells."""
        self._head, self._hash, self._time, self._latest = 0, b"", 0, 0
        self._writer = (0, "")
        self._mine: dict[str, int] = {}
        """The leases that were taken here, each with its token; also those that somebody took over since."""
        self._claims: Claims | None = None
        super().__init__(*args, **options)

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
        check_said(entries)
        with self._explained(), self._commit():
            claims = self._catch_up()
            self._file.check_writable()
            if request and (before := self._requested(request)) is not None:
                return before
            first, clock = self._head + 1, self._clock()
            fence = Fence(leases.tokens(self._db), self._mine, claims.open)
            if holder:
                fence.check_free(run)
            fence.check(entries, "" if holder else run, first, self._cause)
            check_versions(expect or {}, self._version)
            check_batches(seen or {}, self._last_of)
            claims.check(entries)
            if not entries:
                return first
            now = max(clock, self._time)
            facts = Facts(self._id, clock, self._program, run, request)
            digest = sqlite_writing.insert(self._db, self._hash, facts, first, now, entries)
            self._note_course(first, clock)
            sqlite_writing.take_in(self._db, first, entries)
            taking = (run, holder)
            mine = sqlite_writing.leased(self._db, first, entries, claims, taking, clock, self._mine)
        self._head, self._hash, self._time, self._latest = self._head + len(entries), digest, now, clock
        self._writer, self._mine = (schema.FORMAT, self._program), mine
        for position, entry in enumerate(entries, first):
            if entry.name in CLAIMING:
                claims.add(position, entry)
        return first

    def sign(self, signed: Signature) -> None:
        """Keep a head that somebody signed, in place of one that the same signed there."""
        self._file.check_writable()
        with self._explained(), self._commit():
            heads.keep(self._db, signed)

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
        ready = partial(leases.saying, self._file.connect, lambda: dict(self._mine), self._clock)
        return beating(ready, every)

    def check_chain(self) -> int:
        """Check every hash and every position; return how many records there are.

        Raises:
            LogCorrupt: a record was changed, removed or put in, with the position where the chain breaks.

        """
        with self._explained():
            stretches = self._db.execute(
                "SELECT first, format, program FROM stretches ORDER BY first"
            ).fetchall()
            return check.check_chain(self._db.execute(schema.ROWS), stretches, self._path, self._id)

    def check_tables(self) -> int:
        """Check that the tables are the fold of the records; return how many versions there are.

        Raises:
            LogCorrupt: they are not.

        """
        with self._explained():
            waits = dict(self._db.execute("SELECT position, waits FROM open"))
            check.check_open(waits, self._path, self.read(names=CLAIMING), attrgetter("waits"))
            segments = self._db.execute("SELECT first, low FROM segments ORDER BY first").fetchall()
            check.check_segments(segments, self._db.execute(schema.CLOCKS), self._path)
            met.check(met.known(self._db), self._path, self.read(names=("finished", "event", "met")))
            return check.check_tables(
                self._db.execute(schema.VERSIONS), self._path, self.read(names=("event",))
            )

    def rebuild(self) -> None:
        """Make the tables anew from the records; those are not touched."""
        self._file.check_writable()
        with self._explained(), self._commit():
            for statement in schema.GONE:
                self._db.execute(statement)
            self._derive()
        self._head, self._claims, self._fold = 0, None, None

    def copy(self) -> Copy:
        """Return all of it up to its head."""
        with self._explained():
            return sqlite_copy.give(self._db, self.head())

    def fill(self, copy: Copy) -> None:
        """Take in a log that came from another store; all of it or nothing.

        Raises:
            LogError: there are records already.

        """
        self._file.check_writable()
        with self._explained(), self._commit():
            if self.head():
                raise LogError(f"there is a log at {self._path} already, and it is not empty")
            sqlite_copy.take(self._db, copy)
            self._learn()
            for statement in schema.GONE:
                self._db.execute(statement)
            self._derive()
        self._head, self._claims, self._fold = 0, None, None

    @property
    def sql(self) -> Sql:
        """The SQL of queries."""
        from lasercats.logs.sqlite_dialect import SqliteSql  # noqa: PLC0415 - sqlglot takes long to import

        return SqliteSql()

    def query(self, sql: str, schemas: Schemas, resolve: Resolve, bounds: Bounds) -> Answer:
        """Answer a query over the tables of the log, in a process of its own."""
        from lasercats.logs.sqlite_process import run  # noqa: PLC0415 - as above

        return run(self.source(), sql, schemas, resolve, bounds)

    def source(self) -> str | bytes:
        """Return what another process can read the log by: the URI of its file, or its bytes if in memory."""
        with self._explained():
            return self._file.source(self._db)

    def _note_course(self, first: int, clock: int) -> None:
        """Write, where the program or the course of the clock is another from a position on, that it is."""
        if self._writer != (schema.FORMAT, self._program):
            self._db.execute("INSERT INTO stretches VALUES (?, ?, ?)", (first, schema.FORMAT, self._program))
        if clock < self._latest:
            self._db.execute("INSERT INTO segments VALUES (?, ?)", (first, clock))

    def _cause(self, position: int) -> int | None:
        row = self._db.execute("SELECT cause FROM records WHERE position = ?", (position,)).fetchone()
        return row[0] if row else None

    def _last_of(self, batch: int) -> int:
        row = self._db.execute("SELECT max(position) FROM records WHERE cause = ?", (batch,)).fetchone()
        return int(row[0] or 0)

    def _requested(self, request: str) -> int | None:
        row = self._db.execute("SELECT position FROM records WHERE request = ?", (request,)).fetchone()
        return None if row is None else int(row[0])

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
        self._hash, self._time, self._latest = row
        sql = "SELECT format, program FROM stretches WHERE first <= ? ORDER BY first DESC LIMIT 1"
        self._writer = self._db.execute(sql, (head,)).fetchone() or (0, "")
