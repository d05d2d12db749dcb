"""A project with technicians, who report what they have done."""

from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import pytest

from lasercats.core.command import Command
from lasercats.core.state import State
from lasercats.interpreters.context import Result
from lasercats.operate import begin, reports, work
from lasercats.operate import project as projects
from lasercats.operate.issue import carry_out
from lasercats.testing.running import finish

Choose = Callable[[Sequence[work.WorkItem]], work.WorkItem]
"""Chooses which of some steps is reported next."""


class Site:
    """Projects one after another, each with an empty log and two teams of technicians."""

    def __init__(self, folder: Path) -> None:
        """Keep them in a folder."""
        self.project: projects.Project
        self._folder, self._count = folder, 0
        self.fresh()

    def fresh(self) -> None:
        """Begin with a new project."""
        if self._count:
            self.project.close()
        self._count += 1
        root = self._folder / f"{self._count}"
        begin.init(root)
        (root / projects.FILE).write_text(
            '[environments.default.machines]\nhuman = "human:"\ndc2 = "human:"\n'
        )
        self.project = projects.Project(root)

    def reopened(self) -> None:
        """Go on as another process would."""
        self.project.close()
        self.project = projects.Project(self.project.root)

    @property
    def state(self) -> State:
        """The state."""
        return self.project.state()

    def do(self, *commands: Command) -> Sequence[Result]:
        """Issue commands together."""
        return finish(self.project, carry_out(self.project, commands))

    def ready(self) -> list[tuple[work.WorkOrder, work.WorkItem]]:
        """Return the steps that can be reported, each with its order."""
        found = []
        for order in work.orders(self.project):
            still = {task.number for task in order.open}
            found += [(order, task) for task in order.open if not still & {*task.after}]
        return found

    def finish(self, choose: Choose = lambda tasks: tasks[0]) -> int:
        """Report all steps as done, one by one, in whatever order is chosen; return how many they were."""
        count = 0
        while ready := self.ready():
            task = choose([task for _, task in ready])
            order = next(order for order, one in ready if one is task)
            finish(self.project, reports.done(self.project, order.number, [task.number]))
            count += 1
        return count


@pytest.fixture
def site(tmp_path: Path) -> Iterator[Site]:
    """An empty project with technicians."""
    made = Site(tmp_path)
    yield made
    made.project.close()
