"""YAML is read quickly, as the slow way reads it, and faults are told with line and column."""

import json
from typing import Any

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from lasercats.core.document import dump_yaml
from lasercats.core.errors import BadDocument
from lasercats.core.reading import _slowly, load_yaml, where

SCALARS = st.none() | st.booleans() | st.integers() | st.text(max_size=20) | st.floats(allow_nan=False)
WORDS = st.sampled_from(
    [
        "~",
        "null",
        "no",
        "on",
        "0644",
        "0x1F",
        "-0",
        "+7",
        ".5",
        "1.",
        "1e3",
        "1_000",
        "12:30",
        "True",
        "<<",
        "=",
        "",
    ]
)
DATA = st.recursive(
    SCALARS | WORDS,
    lambda inner: (
        st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=8) | WORDS, inner, max_size=4)
    ),
    max_leaves=20,
)


@given(st.dictionaries(st.text(max_size=8) | WORDS, DATA, max_size=5))
def test_what_is_written_is_read(data: dict[str, Any]) -> None:
    """Whatever is dumped comes back, and is what the slow way reads."""
    text = "---\n" + yaml.safe_dump(data, allow_unicode=True)
    quick, _ = load_yaml(text, "x")
    assert quick == _slowly(text, "x")[0]
    assert repr(quick) == repr(_slowly(text, "x")[0])


@given(st.lists(WORDS, min_size=1, max_size=6))
def test_plain_scalars_are_read_as_the_slow_way_reads_them(words: list[str]) -> None:
    """Numbers, words and what only looks like one are told apart alike."""
    text = "".join(f"- {word}\n- k{n}: {word}\n" for n, word in enumerate(words))
    quick, _ = load_yaml(text, "x")
    assert repr(quick) == repr(_slowly(text, "x")[0])


@pytest.mark.parametrize(
    "text",
    [
        "a: &x [1, 2]\nb: *x\n",
        "a: !!str 7\n",
        "? [1, 2]\n: 3\n",
        "1: one\n",
        "a: |\n  text\n  of lines\nb: >-\n  folded\n  text\nc: 'it''s'\nd: \"\\u00e9\"\n",
        "# only a comment\n",
        "",
        "--- 7\n...\n",
    ],
)
def test_what_is_rare_is_read_too(text: str) -> None:
    """Anchors, tags, blocks, and keys that are no text are read as ever."""
    try:
        slow = _slowly(text, "x")[0]
    except yaml.YAMLError:
        with pytest.raises(BadDocument):
            load_yaml(text, "x")
    else:
        assert load_yaml(text, "x")[0] == slow


@pytest.mark.parametrize(
    ("text", "fact"),
    [
        ("a: 1\nb: 2\na: 3\n", "x:3:1: the key 'a' stands twice"),
        ("a:\n- b: [{c: 1, d: 2, c: 3}]\n", "x:2:20: the key 'c' stands twice"),
        ("a: [1\nb: 2\n", "x:2:2: malformed YAML"),
        ("a: 1\n---\nb: 2\n", "x:2:1: malformed YAML"),
        ("a: \x07\n", "x: malformed YAML"),
        ("a: !!bool 7\n", "x: a value in it cannot be read"),
        ("[" * 200 + "]" * 200, "x: it is nested deeper than 100 times"),
        ("[" * 200_000, "x: it is nested deeper than 100 times"),
        ('{"a": ' * 100_000 + "1" + "}" * 100_000, "x: it is nested deeper than 100 times"),
        ('{"a": 1, "a": 2}', "x: the key 'a' stands twice"),
    ],
)
def test_faults_are_told(text: str, fact: str) -> None:
    """Each fault has its sentence, with where it stands, and none brings the process down."""
    with pytest.raises(BadDocument) as raised:
        load_yaml(text, "x")
    assert str(raised.value).startswith(fact)


def test_lines_are_told_where_they_are_asked_for() -> None:
    """A path of keys and items leads to line and column; JSON has none."""
    _, tree = load_yaml("a:\n  b:\n  - c: 1\n  - d: 2\n", "x")
    assert where(tree, "x", ["a", "b", 1, "d"]) == "x:4:5"
    assert where(tree, "x", ["a", "z"]) == "x:1:1"
    assert where(load_yaml(json.dumps({"a": 1}), "x")[1], "x", ["a"]) == "x"


def test_a_document_of_ours_is_read_quickly() -> None:
    """What we write needs no tree, so that a plan of many things is read in one go."""
    text = dump_yaml({"resources": {f"file/a:/{n}": {"content": "x\ny\n", "mode": "0644"} for n in range(3)}})
    _, tree = load_yaml(text, "x")
    assert tree.cache_info().currsize == 0  # type: ignore[attr-defined]
