"""Resources: frozen typed values, whose fields are specified, computed or secret.

* *specified*: the operator decides. `None` means that nobody decided; it is left as the machine
  has it and is not compared.
* *computed*: the machine assigns it; a plan never compares it.
* *secret*: specified, but only ever held sealed (see `lasercats.core.secret`).
"""

from collections.abc import Iterator, Mapping
from enum import Enum
from functools import cache
from types import NoneType, UnionType
from typing import Annotated, Any, TypeVar, Union, get_args, get_origin

import msgspec
from msgspec.structs import replace

from lasercats.core.loose import Part
from lasercats.core.secret import Sealed, check_sealed


class Role(Enum):
    """Who decides a field."""

    SPECIFIED = "specified"
    COMPUTED = "computed"
    SECRET = "secret"  # noqa: S105 - the name of a role, not a password


COMPUTED = msgspec.Meta(extra={"role": Role.COMPUTED})
"""`Annotated[T | None, COMPUTED]`: the machine assigns this field."""
REPORTED = msgspec.Meta(extra={"reported": True})
"""`Annotated[str | None, REPORTED]`: where nobody decided this field, what its machine reports is kept."""
SECRET = msgspec.Meta(extra={"role": Role.SECRET})
"""`Annotated[Sealed, SECRET] | None`: this field holds a sealed value."""


ON_RECORD = {"on_record": True}
"""`Meta(extra=ON_RECORD)`: no machine has this field: it is decided, and kept on record only."""
PROTECTS = {"protects": True}
"""`Meta(extra=PROTECTS)`: while this flag is set, something cannot be done; to lift it is announced."""
GROWS = {"grows": True}
"""`Meta(extra=GROWS)`: what is there cannot become less of this in place, as the size of a volume."""


def secret_of(field: str) -> msgspec.Meta:
    """Return what says, as `SECRET` does, that a field holds a sealed value: that of another, clear field.

    Only one of the two is decided. A clear value that is given where a sealed one is known is sealed first.
    """
    return msgspec.Meta(extra={"role": Role.SECRET, "of": field})


class Resource(Part, frozen=True, kw_only=True, gc=False):
    """One thing that is managed. Every field defaults to None, "not decided".

    Because every default is None, a resource that is stored without a field means the same for
    ever: no later change of a default can rewrite history.
    """

    protect: (
        Annotated[
            bool,
            msgspec.Meta(
                extra={**ON_RECORD, **PROTECTS},
                description="kept from being removed or replaced",
            ),
        ]
        | None
    ) = None

    def __post_init__(self) -> None:
        """Bring the fields to their one form, and refuse a secret in clear.

        Raises:
            ValueError: a secret field holds something that is not sealed.

        """
        super().__post_init__()
        for field in fields_of(type(self), Role.SECRET):
            check_sealed(field, getattr(self, field))


class StrangeResource(Resource, frozen=True):
    """What is recorded of a resource for which there is no type, because its plugin is not installed.

    It is kept as it is, shown, queried and forgotten, and nothing else is done with it.
    """

    recorded: Any = None


R = TypeVar("R", bound=Resource)


def encoded(resource: Resource | None) -> bytes:
    """Return a resource as it is stored: JSON, of a strange one just what was recorded."""
    return msgspec.json.encode(resource.recorded if isinstance(resource, StrangeResource) else resource)


@cache
def infos(type_: type[msgspec.Struct]) -> tuple[msgspec.structs.FieldInfo, ...]:
    """Return the fields of a type, with what is annotated; finding that out takes time: it is done once."""
    return msgspec.structs.fields(type_)


@cache
def roles_of(resource: type[msgspec.Struct]) -> Mapping[str, Role]:
    """Return the role of each field of a resource type, in the order of the fields."""
    return {field.name: _role(field.type) for field in infos(resource)}


@cache
def fields_of(resource: type[msgspec.Struct], *roles: Role) -> tuple[str, ...]:
    """Return the names of the fields that have one of these roles."""
    return tuple(name for name, role in roles_of(resource).items() if role in roles)


def decided_fields(resource: type[msgspec.Struct]) -> tuple[str, ...]:
    """Return the names of the fields that an operator decides: specified and secret."""
    return fields_of(resource, Role.SPECIFIED, Role.SECRET)


@cache
def reported_fields(resource: type[msgspec.Struct]) -> frozenset[str]:
    """Return the names of the fields that are taken from what a machine reports, unless they are decided."""
    return marked_fields(resource, "reported")


@cache
def marked_fields(type_: type[msgspec.Struct], mark: str) -> frozenset[str]:
    """Return the names of the fields whose annotations have a mark: `on_record`, `protects`, `grows`."""
    said = ((field.name, list(notes(field.type))) for field in infos(type_))
    return frozenset(
        name for name, marks in said if any((getattr(n, "extra", None) or {}).get(mark) for n in marks)
    )


def unprotected(before: Resource, after: Resource | None) -> list[str]:
    """Return which protections a change lifts; where it leaves nothing known, those on record only."""
    if after is None:
        kept = marked_fields(type(before), "protects") & marked_fields(type(before), "on_record")
        return [name for name in sorted(kept) if getattr(before, name) is True]
    if type(after) is not type(before):
        return []
    marked = sorted(marked_fields(type(before), "protects"))
    return [name for name in marked if getattr(before, name) is True and getattr(after, name) is not True]


def shrinks(before: Any, after: Any) -> Iterator[tuple[str, str]]:  # noqa: ANN401
    """Iterate over what would have to become less in place: the path of a field, and from what to what."""
    if isinstance(before, Mapping) and isinstance(after, Mapping):
        for key in before.keys() & after.keys():
            yield from ((f"{key}.{path}", sizes) for path, sizes in shrinks(before[key], after[key]))
    if not isinstance(before, msgspec.Struct) or type(before) is not type(after):
        return
    grows = marked_fields(type(before), "grows")
    for name in before.__struct_fields__:
        old, new = getattr(before, name), getattr(after, name)
        if old is None or new is None or old == new:
            continue
        if name in grows and isinstance(old, int | float) and isinstance(new, int | float):
            if new < old:
                yield name, f"from {old} to {new}"
        else:
            yield from ((f"{name}.{path}", sizes) for path, sizes in shrinks(old, new))


@cache
def clear_fields(resource: type[msgspec.Struct]) -> Mapping[str, str]:
    """Return the clear field that each secret field is another form of, by the name of the secret one."""
    found = ((field.name, list(notes(field.type))) for field in infos(resource))
    extras = ((name, getattr(n, "extra", None) or {}) for name, marks in found for n in marks)
    return {name: extra["of"] for name, extra in extras if "of" in extra}


def decisions(resource: Resource | None) -> dict[str, Any]:
    """Return the decided fields that hold a decision, by name."""
    if resource is None:
        return {}
    values = ((name, getattr(resource, name)) for name in decided_fields(type(resource)))
    return {name: value for name, value in values if value is not None}


def of_machine(resource: R | None) -> R | None:
    """Return a resource without what is kept on record only, of which no machine and no kind knows."""
    kept = marked_fields(type(resource), "on_record") if resource is not None else ()
    return replace(resource, **dict.fromkeys(kept)) if resource is not None and kept else resource


def sealed_in(part: msgspec.Struct) -> Iterator[tuple[str, Sealed]]:
    """Iterate over what is sealed in a resource or a command, each with the name of its field."""
    for name in fields_of(type(part), Role.SECRET):
        value = getattr(part, name)
        if isinstance(value, Sealed):
            yield name, value


def same(one: Resource | None, other: Resource | None) -> bool:
    """Tell whether two resources agree on everything that an operator decides."""
    if one is None or other is None:
        return one is other
    return type(one) is type(other) and decisions(one) == decisions(other)


def overlay(base: R | None, desired: R) -> R:
    """Return the base with every decision of the desired one put over it.

    Where that decides one of a secret field and its clear form, the other is not decided any more.
    """
    if base is None:
        return desired
    pairs = clear_fields(type(desired)).items()
    decided = decisions(desired)
    gone = {a: None for pair in pairs for a, b in (pair, pair[::-1]) if b in decided and a not in decided}
    return replace(base, **gone, **decided)


def settle(known: R | None, found: R | None) -> R | None:
    """Return what is found, keeping undecided what nobody decided in the known resource."""
    if known is None or found is None:
        return found
    kept = reported_fields(type(found))
    names = (name for name in decided_fields(type(found)) if name not in kept)
    undecided = {name: None for name in names if getattr(known, name) is None}
    ours = {name: getattr(known, name, None) for name in marked_fields(type(found), "on_record")}
    return replace(found, **undecided, **{name: value for name, value in ours.items() if value is not None})


def keeps(real: Resource | None, asked: Resource | None) -> bool:
    """Tell whether a resource is as every decision of another says."""
    if real is None or asked is None:
        return real is asked
    return all(getattr(real, name) == value for name, value in decisions(asked).items())


def _role(annotation: object) -> Role:
    for note in notes(annotation):
        extra = getattr(note, "extra", None) or {}
        if "role" in extra:
            role: Role = extra["role"]
            return role
    return Role.SPECIFIED


def notes(annotation: object) -> Iterator[Any]:
    """Iterate over what `Annotated` says of a field's type, or of a part of its union."""
    for part in (annotation, *get_args(annotation)):
        yield from getattr(part, "__metadata__", ())


def alternatives(annotation: object) -> Iterator[Any]:
    """Iterate over what a field can hold besides None, not over what is in that."""
    origin = get_origin(annotation)
    if origin is Annotated:
        yield from alternatives(get_args(annotation)[0])
    elif origin in (Union, UnionType):
        for part in get_args(annotation):
            yield from alternatives(part)
    elif annotation is not NoneType:
        yield annotation
