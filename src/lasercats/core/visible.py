r"""Text as it may be shown: what would move a cursor, hide text or turn its direction is made visible.

What a machine, a file, a message or an actor says may hold escape sequences that set the clipboard of a
terminal, newlines that make up rows, or turns of direction under which a line reads otherwise than it is.
Newlines, tabs and returns are shown as `\n`, `\t` and `\r`, each other such character as its bytes, in the
form that `lasercats.core.text` reads again: `\x1b`, `\xe2\x80\xae`.

Joiners (U+200C, U+200D), without which Persian and Hindi cannot be written, and letters of any script are
left as they are.
"""

import json
import re
import unicodedata

from lasercats.core.text import in_bytes

_TURNS = "\u061c\u200e\u200f\u202a-\u202e\u2066-\u206f"
"""What turns the direction of text (Unicode Standard Annex 9), and old signs that change its shape."""
_UNSEEN = (
    "\u00ad\u180e\u200b\u2060-\u2065\ufeff\ufff9-\ufffb\U0001bca0-\U0001bca3\U0001d173-\U0001d17a"
    "\U000e0000-\U000e007f\ufffe\uffff"
)
"""What takes no room, and may hide text in text: U+E0020 to U+E007E are a whole alphabet of it."""
_BREAKS = "\u2028\u2029"
_CONTROL = "\x00-\x08\x0b-\x1f\x7f-\x9f"
_REST = f"{_CONTROL}{_BREAKS}{_TURNS}{_UNSEEN}\ud800-\udfff"
_LINES = re.compile(f"[{_REST}]")
_LINE = re.compile(f"[\t\n{_REST}]")


def visible(text: str, *, lines: bool = False) -> str:
    """Return text that can be shown in one line; with `lines`, tabs and newlines are left as they are."""
    return (_LINES if lines else _LINE).sub(lambda found: _SHORT.get(found[0]) or in_bytes(found[0]), text)


def columns(text: str) -> int:
    """Return how many columns of a terminal a visible text takes (Unicode Standard Annex 11)."""
    if text.isascii():
        return len(text)
    return sum(
        0
        if unicodedata.category(c) in {"Mn", "Me"}
        else 2
        if unicodedata.east_asian_width(c) in {"W", "F"}
        else 1
        for c in text
    )


def hides(text: str) -> bool:
    """Tell whether a text of any number of lines holds what must not be shown as it is."""
    return _LINES.search(text) is not None


def visible_json(text: str) -> str:
    r"""Return a text of JSON that means the same, with what must not be shown as `\u202e`.

    A lone surrogate, which stands for a byte and which no other program takes, becomes its escape.
    """
    return _LINES.sub(lambda found: _quoted(found[0]), text)


def visible_yaml(text: str) -> str:
    """Return a text of YAML that means the same; what must not be shown stands in double quotes in it."""
    return _LINES.sub(lambda found: _number(ord(found[0])), text)


_SHORT = {"\n": "\\n", "\t": "\\t", "\r": "\\r"}


def _quoted(sign: str) -> str:
    if "\ud800" <= sign <= "\udfff":
        return in_bytes(sign).replace("\\", "\\\\")
    return json.dumps(sign)[1:-1] if sign != "\x7f" else "\\u007f"


def _number(code: int) -> str:
    return f"\\x{code:02x}" if code < 0x100 else f"\\u{code:04x}" if code < 0x10000 else f"\\U{code:08x}"  # noqa: PLR2004
