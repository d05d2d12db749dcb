"""This machine and hosts by SSH, seen by `stat`, `find` and `sha256sum` alone."""

import base64
import hashlib
import random
import subprocess
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from lasercats.testing.lab import Host
from tests.soak.peer import Facts, Peer, Ran, Reality, Step

FILES, FOLDERS = 6, 2
SLOW = ("mv", "stat", "ln", "mkdir", "chmod", "rm", "sha256sum", "base64", "cat", "cp")
"""The tools that take their time on a slow host."""


def digest(text: str) -> str:
    """Return what sha256sum tells of a content as the state has it."""
    encoded = text.startswith("data:;base64,")
    body = base64.b64decode(text.partition(",")[2]) if encoded else text.encode()
    return hashlib.sha256(body).hexdigest()


class OnHost(Peer):
    """Files, directories and raw commands on a host."""

    folder: str

    def shell(self, script: str) -> str:
        """Run a script on the host, without our code, and return what it printed."""
        raise NotImplementedError

    def begin(self, run: Callable[..., str]) -> None:
        """Make the folder of the storm."""
        run("directory", "create", f"{self.name}:{self.folder}", "--mode", "0755")

    def work(self, rng: random.Random, there: Reality) -> list[Step | Ran]:
        """Write, close, open and remove files; make and remove directories; leave a mark."""
        steps: list[Step | Ran] = []
        for n in rng.sample(range(FILES), rng.randint(1, FILES)):
            steps += self._file(rng, f"file/{self.name}:{self.folder}/f{n}", there)
        for n in range(FOLDERS):
            address = f"directory/{self.name}:{self.folder}/d{n}"
            if rng.random() < 0.3:
                steps.append(self._directory(address, there))
        if rng.random() < 0.4:
            mark = f"{rng.getrandbits(64):x}"
            argv = ["sh", "-c", f"echo {mark} >>{self.folder}.marks"]
            steps.append(Ran({"command": "exec", "on": f"exec/{self.name}", "argv": argv}, mark))
        return steps

    @staticmethod
    def _file(rng: random.Random, address: str, there: Reality) -> list[Step | Ran]:
        exists, steps = address in there, list[Step | Ran]()
        for _ in range(rng.randint(1, 3)):
            draw, mode = rng.random(), rng.choice(("0600", "0640", "0644", "0755"))
            if exists and draw < 0.2:
                command: dict[str, Any] = {"command": "file.remove"}
                steps.append(Step({**command, "on": address}, address, None))
            elif exists and draw < 0.5:
                command = {"command": "file.chmod", "mode": mode}
                steps.append(Step({**command, "on": address}, address, {"mode": mode}))
            else:
                content = f"{rng.getrandbits(64):x} {'é' * rng.choice((0, 9, 40_000))}\n"
                mode = rng.choice(("0644", "0664", "0755"))  # what a closed file holds may come back sealed
                command = {"command": "file.write", "content": content, "mode": mode}
                facts = {"sha256": digest(content), "mode": mode}
                steps.append(Step({**command, "on": address}, address, facts, makes=True))
            exists = command["command"] != "file.remove"
        return steps

    @staticmethod
    def _directory(address: str, there: Reality) -> Step:
        if address in there:
            return Step({"command": "directory.remove", "on": address}, address, None)
        command = {"command": "directory.create", "on": address, "mode": "0750"}
        return Step(command, address, {"mode": "0750"}, makes=True)

    def reality(self) -> Reality:
        """List the folder, and sum the files up."""
        sums_up = "echo; find . -name 'f*' -type f -exec sha256sum {} +"
        output = self.shell(f"cd {self.folder} && find . -printf '%y %m %p\\n' && {sums_up}")
        listed, _, summed = output.partition("\n\n")
        sums = {path: sha for sha, path in (line.split(None, 1) for line in summed.splitlines())}
        found: Reality = {}
        for line in listed.splitlines():
            sort, mode, path = line.split(None, 2)
            at = f"{self.name}:{self.folder}{path.removeprefix('.')}"
            if sort == "d" and ".lasercats" not in path:
                found[f"directory/{at}"] = {"mode": f"{mode:0>4}"}
            elif sort == "f" and path in sums:
                found[f"file/{at}"] = {"sha256": sums[path], "mode": f"{mode:0>4}"}
        return found

    def stated(self, address: str, resource: Mapping[str, Any]) -> Facts:
        """Return the mode, and of a file the sum."""
        if address.startswith("directory/"):
            return {"mode": resource["mode"]}
        if "content" not in resource:  # it is sealed: nobody but the vault can tell
            return {"mode": resource["mode"]}
        return {"sha256": digest(resource["content"]), "mode": resource["mode"]}

    def times(self, mark: str) -> int:
        """Count a mark."""
        return self.shell(f"cat {self.folder}.marks 2>/dev/null || :").split().count(mark)

    def orphans(self) -> list[str]:
        """Find temporary names of ours in the folder."""
        return self.shell(f"find {self.folder} -name '.lasercats*'").split()

    def sweep(self, run: Callable[..., str]) -> None:
        """Write one more file into the folder, and remove it."""
        run("file", "write", f"{self.name}:{self.folder}/last", "--content", "x")
        run("file", "remove", f"{self.name}:{self.folder}/last")


class Here(OnHost):
    """This machine."""

    url = "local:"

    def __init__(self, name: str, folder: Path) -> None:
        super().__init__(name)
        self.folder = str(folder)

    def shell(self, script: str) -> str:
        """Run a script here."""
        ran = subprocess.run(["/bin/sh", "-c", script], capture_output=True, text=True, check=True)
        return ran.stdout


class There(OnHost):
    """A host of the lab, whose network can be cut and which can be switched off."""

    folder = "/srv/storm"

    def __init__(self, name: str, host: Host, *, slow: float = 0) -> None:
        super().__init__(name)
        self._host, self._trouble = host, ""
        for tool in SLOW if slow else ():
            script = f'#!/bin/sh\nsleep {slow}\nexec /usr/bin/{tool} "$@"\n'
            host.ssh(f"cat >/usr/local/bin/{tool}; chmod 755 /usr/local/bin/{tool}", script.encode())

    @property
    def url(self) -> str:
        """The URL of the host, with little patience."""
        return f"{self._host.url}&timeout=6&connect_timeout=3"

    def shell(self, script: str) -> str:
        """Run a script there by the plain client, with the tools as they were before they were slow."""
        ran = self._host.ssh(f"PATH=/usr/bin:/bin; {script}")
        assert ran.returncode == 0, ran.stderr.decode()
        return ran.stdout.decode()

    def orphans(self) -> list[str]:
        """Find temporary names of ours in the folder, and locks; what stands for what was judged is kept."""
        script = f"find {self.folder} -name '.lasercats*'; find /run/lasercats /tmp/.lasercats-* -type f"
        return [
            name for name in self.shell(f"{script} 2>/dev/null || :").split() if not name.endswith(".over")
        ]

    def harm(self, rng: random.Random) -> str | None:
        """Cut its network or its power."""
        self.harmed = True
        if rng.random() < 0.5:
            self._host.cut()
            self._trouble = "cut"
            return "its network is cut"
        self._host.stop()
        self._trouble = "off"
        return "it is switched off"

    def heal(self) -> None:
        """Mend its network or switch it on, and wait until it answers."""
        if self._trouble == "cut":
            self._host.mend()
        elif self._trouble == "off":
            self._host.start()
        self._host.wait()
        self._trouble, self.harmed = "", False
