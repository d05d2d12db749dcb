"""`issue`: hand commands to an interpreter; every verb that acts goes through here."""

import asyncio
import json
from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import Any

from lasercats.core.command import Command
from lasercats.core.document import fill
from lasercats.core.errors import BadDocument, BadInput, MachineError
from lasercats.core.loss import Agreed
from lasercats.core.ports import Inputs, Reverting
from lasercats.core.registry import Kinds
from lasercats.interpreters.context import Interpreter, Result, Watcher
from lasercats.operate import plugins
from lasercats.operate.doubt import settle_at
from lasercats.operate.project import Project

PREDICTING = ("simulate", "script")
"""The interpreters that do nothing; plugins are taken to act."""


async def carry_out(
    project: Project,
    commands: Sequence[Command],
    *,
    interpreter: str = "live",
    message: str | None = None,
    because: str | None = None,
    undoes: Sequence[int] = (),
    agreed: Agreed = (),
    direct: bool = False,
    serial: int = 0,
    watcher: Watcher | None = None,
    write: Callable[[str], object] | None = None,
    run: str | None = None,
    seconds: float | None = None,
) -> Sequence[Result]:
    """Interpret commands for the operator, as part of a `run` if one is named.

    Losses that are not among those `agreed` to refuse the command that has them (see `lasercats.core.loss`);
    commands name their own where an operator wrote their addresses out, which is `direct`.

    What they undo is told by position, and `because` in words. What was told late about their addresses is
    looked at first. With `serial` they are carried out at so many addresses at a time, and at no more
    where that goes wrong.

    With `seconds`, machines that can take back by themselves what nobody confirms by then are told to.

    `project.stopping` ends it early. Where it is cancelled, `lasercats recover` finds out what became of it.

    Raises:
        UnknownName: there is no such interpreter or machine.
        LogConflict: an address is being changed by someone else; nothing was done.
        Fenced: another process took it over in the middle; what was told since is recorded as late.
        Unrecorded: the log cannot be written in the middle; what was done and what is in doubt is told.

    """
    chosen: Interpreter = plugins.load("interpreters", interpreter, "interpreter")()
    context = project.context(message=message, because=because, **({} if write is None else {"write": write}))
    if watcher is not None:
        context.watcher = watcher
    if run is not None:
        context.run = run
    context.undoes, context.agreed, context.direct = tuple(undoes), agreed, direct
    context.serial, context.stop = serial, project.stopping.event()
    if interpreter not in PREDICTING:
        places = [place for c in commands for a in c.on for place in (a, *project.kinds.rivals(a))]
        await settle_at(project, places)
    with project.log.beating():
        if seconds is not None:
            await each_reverting(project, commands, lambda machine: machine.hold(context.run, seconds))
        return await chosen.run(commands, context)


async def each_reverting(
    project: Project, commands: Sequence[Command], do: Callable[[Reverting], Awaitable[object]]
) -> None:
    """Do something with each machine of commands that can take back by itself what nobody confirms.

    One that cannot be reached is left out: what is to be done there will say so.
    """
    addresses = (address for command in commands for address in command.on)
    names = dict.fromkeys(project.kinds.machine_of(address) for address in addresses)
    machines = [project.machines.get(name) for name in names if name is not None]
    reverting = [machine for machine in machines if isinstance(machine, Reverting)]
    answers = await asyncio.gather(*(do(machine) for machine in reverting), return_exceptions=True)
    for error in answers:
        if isinstance(error, BaseException) and not isinstance(error, MachineError):
            raise error


def read_commands(text: str, kinds: Kinds, inputs: Inputs, name: str) -> list[Command]:
    """Read commands: JSON lines, a JSON array, or a YAML list; a line that begins with `#` is a comment.

    Raises:
        BadDocument: malformed, or a command that cannot be built, with its line or number.

    """
    commands = []
    for where, data in _entries(text, name):
        if not isinstance(data, Mapping):
            raise BadDocument(where, "a command is a mapping with the key 'command'")
        try:
            commands.append(build(data, kinds, inputs))
        except BadInput as error:
            raise BadDocument(where, str(error)) from None
    return commands


def build(data: Mapping[str, Any], kinds: Kinds, inputs: Inputs) -> Command:
    """Build a command from plain data, with what it names put in."""
    type_ = kinds.commands.get(str(data.get("command")))
    return kinds.command(data if type_ is None else fill(type_, data, inputs, kinds.on(data)))


def _entries(text: str, name: str) -> list[tuple[str, Any]]:
    from lasercats.core.reading import load_yaml, read_json  # noqa: PLC0415 - loaded where it is used

    lines = [(n, line) for n, line in enumerate(text.split("\n"), 1) if line.strip() and line[0] != "#"]
    if lines and lines[0][1].lstrip().startswith("{"):
        entries = []
        for number, line in lines:
            try:
                entries.append((f"{name}:{number}:1", read_json(line, f"{name}:{number}:1")))
            except json.JSONDecodeError as error:
                raise BadDocument(f"{name}:{number}:{error.colno}", f"malformed JSON: {error.msg}") from None
        return entries
    data, tree = load_yaml(text, name)
    if data is None:
        return []
    if not isinstance(data, list):
        raise BadDocument(name, "a file of commands is a list of them, or JSON lines")
    marks = [item.start_mark for item in tree().value]
    return [(f"{name}:{m.line + 1}:{m.column + 1}", item) for m, item in zip(marks, data, strict=True)]
