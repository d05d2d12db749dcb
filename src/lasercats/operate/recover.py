"""`recover`: finish what a crash left open, by asking the machines; nothing is ever blindly repeated.

A command whose run died holds its addresses. For each one that has no event yet the machine is looked at:
what is there is either what the command would have made, or what was there before, or something else.
"""

import os
import socket
from collections.abc import Mapping
from typing import NamedTuple

from lasercats.core.address import Address
from lasercats.core.change import Change, Delta
from lasercats.core.command import Command, Effect
from lasercats.core.errors import Refused
from lasercats.core.record import Accepted, AnyEntry, Ended, Event, raw_delta
from lasercats.core.resource import Resource, same
from lasercats.core.settle import believe
from lasercats.core.state import State
from lasercats.interpreters.looking import look
from lasercats.operate.issue import run
from lasercats.operate.project import Project


class Recovered(NamedTuple):
    """What was found out about one open command."""

    position: int
    command: Command
    status: str
    """`done`, `failed`, or `open` where a machine could not be asked or the run still lives."""
    facts: Mapping[Address, str]
    """For each address: `done`, `not done`, `changed otherwise`, or why it is not known."""


def recover(project: Project, *, force: bool = False) -> list[Recovered]:
    """Find out what became of every open command, and end it in the log.

    A command whose run still lives on this host is left alone, unless `force` is given.
    """
    results = []
    for position, opened in sorted(project.log.fold().open.items()):
        record = next(project.log.read(position, position))
        assert isinstance(record.entry, Accepted)  # noqa: S101 - only accepted commands are open
        command = project.kinds.decode_command(bytes(record.entry.command))
        if not force and alive(opened.process):
            facts = dict.fromkeys(command.on, f"process {opened.process} is still at it")
            results.append(Recovered(position, command, "open", facts))
        else:
            results.append(_recover(project, position, command))
    return results


def alive(process: str) -> bool:
    """Tell whether `PID@HOST` is a living process; of another host nobody can tell, so it is taken to be."""
    pid, _, host = process.partition("@")
    if host != socket.gethostname() or not pid.isdigit():
        return bool(host) and host != socket.gethostname()
    try:
        os.kill(int(pid), 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return True


def _recover(project: Project, position: int, command: Command) -> Recovered:
    if command.effect is Effect.OPAQUE:
        fact = "nobody knows whether it ran; look for yourself"
        return _end(project, position, command, [], dict.fromkeys(command.on, fact))
    if command.effect is Effect.RECORD:
        return _end(project, position, command, [], dict.fromkeys(command.on, "not done"))
    state = project.state()
    todo = [a for a in command.on if state.version(a) < position or not _done(project, position, a)]
    context = project.context()

    async def ask() -> tuple[dict[Address, Resource | None], dict[Address, str]]:
        try:
            return await look(dict.fromkeys(todo, position), state, context)
        finally:
            await project.machines.close()

    found, unseen = run(ask(), context.stop)
    if unseen:
        return Recovered(position, command, "open", unseen)
    believed = believe(state, {a: r for a, r in found.items() if a in todo})
    entries, facts = list[AnyEntry](), dict.fromkeys(command.on, "done")
    for address in todo:
        fact, entry = _judge(command, position, address, state, believed)
        facts[address] = fact
        if entry is not None:
            entries.append(entry)
    return _end(project, position, command, entries, facts)


def _judge(
    command: Command, position: int, address: Address, state: State, believed: State
) -> tuple[str, AnyEntry | None]:
    before, now = state.get(address), believed.get(address)
    try:
        asked = command.decide(address, state)
    except Refused:
        asked = before
    delta = raw_delta(Delta({address: Change(before, now)}))
    if same(now, asked):
        event = Event(type=command.past, delta=delta, command=position) if not same(now, before) else None
        return "done", event
    if same(now, before):
        return "not done", None
    return "changed otherwise", Event(type="observed", delta=delta, command=position)


def _done(project: Project, position: int, address: Address) -> bool:
    events = project.log.read(position, names=("event",))
    return any(
        r.entry.command == position and address in r.entry.delta and r.entry.type != "observed"
        for r in events
        if isinstance(r.entry, Event)
    )


def _end(
    project: Project,
    position: int,
    command: Command,
    entries: list[AnyEntry],
    facts: Mapping[Address, str],
) -> Recovered:
    status = "done" if all(fact == "done" for fact in facts.values()) else "failed"
    left = "; ".join(f"{address}: {fact}" for address, fact in facts.items() if fact != "done")
    error = f"interrupted: {left}" if left else None
    project.log.append([*entries, Ended(command=position, status=status, error=error)])
    return Recovered(position, command, status, facts)
