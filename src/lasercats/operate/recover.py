"""`recover`: finish what a crash left open, by asking the machines; nothing is ever blindly repeated.

A command whose run died holds its addresses. First the lease of the run is taken over, so that nothing which
it may still append counts (`lasercats.core.lease`). Then what became of it is found out
(`lasercats.operate.found`). The log knows what is open, so nothing else of it is read.
"""

from collections.abc import Collection, Mapping
from contextlib import suppress

from lasercats.core.address import Address
from lasercats.core.command import Command, Hold, StrangeCommand
from lasercats.core.errors import LaserCatsError, LogConflict, LogError
from lasercats.core.fold import Open
from lasercats.core.lease import PATIENCE, Lease
from lasercats.core.loose import ODD
from lasercats.operate.found import Recovered as Recovered  # noqa: PLC0414 - it is what is returned
from lasercats.operate.found import end, find_out, still_open
from lasercats.operate.history import command_of
from lasercats.operate.holder import holder, is_dead, process_of
from lasercats.operate.project import Project
from lasercats.operate.reports import resume


async def recover(
    project: Project, *, force: bool = False, only: Collection[int] | None = None
) -> list[Recovered]:
    """Find out what became of every open command, or only of some, and end it in the log.

    All machines are looked at once, in one batch each. A command whose run lives, as far as anybody can tell,
    is left alone, unless `force` is given.
    """
    from lasercats.operate.late import settle  # noqa: PLC0415 - it runs commands again as we do

    opened = {p: o for p, o in project.log.open().items() if only is None or p in only}
    found = await _go_on(project, {p: o for p, o in opened.items() if o.waits is not None}, force=force)
    found += _held(project, {p: o for p, o in opened.items() if o.held}, force=force)
    at_work = {position: one for position, one in opened.items() if one.at_work}
    mine, more = _take_over(project, _still(project, at_work, found), force=force)
    found += more
    try:
        with project.log.beating():
            found += await _judged(project, mine, force=force)
            found += await settle(project, [p for p, o in opened.items() if o.late], force=force)
    finally:
        for run in {one.run for one in mine.values()}:
            with suppress(LogError):  # one that cannot be given back comes to be old
                project.log.release(run)
    return sorted(found, key=lambda one: one.position)


async def _go_on(project: Project, opened: Mapping[int, Open], *, force: bool) -> list[Recovered]:
    """Let commands that wait for a person go on with what a crash cut off."""
    found, resumed = [], dict[str, str]()
    for position, one in sorted(opened.items()):
        if one.run not in resumed:
            try:
                await resume(project, position, patience=0, force=force)
                resumed[one.run] = ""
            except (LaserCatsError, *ODD) as error:  # it never stops the recovery of others
                resumed[one.run] = str(error)
        found.append(_in_hand(project, position, one, resumed[one.run]))
    return found


def _still(project: Project, at_work: Mapping[int, Open], found: list[Recovered]) -> dict[int, Open]:
    """Return what is still to be judged; what went on with others of its run that waited is told."""
    now = project.log.open()
    left = {position: now[position] for position in at_work if position in now and now[position].at_work}
    found += [_in_hand(project, p, one, "") for p, one in sorted(at_work.items()) if p not in left]
    return left


def _held(project: Project, opened: Mapping[int, Open], *, force: bool) -> list[Recovered]:
    """Tell of what is recorded as held by a command that is no hold; a real one is waited for."""
    commands = {position: _read(project, position, one) for position, one in opened.items()}
    strange = {p: StrangeCommand(on=c.on) for p, c in commands.items() if not isinstance(c, Hold)}
    return [_strange(project, position, command, force=force) for position, command in strange.items()]


def _take_over(
    project: Project, opened: Mapping[int, Open], *, force: bool
) -> tuple[dict[int, Open], list[Recovered]]:
    """Take over the runs of commands, each atomically; return the commands that are ours now, and the others.

    From then on nothing that their processes append changes anything.
    """
    leases, why = project.log.leases(), dict[str, str]()
    for run in dict.fromkeys(one.run for one in opened.values()):
        lease = leases.get(run)
        if lease is not None and not force and not is_dead(lease):
            why[run] = _at_it(lease)
            continue
        try:
            project.log.take(run, holder(), lease.token if lease else 0)
        except LogConflict as error:
            why[run] = str(error)
    mine = {position: one for position, one in sorted(opened.items()) if one.run not in why}
    left = {position: one for position, one in opened.items() if one.run in why}
    return mine, [still_open(_read(project, p, one), p, why[one.run]) for p, one in left.items()]


def _at_it(lease: Lease) -> str:
    """Return what is told of a run that seems to live."""
    heard = f", and was last heard of {lease.age:.0f} s ago" if lease.age > PATIENCE else ""
    return f"process {process_of(lease.holder)} is still at it{heard}"


def _read(project: Project, position: int, opened: Open) -> Command:
    """Return the command at a position; one that cannot be read is told of by what it claims."""
    try:
        return command_of(project, position)
    except LaserCatsError:
        return StrangeCommand(on=opened.claims or (Address("?"),))


async def _judged(project: Project, mine: Mapping[int, Open], *, force: bool) -> list[Recovered]:
    """Find out what became of commands whose runs are ours."""
    found, dead = list[Recovered](), dict[int, Command]()
    for position, one in mine.items():
        command = _read(project, position, one)
        if isinstance(command, StrangeCommand):
            try:
                found.append(_strange(project, position, command, force=force))
            except LogError as error:  # one that cannot be ended never stops the others
                found.append(still_open(command, position, f"it cannot be ended: {error}"))
        else:
            dead[position] = command
    found += await find_out(project, dead, force=force)
    return found


def _strange(project: Project, position: int, command: StrangeCommand, *, force: bool) -> Recovered:
    """Tell of a command that no installed plugin knows; with `force` it ends, and its records stay."""
    if not force:
        fact = f"no plugin is installed for {command.name}; install it, or end the command with --force"
        return still_open(command, position, fact)
    fact = f"ended without its plugin; `lasercats trace {position}` shows what was sent and answered"
    return end(project, position, command, [], dict.fromkeys(command.on, fact))


def _in_hand(project: Project, position: int, was: Open, problem: str) -> Recovered:
    """Tell of a command that waited for a person, after it went on with what a crash had cut off."""
    command, opened = _read(project, position, was), project.log.open().get(position)
    if problem:
        return still_open(command, position, f"it cannot go on: {problem}")
    if opened is None:
        facts = dict.fromkeys(command.on, "went on with what was reported")
        return Recovered(position, command, "done", facts)
    facts = dict.fromkeys(command.on, f"in work order {opened.waits}; `lasercats work show {opened.waits}`")
    return Recovered(position, command, "waiting", facts)
