"""Where a log in PostgreSQL is: `postgresql://USER@HOST:PORT/DATABASE?schema=NAME`, as libpq has it.

`schema`, which is ours, is `lasercats` where it is not said; the log of an environment is in a schema of its
own, called `NAME.ENVIRONMENT`. All else goes to libpq: `sslmode`, `sslrootcert`, `service`, `host` and so on.
A password is refused, as the URL stands in a file that is kept in version control.
"""

import re
from collections.abc import Mapping, Sequence
from urllib.parse import SplitResult, parse_qsl, quote, urlencode, urlsplit

from lasercats.core.errors import BadInput
from lasercats.core.stores import Copy
from lasercats.logs.postgresql import PostgresqlLog
from lasercats.logs.postgresql_link import Link

_SCHEMA = re.compile(r"[A-Za-z_][A-Za-z0-9_]{0,39}")
_LONGEST = 63
"""The most bytes of a name in PostgreSQL; a longer one would be cut off silently."""


class PostgresqlPlace:
    """A schema of a database."""

    by_file = False

    def __init__(self, url: str, root: str, environment: str = "") -> None:
        """Take a URL apart; the root of the project is not needed.

        Raises:
            BadInput: it is none of a log, or has a password.

        """
        self._url, self._root = url, root
        parts, more = _split(url)
        if parts.password is not None or "password" in more:
            raise BadInput(
                f"the URL of the log at {parts.hostname or 'this host'} has a password, which others may "
                "read in lasercats.toml",
                remedy="leave it out, and give it in ~/.pgpass or PGPASSWORD",
            )
        base = more.pop("schema", "lasercats")
        if not _SCHEMA.fullmatch(base):
            raise BadInput(
                f"{base!r} is no name of a schema for a log",
                remedy="use up to 40 letters, digits and '_', as in ?schema=lasercats",
            )
        self._base, self._schema = base, f"{base}.{environment}" if environment else base
        if len(self._schema) > _LONGEST:
            raise BadInput(
                f"the log of the environment {environment!r} would be in a schema with more than {_LONGEST} "
                "letters",
                remedy="give either a shorter name",
            )
        query = f"?{urlencode(more, quote_via=quote)}" if more else ""
        self._conninfo = f"postgresql://{parts.netloc}{parts.path}{query}"
        where: dict[str, str] = {
            name: more[name] for name in ("host", "port", "dbname", "service") if name in more
        }
        shown = urlencode({**where, "schema": self._schema}, safe="/")
        self.name = f"postgresql://{parts.netloc.rpartition('@')[2]}{parts.path}?{shown}"

    def is_begun(self) -> bool:
        """Tell whether there is a log."""
        return self._schema in self._schemas()

    def open(
        self, *, create: bool = False, exist_ok: bool = False, barred: str = "", mode: int = 0o600
    ) -> PostgresqlLog:
        """Open the log, or make it; there is no file that would get a mode."""
        del mode
        name = self.name
        return PostgresqlLog(
            self._conninfo, self._schema, name, create=create, exist_ok=exist_ok, barred=barred
        )

    def fill(self, copy: Copy, *, mode: int = 0o600) -> PostgresqlLog:
        """Make the log of what came from another store."""
        log = self.open(create=True, exist_ok=True, mode=mode)
        log.fill(copy)
        return log

    def admit(self, readers: Sequence[str], writers: Sequence[str]) -> None:
        """Let roles read the log, or also append to it."""
        log = self.open()
        try:
            log.admit(readers, writers)
        finally:
            log.close()

    def environments(self) -> Mapping[str, "PostgresqlPlace"]:
        """Return where the logs of all environments are, by name, empty for the default one."""
        own = (name for name in self._schemas() if name == self._base or name.startswith(f"{self._base}."))
        names = [name.removeprefix(self._base).removeprefix(".") for name in own]
        return {name: PostgresqlPlace(self._url, self._root, name) for name in names}

    def _schemas(self) -> list[str]:
        """Return the schemas that have a log in them, or something like it."""
        link = Link(self._conninfo, self.name)
        sql = """SELECT nspname FROM pg_catalog.pg_class c JOIN pg_catalog.pg_namespace n
            ON n.oid = c.relnamespace WHERE c.relname = 'gate' ORDER BY nspname"""
        try:
            return [name for (name,) in link.rows(sql)]
        finally:
            link.close()


def _split(url: str) -> tuple[SplitResult, dict[str, str]]:
    """Return the parts of a URL, and what stands after its question mark.

    Raises:
        BadInput: it is no URL of PostgreSQL.

    """
    try:
        parts = urlsplit(url)
        more = dict(parse_qsl(parts.query, keep_blank_values=True, strict_parsing=bool(parts.query)))
        sound = parts.port != 0 and url.startswith(f"{parts.scheme}://") and not parts.fragment
    except ValueError:
        sound = False
    if not sound:
        shown = re.sub(r"//[^/@]*@", "//", url)
        raise BadInput(
            f"{shown!r} is no URL of a log in PostgreSQL",
            remedy="give postgresql://USER@HOST/DATABASE, with "
            "?schema=NAME for another schema than lasercats",
        )
    return parts, more
