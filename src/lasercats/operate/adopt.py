"""`adopt`: find what exists already on machines and take it into the state; the machines are not changed."""

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from lasercats.core.address import Address, machine_of
from lasercats.core.change import Change, Delta
from lasercats.core.errors import BadInput
from lasercats.core.instruction import Failure
from lasercats.core.kind import Kind
from lasercats.core.registry import Kinds
from lasercats.core.resource import Resource
from lasercats.core.state import State
from lasercats.interpreters.context import Context, Watcher
from lasercats.interpreters.driver import Driver
from lasercats.interpreters.looking import addressed
from lasercats.interpreters.task import Task
from lasercats.operate.observe import Observation
from lasercats.operate.plan import selected
from lasercats.operate.project import Project


class Discovery(NamedTuple):
    """What was found on machines that nobody managed."""

    seen: Observation
    """With all that is new as its drift; `observe.record` takes it in."""
    managed: int
    """How much was found that is managed already."""


async def discover(
    project: Project,
    machines: Sequence[str] = (),
    *,
    only: Sequence[str] = (),
    exclude: Sequence[str] = (),
    watcher: Watcher | None = None,
) -> Discovery:
    """Find what is on machines, by default on all that can tell, and not managed yet; record nothing.

    Raises:
        BadInput: a machine cannot list what is on it, or none can.
        UnknownName: a machine is not bound.

    """
    wanted = _wanted(project, machines)
    state, context = project.state(), project.context(stop=project.stopping.event())
    if watcher is not None:
        context.watcher = watcher
    found, unseen = await _discover(wanted, context)
    new, managed = _new(project.kinds, found, state)
    chosen = {a: r for a, r in new.items() if selected(a, only, exclude)}
    delta = Delta({a: Change(None, r) for a, r in sorted(addressed(chosen, state, project.kinds).items())})
    return Discovery(Observation(delta, unseen, len(found), state.apply(delta)), managed)


async def listed(
    project: Project, wanted: Sequence[tuple[str, Kind[Any]]]
) -> tuple[dict[Address, Resource | None], dict[Address, str]]:
    """Return all of some kinds on machines, and of each that could not be asked, why."""
    return await _discover(wanted, project.context(stop=project.stopping.event()))


def _wanted(project: Project, machines: Sequence[str]) -> list[tuple[str, Kind[Any]]]:
    """Return what is to be listed: the kinds of each machine."""
    for name in machines:
        project.machines.check(name)
    wanted = []
    for name in machines or project.machines.names():
        listed = [
            (name, kind)
            for domain in project.kinds.domains
            for kind in domain.kinds
            if kind.has("discover") and project.machines.fits(name, domain)
        ]
        if machines and not listed:
            raise BadInput(
                f"machine {name!r} ({project.urls[name]}) cannot list what is on it; "
                "`lasercats observe ADDRESS` takes in one thing"
            )
        wanted += listed
    if not wanted:
        raise BadInput(
            "no machine here can list what is on it; add one with `lasercats machine add NAME URL`"
        )
    return wanted


async def _discover(
    wanted: Sequence[tuple[str, Kind[Any]]], context: Context
) -> tuple[dict[Address, Resource | None], dict[Address, str]]:
    tasks = [
        (Address(f"{kind.name}/{machine}:"), Task(kind.discover(machine)))
        for machine, kind in wanted
        if kind.has("discover")
    ]
    await Driver(context).run([task for _, task in tasks])
    found = {a: r for _, task in tasks if task.failure is None for a, r in task.result.items()}
    unseen = {name: task.failure.reason for name, task in tasks if task.failure is not None}
    unseen |= {a: failure.reason for a, failure in found.items() if isinstance(failure, Failure)}
    return {a: r for a, r in found.items() if a not in unseen}, unseen


def _new(
    kinds: Kinds, found: Mapping[Address, Resource | None], state: State
) -> tuple[dict[Address, Resource | None], int]:
    """Return what no address of the state stands for; a name that is taken gives way to the identity."""
    known = {_identity(kinds, address, resource) for address, resource in state.items()}
    new: dict[Address, Resource | None] = {}
    managed = 0
    for address, resource in found.items():
        identity = _identity(kinds, address, resource)
        if identity in known:
            managed += 1
        elif state.get(address) is None:
            new[address] = resource
        else:
            _, machine, name = identity
            new[kinds.address(f"{kinds.kind(address).name}/{machine}:{name}")] = resource
    return new, managed


def _identity(kinds: Kinds, address: Address, resource: Any) -> tuple[str, str | None, Any]:  # noqa: ANN401
    """Return by what a resource is the same, whatever its address: kind, machine, and given name."""
    kind = kinds.kind(address)
    name = getattr(resource, kind.identity, None) if kind.identity else None
    return kind.name, machine_of(address) or kind.machine, name or address
