"""`query`: SQL over the state, its history and the log of a project."""

from collections.abc import Mapping
from typing import TYPE_CHECKING

from lasercats.operate import moments
from lasercats.operate.project import Project

if TYPE_CHECKING:
    from lasercats.views.query import Answer


def ask(
    project: Project,
    sql: str,
    *,
    as_of: int | str | None = None,
    timeout: float = 30.0,
    max_rows: int = 100_000,
    max_memory: int = 512,
) -> "Answer":
    """Answer a query; `as_of` is for every table that has no version clause of its own.

    It may take `timeout` seconds and `max_memory` MiB, and give `max_rows` rows.

    Raises:
        BadInput: the query has a mistake, does not only read, or goes beyond a limit.

    """
    from lasercats.views.query import Bounds, query  # noqa: PLC0415 - sqlglot takes long to import

    return query(
        sql,
        project.kinds,
        project.log,
        lambda text: moments.resolve(project.log, text),
        as_of=as_of,
        bounds=Bounds(timeout, max_rows, max_memory),
    )


def tables(project: Project) -> dict[str, Mapping[str, str]]:
    """Return the types of the columns of every table."""
    from lasercats.views.tables import tables as all_tables  # noqa: PLC0415
    from lasercats.views.tables import types  # noqa: PLC0415

    return {name: types(table) for name, table in all_tables(project.kinds).items()}
