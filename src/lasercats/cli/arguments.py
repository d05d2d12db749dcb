r"""What is typed may be any bytes: every argument and variable enters the program through one of these types.

The shell hands over bytes, which Python keeps as lone surrogates where they are no UTF-8. No log and no
database can hold those, so they become the escape of `lasercats.core.text`, as what a machine says does.

    TEXT       a value: bytes that are no UTF-8 are escaped, all else is as typed
    NAME       a name, an address or a pattern of them: one line, in its one form
    CONTENT    the content of a file: bytes that are no UTF-8 are such a content
    FILE       a file of this machine, which is reached by the very bytes that were typed; never an empty name
    BYTES      what else is taken as the very bytes that were typed: a command of this machine
"""

import sys
from collections.abc import Callable
from typing import Any

import click

from lasercats.core import content
from lasercats.core.errors import BadInput
from lasercats.core.text import clean, one_form


class Typed(click.ParamType[Any]):
    """A type of arguments that are text."""

    name = "text"

    def __init__(self, form: Callable[[str], str]) -> None:
        """Take what brings a text to its form; only an empty name of a file is refused."""
        self._form = form

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:  # noqa: ANN401
        """Bring a text to its form."""
        return self._form(value) if isinstance(value, str) else value


def as_text(value: str) -> str:
    r"""Return a value as typed, with `\xff` for a byte that is no UTF-8."""
    return clean(_utf8(value))


def standard_input(mebibytes: int = 32) -> str:
    """Return what is on standard input.

    Raises:
        BadInput: it is no UTF-8, or has more `mebibytes` than it may.

    """
    from lasercats.operate import files  # noqa: PLC0415 - start-up stays light

    if sys.stdin is None:
        return ""
    if not hasattr(sys.stdin, "buffer"):
        return sys.stdin.read()
    try:
        return str(files.bounded("standard input", sys.stdin.buffer, mebibytes), "utf-8").replace(
            "\r\n", "\n"
        )
    except UnicodeDecodeError as error:
        raise BadInput(f"standard input is no UTF-8 at byte {error.start}; write it in UTF-8") from None


def secret_input() -> bytes:
    """Return a secret from standard input, all of it; at a terminal it is asked for, and not shown."""
    if sys.stdin is None:
        return b""
    if sys.stdin.isatty():
        from getpass import getpass  # noqa: PLC0415 - start-up stays light

        return _utf8(getpass("The secret: ")).encode("utf-8", "surrogateescape")
    return sys.stdin.buffer.read() if hasattr(sys.stdin, "buffer") else sys.stdin.read().encode()


def _utf8(value: str) -> str:
    """Return text as UTF-8 has it, also where the locale cannot tell."""
    try:
        return value.encode("utf-8", "surrogateescape").decode("utf-8", "surrogateescape")
    except UnicodeEncodeError:  # it never came from a command line
        return value


def _content(value: str) -> str:
    try:
        value.encode()
    except UnicodeEncodeError:
        return content.encode(value.encode("utf-8", "surrogateescape"))
    return value


def _named(value: str) -> str:
    """Return the name of a file; an empty one, as of a variable that is not set, would be this folder.

    Raises:
        BadInput: it is empty.

    """
    if not value:
        raise BadInput("the name of a file or folder is empty; give one, as ./x, or leave the option out")
    return value


TEXT = Typed(as_text)
NAME = Typed(lambda value: one_form(_utf8(value)))
CONTENT = Typed(_content)
FILE = Typed(_named)
BYTES = Typed(lambda value: value)
