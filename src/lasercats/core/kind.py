"""Kinds and domains: what a plugin brings, and the registry that finds them by name.

Everything an operator can do with a kind (verbs, documents, plan, undo, tables, docs) is made from what
stands here; nothing else is written per kind.
"""

from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass
from functools import cache
from typing import Any

import msgspec

from lasercats.core import address as addresses
from lasercats.core import reference
from lasercats.core.address import Address
from lasercats.core.change import Change, Delta
from lasercats.core.command import Command, Forget, Hold, Protect, StrangeCommand, Unprotect
from lasercats.core.errors import BadInput, LogCorrupt, Refused, UnknownName
from lasercats.core.instruction import Failure, Instruction, Later, StrangeInstruction
from lasercats.core.loose import decode, odd_fields, strict
from lasercats.core.program import Known, Program, Step
from lasercats.core.resource import Resource, StrangeResource, decided_fields, decisions
from lasercats.core.state import State


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


HELD = "held/"
"""Begins what stands for all that one thing holds: what is put into it or taken out goes one by one."""
Found = Mapping[Address, Resource | None]
"""What a look at a machine found at each address, given fields and all."""
Listed = Mapping[Address, Resource | Failure | None]
"""All that was found of a kind on a machine, and what is there but cannot be understood."""


def _no_rivals(_address: Address) -> tuple[Address, ...]:
    return ()


def _one(name: str) -> tuple[str, ...]:
    return (name,)


def _never(_change: Any) -> bool:  # noqa: ANN401
    return False


def _some(_resource: Any) -> float:  # noqa: ANN401
    return 1


def _no_rest(_resource: Any) -> None:  # noqa: ANN401
    return None


def _nothing(_resource: Any) -> tuple[Any, ...]:  # noqa: ANN401
    return ()


def _nothing_of_two(_before: Any, _after: Any) -> tuple[str, ...]:  # noqa: ANN401
    return ()


@dataclass(frozen=True)
class Kind:
    """One kind of resource: its type, its commands, and the pure functions between them."""

    name: str
    resource: type[Resource]
    commands: tuple[type[Command], ...]
    converge: Callable[[Address, Change[Any]], Iterable[Command]]
    """The commands that, decided one by one from `before`, end in `after`."""
    act: Callable[[Address, Change[Any], Known], "Step | Program[Any]"]
    """The program that makes a change; its result is the resource as it then really is.

    A generator may ask what is known at the addresses that it needs: it is begun when they are made.
    """
    observe: Callable[[str, Mapping[Address, Any]], "Program[Found]"] | None
    """Looks at a machine, given what is known at some addresses; answers what is really there.

    What is known may be `Knowledge`, which tells what a command is about to make, too.
    None where nobody but a person can look: what was reported is what is known.
    """
    amend: Callable[[Address, Change[Any]], Iterable[Command]] | None = None
    """As `converge`, by commands that only set right what is on record.

    None where there are none, because nothing is on record that a look could not set right.
    """
    canonical: Callable[[str], str] = str
    """Checks a name and gives its one form; raises BadInput."""
    expand: Callable[[str], Iterable[str]] = _one
    """The names that a name stands for where many may be given, as a range: `sw1:eth1-24`."""
    needs: Callable[[Address, Any], Iterable[Address]] = reference.needed
    """What must be there before a resource, and may go only after it: by default what it refers to."""
    form: str = "MACHINE:REST"
    """How its names are written, for the help."""
    rivals: Callable[[Address], Iterable[Address]] = _no_rivals
    """What cannot be there at the same time: the same place under another kind."""
    holds: Callable[[Any], Iterable[str]] = _nothing
    """What a resource has to itself, in any words: what takes it waits until others let go of it.

    While a command is open, what it is about to take is claimed as the addresses are.
    """
    rests: Callable[[Any], Resource | None] = _no_rest
    """What a resource is at rest, as an instance that is stopped; None where it is so, or never."""
    alters: Callable[[Any], Iterable[Address]] = _nothing
    """The addresses at which a machine may give other fields when a resource comes, changes or goes.

    Of what is managed there, the given fields are looked up again when a command has changed the resource.
    """
    aside: Callable[[Address, Change[Any], State, State], Resource | None] | None = None
    """What a resource is in the meantime where it must make room before it can change, as in a swap.

    It is given the states before and after all changes; None where there is no such thing.
    """
    effort: Callable[[Any], float] = _some
    """How much it takes to have a resource make room; 0 where that is on paper only."""
    machine: str | None = None
    """The machine of a name that names none."""
    replaces: Callable[[Change[Any]], bool] = _never
    """Tells whether a change cannot be made in place: the resource is removed and made anew."""
    identity: str | None = None
    """The given field that holds the name by which its machinery refers to a resource: `id`."""
    discover: "Callable[[str], Program[Listed]] | None" = None
    """Finds all that is on a machine, managed or not; None where that cannot be listed.

    What is there and cannot be understood is a failure, with the reason; so it fails alone.
    """
    loses: Callable[[Any], Iterable[str]] = _nothing
    """What of a resource cannot come back when it has been removed and is made again."""
    buries: Callable[[Any, Any], Iterable[str]] = _nothing_of_two
    """What a change from a resource to another, or to none, takes away that no undo brings back."""
    interrupts: Callable[[Any, Any], Iterable[str]] = _nothing_of_two
    """How a change from a resource to another, or to none, interrupts its work: `stopped`."""


@dataclass(frozen=True)
class Domain:
    """A family of kinds, with the vocabulary of instructions that their programs use."""

    name: str
    kinds: tuple[Kind, ...]
    instructions: tuple[type[Instruction], ...]
    commands: tuple[type[Command], ...] = ()
    """Commands that belong to no kind: opaque ones."""


class Kinds:
    """The registry of what is known; decodes stored values into their types."""

    def __init__(self, domains: Iterable[Domain]) -> None:
        """Register every kind, command and instruction of the domains."""
        self.domains = tuple(domains)
        self.kinds = {kind.name: kind for domain in self.domains for kind in domain.kinds}
        own = [c for kind in self.kinds.values() for c in kind.commands]
        free = [c for domain in self.domains for c in domain.commands]
        commands: list[type[Command]] = [Forget, Protect, Unprotect, Hold, *own, *free]
        self.commands = {tag_of(c): c for c in commands}
        self._kinds_of: dict[str, tuple[Kind, ...]] = {}
        for kind in self.kinds.values():
            for c in kind.commands:
                self._kinds_of[tag_of(c)] = (*self._kinds_of.get(tag_of(c), ()), kind)
        held = {kind.name: reference.clings_to(kind.resource) for kind in self.kinds.values()}
        self._clinging = {
            to: frozenset(name for name, kinds in held.items() if to in kinds)
            for to in frozenset[str]().union(*held.values())
        }
        self._domain_of = {kind.name: domain for domain in self.domains for kind in domain.kinds}
        self._domain_of |= {tag_of(c): domain for domain in self.domains for c in domain.commands}
        self._instructions = {tag_of(i): i for d in self.domains for i in d.instructions}

    def kind(self, address: Address) -> Kind:
        """Return the kind of an address; of one that is not installed, one that can do nothing."""
        name = addresses.kind_of(address)
        return self.kinds.get(name) or _strange(name)

    def domain(self, address: Address) -> Domain | None:
        """Return the domain that an address belongs to, None where it is of no domain that is known."""
        return self._domain_of.get(addresses.kind_of(address))

    def kind_for(self, command: Command | type[Command]) -> Kind | None:
        """Return the kind that a command belongs to, the first of several, None for one of no kind."""
        return next(iter(self.kinds_for(command)), None)

    def kinds_for(self, command: Command | type[Command]) -> tuple[Kind, ...]:
        """Return the kinds that a command belongs to; a name without a kind is of the first."""
        return self._kinds_of.get(tag_of(command), ())

    def program(
        self, command: Command, address: Address, change: Change[Resource], known: Known
    ) -> "Step | Program[Any]":
        """Return the program of a command at an address: its own, or the one by which its kind acts."""
        own = command.interpret(address, change, known)
        return self.kind(address).act(address, change, known) if own is None else own

    def by_hand(self, address: Address) -> bool:
        """Tell whether a person does what is to be done at an address."""
        domain = self.domain(address)
        return domain is not None and any(instruction.by_hand for instruction in domain.instructions)

    def rivals(self, address: Address) -> tuple[Address, ...]:
        """Return what cannot be there at the same time as an address; nothing where its kind is not known."""
        kind = self.kinds.get(addresses.kind_of(address))
        return () if kind is None else tuple(kind.rivals(address))

    def holding(self, address: Address) -> bool:
        """Tell whether resources of the kind of an address have anything to themselves."""
        return self.kind(address).holds is not _nothing

    def altering(self, address: Address) -> bool:
        """Tell whether what is at an address has its machine give other fields elsewhere."""
        return self.kind(address).alters is not _nothing

    def clinging(self, address: Address) -> frozenset[str]:
        """Return the kinds of what may go along where what is at an address ends (`clings_to`)."""
        return self._clinging.get(addresses.kind_of(address), frozenset())

    def altered(self, address: Address, change: Change[Resource]) -> tuple[Address, ...]:
        """Return the addresses at which a change has its machine give other fields."""
        sides = (side for side in (change.before, change.after) if side is not None)
        return tuple(dict.fromkeys(a for side in sides for a in self.kind(address).alters(side)))

    def held(self, address: Address, resource: Resource | None) -> Iterator[Address]:
        """Iterate over what a resource has to itself, as addresses that begin with `held/`."""
        if resource is not None:
            kind = self.kind(address)
            for words in kind.holds(resource):
                yield Address(f"{HELD}{kind.name}/{self.machine_of(address) or ''}: {words}")

    def machine_of(self, address: Address) -> str | None:
        """Return the machine that an address is on: the one in its name, or the one of its kind."""
        named = addresses.machine_of(address)
        if named is not None:
            return named
        kind = self.kinds.get(addresses.kind_of(address))
        return None if kind is None else kind.machine

    def address(self, text: str, kind: Kind | None = None, *, strange: bool = False) -> Address:
        """Read an address, of which the kind may be left out where it is known.

        With `strange`, it may be of a kind that is not installed: what is recorded of it can be looked up.

        Raises:
            BadInput: it is malformed, of an unknown kind, or its name is not one of that kind.

        """
        if kind is not None and not text.startswith(f"{kind.name}/"):
            text = f"{kind.name}/{text}"
        address = addresses.parse(text)
        name = addresses.kind_of(address)
        if name not in self.kinds and not strange:
            raise UnknownName("kind", name, self.kinds)
        kind = self.kind(address)
        return addresses.make(kind.name, kind.canonical(addresses.name_of(address)))

    def command(self, data: Mapping[str, Any]) -> Command:
        """Build a command from plain data: `{"command": "file.write", "on": […], …}`.

        Raises:
            BadInput: an unknown command or field, a value of the wrong type, a bad address.

        """
        tag = data.get("command")
        if not isinstance(tag, str):
            raise BadInput("a command needs a field 'command', such as \"file.write\"")
        if tag not in self.commands:
            raise UnknownName("command", tag, self.commands)
        type_ = self.commands[tag]
        command: Command = convert({**data, "on": self.on(data)}, type_, f"command {tag}")
        return command

    def on(self, data: Mapping[str, Any]) -> list[Address]:
        """Return the addresses that a command is about, from its plain data; its tag is a known one.

        Raises:
            BadInput: there are none, or one is no address.

        """
        tag, on = data["command"], data.get("on", ())
        texts = [on] if isinstance(on, str) else list(on)
        if not texts or not all(isinstance(text, str) for text in texts):
            raise BadInput(f"command {tag} needs 'on', the address or addresses it is about")
        return list(dict.fromkeys(a for text in texts for a in self._named(self.commands[tag], text)))

    def decode_command(self, raw: bytes) -> Command:
        """Decode a command from a log; one for which there is no type is a `StrangeCommand`."""
        data = _plain(raw)
        tag = data.get("command") if isinstance(data, dict) else None
        if tag in self.commands:
            with suppress(ValueError):
                command: Command = decode(raw, self.commands[tag])
                return command
        on = data.get("on", ()) if isinstance(data, dict) else ()
        return StrangeCommand(on=tuple(Address(a) for a in on if isinstance(a, str)), recorded=data)

    def decode_instruction(self, raw: bytes) -> Instruction:
        """Decode an instruction from a log; one for which there is no type is a `StrangeInstruction`."""
        data = _plain(raw)
        tag = data.get("do") if isinstance(data, dict) else None
        if tag in self._instructions:
            with suppress(ValueError):
                instruction: Instruction = decode(raw, self._instructions[tag])
                return instruction
        machine = data.get("machine") if isinstance(data, dict) else None
        return StrangeInstruction(machine=machine if isinstance(machine, str) else "", recorded=data)

    def decode_outcome(self, instruction: Instruction, raw: bytes) -> Any:  # noqa: ANN401
        """Decode the outcome of an instruction from a log: its answer, a Failure, or that it comes Later.

        One that is nothing of these is a failure that says so.
        """
        data = _plain(raw)
        told = data.get("type") if isinstance(data, dict) else None
        try:
            for other in (Failure, Later):
                if told == tag_of(other):
                    return decode(raw, other)
            return decode(raw, instruction.answer)
        except ValueError:
            return Failure(reason="what was recorded as its outcome cannot be read by this program")

    def decode_resource(self, address: Address, raw: bytes) -> Resource | None:
        """Decode one side of a change from a log; where there is no type for it, it is a `StrangeResource`.

        Raises:
            LogCorrupt: it is no JSON.

        """
        if raw == b"null":
            return None
        kind = self.kinds.get(addresses.kind_of(address))
        if kind is not None:
            with suppress(ValueError):
                resource: Resource = decode(raw, kind.resource)
                return resource
        return StrangeResource(recorded=_plain(raw))

    def decode_delta(self, raw: Mapping[Address, tuple[msgspec.Raw, msgspec.Raw]]) -> Delta:
        """Decode a delta from a log."""
        changes = dict[Address, Change[Resource]]()
        for address, (before, after) in raw.items():
            changes[address] = Change(
                self.decode_resource(address, bytes(before)), self.decode_resource(address, bytes(after))
            )
        return Delta(changes)

    def odd(self, resource: Resource) -> dict[str, str]:
        """Return the decided fields that hold what nobody may give, as a machine told it, with the reason."""
        type_ = type(resource)
        data = msgspec.to_builtins(decisions(resource))
        try:
            strict(data, type_)
        except ValueError:
            return odd_fields(data, type_, decided_fields(type_))
        return {}

    def fault(self, command: Command) -> str | None:
        """Return why a command that was made from what is recorded may not be given; None where it may."""
        if isinstance(command, StrangeCommand):
            return "its plugin is not installed"
        try:
            strict(msgspec.to_builtins(command), type(command))
        except ValueError as error:
            fact, _, path = str(error).partition(" - at `$.")
            return f"{path.rstrip('`')}: {fact}" if path else fact
        return None

    def verbs(self) -> Iterator[tuple[str, str, type[Command]]]:
        """Iterate over (group, verb, command type) of every command that has both."""
        for tag, command in self.commands.items():
            group, dot, verb = tag.rpartition(".")
            if dot:
                yield group, verb, command

    def _named(self, command: type[Command], text: str) -> Iterator[Address]:
        """Iterate over the addresses that a text means for a command; one with its kind is one address."""
        kinds = self.kinds_for(command)
        if not kinds:
            yield (
                self.address(text, strange=True)
                if command in (Forget, Hold, Protect, Unprotect)
                else _on_machine(tag_of(command), text)
            )
            return
        told = next((kind for kind in kinds if text.startswith(f"{kind.name}/")), None)
        for name in kinds[0].expand(text) if told is None else (text,):
            yield self.address(name, told or kinds[0])


def _value(data: Mapping[str, Any], path: str) -> Any:  # noqa: ANN401
    return data.get(path.rstrip("`").partition("[")[0])


def _on_machine(tag: str, text: str) -> Address:
    """Read what a command of no kind is on: a whole machine, `exec/web1:`."""
    name = text.removeprefix(f"{tag}/").removesuffix(":")
    return addresses.make(tag, f"{addresses.check_machine_name(name)}:")


def _plain(raw: bytes) -> Any:  # noqa: ANN401
    """Return JSON of a log as plain data.

    Raises:
        LogCorrupt: it is none.

    """
    try:
        return msgspec.json.decode(raw)
    except (ValueError, RecursionError) as error:
        raise LogCorrupt(
            f"the log holds what is no JSON ({error}); `lasercats verify` tells where it is damaged"
        ) from None


@cache
def _strange(name: str) -> Kind:
    """Return what stands for a kind that is not installed: of its resources only the records are known."""

    def refuse(address: Address, *_: Any) -> Any:  # noqa: ANN401
        raise Refused(f"{address} is of kind {name!r}, which is not installed; install its plugin")

    return Kind(name=name, resource=StrangeResource, commands=(), converge=refuse, act=refuse, observe=None)


def tag_of(struct: msgspec.Struct | type[msgspec.Struct]) -> str:
    """Return the tag of a tagged struct: `file.write`; of a strange command, what it was called."""
    return struct.name if isinstance(struct, StrangeCommand) else str(struct.__struct_config__.tag)


def convert(data: Mapping[str, Any], type_: type[Any], what: str) -> Any:  # noqa: ANN401
    """Convert plain data to a struct, with errors that an operator can act on.

    Raises:
        BadInput: an unknown field (the nearest is named), a missing one or one of the wrong type.

    """
    names, tag_field = type_.__struct_encode_fields__, type_.__struct_config__.tag_field
    for name in data:
        if name not in names and name != tag_field:
            raise UnknownName(f"field of {what}", str(name), names)
    try:
        return strict(data, type_)
    except ValueError as error:
        fact, _, path = str(error).partition(" - at `$.")
        where = f" field {path.rstrip('`')!r}:" if path else ""
        if "Expected `str" in fact and ("got `int`" in fact or "got `float`" in fact or "got `bool`" in fact):
            fact += "; write it in quotes"
        elif "matching regex" in fact:
            fact = f"{_value(data, path)!r} is not of the form {fact.partition('regex ')[2]}"
        raise BadInput(
            f"{what}:{where} {fact[:1] if fact[1:2].isupper() else fact[:1].lower()}{fact[1:]}"
        ) from None
