"""`--confirm-within` and `confirm`: a change that is taken back by itself unless somebody confirms it.

The change is held by a command of its own, `hold`, that claims the same addresses and is not over until it is
confirmed or taken back. A guard, a process without a terminal, waits for that; where it died too, as in a
power cut, `recover` takes back what is overdue.
"""

import asyncio
import re
import secrets
import time
from collections.abc import Awaitable, Callable, Collection, Mapping, Sequence
from datetime import timedelta
from types import MappingProxyType
from typing import Any, NamedTuple

from lasercats.core.address import Address, label
from lasercats.core.command import Command, Hold
from lasercats.core.errors import BadInput, LaserCatsError, MachineError
from lasercats.core.loss import Loss, gate
from lasercats.core.ports import Reverting
from lasercats.core.record import Ended
from lasercats.interpreters.context import Result
from lasercats.operate import history, moments
from lasercats.operate.guard import Watching, start
from lasercats.operate.issue import carry_out, each_reverting
from lasercats.operate.issued import together
from lasercats.operate.observe import observe
from lasercats.operate.project import Project
from lasercats.operate.recover import recover
from lasercats.operate.revertible import check
from lasercats.operate.undo import plan_undo

MOST = timedelta(days=7)
PAUSE = 2.0
"""Seconds between two looks of the guard."""
GRACE = 30
"""Seconds that the guard has for its work before `recover` does it."""
NO_REASONS: Mapping[int, str] = MappingProxyType({})
_UNITS = {"s": 1, "m": 60, "h": 3600, "d": 86400}


class Held(NamedTuple):
    """A change that is to be confirmed."""

    position: int
    """Of the command that holds it."""
    until: int
    """Microseconds since 1970-01-01 UTC."""
    run: str
    actor: str
    on: tuple[Address, ...]

    @property
    def left(self) -> float:
        """Seconds until it is taken back; negative when that is overdue."""
        return self.until / 1e6 - time.time()


def duration(text: str) -> timedelta:
    """Read a duration, as `90s`, `10m` or `1h30m`.

    Raises:
        BadInput: it is none, or longer than a week.

    """
    parts = re.findall(r"(\d+)([smhd])", text)
    if not parts or "".join(f"{n}{unit}" for n, unit in parts) != text:
        raise BadInput(f"{text!r} is no duration; write it as 90s, 10m or 1h30m")
    seconds = sum(float(n) * _UNITS[unit] for n, unit in parts)
    span = timedelta(seconds=min(seconds, MOST.total_seconds() + 1))
    if not timedelta(0) < span <= MOST:
        raise BadInput(
            f"{text} is no time to confirm something in; take at least 1s and at most {MOST.days}d"
        )
    return span


def hold(commands: Sequence[Command], within: timedelta) -> Hold:
    """Return the command that holds what others change."""
    on = tuple(dict.fromkeys(address for command in commands for address in command.on))
    return Hold(on=on, until=int((time.time() + within.total_seconds()) * 1e6))


async def carry_out_held(
    project: Project,
    commands: Sequence[Command],
    within: timedelta,
    **more: Any,  # noqa: ANN401 - as `carry_out` takes them
) -> Sequence[Result]:
    """Carry commands out, held until they are confirmed; a guard takes them back if that is not in time.

    Raises:
        BadInput: one of them cannot be taken back, or not be done in time; nothing was done.
        LaserCatsError: no guard could be started, and nothing was done; or the time was over in the middle.

    """
    await check(project, commands, within, more.get("serial", 0))
    run, machines = secrets.token_hex(8), {project.kinds.machine_of(a) for c in commands for a in c.on}
    guard = start(project, run, sorted(name for name in machines if name))
    held = hold(commands, within)
    try:
        seconds = within.total_seconds()
        project.stopping.task = asyncio.current_task()
        guard.heed(project.stopping.ask)
        first, *results = await carry_out(project, [held, *commands], run=run, seconds=seconds, **more)
    except asyncio.CancelledError:
        if guard.why is not None:
            raise LaserCatsError(guard.why) from None
        raise
    finally:
        guard.close()
    if guard.why is not None:
        raise LaserCatsError(guard.why)
    if first.position is not None and not any(r.delta or r.status == "open" for r in results):
        project.log.append([Ended(command=first.position, status="unchanged")])
    return results


def pending(project: Project) -> list[Held]:
    """Return what is to be confirmed."""
    found = []
    for position, opened in sorted(project.log.open().items()):
        if opened.held:
            command = history.command_of(project, position)
            if isinstance(command, Hold):  # else no command of ours, and `recover` tells of it
                found.append(Held(position, command.until, opened.run, opened.actor, command.on))
    return found


def chosen(project: Project, positions: Sequence[int]) -> list[Held]:
    """Return what of that is at some positions, of a hold or of a command that it holds; by default all.

    Raises:
        BadInput: nothing at a position is to be confirmed.

    """
    held = pending(project)
    if not positions:
        return held
    by_position = {p: h for h in held for p in (h.position, *_commands(project, h))}
    for position in positions:
        if position not in by_position:
            raise BadInput(
                f"nothing at position {position} is to be confirmed; `lasercats confirm --list` tells what is"
            )
    return list(dict.fromkeys(by_position[position] for position in positions))


async def keep(project: Project, held: Sequence[Held]) -> None:
    """Confirm changes: they stay.

    Raises:
        MachineError: a machine has taken it back by itself already, or cannot be asked.

    """
    for one in held:
        errors: list[MachineError] = []
        await _with_machines(project, one, _confirming(one.run, errors))
        if errors:
            raise errors[0]
        reverting = sorted(_changed(project, one))
        if reverting and (drift := (await observe(project, reverting)).drift):
            raise MachineError(
                f"{next(iter(drift))} is not as it was made: it was taken back already, or changed "
                "since; `lasercats drift` shows that, and `lasercats confirm --reject` ends it"
            )
    project.log.append([Ended(command=h.position, status="done") for h in held])


def _changed(project: Project, held: Held) -> set[Address]:
    """Return what a held change changed on machines that may take it back by themselves."""
    deltas = [history.happening(project, position).delta for position in _commands(project, held)]
    names = {a: project.kinds.machine_of(a) for delta in deltas for a in delta}
    return {a for a, name in names.items() if name and isinstance(project.machines.get(name), Reverting)}


def _confirming(run: str, errors: list[MachineError]) -> Callable[[Reverting], Awaitable[None]]:
    async def confirm(machine: Reverting) -> None:
        try:
            await machine.confirm(run)
        except MachineError as error:
            errors.append(error)

    return confirm


async def _with_machines(project: Project, held: Held, do: Callable[[Reverting], Awaitable[None]]) -> None:
    """Do something with the machines that may hold what really changed."""
    positions = (p for p in _commands(project, held) if history.happening(project, p).delta)
    commands = [history.command_of(project, position) for position in positions]
    await each_reverting(project, commands, do)


def way_back(project: Project, held: Held) -> Sequence[Command]:
    """Return the commands that would take a change back, as far as the state tells."""
    done = [p for p in _commands(project, held) if history.happening(project, p).delta]
    return plan_undo(project, done, partial=True).commands


async def take_back(
    project: Project, held: Held, *, force: bool = False, agreed: Collection[Loss] = ()
) -> str | None:
    """Take a change back as far as that goes; return why it is not over, if it is not.

    Nothing is destroyed or interrupted for it but what is `agreed` to: the rest is left as it is, and told.

    What became of it is found out first. Whose process still lives is left to it, unless `force` is given by
    one who knows that it does not; what is still at work on a machine is then ended.
    """
    positions = _commands(project, held)
    still = {position for position in positions if position in project.log.open()}
    judged = await recover(project, force=force, only=still) if still else []
    left = [one for one in judged if one.status == "open"]
    if left:
        return f"command {left[0].position} is not over: {next(iter(left[0].facts.values()), 'nobody knows')}"
    await _with_machines(project, held, lambda machine: machine.reject(held.run))
    done = [p for p in positions if history.happening(project, p).delta]
    plan = plan_undo(project, done, partial=True)
    stays = gate(project.kinds, plan.commands, project.state(), agreed).withheld
    results = await carry_out(
        project,
        [command for index, command in enumerate(plan.commands) if index not in stays],
        agreed=agreed,
        because=f"undo {' '.join(map(str, done))}",
        undoes=done,
        message=f"not confirmed by {moments.iso(held.until)}",
        run=held.run,
    )
    failed = next((result for result in results if not result.ok and not result.losses), None)
    if failed is not None:
        return "; ".join(f"{label(a)}: {why}" for a, why in failed.problems.items())
    if held.position in project.log.open():
        lost = [loss for some in (*stays.values(), *(r.losses for r in results)) for loss in some]
        why_not = {loss.address: f"left as it is, because {loss}" for loss in lost}
        why_not |= plan_undo(project, done).problems
        rest = "; ".join(f"{address}: {why}" for address, why in why_not.items())
        error = f"not confirmed, so taken back{', but for ' if rest else ''}{rest}"
        project.log.append([Ended(command=held.position, status="failed", error=error)])
    return None


def is_overdue(held: Held, *, force: bool = False) -> bool:
    """Tell whether `recover` takes a change back; with `force` it leaves the guard no time."""
    return held.left <= (0 if force else -GRACE)


async def take_back_overdue(
    project: Project, *, force: bool = False, kept: Mapping[int, str] = NO_REASONS
) -> dict[int, str]:
    """Take back what is overdue and no guard took back; return what is said of each that is held.

    What is `kept`, by position, for a reason is left as it is.
    """
    ended = {}
    for held in pending(project):
        try:
            ended[held.position] = await _overdue(project, held, force=force, why=kept.get(held.position))
        except LaserCatsError as error:  # it never stops the others
            ended[held.position] = f"could not be taken back yet: {error}"
    return ended


async def _overdue(project: Project, held: Held, *, force: bool, why: str | None) -> str:
    """Take one change back, if it is overdue; return what is said of it."""
    if not is_overdue(held, force=force):
        return f"to be confirmed by {moments.iso(held.until)}"
    if why:
        return f"not taken back: {why}"
    left = await take_back(project, held, force=force)
    return f"could not be taken back yet: {left}" if left else "not confirmed, so taken back"


def watch(
    project: Project, run: str, tell: Callable[[str], object], back: Callable[[Held], str | None]
) -> None:
    """Wait until what a run holds is confirmed or overdue, and have it taken `back`; try until it is done.

    What went wrong is told, line by line. It has a process to itself, and blocks.

    Raises:
        LaserCatsError: this guard cannot do its work; nothing was done.

    """
    line, seen = Watching.inherited(), False
    line.greet(project)
    while True:
        alone = line.closed  # before the log is asked, so that nothing can have come between
        held = next((h for h in pending(project) if h.run == run), None)
        if held is None:
            if seen or alone:
                return
            line.wait(0.1)
        elif held.left > 0:
            seen = True
            _pause(line, min(held.left, PAUSE))
        else:
            try:
                line.stop()
                left = back(held)
            except LaserCatsError as error:
                left = str(error)
            if left is None:
                return
            tell(f"{moments.iso(int(time.time() * 1e6))} {left}")
            time.sleep(PAUSE)


def _pause(line: Watching, seconds: float) -> None:
    if line.closed:
        time.sleep(seconds)
    else:
        line.wait(seconds)


def _commands(project: Project, held: Held) -> list[int]:
    """Return the positions of what was issued with a hold."""
    accepted = together(project.log, held.position)
    return [record.position for record, _ in accepted if record.position != held.position]
