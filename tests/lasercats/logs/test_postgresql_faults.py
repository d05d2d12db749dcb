"""A connection or a server that goes away loses nothing, and doubles nothing."""

import json
import socket
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from urllib.parse import quote

import pytest
from msgspec.structs import replace

from lasercats.core.address import Address
from lasercats.core.record import Ended
from lasercats.logs.postgresql import PostgresqlLog
from lasercats.testing.logs import A, B, accepted, event, forked, joined
from lasercats.testing.postgresql import Server

Make = Callable[..., PostgresqlLog]


class Cutting:
    """A way to a server that passes on all that is said, and may cut a connection before an answer comes."""

    def __init__(self, server: Server, folder: Path) -> None:
        """Listen in a folder."""
        self.folder, self.cuts = folder, 0
        self._there = f"{server.folder}/.s.PGSQL.{server.port}"
        self._listener = socket.socket(socket.AF_UNIX)
        self._listener.bind(f"{folder}/.s.PGSQL.{server.port}")
        self._listener.listen()
        threading.Thread(target=self._accept, daemon=True).start()

    def _accept(self) -> None:
        with suppress(OSError):
            while True:
                client, _ = self._listener.accept()
                server = socket.socket(socket.AF_UNIX)
                server.connect(self._there)
                threading.Thread(target=self._pass, args=(client, server, False), daemon=True).start()
                threading.Thread(target=self._pass, args=(server, client, True), daemon=True).start()

    def _pass(self, one: socket.socket, other: socket.socket, answers: bool) -> None:
        with suppress(OSError):
            while data := one.recv(65536):
                if answers and self.cuts and any(name in data for name in (b"first", b"take")):  # its columns
                    self.cuts -= 1
                    break
                other.sendall(data)
        for end in (one, other):
            with suppress(OSError):
                end.shutdown(socket.SHUT_RDWR)
            end.close()

    def close(self) -> None:
        """Listen no more."""
        self._listener.close()


def test_an_append_whose_answer_is_lost_is_done_once(
    postgresql: Server, make: Make, schema: str, tmp_path: Path
) -> None:
    """Where the connection ends when the server did it, the append is repeated, and done once."""
    make()
    way = Cutting(postgresql, tmp_path)
    log = PostgresqlLog(
        postgresql.url().replace(quote(str(postgresql.folder), safe=""), quote(str(tmp_path), safe="")),
        schema,
    )
    try:
        way.cuts = 2
        assert log.append([accepted("one"), event(B)], run="one", holder="me") == 1
        assert (way.cuts, log.head()) == (0, 2)
        way.cuts = 1
        assert log.append([replace(event(), command=1)], run="one", expect={A: 0}) == 3
        way.cuts = 1
        log.take("one", "me too", over=log.leases()["one"].token)
        assert (way.cuts, log.leases()["one"].token) == (0, 2)
        way.cuts = 1
        assert log.append([Ended(command=1, status="done")], run="one") == 4
        assert (way.cuts, log.head(), log.leases(), log.open()) == (0, 4, {}, {})
        assert log.check_chain() == 4
    finally:
        log.close()
        way.close()


def test_a_connection_that_was_ended_is_made_again(make: Make, postgresql: Server) -> None:
    """Reads and appends go on when the server ended the session; a snapshot that was lost is told."""
    log = make()
    end = "SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity WHERE application_name = 'lasercats'"
    for n in range(3):
        postgresql.sql(end)
        assert log.append([event(content=str(n))]) == n + 1
        postgresql.sql(end)
        assert log.head() == n + 1
    reading = log.read()
    next(reading)
    postgresql.sql(end)
    assert len(list(reading)) == 2


@pytest.mark.crash
def test_a_server_that_is_killed_loses_and_doubles_nothing(tmp_path: Path) -> None:
    """Under writers in several processes, what was acknowledged is there once, where that was told."""
    server = Server(durable=True)
    try:
        PostgresqlLog(server.url(), create=True).close()

        def work(number: int) -> None:
            log, told = PostgresqlLog(server.url()), (tmp_path / str(number)).open("w", buffering=1)
            for n in range(60):
                text = f"{number}-{n}"
                first = log.append([event(Address(f"file/m:/{number}"), text), event(content=text)])
                told.write(f"{first} {text}\n")
            log.close()

        children = forked(work, 8)
        while sum(len(path.read_text().splitlines()) for path in tmp_path.iterdir()) < 100:
            time.sleep(0.005)
        server.kill()
        server.start()
        joined(children)
        log = PostgresqlLog(server.url())
        told = [line.split() for path in tmp_path.iterdir() for line in path.read_text().splitlines()]
        assert len(told) == 480
        found = {r.position: json.loads(bytes(r.entry.delta[A][1])) for r in log.read() if A in r.entry.delta}  # type: ignore[union-attr]
        assert {int(first) + 1: {"content": text} for first, text in told} == found
        assert log.check_chain() == log.head() == 960
        log.check_tables()
        log.close()
    finally:
        server.stop()
