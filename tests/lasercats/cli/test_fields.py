"""What a change is told as: the keys that change, the items that come and go, and nothing that is sealed."""

from typing import Any

import click
import pytest

from lasercats.cli.fields import lines_of
from lasercats.core.change import Change
from lasercats.core.secret import PREFIX
from lasercats.domains.ec2.instance import Instance
from lasercats.domains.rack.device_type import DeviceType

LONG = {f"key-{n}": "a value that is told" for n in range(4)}


def plain_lines(before: Any, after: Any, *, both: bool = False) -> list[str]:  # noqa: ANN401
    """Return the lines without colours."""
    return [click.unstyle(line) for _, line in lines_of(Change(before, after), both=both)]


def instance(**fields: Any) -> Instance:  # noqa: ANN401
    """Return an instance with some fields."""
    return Instance(**fields)


@pytest.mark.parametrize(
    ("old", "new", "lines"),
    [
        ({"Name": "web"}, {"Name": "web2"}, ["tags.Name: web → web2"]),
        ({**LONG, "Name": "web"}, {**LONG, "Name": "web2"}, ["tags.Name: web → web2"]),
        ({"a": "1", "b": "2"}, {"b": "2", "c": "3"}, ["- tags.a: 1", "+ tags.c: 3"]),
        ({"a": "1"}, {}, ["- tags.a: 1"]),
        ({"a b": "1", "a.b": "1"}, {"a b": "2", "a.b": "2"}, ['tags."a b": 1 → 2', 'tags."a.b": 1 → 2']),
        (None, {"a": "1"}, ['tags: (not decided) → {"a": "1"}']),
        ({"a": "1"}, None, ['tags: {"a": "1"} → (not decided)']),
        ({"a": ""}, {"a": "x"}, ['tags.a: "" → x']),
    ],
)
def test_a_map(old: Any, new: Any, lines: list[str]) -> None:  # noqa: ANN401
    """Only what changes of it is told, also where it is long."""
    assert plain_lines(instance(tags=old), instance(tags=new)) == lines


def test_a_long_map_that_comes_or_goes() -> None:
    """It is told key by key, and none is cut away."""
    each = [f"tags.{key}: {value}" for key, value in LONG.items()]
    assert plain_lines(None, instance(tags=LONG)) == each
    assert plain_lines(instance(tags=LONG), None, both=True) == each
    assert plain_lines(instance(tags=LONG), None) == []
    assert plain_lines(instance(), instance(tags=LONG)) == ["tags: (not decided) → 4 keys", *each]


def test_a_map_of_more() -> None:
    """What stands deeper in it is told by its path."""
    before = DeviceType(more={"a": {"b": 1, "c": [1], "d": {"e": 1}}})
    after = DeviceType(more={"a": {"b": 2, "c": [1], "d": {"e": 1, "f": 1}}})
    assert plain_lines(before, after) == ["more.a.b: 1 → 2", "+ more.a.d.f: 1"]


@pytest.mark.parametrize(
    ("old", "new", "lines"),
    [
        (["a", "b"], ["a", "c"], ["more.x:", "  - b", "  + c"]),
        (["a"], ["b"], ['more.x: ["a"] → ["b"]']),
        (["a", "b"], ["b", "a"], ['more.x: ["a", "b"] → ["b", "a"]']),
        (["a", "a"], ["a"], ['more.x: ["a", "a"] → ["a"]']),
        ([{"n": 1}, {"n": 2}], [{"n": 2}], ["more.x:", "  - n:1"]),
    ],
)
def test_a_list(old: list[Any], new: list[Any], lines: list[str]) -> None:
    """Where items only come and go, those are told; where their order changes, both sides are."""
    assert plain_lines(DeviceType(more={"x": old}), DeviceType(more={"x": new})) == lines


def test_a_set() -> None:
    """It is told by what comes and goes."""
    before, after = instance(security_groups=("a", "b")), instance(security_groups=("b", "c"))
    assert plain_lines(before, after) == ["security_groups:", "  - a", "  + c"]


def test_the_order_of_a_long_list() -> None:
    """Where that is all that changes, it is told."""
    names = [f"a-name-that-is-long-{n}" for n in range(5)]
    lines = plain_lines(DeviceType(more={"x": names}), DeviceType(more={"x": names[::-1]}))
    assert lines[0] == "more.x:"
    assert {line[:3] for line in lines[1:]} >= {"  +", "  -"}


def test_what_is_sealed_in_a_map_is_not_told() -> None:
    """It is told that it changes."""
    before, after = ({"key": {PREFIX: token}} for token in ("one", "two"))
    (line,) = plain_lines(DeviceType(more=before), DeviceType(more=after))
    assert line.startswith("more.key: ")
    assert "one" not in line
