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
from typing import Any

import msgspec

from lasercats.core.text import escape

LITERAL = 3
"""The last format in which texts of hosts are literal, and what is held is told by a tag."""
TOKENS = 4
"""The last format in which what is sealed is a text."""
WORDED = 4
"""The last format in which what a command takes back is told by words alone."""
_HOLD = "hold"
_UNDO = "undo"
KINDS = ("file", "directory", "symlink", "exec")
"""The kinds of hosts, as they were when formats 1 to 3 were written."""
_INSTRUCTIONS = b'{"do":"host.'
"""How an instruction for a host begins: its tag is always written first."""
_FIELDS = ("path", "target", "owner", "group")
_WORDS = "argv"
"""The words of a raw command."""
_TOKEN = re.compile(r"sealed:(0\.)?[A-Za-z0-9_-]{16,}={0,2}")
_encode = msgspec.json.Encoder().encode
_Parts = dict[str, msgspec.Raw]


def modern(format_: int, name: str, body: bytes) -> bytes:
    """Return the body of a record of a format, by the name of its type, as it would be written today."""
    if name == "accepted" and format_ <= WORDED and (b"hold" in body or b"undo" in body):
        body = _with_facts(format_, body)
    if format_ <= LITERAL and (b"\\\\x" in body or b"\\\\X" in body):
        body = _changed(body, _PARTS.get(name, {}))
    if format_ <= TOKENS and b'"sealed' in body:
        body = _changed(body, _SEALED.get(name, {}))
    return body


def _changed(body: bytes, changes: Mapping[str, Callable[[msgspec.Raw], Any]]) -> bytes:
    parts = msgspec.json.decode(body, type=_Parts)
    for part, change in changes.items():
        if part in parts:
            parts[part] = msgspec.Raw(_encode(change(parts[part])))
    return _encode(parts)


def _instructions_sealed(raw: msgspec.Raw) -> list[Any]:
    """Return instructions in which what is sealed is an object, with the place that it is for."""
    found = msgspec.json.decode(raw, type=list[Any])
    return [_with_place(one) if isinstance(one, dict) else one for one in found]


def _with_place(one: dict[str, Any]) -> dict[str, Any]:
    """Return an instruction of a host in the words, and in the order of fields, of today."""
    place = {"place": f"file/{one.get('machine')}:{one.get('path')} secret"}
    told = dict[str, Any]()
    for name, value in one.items():
        token = isinstance(value, str) and _TOKEN.fullmatch(value)
        if token and (one.get("do"), name) in (("host.write", "content"), ("host.read", "expect")):
            told[name] = {"sealed:": value.removeprefix("sealed:")}
            told |= place if name == "content" else {}
        elif (one.get("do"), name) == ("host.read", "sealed"):
            told |= {"seal": "always", **place} if value else {}
        else:
            told[name] = value
    return told


class _Command(msgspec.Struct):
    command: str = ""


class _Accepted(msgspec.Struct):
    """What of an acceptance told facts that have fields today."""

    command: _Command
    because: str | None = None


def _with_facts(format_: int, body: bytes) -> bytes:
    """Put in their fields what a tag and the words of a reason told."""
    parts, told = msgspec.json.decode(body, type=_Parts), msgspec.json.decode(body, type=_Accepted)
    words = (told.because or "").split()
    undone = [int(word) for word in words[1:] if word.isdecimal()] if words[:1] == [_UNDO] else []
    if undone and "undoes" not in parts:
        parts["undoes"] = msgspec.Raw(_encode(undone))
    if format_ <= LITERAL and told.command.command == _HOLD:
        parts["held"] = msgspec.Raw(b"true")
    return _encode(parts)


def _secret(raw: msgspec.Raw) -> msgspec.Raw:
    """Change the secret field of a file, or of a command that writes one."""
    if b'"secret":"sealed:' not in bytes(raw):
        return raw
    parts = msgspec.json.decode(raw, type=_Parts)
    token = msgspec.json.decode(parts["secret"], type=str)
    parts["secret"] = msgspec.Raw(_encode({"sealed:": token.removeprefix("sealed:")}))
    return msgspec.Raw(_encode(parts))


def _command_sealed(raw: msgspec.Raw) -> msgspec.Raw:
    tag = bytes(msgspec.json.decode(raw, type=_Parts).get("command", msgspec.Raw(b'""')))
    return _secret(raw) if tag.startswith(b'"file.') else raw


def _delta_sealed(raw: msgspec.Raw) -> dict[str, Any]:
    delta = msgspec.json.decode(raw, type=dict[str, tuple[msgspec.Raw, msgspec.Raw]])
    return {
        address: tuple(map(_secret, sides)) if address.startswith("file/") else sides
        for address, sides in delta.items()
    }


_SEALED: Mapping[str, Mapping[str, Callable[[msgspec.Raw], Any]]] = {
    "accepted": {"command": _command_sealed},
    "started": {"instructions": _instructions_sealed},
    "event": {"delta": _delta_sealed},
}


def _text(text: str) -> str:
    return escape(text.encode())


def _address(address: str) -> str:
    return _text(address) if address.partition("/")[0] in KINDS else address


def _addresses(raw: msgspec.Raw) -> list[str]:
    return [_address(address) for address in msgspec.json.decode(raw, type=list[str])]


def _fields(raw: msgspec.Raw) -> msgspec.Raw:
    """Change the fields of one struct; one that is none, or has nothing to change, stays byte for byte."""
    if b"\\x" not in bytes(raw).lower() or not bytes(raw).startswith(b"{"):
        return raw
    parts = msgspec.json.decode(raw, type=_Parts)
    for field in _FIELDS:
        if bytes(parts.get(field, msgspec.Raw(b""))).startswith(b'"'):
            parts[field] = msgspec.Raw(_encode(_text(msgspec.json.decode(parts[field], type=str))))
    if bytes(parts.get(_WORDS, msgspec.Raw(b""))).startswith(b"["):
        words = msgspec.json.decode(parts[_WORDS], type=list[str])
        parts[_WORDS] = msgspec.Raw(_encode([escape(word.encode(), lines=True) for word in words]))
    return msgspec.Raw(_encode(parts))


def _command(raw: msgspec.Raw) -> msgspec.Raw:
    parts = msgspec.json.decode(raw, type=_Parts)
    if bytes(parts.get("command", msgspec.Raw(b'""')))[1:-1].decode().partition(".")[0] in KINDS:
        parts = msgspec.json.decode(_fields(raw), type=_Parts)
    if "on" in parts:
        parts["on"] = msgspec.Raw(_encode(_addresses(parts["on"])))
    return msgspec.Raw(_encode(parts))


def _delta(raw: msgspec.Raw) -> dict[str, Any]:
    delta = msgspec.json.decode(raw, type=dict[str, tuple[msgspec.Raw, msgspec.Raw]])
    return {
        _address(address): tuple(map(_fields, sides)) if address.partition("/")[0] in KINDS else sides
        for address, sides in delta.items()
    }


def _instructions(raw: msgspec.Raw) -> list[msgspec.Raw]:
    found = msgspec.json.decode(raw, type=list[msgspec.Raw])
    return [_fields(one) if bytes(one).startswith(_INSTRUCTIONS) else one for one in found]


def _outcomes(raw: msgspec.Raw) -> list[msgspec.Raw]:
    """Change the status of paths; no outcome of another machine has a field `modified` and one `type`."""
    return [
        _fields(one) if _is_status(one) else one for one in msgspec.json.decode(raw, type=list[msgspec.Raw])
    ]


def _is_status(raw: msgspec.Raw) -> bool:
    if not bytes(raw).startswith(b"{"):
        return False
    type_ = bytes(msgspec.json.decode(raw, type=_Parts).get("type", msgspec.Raw(b"")))
    return type_ in (b'"file"', b'"directory"', b'"symlink"', b'"other"')


_PARTS: Mapping[str, Mapping[str, Callable[[msgspec.Raw], Any]]] = {
    "accepted": {"command": _command, "claims": _addresses},
    "started": {"instructions": _instructions},
    "finished": {"outcomes": _outcomes},
    "event": {"delta": _delta},
}
