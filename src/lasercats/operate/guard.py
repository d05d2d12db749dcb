"""The guard of `--confirm-within`: how it is started, and the line on which the two processes talk.

The guard says that it is ready before anything is changed. While the operator's process is at work it holds
its end of the line open; the kernel closes it with the process, so the guard knows without any number of a
process whether somebody is still at work. When the time is over it asks the operator's process to stop, as
Ctrl-C would, and waits for its end; the process tells the operator what happened. Only one that does not heed
that, because it was suspended, is ended by a signal: that it is the one on the other end of the line is known
from the line itself.

    operator ─▶ guard    the names of the machines, as a line of JSON
    guard ─▶ operator    `+` when it is ready, or `-` and why it is not
    guard ─▶ operator    `!` stop after what is under way; a second one: stop at once
"""

import asyncio
import contextlib
import json
import os
import select
import signal
import socket
import struct
import sys
import time
from collections.abc import Callable, Iterable
from pathlib import Path

import lasercats
from lasercats.core.errors import LaserCatsError
from lasercats.newfile import make_file
from lasercats.operate.project import FOLDER, Project

READY = 30.0
"""Seconds that a guard may take to be ready."""
PATIENCE = 10.0
"""Seconds that the operator's process may take to stop after what is under way, and again to stop at once."""

TIME_IS_OVER = (
    "the time to confirm was over before it was done, so the rest was left, and what was done is taken back; "
    "`lasercats log` tells what became of it"
)
DIED = (
    "its guard died before it was done, so the rest was left; keep what was done with `lasercats confirm`, "
    "or take it back with `lasercats confirm --reject`"
)
_START = """
import sys
from importlib.util import module_from_spec, spec_from_file_location
place = sys.argv.pop(1)
if place not in sys.path:
    sys.path.append(place)
spec = spec_from_file_location("lasercats", place + "/lasercats/__init__.py")
sys.modules["lasercats"] = module_from_spec(spec)
spec.loader.exec_module(sys.modules["lasercats"])
from lasercats.cli.main import main
main()
"""
"""Runs this very LaserCats, wherever it is installed; that place comes last, so that it hides no module."""


class Guarded:
    """The operator's end of the line."""

    def __init__(self, line: socket.socket) -> None:
        """Take the line to a guard that is ready."""
        self._line = line
        self.why: str | None = None
        """Why the work was interrupted, if it was, and what becomes of it."""

    def heed(self, interrupt: Callable[[], None]) -> None:
        """Interrupt the work in the running loop whenever the guard asks for it, or died."""
        loop = asyncio.get_running_loop()

        def heard() -> None:
            try:
                said = self._line.recv(1)
            except OSError:
                said = b""
            if not said:
                loop.remove_reader(self._line)
            self.why = self.why or (TIME_IS_OVER if said else DIED)
            interrupt()

        loop.add_reader(self._line, heard)

    def close(self) -> None:
        """Tell the guard that nobody is at work any more."""
        self._line.close()


def start(project: Project, run: str, machines: Iterable[str]) -> Guarded:
    """Start the process that takes back what a run holds on some machines, and wait until it is ready.

    It has a session of its own, so it outlives this process and its terminal. It imports nothing from the
    current folder, nor from where the environment says. What it has to say goes to `.lasercats/guard.log`.

    Raises:
        LaserCatsError: it cannot be started, or cannot do its work; nothing was done.

    """
    ours, theirs = socket.socketpair()
    with contextlib.ExitStack() as failed:
        failed.callback(ours.close)
        output = project.root.absolute() / FOLDER / "guard.log"
        project.check_open()
        make_file(output, project.mode)
        try:
            with theirs:
                pid = _spawn(project, run, theirs.fileno(), output)
            ours.settimeout(READY)
            ours.sendall(json.dumps(list(machines)).encode() + b"\n")
            said = _line(ours)
        except TimeoutError:
            os.kill(pid, signal.SIGKILL)  # a child that nobody has waited for: the number is its own
            raise _unable(f"its guard was not ready within {READY:g} s, see {output}") from None
        except ConnectionError:
            said = ""
        except OSError as error:
            raise _unable(f"no guard could be started: {error}") from None
        if said != "+":
            raise _unable(f"its guard cannot work: {said[1:]}" if said else f"its guard died, see {output}")
        ours.settimeout(None)
        failed.pop_all()
    return Guarded(ours)


def _unable(why: str) -> LaserCatsError:
    return LaserCatsError(f"nothing was done, because {why}")


def _spawn(project: Project, run: str, line: int, output: Path) -> int:
    place = str(Path(lasercats.__file__).absolute().parent.parent)
    root = str(project.root.absolute())
    words = [sys.executable, "-I", "-c", _START, place, "-C", root, "--env", project.environment]
    actions = [
        (os.POSIX_SPAWN_DUP2, line, 0),
        (os.POSIX_SPAWN_OPEN, 1, str(output), os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600),
        (os.POSIX_SPAWN_DUP2, 1, 2),
    ]
    environment = {name: value for name, value in os.environ.items() if not name.startswith("PYTHON")}
    return os.posix_spawn(
        sys.executable, [*words, "confirm", "--guard", run], environment, file_actions=actions, setsid=True
    )


def _line(line: socket.socket) -> str:
    """Return the next line that is said, without its end; nothing where the other end was closed."""
    said = bytearray()
    while not said.endswith(b"\n"):
        more = line.recv(1)
        if not more:
            return ""
        said += more
    return said[:-1].decode(errors="replace")


class Watching:
    """The guard's end of the line."""

    def __init__(self, line: socket.socket) -> None:
        """Take the line."""
        self._line = line
        self.closed = False
        """True when nobody is at work on the other end any more."""

    @classmethod
    def inherited(cls) -> "Watching":
        """Return the line that the operator's process gave this one in place of an input.

        Raises:
            LaserCatsError: there is none.

        """
        try:
            return cls(socket.socket(fileno=os.dup(0)))
        except OSError:
            raise LaserCatsError("a guard is started by --confirm-within, and not by hand") from None

    def greet(self, project: Project) -> None:
        """Open all that will be needed, then say that this guard is ready.

        Raises:
            LaserCatsError: something cannot be opened; the operator's process was told.

        """
        try:
            for name in json.loads(_line(self._line) or "[]"):
                project.machines.get(name)
            project.log.open()
        except LaserCatsError as error:
            self._say(f"-{error}\n".encode())
            raise
        self._say(b"+\n")

    def wait(self, seconds: float) -> bool:
        """Wait until nobody is at work on the other end, at most some seconds; return whether that is so."""
        end = time.monotonic() + seconds
        while not self.closed and (left := end - time.monotonic()) > 0:
            if select.select([self._line], [], [], left)[0]:
                try:
                    self.closed = not self._line.recv(1)
                except OSError:
                    self.closed = True
        return self.closed

    def stop(self) -> None:
        """Have the operator's process stop; return when it has.

        Raises:
            LaserCatsError: it does not end.

        """
        for way in (self._ask, self._ask, self._kill):
            if self.wait(0):
                return
            way()
            self.wait(PATIENCE)
        if not self.closed:
            raise LaserCatsError("the process that is to stop does not end; it is waited for")

    def _ask(self) -> None:
        self._say(b"!")

    def _kill(self) -> None:
        """End the process on the other end: as its end is open it lives, so its number is no other's."""
        size = struct.calcsize("3i")
        pid, _, _ = struct.unpack("3i", self._line.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, size))
        if pid > 1:
            with contextlib.suppress(OSError):
                os.kill(pid, signal.SIGKILL)

    def _say(self, what: bytes) -> None:
        with contextlib.suppress(OSError):
            self._line.sendall(what)
