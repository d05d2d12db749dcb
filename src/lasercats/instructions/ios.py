"""The industry-standard command line: Cisco IOS, Cisco NX-OS and Arista EOS, both ways.

What is configured becomes lines as they are typed in configuration mode (Cisco IOS LAN Switching Command
Reference; Cisco Nexus 9000 Series NX-OS Interfaces and Layer 2 Switching Configuration Guides; Arista EOS
User Manual, chapters "Ethernet Ports", "Port Channels and LACP" and "VLANs"), and `show running-config` is
read, which leaves out what is at its default. Nothing else in a configuration is touched.

A port that is routed (`no switchport`) has no mode. An older Cisco switch wants `switchport trunk
encapsulation dot1q` before a port can be a trunk: set that by hand, for not every switch knows it.
"""

import re
from collections.abc import Callable, Iterable, Iterator, Sequence
from operator import itemgetter
from typing import Any, NamedTuple, TypeAlias

from msgspec.structs import replace

from lasercats.instructions import vlans
from lasercats.instructions.switch import (
    COMPUTED_FIELDS,
    SWITCHING,
    Configure,
    Settings,
    Surveyed,
    understood,
    values_of,
)
from lasercats.instructions.switch_model import Wrong, with_lags
from lasercats.instructions.vlans import DEFAULT

MTU = 1500
LONGEST = 254
"""The most letters that IOS and NX-OS take in a line; a longer one is cut off."""
PLAIN = Settings(
    description="",
    enabled=True,
    mode="access",
    vlan=DEFAULT,
    native=DEFAULT,
    allowed=vlans.ALL,
    speed="auto",
    mtu=MTU,
)
"""A port at its defaults."""
_PLAIN_LAG = replace(PLAIN, speed=None)
_PROTOCOLS = {"active": "LACP", "passive": "LACP", "on": "", "auto": "PAgP", "desirable": "PAgP"}
"""What the ports of a LAG speak in each mode."""
_MODES = re.compile(
    r"access|trunk|dynamic (auto|desirable)|dot1q-tunnel|private-vlan [a-z ]+|fex-fabric|tap|tool"
)
_GROUP = re.compile(r"channel-group (\d+)(?: force)?(?: mode (\S+))?")
_SPEED = re.compile(r"(?:forced )?(\d+(?:\.\d+)?)(g?)(?:full)?(?:-\d)?")
_OWN_SPEED = re.compile(r"(\d{1,4}(?:\.\d)?)([MG])")
_RESERVED = range(1002, 1006)
REMOVE_VLANS, MAKE_VLANS, LEAVE, REMOVE_LAGS, SET = range(5)
"""The order in a batch: what is removed makes room, and a port leaves a LAG before it joins another."""
Part: TypeAlias = tuple[int, list[str]]
"""Lines that stand together, with their place in that order."""


class Dialect(NamedTuple):
    """What is different from vendor to vendor."""

    vendor: str
    lag: str
    """How the name of a LAG begins."""
    port: re.Pattern[str]
    """The names of ports."""
    untagged: str | None = None
    """What a trunk's native VLAN is where it takes no untagged frames."""
    force: str = ""
    """What lets a port into a LAG that is configured otherwise, and takes the LAG's configuration over."""
    copies: bool = False
    """True where a port must be configured like a LAG before it joins it."""
    gigabits: bool = False
    """True where speeds are written as `10g`, and not in megabits."""
    routes: bool = False
    """True where a port can be routed by default; then a port that is not says `switchport`."""
    end: tuple[str, ...] = ()
    """What the lines of a batch end with."""
    begin: tuple[str, ...] = ("configure terminal",)
    """What a person types before the lines."""
    save: tuple[str, ...] = ("end", "write memory")
    """What a person types after them."""


IOS = Dialect(
    "Cisco IOS",
    "Port-channel",
    re.compile(r"[A-Z][A-Za-z]*(Ethernet|GigE)\d+(/\d+)*"),
    copies=True,
    end=("end",),  # else `show archive config incremental-diffs` answers with error 5
    save=("write memory",),
)
NXOS = Dialect(
    "Cisco NX-OS",
    "port-channel",
    re.compile(r"Ethernet\d+/\d+(/\d+)?"),
    force=" force",
    routes=True,
    save=("end", "copy running-config startup-config"),
)
EOS = Dialect("Arista EOS", "Port-Channel", re.compile(r"Ethernet\d+(/\d+)*"), untagged="tag", gigabits=True)


def lines(configures: Sequence[Configure], known: Surveyed, dialect: Dialect) -> list[str]:
    """Return the lines that configure a batch on a switch of which all is known.

    Raises:
        Wrong: something that this vendor's switches cannot be set to.

    """
    rendered = in_order(configures, lambda configure: _rendered(configure, known, dialect))
    return [*rendered, *dialect.end] if rendered else []


def in_order(configures: Sequence[Configure], render: Callable[[Configure], Iterable[Part]]) -> list[str]:
    """Return the lines of a batch in the order of their parts.

    Raises:
        Wrong: a change that cannot be rendered.

    """
    parts: list[Part] = []
    for index, configure in folded(configures):
        try:
            parts += render(configure)
        except ValueError as error:
            raise Wrong(index, f"{configure.what} {configure.name}: {error}") from None
    return [line for _, part in sorted(parts, key=itemgetter(0)) for line in part]


def _rendered(configure: Configure, known: Surveyed, dialect: Dialect) -> Iterator[Part]:
    """Iterate over the parts of one change.

    Raises:
        ValueError: it cannot be rendered, or a line of it is too long.

    """
    for place, part in _RENDER[configure.what](configure, known, dialect):
        for line in (line for line in part if len(line) > LONGEST):
            fact = f"{dialect.vendor} takes {LONGEST} letters a line"
            raise ValueError(f"{fact}, and {line[:30]!r}… has {len(line)}")
        yield place, part


def folded(configures: Sequence[Configure]) -> list[tuple[int, Configure]]:
    """Return what a batch comes to: one change of each thing, or that it is removed and made again.

    Each has its place in the batch, the last one where there are several.
    """
    found: dict[tuple[str, str], list[tuple[int, Configure]]] = {}
    for index, configure in enumerate(configures):
        of = found.setdefault((configure.what, configure.name), [])
        before = of[-1][1] if of else None
        if before is None or before.after is None:
            of.append((index, configure))
        elif configure.after is not None:
            after = replace(before.after, **values_of(configure.after))
            of[-1] = (index, replace(before, after=after))
        else:
            del of[-1]
            if before.before is not None:
                of.append((index, replace(before, after=None)))
    return sorted((one for of in found.values() for one in of), key=itemgetter(0))


def _vlan(configure: Configure, _known: Surveyed, dialect: Dialect) -> Iterator[Part]:
    number = vlans.number(configure.name)
    if configure.after is None:
        yield REMOVE_VLANS, [f"no vlan {number}"]
        return
    body = []
    for field, value in _settable(configure.after).items():
        if field != "name":
            raise ValueError(f"a VLAN has no {field}")
        if not re.fullmatch(r"[!-~]{0,32}", value) or "?" in value:
            raise ValueError(f"{value!r} is no name on {dialect.vendor}: 32 letters at most, and no spaces")
        body.append(f" name {value}" if value else " no name")
    yield MAKE_VLANS, [f"vlan {number}", *body, " exit"]


def _port(configure: Configure, known: Surveyed, dialect: Dialect) -> Iterator[Part]:
    if configure.before is None or configure.after is None:
        raise ValueError("ports of this switch come with its hardware")
    old = known.ports.get(configure.name)
    body = list(_settings(_tagged(configure.after, old or configure.before), old, dialect))
    yield SET, [_interface(configure.name), *body]


def _lag(configure: Configure, known: Surveyed, dialect: Dialect) -> Iterator[Part]:
    name, group = configure.name, configure.name.removeprefix(dialect.lag)
    if group == name or not re.fullmatch("[1-9][0-9]{0,3}", group):
        raise ValueError(f"{dialect.vendor} names LAGs {dialect.lag}1 and so on")
    made = configure.before is None
    old = Settings() if made else known.lags.get(name) or configure.before or Settings()
    there = old.members or ()
    if configure.after is None:
        yield LEAVE, [line for port in there for line in (_interface(port), " no channel-group")]
        yield REMOVE_LAGS, [f"no interface {name}"]
        return
    after = _tagged(taking(configure.after, known) if made else configure.after, old)
    new = replace(old, **values_of(after))
    mode, before = _channel_mode(new.lacp or "active"), _channel_mode(old.lacp or "active")
    again = not made and _PROTOCOLS[mode] != _PROTOCOLS[before]
    leave = [port for port in there if again or port not in (new.members or ())]
    join = [port for port in new.members or () if port not in there or new.lacp != old.lacp]
    yield LEAVE, [line for port in leave for line in (_interface(port), " no channel-group")]
    alike = replace(PLAIN, **values_of(_switching(new))) if made else new
    if made and dialect.copies:  # what it is by default need not be what its members are told
        after = replace(after, **values_of(_switching(alike)))
    settings = list(_settings(after, None if made else known.lags.get(name), dialect))
    body = [_interface(name), *settings] if settings or made else []
    for port in join:
        body.append(_interface(port))
        body += _settings(_switching(alike), known.ports.get(port), dialect) if dialect.copies else ()
        body.append(f" channel-group {group}{dialect.force} mode {mode}")
    yield SET, body


def _tagged(after: Settings, old: Settings) -> Settings:
    """Return settings without VLAN 0 where that was a part of all VLANs, and of nothing else.

    Raises:
        ValueError: it was asked for.

    """
    if after.allowed is None:
        return after
    return replace(after, allowed=vlans.write(vlans.tagged(after.allowed, old.allowed)))


def _channel_mode(lacp: str) -> str:
    """Return the mode of the members of a LAG.

    Raises:
        ValueError: there is none.

    """
    mode = "on" if lacp == "off" else lacp
    if mode not in _PROTOCOLS or lacp == "on":
        raise ValueError(f"lacp {lacp!r} is none; active, passive and off are")
    return mode


def _switching(settings: Settings) -> Settings:
    """Return what is said of VLANs."""
    return Settings(**{field: getattr(settings, field) for field in SWITCHING})


def taking(after: Settings, known: Surveyed) -> Settings:
    """Return what a new LAG is set to: what nobody decided is as all its members have it.

    Else they would be suspended, as they do not fit to it.
    """
    there = [known.ports[port] for port in after.members or () if port in known.ports]
    if not there or len(there) < len(after.members or ()):
        return after

    def shared(field: str) -> Any:  # noqa: ANN401 - each field has its own type
        values = {getattr(one, field) for one in there}
        return values.pop() if len(values) == 1 else None

    mode = after.mode or shared("mode")
    taken = {f: shared(f) for f in SWITCHING if getattr(after, f) is None and shared("mode") == mode}
    return replace(after, mode=mode, **{f: value for f, value in taken.items() if f != "mode"})


_BEGINS: dict[str, tuple[str, int | None]] = {
    "mode": ("switchport mode", None),
    "vlan": ("switchport access vlan", DEFAULT),
    "native": ("switchport trunk native vlan", DEFAULT),
    "mtu": ("mtu", MTU),
}
"""How the line of a field begins, and the value that is set by `no`."""
_RENDER = {"port": _port, "vlan": _vlan, "lag": _lag}


def _interface(name: str) -> str:
    if not re.fullmatch(r"[A-Za-z0-9./:-]+", name):
        raise ValueError(f"{name!r} names no interface")
    return f"interface {name}"


def _settable(settings: Settings) -> dict[str, Any]:
    return {field: value for field, value in values_of(settings).items() if field not in COMPUTED_FIELDS}


def _settings(settings: Settings, old: Settings | None, dialect: Dialect) -> Iterator[str]:
    """Iterate over the lines of an interface."""
    values = _settable(settings)
    if old is not None and old.mode is None and values.keys() & set(SWITCHING):
        yield " switchport"
    for field, value in values.items():
        if field == "allowed":
            yield from _allowed(value)
        elif field not in ("members", "lacp"):
            yield f" {_line(field, value, dialect)}"


def _allowed(value: str) -> Iterator[str]:
    """Iterate over the lines of what a trunk allows: as long as one may be, and the rest is added."""
    line = " switchport trunk allowed vlan "
    parts = value.split(",")
    while parts:
        many = len(parts)
        while len(line) + len(",".join(parts[:many])) > LONGEST:
            many -= 1
        yield line + ",".join(parts[:many])
        line, parts = " switchport trunk allowed vlan add ", parts[many:]


def _line(field: str, value: Any, dialect: Dialect) -> str:  # noqa: ANN401 - each field has its own type
    """Return the line that sets a field; what is at its default is not told."""
    match field:
        case "description":
            return f"description {text(value)}" if value else "no description"
        case "enabled":
            return "no shutdown" if value else "shutdown"
        case "native" if value == 0:
            if dialect.untagged is None:
                raise ValueError(f"a trunk of {dialect.vendor} has a VLAN for untagged frames; 0 is none")
            return f"switchport trunk native vlan {dialect.untagged}"
        case "speed":
            return "no speed" if value == "auto" else f"speed {_speed(value, gigabits=dialect.gigabits)}"
        case "vlan" | "native":
            vlans.number(f"{value}")
        case "mode" if not _MODES.fullmatch(value):
            raise ValueError(f"{dialect.vendor} has no mode {value!r}")
        case "mtu" if value < 1:
            raise ValueError(f"{value} is no MTU")
    if field not in _BEGINS:
        raise ValueError(f"{field} cannot be set on {dialect.vendor}")
    begin, default = _BEGINS[field]
    return f"no {begin}" if value == default else f"{begin} {value}"


def text(value: str) -> str:
    """Return a text as it can stand at the end of a line.

    Raises:
        ValueError: it would not come back as it is.

    """
    if value != value.strip() or not value.isprintable():
        raise ValueError(f"{value!r} does not fit into a line: it begins or ends with a space, or has a sign")
    return value


def _speed(value: str, *, gigabits: bool) -> str:
    match = _OWN_SPEED.fullmatch(value)
    if match is None:
        if not re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9 .-]*", value):
            raise ValueError(f"{value!r} is no speed")
        return value  # in words of the switch, as it told it
    number, unit = match.groups()
    if gigabits:
        return f"{number}full" if unit == "M" else f"{number}g"
    return number if unit == "M" else f"{float(number) * 1000:.0f}"


def speed(value: str, otherwise: str | None = None) -> str:
    """Return a speed as `100M` or `10G`; any other in the words of the switch."""
    match = _SPEED.fullmatch(value.lower())
    if match is None:
        return otherwise or value
    megabits = float(match[1]) * (1000 if match[2] else 1)
    return f"{megabits:g}M" if megabits < 1000 else f"{megabits / 1000:g}G"  # noqa: PLR2004


def read(running: str, dialect: Dialect) -> Surveyed:
    """Read what `show running-config` prints; what cannot be understood is told as strange."""
    found = Surveyed()
    names: dict[int, str] = {DEFAULT: "default"}
    members: dict[str, list[tuple[str, str | None]]] = {}
    sections = list(_sections(running))
    bodies = [body for head, body in sections if dialect.port.fullmatch(head.removeprefix("interface "))]
    routed = dialect.routes and any("switchport" in body for body in bodies)
    for head, body in sections:
        sort, _, name = head.partition(" ")
        if sort == "vlan" and re.fullmatch(r"[0-9,-]+", name):
            _name_vlans(found, names, name, body)
        elif sort == "interface" and dialect.port.fullmatch(name):
            understood(found, "port", name, lambda body=body: _read(body, PLAIN, routed=routed))  # type: ignore[misc]
            for match in filter(None, map(_GROUP.fullmatch, body)):
                members.setdefault(f"{dialect.lag}{match[1]}", []).append((name, match[2]))
        elif sort == "interface" and re.fullmatch(rf"{dialect.lag}\d+", name):
            understood(found, "lag", name, lambda body=body: _read(body, _PLAIN_LAG, routed=routed))  # type: ignore[misc]
    for name, held in members.items():
        mode = held[0][1] or "on"
        of = tuple(sorted(port for port, _ in held))
        lacp = "off" if mode == "on" else mode
        if f"lag {name}" not in found.strange:
            found.lags[name] = replace(found.lags.get(name, _PLAIN_LAG), members=of, lacp=lacp)
    lags = {name: lag if lag.members else replace(lag, members=()) for name, lag in found.lags.items()}
    known = {f"{n}": Settings(name=name) for n, name in sorted(names.items())}
    return replace(found, ports=with_lags(found.ports, lags), vlans=known, lags=lags)


def _name_vlans(found: Surveyed, names: dict[int, str], those: str, body: Sequence[str]) -> None:
    """Read a section about VLANs."""
    named = next((line.partition(" ")[2] for line in body if line.startswith("name ")), None)
    try:
        for number in vlans.parse(those):
            names[number] = named or names.get(number, vlans.default_name(number))
    except ValueError as error:
        found.strange[f"vlan {those}"] = f"{error}"


def read_vlans(output: str) -> dict[str, Settings]:
    """Read what `show vlan brief` of Cisco IOS prints: also VLANs that a VTP server keeps in a file.

    Left out are those of Token Ring and FDDI, which are always there and cannot be changed.
    """
    rows = re.findall(r"^(\d{1,4}) +(\S.*?) +(?:active|suspended|act/|sus/)", output, re.MULTILINE)
    return {f"{int(n)}": Settings(name=name) for n, name in rows if int(n) not in (0, *_RESERVED, 4095)}


def _sections(running: str) -> Iterator[tuple[str, list[str]]]:
    """Iterate over the lines that are not indented, each with the indented ones after it."""
    head, body = "", list[str]()
    for line in re.split(r"\r*\n", running):
        if line.startswith(" "):
            body.append(line.strip())
            continue
        if head:
            yield head, body
        head, body = " ".join(line.strip().strip("!").split()), []
    if head:
        yield head, body


def _read(body: Sequence[str], default: Settings, *, routed: bool) -> Settings:
    fields: dict[str, Any] = {}
    routed = "no switchport" in body or (routed and "switchport" not in body)
    for line in body:
        match line.split():
            case ["description", *_]:
                fields["description"] = line.partition(" ")[2].strip()
            case ["shutdown"]:
                fields["enabled"] = False
            case ["switchport", "mode", *mode]:
                fields["mode"] = " ".join(mode)
            case ["switchport", "access", "vlan", number] if number.isdecimal():
                fields["vlan"] = int(number)
            case ["switchport", "trunk", "native", "vlan", number]:
                fields["native"] = int(number) if number.isdecimal() else 0
            case ["switchport", "trunk", "allowed", "vlan", "add", more]:
                fields["allowed"] = vlans.write(
                    vlans.parse(fields.get("allowed", vlans.NONE)) | vlans.parse(more)
                )
            case ["switchport", "trunk", "allowed", "vlan", those] if those != "add":
                fields["allowed"] = vlans.one_form(those)
            case ["mtu", number]:
                fields["mtu"] = int(number)
            case ["speed", *words] if default.speed:
                fields["speed"] = speed(" ".join(words))
    return replace(default, **fields | (dict.fromkeys(SWITCHING) if routed else {}))
