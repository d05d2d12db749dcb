"""Machines of no cost: hosts that keep their files in memory and answer at once.

So what a run takes is what LaserCats itself takes, for as many machines as one likes. Steps are lines of
Python: they are counted and not timed, so that what they tell is the same on any machine.
"""

import sys
from collections.abc import Callable, Collection, Mapping, Sequence
from pathlib import Path
from types import FrameType
from typing import Any

import lasercats
from lasercats.core import content
from lasercats.core.identity import Identity, Who
from lasercats.core.instruction import Batch, Failure, Instruction
from lasercats.core.ports import Sink
from lasercats.core.registry import Domain
from lasercats.instructions.host import (
    VOCABULARY,
    ExecResult,
    Execute,
    PathStatus,
    ReadPath,
    RemovePath,
    SetAttributes,
    WriteFile,
)

ROOM = str(Path(lasercats.__file__).parent) + "/"


class MemoryHost:
    """A host that has files, and nothing else; whatever it executes goes well."""

    vocabulary: Collection[type[Instruction]] = VOCABULARY
    parallel = False

    def __init__(self, name: str) -> None:
        """Have no files."""
        self.trips, self.who = 0, Who(name)
        self.files: dict[str, tuple[str, str]] = {}
        """Content and mode, by path."""
        self.broken = False
        """True where it cannot be written to."""

    async def run(self, batch: Batch, sink: Sink | None = None, token: str = "") -> Sequence[Any]:
        """Do all of it at once."""
        self.trips += 1
        outcomes: list[Any] = []
        for item in batch:
            failed = any(isinstance(outcomes[n], Failure) for n in item.after)
            outcomes.append(
                Failure(reason="not tried", skipped=True) if failed else self._one(item.instruction)
            )
        return outcomes

    async def resolve(self, batch: Batch, token: str = "", *, end: bool = False) -> Sequence[Any | None]:
        """Tell nothing: a look tells."""
        return [None] * len(batch)

    def script(self, instructions: Sequence[Instruction], *, alone: bool) -> str:
        """Return the lines of the instructions."""
        return "\n".join(instruction.line() for instruction in instructions)

    async def check(self) -> str | None:
        """Be there."""

    async def close(self) -> None:
        """Keep the files."""

    def _one(self, instruction: Instruction) -> PathStatus | ExecResult | Failure:
        files = self.files
        if self.broken and not instruction.looks:
            return Failure(reason="this host is broken")
        match instruction:
            case Execute():
                return ExecResult(0)
            case ReadPath():
                return self._status(instruction.path, instruction.expect if instruction.whole else "")
            case WriteFile(content=str()):
                _, mode = files.get(instruction.path, ("", "0644"))
                files[instruction.path] = (str(instruction.content), instruction.mode or mode)
            case SetAttributes():
                text, mode = files[instruction.path]
                files[instruction.path] = (text, instruction.mode or mode)
            case RemovePath():
                files.pop(instruction.path, None)
            case _:
                return Failure(reason="this host has only files")
        return self._status(instruction.path, "")

    def _status(self, path: str, expect: object) -> PathStatus:
        """Return what is at a path; its content where that is asked for and not the expected one."""
        if path not in self.files:
            return PathStatus("absent")
        text, mode = self.files[path]
        read = expect != "" and expect != content.digest(text)
        return PathStatus(
            "file",
            mode=mode,
            owner="root",
            group="root",
            uid=0,
            gid=0,
            size=len(text),
            modified=0,
            content=text if read else None,
            same=bool(expect) and not read,
        )


class Estate:
    """As many machines as anybody asks for."""

    def __init__(self) -> None:
        """Begin with none."""
        self.hosts: dict[str, MemoryHost] = {}

    def names(self) -> list[str]:
        """Return the names of those that were asked for."""
        return sorted(self.hosts)

    def check(self, name: str, domain: Domain | None = None) -> None:
        """Know any name."""

    def get(self, name: str) -> MemoryHost:
        """Return the host of a name."""
        if name not in self.hosts:
            self.hosts[name] = MemoryHost(name)
        return self.hosts[name]

    def url(self, name: str) -> str:
        """Return where it is."""
        return f"memory:{name}"

    def news(self, name: str) -> Mapping[str, Identity]:
        """Tell nothing: it has no identity."""
        return {}

    def all_news(self) -> Mapping[str, Identity]:
        """Tell nothing, as above."""
        return {}

    async def close(self) -> None:
        """Have nothing to disconnect from."""


def steps(work: Callable[[], object], *rooms: str) -> int:
    """Do some work, and return how many lines of Python ran for it in rooms of LaserCats: `interpreters`."""
    count, own = 0, tuple(ROOM + room for room in rooms)

    def line(_frame: FrameType, event: str, _arg: object) -> Any:  # noqa: ANN401 - as sys.settrace has it
        nonlocal count
        count += event == "line"
        return line

    def call(frame: FrameType, _event: str, _arg: object) -> Any:  # noqa: ANN401 - as above
        return line if frame.f_code.co_filename.startswith(own) else None

    before = sys.gettrace()
    sys.settrace(call)
    try:
        work()
    finally:
        sys.settrace(before)
    return count
