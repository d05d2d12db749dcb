"""What commands would destroy or interrupt, looked at before anybody is asked about it."""

from collections.abc import Iterable, Sequence

from lasercats.core.address import Address
from lasercats.core.command import Command, decide_all
from lasercats.core.errors import LaserCatsError
from lasercats.core.loss import Loss, announced
from lasercats.core.settle import learn
from lasercats.core.state import State
from lasercats.interpreters.looking import expectations
from lasercats.operate.observe import observe
from lasercats.operate.project import Project


async def foresee(project: Project, commands: Sequence[Command], *, direct: bool = False) -> list[Loss]:
    """Return what commands would lose, but for what they name themselves where they are `direct`.

    Where anything would be lost as far as the state tells, that is looked at first, with what displaces it,
    so that what is announced is what is there. What cannot be looked at is told as it is known.
    """
    kinds, state = project.kinds, project.state()
    found = announced(kinds, commands, state, direct=direct)
    if not found:
        return found
    lost = {loss.address for loss in found}
    causes = (t.by for t in decide_all(commands, state)[0] if t.by is not None and t.address in lost)
    seen = await as_it_is(project, commands, dict.fromkeys([*(loss.address for loss in found), *causes]))
    return announced(kinds, commands, seen, direct=direct)


async def as_it_is(project: Project, commands: Sequence[Command], addresses: Iterable[Address]) -> State:
    """Return the state with what a look at some addresses found, as commands at them would find it.

    So it is with what nobody decided there and they are about to decide. What cannot be looked at is as it
    is known.
    """
    kinds = project.kinds
    seen = [address for address in addresses if kinds.kind(address).has("observe")]
    if not seen:
        return project.state()
    desired = expectations(commands, kinds)
    try:
        observed = await observe(
            project, seen, also={address: desired[address] for address in seen if address in desired}
        )
    except LaserCatsError:  # it is not bound, or not to be reached: what is carried out will say so
        return project.state()
    return learn(decide_all(commands, observed.state)[0], observed.state, observed.found)
