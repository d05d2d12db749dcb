"""`bisect`: find the first command after which a check fails, in log2(n) steps, on states of the past."""

from collections.abc import Callable, Iterator
from typing import NamedTuple

from lasercats.core.errors import BadInput
from lasercats.operate.history import Happening, happening
from lasercats.operate.project import Project

Check = Callable[[int], bool | None]
"""Tells of the state at a position: True where it is good, False where not, None where it cannot be told."""


class Probe(NamedTuple):
    """One state that was checked."""

    position: int
    good: bool | None
    left: int
    """How many steps are still to come, about."""


class Found(NamedTuple):
    """The first event after which the check fails."""

    position: int
    happening: Happening
    """The command that caused it, or the observation."""
    steps: tuple[Probe, ...]
    skipped: tuple[int, ...] = ()
    """States just before it that could not be told of: one of those may be the first."""


def bisect(
    project: Project, first: int, last: int | None, check: Check, tell: Callable[[Probe], object]
) -> Found:
    """Find the first change in a range of positions after which a check fails.

    The check must hold before the range and fail at its end; both are looked at first.

    Raises:
        BadInput: nothing changed in the range, or the check does not change in it.

    """
    last = project.log.head() if last is None else last
    events = [r.position for r in project.log.read(first, last, names=("event",)) if r.entry.delta]  # type: ignore[union-attr]
    if not events:
        raise BadInput(f"nothing changed from {first} to {last}; choose a wider range")
    steps: list[Probe] = []

    def good(position: int, left: int) -> bool | None:
        steps.append(Probe(position, check(position), left))
        tell(steps[-1])
        return steps[-1].good

    size = (len(events) - 1).bit_length()
    before = (r.position for r in project.log.read(1, first - 1, names=("event",), backwards=True))
    if (answer := good(next(before, 0), size + 1)) is not True:
        fact = "cannot tell" if answer is None else "does not hold"
        raise BadInput(f"the check {fact} before position {first}; begin where it still held")
    if (answer := good(last, size)) is not False:
        fact = "cannot tell" if answer is None else "does not fail"
        raise BadInput(f"the check {fact} at position {last}; end where it fails")
    low, high, skipped = -1, len(events) - 1, set[int]()
    while high - low > 1:
        middle = next(_middles(low, high, skipped), None)
        if middle is None:
            break
        answer = good(events[middle], (high - low - 1).bit_length() - 1)
        if answer is None:
            skipped.add(middle)
        elif answer:
            low = middle
        else:
            high = middle
    doubtful = tuple(events[n] for n in range(low + 1, high))
    return Found(events[high], happening(project, events[high]), tuple(steps), doubtful)


def _middles(low: int, high: int, skipped: set[int]) -> Iterator[int]:
    """Iterate over what is between, from the middle outwards, without what was skipped."""
    middle = (low + high) // 2
    for distance in range(high - low):
        for candidate in (middle - distance, middle + distance):
            if low < candidate < high and candidate not in skipped:
                yield candidate
