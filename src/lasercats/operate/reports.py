"""What people report of work orders: it is recorded, and the commands that waited go on from there."""

import asyncio
import re
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from itertools import chain
from typing import NamedTuple

from lasercats.core.address import Address
from lasercats.core.change import Delta, composed
from lasercats.core.errors import BadInput, LogConflict, LogError
from lasercats.core.instruction import Failure
from lasercats.core.lease import PATIENCE
from lasercats.core.record import OBSERVED, Event, Finished, raw
from lasercats.instructions.work_order import Done
from lasercats.interpreters.journal import Journal
from lasercats.interpreters.live import carry_out
from lasercats.interpreters.replay import as_then
from lasercats.operate.holder import holder, is_dead, process_of
from lasercats.operate.issued import together
from lasercats.operate.project import Project
from lasercats.operate.replay import past_of
from lasercats.operate.work import WorkItem, WorkOrder, order

Steps = Sequence[int | range]
"""Steps of a work order, by their numbers; none stands for all that are open."""


class Reported(NamedTuple):
    """What came of a report."""

    order: WorkOrder
    """As it is now."""
    tasks: tuple[WorkItem, ...]
    """The steps of which something was reported, with those that are skipped for it."""
    delta: Delta
    """What changed by it."""
    problems: Mapping[Address, str]
    """Where it is not as it was asked for."""


def numbers(texts: Sequence[str]) -> list[range]:
    """Return the steps that texts name: `7`, `1-32`, `1,4-6`.

    Raises:
        BadInput: one is none of these.

    """
    found = []
    for part in (part for text in texts for part in text.split(",")):
        match = re.fullmatch(r"([0-9]{1,9})(?:-([0-9]{1,9}))?", part.strip())
        if match is None or int(match[2] or match[1]) < int(match[1]):
            raise BadInput(f"{part!r} names no step; write a number, a range such as 1-32, or a list: 1,4-6")
        found.append(range(int(match[1]), int(match[2] or match[1]) + 1))
    return found


async def done(
    project: Project,
    number: int,
    steps: Steps = (),
    *,
    serial: str | None = None,
    asset_tag: str | None = None,
    note: str | None = None,
) -> Reported:
    """Report that steps of a work order are done, by default all that are open; the commands go on.

    Raises:
        BadInput: there is no such order or step, it is reported already, another must be done before it, or
            what was found belongs to one device and several are reported.

    """

    def outcomes(one: WorkOrder, chosen: Sequence[WorkItem]) -> dict[int, Done | Failure]:
        _check_before(one, chosen)
        answers: dict[int, Done | Failure] = {task.item: Done(note=note) for task in chosen}
        if serial is not None or asset_tag is not None:
            answers[_found_at(chosen)] = Done(serial=serial, asset_tag=asset_tag, note=note)
        return answers

    return await _reported(project, number, steps, outcomes)


def _check_before(one: WorkOrder, chosen: Sequence[WorkItem]) -> None:
    """Check that no step is reported before what it waits for."""
    places, still = {task.number for task in chosen}, {task.number for task in one.open}
    for task in chosen:
        missing = [n for n in task.after if n in still and n not in places]
        if missing:
            raise BadInput(
                f"step {task.number} of work order {one.number} comes after step {missing[0]}, of which "
                f"nothing is reported; report both: `lasercats work done {one.number} {missing[0]} "
                f"{task.number}`"
            )


def _found_at(chosen: Sequence[WorkItem]) -> int:
    """Return of which instruction it is told what was found: the last one at the only device."""
    named = {getattr(task.step, "device", None) for task in chosen} - {None}
    if len(named) != 1:
        fact = "no step" if not named else "several devices"
        raise BadInput(
            f"--serial and --asset-tag are of one device, and this reports of {fact}; name its step"
        )
    last = {getattr(task.step, "device", None): task.item for task in chosen}
    return last[next(iter(named))]


async def fail(project: Project, number: int, steps: Steps = (), *, why: str) -> Reported:
    """Report that steps of a work order cannot be done, by default all that are open, and why.

    What must wait for them is skipped, and no more.

    Raises:
        BadInput: there is no such order or step, it is reported already, or no reason is given.

    """
    if not why.strip():
        raise BadInput("say why it cannot be done: --why")
    return await _reported(project, number, steps, lambda one, chosen: _failed(one, chosen, why))


def _failed(one: WorkOrder, chosen: Sequence[WorkItem], why: str) -> dict[int, Done | Failure]:
    """Return what comes of steps that fail, and of what waits for them."""
    failed = {task.number: task for task in chosen}
    outcomes: dict[int, Done | Failure] = {task.item: Failure(reason=why) for task in failed.values()}
    stopped = set(failed)
    for task in one.tasks:
        cause = next((n for n in task.after if n in stopped), None)
        if task.status == "open" and task.number not in stopped and cause is not None:
            outcomes[task.item] = Failure(
                reason=f"not done, because step {cause} failed: {why}", skipped=True
            )
            stopped.add(task.number)
    then: dict[int, set[int]] = {}
    for task in one.tasks:
        for number in task.after:
            then.setdefault(number, set()).add(task.number)
    for task in one.open:
        behind = then.get(task.number, set())
        if task.step.early and task.number not in stopped and behind and behind <= stopped:
            reason = f"not needed any more, because step {min(failed)} failed: {why}"
            outcomes[task.item] = Failure(reason=reason, skipped=True)
    return outcomes


async def _reported(
    project: Project,
    number: int,
    steps: Steps,
    outcomes: Callable[[WorkOrder, Sequence[WorkItem]], Mapping[int, Done | Failure]],
) -> Reported:
    """Report of steps; where others reported of other steps at the same time, after them.

    Raises:
        BadInput: somebody has reported of one of these steps.
        LogConflict: somebody else is going on with the commands, and does not come to an end.

    """
    one = order(project, number)
    chosen = _chosen(one, steps)
    while True:
        try:
            return await report(project, one, outcomes(one, chosen))
        except LogConflict:
            seen, one = one, order(project, number)
            if one.records[-1].position == seen.records[-1].position:
                raise
            chosen = _chosen(one, [task.number for task in chosen])


def _chosen(one: WorkOrder, steps: Steps) -> list[WorkItem]:
    by_number = {task.number: task for task in one.tasks}
    named: dict[int, None] = {}
    for step in chain.from_iterable([step] if isinstance(step, int) else step for step in steps):
        if step not in by_number:
            raise BadInput(f"work order {one.number} has no step {step}; it has 1 to {len(by_number)}")
        if by_number[step].status != "open":
            by = f", by {reporter.actor}" if (reporter := one.reporter(step)) else ""
            raise BadInput(
                f"step {step} of work order {one.number} is reported already: {by_number[step].status}{by}"
            )
        named[step] = None
    if not one.open:
        raise BadInput(
            f"work order {one.number} is over; `lasercats work show {one.number}` tells how it went"
        )
    return [by_number[step] for step in sorted(named)] if steps else one.open


async def report(project: Project, one: WorkOrder, outcomes: Mapping[int, Done | Failure]) -> Reported:
    """Record outcomes of a work order, by their places in the batch, and let the commands go on.

    Raises:
        LogConflict: somebody else reported since the order was read; nothing was recorded.

    """
    indices = tuple(sorted(outcomes))
    finished = Finished(
        started=one.number, outcomes=tuple(raw(outcomes[n]) for n in indices), of=indices, actor=project.actor
    )
    seen = {one.number: one.records[-1].position}
    delta, problems = await resume(project, one.tasks[0].command, [finished], seen)
    now = order(project, one.number)
    return Reported(now, tuple(task for task in now.tasks if task.item in outcomes), delta, problems)


async def resume(
    project: Project,
    position: int,
    reports: Sequence[Finished] = (),
    seen: Mapping[int, int] | None = None,
    *,
    patience: float = PATIENCE,
    force: bool = False,
) -> tuple[Delta, dict[Address, str]]:
    """Let the commands that were issued with one go on, from what is on record and what is reported now.

    Returns what changed, and where that is not as it was asked for. Of batches in `seen`, nothing may have
    come after those positions. Another process that goes on with them is waited for, for some seconds, or
    taken over with `force`.

    Raises:
        LogConflict: somebody else reported on the same batch meanwhile, or is going on with the commands;
            nothing was recorded.

    """
    run = together(project.log, position)[0][1].run
    await _take_lease(project, run, patience, force=force)
    try:  # what is on record is read when nobody else goes on with it
        return await _go_on(project, position, reports, seen or {})
    finally:
        with suppress(LogError):  # one that cannot be given back comes to be old
            project.log.release(run)


async def _go_on(
    project: Project, position: int, reports: Sequence[Finished], seen: Mapping[int, int]
) -> tuple[Delta, dict[Address, str]]:
    """Let commands that were accepted together go on, where this process holds their lease."""
    past = past_of(project.log, project.kinds, position, reports=reports)
    context = as_then(project.context(message=past.head.message, because=past.head.because), past.head)
    journal = Journal(context, past, reports=reports, seen=seen)
    with project.log.beating():
        results = await carry_out(past.commands, journal)
    events = [entry for entry in journal.entries if isinstance(entry, Event) and entry.type != OBSERVED]
    delta = composed(project.kinds.decode_delta(event.delta) for event in events)
    return delta, {a: why for result in results for a, why in result.problems.items() if a in delta}


async def _take_lease(project: Project, run: str, patience: float, *, force: bool) -> None:
    """Take the lease of a run that waits, to go on with it; where another process has just that, wait for it.

    Raises:
        LogConflict: the other does not come to an end.

    """
    deadline = time.monotonic() + patience
    while True:
        lease = project.log.leases().get(run)
        late = time.monotonic() > deadline
        if lease is None or force or is_dead(lease):
            try:
                project.log.take(run, holder(), lease.token if lease else 0)
            except LogConflict:  # another was faster since the look
                if late:
                    raise
            else:
                return
        elif late:
            raise LogConflict(
                f"process {process_of(lease.holder)} is going on with these commands, so nothing was "
                "recorded",
                remedy="report again when that is over",
                subject=f"run {run}",
            )
        await asyncio.sleep(0.1)
