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


@pytest.mark.parametrize("content", ["\n", "a\n\n", "a\n...\n", "...\n\n", "a \n\n", "a"])
def test_text_that_ends_with_empty_lines_ends_no_document(content: str) -> None:
    """What is written of one thing can be followed by more, whatever its text ends with."""
    first, more = (dump_yaml({name: {"content": content}}) for name in ("a", "b"))
    assert load_yaml(f"{first}# a remark\n{more}", "x")[0] == {key: {"content": content} for key in "ab"}


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
        ('{"a": ' + "9" * 100_000 + "}", "x: a number in it is too long"),
        ("a: " + "9" * 100_000, "x: a value in it cannot be read"),
    ],
)
def test_faults_are_told(text: str, fact: str) -> None:
    """Each fault has its sentence, with where it stands, and none brings the process down."""
    with pytest.raises(BadDocument) as raised:
        load_yaml(text, "x")
    assert str(raised.value).startswith(fact)


@pytest.mark.parametrize(
    "text",
    [
        "{" + "".join(f'"k{i}": {{"a": {i}}}, ' for i in range(200_000)) + '"a": 1, "a": 2}',
        "".join(f"k{i}: {{a: {i}}}\n" for i in range(50_000)) + "a: 1\na: 2\n",
        "a: &a {k: 1}\n" + "".join(f"k{i}: *a\n" for i in range(50_000)) + "a: 2\n",
    ],
)
def test_one_fault_among_many_keys_is_found(text: str) -> None:
    """The time to find it grows with the text, and not with its square, which would be hours here."""
    with pytest.raises(BadDocument, match="the key 'a' stands twice"):
        load_yaml(text, "x")


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


KEYS = st.sampled_from(["a", "b", "c", "d", "e"])
MAPPINGS = st.dictionaries(KEYS, st.sampled_from(["v", "w"]), max_size=3)


@given(st.lists(st.tuples(MAPPINGS, st.lists(st.integers(0, 5), max_size=3), st.booleans()), max_size=6))
def test_merge_keys_are_read_as_yaml_says(bases: list[tuple[dict[str, str], list[int], bool]]) -> None:
    """Own fields stand before merged ones, and the earlier of a list before the later, at any depth."""
    lines = []
    for number, (own, merged, alone) in enumerate(bases):
        names = [f"*n{n}" for n in merged if n < number]
        lines.append(f"m{number}: &n{number}")
        if names:
            lines.append(f"  <<: {names[0] if alone else '[' + ', '.join(names) + ']'}")
        lines += [f"  {key}: {value}{number}" for key, value in own.items()] or ([] if names else ["  {}"])
    text = "\n".join(lines)
    assert load_yaml(text, "x")[0] == yaml.safe_load(text)


@pytest.mark.parametrize(
    ("text", "fact"),
    [
        ("a: &a {b: 1}\nc: {<<: *a, <<: *a}\n", "x:2:13: the key '<<' stands twice"),
        ("a: &a {b: 1}\nc: {<<: *a, b: 2, b: 3}\n", "x:2:19: the key 'b' stands twice"),
        ("a: &a {<<: *a}\n", "x:1:4: this cannot be kept: what an anchor names stands in itself"),
        ("a: &a [1, {b: *a}]\n", "x:1:4: this cannot be kept: what an anchor names stands in itself"),
        ("c: {<<: 7}\n", "x:1:5: only a mapping, or a list of them, can be merged"),
        ("a: &a [1]\nc:\n  <<: [*a]\n", "x:3:3: only a mapping, or a list of them, can be merged"),
    ],
)
def test_faults_of_anchors_are_told(text: str, fact: str) -> None:
    """What cannot be merged is told with where it stands."""
    with pytest.raises(BadDocument) as raised:
        load_yaml(text, "x")
    assert str(raised.value).startswith(fact)


@pytest.mark.parametrize("word", ["'<<'", '"<<"'])
def test_a_quoted_sign_merges_nothing(word: str) -> None:
    """A merge key is one that is not quoted; elsewhere the sign is a word."""
    assert load_yaml(f"a: &a {{b: 1}}\nc: {{{word}: *a}}\nd: [<<, <<]\n", "x")[0] == {
        "a": {"b": 1},
        "c": {"<<": {"b": 1}},
        "d": ["<<", "<<"],
    }


def test_lines_of_merged_fields() -> None:
    """A field is told of where it is written: the merged one at the anchor, the own one where it stands."""
    _, tree = load_yaml("a: &a\n  b: 1\n  c: 2\nd:\n  <<: *a\n  c: 3\n", "x")
    assert where(tree, "x", ["d", "b"]) == "x:2:3"
    assert where(tree, "x", ["d", "c"]) == "x:6:3"


@pytest.mark.parametrize(
    ("first", "next_"),
    [
        ("[1, 2, 3, 4, 5, 6, 7, 8, 9, 0]", "[{all}]"),
        ("{k: 1}", "{{k{n}: [{all}]}}"),
        ("[x]", "{{<<: {{k{n}: [{all}]}}, z: [{all}]}}"),
    ],
)
def test_aliases_that_stand_for_too_much(first: str, next_: str) -> None:
    """Few lines that stand for thousands of millions of values are refused before anybody walks them."""
    lines = [f"a0: &a0 {first}"]
    lines += [f"a{n}: &a{n} " + next_.format(n=n, all=", ".join([f"*a{n - 1}"] * 10)) for n in range(1, 40)]
    with pytest.raises(BadDocument, match="its aliases stand for more than 1000000 values; write out"):
        load_yaml("\n".join(lines), "x")


def test_merges_that_stand_for_too_much() -> None:
    """Merging much into much is bounded, too, also where every field is there already."""
    fields = ", ".join(f"k{n}: 1" for n in range(2_000))
    lines = [f"a: &a {{{fields}}}", *(f"b{n}: {{<<: [{', '.join(['*a'] * 100)}]}}" for n in range(6))]
    with pytest.raises(BadDocument, match="its aliases stand for more than"):
        load_yaml("\n".join(lines), "x")


def test_aliases_that_nest_too_deeply() -> None:
    """A chain of aliases is as deep as what it stands for."""
    chain = "\n".join(f"a{n}: &a{n} [{f'*a{n - 1}' if n else '1'}]" for n in range(200))
    with pytest.raises(BadDocument, match="it is nested deeper than 100 times"):
        load_yaml(chain, "x")


def test_many_aliases_of_a_large_thing_are_fine() -> None:
    """What a team shares among a thousand hosts is no bomb."""
    base = ", ".join(f"k{n}: v" for n in range(50))
    lines = [f"x: &x {{{base}}}", *(f"h{n}: {{<<: *x, name: h{n}}}" for n in range(1_000))]
    assert len(load_yaml("\n".join(lines), "x")[0]["h999"]) == 51
