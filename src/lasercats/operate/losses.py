"""What commands would destroy or interrupt, looked at before anybody is asked about it."""

from collections.abc import Sequence

from lasercats.core.command import Command
from lasercats.core.errors import LaserCatsError
from lasercats.core.loss import Loss, announced
from lasercats.operate.observe import observe
from lasercats.operate.project import Project


def foresee(project: Project, commands: Sequence[Command], *, direct: bool = False) -> list[Loss]:
    """Return what commands would lose, but for what they name themselves where they are `direct`.

    Where anything would be lost as far as the state tells, that is looked at first, so that what is announced
    is what is there. What cannot be looked at is told as it is known.
    """
    kinds, state = project.kinds, project.state()
    found = announced(kinds, commands, state, direct=direct)
    seen = list(dict.fromkeys(loss.address for loss in found if kinds.kind(loss.address).has("observe")))
    if not seen:
        return found
    try:
        state = observe(project, seen).state
    except LaserCatsError:  # it is not bound, or not to be reached: what is carried out will say so
        return found
    return announced(kinds, commands, state, direct=direct)
