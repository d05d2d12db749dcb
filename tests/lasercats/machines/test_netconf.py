"""A switch with NETCONF, by a real server."""

import asyncio
import subprocess
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from lasercats.core.errors import BadInput, MachineError, StillWorking, Unreachable
from lasercats.core.instruction import Failure, Instruction, Item
from lasercats.core.ports import Machine
from lasercats.instructions.switch import Configure, Look, Seen, Settings
from lasercats.machines.netconf import NetconfMachine
from lasercats.machines.netconf_client import Client
from lasercats.machines.vault import KeyVault
from lasercats.testing.netconf import NetconfLab, why_not
from lasercats.testing.peers import need
from lasercats.testing.switches import SwitchContract, port, vlan

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def lab() -> Iterator[NetconfLab]:
    """Run a server."""
    need(why_not())
    with NetconfLab() as started:
        yield started


def connected(url: str) -> NetconfMachine:
    """Return a machine for a URL."""
    return NetconfMachine("m", NetconfMachine.check_url(url), KeyVault(Path("/nowhere")))


class TestNetconf(SwitchContract):
    """The contract."""

    ports = tuple(f"eth{n}" for n in range(1, 9))
    settings = Settings(description="to the café", enabled=False, mtu=9000, speed="10G")
    carries_none = False

    @pytest.fixture(autouse=True)
    def _switch(self, lab: NetconfLab) -> Iterator[None]:
        self.lab = lab
        lab.reset()
        self.machine: Machine | None = None
        with asyncio.Runner() as self.runner:
            yield
            if self.machine is not None:
                self.runner.run(self.machine.close())

    def using(self, work: Callable[[Machine], Any]) -> Any:  # noqa: ANN401
        """Work in the one session of a test: to connect takes longer than all else."""
        self.machine = self.machine or self.connect()
        return self.runner.run(work(self.machine))

    def counted(self, *items: Instruction) -> int:
        """Count the round trips of a batch in a session that is there, and knows netconfd's fault."""
        self.done(port("eth8", Settings(), Settings(description="first")))
        before = self.machine.trips if self.machine else 0
        return super().counted(*items) - before

    def connect(self) -> Machine:
        """Return the machine."""
        return connected(self.lab.url)


class TestFaults:
    """What goes wrong is told, and the switch is changed as a whole or not at all."""

    @pytest.fixture(autouse=True)
    def _switch(self, lab: NetconfLab) -> None:
        self.lab = lab
        lab.reset()

    def run(self, *items: Instruction, url: str | None = None, hold: float | None = None) -> list[Any]:
        """Run a batch in a session of its own."""

        async def whole() -> list[Any]:
            machine = connected(url or self.lab.url)
            try:
                if hold is not None:
                    assert await machine.hold("token-1", hold)
                return list(await machine.run(tuple(Item(item) for item in items)))
            finally:
                await machine.close()

        return asyncio.run(whole())

    def description(self, name: str = "eth1") -> str:
        """Return what a port is said to be for, as a plain client reads it."""
        with self.session() as session:
            spec = ("xpath", f"//*[local-name()='interface'][*[local-name()='name']='{name}']")
            found = session.get_config("running", filter=spec).data_ele
            return next((f"{e.text}" for e in found.iter() if str(e.tag).endswith("}description")), "")

    def session(self) -> Any:  # noqa: ANN401
        """Return a plain session of somebody else."""
        from ncclient import manager

        key = self.lab.known_hosts.read_text().split()[2]
        more: dict[str, Any] = {"allow_agent": False, "look_for_keys": False, "hostkey_b64": key}
        return manager.connect(
            host="127.0.0.1", port=self.lab.port, username="root", key_filename=f"{self.lab.key}", **more
        )

    def two(self, text: str = "ours") -> tuple[Instruction, ...]:
        """Describe two ports."""
        desired = Settings(description=text)
        return port("eth1", Settings(description=""), desired), port("eth2", Settings(), desired)

    def test_nothing_is_judged_while_a_session_has_the_lock(self, monkeypatch: pytest.MonkeyPatch) -> None:
        """While another session has the lock a commit may be under way; when it has not, a look may tell."""
        monkeypatch.setattr("lasercats.machines.netconf.WAIT", 0)
        items = tuple(Item(item) for item in self.two())

        async def resolved(*, end: bool = False) -> list[Any]:
            machine = connected(self.lab.url)
            try:
                return list(await machine.resolve(items, "token-1", end=end))
            finally:
                await machine.close()

        with self.session() as session, session.locked("candidate"):
            with pytest.raises(StillWorking, match=r"machine m: its configuration is locked.*lock-denied"):
                asyncio.run(resolved())
            assert asyncio.run(resolved(end=True)) == [None, None]
        assert asyncio.run(resolved()) == [None, None]

    def test_the_configuration_is_locked_by_another(self) -> None:
        """A lock of somebody else is told of, and nothing is done."""
        with self.session() as session, session.locked("candidate"):
            outcomes = self.run(*self.two())
        assert all("cannot be locked" in o.reason and "lock-denied" in o.reason for o in outcomes)
        assert self.description() == ""
        assert all(isinstance(outcome, Seen) for outcome in self.run(*self.two()))
        assert self.description() == self.description("eth2") == "ours"

    def test_what_somebody_left_in_the_candidate_is_not_committed(self) -> None:
        """Changes of somebody else that are not committed are neither committed nor thrown away by us."""
        edit = (
            '<config><interfaces xmlns="urn:ietf:params:xml:ns:yang:ietf-interfaces"><interface>'
            "<name>eth5</name><description>theirs</description></interface></interfaces></config>"
        )
        with self.session() as session:
            session.edit_config(edit, target="candidate")
            outcomes = self.run(*self.two())
            assert all(isinstance(outcome, Failure) for outcome in outcomes)
            session.commit()
        assert (self.description("eth5"), self.description()) == ("theirs", "")

    def test_what_the_switch_refuses(self) -> None:
        """A value that breaks the model's rules fails the whole batch, with the words of the switch."""
        outcomes = self.run(*self.two(), port("eth3", Settings(), Settings(mtu=9999)))
        assert all("invalid-value" in outcome.reason for outcome in outcomes)
        assert self.description() == ""
        assert all(isinstance(outcome, Seen) for outcome in self.run(*self.two()))

    @pytest.mark.parametrize("when", ["edit", "commit"])
    def test_a_session_lost_in_the_middle(self, when: str, monkeypatch: pytest.MonkeyPatch) -> None:
        """Before the commit nothing is done, and that is known; in the commit there is doubt."""
        lab, real = self.lab, getattr(Client, when)

        def lost(client: Client, *arguments: Any, **more: Any) -> None:  # noqa: ANN401
            lab.stop_daemon()
            real(client, *arguments, **more)

        monkeypatch.setattr(Client, when, lost)
        outcomes = self.run(*self.two())
        monkeypatch.undo()
        assert [outcome.in_doubt for outcome in outcomes] == [when == "commit"] * 2
        lab.start_daemon()
        assert self.description() == ""

    @pytest.mark.parametrize("then", ["wait", "confirm", "reject"])
    def test_the_switch_takes_back_what_is_not_confirmed(self, then: str) -> None:
        """A confirmed commit outlives its session, and is taken back in time unless another confirms it."""

        async def end() -> Any:  # noqa: ANN401
            machine = connected(self.lab.url)
            try:
                return await getattr(machine, then)("token-1")
            finally:
                await machine.close()

        assert all(isinstance(outcome, Seen) for outcome in self.run(*self.two(), hold=8))
        assert self.description() == "ours"
        if then != "wait":
            assert asyncio.run(end()) is (True if then == "confirm" else None)
        time.sleep(0 if then == "reject" else 9)
        assert self.description() == ("ours" if then == "confirm" else "")
        if then == "confirm":
            assert not asyncio.run(end())

    def test_a_script_does_the_same(self) -> None:
        """The script, run by a shell, leaves what the batch would have left, and fails where that fails."""
        machine = connected(self.lab.url)
        wanted = [
            vlan(20, None, Settings(name="servers")),
            port("eth1", Settings(description=""), Settings(description='it\'s <x> & "y"', enabled=False)),
            port("eth2", Settings(mode="access"), Settings(mode="trunk", native=20, allowed="20,30-40")),
        ]
        for expected in (0, 1):  # a second time there is a VLAN 20 already, but merging is no error
            script = machine.script(wanted if expected == 0 else [*wanted, _wrong()], alone=True)
            ran = subprocess.run(["/bin/sh"], input=script, capture_output=True, text=True, check=False)
            assert ran.returncode == expected, ran.stdout + ran.stderr
        looks = [Look(machine="m", what="port", name=name) for name in ("eth1", "eth2")]
        one, two = (seen.settings for seen in self.run(*looks))
        assert (one.description, one.enabled) == ('it\'s <x> & "y"', False)
        assert (two.mode, two.native, two.allowed) == ("trunk", 20, "20,30-40")

    @pytest.mark.parametrize(
        ("more", "said"),
        [
            ("key=/nowhere/id", "/nowhere/id cannot be read: no such file"),
            ("key={key}&known_hosts=/nowhere/hosts", "/nowhere/hosts cannot be read"),
            ("key={key}&known_hosts={key}.pub", "id.pub is no file of known hosts"),
            ("key={key}&known_hosts=/dev/null", "has no key of"),
            ("key={key}", "has a host key that is not known"),
            ("password=env:NOT_SET_AT_ALL", "the variable NOT_SET_AT_ALL, which is not set"),
        ],
    )
    def test_who_is_not_let_in(self, more: str, said: str) -> None:
        """What keeps us out is told, with the remedy."""
        url = f"netconf://root@127.0.0.1:{self.lab.port}?{more.format(key=self.lab.key)}"
        with pytest.raises(MachineError, match=said):
            self.run(*self.two(), url=url)

    def test_nobody_is_there(self) -> None:
        """A switch that is not there is told of."""
        with pytest.raises(Unreachable, match=r"127\.0\.0\.1:1\) cannot be reached"):
            self.run(*self.two(), url="netconf://root@127.0.0.1:1?known_hosts=none")


def _wrong() -> Configure:
    return port("eth3", Settings(), Settings(mtu=9999))


def test_a_switch_without_models_of_vlans() -> None:
    """What no model carries is not told, and cannot be configured; the rest can."""
    need(why_not())
    with NetconfLab(vlans=False) as lab:
        run = TestFaults.__new__(TestFaults).run
        look = Look(machine="m", what="port", name="eth1")
        described = port("eth1", Settings(), Settings(description="x"))
        _, seen = run(described, look, url=lab.url)
        assert (seen.settings.description, seen.settings.mode, seen.settings.mtu) == ("x", None, None)
        (refused, other) = run(port("eth1", Settings(), Settings(mode="trunk")), described, url=lab.url)
        assert refused.reason == "eth1: this switch has no model for mode (openconfig-vlan)"
        assert other.reason.startswith("not done, because the batch failed: eth1")


def test_a_switch_without_a_candidate() -> None:
    """A switch on which a batch cannot be taken as a whole is not used."""
    need(why_not())
    with NetconfLab(vlans=False, target="running") as lab:
        run = TestFaults.__new__(TestFaults).run
        with pytest.raises(MachineError, match="has no candidate datastore"):
            run(Look(machine="m", what="port", name="eth1"), url=lab.url)


@pytest.mark.parametrize(
    "url", ["netconf://", "netconf://h/x", "netconf://h?password=geheim", "netconf://h?x=1"]
)
def test_bad_urls(url: str) -> None:
    """A URL that names no host, or a password in clear, is refused."""
    with pytest.raises(BadInput):
        NetconfMachine.check_url(url)
