"""Keys and anchors of YAML: no key stands twice, merge keys are resolved, what aliases mean is bounded."""

from typing import Any

from lasercats.core.errors import BadDocument

DEEPEST = 100
"""How deep what is read may be nested."""
MOST = 1_000_000
"""How many values the aliases of a text may stand for, beyond those that are written in it."""
MERGE, _TEXT = "tag:yaml.org,2002:merge", "tag:yaml.org,2002:str"


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
            BadDocument: it stands for too many, is in itself, merges what is no mapping, or has a key twice.

        """
        if node.id == "scalar":
            if node.tag == MERGE:
                node.tag = _TEXT
            return 1, 0
        if id(node) in self._open:
            raise self._fault(node, "this cannot be kept: what an anchor names stands in itself")
        if id(node) in self._sizes:
            size, depth = self._sizes[id(node)]
            self._spend(node, size)
            return size, depth
        self._open.add(id(node))
        if node.id == "mapping":
            self._refuse_twins(node)
            self._merge(node)
        parts = node.value if node.id == "sequence" else [part for pair in node.value for part in pair]
        inner = [self.resolve(part) for part in parts]
        self._open.remove(id(node))
        size, depth = 1 + sum(size for size, _ in inner), 1 + max((depth for _, depth in inner), default=0)
        if depth > DEEPEST:
            raise self._fault(node, f"it is nested deeper than {DEEPEST} times")
        self._sizes[id(node)] = size, depth
        return size, depth

    def _fault(self, node: Any, fact: str) -> BadDocument:  # noqa: ANN401
        return BadDocument(at(self._name, node), fact)

    def _refuse_twins(self, node: Any) -> None:  # noqa: ANN401
        """Refuse a key that stands twice in one mapping; YAML would silently take the last."""
        seen = set[str]()
        for key in (key for key, _ in node.value if key.id == "scalar"):
            if key.value in seen:
                raise self._fault(key, f"the key {key.value!r} stands twice")
            seen.add(key.value)

    def _spend(self, node: Any, count: int) -> None:  # noqa: ANN401
        self._left -= count
        if self._left < 0:
            raise self._fault(node, f"its aliases stand for more than {MOST} values; write out what is meant")

    def _merge(self, node: Any) -> None:  # noqa: ANN401
        """Put into a mapping what its merge key names: what it has itself stands, then what comes first."""
        own = [pair for pair in node.value if pair[0].tag != MERGE]
        merged: dict[Any, Any] = {}
        for key, value in node.value:
            if key.tag == MERGE:
                for base in value.value if value.id == "sequence" else [value]:
                    for pair in self._fields(base, key):
                        merged.setdefault(_key(pair[0]), pair)
        if len(own) < len(node.value):
            there = {_key(key) for key, _ in own}
            node.value = [pair for key, pair in merged.items() if key not in there] + own

    def _fields(self, base: Any, key: Any) -> Any:  # noqa: ANN401
        """Return the fields of a mapping that is merged into another, its own merge keys resolved."""
        if base.id != "mapping":
            raise self._fault(key, "only a mapping, or a list of them, can be merged; write `<<: *name`")
        if id(base) not in self._sizes:
            self.resolve(base)
        self._spend(key, len(base.value))
        return base.value


def _key(node: Any) -> Any:  # noqa: ANN401
    """Return what tells keys apart: their text, and of what is no text which one it is."""
    return (node.tag, node.value) if node.id == "scalar" else id(node)


def at(name: str, node: Any) -> str:  # noqa: ANN401
    """Return where a node begins: `file:line:column`."""
    return f"{name}:{node.start_mark.line + 1}:{node.start_mark.column + 1}"
