"""Hypothesis strategies for the values of any kind, made from its types."""

from collections.abc import Mapping, Sequence
from functools import partial
from types import UnionType
from typing import Annotated, Any, Union, get_args, get_origin

import msgspec
from hypothesis import strategies as st

from lasercats.core.address import Address, make
from lasercats.core.command import Command, state_after
from lasercats.core.document import loading_field
from lasercats.core.kind import Kind
from lasercats.core.loose import strict
from lasercats.core.resource import Resource, Role, fields_of, marked_fields, notes, roles_of
from lasercats.core.secret import Sealed
from lasercats.core.state import State

Fields = Mapping[str, st.SearchStrategy[Any]]
"""Strategies for fields by name, where the type does not tell enough (a user that exists)."""

ODD_TEXTS = (
    "",
    " ",
    "0",
    "-1",
    "~",
    "null",
    "1e3",
    "0x7f",
    "corp\\bob",
    "ann@corp.example",
    "domain users",
    "web servers/DMZ",
    "two\nlines",
    "a\tb",
    "\x1b]0;owned\x07",
    "\u202eevil",
    "\x85\u2028",
    "xvdf",
    "native-untagged",
    "9" * 400,
    "{}",
    "$(reboot)",
    "'; --",
    "-rf",
    "x" * 300,
)
"""What was met on machines, or will be."""
texts = st.text(st.characters(codec="utf-8", exclude_characters="\0"), max_size=40)
tokens = st.binary(min_size=1, max_size=6).map(lambda data: Sealed(data.hex()))


def field(owner: type[msgspec.Struct], spec: Any, fields: Fields) -> st.SearchStrategy[Any]:  # noqa: ANN401
    """Return a strategy for one field of a resource or command."""
    if spec.name in fields:
        made = fields[spec.name]
    elif spec.name in fields_of(owner, Role.SECRET):
        made = tokens
    elif spec.name == loading_field(owner):
        made = texts
    else:
        made = _of_type(spec.type)
    return made if spec.required else st.none() | made


def resources(kind: Kind[Any], fields: Fields) -> st.SearchStrategy[Resource]:
    """Return a strategy for resources of a kind that can really be made: a command converges to them."""
    ours = marked_fields(kind.resource, "on_record")  # what is protected is not removed, whatever asks for it
    specs = [
        s
        for s in msgspec.structs.fields(kind.resource)
        if roles_of(kind.resource)[s.name] is not Role.COMPUTED and s.name not in ours
    ]
    parts = {s.name: field(kind.resource, s, fields) for s in specs}
    return st.fixed_dictionaries(parts).map(partial(_build, kind.resource)).filter(lambda r: r is not None)


def odd_resources(kind: Kind[Any]) -> st.SearchStrategy[Resource]:
    """Return a strategy for all that a machine may tell of a kind: only the JSON types are right."""
    ours = marked_fields(kind.resource, "on_record")
    specs = [s for s in msgspec.structs.fields(kind.resource) if s.name not in ours]
    sealed = fields_of(kind.resource, Role.SECRET)
    parts = {s.name: st.none() | (tokens if s.name in sealed else of_json_type(s.type)) for s in specs}
    return st.fixed_dictionaries(parts).map(lambda values: kind.resource(**values))


def of_json_type(annotation: Any) -> st.SearchStrategy[Any]:  # noqa: ANN401
    """Return a strategy for values of a type whose patterns, bounds and words are not asked."""
    origin, inner = get_origin(annotation), get_args(annotation)
    if origin is Annotated:
        return of_json_type(inner[0])
    if origin in (Union, UnionType):
        return st.one_of([of_json_type(one) for one in inner])
    if origin is tuple:
        return st.lists(of_json_type(inner[0]), max_size=3).map(tuple)
    if origin is dict:
        return st.dictionaries(said, of_json_type(inner[1]), max_size=3)
    if isinstance(annotation, type) and issubclass(annotation, msgspec.Struct):
        specs = msgspec.structs.fields(annotation)
        parts = {s.name: of_json_type(s.type) for s in specs}
        return st.fixed_dictionaries(parts).map(lambda values: annotation(**values))
    plain: Mapping[Any, st.SearchStrategy[Any]] = {
        type(None): st.none(),
        bool: st.booleans(),
        int: st.integers(-(2**70), 2**70),
        float: st.floats(allow_nan=False, allow_infinity=False) | st.integers(-(2**40), 2**40),
        Any: said | st.integers() | st.lists(said, max_size=2),
    }
    return plain.get(annotation, said)


said = st.one_of(
    st.text(st.characters(codec="utf-8", exclude_characters="\0"), max_size=30),
    st.sampled_from(ODD_TEXTS),
    st.from_regex(r"[a-z0-9./:_-]{1,12}", fullmatch=True),
)
"""What machines say where we have a text."""


def commands(kind: Kind[Any], names: Sequence[str], fields: Fields) -> st.SearchStrategy[Command]:
    """Return a strategy for commands of a kind on one or two of the names."""
    on = st.lists(st.sampled_from([make(kind.name, n) for n in names]), min_size=1, max_size=2, unique=True)
    made = []
    for type_ in kind.commands:
        specs = [s for s in msgspec.structs.fields(type_) if s.name != "on"]
        parts = {s.name: field(type_, s, fields) for s in specs}
        made.append(st.fixed_dictionaries({"on": on.map(tuple), **parts}).map(partial(_build, type_)))
    return st.one_of(made).filter(lambda c: c is not None)


def logs(
    kinds: Sequence[Kind[Any]], names: Sequence[str], fields: Fields, *, size: int = 10
) -> st.SearchStrategy[list[Command]]:
    """Return a strategy for logs of commands over several kinds that share their names."""
    return st.lists(st.one_of([commands(k, names, fields) for k in kinds]), min_size=1, max_size=size)


def states(
    kinds: Sequence[Kind[Any]], names: Sequence[str], fields: Fields, ground: Sequence[Command] = ()
) -> st.SearchStrategy[State]:
    """Return a strategy for states that commands can lead to, from what the `ground` commands make."""
    return logs(kinds, names, fields, size=12).map(lambda log: after([*ground, *log]))


def after(log: Sequence[Command]) -> State:
    """Return what is present after commands."""
    return State.of(dict[Address, Resource](state_after(log, State()).items()))


def _build(type_: type[Any], values: dict[str, Any]) -> Any:  # noqa: ANN401
    try:
        return strict({k: v for k, v in values.items() if v is not None}, type_)
    except ValueError:
        return None


def _of_type(annotation: Any) -> st.SearchStrategy[Any]:  # noqa: ANN401
    for note in notes(annotation):
        if getattr(note, "pattern", None):
            pattern = note.pattern.rstrip("$") + r"\Z"
            return st.from_regex(pattern, fullmatch=False).filter(lambda text: len(text) < 40)
    plain = next((t for t in (annotation, *get_args(annotation)) if isinstance(t, type)), str)
    return st.from_type(plain)
