"""`machine add`, `list`, `check`, `accept`, `remove`: the machines of an environment, in `lasercats.toml`."""

import asyncio
import stat
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from types import MappingProxyType
from typing import Any, NamedTuple

from lasercats.core.address import Address, check_machine_name
from lasercats.core.errors import BadInput, LaserCatsError, MachineError
from lasercats.core.identity import Identity, Who, are_one, clash
from lasercats.core.record import Met
from lasercats.operate import files
from lasercats.operate.bound import check_url, machine_type
from lasercats.operate.project import FILE, Project


class Check(NamedTuple):
    """How a machine answered."""

    name: str
    url: str
    seconds: float
    error: str | None
    remark: str | None = None
    """What it does not fail for, and is worth knowing."""
    exposed: str | None = None
    """What others could do on the way there."""
    identity: Identity = MappingProxyType({})
    """Who it is, by all that it told by now; nothing where it tells nothing."""
    shared: Sequence[str] = ()
    """Other names of what is the same machine, as far as they tell."""


class Bound(NamedTuple):
    """A machine as it is bound, and as it is on record."""

    name: str
    url: str
    identity: Identity
    shared: Sequence[str]
    """Other names of what is the same machine, as far as they tell."""


class Accepting(NamedTuple):
    """A machine that is to be accepted as what it is."""

    name: str
    before: Identity
    """What it was known by; nothing where it was never met."""
    after: Identity
    """What it is known by now."""
    resources: int
    """How many resources the state holds on it: they are looked for there from now on."""

    @property
    def is_other(self) -> bool:
        """True where it is another machine than the one that was met."""
        return bool(clash(self.before, self.after))


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
    text: str | None = None if tell is None else tell(check_url(url))
    return text


def bound(project: Project) -> list[Bound]:
    """Return the machines that are bound, by name, with who they are on record."""
    known = {name: one.facts for name, one in project.log.machines().items()} if project.is_begun else {}
    return [
        Bound(name, url, known.get(name, {}), _shared(name, known, project.urls))
        for name, url in sorted(project.urls.items())
    ]


def _shared(name: str, known: Mapping[str, Identity], names: Collection[str]) -> tuple[str, ...]:
    mine = known.get(name, {})
    return tuple(o for o in sorted(names) if o != name and are_one(mine, known.get(o, {})))


async def meet(project: Project, name: str) -> Accepting:
    """Ask a machine who it is now, whoever it was; record nothing of another one.

    Raises:
        MachineError: it cannot be asked, or tells nothing by which it could be known.
        UnknownName: there is none of that name.

    """
    project.machines.check(name)
    known = project.log.machines().get(name)
    before, machine = known.facts if known else {}, project.machines.get(name)
    who = project.machines.who(machine, name)
    who.known = {}
    try:
        await machine.check()
    finally:
        after = who.reported
        who.known = after if clash(before, after) else before  # of another one nothing is news
    if not after:
        raise MachineError(
            f"machine {name} answers, and tells nothing by which it could be known; it is never refused, so "
            "there is nothing to accept"
        )
    return Accepting(name, before, after, sum(1 for _ in _on(project, name)))


def accept(project: Project, accepting: Accepting, message: str | None = None) -> int:
    """Record that a machine is another one from now on; return the position."""
    machines = {accepting.name: dict(accepting.after)}
    return project.log.append([Met(machines=machines, actor=project.actor, accepted=True, message=message)])


def _on(project: Project, name: str) -> Iterator[Address]:
    """Iterate over what the state holds on a machine."""
    for address, resource in project.state().items():
        if resource is not None and project.kinds.machine_of(address) == name:
            yield address


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


async def check(project: Project, names: Sequence[str]) -> list[Check]:
    """Make a round trip to machines, all at once."""
    for name in names:
        project.machines.check(name)
    chosen = list(names) or project.machines.names()
    checks = await asyncio.gather(*(_check(project, name) for name in chosen))
    known = {name: one.facts for name, one in project.log.machines().items()}
    known |= {one.name: dict(one.identity) for one in checks}
    return [one._replace(shared=_shared(one.name, known, project.urls)) for one in checks]


async def _check(project: Project, name: str) -> Check:
    loop = asyncio.get_running_loop()
    begin, error, remark, who = loop.time(), None, None, Who(name)
    try:
        machine = project.machines.get(name)
        who = project.machines.who(machine, name)
        remark = await machine.check()
    except MachineError as failed:
        error = str(failed)
    url = project.urls[name]
    return Check(name, url, loop.time() - begin, error, remark, exposed(url), dict(who.must))


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
