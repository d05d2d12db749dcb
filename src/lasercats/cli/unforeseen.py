"""What nobody foresaw: told in one sentence, with the details in a file that only the operator can read."""

import os
import sys
import threading
import time
import warnings
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

from lasercats.cli import printing

KEPT = 20
"""How many files of details are kept; the oldest go."""
DEBUG = "LASERCATS_DEBUG"


def listen() -> None:
    """Keep what libraries would print beside us: their warnings, what fails in a thread or is thrown away.

    Who waits for it is told by its own error; this is only how it came to be.
    """
    if os.environ.get(DEBUG):
        return
    threading.excepthook = lambda failed: _keep(failed.exc_value)
    sys.unraisablehook = lambda failed: _keep(failed.exc_value)
    warnings.showwarning = lambda *_arguments, **_more: None
    _LISTENING.append(_keep)


_LISTENING = list[Callable[["BaseException | None"], None]]()
"""What hears of a fault, where the process is ours."""


def hear_libraries() -> None:
    """Keep what libraries log, before one is used that does: without a handler, Python prints it."""
    if not _LISTENING:
        return
    import logging  # noqa: PLC0415 - start-up stays light

    class Logged(logging.Handler):
        def emit(self, record: logging.LogRecord) -> None:
            if record.exc_info:
                _LISTENING[0](record.exc_info[1])

    logging.getLogger().addHandler(Logged())


def _keep(error: BaseException | None) -> None:
    if isinstance(error, Exception):
        _written(_details(error))


def sentence(error: BaseException) -> str:
    """Write the details down, and return what happened and where they are."""
    notes = [note for note in getattr(error, "__notes__", ()) if note.startswith("in `lasercats")]
    where = notes[0] if notes else "before a verb was found"
    text = f"{type(error).__name__}{_said(error)}"
    details = _details(error)
    if os.environ.get(DEBUG):
        printing.page(details, err=True)
        remedy = "the details are above; please report it"
    elif path := _written(details):
        remedy = f"the details are in {path}; please report it"
    else:
        remedy = f"with {DEBUG}=1 it shows the details"
    return f"an unforeseen fault {where}: {text}; what was done until then is in the log; {remedy}"


def _said(error: BaseException) -> str:
    try:
        return f" ({error})" if str(error) else ""
    except Exception:
        return ""


def _details(error: BaseException) -> str:
    """Return the traceback: places in the code, and no values that were at hand there."""
    import traceback  # noqa: PLC0415 - start-up stays light

    from lasercats.program import __version__  # noqa: PLC0415

    try:
        trace = "".join(traceback.format_exception(error))
    except Exception as again:
        trace = f"{type(error).__name__}; its traceback cannot be told: {type(again).__name__}\n"
    return f"lasercats {__version__}, Python {sys.version.split()[0]}, {sys.platform}\n{trace}"


def _written(details: str) -> Path | None:
    """Write the details into a new file of the operator's, and return where; None where it cannot be."""
    from lasercats.operate.seen import state_folder  # noqa: PLC0415 - start-up stays light

    name = f"fault-{time.strftime('%Y%m%dT%H%M%SZ', time.gmtime())}-{os.getpid()}-{time.monotonic_ns()}.txt"
    folder = state_folder()
    if folder is None:
        return None
    try:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        for old in sorted(folder.glob("fault-*.txt"))[: -KEPT + 1]:
            with suppress(OSError):
                old.unlink()
        flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW
        with os.fdopen(
            os.open(folder / name, flags, 0o600), "w", encoding="utf-8", errors="surrogateescape"
        ) as file:
            file.write(details)
    except (OSError, ValueError):
        return None
    return folder / name
