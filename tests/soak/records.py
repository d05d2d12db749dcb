"""The log read with nothing but SQLite and JSON, by docs/log-format.md: whether it is whole and true."""

import json
import sqlite3
from contextlib import closing
from pathlib import Path
from typing import Any, NamedTuple

FORGOTTEN = '""'
Row = tuple[int, str, int | None, dict[str, Any]]


class Outcome(NamedTuple):
    """What the log says became of a command."""

    command: dict[str, Any]
    status: str | None
    error: str | None


def read(log: Path, after: int = 0) -> list[Row]:
    """Return the records after a position: position, type, cause, body."""
    with closing(sqlite3.connect(f"file:{log}?mode=ro", uri=True)) as base:
        sql = "SELECT position, type, cause, body FROM records WHERE position > ? ORDER BY position"
        return [(p, t, c, json.loads(body)) for p, t, c, body in base.execute(sql, (after,))]


def head(log: Path) -> int:
    """Return the last position."""
    return max((row[0] for row in read(log)), default=0)


def commands(log: Path, after: int) -> list[Outcome]:
    """Return the commands that were accepted after a position, in order, each with how it ended."""
    rows = read(log, after)
    ends = {body["command"]: body for _, kind, _, body in rows if kind == "ended"}
    return [
        Outcome(body["command"], ends.get(p, {}).get("status"), ends.get(p, {}).get("error"))
        for p, kind, _, body in rows
        if kind == "accepted"
    ]


def faults(log: Path) -> list[str]:
    """Return what is wrong with the log."""
    rows = read(log)
    wrong = []
    if [row[0] for row in rows] != list(range(1, len(rows) + 1)):
        wrong.append("positions are not gap-free")
    accepted = {p for p, kind, _, _ in rows if kind == "accepted"}
    ended = [body["command"] for _, kind, _, body in rows if kind == "ended"]
    wrong += [f"command {p} ended more than once" for p in sorted(set(ended)) if ended.count(p) > 1]
    wrong += [f"command {p} is open" for p in sorted(accepted - set(ended))]
    with closing(sqlite3.connect(f"file:{log}?mode=ro", uri=True)) as base:
        present = dict(base.execute("SELECT address, body FROM present WHERE body IS NOT NULL"))
        wrong += [f"the table `open` has {p}" for (p,) in base.execute("SELECT position FROM open")]
    tables = {address: json.loads(body) for address, body in present.items() if body}
    if tables != (folded := fold(rows)):
        odd = [a for a in sorted({*tables, *folded}) if tables.get(a) != folded.get(a)]
        wrong.append(f"the fold of the records is not what the tables say of {odd}")
    return wrong


def fold(rows: list[Row]) -> dict[str, Any]:
    """Return what the events left at each address."""
    there: dict[str, Any] = {}
    for position, kind, _, body in rows:
        if kind == "event":
            for address, (before, after) in body["delta"].items():
                known = there.get(address)
                assert before in (known, "") or known is None, f"{position} starts from another {address}"
                if after in (None, ""):
                    there.pop(address, None)
                else:
                    there[address] = after
    return there
