"""One reversible escape stands for bytes that are no UTF-8, everywhere."""

import json

import msgspec
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from lasercats.core import text


@given(data=st.binary(), lines=st.booleans())
@example(data=rb"\xff", lines=False)
@example(data=b"\\\xff", lines=False)
@example(data=rb"\x5cxff" + b"\xff\x00", lines=True)
@example(data=b"\xed\xa0\x80", lines=False)
def test_all_bytes_come_back(data: bytes, lines: bool) -> None:
    """Whatever bytes a machine says, they come back from their text, which is in its one form."""
    written = text.escape(data, lines=lines)
    assert text.unescape(written) == data
    assert text.one_form(written, lines=lines) == written


@given(
    st.lists(st.sampled_from([b"\\", b"x", b"f", b"F", b"5c", b"2d", b"\n", b"\xff", b"\0", "é".encode()]))
)
def test_what_looks_like_an_escape_comes_back(parts: list[bytes]) -> None:
    """Backslashes beside hexadecimal digits and odd bytes are told apart from escapes."""
    data = b"".join(parts)
    assert text.unescape(text.escape(data)) == data
    assert text.unescape(text.escape(data, lines=True)) == data


@given(st.binary())
def test_the_text_can_be_kept_anywhere(data: bytes) -> None:
    """The text of one line is printable to the last control character, and JSON holds it."""
    written = text.escape(data)
    assert not any(ord(sign) < 32 or ord(sign) == 127 or 0xD800 <= ord(sign) < 0xE000 for sign in written)
    assert msgspec.json.decode(msgspec.json.encode(written)) == written
    assert "\0" not in text.escape(data, lines=True)


@given(st.text(alphabet=st.characters(), max_size=20))
def test_text_of_a_machine_is_cleaned_only_where_it_must_be(said: str) -> None:
    """A NUL or a lone surrogate in JSON of a machine is written as an escape, all else is itself."""
    kept = text.clean(said)
    json.dumps(kept).encode()
    kept.encode()
    if not any(sign == "\0" or 0xD800 <= ord(sign) < 0xE000 for sign in said):
        assert kept == said


@pytest.mark.parametrize(
    ("data", "written"),
    [
        (b"caf\xe9", r"caf\xe9"),
        ("café".encode(), "café"),
        (b"corp\\bob", "corp\\bob"),
        (b"dev-disk\\x2dby", r"dev-disk\x2dby"),
        (b"one\ntwo", r"one\x0atwo"),
        (rb"\xff", r"\x5cxff"),
        (rb"\xFF", r"\x5cxFF"),
    ],
)
def test_the_form_is_this(data: bytes, written: str) -> None:
    """What an operator types and reads."""
    assert text.escape(data) == written


def test_what_is_typed_has_one_form() -> None:
    """Capital digits, and bytes that the command line hands over as surrogates, mean the same."""
    assert text.one_form(r"caf\xE9") == text.one_form("caf\udce9") == r"caf\xe9"
