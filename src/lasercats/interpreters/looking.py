"""Looking: what is really there at some addresses, one batch a machine."""

from collections.abc import Collection, Iterable, Mapping

from msgspec.structs import replace

from lasercats.core.address import Address
from lasercats.core.command import Command, Effect
from lasercats.core.kind import Knowledge
from lasercats.core.reference import renamed
from lasercats.core.registry import Kinds
from lasercats.core.resource import Resource, Role, decided_fields, fields_of
from lasercats.core.state import State
from lasercats.interpreters.channel import Channel
from lasercats.interpreters.context import Context
from lasercats.interpreters.driver import Driver
from lasercats.interpreters.task import Task


async def look(
    wanted: Mapping[Address, int],
    state: State,
    context: Context,
    channel: Channel | None = None,
    *,
    expected: Mapping[Address, Resource | None] | None = None,
    in_clear: bool = False,
    again: Collection[Address] = (),
) -> tuple[dict[Address, Resource | None], dict[Address, str]]:
    """Look at addresses, each on behalf of the command at a position.

    What is `expected` at some of them is what commands are about to make (`expectations`); `in_clear` has
    what nobody manages come as it is, and `again` what is made anew looked at closely (`Knowledge`).
    Returns what was found, and for each address that could not be looked at, why. An address that belongs
    to no machine, or that only a person can look at, is left out of both.
    """
    tasks: dict[Address, Task] = {}
    for address, position in wanted.items():
        machine, kind = context.kinds.machine_of(address), context.kinds.kind(address)
        if machine is not None and kind.has("observe"):
            program = kind.observe(
                machine, Knowledge({address: state.get(address)}, expected, in_clear=in_clear, again=again)
            )
            tasks[address] = Task(program, position)
    await Driver(context, channel).run(list(tasks.values()))
    found: dict[Address, Resource | None] = {}
    unseen: dict[Address, str] = {}
    for address, task in tasks.items():
        if task.failure is not None:
            unseen[address] = task.failure.reason
        else:
            for other, resource in task.result.items():
                own = context.kinds.kind(other).resource
                found[other] = _together(found[other], resource, own) if other in found else resource
    return addressed(found, state, context.kinds), unseen


def _together(one: Resource | None, other: Resource | None, own: type[Resource]) -> Resource | None:
    """Return what two looks told of one address, each in passing or not; both computed fields count.

    Of two sorts the one counts that the address is of: the other met it in passing, and tells no more of it.
    """
    if other is None or one is None:
        return one if other is None else other
    if type(one) is not type(other):
        return one if isinstance(one, own) else other
    given = {name: getattr(one, name) for name in fields_of(type(one), Role.COMPUTED)}
    untold = {name: value for name, value in given.items() if getattr(other, name) is None}
    return replace(other, **untold)


def expectations(commands: Iterable[Command], kinds: Kinds) -> dict[Address, Resource | None]:
    """Return what commands are about to make, as far as their fields tell, for the look before them.

    None is what is about to go, where its command says that the look is to be told.
    Where one of several is decided on all that is there, and says nothing of it, nothing is expected.
    """
    expected, open_ = dict[Address, Resource | None](), set[Address]()
    for command in commands:
        for address in command.on if command.effect is Effect.STATE else ():
            type_ = kinds.kind(address).resource
            fields = {name: getattr(command, name, None) for name in decided_fields(type_)}
            fields = {name: value for name, value in fields.items() if value is not None}
            if command.removes:
                expected[address] = None
            elif fields or not command.whole:
                expected[address] = replace(expected.get(address) or type_(), **fields)
            else:
                open_.add(address)
    return {address: made for address, made in expected.items() if address not in open_}


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
