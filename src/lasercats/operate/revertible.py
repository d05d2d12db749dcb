"""Whether commands can be taken back by themselves: without loss, and in the time that is given for it."""

from collections.abc import Sequence
from dataclasses import replace
from datetime import timedelta

from lasercats.core.address import Address
from lasercats.core.change import Delta, composed
from lasercats.core.command import Command, Effect
from lasercats.core.converge import one_way
from lasercats.core.errors import BadInput
from lasercats.core.instruction import Instruction
from lasercats.core.loss import LOSES, announced, in_words
from lasercats.core.order import Dependencies, turns
from lasercats.core.ports import Patient
from lasercats.core.resource import Resource
from lasercats.interpreters.script import instructions_of
from lasercats.interpreters.simulate import simulate
from lasercats.operate.losses import as_it_is
from lasercats.operate.plan import plan_delta
from lasercats.operate.project import Project


async def check(project: Project, commands: Sequence[Command], within: timedelta, serial: int = 0) -> None:
    """Check that commands can be taken back, and can be done in the time after which they are.

    What counts of that is what they are known to wait for, as for an instance to stop; that a host is slow is
    not foreseen.

    Raises:
        BadInput: one of them has an effect that nobody can take back, or they may take longer.

    """
    kinds = project.kinds
    opaque = next((c for c in commands if c.effect is Effect.OPAQUE), None)
    if opaque is not None:
        raise BadInput(
            f"the effect of {opaque.__struct_config__.tag} is not in the state, so it cannot be taken back; "
            "leave --confirm-within out, or the command"
        )
    by_hand = next((a for command in commands for a in command.on if kinds.by_hand(a)), None)
    if by_hand is not None:
        raise BadInput(
            f"what is done at {by_hand} is done by a person, who takes nothing back in time; "
            "leave --confirm-within out"
        )
    longest = _longest(project, commands, serial)
    if longest > within.total_seconds():
        raise BadInput(
            f"this can take {longest:g} s, and would be taken back in the middle; give "
            "--confirm-within more time than that, or leave it out"
        )
    for address, why in (await _no_way_back(project, commands)).items():
        raise BadInput(f"{address} could not be taken back by itself: {why}; leave --confirm-within out")


async def _no_way_back(project: Project, commands: Sequence[Command]) -> dict[Address, str]:
    """Return what could not go back without loss, so that no guard would take it back, and why.

    So is what is lost already when it is done. It is looked at before, as a guard comes when it is too late.
    """
    kinds = project.kinds
    on = dict.fromkeys(a for c in commands if c.effect is Effect.STATE for a in c.on)
    state = await as_it_is(project, commands, on)
    lost = [loss for loss in announced(kinds, commands, state) if loss.sort == LOSES]
    if lost:
        return {one.address: in_words([loss for loss in lost if loss.address == one.address]) for one in lost}
    results, after = simulate(commands, state)
    delta = composed(result.delta for result in results)
    made = (a for a, change in delta.items() if change.before is None and kinds.kind(a).identity is not None)
    found = dict.fromkeys(made, "removing it would lose it for good")
    back = plan_delta(kinds, delta.inverse(), after, exact=True)
    found |= {loss.address: str(loss) for loss in back.losses}
    return found | {a: why for a, why in back.problems.items() if a in one_way(delta.inverse())}


def _longest(project: Project, commands: Sequence[Command], serial: int) -> float:
    """Return how many seconds commands may wait for something, those after each other that have to be."""
    kinds, state = project.kinds, project.state()
    order, made = Dependencies[int](kinds), dict[Address, Resource | None]()
    own, tasks = list[float](), list[tuple[int, Address, list[int]]]()
    for result in simulate(commands, state)[0]:
        for address, change in result.delta.items():
            said = instructions_of(replace(result, delta=Delta({address: change})), kinds, state, made)
            tasks.append((len(own), address, order.add(address, change, len(own))))
            own.append(sum(_patience(project, i) for i in said.instructions if i.waits))
    ends, begin = dict[int, float](), 0.0
    for turn in turns(tasks, serial or len(tasks) or 1):
        for n in turn:
            ends[n] = own[n] + max([begin, *(ends[other] for other in tasks[n][2])])
        begin = max(begin, *(ends[n] for n in turn))
    return begin


def _patience(project: Project, instruction: Instruction) -> float:
    machine = project.machines.get(instruction.machine)
    return machine.longest(instruction) if isinstance(machine, Patient) else 0
