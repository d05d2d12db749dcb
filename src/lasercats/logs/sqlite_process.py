"""Gives a query to a process of its own, and ends that when its time is over or its answer too large."""

import json
import os
import re
import signal
import sqlite3
import subprocess
import sys
import threading
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import IO, Any

from lasercats.core.errors import LaserCatsError
from lasercats.core.sealing import Schemas
from lasercats.core.sql import Answer, Bounds, Fault, Resolve, Sort, longest, too_large, too_long
from lasercats.logs.sqlite_tables import CLOCK

GRACE = 2.0
"""Seconds after which a process is ended that did not find out by itself that its time is over."""
_MIB = 1024 * 1024
_BEGIN = "import sys; sys.path[:] = sys.argv[1:]; from lasercats.logs.sqlite_engine import main; main()"
"""Nothing of the folder that we are in, or of the environment, is imported."""
_GIVEN = ("LANG", "LC_ALL", "LC_CTYPE", "TZ")
"""The variables that it gets: those by which it reads text and tells times, and no secrets."""
_OURS = str(Path(__file__).parents[2])
"""Where this program is, also where a hook and no path leads to it."""


_FAULTS: Mapping[int, Sort] = {
    sqlite3.SQLITE_CORRUPT: "damaged",
    sqlite3.SQLITE_NOTADB: "damaged",
    sqlite3.SQLITE_NOMEM: "memory",
    sqlite3.SQLITE_INTERRUPT: "time",
    sqlite3.SQLITE_TOOBIG: "value",
}
_SAYINGS: Sequence[tuple[Sort, re.Pattern[str]]] = (
    ("column", re.compile(r"no such column: (?:(?P<of>.+)\.)?(?P<name>.+)")),
    ("ambiguous", re.compile(r"ambiguous column name: (?:(?P<of>.+)\.)?(?P<name>.+)")),
    ("function", re.compile(r"no such function: (?P<name>.+)")),
    ("forbidden", re.compile(r"not authorized to use function: (?P<name>.+)")),
)
"""How SQLite tells what a query has wrong."""


def run(source: str | bytes, sql: str, schemas: Schemas, resolve: Resolve, bounds: Bounds) -> Answer:
    """Answer a query on a log: on the file with a URI, or on the bytes of one in memory.

    Raises:
        Fault: SQLite does not answer it.
        BadInput: it goes beyond a limit.
        LaserCatsError: `resolve` raised it, or the process ended by itself.

    """
    memory = bounds.mebibytes * _MIB
    request = {
        "uri": source if isinstance(source, str) else None,
        "bytes": len(source),
        "sql": sql,
        "schemas": schemas,
        "clock": CLOCK,
        "timeout": bounds.seconds,
        "rows": bounds.rows,
        "memory": memory,
        "longest": longest(memory),
    }
    with _process(bounds) as (to, out):
        with suppress(BrokenPipeError):  # what it said before it ended tells more
            to.write(json.dumps(request).encode() + b"\n")
            to.write(source if isinstance(source, bytes) else b"")
            to.flush()
        return _heard(to, out, resolve, memory, bounds)


def _heard(to: IO[bytes], out: IO[bytes], resolve: Resolve, left: int, bounds: Bounds) -> Answer:
    """Hear an answer to its end."""
    answer = Answer([], [])
    while line := out.readline(left + 1):
        left -= len(line)
        if left < 0:
            raise too_large(bounds)
        if not line.endswith(b"\n"):
            break
        message = json.loads(line)
        if "rows" in message:
            answer.rows.extend(tuple(map(_value, row)) for row in message["rows"])
        elif "columns" in message:
            answer.columns.extend(message["columns"])
        elif "resolve" in message:
            to.write(b"%d\n" % resolve(message["resolve"]))
            to.flush()
        elif "error" in message:
            raise _fault(message["error"], message["code"])
        else:
            return answer
    raise Fault("")


@contextmanager
def _process(bounds: Bounds) -> Iterator[tuple[IO[bytes], IO[bytes]]]:
    """Begin the process, and end it in any case: when the time is over, and after the work."""
    late = threading.Event()
    child = subprocess.Popen(
        [sys.executable, "-I", "-S", "-c", _BEGIN, _OURS, *filter(None, sys.path)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        env={name: os.environ[name] for name in _GIVEN if name in os.environ},
    )
    assert child.stdin is not None  # noqa: S101 - as it was asked for
    assert child.stdout is not None  # noqa: S101 - as above

    def end() -> None:
        late.set()
        child.kill()

    timer = threading.Timer(min(bounds.seconds + GRACE, threading.TIMEOUT_MAX), end)
    timer.daemon = True
    timer.start()
    try:
        yield child.stdin, child.stdout
    except (Fault, BrokenPipeError) as fault:
        if isinstance(fault, Fault) and str(fault):
            raise
        raise _ended(child, bounds, late=late.is_set()) from None
    finally:
        timer.cancel()
        child.kill()
        child.stdout.close()
        with suppress(BrokenPipeError):
            child.stdin.close()
        child.wait()


def _ended(child: "subprocess.Popen[bytes]", bounds: Bounds, *, late: bool) -> LaserCatsError:
    """Return the error for a process that ended before its answer."""
    with suppress(subprocess.TimeoutExpired):
        child.wait(GRACE)
    if late or child.returncode == -signal.SIGXCPU:
        return too_long(bounds)
    how = f"signal {-child.returncode}" if (child.returncode or 0) < 0 else f"status {child.returncode}"
    return LaserCatsError(
        f"the process of the query ended before its answer ({how}); make the query simpler, or allow more "
        "with --max-memory"
    )


def _fault(fact: str, code: int) -> Fault:
    """Return the fault that SQLite tells in words and by a number."""
    for sort, saying in _SAYINGS:
        if code not in _FAULTS and (match := saying.fullmatch(fact)):
            return Fault(fact, sort, match["name"], match.groupdict().get("of") or "")
    return Fault(fact, _FAULTS.get(code, ""))


def _value(cell: Any) -> Any:  # noqa: ANN401
    return bytes.fromhex(cell["hex"]) if isinstance(cell, dict) else cell
