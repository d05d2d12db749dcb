"""Kinds: what a domain says of one sort of resource; the pure functions between its type and its commands.

A kind is a class. What many have in common is a family, a class between `Kind` and theirs: paths of a host,
resources of a cloud account, settings of a switch, what is kept on record. A method that is not written has
the meaning that stands here; `Kind.has` tells whether a kind has one of its own.
"""

from collections.abc import Collection, Iterable, Mapping
from typing import Any, Generic, TypeVar

from lasercats.core import reference
from lasercats.core.address import Address
from lasercats.core.change import Change
from lasercats.core.command import Command
from lasercats.core.instruction import Failure
from lasercats.core.program import Known, Program, Step
from lasercats.core.resource import Resource
from lasercats.core.setting import converge
from lasercats.core.state import State

R = TypeVar("R", bound=Resource)


class Knowledge(dict[Address, Resource | None]):
    """What a look is told of addresses: what is known there, None where nobody manages anything.

    What is `expected` is what a command is about to make, None where it is about to go: a look reads no more
    than it takes to compare with it, and what is there when a secret is brought comes sealed. So does what
    nobody manages and not everybody there may read, unless it is wanted `in_clear`. What is to be made
    `again`, so that it ends and another one begins, is looked at closely: what nobody decides of it, too, as
    the new one is to have it.
    """

    def __init__(
        self,
        known: Mapping[Address, Resource | None],
        expected: Mapping[Address, Resource | None] | None = None,
        *,
        in_clear: bool = False,
        again: Collection[Address] = (),
    ) -> None:
        """Take what is known, and what is expected."""
        super().__init__(known)
        self.expected, self.in_clear, self.again = expected or {}, in_clear, again


Found = Mapping[Address, Resource | None]
"""What a look at a machine found at each address, computed fields and all."""
Listed = Mapping[Address, Resource | Failure | None]
"""All that was found of a kind on a machine, and what is there but cannot be understood."""


class Kind(Generic[R]):
    """One kind of resource: its type, its commands, and the pure functions between them."""

    name: str
    resource: type[Resource]
    commands: tuple[type[Command], ...] = ()
    form: str = "MACHINE:REST"
    """How its names are written, for the help."""
    machine: str | None = None
    """The machine of a name that names none."""
    identity: str | None = None
    """The computed field that holds the name by which its machinery refers to a resource: `id`."""
    ranged: bool = False
    """True where names that differ in a number are shown as a range: `eth1-24`."""
    generic: bool = False
    """True where it is one of many that are made from data (`lasercats.core.generic`)."""
    by_hand: bool = False
    """True where a person does what is to be done."""

    def __init__(self, **facts: Any) -> None:  # noqa: ANN401 - of any attribute
        """Make the kind; where kinds are made of data, with what would otherwise stand in its class."""
        vars(self).update(facts)

    def __repr__(self) -> str:
        """Return its name."""
        return f"<kind {self.name}>"

    def has(self, name: str) -> bool:
        """Tell whether it has a method of its own, as `observe` or `aside`."""
        return name in vars(self) or getattr(type(self), name) is not getattr(Kind, name)

    # Names.

    def canonical(self, name: str) -> str:
        """Check a name and give its one form.

        Raises:
            BadInput: it is none.

        """
        return name

    def expand(self, name: str) -> Iterable[str]:
        """Return the names that a name stands for where many may be given, as a range: `sw1:eth1-24`."""
        return (name,)

    def rivals(self, address: Address) -> Iterable[Address]:
        """Return what cannot be there at the same time: the same place under another kind."""
        return ()

    def needs(self, address: Address, resource: R | None) -> Iterable[Address]:
        """Return what must be there before it, and may go only after it: by default what it refers to."""
        return reference.needed(address, resource)

    # Between changes and commands.

    def concerns(self, address: Address, command: Command) -> Iterable[Address]:
        """Return other addresses that a command takes a look at to decide: what it is about to refer to."""
        return ()

    def converge(self, address: Address, change: Change[R]) -> Iterable[Command]:
        """Return the commands that, decided one by one from `before`, end in `after`.

        By default they are found by what the commands of the kind say that they set.
        """
        return converge(self.commands, address, change)

    def amend(self, address: Address, change: Change[R]) -> Iterable[Command]:
        """Do as `converge`, by commands that only set right what is on record.

        None has its own where nothing is on record that a look could not set right.
        """
        return self.converge(address, change)

    def replaces(self, change: Change[R]) -> bool:
        """Tell whether a change cannot be made in place: the resource is removed and made anew."""
        return False

    # Between changes and machines.

    def act(self, address: Address, change: Change[R], known: Known) -> "Step | Program[Any]":
        """Return the program that makes a change; its result is the resource as it then really is.

        A generator may ask what is known at the addresses that it needs: it is begun when they are made.
        """
        raise NotImplementedError

    def observe(self, machine: str, known: Mapping[Address, R | None]) -> "Program[Found]":
        """Look at a machine, given what is known at some addresses; answer what is really there.

        What is known may be `Knowledge`, which tells what a command is about to make, too.
        Not there where nobody but a person can look: what was reported is what is known.
        """
        raise NotImplementedError

    def discover(self, machine: str) -> "Program[Listed]":
        """Find all that is on a machine, managed or not; not there where that cannot be listed.

        What is there and cannot be understood is a failure, with the reason; so it fails alone.
        """
        raise NotImplementedError

    # What resources have to do with each other.

    def holds(self, resource: R) -> Iterable[str]:
        """Return what it has to itself, in any words: what takes it waits until others let go of it.

        While a command is open, what it is about to take is claimed as the addresses are.
        """
        return ()

    def rests(self, resource: R) -> Resource | None:
        """Return what it is at rest, as an instance that is stopped; None where it is so, or never."""
        return None

    def alters(self, resource: R) -> Iterable[Address]:
        """Return the addresses at which a machine may give other fields when it comes, changes or goes.

        Of what is managed there, the computed fields are looked up again when a command has changed it.
        """
        return ()

    def aside(self, address: Address, change: Change[R], state: State, end: State) -> Resource | None:
        """Return what it is in the meantime where it must make room before it can change, as in a swap.

        It is given the states before and after all changes.
        """
        return None

    def effort(self, resource: R) -> float:
        """Return how much it takes to have it make room; 0 where that is on paper only."""
        return 1

    # What is lost.

    def loses(self, resource: R) -> Iterable[str]:
        """Return what of it cannot come back when it has been removed and is made again."""
        return ()

    def buries(self, before: R, after: R | None) -> Iterable[str]:
        """Return what a change to another, or to none, takes away that no undo brings back."""
        return ()

    def interrupts(self, before: R, after: R | None) -> Iterable[str]:
        """Return how a change to another, or to none, interrupts its work: `stopped`."""
        return ()
