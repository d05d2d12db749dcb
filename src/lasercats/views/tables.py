"""The tables of queries: one a kind, and `events`, `commands`, `instructions`, `identities`, `unknown_kinds`.

Here stands what their columns are; a store makes a SELECT of its own of each (`lasercats.core.sql`). The one
of a kind is a system-versioned table of SQL:2011, whose time is the position in the log.
"""

from collections.abc import Mapping
from typing import Any, get_origin

import msgspec

from lasercats.core.kind import Kind
from lasercats.core.registry import Kinds
from lasercats.core.resource import Role, alternatives, fields_of
from lasercats.core.sealing import COMMAND, Schemas
from lasercats.core.sql import Column, Table

_ADDED = {name: Column("text") for name in ("address", "name", "machine", "rest")}
_PERIOD = {name: Column("position") for name in ("valid_from", "valid_to")}
_SCALARS = {bool: "boolean", int: "integer", float: "real"}
_RECORDS = {
    "events": "position:position time type command:position actor message address kind before:json "
    "after:json",
    "commands": "position:position time type actor message because run status error ended:position "
    "command:json",
    "identities": "position:position time machine accepted:boolean actor message identity:json",
    "instructions": "batch:position time command:position machine type instruction:json outcome:json "
    "failed:boolean finished:position reported_by",
}
"""The columns of the tables of records, each with its type where that is not text."""


def tables(kinds: Kinds) -> dict[str, Table]:
    """Return all tables by name."""
    found = {name.replace(".", "_"): _table(kind) for name, kind in kinds.kinds.items()}
    found |= {name: Table(name, _columns(table)) for name, table in _RECORDS.items()}
    unknown = {**_ADDED, **_columns("kind recorded:json"), **_PERIOD}
    return {**found, "unknown_kinds": Table("unknown_kinds", unknown, kinds=[*kinds.kinds])}


def types(table: Table) -> Mapping[str, str]:
    """Return the type of each column, by its name."""
    return {name: column.type for name, column in table.columns.items()}


def schemas(kinds: Kinds) -> Schemas:
    """Return the fields of every kind and command: the secret ones, and the others."""
    types_ = {name: kind.resource for name, kind in kinds.kinds.items()}
    commands = {COMMAND + tag: type_ for tag, type_ in kinds.commands.items()}
    found = dict[str, tuple[list[str], list[str]]]()
    for name, type_ in {**types_, **commands}.items():
        secret = set(fields_of(type_, Role.SECRET))
        fields = [(one.encode_name, one.name in secret) for one in msgspec.structs.fields(type_)]
        found[name] = [n for n, hidden in fields if hidden], [n for n, hidden in fields if not hidden]
    return found


def _columns(sort: str) -> dict[str, Column]:
    parts = (part.partition(":") for part in sort.split())
    return {name: Column(type_ or "text") for name, _, type_ in parts}


def _table(kind: Kind[Any]) -> Table:
    secret = fields_of(kind.resource, Role.SECRET)
    fields = {
        one.name: Column("text", one.encode_name, hidden=True)
        if one.name in secret
        else Column(_type(one.type), one.encode_name)
        for one in msgspec.structs.fields(kind.resource)
    }
    return Table(
        kind.name.replace(".", "_"), {**_ADDED, **fields, "address": _ADDED["address"], **_PERIOD}, kind.name
    )


def _type(annotation: Any) -> str:  # noqa: ANN401
    """Return the type of a column for the annotation of a field."""
    found = {_SCALARS.get(part, _other(part)) for part in alternatives(annotation)}
    if found == {"integer", "real"}:
        return "real"
    return found.pop() if len(found) == 1 else "json"


def _other(part: Any) -> str:  # noqa: ANN401
    nested = get_origin(part) or part
    if nested in (list, tuple, set, frozenset, dict, Any):
        return "json"
    if isinstance(nested, type) and issubclass(nested, (msgspec.Struct, Mapping)):
        return "json"
    return "text"
