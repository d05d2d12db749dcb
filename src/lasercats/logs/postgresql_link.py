"""The connection to the server of a log: made again when it is lost, and its faults in our words.

No transaction is held open while anything else is done, and nothing is asked of the session: so it works
behind a pooler, too (PgBouncer in transaction mode). What is only read is asked again when the connection was
lost; an append is, too, as it carries a request (`PostgresqlLog.append`).
"""

import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING, Any, TypeVar

import msgspec

from lasercats.core import fold, lease
from lasercats.core.errors import LaserCatsError, LogCorrupt, LogError
from lasercats.core.fold import Open

if TYPE_CHECKING:
    import psycopg

T = TypeVar("T")
PATIENCE, FIRST = 30.0, 2.0
"""Seconds for which a server that went away is called again, and one that was not there at first."""
_PAUSES = (0.05, 0.1, 0.2, 0.5, 1.0)
_SETTINGS: Mapping[str, Any] = {
    "application_name": "lasercats",
    "client_encoding": "UTF8",
    "connect_timeout": 10,
    "target_session_attrs": "read-write",
    "keepalives_idle": 10,
    "keepalives_interval": 5,
    "keepalives_count": 3,
    "tcp_user_timeout": 30_000,
}
_GONE = ("08", "57P01", "57P02", "57P03", "25006", "53300")
"""How SQLSTATEs begin that tell of a server that ends, begins, is a standby, or has no room for more."""


def driver(name: str) -> Any:  # noqa: ANN401
    """Return psycopg, which is only loaded when a log in PostgreSQL is opened.

    Raises:
        LaserCatsError: it is not installed.

    """
    try:
        import psycopg  # noqa: PLC0415 - start-up stays light, and it need not be there
    except ImportError as error:
        raise LaserCatsError(
            f"the log {name} needs the Python package psycopg, which is not installed or cannot be loaded "
            f"({str(error).splitlines()[0]})",
            remedy="install it with `pip install 'lasercats[postgresql]'`",
        ) from None
    return psycopg


class Link:
    """One connection, which is made when it is needed."""

    def __init__(self, conninfo: str, name: str, settings: Mapping[str, Any] | None = None) -> None:
        """Remember where to connect to, and what the log there is called."""
        self.name = name
        self._conninfo, self._settings = conninfo, {**_SETTINGS, **(settings or {})}
        self.driver = driver(name)
        self._held: psycopg.Connection[Any] | None = None
        self._inside = False

    def another(self) -> "Link":
        """Return a link of its own to the same place."""
        return Link(self._conninfo, self.name, self._settings)

    def connection(self) -> "psycopg.Connection[Any]":
        """Return the connection; a new one where there is none, or it was lost."""
        held = self._held
        if held is None or held.closed:
            held = self.driver.connect(
                self._conninfo, autocommit=True, prepare_threshold=None, **self._settings
            )
            held.add_notice_handler(lambda _: None)
            self._held = held
        return held

    def rows(self, sql: str, arguments: Sequence[Any] = ()) -> list[tuple[Any, ...]]:
        """Return the rows that answer a statement that may be carried out twice."""
        return self.repeated(lambda: self.connection().execute(sql, arguments, binary=True).fetchall())

    def run(self, sql: str, arguments: Sequence[Any] | None = None) -> None:
        """Carry out one statement of a transaction, or several that have no arguments."""
        self.connection().execute(sql, arguments)

    def repeated(self, action: Callable[[], T]) -> T:
        """Do what may be done twice; where the server went away, again when it is back."""
        patience = FIRST if self._held is None else PATIENCE
        deadline, pauses = time.monotonic() + patience, iter(_PAUSES)
        while True:
            try:
                with self._explained():
                    return action()
            except Lost as lost:
                if time.monotonic() > deadline or self._inside:
                    raise lost.told(self.name) from None
            if self._held is not None:
                self._held.close()
            time.sleep(next(pauses, 2.0))

    @contextmanager
    def snapshot(self) -> Iterator[None]:
        """Let several reads see the log as it is at one moment."""
        with self.transaction("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ, READ ONLY"):
            yield

    @contextmanager
    def transaction(self, *first: str) -> Iterator[None]:
        """Do several things in one transaction, which is not repeated."""
        try:
            with self._explained(), self.connection().transaction():
                self._inside = True
                for statement in first:
                    self.connection().execute(statement)
                yield
        except Lost as lost:
            raise lost.told(self.name) from None
        finally:
            self._inside = False

    def stream(self, sql: str) -> Iterator[tuple[Any, ...]]:
        """Iterate over many rows, some at a time, as they may be large; in a transaction only."""
        with self.connection().cursor("lasercats_stream", binary=True) as cursor:
            cursor.itersize = 200
            yield from cursor.execute(sql)

    def __del__(self) -> None:
        """Let go of it where nobody did: the server has only so many connections."""
        if getattr(self, "_held", None) is not None:
            self.close()

    def close(self) -> None:
        """Let go of it."""
        if self._held is not None:
            with suppress(self.driver.Error):
                self._held.close()

    @contextmanager
    def _explained(self) -> Iterator[None]:
        """Turn the errors of the server into ours."""
        try:
            yield
        except self.driver.Error as error:
            raise self._meaning(error) from None

    def _meaning(self, error: Any) -> Exception:  # noqa: ANN401
        code, fact = error.sqlstate or "", error.diag.message_primary or one_line(error)
        if code.startswith("LC"):
            return _REFUSALS[code](msgspec.json.decode(error.diag.message_detail or "{}"))
        refused = code.startswith("28") or "authentication failed" in fact or "no password" in fact
        if isinstance(error, self.driver.OperationalError) and (not code or code.startswith(_GONE)):
            if refused or "does not exist" in fact:
                return LogError(
                    f"the server of the log {self.name} does not let us in: {fact}",
                    remedy="name another user or "
                    "database in its URL, or give the password in ~/.pgpass or PGPASSWORD",
                )
            return Lost(fact)
        if code == "42501":
            return _forbidden(self.name, fact)
        if code in ("22P05", "22021") or (isinstance(error, self.driver.DataError) and not code):
            return LogError(f"the log {self.name} cannot hold what is no text: {fact}; nothing was written")
        if code.startswith(("XX", "42P01", "42883", "42703", "P0002")):
            return LogCorrupt(
                f"the log {self.name} is damaged ({fact})",
                remedy="see with `lasercats verify` what of it holds, or restore it from a backup",
            )
        return LogError(f"the log {self.name} cannot be used: {fact}; nothing was written")


class Lost(Exception):
    """The server went away, or cannot be reached: it is not known whether what was asked was done."""

    def told(self, name: str) -> LogError:
        """Return what is told of it at the end."""
        return LogError(
            f"the server of the log {name} cannot be reached: {self}",
            remedy="start it, or mend `log` in lasercats.toml",
        )


def one_line(error: Exception) -> str:
    """Return the first thing that a server says, in one line."""
    lines = str(error).strip().splitlines() or [type(error).__name__]
    return lines[0].strip().rstrip(".;") if len(lines) == 1 else "; ".join(x.strip() for x in lines[:2])


_REFUSALS: Mapping[str, Callable[[Mapping[str, Any]], LogError]] = {
    "LC001": lambda facts: lease.lost(facts["run"]),
    "LC002": lambda facts: lease.busy(facts["run"]),
    "LC003": lambda facts: lease.ended(facts["command"]),
    "LC004": lambda facts: lease.held(facts["command"]),
    "LC005": lambda facts: fold.moved(facts["address"], facts["now"]),
    "LC006": lambda facts: fold.reported(facts["batch"]),
    "LC007": lambda facts: fold.claimed(facts["claim"], facts["position"], _opened(facts)),
    "LC008": lambda facts: lease.beaten(facts["run"]),
    "LC010": lambda facts: LogError(
        f"the log can only be read here: it keeps {facts['words']}, which this LaserCats does not know",
        remedy="upgrade it; nothing was written",
    ),
    "LC009": lambda _: LogError(
        "the log cannot be written by transactions that are not `read committed`",
        remedy="set default_transaction_isolation so for this role",
    ),
}
"""What the functions of the server refuse, by SQLSTATE, in the sentences of the core."""


def _opened(parameters: Mapping[str, Any]) -> Open:
    facts = {key: value for key, value in parameters.items() if key in Open._fields}
    return Open(**{**facts, "claims": tuple(parameters["claims"])})


def _forbidden(name: str, fact: str) -> LogError:
    """Return what is told of what a role may not do."""
    if "schema" in fact:
        return LogError(
            f"the log {name} may not be read by this role ({fact})",
            remedy="ask its owner for the right to (`lasercats init --grant-reader ROLE`)",
        )
    if "for database" in fact:
        return LogError(
            f"the log {name} cannot be made by this role ({fact}); nothing was written",
            remedy="ask the owner of the database for the right to CREATE in it",
        )
    if "admit" in fact:
        return LogError(
            f"only the owner of the log {name} grants rights to it ({fact}); nothing was written",
            remedy="do it as that role",
        )
    return LogError(
        f"the log {name} can only be read here: {fact}; nothing was written",
        remedy="ask its owner for the right to (`lasercats init --grant-writer ROLE`)",
    )
