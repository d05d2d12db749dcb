"""The one place through which text reaches a person: nothing else in this program prints.

A plain `str` is data, whoever said it, and is made visible: it can neither command a terminal nor make up
lines. `Seen` is text that was made visible already, with what we add of our own: colours. So a caller that
forgets which is which shows the codes of a colour as text, and never lets those of somebody else through.

    fact, note     one line, on standard output or standard error
    page           many lines that we wrote, with data in them
    picture        many lines with colours, drawn by a view
    data           JSON; valid, and printable
    exact          what another program reads: as it is, but for a terminal
    stream         what a command on a machine prints: as it is
"""

import contextlib
import json
import re
import shutil
import sys
from collections.abc import Callable, Iterable, Sequence
from typing import Any

import click

from lasercats.core.errors import LaserCatsError
from lasercats.core.text import clean
from lasercats.core.visible import columns, visible, visible_json

_COLOUR = re.compile(r"(\x1b\[[0-9;]*m)")
"""Select Graphic Rendition (ECMA-48, 8.3.117)."""


class Seen(str):
    """Text that can be shown as it is. What is made of it by an f-string or `+` is a plain `str` again."""

    __slots__ = ()


def seen(*parts: str) -> Seen:
    """Return parts as one text that can be shown, all that is no `Seen` as one line of data."""
    return Seen("".join(part if isinstance(part, Seen) else visible(part) for part in parts))


def style(*parts: str, **look: Any) -> Seen:  # noqa: ANN401
    """Return parts in a colour, as `click.style` names it."""
    return Seen(click.style(seen(*parts), **look))


def lines(text: str) -> Seen:
    """Return a text that can be shown, with its newlines and tabs."""
    return Seen(visible(text, lines=True))


def line(*parts: str, err: bool = False) -> None:
    """Print a line."""
    _write(seen(*parts) + "\n", err=err)


def fact(*parts: str) -> None:
    """Print a line on standard output: what was asked for."""
    line(*parts)


def note(*parts: str, **look: Any) -> None:  # noqa: ANN401
    """Print a line on standard error: all that was not asked for."""
    line(style(*parts, **look) if look else seen(*parts), err=True)


def page(text: str, *, err: bool = False) -> None:
    """Print lines that we wrote; data in them has no newlines of its own."""
    _write(_ended(lines(text)), err=err)


def picture(text: str) -> None:
    """Print lines that a view drew, with its colours. What else commands a terminal is made visible."""
    drawn = _COLOUR.split(text)
    drawn[::2] = [lines(part) for part in drawn[::2]]
    _write(_ended("".join(drawn)))


def data(value: Any) -> None:  # noqa: ANN401
    """Print a value as JSON, in which no control character stands as it is."""
    from msgspec import to_builtins  # noqa: PLC0415 - start-up stays light

    plain = to_builtins(value)
    json_text(json.dumps(plain, indent=2, ensure_ascii=not _is_unicode(sys.stdout)))


def json_text(text: str) -> None:
    """Print JSON, or lines of it, that are written already."""
    _write(_ended(visible_json(text)))


def exact(text: str, *, err: bool = False) -> None:
    """Print what another program reads, in UTF-8 and to the last byte; at a terminal it is made visible."""
    stream = sys.stderr if err else sys.stdout
    if stream is None or stream.isatty() or not hasattr(stream, "buffer"):
        page(text, err=err)
        return
    with _failing(err=err):
        stream.flush()
        stream.buffer.write(_ended(clean(text)).encode())
        stream.buffer.flush()


def stream(data: bytes) -> None:
    """Pass on what a command on a machine prints."""
    if sys.stdout is not None:
        with _failing():
            sys.stdout.buffer.write(data)
            sys.stdout.buffer.flush()


def table(rows: Iterable[Sequence[str]], heads: Sequence[str]) -> None:
    """Print rows in columns, each in one line; the last column takes what is left of the line."""
    all_rows = [[seen(cell) for cell in row] for row in (heads, *rows)]
    widths = [max(columns(row[i]) for row in all_rows) for i in range(len(heads) - 1)]
    for number, row in enumerate(all_rows):
        cells = [cell + " " * (width - columns(cell)) for cell, width in zip(row, widths, strict=False)]
        whole = Seen("  ".join([*cells, row[-1]]).rstrip())
        fact(style(whole, bold=True) if number == 0 else whole)


class Bar:
    """A progress bar on standard error, with room for other lines above it; it is gone when all is done."""

    def __init__(self, total: int) -> None:
        """Show that nothing of `total` steps is done."""
        self._bar = click.progressbar(length=total, file=sys.stderr, width=0)
        self.name("working")
        self._bar.render_progress()

    def advance(self) -> None:
        """Show one more step done."""
        self._bar.update(1)

    def name(self, text: str) -> None:
        """Show what was done last; it is cut, so that the bar stays one line."""
        room = min(LABEL, shutil.get_terminal_size().columns // 4)
        self._bar.label = visible(text)[:room].ljust(room)

    def aside(self, show: Callable[[], object]) -> None:
        """Let something be shown in place of the bar, which then stands below it."""
        sys.stderr.write(_WIPED)  # not by click, which leaves it out where colours are not wanted
        sys.stderr.flush()
        show()
        self._bar._last_line = None
        self._bar.render_progress()

    def close(self) -> None:
        """Take it away."""
        self._bar.render_finish()
        sys.stderr.write(f"\x1b[A{_WIPED}")  # what click ends it with is a new line
        sys.stderr.flush()


LABEL = 20
"""At most so many characters stand before a bar."""
_WIPED = "\r\x1b[K"
"""To the begin of the line, and erase to its end (ECMA-48, 8.3.41)."""


def was_of_click(error: Exception) -> bool:
    """Tell whether an error came of what click prints by itself: the help."""
    trace = error.__traceback__
    while trace is not None and trace.tb_next is not None:
        trace = trace.tb_next
    return trace is not None and trace.tb_frame.f_code is click.echo.__code__


def is_terminal(*, err: bool = False) -> bool:
    """Tell whether a person reads standard output, or standard error; nobody does where it is closed."""
    stream = sys.stderr if err else sys.stdout
    return stream is not None and stream.isatty()


def flush() -> None:
    """Write what is left; nothing of it may fail later, as the process ends."""
    if sys.stdout is not None:
        with _failing():
            sys.stdout.flush()


def gone() -> None:
    """Print nothing more on standard output; what is left of it would fail again as the process ends."""
    sys.stdout = None


def agreed(question: str) -> bool:
    """Ask at the terminal; without one the answer is no."""
    return can_ask() and click.confirm(seen(question), err=True)


def can_ask() -> bool:
    """Tell whether a person can answer."""
    return sys.stdin is not None and sys.stdin.isatty()


def pause() -> None:
    """Wait for a key."""
    click.pause(err=True)


def _ended(text: str) -> str:
    return text if text.endswith("\n") else f"{text}\n"


def _is_unicode(stream: Any) -> bool:  # noqa: ANN401
    return (getattr(stream, "encoding", None) or "utf-8").lower().replace("_", "-") in ("utf-8", "utf8")


def _write(text: str, *, err: bool = False) -> None:
    """Write what can be shown; what the encoding of the terminal lacks is escaped."""
    stream = sys.stderr if err else sys.stdout
    if not (text.isascii() or _is_unicode(stream)):
        text = text.encode(stream.encoding, "backslashreplace").decode(stream.encoding)
    with _failing(err=err):
        click.echo(text, nl=False, err=err)


@contextlib.contextmanager
def _failing(*, err: bool = False) -> Any:  # noqa: ANN401
    """Tell in a sentence that standard output takes no more; what standard error does not take is lost.

    Raises:
        LaserCatsError: nothing more can be written.
        BrokenPipeError: whoever read the output has gone.

    """
    try:
        yield
    except BrokenPipeError:
        if not err:
            raise
    except OSError as error:
        if not err:
            gone()
            raise LaserCatsError(f"the output cannot be written: {error.strerror}") from None
