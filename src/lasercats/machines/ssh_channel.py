"""Our end of an SSH connection and of its channels: who the host is, and what it prints."""

import asyncio
import contextlib
from pathlib import Path
from typing import Any

import asyncssh

from lasercats.machines.hearing import Hearing

PORT = 22


class Doorkeeper(asyncssh.SSHClient):
    """Keeps which key a host had that nobody vouches for; it is never let pass."""

    def __init__(self) -> None:
        """Nobody was turned away yet."""
        self.refused: tuple[str, str, int] | None = None
        """By which name and address, and at which port, a host was not known."""

    def validate_host_public_key(self, host: str, addr: str, port: int, key: asyncssh.SSHKey) -> bool:
        """Turn a host away whose key is not the known one."""
        self.refused = (host, addr, port)
        return False

    def has_others(self, options: asyncssh.SSHClientConnectionOptions) -> bool:
        """Tell whether another key is known of the host that was turned away."""
        known: Any = options.known_hosts
        if known is None or self.refused is None:
            return False
        if not known:
            usual = Path("~/.ssh/known_hosts").expanduser()
            known = str(usual) if usual.is_file() else b""
        host, addr, port = self.refused
        keys, authorities, *_ = asyncssh.match_known_hosts(known, host, addr, None if port == PORT else port)
        return bool(keys or authorities)


class Ear(asyncssh.SSHClientSession[bytes]):
    """Gives a script and hears the answer; `closed` is done when the channel is, or when it was too much."""

    def __init__(self, script: bytes, hearing: Hearing) -> None:
        """Take what to give, and who hears."""
        self._script, self._hearing = script, hearing
        self._channel: asyncssh.SSHClientChannel[bytes] | None = None
        self.closed: asyncio.Future[None] = asyncio.get_running_loop().create_future()

    def connection_made(self, chan: asyncssh.SSHClientChannel[bytes]) -> None:
        """Take the channel."""
        self._channel = chan

    def session_started(self) -> None:
        """Give the script, unless the shell has ended by now: that is no lost connection."""
        if self._channel is not None:
            with contextlib.suppress(BrokenPipeError):
                self._channel.write(self._script)
                self._channel.write_eof()

    def data_received(self, data: bytes, datatype: asyncssh.DataType) -> None:
        """Hear what is printed, or said on standard error."""
        if self.closed.done():
            return
        try:
            (self._hearing.out if datatype is None else self._hearing.err)(data)
        except Exception as error:
            self.closed.set_exception(error)

    def connection_lost(self, exc: Exception | None) -> None:
        """Tell that the channel is closed; its status tells whether the shell had ended."""
        if not self.closed.done():
            self.closed.set_result(None)
