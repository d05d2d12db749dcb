"""What `undo` takes for exactly some commands: as few ranges of positions as mean them and no others."""

from collections.abc import Iterable, Mapping

from lasercats.core.address import Address
from lasercats.core.change import Delta
from lasercats.operate.history import Happening, happening
from lasercats.operate.moments import positions
from lasercats.operate.project import Project

UNDER_WAY = ("open", "waiting")
"""What is not over cannot be undone."""


def changed(delta: Delta, but: Iterable[Address] = ()) -> bool:
    """Tell whether there is something to take back of a change, other than at some addresses."""
    left_out = set(but)
    return any(change.verb != "keep" and address not in left_out for address, change in delta.items())


def over(project: Project, chosen: Iterable[int]) -> dict[int, Delta]:
    """Return what those of some commands on record changed that are over."""
    found = (happening(project, position) for position in sorted(set(chosen)))
    return {one.position: one.delta for one in found if one.status not in UNDER_WAY}


def spans(project: Project, chosen: Iterable[int]) -> list[str]:
    """Return commands as ranges that `undo` takes: `12..40 57`.

    What else is in a range changed nothing and is over, so that the range means the same for all time.
    """
    wanted = set(chosen)
    if not wanted:
        return []
    pieces, joined = list[list[int]](), False
    for position in positions(project.log, [f"{min(wanted)}..{max(wanted)}"]):
        if position in wanted and joined:
            pieces[-1].append(position)
        elif position in wanted:
            pieces.append([position])
        joined = position in wanted or (joined and _is_idle(happening(project, position)))
    return [f"{piece[0]}" if len(piece) == 1 else f"{piece[0]}..{piece[-1]}" for piece in pieces]


def _is_idle(one: Happening) -> bool:
    delta = one.observed if one.command is None else one.delta
    return not (changed(delta) or one.opaque or one.status in UNDER_WAY)


def words(project: Project, deltas: Mapping[int, Delta], buried: Iterable[Address] = ()) -> list[str]:
    """Return the words that have `undo` take commands that are over back, as far as that can be; else none.

    Where no undo brings back what some of them changed, it is told to leave that out.
    """
    lost = set(buried)
    chosen = [position for position, delta in deltas.items() if changed(delta, lost)]
    partial = ["--partial"] if any(a in lost for p in chosen for a in deltas[p]) else []
    return ["undo", *partial, *spans(project, chosen)] if chosen else []
