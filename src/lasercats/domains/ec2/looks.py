"""The family of what stands in a cloud account: looked at and found by descriptions, which looks share."""

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from typing import Any, ClassVar, TypeVar

from msgspec.structs import replace

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
from lasercats.domains.ec2 import account
from lasercats.domains.ec2.account import ID, IDENTITY, MACHINE, at, called
from lasercats.instructions.aws import SORTS, Describe, values_of

R = TypeVar("R", bound=Resource)
Thing = Mapping[str, Any]
"""What EC2 tells of something."""


class InAccount(Kind[R]):
    """The family of what stands in an account and region, and is referred to by its id.

    Its commands stand in the order in which they are given.
    """

    machine = MACHINE
    identity = "id"
    what: ClassVar[str]
    """One of the sorts of `lasercats.instructions.aws`."""
    fixed: ClassVar[tuple[str, ...]] = ()
    """The fields that cannot be changed in place."""
    free: ClassVar[Mapping[str, Any]] = {}
    """What is decided of it before it is removed, where it is otherwise: `{"protected": False}`."""

    def __init_subclass__(cls) -> None:
        """Say by what others refer to it."""
        if "name" in vars(cls):
            IDENTITY[cls.name] = cls.identity or "id"

    def read(self, thing: Thing, known: R | None) -> R:
        """Return the resource that a description tells of; references are told by id."""
        raise NotImplementedError

    def counts(self, thing: Thing) -> bool:
        """Tell whether what was found stands for itself, and is not a part of something else."""
        return True

    def canonical(self, name: str) -> str:
        """Return the one form of a name."""
        return account.canonical(name)

    def converge(self, address: Address, change: Change[R]) -> Iterable[Command]:
        """Change what differs; what is removed is freed first."""
        before: Any = change.before
        commands = list[Command]()
        if change.after is None and any(
            getattr(before, name, None) not in (None, value) for name, value in self.free.items()
        ):
            commands += self.converge(address, Change(before, replace(before, **self.free)))
        commands += super().converge(address, change)
        return sorted(commands, key=lambda command: self.commands.index(type(command)))

    def replaces(self, change: Change[R]) -> bool:
        """Tell whether what is fixed is decided otherwise."""
        return account.differs(change, *self.fixed)

    def loses(self, resource: Any) -> Iterator[str]:  # noqa: ANN401 - of any kind
        """Return what does not come back when it is made again: what EC2 gave it."""
        for name, word in (("id", "id"), ("public_ip", "public address")):
            value = getattr(resource, name, None)
            if value is not None:
                yield f"{word} {value}"

    def observe(self, machine: str, known: Mapping[Address, R | None]) -> Program[Found]:
        """Look at addresses by one description each; equal looks of many programs become one call.

        Where nobody looks, as in a script, what is there is what is known.

        Raises:
            Refused: what is told of something cannot be understood.

        """
        answers = yield tuple(self.describe(address, resource) for address, resource in known.items())
        found: dict[Address, Resource | None] = {}
        for (address, resource), answer in zip(known.items(), answers, strict=True):
            thing = self.one(address, answer.found)
            there = None if thing is None else self.understood(thing, resource)
            found[address] = there if answer.looked else resource
        return found

    def discover(self, machine: str) -> Program[Found]:
        """Find all of the kind in an account and region."""
        answer = yield Describe(machine=machine, what=self.what)
        return self.read_all(machine, tuple(filter(self.counts, answer.found)))

    def seen(self, address: Address, desired: R, known: Known, before: R | None = None) -> Program[Any]:
        """Look at it by its id, and tell what is there as what is desired, and what was before, says it."""
        found = (yield from self.observe(at(address)[0], {address: desired}))[address]
        return None if found is None else as_desired(found, desired, known, before)

    def describe(self, address: Address, known: Any) -> Describe:  # noqa: ANN401 - of any kind
        """Return the look at one address: by the id, where that is known or is its name, else by its name."""
        machine, name = at(address)
        sort = SORTS[self.what]
        id_ = getattr(known, "id", None)
        if id_ is None and ID.fullmatch(name):
            id_ = name
        by, value = (sort.by_name, name) if id_ is None else (sort.by_id, id_)
        return Describe(machine=machine, what=self.what, by=by, value=value)

    def one(self, address: Address, things: tuple[Thing, ...]) -> Thing | None:
        """Return what was found at an address, None where nothing was.

        Raises:
            Refused: more than one has its name.

        """
        if len(things) > 1:
            ids = ", ".join(sorted(str(thing.get(SORTS[self.what].id)) for thing in things)[:5])
            raise Refused(f"{len(things)} have the name {at(address)[1]!r}: {ids}; name one by its id")
        return things[0] if things else None

    def read_all(self, machine: str, things: tuple[Thing, ...]) -> dict[Address, Any]:
        """Return what descriptions tell of; of one that cannot be understood, the failure."""
        found: dict[Address, Any] = {}
        for address, thing in self.named(machine, things):
            try:
                found[address] = self.understood(thing, None)
            except Refused as refused:
                found[address] = Failure(reason=str(refused))
        return found

    def understood(self, thing: Thing, known: R | None) -> R:
        """Return the resource that a description tells of.

        Raises:
            Refused: what is told of it cannot be understood.

        """
        try:
            return self.read(thing, known)
        except ODD as error:
            id_ = thing.get(SORTS[self.what].id)
            why = f"{type(error).__name__}: {error}"
            raise Refused(f"what EC2 tells of {id_ or 'it'} cannot be understood ({why})") from None

    def named(self, machine: str, things: tuple[Thing, ...]) -> Iterator[tuple[Address, Thing]]:
        """Iterate over descriptions, each with its address: its Name tag where only it has that, else its id.

        What has neither stands at the machine itself.
        """
        sort = SORTS[self.what]
        names = [_name(thing, sort.by_name) for thing in things]
        often = Counter(names)
        for name, thing in zip(names, things, strict=True):
            if name and name.strip() and often[name] == 1 and not ID.fullmatch(name):
                yield addresses.make(self.name, called(machine, text.escape(name.encode()))), thing
            elif thing.get(sort.id):
                yield addresses.make(self.name, called(machine, thing[sort.id])), thing
            else:
                yield addresses.make(self.name, f"{machine}:"), {}


def whole(thing: Thing, member: str) -> int:
    """Return a whole number that is told.

    Raises:
        ValueError: something else is told.
        KeyError: nothing is.

    """
    value = thing[member]
    if not isinstance(value, int):
        raise ValueError(f"{member} {value!r} is no whole number")
    return value


def _name(thing: Thing, by_name: str) -> str | None:
    if by_name in ("key-name", "group-name"):
        return thing.get("KeyName" if by_name == "key-name" else "GroupName")
    return next(iter(values_of(thing, "instance", "tag:Name")), None)


def as_known(found: str | None, known: str | None) -> str | None:
    """Return a name that EC2 tells, as the address that is known where that is of the same name."""
    return known if known and "/" in known and found == at(Address(known))[1] else found


def as_desired(found: R, desired: Resource, known: Known, before: Resource | None = None) -> R:
    """Return what was found, with references as they were desired, or were, where they mean the same."""
    meant: dict[tuple[str, str], str] = {}
    for kind, value in (*references(before), *references(desired)):
        resource = known(Address(value)) if value.startswith(f"{kind}/") else None
        identity = getattr(resource, IDENTITY.get(kind, "id"), None)
        if identity is not None:
            meant[kind, identity] = value
    return renamed(found, lambda kind, value: meant.get((kind, value), value))
