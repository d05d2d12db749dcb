"""The tables of queries in SQLite: each is a SELECT over the tables of a log (`lasercats.logs.schema`).

It is made for the columns that a query mentions and for the positions that it wants.
"""
# ruff: noqa: S608 - what the SQL is made of are names and numbers of ours

from collections.abc import Collection, Mapping

from lasercats.core.sealing import COMMAND
from lasercats.core.secret import HIDDEN
from lasercats.core.sql import Column, Span, Table
from lasercats.logs import selects

_NAME = "substr({address}, instr({address}, '/') + 1)"
_ADDED = {
    "address": "{address}",
    "name": _NAME,
    "machine": f"CASE WHEN instr({_NAME}, ':') THEN substr({_NAME}, 1, instr({_NAME}, ':') - 1) END",
    "rest": f"substr({_NAME}, instr({_NAME}, ':') + 1)",
    "valid_from": "v.since",
    "valid_to": "{until}",
}
_CASTS = {"integer": "INTEGER", "boolean": "INTEGER", "real": "REAL"}
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


def select(table: Table, columns: Collection[str], span: Span | None) -> str:
    """Return the SELECT of these columns of a table, now or in a span."""
    return selects.select(table, columns, span, _resources, _RECORDS)


def _chosen(sources: Mapping[str, str], names: Collection[str], **parts: str) -> str:
    """Return what stands after SELECT for these columns."""
    return ", ".join(f"{sources[name].format(**parts)} AS `{name}`" for name in names)


def _resources(table: Table, names: Collection[str], span: Span | None) -> str:
    """Return the SELECT of resources: of a kind, or of all that are of none that is installed.

    A body is NULL where there is nothing and empty where that is not known, so it is longer than 0 just where
    the resource is there.
    """
    known = ", ".join(f"'{name}'" for name in table.kinds)
    own = "{0} >= '%s/' AND {0} < '%s0'" % (table.kind, table.kind)  # noqa: UP031 - it has braces of its own
    where = own if table.kind else f"{_KIND_OF.format(address='{0}')} NOT IN ({known})"
    sources = {**_ADDED, **_UNKNOWN, **{n: _field(c) for n, c in table.columns.items() if c.key}}
    return " UNION ALL ".join(
        f"SELECT {_chosen(sources, names, address=address, until=until)} FROM {source} "
        f"AND {where.format(address)} AND length(v.body) > 0"
        for address, until, source in _versions(span)
    )


def _field(column: Column) -> str:
    """Return the SQL of a field of a resource."""
    value = f"json_extract(CAST(v.body AS TEXT), '$.\"{column.key}\"')"
    if column.hidden:
        return f"CASE WHEN {value} IS NOT NULL THEN '{HIDDEN}' END"
    return f"CAST({value} AS {_CASTS[column.type]})" if column.type in _CASTS else value


_KIND_OF = "substr({address}, 1, instr({address}, '/') - 1)"
_UNKNOWN = {"kind": _KIND_OF, "recorded": veiled(_TEXT.format("v.body"), "''")}


_EVENTS = {
    "position": "v.since",
    "time": iso(_TIME),
    "type": "told(v.since, 'type')",
    "command": "r.cause",
    "actor": "coalesce(told(v.since, 'actor'), told(r.cause, 'actor'))",
    "message": "coalesce(told(v.since, 'message'), told(r.cause, 'message'))",
    "address": "v.address",
    "kind": _KIND,
    "before": (
        f"(SELECT {veiled(_TEXT.format('b.body'), _KIND)} FROM past b "
        "WHERE b.address = v.address AND b.since < v.since ORDER BY b.since DESC LIMIT 1)"
    ),
    "after": veiled(_TEXT.format("v.body"), _KIND),
}
_COMMANDS = {
    "position": "r.position",
    "time": iso(_TIME),
    "type": _JSON.format("r", "command.command"),
    "actor": _JSON.format("r", "actor"),
    "message": _JSON.format("r", "message"),
    "because": _JSON.format("r", "because"),
    "run": _JSON.format("r", "run"),
    "status": f"coalesce({_END.format(_JSON.format('e', 'status'))}, 'open')",
    "error": _END.format(_JSON.format("e", "error")),
    "ended": _END.format("e.position"),
    "command": (
        veiled(_JSON.format("r", "command"), f"'{COMMAND}' || {_JSON.format('r', 'command.command')}")
    ),
}
_INSTRUCTIONS = {
    "batch": "i.position",
    "time": iso("i.time"),
    "command": "c.value",
    "machine": "json_extract(i.value, '$.machine')",
    "type": "json_extract(i.value, '$.do')",
    "instruction": veiled("i.value", "''"),
    "outcome": veiled("o.value", "''"),
    "failed": (
        "CASE o.type WHEN 'object' THEN coalesce(json_extract(o.value, '$.type') = 'failure', 0) "
        "ELSE 0 * o.position END"
    ),
    "finished": "o.position",
    "reported_by": "o.actor",
}
_IDENTITIES = {
    "position": "r.position",
    "time": iso(_TIME),
    "machine": "j.key",
    "accepted": f"coalesce({_JSON.format('r', 'accepted')}, 0)",
    "actor": _JSON.format("r", "actor"),
    "message": _JSON.format("r", "message"),
    "identity": "j.value",
}


def _events(names: Collection[str], span: Span) -> str:
    """Return the SELECT of what every event did to each of its addresses."""
    where = span.positions("v.since")
    return " UNION ALL ".join(
        f"SELECT {_chosen(_EVENTS, names)} FROM {source} v "
        f"JOIN records r ON r.position = v.since WHERE {where}"
        for source in ("present", "past")
    )


def _commands(names: Collection[str], span: Span) -> str:
    """Return the SELECT of the commands, and what became of them; what ended after the span is open."""
    chosen = _chosen(_COMMANDS, names, ended=span.until("e.position"))
    where = span.positions("r.position")
    return f"SELECT {chosen} FROM records r WHERE r.type = 'accepted' AND {where}"


def _instructions(names: Collection[str], span: Span) -> str:
    """Return the SELECT of what was sent to machines, and what they answered."""
    return f"SELECT {_chosen(_INSTRUCTIONS, names)} FROM {selects.joined(_items, _OF, names, span)}"


def _identities(names: Collection[str], span: Span) -> str:
    """Return the SELECT of who machines are: each time that one was met, or accepted as another."""
    path = "CASE r.type WHEN 'met' THEN '$.machines' ELSE '$.met' END"
    return (
        f"SELECT {_chosen(_IDENTITIES, names)} FROM records r, "
        f"json_each(CAST(r.body AS TEXT), {path}) j WHERE (r.type = 'met' "
        f"OR r.type IN ('finished', 'event') AND instr(r.body, CAST('\"met\":{{' AS BLOB))) "
        f"AND {span.positions('r.position')}"
    )


_RECORDS = {
    "events": _events,
    "commands": _commands,
    "instructions": _instructions,
    "identities": _identities,
}
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


def _versions(span: Span | None) -> list[tuple[str, str, str]]:
    """Return what to read for a span: where the address stands, where the end, and what from.

    What held at a position is what holds since before it, and, for the addresses that changed later, one
    search each in the past.
    """
    now, past = ("v.address", "NULL", "present v WHERE"), ("v.address", "v.until", "past v WHERE")
    if span is None:
        return [(*now[:2], f"{now[2]} true")]
    begun = span.begun("v.since")
    if span.form == "AS OF":
        newest = f"SELECT max(since) FROM past WHERE address = n.address AND since <= {span.last}"
        source = (
            f"present n CROSS JOIN past v ON v.address = n.address AND v.since = ({newest}) "
            f"WHERE n.since > {span.last}"
        )
        return [(*now[:2], f"{now[2]} {begun}"), ("n.address", "v.until", source)]
    return [(*now[:2], f"{now[2]} {begun}"), (*past[:2], f"{past[2]} {begun} AND v.until > {span.first}")]
