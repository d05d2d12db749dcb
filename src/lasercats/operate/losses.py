"""What commands would destroy or interrupt, looked at before anybody is asked about it."""

from collections.abc import Collection, Sequence

from lasercats.core.address import Address
from lasercats.core.command import Command
from lasercats.core.errors import LaserCatsError
from lasercats.core.loss import Loss, announced
from lasercats.core.resource import Resource
from lasercats.core.settle import decide_all
from lasercats.interpreters.looking import expectations
from lasercats.operate.observe import observe
from lasercats.operate.project import Project


def foresee(project: Project, commands: Sequence[Command], *, direct: bool = False) -> list[Loss]:
    """Return what commands would lose, but for what they name themselves where they are `direct`.

    Where anything would be lost as far as the state tells, that is looked at first, with what takes it
    along, so that what is announced is what is there. What cannot be looked at is told as it is known.
    """
    kinds, state = project.kinds, project.state()
    found = announced(kinds, commands, state, direct=direct)
    seen = list(dict.fromkeys(loss.address for loss in found if kinds.kind(loss.address).observe is not None))
    if not seen:
        return found
    try:
        state = observe(project, seen, also=_causes(project, commands, seen)).state
    except LaserCatsError:  # it is not bound, or not to be reached: what is carried out will say so
        return found
    return announced(kinds, commands, state, direct=direct)


def _causes(
    project: Project, commands: Sequence[Command], lost: Collection[Address]
) -> dict[Address, Resource | None]:
    """Return what commands are about to make where that displaces something that is lost."""
    targets, _ = decide_all(commands, project.state())
    causes = {target.by for target in targets if target.address in lost}
    return {a: made for a, made in expectations(commands, project.kinds).items() if a in causes}
