"""`ssh://user@host:port`: a host by SSH, with the operator's own `~/.ssh/config`, agent and known hosts."""

import asyncio
import contextlib
import shlex
import socket
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

from lasercats.core.errors import BadInput, MachineError, Unreachable
from lasercats.core.ports import Vault
from lasercats.machines.host import HostMachine, Pipe
from lasercats.machines.url import Url, parse

if TYPE_CHECKING:
    import asyncssh

OPTIONS = ("timeout", "connect_timeout", "sudo", "config", "identity", "known_hosts")


class SshMachine(HostMachine):
    """A host reached by SSH; one connection, one channel a batch."""

    def __init__(self, name: str, url: Url, vault: Vault) -> None:
        """Bind a machine's name to an SSH URL; nothing connects yet."""
        super().__init__(name, vault)
        self._url = url
        self._connection: asyncssh.SSHClientConnection | None = None
        self._timeout = url.seconds("timeout", 600)
        self._connect_timeout = url.seconds("connect_timeout", 10)
        self._sudo = "sudo -n " if url.options.get("sudo") == "true" else ""

    def shell(self) -> str:
        """Return the call of `ssh` that starts a shell there."""
        port = f" -p {self._url.port}" if self._url.port else ""
        user = f"{self._url.user}@" if self._url.user else ""
        return f"ssh{port} {shlex.quote(f'{user}{self._url.host}')} /bin/sh -s"

    @staticmethod
    def check_url(text: str) -> Url:
        """Check a URL of this scheme.

        Raises:
            BadInput: there is no host in it.

        """
        url = parse(text, OPTIONS)
        if not url.host:
            raise BadInput(f"{text!r} names no host; write ssh://user@host:port")
        return url

    async def pipe(self, command: str, script: bytes, receive: Pipe) -> int | None:
        """Run a command over a channel of the connection."""
        import asyncssh  # noqa: PLC0415 - heavy; only when a host is really spoken to

        connection = self._connection or await self._connect()
        if self._sudo:
            command = f"{self._sudo}/bin/sh -c {shlex.quote(command)}"
        try:
            with _acknowledging(connection.get_extra_info("socket")):
                process = await connection.create_process(
                    command, encoding=None, stderr=asyncssh.STDOUT, stdin=asyncssh.PIPE
                )
        except (OSError, asyncssh.Error) as error:
            raise self._unreachable(f"the channel was refused: {error}") from None
        try:
            async with asyncio.timeout(self._timeout):
                process.stdin.write(script)
                process.stdin.write_eof()
                while data := await process.stdout.read(65536):
                    receive(data)
                done = await process.wait()
        except (TimeoutError, OSError, asyncssh.Error):
            connection.abort()
            self._connection = None
            return None
        if done.exit_signal:
            return 128
        return done.exit_status

    async def close(self) -> None:
        """Disconnect."""
        if self._connection is not None:
            self._connection.close()
            await self._connection.wait_closed()
            self._connection = None

    async def _connect(self) -> "asyncssh.SSHClientConnection":
        import asyncssh  # noqa: PLC0415 - see above

        try:
            async with asyncio.timeout(self._connect_timeout):
                host = self._url.host or ""
                options = self._options()
                if "known_hosts" not in options:
                    configured = asyncssh.SSHClientConnectionOptions(host=host, **options)
                    if configured.known_hosts is None:
                        # `UserKnownHostsFile none`: asyncssh would take any key, OpenSSH then knows no host.
                        options["known_hosts"] = lambda *_: ([], [], [])
                self._connection = await asyncssh.connect(host, **options)
        except TimeoutError:
            raise self._unreachable(f"no answer within {self._connect_timeout:g} s") from None
        except asyncssh.HostKeyNotVerifiable as error:
            raise self._unreachable(
                f"its host key is not the known one ({error}); check it, then update known_hosts"
            ) from None
        except asyncssh.PermissionDenied:
            raise self._unreachable("it lets this user in with none of the keys at hand") from None
        except (OSError, asyncssh.Error) as error:
            raise self._unreachable(str(error) or type(error).__name__) from None
        except (ValueError, KeyError) as error:
            raise MachineError(f"machine {self.name}: the SSH configuration is bad: {error}") from None
        return self._connection

    def _options(self) -> dict[str, Any]:
        url, options = self._url, dict[str, Any](config=())
        if url.port is not None:
            options["port"] = url.port
        if url.user is not None:
            options["username"] = url.user
        if "identity" in url.options:
            options["client_keys"] = [str(Path(url.options["identity"]).expanduser())]
        if "known_hosts" in url.options:
            options["known_hosts"] = str(Path(url.options["known_hosts"]).expanduser())
        if "config" in url.options:
            options["config"] = [str(Path(url.options["config"]).expanduser())]
        return options

    def _unreachable(self, why: str) -> Unreachable:
        url = self._url
        where = f"{url.host}:{url.port}" if url.port else url.host
        return Unreachable(f"machine {self.name} ({where}) cannot be reached: {why}")


@contextlib.contextmanager
def _acknowledging(connection: socket.socket | None) -> Iterator[None]:
    """Acknowledge at once while a channel opens; saves 40 ms on each new connection.

    OpenSSH sends two small packets after the login and turns Nagle's algorithm (RFC 896) off only when the
    session runs, so the second packet waits for our acknowledgement, which Linux delays.
    """
    if connection is None or not hasattr(socket, "TCP_QUICKACK"):
        yield
        return

    async def keep_on() -> None:
        while True:
            with contextlib.suppress(OSError):
                connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_QUICKACK, 1)
            await asyncio.sleep(0.002)

    task = asyncio.ensure_future(keep_on())
    try:
        yield
    finally:
        task.cancel()
