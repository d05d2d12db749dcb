"""A project in a folder, with this machine as `a`, and hands to act on it without the command line."""

import asyncio
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from lasercats.core.instruction import Batch
from lasercats.core.ports import Machine, Sink
from lasercats.interpreters.context import Result
from lasercats.operate import begin
from lasercats.operate import project as projects
from lasercats.operate.issue import carry_out
from lasercats.testing.running import finish

Issue = Callable[..., Result]


@pytest.fixture
def project(tmp_path: Path) -> Iterator[projects.Project]:
    """An open project."""
    folder = tmp_path / "project"
    begin.init(folder)
    (folder / projects.FILE).write_text('[environments.default.machines]\na = "local:"\n')
    opened = projects.Project(folder)
    yield opened
    opened.close()


@pytest.fixture
def issue(project: projects.Project) -> Issue:
    """Carry out one command, given as its name and fields."""

    def run(command: str, on: str, **fields: Any) -> Result:  # noqa: ANN401
        built = project.kinds.command({"command": command, "on": on, **fields})
        (result,) = finish(project, carry_out(project, [built]))
        return result

    return run


@contextmanager
def interfered(
    project: projects.Project, *, before: bool, do: Callable[[], object], apart: bool = True
) -> Iterator[None]:
    """Let something happen when a batch that acts is sent: before its machine does it, or after that.

    What happens `apart` is in a thread of its own, as it runs a loop of its own.
    """
    get, left = project.machines.get, [do]

    class Interfered:
        def __init__(self, machine: Machine) -> None:
            self.machine = machine

        def __getattr__(self, name: str) -> Any:  # noqa: ANN401
            return getattr(self.machine, name)

        async def run(self, batch: Batch, sink: Sink | None = None, token: str = "") -> Sequence[Any]:
            acts = left and not all(item.instruction.looks for item in batch)
            if acts and before:
                await happen(left.pop())
            # As on a host that cannot tell that the batch was given up: it is done after all.
            outcomes = await self.machine.run(batch, sink, "" if before else token)
            if acts and left:
                await happen(left.pop())
            return outcomes

    async def happen(what: Callable[[], object]) -> None:
        if apart:
            await asyncio.to_thread(what)
        else:
            what()

    project.machines.get = lambda name: Interfered(get(name))  # type: ignore[method-assign]
    try:
        yield
    finally:
        project.machines.get = get  # type: ignore[method-assign]
