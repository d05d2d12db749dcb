"""How a change of a resource is told, field by field: a map by the keys that change, a list by its items."""

import difflib
import json
import re
from collections.abc import Iterable, Iterator, Sequence
from typing import Any

import msgspec

from lasercats.cli import printing
from lasercats.core import secret
from lasercats.core.change import Change
from lasercats.core.resource import Resource, decisions

WIDE = 60
"""How many characters of a value are told in a line."""
_PLAIN = re.compile(r"[^\s.\"]+")
"""A key that is written as it is."""


def lines_of(change: Change[Resource], *, both: bool) -> Iterator[tuple[str, str]]:
    """Iterate over the lines that tell of the fields that differ, as far as they have colours as `Seen`.

    Each stands with the name of its field; what is below a line that has a name has none.
    """
    before, after = decisions(change.before), decisions(change.after)
    if change.verb == "remove" and not both:
        return
    for name in dict.fromkeys([*before, *after]):
        if before.get(name) != after.get(name):
            old, new = msgspec.to_builtins(before.get(name)), msgspec.to_builtins(after.get(name))
            yield from _field(name, old, new, change.verb, both=both)


def _field(name: str, old: Any, new: Any, verb: str, *, both: bool) -> Iterator[tuple[str, str]]:  # noqa: ANN401
    one: Any = new if old is None else old if new is None else None
    if _is_map(old) and _is_map(new):
        yield from ((name, line) for line in _keys(name, old, new, both=both))
    elif _is_map(one) and _long(_json(one)):
        if verb == "change":
            yield name, f"{name}: {_counted(old)} → {_counted(new)}"
        yield from (("" if verb == "change" else name, line) for line in _all(name, one))
    elif verb in ("create", "remove") and not (_is_long(old, new) and (both or _is_list(one))):
        yield name, f"{name}: {short(_open(one))}"
    else:
        first, *more = _changed(name, old, new, both=both)
        yield name, first
        yield from (("", line) for line in more)


def _changed(name: str, old: Any, new: Any, *, both: bool) -> Iterator[str]:  # noqa: ANN401
    """Iterate over the lines of a value that differs and is no map."""
    if _is_list(old) and _is_list(new) and (_is_long(old, new) or _shares(old, new)):
        yield f"{name}:"
        yield from _items(_open(old or []), _open(new or []))
    elif both and _is_text(old) and _is_text(new) and _is_long(old, new):
        yield f"{name}:"
        yield from _unified(str(old or ""), str(new or ""))
    else:
        yield f"{name}: {short(_open(old))} → {short(_open(new))}"


def _keys(name: str, old: dict[str, Any], new: dict[str, Any], *, both: bool) -> Iterator[str]:
    """Iterate over the lines of the keys that change, go and come."""
    for key in dict.fromkeys([*old, *new]):
        path = f"{name}.{_key(key)}"
        if key not in new:
            yield printing.style(f"- {path}: {short(_open(old[key]))}", fg="red")
        elif key not in old:
            yield printing.style(f"+ {path}: {short(_open(new[key]))}", fg="green")
        elif old[key] != new[key]:
            maps = _is_map(old[key]) and _is_map(new[key])
            yield from (_keys if maps else _changed)(path, old[key], new[key], both=both)


def _all(name: str, value: dict[str, Any]) -> Iterator[str]:
    """Iterate over the lines of a map that comes or goes as a whole."""
    return (f"{name}.{_key(key)}: {short(_open(one))}" for key, one in value.items())


def _key(key: object) -> str:
    """Return a key as it stands behind its map; in quotes where it would be taken for two."""
    text = str(key)
    return text if _PLAIN.fullmatch(text) else _json(text)


def _counted(value: Any) -> str:  # noqa: ANN401
    return short(None) if value is None else f"{len(value)} key{'' if len(value) == 1 else 's'}"


def _open(value: Any) -> Any:  # noqa: ANN401
    """Return a value as it may be shown."""
    return secret.hidden(value)


def _is_map(value: Any) -> bool:  # noqa: ANN401
    return isinstance(secret.hidden(value), dict)  # what is sealed is none


def _is_list(value: object) -> bool:
    return value is None or isinstance(value, list | tuple)


def _is_text(value: object) -> bool:
    return value is None or isinstance(value, str)


def _is_long(*values: object) -> bool:
    return any(_long(value if isinstance(value, str) else _json(_open(value))) for value in values)


def _long(text: str) -> bool:
    return "\n" in text.rstrip("\n") or len(text) > WIDE


def _shares(old: Sequence[Any] | None, new: Sequence[Any] | None) -> bool:
    """Tell whether some items of a list stay, and those in their order, so that it is told by the others."""
    return any(item in (new or ()) for item in old or ()) and _is_set(old or (), new or ())


def _is_set(old: Sequence[Any], new: Sequence[Any]) -> bool:
    """Tell whether what comes and goes is all that differs: nothing is there twice, or in another order."""
    twice = any(side.count(item) > 1 for side in (old, new) for item in side)
    return not twice and [item for item in old if item in new] == [item for item in new if item in old]


def _items(old: Sequence[Any], new: Sequence[Any]) -> Iterable[str]:
    """Return the items of a list that go and that come; with those around them where their order counts."""
    if not _is_set(old, new):
        yield from _unified("\n".join(map(_item, old)), "\n".join(map(_item, new)))
        return
    for item in old:
        if item not in new:
            yield printing.seen("  ", printing.style(f"- {_item(item)}", fg="red"))
    for item in new:
        if item not in old:
            yield printing.seen("  ", printing.style(f"+ {_item(item)}", fg="green"))


def _item(item: Any) -> str:  # noqa: ANN401
    """Return an item as it is written on a command line: `protocol:tcp,ports:443`."""
    if isinstance(item, dict):
        return ",".join(f"{name}:{value}" for name, value in item.items())
    return short(item)


def _unified(old: str, new: str) -> Iterable[str]:
    lines = difflib.unified_diff(_lines(old), _lines(new), lineterm="", n=2)
    colors = {"+": "green", "-": "red", "@": "cyan"}
    for line in list(lines)[2:]:
        yield printing.seen("  ", printing.style(printing.lines(line), fg=colors.get(line[:1])))


def _lines(text: str) -> list[str]:
    """Return the lines of a text; only a newline ends one, so that what else moves a cursor is seen."""
    return text.removesuffix("\n").split("\n") if text else []


def whole(value: object) -> str:
    """Return a value as one text, to its end."""
    return value if isinstance(value, str) else _json(value)


def _json(value: object) -> str:
    return json.dumps(msgspec.to_builtins(value), ensure_ascii=False)


def short(value: object) -> str:
    """Return a value as one short line."""
    if value is None:
        return "(not decided)"
    text = whole(value)
    first = text.rstrip("\n")
    if "\n" in first or len(first) > WIDE:
        line = first.split("\n")[0][:WIDE]
        return f"{line}… ({len(text.encode('utf-8', 'surrogatepass'))} bytes)"
    return first or '""'
