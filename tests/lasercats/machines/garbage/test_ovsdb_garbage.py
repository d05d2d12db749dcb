"""A server of OVSDB that answers anything: our own errors, in time, and nobody else suffers."""

import contextlib
import json
import socket
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from random import Random
from typing import Any

import pytest

from lasercats.core.errors import MachineError
from lasercats.core.instruction import Failure
from lasercats.instructions.switch import Seen, Settings
from lasercats.machines import ovsdb_client
from lasercats.machines.ovsdb import OvsdbMachine
from lasercats.testing.garbage import cut, spoiled
from lasercats.testing.switches import port
from tests.lasercats.machines.garbage.common import CHANGES, judged
from tests.lasercats.machines.napalm.common import Vault

LIMIT = 200_000


def _uuid(n: int) -> list[str]:
    return ["uuid", f"00000000-0000-0000-0000-{n:012}"]


def _interface(n: int, name: str) -> dict[str, Any]:
    none: list[Any] = ["set", []]
    empty: list[Any] = ["map", []]
    return {
        "_uuid": _uuid(n),
        "name": name,
        "type": "dummy",
        "mtu": 1500,
        "mtu_request": none,
        "external_ids": ["map", [["description", f"to {name}"]]],
        "link_state": "up",
        "error": none,
        "mac_in_use": "aa:00:00:00:00:01",
        "options": empty,
        "other_config": empty,
        "mac": none,
        "ingress_policing_rate": 0,
        "ingress_policing_burst": 0,
        "ofport_request": none,
    }


def _port(n: int, name: str, held: list[int]) -> dict[str, Any]:
    none: list[Any] = ["set", []]
    return {
        "_uuid": _uuid(n),
        "name": name,
        "interfaces": ["set", [_uuid(one) for one in held]],
        "tag": none,
        "trunks": ["set", [0, 10, 20]],
        "vlan_mode": none,
        "lacp": none,
        "bond_mode": none,
        "external_ids": ["map", []],
        "other_config": ["map", []],
        "qos": none,
    }


GOOD: list[dict[str, Any]] = [
    {
        "rows": [
            {
                "_uuid": _uuid(1),
                "name": "sw1",
                "ports": ["set", [_uuid(11), _uuid(12), _uuid(13)]],
                "external_ids": ["map", [["lasercats-vlan-20", "web servers/DMZ"]]],
            }
        ]
    },
    {"rows": [_port(11, "eth1", [21]), _port(12, "eth2", [22]), _port(13, "bond0", [23, 24])]},
    {"rows": [_interface(20 + n, f"eth{n}") for n in range(1, 5)]},
    {"rows": [{"_uuid": _uuid(2), "external_ids": ["map", [["system-id", "lab"]]]}]},
]


class FakeOvsdb:
    """A server that answers each request with what a function makes of it, in any number of parts."""

    def __init__(self, folder: Path, answer: Callable[[dict[str, Any]], Iterator[bytes]]) -> None:
        self.path, self._answer = folder / "db.sock", answer
        self._listening = socket.socket(socket.AF_UNIX)
        self._listening.bind(str(self.path))
        self._listening.listen(8)
        threading.Thread(target=self._serve, daemon=True).start()

    def machine(self, options: str = "timeout=5&apply=0") -> OvsdbMachine:
        return OvsdbMachine("m", OvsdbMachine.check_url(f"ovsdb://{self.path}?{options}"), Vault())

    def _serve(self) -> None:
        with contextlib.suppress(OSError):
            while True:
                peer, _ = self._listening.accept()
                threading.Thread(target=self._talk, args=(peer,), daemon=True).start()

    def _talk(self, peer: socket.socket) -> None:
        decoder, text = json.JSONDecoder(), ""
        with peer, contextlib.suppress(OSError):
            while data := peer.recv(65536):
                text += data.decode()
                with contextlib.suppress(ValueError):
                    request, end = decoder.raw_decode(text)
                    text = text[end:]
                    for part in self._answer(request):
                        peer.sendall(part)

    def close(self) -> None:
        self._listening.close()


@contextlib.contextmanager
def ovsdb(folder: Path, answer: Callable[[dict[str, Any]], Iterator[bytes]]) -> Iterator[FakeOvsdb]:
    """Run such a server."""
    server = FakeOvsdb(folder, answer)
    try:
        yield server
    finally:
        server.close()


def _results(request: dict[str, Any]) -> list[dict[str, Any]]:
    operations = request["params"][1:]
    if len(operations) == len(GOOD):
        return json.loads(json.dumps(GOOD))  # type: ignore[no-any-return]
    results: list[dict[str, Any]] = [{} for _ in operations]
    results[-2] = {"rows": [{"next_cfg": 7}]}
    return results


def reply(request: dict[str, Any], result: object) -> bytes:
    """Return a reply of JSON-RPC."""
    return json.dumps({"id": request["id"], "result": result, "error": None}).encode()


def test_a_good_answer_is_understood(tmp_path: Path) -> None:
    """The server of these tests is one that is read, when it is not spoiled."""
    with ovsdb(tmp_path, lambda request: iter([reply(request, _results(request))])) as server:
        outcomes = judged(server.machine())
    assert isinstance(outcomes, list)
    assert all(isinstance(one, Seen) and one.settings for one in outcomes[:-1])


@pytest.mark.parametrize("seed", range(60))
def test_ovsdb_answers_of_wrong_values(tmp_path: Path, seed: int) -> None:
    """Values of any type in place of others fail for what they are about, or for the switc."""
    random = Random(seed)  # noqa: S311 - a seed makes it the same again
    with ovsdb(
        tmp_path, lambda request: iter([reply(request, spoiled(_results(request), random))])
    ) as server:
        judged(server.machine())
        judged(server.machine(), CHANGES)


@pytest.mark.parametrize("seed", range(25))
def test_ovsdb_answers_that_are_none(tmp_path: Path, seed: int) -> None:
    """An answer that is cut, doubled, in another order or garbage ends in our own error, in time."""
    random = Random(seed)  # noqa: S311 - as above

    def answer(request: dict[str, Any]) -> Iterator[bytes]:
        yield cut(reply(request, _results(request)), random)

    with ovsdb(tmp_path, answer) as server:
        judged(server.machine("timeout=0.3&apply=0"))
        judged(server.machine("timeout=0.3&apply=0"), CHANGES)


BEGUN = b'{"id":0,"result":['
ENDLESS = {
    "an array": (BEGUN, b"1," * 50_000, "larger than"),
    "a text": (BEGUN + b'"', b"x" * 100_000, "larger than"),
    "depth": (BEGUN, b"[" * 100_000, "none of OVSDB"),
    "others": (b"", b'{"id":"else","result":[],"error":null}' * 3000, "larger than"),
    "no UTF-8": (BEGUN, b'"\xff\xfe', "no UTF-8"),
    "no JSON": (b"", b"<html>", "none of OVSDB"),
}


@pytest.mark.parametrize("what", ENDLESS)
def test_ovsdb_answers_without_an_end(tmp_path: Path, what: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """An answer that never ends is given up: it is too large, or takes too long."""
    monkeypatch.setattr(ovsdb_client, "MOST", LIMIT)

    begun, more, words = ENDLESS[what]

    def answer(_request: dict[str, Any]) -> Iterator[bytes]:
        yield begun
        while True:
            yield more

    with ovsdb(tmp_path, answer) as server:
        error = judged(server.machine("timeout=5&apply=0"))
    assert isinstance(error, MachineError)
    assert words in str(error)


@pytest.mark.parametrize("pause", [0.01, 60])
def test_ovsdb_answers_that_take_for_ever(tmp_path: Path, pause: float) -> None:
    """An answer of which a little comes again and again, or nothing, is given up after the time for it."""
    go_on = threading.Event()

    def answer(_request: dict[str, Any]) -> Iterator[bytes]:
        yield BEGUN
        while not go_on.wait(pause):
            yield b"1,"

    with ovsdb(tmp_path, answer) as server:
        error = judged(server.machine("timeout=0.3&apply=0"))
    go_on.set()
    assert "no answer within 0.3 s" in str(error)


def test_one_port_that_makes_no_sense(tmp_path: Path) -> None:
    """What cannot be understood fails for itself with the reason, and is left out of what is adopted."""

    def answer(request: dict[str, Any]) -> Iterator[bytes]:
        results = _results(request)
        if "rows" in results[0]:
            results[1]["rows"][1]["tag"] = "twenty"
        yield reply(request, results)

    with ovsdb(tmp_path, answer) as server:
        outcomes = judged(server.machine())
        assert isinstance(outcomes, list)
        one, odd, *others, surveyed = outcomes
        assert isinstance(odd, Failure)
        assert "makes no sense" in odd.reason
        assert all(isinstance(seen, Seen) and seen.settings for seen in (one, *others))
        assert "port eth2" in surveyed.strange
        assert "eth2" not in surveyed.ports
        (changed,) = judged(server.machine(), CHANGES) or []  # type: ignore[misc]
        assert isinstance(changed, Seen)
        refused = judged(server.machine(), (port("eth2", Settings(), Settings(description="x")),))
        assert isinstance(refused, list)
        assert "makes no sense" in refused[0].reason
