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
from lasercats.testing.cli_config import PORTS
from lasercats.testing.cli_switch import SimulatedDriver, make
from lasercats.testing.kept import check_kept
from lasercats.testing.ovs import OvsLab, why_not
from lasercats.testing.peers import need
from lasercats.testing.running import finish

MANY = 5
"""It has failed more often than this, or the law was not tried."""


def a_project(folder: Path, url: str, ground: Callable[[Project], Sequence[Command]]) -> Project:
    """Make a project on one machine, `m`, and something on that."""
    begin.init(folder)
    (folder / projects.FILE).write_text(f'[environments.default.machines]\nm = "{url}"\n')
    made = Project(folder)
    results = finish(made, carry_out(made, ground(made)))
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
    assert check_kept(fresh, commands) > MANY


def test_on_a_switch_of_a_vendor(folders: Callable[[], Path], monkeypatch: pytest.MonkeyPatch) -> None:
    """VLANs, ports and a LAG of a simulated switch."""
    monkeypatch.setattr("lasercats.machines.napalm.NapalmMachine.driver", lambda _: SimulatedDriver)

    def fresh() -> Project:
        make("kept", "eos")
        return a_project(folders(), "eos://admin@kept", lambda project: managed(project, PORTS["eos"]))

    assert check_kept(fresh, built(fresh(), *on_switch(PORTS["eos"], "Port-Channel7"))) > MANY


@pytest.mark.slow
def test_on_open_vswitch(folders: Callable[[], Path]) -> None:
    """VLANs, ports and a LAG of a real Open vSwitch."""
    need(why_not())
    with OvsLab() as lab:

        def fresh() -> Project:
            lab.remove_switch("m")
            lab.add_switch("m", ("e1", "e2", "e3"))
            url = f"{lab.url}?bridge=m"
            return a_project(folders(), url, lambda project: managed(project, ("e1", "e2", "e3")))

        assert check_kept(fresh, built(fresh(), *on_switch(("e1", "e2", "e3"), "bond0"))) > MANY


def managed(project: Project, ports: Sequence[str]) -> list[Command]:
    """Return what takes ports that are there into the state."""
    on = [f"m:{port}" for port in ports[:3]]
    return built(project, {"command": "switch.describe", "on": on, "description": "a port"})


def on_switch(ports: Sequence[str], lag: str) -> Sequence[dict[str, object]]:
    """Return what is done on a switch, as plain data."""
    one, two, three = ports[:3]
    return (
        {"command": "switch.create_vlan", "on": ["m:20", "m:30"], "name": "office"},
        {"command": "switch.access", "on": f"m:{one}", "vlan": 20},
        {"command": "switch.create_lag", "on": f"m:{lag}", "members": [two, three]},
        {"command": "switch.delete_vlan", "on": "m:30"},
    )
