"""What the SELECTs of queries have in common in every store; how each part is said is the store's own."""

from collections.abc import Callable, Collection, Mapping

from lasercats.core.sql import ALL, Span, Table


def select(
    table: Table,
    columns: Collection[str],
    span: Span | None,
    resources: Callable[[Table, Collection[str], Span | None], str],
    records: Mapping[str, Callable[[Collection[str], Span], str]],
) -> str:
    """Return the SELECT of these columns of a table, now or in a span; of one, if there are none of them.

    That of resources is said by `resources`, and that of a table that is made of records by one of `records`.
    """
    names = [name for name in table.columns if name in columns] or [next(iter(table.columns))]
    if table.kind or table.name == "unknown_kinds":
        return resources(table, names, span)
    return records[table.name](names, span or ALL)


def joined(items: Callable[..., str], of: str, names: Collection[str], span: Span) -> str:
    """Return the instructions of batches, `i`, joined with their commands, `c`, and their outcomes, `o`.

    Only what is asked for is taken out of the batches, by `items`. The lists of a batch are taken apart once
    each and joined, so that the cost of a large batch does not grow with its square. `of` is the SQL of which
    instruction an outcome is of.
    """
    where = span.positions("r.position")
    source = f"({items('started', 'instructions', where)}) i"
    if "command" in names:
        commands = items("started", "commands", where)
        source += f" LEFT JOIN ({commands}) c ON c.position = i.position AND c.number = i.number"
    if {"outcome", "failed", "finished", "reported_by"} & {*names}:
        outcomes = items("finished", "outcomes", span.until("r.position"), number=of)
        source += f" LEFT JOIN ({outcomes}) o ON o.cause = i.position AND o.number = i.number"
    return source
