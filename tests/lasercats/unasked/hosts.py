"""A folder on this machine, lines about it in any order, and eyes on its files that know nothing of us."""

import json
import random
import shutil
import sqlite3
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from lasercats.core.content import LIMIT
from lasercats.testing.unasked import LOSES, UNPROTECTS, Harm, Line, Ran

if TYPE_CHECKING:
    from tests.lasercats.cli.conftest import Cli

NAMES = ("x", "y", "z", "d", "d/f", "d/e")
HEAD = 40
LASERCATS = [sys.executable, "-c", "from lasercats.cli.main import main; main()"]


class Seen(NamedTuple):
    """What is at paths: the first bytes and the size of a file; and what the state has, as JSON."""

    files: dict[str, tuple[bytes, int]]
    state: dict[str, dict[str, Any]]

    def protected(self) -> set[str]:
        """Return the addresses that are protected."""
        return {address for address, fields in self.state.items() if fields.get("protect")}


class Folder:
    """A world of files."""

    def __init__(self, cli: "Cli", seed: int, machine: str = "a", root: Path = Path("/")) -> None:
        """Stand in the folder `t`; what has the files of the machine is seen at `root`."""
        self.cli, self.log, self.machine = cli, cli.path, machine
        self.folder = f"{cli.folder}/t"
        self.seen = Path(f"{root}/{self.folder}")
        self.random = random.Random(seed)  # noqa: S311 - a walk that can be repeated
        self.count = 0

    def run(self, line: Line) -> Ran:
        """Run a line; what is held is over when its time is."""
        if "--json" not in line.words and self.random.random() < 0.1:
            return self._killed(line)
        ran = self.cli(*line.words)
        self._take_back(line)
        return ran

    def _killed(self, line: Line) -> Ran:
        """Kill a line at any moment, and recover; what both said is what was told."""
        process = subprocess.Popen(
            [*LASERCATS, *line.words], cwd=self.cli.folder, stdout=subprocess.PIPE, stderr=subprocess.PIPE
        )
        try:
            out, err = process.communicate(timeout=self.random.uniform(0.1, 0.8))
        except subprocess.TimeoutExpired:
            process.kill()
            out, err = process.communicate()
        ran = self.cli("recover", "--force", *(["--yes"] if "--yes" in line.words else []))
        self._take_back(line)
        return ran._replace(out=out.decode() + ran.out, err=err.decode() + ran.err)

    def _take_back(self, line: Line) -> None:
        """Wait until a guard has taken back what nobody confirmed in time; else take it back now."""
        if "--confirm-within" not in line.words:
            return
        end = time.monotonic() + 20
        while "1s" in line.words and time.monotonic() < end:
            if not json.loads(self.cli("confirm", "--list", "--json").out):
                return
            time.sleep(0.1)
        self.cli("confirm", "--reject")

    def look(self) -> Seen:
        """See every file, and what the state has."""
        files = {}
        for path in sorted(self.seen.rglob("*")):
            if path.is_file() and not path.is_symlink():
                with path.open("rb") as file:
                    files[str(path.relative_to(self.seen))] = (file.read(HEAD), path.stat().st_size)
        rows = self._rows("SELECT address, body FROM present WHERE length(body) > 0")
        return Seen(files, {address: json.loads(body) for address, body in rows})

    def harm(self, before: object) -> Iterator[Harm]:
        """Tell of contents that are neither where they were nor in the log, and of lifted protection."""
        assert isinstance(before, Seen)
        now = self.look()
        log = b"\n".join(bytes(body) for (body,) in self._rows("SELECT body FROM records")).decode()
        for name, (head, size) in before.files.items():
            kept = now.files.get(name) == (head, size) or (head.decode() in log and size <= LIMIT)
            if not kept:
                yield Harm(self.address(name), LOSES, f"{head!r}")
        for address in before.protected() - now.protected():
            name = address.rpartition("/t/")[2]
            if address.startswith("file/") and (name in before.files) > (name in now.files):
                yield Harm(address, UNPROTECTS, "removed, and protected")
            elif address in now.state or (address.startswith("file/") and name in now.files):
                yield Harm(address, UNPROTECTS, "protect")

    def _rows(self, query: str) -> list[Any]:
        db = sqlite3.connect(self.log)
        try:
            return db.execute(query).fetchall()
        finally:
            db.close()

    def address(self, name: str, kind: str = "file") -> str:
        """Return the address of a name in the folder."""
        return f"{kind}/{self.machine}:{self.folder}/{name}"

    # What an operator types, and what somebody else does.

    def walk(self, steps: int) -> Iterator[Line]:
        """Iterate over lines, with changes by others between them."""
        makers = [self._direct, self._direct, self._document, self._undo, self._undo, self._drift]
        makers += [self._marks, self._many]
        for _ in range(steps):
            if self.random.random() < 0.5:
                self._outside()
            line = self.random.choice(makers)()
            more = [w for w in ("--yes", "--json") if self.random.random() < 0.4]
            yield Line((*line.words, *more), line.names)

    def _outside(self) -> None:
        path = self.seen / self.random.choice(NAMES)
        if not path.parent.is_dir() or path.parent.is_symlink():
            return
        what = self.random.choice(("write", "write", "big", "big", "gone", "link", "folder"))
        if path.is_dir() and not path.is_symlink():
            shutil.rmtree(path)
        path.unlink(missing_ok=True)
        if what == "folder":
            path.mkdir()
        elif what == "link":
            path.symlink_to("nowhere")
        elif what != "gone":
            with path.open("w") as file:
                file.write(self.token())
                file.truncate(LIMIT + 1 if what == "big" else HEAD)

    def token(self) -> str:
        """Return text that was nowhere yet, as long as what the eyes read."""
        self.count += 1
        return f"text-{self.count:08d}-".ljust(HEAD, "x")

    def _held(self) -> list[str]:
        if self.random.random() < 0.85:
            return []
        return ["--confirm-within", self.random.choice(("1h", "1h", "1s"))]

    def _direct(self) -> Line:
        name = self.random.choice(NAMES)
        there = f"{self.machine}:{self.folder}/{name}"
        if self.random.random() < 0.3:
            return Line(("file", "remove", there, *self._held()), frozenset([(self.address(name), LOSES)]))
        words = self.random.choice(
            (
                ("file", "write", there, "--content", self.token()),
                ("file", "write", there, "--content", self.token()),
                ("file", "chmod", there, "--mode", self.random.choice(("0600", "0640"))),
                ("symlink", "link", there, "--target", self.random.choice(("here", "there"))),
                ("symlink", "remove", there),
                ("directory", "create", there),
                ("directory", "remove", there),
                ("observe", self.address(name)),
            )
        )
        return Line((*words, *([] if words[0] == "observe" else self._held())))

    def _document(self) -> Line:
        desired: dict[str, dict[str, Any]] = {}
        for name in NAMES:
            match self.random.choice(("file", "file", "directory", "symlink", "", "")):
                case "file":
                    desired[self.address(name)] = {"content": self.token()}
                case "directory":
                    desired[self.address(name, "directory")] = {}
                case "symlink":
                    desired[self.address(name, "symlink")] = {"target": "here"}
                case _:
                    pass
        for fields in desired.values():
            if self.random.random() < 0.2:
                fields["protect"] = self.random.random() < 0.5
        site = self.cli.file("site.yaml", json.dumps({"resources": desired}))
        prune = ["--prune"] if self.random.random() < 0.5 else []
        if self.random.random() < 0.4:
            self.cli("plan", site, *prune, "--out", f"{self.cli.folder}/saved.plan")
        if self.random.random() < 0.3 and (self.cli.folder / "saved.plan").exists():
            return Line(("apply", f"{self.cli.folder}/saved.plan"))
        return Line(("apply", site, *prune, *self._held()))

    def _undo(self) -> Line:
        far = self.random.randint(0, 5)
        which = self.random.choice((f"HEAD~{far}", f"HEAD~{far}..HEAD", "HEAD"))
        partial = ["--partial"] if self.random.random() < 0.5 else []
        return Line(("undo", which, *partial, *self._held()))

    def _drift(self) -> Line:
        return Line(("drift", self.random.choice(("--revert", "--revert", "--adopt"))))

    def _marks(self) -> Line:
        name = self.random.choice(NAMES)
        kind = self.random.choice(("file", "file", "directory"))
        word = self.random.choice(("protect", "protect", "unprotect", "forget"))
        named = () if word == "protect" else ((self.address(name, kind), UNPROTECTS),)
        return Line((word, self.address(name, kind)), frozenset(named))

    def _many(self) -> Line:
        """What an operator did not write out himself: a query, a pattern, a stream."""
        name = self.random.choice(NAMES)
        commands = [
            {"command": "file.remove", "on": self.address(self.random.choice(NAMES))},
            {"command": "file.write", "on": self.address(name), "content": self.token()},
        ]
        stream = self.cli.file("more.jsonl", "\n".join(map(json.dumps, commands)))
        return Line(
            self.random.choice(
                (
                    ("for", "SELECT address FROM file", "file", "remove"),
                    ("for", "SELECT address FROM file", "forget"),
                    ("file", "remove", f"[{self.machine}]:{self.folder}/{name}"),
                    ("file", "write", f"{self.machine}*:{self.folder}/{name}", "--content", self.token()),
                    ("issue", stream),
                )
            )
        )
