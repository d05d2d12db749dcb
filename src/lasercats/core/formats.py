r"""What records of earlier formats mean in the words of today.

Up to format 3, texts of hosts were literal: `\xff` in the name of a file was four characters. From format 4
on they are in the one-line form of `lasercats.core.text`, in which that is one byte, and the four characters
are `\x5cxff`. So where old records are read, such texts are brought to that form: addresses, and the fields
that name a path, the target of a link, an owner, a group or the words of a raw command. Contents and what
programs print are left as they are.

Up to format 4, what is sealed was a text `sealed:TOKEN`, also in instructions, where it could as well be a
text. There it is taken for sealed where it has the form of a token (if it is none, no vault opens it). In the
secret field of files, and of commands that write them, it is known by its place. So it is in what was told to
a look for a secret, which needs no change here.

Two facts of a command had no field: up to format 3 its tag told that it holds what others change, and up to
format 4 the words of its reason (`undo 12`) told what it takes back. They are put in their fields.

Pure, and cheap: a body that cannot have any of this is given back as it is.
"""

import re
from collections.abc import Callable, Mapping
from typing import Any, TypeAlias

import msgspec

from lasercats.core.loose import ODD
from lasercats.core.text import escape

LITERAL = 3
"""The last format in which texts of hosts are literal, and what is held is told by a tag."""
TOKENS = 4
"""The last format in which what is sealed is a text."""
WORDED = 4
"""The last format in which what a command takes back is told by words alone."""
KINDS = ("file", "directory", "symlink", "exec")
"""The kinds of hosts, as they were when formats 1 to 3 were written."""
_FIELDS = ("path", "target", "owner", "group")
_WORDS = "argv"
"""The words of a raw command."""
_STATUS = ("file", "directory", "symlink", "other")
"""What a look told that is at a path; no outcome of another machine has such a `type`."""
_TOKEN = re.compile(r"sealed:(0\.)?[A-Za-z0-9_-]{16,}={0,2}")
_encode = msgspec.json.Encoder().encode
_Changes: TypeAlias = Mapping[str, Mapping[str, Callable[[Any], Any]]]
"""What changes parts of a body, by the name of its type and of the part."""


def modern(format_: int, name: str, body: bytes) -> bytes:
    """Return the body of a record of a format, by the name of its type, as it would be written today.

    Raises:
        msgspec.ValidationError: it is no record of that type.

    """
    worded = name == "accepted" and format_ <= WORDED and (b"hold" in body or b"undo" in body)
    literal = format_ <= LITERAL and (b"\\\\x" in body or b"\\\\X" in body)
    tokens = format_ <= TOKENS and b'"sealed' in body
    if not (worded or literal or tokens):
        return body
    try:
        parts = msgspec.json.decode(body, type=dict[str, Any])
        parts = _with_facts(format_, parts) if worded else parts
        parts = _changed(parts, _TEXTS.get(name, {})) if literal else parts
        parts = _changed(parts, _SEALED.get(name, {})) if tokens else parts
        return _encode(parts)
    except ODD as error:
        raise msgspec.ValidationError(f"this is no {name} of format {format_}: {error}") from None


def _changed(parts: dict[str, Any], changes: Mapping[str, Callable[[Any], Any]]) -> dict[str, Any]:
    return parts | {part: change(parts[part]) for part, change in changes.items() if part in parts}


def _with_facts(format_: int, parts: dict[str, Any]) -> dict[str, Any]:
    """Put in their fields what a tag and the words of a reason told."""
    words = (parts.get("because") or "").split()
    undone = [int(word) for word in words[1:] if word.isdecimal()] if words[:1] == ["undo"] else []
    held = format_ <= LITERAL and parts["command"].get("command") == "hold"
    facts = {"undoes": undone} if undone and "undoes" not in parts else {}
    return parts | facts | ({"held": True} if held else {})


# What is sealed.


def _instructions_sealed(found: list[Any]) -> list[Any]:
    """Return instructions in which what is sealed is an object, with the place that it is for."""
    return [_with_place(one) if isinstance(one, dict) else one for one in found]


def _with_place(one: dict[str, Any]) -> dict[str, Any]:
    """Return an instruction of a host in the words, and in the order of fields, of today."""
    place = {"place": f"file/{one.get('machine')}:{one.get('path')} secret"}
    fields = dict[str, Any]()
    for name, value in one.items():
        token = isinstance(value, str) and _TOKEN.fullmatch(value)
        if token and (one.get("do"), name) in (("host.write", "content"), ("host.read", "expect")):
            fields[name] = {"sealed:": value.removeprefix("sealed:")}
            fields |= place if name == "content" else {}
        elif (one.get("do"), name) == ("host.read", "sealed"):
            fields |= {"seal": "always", **place} if value else {}
        else:
            fields[name] = value
    return fields


def _secret(one: dict[str, Any] | None) -> dict[str, Any] | None:
    """Change the secret field of a file, or of a command that writes one."""
    token = one.get("secret") if isinstance(one, dict) else None
    if one is None or not isinstance(token, str) or not token.startswith("sealed:"):
        return one
    return one | {"secret": {"sealed:": token.removeprefix("sealed:")}}


def _command_sealed(one: dict[str, Any]) -> dict[str, Any] | None:
    return _secret(one) if one.get("command", "").startswith("file.") else one


def _delta_sealed(delta: dict[str, Any]) -> dict[str, Any]:
    return {a: [*map(_secret, sides)] if a.startswith("file/") else sides for a, sides in delta.items()}


_SEALED: _Changes = {
    "accepted": {"command": _command_sealed},
    "started": {"instructions": _instructions_sealed},
    "event": {"delta": _delta_sealed},
}


# Texts.


def _address(address: str) -> str:
    return escape(address.encode()) if address.partition("/")[0] in KINDS else address


def _addresses(found: list[str]) -> list[str]:
    return [_address(address) for address in found]


def _fields(one: Any) -> Any:  # noqa: ANN401 - a struct, or what stands in place of one
    """Change the fields of one struct; one that is none, or has nothing to change, stays as it is."""
    if not isinstance(one, dict) or b"\\x" not in _encode(one).lower():
        return one
    texts: dict[str, Any] = {n: escape(one[n].encode()) for n in _FIELDS if isinstance(one.get(n), str)}
    if isinstance(one.get(_WORDS), list):
        texts[_WORDS] = [escape(word.encode(), lines=True) for word in one[_WORDS]]
    return one | texts


def _command(one: dict[str, Any]) -> dict[str, Any]:
    if one.get("command", "").partition(".")[0] in KINDS:
        one = _fields(one)
    return one | {"on": _addresses(one["on"])} if "on" in one else one


def _delta(delta: dict[str, Any]) -> dict[str, Any]:
    host = {address for address in delta if address.partition("/")[0] in KINDS}
    return {_address(a): [*map(_fields, sides)] if a in host else sides for a, sides in delta.items()}


def _instructions(found: list[Any]) -> list[Any]:
    hosts = [isinstance(one, dict) and f"{one.get('do')}".startswith("host.") for one in found]
    return [_fields(one) if host else one for one, host in zip(found, hosts, strict=True)]


def _outcomes(found: list[Any]) -> list[Any]:
    """Change the status of paths."""
    return [_fields(o) if isinstance(o, dict) and o.get("type") in _STATUS else o for o in found]


_TEXTS: _Changes = {
    "accepted": {"command": _command, "claims": _addresses},
    "started": {"instructions": _instructions},
    "finished": {"outcomes": _outcomes},
    "event": {"delta": _delta},
}
