"""A log in SQLite as it is opened: its file, its format, and its records.

The tables, and what each is for, stand in `lasercats.logs.schema`; `.migration` brings a log of an earlier
format to this one, and `.opening` tells how a file is opened that cannot be written.
"""

import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path
from typing import Any

from lasercats.core.errors import LogCorrupt, LogError, LogTooNew
from lasercats.core.record import Record
from lasercats.logs import about, migration, schema, sqlite_writing
from lasercats.logs.opening import LogFile
from lasercats.logs.rows import decoded
from lasercats.program import PROGRAM

END = 2**62
"""Beyond the last position of any log, and within what SQLite can hold."""
_STRETCHES = "SELECT first, format FROM stretches ORDER BY first"
_READ = f"SELECT position, {schema.CLOCK}, type, body FROM records WHERE"  # noqa: S608 - made of ours


class SqliteBase:
    """A log in one SQLite file, opened."""

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
        self._id = ""
        self._eras: list[tuple[int, int]] = []
        """Until which position records have which earlier format."""
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
        arguments: list[Any] = [min(first, END), END if last is None else min(last, END)]
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
                self._eras = about.eras(self._db.execute(_STRETCHES).fetchall(), self.head())
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
        self._eras = about.eras(self._db.execute(_STRETCHES).fetchall(), self.head())

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
        sqlite_writing.derive(self._db, self.head(), self.read)

    def _records(self, sql: str, arguments: Sequence[Any]) -> Iterator[Record]:
        with self._explained():
            yield from decoded(self._db.execute(sql, arguments), self._path, self._eras)

    @contextmanager
    def _explained(self) -> Iterator[None]:
        """Turn the errors of SQLite into ours."""
        with self._file.explained():
            yield
