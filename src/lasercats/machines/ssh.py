"""`ssh://user@host:port`: a host by SSH, with the operator's own `~/.ssh/config`, agent and known hosts."""

import asyncio
import contextlib
import os
import shlex
import socket
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

from lasercats.core.errors import BadInput, MachineError, OtherMachine, Unreachable
from lasercats.core.identity import fact
from lasercats.core.ports import Vault
from lasercats.machines.hearing import Hearing
from lasercats.machines.host import SILENCE, HostMachine
from lasercats.machines.shell import ending
from lasercats.machines.url import Url, parse

if TYPE_CHECKING:
    import asyncssh

OPTIONS = ("timeout", "connect_timeout", "sudo", "config", "identity", "known_hosts")
PATIENCE = 2.0
"""Seconds that a shell that is given up may take to end."""

_SHELL = "/bin/sh -s lasercats"
_GUARD = b"""\
[ "$1" = lasercats ] || echo 'the login shell or a forced command started another than it was told'
[ "$1" = lasercats ] || exit 64
"""
"""Has a shell end that was started without our word: it is not the one that we asked for, or without sudo."""


class SshMachine(HostMachine):
    """A host reached by SSH; one connection, one channel a batch."""

    def __init__(self, name: str, url: Url, vault: Vault) -> None:
        """Bind a machine's name to an SSH URL; nothing connects yet."""
        sudo = url.options.get("sudo") == "true"
        super().__init__(name, vault, url.seconds("timeout", SILENCE), sudo=sudo)
        self._url = url
        self._connection: asyncssh.SSHClientConnection | None = None
        self._connect_timeout = url.seconds("connect_timeout", 10)
        self._command = f"exec sudo -n {_SHELL}" if sudo else f"exec {_SHELL}"

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

    async def pipe(self, script: bytes, hearing: Hearing) -> int | None:
        """Run a shell over a channel of the connection.

        The login shell may be any: sh, csh and fish understand these words alike. One that is told to start
        another in its startup files would have that one read our script: it is told, and nothing is run.
        """
        import asyncssh  # noqa: PLC0415 - heavy; only when a host is really spoken to

        from lasercats.machines.ssh_channel import Ear  # noqa: PLC0415 - see above

        connection = self._connection or await self._connect()
        ear, channel = Ear(_GUARD + script, hearing), None
        async with hearing:
            try:
                with _acknowledging(connection.get_extra_info("socket")):
                    channel, _ = await connection.create_session(lambda: ear, self._command, encoding=None)
            except (OSError, asyncssh.Error) as error:
                raise self._unreachable(f"the channel was refused: {_said(error)}") from None
            await ear.closed
            if channel.get_exit_status() is not None:
                return channel.get_exit_status()
            if channel.get_exit_signal() is not None:
                return 128
        await self._give_up(channel, hearing)
        return None

    async def _give_up(self, channel: "asyncssh.SSHClientChannel[bytes] | None", hearing: Hearing) -> None:
        """End what runs on a channel, then leave it, and the connection with it.

        It is asked by a channel of its own, as OpenSSH hands on no signal where root logs in.
        """
        import asyncssh  # noqa: PLC0415 - see above

        connection, self._connection = self._connection, None
        if connection is None:
            return
        with contextlib.suppress(OSError, asyncssh.Error, TimeoutError):
            async with asyncio.timeout(PATIENCE):
                if channel is not None and hearing.pid is not None:
                    channel.pause_reading()
                    await connection.run(self._command, input=ending(hearing.pid), encoding=None)
        connection.abort()

    async def close(self) -> None:
        """Disconnect."""
        if self._connection is not None:
            self._connection.close()
            await self._connection.wait_closed()
            self._connection = None

    async def _connect(self) -> "asyncssh.SSHClientConnection":
        import asyncssh  # noqa: PLC0415 - see above

        from lasercats.machines.ssh_channel import Doorkeeper  # noqa: PLC0415 - see above

        door = Doorkeeper()
        try:
            async with asyncio.timeout(self._connect_timeout):
                host = self._url.host or ""
                given = self._options()
                options = asyncssh.SSHClientConnectionOptions(host=host, **given)
                if options.known_hosts is None:
                    # `UserKnownHostsFile none`: asyncssh would take any key, OpenSSH then knows no host.
                    given["known_hosts"] = _nobody
                    options = asyncssh.SSHClientConnectionOptions(host=host, **given)
                self._connection, _ = await asyncssh.create_connection(lambda: door, host, options=options)
        except TimeoutError:
            raise self._unreachable(f"no answer within {self._connect_timeout:g} s") from None
        except asyncssh.HostKeyNotVerifiable as error:
            known = None if door.refused is None else door.has_others(options)
            raise self._unreachable(self._key_trouble(str(error), known=known)) from None
        except asyncssh.KeyExchangeFailed as error:
            if "host key" not in str(error):
                raise self._unreachable(str(error)) from None
            raise self._unreachable(self._key_trouble(str(error), known=True)) from None
        except asyncssh.PermissionDenied:
            raise self._unreachable("it lets this user in with none of the keys at hand") from None
        except (OSError, asyncssh.Error) as error:
            raise self._unreachable(_said(error)) from None
        except (ValueError, KeyError) as error:
            raise MachineError(f"machine {self.name}: the SSH configuration is bad: {error}") from None
        await self._meet()
        assert self._connection is not None  # noqa: S101 - just made
        return self._connection

    async def _meet(self) -> None:
        """Tell by which key the host is known; it has one of each sort, so the sort names the fact."""
        key = None if self._connection is None else self._connection.get_server_host_key()
        if key is not None:
            try:
                self.who.meet({fact(key.get_algorithm()): fact(key.get_fingerprint())})
            except OtherMachine:
                await self.close()
                raise

    def _key_trouble(self, error: str, *, known: bool | None) -> str:
        """Tell a host of which no key is known from one that has another key than the known ones."""
        url = self._url
        port = f" -p {url.port}" if url.port else ""
        if known is None:
            return f"its host key is not to be trusted ({error}); check it, then update known_hosts"
        if not known:
            return (
                "its host key is unknown: known_hosts holds none of it; connect once with "
                f"`ssh{port} {url.host}`, and compare the fingerprint before you accept it"
            )
        name = url.host if url.port in (None, 22) else f"[{url.host}]:{url.port}"
        return (
            "its host key has changed: it is not the known one, and somebody may be in between; find out "
            f"why, then forget the old one with `ssh-keygen -R '{name}'`"
        )

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
        host = f"[{url.host}]" if ":" in (url.host or "") and url.port else url.host
        where = f"{host}:{url.port}" if url.port else host
        return Unreachable(f"machine {self.name} ({where}) cannot be reached: {why}", subject=self.name)


def _said(error: Exception) -> str:
    """Return what went wrong in words, without a number that stands for them."""
    if not isinstance(error, OSError) or error.errno is None:
        return str(error) or type(error).__name__
    text = os.strerror(error.errno) if error.errno > 0 else str(error.strerror)  # names have numbers below 0
    return f"{error.filename}: {text}" if error.filename else text


def _nobody(_host: str, _address: str, _port: int | None) -> Any:  # noqa: ANN401 - as asyncssh wants it
    return [], [], []


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
