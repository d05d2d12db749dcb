"""`script`: prints a POSIX shell script that does what the commands do, for a person to read or to run.

Each machine says how its instructions are run: those of one host by a shell on it, those of many by `ssh`
from here, those of AWS by its command line.
"""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any, NamedTuple

from lasercats.core.address import Address
from lasercats.core.change import Change
from lasercats.core.command import Command, Effect
from lasercats.core.errors import Refused
from lasercats.core.instruction import Instruction, InstructionFailed
from lasercats.core.program import drive, generator
from lasercats.core.registry import Kinds
from lasercats.core.resource import Resource, settle
from lasercats.core.state import State
from lasercats.interpreters.context import Context, Result
from lasercats.interpreters.simulate import simulate


class Script:
    """Prints instead of acting; touches no machine and no log."""

    async def run(self, commands: Sequence[Command], context: Context) -> Sequence[Result]:
        """Print the script and return what it is expected to do."""
        state = context.log.fold().state(context.kinds)
        results, _ = simulate(commands, state)
        by_machine: dict[str, list[Instruction]] = {}
        made, printed = dict[Address, Resource | None](), list[Result]()
        for result in results:
            said = instructions_of(result, context.kinds, state, made)
            for instruction in said.instructions:
                lines = by_machine.setdefault(instruction.machine, [])
                if instruction.waits or not instruction.looks or instruction not in lines:
                    lines.append(instruction)
            printed.append(result if not said.problems else _failed(result, said.problems))
        context.write(_render(by_machine, context))
        return printed


def _failed(result: Result, problems: Mapping[Address, str]) -> Result:
    return replace(result, status="failed", problems={**result.problems, **problems})


class Said(NamedTuple):
    """What a predicted command gives."""

    instructions: list[Instruction]
    problems: dict[Address, str]
    """Why there is nothing to be said at an address: an id that nobody knows."""


def instructions_of(result: Result, kinds: Kinds, state: State, made: dict[Address, Resource | None]) -> Said:
    """Return the instructions that a predicted command gives, if every answer is as expected.

    What its programs result in is put into `made`, where those of later commands find it.
    """
    said, problems = list[Instruction](), dict[Address, str]()

    def respond(instruction: Instruction) -> Any:  # noqa: ANN401
        said.append(instruction)
        return instruction.predict()

    changes: list[tuple[Address, Change[Resource]]] = list(result.delta.items())
    if result.command.effect is Effect.OPAQUE:
        changes = [(a, Change(None, None)) for a in result.command.on if a not in result.problems]
    if result.command.effect is not Effect.RECORD:
        for address, change in changes:
            program = kinds.program(
                result.command, address, change, lambda a: made[a] if a in made else state.get(a)
            )
            try:
                real = drive(generator(program), respond)
            except (Refused, InstructionFailed) as error:
                problems[address] = str(error)
                continue
            if result.command.effect is Effect.STATE:
                made[address] = settle(change.after, real)
    return Said([i for i in said if i.scripted], problems)


def _render(by_machine: dict[str, list[Instruction]], context: Context) -> str:
    parts = ["#!/bin/sh", "# Printed by lasercats; read it before you run it."]
    alone = len(by_machine) == 1
    parts += [context.machines.get(name).script(said, alone=alone) for name, said in by_machine.items()]
    return "\n".join(parts if alone else [*parts, 'exit "${lc_failed:-0}"'])
