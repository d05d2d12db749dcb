"""The storm: work, troubles and kills at random moments; after each, reality, state and fold must agree.

All that is random comes from a seed. What was done is told with it where something does not agree.
"""

import json
import os
import random
import signal
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from tests.soak import records
from tests.soak.peer import Peer, Ran, Reality, Step, fits, outcomes
from tests.soak.room import Room

PATIENCE = 90.0
"""Seconds in which nothing may be open any more, once every peer is healthy."""
PROGRAM = """
import os, signal
from lasercats.cli.main import main
if "KILL_AT" in os.environ:
    from lasercats.logs.sqlite import SqliteLog
    real, left = SqliteLog.append, int(os.environ["KILL_AT"])

    def append(self, *arguments, **more):
        global left
        left -= 1
        if left == 0 and os.environ["KILL"] == "before":
            os.kill(os.getpid(), signal.SIGKILL)
        position = real(self, *arguments, **more)
        if left == 0:
            os.kill(os.getpid(), signal.SIGKILL)
        return position

    SqliteLog.append = append
main()
"""
"""The command line; it kills itself before or after its nth write to the log, where it is told to."""
LONGEST = {"recover": 0.7}
"""Seconds after which something is killed at the latest, by verb: most would be over then."""
KEPT = {"log.db", "log.db-wal", "log.db-shm", "key", ".gitignore"}


@dataclass
class Counts:
    """What a storm did."""

    turns: int = 0
    kills: dict[str, int] = field(default_factory=dict)
    harms: dict[str, int] = field(default_factory=dict)
    stopped: int = 0
    compared: int = 0

    @property
    def killed(self) -> int:
        """All kills."""
        return sum(self.kills.values())


class Storm:
    """A project on all peers, and what is done to it."""

    def __init__(
        self, folder: Path, peers: Sequence[Peer], seed: int, environment: Mapping[str, str]
    ) -> None:
        self.folder, self.peers, self.seed = folder, peers, seed
        self.rng = random.Random(seed)  # noqa: S311  # a seed, not a secret
        self.counts, self.notes = Counts(), list[str]()
        self._temporary = folder / "tmp"
        self._temporary.mkdir(parents=True)
        self._environment = {**os.environ, **environment, "TMPDIR": str(self._temporary)}
        self.project = folder / "project"
        self.log = self.project / ".lasercats" / "log.db"
        self.run("init", str(self.project), project=False)
        for peer in peers:
            if peer.url != "local:":
                self.run("machine", "add", peer.name, peer.url)
            peer.begin(self.run)
        self._begun, self._real = records.head(self.log), self.reality()
        self._last: tuple[int, int] | None = None

    def rage(self, kills: int) -> Counts:
        """Go on until so many processes were killed.

        Raises:
            AssertionError: something does not agree, with the seed and what was done.

        """
        try:
            while self.counts.killed < kills:
                self.turn()
            self.compare(thoroughly=True)
        except BaseException as error:
            error.add_note(f"seed {self.seed}, turn {self.counts.turns}, in {self.folder}:")
            error.add_note("\n".join(self.notes[-80:]))
            raise
        return self.counts

    def turn(self) -> None:
        """Do some work, and let it be killed; recover, and compare."""
        self.counts.turns += 1
        self.notes.append(f"turn {self.counts.turns}")
        before, head = self._real, records.head(self.log)
        steps = self.strike(before)
        self.mend()
        self.compare(thoroughly=self.counts.turns % 3 == 0)
        self.check_prediction(steps, before, head)
        self._last = (head + 1, records.head(self.log))

    def strike(self, there: Reality) -> list[Step | Ran]:
        """Begin something, harm some peers, and kill it."""
        steps, draw = list[Step | Ran](), self.rng.random()
        if draw < 0.15 and self._last is not None:
            arguments = ["undo", f"{self._last[0]}..{self._last[1]}", "--yes"]
        elif draw < 0.25:
            arguments = self._former()
        else:
            busy = self.rng.sample(self.peers, self.rng.randint(1, min(3, len(self.peers))))
            owned = [{a: f for a, f in there.items() if peer.owns(a)} for peer in busy]
            work = [peer.work(self.rng, mine) for peer, mine in zip(busy, owned, strict=True)]
            steps = [step for some in work for step in some]
            file = self.project / "commands.jsonl"
            file.write_text("".join(json.dumps(dict(step.command)) + "\n" for step in steps))
            arguments = ["issue", str(file), "--yes"]
        if self.rng.random() < 0.15:
            self.stopped(arguments)
        else:
            self.killed(arguments, harm=self.rng.random() < 0.4)
        return steps

    def _former(self) -> list[str]:
        """Return the words that bring all back to what it was at a position of the past."""
        position = self.rng.randint(self._begun, records.head(self.log))
        document = self.project / "former.yaml"
        document.write_text(self.run("document", "--as-of", f"{position}"))
        return ["apply", str(document), "--yes"]

    def killed(self, arguments: Sequence[str], *, harm: bool = False) -> None:
        """Run something, harm a peer meanwhile, and kill it: around one of its writes, or any time."""
        environment, moment = dict(self._environment), self.rng.uniform(0.1, LONGEST.get(arguments[0], 1.5))
        if self.rng.random() < 0.5:
            environment |= {
                "KILL_AT": f"{self.rng.randint(1, 3 if arguments[0] == 'recover' else 8)}",
                "KILL": self.rng.choice(("before", "after")),
            }
            moment = 60.0
        process = self._start(arguments, environment)
        if harm:
            time.sleep(self.rng.uniform(0, min(moment, 1.5)))
            self.harm()
        try:
            process.wait(moment)
        except subprocess.TimeoutExpired:
            process.send_signal(signal.SIGKILL)
        self._tell(arguments, process, environment)

    def stopped(self, arguments: Sequence[str]) -> None:
        """Let something stand still while it is at work, have it taken for dead, and let it go on."""
        process, environment = self._start(arguments, self._environment), self._environment
        time.sleep(self.rng.uniform(0.1, 2.5))
        process.send_signal(signal.SIGSTOP)
        self.notes.append(f"  stands still; recover --force: {self.run('recover', '--force')}")
        process.send_signal(signal.SIGCONT)
        self._tell(arguments, process, environment)
        self.counts.stopped += 1

    def _start(self, arguments: Sequence[str], environment: Mapping[str, str]) -> subprocess.Popen[str]:
        with self._output(arguments).open("w") as output:
            return subprocess.Popen(
                [sys.executable, "-c", PROGRAM, "-C", str(self.project), *arguments],
                env=environment,
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=output,
                text=True,
            )

    def _tell(
        self, arguments: Sequence[str], process: subprocess.Popen[str], environment: Mapping[str, str]
    ) -> None:
        code, said = process.wait(), self._output(arguments).read_text()
        how = f"ended with {code}"
        if code == -signal.SIGKILL:
            verb = arguments[0]
            self.counts.kills[verb] = self.counts.kills.get(verb, 0) + 1
            how = f"killed {environment.get('KILL', 'at any time')} {environment.get('KILL_AT', '')}"
        self.notes.append(f"  {' '.join(arguments)}: {how}\n{said[-1500:]}")
        assert "Traceback" not in said, said
        assert "unforeseen fault" not in said, said
        assert "is being changed by command" not in said, f"something is stuck: {said}"

    def _output(self, arguments: Sequence[str]) -> Path:
        return self.folder / f"output of {arguments[0]} {arguments[-1].rpartition('/')[2]}"

    def harm(self) -> None:
        """Let something bad happen to a peer."""
        peer = self.rng.choice(self.peers)
        if not peer.harmed and (what := peer.harm(self.rng)) is not None:
            self.notes.append(f"  {peer.name}: {what}")
            self.counts.harms[what] = self.counts.harms.get(what, 0) + 1

    def mend(self) -> None:
        """Recover, maybe killed at that, before and after all peers are healthy; nothing is open then."""
        for _ in range(self.rng.choice((0, 1, 1, 2))):
            self.killed(["recover"])
        other = self._start(["recover", "--json"], self._environment) if self.rng.random() < 0.2 else None
        for peer in self.peers:
            if peer.harmed:
                self.notes.append(f"  {peer.name} is healthy again")
                peer.heal()
        for _ in range(self.rng.choice((0, 0, 1, 2))):
            self.killed(["recover"])
        if other is not None:
            self._tell(["recover", "--json"], other, self._environment)
        deadline = time.monotonic() + PATIENCE
        while left := self._left():
            assert time.monotonic() < deadline, f"stuck: {left}"
            time.sleep(0.2)

    def _left(self) -> list[dict[str, Any]]:
        """Recover in peace, report what people have in hand, and return what is open all the same."""
        said = self.run("recover", "--json")
        self.notes.append(f"  recover: {said[:3000]}")
        for room in (peer for peer in self.peers if isinstance(peer, Room)):
            for order in room.orders(self.run):
                report = ["work", *room.carry_out(order, self.rng)]
                if self.rng.random() < 0.3:
                    self.killed(report)
                else:
                    self.notes.append(f"  {' '.join(report)}: {self.run(*report)}")
        left: list[dict[str, Any]] = json.loads(self.run("recover", "--json"))
        return left

    def compare(self, *, thoroughly: bool) -> None:
        """Hold the state against reality, and the log against itself; look for what was left behind."""
        self.counts.compared += 1
        self.run("verify")
        assert not (odd := records.faults(self.log)), odd
        state: dict[str, Any] = json.loads(self.run("state", "--json"))["resources"]
        self._real = self.reality()
        for peer in self.peers:
            real = {address: facts for address, facts in self._real.items() if peer.owns(address)}
            says = {a: peer.stated(a, r) for a, r in state.items() if peer.owns(a)}
            odd = [
                f"{address}: really {real.get(address)}, state {says.get(address)}"
                for address in sorted({*real, *says})
                if not fits(says.get(address), real.get(address))
            ]
            assert not odd, f"{peer.name}: {odd}"
            left = peer.orphans()
            if left:  # of a host that lost power the next work there clears up
                peer.sweep(self.run)
                left = peer.orphans()
            assert not left, f"{peer.name} was left with {left}"
        there = {path.name for path in (self.project / ".lasercats").iterdir()}
        assert there <= KEPT, f"left in the project: {there - KEPT}"
        ours = list(self._temporary.glob("*lasercats*"))  # libraries leave some, too, where they are killed
        assert not ours, f"left here: {ours}"
        if thoroughly:
            self.run("drift", "--detailed-exitcode")

    def check_prediction(self, steps: Sequence[Step | Ran], before: Reality, head: int) -> None:
        """Check that what the log calls done is there, and that no raw command ran twice."""
        became, real = records.commands(self.log, head)[: len(steps)], self._real
        chains: dict[str, list[tuple[Step, bool]]] = {}
        for n, step in enumerate(steps):
            done = bool(became) and became[n].status in ("done", "unchanged")
            if isinstance(step, Ran):
                ran = next(peer for peer in self.peers if _whose(peer, step)).times(step.mark)
                assert ran == 1 if done else ran <= 1, f"{step.command} ran {ran} times: {became[n : n + 1]}"
            else:
                chains.setdefault(step.address, []).append((step, done))
        for address, chain in chains.items():
            peer = next(peer for peer in self.peers if peer.owns(address))
            if peer.whole or all(done for _, done in chain):
                may, found = outcomes(before.get(address), chain), real.get(address)
                assert any(fits(one, found) for one in may), f"{address}: really {found}, foretold {chain}"

    def reality(self) -> Reality:
        """Return what is really there, everywhere."""
        return {address: facts for peer in self.peers for address, facts in peer.reality().items()}

    def run(self, *arguments: str, project: bool = True) -> str:
        """Run in peace what must not fail, and return what it printed on standard output."""
        where = ["-C", str(self.project)] if project else []
        ran = subprocess.run(
            [sys.executable, "-c", PROGRAM, *where, *arguments],
            env=self._environment,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            check=False,
            timeout=180,
        )
        text = f"{' '.join(arguments)} ended with {ran.returncode}: {ran.stdout[-3000:]}{ran.stderr[-3000:]}"
        assert ran.returncode == 0 or arguments[0] in ("recover", "work"), text
        assert "Traceback" not in ran.stderr, text
        return ran.stdout


def _whose(peer: Peer, step: Step | Ran) -> bool:
    if isinstance(step, Ran):
        return bool(step.command["on"] == f"exec/{peer.name}")
    return peer.owns(step.address)
