"""`replay`: run a recorded command again from its recorded outcomes, to find a fault without a machine."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import NamedTuple

import msgspec

from lasercats.core.address import Address
from lasercats.core.command import Command, StrangeCommand
from lasercats.core.errors import BadInput, LaserCatsError
from lasercats.core.ports import Log
from lasercats.core.record import Finished, Record, Started, came_back
from lasercats.core.registry import Kinds
from lasercats.core.secret import shown
from lasercats.interpreters.context import Context, Result, Watcher
from lasercats.interpreters.journal import Journal, Refuse
from lasercats.interpreters.live import carry_out
from lasercats.interpreters.past import Past, records_of
from lasercats.interpreters.replay import Facts, NoMachines, as_then, facts
from lasercats.operate.issued import together
from lasercats.operate.moments import command_at, end_of
from lasercats.program import PROGRAM


class Replayed(NamedTuple):
    """What came of a command now, with the answers of then, and in what that differs."""

    position: int
    command: Command
    result: Result
    commands: int
    """How many commands were issued together with it, itself included; all were run again."""
    instructions: int
    """How many instructions of it were answered from the record."""
    differences: Sequence[str]
    """In what it differs from the record; none where it does as it did."""
    cut: bool = False
    """True when it was cut off, by a crash; what would have come then is no difference."""
    program: str = ""
    """The program that recorded it, where that is another than this; its differences are no fault then."""


async def replay_command(
    log: Log, kinds: Kinds, position: int, *, watcher: Watcher | None = None
) -> Replayed:
    """Run a command again, with those that were issued together with it, from the log alone.

    Raises:
        BadInput: there is no command at the position, or one for which no plugin is installed, or another
            program recorded what this one cannot read.

    """
    position = command_at(log, position)
    writer = log.writer(position)
    if writer == PROGRAM:
        return await _replay_command(log, kinds, position, watcher)
    writer = writer or "an earlier version"
    try:
        return (await _replay_command(log, kinds, position, watcher))._replace(program=writer)
    except LaserCatsError:
        raise
    except Exception as error:
        raise BadInput(
            f"command {position} was recorded by {writer}, and {PROGRAM} cannot run what that asked "
            f"({type(error).__name__}); replay it with that one"
        ) from error


async def _replay_command(log: Log, kinds: Kinds, position: int, watcher: Watcher | None) -> Replayed:
    past = past_of(log, kinds, position, ended=True)
    strange = next((c for c in past.commands if isinstance(c, StrangeCommand)), None)
    if strange is not None:
        raise BadInput(f"no plugin is installed for {strange.name}, so it cannot be replayed; install it")
    context = as_then(Context(kinds=kinds, log=log, machines=NoMachines(), actor=""), past.head)
    context.watcher = watcher or context.watcher
    journal = Journal(context, past, Refuse())
    results = await carry_out(past.commands, journal)
    then, now = facts([r.entry for r in past.records], [position]), facts(journal.entries, [position])
    index = past.positions.index(position)
    cut = _cut_off(past.records, position, then) or results[index].status == "open"
    if cut:
        now = Facts(
            {key: count for key, count in now.asked.items() if key in then.asked},
            {key: sides for key, sides in now.changed.items() if key in then.changed},
            {},
        )
        then = Facts(then.asked, {k: sides for k, sides in then.changed.items() if k in now.changed}, {})
    return Replayed(
        position,
        past.commands[index],
        replace(results[index], status="open") if cut else results[index],
        len(past.commands),
        sum(now.asked.values()),
        [*_asked(kinds, then, now), *_changed(then, now), *_ended(then, now)],
        cut,
    )


def _cut_off(records: Sequence[Record], position: int, then: Facts) -> bool:
    """Tell whether a command has no end, or its run a batch that never came back, so `recover` ended it.

    The batch may be one of another command that it shared a look with, or came after.
    """
    back = came_back(records)
    batches = (r.position for r in records if isinstance(r.entry, Started))
    return position not in then.ended or any(None in back[batch] for batch in batches)


def past_of(
    log: Log, kinds: Kinds, position: int, *, reports: Sequence[Finished] = (), ended: bool = False
) -> Past:
    """Return what is on record of commands that were issued together, that of a position among them.

    So are `reports`. With `ended`, what came when all of them were over is left out, as what was told late.

    Raises:
        BadInput: there is no command at the position.

    """
    accepted = [(record.position, entry) for record, entry in together(log, position)]
    positions = [place for place, _ in accepted]
    records = records_of(log, positions)
    if ended:
        last = max(end_of(log, place) for place in positions)
        records = [record for record in records if record.position <= last]
    records += [Record(0, 0, report) for report in reports]
    return Past(kinds, log.fold(positions[0] - 1), accepted, records, log.open().keys())


def _asked(kinds: Kinds, then: Facts, now: Facts) -> list[str]:
    lines = []
    for facts_, others, fact in (
        (then.asked, now.asked, "was asked then and is not now"),
        (now.asked, then.asked, "is asked now and was not then"),
    ):
        for (owner, raw), count in facts_.items():
            if others.get((owner, raw), 0) < count:
                line = kinds.decode_instruction(raw).line().partition("\n")[0]
                lines.append(f"{line} {fact}")
    return lines


def _changed(then: Facts, now: Facts) -> list[str]:
    lines = []
    for key in sorted(then.changed.keys() | now.changed.keys()):
        _, what, address = key
        if then.changed.get(key) != now.changed.get(key):
            lines.append(
                f"what was {what} at {address} differs: {_sides(then.changed, key)} then, "
                f"{_sides(now.changed, key)} now"
            )
    return lines


def _sides(
    changed: Mapping[tuple[int, str, Address], tuple[bytes, bytes]], key: tuple[int, str, Address]
) -> str:
    if key not in changed:
        return "nothing"
    after = msgspec.json.decode(changed[key][1])
    return msgspec.json.encode(shown(after)).decode()


def _ended(then: Facts, now: Facts) -> list[str]:
    lines = []
    for position in then.ended.keys() | now.ended.keys():
        one, other = then.ended.get(position, ("open", None)), now.ended.get(position, ("open", None))
        if _unordered(*one) != _unordered(*other):
            lines.append(
                f"it ended as {' '.join(filter(None, one))!r} then, {' '.join(filter(None, other))!r} now"
            )
    return lines


def _unordered(status: str, error: str | None) -> tuple[str, list[str]]:
    """Return an end without the order of its problems, which is that in which machines answered."""
    return status, sorted((error or "").split("; "))
