"""Streams the output of raw commands, and shows a progress bar at a terminal when work takes long."""

import sys
from collections.abc import Sequence
from types import TracebackType
from typing import TYPE_CHECKING, Any

from lasercats.cli import printing
from lasercats.core.address import Address
from lasercats.core.command import Command
from lasercats.core.instruction import Instruction
from lasercats.core.visible import visible
from lasercats.interpreters.context import Watcher

if TYPE_CHECKING:
    from rich.progress import Progress, TaskID

MANY = 20
"""Fewer addresses than this are done before a bar would be seen."""


class Feedback(Watcher):
    """What an operator sees while commands run."""

    def __init__(self, total: int, *, prefix: bool = False, quiet: bool = False) -> None:
        """Expect `total` addresses; with `prefix`, put the machine before each line of output."""
        self._total, self._prefix, self._quiet = total, prefix, quiet
        self._bar: Progress | None = None
        self._task: TaskID | None = None
        self._partial: dict[str, bytes] = {}

    def __enter__(self) -> "Feedback":
        """Start the bar, if there is a terminal to show it on."""
        if self._total >= MANY and sys.stderr.isatty() and not self._quiet:
            from rich.console import Console  # noqa: PLC0415 - only at a terminal
            from rich.progress import Progress  # noqa: PLC0415

            self._bar = Progress(console=Console(stderr=True), transient=True)
            self._task = self._bar.add_task("working", total=self._total)
            self._bar.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Take the bar away."""
        for machine in list(self._partial):
            self._line(machine, self._partial.pop(machine))
        if self._bar is not None:
            self._bar.stop()

    def finished(self, command: Command, address: Address) -> None:
        """Move the bar on."""
        if self._bar is not None and self._task is not None:
            self._bar.advance(self._task)

    def answered(
        self, machine: str, instructions: Sequence[Instruction], outcomes: Sequence[Any], seconds: float
    ) -> None:
        """Name the machine that answered last."""
        if self._bar is not None and self._task is not None:
            self._bar.update(self._task, description=visible(machine))

    def output(self, machine: str, instruction: Instruction, data: bytes) -> None:
        """Pass on what a raw command prints, whole lines at a time."""
        if self._quiet:
            return
        lines = (self._partial.pop(machine, b"") + data).split(b"\n")
        if lines[-1]:
            self._partial[machine] = lines[-1]
        for line in lines[:-1]:
            self._line(machine, line)

    def _line(self, machine: str, line: bytes) -> None:
        prefix = f"{machine}: ".encode() if self._prefix else b""
        if not self._quiet:
            printing.stream(prefix + line + b"\n")
