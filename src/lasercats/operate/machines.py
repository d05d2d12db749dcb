"""`machine add`, `list`, `check`, `remove`: the machines of an environment, in `lasercats.toml`."""

import asyncio
import stat
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

from lasercats.core.address import check_machine_name
from lasercats.core.errors import BadInput, LaserCatsError, MachineError
from lasercats.operate import files
from lasercats.operate.issue import run_until
from lasercats.operate.project import FILE, Project, check_url, machine_type


class Check(NamedTuple):
    """How a machine answered."""

    name: str
    url: str
    seconds: float
    error: str | None
    told: str | None = None
    """What it does not fail for, and is worth knowing."""
    exposed: str | None = None
    """What others could do on the way there."""


def add(project: Project, name: str, url: str) -> None:
    """Bind a name to a machine URL.

    Raises:
        BadInput: the name or the URL is malformed, or the name is bound already.

    """
    check_machine_name(name)
    check_url(url)
    if name in project.urls:
        raise BadInput(f"machine {name!r} is there already ({project.urls[name]}); remove it first")
    _edit(project, lambda table: table.__setitem__(name, url))
    project.urls[name] = url


def exposed(url: str) -> str | None:
    """Return what others could do on the way to a machine, as it is spoken to; None where that is nothing."""
    tell = getattr(machine_type(url), "exposed", None)
    told: str | None = None if tell is None else tell(check_url(url))
    return told


def remove(project: Project, name: str) -> None:
    """Take a machine away that nothing in the state is on.

    Raises:
        UnknownName: there is none of that name.
        BadInput: resources are on it.

    """
    project.machines.check(name)
    on = [address for address, _ in project.state().items() if project.kinds.machine_of(address) == name]
    if on:
        raise BadInput(
            f"machine {name!r} holds {len(on)} resources in the state, such as {on[0]}; "
            "remove or forget them first"
        )
    _edit(project, lambda table: table.__delitem__(name))
    del project.urls[name]


def check(project: Project, names: Sequence[str]) -> list[Check]:
    """Make a round trip to machines, all at once."""
    for name in names:
        project.machines.check(name)
    chosen = list(names) or project.machines.names()
    checks: list[Check] = run_until(_check_all(project, chosen), asyncio.Event())
    return checks


async def _check_all(project: Project, names: Sequence[str]) -> list[Check]:
    try:
        return await asyncio.gather(*(_check(project, name) for name in names))
    finally:
        await project.machines.close()


async def _check(project: Project, name: str) -> Check:
    loop = asyncio.get_running_loop()
    begin, error, told = loop.time(), None, None
    try:
        told = await project.machines.get(name).check()
    except MachineError as failed:
        error = str(failed)
    url = project.urls[name]
    return Check(name, url, loop.time() - begin, error, told, exposed(url))


def _edit(project: Project, change: Callable[[Any], object]) -> None:
    """Change the table of machines in the file, keeping its comments, and replace the file at once."""
    import tomlkit  # noqa: PLC0415 - only to edit

    path = project.root / FILE
    document = tomlkit.parse(path.read_text())
    environment: Any = document["environments"][project.environment]
    change(environment.setdefault("machines", tomlkit.table()))
    try:
        files.replace(path.resolve(), tomlkit.dumps(document).encode(), stat.S_IMODE(path.stat().st_mode))
    except OSError as error:
        raise LaserCatsError(f"{path} cannot be written: {error.strerror}") from None
