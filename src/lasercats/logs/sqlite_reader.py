"""What is read of a log in SQLite besides its records: their fold, their times, and the heads of the log."""

from collections.abc import Iterator, Mapping, Sequence
from operator import itemgetter

from lasercats.core.address import Address
from lasercats.core.errors import LogCorrupt
from lasercats.core.fold import Fold, Version
from lasercats.core.head import Head, Signature
from lasercats.core.record import Known, Record, Reversal
from lasercats.logs import heads, met, schema
from lasercats.logs.rows import tail
from lasercats.logs.sqlite_base import END, SqliteBase

_BACK = f"""
SELECT s.first, {schema.CLOCK}, s.low FROM segments s JOIN records ON position = s.first - 1
WHERE s.first BETWEEN ? AND ? ORDER BY s.first
"""  # noqa: S608 - made of ours

POLL = 0.05
"""Seconds between two looks at whether there is more."""


class SqliteReader(SqliteBase):
    """A log in one SQLite file, to be read."""

    _fold: Fold | None = None

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
            rows = self._db.execute(_BACK, (first, END if last is None else last)).fetchall()
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
            self._fold.go_on(self.read(self._fold.position + 1, head, names=("event",)), head)
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

    def machines(self) -> Mapping[str, Known]:
        """Return what each machine is known by, by name."""
        with self._explained():
            return met.known(self._db)

    def tail(self, after: int, *, patience: float) -> Iterator[Record]:
        """Iterate over records after a position as they come, until none came for `patience` seconds."""
        return tail(self.read, after, patience, POLL, POLL)

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
