"""30 files of 240 bytes on 10 SSH hosts, as whole processes: LaserCats and pyinfra.

Each side does the same: first it writes the files onto hosts that have none of them, then it is run again
and must look at every file and find nothing to do. LaserCats runs `apply --yes`, and `apply --yes
--refresh` for the second, so that it does not just trust its state. pyinfra runs `files.put`, told not to
look for the folder, which spares it work, and otherwise with its defaults (all hosts in parallel).

Then `exec` of `true` on 50 hosts, beside the floor: a bare program of asyncssh that connects to each and
gives one script to a shell there. It keeps no log, and has no other limit than the machine.

The hosts are those of the lab: real sshds in namespaces of this machine, so the network is free of delay.
On a real network each round trip costs more. A session is one that the host's sshd logged.
"""

import hashlib
import json
import shutil
import sys
from abc import ABC, abstractmethod
from collections.abc import Callable
from pathlib import Path
from statistics import median
from typing import NamedTuple

from benchmarks.common import lasercats, peer, process, spread, table, timed, verdict, workshop
from lasercats.testing.lab import Lab

HOSTS, FILES, SIZE, ROUNDS = 10, 30, 240, 5
FASTER, TRIPS = 6, 2
MANY, MANY_ROUNDS, OVER_FLOOR = 50, 11, 1.5
PATHS = [f"/srv/bench-{n:02}.conf" for n in range(FILES)]


class Figure(NamedTuple):
    """One run: how long it took, and how many sessions the busiest host served."""

    seconds: float
    sessions: int


class Side(ABC):
    """A tool with its files."""

    def __init__(self, lab: Lab, folder: Path) -> None:
        """Prepare all that an operator has ready before the run."""
        self.lab, self.folder = lab, folder
        folder.mkdir()

    @abstractmethod
    def fresh(self) -> None:
        """Forget earlier runs."""

    @abstractmethod
    def first(self) -> float:
        """Write the files, and return the seconds."""

    @abstractmethod
    def again(self) -> float:
        """Look at the files, and return the seconds."""


class LaserCats(Side):
    """A project with ten machines and one document."""

    def __init__(self, lab: Lab, folder: Path) -> None:
        """Make the project that every round starts from."""
        super().__init__(lab, folder)
        process(lasercats(), "init", str(folder / "new"))
        for host in lab.hosts:
            process(lasercats(), "-C", str(folder / "new"), "machine", "add", host.name, host.url)
        (folder / "doc.yaml").write_text(_document([host.name for host in lab.hosts]))

    def fresh(self) -> None:
        """Take a new project."""
        shutil.rmtree(self.folder / "project", ignore_errors=True)
        shutil.copytree(self.folder / "new", self.folder / "project")

    def first(self) -> float:
        """Apply."""
        return timed(lasercats(), "-C", "project", "apply", "doc.yaml", "--yes", folder=self.folder)

    def again(self) -> float:
        """Apply with a look at everything."""
        return timed(
            lasercats(), "-C", "project", "apply", "doc.yaml", "--yes", "--refresh", folder=self.folder
        )


class Pyinfra(Side):
    """An inventory and a deploy; it keeps nothing between runs."""

    def __init__(self, lab: Lab, folder: Path) -> None:
        """Write them."""
        super().__init__(lab, folder)
        for path in PATHS:
            (folder / Path(path).name).write_text(text_of(path))
        data = {
            "ssh_user": "root",
            "ssh_key": str(lab.directory / "id"),
            "ssh_known_hosts_file": str(lab.known_hosts),
            "ssh_strict_host_key_checking": "yes",
            "ssh_config_file": str(lab.directory / "empty"),
            "ssh_allow_agent": False,
            "ssh_look_for_keys": False,
        }
        (folder / "inventory.py").write_text(f"hosts = ({[h.address for h in lab.hosts]!r}, {data!r})\n")
        (folder / "deploy.py").write_text(
            "from pyinfra.operations import files\n\n"
            f"for path in {PATHS!r}:\n"
            "    files.put(src=path.rpartition('/')[2], dest=path, create_remote_dir=False)\n"
        )

    def fresh(self) -> None:
        """Nothing is kept."""

    def first(self) -> float:
        """Deploy."""
        return timed(peer("pyinfra"), "inventory.py", "deploy.py", "-y", folder=self.folder)

    again = first


FLOOR = """\
import asyncio, sys
import asyncssh

async def one(address):
    async with asyncssh.connect(
        address, username="root", client_keys=[sys.argv[1]], known_hosts=sys.argv[2], config=()
    ) as connection:
        ran = await connection.run("exec /bin/sh -s", input="{ true; exit; }\\n")
        assert ran.exit_status == 0

async def all_of_them():
    await asyncio.gather(*map(one, sys.argv[3:]))

asyncio.run(all_of_them())
"""


def run() -> None:
    """Run all, turn by turn, and print the figures."""
    _few()
    _many()


def _many() -> None:
    """Execute one command on many hosts."""
    with Lab(hosts=MANY) as lab, workshop() as folder:
        process(lasercats(), "init", str(folder))
        for host in lab.hosts:
            process(lasercats(), "-C", str(folder), "machine", "add", host.name, host.url)
        (folder / "floor.py").write_text(FLOOR)
        addresses = [host.address for host in lab.hosts]
        bare = (sys.executable, "floor.py", str(lab.directory / "id"), str(lab.known_hosts), *addresses)
        ours = (lasercats(), "exec", "h*", "--", "true")
        timed(*ours, folder=folder)  # compiles what is not compiled yet; not counted
        rounds = [(timed(*ours, folder=folder), timed(*bare, folder=folder)) for _ in range(MANY_ROUNDS)]
    ratio = median(one for one, _ in rounds) / median(floor for _, floor in rounds)
    text = f"{ratio:.2f} {verdict(ratio <= OVER_FLOOR)}"
    table(
        f"hosts: `exec` of one command on {MANY} SSH hosts, whole processes, median of {MANY_ROUNDS}",
        ("lasercats s", "bare asyncssh s", f"times the floor (goal {OVER_FLOOR})"),
        [[spread([one for one, _ in rounds]), spread([floor for _, floor in rounds]), text]],
    )


def _few() -> None:
    """Write files onto some hosts, and look at them."""
    with Lab(hosts=HOSTS) as lab, workshop() as folder:
        ours, theirs = LaserCats(lab, folder / "lasercats"), Pyinfra(lab, folder / "pyinfra")
        for side in (ours, theirs):
            _round(side)  # compiles what is not compiled yet; not counted
        rounds = [(_round(ours), _round(theirs)) for _ in range(ROUNDS)]
    rows = []
    for n, name in enumerate(("first run", "nothing to change")):
        rows.append(_row(name, [pair[0][n] for pair in rounds], [pair[1][n] for pair in rounds]))
    table(
        f"hosts: {FILES} files of {SIZE} bytes on {HOSTS} SSH hosts, whole processes, median of {ROUNDS}",
        ("", "lasercats s", "pyinfra s", f"faster (goal {FASTER})", f"trips (goal {TRIPS})", "pyinfra trips"),
        rows,
    )


def _row(name: str, ours: list[Figure], theirs: list[Figure]) -> list[str]:
    ratio = median(f.seconds for f in theirs) / median(f.seconds for f in ours)
    trips = max(f.sessions for f in ours)
    return [
        name,
        spread([f.seconds for f in ours]),
        spread([f.seconds for f in theirs]),
        f"{ratio:.1f} {verdict(ratio >= FASTER)}",
        f"{trips} {verdict(trips <= TRIPS)}",
        str(max(f.sessions for f in theirs)),
    ]


def _round(side: Side) -> tuple[Figure, Figure]:
    """Run a side on hosts without the files, and once more; independent eyes check what it did."""
    _on_all(side.lab, f"rm -f {' '.join(PATHS)}")
    side.fresh()
    first = _measure(side.lab, side.first)
    _check(side.lab)
    stamps = _on_all(side.lab, f"stat -c '%n %i %z' {' '.join(PATHS)}")
    again = _measure(side.lab, side.again)
    assert _on_all(side.lab, f"stat -c '%n %i %z' {' '.join(PATHS)}") == stamps, "the files were touched"
    return first, again


def _measure(lab: Lab, work: Callable[[], float]) -> Figure:
    before = [host.sessions() for host in lab.hosts]
    seconds = work()
    return Figure(seconds, max(host.sessions() - b for host, b in zip(lab.hosts, before, strict=True)))


def _check(lab: Lab) -> None:
    wanted = [f"{hashlib.sha256(text_of(path).encode()).hexdigest()}  {path}" for path in PATHS]
    for output in _on_all(lab, f"sha256sum {' '.join(PATHS)}"):
        assert output.splitlines() == wanted, "the files are not as they should be"


def _on_all(lab: Lab, command: str) -> list[str]:
    return [host.ssh(command).stdout.decode() for host in lab.hosts]


def text_of(path: str) -> str:
    """Return the content of a file: text of the wanted size."""
    line = f"# {path}: one of the files of the benchmark\n"
    return (line * SIZE)[: SIZE - 1] + "\n"


def _document(machines: list[str]) -> str:
    lines = ["resources:"]
    for machine in machines:
        for path in PATHS:
            lines += [f"  file/{machine}:{path}:", f"    content: {json.dumps(text_of(path))}"]
    return "\n".join(lines) + "\n"
