"""Our end of an SSH channel: it gives a script to the shell behind it and hears what that prints."""

import asyncio
import contextlib

import asyncssh

from lasercats.machines.hearing import Hearing


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
