"""Turns: what is carried out so many addresses at a time, and stops where one of them goes wrong.

Between two turns stands a checkpoint. It comes after all of one turn, and all of the next come after it, so
the driver batches within a turn, and skips what comes after a failure, as it does anyway.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

from lasercats.core.address import label
from lasercats.core.command import Target
from lasercats.core.instruction import Failure, InstructionFailed
from lasercats.core.order import turns
from lasercats.core.program import Program
from lasercats.interpreters.task import Task

Made = tuple[Target, Task | None]
"""What is to be done, with what does it; where it is refused, nothing does."""


class Checkpoint(Task):
    """Sends nothing; it is done when all before it went well, and fails where anything did not."""

    def __init__(
        self,
        turn: Sequence[Made],
        before: "Checkpoint | None",
        problems: Callable[[Target], bool],
    ) -> None:
        """Come after a turn, and the checkpoint before it; where there are problems is asked then."""
        tasks = [task for _, task in turn if task is not None]
        first: Sequence[Task] = () if before is None else (before,)
        super().__init__(self._checked([target for target, _ in turn], problems), after=(*first, *tasks))
        self._names: Mapping[int, str] = {id(task): label(t.address) for t, task in turn if task is not None}
        self._culprit = ""

    @property
    def blame(self) -> str:
        """Return the address that went wrong, the first in order of those of its turn."""
        return self._culprit

    def stopper(self) -> Task | None:
        """Return what failed, when all of the turn is over."""
        return None if self.left else super().stopper()

    def skip(self, failed: Task) -> None:
        """Give it up, for the first that failed."""
        self._culprit = self._names.get(id(failed), failed.blame)
        super().skip(failed)

    def _checked(self, targets: Sequence[Target], problems: Callable[[Target], bool]) -> "Program[None]":
        wrong = next((target for target in targets if problems(target)), None)
        if wrong is not None:
            self._culprit = label(wrong.address)
            raise InstructionFailed(Failure(reason=f"{self._culprit} went wrong", skipped=True))
        yield from ()


def in_turns(made: Sequence[Made], size: int, problems: Callable[[Target], bool]) -> list[Task]:
    """Return the tasks of what was made, so many addresses at a time, with checkpoints between the turns."""
    numbers = {id(task): n for n, (_, task) in enumerate(made) if task is not None}
    pairs: Iterator[Any] = (
        (n, target.address, [numbers[id(o)] for o in (task.after if task else ()) if id(o) in numbers])
        for n, (target, task) in enumerate(made)
    )
    tasks, before = list[Task](), None
    for turn in turns(pairs, size):
        ours = [made[n] for n in turn]
        for task in (task for _, task in ours if task is not None):
            if before is not None:
                task.after = (*task.after, before)
            tasks.append(task)
        before = Checkpoint(ours, before, problems)
        tasks.append(before)
    return tasks[:-1]


def behind(task: Task) -> Iterator[Task]:
    """Iterate over what a task comes after, and what the checkpoints among that come after."""
    left = [*task.after]
    while left:
        other = left.pop(0)
        yield other
        left += other.after if isinstance(other, Checkpoint) else ()
