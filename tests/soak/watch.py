"""Watches what is started: command line and environment of every process, here and on the hosts of the lab.

Two ways, as none is enough. A thread reads `/proc` all the time, where hosts of the lab are seen as well, and
may miss what is over soon. *Spies* stand before the tools in PATH and write down how each was called: they
miss nothing but what is not found by PATH.
"""

import contextlib
import threading
from pathlib import Path

from tests.soak.sweep import Sweep

TOOLS = (
    *(
        "base64",
        "cat",
        "chgrp",
        "chmod",
        "chown",
        "cp",
        "dd",
        "find",
        "flock",
        "getfacl",
        "getfattr",
        "gzip",
        "head",
    ),
    *(
        "id",
        "ln",
        "ls",
        "mkdir",
        "mktemp",
        "mv",
        "od",
        "readlink",
        "rm",
        "rmdir",
        "sed",
        "setfacl",
        "setfattr",
    ),
    *("sha256sum", "sort", "ssh", "stat", "sudo", "tail", "timeout", "touch", "tr", "wc", "xargs"),
)
SPY = """\
#!/bin/sh
{{ printf 'called: %s\\n' "$0 $*"; /usr/bin/env; }} >>{notes} 2>&1
exec /usr/bin/{tool} "$@"
"""


def spy(tool: str, notes: str) -> str:
    """Return a script that writes down how a tool is called, and calls it."""
    return SPY.format(tool=tool, notes=notes)


def spies(folder: Path, notes: Path) -> None:
    """Put spies into a folder that is to stand first in PATH."""
    folder.mkdir()
    for tool in TOOLS:
        if Path("/usr/bin", tool).exists():
            (folder / tool).write_text(spy(tool, str(notes)))
            (folder / tool).chmod(0o755)


class Watch:
    """Reads the command lines and environments of all processes, again and again, until it is left."""

    def __init__(self) -> None:
        """Begin with nothing seen."""
        self.seen: dict[tuple[int, bytes, bytes], None] = {}
        """What was seen: a process, its command line, and its environment."""
        self.ours: set[int] = set()
        """The processes whose environment we gave ourselves: it holds what we planted."""
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._watch, name="watch")

    def __enter__(self) -> "Watch":
        """Begin."""
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        """End."""
        self._over.set()
        self._thread.join()

    def look(self, sweep: Sweep) -> None:
        """Look in all that was seen, but for the environments that we gave ourselves.

        A process that was forked, and has not begun its program yet, has them and our command line, too.
        """
        seen = list(self.seen)  # it goes on meanwhile
        ours = {line for process, line, _ in seen if process in self.ours}
        for process, line, environment in seen:
            sweep.look(line, f"cmdline of process {process}: {line[:80]!r}")
            if line not in ours:
                sweep.look(environment, f"environ of process {process}: {line[:80]!r}")

    def _watch(self) -> None:
        while not self._over.wait(0.01):
            for process in Path("/proc").glob("[0-9]*"):
                with contextlib.suppress(OSError):
                    line = (process / "cmdline").read_bytes()  # before the other: see `look`
                    self.seen[int(process.name), line, (process / "environ").read_bytes()] = None
