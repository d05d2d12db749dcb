"""Addresses, contents, resources and sealed tokens: the values that everything is made of."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lasercats.core import content
from lasercats.core.address import Address, kind_of, machine_of, name_of, parse, rest_of
from lasercats.core.errors import BadInput, UnknownName
from lasercats.core.resource import Role, decisions, fields_of, overlay, same, settle
from lasercats.core.secret import Sealed
from lasercats.core.state import State
from lasercats.domains.host.file import File


def test_an_address_has_parts() -> None:
    """Kind, name, machine and rest are read off an address."""
    address = parse("file/web1:/etc/motd")
    assert (kind_of(address), name_of(address)) == ("file", "web1:/etc/motd")
    assert (machine_of(address), rest_of(address)) == ("web1", "/etc/motd")
    assert machine_of(parse("ec2.instance/web-1")) is None


@pytest.mark.parametrize(
    "text", ["", "file", "file/", "/x", "File/x", "file/:x", "file/a b:/x", "file/m:/a\nb"]
)
def test_what_is_no_address_is_refused(text: str) -> None:
    """Text that is not KIND/NAME, or holds a control character, is no address."""
    with pytest.raises(BadInput):
        parse(text)


@given(st.binary(max_size=200))
def test_any_bytes_are_a_content(data: bytes) -> None:
    """Every byte string has one content string, from which it comes back."""
    text = content.encode(data)
    assert content.decode(text) == data
    assert content.canonical(text) == text
    assert content.digest(text) == content.digest_of(data)


@given(st.sampled_from(["data:;base64,", "sha256:"]), st.text(max_size=20))
def test_text_is_never_taken_for_a_form(prefix: str, rest: str) -> None:
    """Text that begins like one of the other forms keeps its meaning."""
    data = (prefix + rest).encode()
    assert content.decode(content.encode(data)) == data


def test_a_content_has_a_limit() -> None:
    """More bytes than the log keeps are refused, by name of the limit."""
    with pytest.raises(ValueError, match="at most 8388608 are kept"):
        content.canonical("x" * (content.LIMIT + 1))
    with pytest.raises(ValueError, match="not valid base64"):
        content.canonical("data:;base64,???")


def test_fields_have_roles() -> None:
    """A field's role is read off its annotation, in a union too."""
    assert fields_of(File, Role.SECRET) == ("secret",)
    assert fields_of(File, Role.COMPUTED) == ("modified",)
    assert fields_of(File, Role.SPECIFIED) == ("content", "mode", "owner", "group", "protect")


def test_given_fields_are_not_compared() -> None:
    """Two resources are the same when all that is decided is."""
    one = File(content="x", modified="2026-01-01T00:00:00Z")
    assert same(one, File(content="x"))
    assert not same(one, File(content="y"))
    assert not same(one, None)
    assert same(None, None)


def test_a_desired_state_lies_over_what_is_there() -> None:
    """An overlay takes each decision of the desired one and leaves the rest."""
    assert overlay(File(content="x", mode="0600"), File(mode="0644")) == File(content="x", mode="0644")
    assert overlay(None, File(mode="0644")) == File(mode="0644")


def test_what_nobody_decided_stays_undecided() -> None:
    """What is found in an undecided field is not taken for a decision."""
    found = File(content="y", mode="0644", owner="root", group="root", modified="now")
    assert settle(File(content="x"), found) == File(content="y", modified="now")
    assert settle(None, found) == found
    assert settle(File(content="x"), None) is None


def test_a_secret_in_clear_is_refused() -> None:
    """A secret field takes a sealed token and nothing else."""
    assert decisions(File(secret=Sealed("abc"))) == {"secret": Sealed("abc")}
    for clear in ("hunter2", "sealed:abc"):
        with pytest.raises(ValueError, match="must be sealed"):
            File(secret=clear)  # type: ignore[arg-type]


def test_the_nearest_name_is_suggested() -> None:
    """An unknown name tells the nearest known one, or the remedy, or all there are."""
    assert str(UnknownName("verb", "wrte", ["write", "remove"])).endswith("did you mean 'write'?")
    assert str(UnknownName("verb", "xyz", ["write"], "see --help")).endswith("see --help")
    assert str(UnknownName("verb", "xyz", [])).endswith("there are none")


def test_what_is_on_a_place_is_told_as_it_changes() -> None:
    """A state tells what is on a machine, and so do those that come of it: more, less, and changed."""
    one, two, other = Address("file/m:/a"), Address("file/m:/b"), Address("file/n:/a")
    state = State.of({one: File(content="1"), other: File(content="2")})
    assert dict(state.on("file/m")) == {one: File(content="1")}
    more = state.holding(two, File(content="3")).holding(one, File(content="4"))
    assert dict(more.on("file/m")) == {one: File(content="4"), two: File(content="3")}
    assert dict(more.holding(one, None).on("file/m")) == {two: File(content="3")}
    assert dict(state.on("file/m")) == {one: File(content="1")}
    assert dict(more.forget([two]).on("file/m")) == {one: File(content="4")}
    assert dict(state.on("file/nowhere")) == {}
