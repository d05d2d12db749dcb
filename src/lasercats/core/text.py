r"""Bytes as text: one reversible escape, for all that a machine says and that need not be UTF-8.

    /srv/caf\xe9        the byte E9, which is no UTF-8 where it stands
    one\x0atwo          a control character, in text of one line: names, owners, link targets
    a\x5cxff            a backslash that would otherwise begin an escape

All other text is itself, so `corp\bob` and `dev\x2ddisk` (systemd's own escape) stand as they are. The text
can be typed at a shell, in YAML and in SQL; it holds no NUL and no lone surrogate, which JSON and PostgreSQL
refuse. In text of many lines (what a command printed) control characters other than NUL are left as they are.

Contents of files have a form of their own (`lasercats.core.content`), as they are long and often all binary.
"""

import re

_ESCAPE = re.compile(r"\\x([01][0-9a-f]|7f|5c|[89a-f][0-9a-f])", re.IGNORECASE)
"""What is read as an escape: of a control character, of a backslash, or of a byte that may be no UTF-8."""
_LINE = re.compile(
    r"[\x00-\x1f\x7f\ud800-\udfff]|\\(?=x(?:[01][0-9a-f]|7f|5c|[89a-f][0-9a-f]))", re.IGNORECASE
)
_LINES = re.compile(r"[\x00\ud800-\udfff]|\\(?=x(?:[01][0-9a-f]|7f|5c|[89a-f][0-9a-f]))", re.IGNORECASE)
_BYTES = ("utf-8", "surrogateescape")


def escape(data: bytes, *, lines: bool = False) -> str:
    """Return bytes as text; with `lines`, control characters other than NUL are left as they are."""
    return (_LINES if lines else _LINE).sub(_escaped, data.decode(*_BYTES))


def unescape(text: str) -> bytes:
    """Return the bytes that a text stands for. Total: what is no escape is itself."""
    if "\\x" not in text and "\\X" not in text:
        return _encoded(text)
    parts = _ESCAPE.split(text)
    for n in range(1, len(parts), 2):
        parts[n] = bytes([int(parts[n], 16)]).decode(*_BYTES)
    return _encoded("".join(parts))


def identifier(text: str, also: str = "") -> str:
    """Return a text in ASCII letters and digits, and some signs `also`; another for each other text."""
    return "".join(c if (c.isalnum() and c.isascii()) or c in also else f"_{ord(c):x}_" for c in text)


def one_form(text: str, *, lines: bool = False) -> str:
    """Return the one form of a text that may have been typed, or came from the command line."""
    return escape(unescape(text), lines=lines)


def clean(text: str) -> str:
    r"""Return text that came as text (JSON, XML), with what no log can hold in its escaped form.

    Only NUL and lone surrogates are changed; other text is itself, also where it looks like an escape.
    """
    return _UNCLEAN.sub(lambda found: in_bytes(found[0]), text)


_UNCLEAN = re.compile("[\x00\ud800-\udfff]")


def _encoded(text: str) -> bytes:
    """Return the bytes of a text in which U+DC80 to U+DCFF stand for bytes, as in `argv`."""
    try:
        return text.encode(*_BYTES)
    except UnicodeEncodeError:
        return text.encode("utf-8", "surrogatepass")


def _escaped(found: re.Match[str]) -> str:
    return r"\x5c" if found[0] == "\\" else in_bytes(found[0])


def in_bytes(sign: str) -> str:
    r"""Return a sign as the escapes of its bytes: `\xe2\x80\xae`."""
    return "".join(f"\\x{byte:02x}" for byte in _encoded(sign))
