"""The tables of queries in PostgreSQL: each is a SELECT over the tables of a log (`postgresql.sql`).

It is made for the columns that a query mentions and for the positions that it wants. `@` stands for the
schema. What is there at a position of the past is found by two scans with a condition on the period.
"""
# ruff: noqa: S608 - what the SQL is made of are names and numbers of ours

from collections.abc import Collection, Mapping

from lasercats.core.sealing import COMMAND
from lasercats.core.secret import HIDDEN
from lasercats.core.sql import Column, Span, Table
from lasercats.logs import selects

_NAME = "substr(v.address, strpos(v.address, '/') + 1)"
_KIND = "split_part(v.address, '/', 1)"
_TEXT = "CASE WHEN length({0}) > 0 THEN convert_from({0}, 'UTF8') END"
_ADDED = {
    "address": "v.address",
    "name": _NAME,
    "machine": f"CASE WHEN strpos({_NAME}, ':') > 0 THEN split_part({_NAME}, ':', 1) END",
    "rest": f"substr({_NAME}, strpos({_NAME}, ':') + 1)",
    "kind": _KIND,
    "recorded": f"@.veil({_TEXT.format('v.body')}, '')",
    "valid_from": "v.since",
    "valid_to": "{until}",
}
_CASTS = {"integer": "@.whole", "real": "@.real", "boolean": "@.truth"}
_TIME = "@.iso(coalesce(r.clock, r.time))"
_DOC = "CROSS JOIN LATERAL (SELECT @.doc(convert_from({}.body, 'UTF8')) AS d OFFSET 0) {}"
"""Takes a body apart once for all columns of its row."""
_END = (
    "(SELECT {} FROM @.records e WHERE e.cause = r.position AND e.type = 'ended' AND {{ended}} "
    "ORDER BY e.position LIMIT 1)"
)
"""Takes a fact from the end of a command: the index on causes leads to it."""
_OF_END = "@.doc(convert_from(e.body, 'UTF8')) ->> '{}'"
_OF_CAUSE = (
    "coalesce(j.d ->> '{0}', (SELECT @.doc(convert_from(c.body, 'UTF8')) ->> '{0}' FROM @.records c "
    "WHERE c.position = r.cause))"
)


def select(table: Table, columns: Collection[str], span: Span | None) -> str:
    """Return the SELECT of these columns of a table, now or in a span."""
    return selects.select(table, columns, span, _resources, _RECORDS)


def _chosen(sources: Mapping[str, str], names: Collection[str], **parts: str) -> str:
    """Return what stands after SELECT for these columns."""
    return ", ".join(f'{sources[name].format(**parts)} AS "{name}"' for name in names)


def _resources(table: Table, names: Collection[str], span: Span | None) -> str:
    """Return the SELECT of resources: of a kind, or of all that are of none that is installed.

    A body is NULL where there is nothing and empty where that is not known, so it is longer than 0 just where
    the resource is there.
    """
    known = ", ".join(f"'{name}'" for name in table.kinds)
    own = f"v.address >= '{table.kind}/' AND v.address < '{table.kind}0'"
    where = own if table.kind else f"{_KIND} NOT IN ({known})"
    fields = {name: _field(column) for name, column in table.columns.items() if column.key}
    doc = f"{_DOC.format('v', 'j')} " if fields.keys() & {*names} else ""
    return " UNION ALL ".join(
        f"SELECT {_chosen({**_ADDED, **fields}, names, until=until)} FROM {source} v {doc}"
        f"WHERE {where} AND length(v.body) > 0 AND {when}"
        for source, until, when in _versions(span)
    )


def _field(column: Column) -> str:
    """Return the SQL of a field of a resource."""
    key = "'" + column.key.replace("'", "''") + "'"
    if column.hidden:
        return f"CASE WHEN j.d ->> {key} IS NOT NULL THEN '{HIDDEN}' END"
    if column.type in _CASTS:
        return f"{_CASTS[column.type]}(j.d -> {key})"
    if column.type == "json":
        return f"@.part(convert_from(v.body, 'UTF8'), {key})"
    return f'(j.d ->> {key}) COLLATE "C"'


_EVENTS = {
    "position": "v.since",
    "time": _TIME,
    "type": "j.d ->> 'type'",
    "command": "r.cause",
    "actor": _OF_CAUSE.format("actor"),
    "message": _OF_CAUSE.format("message"),
    "address": "v.address",
    "kind": _KIND,
    "before": f"(SELECT @.veil({_TEXT.format('b.body')}, {_KIND}) FROM @.past b "
    "WHERE b.address = v.address AND b.since < v.since ORDER BY b.since DESC LIMIT 1)",
    "after": f"@.veil({_TEXT.format('v.body')}, {_KIND})",
}
_COMMANDS = {
    "position": "r.position",
    "time": _TIME,
    "type": "j.d #>> '{{command,command}}'",
    **{name: f"j.d ->> '{name}'" for name in ("actor", "message", "because", "run")},
    "status": f"coalesce({_END.format(_OF_END.format('status'))}, 'open')",
    "error": _END.format(_OF_END.format("error")),
    "ended": _END.format("e.position"),
    "command": "@.veil(@.part(convert_from(r.body, 'UTF8'), 'command')::text, "
    f"'{COMMAND}' || (j.d #>> '{{{{command,command}}}}'))",
}
_ITEM = "(@.doc(i.value::text) ->> '{}')"
_INSTRUCTIONS = {
    "batch": "i.position",
    "time": "@.iso(i.time)",
    "command": "c.value::text::bigint",
    "machine": _ITEM.format("machine"),
    "type": _ITEM.format("do"),
    "instruction": "@.veil(i.value::text, '')",
    "outcome": "@.veil(o.value::text, '')",
    "failed": "CASE WHEN o.position IS NOT NULL THEN coalesce(json_typeof(o.value) = 'object' "
    "AND @.doc(o.value::text) ->> 'type' = 'failure', false) END",
    "finished": "o.position",
    "reported_by": "o.actor",
}
_IDENTITIES = {
    "position": "r.position",
    "time": _TIME,
    "machine": "m.key",
    "accepted": "coalesce(@.truth(j.d -> 'accepted'), false)",
    "actor": "j.d ->> 'actor'",
    "message": "j.d ->> 'message'",
    "identity": "m.value",
}


def _events(names: Collection[str], span: Span) -> str:
    """Return the SELECT of what every event did to each of its addresses."""
    where = span.positions("v.since")
    doc = f"{_DOC.format('r', 'j')} " if {"type", "actor", "message"} & {*names} else ""
    return " UNION ALL ".join(
        f"SELECT {_chosen(_EVENTS, names)} FROM {source} v "
        f"JOIN @.records r ON r.position = v.since {doc}WHERE {where}"
        for source in ("@.present", "@.past")
    )


def _commands(names: Collection[str], span: Span) -> str:
    """Return the SELECT of the commands, and what became of them; what ended after the span is open."""
    chosen = _chosen(_COMMANDS, names, ended=span.until("e.position"))
    where = f"r.type = 'accepted' AND {span.positions('r.position')}"
    return f"SELECT {chosen} FROM @.records r {_DOC.format('r', 'j')} WHERE {where}"


def _instructions(names: Collection[str], span: Span) -> str:
    """Return the SELECT of what was sent to machines, and what they answered."""
    return f"SELECT {_chosen(_INSTRUCTIONS, names)} FROM {selects.joined(_items, _OF, names, span)}"


def _identities(names: Collection[str], span: Span) -> str:
    """Return the SELECT of who machines are: each time that one was met, or accepted as another."""
    met = "@.part(convert_from(r.body, 'UTF8'), CASE r.type WHEN 'met' THEN 'machines' ELSE 'met' END)"
    return (
        f"SELECT {_chosen(_IDENTITIES, names)} FROM @.records r {_DOC.format('r', 'j')} "
        f"CROSS JOIN LATERAL json_each({met}) AS m (key, value) WHERE (r.type = 'met' "
        "OR r.type IN ('finished', 'event') AND position('\"met\":{'::bytea IN r.body) > 0) "
        f"AND {span.positions('r.position')}"
    )


_RECORDS = {
    "events": _events,
    "commands": _commands,
    "instructions": _instructions,
    "identities": _identities,
}
_OF = "coalesce((f.d -> 'of' ->> (e.n - 1)::int)::bigint, e.n - 1)"
"""Of which instruction an outcome is: its place, where those of the whole batch came back at once."""


def _items(record: str, key: str, where: str, number: str = "e.n - 1") -> str:
    return (
        f"SELECT r.position, coalesce(r.clock, r.time) AS time, r.cause, {number} AS number, e.value, "
        f"f.d ->> 'actor' AS actor FROM @.records r {_DOC.format('r', 'f')} "
        f"CROSS JOIN LATERAL json_array_elements(@.part(convert_from(r.body, 'UTF8'), '{key}')) "
        f"WITH ORDINALITY AS e (value, n) WHERE r.type = '{record}' AND {where}"
    )


def _versions(span: Span | None) -> list[tuple[str, str, str]]:
    """Return what to read for a span: which table, where the end of a version stands, and which versions."""
    if span is None:
        return [("@.present", "NULL::bigint", "true")]
    begun, first = span.begun("v.since"), span.last if span.form == "AS OF" else span.first
    return [("@.present", "NULL::bigint", begun), ("@.past", "v.until", f"{begun} AND v.until > {first}")]
