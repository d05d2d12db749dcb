"""Nothing that exists is dropped: the law, on machines that can be made to fail at any batch."""

import shutil
from collections.abc import Callable, Sequence
from itertools import count
from pathlib import Path

import pytest

from lasercats.core.command import Command
from lasercats.operate import begin
from lasercats.operate import project as projects
from lasercats.operate.issue import carry_out
from lasercats.operate.project import Project
from lasercats.testing.kept import check_kept

Fresh = Callable[[], Project]


def a_project(folder: Path, url: str, ground: Callable[[Project], Sequence[Command]]) -> Project:
    """Make a project on one machine, `m`, and something on that."""
    begin.init(folder)
    (folder / projects.FILE).write_text(f'[environments.default.machines]\nm = "{url}"\n')
    made = Project(folder)
    results = carry_out(made, ground(made))
    assert all(result.ok for result in results), results
    return made


def built(project: Project, *commands: dict[str, object]) -> list[Command]:
    """Build commands from plain data."""
    return [project.kinds.command(command) for command in commands]


@pytest.fixture
def folders(tmp_path: Path) -> Callable[[], Path]:
    """Give a new folder each time."""
    numbers = count()
    return lambda: tmp_path / f"{next(numbers)}"


def test_on_a_host(tmp_path: Path, folders: Callable[[], Path]) -> None:
    """Files, directories and links, made, changed and removed."""
    t = tmp_path / "t"

    def ground(project: Project) -> list[Command]:
        shutil.rmtree(t, ignore_errors=True)
        return built(
            project,
            {"command": "directory.create", "on": f"m:{t}"},
            {"command": "file.write", "on": [f"m:{t}/old", f"m:{t}/gone"], "content": "old"},
        )

    def fresh() -> Project:
        return a_project(folders(), "local:", ground)

    commands = built(
        fresh(),
        {"command": "directory.create", "on": f"m:{t}/d"},
        {"command": "file.write", "on": [f"m:{t}/d/a", f"m:{t}/d/b", f"m:{t}/old"], "content": "new"},
        {"command": "file.chmod", "on": f"m:{t}/d/a", "mode": "600"},
        {"command": "symlink.link", "on": f"m:{t}/l", "target": "d"},
        {"command": "file.remove", "on": f"m:{t}/gone"},
    )
    assert check_kept(fresh, commands) > 5
