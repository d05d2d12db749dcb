"""The transaction by which a bridge of Open vSwitch gets from what was read to what is wanted (RFC 7047).

It waits on every column that it writes: when somebody has written there since it was read, nothing is done.
"""

import json
from collections.abc import Mapping
from typing import Any

from lasercats.core.text import identifier
from lasercats.instructions.ovsdb import (
    BY_SOURCE,
    HASHED,
    KEPT,
    NOWHERE,
    OWN,
    VLAN_KEY,
    Columns,
    Row,
    Rows,
    all_kept,
    bond_mode,
    columns,
    first,
    is_unmanaged,
    listed,
    value,
    vlan_keys,
)
from lasercats.instructions.switch import Settings, Surveyed
from lasercats.instructions.switch_model import changed, plain, ports_changed, untagged

Op = dict[str, Any]
PORT_KEY = f"{OWN}port"
"""Keeps what is not managed of the Port of an interface while that is a member of a LAG."""
BOND_KEY = f"{OWN}bond_mode"
"""Keeps how a LAG spread frames that could not go on so."""


def operations(rows: Rows, before: Surveyed, after: Surveyed, comment: str) -> list[Op]:
    """Return the operations of the transaction; the last two tell the number of the new configuration."""
    made = _Transaction(rows)
    for name in ports_changed(before, after):
        made.port(name, before.ports.get(name), after.ports.get(name))
    for name in sorted({*changed(before.lags, after.lags), *made.lags_of_fresh(after)}):
        made.lag(name, before.lags.get(name), after.lags.get(name))
    made.vlans(before, after)
    return [
        {"op": "comment", "comment": comment},
        *made.operations(),
        {"op": "mutate", "table": "Open_vSwitch", "where": [], "mutations": [["next_cfg", "+=", 1]]},
        {"op": "select", "table": "Open_vSwitch", "where": [], "columns": ["next_cfg"]},
        {"op": "commit", "durable": True},
    ]


def applied(config: int, timeout: float) -> Op:
    """Return the operation that waits until ovs-vswitchd has applied a configuration."""
    return {
        "op": "wait",
        "timeout": int(timeout * 1000),
        "table": "Open_vSwitch",
        "where": [["cur_cfg", ">=", config]],
        "columns": ["cur_cfg"],
        "until": "!=",
        "rows": [],
    }


class _Transaction:
    """Gathers what is written of each row."""

    def __init__(self, rows: Rows) -> None:
        self._rows = rows._replace(interfaces=dict(rows.interfaces))
        self._new: dict[str, Op] = {}
        self._written: dict[tuple[str, str], Row] = {}
        self._inserted: list[Any] = []
        self._deleted: list[Any] = []

    def operations(self) -> list[Op]:
        waits, updates = [], []
        for (table, uuid), row in ((key, row) for key, row in self._written.items() if row):
            of, raw = {"table": table, "where": _where(uuid)}, self._rows.raw[uuid]
            old = {column: raw[column] for column in row if column in raw}
            waits.append(
                {"op": "wait", "timeout": 0, **of, "columns": list(old), "until": "==", "rows": [old]}
            )
            updates.append({"op": "update", **of, "row": row})
        ports = (("delete", self._deleted), ("insert", self._inserted))
        mutations = [["ports", verb, ["set", uuids]] for verb, uuids in ports if uuids]
        where = _where(self._rows.bridge["_uuid"])
        bridge = {"op": "mutate", "table": "Bridge", "where": where, "mutations": mutations}
        return [*waits, *self._new.values(), *updates, *([bridge] if mutations else [])]

    def port(self, name: str, before: Settings | None, after: Settings | None) -> None:
        if after is None:
            self._delete(name)
            return
        if before is not None and before.type != after.type:  # made anew
            self._delete(name)
            self._rows.interfaces.pop(name, None)
            before = None
        old = plain(before) or {}
        was, now = (None if before is None else before.lag), after.lag
        switching = any(old.get(field) != getattr(after, field) for field in KEPT)
        full = columns(after)
        if now is not None and (switching or was is None):
            self._note(name, _with_kept(self._ids(name), all_kept(after)))
        elif switching or was is not None:
            self._note(name, _with_kept(self._ids(name), full.kept))
        row = self._own_columns(name, old, after)
        if before is None:
            self._fresh(name).update({**row, "type": after.type or ""})
            if now is None:
                self._new_port(name, [self._uuid(name)], full, {})
            return
        if row:
            self._interface(name).update(row)
        if was is None and now is not None:
            self._put_aside(name)
        elif was is not None and now is None:
            self._new_port(name, [self._uuid(name)], full, self._taken_back(name))
        elif now is None and switching:
            port = self._rows.ports[name]
            self._row("Port", port["_uuid"]).update(_written(port, columns(before), full))

    def _own_columns(self, name: str, old: Mapping[str, Any], after: Settings) -> Row:
        """Return what is written of an interface itself."""
        row: Row = {}
        if old.get("mtu") != after.mtu and after.mtu is not None:
            row["mtu_request"] = after.mtu
        if old.get("description") != after.description and after.description is not None:
            self._note(name, _described(self._ids(name), after.description))
        return row

    def _put_aside(self, name: str) -> None:
        """Remove the Port of an interface that joins a LAG; what is not managed of it is kept."""
        port = self._rows.ports.get(name)
        raw = {} if port is None else self._rows.raw[port["_uuid"]]
        kept = {column: held for column, held in raw.items() if is_unmanaged(column, value(held))}
        ids = _raw_map(raw.get("external_ids"))
        if ids:
            kept["external_ids"] = _map(ids)
        if kept:
            self._note(name, {**self._ids(name), PORT_KEY: json.dumps(kept, sort_keys=True)})
        self._delete(name)

    def _taken_back(self, name: str) -> Row:
        """Return what was put aside, for the new Port of an interface."""
        ids = self._ids(name)
        try:
            kept = json.loads(ids.pop(PORT_KEY, "{}"))
        except ValueError:
            kept = {}
        self._note(name, ids)
        found = kept.items() if isinstance(kept, dict) else ()
        return {
            column: held
            for column, held in found
            if column == "external_ids" or is_unmanaged(column, value(held))
        }

    def lags_of_fresh(self, after: Surveyed) -> list[str]:
        """Return the LAGs that hold an interface that is made in this transaction."""
        return [
            name
            for name, lag in after.lags.items()
            if any(m not in self._rows.interfaces for m in lag.members or ())
        ]

    def lag(self, name: str, before: Settings | None, after: Settings | None) -> None:
        if after is None:
            self._delete(name)
            return
        old = plain(before) or {}
        full, lacp = columns(after), after.lacp or "off"
        members = [self._uuid(member) for member in after.members or ()]
        if before is None:
            ids = {**full.kept, **({"description": after.description} if after.description else {})}
            more = {"lacp": lacp, "bond_mode": bond_mode(lacp), "external_ids": _map(ids)}
            self._new_port(name, members, full, more)
            return
        port = self._rows.ports[name]
        raw = self._rows.raw[port["_uuid"]]
        row: Row = {}
        ids = _raw_map(raw["external_ids"])
        if old.get("members") != after.members or any(one[0] == "named-uuid" for one in members):
            row["interfaces"] = ["set", members]
        if old.get("lacp") != after.lacp:
            row |= {"lacp": lacp, **_spreading(first(port["bond_mode"]), ids, old.get("lacp"), lacp)}
        if any(old.get(field) != getattr(after, field) for field in KEPT):
            row |= _written(port, columns(before), full)
            ids = _with_kept(ids, full.kept)
        if old.get("description") != after.description:
            ids = _described(ids, after.description or "")
        if ids != _raw_map(raw["external_ids"]):
            row["external_ids"] = _map(ids)
        if row:
            self._row("Port", port["_uuid"]).update(row)

    def vlans(self, before: Surveyed, after: Surveyed) -> None:
        """Write the VLANs that are told of, and those that no port is in any more."""
        uuid = self._rows.bridge["_uuid"]
        ids = _raw_map(self._rows.raw[uuid]["external_ids"])
        keys = {f"{number}": key for number, (key, _) in vlan_keys(ids).items()}
        used = {f"{untagged(user)}" for user in (*after.ports.values(), *after.lags.values())}
        new = {key: name for key, name in ids.items() if key not in keys.values()}
        new |= {key: ids[key] for number, key in keys.items() if number in after.vlans}
        new |= {
            keys.get(number, f"{VLAN_KEY}{number}"): vlan.name or ""
            for number, vlan in after.vlans.items()
            if before.vlans.get(number) != vlan or (number not in used and number not in keys)
        }
        if new != ids:
            self._row("Bridge", uuid)["external_ids"] = _map(new)

    def _row(self, table: str, uuid: str) -> Row:
        return self._written.setdefault((table, uuid), {})

    def _interface(self, name: str) -> Row:
        found = self._rows.interfaces.get(name)
        if found is None:
            return self._fresh(name)
        return self._row("Interface", found["_uuid"])

    def _fresh(self, name: str) -> Row:
        """Return the row of an interface that is being made."""
        own = _named("interface", name)
        made: Op = {"op": "insert", "table": "Interface", "uuid-name": own, "row": {"name": name}}
        row: Row = self._new.setdefault(own, made)["row"]
        return row

    def _uuid(self, name: str) -> list[str]:
        found = self._rows.interfaces.get(name)
        return ["named-uuid", _named("interface", name)] if found is None else ["uuid", found["_uuid"]]

    def _new_port(self, name: str, interfaces: list[list[str]], full: Columns, more: Row) -> None:
        row = {"name": name, "interfaces": ["set", interfaces], **_whole(full), **more}
        own = _named("port", name)
        self._new[own] = {"op": "insert", "table": "Port", "uuid-name": own, "row": row}
        self._inserted.append(["named-uuid", own])

    def _delete(self, name: str) -> None:
        found = self._rows.ports.get(name)
        if found is not None:
            self._deleted.append(["uuid", found["_uuid"]])

    def _ids(self, name: str) -> dict[str, str]:
        row, found = self._interface(name), self._rows.interfaces.get(name)
        if "external_ids" in row:
            return _raw_map(row["external_ids"])
        return {} if found is None else _raw_map(self._rows.raw[found["_uuid"]]["external_ids"])

    def _note(self, name: str, ids: dict[str, str]) -> None:
        if ids != self._ids(name):
            self._interface(name)["external_ids"] = _map(ids)


def _spreading(mode: str | None, ids: dict[str, str], was: str | None, lacp: str) -> Row:
    """Return how frames are spread when LACP changes: as before, where that is possible.

    What could not go on without LACP is kept, and comes back with it. Somebody else may have had it without;
    that is kept, too, so that it does not change when LACP is taken away again.
    """
    kept = ids.pop(BOND_KEY, None)
    if "off" not in (was, lacp):
        ids.update({} if kept is None else {BOND_KEY: kept})
    elif lacp != "off" and mode == HASHED:
        ids[BOND_KEY] = HASHED
    elif lacp == "off" and mode == HASHED and kept != HASHED:
        ids[BOND_KEY] = HASHED
        return {"bond_mode": BY_SOURCE}
    return {"bond_mode": kept} if lacp != "off" and kept == HASHED and mode == BY_SOURCE else {}


def _where(uuid: str) -> list[list[Any]]:
    return [["_uuid", "==", ["uuid", uuid]]]


def _with_kept(ids: dict[str, str], kept: dict[str, str]) -> dict[str, str]:
    own = {f"{OWN}{field}" for field in KEPT}
    return {key: text for key, text in ids.items() if key not in own} | kept


def _described(ids: dict[str, str], description: str) -> dict[str, str]:
    others = {key: text for key, text in ids.items() if key != "description"}
    return {**others, "description": description} if description else others


def _whole(full: Columns) -> Row:
    tag: list[int] = [] if full.tag is None else [full.tag]
    return {"tag": ["set", tag], "trunks": ["set", full.trunks], "vlan_mode": full.vlan_mode}


def _written(port: Row, old: Columns, new: Columns) -> Row:
    """Return the VLAN columns that change; what the settings do not tell of them stays."""
    if old.vlan_mode != new.vlan_mode:
        return _whole(new)
    row = {column: held for column, held in _whole(new).items() if held != _whole(old)[column]}
    if "trunks" in row:
        there, had, has = (_carried(one) for one in (listed(port["trunks"]), old.trunks, new.trunks))
        now = (there - (had - has)) | (has - had)
        row["trunks"] = ["set", [] if now >= _carried([]) - {NOWHERE} else sorted(now) or [NOWHERE]]
    return row


def _carried(trunks: list[int]) -> frozenset[int]:
    """Return what `trunks` lets through: all, where it is empty."""
    return frozenset(trunks or range(NOWHERE + 1))


def _map(pairs: dict[str, str]) -> list[Any]:
    return ["map", [[key, text] for key, text in sorted(pairs.items())]]


def _raw_map(held: Any) -> dict[str, str]:  # noqa: ANN401
    """Return a map as it came."""
    return dict(held[1]) if held else {}


def _named(what: str, name: str) -> str:
    """Return the name of a row within a transaction: an <id> of RFC 7047, 3.1."""
    return f"{what}_{identifier(name)}"
