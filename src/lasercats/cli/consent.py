"""Shows what would be destroyed or interrupted that the operator did not name himself, and asks."""

from collections.abc import Sequence

from lasercats.cli import printing, show
from lasercats.cli.request import Request
from lasercats.cli.running import run
from lasercats.core.address import label
from lasercats.core.command import Command
from lasercats.core.errors import LaserCatsError
from lasercats.core.loss import Loss, in_words
from lasercats.interpreters.context import Result
from lasercats.operate.losses import foresee
from lasercats.operate.project import Project


def ask(project: Project, commands: Sequence[Command], request: Request) -> frozenset[Loss]:
    """Return the losses that are announced and agreed to before commands are carried out.

    Raises:
        LaserCatsError: it was not agreed to; nothing was done.

    """
    if request.predicts:
        return frozenset()
    if request.agreed is not None:
        return frozenset(request.agreed)
    return agree(run(project, foresee(project, commands, direct=request.direct)), request)


def agree(found: Sequence[Loss], request: Request) -> frozenset[Loss]:
    """Return losses once they are agreed to.

    Raises:
        LaserCatsError: they were not.

    """
    if found and not _agreed(found, request):
        raise LaserCatsError(refusal(found))
    return frozenset(found)


def ask_late(results: Sequence[Result], request: Request) -> frozenset[Loss]:
    """Return the losses that only the look before acting found, once they are agreed to; else none.

    Where --yes was given to a plan that was shown, it is for what that told; for a direct command, it is for
    whatever it tells now.
    """
    found = [loss for result in results for loss in result.losses]
    if not found or (request.yes and not request.direct):
        return frozenset()
    return frozenset(found) if _agreed(found, request) else frozenset()


def _agreed(found: Sequence[Loss], request: Request) -> bool:
    asks = not request.as_json and (request.yes or printing.can_ask())
    if asks or (not request.as_json and len({loss.address for loss in found}) > 1):
        printing.note("this was not named, and would be lost or interrupted:", fg="yellow")
        show.print_losses(found)
    return request.yes or (asks and printing.agreed("Carry this out?"))


def refusal(found: Sequence[Loss] = ()) -> str:
    """Return why nothing was carried out: nobody agreed to it; what that was is told unless it was before."""
    if not found:
        return "not carried out, because it was not agreed to; agree with --yes"
    first, others = found[0].address, len({loss.address for loss in found}) - 1
    more = f" (and {others} more)" if others else ""
    lost = in_words([loss for loss in found if loss.address == first])
    return f"not carried out, because of {label(first)}{more}: {lost}; agree with --yes"
