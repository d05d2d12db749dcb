"""Reading YAML and JSON quickly, with the line and column of every fault.

A text is read twice at most: its events are made into data at once, and only where there is something to be
told, or something rare to be read (anchors, tags), into a tree that knows its lines. That takes five times as
long.
"""

import contextlib
import gc
import json
import re
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from functools import cache, partial
from itertools import accumulate
from typing import Any, ClassVar, TypeAlias

from lasercats.core.errors import BadDocument
from lasercats.core.merging import DEEPEST, MERGE, Merging

Tree: TypeAlias = Callable[[], Any]
"""Returns the tree of a text, which knows its lines, or None where there is none; made when asked for."""
_STRANGE = (ArithmeticError, AttributeError, LookupError, RecursionError, TypeError, ValueError)
"""What the YAML reader lets through where a value is not of its tag: `!!bool 7`, or of too many digits."""


class _Rare(Exception):
    """The quick way cannot tell; the slow one can."""


def load_yaml(text: str, name: str) -> tuple[Any, Tree]:
    """Return the data of a YAML text, and what tells of its lines and columns.

    Raises:
        BadDocument: it is malformed, nested too deeply, or a key stands twice.

    """
    if text.lstrip().startswith("{"):
        # JSON is read as JSON: YAML's own reader refuses control characters and surrogate pairs in it.
        with contextlib.suppress(json.JSONDecodeError):
            return read_json(text, name), lambda: None
    return _parsed(name, lambda: _quickly(text, name)), cache(
        lambda: _parsed(name, lambda: _slowly(text, name)[1])
    )


def where(tree: Tree, name: str, path: Iterable[Any]) -> str:
    """Return `file:line:column` of the innermost key, or item of a list, of a path that is there."""
    node = tree()
    if node is None:
        return name
    mark = node.start_mark
    for key in path:
        if node.id == "sequence" and isinstance(key, int) and key < len(node.value):
            node = node.value[key]
            mark = node.start_mark
            continue
        found = [(k, v) for k, v in node.value if k.value == str(key)] if node.id == "mapping" else []
        if not found:
            break
        mark, node = found[-1][0].start_mark, found[-1][1]
    return f"{name}:{mark.line + 1}:{mark.column + 1}"


def read_json(text: str, name: str) -> Any:  # noqa: ANN401
    """Return the data of a JSON text.

    Raises:
        JSONDecodeError: it is malformed.
        BadDocument: it is nested too deeply, a key stands twice, or a number in it is too long.

    """
    try:
        return json.loads(text, object_pairs_hook=partial(_no_twins, name))
    except RecursionError:
        raise BadDocument(name, f"it is nested deeper than {DEEPEST} times") from None
    except json.JSONDecodeError:
        raise
    except ValueError:  # Python reads no whole number of more than 4,300 digits
        raise BadDocument(name, "a number in it is too long; write it in quotes") from None


def _no_twins(name: str, pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    data = dict(pairs)
    if len(data) < len(pairs):
        counts = Counter(key for key, _ in pairs)
        twin = next(key for key, count in counts.items() if count > 1)
        raise BadDocument(name, f"the key {twin!r} stands twice")
    return data


def _parsed(name: str, read: Callable[[], Any]) -> Any:  # noqa: ANN401
    """Read, and tell errors of YAML as ours."""
    import yaml  # noqa: PLC0415 - only when a document is read

    collects = gc.isenabled()
    gc.disable()  # nothing of this is garbage, and looking for it takes as long as the reading
    try:
        return read()
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        at = f"{name}:{mark.line + 1}:{mark.column + 1}" if mark else name
        raise BadDocument(at, f"malformed YAML: {error.problem}") from None
    except yaml.YAMLError as error:
        raise BadDocument(name, f"malformed YAML: {error}".splitlines()[0]) from None
    except _STRANGE:
        fact = "a value in it cannot be read: it is none of its tag or too long; write it in quotes"
        raise BadDocument(name, fact) from None
    finally:
        if collects:
            gc.enable()


# Slowly, with a tree.


def _slowly(text: str, name: str) -> tuple[Any, Any]:
    loader = _loader()(text)
    try:
        node = loader.get_single_node()
        if node is None:
            return None, None
        Merging(name).resolve(node)
        return loader.construct_document(node), node
    finally:
        loader.dispose()


_SCALARS = (
    ("null", r"~|null|Null|NULL|", ["~", "n", "N", ""]),
    ("bool", r"true|True|TRUE|false|False|FALSE", list("tTfF")),
    ("int", r"[-+]?(0|[1-9][0-9]*)|0x[0-9a-fA-F]+", list("-+0123456789")),
    ("float", r"[-+]?(0|[1-9][0-9]*)?\.[0-9]+([eE][-+]?[0-9]+)?", list("-+.0123456789")),
)
"""The plain scalars of YAML 1.2 (core schema), with what they may begin with.

So `on` and `no` are words and 12:30 is no number. One thing is read otherwise: what begins with a zero, as in
`mode: 0644`, is text and no number. And one thing is of YAML 1.1: merge keys, `<<: *base`.
"""


@cache
def _loader() -> Any:  # noqa: ANN401
    """Return a safe loader, in C where there is one."""
    import yaml  # noqa: PLC0415

    class Loader(getattr(yaml, "CSafeLoader", yaml.SafeLoader)):  # type: ignore[misc]
        yaml_implicit_resolvers: ClassVar[dict[str, Any]] = {}

    for tag, pattern, first in _SCALARS:
        Loader.add_implicit_resolver(f"tag:yaml.org,2002:{tag}", re.compile(f"^(?:{pattern})$"), first)
    Loader.add_implicit_resolver(MERGE, re.compile("^<<$"), ["<"])
    return Loader


# Quickly, from the events.


def _quickly(text: str, name: str) -> Any:  # noqa: ANN401
    """Return the data; what is rare is read slowly."""
    import yaml  # noqa: PLC0415

    events = yaml.parse(text, Loader=_loader())
    try:
        return _data(iter(events))
    except _Rare:
        starts, ends = yaml.events.CollectionStartEvent, yaml.events.CollectionEndEvent
        again = yaml.parse(text, Loader=_loader())
        depths = accumulate(isinstance(e, starts) - isinstance(e, ends) for e in again)
        if any(depth > DEEPEST for depth in depths):
            raise BadDocument(name, f"it is nested deeper than {DEEPEST} times") from None
        return _slowly(text, name)[0]


def _data(events: Iterator[Any]) -> Any:  # noqa: ANN401
    """Return the data of one document, None where there is none.

    Raises:
        _Rare: there is what only a tree can tell: anchors, tags, keys that are no text, twins, two documents.

    """
    from yaml import events as kinds  # noqa: PLC0415

    scalar, mapping, ends = kinds.ScalarEvent, kinds.MappingEndEvent, kinds.CollectionEndEvent
    begins, alias = kinds.CollectionStartEvent, kinds.AliasEvent
    stack: list[list[Any]] = []
    inside: list[Any] = []  # what is open: a list, or the keys and values of a mapping in turn
    for event in events:
        if isinstance(event, scalar):
            if event.anchor is not None or event.tag is not None:
                raise _Rare
            value = event.value
            inside.append(_plain(value) if event.implicit[0] and value[:1] in _FIRST else value)
        elif isinstance(event, begins):
            if event.anchor is not None or event.tag is not None or len(stack) >= DEEPEST:
                raise _Rare
            stack.append(inside)
            inside = []
        elif isinstance(event, ends):
            whole = _mapping(inside) if isinstance(event, mapping) else inside
            inside = stack.pop()
            inside.append(whole)
        elif isinstance(event, alias):
            raise _Rare
    if len(inside) > 1:
        raise _Rare  # to be refused
    return inside[0] if inside else None


def _mapping(parts: list[Any]) -> dict[str, Any]:
    keys = parts[::2]
    data = dict(zip(keys, parts[1::2], strict=True)) if all(isinstance(key, str) for key in keys) else {}
    if len(data) < len(keys) or "<<" in data:
        raise _Rare
    return data


_FIRST = frozenset(sign for _, _, first in _SCALARS for sign in first)
_MATCH = {tag: re.compile(f"(?:{pattern})$") for tag, pattern, _ in _SCALARS}
_WORDS: dict[str, Any] = {
    **dict.fromkeys(("", "~", "null", "Null", "NULL")),
    **dict.fromkeys(("true", "True", "TRUE"), True),
    **dict.fromkeys(("false", "False", "FALSE"), False),
}


def _plain(text: str) -> Any:  # noqa: ANN401
    """Return the value of a plain scalar."""
    if text in _WORDS:
        return _WORDS[text]
    if _MATCH["int"].match(text):
        return int(text, 16 if text.startswith("0x") else 10)
    return float(text) if _MATCH["float"].match(text) else text
