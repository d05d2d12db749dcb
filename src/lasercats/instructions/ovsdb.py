"""Ports, VLANs and LAGs in the database of Open vSwitch, by its schema (ovs-vswitchd.conf.db(5)).

A port of a switch is an Interface in a Port of its own; a LAG is a Port of several Interfaces. Open vSwitch
has neither VLANs that are there without a port nor ports that are shut down, and it keeps nothing of a mode
that a port is not in. So VLANs stand in `external_ids` of the Bridge (`lasercats-vlan-20=servers`), and what
the columns cannot hold stands in those of the Interface, or of the Port of a LAG. A port that is shut down is
a trunk of VLAN 4095 alone, which no frame is in.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, NamedTuple

from msgspec.structs import replace

from lasercats.core.errors import Refused
from lasercats.core.identity import facts
from lasercats.core.text import clean
from lasercats.instructions import vlans
from lasercats.instructions.switch import Settings, Surveyed, understood, values_of
from lasercats.instructions.switch_model import untagged, with_lags

NOWHERE = 4095
"""A tag that no frame may have (IEEE 802.1Q)."""
OWN = "lasercats-"
VLAN_KEY = f"{OWN}vlan-"
KEPT = ("enabled", "mode", "vlan", "native", "allowed")
DEFAULTS: dict[str, Any] = {"enabled": True, "mode": "trunk", "vlan": 1, "native": 0, "allowed": vlans.ALL}
MODES = ("access", "trunk", "native-tagged", "dot1q-tunnel")
"""Those of the database, but that a trunk with a native VLAN is `native-untagged` there."""
BY_SOURCE, HASHED = "balance-slb", "balance-tcp"
"""How a bond spreads frames; the second only speaks to a partner by LACP."""
LACP = ("active", "passive", "off")
INTERFACE_COLUMNS = (
    *("_uuid", "name", "type", "mtu", "mtu_request", "external_ids", "link_state", "mac_in_use", "error"),
    *("options", "other_config", "ingress_policing_rate", "ingress_policing_burst", "mac", "ofport_request"),
)
BRIDGE_COLUMNS = ("_uuid", "name", "ports", "external_ids")
KNOWN_COLUMNS = frozenset(
    (
        *("_uuid", "_version", "name", "interfaces", "tag", "trunks", "vlan_mode", "lacp", "external_ids"),
        *("type", "mtu", "mtu_request", "link_state", "mac_in_use", "error", "statistics", "status"),
        *("rstp_status", "rstp_statistics", "bond_active_slave"),
    )
)
"""What is managed, or only tells how it is."""
Row = dict[str, Any]


class Rows(NamedTuple):
    """What was read of one bridge: rows by name, with values as Python has them."""

    bridge: Row
    ports: dict[str, Row]
    interfaces: dict[str, Row]
    raw: Mapping[str, Mapping[str, Any]]
    """The columns as they came, by the UUID of their row."""


def reading() -> list[Row]:
    """Return the operations that read all (RFC 7047, 5.2.2)."""
    return [
        {"op": "select", "table": "Bridge", "where": [], "columns": list(BRIDGE_COLUMNS)},
        {"op": "select", "table": "Port", "where": []},  # all of it: what is not managed is kept
        {"op": "select", "table": "Interface", "where": [], "columns": list(INTERFACE_COLUMNS)},
        {"op": "select", "table": "Open_vSwitch", "where": [], "columns": ["_uuid", "external_ids"]},
    ]


def identity(answers: Sequence[Mapping[str, Any]], bridge: Row) -> dict[str, str]:
    """Return who a bridge is by what was read: its name, its database, and the id of the system.

    The database has a UUID from when it was made. `system-id` is of the system, stays when the database is
    made anew, and need not be there.
    """
    row = plain(next(iter(answers[3].get("rows") or ()), {})) if len(answers) > 3 else {}  # noqa: PLR2004
    given = row.get("external_ids")
    system = given.get("system-id") if isinstance(given, dict) else None
    return facts(database=row.get("_uuid"), system_id=system, bridge=bridge.get("name"))


def rows(answers: Sequence[Mapping[str, Any]], bridge: str | None) -> Rows:
    """Return what was read of a bridge, by default of the only one.

    Raises:
        Refused: there is none of that name, or several and none is named.

    """
    raw = {row["_uuid"][1]: row for answer in answers[:3] for row in answer["rows"] if _named(row)}
    bridges, ports, interfaces = ([plain(row) for row in a["rows"] if _named(row)] for a in answers[:3])
    names = sorted(row["name"] for row in bridges)
    if bridge is None and len(names) != 1:
        raise Refused(f"it has {len(names)} bridges ({', '.join(names[:5])}); name one by ?bridge=NAME")
    found = next((row for row in bridges if bridge in (None, row["name"])), None)
    if found is None:
        raise Refused(f"it has no bridge {bridge!r}, but {', '.join(names[:5]) or 'none'}")
    here = {*uuids(found["ports"])}
    own = {row["name"]: row for row in ports if row["_uuid"] in here}
    held = {uuid for row in own.values() for uuid in uuids(row.get("interfaces"))}
    return Rows(found, own, {row["name"]: row for row in interfaces if row["_uuid"] in held}, raw)


def _named(row: Mapping[str, Any]) -> bool:
    """Tell whether a row can be referred to."""
    uuid, name = row.get("_uuid"), row.get("name")
    whole = isinstance(uuid, list) and len(uuid) == 2 and isinstance(uuid[1], str)  # noqa: PLR2004 - a pair
    return whole and isinstance(name, str) and name != ""


def plain(row: Mapping[str, Any]) -> Row:
    """Return a row with its values as Python has them: sets as lists, maps as dicts, UUIDs as text."""
    return {column: value(raw) for column, raw in row.items()}


def value(raw: Any) -> Any:  # noqa: ANN401
    """Return a value (RFC 7047, 5.1) as Python has it; what is none stays as it is."""
    match raw:
        case str():
            return clean(raw)
        case ["set", list() as content]:
            return [value(one) for one in content]
        case ["map", list() as content] if all(isinstance(one, list) and len(one) == 2 for one in content):  # noqa: PLR2004 - pairs
            return {value(key): value(one) for key, one in content if isinstance(key, str | int)}
        case ["uuid" | "named-uuid", content]:
            return content
    return raw


def listed(raw: Any) -> list[Any]:  # noqa: ANN401
    """Return a column that holds any number of values as a list: one of them comes without a set."""
    return raw if isinstance(raw, list) else [raw]


def uuids(raw: Any) -> list[str]:  # noqa: ANN401
    """Return the rows that a column refers to."""
    return [one for one in listed(raw) if isinstance(one, str)]


def first(raw: Any) -> Any:  # noqa: ANN401
    """Return the value of a column that holds one or none."""
    return next(iter(listed(raw)), None)


def read(rows: Rows) -> Surveyed:
    """Return what is on a bridge; what cannot be understood is told as strange, and nothing else suffers."""
    by_uuid = {row["_uuid"]: row for row in rows.interfaces.values()}
    found = Surveyed()
    for name, row in rows.ports.items():
        held = [by_uuid[uuid] for uuid in uuids(row.get("interfaces")) if uuid in by_uuid]
        if len(held) == 1 and held[0]["name"] == name:
            understood(found, "port", name, lambda row=row, own=held[0]: _alone(own, row))  # type: ignore[misc]
            continue
        for one in held:
            understood(found, "port", one["name"], lambda one=one: _member(one))  # type: ignore[misc]
        understood(found, "lag", name, lambda row=row, held=held: _lag(row, held))  # type: ignore[misc]
    ports = with_lags(found.ports, found.lags)
    _vlans(found, rows.bridge, [*ports.values(), *found.lags.values()])
    return replace(found, ports=ports)


def _alone(interface: Row, port: Row) -> Settings:
    return replace(_port(interface, port), **_switching(port, interface["external_ids"]))


def _member(interface: Row) -> Settings:
    return replace(_port(interface), **_stashed(interface["external_ids"]))


def _lag(row: Row, held: Sequence[Row]) -> Settings:
    lacp = first(row["lacp"]) or "off"
    usual = first(row.get("bond_mode", [])) == bond_mode(lacp)
    return Settings(
        **_switching(row, row["external_ids"]),
        description=row["external_ids"].get("description", ""),
        members=tuple(sorted(interface["name"] for interface in held)),
        lacp=lacp,
        link="up" if any(_link(interface) == "up" for interface in held) else "down",
        other=_other({**row, "bond_mode": []} if usual else row),
    )


def bond_mode(lacp: str) -> str:
    """Return how a LAG spreads frames that is made by us."""
    return BY_SOURCE if lacp == "off" else HASHED


def _vlans(found: Surveyed, bridge: Row, users: Iterable[Settings]) -> None:
    """Read the VLANs that are told of, or that some port is in."""
    used = [untagged(user) for user in users]
    names: dict[int, Any] = {
        n: vlans.default_name(n) for n in used if n is not None and vlans.can_be_absent(n)
    }
    names |= {number: name for number, (_, name) in vlan_keys(bridge["external_ids"]).items()}
    for number, name in sorted(names.items()):
        understood(found, "vlan", f"{number}", lambda name=name: Settings(name=name))  # type: ignore[misc]


def vlan_keys(ids: Mapping[str, Any]) -> dict[int, tuple[str, Any]]:
    """Return the VLANs that `external_ids` tell of: their numbers, each with the key and the name."""
    found = {}
    for key, name in ids.items():
        number = key.removeprefix(VLAN_KEY) if isinstance(key, str) and key.startswith(VLAN_KEY) else ""
        if number.isascii() and number.isdecimal() and vlans.FIRST <= int(number[:9]) <= vlans.LAST:
            found[int(number)] = key, name
    return found


def _port(interface: Row, port: Row | None = None) -> Settings:
    mtu = [*listed(interface["mtu_request"]), *listed(interface["mtu"])]
    other = (_other(interface), None if port is None else _other(port))
    return Settings(
        description=interface["external_ids"].get("description", ""),
        speed="auto",
        mtu=mtu[0] if mtu else 1500,
        type="" if interface["type"] == "system" else interface["type"],
        link=_link(interface),
        mac=first(interface["mac_in_use"]),
        other=" ".join(filter(None, other)) or None,
    )


def _link(interface: Row) -> str:
    return first(interface["link_state"]) or "down"


def _other(row: Row) -> str | None:
    """Return what is set in a row that is not managed, as ovs-vsctl(8) takes it; None where nothing is."""
    parts = []
    for column, held in sorted(row.items()):
        pairs = held.items() if isinstance(held, dict) else ()
        if column == "external_ids":
            parts += [f"{column}:{key}={one}" for key, one in pairs if not _own(f"{key}")]
        elif is_unmanaged(column, held):
            parts += [f"{column}:{key}={one}" for key, one in pairs] or [f"{column}={held}"]
    return " ".join(parts) or None


def is_unmanaged(column: str, held: Any) -> bool:  # noqa: ANN401
    """Tell whether a column is set that is not managed."""
    return column not in KNOWN_COLUMNS and held not in ([], {}, "", False, 0)


def _own(key: str) -> bool:
    return key == "description" or key.startswith(OWN)


def problem(rows: Rows, name: str) -> str | None:
    """Return what Open vSwitch says is wrong with a port."""
    found = rows.interfaces.get(name)
    said = None if found is None else first(found.get("error"))
    return f"Open vSwitch says: {said}" if said else None


def _switching(port: Row, kept: Mapping[str, str]) -> dict[str, Any]:
    """Return what the columns of a Port say, and what is kept beside them."""
    tag, trunks = first(port["tag"]), listed(port["trunks"])
    mode = first(port["vlan_mode"]) or ("trunk" if tag is None else "access")
    stashed = _stashed(kept)
    if mode not in ("trunk", "native-untagged", "native-tagged"):
        return {**stashed, "enabled": True, "mode": mode, "vlan": tag or 0}
    native = 0 if mode == "trunk" else tag or 0
    mode = "trunk" if mode == "native-untagged" else mode
    if (mode, native, trunks) == ("trunk", 0, [NOWHERE]) and not stashed["enabled"]:
        return stashed
    carried = vlans.write(v for v in trunks if 0 <= v <= vlans.LAST) if trunks else vlans.ALL
    return {**stashed, "enabled": True, "mode": mode, "native": native, "allowed": carried}


def _stashed(kept: Mapping[str, str]) -> dict[str, Any]:
    """Return what is kept beside the columns; what is not, or makes no sense, is as by default."""
    stashed = {field: kept[f"{OWN}{field}"] for field in KEPT if f"{OWN}{field}" in kept}
    return DEFAULTS | {field: _stashed_as(field, text) for field, text in stashed.items()}


def _stashed_as(field: str, text: str) -> Any:  # noqa: ANN401 - each field has its own type
    match field:
        case "enabled":
            return text != "false"
        case "allowed":
            return _set_of_vlans(text)
        case "mode":
            return text if text in MODES else DEFAULTS[field]
    whole = text.isascii() and text.isdecimal() and len(text) < 5 and int(text) <= NOWHERE  # noqa: PLR2004 - digits
    return int(text) if whole else DEFAULTS[field]


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
    if full["mode"] in ("access", "dot1q-tunnel"):
        return Columns(full["vlan"], [], full["mode"], _keeping(full, ("native", "allowed")))
    allowed = full["allowed"]
    carried = [] if allowed == vlans.ALL else sorted(vlans.carried(allowed)) or [NOWHERE]
    native = full["native"] or None
    mode = "native-untagged" if native and full["mode"] == "trunk" else full["mode"]
    return Columns(native, carried, mode, _keeping(full, ("vlan",)))


def _keeping(full: Mapping[str, Any], fields: Iterable[str]) -> dict[str, str]:
    """Return what of some fields is to be kept, where it is not as by default."""
    return _kept({field: full[field] for field in fields if full[field] != DEFAULTS[field]})


def all_kept(settings: Settings) -> dict[str, str]:
    """Return all that a member of a LAG has when it leaves that."""
    return _kept({field: getattr(settings, field) for field in KEPT})


def _kept(fields: Mapping[str, Any]) -> dict[str, str]:
    """Return how fields stand beside the columns, those that are not None."""
    kept = {f"{OWN}{field}": str(held) for field, held in fields.items() if held is not None}
    return kept | ({f"{OWN}enabled": str(fields["enabled"]).lower()} if f"{OWN}enabled" in kept else {})


def check(name: str, settings: Settings | None) -> None:
    """Check that Open vSwitch can be set so.

    Raises:
        Refused: it has no such setting.

    """
    for field, held in values_of(settings).items():
        if "\0" in f"{held}":
            raise Refused(f"{name}: Open vSwitch holds no NUL, as in {field}")
        if field in _CAN and not _CAN[field](held):
            raise Refused(f"{name}: {_CANNOT.get(field, 'Open vSwitch has no')} {field} {held!r}")


_CANNOT = {
    "speed": "Open vSwitch has no setting for the speed of a port, as",
    "members": "a LAG of Open vSwitch has at least one port, so it cannot have the",
}


_CAN: Mapping[str, Callable[[Any], bool]] = {
    "speed": lambda held: held == "auto",
    "mode": lambda held: held in MODES,
    "lacp": lambda held: held in LACP,
    **dict.fromkeys(("vlan", "native"), lambda held: 0 <= held <= NOWHERE),
    "mtu": lambda held: 68 <= held <= 65535,  # noqa: PLR2004 - as its schema says
    "members": bool,
    "allowed": lambda held: _set_of_vlans(held) == held,
}
"""Whether Open vSwitch can hold a value of a field."""
