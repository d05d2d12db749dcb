"""A kind of another package with its own instructions: on hosts beside files, at no further round trip."""

import asyncio
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from lasercats.core.address import Address, machine_of, rest_of
from lasercats.core.change import Change
from lasercats.core.command import Command
from lasercats.core.errors import BadInput
from lasercats.core.instruction import Item
from lasercats.core.kind import Found, Kind
from lasercats.core.program import Known, Program, Step
from lasercats.core.registry import Domain, Kinds
from lasercats.core.resource import Resource
from lasercats.core.setting import Makes
from lasercats.domains.host import DOMAIN as HOST
from lasercats.domains.host.directory import Create
from lasercats.domains.host.file import Write
from lasercats.instructions.host import WriteFile
from lasercats.interpreters.context import Context
from lasercats.interpreters.live import Live
from lasercats.logs.sqlite import SqliteLog
from lasercats.machines.vault import KeyVault
from lasercats.operate.bound import BoundMachines
from lasercats.testing.lab import Lab
from lasercats.testing.laws import check_replay
from lasercats.testing.opened import AddEntry, ReadLedger


class Ledger(Resource, frozen=True):
    """A ledger and its last entry."""

    last: str | None = None


class Add(
    Makes, frozen=True, init=False, tag="ledger.enter", past="ledger.entered", of=Ledger, needs=("last",)
):
    """Add an entry."""


class LedgerKind(Kind[Ledger]):
    """Ledgers."""

    name = "ledger"
    resource = Ledger
    commands = (Add,)

    def act(self, address: Address, change: Change[Ledger], known: Known) -> Step:
        """Add the entry."""
        add = AddEntry(
            machine=machine_of(address) or "",
            path=rest_of(address),
            entry=(change.after.last or "") if change.after else "",
        )
        return Step(add, lambda entries: Ledger(last=entries[-1]))

    def observe(self, machine: str, known: Mapping[Address, Any]) -> Program[Found]:
        """Read ledgers; those of the test are there."""
        addresses = list(known)
        found = yield tuple(ReadLedger(machine=machine, path=rest_of(address)) for address in addresses)
        return {
            a: Ledger(last=entries[-1]) if entries else None
            for a, entries in zip(addresses, found, strict=True)
        }


KIND = LedgerKind()
PLUGIN = Domain("ledger", kinds=(KIND,), instructions=(AddEntry, ReadLedger))
KINDS = Kinds([HOST, PLUGIN])


class Bench:
    """A fresh log and one machine, `m`."""

    def __init__(self, url: str, folder: Path, runner: asyncio.Runner) -> None:
        self.machines, self.runner = BoundMachines({"m": url}, KeyVault(folder / "key")), runner
        log = SqliteLog(":memory:", create=True)
        self.context = Context(kinds=KINDS, log=log, machines=self.machines, actor="tester", run="test")

    def trips(self, commands: list[Command]) -> int:
        """Carry commands out; return how many round trips they took."""
        before = self.machines.get("m").trips
        results = self.runner.run(Live().run(commands, self.context))
        assert [result.problems for result in results] == [{} for _ in commands]
        return self.machines.get("m").trips - before


def check_beside_files(url: str, folder: str, here: Path) -> None:
    """Check that a ledger beside files is looked at and written in the round trips of the files alone."""
    files: list[Command] = [
        Create(on=(Address(f"directory/m:{folder}"),)),
        Write(on=tuple(Address(f"file/m:{folder}/{n}") for n in range(5)), content="x"),
    ]
    book = f"{folder}.book"
    with asyncio.Runner() as runner:
        bench = Bench(url, here, runner)
        empty = WriteFile(machine="m", path=book, content="")
        runner.run(bench.machines.get("m").run((Item(empty),)))
        together = bench.trips([*files, Add(on=(Address(f"ledger/m:{book}"),), last="one")])
        assert bench.context.log.fold().state(KINDS).get(Address(f"ledger/m:{book}")) == Ledger(last="one")
        check_replay(bench.context)
        alone = bench.trips([Write(on=files[1].on, content="y")])
        assert together == alone == 2
        runner.run(bench.machines.close())


def test_a_plugin_kind_is_beside_files_here(tmp_path: Path) -> None:
    """On `local:`, what a plugin looks at and changes is in the batches of the files."""
    check_beside_files("local:", str(tmp_path / "new"), tmp_path)


@pytest.mark.lab
def test_a_plugin_kind_is_beside_files_by_ssh(lab: Lab, tmp_path: Path) -> None:
    """On an SSH host, what a plugin looks at and changes is in the sessions of the files."""
    before = lab.hosts[0].sessions()
    check_beside_files(lab.hosts[0].url, "/srv/opened", tmp_path)
    assert lab.hosts[0].sessions() - before == 1 + 2 + 2


def test_hosts_fit_whatever_derives_from_what_a_shell_carries_out(tmp_path: Path) -> None:
    """A plugin's instructions fit hosts, and no machine of another sort."""
    urls = {"m": "local:", "web": "ssh://root@web", "cloud": "aws:?region=eu-west-1", "desk": "human:"}
    machines = BoundMachines(urls, KeyVault(tmp_path / "key"))
    machines.check("m", PLUGIN)
    machines.check("web", PLUGIN)
    for name in ("cloud", "desk"):
        with pytest.raises(BadInput, match="is none for ledger"):
            machines.check(name, PLUGIN)
