"""Ports, VLANs and LAGs in the database of Open vSwitch, by its schema (ovs-vswitchd.conf.db(5)).

A port of a switch is an Interface in a Port of its own; a LAG is a Port of several Interfaces. Open vSwitch
has neither VLANs that are there without a port nor ports that are shut down, and it keeps nothing of a mode
that a port is not in. So VLANs stand in `external_ids` of the Bridge (`lasercats-vlan-20=servers`), and what
the columns cannot hold stands in those of the Interface, or of the Port of a LAG. A port that is shut down is
a trunk of VLAN 4095 alone, which no frame is in.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any, NamedTuple

from msgspec.structs import replace

from lasercats.core.errors import Refused
from lasercats.instructions import vlans
from lasercats.instructions.switch import Settings, Surveyed
from lasercats.instructions.switch_model import changed, told, untagged

NOWHERE = 4095
"""A tag that no frame may have (IEEE 802.1Q)."""
OWN = "lasercats-"
VLAN_KEY = f"{OWN}vlan-"
KEPT = ("enabled", "mode", "vlan", "native", "allowed")
DEFAULTS: dict[str, Any] = {"enabled": True, "mode": "trunk", "vlan": 1, "native": 0, "allowed": vlans.ALL}
LACP = {"active": "active", "passive": "passive", "off": "off"}
PORT_COLUMNS = ("_uuid", "name", "interfaces", "tag", "trunks", "vlan_mode", "lacp", "external_ids")
INTERFACE_COLUMNS = (
    "_uuid",
    "name",
    "type",
    "mtu",
    "mtu_request",
    "external_ids",
    "link_state",
    "mac_in_use",
    "error",
)
BRIDGE_COLUMNS = ("_uuid", "name", "ports", "external_ids")
Row = dict[str, Any]


class Rows(NamedTuple):
    """What was read of one bridge: rows by name, with values as Python has them."""

    bridge: Row
    ports: dict[str, Row]
    interfaces: dict[str, Row]
    raw: Mapping[str, Mapping[str, Any]]
    """The columns as they came, by the UUID of their row."""
    next_config: int
    current_config: int


def reading() -> list[Row]:
    """Return the operations that read all (RFC 7047, 5.2.2)."""
    return [
        {"op": "select", "table": "Bridge", "where": [], "columns": list(BRIDGE_COLUMNS)},
        {"op": "select", "table": "Port", "where": [], "columns": list(PORT_COLUMNS)},
        {"op": "select", "table": "Interface", "where": [], "columns": list(INTERFACE_COLUMNS)},
        {"op": "select", "table": "Open_vSwitch", "where": [], "columns": ["next_cfg", "cur_cfg"]},
    ]


def rows(answers: Sequence[Mapping[str, Any]], bridge: str | None) -> Rows:
    """Return what was read of a bridge, by default of the only one.

    Raises:
        Refused: there is none of that name, or several and none is named.

    """
    bridges, ports, interfaces, root = ([plain(row) for row in a["rows"]] for a in answers)
    names = sorted(row["name"] for row in bridges)
    if bridge is None and len(names) != 1:
        raise Refused(f"it has {len(names)} bridges ({', '.join(names[:5])}); name one by ?bridge=NAME")
    found = next((row for row in bridges if bridge in (None, row["name"])), None)
    if found is None:
        raise Refused(f"it has no bridge {bridge!r}, but {', '.join(names[:5]) or 'none'}")
    own = {row["name"]: row for row in ports if row["_uuid"] in listed(found["ports"])}
    held = {uuid for row in own.values() for uuid in listed(row["interfaces"])}
    raw = {row["_uuid"][1]: row for answer in answers[:3] for row in answer["rows"]}
    return Rows(
        found,
        own,
        {row["name"]: row for row in interfaces if row["_uuid"] in held},
        raw,
        root[0]["next_cfg"] if root else 0,
        root[0]["cur_cfg"] if root else 0,
    )


def plain(row: Mapping[str, Any]) -> Row:
    """Return a row with its values as Python has them: sets as lists, maps as dicts, UUIDs as text."""
    return {column: value(told) for column, told in row.items()}


def value(told: Any) -> Any:  # noqa: ANN401
    """Return a value (RFC 7047, 5.1) as Python has it."""
    if not isinstance(told, list):
        return told
    kind, content = told
    if kind == "set":
        return [value(one) for one in content]
    if kind == "map":
        return {key: value(one) for key, one in content}
    return content


def listed(told: Any) -> list[Any]:  # noqa: ANN401
    """Return a column that holds any number of values as a list: one of them comes without a set."""
    return told if isinstance(told, list) else [told]


def read(rows: Rows) -> Surveyed:
    """Return what is on a bridge."""
    by_uuid = {row["_uuid"]: row for row in rows.interfaces.values()}
    ports, lags = dict[str, Settings](), dict[str, Settings]()
    for name, row in rows.ports.items():
        held = [by_uuid[uuid] for uuid in listed(row["interfaces"]) if uuid in by_uuid]
        if len(held) == 1 and held[0]["name"] == name:
            ports[name] = replace(_port(held[0]), **_switching(row, held[0]["external_ids"]))
            continue
        for interface in held:
            ports[interface["name"]] = replace(_port(interface), **_stashed(interface["external_ids"]))
        lags[name] = Settings(
            **_switching(row, row["external_ids"]),
            description=row["external_ids"].get("description", ""),
            members=tuple(sorted(interface["name"] for interface in held)),
            lacp=next(iter(listed(row["lacp"])), "off"),
            link="up" if any(_link(interface) == "up" for interface in held) else "down",
        )
    return Surveyed(told(ports, lags), _vlans(rows.bridge, [*ports.values(), *lags.values()]), lags)


def _vlans(bridge: Row, users: Iterable[Settings]) -> dict[str, Settings]:
    """Return the VLANs that are told of, or that some port is in."""
    names = {f"{vlan}": default_name(vlan) for user in users if (vlan := untagged(user)) not in (None, 0, 1)}
    for key, name in bridge["external_ids"].items():
        if key.startswith(VLAN_KEY) and key[len(VLAN_KEY) :].isdecimal():
            names[key[len(VLAN_KEY) :]] = name
    return {number: Settings(name=name) for number, name in sorted(names.items(), key=lambda n: int(n[0]))}


def default_name(vlan: int | str | None) -> str:
    """Return the name of a VLAN that nobody named."""
    return f"VLAN{int(vlan or 0):04}"


def _port(interface: Row) -> Settings:
    mtu = [*listed(interface["mtu_request"]), *listed(interface["mtu"])]
    return Settings(
        description=interface["external_ids"].get("description", ""),
        speed="auto",
        mtu=mtu[0] if mtu else 1500,
        type="" if interface["type"] == "system" else interface["type"],
        link=_link(interface),
        mac=next(iter(listed(interface["mac_in_use"])), None),
    )


def _link(interface: Row) -> str:
    return next(iter(listed(interface["link_state"])), "down")


def problem(rows: Rows, name: str) -> str | None:
    """Return what Open vSwitch says is wrong with a port."""
    found = rows.interfaces.get(name)
    said = [] if found is None else listed(found["error"])
    return f"Open vSwitch says: {said[0]}" if said and said[0] else None


def _switching(port: Row, kept: Mapping[str, str]) -> dict[str, Any]:
    """Return what the columns of a Port say, and what is kept beside them."""
    tag, trunks = next(iter(listed(port["tag"])), None), listed(port["trunks"])
    mode = next(iter(listed(port["vlan_mode"])), None) or ("trunk" if tag is None else "access")
    stashed = _stashed(kept)
    if (mode, tag, trunks) == ("trunk", None, [NOWHERE]) and not stashed["enabled"]:
        return stashed
    if mode == "access":
        return {**stashed, "enabled": True, "mode": "access", "vlan": tag}
    if mode not in ("trunk", "native-untagged"):
        return {"enabled": True}  # dot1q-tunnel, native-tagged: of no mode that is managed
    allowed = vlans.write(v for v in trunks if vlans.FIRST <= v <= vlans.LAST) if trunks else vlans.ALL
    native = tag if mode == "native-untagged" and tag is not None else 0
    return {**stashed, "enabled": True, "mode": "trunk", "native": native, "allowed": allowed}


def _stashed(kept: Mapping[str, str]) -> dict[str, Any]:
    """Return what is kept beside the columns; what is not, or makes no sense, is as by default."""
    found = dict(DEFAULTS)
    for field in KEPT:
        text = kept.get(f"{OWN}{field}")
        if text is None:
            continue
        if field in ("vlan", "native"):
            found[field] = int(text) if text.isdecimal() and int(text) <= vlans.LAST else DEFAULTS[field]
        elif field == "enabled":
            found[field] = text != "false"
        elif field == "mode":
            found[field] = text if text in ("access", "trunk") else DEFAULTS[field]
        else:
            found[field] = _set_of_vlans(text)
    return found


def _set_of_vlans(text: str) -> str:
    try:
        return vlans.one_form(text)
    except ValueError:
        return vlans.ALL


class Columns(NamedTuple):
    """What is written of a port or LAG: the VLAN columns, and what is kept beside them."""

    tag: int | None
    trunks: list[int]
    vlan_mode: str
    kept: dict[str, str]


def columns(settings: Settings) -> Columns:
    """Return how a port or LAG stands in the database."""
    full = {field: getattr(settings, field) for field in KEPT}
    full = {field: DEFAULTS[field] if value is None else value for field, value in full.items()}
    if not full["enabled"]:
        return Columns(None, [NOWHERE], "trunk", _keeping(full, KEPT))
    if full["mode"] == "access":
        return Columns(full["vlan"], [], "access", _keeping(full, ("native", "allowed")))
    allowed = full["allowed"]
    carried = [] if allowed == vlans.ALL else sorted(vlans.parse(allowed)) or [NOWHERE]
    native = full["native"]
    mode = "native-untagged" if native else "trunk"
    return Columns(native or None, carried, mode, _keeping(full, ("vlan",)))


def _keeping(full: Mapping[str, Any], fields: Iterable[str]) -> dict[str, str]:
    """Return what of some fields is to be kept, where it is not as by default."""
    return {
        f"{OWN}{field}": str(full[field]).lower() if field == "enabled" else str(full[field])
        for field in fields
        if full[field] != DEFAULTS[field]
    }


def check(name: str, settings: Settings | None) -> None:
    """Check that Open vSwitch can be set so.

    Raises:
        Refused: it has no such setting.

    """
    if settings is not None and settings.speed not in (None, "auto"):
        raise Refused(f"{name}: Open vSwitch has no setting for the speed of a port")


def affected(before: Surveyed, after: Surveyed) -> Iterator[str]:
    """Iterate over the names of all ports and LAGs whose rows differ."""
    yield from changed(before.ports, after.ports)
    yield from changed(before.lags, after.lags)
    moved = {n for n in before.ports.keys() & after.ports.keys() if before.ports[n].lag != after.ports[n].lag}
    yield from sorted(moved)
