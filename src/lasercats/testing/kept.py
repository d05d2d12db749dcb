"""The law that nothing which exists is dropped, for any kind on any machine that can be made to fail.

Whatever fails from the n-th batch on, for each n: once the machine answers again and `recover` has run, the
state is what is really there, nothing is there that no state knows, and the next plan brings about what was
desired.

    check_kept(fresh, commands)
    check_kept(fresh, commands, faults=[LOST])
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager
from typing import Any, TypeAlias, cast

from lasercats.core.address import Address
from lasercats.core.change import Change, Delta
from lasercats.core.command import Command
from lasercats.core.converge import converge
from lasercats.core.errors import Unreachable
from lasercats.core.instruction import Batch, Failure
from lasercats.core.ports import Machine, Sink
from lasercats.core.resource import Resource, same, settle
from lasercats.interpreters.driver import Driver
from lasercats.interpreters.looking import look
from lasercats.interpreters.simulate import simulate
from lasercats.interpreters.task import Task
from lasercats.operate.issue import carry_out
from lasercats.operate.project import Project
from lasercats.operate.recover import recover
from lasercats.operate.verify import verify
from lasercats.testing.laws import decided
from lasercats.testing.running import finish

Identity = tuple[str, str]
"""A kind, and by what one of it is told from others."""


Fault: TypeAlias = Callable[[Project, int], AbstractContextManager[Callable[[], bool]]]
"""Makes what a project reaches fail from the n-th time on, while it is entered; tells whether it has."""


def check_kept(
    fresh: Callable[[], Project], commands: Sequence[Command], faults: Sequence[Fault] = ()
) -> int:
    """Have commands carried out again and again, each time with another place to fail from.

    `fresh` makes a project each time, on machines as they were the first time; it may have done something.
    Returns how often something failed.
    """
    struck = 0
    for fault in faults or FAULTS:
        n = 0
        while _is_kept(fresh(), commands, fault, n):
            n += 1
        struck += n
    return struck


def _is_kept(project: Project, commands: Sequence[Command], fault: Fault, n: int) -> bool:
    """Check one place to fail from; return whether it was reached."""
    try:
        before, (_, desired) = _there(project, commands), simulate(commands, project.state())
        with fault(project, n) as has_struck:
            finish(project, carry_out(project, commands, direct=True))
            if not has_struck():
                return False
            finish(project, recover(project, force=True))  # nobody can look, so nothing is judged
        finish(project, recover(project, force=True))
        where = f"{getattr(fault, '__name__', fault)} from {n} on"
        assert finish(project, recover(project, force=True)) == [], where
        _check_reality(project, commands, before, f"{where}, recovered")
        state = project.state()
        delta = Delta(
            {a: Change(state.get(a), desired.get(a)) for a in {*dict(state.items()), *dict(desired.items())}}
        )
        way = converge(project.kinds, delta, state, exact=False)
        results = finish(project, carry_out(project, way, agreed=None))
        assert all(result.ok for result in results), (where, results)
        _check_reality(project, commands, before, f"{where}, finished")
        assert decided(project.state()) == decided(desired), where
        verify(project)
    finally:
        project.close()
    return True


def _check_reality(project: Project, commands: Sequence[Command], before: set[Identity], where: str) -> None:
    """Check that the state is what is there, and that what is there is in the state, or was before."""
    state = project.state()
    named = dict.fromkeys([*(a for c in commands for a in c.on), *(a for a, _ in state.items())], 0)
    found, unseen = finish(project, look(named, state, project.context()))
    assert not unseen, (where, unseen)
    for address in (a for a in named if a in found):
        known, real = state.get(address), found[address]
        unmanaged = known is None and _identities(project, {address: real}) <= before
        assert unmanaged or same(known, settle(known, real)), (where, address, known, real)
    there, known_ids = _there(project, commands), _identities(project, dict(state.items()))
    assert there - before <= known_ids, (where, "orphaned", there - before - known_ids)
    lost = {one for one in known_ids - there if _finds(project, one[0])}
    assert not lost, (where, "not there", lost)


def _finds(project: Project, kind: str) -> bool:
    return project.kinds.kinds[kind].has("discover")


def _there(project: Project, commands: Sequence[Command]) -> set[Identity]:
    """Return what the machines of commands have, of all kinds that can be found."""
    machines = dict.fromkeys(project.kinds.machine_of(a) for c in commands for a in c.on)
    programs = [
        kind.discover(machine)
        for machine in machines
        for name, kind in sorted(project.kinds.kinds.items())
        for domain in [project.kinds.domain(Address(f"{name}/x"))]
        if machine and kind.has("discover") and domain and project.machines.fits(machine, domain)
    ]
    tasks = [Task(program) for program in programs]

    async def work() -> None:
        await Driver(project.context()).run(tasks)

    finish(project, work())
    assert not [task.failure for task in tasks if task.failure]
    return _identities(project, {a: r for task in tasks for a, r in task.result.items()})


def _identities(project: Project, resources: Mapping[Address, Resource | None]) -> set[Identity]:
    return {
        (kind.name, getattr(resource, kind.identity, None) or address if kind.identity else address)
        for address, resource in resources.items()
        if resource is not None
        for kind in [project.kinds.kind(address)]
    }


# What fails, at any machine: from the n-th batch on nothing works any more.


class Failing:
    """A machine that works as another does, until it is to fail."""

    def __init__(self, machine: Machine, fails: "_Failing") -> None:
        """Stand before a machine."""
        self._machine, self._fails = machine, fails

    def __getattr__(self, name: str) -> Any:  # noqa: ANN401
        """Be as the machine in all else."""
        return getattr(self._machine, name)

    async def run(self, batch: Batch, sink: Sink | None = None, token: str = "") -> Sequence[Any]:
        """Run a batch, unless it is to fail."""
        return await self._fails.run(self._machine, batch, sink, token)

    async def resolve(self, batch: Batch, token: str = "", *, end: bool = False) -> Sequence[Any | None]:
        """Tell what became of a batch, unless that fails too."""
        if self._fails.over:
            raise Unreachable("machine m does not answer; wait until it does")
        return await self._machine.resolve(batch, token, end=end)


class _Failing:
    """Counts batches, and has them fail from one on."""

    def __init__(self, left: int) -> None:
        self.left, self.over = left, False

    async def run(self, machine: Machine, batch: Batch, sink: Sink | None, token: str) -> Sequence[Any]:
        if self.left:
            self.left -= 1
            return await machine.run(batch, sink, token)
        first, self.over = not self.over, True
        return await self.fail(machine, batch, first=first)

    async def fail(self, machine: Machine, batch: Batch, *, first: bool) -> Sequence[Any]:
        """Fail; `first` for the first time."""
        del machine, batch, first
        raise Unreachable("machine m does not answer; wait until it does")


class _Lost(_Failing):
    """The first batch is done in part, and what is not reported of it is not known."""

    def __init__(self, left: int, done: float, reported: float) -> None:
        super().__init__(left)
        self._done, self._reported = done, reported

    async def fail(self, machine: Machine, batch: Batch, *, first: bool) -> Sequence[Any]:
        if not first:
            return await super().fail(machine, batch, first=first)
        done, reported = int(len(batch) * self._done), int(len(batch) * self._reported)
        outcomes = list(await machine.run(batch[:done])) if done else []
        lost = [Failure(reason="the connection was lost", in_doubt=not i.instruction.looks) for i in batch]
        return [*outcomes[:reported], *lost[min(reported, done) :]]


class _Blind(_Failing):
    """What acts works on; nothing can be looked at any more."""

    async def fail(self, machine: Machine, batch: Batch, *, first: bool) -> Sequence[Any]:
        del first
        looks = {n for n, item in enumerate(batch) if item.instruction.looks}
        place = {n: i for i, n in enumerate(n for n in range(len(batch)) if n not in looks)}
        denied = Failure(reason="machine m lets nobody look")
        items = tuple(
            type(batch[n])(batch[n].instruction, tuple(place[m] for m in batch[n].after if m in place))
            for n in place
        )
        outcomes = list(await machine.run(items)) if items else []
        return [denied if n in looks else outcomes[place[n]] for n in range(len(batch))]


def _fault(name: str, make: Callable[[int], _Failing]) -> Fault:
    """Return a fault of all machines of a project."""

    @contextmanager
    def fault(project: Project, n: int) -> Iterator[Callable[[], bool]]:
        fails, get = make(n), project.machines.get
        project.machines.get = lambda name: cast("Machine", Failing(get(name), fails))  # type: ignore[method-assign]
        try:
            yield lambda: fails.over
        finally:
            project.machines.get = get  # type: ignore[method-assign]

    fault.__name__ = name
    return fault


GONE = _fault("gone", _Failing)
"""It does not answer any more; nothing was sent."""
UNSENT = _fault("unsent", lambda n: _Lost(n, 0, 0))
"""A batch is lost, and nothing of it was done."""
LOST = _fault("lost", lambda n: _Lost(n, 1, 0))
"""A batch is done, and nothing of it is told."""
HALF = _fault("half", lambda n: _Lost(n, 0.5, 0))
"""A batch is half done, and nothing of it is told."""
PART = _fault("part", lambda n: _Lost(n, 1, 0.5))
"""A batch is done, and half of it is told."""
BLIND = _fault("blind", _Blind)
"""What acts is done, and no look is answered."""
FAULTS = (GONE, UNSENT, LOST, HALF, PART, BLIND)
