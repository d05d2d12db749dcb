"""A PostgreSQL server for tests: in a folder of its own, on a unix socket, with nothing synced to disk."""

import os
import shutil
import signal
import subprocess
import tempfile
import time
from collections.abc import Sequence
from contextlib import suppress
from itertools import count
from pathlib import Path
from urllib.parse import quote

USER = "postgres"
"""Whom the binaries run as when root starts them, which they refuse."""
_ENVIRONMENT = {"PATH": os.environ["PATH"], "LC_ALL": "C"}
_FAST = ("fsync=off", "synchronous_commit=off", "full_page_writes=off")


def binaries() -> Path | None:
    """Return the folder of the server's binaries, the newest; None where there are none."""
    found = sorted(Path("/usr/lib/postgresql").glob("*/bin/initdb"), key=lambda path: int(path.parts[-3]))
    on_path = shutil.which("initdb")
    return found[-1].parent if found else Path(on_path).parent if on_path else None


def unavailable() -> str | None:
    """Return why there can be no server here; None where there can."""
    if binaries() is None:
        return "PostgreSQL is not installed (apt-get install postgresql)"
    try:
        import psycopg  # noqa: F401, PLC0415 - it need not be there
    except ImportError:
        return "psycopg is not installed (pip install 'lasercats[postgresql]')"
    return None


class Server:
    """A server, and databases on it."""

    def __init__(
        self,
        *,
        durable: bool = False,
        port: int = 5432,
        settings: Sequence[str] = (),
        listen: str = "",
        above: Path | None = None,
    ) -> None:
        """Make a cluster, in a folder if one is given, and start it; a `durable` one syncs commits."""
        self.folder = Path(tempfile.mkdtemp(prefix="lc-postgresql-", dir=above))
        self.port = port
        self._settings = (f"listen_addresses={listen}", *settings, *(() if durable else _FAST))
        self.owner = USER if os.geteuid() == 0 else os.geteuid()
        """Whose process it is, by name or number."""
        self._numbers = count(1)
        if os.geteuid() == 0:
            shutil.chown(self.folder, USER, USER)
        self.folder.chmod(0o755)
        self._tool(
            "initdb", "-D", self._data, "-A", "trust", "-U", "lab", "--no-sync", "--no-locale", "-E", "UTF8"
        )
        self.start()

    @property
    def _data(self) -> str:
        return f"{self.folder}/data"

    def url(self, database: str = "postgres", user: str = "lab", **more: str) -> str:
        """Return the URL of a database."""
        rest = "".join(f"&{name}={quote(value)}" for name, value in more.items())
        return (
            f"postgresql://{user}@/{database}?host={quote(str(self.folder), safe='')}&port={self.port}{rest}"
        )

    def database(self) -> str:
        """Make an empty database and return its name."""
        name = f"t{next(self._numbers)}"
        self.sql(f"CREATE DATABASE {name}")
        return name

    def sql(self, text: str, database: str = "postgres") -> str:
        """Carry out SQL as the owner, with no help of ours; return what is answered, a line a row."""
        place = ("-h", str(self.folder), "-p", str(self.port), "-U", "lab", "-d", database)
        return self._tool("psql", "-XqAt", "-v", "ON_ERROR_STOP=1", *place, "-c", text).strip()

    def start(self) -> None:
        """Start it, as a child that ends with this process, and wait until it can be asked."""
        options = [
            f"-cunix_socket_directories={self.folder}",
            *(f"-c{setting}" for setting in self._settings),
        ]
        with (self.folder / "log").open("ab") as log:
            self._process = subprocess.Popen(
                [
                    *_as_user("--pdeathsig", "QUIT"),
                    _binary("postgres"),
                    "-D",
                    self._data,
                    f"-p{self.port}",
                    *options,
                ],
                cwd="/",
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                env=_ENVIRONMENT,
            )
        deadline = time.monotonic() + 60
        while True:
            try:
                self._tool("pg_isready", "-q", "-h", str(self.folder), "-p", str(self.port))
            except RuntimeError:
                told = (self.folder / "log").read_text(errors="replace")
                assert self._process.poll() is None, told
                assert time.monotonic() < deadline, told
                time.sleep(0.02)
            else:
                return

    def kill(self) -> None:
        """Kill it, with all its processes, as a crash does."""
        pid = self._process.pid
        children = Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
        for one in (pid, *map(int, children)):
            with suppress(ProcessLookupError):
                os.kill(one, signal.SIGKILL)
        self._process.wait()

    def stop(self) -> None:
        """End it at once, and remove the folder."""
        self._process.send_signal(signal.SIGQUIT)  # nothing, where it was killed
        self._process.wait()
        shutil.rmtree(self.folder, ignore_errors=True)

    def _tool(self, name: str, *arguments: str) -> str:
        """Run a tool of the server; as root, as the user that it asks for.

        Raises:
            RuntimeError: it failed.

        """
        done = subprocess.run(
            [*_as_user(), _binary(name), *arguments],
            cwd="/",
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            env=_ENVIRONMENT,
            check=False,
        )
        text = done.stdout.decode(errors="replace")
        if done.returncode:
            raise RuntimeError(f"{name}: {text}")
        return text


def _binary(name: str) -> str:
    folder = binaries()
    assert folder is not None
    return str(folder / name)


def _as_user(*options: str) -> list[str]:
    """Return what stands before a command, so that it runs as the user that the server asks for."""
    other = [f"--reuid={USER}", f"--regid={USER}", "--init-groups"] if os.geteuid() == 0 else []
    return ["setpriv", *other, *options] if other or options else []
