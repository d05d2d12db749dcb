"""A project in a folder, with this machine as `a`, and hands to act on it without the command line."""

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from lasercats.interpreters.context import Result
from lasercats.operate import begin
from lasercats.operate import project as projects
from lasercats.operate.issue import carry_out

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
        (result,) = carry_out(project, [built])
        return result

    return run
