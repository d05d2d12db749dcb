"""What a verb is about to do with commands that are in the log already: shown before it is done.

`recover`, `confirm --reject` and reports on work orders go on with what somebody began. Whoever runs them
sees what that is: from the log alone, so that it costs nothing and is safe with the log of a stranger.
"""

from collections.abc import Callable, Iterable, Sequence
from typing import NamedTuple

from lasercats.core.change import NO_CHANGES, Delta
from lasercats.core.errors import LaserCatsError
from lasercats.core.resource import same
from lasercats.operate import history
from lasercats.operate.confirm import Held, pending
from lasercats.operate.history import Happening
from lasercats.operate.issued import together
from lasercats.operate.observe import observe
from lasercats.operate.project import Project
from lasercats.operate.undo import plan_undo


class Prospect(NamedTuple):
    """What is about to be done with one command."""

    happening: Happening
    what: str
    """As `take back`, `ask what became of`."""
    delta: Delta = NO_CHANGES
    """What would change, as far as the log tells."""
    problem: str = ""
    """Why that cannot be told."""


def of_open(project: Project, overdue: Callable[[Held], bool]) -> list[Prospect]:
    """Return what `recover` would do with all that is open."""
    held = {one.position: one for one in pending(project)}
    found = []
    for position, opened in sorted(project.log.open().items()):
        if position in held:
            if overdue(held[position]):
                found.append(of_held(project, held[position]))
            continue
        what = "ask what became of" if opened.waits is None else f"go on, by work order {opened.waits}, with"
        found.append(Prospect(history.happening(project, position), what))
    return found


def of_held(project: Project, held: Held) -> Prospect:
    """Return what is taken back where a held change is."""
    happening = history.happening(project, held.position)
    try:
        positions = [record.position for record, _ in together(project.log, held.position)]
        done = [p for p in positions if history.happening(project, p).delta]
        return Prospect(happening, "take back", plan_undo(project, done, partial=True).delta)
    except LaserCatsError as error:
        return Prospect(happening, "take back", problem=str(error))


def of_all_held(project: Project, held: Sequence[Held]) -> list[Prospect]:
    """Return what is taken back where held changes are."""
    return [of_held(project, one) for one in held]


def of_commands(project: Project, positions: Iterable[int]) -> list[Prospect]:
    """Return what a report on a work order goes on with."""
    return [Prospect(history.happening(project, position), "go on with") for position in positions]


async def lost(project: Project, back: Delta) -> Delta:
    """Return what somebody changed outside since, and would be lost where a change is taken back.

    What cannot be looked at is not told here: it cannot be taken back either.
    """
    seen = [a for a in back if project.kinds.kind(a).has("observe")]
    try:
        drift = (await observe(project, seen)).drift if seen else NO_CHANGES
    except LaserCatsError:
        return NO_CHANGES
    return Delta(
        {
            address: change
            for address, change in drift.items()
            if change.after is not None
            and not same(change.after, back[address].after)
            and (back[address].after is None or {*change.fields} & {*back[address].fields})
        }
    )
