"""Simulated switches of Cisco, Arista and Juniper behind NAPALM's interface, in process.

A switch takes only lines that such a switch takes, refuses others when the real one does (EOS and Junos
before a commit, IOS and NX-OS in it), and prints its configuration as the real one does, without what is at
its default. What NAPALM's own drivers refuse is refused here: a commit that cannot be for a time, a session
of others.
"""

from collections.abc import Callable
from copy import deepcopy
from dataclasses import dataclass, field
from typing import Any

from napalm.base.base import NetworkDriver
from napalm.base.exceptions import (
    CommandErrorException,
    CommitConfirmException,
    CommitError,
    ConnectionClosedException,
    MergeConfigException,
)

from lasercats.testing.cli_config import (
    CliConfig,
    Invalid,
    JunosConfig,
)

MADE: dict[str, "Device"] = {}
"""The switches that there are, by host name."""


@dataclass
class Device:
    """A switch, which outlives its connections."""

    vendor: str
    config: Any
    before: Any = None
    """What it was before the last commit."""
    until: float | None = None
    """When the last commit is taken back; None when it stays."""
    session: str | None = None
    """Whose commit that is."""
    serial: str = "SIM0001"
    """What its chassis says; nothing where it tells none."""
    now: float = 0.0
    """Its clock, in seconds; a test moves it."""
    down: set[str] = field(default_factory=set)
    """Ports without link."""
    faults: dict[str, Exception] = field(default_factory=dict)
    """What the next call of a method raises instead of doing its work."""
    late: dict[str, Exception] = field(default_factory=dict)
    """What the next call of a method raises after its work is done."""

    def expire(self) -> None:
        """Take a commit back that was not confirmed in time."""
        if self.until is not None and self.now >= self.until:
            self.config, self.until = self.before, None


def make(host: str, vendor: str) -> Device:
    """Make a switch that a host name leads to, in place of one that was there."""
    config = JunosConfig() if vendor == "junos" else CliConfig(vendor)
    MADE[host] = Device(vendor, config)
    return MADE[host]


class SimulatedDriver(NetworkDriver):  # type: ignore[misc]
    """A driver as NAPALM has them, for the switch of a host name."""

    def __init__(
        self,
        hostname: str,
        username: str,
        password: str,
        timeout: int = 60,
        optional_args: dict[str, Any] | None = None,
    ) -> None:
        """Take what NAPALM's drivers take; nothing connects yet."""
        self.hostname, self.username, self.password = hostname, username, password
        self.arguments = optional_args or {}
        self.candidate: Any = None
        self.config_session: str | None = None
        self.opened = False

    def _do(self, method: str, work: Callable[[Device], Any]) -> Any:  # noqa: ANN401
        device = MADE[self.hostname]
        if not self.opened and method != "open":
            raise ConnectionClosedException("the connection is closed")
        device.expire()
        if method in device.faults:
            raise device.faults.pop(method)
        answer = work(device)
        if method in device.late:
            raise device.late.pop(method)
        return answer

    def open(self) -> None:
        """Connect."""
        self._do("open", lambda _device: setattr(self, "opened", True))

    def close(self) -> None:
        """Disconnect; EOS aborts the session of this connection, also where it waits for being confirmed."""
        device = MADE[self.hostname]
        if device.vendor == "eos" and self.config_session and device.session == self.config_session:
            self._do("close", self._take_back)
        self.opened = False

    def is_alive(self) -> dict[str, bool]:
        """Tell whether it is connected."""
        alive: dict[str, bool] = self._do("is_alive", lambda _device: {"is_alive": True})
        return alive

    def get_facts(self) -> dict[str, Any]:
        """Return what it is."""
        answer: dict[str, Any] = self._do("get_facts", lambda device: {"serial_number": device.serial})
        return answer

    def get_interfaces(self) -> dict[str, Any]:
        """Return the interfaces, up where they are enabled and have link."""

        def read(device: Device) -> dict[str, Any]:
            return {
                name: {
                    "is_up": not device.config.disabled(name) and name not in device.down,
                    "is_enabled": not device.config.disabled(name),
                    "mac_address": f"02:00:00:00:00:{n:02X}",
                }
                for n, name in enumerate(device.config.names())
            }

        answer: dict[str, Any] = self._do("get_interfaces", read)
        return answer

    def get_vlans(self) -> dict[str, Any]:
        """Return the VLANs of an IOS, NX-OS or EOS switch, on IOS the reserved ones."""

        def read(device: Device) -> dict[str, Any]:
            names = dict(device.config.vlans) | ({1002: "fddi-default"} if device.vendor == "ios" else {})
            return {f"{number}": {"name": name, "interfaces": []} for number, name in names.items()}

        answer: dict[str, Any] = self._do("get_vlans", read)
        return answer

    def cli(self, commands: list[str], encoding: str = "text") -> dict[str, str]:
        """Return what `show vlan brief` prints on IOS."""
        assert commands == ["show vlan brief"]
        assert encoding == "text"
        answer: str = self._do("cli", lambda device: device.config.brief())
        return {commands[0]: answer}

    def get_config(
        self,
        retrieve: str = "all",
        full: bool = False,  # noqa: FBT002 - NAPALM has it so
        sanitized: bool = False,  # noqa: FBT002 - as above
        format: str = "text",  # noqa: A002 - as above
    ) -> dict[str, str]:
        """Return the running configuration; of Junos only as lines that set."""

        def read(device: Device) -> dict[str, str]:
            assert (format == "set") == (device.vendor == "junos")
            return {"running": device.config.text(), "startup": "", "candidate": ""}

        answer: dict[str, str] = self._do("get_config", read)
        return answer

    def load_merge_candidate(self, filename: str | None = None, config: str | None = None) -> None:
        """Load lines; EOS and Junos read them now."""

        def load(device: Device) -> None:
            self.candidate = config or ""
            if device.vendor == "eos":
                self.config_session = self.config_session or "napalm_1"
            if device.vendor in ("eos", "junos"):
                self._merged(device)

        self._do("load_merge_candidate", load)

    def _merged(self, device: Device) -> Any:  # noqa: ANN401
        """Return the configuration with the candidate in it.

        Raises:
            MergeConfigException: a line of it is invalid.

        """
        merged = deepcopy(device.config)
        try:
            merged.merge(self.candidate, self.arguments.get("ignore_warning", ()))
        except Invalid as invalid:
            self.candidate = None
            raise MergeConfigException(f"Configuration merge failed:\n{invalid}") from None
        if merged.messages and device.vendor == "eos":
            raise MergeConfigException(f"Configuration merge failed:\n{merged.messages[0]}")
        return merged

    def compare_config(self) -> str:
        """Return what a commit would change."""
        answer: str = self._do(
            "compare_config", lambda _d: "".join(f"+{x}\n" for x in self.candidate.split("\n"))
        )
        return answer

    def commit_config(self, message: str = "", revert_in: int | None = None) -> None:
        """Commit what is loaded, for a time where that is given."""
        self._do("commit_config", lambda device: self._commit(device, message, revert_in))

    def _commit(self, device: Device, message: str, revert_in: int | None) -> None:
        if message and device.vendor != "junos":
            raise NotImplementedError("Commit message not implemented for this platform")
        if revert_in is not None:
            self._check_time(device.vendor, revert_in)
        if device.until is not None:
            if device.vendor == "eos":
                raise CommitError("Pending commit confirm already in process!")
            if device.vendor == "ios":
                raise CommandErrorException("Configuration session already in progress")
        merged = self._merged(device)
        merged.commit_check()
        device.before, device.config, self.candidate = device.config, merged, None
        device.until = None if revert_in is None else device.now + revert_in
        device.session = self.config_session
        if revert_in is None:
            self.config_session = None

    def _check_time(self, vendor: str, seconds: int) -> None:
        if vendor == "nxos":
            raise NotImplementedError("Commit confirm has not been implemented on this platform.")
        if vendor == "junos" and seconds % 60:
            raise CommitConfirmException("For Junos devices revert_in must be a multiple of 60")
        if vendor == "ios" and not 60 <= seconds <= 7200:
            raise CommitConfirmException("For Cisco IOS devices revert_in must be from 60 to 7200")

    def has_pending_commit(self) -> bool:
        """Tell whether a commit waits for being confirmed."""
        if MADE[self.hostname].vendor == "nxos":
            raise NotImplementedError
        pending: bool = self._do("has_pending_commit", lambda device: device.until is not None)
        return pending

    def _check_session(self, device: Device) -> None:
        if device.until is None:
            raise CommitError("No pending commit-confirm found!")
        if device.vendor == "eos" and device.session != self.config_session:
            raise CommitError("Current config session not found as pending commit-confirm")

    def confirm_commit(self) -> None:
        """Let a commit stay."""

        def confirm(device: Device) -> None:
            self._check_session(device)
            device.until = self.config_session = None

        self._do("confirm_commit", confirm)

    def discard_config(self) -> None:
        """Throw the candidate away."""

        def discard(_device: Device) -> None:
            self.candidate = self.config_session = None

        self._do("discard_config", discard)

    def rollback(self) -> None:
        """Take the last commit back."""

        def back(device: Device) -> None:
            self._check_session(device)
            self._take_back(device)

        self._do("rollback", back)

    def _take_back(self, device: Device) -> None:
        if device.until is not None:
            device.config, device.until = device.before, None
        self.config_session = None
