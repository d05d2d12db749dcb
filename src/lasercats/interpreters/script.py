"""`script`: prints a POSIX shell script that does what the commands do, for a person to read or to run.

Each machine says how its lines are run: those of one host by a shell on it, those of many by `ssh` from here,
those of AWS by its command line.
"""

from collections.abc import Sequence
from typing import Any

from lasercats.core.address import Address
from lasercats.core.change import Change
from lasercats.core.command import Command, Effect
from lasercats.core.instruction import Instruction
from lasercats.core.kind import Kinds
from lasercats.core.program import drive, generator
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
        by_machine: dict[str, list[str]] = {}
        made = dict[Address, Resource | None]()
        for result in results:
            for instruction in instructions_of(result, context.kinds, state, made):
                lines = by_machine.setdefault(instruction.machine, [])
                lines.append(instruction.line())
        context.write(_render(by_machine, context))
        return results


def instructions_of(
    result: Result, kinds: Kinds, state: State, made: dict[Address, Resource | None]
) -> list[Instruction]:
    """Return the instructions that a predicted command gives, if every answer is as expected.

    What its programs result in is put into `made`, where those of later commands find it.
    """
    said: list[Instruction] = []

    def respond(instruction: Instruction) -> Any:  # noqa: ANN401
        said.append(instruction)
        return instruction.predict()

    changes: list[tuple[Address, Change[Resource]]] = list(result.delta.items())
    if result.command.effect is Effect.OPAQUE:
        changes = [(address, Change(None, None)) for address in result.command.on]
    if result.command.effect is not Effect.RECORD:
        for address, change in changes:
            program = kinds.program(
                result.command, address, change, lambda a: made[a] if a in made else state.get(a)
            )
            real = drive(generator(program), respond)
            if result.command.effect is Effect.STATE:
                made[address] = settle(change.after, real)
    return [instruction for instruction in said if instruction.waits or not instruction.looks]


def _render(by_machine: dict[str, list[str]], context: Context) -> str:
    parts = ["#!/bin/sh", "# Printed by lasercats; read it before you run it."]
    alone = len(by_machine) == 1
    parts += [context.machines.get(name).script(lines, alone=alone) for name, lines in by_machine.items()]
    return "\n".join([*parts, 'exit "${lc_failed:-0}"'])
