"""The configurations of simulated switches of Cisco, Arista and Juniper: what they take and what they print.

Only lines that such a switch takes are taken; what is at its default is not printed.
"""

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from napalm.base.exceptions import (
    CommitError,
)

from lasercats.instructions import vlans


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
LINE = 254
"""The most letters that such a switch takes in a line."""
_SHARED = ("switchport mode", "switchport access", "switchport trunk native", "switchport trunk allowed")
"""What all ports of a LAG must have in common."""


_ALLOWED = "switchport trunk allowed vlan"
_MORE = f"{_ALLOWED} add"


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
            "switchport mode": "switchport mode (access|trunk|dynamic auto|dynamic desirable|dot1q-tunnel)",
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
        cut = next((line for line in text.splitlines() if len(line) > LINE), None)
        if cut is not None:
            raise Invalid(f"{cut[:LINE]}\n ^\n% Invalid input detected: the line is too long.")
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
        members = {name: body.get("channel-group", "").split()[1:2] for name, body in self.interfaces.items()}
        return [name for name, number in members.items() if number == [group]]

    def suspended(self) -> list[str]:
        """Return the members of LAGs that take no part, as their VLANs are not those of the LAG."""
        found = []
        for lag in (name for name in self.interfaces if name.startswith(self.style.lag)):
            settings = self.interfaces[lag]
            for port in self._members(lag):
                own = self.interfaces[port]
                if any(own.get(key) != settings.get(key) for key in self._grammar if key.startswith(_SHARED)):
                    found.append(port)
        return found

    def _setting(self, name: str, line: str) -> None:
        body = self.interfaces[name]
        if line == "switchport":
            body.pop("switchport", None)
        elif line.startswith(f"{_MORE} "):
            there = body.get(_ALLOWED, f"{_ALLOWED} all").removeprefix(f"{_ALLOWED} ")
            both = vlans.parse(there) | vlans.parse(line.removeprefix(f"{_MORE} "))
            self._setting(name, f"{_ALLOWED} {vlans.write(both)}")
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
        rows = [f"{n:<4} {name:<32} active    " for n, name in sorted(self.vlans.items())]
        return "\n".join([*head, *rows, f"1002 {'fddi-default':<32} act/unsup "])

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
        begin, _, last = line.rpartition(" ")
        parts = last.split(",")
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
