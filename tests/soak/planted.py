"""A project in which known secrets are planted, and every word that it ever said."""

import hashlib
import json
import os
import subprocess
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path

from lasercats.testing.lab import Host
from tests.soak.sweep import Sweep
from tests.soak.watch import TOOLS, Watch, spies, spy

NOTES = "/var/spies"
"""Where spies on a host write."""
PROGRAM = "from lasercats.cli.main import main; main()"
MANY = """
import json, sys
from lasercats.cli.main import guarded, root

for words in json.load(sys.stdin):
    print("-----", *words, flush=True)
    guarded(lambda: root.main(args=words, prog_name="lasercats", standalone_mode=False))
    sys.stdout.flush()
"""
"""The command line, many times in one process."""
BROKEN = """
import sys
from lasercats.machines.shell import BatchScript
from lasercats.cli.main import main

def encode(self):
    acts = [item.instruction for item in self._batch if hasattr(item.instruction, "words")]
    words = [act.words(self._vault) for act in acts]
    if words:
        raise KeyError(len(words))
    return real(self)

real, BatchScript.encode = BatchScript.encode, encode
main()
"""
"""A fault that nobody foresaw, with a secret at hand."""


def needle(name: str) -> bytes:
    """Return what is looked for of a secret; it is the same in each run."""
    return b"Zq" + hashlib.sha256(name.encode()).hexdigest()[:22].encode().replace(b"a", b"K")


def secret(name: str) -> bytes:
    """Return a secret: what shells, YAML, JSON and URLs must escape is around its needle."""
    return b"p'\"$\\ " + needle(name) + b"\t% \xc3\xa9"


class Planted:
    """The project; `run` keeps what is said, to be swept."""

    def __init__(self, folder: Path, host: Host, watch: Watch) -> None:
        self.folder, self.host, self.watch = folder, host, watch
        self.project, self.sources, self.there = folder / "project", folder / "sources", folder / "there"
        self.said: list[tuple[str, bytes]] = []
        self.names: set[str] = set()
        self.came: set[str] = set()
        for made in (self.project, self.sources, self.there, folder / "tmp", folder / "home"):
            made.mkdir()
        spies(folder / "spies", folder / "spied")
        host.ssh("mkdir -m 700 /srv/there")
        for tool in TOOLS:
            script = spy(tool, NOTES).encode()
            host.ssh(
                f"[ -x /usr/bin/{tool} ] && cat >/usr/local/bin/{tool} && chmod 755 /usr/local/bin/{tool}",
                script,
            )
        self._environment = {
            **os.environ,
            "HOME": str(folder / "home"),
            "TMPDIR": str(folder / "tmp"),
            "PATH": f"{folder}/spies:{os.environ['PATH']}",
        }
        self.run("init", str(self.project))
        self.run("machine", "add", "web", host.url)

    def here(self, name: str) -> Path:
        """Return the place of a secret on this machine."""
        return self.there / name

    def on_host(self, name: str) -> str:
        """Return the place of a secret on the host."""
        return f"/srv/there/{name}"

    def source(self, name: str) -> Path:
        """Write a secret into a file of the operator's own, and return it."""
        self.names.add(name)
        path = self.sources / name
        path.write_bytes(secret(name))
        path.chmod(0o600)
        return path

    def variable(self, name: str) -> dict[bytes, bytes]:
        """Return the environment that holds a secret in the variable `S_name`."""
        self.names.add(name)
        return {f"S_{name}".encode(): secret(name)}

    def run(
        self,
        *arguments: str,
        env: Mapping[bytes, bytes] | None = None,
        stdin: bytes = b"",
        program: str = PROGRAM,
    ) -> str:
        """Run the command line, and keep what it says."""
        given = {os.fsencode(k): os.fsencode(v) for k, v in self._environment.items()} | dict(env or {})
        process = subprocess.Popen(
            [sys.executable, "-c", program, "-C", str(self.project), *arguments],
            cwd=self.folder,
            env=given,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
        )
        self.watch.ours.add(process.pid)
        output, _ = process.communicate(stdin, timeout=600)
        self.said.append((" ".join(arguments), output))
        return output.decode(errors="replace")

    def run_all(self, calls: Sequence[Sequence[str]]) -> None:
        """Run the command line many times, without starting it anew each time."""
        words = [["-C", str(self.project), *call] for call in calls]
        output = self.run("many", stdin=json.dumps(words).encode(), program=MANY)
        self.said.pop()
        for part in output.split("----- ")[1:]:
            self.said.append((part.partition("\n")[0], part.encode()))

    def arrived(self) -> set[str]:
        """Return the secrets that are where they belong, here or on the host."""
        files = {path.read_bytes() for path in self.there.iterdir()}
        output = self.host.ssh("cat /srv/there/*").stdout
        return {name for name in self.names if secret(name) in files or secret(name) in output}

    def sweep(self) -> Sweep:
        """Look for all that was planted, everywhere but where it belongs."""
        sweep = Sweep({name: needle(name) for name in self.names})
        for words, output in self.said:
            sweep.look(output, f"the output of `lasercats {words}`")
            sweep.look(words.encode(), f"the words `lasercats {words}`")
        sweep.look_below(self.folder, frozenset({self.sources, self.there}))
        self.watch.look(sweep)
        sweep.look(self.host.log().encode(), "the log of sshd")
        upper = self.host.upper
        sweep.look_below(upper, frozenset({upper / "srv" / "there"}))
        memory = self.host.ssh("find /tmp /run /dev/shm -type f -exec cat {} + -print")
        sweep.look(memory.stdout, "what is in memory of the host: /tmp, /run, /dev/shm")
        return sweep
