"""Finds what is installed, by entry points; the built-ins come in by the same door."""

from collections.abc import Callable, Mapping
from functools import cache
from importlib.metadata import EntryPoint, entry_points
from pathlib import Path
from types import MappingProxyType
from typing import Any

from lasercats.core.errors import LaserCatsError, UnknownName
from lasercats.core.registry import Domain, Kinds

NONE: Mapping[str, Mapping[str, Any]] = MappingProxyType({})


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


def kinds(root: Path | None = None, settings: Mapping[str, Mapping[str, Any]] = NONE) -> Kinds:
    """Return the registry of a project in `root`, or, without one, of what is installed.

    What stands under `domains` is a `Domain`, or a function that returns one, given the root of the project
    and what its `lasercats.toml` says under `domains.NAME`: so kinds may be made from data. Without a project
    such a one is not asked.

    Raises:
        LaserCatsError: a domain cannot be loaded, or cannot be made of its settings.

    """
    found = ((name, load("domains", name, "domain")) for name in names("domains"))
    made = (_made(name, one, root, settings.get(name, {})) for name, one in found)
    return Kinds(domain for domain in made if domain is not None)


def _made(name: str, found: Any, root: Path | None, settings: Mapping[str, Any]) -> Domain | None:  # noqa: ANN401
    if isinstance(found, Domain):
        return found
    try:
        made: Domain | None = None if root is None else found(root, settings)
    except LaserCatsError:
        raise
    except Exception as error:
        raise LaserCatsError(
            f"the domain {name!r} cannot be made: {type(error).__name__}: {error}; mend [domains.{name}] in "
            f"lasercats.toml, or its plugin"
        ) from None
    return made
