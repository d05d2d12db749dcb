"""What is shown to a person commands no terminal, hides nothing, and can be typed again."""

import json
import unicodedata
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lasercats.core.document import dump_yaml
from lasercats.core.reading import load_yaml
from lasercats.core.text import one_form
from lasercats.core.visible import hides, visible, visible_json

ANY = st.text(st.characters(exclude_categories=()))
"""All of Unicode, lone surrogates too."""
TEXT = st.text(st.characters(exclude_categories=["Cs"]))
HARMLESS = {0x200C, 0x200D, 0x110BD, 0x110CD, *range(0x600, 0x606), 0x6DD, 0x70F, 0x890, 0x891, 0x8E2}
"""Of the signs of format those that are seen, or that a script cannot be written without."""
SHAPES = range(0x13430, 0x13440)
"""How hieroglyphs stand to each other."""


def test_every_character_that_is_not_seen_is_made_visible() -> None:
    """Of all of Unicode just the controls, surrogates, breaks and signs of format are shown as escapes."""
    for code in range(0x110000):
        kind = unicodedata.category(chr(code))
        unseen = kind in ("Cc", "Cs", "Zl", "Zp", "Cf") and code not in HARMLESS and code not in SHAPES
        if unseen != (visible(chr(code)) != chr(code)):
            assert code in (*range(0x2065, 0x2066), 0xFFFE, 0xFFFF, *range(0xE0000, 0xE0080)), hex(code)


@given(ANY)
def test_one_line_is_one_line(text: str) -> None:
    """What is shown as one line holds no control character at all, and shows as itself again."""
    shown = visible(text)
    assert shown.isprintable() or not any(unicodedata.category(c) in ("Cc", "Cs", "Zl", "Zp") for c in shown)
    assert visible(shown) == shown
    shown.encode()


@given(ANY)
def test_lines_are_kept(text: str) -> None:
    """What is shown as lines has the same newlines and tabs, and nothing else of that sort."""
    shown = visible(text, lines=True)
    assert not hides(shown)
    assert (shown.count("\n"), shown.count("\t")) == (text.count("\n"), text.count("\t"))


@given(TEXT.filter(lambda text: not set(text) & set("\n\t\r\\")))
def test_what_is_shown_can_be_typed(text: str) -> None:
    """A name that is shown is the same name where it is typed."""
    assert one_form(visible(text)) == one_form(text)


@given(st.recursive(TEXT, lambda inner: st.lists(inner) | st.dictionaries(TEXT, inner), max_leaves=8))
def test_json_means_the_same(value: Any) -> None:  # noqa: ANN401
    """JSON that is printed holds no control character and means what it meant."""
    text = visible_json(json.dumps(value, indent=2, ensure_ascii=False))
    assert json.loads(text) == value
    assert not hides(text)


def test_json_never_holds_a_lone_surrogate() -> None:
    """A byte that is no UTF-8 is its escape in JSON, for those who refuse a lone surrogate."""
    assert json.loads(visible_json(json.dumps(["caf\udce9"], ensure_ascii=False))) == [r"caf\xe9"]


@given(st.dictionaries(TEXT.filter(bool), TEXT, max_size=4))
def test_yaml_means_the_same(data: dict[str, str]) -> None:
    """YAML that is printed holds no control character and is read as what it was."""
    text = dump_yaml({f"k{key}": value for key, value in data.items()})
    assert not hides(text)
    assert load_yaml(text, "x")[0] == {f"k{key}": value for key, value in data.items()}


@pytest.mark.parametrize("value", ["a\udcffb", "\ud800"])
def test_yaml_takes_what_it_cannot_hold_as_an_escape(value: str) -> None:
    """A lone surrogate is written as an escape, and not refused."""
    assert "\\\\x" in dump_yaml({"k": value})
