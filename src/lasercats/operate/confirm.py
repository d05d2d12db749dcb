"""`--confirm-within` and `confirm`: a change that is taken back by itself unless somebody confirms it.

The change is held by a command of its own, `hold`, that claims the same addresses and is not over until it is
confirmed or taken back. A guard, a process without a terminal, waits for that; where it died too, as in a
power cut, `recover` takes back what is overdue.
"""

import asyncio
import os
import re
import secrets
import signal
import sys
import time
from collections.abc import Awaitable, Callable, Sequence
from datetime import timedelta
from itertools import islice
from typing import Any, NamedTuple

from lasercats.core.address import Address
from lasercats.core.command import Command, Effect, Hold
from lasercats.core.errors import BadInput, LaserCatsError, MachineError
from lasercats.core.kind import Kinds
from lasercats.core.ports import Reverting
from lasercats.core.record import Accepted, Ended
from lasercats.interpreters.context import Result
from lasercats.operate import history
from lasercats.operate.holder import living
from lasercats.operate.issue import carry_out, each_reverting, run_until
from lasercats.operate.observe import observe
from lasercats.operate.project import FOLDER, Project
from lasercats.operate.recover import recover
from lasercats.operate.replay import together
from lasercats.operate.undo import plan_undo

MOST = timedelta(days=7)
PAUSE = 2.0
"""Seconds between two looks of the guard."""
GRACE = 30
"""Seconds that the guard has for its work before `recover` does it."""
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
    told = timedelta(seconds=min(seconds, MOST.total_seconds() + 1))
    if not timedelta(0) < told <= MOST:
        raise BadInput(
            f"{text} is no time to confirm something in; take at least 1s and at most {MOST.days}d"
        )
    return told


def hold(kinds: Kinds, commands: Sequence[Command], within: timedelta) -> Hold:
    """Return the command that holds what others change.

    Raises:
        BadInput: one of them has an effect that nobody can take back.

    """
    opaque = next((c for c in commands if c.effect is Effect.OPAQUE), None)
    if opaque is not None:
        raise BadInput(
            f"the effect of {opaque.__struct_config__.tag} is not in the state, so it cannot be taken back; "
            "leave --confirm-within out, or the command"
        )
    by_hand = next((a for command in commands for a in command.on if kinds.by_hand(a)), None)
    if by_hand is not None:
        raise BadInput(
            f"what is done at {by_hand} is done by a person, who takes nothing back in time; "
            "leave --confirm-within out"
        )
    on = tuple(dict.fromkeys(address for command in commands for address in command.on))
    return Hold(on=on, until=int((time.time() + within.total_seconds()) * 1e6))


def carry_out_held(
    project: Project,
    commands: Sequence[Command],
    within: timedelta,
    **more: Any,  # noqa: ANN401 - as `carry_out` takes them
) -> Sequence[Result]:
    """Carry commands out, held until they are confirmed; a guard takes them back if that is not in time.

    Raises:
        BadInput: one of them cannot be taken back; nothing was done.

    """
    held, run = hold(project.kinds, commands, within), secrets.token_hex(8)
    guard(project, run)
    first, *results = carry_out(project, [held, *commands], run=run, seconds=within.total_seconds(), **more)
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


def keep(project: Project, held: Sequence[Held]) -> None:
    """Confirm changes: they stay.

    Raises:
        MachineError: a machine has taken it back by itself already, or cannot be asked.

    """
    for one in held:
        errors: list[MachineError] = []
        _with_machines(project, one, _confirming(one.run, errors))
        if errors:
            raise errors[0]
        reverting = sorted(_changed(project, one))
        if reverting and (drift := observe(project, reverting).drift):
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


def _with_machines(project: Project, held: Held, do: Callable[[Reverting], Awaitable[None]]) -> None:
    """Do something with the machines that may hold what really changed."""
    positions = (p for p in _commands(project, held) if history.happening(project, p).delta)
    commands = [history.command_of(project, position) for position in positions]

    async def work() -> None:
        try:
            await each_reverting(project, commands, do)
        finally:
            await project.machines.close()

    run_until(work(), asyncio.Event())


def take_back(project: Project, held: Held) -> bool:
    """Take a change back as far as that goes; return whether it is over.

    What is still at it is stopped, and what became of it is found out.
    """
    positions = _commands(project, held)
    still = {position for position in positions if position in project.log.open()}
    _stop(project, {project.log.open()[position].run for position in still})
    if still and any(found.status == "open" for found in recover(project, force=True, only=still)):
        return False
    _with_machines(project, held, lambda machine: machine.reject(held.run))
    done = [p for p in positions if history.happening(project, p).delta]
    plan = plan_undo(project, done, partial=True)
    results = carry_out(
        project,
        plan.commands,
        because=f"undo {' '.join(map(str, done))}",
        undoes=done,
        message=f"not confirmed by {history.iso(held.until)}",
        run=held.run,
    )
    if not all(result.ok for result in results):
        return False
    if held.position in project.log.open():
        left = "; ".join(f"{address}: {why}" for address, why in plan_undo(project, done).problems.items())
        error = f"not confirmed, so taken back{', but for ' if left else ''}{left}"
        project.log.append([Ended(command=held.position, status="failed", error=error)])
    return True


def take_back_overdue(project: Project, *, force: bool = False) -> dict[int, str]:
    """Take back what is overdue and no guard took back; return what is said of each that is held."""
    told = {}
    for held in pending(project):
        if held.left > (0 if force else -GRACE):
            told[held.position] = f"to be confirmed by {history.iso(held.until)}"
        else:
            try:
                done = take_back(project, held)
            except LaserCatsError as error:  # it never stops the others
                told[held.position] = f"could not be taken back yet: {error}"
            else:
                told[held.position] = (
                    "not confirmed, so taken back" if done else "could not be taken back yet"
                )
    return told


def guard(project: Project, run: str) -> int:
    """Start the process that takes back what a run holds, and return its number.

    It has a session of its own, so it outlives this process and its terminal. What it has to say goes to
    `.lasercats/guard.log`.

    Raises:
        LaserCatsError: it cannot be started.

    """
    code = "from lasercats.cli.main import main; main()"
    command = [sys.executable, "-c", code, "-C", str(project.root), "--env", project.environment]
    output = str(project.root / FOLDER / "guard.log")
    actions = [
        (os.POSIX_SPAWN_OPEN, 0, os.devnull, os.O_RDONLY, 0),
        (os.POSIX_SPAWN_OPEN, 1, output, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600),
        (os.POSIX_SPAWN_DUP2, 1, 2),
    ]
    try:
        return os.posix_spawn(
            sys.executable,
            [*command, "confirm", "--guard", run],
            os.environ,
            file_actions=actions,
            setsid=True,
        )
    except OSError as error:
        raise LaserCatsError(f"nothing was done, because no guard could be started: {error}") from None


def watch(project: Project, run: str, tell: Callable[[str], object]) -> None:
    """Wait until what a run holds is confirmed or overdue, and take that back; try until it is done.

    What went wrong is told, line by line.
    """
    seen, patience = False, time.monotonic() + 60
    while True:
        held = next((h for h in pending(project) if h.run == run), None)
        if held is None:
            if seen or time.monotonic() > patience or _is_accepted(project, run):
                return
            time.sleep(0.1)
            continue
        seen = True
        if held.left > 0:
            time.sleep(min(held.left, PAUSE))
            continue
        try:
            if take_back(project, held):
                return
        except LaserCatsError as error:
            tell(f"{history.iso(int(time.time() * 1e6))} {error}")
        time.sleep(PAUSE)


def _commands(project: Project, held: Held) -> list[int]:
    """Return the positions of what was issued with a hold."""
    accepted = together(project.log, held.position)
    return [record.position for record, _ in accepted if record.position != held.position]


def _is_accepted(project: Project, run: str) -> bool:
    """Tell whether a run is in the log already; it is looked for among the latest."""
    latest = islice(project.log.read(names=("accepted",), backwards=True), 1000)
    return any(record.entry.run == run for record in latest if isinstance(record.entry, Accepted))


def _stop(project: Project, runs: set[str]) -> None:
    """Stop the processes that are at work on runs, as far as they are proven to live here."""
    for lease in project.log.leases().values():
        pid = living(lease.holder) if lease.run in runs else None
        if pid is not None and pid != os.getpid():
            os.kill(pid, signal.SIGKILL)
            while living(lease.holder) is not None:
                time.sleep(0.01)
