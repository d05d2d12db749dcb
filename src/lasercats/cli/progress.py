"""Streams the output of raw commands, and shows a progress bar at a terminal when work takes long."""

from collections.abc import Callable, Sequence
from types import TracebackType
from typing import Any

from lasercats.cli import printing
from lasercats.core.address import Address
from lasercats.core.command import Command
from lasercats.core.instruction import Instruction
from lasercats.interpreters.context import Watcher

MANY = 20
"""Fewer addresses than this are done before a bar would be seen."""


class Feedback(Watcher):
    """What an operator sees while commands run."""

    def __init__(self, total: int, *, prefix: bool = False, quiet: bool = False) -> None:
        """Expect `total` addresses; with `prefix`, put the machine before each line of output."""
        self._total, self._prefix, self._quiet = total, prefix, quiet
        self._bar: printing.Bar | None = None
        self._partial: dict[str, bytes] = {}

    def __enter__(self) -> "Feedback":
        """Start the bar, if there is a terminal to show it on."""
        if self._total >= MANY and printing.is_terminal(err=True) and not self._quiet:
            self._bar = printing.Bar(self._total)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Take the bar away."""
        if self._bar is not None:
            self._bar.close()
            self._bar = None
        for machine in list(self._partial):
            self._line(machine, self._partial.pop(machine))

    def finished(self, command: Command, address: Address) -> None:
        """Move the bar on."""
        if self._bar is not None:
            self._bar.advance()

    def answered(
        self, machine: str, instructions: Sequence[Instruction], outcomes: Sequence[Any], seconds: float
    ) -> None:
        """Name the machine that answered last."""
        if self._bar is not None:
            self._bar.name(machine)

    def output(self, machine: str, instruction: Instruction, data: bytes) -> None:
        """Pass on what a raw command prints, whole lines at a time."""
        if self._quiet:
            return
        lines = (self._partial.pop(machine, b"") + data).split(b"\n")
        if lines[-1]:
            self._partial[machine] = lines[-1]
        for line in lines[:-1]:
            self._line(machine, line)

    def aside(self, show: Callable[[], object]) -> None:
        """Let something be shown, above the bar where there is one."""
        if self._bar is None:
            show()
        else:
            self._bar.aside(show)

    def _line(self, machine: str, line: bytes) -> None:
        prefix = f"{machine}: ".encode() if self._prefix else b""
        if not self._quiet:
            self.aside(lambda: printing.stream(prefix + line + b"\n"))
