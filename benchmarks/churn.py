"""Projects with a long history: `python -m benchmarks.churn FOLDER COMMANDS` makes one.

The churn is over 20,000 addresses: on each of 20 machines 10 directories, 90 directories in them and 900
files in those. Commands come one after another by a seeded generator and are decided by their own types,
so each is valid where it stands: done, unchanged or refused. No host is there; what a machine would answer
is what was asked, with a time. The records are those of `live`, without the batches: accepted, event and
ended, a thousand commands a commit, a minute apart.

`python -m benchmarks.churn FOLDER COMMANDS barred` has ten times as many raw commands, which nothing may be
moved across. `python -m benchmarks.churn FOLDER COMMANDS versions` writes the files of `benchmarks/plain.py`
instead, each in its versions, version after version.
"""

import random
import sys
import time
from collections.abc import Iterator
from itertools import islice
from pathlib import Path

import msgspec
from msgspec.structs import replace

from benchmarks import plain
from benchmarks.common import lasercats, process
from lasercats.core.address import Address, label
from lasercats.core.command import Command, Effect
from lasercats.core.errors import Refused
from lasercats.core.record import NULL, Accepted, AnyEntry, Ended, Event, raw
from lasercats.core.resource import Resource, same
from lasercats.core.state import State
from lasercats.domains.host import directory, file
from lasercats.domains.host.execute import Exec
from lasercats.logs.sqlite import SqliteLog

MACHINES = tuple(f"h{n:02}" for n in range(1, 21))
UPPER, LOWER, FILES = 10, 9, 10
"""Directories of a machine, directories in each of them, and files in each of those."""
BATCH = 1000
BEGIN = 1_700_000_000_000_000
ACTORS = ("ada@desk", "grace@desk", "linus@laptop")
EXECUTED = {"churn": 0.0002, "barred": 0.002}
"""The share of raw commands, half of them elidable: 5 or 50 barriers a machine in a million commands."""
SWEPT, DIRECTORIES = 0.0005, 0.03
VERBS = ("write", "chmod", "chown", "remove")
WEIGHTS = (60, 18, 17, 5)


class World(State):
    """A state that changes in place, so that a million commands can be decided in a minute."""

    __slots__ = ("_known",)

    def __init__(self) -> None:
        super().__init__()
        self._known: dict[Address, Resource | None] = {}

    def get(self, address: Address) -> Resource | None:
        """Return the resource, or None when it is absent or unknown."""
        return self._known.get(address)

    def known_absent(self, address: Address) -> bool:
        """Tell whether something removed it."""
        return address in self._known and self._known[address] is None

    def version(self, address: Address) -> int:
        """Return 1 for what was ever spoken of."""
        return int(address in self._known)

    def items(self) -> Iterator[tuple[Address, Resource]]:
        """Iterate over the resources that are present."""
        return ((address, found) for address, found in self._known.items() if found is not None)

    def set(self, address: Address, resource: Resource | None) -> None:
        """Take in what an address holds from now on."""
        self._known[address] = resource


class Scribe:
    """Decides commands and writes what `live` would have recorded of them."""

    def __init__(self, path: Path) -> None:
        """Open the log of a project."""
        self.world = World()
        self._now = BEGIN
        self._log = SqliteLog(path, clock=lambda: self._now)
        self._raw: dict[Address, msgspec.Raw] = {}

    def write(self, commands: Iterator[Command]) -> None:
        """Write them, a batch a commit; each is decided when the ones before it are."""
        position, run = 1, 0
        while batch := self._batch(commands, position, run):
            self._log.append(batch)
            position, run, self._now = position + len(batch), run + 1, self._now + 60_000_000
        self._log.close()

    def _batch(self, commands: Iterator[Command], first: int, run: int) -> list[AnyEntry]:
        entries: list[AnyEntry] = []
        for command in islice(commands, BATCH):
            position = first + len(entries)
            accepted = Accepted(
                command=raw(command),
                actor=ACTORS[run % len(ACTORS)],
                run=f"{run:016x}",
                process=f"{1000 + run}+{run}@desk",
                claims=() if command.effect is Effect.OPAQUE else command.on,
            )
            entries += (accepted, *self._carry_out(command, position))
        return entries

    def _carry_out(self, command: Command, position: int) -> tuple[AnyEntry, ...]:
        address = command.on[0]
        if command.effect is Effect.OPAQUE:
            event = Event(type=command.past, delta={}, command=position, opaque=True)
            return event, Ended(command=position, status="done")
        before = self.world.get(address)
        try:
            after = command.decide(address, self.world)
        except Refused as refused:
            return (Ended(command=position, status="refused", error=f"{label(address)}: {refused}"),)
        if same(before, after):
            return (Ended(command=position, status="unchanged"),)
        if isinstance(command, file.Write) and isinstance(after, file.File):
            after = replace(after, modified=_rfc3339(self._now))
        encoded = NULL if after is None else raw(after)
        sides = (self._raw.get(address, NULL), encoded)
        self._raw[address] = encoded
        self.world.set(address, after)
        event = Event(type=command.past, delta={address: sides}, command=position)
        return event, Ended(command=position, status="done")


class Churn:
    """Makes up commands over files and directories that come, change and go."""

    def __init__(self, world: World, executed: float, seed: int = 20) -> None:
        """Look at a world, and choose at random, each time alike."""
        self._executed = executed
        self._world, self._random = world, random.Random(seed)  # noqa: S311 - it is no secret
        self._upper = [
            Address(f"directory/{machine}:/srv/app{n}") for machine in MACHINES for n in range(UPPER)
        ]
        self._lower = [Address(f"{above}/part{n}") for above in self._upper for n in range(LOWER)]
        self._files = {
            above: [Address(f"file/{above.partition('/')[2]}/{n:02}.conf") for n in range(FILES)]
            for above in self._lower
        }
        self._all = [address for inside in self._files.values() for address in inside]
        self._serial = 0

    def commands(self) -> Iterator[Command]:
        """Build everything once, then go on for ever."""
        for address in (*self._upper, *self._lower):
            yield self._create(address)
        for address in self._all:
            yield self._write(address)
        while True:
            chance = self._random.random()
            if chance < self._executed:
                yield self._execute(elidable=chance < self._executed / 2)
            elif chance < self._executed + SWEPT:
                yield from self._sweep(self._random.choice(self._lower))
            elif chance < self._executed + SWEPT + DIRECTORIES:
                yield self._directory()
            else:
                yield self._file(self._random.choice(self._all))

    def _file(self, address: Address) -> Command:
        choice = self._random.choices(VERBS, WEIGHTS)[0]
        if self._world.get(address) is None and self._random.random() < 0.9:
            choice = "write"  # else a slip: what is to be changed is not there
        if choice == "write":
            return self._write(address)
        if choice == "chmod":
            return file.Chmod(on=(address,), mode=self._random.choice(plain.MODES))
        if choice == "chown":
            return file.Chown(on=(address,), owner=self._random.choice(plain.OWNERS))
        return file.Remove(on=(address,))

    def _write(self, address: Address) -> Command:
        self._serial += 1
        content = f"# {address}\nserial = {self._serial}\nlisten = {self._random.randrange(1024, 65536)}\n"
        if self._world.get(address) is not None:
            return file.Write(on=(address,), content=content)
        owner = self._random.choice(plain.OWNERS)
        return file.Write(on=(address,), content=content, mode="0644", owner=owner, group="root")

    def _directory(self) -> Command:
        address = self._random.choice(self._random.choice((self._upper, self._lower)))
        if self._random.random() < 0.5:
            return directory.Chmod(on=(address,), mode=self._random.choice(("0700", "0750", "0755", "0775")))
        return directory.Chown(on=(address,), owner=self._random.choice(plain.OWNERS))

    def _create(self, address: Address) -> Command:
        return directory.Create(on=(address,), mode="0755", owner="root", group="root")

    def _sweep(self, address: Address) -> Iterator[Command]:
        """Remove a directory with all that is in it, and build it anew."""
        inside = self._files[address]
        for one in inside:
            yield file.Remove(on=(one,))
        yield directory.Remove(on=(address,))
        yield self._write(inside[0])  # too early
        yield self._create(address)
        for one in inside:
            yield self._write(one)

    def _execute(self, *, elidable: bool) -> Command:
        argv = ("uptime",) if elidable else ("systemctl", "reload", "nginx")
        return Exec(on=(Address(f"exec/{self._random.choice(MACHINES)}:"),), argv=argv, elidable=elidable)


def versions(files: int) -> Iterator[Command]:
    """Write the files of the plain table, each in all its versions."""
    for version in range(1, plain.VERSIONS + 1):
        for number in range(files):
            row = plain.row(number, version)
            yield file.Write(
                on=(Address(row.address),),
                content=row.content,
                mode=row.mode,
                owner=row.owner,
                group=row.group,
            )


def main(folder: str, commands: str, what: str = "churn") -> None:
    """Make a project with its machines, and write its history."""
    process(lasercats(), "init", folder)
    for machine in MACHINES:
        process(lasercats(), "-C", folder, "machine", "add", machine, f"ssh://root@{machine}")
    scribe = Scribe(Path(folder) / ".lasercats" / "log.db")
    if what == "versions":
        scribe.write(versions(int(commands) // plain.VERSIONS))
    else:
        scribe.write(islice(Churn(scribe.world, EXECUTED[what]).commands(), int(commands)))


def _rfc3339(microseconds: int) -> str:
    return time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(microseconds // 1_000_000))


if __name__ == "__main__":
    main(*sys.argv[1:])
