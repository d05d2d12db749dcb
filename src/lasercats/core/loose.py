"""Strict in, total out: two ways to make typed values of plain data.

`strict` is for what an operator gives, a command or a document: every pattern, bound and check holds, or it
is refused. `decode` is for what stands in a log or was said by a machine: patterns, bounds and checks are not
asked. What does not even have the types that we know is kept as it is (`StrangeResource` and its like).

A struct whose fields have a one form, or more to check than its annotations say, is a `Part` (resources and
commands are): building one is total, and only `strict` asks whether it may be given.
"""

from collections.abc import Callable, Iterable, Mapping
from functools import cache
from types import UnionType
from typing import Annotated, Any, ClassVar, Literal, TypeAlias, Union, get_args, get_origin, get_type_hints

import msgspec
from msgspec.structs import force_setattr

from lasercats.core.secret import Sealed, of_text

Forms: TypeAlias = Mapping[str, Callable[[Any], Any]]
ODD = (ValueError, TypeError, LookupError, AttributeError, ArithmeticError)
"""What code that expects a good value raises on a strange one."""


class Fault(ValueError):
    """Why a value may not be given: the fact, and the path of its field, as `rules[0].port`."""

    def __init__(self, text: str) -> None:
        """Take apart what is told as msgspec tells it: the fact, and behind it the place."""
        super().__init__(text)
        self.fact, _, place = text.partition(" - at `")
        self.path = place.removeprefix("$.").rstrip("`") if place.startswith("$.") else ""


class Part(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, gc=False):
    """A struct that brings its fields to their one form when built, and checks them where they are given."""

    forms: ClassVar[Forms] = {}
    """What returns the one form of a field's value, and raises ValueError where it has none; by field."""

    def __post_init__(self) -> None:
        """Bring the fields to their one form. Total: a value that has none stays as it is."""
        for field, form in self.forms.items():
            value = getattr(self, field)
            if value is not None:
                try:
                    force_setattr(self, field, form(value))
                except ODD:
                    continue

    def check(self) -> None:
        """Check what an operator gave, beyond what the annotations say.

        Raises:
            ValueError: it must not be given, with the reason.

        """
        for field, form in self.forms.items():
            value = getattr(self, field)
            if value is not None:
                try:
                    form(value)
                except ValueError as error:
                    raise Fault(f"{error} - at `$.{field}`") from None  # as msgspec tells where

    def _set(self, field: str, value: object) -> None:
        """Put a canonical value into a frozen field while the struct is being built."""
        force_setattr(self, field, value)


def strict(data: Any, type_: type[Any]) -> Any:  # noqa: ANN401
    """Convert plain data to a typed value, with all that its annotations and `check` ask.

    Raises:
        Fault: it is of the wrong type, does not fit its annotations, or a check refuses it.

    """
    try:
        value = msgspec.convert(data, type_)
        check_all(value)
    except ValueError as error:
        raise Fault(str(error)) from None
    return value


def check_all(value: Any) -> None:  # noqa: ANN401
    """Check a value and all parts in it.

    Raises:
        ValueError: one must not be given.

    """
    if isinstance(value, Part):
        value.check()
    if isinstance(value, msgspec.Struct):
        for field in value.__struct_fields__:
            inner = getattr(value, field)
            if not (inner is None or isinstance(inner, str | int | float)):
                check_all(inner)
    elif isinstance(value, Mapping):
        check_all(tuple(value.values()))
    elif isinstance(value, list | tuple):
        for one in value:
            check_all(one)


def decode(raw: bytes, type_: type[Any]) -> Any:  # noqa: ANN401
    """Decode JSON that was recorded; patterns, bounds and checks are not asked.

    Raises:
        ValueError: it is no JSON, or a value in it is of another JSON type than the field that holds it.

    """
    try:
        return msgspec.json.decode(raw, type=type_)
    except msgspec.ValidationError:
        return loosely(msgspec.json.decode(raw), type_)


def loosely(data: Any, type_: Any) -> Any:  # noqa: ANN401
    """Return plain data as a type, whatever its patterns, bounds and checks say.

    Raises:
        ValueError: a value is of another JSON type than what holds it.

    """
    kind = _bare(type_)
    for one in get_args(kind) if get_origin(kind) in (Union, UnionType) else (kind,):
        found = _as(data, _bare(one))
        if found is not _NOT:
            return found
    raise ValueError(f"{data!r} is of another type than {type_}")


_NOT = object()
"""Stands for: it is not of that type."""


def _as(data: Any, kind: Any) -> Any:  # noqa: ANN401
    origin = get_origin(kind)
    if kind is Any:
        return data
    if kind is Sealed and isinstance(data, str):  # as it was up to format 4
        return of_text(data) or _NOT
    if isinstance(kind, type) and issubclass(kind, msgspec.Struct):
        return _struct(data, kind) if isinstance(data, dict) else _NOT
    if origin is dict:
        of = get_args(kind)[1]
        return {key: loosely(one, of) for key, one in data.items()} if isinstance(data, dict) else _NOT
    if origin is tuple:
        return _items(data, get_args(kind)) if isinstance(data, list) else _NOT
    if origin is Literal:
        return data if isinstance(data, str) else _NOT
    if kind is float and type(data) is int:
        return data
    return data if isinstance(kind, type) and type(data) is kind else _NOT


def _items(data: list[Any], of: tuple[Any, ...]) -> tuple[Any, ...]:
    types = of[:1] * len(data) if Ellipsis in of else of
    return tuple(loosely(one, type_) for one, type_ in zip(data, types, strict=True))


def _struct(data: Mapping[str, Any], type_: type[msgspec.Struct]) -> Any:  # noqa: ANN401
    hints = _hints(type_)
    given = {
        name: loosely(data[stored], hints[name])
        for name, stored in zip(type_.__struct_fields__, type_.__struct_encode_fields__, strict=True)
        if stored in data
    }
    try:
        return type_(**given)
    except TypeError as error:  # what it cannot do without is missing
        raise ValueError(str(error)) from None


@cache
def _hints(type_: type[msgspec.Struct]) -> Mapping[str, Any]:
    return get_type_hints(type_, include_extras=True)


def _bare(kind: Any) -> Any:  # noqa: ANN401
    """Return a type without what `Annotated` and `NewType` say of it."""
    while True:
        if get_origin(kind) is Annotated:
            kind = get_args(kind)[0]
        elif hasattr(kind, "__supertype__"):
            kind = kind.__supertype__
        else:
            return kind


def odd_fields(data: Mapping[str, Any], type_: type[msgspec.Struct], names: Iterable[str]) -> dict[str, str]:
    """Return those of some fields of plain data that may not be given, each with the reason.

    What only together may not be given is told of the last of them.
    """
    odd, good = dict[str, str](), dict[str, Any]()
    for name in names:
        if name in data:
            try:
                strict({**good, name: data[name]}, type_)
            except Fault as fault:
                odd[name] = fault.fact
            else:
                good[name] = data[name]
    return odd
