"""`replay`: run a past command again from its recorded outcomes."""

from collections.abc import Sequence
from typing import Any

import click

from lasercats.cli import options, printing, show
from lasercats.cli.opening import opened
from lasercats.cli.running import run
from lasercats.core.instruction import Instruction
from lasercats.interpreters.context import Watcher
from lasercats.interpreters.trace import lines
from lasercats.operate import data, moments
from lasercats.operate.replay import replay_command


@click.command()
@options.argument("position")
@options.option("--step", "pausing", is_flag=True, help="Wait for a key after each batch.")
@options.as_json("replay")
@click.pass_context
def replay(context: click.Context, position: str, pausing: bool, as_json: bool) -> None:
    """Run a past command again from its recorded outcomes, step by step; no machine is touched.

    What it asks, changes and ends as now is compared with what was recorded; a difference is a fault of the
    program, or of the one that recorded it, and the exit code is then 1. Where another version recorded it,
    differences are told, and the exit code is 0.
    """
    with opened(context, looking=True) as project:
        chosen = moments.one(project.log, position)
        watcher = None if as_json else _Steps(pausing=pausing)
        found = run(project, replay_command(project.log, project.kinds, chosen, watcher=watcher))
    same = not found.differences
    if as_json:
        printing.data(data.replayed(found))
    else:
        show.print_delta(found.result.observed, both=True, indent="found  ")
        show.print_delta(found.result.delta, both=True)
        show.print_problems(found.result.problems)
        for difference in found.differences:
            printing.note(f"! {difference}", fg="red")
        more = f", beside {found.commands - 1} issued with it" if found.commands > 1 else ""
        verdict = "as recorded" if same else "not as recorded"
        verdict += f" by {found.program}" if found.program else ""
        until = ", up to where it was cut off" if found.cut else ""
        count = f"{found.instructions} instruction{'' if found.instructions == 1 else 's'}"
        printing.note(f"{count} answered from the record{more}: {verdict}{until}")
    context.exit(0 if same or found.program else 1)


class _Steps(Watcher):
    """Shows each batch of a replay; with `pausing`, waits for a key after it."""

    def __init__(self, *, pausing: bool) -> None:
        self._pausing, self._count = pausing, 0

    def answered(
        self, machine: str, instructions: Sequence[Instruction], outcomes: Sequence[Any], seconds: float
    ) -> None:
        self._count += 1
        for number, line in enumerate(lines(machine, instructions, outcomes)):
            printing.fact(f"step {self._count}: {line}" if number == 0 else line)
        if self._pausing:
            printing.pause()
