"""`DOMAIN show MACHINE`: a picture of a machine, as it is now or was."""

from collections.abc import Mapping
from typing import NamedTuple, Protocol

from lasercats.core.address import Address, rest_of
from lasercats.core.errors import BadInput, MachineError
from lasercats.core.registry import Domain
from lasercats.core.resource import Resource
from lasercats.operate import moments, plugins
from lasercats.operate.adopt import listed
from lasercats.operate.project import Project


class Picture(Protocol):
    """A way to draw what is on a machine; found by the entry points `lasercats.pictures`."""

    def __init__(self, machine: str, resources: Mapping[Address, Resource]) -> None:
        """Take what is on the machine."""
        ...

    def svg(self) -> str:
        """Return a whole SVG document."""
        ...

    def terminal(self, width: int, *, color: bool) -> str:
        """Return lines for a terminal of some columns."""
        ...


class Drawn(NamedTuple):
    """The picture of a machine."""

    picture: Picture
    unseen: Mapping[Address, str]
    """What is there and not in it, and why."""


async def draw(project: Project, name: str, machine: str, as_of: str | None) -> Drawn:
    """Return the picture of a machine that a domain draws: as a look tells, or as it was by the log.

    Raises:
        BadInput: the machine is not one of that domain, or nothing was known of it then.
        MachineError: it cannot be looked at.

    """
    domain = next(d for d in project.kinds.domains if d.name == name)
    project.machines.check(machine)
    if not project.machines.fits(machine, domain):
        raise BadInput(f"machine {machine!r} ({project.urls[machine]}) is no {name}")
    unseen: Mapping[Address, str] = {}
    if as_of is None:
        found, unseen = await _now(project, domain, machine)
    else:
        found = _then(project, domain, machine, as_of)
    return Drawn(plugins.load("pictures", name, "picture")(machine, found), unseen)


async def _now(
    project: Project, domain: Domain, machine: str
) -> tuple[Mapping[Address, Resource], Mapping[Address, str]]:
    found, unseen = await listed(project, [(machine, kind) for kind in domain.kinds if kind.has("discover")])
    whole = next((why for address, why in unseen.items() if not rest_of(address)), None)
    if whole is not None:
        raise MachineError(whole)
    return {address: resource for address, resource in found.items() if resource is not None}, unseen


def _then(project: Project, domain: Domain, machine: str, as_of: str) -> Mapping[Address, Resource]:
    state = project.state(moments.resolve(project.log, as_of))
    kinds = {kind.name for kind in domain.kinds}
    found = {
        address: resource
        for address, resource in state.items()
        if project.kinds.machine_of(address) == machine and project.kinds.kind(address).name in kinds
    }
    if not found:
        raise BadInput(f"the log knows nothing of {machine} as of {as_of}")
    return found
