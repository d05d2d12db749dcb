"""A log in PostgreSQL, for a team: one schema of a database, with a function that appends.

An append is one call of that function (`postgresql.sql`), so nobody can stall or die between its lock and
its commit, and a writer needs no right but to call it. It carries the id of a request, so it is repeated
where its answer was lost: by the server it is done once. What refuses it there is told in the sentences of
the core.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager, suppress
from secrets import token_hex
from typing import Any

import msgspec

from lasercats.core.address import Address
from lasercats.core.errors import LogError
from lasercats.core.fold import Open
from lasercats.core.head import Signature
from lasercats.core.lease import BEAT, Lease
from lasercats.core.record import AnyEntry, Record, check_said
from lasercats.core.sealing import Schemas
from lasercats.core.sql import Answer, Bounds, Resolve, Sql
from lasercats.core.stores import Copy
from lasercats.logs import about, check, leases, met, postgresql_copy
from lasercats.logs.beats import beating
from lasercats.logs.postgresql_facts import facts
from lasercats.logs.postgresql_link import Link
from lasercats.logs.postgresql_reader import PostgresqlReader
from lasercats.logs.postgresql_schema import quoted, ready
from lasercats.logs.rows import CLAIMING
from lasercats.program import PROGRAM

_APPEND = """
SELECT * FROM @.append(%s::text, %s::text, %s::text, %s::text, %s::bigint, %s::text[], %s::bigint[],
    %s::text[], %b::bytea[], %s::bigint[], %s::int[], %s::text[], %b::bytea[], %s::bigint[], %s::jsonb,
    %s::text[])
"""
_KNOWN = sorted(about.KNOWN["write"])
_DERIVED = ("segments", "present", "past", "open", "claims", "met")
_CHUNK = 10_000
"""Records that are taken in at once when the tables are made anew."""
_encode = msgspec.json.Encoder().encode


class PostgresqlLog(PostgresqlReader):
    """A log in a schema of a database."""

    def __init__(
        self,
        conninfo: str,
        schema: str = "lasercats",
        name: str = "",
        *,
        create: bool = False,
        exist_ok: bool = False,
        barred: str = "",
        clock: Callable[[], int] | None = None,
        program: str = PROGRAM,
    ) -> None:
        """Open the log in a schema, or make it; `conninfo` is what libpq connects by.

        With `exist_ok` one that is there is opened. One that is `barred`, for a reason, is only read. `clock`
        is for tests, in place of the one of the server; `program` is recorded as what wrote.

        Raises:
            LogError: there is none, or one is there already, or the server cannot be reached.
            LogTooNew: a later version wrote it.
            LogCorrupt: it is no log of ours, or it is damaged.

        """
        super().__init__(Link(conninfo, name or schema), quoted(schema))
        self._clock, self._program, self._barred = clock, program, barred
        self._mine: dict[str, int] = {}
        """The leases that were taken here, each with its token; also those that somebody took over since."""
        try:
            self._learn(ready(self._link, schema, create=create, exist_ok=exist_ok))
        except BaseException:
            self._link.close()
            raise

    def _learn(self, answer: Mapping[str, str]) -> None:
        self.id = answer["id"]
        stretches = self._rows("SELECT first, format FROM @.stretches ORDER BY first")
        self._eras = about.eras(stretches, self.head())
        if strange := about.unknown(answer, "write"):
            self._barred = f"it keeps {strange}, which this LaserCats does not know; upgrade it"

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
        self._check_writable()
        check_said(entries)
        what = (request or token_hex(8), run, holder, self._program, self._now())
        mine = ([*self._mine] or None, [*self._mine.values()] or None)
        arguments = (*what, *mine, *_said(entries, {"expect": expect, "seen": seen}), _KNOWN)
        ((first, token, dropped),) = self._rows(_APPEND, *arguments)
        if token is not None:
            self._mine[run] = token
        for over in dropped or ():
            self._mine.pop(over, None)
        return int(first)

    def sign(self, signed: Signature) -> None:
        """Keep a head that somebody signed, in place of one that the same signed there."""
        self._check_writable()
        self._rows("SELECT @.sign(%s::bigint, %s::text, %b::bytea, %s::bigint, %b::bytea)", *signed)

    def open(self) -> Mapping[int, Open]:
        """Return the commands that have not ended, by position."""
        sql = "SELECT position, run, process, actor, claims, held, waits, late FROM @.open ORDER BY position"
        return {
            position: Open(run, process, actor, tuple(map(Address, claims)), held, waits, late)
            for position, run, process, actor, claims, held, waits, late in self._rows(sql)
        }

    def leases(self) -> Mapping[str, Lease]:
        """Return which runs are at work, and who says so.

        When the server began nobody could say so before: an age counts from then.
        """
        began = "(extract(epoch FROM pg_postmaster_start_time()) * 1000000)::bigint"
        beat = "l.beat" if self._clock else f"greatest(l.beat, {began})"
        sql = f"SELECT run, token, holder, @.now(%s::bigint) - {beat} FROM @.leases l"  # noqa: S608 - ours
        rows = self._rows(sql, self._now())
        words = self._rows("SELECT value FROM @.about WHERE name = %s", f"{leases.WORD} since")
        since = int(words[0][0]) if words else None
        return leases.unleased(self.open(), since) | {
            run: Lease(run, token, holder, max(0, age) / 1e6) for run, token, holder, age in rows
        }

    def take(self, run: str, holder: str, over: int = 0) -> None:
        """Take the lease of a run over from who has a token, or one that nobody has (0)."""
        self._check_writable()
        sql = "SELECT @.take(%s::text, %s::text, %s::bigint, %s::bigint, %s::text)"
        ((token,),) = self._rows(sql, run, holder, over, self._now(), token_hex(8))
        self._mine[run] = token

    def release(self, run: str) -> None:
        """Give the lease of a run back, if it is still held here."""
        token = self._mine.pop(run, None)
        if token is not None:
            self._rows("SELECT @.release(%s::text, %s::bigint)", run, token)

    def beating(self, every: float = BEAT) -> AbstractContextManager[None]:
        """Say every so many seconds, as long as the context lasts, that the holder of leases lives."""
        return beating(self._saying, every)

    @contextmanager
    def _saying(self) -> Iterator[Callable[[], None]]:
        link, sql = self._link.another(), self._sql("SELECT @.beat(%s::text[], %s::bigint[], %s::bigint)")

        def say() -> None:
            held = dict(self._mine)
            if held:
                with suppress(LogError):  # a beat that is left out harms nobody
                    link.rows(sql, ([*held], [*held.values()], self._now()))

        yield say
        link.close()

    def check_chain(self) -> int:
        """Check every hash and every position; return how many records there are."""
        sql = "SELECT position, time, type, body, hash, clock, run, request FROM @.records ORDER BY position"
        with self._link.snapshot():
            stretches = self._rows("SELECT first, format, program FROM @.stretches ORDER BY first")
            count = check.check_chain(self._link.stream(self._sql(sql)), stretches, self._link.name, self.id)
            check.check_head(self.mark(), self.mark(count), self._link.name)
            return count

    def check_tables(self) -> int:
        """Check that the tables are the fold of the records; return how many versions there are."""
        name = self._link.name
        with self._link.snapshot():
            check.check_open(self.open(), name, self.read(names=CLAIMING))
            claims = self._rows("SELECT address, position FROM @.claims")
            check.check_claims(claims, self.open(), name)
            clocks = self._link.stream(
                self._sql("SELECT position, coalesce(clock, time) FROM @.records ORDER BY position")
            )
            segments = self._rows("SELECT first, low FROM @.segments ORDER BY first")
            check.check_segments(segments, clocks, name)
            met.check(self.machines(), name, self.read(names=("finished", "event", "met")))
            sql = """SELECT since, address, body, until FROM @.past
                UNION ALL SELECT since, address, body, NULL FROM @.present ORDER BY since, address"""
            versions = self._link.stream(self._sql(sql))
            return check.check_tables(versions, name, self.read(names=("event",)))

    def rebuild(self) -> None:
        """Make the tables anew from the records; those are not touched. Only the owner of the log may."""
        self._check_writable()
        with self._alone():
            self._derive()

    @contextmanager
    def _alone(self) -> Iterator[None]:
        """Write in one transaction, to which nobody else writes meanwhile."""
        with self._link.transaction(self._sql("LOCK TABLE @.gate IN SHARE ROW EXCLUSIVE MODE")):
            yield
        self._fold = None

    def _derive(self) -> None:
        """Make the tables that follow from the records, and take all records into them."""
        for table in _DERIVED:
            self._link.run(self._sql(f"DELETE FROM @.{table}"))  # noqa: S608 - ours
        for first in range(1, self.head() + 1, _CHUNK):
            self._take_in(first, [*self.read(first, first + _CHUNK - 1)])
        sql = """INSERT INTO @.segments SELECT position, clock FROM (
            SELECT position, coalesce(clock, time) AS clock,
                lag(coalesce(clock, time)) OVER (ORDER BY position) AS before FROM @.records
        ) r WHERE clock < before"""
        self._link.run(self._sql(sql))

    def copy(self) -> Copy:
        """Return all of it up to its head."""
        return postgresql_copy.give(self._link, self._sql, self.head())

    def fill(self, copy: Copy) -> None:
        """Take in a log that came from another store; all of it or nothing. Only the owner may.

        Raises:
            LogError: there are records already.

        """
        self._check_writable()
        with self._alone():
            if self.head():
                raise LogError(f"there is a log at {self._link.name} already, and it is not empty")
            postgresql_copy.take(self._link, self._sql, copy)
            self.id = copy.log
            self._eras = about.eras([(first, format_) for first, format_, _ in copy.stretches], self.head())
            self._derive()

    def _take_in(self, first: int, records: Sequence[Record]) -> None:
        puts, addresses, states, _, more = facts([record.entry for record in records])
        arguments = (first, puts or None, addresses or None, states or None, _encode(more).decode())
        sql = "SELECT @.take_in(%s::bigint, %s::int[], %s::text[], %b::bytea[], %s::jsonb)"
        self._link.run(self._sql(sql), arguments)

    def admit(self, readers: Sequence[str], writers: Sequence[str]) -> None:
        """Let roles read the log, or also append to it; only its owner may.

        Raises:
            LogError: this is not the owner, or there is no such role.

        """
        for role, writes in [*((role, False) for role in readers), *((role, True) for role in writers)]:
            self._rows("SELECT @.admit(%s::text, %s::boolean)", role, writes)

    @property
    def sql(self) -> Sql:
        """The SQL of queries."""
        from lasercats.logs.postgresql_dialect import PostgresqlSql  # noqa: PLC0415 - sqlglot is large

        return PostgresqlSql(self._schema)

    def query(self, sql: str, schemas: Schemas, resolve: Resolve, bounds: Bounds) -> Answer:
        """Answer a query over the tables of the log; the texts in it were resolved when it was made."""
        from lasercats.logs.postgresql_query import answer  # noqa: PLC0415 - as above

        del resolve
        return answer(self._link, sql, schemas, bounds)

    def close(self) -> None:
        """Let go of the connection."""
        self._link.close()

    def _now(self) -> int | None:
        return None if self._clock is None else self._clock()

    def _check_writable(self) -> None:
        if self._barred:
            raise LogError(
                f"the log {self._link.name} can only be read here: {self._barred}; nothing was written",
            )


def _said(entries: Sequence[AnyEntry], seen: Mapping[str, Mapping[Any, int] | None]) -> tuple[Any, ...]:
    """Return what an append tells of entries and of what was seen; what is empty is NULL."""
    puts, addresses, states, commands, more = facts(entries)
    more |= {key: value for key, value in seen.items() if value}
    names, bodies = [entry.name for entry in entries], [_encode(entry) for entry in entries]
    lists = (names, bodies, [entry.cause for entry in entries], puts, addresses, states, commands)
    return (*(one or None for one in lists), _encode(more).decode() if more else "{}")
