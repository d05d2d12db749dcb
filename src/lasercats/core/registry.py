"""The registry of a project: the domains that it has, and what they bring, found by name.

Everything an operator can do with a kind (verbs, documents, plan, undo, tables, docs) is made from what
stands here; nothing else is written per kind.
"""

from collections.abc import Iterable, Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass
from functools import cache, cached_property
from typing import Any

import msgspec

from lasercats.core import address as addresses
from lasercats.core import reference
from lasercats.core.address import Address
from lasercats.core.change import Change, Delta
from lasercats.core.command import Command, Forget, Hold, Protect, StrangeCommand, Unprotect, tag_of
from lasercats.core.errors import BadInput, LogCorrupt, Refused, UnknownName
from lasercats.core.generic import VERBS
from lasercats.core.instruction import Failure, Instruction, Later, StrangeInstruction
from lasercats.core.kind import Kind
from lasercats.core.loose import Fault, decode, odd_fields, strict
from lasercats.core.program import Known, Program, Step
from lasercats.core.resource import Resource, StrangeResource, decided_fields, decisions

HELD = "held/"
"""Begins what stands for all that one thing holds: what is put into it or taken out goes one by one."""


@dataclass(frozen=True)
class Domain:
    """A family of kinds, with the vocabulary of instructions that their programs use."""

    name: str
    kinds: tuple[Kind[Any], ...]
    instructions: tuple[type[Instruction], ...]
    commands: tuple[type[Command], ...] = ()
    """Commands that belong to no kind: opaque ones."""


class _Commands(Mapping[str, type[Command]]):
    """Command types by tag; those of kinds that are made from data are made when they are wanted."""

    def __init__(self, own: Mapping[str, type[Command]], kinds: Mapping[str, Kind[Any]]) -> None:
        self.own, self._kinds = own, {name: kind for name, kind in kinds.items() if kind.generic}

    def __getitem__(self, tag: str) -> type[Command]:
        kind, _, verb = tag.rpartition(".")
        if kind in self._kinds and verb in VERBS:
            return self._kinds[kind].commands[[*VERBS].index(verb)]
        return self.own[tag]

    def __iter__(self) -> Iterator[str]:
        return iter([*self.own, *(f"{kind}.{verb}" for kind in self._kinds for verb in VERBS)])

    def __len__(self) -> int:
        return len(self.own) + len(self._kinds) * len(VERBS)


class Kinds:
    """The registry of what is known; decodes stored values into their types."""

    def __init__(self, domains: Iterable[Domain]) -> None:
        """Register every kind, command and instruction of the domains."""
        self.domains = tuple(domains)
        self.kinds = {kind.name: kind for domain in self.domains for kind in domain.kinds}
        named = [kind for kind in self.kinds.values() if not kind.generic]
        free = [c for domain in self.domains for c in domain.commands]
        own = [c for kind in named for c in kind.commands]
        commands: list[type[Command]] = [Forget, Protect, Unprotect, Hold, *own, *free]
        by_name = {tag_of(c): c for c in commands}
        self._kinds_of: dict[str, tuple[Kind[Any], ...]] = {}
        for type_ in tuple(by_name.values()):
            for alias, name in type_.aliases.items():
                if name in self.kinds:
                    by_name[alias], self._kinds_of[alias] = type_, (self.kinds[name],)
        self.commands = _Commands(by_name, self.kinds)
        for kind in named:
            for c in kind.commands:
                self._kinds_of[tag_of(c)] = (*self._kinds_of.get(tag_of(c), ()), kind)
        self._domain_of = {kind.name: domain for domain in self.domains for kind in domain.kinds}
        self._domain_of |= {tag_of(c): domain for domain in self.domains for c in domain.commands}
        self._instructions = {tag_of(i): i for d in self.domains for i in d.instructions}

    def kind(self, address: Address) -> Kind[Any]:
        """Return the kind of an address; of one that is not installed, one that can do nothing."""
        name = addresses.kind_of(address)
        return self.kinds.get(name) or _strange(name)

    def domain(self, address: Address) -> Domain | None:
        """Return the domain that an address belongs to, None where it is of no domain that is known."""
        return self._domain_of.get(addresses.kind_of(address))

    def kinds_for(self, command: Command | type[Command] | str) -> tuple[Kind[Any], ...]:
        """Return the kinds that a command, or a name of it, is for; a name of none is of the first."""
        tag = command if isinstance(command, str) else tag_of(command)
        made = self.kinds.get(tag.rpartition(".")[0])
        return (made,) if made is not None and made.generic else self._kinds_of.get(tag, ())

    def program(
        self, command: Command, address: Address, change: Change[Resource], known: Known
    ) -> "Step | Program[Any]":
        """Return the program of a command at an address: its own, or the one by which its kind acts."""
        own = command.interpret(address, change, known)
        return self.kind(address).act(address, change, known) if own is None else own

    def by_hand(self, address: Address) -> bool:
        """Tell whether a person does what is to be done at an address."""
        return self.kind(address).by_hand

    def rivals(self, address: Address) -> tuple[Address, ...]:
        """Return what cannot be there at the same time as an address; nothing where its kind is not known."""
        kind = self.kinds.get(addresses.kind_of(address))
        return () if kind is None else tuple(kind.rivals(address))

    def holding(self, address: Address) -> bool:
        """Tell whether resources of the kind of an address have anything to themselves."""
        return self.kind(address).has("holds")

    def altering(self, address: Address) -> bool:
        """Tell whether what is at an address has its machine give other fields elsewhere."""
        return self.kind(address).has("alters")

    @cached_property
    def _clinging(self) -> Mapping[str, frozenset[str]]:
        held = {kind.name: reference.clings_to(kind.resource) for kind in self.kinds.values()}
        every = frozenset[str]().union(*held.values())
        return {to: frozenset(name for name, kinds in held.items() if to in kinds) for to in every}

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

    def address(self, text: str, kind: Kind[Any] | None = None, *, strange: bool = False) -> Address:
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
        named = {**data, "command": tag_of(type_), "on": self.on(data)}
        command: Command = convert(named, type_, f"command {tag}")
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
        return list(dict.fromkeys(a for text in texts for a in self._named(tag, text)))

    def decode_command(self, raw: bytes) -> Command:
        """Decode a command from a log; one for which there is no type is a `StrangeCommand`."""
        data = _plain(raw)
        tag = data.get("command") if isinstance(data, dict) else None
        if isinstance(tag, str) and tag in self.commands:
            type_ = self.commands[tag]
            if tag in type_.aliases:
                raw = msgspec.json.encode({**data, "command": tag_of(type_)})
            with suppress(ValueError):
                command: Command = decode(raw, type_)
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
        tag = data.get("type") if isinstance(data, dict) else None
        try:
            for other in (Failure, Later):
                if tag == tag_of(other):
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
        except Fault as fault:
            return f"{fault.path}: {fault.fact}" if fault.path else fault.fact
        return None

    def verbs(self) -> Iterator[tuple[str, str, type[Command]]]:
        """Iterate over (group, verb, command type) of the commands that have both, by all their names."""
        for tag, command in self.commands.own.items():
            group, dot, verb = tag.rpartition(".")
            if dot:
                yield group, verb, command

    def _named(self, tag: str, text: str) -> Iterator[Address]:
        """Iterate over the addresses that a text means for a command; one with its kind is one address."""
        kinds = self.kinds_for(tag)
        if not kinds:
            yield (
                self.address(text, strange=True)
                if self.commands[tag] in (Forget, Hold, Protect, Unprotect)
                else _on_machine(tag, text)
            )
            return
        named = next((kind for kind in kinds if text.startswith(f"{kind.name}/")), None)
        for name in kinds[0].expand(text) if named is None else (text,):
            yield self.address(name, named or kinds[0])


def _value(data: Mapping[str, Any], path: str) -> Any:  # noqa: ANN401
    return data.get(path.partition("[")[0])


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


class Strange(Kind[StrangeResource]):
    """What stands for a kind that is not installed: of its resources only the records are known."""

    resource = StrangeResource

    def converge(self, address: Address, change: Change[Any]) -> Iterable[Command]:
        """Refuse."""
        raise self._refused(address)

    def act(self, address: Address, change: Change[Any], known: Known) -> "Step | Program[Any]":
        """Refuse."""
        raise self._refused(address)

    def _refused(self, address: Address) -> Refused:
        return Refused(f"{address} is of kind {self.name!r}, which is not installed; install its plugin")


@cache
def _strange(name: str) -> Strange:
    return Strange(name=name)


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
    except Fault as fault:
        fact, path = fault.fact, fault.path
        where = f" field {path!r}:" if path else ""
        if "Expected `str" in fact and ("got `int`" in fact or "got `float`" in fact or "got `bool`" in fact):
            fact += "; write it in quotes"
        elif "matching regex" in fact:
            fact = f"{_value(data, path)!r} is not of the form {fact.partition('regex ')[2]}"
        raise BadInput(
            f"{what}:{where} {fact[:1] if fact[1:2].isupper() else fact[:1].lower()}{fact[1:]}"
        ) from None
