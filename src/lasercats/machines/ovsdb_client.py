"""A client of an OVSDB server (RFC 7047), by the `ovs` package, for use in a thread."""

import codecs
import errno
import math
import os
import ssl
import threading
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

from lasercats.core.errors import MachineError, Unreachable
from lasercats.core.text import clean
from lasercats.machines.worker import MOST

EOF = -1


class Lost(Exception):
    """Raised when the connection went away; `sent` tells whether the request may have arrived."""

    def __init__(self, reason: str, *, sent: bool) -> None:
        """Carry the reason."""
        super().__init__(reason)
        self.sent = sent


class _Bounded:
    """A stream that hands on so many bytes and for so long, and only up to the end of a character.

    The library decodes each part alone, and reads on for ever where an answer does not end.
    """

    def __init__(self, stream: Any) -> None:  # noqa: ANN401
        self._stream = stream
        self._decoder = codecs.getincrementaldecoder("utf-8")()
        self._left, self._end = MOST, math.inf

    def expect(self, end: float) -> None:
        """Begin to wait for an answer, until a time."""
        self._left, self._end = MOST, end

    def recv(self, size: int) -> tuple[int, bytes]:
        error, data = self._stream.recv(size)
        if error or not data:
            return error, data
        self._left -= len(data)
        if self._left < 0:
            return errno.EMSGSIZE, b""
        if time.monotonic() > self._end:
            return errno.ETIMEDOUT, b""
        try:
            whole = self._decoder.decode(data).encode()
        except UnicodeDecodeError:
            return errno.EILSEQ, b""
        return (error, whole) if whole else self.recv(size)

    def __getattr__(self, name: str) -> Any:  # noqa: ANN401
        return getattr(self._stream, name)


class Certificates(NamedTuple):
    """The files for TLS: our private key, our certificate, and that of who signs both sides'."""

    key: str
    cert: str
    ca: str


_OPENING = threading.Lock()
"""The library keeps the files for TLS once for all connections that it opens."""


class Client:
    """One connection."""

    def __init__(
        self,
        remote: str,
        where: str,
        timeout: float,
        connect_timeout: float,
        certificates: Certificates | None = None,
    ) -> None:
        """Connect to `tcp:HOST:PORT`, `ssl:HOST:PORT` or `unix:PATH`.

        Raises:
            Unreachable: there is no answer, or one side does not trust the other.
            MachineError: a file for TLS cannot be used.

        """
        from ovs.jsonrpc import Connection, Message  # noqa: PLC0415 - loaded where it is used

        self._where, self._timeout, self._message = where, timeout, Message
        try:
            with _OPENING:
                error, stream = _open(remote, int(connect_timeout * 1000), certificates)
        except ssl.SSLCertVerificationError as failed:
            text = f"its certificate is not trusted: {failed.verify_message}"
            raise Unreachable(f"{where} ({remote}) cannot be reached: {text}") from None
        except (OSError, ssl.SSLError) as failed:
            text = getattr(failed, "filename", None) or "a file for TLS"
            raise MachineError(f"{where}: {text} cannot be used: {failed.strerror or failed}") from None
        if error or stream is None:
            raise Unreachable(f"{where} ({remote}) cannot be reached: {_words(error)}")
        self._stream = _Bounded(stream)
        self._connection = Connection(self._stream)

    def transact(
        self, operations: Sequence[dict[str, Any]], patience: float = 0, lock: str | None = None
    ) -> list[dict[str, Any]]:
        """Return the results of a transaction; `patience` is how long it may wait by itself, in seconds.

        With a `lock` it is done only as long as nobody has stolen that (RFC 7047, 4.1.8 and 5.2.9).

        Raises:
            Lost: the connection went away.
            MachineError: the server does not have this database.

        """
        if lock is not None:  # its answer is not waited for: requests are answered in their order
            self._send("lock", [lock])
            operations = [{"op": "assert", "lock": lock}, *operations]
        results = self._asked("transact", ["Open_vSwitch", *operations], patience)
        if lock is not None:
            self._send("unlock", [lock], matters=False)
        if not isinstance(results, list) or not all(one is None or isinstance(one, dict) for one in results):
            raise Lost("its answer makes no sense: it is no list of results", sent=True)
        owned = lock is not None and results and "error" not in (results[0] or {})
        return results[1:] if owned else results

    def steal(self, lock: str) -> None:
        """Take a lock, so that no transaction that needs it is done any more.

        Raises:
            Lost: the connection went away.
            MachineError: the server knows no locks.

        """
        self._asked("steal", [lock])

    def _send(self, method: str, parameters: list[Any], *, matters: bool = True) -> Any:  # noqa: ANN401
        """Send a request, and return its id; one that does not matter may get lost."""
        request = self._message.create_request(method, parameters)
        error = self._connection.send(request)
        if error and matters:
            raise Lost(_words(error), sent=False)
        return request.id

    def _asked(self, method: str, parameters: list[Any], patience: float = 0) -> Any:  # noqa: ANN401
        """Send a request and return what is answered."""
        id_ = self._send(method, parameters)
        try:
            reply = self._reply(id_, time.monotonic() + self._timeout + patience)
        except (ValueError, TypeError, LookupError, AttributeError, ArithmeticError, RecursionError) as error:
            raise Lost(f"its answer makes no sense: {error}"[:200], sent=True) from None
        if reply.type == self._message.T_ERROR:
            raise MachineError(f"{self._where} is no Open vSwitch: {_reason(reply.error)}")
        return reply.result

    def _reply(self, id_: Any, end: float) -> Any:  # noqa: ANN401
        from ovs.poller import Poller  # noqa: PLC0415

        self._stream.expect(end)
        while True:
            self._connection.run()
            error, message = self._connection.recv()
            left = end - time.monotonic()
            if message is not None and message.id == id_ and message.type != self._message.T_REQUEST:
                return message
            if left <= 0 or error == errno.ETIMEDOUT:
                raise Lost(f"no answer within {self._timeout:g} s", sent=True)
            if message is not None:
                if message.type == self._message.T_REQUEST and message.method == "echo":
                    self._connection.send(self._message.create_reply(message.params, message.id))
                continue
            if error and error != errno.EAGAIN:
                raise Lost(_words(error), sent=True)
            poller = Poller()
            self._connection.wait(poller)
            self._connection.recv_wait(poller)
            poller.timer_wait(int(left * 1000) + 1)
            poller.block()

    def close(self) -> None:
        """Disconnect."""
        self._connection.close()


def _open(remote: str, milliseconds: int, certificates: Certificates | None) -> tuple[int, Any]:
    from ovs.stream import Stream  # noqa: PLC0415

    if certificates is not None:
        for file in certificates:  # the library does not say which of them it cannot read
            Path(file).read_bytes()
        tried = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)  # and leaves a socket open where it cannot use them
        tried.load_verify_locations(certificates.ca)
        tried.load_cert_chain(certificates.cert, certificates.key)
        Stream.ssl_set_private_key_file(certificates.key)
        Stream.ssl_set_certificate_file(certificates.cert)
        Stream.ssl_set_ca_cert_file(certificates.ca)
    opened: tuple[int, Any] = Stream.open_block(Stream.open(remote), milliseconds)
    return opened


def _reason(error: Any) -> str:  # noqa: ANN401
    text = str(error.get("details") or error.get("error")) if isinstance(error, dict) else str(error)
    return clean(text)[:200]


_NO_ANSWER = {
    EOF: "the connection was closed",
    0: "the connection was closed",
    errno.EMSGSIZE: f"its answer is larger than {MOST >> 20} MiB",
    errno.EILSEQ: "its answer is no UTF-8",
    errno.EPROTO: "its answer is none of OVSDB",
}


def _words(error: int) -> str:
    """Return a number of the library as words."""
    return _NO_ANSWER.get(error) or os.strerror(abs(error)).lower()
