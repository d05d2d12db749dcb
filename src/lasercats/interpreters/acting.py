"""Acting: what was decided is made tasks for the driver, and what came of each is recorded."""

from collections.abc import Collection, Sequence
from typing import Any

from lasercats.core.address import Address
from lasercats.core.change import Change
from lasercats.core.command import Effect, Target, step
from lasercats.core.errors import Refused
from lasercats.core.order import Dependencies
from lasercats.core.program import Program
from lasercats.core.record import Deferred
from lasercats.core.resource import Resource, keeps, overlay, same, settle
from lasercats.core.settle import renewed
from lasercats.interpreters.looking import look
from lasercats.interpreters.run import Progress, Run
from lasercats.interpreters.serial import behind, in_turns
from lasercats.interpreters.task import Task


class Acting:
    """The tasks of a run, and what came of them."""

    def __init__(self, run: Run, targets: Sequence[Target], unseen: Collection[Address]) -> None:
        """Make a task of everything that has something to do; what is `unseen` could not be looked at."""
        self._run, self._unseen = run, unseen
        self._order = Dependencies[Task](run.kinds)
        self._targets: dict[Task, Target] = {}
        """What each task is for, as long as nothing is recorded of what came of it."""
        self._released: dict[tuple[int, Address], list[Task]] = {}
        """The tasks by which others let go of what a command takes at an address."""
        self.tasks = self._made(targets)
        """What the driver is to run, in order."""

    def _made(self, targets: Sequence[Target]) -> list[Task]:
        """Make a task of everything that has something to do, with what it depends on."""
        by_command: dict[int, list[Target]] = {}
        for target in targets:
            by_command.setdefault(target.command, []).append(target)
        for index, one in enumerate(self._run.progress):
            mine = by_command.get(index, [])
            one.altered = [*dict.fromkeys(a for t in mine if one.command.ends for a in self._run.altered(t))]
            one.left = len(mine) + bool(one.altered)
        made: list[tuple[Target, Task | None]] = []
        for index, one in enumerate(self._run.progress):
            for target in by_command.get(index, ()) if one.command.ends else ():
                task = self._task(one, target)
                if task is not None or self._is_wrong(target):
                    made.append((target, task))
        if self._run.context.serial:
            return in_turns(made, self._run.context.serial, self._is_wrong)
        return [task for _, task in made if task is not None]

    def _is_wrong(self, target: Target) -> bool:
        """Tell whether a command went wrong at an address, or was refused there."""
        return target.address in self._run.progress[target.command].problems

    def _task(self, one: Progress, target: Target) -> Task | None:
        """Return the task of a target; None where nothing is to be done, and it is recorded."""
        address, change = target.address, target.change
        if change is None:
            one.problems[address] = target.refusal or "refused"
            one.refused += address not in self._unseen
            self._over(one, target)
            return None
        if one.command.effect is Effect.OPAQUE:
            return self._opaque_task(one, target)
        after = self._order.after(address, change) + self._released.pop((target.command, address), [])
        if not after:  # else it is recorded behind what is done before
            if one.command.effect is Effect.RECORD:
                self._record(one, target, change.after)
                return None
            if same(change.before, change.after):
                self._over(one, target)
                return None
        task = Task(self._program(one, target, change), one.position, after, self._token(one, target))
        self._order.add(address, change, task)
        self._targets[task] = target
        if target.by is not None:
            self._released.setdefault((target.command, target.by), []).append(task)
        return task

    def _program(self, one: Progress, target: Target, change: Change[Resource]) -> Any:  # noqa: ANN401
        """Return the program of a command at one of its addresses; what it displaces, its kind lets go."""
        kinds = self._run.kinds
        if same(change.before, change.after) or one.command.effect is Effect.RECORD:
            return _nothing(change.after)
        if target.by is not None:
            return kinds.kind(target.address).act(target.address, change, self._known)
        return kinds.program(one.command, target.address, change, self._known)

    def _known(self, address: Address) -> Resource | None:
        """Return what is known at an address by now."""
        return self._run.now.get(address)

    def _token(self, one: Progress, target: Target) -> str:
        """Return what no other address of any command has, and no other that it is displaced for."""
        token = f"{self._run.context.run}-{one.position}-{target.address}"
        return token if target.by is None else f"{token}-{target.by}"

    def _opaque_task(self, one: Progress, target: Target) -> Task:
        address, change = target.address, Change[Resource](None, None)
        program = self._run.kinds.program(one.command, address, change, self._known)
        task = Task(program, one.position, self._order.barrier(address), self._token(one, target))
        self._order.set_barrier(address, task)
        self._targets[task] = target._replace(change=change)
        return task

    # What came of them.

    def ended(self, tasks: Sequence[Task]) -> bool:
        """Record what came of tasks that a batch ended; tell whether any of them is of a command."""
        before = len(self._targets)
        for task in tasks:
            self._finish_after(task)
        return len(self._targets) < before

    def all_ended(self) -> None:
        """Record what came of the rest, when nothing more is sent; what a person has in hand waits."""
        for task in self.tasks:
            if task in self._targets and task.deferred:
                self._wait(task)
            elif task in self._targets:
                self._finish(task)

    async def renew(self) -> None:
        """Look up again what machines give where commands altered it, and record it as theirs."""
        run = self._run
        altering = [one for one in run.progress if one.altered]
        wanted = {
            address: one.position
            for one in altering
            for address in one.altered
            if one.deltas and run.now.get(address) is not None
        }
        believed = run.state.put([(address, run.now.get(address)) for address in wanted])
        found, _ = await look(wanted, believed, run.context, run.journal) if wanted else ({}, {})
        for one in altering:
            for address in one.altered:
                known = run.now.get(address)
                now = renewed(known, found.get(address))
                if wanted.get(address) == one.position and now != known:
                    run.changed(one, address, now)
            run.over(one)

    def _wait(self, task: Task) -> None:
        """Let a command wait; one of which no step is in an order waits for that of what it comes after."""
        one, orders = self._run.progress[self._targets[task].command], self._run.journal.orders
        one.waits = True
        before = [orders[other.owner] for other in behind(task) if other.owner in orders]
        if one.position not in orders and before:
            self._run.journal.record(Deferred(started=before[0], commands=(one.position,)))

    def _finish_after(self, task: Task) -> None:
        """Finish a task that is not yet, first those that it came after and that had nothing to send."""
        waiting = [task]
        while waiting:
            earlier = [other for other in waiting[-1].after if other.done and other in self._targets]
            if earlier:
                waiting += reversed(earlier)
            elif (last := waiting.pop()) in self._targets:
                self._finish(last)

    def _finish(self, task: Task) -> None:
        target = self._targets.pop(task)
        one, address, change = self._run.progress[target.command], target.address, target.change
        if task.notes:
            one.notes[address] = "; ".join(dict.fromkeys(task.notes))
        if task.failure is not None:
            self._failed(one, target, task)
        elif one.command.effect is Effect.OPAQUE:
            self._run.reported(one, address, task.result)
            self._over(one, target)
        elif change is None or same(change.before, change.after):
            self._over(one, target)
        elif one.command.effect is Effect.RECORD:
            self._finish_record(one, target)
        else:
            real = settle(change.after, task.result)
            if not keeps(real, change.after):
                one.problems[address] = _deviation(change.after, real)
            self._record(one, target, real)

    def _failed(self, one: Progress, target: Target, task: Task) -> None:
        """Record that a task failed, and what it left, as far as it tells."""
        failure, address, change = task.failure, target.address, target.change
        assert failure is not None  # noqa: S101 - whoever asks has looked
        if task.cancelled:
            one.cancelled.append(address)
        if failure.skipped:
            one.untried.append(address)
        if not task.partly or change is None:
            one.in_doubt = one.in_doubt or failure.in_doubt
            one.problems[address] = failure.reason
            self._over(one, target)
            return
        decided = change.before if change.after is None else overlay(change.before, change.after)
        left = settle(decided, task.result)
        if not (failure.final and same(left, change.after)):
            one.problems[address] = failure.reason
        self._record(one, target, left)

    def _finish_record(self, one: Progress, target: Target) -> None:
        """Record what is only on record, of what a command before it really made there."""
        try:
            after = step(one.command, target.address, self._run.now).get(target.address)
        except Refused as refused:
            one.problems[target.address] = str(refused)
            self._over(one, target)
        else:
            self._record(one, target, after)

    def _record(self, one: Progress, target: Target, real: Resource | None) -> None:
        self._run.changed(one, target.address, real)
        self._over(one, target)

    def _over(self, one: Progress, target: Target) -> None:
        """Note that a command is over at a target; what it displaces is no address of its own."""
        self._run.over(one, target.address if target.by is None else None)


def _nothing(result: Resource | None) -> "Program[Resource | None]":
    """Do nothing; there is only something to wait for."""
    yield from ()
    return result


def _deviation(asked: Resource | None, real: Resource | None) -> str:
    fields = ", ".join(Change(asked, real).fields)
    return f"the machine did not do as asked with {fields or 'it'}; see `lasercats diff`"
