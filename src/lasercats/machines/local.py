"""`local:` the machine that LaserCats itself runs on."""

import asyncio
import contextlib
import os
import signal
from collections.abc import Callable

from lasercats.core.errors import BadInput, MachineError
from lasercats.core.ports import Vault
from lasercats.machines.hearing import Hearing
from lasercats.machines.host import SILENCE, HostMachine
from lasercats.machines.url import Url, parse

OPTIONS = ("timeout", "sudo")
PATIENCE = 2.0
"""Seconds that a shell that is given up may take to end."""


class LocalMachine(HostMachine):
    """The shell of this machine, as the user that runs LaserCats, or as root with `?sudo=true`."""

    def __init__(self, name: str, url: Url, vault: Vault) -> None:
        """Bind a machine's name to `local:`."""
        sudo = url.options.get("sudo") == "true"
        super().__init__(name, vault, url.seconds("timeout", SILENCE), sudo=sudo)

    @staticmethod
    def check_url(text: str) -> Url:
        """Check a URL of this scheme.

        Raises:
            BadInput: it names a host, and would act on this one.

        """
        url = parse(text, OPTIONS)
        if url.host or url.user or url.path.strip("/"):
            raise BadInput(f"{text!r} names another host; write local: for this one, or ssh://user@host")
        return url

    async def pipe(self, script: bytes, hearing: Hearing) -> int | None:
        """Run a shell in a new session, so that a Ctrl-C at the terminal does not reach it."""
        argv = ["sudo", "-n"] if self._sudo else []
        try:
            process = await asyncio.create_subprocess_exec(
                *argv,
                "/bin/sh",
                "-s",
                stdin=asyncio.subprocess.PIPE,
                stdout=asyncio.subprocess.PIPE,
                stderr=asyncio.subprocess.PIPE,
                start_new_session=True,
            )
        except OSError as error:
            raise MachineError(f"machine {self.name}: no shell could be started: {error}") from None
        async with hearing:
            async with asyncio.TaskGroup() as tasks:
                tasks.create_task(_feed(process, script))
                tasks.create_task(_drain(process.stdout, hearing.out))
                tasks.create_task(_drain(process.stderr, hearing.err))
            status = await process.wait()
            return status if status >= 0 else 128 - status
        await _end(process)
        return None


async def _end(process: asyncio.subprocess.Process) -> None:
    """Ask the whole session to end, then make it, and wait for it; what it still prints is thrown away."""
    for way in (signal.SIGTERM, signal.SIGKILL):
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.killpg(process.pid, way)
        rest = (_drain(process.stdout, _ignore), _drain(process.stderr, _ignore), process.wait())
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(asyncio.gather(*rest), PATIENCE)
            return


def _ignore(_data: bytes) -> None:
    """Throw output away."""


async def _feed(process: asyncio.subprocess.Process, script: bytes) -> None:
    assert process.stdin is not None  # noqa: S101 - a pipe was asked for
    with contextlib.suppress(BrokenPipeError, ConnectionResetError):
        process.stdin.write(script)
        await process.stdin.drain()
    process.stdin.close()


async def _drain(stream: asyncio.StreamReader | None, receive: Callable[[bytes], None]) -> None:
    assert stream is not None  # noqa: S101 - a pipe was asked for
    while data := await stream.read(65536):
        receive(data)
