"""Finds what is installed, by entry points; the built-ins come in by the same door."""

from collections.abc import Callable
from functools import cache
from importlib.metadata import EntryPoint, entry_points
from typing import Any

from lasercats.core.errors import LaserCatsError, UnknownName
from lasercats.core.registry import Kinds


@cache
def _points(group: str) -> dict[str, EntryPoint]:
    return {point.name: point for point in entry_points(group=f"lasercats.{group}")}


def names(group: str) -> list[str]:
    """Return the names in a group: `domains`, `machines`, `interpreters` or `logs`."""
    return sorted(_points(group))


def load(group: str, name: str, sort: str) -> Callable[..., Any]:
    """Load what a name in a group stands for.

    Raises:
        UnknownName: there is nothing of that name.
        LaserCatsError: it is there and cannot be loaded.

    """
    points = _points(group)
    if name not in points:
        raise UnknownName(sort, name, points)
    try:
        loaded: Callable[..., Any] = points[name].load()
    except (ImportError, AttributeError) as error:
        raise LaserCatsError(
            f"the {sort} {name!r} ({points[name].value}) cannot be loaded: {error}; reinstall its package"
        ) from None
    return loaded


@cache
def kinds() -> Kinds:
    """Return the registry of all installed domains."""
    return Kinds([load("domains", name, "domain") for name in names("domains")])  # type: ignore[misc]
