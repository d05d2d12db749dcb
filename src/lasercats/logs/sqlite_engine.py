"""Runs one query, in a process of its own: it can be ended at any moment, and what it takes is bounded.

SQLite looks at no clock within one step, and one step may be a function on a large value that takes hours.
So whoever asks (`.sqlite_process`) ends this process when the time is over. It is begun for each
query, so it imports little of ours, and little else.

Both sides talk in lines of JSON. In comes the request; where the log is in memory, its bytes follow. Out go
`{"columns": …}`, `{"rows": …}` and `{"done": true}`, or `{"error": …}`. `{"resolve": TEXT}` asks what
position a text means, and is answered by a line with a number.
"""

import json
import math
import os
import resource
import signal
import sqlite3
import sys
import time
from collections.abc import Callable
from functools import lru_cache
from typing import Any

from lasercats.core.sealing import Schemas, veil

STEPS = 10_000
"""Instructions of SQLite between two looks at the clock."""
AT_ONCE = 64 * 1024
"""So many characters of rows are sent at once."""
_ALLOWED = """
-> ->> abs acos acosh asin asinh atan atan2 atanh avg ceil ceiling char coalesce concat concat_ws cos
cosh count cume_dist current_date current_time current_timestamp date datetime degrees dense_rank exp
first_value floor format glob group_concat hex if ifnull iif instr json json_array json_array_length
json_error_position json_extract json_group_array json_group_object json_insert json_object json_patch
json_pretty json_quote json_remove json_replace json_set json_type json_valid julianday lag last_value
lead length like likelihood likely ln log log10 log2 lower ltrim max median min mod nth_value ntile
nullif octet_length percent_rank percentile percentile_cont percentile_disc pi pow power printf quote
radians random randomblob rank replace round row_number rtrim sign sin sinh soundex sqlite_version sqrt
strftime string_agg substr substring sum tan tanh time timediff total trim trunc typeof unhex unicode
unixepoch unlikely upper zeroblob
"""
FUNCTIONS = frozenset(_ALLOWED.split())
"""What a query may call of SQLite: what computes on values, and knows no pointers, files or settings."""
OWN = frozenset({"told", "veiled", "time_of", "position_of"})
TABLE_FUNCTIONS = ("json_each", "json_tree")
_ACTIONS = (sqlite3.SQLITE_SELECT, sqlite3.SQLITE_READ, sqlite3.SQLITE_RECURSIVE)
_LIMITS = {
    sqlite3.SQLITE_LIMIT_SQL_LENGTH: 16 * 1024 * 1024,
    sqlite3.SQLITE_LIMIT_FUNCTION_ARG: 127,
    sqlite3.SQLITE_LIMIT_ATTACHED: 0,
    sqlite3.SQLITE_LIMIT_LIKE_PATTERN_LENGTH: 1000,
    sqlite3.SQLITE_LIMIT_VARIABLE_NUMBER: 1,
    sqlite3.SQLITE_LIMIT_TRIGGER_DEPTH: 0,
    sqlite3.SQLITE_LIMIT_WORKER_THREADS: 0,
    sqlite3.SQLITE_LIMIT_VDBE_OP: 2_000_000,
}


class Engine:
    """One query, and what it may use."""

    def __init__(self, request: dict[str, Any], source: bytes | None) -> None:
        """Open the log, read only; bounds hold from here on."""
        self._request = request
        self._deadline = time.monotonic() + request["timeout"]
        if source is None:
            self._db = sqlite3.connect(request["uri"], uri=True, isolation_level=None)
        else:
            self._db = sqlite3.connect(":memory:", isolation_level=None)
            self._db.deserialize(source)
        self._held = len(source or b"")
        self._sent, self._room = list[str](), AT_ONCE

    def run(self) -> None:
        """Answer it."""
        try:
            self._guard()
            cursor = self._db.execute(self._request["sql"])
            _say({"columns": [column[0] for column in cursor.description]})
            left = self._request["rows"] + 1
            for row in cursor:
                self._send(row)
                left -= 1
                if not left:
                    break
            self._flush()
            _say({"done": True})
        except (sqlite3.Error, sqlite3.Warning) as error:
            _say({"error": str(error), "code": getattr(error, "sqlite_errorcode", 0) & 0xFF})
        except MemoryError:
            _say({"error": "out of memory", "code": sqlite3.SQLITE_NOMEM})

    def _guard(self) -> None:
        """Let the connection only read, call what is harmless, and take so much."""
        db, memory = self._db, int(self._request["memory"])
        db.execute("PRAGMA query_only = ON")
        db.execute("PRAGMA trusted_schema = OFF")
        db.execute("PRAGMA temp_store = MEMORY")  # what is sorted counts, and fills no disk
        db.execute(f"PRAGMA hard_heap_limit = {memory + self._held}")
        for category, limit in _LIMITS.items():
            db.setlimit(category, limit)
        db.setlimit(sqlite3.SQLITE_LIMIT_LENGTH, self._request["longest"])
        for function in TABLE_FUNCTIONS:
            db.execute(f"SELECT 1 FROM {function}('[]')")  # noqa: S608 - made now, as it may not be later
        schemas: Schemas = self._request["schemas"]
        db.create_function("told", 2, _teller(db))
        db.create_function("veiled", 2, lambda text, of: veil(text, schemas.get(of)), deterministic=True)
        db.create_function("time_of", 1, _clock(db, self._request["clock"]))
        db.create_function("position_of", 1, _resolve)
        db.set_progress_handler(lambda: time.monotonic() > self._deadline, STEPS)
        db.set_authorizer(_authorize)

    def _send(self, row: tuple[Any, ...]) -> None:
        text = json.dumps(row, ensure_ascii=False, separators=(",", ":"), default=_bytes)
        self._sent.append(text)
        self._room -= len(text)
        if self._room < 0:
            self._flush()

    def _flush(self) -> None:
        if self._sent:
            _write(f'{{"rows":[{",".join(self._sent)}]}}\n'.encode())
            self._sent, self._room = [], AT_ONCE


def _bytes(value: bytes) -> dict[str, str]:
    return {"hex": value.hex()}


def _say(message: dict[str, Any]) -> None:
    _write(json.dumps(message).encode() + b"\n")


def _write(line: bytes) -> None:
    """Tell the other side, and nobody else: what goes to a person is printed by `lasercats.cli.printing`."""
    left = memoryview(line)
    while left:
        left = left[os.write(1, left) :]


def _authorize(action: int, _one: str | None, two: str | None, _database: str | None, _by: str | None) -> int:
    if action == sqlite3.SQLITE_FUNCTION:
        allowed = (two or "").lower() in FUNCTIONS | OWN
    else:
        allowed = action in _ACTIONS
    return sqlite3.SQLITE_OK if allowed else sqlite3.SQLITE_DENY


def _resolve(text: object) -> int | None:
    """Ask what position a text means."""
    if text is None:
        return None
    _say({"resolve": str(text)})
    return int(sys.stdin.buffer.readline())


def _teller(db: sqlite3.Connection) -> Callable[[int | None, str], str | None]:
    """Return a function that takes a fact from a record; a long record is read once, not once a row."""

    @lru_cache(maxsize=10_000)
    def told(position: int | None) -> dict[str, Any]:
        facts = ("type", "actor", "message")
        paths = ", ".join(f"'$.{fact}'" for fact in facts)
        sql = f"SELECT json_extract(CAST(body AS TEXT), {paths}) FROM records WHERE position = ?"  # noqa: S608
        row = db.execute(sql, (position,)).fetchone()
        return dict(zip(facts, json.loads(row[0]), strict=True)) if row else {}

    return lambda position, fact: told(position).get(fact)


def _clock(db: sqlite3.Connection, iso: str) -> Callable[[object], str | None]:
    def time_of(position: object) -> str | None:
        row = db.execute(f"SELECT {iso} FROM records WHERE position = ?", (position,)).fetchone()  # noqa: S608
        return str(row[0]) if row else None

    return time_of


def _bound(memory: int, seconds: float) -> None:
    """Bound what this process takes, whatever SQLite does."""
    with open("/proc/self/statm") as file:  # noqa: PTH123 - pathlib takes as long to import as all else here
        there = int(file.read().split()[0]) * resource.getpagesize()
    most = there + 2 * memory + 64 * 1024 * 1024
    resource.setrlimit(resource.RLIMIT_AS, (most, most))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    if seconds < 10**8:
        end = math.ceil(seconds) + 5  # where whoever asked is gone
        resource.setrlimit(resource.RLIMIT_CPU, (end, end))


def main() -> None:
    """Answer the query that is asked on standard input."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # whoever asked ends this process
    request = json.loads(sys.stdin.buffer.readline())
    source = sys.stdin.buffer.read(request["bytes"]) if request["uri"] is None else None
    _bound(int(request["memory"]), float(request["timeout"]))
    Engine(request, source).run()
