"""Gives a query to a process of its own, and ends that when its time is over or its answer too large."""

import json
import os
import signal
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any, NamedTuple

from lasercats.core.errors import BadInput, LaserCatsError
from lasercats.views.engine import longest
from lasercats.views.sealing import Schemas
from lasercats.views.tables import CLOCK

GRACE = 2.0
"""Seconds after which a process is ended that did not find out by itself that its time is over."""
_MIB = 1024 * 1024
_BEGIN = "import sys; sys.path[:] = sys.argv[1:]; from lasercats.views.engine import main; main()"
"""Nothing of the folder that we are in, or of the environment, is imported."""
_GIVEN = ("LANG", "LC_ALL", "LC_CTYPE", "TZ")
"""The variables that it gets: those by which it reads text and tells times, and no secrets."""
_OURS = str(Path(__file__).parents[2])
"""Where this program is, also where a hook and no path leads to it."""


@dataclass(frozen=True)
class Bounds:
    """How much a query may take."""

    seconds: float = 30.0
    rows: int = 100_000
    mebibytes: int = 512
    """Of memory; also how large the answer may be."""


class Answer(NamedTuple):
    """What a query found."""

    columns: list[str]
    rows: list[tuple[Any, ...]]


class Fault(Exception):
    """What SQLite says of a query that it does not answer, with its number."""

    def __init__(self, fact: str, code: int) -> None:
        """Carry both."""
        super().__init__(fact)
        self.code = code


def run(
    source: str | bytes, sql: str, schemas: Schemas, resolve: Callable[[str], int], bounds: Bounds
) -> Answer:
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
    }
    with _process(bounds) as (to, out):
        with suppress(BrokenPipeError):  # what it said before it ended tells more
            to.write(json.dumps(request).encode() + b"\n")
            to.write(source if isinstance(source, bytes) else b"")
            to.flush()
        return _heard(to, out, resolve, memory, bounds)


def _heard(to: IO[bytes], out: IO[bytes], resolve: Callable[[str], int], left: int, bounds: Bounds) -> Answer:
    """Hear an answer to its end."""
    answer = Answer([], [])
    while line := out.readline(left + 1):
        left -= len(line)
        if left < 0:
            raise BadInput(
                f"the answer is larger than {bounds.mebibytes} MiB; select less, or allow more with "
                "--max-memory"
            )
        if not line.endswith(b"\n"):
            break
        told = json.loads(line)
        if "rows" in told:
            answer.rows.extend(tuple(map(_value, row)) for row in told["rows"])
        elif "columns" in told:
            answer.columns.extend(told["columns"])
        elif "resolve" in told:
            to.write(b"%d\n" % resolve(told["resolve"]))
            to.flush()
        elif "error" in told:
            raise Fault(told["error"], told["code"])
        else:
            return answer
    raise Fault("", 0)


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


def too_long(bounds: Bounds) -> BadInput:
    """Return the error for a query that took too long."""
    return BadInput(
        f"the query took longer than {bounds.seconds:g} seconds; make it simpler, or allow more with "
        "--timeout"
    )


def too_much(bounds: Bounds) -> BadInput:
    """Return the error for a query that needs too much memory."""
    return BadInput(
        f"the query needs more than {bounds.mebibytes} MiB of memory; make it simpler, or allow more with "
        "--max-memory"
    )


def too_big(bounds: Bounds) -> BadInput:
    """Return the error for a query that makes, or meets, too large a value."""
    most = longest(bounds.mebibytes * _MIB) // _MIB
    return BadInput(
        f"the query has a value of more than {most} MiB; make it simpler, or allow more with --max-memory"
    )


def _value(cell: Any) -> Any:  # noqa: ANN401
    return bytes.fromhex(cell["hex"]) if isinstance(cell, dict) else cell
