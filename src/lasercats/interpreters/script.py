"""`script`: prints a POSIX shell script that does what the commands do, for a person to read or to run.

The script for one machine is for a shell on that machine. A script for many drives them by `ssh`.
"""

import shlex
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
from lasercats.instructions.host import PRELUDE
from lasercats.interpreters.context import Context, Result
from lasercats.interpreters.simulate import simulate

END = "LASERCATS_SCRIPT_END"


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
                lines.append(f"lc {instruction.line()}")
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
    return [instruction for instruction in said if not instruction.looks]


def _render(by_machine: dict[str, list[str]], context: Context) -> str:
    parts = ["#!/bin/sh", "# Printed by lasercats; read it before you run it."]
    if len(by_machine) == 1:
        machine, lines = next(iter(by_machine.items()))
        return "\n".join([*parts, f"# Run it with sh on {machine}.", _body(lines)])
    for machine, lines in by_machine.items():
        parts += [f"# {machine}", f"{_shell(context.machines.url(machine))} <<'{END}'", _body(lines), END]
    return "\n".join(parts)


def _body(lines: Sequence[str]) -> str:
    runner = 'lc() { "$@" || { lc_failed=1; echo "failed: $1 $2" >&2; }; }\nlc_failed=0'
    return "\n".join(["{", PRELUDE + runner, *lines, 'exit "$lc_failed"', "}"])


def _shell(url: str) -> str:
    from urllib.parse import urlsplit  # noqa: PLC0415 - only here

    parts = urlsplit(url)
    if parts.scheme != "ssh":
        return "/bin/sh -s"
    port = f" -p {parts.port}" if parts.port else ""
    user = f"{parts.username}@" if parts.username else ""
    return f"ssh{port} {shlex.quote(f'{user}{parts.hostname}')} /bin/sh -s"
