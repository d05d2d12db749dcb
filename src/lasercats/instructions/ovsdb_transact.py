"""The transaction by which a bridge of Open vSwitch gets from what was read to what is wanted (RFC 7047).

It waits on every column that it writes: when somebody has written there since it was read, nothing is done.
"""

import re
from collections.abc import Iterable
from typing import Any

from lasercats.instructions.ovsdb import KEPT, OWN, VLAN_KEY, Columns, Row, Rows, columns
from lasercats.instructions.switch import Settings, Surveyed
from lasercats.instructions.switch_model import changed, plain, untagged

Op = dict[str, Any]
BY_SOURCE, HASHED = "balance-slb", "balance-tcp"
"""How a bond spreads frames; the second only speaks to a partner by LACP."""


def operations(rows: Rows, before: Surveyed, after: Surveyed, comment: str) -> list[Op]:
    """Return the operations of the transaction; the last two tell the number of the new configuration."""
    made = _Transaction(rows)
    for name in sorted({*changed(before.ports, after.ports), *_moved(before, after)}):
        made.port(name, before.ports.get(name), after.ports.get(name))
    for name in sorted({*changed(before.lags, after.lags)}):
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


def _moved(before: Surveyed, after: Surveyed) -> Iterable[str]:
    both = before.ports.keys() & after.ports.keys()
    return (name for name in both if before.ports[name].lag != after.ports[name].lag)


class _Transaction:
    """Gathers what is written of each row."""

    def __init__(self, rows: Rows) -> None:
        self._rows = rows._replace(interfaces=dict(rows.interfaces))
        self._new: list[Op] = []
        self._written: dict[tuple[str, str], Row] = {}
        self._inserted: list[Any] = []
        self._deleted: list[Any] = []

    def operations(self) -> list[Op]:
        waits, updates = [], []
        for (table, uuid), row in self._written.items():
            where, raw = [["_uuid", "==", ["uuid", uuid]]], self._rows.raw[uuid]
            old = {column: raw[column] for column in row if column in raw}
            waits.append(
                {
                    "op": "wait",
                    "timeout": 0,
                    "table": table,
                    "where": where,
                    "columns": list(old),
                    "until": "==",
                    "rows": [old],
                }
            )
            updates.append({"op": "update", "table": table, "where": where, "row": row})
        bridge: list[Op] = []
        mutations = [
            ["ports", verb, ["set", uuids]]
            for verb, uuids in (("delete", self._deleted), ("insert", self._inserted))
            if uuids
        ]
        if mutations:
            where = [["_uuid", "==", ["uuid", self._rows.bridge["_uuid"]]]]
            bridge = [{"op": "mutate", "table": "Bridge", "where": where, "mutations": mutations}]
        return [*waits, *self._new, *updates, *bridge]

    def port(self, name: str, before: Settings | None, after: Settings | None) -> None:
        if after is None:
            self._delete(name)
            return
        if before is not None and before.type != after.type:  # made anew
            self._delete(name)
            self._rows.interfaces.pop(name, None)
            before = None
        old = plain(before) or {}
        switching = [field for field in KEPT if old.get(field) != getattr(after, field)]
        was, now = (None if before is None else before.lag), after.lag
        full = columns(after)
        if now is not None and (switching or was is None):
            self._keep(name, _all_kept(after))
        elif switching or was is not None:
            self._keep(name, full.kept)
        row: Row = {}
        if old.get("mtu") != after.mtu and after.mtu is not None:
            row["mtu_request"] = after.mtu
        if old.get("description") != after.description and after.description is not None:
            self._describe(name, after.description)
        if before is None:
            self._insert(name, {**row, "type": after.type or ""}, full)
            return
        if row:
            self._interface(name).update(row)
        if was is None and now is not None:
            self._delete(name)
        elif was is not None and now is None:
            self._new_port(name, [self._uuid(name)], full, {})
        elif now is None and switching:
            self._row("Port", self._rows.ports[name]["_uuid"]).update(_written(full))

    def lag(self, name: str, before: Settings | None, after: Settings | None) -> None:
        if after is None:
            self._delete(name)
            return
        old = plain(before) or {}
        full, lacp = columns(after), after.lacp or "off"
        more: Row = {
            "lacp": lacp,
            "bond_mode": HASHED if lacp != "off" else BY_SOURCE,
        }
        members = [self._uuid(member) for member in after.members or ()]
        if before is None:
            ids = {**full.kept, **({"description": after.description} if after.description else {})}
            self._new_port(name, members, full, {**more, "external_ids": _map(ids)})
            return
        port = self._rows.ports[name]
        row: Row = {}
        if old.get("members") != after.members:
            row["interfaces"] = ["set", members]
        if old.get("lacp") != after.lacp:
            row |= more
        if any(old.get(field) != getattr(after, field) for field in KEPT):
            row |= _written(full)
            row["external_ids"] = _map(_with_kept(port["external_ids"], full.kept))
        if old.get("description") != after.description:
            ids = dict(_pairs(row["external_ids"]) if "external_ids" in row else port["external_ids"])
            row["external_ids"] = _map(_described(ids, after.description or ""))
        self._row("Port", port["_uuid"]).update(row)

    def vlans(self, before: Surveyed, after: Surveyed) -> None:
        """Write the VLANs that are told of, and those that no port is in any more."""
        ids = dict(self._rows.bridge["external_ids"])
        used = {f"{untagged(user)}" for user in (*after.ports.values(), *after.lags.values())}
        told = {
            f"{VLAN_KEY}{number}": vlan.name or ""
            for number, vlan in after.vlans.items()
            if before.vlans.get(number) != vlan or number not in used or f"{VLAN_KEY}{number}" in ids
        }
        new = {key: name for key, name in ids.items() if not re.fullmatch(f"{VLAN_KEY}[0-9]+", key)} | told
        if new != ids:
            self._row("Bridge", self._rows.bridge["_uuid"])["external_ids"] = _map(new)

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
        made = next((op for op in self._new if op.get("uuid-name") == own), None)
        if made is None:
            made = {"op": "insert", "table": "Interface", "uuid-name": own, "row": {"name": name}}
            self._new.append(made)
        row: Row = made["row"]
        return row

    def _uuid(self, name: str) -> list[str]:
        found = self._rows.interfaces.get(name)
        return ["named-uuid", _named("interface", name)] if found is None else ["uuid", found["_uuid"]]

    def _insert(self, name: str, row: Row, full: Columns) -> None:
        self._fresh(name).update(row)
        self._new_port(name, [self._uuid(name)], full, {})

    def _new_port(self, name: str, interfaces: list[list[str]], full: Columns, more: Row) -> None:
        row = {"name": name, "interfaces": ["set", interfaces], **_written(full), **more}
        self._new.append({"op": "insert", "table": "Port", "uuid-name": _named("port", name), "row": row})
        self._inserted.append(["named-uuid", _named("port", name)])

    def _delete(self, name: str) -> None:
        found = self._rows.ports.get(name)
        if found is not None:
            self._deleted.append(["uuid", found["_uuid"]])

    def _ids(self, name: str) -> dict[str, str]:
        row, found = self._interface(name), self._rows.interfaces.get(name)
        if "external_ids" in row:
            return _pairs(row["external_ids"])
        return dict(found["external_ids"]) if found is not None else {}

    def _keep(self, name: str, kept: dict[str, str]) -> None:
        ids = self._ids(name)
        new = _with_kept(ids, kept)
        if new != ids:
            self._interface(name)["external_ids"] = _map(new)

    def _describe(self, name: str, description: str) -> None:
        ids = self._ids(name)
        new = _described(dict(ids), description)
        if new != ids:
            self._interface(name)["external_ids"] = _map(new)


def _all_kept(settings: Settings) -> dict[str, str]:
    """Return all that a member of a LAG has when it leaves that."""
    told = {field: getattr(settings, field) for field in KEPT}
    return {
        f"{OWN}{field}": str(value).lower() if field == "enabled" else str(value)
        for field, value in told.items()
        if value is not None
    }


def _with_kept(ids: dict[str, str], kept: dict[str, str]) -> dict[str, str]:
    own = {f"{OWN}{field}" for field in KEPT}
    return {key: text for key, text in ids.items() if key not in own} | kept


def _described(ids: dict[str, str], description: str) -> dict[str, str]:
    ids.pop("description", None)
    return {**ids, "description": description} if description else ids


def _written(full: Columns) -> Row:
    return {
        "tag": ["set", [] if full.tag is None else [full.tag]],
        "trunks": ["set", full.trunks],
        "vlan_mode": full.vlan_mode,
    }


def _map(pairs: dict[str, str]) -> list[Any]:
    return ["map", [[key, text] for key, text in sorted(pairs.items())]]


def _pairs(told: list[Any]) -> dict[str, str]:
    return dict(told[1])


def _named(what: str, name: str) -> str:
    """Return the name of a row within a transaction: an <id> of RFC 7047, 3.1."""
    return f"{what}_" + "".join(c if c.isalnum() and c.isascii() else f"_{ord(c):x}_" for c in name)
