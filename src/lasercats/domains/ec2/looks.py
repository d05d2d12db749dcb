"""How the kinds of EC2 are looked at and found: by descriptions, which many looks share."""

from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any, NamedTuple

from lasercats.core import address as addresses
from lasercats.core import text
from lasercats.core.address import Address
from lasercats.core.change import Change
from lasercats.core.command import Command
from lasercats.core.errors import Refused
from lasercats.core.instruction import Failure
from lasercats.core.kind import Found, Kind
from lasercats.core.loose import ODD
from lasercats.core.program import Known, Program
from lasercats.core.reference import references, renamed
from lasercats.core.resource import Resource
from lasercats.domains.ec2.account import ID, IDENTITY, MACHINE, at, called, canonical, loses_id
from lasercats.instructions.aws import SORTS, Describe, values_of


class Looking(NamedTuple):
    """How one kind is looked at."""

    kind: str
    what: str
    """One of the sorts of `lasercats.instructions.aws`."""
    read: Callable[[dict[str, Any], Any], Resource]
    """From a description, and what is known or None, to the resource; references are told by id."""


def describe(address: Address, known: Any, looking: Looking) -> Describe:  # noqa: ANN401
    """Return the look at one address: by the id, where that is known or is its name, else by its name."""
    machine, name = at(address)
    sort = SORTS[looking.what]
    id_ = getattr(known, "id", None)
    if id_ is None and ID.fullmatch(name):
        id_ = name
    by, value = (sort.by_name, name) if id_ is None else (sort.by_id, id_)
    return Describe(machine=machine, what=looking.what, by=by, value=value)


def one(address: Address, things: tuple[dict[str, Any], ...], looking: Looking) -> dict[str, Any] | None:
    """Return what was found at an address, None where nothing was.

    Raises:
        Refused: more than one has its name.

    """
    if len(things) > 1:
        ids = ", ".join(sorted(str(thing.get(SORTS[looking.what].id)) for thing in things)[:5])
        raise Refused(f"{len(things)} have the name {at(address)[1]!r}: {ids}; name one by its id")
    return things[0] if things else None


def look(known: Mapping[Address, Any], looking: Looking) -> Program[Found]:
    """Look at addresses by one description each; equal looks of many programs become one call.

    Where nobody looks, as in a script, what is there is what is known.

    Raises:
        Refused: what is told of something cannot be understood.

    """
    answers = yield tuple(describe(address, resource, looking) for address, resource in known.items())
    found: dict[Address, Resource | None] = {}
    for (address, resource), answer in zip(known.items(), answers, strict=True):
        thing = one(address, answer.found, looking)
        there = None if thing is None else understood(thing, resource, looking)
        found[address] = there if answer.looked else resource
    return found


def discover(machine: str, looking: Looking) -> Program[Found]:
    """Find all of a kind in an account and region."""
    answer = yield Describe(machine=machine, what=looking.what)
    return read_all(machine, answer.found, looking)


def read_all(machine: str, things: tuple[dict[str, Any], ...], looking: Looking) -> dict[Address, Any]:
    """Return what descriptions tell of; where one cannot be understood, the failure stands in its place."""
    found: dict[Address, Any] = {}
    for address, thing in named(machine, things, looking):
        try:
            found[address] = understood(thing, None, looking)
        except Refused as refused:
            found[address] = Failure(reason=str(refused))
    return found


def understood(thing: dict[str, Any], known: Any, looking: Looking) -> Any:  # noqa: ANN401
    """Return the resource that a description tells of.

    Raises:
        Refused: what is told of it cannot be understood.

    """
    try:
        return looking.read(thing, known)
    except ODD as error:
        id_ = thing.get(SORTS[looking.what].id)
        why = f"{type(error).__name__}: {error}"
        raise Refused(f"what EC2 tells of {id_ or 'it'} cannot be understood ({why})") from None


def whole(thing: Mapping[str, Any], member: str) -> int:
    """Return a whole number that is told.

    Raises:
        ValueError: something else is told.
        KeyError: nothing is.

    """
    value = thing[member]
    if not isinstance(value, int):
        raise ValueError(f"{member} {value!r} is no whole number")
    return value


def named(
    machine: str, things: tuple[dict[str, Any], ...], looking: Looking
) -> Iterator[tuple[Address, dict[str, Any]]]:
    """Iterate over descriptions, each with its address: its Name tag where only it has that, else its id.

    What has neither stands at the machine itself.
    """
    sort = SORTS[looking.what]
    names = [_name(thing, sort.by_name) for thing in things]
    often = Counter(names)
    for name, thing in zip(names, things, strict=True):
        if name and name.strip() and often[name] == 1 and not ID.fullmatch(name):
            yield addresses.make(looking.kind, called(machine, text.escape(name.encode()))), thing
        elif thing.get(sort.id):
            yield addresses.make(looking.kind, called(machine, thing[sort.id])), thing
        else:
            yield addresses.make(looking.kind, f"{machine}:"), {}


def _name(thing: Mapping[str, Any], by_name: str) -> str | None:
    if by_name in ("key-name", "group-name"):
        return thing.get("KeyName" if by_name == "key-name" else "GroupName")
    return next(iter(values_of(thing, "instance", "tag:Name")), None)


def kind(
    looking: Looking,
    resource: type[Resource],
    commands: tuple[type[Command], ...],
    converge: Callable[[Address, Change[Any]], Iterable[Command]],
    act: Callable[[Address, Change[Any], Known], Program[Any]],
    **more: Any,  # noqa: ANN401 - fields of Kind[Any]
) -> Kind[Any]:
    """Return a kind that is looked at and found by descriptions, and referred to by its id."""

    def observe(_machine: str, known: Mapping[Address, Any]) -> Program[Found]:
        return look(known, looking)

    def find(machine: str) -> Program[Found]:
        return discover(machine, looking)

    own: dict[str, Any] = {"observe": observe, "discover": find, "identity": "id", "loses": loses_id}
    own |= {"canonical": canonical, "machine": MACHINE}
    own |= {
        "name": looking.kind,
        "resource": resource,
        "commands": commands,
        "converge": converge,
        "act": act,
    }
    return Kind(**{**own, **more})


def told_as_known(told: str | None, known: str | None) -> str | None:
    """Return a name that EC2 tells, as the address that is known where that is of the same name."""
    return known if known and "/" in known and told == at(Address(known))[1] else told


def as_wished(found: Any, wished: Any, known: Known, before: Any = None) -> Any:  # noqa: ANN401 - of any kind
    """Return what was found, with references as they were wished for, or were, where they mean the same."""
    meant: dict[tuple[str, str], str] = {}
    for kind, value in (*(() if before is None else references(before)), *references(wished)):
        resource = known(Address(value)) if value.startswith(f"{kind}/") else None
        identity = getattr(resource, IDENTITY.get(kind, "id"), None)
        if identity is not None:
            meant[kind, identity] = value
    return renamed(found, lambda kind, value: meant.get((kind, value), value))
