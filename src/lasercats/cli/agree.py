"""Shows what is open in a log, and asks where that is somebody else's, before anybody goes on with it."""

from collections.abc import Callable, Sequence

from lasercats.cli import printing, show
from lasercats.cli.running import run
from lasercats.core.errors import Untrusted
from lasercats.operate import prospect
from lasercats.operate.confirm import Held
from lasercats.operate.project import Project
from lasercats.operate.prospect import Prospect


def check(project: Project, find: Callable[[], Sequence[Prospect]], *, yes: bool, quiet: bool) -> None:
    """Show what is about to be done in a log that this user did not begin, and ask.

    Raises:
        Untrusted: it was not agreed to.

    """
    if yes or project.is_known or not (prospects := find()):
        return
    if not quiet:
        printing.note("what is open in this log was not begun by you; this would", fg="yellow")
        for one in prospects:
            _show(one)
        if printing.agreed("Go on with it?"):
            return
    raise Untrusted(
        "what is open in this log was not begun by you, or not on this machine, so nothing was done",
        remedy="look at it with `lasercats log --status open`, and agree with --yes, or trust whoever began "
        f"it with `lasercats project trust {project.root}`",
        subject=str(project.root),
    )


def may_take_back(project: Project, held: Held, *, yes: bool, quiet: bool) -> str:
    """Show what is taken back; return why it is not, where a change would be lost without consent."""
    one = prospect.of_held(project, held)
    if not quiet:
        _show(one)
    lost = {} if yes else run(project, prospect.lost(project, one.delta))
    if not lost:
        return ""
    if not quiet:
        printing.note("since then somebody changed outside what this would put back:", fg="yellow")
        show.print_delta(one.delta.__class__(lost))
        if printing.agreed("Take it back, and lose that?"):
            return ""
    return (
        f"{next(iter(lost))} was changed outside since, and that would be lost; agree with --yes, or keep "
        f"all as it is with `lasercats confirm {held.position}`"
    )


def _show(one: Prospect) -> None:
    happened = one.happening
    printing.fact(f"{one.what} command {happened.position} ({show.title(happened)}) of {happened.actor}")
    show.print_delta(one.delta)
    if one.problem:
        printing.note(f"! what that changes cannot be told: {one.problem}", fg="red")
