"""Whatever bytes a host can hold in a name can be given, has one form, and is the same bytes again."""

from posixpath import normpath

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from lasercats.core.address import rest_of
from lasercats.core.document import parse, render
from lasercats.core.errors import BadInput
from lasercats.core.registry import Kinds
from lasercats.core.secret import Sealed
from lasercats.core.text import escape, unescape
from lasercats.domains.host import DOMAIN
from lasercats.domains.host.file import File
from lasercats.domains.host.symlink import Symlink
from lasercats.testing.laws import NoInputs

KINDS = Kinds([DOMAIN])
BYTES = st.binary(min_size=1, max_size=12)
TARGETS = BYTES.map(lambda data: data.replace(b"\0", b"\t"))
NAMES = BYTES.filter(lambda data: not set(data) & set(b":\0\n"))
PARTS = st.lists(NAMES.map(lambda data: data.replace(b"/", b"_")), min_size=1, max_size=3)
PATHS = PARTS.filter(lambda parts: not {b".", b".."} & set(parts)).map(b"/".join)


@given(NAMES, NAMES, st.booleans())
def test_any_name_of_a_user_or_group_can_be_given(owner: bytes, group: bytes, escaped: bool) -> None:
    """An owner or group of any bytes but NUL, ':' and line breaks is taken, as it is or escaped."""
    for tag in ("file.chown", "directory.create"):
        data = {
            "command": tag,
            "on": "m:/f",
            "owner": _given(owner, escaped),
            "group": _given(group, escaped),
        }
        command = KINDS.command(data)
        assert (command.owner, command.group) == (escape(owner), escape(group))  # type: ignore[attr-defined]
        assert unescape(command.owner) == owner  # type: ignore[attr-defined]


@pytest.mark.parametrize("name", ["", "a:b", "a\nb", "a\0b", r"a\x00b", r"\x0a"])
@pytest.mark.parametrize("field", ["owner", "group"])
def test_what_can_be_no_name_is_refused(field: str, name: str) -> None:
    """An owner or group that no host can have is refused where it is given."""
    with pytest.raises(BadInput):
        KINDS.command({"command": "file.write", "on": "m:/f", "content": "x", field: name})


@given(TARGETS, st.booleans())
def test_a_link_can_point_to_any_bytes(target: bytes, escaped: bool) -> None:
    """A target of any bytes but NUL is taken, and comes back from a document as the same bytes."""
    data = {"command": "symlink.link", "on": "m:/l", "target": _given(target, escaped)}
    command = KINDS.command(data)
    assert unescape(command.target) == target  # type: ignore[attr-defined]
    (address,) = command.on
    link = Symlink(target=command.target)  # type: ignore[attr-defined]
    assert parse(render([(address, link)]), KINDS, NoInputs()) == {address: link}


@pytest.mark.parametrize("target", ["", "a\0b", r"a\x00"])
def test_what_can_be_no_target_is_refused(target: str) -> None:
    """A target that no link can have is refused where it is given."""
    with pytest.raises(BadInput):
        KINDS.command({"command": "symlink.link", "on": "m:/l", "target": target})


@given(PATHS)
def test_any_path_is_an_address(path: bytes) -> None:
    """A path of any bytes but NUL and line breaks has one address, which stands for it."""
    address = KINDS.address(f"file/m:/{escape(path)}")
    assert unescape(rest_of(address)) == b"/" + normpath(path).lstrip(b"/")
    assert KINDS.address(address) == address
    assert address.isprintable() or not path.decode("utf-8", "surrogateescape").isprintable()


def test_a_path_holds_no_nul() -> None:
    """A path with an escaped NUL is refused."""
    with pytest.raises(BadInput, match="NUL"):
        KINDS.address(r"file/m:/a\x00b")


@pytest.mark.parametrize(
    ("file", "lost"),
    [
        (File(content="x"), []),
        (File(secret=Sealed("00")), []),
        (File(content="sha256:" + "0" * 64), ["its unrecorded content"]),
        (File(mode="0644"), ["its unrecorded content"]),
    ],
)
def test_what_is_not_recorded_is_lost_with_a_removal(file: File, lost: list[str]) -> None:
    """A content that the log does not hold is named as what a removal loses."""
    assert list(KINDS.kinds["file"].loses(file)) == lost
    assert list(KINDS.kinds["file"].buries(file, None)) == lost
    assert list(KINDS.kinds["file"].buries(file, replace(file, content="new", secret=None))) == lost
    assert list(KINDS.kinds["file"].buries(file, replace(file, mode="0600"))) == []


def _given(data: bytes, escaped: bool) -> str:
    """Return bytes as an operator may give them: in the escaped form, or as the command line has them."""
    return escape(data) if escaped else _plain(data)


def _plain(data: bytes) -> str:
    text = data.decode("utf-8", "surrogateescape")
    return text if unescape(text) == data else escape(data)
