"""The configuration of Juniper switches as `set` and `delete` lines, both ways, in Enhanced Layer 2 style.

See Junos OS Ethernet Switching User Guide, "Using the Enhanced Layer 2 Software CLI", and CLI User Guide,
"Renaming and Deleting Configuration Statements". `show configuration | display set` is read as it stands:
what a port inherits of a group or an interface range is not seen.

A port has one list of VLANs, whatever its mode: an access port keeps no VLANs of a trunk. They are told as
None there, and to set them is refused; so is the VLAN of an access port on a trunk. The MTU of Junos counts
the header of a frame, 14 bytes, and ours does not. A port that joins a LAG loses its own VLANs.
"""

import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from msgspec.structs import replace

from lasercats.instructions import vlans
from lasercats.instructions.ios import (
    LEAVE,
    MAKE_VLANS,
    REMOVE_LAGS,
    REMOVE_VLANS,
    SET,
    Part,
    in_order,
    taking,
    text,
)
from lasercats.instructions.ios import speed as read_speed
from lasercats.instructions.switch import (
    COMPUTED_FIELDS,
    SWITCHING,
    Configure,
    Settings,
    Surveyed,
    understood,
    values_of,
)

VENDOR = "Junos"
PORT = re.compile(r"(fe|ge|mge|xe|et)-\d+/\d+/\d+(:\d+)?")
LAG = re.compile(r"ae(0|[1-9]\d{0,2})")
HEADER = 14
"""Bytes of an Ethernet header, which an MTU counts."""
PLAIN = Settings(description="", enabled=True, speed="auto", mtu=1500)
"""A port that is not configured; it has no VLANs."""
_PLAIN_LAG = replace(PLAIN, speed=None, members=(), lacp="off")
_TOKEN = re.compile(r'"((?:[^"\\]|\\.)*)"|(\S+)')
_QUOTED = re.compile(r"\\(.)", re.DOTALL)
"""A sign that is quoted in a text."""
_FAMILY = ("unit", "0", "family", "ethernet-switching")
_OPTIONS = ("ether-options", "gigether-options")
Line = tuple[str, ...]


def lines(configures: Sequence[Configure], known: Surveyed, running: str = "") -> list[str]:
    """Return the lines that configure a batch on a switch of which all is known.

    Raises:
        Wrong: something that a switch with Junos cannot be set to.

    """
    return in_order(configures, lambda configure: _RENDER[configure.what](configure, known, running))


def _vlan(configure: Configure, known: Surveyed, running: str) -> Iterator[Part]:
    number, after = vlans.number(configure.name), configure.after
    old = known.vlans.get(configure.name) or configure.before or Settings()
    there = old.name or f"vlan{number}"
    if after is None:
        yield REMOVE_VLANS, [f"delete vlans {_name(there)}"]
        return
    strange = next((field for field in values_of(after) if field != "name"), None)
    if strange:
        raise ValueError(f"a VLAN has no {strange}")
    name = _name(after.name or there)
    if configure.before is None:
        yield MAKE_VLANS, [f"set vlans {name} vlan-id {number}"]
    elif name != there:
        users = [line for line in statements(running) if line[-3:] == ("vlan", "members", there)]
        moved = [
            f"{do} {' '.join(line[:-1])} {one}"
            for line in users
            for do, one in (("delete", there), ("set", name))
        ]
        yield MAKE_VLANS, [f"rename vlans {_name(there)} to {name}", *moved]


def _name(name: str) -> str:
    if not re.fullmatch(r"[A-Za-z][A-Za-z0-9_.-]{0,63}", name):
        raise ValueError(f"{name!r} is no name on Junos: a letter, then letters, digits, '.', '-' and '_'")
    return name


def _port(configure: Configure, known: Surveyed, _running: str) -> Iterator[Part]:
    if configure.before is None or configure.after is None:
        raise ValueError("ports of this switch come with its hardware")
    if not PORT.fullmatch(configure.name):
        raise ValueError("this is no name of a port on Junos")
    old = known.ports.get(configure.name) or configure.before
    yield SET, list(_settings(configure.name, old, configure.after))


def _lag(configure: Configure, known: Surveyed, running: str) -> Iterator[Part]:
    name, after = configure.name, configure.after
    if not LAG.fullmatch(name):
        raise ValueError("Junos names LAGs ae0 and so on")
    old = Settings() if configure.before is None else known.lags.get(name) or configure.before
    there = old.members or ()
    wanted = () if after is None else there if after.members is None else after.members
    yield LEAVE, [_delete(port, "ether-options", "802.3ad") for port in there if port not in wanted]
    if after is None:
        yield REMOVE_LAGS, [f"delete interfaces {name}"]
        return
    body = []
    if configure.before is None:
        after = taking(after, known)
        most = max(int(lag[2:]) for lag in (name, *known.lags)) + 1
        if running and devices(running) < most:
            body.append(f"set chassis aggregated-devices ethernet device-count {most}")
        body.append(f"set interfaces {name} {' '.join(_FAMILY)}")
    if after.lacp not in (None, "active", "passive", "off"):
        raise ValueError(f"lacp {after.lacp!r} is none; active, passive and off are")
    if after.lacp is not None and after.lacp != old.lacp:
        body.append(_delete(name, "aggregated-ether-options", "lacp"))
        if after.lacp != "off":
            body.append(_set(name, "aggregated-ether-options", "lacp", after.lacp))
    body += _settings(name, old, replace(after, members=None, lacp=None))
    for port in wanted:
        if port not in there:
            body += [_delete(port, "native-vlan-id"), _delete(port, "unit", "0")]
            body.append(_set(port, "ether-options", "802.3ad", name))
    yield SET, body


_RENDER = {"vlan": _vlan, "port": _port, "lag": _lag}


def _set(name: str, *words: str) -> str:
    return f"set interfaces {name} {' '.join(words)}"


def _delete(name: str, *words: str) -> str:
    return f"delete interfaces {name} {' '.join(words)}"


def _settings(name: str, old: Settings, new: Settings) -> Iterator[str]:
    """Iterate over the lines of a port or a LAG."""
    if set(values_of(new)) & set(SWITCHING):
        yield from _switching(name, old, new)
    for field, value in values_of(new).items():
        match field:
            case "description" | "speed" if '"' in value or "\\" in value:
                raise ValueError(f'a {field} on Junos has no " and no \\')
            case "description":
                quoted = f'"{text(value)}"'
                yield _set(name, field, quoted) if value else _delete(name, field)
            case "enabled":
                yield _delete(name, "disable") if value else _set(name, "disable")
            case "mtu" if value < 1:
                raise ValueError(f"{value} is no MTU")
            case "mtu":
                yield _delete(name, field) if value == PLAIN.mtu else _set(name, field, f"{value + HEADER}")
            case "speed" if not re.fullmatch(r"[A-Za-z0-9.-]+", value):
                raise ValueError(f"{value!r} is no speed")
            case "speed":
                yield _delete(name, field) if value == "auto" else _set(name, field, value.lower())
            case _ if field not in (*SWITCHING, *COMPUTED_FIELDS):
                raise ValueError(f"{field} cannot be set on Junos")


def _switching(name: str, old: Settings, new: Settings) -> Iterator[str]:
    """Iterate over the lines of the VLANs of a port or a LAG.

    Raises:
        ValueError: a setting of the mode that it is not in.

    """
    mode = new.mode or old.mode or "access"
    if mode not in ("access", "trunk"):
        raise ValueError(f"Junos has no mode {mode!r}")
    strange = ("native", "allowed") if mode == "access" else ("vlan",)
    for field in strange:
        if getattr(new, field) is not None:
            raise ValueError(f"{field} cannot be set: Junos keeps it for no port that is in mode {mode}")
    turned = mode != old.mode
    if turned:
        yield _set(name, *_FAMILY, "interface-mode", mode)
    if turned or new.vlan is not None or new.allowed is not None:
        yield _delete(name, *_FAMILY, "vlan", "members")
    if (turned and not new.native) or new.native == 0:
        yield _delete(name, "native-vlan-id")
    elif new.native is not None:
        yield _set(name, "native-vlan-id", f"{vlans.number(f'{new.native}')}")
    members = vlans.NONE if new.allowed is None else vlans.write(vlans.tagged(new.allowed, old.allowed))
    members = members if new.vlan is None else f"{vlans.number(f'{new.vlan}')}"
    for part in members.split(",") if members != vlans.NONE else ():
        yield _set(name, *_FAMILY, "vlan", "members", part)


def statements(running: str) -> list[Line]:
    """Return the words of each statement that is in force."""
    found = [
        tuple(_QUOTED.sub(r"\1", quoted) or plain for quoted, plain in _TOKEN.findall(line))
        for line in re.split(r"\r*\n", running)
        if line.startswith(("set ", "deactivate "))
    ]
    off = [line[1:] for line in found if line[0] == "deactivate"]
    active = (line[1:] for line in found if line[0] == "set")
    return [line for line in active if not any(line[: len(path)] == path for path in off)]


def devices(running: str) -> int:
    """Return how many LAGs a switch has room for."""
    path = ("chassis", "aggregated-devices", "ethernet", "device-count")
    count = next((line[-1] for line in statements(running) if line[:-1] == path), "0")
    return int(count) if count.isascii() and count.isdecimal() else 0


def read(running: str) -> Surveyed:
    """Read what `show configuration | display set` prints; what cannot be understood is told as strange."""
    all_statements = [line for line in statements(running) if len(line) > 1]
    found, numbers, of = Surveyed(), dict[str, int](), dict[str, list[Line]]()
    for line in all_statements:
        if line[0] == "vlans" and line[2:3] == ("vlan-id",):
            _number(found, numbers, line)
        elif line[0] == "interfaces" and len(line) > 2:  # noqa: PLR2004 - a name, and something about it
            of.setdefault(line[1], []).append(line[2:])
    for name, about in of.items():
        if PORT.fullmatch(name):
            understood(found, "port", name, lambda about=about: _read(PLAIN, about, numbers))  # type: ignore[misc]
        elif LAG.fullmatch(name):
            understood(found, "lag", name, lambda about=about: _read(_PLAIN_LAG, about, numbers))  # type: ignore[misc]
    for name in sorted(found.ports):
        lag = found.ports[name].lag
        if lag is not None and f"lag {lag}" not in found.strange:
            old = found.lags.get(lag, _PLAIN_LAG)
            found.lags[lag] = replace(old, members=(*(old.members or ()), name))
    named = {1: "default"} | {number: name for name, number in numbers.items()}
    return replace(found, vlans={f"{n}": Settings(name=name) for n, name in sorted(named.items())})


def _number(found: Surveyed, numbers: dict[str, int], line: Line) -> None:
    """Read the number of a VLAN."""
    try:
        numbers[line[1]] = vlans.number(line[3])
    except (ValueError, IndexError):
        found.strange[f"vlan {line[1]}"] = "its vlan-id is no number of a VLAN"


def _read(default: Settings, about: Sequence[Line], numbers: Mapping[str, int]) -> Settings:
    fields: dict[str, Any] = {}
    native = 0
    for line in about:
        match line:
            case ["description", value]:
                fields["description"] = value
            case ["disable"]:
                fields["enabled"] = False
            case ["mtu", value]:
                fields["mtu"] = int(value) - HEADER
            case ["speed", value] | ["ether-options", "speed", value] if default.speed:
                fields["speed"] = read_speed(value.removesuffix("m"), value)
            case ["native-vlan-id", value]:
                native = min(_numbers(value, numbers), default=0)
            case [options, "802.3ad", lag] if options in _OPTIONS:
                fields["lag"] = lag
            case ["aggregated-ether-options", "lacp", ("active" | "passive") as value]:
                fields["lacp"] = value
    family = [line[len(_FAMILY) :] for line in about if line[: len(_FAMILY)] == _FAMILY]
    if not family:
        return replace(default, **fields)
    mode = next((line[1] for line in family if line[:1] == ("interface-mode",)), "access")
    lists = [_numbers(line[2], numbers) for line in family if line[:2] == ("vlan", "members")]
    members = frozenset[int]().union(*lists)
    if mode == "trunk":
        return replace(default, **fields, mode=mode, native=native, allowed=vlans.write(members))
    return replace(default, **fields, mode=mode, vlan=min(members, default=1))


def _numbers(value: str, numbers: Mapping[str, int]) -> frozenset[int]:
    """Return the VLANs that a member of the list means: a name, a number, a range or all."""
    if value in numbers:
        return frozenset({numbers[value]})
    try:
        return vlans.parse(value)
    except ValueError:
        return frozenset()
