"""What a spoiled answer of a switch must come to, by whatever protocol."""

import asyncio
from typing import Any

import pytest

from lasercats.core.errors import MachineError
from lasercats.core.instruction import Failure, Instruction, Item
from lasercats.core.ports import Machine
from lasercats.core.registry import Kinds
from lasercats.domains.switch import DOMAIN
from lasercats.instructions.switch import Look, Settings, Survey, Surveyed, What
from lasercats.testing.garbage import check_outcome
from lasercats.testing.switches import port

KINDS = Kinds([DOMAIN])
CHANGES: tuple[Instruction, ...] = (port("eth1", Settings(), Settings(description="x")),)
LOOKS: tuple[Instruction, ...] = (
    *(Look(machine="m", what="port", name=f"eth{n}") for n in (1, 2, 3)),
    Look(machine="m", what="vlan", name="20"),
    Look(machine="m", what="lag", name="bond0"),
    Survey(machine="m"),
)


async def _run(machine: Machine, asked: tuple[Instruction, ...]) -> list[Any]:
    try:
        return list(await machine.run(tuple(Item(one) for one in asked)))
    finally:
        await machine.close()


def judged(machine: Machine, asked: tuple[Instruction, ...] = LOOKS) -> list[Any] | MachineError:
    """Run a batch, and check that all that comes of it can be recorded, and adopted."""
    try:
        outcomes = asyncio.run(_run(machine, asked))
    except MachineError as error:  # any other is a fault
        message = str(error)
        assert message
        assert len(message) < 2000  # a sentence, and not the answer
        message.encode()
        return error
    assert len(outcomes) == len(asked)
    for one, outcome in zip(asked, outcomes, strict=True):
        check_outcome(KINDS, one, outcome)
        if isinstance(outcome, Surveyed):
            adoptable(outcome)
    return outcomes


def adoptable(surveyed: Surveyed) -> None:
    """Check that all that was found has an address that can be given, and a value that a log holds."""
    kinds: tuple[What, ...] = ("port", "vlan", "lag")
    for what in kinds:
        program = KINDS.kinds[f"switch.{what}"].discover("m")
        next(program)
        with pytest.raises(StopIteration) as stop:
            program.send(surveyed)
        found = stop.value.value
        for address, resource in found.items():
            assert resource is not None
            if not isinstance(resource, Failure):
                assert KINDS.address(address) == address
