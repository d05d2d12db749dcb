"""A log in PostgreSQL as it is made and opened: its tables and functions, and what it says of itself."""

import secrets
from collections.abc import Mapping
from pathlib import Path

from lasercats.core.errors import LogCorrupt, LogError, LogTooNew
from lasercats.logs import about
from lasercats.logs.postgresql_link import Link
from lasercats.logs.schema import FORMAT, SEALED

_LOCK = 0x4C436174
"""The number of the lock under which a log is made, of all in a database."""


def quoted(name: str) -> str:
    """Return a name as SQL has it."""
    return '"' + name.replace('"', '""') + '"'


def ready(link: Link, schema: str, *, create: bool, exist_ok: bool) -> Mapping[str, str]:
    """Return what a log in a schema says of itself; with `create`, make it first where there is none.

    Raises:
        LogError: there is none, or one is there already, or it cannot be made.
        LogTooNew: a later version wrote it.
        LogCorrupt: there is something else.

    """
    there = is_there(link, schema)
    if there and create and not exist_ok:
        raise LogError(f"there is a log at {link.name} already")
    if not there and not create:
        raise LogError(
            f"there is no log at {link.name}",
            remedy="make one with `lasercats init`, or mend `log` in lasercats.toml",
        )
    if not there:
        make(link, schema)
    facts = dict(link.rows(f"SELECT name, value FROM {quoted(schema)}.about"))  # noqa: S608 - quoted
    check(facts, link.name)
    ((reads, writes),) = link.rows(f"SELECT reads, writes FROM {quoted(schema)}.head")  # noqa: S608 - quoted
    facts |= {"read": " ".join(reads), "write": " ".join(writes)}
    if strange := about.unknown(facts, "read"):
        raise LogTooNew(
            f"the log {link.name} keeps {strange} in a way that this LaserCats cannot read",
            remedy="upgrade it",
        )
    return facts


def is_there(link: Link, schema: str) -> bool:
    """Tell whether there is a log in a schema."""
    sql = """SELECT FROM pg_catalog.pg_class c JOIN pg_catalog.pg_namespace n ON n.oid = relnamespace
        WHERE nspname = %s AND relname = %s"""
    return bool(link.rows(sql, (schema, "about")))


def make(link: Link, schema: str) -> None:
    """Make a log in a schema, all of it or nothing; where another makes it at the same time, his stays."""
    if link.rows("SHOW server_encoding") != [("UTF8",)]:
        raise LogError(
            f"no log can be made at {link.name}, as the database is not in UTF8",
            remedy="make one that is (createdb --encoding=UTF8 --template=template0)",
        )
    text = Path(__file__).with_name("postgresql.sql").read_text(encoding="utf-8")
    text = text.replace("@format@", str(FORMAT)).replace("@", quoted(schema))
    with link.transaction(f"SELECT pg_advisory_xact_lock({_LOCK})"):
        if is_there(link, schema):
            return
        link.run(f"CREATE SCHEMA IF NOT EXISTS {quoted(schema)}")
        link.run(text)
        made = secrets.token_hex(16)
        facts = {"id": made, "format": str(FORMAT)}
        for fact in facts.items():
            link.run(f"INSERT INTO {quoted(schema)}.about VALUES (%s, %s)", fact)  # noqa: S608 - quoted
        sql = f"INSERT INTO {quoted(schema)}.head VALUES (%s, 0, 0, 0, '', 0, 0, '', '{{}}', %s)"  # noqa: S608 - ours
        link.run(sql, (made, [SEALED]))


def check(facts: Mapping[str, str], name: str) -> None:
    """Check that this program can read a log that says this of itself.

    Raises:
        LogTooNew: it cannot.
        LogCorrupt: it does not tell its id or its format.

    """
    if not facts.get("id") or not facts.get("format", "").isdecimal():
        raise LogCorrupt(
            f"the log {name} does not tell its id and its format", remedy="restore it from a backup"
        )
    if int(facts["format"]) > FORMAT:
        raise LogTooNew(
            f"the log {name} has format {facts['format']}, this LaserCats reads up to {FORMAT}",
            remedy="upgrade it",
        )
