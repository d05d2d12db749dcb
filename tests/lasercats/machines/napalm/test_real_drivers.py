"""NAPALM's own drivers, above a transport that is simulated."""

from copy import deepcopy
from pathlib import Path
from types import SimpleNamespace
from typing import Any
from xml.etree.ElementTree import Element, fromstring

import pytest
from jnpr.junos.exception import ConfigLoadError  # type: ignore[import-untyped]
from napalm import get_network_driver
from napalm.nxapi_plumbing import Device as NxapiDevice
from napalm.nxapi_plumbing import NXAPICommandError

from lasercats.instructions.switch import Settings
from lasercats.machines.napalm import NapalmMachine
from lasercats.testing.cli_config import Invalid
from lasercats.testing.cli_switch import Device
from lasercats.testing.switches import port
from tests.lasercats.machines.napalm.common import (
    DESCRIBED,
    Contract,
    JunosContract,
    Vault,
    hold,
)


class Node:
    """What Arista's own client gives NAPALM's driver: commands in, what EOS answers out."""

    def __init__(self, device: Device) -> None:
        self.device, self.sessions = device, dict[str, str]()
        self.connection = self

    def run_commands(self, commands: list[Any], encoding: str = "json", **_more: object) -> list[Any]:
        from pyeapi.eapilib import CommandError  # type: ignore[import-untyped]

        first, *rest = commands
        if first.startswith("configure session ") and first.count(" ") == 2:
            candidate = deepcopy(self.device.config)
            try:
                candidate.merge("\n".join(rest))
            except Invalid as invalid:
                raise CommandError(1002, str(invalid)) from None
            self.sessions[first.split()[2]] = "\n".join(rest)
            return [{}] * len(commands)
        return [self.answer(command) for command in commands]

    def answer(self, command: str) -> Any:  # noqa: ANN401
        device = self.device
        words = command.split()
        match words:
            case ["show", "running-config"]:
                return {"output": device.config.text()}
            case ["show", "interfaces"]:
                return {"interfaces": {name: self.interface(name) for name in device.config.names()}}
            case ["show", "version"]:
                return {"version": "4.31.2F", "uptime": 1000.0 + device.now}
            case ["show", "configuration", "sessions"]:
                return {"sessions": {}}
            case ["show", "configuration", "sessions", "detail"]:
                pending = {"state": "pendingCommitTimer", "commitBy": 1000.0 + (device.until or 0)}
                return {"sessions": {} if device.until is None else {device.session: pending}}
            case ["show", "session-config", "named", name, "diffs"]:
                return {"output": f"---\n+++\n{self.sessions[name]}"}
            case ["configure", "session", name, "commit", *timer]:
                if device.until is None:
                    device.before, device.config = device.config, deepcopy(device.config)
                    device.config.merge(self.sessions[name])
                device.until, device.session = (device.now + 90.0 if timer else None), name
            case ["configure", "session", name, "abort"]:
                if device.until is not None and device.session == name:
                    device.config, device.until = device.before, None
            case _:
                assert words[0] in ("copy", "write"), command
        return {"output": ""}

    def interface(self, name: str) -> dict[str, Any]:
        off = self.device.config.disabled(name)
        fields = {
            "lineProtocolStatus": "down" if off else "up",
            "interfaceStatus": "disabled" if off else "up",
        }
        return fields | {
            "description": "",
            "mtu": 1500,
            "bandwidth": 0,
            "physicalAddress": "02:00:00:00:00:01",
        }


class TestRealEosDriver(Contract):
    """The contract with NAPALM's own driver for Arista EOS; only what is below it is simulated."""

    knows_itself = False

    vendor, lag = "eos", "Port-Channel7"

    def connect(self) -> NapalmMachine:
        """Return a machine whose driver finds a connection made."""
        device = self.device

        class Driver(get_network_driver("eos")):  # type: ignore[misc]
            def open(self) -> None:
                self.device = Node(device)

        class Real(NapalmMachine):
            def driver(self) -> type[Driver]:
                return Driver

        return Real("sw1", NapalmMachine.check_url("eos://admin@contract"), Vault())

    def test_what_eos_refuses_is_told(self) -> None:
        """A line that EOS refuses is told in one line, and nothing is changed."""
        (said,) = self.refused(port(self.ports[0], Settings(), Settings(mtu=20)))
        assert "Invalid input" in said

    @pytest.mark.parametrize("method", ["confirm", "reject"])
    def test_another_connection_settles_what_is_held(self, method: str) -> None:
        """The session has a name by which another connection finds it, and disconnecting does not end it."""
        settle(self, method)


def settle(contract: Contract, method: str) -> None:
    """Hold a change on one connection, confirm or reject it on another, and check what has become of it."""

    async def work(one: Any) -> bool:  # noqa: ANN401
        return await hold(contract.vendor, one)

    def described() -> str | None:
        found = contract.look("port", contract.ports[0])
        assert found is not None
        return found.description

    assert contract.using(work)
    assert described() == "mine"
    contract.using(lambda one: getattr(one, method)("token-1"))
    assert described() == ("mine" if method == "confirm" else "")
    assert not contract.using(lambda one: getattr(one, "confirm")("token-1"))  # noqa: B009 - no Machine has it


class Terminal:
    """What Netmiko gives NAPALM's driver: a terminal of IOS."""

    def __init__(self, device: Device) -> None:
        self.device, self.merge = device, ""

    def send_command(self, command: str, **_more: object) -> str:  # noqa: PLR0911, PLR0912 - a table
        device = self.device
        words = command.split()
        match words:
            case ["show", "running-config"]:
                return f"Building configuration...\n\nCurrent configuration : 1\n{device.config.text()}"
            case ["show", "interfaces"]:
                return "\n".join(self.interface(name) for name in device.config.names())
            case ["show", "vlan", "brief"]:
                return str(device.config.brief())
            case ["show", "archive", "config", "rollback", "timer"] if device.until is None:
                return "%No Rollback Confirmed Change pending"
            case ["show", "archive", "config", "rollback", "timer"]:
                return (
                    "Time configured(UTC): now\nTimer type: absolute timer\nTimer value: 2 min\nUser: admin"
                )
            case ["show", "archive", "config", "incremental-diffs", *_]:
                return "!List of Commands:\n" + self.merge
            case ["show", "archive"]:
                return "The maximum archive configurations allowed is 10."
            case ["dir", path]:
                return f"Directory of {path}"
            case ["copy", "flash:/merge_config.txt", "running-config"]:
                merged = deepcopy(device.config)
                try:
                    merged.merge(self.merge)
                except Invalid as invalid:
                    return str(invalid)
                device.before, device.config = device.config, merged
            case ["configure", "replace", *_]:
                pass
            case ["configure", "confirm"]:
                device.until = None
            case ["configure", "revert", "now"]:
                device.config, device.until = device.before, None
            case _:
                assert words[0] == "copy", command
        return ""

    def interface(self, name: str) -> str:
        state, line = ("administratively down", "down") if self.device.config.disabled(name) else ("up", "up")
        return (
            f"{name} is {state}, line protocol is {line}"
            "\n  Hardware is Gigabit Ethernet, address is 0200.0000.0001 (bia 0200.0000.0001)"
            "\n  MTU 1500 bytes, BW 1000000 Kbit/sec, DLY 10 usec,"
        )

    def config_mode(self, config_command: str) -> None:
        self.device.until = self.device.now + 60.0 * int(config_command.rsplit(maxsplit=1)[-1])

    def find_prompt(self) -> str:
        return "sw#"

    def write_channel(self, _text: str) -> None:
        pass

    @property
    def remote_conn(self) -> SimpleNamespace:
        return SimpleNamespace(transport=SimpleNamespace(is_active=lambda: True))

    def disconnect(self) -> None:
        pass

    def _autodetect_fs(self) -> str:
        return "flash:"

    def send_config_set(self, lines: list[str]) -> None:
        assert lines in (["file prompt quiet"], ["no file prompt quiet"])

    def exit_config_mode(self) -> None:
        pass

    def set_base_prompt(self) -> None:
        pass

    def save_config(self) -> str:
        return ""


class TestRealIosDriver(Contract):
    """The contract with NAPALM's own driver for Cisco IOS; only what is below it is simulated."""

    knows_itself = False

    vendor, lag = "ios", "Port-channel7"
    settings = Settings(description="to the cafe", enabled=False, mtu=9000, speed="100M")

    def connect(self) -> NapalmMachine:
        """Return a machine whose driver finds a terminal open, and copies files at once."""
        device = self.device

        class Driver(get_network_driver("ios")):  # type: ignore[misc]
            def open(self) -> None:
                self.device = Terminal(device)

            def _xfer_file(self, **arguments: str) -> tuple[bool, str]:
                self.device.merge = Path(arguments["source_file"]).read_text()
                return True, ""

        class Real(NapalmMachine):
            def driver(self) -> type[Driver]:
                return Driver

        return Real("sw1", NapalmMachine.check_url("ios://admin@contract"), Vault())

    test_what_ios_refuses_is_told = TestRealEosDriver.test_what_eos_refuses_is_told

    @pytest.mark.parametrize("method", ["confirm", "reject"])
    def test_another_connection_settles_what_is_held(self, method: str) -> None:
        """Another connection of the same user confirms what is held or takes it back."""
        settle(self, method)


class Nexus(NxapiDevice):  # type: ignore[misc]
    """What NX-API gives NAPALM's driver."""

    def __init__(self, switch: Device) -> None:
        self.switch, self.checkpoint_ = switch, switch.config

    def show(self, command: str, raw_text: bool = False) -> Any:  # noqa: ANN401, FBT002 - as the real one
        config = self.switch.config
        if command.startswith("show running-config"):
            return f"!Command: show running-config\n{config.text()}"
        if command == "show interface":
            rows = [self.interface(name) for name in config.names()]
            return {"TABLE_interface": {"ROW_interface": rows}}
        assert command.startswith(("dir ", "copy run ")), command
        return ""

    def interface(self, name: str) -> dict[str, str]:
        state = "down" if self.switch.config.disabled(name) else "up"
        fields = {"interface": name, "state": state, "admin_state": state}
        return fields | {"eth_hw_addr": "0200.0000.0001", "eth_mtu": "1500", "eth_bw": "1000000"}

    def config_list(self, commands: list[str]) -> list[Any]:
        if commands[0] == "terminal dont-ask":
            self.checkpoint_ = deepcopy(self.switch.config)
            return [{}] * len(commands)
        try:
            self.switch.config.merge("\n".join(commands))
        except Invalid as invalid:
            raise NXAPICommandError(commands[0], str(invalid)) from None
        return [{}] * len(commands)

    def rollback(self, filename: str) -> None:
        self.switch.config = self.checkpoint_


class TestRealNxosDriver(Contract):
    """The contract with NAPALM's own driver for Cisco NX-OS; only what is below it is simulated."""

    knows_itself = False

    vendor, lag = "nxos", "port-channel7"
    settings = Settings(description="to the cafe", enabled=False, mtu=9216, speed="10G")

    def connect(self) -> NapalmMachine:
        """Return a machine whose driver finds a connection made."""
        device = self.device

        class Driver(get_network_driver("nxos")):  # type: ignore[misc]
            def open(self) -> None:
                self.device = Nexus(device)

        class Real(NapalmMachine):
            def driver(self) -> type[Driver]:
                return Driver

        return Real("sw1", NapalmMachine.check_url("nxos://admin@contract"), Vault())

    def test_what_nxos_refuses_is_told(self) -> None:
        """A line that NX-OS refuses half-way is told, and what was done before it is taken back."""
        mine = port(self.ports[1], Settings(), DESCRIBED)
        said = self.refused(mine, port(self.ports[0], Settings(), Settings(mtu=20)))
        assert all("Invalid input" in text for text in said)


class Juniper:
    """What Juniper's own client gives NAPALM's driver: a candidate that is loaded, compared and committed."""

    def __init__(self, switch: Device) -> None:
        self.switch, self.candidate = switch, deepcopy(switch.config)
        self.cu = self.rpc = self

    def lock(self) -> None:
        pass

    unlock = close = lock

    def get_config(self, filter_xml: None, options: dict[str, str]) -> SimpleNamespace:
        assert options == {"format": "set", "database": "committed"}
        return SimpleNamespace(text=self.switch.config.text())

    def load(self, text: str, *, format: str, overwrite: bool, ignore_warning: list[str]) -> None:  # noqa: A002
        assert (format, overwrite) == ("set", False)
        self.candidate = deepcopy(self.switch.config)
        try:
            self.candidate.merge(text, ignore_warning)
        except Invalid as invalid:
            raise ConfigLoadError(None, None, [{"severity": "error", "message": str(invalid)}]) from None

    def diff(self, *, ignore_warning: list[str]) -> str:
        return str(self.candidate.text())

    def commit(self, *, ignore_warning: list[str], confirm: int | None = None) -> None:
        self.candidate.commit_check()
        if self.switch.until is None:
            self.switch.before, self.switch.config = self.switch.config, self.candidate
        self.switch.until = None if confirm is None else self.switch.now + 60.0 * confirm

    def rollback(self, *, rb_id: int, ignore_warning: list[str] | None = None) -> None:
        self.candidate = deepcopy(self.switch.before if rb_id else self.switch.config)
        if rb_id:
            self.switch.until = None

    def get_commit_revision_information(self, *, detail: bool) -> Element:
        until = self.switch.until
        text = "" if until is None else "<comment>commit confirmed, rollback in 2mins</comment>"
        return fromstring(f"<c><date-time seconds='0'/><revision>re0-1</revision>{text}</c>")  # noqa: S314 - our own

    def get_system_uptime_information(self) -> Element:
        return fromstring("<s><current-time><date-time seconds='1'/></current-time></s>")  # noqa: S314


class TestRealJunosDriver(JunosContract):
    """The contract with NAPALM's own driver for Junos, but for its table of interfaces."""

    knows_itself = False

    def connect(self) -> NapalmMachine:
        """Return a machine whose driver finds a connection made."""
        device = self.device

        class Driver(get_network_driver("junos")):  # type: ignore[misc]
            def open(self) -> None:
                self.device = Juniper(device)

            def is_alive(self) -> dict[str, bool]:
                return {"is_alive": True}

            def get_interfaces(self) -> dict[str, Any]:
                return {name: {"is_up": not device.config.disabled(name)} for name in device.config.names()}

        class Real(NapalmMachine):
            def driver(self) -> type[Driver]:
                return Driver

        return Real("sw1", NapalmMachine.check_url("junos://admin@contract"), Vault())

    def test_what_junos_refuses_is_told(self) -> None:
        """A line that Junos refuses is told without what else its client says about it."""
        (said,) = self.refused(port(self.ports[0], Settings(), Settings(mtu=20)))
        assert said == "not done: error: syntax error: interfaces ge-0/0/0 mtu 34"

    @pytest.mark.parametrize("method", ["confirm", "reject"])
    def test_another_connection_settles_what_is_held(self, method: str) -> None:
        """Another connection confirms what is held or takes it back."""
        settle(self, method)
