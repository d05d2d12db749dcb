"""The tables of queries: one a kind, and `events`, `commands` and `instructions`.

Each is a SELECT over the tables of the log (see `lasercats.logs.sqlite`), made for the columns that a
query mentions and for the positions that it wants. The one of a kind is a system-versioned table of
SQL:2011, whose time is the position in the log.
"""
# ruff: noqa: S608 - what the SQL is made of are names and numbers of ours

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from typing import Any, Literal, NamedTuple, get_origin

import msgspec

from lasercats.core.kind import Kind
from lasercats.core.registry import Kinds
from lasercats.core.resource import Role, alternatives, fields_of
from lasercats.core.secret import HIDDEN
from lasercats.views.sealing import COMMAND, Schemas

_NAME = "substr({address}, instr({address}, '/') + 1)"
_ADDED = {
    "address": ("text", "{address}"),
    "name": ("text", _NAME),
    "machine": (
        "text",
        f"CASE WHEN instr({_NAME}, ':') THEN substr({_NAME}, 1, instr({_NAME}, ':') - 1) END",
    ),
    "rest": ("text", f"substr({_NAME}, instr({_NAME}, ':') + 1)"),
}
_PERIOD = {"valid_from": ("position", "v.since"), "valid_to": ("position", "{until}")}
_CASTS = {"integer": "INTEGER", "boolean": "INTEGER", "real": "REAL"}
_SCALARS = {bool: "boolean", int: "integer", float: "real"}
_TEXT = "CASE WHEN length({0}) > 0 THEN CAST({0} AS TEXT) END"
_JSON = "json_extract(CAST({}.body AS TEXT), '$.{}')"
_KIND = "substr(v.address, 1, instr(v.address, '/') - 1)"
_TIME = "coalesce(r.clock, r.time)"
"""The clock as it was: `lasercats.logs.schema`."""
_END = "(SELECT {} FROM records e WHERE e.cause = r.position AND e.type = 'ended' AND {{ended}})"
"""Takes a fact from the end of a command: the index on causes leads to it."""


def iso(time: str) -> str:
    """Return the SQL of a time as ISO 8601 in UTC."""
    return (
        f"strftime('%Y-%m-%dT%H:%M:%S', {time} / 1000000, 'unixepoch') || printf('.%06dZ', {time} % 1000000)"
    )


CLOCK = iso("coalesce(clock, time)")
"""The time of a record."""


def veiled(json: str, of: str) -> str:
    """Return the SQL of JSON without its tokens, of what a kind or a command is; see `.sealing`.

    A token has the word in it, or an escape that may stand for a letter of the word; all else is as it is.
    """
    return (
        f"CASE WHEN instr({json}, 'sealed') OR instr({json}, '\\u') THEN veiled({json}, {of}) ELSE {json} END"
    )


class Span(NamedTuple):
    """What a version clause wants: `FOR SYSTEM_TIME AS OF last`, `BETWEEN first AND last` and so on."""

    form: Literal["AS OF", "BETWEEN", "FROM", "ALL"]
    first: int = 0
    last: int = 0

    def positions(self, column: str) -> str:
        """Return the condition that a record stands in the span."""
        match self.form:
            case "AS OF":
                return f"{column} <= {self.last}"
            case "BETWEEN":
                return f"{column} BETWEEN {self.first} AND {self.last}"
            case "FROM":
                return f"{column} >= {self.first} AND {column} < {self.last}"
            case "ALL":
                return "true"

    def until(self, column: str) -> str:
        """Return the condition that what a record tells was known at the time of the span."""
        return f"{column} <= {self.last}" if self.form == "AS OF" else "true"


ALL = Span("ALL")


class Table:
    """A table that a query can name."""

    columns: Mapping[str, tuple[str, str]]
    """The type and the SQL of each column."""

    @property
    def types(self) -> Mapping[str, str]:
        """The type of each column, by its name."""
        return {name: type_ for name, (type_, _) in self.columns.items()}

    def sql(self, columns: Collection[str], span: Span | None) -> str:
        """Return the SELECT of these columns, now or in a span."""
        raise NotImplementedError

    def _chosen(self, columns: Collection[str], least: str, **parts: str) -> str:
        """Return what stands after SELECT for these columns, or for one if there are none of them."""
        names = [name for name in self.columns if name in columns] or [least]
        return ", ".join(f"{self.columns[name][1].format(**parts)} AS `{name}`" for name in names)


@dataclass(frozen=True)
class KindTable(Table):
    """The resources of a kind."""

    kind: str
    columns: Mapping[str, tuple[str, str]]

    def sql(self, columns: Collection[str], span: Span | None) -> str:
        """Return the SELECT of these columns, now or in a span.

        A body is NULL where there is nothing and empty where that is not known, so it is longer than 0
        just where the resource is there.
        """
        return " UNION ALL ".join(
            f"SELECT {self._chosen(columns, 'address', address=address, until=until)} FROM {source} "
            f"AND {address} >= '{self.kind}/' AND {address} < '{self.kind}0' AND length(v.body) > 0"
            for address, until, source in _versions(span)
        )


@dataclass(frozen=True)
class UnknownKinds(Table):
    """The resources of kinds that are not installed: what is recorded of them, as JSON."""

    known: Collection[str]
    columns: Mapping[str, tuple[str, str]] = field(
        default_factory=lambda: {
            **_ADDED,
            "kind": ("text", "substr({address}, 1, instr({address}, '/') - 1)"),
            "recorded": ("json", veiled(_TEXT.format("v.body"), "''")),
            **_PERIOD,
        }
    )

    def sql(self, columns: Collection[str], span: Span | None) -> str:
        """Return the SELECT of these columns, now or in a span."""
        known = ", ".join(f"'{name}'" for name in self.known)
        return " UNION ALL ".join(
            f"SELECT {self._chosen(columns, 'address', address=address, until=until)} FROM {source} "
            f"AND substr({address}, 1, instr({address}, '/') - 1) NOT IN ({known}) AND length(v.body) > 0"
            for address, until, source in _versions(span)
        )


class EventTable(Table):
    """What every event did to each of its addresses."""

    columns: Mapping[str, tuple[str, str]] = {
        "position": ("position", "v.since"),
        "time": ("text", iso(_TIME)),
        "type": ("text", "told(v.since, 'type')"),
        "command": ("position", "r.cause"),
        "actor": ("text", "coalesce(told(v.since, 'actor'), told(r.cause, 'actor'))"),
        "message": ("text", "coalesce(told(v.since, 'message'), told(r.cause, 'message'))"),
        "address": ("text", "v.address"),
        "kind": ("text", _KIND),
        "before": (
            "json",
            f"(SELECT {veiled(_TEXT.format('b.body'), _KIND)} FROM past b "
            "WHERE b.address = v.address AND b.since < v.since ORDER BY b.since DESC LIMIT 1)",
        ),
        "after": ("json", veiled(_TEXT.format("v.body"), _KIND)),
    }

    def sql(self, columns: Collection[str], span: Span | None) -> str:
        """Return the SELECT of these columns, up to now or in a span."""
        where = (span or ALL).positions("v.since")
        return " UNION ALL ".join(
            f"SELECT {self._chosen(columns, 'position')} FROM {source} v "
            f"JOIN records r ON r.position = v.since WHERE {where}"
            for source in ("present", "past")
        )


class CommandTable(Table):
    """The commands, and what became of them."""

    columns: Mapping[str, tuple[str, str]] = {
        "position": ("position", "r.position"),
        "time": ("text", iso(_TIME)),
        "type": ("text", _JSON.format("r", "command.command")),
        "actor": ("text", _JSON.format("r", "actor")),
        "message": ("text", _JSON.format("r", "message")),
        "because": ("text", _JSON.format("r", "because")),
        "run": ("text", _JSON.format("r", "run")),
        "status": ("text", f"coalesce({_END.format(_JSON.format('e', 'status'))}, 'open')"),
        "error": ("text", _END.format(_JSON.format("e", "error"))),
        "ended": ("position", _END.format("e.position")),
        "command": (
            "json",
            veiled(_JSON.format("r", "command"), f"'{COMMAND}' || {_JSON.format('r', 'command.command')}"),
        ),
    }

    def sql(self, columns: Collection[str], span: Span | None) -> str:
        """Return the SELECT of these columns; what ended after the time of a span is open."""
        span = span or ALL
        chosen = self._chosen(columns, "position", ended=span.until("e.position"))
        where = span.positions("r.position")
        return f"SELECT {chosen} FROM records r WHERE r.type = 'accepted' AND {where}"


class InstructionTable(Table):
    """What was sent to machines, and what they answered."""

    columns: Mapping[str, tuple[str, str]] = {
        "batch": ("position", "i.position"),
        "time": ("text", iso("i.time")),
        "command": ("position", "c.value"),
        "machine": ("text", "json_extract(i.value, '$.machine')"),
        "type": ("text", "json_extract(i.value, '$.do')"),
        "instruction": ("json", veiled("i.value", "''")),
        "outcome": ("json", veiled("o.value", "''")),
        "failed": (
            "boolean",
            "CASE o.type WHEN 'object' THEN coalesce(json_extract(o.value, '$.type') = 'failure', 0) "
            "ELSE 0 * o.position END",
        ),
        "finished": ("position", "o.position"),
        "reported_by": ("text", "o.actor"),
    }

    def sql(self, columns: Collection[str], span: Span | None) -> str:
        """Return the SELECT of these columns; only what is asked for is taken out of the batches.

        The lists of a batch are taken apart once each and joined, so that the cost of a large batch does
        not grow with its square.
        """
        span = span or ALL
        where = span.positions("r.position")
        source = f"({_items('started', 'instructions', where)}) i"
        if "command" in columns:
            commands = _items("started", "commands", where)
            source += f" LEFT JOIN ({commands}) c ON c.position = i.position AND c.number = i.number"
        if {"outcome", "failed", "finished", "reported_by"} & set(columns):
            outcomes = _items("finished", "outcomes", span.until("r.position"), number=_OF)
            source += f" LEFT JOIN ({outcomes}) o ON o.cause = i.position AND o.number = i.number"
        return f"SELECT {self._chosen(columns, 'batch')} FROM {source}"


class IdentityTable(Table):
    """Who machines are: each time that one was met, told something new, or was accepted as another."""

    columns: Mapping[str, tuple[str, str]] = {
        "position": ("position", "r.position"),
        "time": ("text", iso(_TIME)),
        "machine": ("text", "j.key"),
        "accepted": ("boolean", f"coalesce({_JSON.format('r', 'accepted')}, 0)"),
        "actor": ("text", _JSON.format("r", "actor")),
        "message": ("text", _JSON.format("r", "message")),
        "identity": ("json", "j.value"),
    }

    def sql(self, columns: Collection[str], span: Span | None) -> str:
        """Return the SELECT of these columns, up to now or in a span."""
        where = (span or ALL).positions("r.position")
        path = "CASE r.type WHEN 'met' THEN '$.machines' ELSE '$.met' END"
        return (
            f"SELECT {self._chosen(columns, 'position')} FROM records r, "
            f"json_each(CAST(r.body AS TEXT), {path}) j WHERE (r.type = 'met' "
            f"OR r.type IN ('finished', 'event') AND instr(r.body, CAST('\"met\":{{' AS BLOB))) AND {where}"
        )


_OF = "coalesce(json_extract(CAST(r.body AS TEXT), '$.of[' || j.key || ']'), j.key)"
"""Of which instruction an outcome is: its place, where those of the whole batch came back at once."""


def _items(record: str, path: str, where: str, number: str = "j.key") -> str:
    value = (
        "CASE j.type WHEN 'true' THEN 'true' WHEN 'false' THEN 'false' WHEN 'object' THEN j.value "
        "WHEN 'array' THEN j.value WHEN 'integer' THEN j.value ELSE json_quote(j.value) END"
    )
    return (
        f"SELECT r.position, {_TIME} AS time, r.cause, {number} AS number, j.type, {value} AS value, "
        "json_extract(CAST(r.body AS TEXT), '$.actor') AS actor "
        f"FROM records r, json_each(CAST(r.body AS TEXT), '$.{path}') j "
        f"WHERE r.type = '{record}' AND {where}"
    )


def tables(kinds: Kinds) -> dict[str, Table]:
    """Return all tables by name."""
    own: dict[str, Table] = {name.replace(".", "_"): _table(kind) for name, kind in kinds.kinds.items()}
    more: dict[str, Table] = {"events": EventTable(), "commands": CommandTable()}
    more["identities"] = IdentityTable()
    return {**own, **more, "instructions": InstructionTable(), "unknown_kinds": UnknownKinds([*kinds.kinds])}


def schemas(kinds: Kinds) -> Schemas:
    """Return the fields of every kind and command: the secret ones, and the others."""
    types_ = {name: kind.resource for name, kind in kinds.kinds.items()}
    commands = {COMMAND + tag: type_ for tag, type_ in kinds.commands.items()}
    found = dict[str, tuple[list[str], list[str]]]()
    for name, type_ in {**types_, **commands}.items():
        secret = set(fields_of(type_, Role.SECRET))
        told = [(one.encode_name, one.name in secret) for one in msgspec.structs.fields(type_)]
        found[name] = [n for n, hidden in told if hidden], [n for n, hidden in told if not hidden]
    return found


def _table(kind: Kind[Any]) -> KindTable:
    secret = fields_of(kind.resource, Role.SECRET)
    fields = {one.name: _column(one) for one in msgspec.structs.fields(kind.resource)}
    fields |= {
        name: ("text", f"CASE WHEN {fields[name][1]} IS NOT NULL THEN '{HIDDEN}' END") for name in secret
    }
    return KindTable(kind.name, {**_ADDED, **fields, "address": _ADDED["address"], **_PERIOD})


def _column(told: msgspec.structs.FieldInfo) -> tuple[str, str]:
    type_ = _type(told.type)
    value = f"json_extract(CAST(v.body AS TEXT), '$.\"{told.encode_name}\"')"
    return type_, f"CAST({value} AS {_CASTS[type_]})" if type_ in _CASTS else value


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


def _versions(span: Span | None) -> list[tuple[str, str, str]]:
    """Return what to read for a span: where the address stands, where the end, and what from.

    What held at a position is what holds since before it, and, for the addresses that changed later, one
    search each in the past.
    """
    now, past = ("v.address", "NULL", "present v WHERE"), ("v.address", "v.until", "past v WHERE")
    if span is None:
        return [(*now[:2], f"{now[2]} true")]
    match span.form:
        case "AS OF":
            newest = f"SELECT max(since) FROM past WHERE address = n.address AND since <= {span.last}"
            source = (
                f"present n CROSS JOIN past v ON v.address = n.address AND v.since = ({newest}) "
                f"WHERE n.since > {span.last}"
            )
            return [(*now[:2], f"{now[2]} v.since <= {span.last}"), ("n.address", "v.until", source)]
        case "BETWEEN":
            begun = f"v.since <= {span.last} AND {span.first} <= {span.last}"
        case "FROM":
            begun = f"v.since < {span.last} AND {span.first} < {span.last}"
        case "ALL":
            begun = "true"
    return [(*now[:2], f"{now[2]} {begun}"), (*past[:2], f"{past[2]} {begun} AND v.until > {span.first}")]
