"""What is read of a log in PostgreSQL. No read needs a transaction: records never change.

What is wanted of now is wanted as of the position that `head` tells first, so it is right also while others
append; long reads are done page by page, so that nothing is held open while their reader thinks.
"""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from lasercats.core.address import Address
from lasercats.core.fold import Fold, Version
from lasercats.core.head import Head, Signature
from lasercats.core.record import Known, Record, Reversal
from lasercats.logs.postgresql_link import Link
from lasercats.logs.rows import decoded, known, tail
from lasercats.logs.schema import told

PAGE, ROOM = 10_000, 16 * 1024 * 1024
"""Records, and bytes of bodies, that are read at once: one more than the bytes allow, and at most so many."""
_END = 2**62
_READ = "SELECT position, coalesce(clock, time), type, body FROM @.records WHERE"
_PAGE_OF = f"""
SELECT position, clock, type, body, n FROM (
    SELECT *, sum(length(body)) OVER (ORDER BY {{order}}) - length(body) AS before, count(*) OVER () AS n
    FROM ({_READ.replace("time), type", "time) AS clock, type")} {{where}} ORDER BY {{order}} LIMIT {PAGE}) r
) r WHERE before < {ROOM} ORDER BY {{order}}
"""  # noqa: S608 - made of ours
_AS_OF = """
SELECT address, since, body FROM @.present WHERE since <= %s
UNION ALL SELECT address, since, body FROM @.past WHERE since <= %s AND until > %s
"""
POLL, IDLE = 0.005, 0.05
"""Seconds between two looks at whether there is more, just after there was, and at most."""


class PostgresqlReader:
    """A log in a schema of a database, to be read."""

    def __init__(self, link: Link, schema: str) -> None:
        """Read by a link what is in a schema, whose name is quoted."""
        self._link, self._schema = link, schema
        self._fold: Fold | None = None
        self._eras: list[tuple[int, int]] = []
        """Until which position records have which earlier format."""

    def _rows(self, sql: str, *arguments: Any) -> list[tuple[Any, ...]]:  # noqa: ANN401
        return self._link.rows(self._sql(sql), arguments)

    def _sql(self, sql: str) -> str:
        return sql.replace("@.", f"{self._schema}.")

    def read(
        self,
        first: int = 1,
        last: int | None = None,
        *,
        names: Sequence[str] = (),
        backwards: bool = False,
    ) -> Iterator[Record]:
        """Iterate over records from `first` to `last` inclusive, only those of these names if given."""
        low, high = max(first, 1), self.head() if last is None else min(last, _END)
        where = f"position BETWEEN %s AND %s{' AND type = ANY (%s)' if names else ''}"
        sql = _PAGE_OF.format(where=where, order="position DESC" if backwards else "position")
        while low <= high:
            rows = self._rows(sql, low, high, *([[*names]] if names else []))
            yield from decoded((row[:4] for row in rows), self._link.name, self._eras)
            if not rows or len(rows) == rows[-1][4] < PAGE:
                return
            low, high = (low, rows[-1][0] - 1) if backwards else (rows[-1][0] + 1, high)

    def caused(self, position: int) -> Iterator[Record]:
        """Iterate over the records that came of one: a command's events and end, a batch's outcomes."""
        rows = self._rows(f"{_READ} cause = %s ORDER BY position", position)
        yield from decoded(rows, self._link.name, self._eras)

    def head(self) -> int:
        """Return the position of the last record, 0 when there is none."""
        return int(self._rows("SELECT position FROM @.head")[0][0])

    def at(self, time: int) -> int:
        """Return the last position whose clock is at most a time in microseconds since 1970 UTC."""
        return int(self._rows("SELECT @.at(%s)", max(-(2**62), min(time, 2**62)))[0][0])

    def reversals(self, first: int = 1, last: int | None = None) -> list[Reversal]:
        """Return where from `first` to `last` inclusive the clock told less than at the position before."""
        sql = """SELECT s.first, coalesce(r.clock, r.time), s.low
            FROM @.segments s JOIN @.records r ON r.position = s.first - 1
            WHERE s.first BETWEEN %s AND %s ORDER BY s.first"""
        return [Reversal(*row) for row in self._rows(sql, first, 2**62 if last is None else last)]

    def writer(self, position: int) -> str:
        """Return the program that wrote a record, with its version; nothing where that was not recorded."""
        sql = "SELECT program FROM @.stretches WHERE first <= %s ORDER BY first DESC LIMIT 1"
        rows = self._rows(sql, position)
        return str(rows[0][0]) if rows else ""

    def mark(self, position: int | None = None) -> Head:
        """Return the end of the last append, or of the last one up to a position."""
        if position is None:
            return Head(*self._rows("SELECT position, hash FROM @.head")[0])
        sql = """SELECT position, hash FROM @.records WHERE hash IS NOT NULL AND position <= %s
            ORDER BY position DESC LIMIT 1"""
        rows = self._rows(sql, position)
        return Head(*rows[0]) if rows else Head(0, b"")

    def marked(self, digest: bytes) -> int | None:
        """Return the position at which a hash stands, if it does."""
        rows = self._rows("SELECT position FROM @.records WHERE hash = %b", digest)
        return int(rows[0][0]) if rows else None

    def signatures(self) -> list[Signature]:
        """Return the heads that somebody signed, in the order of positions."""
        sql = "SELECT position, signer, hash, time, signature FROM @.heads ORDER BY position, signer"
        return [Signature(*row) for row in self._rows(sql)]

    def fold(
        self,
        position: int | None = None,
        addresses: Sequence[Address] | None = None,
        *,
        holding: str | None = None,
    ) -> Fold:
        """Return the fold up to a position, by default up to now, of all addresses or of some."""
        head = self.head()
        at = head if position is None else min(position, head)
        if holding is not None:
            sql = f"SELECT * FROM ({_AS_OF}) v WHERE position(%b::bytea IN body) > 0"  # noqa: S608 - ours
            return self._folded(at, sql, holding.encode())
        if addresses is not None:
            sql = f"SELECT * FROM ({_AS_OF}) v WHERE address = ANY (%s)"  # noqa: S608 - made of ours
            return self._folded(at, sql, [*addresses])
        if at < head:
            return self._folded(at, _AS_OF)
        if self._fold is None:
            self._fold = self._folded(head, _AS_OF)
        self._fold.go_on(self.read(self._fold.position + 1, head, names=("event",)), head)
        return self._fold

    def _folded(self, position: int, sql: str, *arguments: Any) -> Fold:  # noqa: ANN401
        rows = self._rows(sql, position, position, position, *arguments)
        return Fold(position, {Address(address): Version(since, told(body)) for address, since, body in rows})

    def versions(self, address: Address) -> Iterator[Version]:
        """Iterate over all that an address held, the oldest first."""
        sql = """SELECT since, body FROM @.past WHERE address = %s
            UNION ALL SELECT since, body FROM @.present WHERE address = %s ORDER BY since"""
        for since, body in self._rows(sql, address, address):
            yield Version(since, told(body))

    def machines(self) -> Mapping[str, Known]:
        """Return what each machine is known by, by name."""
        return known(self._rows("SELECT machine, since, body FROM @.met ORDER BY machine"))

    def tail(self, after: int, *, patience: float) -> Iterator[Record]:
        """Iterate over records after a position as they come, until none came for `patience` seconds."""
        return tail(self.read, after, patience, POLL, IDLE)
