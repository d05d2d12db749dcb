"""Looking: what is really there at some addresses, one batch a machine."""

from collections.abc import Iterable, Mapping

from msgspec.structs import replace

from lasercats.core.address import Address
from lasercats.core.command import Command, Effect
from lasercats.core.kind import Kinds
from lasercats.core.reference import renamed
from lasercats.core.resource import Resource, Role, fields_of
from lasercats.core.state import State
from lasercats.interpreters.context import Context
from lasercats.interpreters.driver import Driver, Journal, Task


async def look(
    wanted: Mapping[Address, int],
    state: State,
    context: Context,
    journal: Journal | None = None,
    *,
    expected: Mapping[Address, Resource] | None = None,
) -> tuple[dict[Address, Resource | None], dict[Address, str]]:
    """Look at addresses, each on behalf of the command at a position.

    Of what is `expected` at some of them a look makes as little as it does of what is known (`expectations`).
    Returns what was found, and for each address that could not be looked at, why. An address that belongs
    to no machine, or that only a person can look at, is left out of both.
    """
    tasks: dict[Address, Task] = {}
    for address, position in wanted.items():
        machine, observe = context.kinds.machine_of(address), context.kinds.kind(address).observe
        if machine is not None and observe is not None:
            program = observe(machine, {address: (expected or {}).get(address, state.get(address))})
            tasks[address] = Task(program, position)
    await Driver(context, journal).run(list(tasks.values()))
    found: dict[Address, Resource | None] = {}
    unseen: dict[Address, str] = {}
    for address, task in tasks.items():
        if task.failure is not None:
            unseen[address] = task.failure.reason
        else:
            found |= {a: r for a, r in task.result.items() if r is not None or a not in found}
    return addressed(found, state, context.kinds), unseen


def expectations(commands: Iterable[Command], state: State, kinds: Kinds) -> dict[Address, Resource]:
    """Return what a look for commands is told of beyond what is known, so that it reads no more than it must.

    What is there when a command brings a secret is read sealed, so that secret is added to what is known. Of
    what nobody manages, where only attributes are decided, nothing but attributes is read.
    """
    expected, whole = dict[Address, Resource](), set[Address]()
    for command in commands:
        for address in command.on if command.effect is Effect.STATE else ():
            type_ = kinds.kind(address).resource
            secret = {name: getattr(command, name, None) for name in fields_of(type_, Role.SECRET)}
            secret = {name: value for name, value in secret.items() if value is not None}
            known = expected.get(address) or state.get(address)
            if secret and (known is None or isinstance(known, type_)):
                expected[address] = replace(known or type_(), **secret)
            elif known is None and not command.whole:
                expected.setdefault(address, type_())
            if command.whole and not secret:
                whole.add(address)
    return {a: r for a, r in expected.items() if a not in whole or any_secret(r)}


def any_secret(resource: Resource) -> bool:
    """Tell whether a resource holds a secret."""
    return any(getattr(resource, name) is not None for name in fields_of(type(resource), Role.SECRET))


def addressed(
    found: Mapping[Address, Resource | None], state: State, kinds: Kinds
) -> dict[Address, Resource | None]:
    """Return what was found, with references told by address wherever what they mean is managed."""
    names: dict[tuple[str, str], str] = {}
    for address, resource in [*state.items(), *found.items()]:
        kind = kinds.kind(address)
        identity = getattr(resource, kind.identity, None) if kind.identity else None
        if identity is not None:
            names[kind.name, identity] = address
    if not names:
        return dict(found)
    return {
        address: None
        if resource is None
        else renamed(resource, lambda kind, name: names.get((kind, name), name))
        for address, resource in found.items()
    }
