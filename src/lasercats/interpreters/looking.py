"""Looking: what is really there at some addresses, one batch a machine."""

from collections.abc import Mapping

from lasercats.core.address import Address
from lasercats.core.resource import Resource
from lasercats.core.state import State
from lasercats.interpreters.context import Context
from lasercats.interpreters.driver import Driver, Journal, Task


async def look(
    wanted: Mapping[Address, int], state: State, context: Context, journal: Journal | None = None
) -> tuple[dict[Address, Resource | None], dict[Address, str]]:
    """Look at addresses, each on behalf of the command at a position.

    Returns what was found, and for each address that could not be looked at, why. An address that belongs
    to no machine is left out of both.
    """
    tasks: dict[Address, Task] = {}
    for address, position in wanted.items():
        machine = context.kinds.machine_of(address)
        if machine is not None:
            program = context.kinds.kind(address).observe(machine, {address: state.get(address)})
            tasks[address] = Task(program, position)
    await Driver(context, journal).run(list(tasks.values()))
    found: dict[Address, Resource | None] = {}
    unseen: dict[Address, str] = {}
    for address, task in tasks.items():
        if task.failure is not None:
            unseen[address] = task.failure.reason
        else:
            found |= {a: r for a, r in task.result.items() if r is not None or a not in found}
    return found, unseen
