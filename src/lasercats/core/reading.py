"""Reading YAML and JSON quickly, with the line and column of every fault.

A text is read twice at most: its events are made into data at once, and only where there is something to be
told, or something rare to be read (anchors, tags), into a tree that knows its lines. That takes five times as
long.
"""

import contextlib
import gc
import json
import re
from collections.abc import Callable, Iterable, Iterator
from functools import cache, partial
from typing import Any, ClassVar, TypeAlias

from lasercats.core.errors import BadDocument

Tree: TypeAlias = Callable[[], Any]
"""Returns the tree of a text, which knows its lines, or None where there is none; made when asked for."""
DEEPEST = 100
"""How deep what is read may be nested."""
MOST = 1_000_000
"""How many values the aliases of a text may stand for, beyond those that are written in it."""
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
            return _json(text, name), lambda: None
    return _told(name, lambda: _quickly(text, name)), cache(
        lambda: _told(name, lambda: _slowly(text, name)[1])
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


def _json(text: str, name: str) -> Any:  # noqa: ANN401
    try:
        return json.loads(text, object_pairs_hook=partial(_no_twins, name))
    except RecursionError:
        raise BadDocument(name, f"it is nested deeper than {DEEPEST} times") from None


def _no_twins(name: str, pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    data = dict(pairs)
    if len(data) < len(pairs):
        keys = [key for key, _ in pairs]
        twin = next(key for key in keys if keys.count(key) > 1)
        raise BadDocument(name, f"the key {twin!r} stands twice")
    return data


def _told(name: str, read: Callable[[], Any]) -> Any:  # noqa: ANN401
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
    except _STRANGE as error:
        raise BadDocument(name, f"a value in it cannot be read: {error}") from None
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
        _refuse_twins(node, name)
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
_MERGE, _TEXT = "tag:yaml.org,2002:merge", "tag:yaml.org,2002:str"


@cache
def _loader() -> Any:  # noqa: ANN401
    """Return a safe loader, in C where there is one."""
    import yaml  # noqa: PLC0415

    class Loader(getattr(yaml, "CSafeLoader", yaml.SafeLoader)):  # type: ignore[misc]
        yaml_implicit_resolvers: ClassVar[dict[str, Any]] = {}

    for tag, pattern, first in _SCALARS:
        Loader.add_implicit_resolver(f"tag:yaml.org,2002:{tag}", re.compile(f"^(?:{pattern})$"), first)
    Loader.add_implicit_resolver(_MERGE, re.compile("^<<$"), ["<"])
    return Loader


def _refuse_twins(root: Any, name: str) -> None:  # noqa: ANN401
    """Refuse a key that stands twice in one mapping; YAML would silently take the last."""
    left, visited = [root], set[int]()
    while left:
        node = left.pop()
        if node is None or node.id == "scalar" or id(node) in visited:
            continue
        visited.add(id(node))
        pairs = [(None, part) for part in node.value] if node.id == "sequence" else node.value
        seen = set()
        for key, value in pairs:
            left.append(value)
            if key is not None and key.id == "scalar":
                if key.value in seen:
                    raise BadDocument(_at(name, key), f"the key {key.value!r} stands twice")
                seen.add(key.value)


class Merging:
    """Puts the fields of others in place of merge keys, and bounds what aliases stand for.

    An alias costs nothing where it is read, but each place that it stands in is walked later; ten lines of
    ten aliases each are ten thousand million values. So all of them are counted first.
    """

    def __init__(self, name: str) -> None:
        """Tell faults as of the text of that name."""
        self._name = name
        self._sizes: dict[int, tuple[int, int]] = {}
        self._open = set[int]()
        self._left = MOST

    def resolve(self, node: Any) -> tuple[int, int]:  # noqa: ANN401
        """Resolve what is in a node; return how many values it stands for, and how deep they are nested.

        Raises:
            BadDocument: it stands for too many, is in itself, or merges what is no mapping.

        """
        if node.id == "scalar":
            if node.tag == _MERGE:
                node.tag = _TEXT
            return 1, 0
        if id(node) in self._open:
            fact = "this cannot be kept: what an anchor names stands in itself"
            raise BadDocument(_at(self._name, node), fact)
        if id(node) in self._sizes:
            size, depth = self._sizes[id(node)]
            self._spend(node, size)
            return size, depth
        self._open.add(id(node))
        if node.id == "mapping":
            self._merge(node)
        parts = node.value if node.id == "sequence" else [part for pair in node.value for part in pair]
        inner = [self.resolve(part) for part in parts]
        self._open.remove(id(node))
        size, depth = 1 + sum(size for size, _ in inner), 1 + max((depth for _, depth in inner), default=0)
        if depth > DEEPEST:
            raise BadDocument(_at(self._name, node), f"it is nested deeper than {DEEPEST} times")
        self._sizes[id(node)] = size, depth
        return size, depth

    def _spend(self, node: Any, count: int) -> None:  # noqa: ANN401
        self._left -= count
        if self._left < 0:
            fact = f"its aliases stand for more than {MOST} values; write out what is meant"
            raise BadDocument(_at(self._name, node), fact)

    def _merge(self, node: Any) -> None:  # noqa: ANN401
        """Put into a mapping what its merge key names: what it has itself stands, then what comes first."""
        own = [pair for pair in node.value if pair[0].tag != _MERGE]
        merged: dict[Any, Any] = {}
        for key, value in node.value:
            if key.tag == _MERGE:
                for base in value.value if value.id == "sequence" else [value]:
                    for pair in self._fields(base, key):
                        merged.setdefault(_key(pair[0]), pair)
        if len(own) < len(node.value):
            there = {_key(key) for key, _ in own}
            node.value = [pair for key, pair in merged.items() if key not in there] + own

    def _fields(self, base: Any, key: Any) -> Any:  # noqa: ANN401
        """Return the fields of a mapping that is merged into another, its own merge keys resolved."""
        if base.id != "mapping":
            fact = "only a mapping, or a list of them, can be merged; write `<<: *name`"
            raise BadDocument(_at(self._name, key), fact)
        if id(base) not in self._sizes:
            self.resolve(base)
        self._spend(key, len(base.value))
        return base.value


def _key(node: Any) -> Any:  # noqa: ANN401
    """Return what tells keys apart: their text, and of what is no text which one it is."""
    return (node.tag, node.value) if node.id == "scalar" else id(node)


def _at(name: str, node: Any) -> str:  # noqa: ANN401
    return f"{name}:{node.start_mark.line + 1}:{node.start_mark.column + 1}"


# Quickly, from the events.


def _quickly(text: str, name: str) -> Any:  # noqa: ANN401
    """Return the data; what is rare is read slowly."""
    import yaml  # noqa: PLC0415

    events = yaml.parse(text, Loader=_loader())
    try:
        return _data(iter(events))
    except _Rare:
        for depth in _depths(yaml.parse(text, Loader=_loader())):
            if depth > DEEPEST:
                raise BadDocument(name, f"it is nested deeper than {DEEPEST} times") from None
        return _slowly(text, name)[0]


def _depths(events: Iterable[Any]) -> Iterator[int]:
    """Iterate over how deep it is nested, event by event."""
    depth = 0
    for event in events:
        kind = type(event).__name__
        depth += kind in ("MappingStartEvent", "SequenceStartEvent")
        depth -= kind in ("MappingEndEvent", "SequenceEndEvent")
        yield depth


def _data(events: Iterator[Any]) -> Any:  # noqa: ANN401, PLR0912 - the inner loop: no calls
    """Return the data of one document.

    Raises:
        _Rare: there is what only a tree can tell: anchors, tags, keys that are no text, twins, two documents.

    """
    from yaml import events as kinds  # noqa: PLC0415

    scalar, mapping, sequence = kinds.ScalarEvent, kinds.MappingStartEvent, kinds.SequenceStartEvent
    ends, alias = (kinds.MappingEndEvent, kinds.SequenceEndEvent), kinds.AliasEvent
    stack: list[tuple[Any, Any]] = []
    inside: Any = None  # the container that is open
    key: Any = None  # the key whose value comes next; None where a key comes next
    documents, result = 0, None
    for event in events:
        kind = type(event)
        if kind is scalar:
            if event.anchor is not None or event.tag is not None:
                raise _Rare
            value: Any = event.value
            if event.implicit[0] and (not value or value[0] in _FIRST):
                value = _plain(value)
        elif kind is mapping or kind is sequence:
            if event.anchor is not None or event.tag is not None or len(stack) >= DEEPEST:
                raise _Rare
            stack.append((inside, key))
            inside, key = ({} if kind is mapping else []), None
            continue
        elif kind in ends:
            value = inside
            inside, key = stack.pop()
        elif kind is alias:
            raise _Rare
        else:
            documents += kind is kinds.DocumentStartEvent
            if documents > 1:
                raise _Rare  # to be refused
            continue
        if inside is None:
            result = value
        elif isinstance(inside, list):
            inside.append(value)
        elif key is None:
            if not isinstance(value, str) or value in inside or value == "<<":
                raise _Rare
            key = value
        else:
            inside[key], key = value, None
    return result


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
