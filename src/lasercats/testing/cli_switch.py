"""Simulated switches of Cisco, Arista and Juniper behind NAPALM's interface, in process.

A switch takes only lines that such a switch takes, refuses others when the real one does (EOS and Junos
before a commit, IOS and NX-OS in it), and prints its configuration as the real one does, without what is at
its default. What NAPALM's own drivers refuse is refused here: a commit that cannot be for a time, a session
of others.
"""

import re
from collections.abc import Callable, Iterator, Sequence
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

from lasercats.instructions import vlans

MADE: dict[str, "Device"] = {}
"""The switches that there are, by host name."""


class Invalid(Exception):
    """A line that the switch does not know."""


class Rejected(Exception):
    """A line that the switch knows and does not carry out."""


@dataclass(frozen=True)
class Style:
    """How one vendor's industry-standard command line differs."""

    lag: str
    ports: tuple[str, ...]
    indent: str
    speeds: str
    """Pattern of what follows `speed`."""
    mtus: Sequence[int]
    native: str = r"\d+"
    access: str = ""
    """The mode that is not printed."""


_ONE_TO_EIGHT = range(1, 9)
STYLES = {
    "ios": Style(
        "Port-channel",
        tuple(f"GigabitEthernet1/0/{n}" for n in _ONE_TO_EIGHT),
        " ",
        "(10|100|1000|2500|5000|10000)",
        range(1500, 9199),
    ),
    "nxos": Style(
        "port-channel",
        tuple(f"Ethernet1/{n}" for n in _ONE_TO_EIGHT),
        "  ",
        "(100|1000|10000|25000|40000|100000)",
        (1500, 9216),
        access="access",
    ),
    "eos": Style(
        "Port-Channel",
        tuple(f"Ethernet{n}" for n in _ONE_TO_EIGHT),
        "   ",
        "((10|100)full|(1|2.5|5|10|25|40|50|100)g)",
        range(68, 9215),
        native=r"(\d+|tag)",
        access="access",
    ),
}
PORTS = {vendor: style.ports for vendor, style in STYLES.items()} | {
    "junos": tuple(f"ge-0/0/{n}" for n in range(8))
}
_SHARED = ("switchport mode", "switchport access", "switchport trunk native", "switchport trunk allowed")
"""What all ports of a LAG must have in common."""


class CliConfig:
    """The running configuration of a switch with the industry-standard command line."""

    def __init__(self, vendor: str) -> None:
        """Begin with nothing but defaults."""
        self.vendor, self.style = vendor, STYLES[vendor]
        self.vlans: dict[int, str] = {1: "default"}
        self.interfaces: dict[str, dict[str, str]] = {name: {} for name in (*self.style.ports, "Vlan1")}
        self.messages: list[str] = []
        self.encapsulates = False
        """True for an old Catalyst, whose ports are trunks only after `switchport trunk encapsulation`."""
        style = self.style
        self._grammar = {
            "description": "description .{1,240}",
            "switchport": "no switchport",
            "switchport mode": "switchport mode (access|trunk)",
            "switchport access vlan": r"switchport access vlan \d+",
            "switchport trunk native vlan": f"switchport trunk native vlan {style.native}",
            "switchport trunk allowed vlan": "switchport trunk allowed vlan (all|none|[0-9,-]+)",
            "mtu": r"mtu \d+",
            "speed": f"speed {style.speeds}",
            "shutdown": "shutdown",
            "channel-group": r"channel-group \d+( force)? mode (active|passive|on)",
        }

    def merge(self, text: str, _ignored: Sequence[str] = ()) -> None:
        """Take lines in; what is rejected is told in `messages`, and the rest goes on.

        Raises:
            Invalid: a line that the switch does not know.

        """
        self.messages, self._at = [], list[str]()
        for line in (line.strip() for line in text.splitlines() if line.strip()):
            try:
                self._line(line)
            except Rejected as rejected:
                self.messages.append(f"{rejected}")

    def _line(self, line: str) -> None:
        words = line.split()
        kind = words[1] if words[0] == "no" else words[0]
        if line in ("end", "exit"):
            self._at = []
        elif kind in ("vlan", "interface") and len(words) == (3 if words[0] == "no" else 2):
            (self._vlan if kind == "vlan" else self._interface)(words[-1], remove=words[0] == "no")
        elif self._at[:1] == ["vlan"] and re.fullmatch(r"name \S{1,32}|no name", line):
            number = int(self._at[1])
            self.vlans[number] = f"VLAN{number:04}" if kind == "name" and words[0] == "no" else words[1]
        elif self._at[:1] == ["interface"]:
            self._setting(self._at[1], line)
        else:
            raise Invalid(f"{line}\n ^\n% Invalid input detected at '^' marker.")

    def _vlan(self, number: str, *, remove: bool) -> None:
        known(number)
        if remove and number == "1":
            raise Rejected("%Default VLAN 1 may not be deleted.")
        self._at = [] if remove else ["vlan", number]
        if remove:
            self.vlans.pop(int(number), None)
        else:
            self.vlans.setdefault(int(number), f"VLAN{int(number):04}")

    def _interface(self, name: str, *, remove: bool) -> None:
        is_lag = re.fullmatch(rf"{self.style.lag}[1-9]\d*", name)
        if not is_lag and (remove or name not in self.interfaces):
            raise Invalid(f"interface {name}\n ^\n% Invalid input detected at '^' marker.")
        self._at = [] if remove else ["interface", name]
        if not remove:
            self.interfaces.setdefault(name, {})
            return
        self.interfaces.pop(name, None)
        for port in self._members(name):
            del self.interfaces[port]["channel-group"]
            if self.vendor == "ios":
                self.interfaces[port]["shutdown"] = "shutdown"  # lest there be a loop

    def _members(self, lag: str) -> list[str]:
        group = lag.removeprefix(self.style.lag)
        told = {name: body.get("channel-group", "").split()[1:2] for name, body in self.interfaces.items()}
        return [name for name, number in told.items() if number == [group]]

    def _setting(self, name: str, line: str) -> None:
        body = self.interfaces[name]
        if line == "switchport":
            body.pop("switchport", None)
        elif line != "no switchport" and line.startswith("no ") and line[3:] in self._grammar:
            self._all(name, line[3:], None)
        else:
            key = next((k for k, pattern in self._grammar.items() if re.fullmatch(pattern, line)), None)
            if key is None or (self.vendor != "eos" and not line.isascii()):
                raise Invalid(f"{line}\n ^\n% Invalid input detected at '^' marker.")
            self._check(name, key, line)
            self._all(name, key, line)

    def _check(self, name: str, key: str, line: str) -> None:
        last = line.rsplit(maxsplit=1)[-1]
        if key.endswith(" vlan") and last.isdecimal():
            known(last)
            if key == "switchport access vlan" and self.vendor == "ios":
                self.vlans.setdefault(int(last), f"VLAN{int(last):04}")
        elif key.endswith("allowed vlan"):
            try:
                vlans.parse(last)
            except ValueError:
                raise Invalid("Command rejected: Bad VLAN allowed list. % Invalid input detected") from None
        elif key == "mtu" and int(last) not in self.style.mtus:
            raise Invalid(f"{line}\n ^\n% Invalid input detected at '^' marker.")
        elif line == "switchport mode trunk" and self.encapsulates:
            raise Rejected("Command rejected: its trunk encapsulation is Auto, so it cannot be a trunk")
        elif key == "channel-group":
            self._join(name, line)

    def _join(self, name: str, line: str) -> None:
        lag, mode = f"{self.style.lag}{line.split()[1]}", line.rsplit(maxsplit=1)[-1]
        if self.style.lag in name:
            raise Invalid("% Invalid input detected: a LAG is no member")
        others = [self.interfaces[port]["channel-group"] for port in self._members(lag) if port != name]
        if any((other.split()[-1] == "on") != (mode == "on") for other in others):
            raise Invalid("Command rejected: the mode does not fit to the others. % Invalid input detected")
        settings = self.interfaces.setdefault(lag, {})
        same = all(
            self.interfaces[name].get(k) == settings.get(k) for k in self._grammar if k.startswith(_SHARED)
        )
        if self.vendor == "nxos" and "force" not in line and not same:
            raise Invalid("command failed: port not compatible [port mode]. % Invalid command")
        if self.vendor == "nxos":
            kept = {k: v for k, v in self.interfaces[name].items() if not k.startswith(_SHARED)}
            shared = {k: v for k, v in settings.items() if k.startswith(_SHARED)}
            self.interfaces[name] = kept | shared

    def _all(self, name: str, key: str, line: str | None) -> None:
        """Set a line of an interface; what is set on a LAG is set on its members."""
        kind = line.split()[-1] if line else ""
        if (key, kind) in (
            ("mtu", "1500"),
            ("switchport mode", self.style.access),
            ("switchport trunk native vlan", "1"),
            ("switchport access vlan", "1"),
        ) or line in ("switchport trunk allowed vlan all", "switchport trunk allowed vlan 1-4094"):
            line = None
        copied = key.startswith(_SHARED) and self.vendor != "eos"
        for one in (name, *(self._members(name) if copied else ())):
            self.interfaces[one].pop(key, None)
            if line is not None:
                self.interfaces[one][key] = line.replace(" force", "")

    def brief(self) -> str:
        """Return the VLANs as `show vlan brief` of IOS prints them, with those that are reserved."""
        head = [f"VLAN {'Name':<32} Status    Ports", f"{'-' * 4} {'-' * 32} {'-' * 9} {'-' * 31}"]
        told = [f"{n:<4} {name:<32} active    " for n, name in sorted(self.vlans.items())]
        return "\n".join([*head, *told, f"1002 {'fddi-default':<32} act/unsup "])

    def commit_check(self) -> None:
        """Find nothing wrong: each line has been checked."""

    def text(self) -> str:
        """Return the running configuration as it is printed; IOS with VTP has its VLANs elsewhere."""
        lines = ["! Command: show running-config", "hostname simulated", "!"]
        if self.vendor != "ios":
            if self.vendor == "nxos":
                lines += ["feature lacp", f"vlan {vlans.write(self.vlans)}"]
            for number, name in sorted(self.vlans.items()):
                named = [] if name == f"VLAN{number:04}" else [f"{self.style.indent}name {name}"]
                lines += [f"vlan {number}", *named, "!"] if number > 1 else []
        for name, body in self.interfaces.items():
            ordered = [body[key] for key in self._grammar if key in body]
            lines += [f"interface {name}", *(self.style.indent + line for line in _wrapped(ordered)), "!"]
        return "\n".join([*lines, "end"])

    def names(self) -> list[str]:
        """Return the interfaces that there are."""
        return list(self.interfaces)

    def disabled(self, name: str) -> bool:
        """Tell whether an interface is shut down."""
        return "shutdown" in self.interfaces[name]


def known(number: str) -> None:
    """Check the number of a VLAN.

    Raises:
        Invalid: there can be none.

    """
    if not number.isdecimal() or not vlans.FIRST <= int(number) <= vlans.LAST:
        raise Invalid(f"Command rejected: Bad VLAN list {number}. % Invalid input detected")


def _wrapped(lines: Sequence[str]) -> Iterator[str]:
    """Iterate over lines; a long list of VLANs goes on with `add`."""
    for line in lines:
        begin, _, told = line.rpartition(" ")
        parts = told.split(",")
        if not begin.endswith("allowed vlan") or len(parts) <= 8:
            yield line
            continue
        yield f"{begin} {','.join(parts[:8])}"
        for n in range(8, len(parts), 8):
            yield f"{begin} add {','.join(parts[n : n + 8])}"


_ETHERNET = r"(?:interfaces \S+ )unit 0 family ethernet-switching"
_SINGLE = (
    r"(interfaces \S+ description) .+",
    r"(interfaces \S+ mtu) (?:25[6-9]|2[6-9]\d|[3-9]\d\d|[1-8]\d{3}|9[01]\d\d|92(?:0\d|1[0-6]))",
    r"(interfaces \S+ speed) (?:auto|10m|100m|1g|2\.5g|5g|10g|25g|40g|100g)",
    r"(interfaces \S+ native-vlan-id) (?:\d{1,3}|[1-3]\d{3}|40[0-8]\d|409[0-4])",
    r"(interfaces ge-\S+ ether-options 802\.3ad) ae\d+",
    r"(interfaces ae\d+ aggregated-ether-options lacp) (?:active|passive)",
    rf"({_ETHERNET} interface-mode) (?:access|trunk)",
    r"(vlans \S+ vlan-id) (?:[1-9]\d{0,2}|[1-3]\d{3}|40[0-8]\d|409[0-4])",
    r"(chassis aggregated-devices ethernet device-count) \d+",
)
"""Statements of which there is one; the first group is what a new one replaces."""
_MANY = (r"interfaces \S+ disable", _ETHERNET, rf"{_ETHERNET} vlan members (?:all|[A-Za-z]\S*|\d+(?:-\d+)?)")


class JunosConfig:
    """The configuration of a switch with Junos: a set of statements."""

    def __init__(self, vendor: str = "junos") -> None:
        """Begin as such a switch comes: all ports switch, in the default VLAN."""
        self.messages: list[str] = []
        self.lines = {f"interfaces {port} unit 0 family ethernet-switching" for port in PORTS[vendor]}
        self.lines |= {"vlans default vlan-id 1"}

    def merge(self, text: str, ignored: Sequence[str] = ()) -> None:
        """Take `set`, `delete` and `rename` lines in.

        Raises:
            Invalid: a line that the switch does not know, or that deletes what is not there.

        """
        for line in (line.strip() for line in text.splitlines() if line.strip()):
            do, _, path = line.partition(" ")
            match do:
                case "set":
                    self._set(path)
                case "delete":
                    gone = {one for one in self.lines if one == path or one.startswith(f"{path} ")}
                    if not gone and "statement not found" not in ignored:
                        raise Invalid(f"warning: statement not found: {path}")
                    self.lines -= gone
                case "rename" if match := re.fullmatch(r"vlans (\S+) to (\S+)", path):
                    old, new = f"vlans {match[1]} ", f"vlans {match[2]} "
                    self.lines = {re.sub(f"^{re.escape(old)}", new, one) for one in self.lines}
                case _:
                    raise Invalid(f"error: syntax error: {line}")

    def _set(self, path: str) -> None:
        for pattern in _SINGLE:
            match = re.fullmatch(pattern, path)
            if match:
                self.lines = {one for one in self.lines if not one.startswith(f"{match[1]} ")} | {path}
                return
        if not any(re.fullmatch(pattern, path) for pattern in _MANY):
            raise Invalid(f"error: syntax error: {path}")
        self.lines |= {path}

    def commit_check(self) -> None:
        """Check that all fits together.

        Raises:
            CommitError: it does not.

        """
        numbers = {line.split()[1]: int(line.split()[-1]) for line in self.lines if line.startswith("vlans ")}
        if len(set(numbers.values())) < len(numbers):
            raise CommitError("error: vlan-id is used by another vlan")
        for line in sorted(self.lines):
            words = line.split()
            if words[-2] == "members" and words[-1] != "all" and words[-1] not in numbers:
                if not words[-1][0].isdecimal() or not vlans.parse(words[-1]) & set(numbers.values()):
                    raise CommitError(
                        f"error: No vlan matches vlan tag {words[-1]} for interface {words[1]}.0"
                    )
            access = f"interfaces {words[1]} unit 0 family ethernet-switching interface-mode access"
            if words[2] == "native-vlan-id" and access in self.lines:
                raise CommitError(f"error: {words[1]}: native-vlan-id is not allowed in access mode")
            if "802.3ad" in words:
                if any(one.startswith(f"interfaces {words[1]} unit ") for one in self.lines):
                    raise CommitError(f"error: {words[1]}: logical unit is not allowed on aggregated links")
                if not any(one.startswith(f"interfaces {words[-1]} ") for one in self.lines):
                    raise CommitError(f"error: {words[-1]} is not configured")

    def text(self) -> str:
        """Return it as `show configuration | display set` prints it."""
        return "\n".join(["set version 22.4R1.10", *(f"set {line}" for line in sorted(self.lines))])

    def names(self) -> list[str]:
        """Return the interfaces that there are: LAGs are as many as the chassis was told."""
        count = [line.split()[-1] for line in self.lines if "device-count" in line]
        ports = list(PORTS["junos"])
        return [*ports, *(f"{port}.0" for port in ports), *(f"ae{n}" for n in range(int([*count, "0"][0])))]

    def disabled(self, name: str) -> bool:
        """Tell whether an interface is disabled."""
        return f"interfaces {name} disable" in self.lines


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

    def get_interfaces(self) -> dict[str, Any]:
        """Return the interfaces, up where they are enabled and have link."""

        def told(device: Device) -> dict[str, Any]:
            return {
                name: {
                    "is_up": not device.config.disabled(name) and name not in device.down,
                    "is_enabled": not device.config.disabled(name),
                    "mac_address": f"02:00:00:00:00:{n:02X}",
                }
                for n, name in enumerate(device.config.names())
            }

        answer: dict[str, Any] = self._do("get_interfaces", told)
        return answer

    def get_vlans(self) -> dict[str, Any]:
        """Return the VLANs of an IOS, NX-OS or EOS switch, on IOS the reserved ones."""

        def told(device: Device) -> dict[str, Any]:
            names = dict(device.config.vlans) | ({1002: "fddi-default"} if device.vendor == "ios" else {})
            return {f"{number}": {"name": name, "interfaces": []} for number, name in names.items()}

        answer: dict[str, Any] = self._do("get_vlans", told)
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

        def told(device: Device) -> dict[str, str]:
            assert (format == "set") == (device.vendor == "junos")
            return {"running": device.config.text(), "startup": "", "candidate": ""}

        answer: dict[str, str] = self._do("get_config", told)
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
