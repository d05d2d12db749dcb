"""`recover`: finish what a crash left open, by asking the machines; nothing is ever blindly repeated.

A command whose run died holds its addresses. For each one that has no event yet the machine is looked at:
what is there is either what the command would have made, or what was there before, or something else.
"""

import socket
from collections.abc import Mapping
from typing import NamedTuple

from lasercats.core.address import Address, told
from lasercats.core.change import Change, Delta
from lasercats.core.command import Command, Effect
from lasercats.core.errors import Refused
from lasercats.core.record import OBSERVED, AnyEntry, Ended, Event, raw_delta
from lasercats.core.resource import Resource, same, settle
from lasercats.core.settle import believe
from lasercats.core.state import State
from lasercats.interpreters.looking import look
from lasercats.operate.history import command_of
from lasercats.operate.issue import run
from lasercats.operate.project import Project, started


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

    All machines are looked at once, in one batch each. A command whose run still lives on this host is left
    alone, unless `force` is given.
    """
    living, dead = dict[int, Recovered](), dict[int, Command]()
    for position, opened in sorted(project.log.open().items()):
        command = command_of(project, position)
        if not force and alive(opened.process):
            facts = dict.fromkeys(command.on, f"process {opened.process} is still at it")
            living[position] = Recovered(position, command, "open", facts)
        else:
            dead[position] = command
    return sorted([*living.values(), *_recover(project, dead)])


def alive(process: str) -> bool:
    """Tell whether `PID+START@HOST` is a living process; one of another host is taken to be."""
    name, _, host = process.partition("@")
    pid, _, start = name.partition("+")
    if host != socket.gethostname():
        return bool(host)
    now = started(int(pid)) if pid.isdigit() else None
    return now is not None and start in ("", now)


def _recover(project: Project, dead: Mapping[int, Command]) -> list[Recovered]:
    state, done = project.state(), _events(project, min(dead, default=0))
    todo = {
        (position, address): command
        for position, command in dead.items()
        if command.effect is Effect.STATE
        for address in command.on
        if (position, address) not in done
    }
    found, unseen = _ask(project, {address: position for position, address in todo}, state)
    results = []
    for position, command in dead.items():
        mine = [address for p, address in todo if p == position]
        lost = {address: unseen[address] for address in mine if address in unseen}
        if lost:
            results.append(Recovered(position, command, "open", lost))
            continue
        entries, facts = list[AnyEntry](), _facts(command)
        for address in mine:
            now = believe(state, {address: found[address]}).get(address)
            facts[address], entry = _judge(command, position, address, state, now)
            if entry is not None:
                entries.append(entry)
                state = state.put([(address, now)])
        results.append(_end(project, position, command, entries, facts))
    return results


def _ask(
    project: Project, wanted: Mapping[Address, int], state: State
) -> tuple[dict[Address, Resource | None], dict[Address, str]]:
    context = project.context()

    async def ask() -> tuple[dict[Address, Resource | None], dict[Address, str]]:
        try:
            return await look(wanted, state, context)
        finally:
            await project.machines.close()

    answer: tuple[dict[Address, Resource | None], dict[Address, str]] = run(ask(), context.stop)
    return answer


def _facts(command: Command) -> dict[Address, str]:
    """Return what is known of a command before anything is asked."""
    known = {
        Effect.STATE: "done",
        Effect.RECORD: "not done",
        Effect.OPAQUE: "nobody knows whether it ran; look for yourself",
    }
    return dict.fromkeys(command.on, known[command.effect])


def _events(project: Project, first: int) -> set[tuple[int, Address]]:
    """Return which addresses have an event of which command already."""
    done: set[tuple[int, Address]] = set()
    for record in project.log.read(first, names=("event",)) if first else ():
        event = record.entry
        if isinstance(event, Event) and event.command is not None and event.type != OBSERVED:
            done |= {(event.command, address) for address in event.delta}
    return done


def _judge(
    command: Command, position: int, address: Address, state: State, now: Resource | None
) -> tuple[str, AnyEntry | None]:
    before = state.get(address)
    try:
        asked = command.decide(address, state)
    except Refused:
        asked = before
    now = settle(asked, now) if before is None and asked is not None else now
    delta = raw_delta(Delta({address: Change(before, now)}))
    if same(now, asked):
        event = Event(type=command.past, delta=delta, command=position) if not same(now, before) else None
        return "done", event
    if same(now, before):
        return "not done", None
    return "changed otherwise", Event(type=OBSERVED, delta=delta, command=position)


def _end(
    project: Project,
    position: int,
    command: Command,
    entries: list[AnyEntry],
    facts: Mapping[Address, str],
) -> Recovered:
    status = "done" if all(fact == "done" for fact in facts.values()) else "failed"
    left = "; ".join(f"{told(address)}: {fact}" for address, fact in facts.items() if fact != "done")
    error = f"interrupted: {left}" if left else None
    project.log.append([*entries, Ended(command=position, status=status, error=error)])
    return Recovered(position, command, status, facts)
