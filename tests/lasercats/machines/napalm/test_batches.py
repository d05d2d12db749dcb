"""Batches on simulated switches of four vendors: the contract, faults, and changes that are held."""

import asyncio
import inspect
import socket
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from msgspec.structs import replace
from napalm import get_network_driver
from napalm.base.exceptions import (
    ConnectAuthError,
    ConnectionClosedException,
    ConnectionException,
    LockError,
    MergeConfigException,
)

from lasercats.core.errors import BadInput, LaserCatsError, MachineError, Unreachable
from lasercats.core.instruction import Failure, Instruction, Item
from lasercats.instructions.switch import Look, Settings, Survey, Surveyed
from lasercats.machines.napalm import NapalmMachine
from lasercats.testing.cli_config import PORTS
from lasercats.testing.cli_switch import SimulatedDriver, make
from lasercats.testing.switches import port, vlan
from tests.lasercats.machines.napalm.common import (
    DESCRIBED,
    LAGS,
    Contract,
    JunosContract,
    Simulated,
    Vault,
    changes,
    descriptions,
    each_vendor,
    hold,
    lag,
    machine,
    run,
    using,
)


class TestEos(Contract):
    """Arista EOS."""

    vendor, lag = "eos", "Port-Channel7"


class TestIos(Contract):
    """Cisco IOS, which keeps its VLANs out of the running configuration."""

    vendor, lag = "ios", "Port-channel7"
    settings = Settings(description="to the cafe", enabled=False, mtu=9000, speed="100M")


class TestNxos(Contract):
    """Cisco NX-OS, whose switched ports have one MTU or the other."""

    vendor, lag = "nxos", "port-channel7"
    settings = Settings(description="to the cafe", enabled=False, mtu=9216, speed="10G")


class TestJunos(JunosContract):
    """Juniper Junos."""


@each_vendor
def test_a_port_stays_on_when_its_lag_is_removed(vendor: str) -> None:
    """Ports leave a LAG before it is removed, so that no switch shuts them down."""
    make("sw", vendor)
    a, b = PORTS[vendor][:2]
    (made,) = run(vendor, lag(vendor, None, Settings(members=(a, b), lacp="active")))
    run(vendor, lag(vendor, made.settings, None))
    surveyed = run(vendor, Survey(machine="m"))[0]
    assert surveyed.lags == {}
    assert all(surveyed.ports[name].enabled for name in (a, b))


@each_vendor
def test_a_lag_turns_static_and_a_port_moves_to_another(vendor: str) -> None:
    """LACP goes off for all members at once, and one batch moves a port from LAG to LAG."""
    make("sw", vendor)
    a, b, c = PORTS[vendor][:3]
    other = replace(lag(vendor, None, Settings(members=(c,), lacp="active")), name=LAGS[vendor][:-1] + "1")
    run(vendor, lag(vendor, None, Settings(members=(a, b), lacp="active")))
    (static,) = run(vendor, lag(vendor, Settings(lacp="active"), Settings(lacp="off")))
    assert (static.settings.lacp, static.settings.members) == ("off", (a, b))
    answers = run(
        vendor,
        replace(other, after=Settings(members=(b, c), lacp="active")),
        lag(vendor, Settings(members=(a, b)), Settings(members=(a,))),
    )
    assert [seen.settings.members for seen in answers] == [(b, c), (a,)]


@each_vendor
def test_what_is_removed_and_made_again_in_a_batch(vendor: str) -> None:
    """A VLAN that is removed and made again is there in the end, with its new name."""
    make("sw", vendor)
    run(vendor, vlan(20, None, Settings(name="old")))
    gone = (vlan(20, Settings(name="old"), None), vlan(20, None, Settings(name="new")))
    assert [seen.settings for seen in run(vendor, *gone)] == [None, Settings(name="new")]


@each_vendor
def test_ports_are_hardware(vendor: str) -> None:
    """A port is neither made nor removed."""
    make("sw", vendor)
    name = PORTS[vendor][0]
    for wrong in (port(name, Settings(), None), port(f"{name}9", None, Settings())):
        (failure,) = run(vendor, wrong)
        assert "come with its hardware" in failure.reason


@each_vendor
def test_the_compare_of_the_switch_is_shown_before_the_commit(vendor: str) -> None:
    """What the switch itself says that would change goes to whoever watches."""
    make("sw", vendor)
    shown: list[tuple[str, Instruction, bytes]] = []
    first = port(PORTS[vendor][0], Settings(), Settings(description="mine"))
    run(vendor, first, sink=lambda *event: shown.append(event))
    ((name, instruction, text),) = shown
    assert (name, instruction) == ("sw1", first)
    assert b"mine" in text


def test_looks_see_what_is_before_and_after_the_changes() -> None:
    """A look before the first change of a batch is of before, one after it of after."""
    make("sw", "eos")
    look = Look(machine="m", what="port", name="Ethernet1")
    batch = (look, port("Ethernet1", Settings(), Settings(description="mine")), look)
    before, _, after = run("eos", *batch)
    assert [seen.settings.description for seen in (before, after)] == ["", "mine"]


def test_a_port_without_link_says_so() -> None:
    """Link and hardware address are told as the switch tells them."""
    make("sw", "junos").down.add("ge-0/0/1")
    one, other = run("junos", *(Look(machine="m", what="port", name=f"ge-0/0/{n}") for n in (0, 1)))
    assert (one.settings.link, other.settings.link) == ("up", "down")
    assert other.settings.mac == "02:00:00:00:00:01"


def test_what_a_switch_passes_over_is_told() -> None:
    """Where IOS rejects a line without an error that its driver knows, what is read back tells it."""
    make("sw", "ios").config.encapsulates = True
    (seen,) = run("ios", port(PORTS["ios"][0], Settings(), Settings(mode="trunk", description="mine")))
    assert (seen.settings.mode, seen.settings.description) == ("access", "mine")


# Faults.


@each_vendor
def test_a_line_that_the_switch_refuses_changes_nothing(vendor: str) -> None:
    """What the switch refuses is told in one line, for each of the batch, and nothing is changed."""
    make("sw", vendor)
    bad = port(PORTS[vendor][2], Settings(), Settings(mtu=20))
    outcomes = run(vendor, *changes(vendor), bad)
    assert all(isinstance(outcome, Failure) and not outcome.in_doubt for outcome in outcomes)
    assert all("\n" not in outcome.reason and outcome.reason.startswith("not done: ") for outcome in outcomes)
    assert descriptions(vendor) == ["", ""]


@each_vendor
@pytest.mark.parametrize("method", ["load_merge_candidate", "compare_config"])
def test_a_connection_lost_before_the_commit_changes_nothing(vendor: str, method: str) -> None:
    """Nothing is done, and that is certain."""
    device = make("sw", vendor)
    device.faults[method] = ConnectionClosedException("socket closed")
    outcomes = run(vendor, *changes(vendor))
    assert [(o.reason, o.in_doubt) for o in outcomes] == [("not done: socket closed", False)] * 2
    assert descriptions(vendor) == ["", ""]


@each_vendor
@pytest.mark.parametrize("done", [False, True])
def test_a_connection_lost_in_the_commit_leaves_doubt(vendor: str, done: bool) -> None:
    """Nobody knows whether it was done, and each of the batch says so; the machine can be used again."""
    device = make("sw", vendor)
    (device.late if done else device.faults)["commit_config"] = TimeoutError("timed out")

    async def work(one: NapalmMachine) -> list[Any]:
        outcomes = list(await one.run(tuple(Item(item) for item in changes(vendor))))
        return [*outcomes, await one.run((Item(Survey(machine="m")),))]

    *outcomes, (surveyed,) = using(machine(vendor), work)
    assert all(isinstance(outcome, Failure) and outcome.in_doubt for outcome in outcomes)
    assert surveyed.ports[PORTS[vendor][0]].description == ("mine" if done else "")
    assert asyncio.run(machine(vendor).resolve(tuple(Item(item) for item in changes(vendor)))) == [None, None]


def test_a_commit_that_fails_and_yet_changes_something_leaves_doubt() -> None:
    """What the switch says when it is read tells a refusal from a commit that is partly done."""
    device = make("sw", "ios")
    device.late["commit_config"] = MergeConfigException("Configuration merge failed;\n rollback failed")
    outcomes = run("ios", *changes("ios"))
    assert all(outcome.in_doubt and outcome.reason.endswith("a part of it is done") for outcome in outcomes)


def test_a_commit_that_cannot_be_read_back_leaves_doubt() -> None:
    """It is done, but as what nobody knows."""
    device = make("sw", "eos")

    def sink(_machine: str, _instruction: Instruction, _text: bytes) -> None:
        device.faults["get_config"] = MergeConfigException("busy")

    outcomes = run("eos", *changes("eos"), sink=sink)
    assert all(o.in_doubt and "done, but not read back" in o.reason for o in outcomes)


def test_a_candidate_that_another_holds_is_told() -> None:
    """Where somebody else configures the switch, nothing is done."""
    make("sw", "junos").faults["load_merge_candidate"] = LockError("configuration database locked by: root")
    (failure, _) = run("junos", *changes("junos"))
    assert failure.reason == "not done: configuration database locked by: root"


def test_a_connection_lost_while_idle_is_made_again() -> None:
    """What was connected once is connected again, for nothing was being done."""
    device = make("sw", "ios")

    async def work(one: NapalmMachine) -> list[Any]:
        await one.check()
        device.faults["get_config"] = EOFError()
        return list(await one.run((Item(Survey(machine="m")),)))

    assert isinstance(using(machine("ios"), work)[0], Surveyed)


@pytest.mark.parametrize(
    ("method", "error", "kind", "words"),
    [
        ("open", ConnectionException("Cannot connect to sw"), Unreachable, "reached: Cannot connect"),
        ("open", OSError("Server sw not found in known_hosts"), Unreachable, r"write \?verify=false"),
        ("open", ConnectAuthError("denied"), Unreachable, "does not let admin in; check user"),
        ("get_config", ConnectionClosedException(""), Unreachable, "connection is lost"),
        ("get_interfaces", ValueError("no\nparser"), MachineError, "cannot be used: no parser"),
    ],
)
def test_a_switch_that_cannot_be_used(
    method: str, error: Exception, kind: type[Exception], words: str
) -> None:
    """What keeps a switch from being used is told in one sentence that names it."""
    make("sw", "eos").faults[method] = error
    with pytest.raises(kind, match=words) as raised:
        run("eos", *changes("eos"))
    assert str(raised.value).startswith("machine sw1")


def test_a_check_of_what_does_not_live() -> None:
    """A check fails where the connection is lost."""
    make("sw", "eos").faults["is_alive"] = OSError("broken pipe")
    with pytest.raises(Unreachable, match="broken pipe"):
        using(machine("eos"), lambda one: one.check())


# Changes that the switch takes back.


@pytest.mark.parametrize("vendor", ["eos", "ios", "junos"])
@pytest.mark.parametrize("then", ["confirm", "reject", "wait"])
def test_a_change_is_taken_back_unless_it_is_confirmed(vendor: str, then: str) -> None:
    """Another connection confirms a change or takes it back; else the switch takes it back, and says so."""
    device = make("sw", vendor)
    assert using(machine(vendor), lambda one: hold(vendor, one))
    assert descriptions(vendor) == ["mine", "mine"]
    if then == "wait":
        device.now += 121
    elif then == "confirm":
        assert using(machine(vendor), lambda one: one.confirm("token-1"))
        device.now += 1000
    else:
        using(machine(vendor), lambda one: one.reject("token-1"))
    assert descriptions(vendor) == (["mine", "mine"] if then == "confirm" else ["", ""])
    assert not using(machine(vendor), lambda one: one.confirm("token-1"))
    using(machine(vendor), lambda one: one.reject("token-1"))


@pytest.mark.parametrize("vendor", ["eos", "ios", "junos"])
def test_a_switch_holds_one_change_at_a_time(vendor: str) -> None:
    """While a change waits, the next one fails and harms nothing; after it was confirmed, it is done."""
    make("sw", vendor)
    third = port(PORTS[vendor][2], Settings(), DESCRIBED)

    async def work(one: NapalmMachine) -> list[Any]:
        await hold(vendor, one)
        early = await one.run((Item(third),))
        await one.confirm("token-1")
        return [*early, *await one.run((Item(third),))]

    early, late = using(machine(vendor), work)
    assert early.reason == "not done: the switch waits for the change before this one to be confirmed"
    assert late.settings.description == "mine"


def test_what_a_switch_cannot_hold() -> None:
    """NX-OS holds nothing, IOS no more than two hours, and EOS less than a day."""

    def can(vendor: str, seconds: float) -> bool:
        able: bool = asyncio.run(machine(vendor).hold("t", seconds))
        return able

    assert not can("nxos", 60)
    assert can("ios", 7150)
    assert not can("ios", 7201)
    assert not can("eos", 86400)
    assert can("junos", 86400)


# URLs, secrets, scripts, and NAPALM itself.


@pytest.mark.parametrize(
    ("url", "words"),
    [
        ("ios://sw", "ios://user@host"),
        ("ios://admin@", "ios://user@host"),
        ("ios://admin@sw?password=hunter2", "env:NAME or file:PATH"),
        ("ios://admin@sw?verify=maybe", "true or false"),
        ("ios://admin@sw?timeout=0", "seconds"),
        ("ios://admin@sw?paswort=x", "did you mean 'password'"),
        ("ios://admin:hunter2@sw", "must not carry a password"),
    ],
)
def test_bad_urls(url: str, words: str) -> None:
    """A bad URL is refused with the remedy, and a password in it is not repeated."""
    with pytest.raises(BadInput) as raised:
        NapalmMachine.check_url(url)
    assert words in str(raised.value)
    assert "hunter2" not in str(raised.value)


def test_secrets_come_from_where_the_url_says(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Passwords come from the environment or a file; one that is missing is told."""
    make("sw", "ios")
    (tmp_path / "enable").write_text("letmein\n")
    monkeypatch.setenv("SWITCH_PASSWORD", "hunter2")
    url = f"ios://admin@sw:2222?password=env:SWITCH_PASSWORD&secret=file:{tmp_path}/enable&verify=false"
    seen: list[SimulatedDriver] = []

    class Driver(SimulatedDriver):
        def open(self) -> None:
            seen.append(self)
            super().open()

    class Watched(Simulated):
        def driver(self) -> type[SimulatedDriver]:
            return Driver

    def check() -> None:
        using(Watched("sw1", NapalmMachine.check_url(url), Vault()), lambda one: one.check())

    monkeypatch.delenv("SWITCH_PASSWORD")
    with pytest.raises(MachineError, match="the variable SWITCH_PASSWORD, which is not set"):
        check()
    monkeypatch.setenv("SWITCH_PASSWORD", "hunter2")
    check()
    assert (seen[0].password, seen[0].arguments["secret"]) == ("hunter2", "letmein")
    assert (seen[0].arguments["port"], seen[0].arguments["ssh_strict"]) == (2222, False)
    (tmp_path / "enable").unlink()
    with pytest.raises(MachineError, match="cannot be read"):
        check()


@each_vendor
@pytest.mark.parametrize("alone", [True, False])
def test_a_script_prints_the_lines(vendor: str, alone: bool) -> None:
    """A script prints the lines of the vendor, as a person types them, and fails at nothing."""
    odd = Settings(description="it's $HOME `x`")
    items = [Look(machine="m", what="vlan", name="20"), port(PORTS[vendor][0], Settings(), odd)]
    script = machine(vendor).script(items, alone=alone)
    ran = subprocess.run(["sh", "-e"], input=script, capture_output=True, text=True, check=False)
    assert (ran.returncode, ran.stderr) == (0, "")
    printed = ran.stdout.splitlines()
    assert printed[0].startswith("configure")
    assert any("it's $HOME `x`" in line for line in printed)
    assert printed[-1] in ("write memory", "copy running-config startup-config", "commit and-quit")
    assert "# show vlan 20" in script
    assert "cannot be" in machine(vendor).script([vlan(20, None, Settings(name="a b"))], alone=alone)


def test_napalm_is_not_installed(monkeypatch: pytest.MonkeyPatch) -> None:
    """Without NAPALM the remedy is told."""
    monkeypatch.setitem(sys.modules, "napalm", None)
    real = NapalmMachine("sw1", NapalmMachine.check_url("ios://admin@sw"), Vault())
    with pytest.raises(MachineError, match=r"pip install 'lasercats\[napalm\]'"):
        asyncio.run(real.check())


@each_vendor
def test_the_simulated_driver_is_called_as_the_real_one(vendor: str) -> None:
    """Each method that the machine calls takes the same arguments in NAPALM's own driver."""
    real = get_network_driver(vendor)
    for method in (
        *("__init__", "open", "close", "is_alive", "get_interfaces", "get_vlans", "get_config", "cli"),
        *("load_merge_candidate", "compare_config", "commit_config", "confirm_commit", "discard_config"),
        *("has_pending_commit", "rollback"),
    ):
        ours, theirs = (inspect.signature(getattr(of, method)) for of in (SimulatedDriver, real))
        assert list(ours.parameters) == list(theirs.parameters), method


@each_vendor
def test_napalm_itself_tells_that_nobody_listens(vendor: str) -> None:
    """NAPALM's own drivers take our arguments, and what they raise is told in one sentence."""
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        number = unused.getsockname()[1]
    text = f"{vendor}://admin@127.0.0.1:{number}?timeout=5"
    real = NapalmMachine("sw1", NapalmMachine.check_url(text), Vault())
    with pytest.raises(Unreachable, match="machine sw1") as raised:
        asyncio.run(real.check())
    assert isinstance(raised.value, LaserCatsError)
    assert "\n" not in str(raised.value)


def test_what_works_below_napalm_prints_no_traceback() -> None:
    """Where nothing else is set up for logs, an error is told once: by the machine."""
    code = (
        "import asyncio; from lasercats.machines.napalm import NapalmMachine as M\n"
        "try: asyncio.run(M('sw1', M.check_url('eos://admin@127.0.0.1:1?timeout=5'), None).check())\n"
        "except Exception as error: print(error)\n"
    )
    ran = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert ran.stderr == ""
    assert "refused" in ran.stdout
