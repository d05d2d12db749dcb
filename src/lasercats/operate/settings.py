"""`lasercats.toml`: what a project says of itself, and belongs into version control."""

import re
import tomllib
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from lasercats.core.address import check_machine_name
from lasercats.core.errors import BadInput, LaserCatsError, UnknownName
from lasercats.operate.trust import FILE

DEFAULT = "default"
"""The environment where none is named."""
LOG = "log"
"""What the file of the default environment's log is called, before `.db`; others are called after theirs."""
KEYS = ("domains", "environments", "log")
"""What may stand at the top of it."""
_ENVIRONMENT = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}")


def check_environment(name: str) -> str:
    """Give the name of an environment back when its log can be called after it.

    Raises:
        BadInput: it cannot, or that is the log of the default environment.

    """
    if not _ENVIRONMENT.fullmatch(name):
        raise BadInput(
            f"{name!r} is no name of an environment; use up to 64 letters, digits, '.', '_' and '-', and "
            "begin with a letter or digit"
        )
    if name.casefold() == LOG:
        raise BadInput(
            f"an environment cannot be called {name!r}, as its log would be that of the environment "
            f"{DEFAULT!r}; give it another name in {FILE}"
        )
    return name


def table(path: Path, data: Mapping[str, Any], name: str) -> dict[str, Any]:
    """Return a table of the settings that were read from a path; an empty one where there is none.

    Raises:
        BadInput: it is no table.

    """
    found = data.get(name, {})
    if not isinstance(found, dict):
        raise BadInput(f"{path} is malformed: {name!r} must be a table")
    return found


def read(path: Path) -> dict[str, Any]:
    """Return the settings of a project.

    Raises:
        BadInput: they are malformed.
        LaserCatsError: they cannot be read.

    """
    try:
        return tomllib.loads(path.read_text(encoding="utf-8"))
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise BadInput(f"{path} is malformed: {error}") from None
    except OSError as error:
        raise LaserCatsError(f"{path} cannot be read: {error.strerror}") from None


def unknown(data: Mapping[str, Any]) -> Iterator[str]:
    """Iterate over the keys that mean nothing, with the tables that they are in."""
    yield from (key for key in data if key not in KEYS)
    environments = data.get("environments")
    for name, one in environments.items() if isinstance(environments, dict) else ():
        yield from (
            f"environments.{name}.{key}"
            for key in (one if isinstance(one, dict) else ())
            if key != "machines"
        )


def machines(path: Path, data: Mapping[str, Any], environment: str) -> dict[str, str]:
    """Return the URLs of the machines of an environment.

    Raises:
        BadInput: they are malformed, or there is no such environment.

    """
    environments = table(path, data, "environments")
    for name in (environment, *environments):
        check_environment(name)
    if environment not in environments:
        raise UnknownName("environment", environment, environments)
    machines = table(path, table(path, environments, environment), "machines")
    for name, url in machines.items():
        check_machine_name(name)
        if not isinstance(url, str):
            raise BadInput(f"{path}: the URL of machine {name!r} must be text")
    return dict(machines)
