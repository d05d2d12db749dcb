"""The HTTP server of the proxy."""

import contextlib
import http.server
import socket
import sys
from typing import Protocol

from lasercats.testing.aws.moto import HOST
from lasercats.testing.aws.wire import Answer

_Connection = socket.socket | tuple[bytes, socket.socket]  # as socketserver types it: TCP or UDP


class Answers(Protocol):
    """Whoever answers requests."""

    def answer(self, body: bytes, headers: dict[str, str]) -> Answer | None:
        """Answer a request; None is to close its connection."""
        ...


class Web(http.server.ThreadingHTTPServer):
    """The HTTP server of a proxy: it joins its threads, and hangs up on who keeps a connection open."""

    daemon_threads = False
    request_queue_size = 128

    def __init__(self, ec2: Answers) -> None:
        self.ec2 = ec2
        self._open: set[socket.socket] = set()
        super().__init__((HOST, 0), Handler)

    def process_request(self, request: _Connection, client_address: object) -> None:
        """Remember the connection."""
        assert isinstance(request, socket.socket)
        self._open.add(request)
        super().process_request(request, client_address)

    def shutdown_request(self, request: _Connection) -> None:
        """Forget the connection."""
        assert isinstance(request, socket.socket)
        self._open.discard(request)
        super().shutdown_request(request)

    def hang_up(self) -> None:
        """Close every connection that is open."""
        for connection in self._open.copy():
            with contextlib.suppress(OSError):
                connection.shutdown(socket.SHUT_RDWR)

    def handle_error(self, request: _Connection, client_address: object) -> None:
        """Tell of errors, but not of a client that went away."""
        if not isinstance(sys.exception(), OSError):  # a client that is killed is what tests are for
            super().handle_error(request, client_address)


class Handler(http.server.BaseHTTPRequestHandler):
    """Passes the form of a request on, and the answer back."""

    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    wbufsize = -1  # head and body in one packet
    server: Web

    def do_POST(self) -> None:
        """Answer a request, or close the connection."""
        body = self.rfile.read(int(self.headers.get("Content-Length", "0")))
        kept = ("authorization", "host", "x-amz-date", "x-amz-security-token")
        answer = self.server.ec2.answer(body, {k: v for k, v in self.headers.items() if k.lower() in kept})
        if answer is None:
            self.close_connection = True
            return
        self.send_response(answer.status)
        self.send_header("Content-Type", "text/xml;charset=UTF-8")
        if answer.endless:
            self.close_connection = True
        else:
            self.send_header("Content-Length", str(len(answer.body)))
        self.end_headers()
        with contextlib.suppress(OSError):
            self.wfile.write(answer.body)
            while answer.endless:
                self.wfile.write(answer.body)

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002  # the name is http.server's
        """Keep silent."""
