"""Shells of every make, and folders of others, for tests of what a host does at a path."""

import os
import shlex
import shutil
import subprocess
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from lasercats.core.instruction import Instruction
from lasercats.instructions.host import PRELUDE

SHELLS = ("dash", "bash", "busybox", "applets")
STUBBED = ("dash", "bash", "applets")
"""Those that start every tool by the path; busybox's own shell starts its applets without asking."""
NOBODY = 65534
TOOLS = ("mkdir", "rmdir", "stat", "chmod", "chown", "mv", "ln", "cp", "rm", "cat", "base64")
AS_NOBODY = "setpriv --reuid=65534 --regid=65534 --clear-groups"


def run(argv: Sequence[str | Path], **more: Any) -> subprocess.CompletedProcess[str]:  # noqa: ANN401
    """Run a command to its end, in text."""
    return subprocess.run(argv, check=False, capture_output=True, text=True, timeout=60, **more)


def names(folder: Path) -> list[str]:
    """Return the names in a folder, in order."""
    return sorted(path.name for path in folder.iterdir())


class Shell:
    """One shell, with the tools of its make first on the path."""

    def __init__(self, make: str, folder: Path) -> None:
        """Use `dash` or `bash` with GNU coreutils, `busybox` with its own applets, or dash with those."""
        self.argv = {"busybox": ["busybox", "sh"], "applets": ["dash"]}.get(make, [make])
        self.path = os.environ["PATH"]
        self.real = self.path
        if make in ("busybox", "applets"):
            applets = folder / "applets"
            applets.mkdir()
            binary = shutil.which("busybox") or ""
            listed = run([binary, "--list"]).stdout
            for applet in listed.split():
                (applets / applet).symlink_to(binary)
            self.path = self.real = f"{applets}:{self.path}"

    def run(self, *acts: Instruction | str) -> subprocess.CompletedProcess[str]:
        """Carry acts out as a printed script does; the status is that of the last."""
        lines = [act if isinstance(act, str) else act.line() for act in acts]
        script = "\n".join(["{", "".join(PRELUDE), *lines, "exit $?", "}"])
        return run([*self.argv, "-s"], input=script, env={**os.environ, "PATH": self.path, "REAL": self.real})

    def beset(self, folder: Path, tools: Path, deed: str, secret: str) -> None:
        """Have another user do something in a folder before and after every tool that the shell starts.

        He also takes what he can read of a secret, and says so in the file `leak`.
        """
        tools.mkdir()
        spy = f"grep -rlsF {shlex.quote(secret)} . >>../leak"
        as_nobody = f"cd {folder} && {AS_NOBODY} env PATH=$REAL PID=$PPID sh -c"
        deeds = (
            f"({as_nobody} {shlex.quote(deed)}; {as_nobody} {shlex.quote(spy)}) >/dev/null 2>&1 </dev/null"
        )
        for tool in TOOLS:
            stub = tools / tool
            stub.write_text(f'#!/bin/sh\n{deeds}\nPATH=$REAL {tool} "$@"; lc=$?\n{deeds}\nexit $lc\n')
            stub.chmod(0o755)
        self.path = f"{tools}:{self.path}"

    def counting(self, tools: Path) -> Path:
        """Have every tool that the shell starts write its name into a file; return the file."""
        tools.mkdir()
        started = tools / "told"
        for tool in TOOLS:
            stub = tools / tool
            stub.write_text(f'#!/bin/sh\necho {tool} >>{started}\nPATH=$REAL exec {tool} "$@"\n')
            stub.chmod(0o755)
        self.path = f"{tools}:{self.path}"
        return started
