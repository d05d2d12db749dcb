"""A bridge of Open vSwitch, by its real database server and switch daemon."""

import asyncio
import contextlib
import select
import socket
import threading
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import pytest

from lasercats.core.errors import BadInput, MachineError
from lasercats.core.instruction import Failure, Instruction, Item
from lasercats.core.ports import Machine
from lasercats.instructions.switch import Look, Settings
from lasercats.machines.ovsdb import OvsdbMachine
from lasercats.machines.shell import OVER
from lasercats.machines.vault import KeyVault
from lasercats.testing.ovs import OvsLab, sign, why_not
from lasercats.testing.peers import need
from lasercats.testing.switches import SwitchContract, port

PORTS = tuple(f"eth{n}" for n in range(1, 9))


@pytest.fixture(scope="module")
def lab() -> Iterator[OvsLab]:
    """Run Open vSwitch."""
    need(why_not())
    with OvsLab() as started:
        yield started


def connected(url: str) -> OvsdbMachine:
    """Return a machine for a URL."""
    return OvsdbMachine("m", OvsdbMachine.check_url(url), KeyVault(Path("/nowhere")))


class TestByTcp(SwitchContract):
    """The contract, by TCP."""

    ports = PORTS

    @pytest.fixture(autouse=True)
    def _switch(self, lab: OvsLab) -> Iterator[None]:
        lab.add_switch("sw1", self.ports)
        self.url = f"{lab.url}?bridge=sw1"
        yield
        lab.remove_switch("sw1")

    def connect(self) -> Machine:
        """Return the machine."""
        return connected(self.url)


class TestBySocket(TestByTcp):
    """The contract, by the socket of the server, where its only bridge need not be named."""

    @pytest.fixture(autouse=True)
    def _switch(self, lab: OvsLab) -> Iterator[None]:
        lab.add_switch("sw1", self.ports)
        self.url = lab.socket_url
        yield
        lab.remove_switch("sw1")


class TestByTls(TestByTcp):
    """The contract, by TLS with certificates on both sides."""

    @pytest.fixture(autouse=True)
    def _switch(self, lab: OvsLab) -> Iterator[None]:
        lab.add_switch("sw1", self.ports)
        self.url = f"{lab.tls_url}&bridge=sw1"
        yield
        lab.remove_switch("sw1")

    def test_who_is_not_trusted(self, lab: OvsLab, tmp_path: Path) -> None:
        """A server that somebody else signed is not spoken to, a client neither; a missing file is named."""
        sign(tmp_path, ("client",))
        own, other = str(lab.folder), str(tmp_path)
        for url, said in (
            (self.url.replace(f"ca={own}", f"ca={other}"), "certificate is not trusted|cannot be reached"),
            (self.url.replace(f"cert={own}", f"cert={other}"), "cannot be used|cannot be reached"),
            (
                self.url.replace(f"key={own}", f"key={other}").replace(f"cert={own}", f"cert={other}"),
                "went away|cannot be reached",
            ),
            (self.url.replace("client.pem", "nothing.pem"), "nothing.pem cannot be used: No such file"),
        ):
            with pytest.raises(MachineError, match=said):
                TestFaults().run(connected(url), [Look(machine="m", what="port", name="eth1")])


class Cutting:
    """A way to the server that is cut at some request, before the server hears of it or after it answered."""

    def __init__(self, port: int, *, cut: bytes, answered: bool) -> None:
        """Cut when a request holds these bytes: after the server `answered`, or before it hears of it."""
        self._to, self._cut, self._answered = port, cut, answered
        self._listening = socket.create_server(("127.0.0.1", 0))
        self.port = self._listening.getsockname()[1]
        self._thread = threading.Thread(target=self._serve, daemon=True)
        self._thread.start()

    def close(self) -> None:
        """Stop."""
        self._listening.close()

    def _serve(self) -> None:
        with contextlib.suppress(OSError):
            while True:
                client, _ = self._listening.accept()
                threading.Thread(target=self._carry, args=(client,), daemon=True).start()

    def _carry(self, client: socket.socket) -> None:
        with client, socket.create_connection(("127.0.0.1", self._to)) as server:
            while True:
                ready, _, _ = select.select([client, server], [], [])
                if client in ready:
                    data = client.recv(1 << 20)
                    cut = self._cut in data
                    if not data or (cut and not self._answered):
                        return
                    server.sendall(data)
                    if cut:
                        server.recv(1 << 20)
                        return
                if server in ready:
                    data = server.recv(1 << 20)
                    if not data:
                        return
                    client.sendall(data)


class TestFaults:
    """What goes wrong is told, and the switch is changed as a whole or not at all."""

    @pytest.fixture(autouse=True)
    def _switch(self, lab: OvsLab) -> Iterator[None]:
        lab.add_switch("sw1", PORTS)
        self.lab, self.url = lab, f"{lab.url}?bridge=sw1"
        yield
        lab.remove_switch("sw1")

    def run(self, machine: OvsdbMachine, *batches: Sequence[Instruction]) -> list[Any]:
        """Run batches on one connection."""

        async def whole() -> list[Any]:
            try:
                return [await machine.run(tuple(Item(i) for i in batch)) for batch in batches]
            finally:
                await machine.close()

        return asyncio.run(whole())

    def tag(self, name: str) -> str:
        """Return the tag of a port as ovs-vsctl tells it."""
        return self.lab.vsctl("get", "Port", name, "tag")

    def access(self, *names: str) -> list[Instruction]:
        """Let ports be in VLAN 1."""
        desired = Settings(mode="access", vlan=1)
        return [port(name, Settings(mode="trunk"), desired) for name in names]

    @pytest.mark.parametrize(
        ("theirs", "said"),
        [
            (("set", "Port", "eth1", "tag=7", "vlan_mode=access"), "port eth1 changed meanwhile: mode"),
            (("del-port", "sw1", "eth1"), "there is no port eth1"),
        ],
    )
    def test_a_concurrent_change_is_not_overwritten(self, theirs: tuple[str, ...], said: str) -> None:
        """What somebody changes between our look and our transaction makes that fail as a whole."""

        async def whole() -> tuple[Any, int]:
            machine = connected(self.url)
            await machine.run((Item(Look(machine="m", what="port", name="eth1")),))
            self.lab.vsctl(*theirs)
            outcomes = await machine.run(tuple(Item(i) for i in self.access("eth1", "eth2")))
            await machine.close()
            return outcomes, machine.trips

        outcomes, trips = asyncio.run(whole())
        assert said in outcomes[0].reason
        assert outcomes[1].reason.startswith("not done, because the batch failed: eth1")
        assert self.tag("eth2") == "[]"
        assert trips == 3  # the look, the transaction that waited in vain, and another look

    def test_what_does_not_concern_us_is_no_conflict(self) -> None:
        """A change of somebody else elsewhere, and one that only touches the same row, are let be."""

        async def whole() -> Any:  # noqa: ANN401
            machine = connected(self.url)
            await machine.run((Item(Look(machine="m", what="port", name="eth1")),))
            self.lab.vsctl(
                "set", "Port", "eth3", "tag=7", "--", "set", "Interface", "eth1", "external_ids:x=y"
            )
            change = port("eth1", Settings(), Settings(description="ours"))
            outcomes = await machine.run((Item(change),))
            await machine.close()
            return outcomes

        (seen,) = asyncio.run(whole())
        assert seen.settings.description == "ours"
        assert self.tag("eth3") == "7"
        assert "x=y" in self.lab.vsctl("get", "Interface", "eth1", "external_ids")

    @pytest.mark.parametrize(("answered", "tag"), [(True, "1"), (False, "[]")])
    def test_a_connection_that_is_lost_in_the_middle(self, answered: bool, tag: str) -> None:
        """Nobody knows what became of it, and a look tells."""
        way = Cutting(self.lab.port, cut=b'"commit"', answered=answered)
        try:
            machine = connected(f"ovsdb://127.0.0.1:{way.port}?bridge=sw1")
            (outcomes,) = self.run(machine, self.access("eth1", "eth2"))
            assert all(outcome.in_doubt for outcome in outcomes)
            assert self.tag("eth1") == self.tag("eth2") == tag
        finally:
            way.close()

    def test_a_lost_connection_is_made_anew_for_a_look(self) -> None:
        """A server that was started anew between two batches is looked at as if nothing had been."""
        look = [Look(machine="m", what="port", name="eth1")]

        async def whole() -> Any:  # noqa: ANN401
            machine = connected(self.url)
            await machine.run(tuple(Item(i) for i in look))
            self.lab.stop_server()
            self.lab.start_server()
            outcomes = await machine.run(tuple(Item(i) for i in look))
            await machine.close()
            return outcomes

        (seen,) = asyncio.run(whole())
        assert seen.settings.enabled

    def test_a_daemon_that_stands_still(self) -> None:
        """What is in the database and not applied is told as a problem, and is so."""
        self.lab.pause_daemon()
        try:
            ((seen,),) = self.run(connected(f"{self.url}&apply=0.2"), self.access("eth1"))
        finally:
            self.lab.resume_daemon()
        assert "ovs-vswitchd has not applied it in 0.2 s" in seen.problem
        assert seen.settings.mode == "access"

    def test_a_port_that_there_is_no_device_for(self) -> None:
        """What Open vSwitch says of a port that it cannot open is told."""
        ((seen,),) = self.run(connected(self.url), [port("p" * 20, None, Settings(type="nonsense"))])
        assert "Open vSwitch says" in seen.problem

    def test_what_the_database_refuses(self) -> None:
        """A transaction that breaks a rule of the database fails as a whole, with its words."""
        self.lab.add_switch("sw2", ("other",))
        try:
            changes = [*self.access("eth1"), port("other", None, Settings(type="dummy"))]
            (outcomes,) = self.run(connected(self.url), changes)
        finally:
            self.lab.remove_switch("sw2")
        assert all("constraint violation" in outcome.reason for outcome in outcomes)
        assert self.tag("eth1") == "[]"

    @pytest.mark.parametrize(
        ("url", "said"),
        [
            ("ovsdb://127.0.0.1:1?bridge=sw1", "cannot be reached: connection refused"),
            ("ovsdb:///nowhere/db.sock?bridge=sw1", "cannot be reached: no such file"),
            ("{url}?bridge=nope", "it has no bridge 'nope', but sw1"),
        ],
    )
    def test_what_cannot_be_used(self, url: str, said: str) -> None:
        """A server that is not there, or has no such bridge, is told of."""
        machine = connected(url.format(url=self.lab.url))
        with pytest.raises(MachineError, match=said):
            self.run(machine, self.access("eth1"))

    def test_several_bridges_and_none_named(self) -> None:
        """Which of several bridges is meant must be said."""
        self.lab.add_switch("sw2", ())
        try:
            with pytest.raises(MachineError, match=r"2 bridges \(sw1, sw2\); name one by \?bridge=NAME"):
                self.run(connected(self.lab.url), self.access("eth1"))
        finally:
            self.lab.remove_switch("sw2")

    @pytest.mark.parametrize(
        "url",
        [
            "ovsdb:",
            "ovsdb://",
            "ovsdb://h/x",
            "ovsdb://me@h",
            "ovsdb://h?apply=x",
            "ovsdb://h?x=1",
            "ovsdb://h?key=k&ca=c",
        ],
    )
    def test_bad_urls(self, url: str) -> None:
        """A URL that names no server, or more than one, is refused."""
        with pytest.raises(BadInput):
            OvsdbMachine.check_url(url)


def test_what_is_in_use_but_not_told_of_stays(lab: OvsLab) -> None:
    """A VLAN that was only there by a port stays known when the port leaves it."""
    lab.add_switch("sw1", ("eth1",))
    try:
        lab.vsctl("set", "Port", "eth1", "tag=42")
        look = Look(machine="m", what="vlan", name="42")
        TestFaults().run(
            connected(lab.url), [port("eth1", Settings(vlan=42), Settings(mode="trunk"))], [look]
        )
        ((seen,),) = TestFaults().run(connected(lab.url), [look])
        assert seen.settings == Settings(name="VLAN0042")
    finally:
        lab.remove_switch("sw1")


def test_foreign_modes_are_let_be(lab: OvsLab) -> None:
    """A port of a mode that is not managed keeps it when something else of it is changed."""
    lab.add_switch("sw1", ("eth1",))
    try:
        lab.vsctl("set", "Port", "eth1", "tag=42", "vlan_mode=native-tagged")
        change = port("eth1", Settings(), Settings(description="x"))
        ((seen,),) = TestFaults().run(connected(lab.url), [change])
        assert (seen.settings.mode, seen.settings.native) == ("native-tagged", 42)
        assert lab.vsctl("get", "Port", "eth1", "vlan_mode") == "native-tagged"
    finally:
        lab.remove_switch("sw1")


def test_what_was_judged_is_not_done_any_more(lab: OvsLab) -> None:
    """A transaction that the server comes to after its batch was judged changes nothing; another is done."""
    lab.add_switch("judged", ("eth1",))
    one, two = (connected(f"{lab.url}?bridge=judged") for _ in range(2))
    items = (Item(port("eth1", Settings(description=""), Settings(description="late"))),)

    async def work() -> None:
        try:
            assert await two.resolve(items, "token-1") == [None]
            assert await one.run(items, None, "token-1") == [Failure(reason=OVER)]
            (seen,) = await two.run((Item(Look(machine="m", what="port", name="eth1")),))
            assert seen.settings.description == ""
            (done,) = await one.run(items, None, "token-2")
            assert done.settings.description == "late"
        finally:
            await one.close()
            await two.close()

    asyncio.run(work())
    lab.remove_switch("judged")
