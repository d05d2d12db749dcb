"""`local:` the machine that LaserCats itself runs on."""

import asyncio
import contextlib
import os
import signal

from lasercats.core.errors import MachineError
from lasercats.core.ports import Vault
from lasercats.machines.host import HostMachine, Pipe
from lasercats.machines.url import Url, parse

OPTIONS = ("timeout", "sudo")


class LocalMachine(HostMachine):
    """The shell of this machine, as the user that runs LaserCats, or as root with `?sudo=true`."""

    def __init__(self, name: str, url: Url, vault: Vault) -> None:
        """Bind a machine's name to `local:`."""
        super().__init__(name, vault)
        self._timeout = url.seconds("timeout", 600)
        self._sudo = url.options.get("sudo") == "true"

    @staticmethod
    def check_url(text: str) -> Url:
        """Check a URL of this scheme."""
        return parse(text, OPTIONS)

    async def pipe(self, command: str, script: bytes, receive: Pipe) -> int | None:
        """Run a command in a new session, so that a Ctrl-C at the terminal does not reach it."""
        argv = ["sudo", "-n"] if self._sudo else []
        try:
            process = await asyncio.create_subprocess_exec(
                *argv,
                "/bin/sh",
                "-c",
                command,
                stdin=asyncio.subprocess.PIPE,
                stdout=asyncio.subprocess.PIPE,
                stderr=asyncio.subprocess.STDOUT,
                start_new_session=True,
            )
        except OSError as error:
            raise MachineError(f"machine {self.name}: no shell could be started: {error}") from None
        try:
            async with asyncio.timeout(self._timeout):
                _, status = await asyncio.gather(_feed(process, script), _drain(process, receive))
        except TimeoutError:
            await _end(process)
            return None
        return status if status >= 0 else 128 - status


async def _end(process: asyncio.subprocess.Process) -> None:
    """Ask the whole session to end, then make it, and wait for it."""
    for way, patience in ((signal.SIGTERM, 2.0), (signal.SIGKILL, None)):
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, way)
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(process.communicate(), patience)
            return


async def _feed(process: asyncio.subprocess.Process, script: bytes) -> None:
    assert process.stdin is not None  # noqa: S101 - a pipe was asked for
    with contextlib.suppress(BrokenPipeError, ConnectionResetError):
        process.stdin.write(script)
        await process.stdin.drain()
    process.stdin.close()


async def _drain(process: asyncio.subprocess.Process, receive: Pipe) -> int:
    assert process.stdout is not None  # noqa: S101 - a pipe was asked for
    while data := await process.stdout.read(65536):
        receive(data)
    return await process.wait()
