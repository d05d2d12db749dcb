"""`trace`: carries commands out as `live` does, and shows every instruction, its outcome and its time."""

from collections.abc import Iterator, Sequence
from typing import Any

import msgspec

from lasercats.core.command import Command, tag_of
from lasercats.core.instruction import Failure, Instruction, Later
from lasercats.interpreters.context import Context, Result, Watcher
from lasercats.interpreters.live import Live


class Trace:
    """Live, told as a tree: batch, instruction, outcome."""

    async def run(self, commands: Sequence[Command], context: Context) -> Sequence[Result]:
        """Carry out and show."""
        context.watcher = _Tracer(context)
        return await Live().run(commands, context)


class _Tracer(Watcher):
    """Prints each batch as it comes back."""

    def __init__(self, context: Context) -> None:
        self._context = context
        self._inner = context.watcher

    def sent(self, machine: str, instructions: Sequence[Instruction]) -> None:
        self._inner.sent(machine, instructions)

    def output(self, machine: str, instruction: Instruction, data: bytes) -> None:
        self._inner.output(machine, instruction, data)

    def answered(
        self, machine: str, instructions: Sequence[Instruction], outcomes: Sequence[Any], seconds: float
    ) -> None:
        self._inner.answered(machine, instructions, outcomes, seconds)
        for line in lines(machine, instructions, outcomes, seconds):
            self._context.write(line)


def lines(
    machine: str, instructions: Sequence[Instruction], outcomes: Sequence[Any], seconds: float | None = None
) -> Iterator[str]:
    """Draw a batch as a tree: each instruction and, if it came back, its outcome."""
    count = f"{len(instructions)} instruction{'s' if len(instructions) != 1 else ''}"
    took = "" if seconds is None else f", {seconds * 1000:.1f} ms"
    yield f"{machine}  one batch, {count}{took}"
    for n, instruction in enumerate(instructions):
        last = n == len(instructions) - 1
        yield f"{'└' if last else '├'}─ {describe(instruction)}"
        text = outcome_text(outcomes[n]) if n < len(outcomes) else "it never came back"
        yield f"{' ' if last else '│'}    → {text}"


def describe(instruction: Instruction) -> str:
    """Return an instruction as one short line."""
    line = instruction.line().partition("\n")[0]
    return f"{tag_of(instruction)}: {line if len(line) <= 100 else line[:99] + '…'}"  # noqa: PLR2004


def outcome_text(outcome: Any) -> str:  # noqa: ANN401
    """Return an outcome as one short line."""
    if isinstance(outcome, Failure):
        return f"failed: {outcome.reason}"
    if isinstance(outcome, Later):
        return "in the hands of a person"
    if not isinstance(outcome, msgspec.Struct):
        return _short(str(outcome))
    fields = {f: getattr(outcome, f) for f in outcome.__struct_fields__ if f != "content"}
    shown = {n: value for n, value in fields.items() if not (value is None or value is False or value == ())}
    return " ".join(f"{name}={_short(str(value))}" for name, value in shown.items())


def _short(text: str) -> str:
    line, *more = text.split("\n", 1)
    return f"{line}…" if any(more) else line
