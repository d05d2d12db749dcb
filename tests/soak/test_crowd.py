"""Many processes at one log: no position is lost, every refusal names its conflict, nobody starves."""

import json
import os
import re
import subprocess
import sys
from collections import Counter
from functools import partial
from pathlib import Path
from typing import NamedTuple

import pytest

from lasercats.testing.postgresql import Server
from tests.soak import records

COMMANDS = int(os.environ.get("CROWD", "160"))
PROCESSES, SHARED = 8, 4
OVERTAKEN = 60
"""How often others may be let at an address while one waits for it."""
REFUSALS = (
    re.compile(r"lasercats: (\S+) is being changed by command (\d+) \(\S+, process "),
    re.compile(r"lasercats: (\S+) was changed at position (\d+), after it was looked at; "),
)
LASERCATS = [sys.executable, "-c", "from lasercats.cli.main import main; main()"]

pytestmark = pytest.mark.slow


class Refusal(NamedTuple):
    """What one of the crowd was told where it was not let in."""

    actor: str
    address: str
    position: int
    """Of the command that is in the way, or of the event that came between."""
    content: str
    """What it wanted to write."""


class Crowd:
    """What came of it."""

    def __init__(self, folder: Path, issued: dict[str, list[tuple[str, str, list[str]]]]) -> None:
        self.folder, self.issued = folder, issued
        self.log = folder / ".lasercats" / "log.db"
        self.rows = records.read(self.log)
        self.accepted = {p: body for p, kind, _, body in self.rows if kind == "accepted"}
        self.refusals: list[Refusal] = []
        self.odd: list[str] = []
        for actor, commands in issued.items():
            for _, content, refused in commands:
                for text in refused:
                    self._refused(actor, content, text)

    def _refused(self, actor: str, content: str, text: str) -> None:
        named = next((match for one in REFUSALS if (match := one.match(text))), None)
        if named is None:
            self.odd.append(text)
        else:
            self.refusals.append(Refusal(actor, named[1], int(named[2]), content))

    def at(self, actor: str, content: str) -> int:
        """Return the position at which a command was let in."""
        wanted = (actor, content)
        return next(
            p
            for p, body in self.accepted.items()
            if (body["actor"], body["command"].get("content")) == wanted
        )

    def between(self, address: str, first: int, last: int) -> int:
        """Count the commands about an address that were let in after one position and before another."""
        return sum(first < p < last and address in body["claims"] for p, body in self.accepted.items())


@pytest.fixture(scope="module", params=["a file", "a server"])
def crowd(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Crowd:
    """Let eight processes loose on one log; what is on a server is copied to a file for who looks after."""
    project, files = tmp_path_factory.mktemp("project"), tmp_path_factory.mktemp("files")
    url = ""
    if request.param == "a server":
        server: Server = request.getfixturevalue("postgresql")
        url = server.url(server.database())
    run = partial(subprocess.run, check=True, capture_output=True)
    run([*LASERCATS, "init", str(project), *(["--log", url] if url else [])])
    each = COMMANDS // PROCESSES
    words = [sys.executable, str(Path(__file__).with_name("crowd.py")), str(project), str(files)]
    running = {
        name: subprocess.Popen(
            [*words, name, f"{each}", f"{SHARED}"],
            env={**os.environ, "LASERCATS_ACTOR": name},
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        for name in (f"one{n}" for n in range(PROCESSES))
    }
    for process in running.values():
        assert process.stdin is not None
        process.stdin.close()
    issued = {}
    for name, process in running.items():
        assert process.stdout is not None
        issued[name] = json.load(process.stdout)
        process.stdout.close()
        assert process.wait() == 0
    if url:
        run([*LASERCATS, "-C", str(project), "log", "copy", url, "sqlite:.lasercats/log.db"])
    return Crowd(project, issued)


def test_the_log_is_whole(crowd: Crowd) -> None:
    """Positions have no gap, the chain verifies, nothing is open, and the records fold to the tables."""
    assert not records.faults(crowd.log)
    verified = subprocess.run(
        [*LASERCATS, "-C", str(crowd.folder), "verify"], capture_output=True, check=False
    )
    assert verified.returncode == 0, verified.stderr


def test_each_command_is_done_once(crowd: Crowd) -> None:
    """Who was let in is on record once, was done, and the files hold what the log says came last."""
    wanted = Counter(
        (actor, content) for actor, commands in crowd.issued.items() for _, content, _ in commands
    )
    assert Counter((body["actor"], body["command"]["content"]) for body in crowd.accepted.values()) == wanted
    assert {body["status"] for _, kind, _, body in crowd.rows if kind == "ended"} == {"done"}
    for address, resource in records.fold(crowd.rows).items():
        assert Path(address.removeprefix("file/local:")).read_text() == resource["content"]


def test_every_refusal_names_its_conflict(crowd: Crowd) -> None:
    """A refusal names the address and the command of another that claims it, and is not on record."""
    assert not crowd.odd, crowd.odd[:5]
    assert crowd.refusals, "nobody met anybody"
    events = {position: body for position, kind, _, body in crowd.rows if kind == "event"}
    for refusal in crowd.refusals:
        event = events.get(refusal.position)
        assert event is None or refusal.address in event["delta"]
        other = crowd.accepted[refusal.position if event is None else event["command"]]
        assert refusal.address in other["claims"]
        assert other["actor"] != refusal.actor
        assert refusal.position < crowd.at(refusal.actor, refusal.content)


def test_nobody_starves(crowd: Crowd) -> None:
    """When the first has done all, each other has done a good part; nobody is overtaken without end."""
    by_actor: dict[str, list[int]] = {name: [] for name in crowd.issued}
    for position, body in crowd.accepted.items():
        by_actor[body["actor"]].append(position)
    first = min(positions[-1] for positions in by_actor.values())
    shares = {name: sum(p <= first for p in positions) for name, positions in by_actor.items()}
    assert min(shares.values()) >= COMMANDS // PROCESSES // 4, shares
    waits = {
        (r.actor, r.content): crowd.between(r.address, r.position, crowd.at(r.actor, r.content))
        for r in reversed(crowd.refusals)
    }
    assert max(waits.values()) <= OVERTAKEN, max(waits.items(), key=lambda item: item[1])
    refused, shared = len(crowd.refusals), sorted(shares.values())
    print(f"{refused} refusals, overtaken {max(waits.values())} times at most, shares {shared}")
