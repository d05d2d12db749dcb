"""The kind that a how-to makes from nothing keeps the laws and works on a machine, as it stands there."""

import asyncio
import re
import stat
import sys
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

from lasercats.core.address import Address
from lasercats.core.command import Command
from lasercats.core.registry import Kinds
from lasercats.interpreters.context import Context
from lasercats.interpreters.live import Live
from lasercats.logs.sqlite import SqliteLog
from lasercats.machines.vault import KeyVault
from lasercats.operate.bound import BoundMachines
from lasercats.testing.laws import KindLaws

PAGE = Path(__file__).parent.parent.parent / "docs" / "howto" / "write-a-kind.md"
BLOCK = re.compile(r"^```python\n# (fifo|test_fifo)\.py\n(.*?)^```$", re.MULTILINE | re.DOTALL)


@pytest.fixture(scope="module")
def written(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, ModuleType]]:
    """Return the two files of the page, imported."""
    folder = tmp_path_factory.mktemp("kind")
    found = dict(BLOCK.findall(PAGE.read_text()))
    assert len([line for line in found["fifo"].splitlines() if line.strip()]) <= 60
    made: dict[str, Any] = {}
    for name in ("fifo", "test_fifo"):
        (folder / f"{name}.py").write_text(found[name])
    sys.path.insert(0, str(folder))
    try:
        for name in ("fifo", "test_fifo"):
            made[name] = __import__(name)
        yield made
    finally:
        sys.path.remove(str(folder))
        for name in made:
            del sys.modules[name]


def laws() -> list[str]:
    """Return the names of the laws."""
    return [name for name in dir(KindLaws) if name.startswith("test_")]


@pytest.mark.parametrize("law", laws())
def test_it_keeps_the_laws(written: dict[str, ModuleType], law: str) -> None:
    """The test that the page tells to write passes."""
    getattr(written["test_fifo"].TestFifo(), law)()


def test_it_works_on_a_machine(written: dict[str, ModuleType], tmp_path: Path) -> None:
    """Pipes are made, changed and removed on this machine, each time in the round trips of one batch."""
    fifo = written["fifo"]
    kinds = Kinds([fifo.DOMAIN])
    machines = BoundMachines({"m": "local:"}, KeyVault(tmp_path / "key"))
    log = SqliteLog(":memory:", create=True)
    context = Context(kinds=kinds, log=log, machines=machines, actor="tester", run="test")
    on = tuple(Address(f"fifo/m:{tmp_path}/{name}") for name in ("a", "it's b"))

    def run(command: Command) -> None:
        results = runner.run(Live().run([command], context))
        assert [result.problems for result in results] == [{}]

    with asyncio.Runner() as runner:
        run(fifo.Create(on=on))
        modes = [(tmp_path / name).stat().st_mode for name in ("a", "it's b")]
        assert all(stat.S_ISFIFO(mode) and mode & 0o777 == 0o644 for mode in modes)
        run(fifo.Chmod(on=on[:1], mode="0600"))
        assert (tmp_path / "a").stat().st_mode & 0o777 == 0o600
        assert log.fold().state(kinds).get(on[0]) == fifo.Fifo(mode="0600")
        run(fifo.Remove(on=on))
        assert not (tmp_path / "a").exists()
        assert machines.get("m").trips == 6
        runner.run(machines.close())
