"""References: fields that say which other resource this one uses.

A reference holds the address of a resource (`ec2.subnet/a`) or, of one that is not managed, the name that
its machinery gave it (`subnet-0abc`). From the annotation of the field follow what a resource needs, so the
order of changes; that a look tells of managed things by their addresses; and what can be let go in time.
"""

from collections.abc import Callable, Iterator
from functools import cache
from typing import Any, NamedTuple, TypeVar, get_args, get_origin

import msgspec
from msgspec.structs import replace

from lasercats.core.address import Address
from lasercats.core.resource import Resource, infos, notes

R = TypeVar("R", bound=msgspec.Struct)
Rename = Callable[[str, str], str]
"""From the kind that is referred to, and the value of a reference, to its new value."""
NOTHING = ""
"""The value of a loose reference that is decided to refer to nothing."""


def refers(
    kind: str,
    *,
    loose: bool = False,
    initial: bool = False,
    resting: bool = False,
    **more: Any,  # noqa: ANN401
) -> msgspec.Meta:
    """Return the annotation of a field that refers to a resource of a kind.

    A loose reference can be let go and taken up again: a volume stays what it is without its instance. An
    initial one only says what a resource is made with: an instance stays what it is without its key pair. One
    that is `resting` is let go and taken up while what it refers to is at rest, where that changes with it.
    """
    extra = {"refers": kind, "loose": loose, "initial": initial, "resting": resting}
    return msgspec.Meta(extra=extra, **more)


class _Slot(NamedTuple):
    """A field with references in it."""

    field: str
    kind: str | None
    """What it refers to; None where its values are structs that hold references."""
    loose: bool = False
    initial: bool = False
    resting: bool = False
    many: bool = False


def references(resource: msgspec.Struct | None, *, lasting: bool = False) -> Iterator[tuple[str, str]]:
    """Iterate over the kind and the value of every reference of a resource; the lasting are not initial."""
    for slot in () if resource is None else _slots(type(resource)):
        for value in () if lasting and slot.initial else _values(getattr(resource, slot.field)):
            if slot.kind is None:
                yield from references(value)
            elif value != NOTHING:
                yield slot.kind, value


def moved(before: Resource | None, after: Resource | None) -> list[str]:
    """Return what a change lets go of, and what it takes up, by loose references that hold one thing."""
    sides = [before, after]
    slots = {slot.field for side in sides if side is not None for slot in _slots(type(side)) if slot.loose}
    pairs = [(getattr(before, field, None), getattr(after, field, None)) for field in sorted(slots)]
    values = [value for pair in pairs if pair[0] != pair[1] for value in pair]
    return [value for value in values if isinstance(value, str) and value != NOTHING]


def moved_at_rest(before: Resource | None, after: Resource | None) -> tuple[list[str], list[str]]:
    """Return what a change lets go of, and what it takes up, by references that are `resting`."""
    sides = [
        {getattr(side, slot.field) for slot in _slots(type(side)) if slot.resting}
        if side is not None
        else set()
        for side in (before, after)
    ]
    old, new = ({v for v in side if isinstance(v, str) and v != NOTHING} for side in sides)
    return sorted(old - new), sorted(new - old)


def clings_to(type_: type[Resource]) -> frozenset[str]:
    """Return the kinds to which resources of a type refer by a loose reference that holds one thing.

    Where that ends, its machinery refuses nothing: it lets go of them, or takes them along.
    """
    held = (slot for slot in _slots(type_) if slot.loose and not slot.many)
    return frozenset(slot.kind for slot in held if slot.kind is not None)


def is_initial(resource: Resource, address: Address) -> bool:
    """Tell whether a resource refers to an address only by what it was made with."""
    found = any(value == address for _, value in references(resource))
    return found and not any(value == address for _, value in references(resource, lasting=True))


def needed(address: Address, resource: Resource | None) -> tuple[Address, ...]:
    """Return the addresses that a resource refers to, other than its own."""
    if resource is None or not _slots(type(resource)):
        return ()
    found = (value for kind, value in references(resource) if value.startswith(f"{kind}/"))
    return tuple(dict.fromkeys(Address(value) for value in found if value != address))


def renamed(resource: R, rename: Rename) -> R:
    """Return a resource with every reference renamed."""
    new: dict[str, Any] = {}
    for slot in _slots(type(resource)):
        value = getattr(resource, slot.field)
        if isinstance(value, tuple):
            new[slot.field] = tuple(_renamed(slot, part, rename) for part in value)
        elif value is not None:
            new[slot.field] = _renamed(slot, value, rename)
    return replace(resource, **new) if new else resource


def let_go(resource: Resource, address: Address) -> Resource | None:
    """Return a resource without its references to an address; None where it cannot be without them.

    Of several references in a field, and of several structs that hold one, those to the address are left out.
    """
    held: dict[str, Any] = {}
    for slot in _slots(type(resource)):
        value = getattr(resource, slot.field)
        if isinstance(value, tuple):
            kept = tuple(part for part in value if not _holds(slot, part, address))
            if kept != value and (kept or slot.kind is None):
                held[slot.field] = kept
        elif slot.loose and value == address:
            held[slot.field] = NOTHING
    free = replace(resource, **held)
    return None if not held or any(value == address for _, value in references(free)) else free


def _holds(slot: _Slot, part: str | msgspec.Struct, address: Address) -> bool:
    """Tell whether a part of a field refers to an address, loosely."""
    if not isinstance(part, msgspec.Struct):
        return slot.loose and part == address
    return any(inner.loose and getattr(part, inner.field) == address for inner in _slots(type(part)))


def _renamed(slot: _Slot, value: Any, rename: Rename) -> Any:  # noqa: ANN401
    if slot.kind is None:
        return renamed(value, rename)
    return value if value == NOTHING else rename(slot.kind, value)


def _values(value: Any) -> tuple[Any, ...]:  # noqa: ANN401
    if isinstance(value, tuple):
        return value
    return () if value is None else (value,)


@cache
def _slots(type_: type[msgspec.Struct]) -> tuple[_Slot, ...]:
    slots = []
    for field in infos(type_):
        extra = [e for part in _parts(field.type) for n in notes(part) if (e := getattr(n, "extra", None))]
        said = next((e for e in extra if "refers" in e), None)
        structs = [p for p in _parts(field.type) if isinstance(p, type) and issubclass(p, msgspec.Struct)]
        if said is not None:
            many = any(get_origin(part) is tuple for part in _parts(field.type))
            loose, initial, resting = said["loose"], said["initial"], said["resting"]
            slots.append(_Slot(field.name, said["refers"], loose, initial, resting, many))
        elif any(_slots(struct) for struct in structs):
            slots.append(_Slot(field.name, None))
    return tuple(slots)


def _parts(annotation: Any) -> Iterator[Any]:  # noqa: ANN401
    """Iterate over an annotation and all that it is made of."""
    yield annotation
    for part in get_args(annotation):
        yield from _parts(part)
