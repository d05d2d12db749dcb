"""What a run takes for each command does not grow with their number: counted in steps, never in seconds."""

import asyncio
from collections.abc import Callable, Sequence
from dataclasses import replace

import pytest

from lasercats.core.address import Address
from lasercats.core.command import Command
from lasercats.core.loss import announced
from lasercats.domains.host.execute import Exec
from lasercats.domains.host.file import Chmod, Remove, Write
from lasercats.interpreters.context import Context, Result
from lasercats.interpreters.live import Live
from lasercats.interpreters.looking import look
from lasercats.testing.estate import Estate, steps

MakeContext = Callable[..., Context]
Shape = Callable[[Sequence[Address]], Sequence[Command]]

FEW = 24
ROOMS = ("interpreters/", "core/", "domains/", "logs/")


def each(names: Sequence[Address]) -> Sequence[Command]:
    """Write each file by a command of its own."""
    return [Write(on=(name,), content="x\n") for name in names]


def together(names: Sequence[Address]) -> Sequence[Command]:
    """Write all files by one command."""
    return [Write(on=tuple(names), content="x\n")]


def chained(names: Sequence[Address]) -> Sequence[Command]:
    """Write all files, and then change each by a command that comes after."""
    return [*each(names), *(Chmod(on=(name,), mode="0600") for name in names)]


def executed(names: Sequence[Address]) -> Sequence[Command]:
    """Execute something before and after each file, on its machine; nothing there may pass the other."""
    machines = [name.partition("/")[2].partition(":")[0] for name in names]
    pairs = zip(each(names), machines, strict=True)
    return [c for file, m in pairs for c in (Exec(on=(Address(f"exec/{m}:"),), argv=("true",)), file)]


def removed(names: Sequence[Address]) -> Sequence[Command]:
    """Remove all files by one command."""
    return [Remove(on=tuple(names))]


def on_machines(count: int) -> Sequence[Address]:
    """Name so many files, four on each machine."""
    return [Address(f"file/m{n // 4}:/{n % 4}") for n in range(count)]


def on_one(count: int) -> Sequence[Address]:
    """Name so many files on one machine."""
    return [Address(f"file/m:/{n}") for n in range(count)]


def run(context: Context, commands: Sequence[Command]) -> None:
    """Carry commands out; all must be done."""
    results: Sequence[Result] = asyncio.run(Live().run(commands, context))
    assert {result.status for result in results} == {"done"}


def counted(context: Context, names: Sequence[Address], shape: Shape, serial: int) -> float:
    """Return the steps for each of some files."""
    ready = replace(context, machines=Estate(), serial=serial)
    if shape is removed:
        asyncio.run(Live().run(each(names), replace(ready, run="before")))
    commands = shape(names)
    agreed = announced(ready.kinds, commands, ready.log.fold().state(ready.kinds))
    return steps(lambda: run(replace(ready, agreed=agreed), commands), *ROOMS) / len(names)


@pytest.mark.parametrize("names", [on_machines, on_one])
@pytest.mark.parametrize(
    ("shape", "serial"),
    [(each, 0), (together, 0), (chained, 0), (removed, 0), (executed, 0), (each, 1), (each, 7)],
)
def test_a_command_takes_as_many_steps_among_many(
    make_context: MakeContext, names: Callable[[int], Sequence[Address]], shape: Shape, serial: int
) -> None:
    """Four times as many files take at most as many steps each, on one machine or many, also in turns."""
    few = counted(make_context(), names(FEW), shape, serial)
    many = counted(make_context(), names(4 * FEW), shape, serial)
    assert many <= 1.05 * few


def test_a_look_takes_as_many_steps_among_many(make_context: MakeContext) -> None:
    """Four times as many files are looked at in at most as many steps each."""

    def counted_look(count: int) -> float:
        context = replace(make_context(), machines=Estate())
        run(context, each(on_machines(count)))
        state, wanted = context.log.fold().state(context.kinds), dict.fromkeys(on_machines(count), 0)
        return steps(lambda: asyncio.run(look(wanted, state, context)), *ROOMS) / count

    assert counted_look(4 * FEW) <= 1.05 * counted_look(FEW)


def test_what_fails_takes_as_many_steps_among_many(make_context: MakeContext) -> None:
    """Where all fail, four times as many files take at most as many steps each."""

    def counted_failures(count: int) -> float:
        context, estate = make_context(), Estate()
        names = on_machines(count)
        for name in names:
            estate.get(name.split("/")[1].split(":")[0]).broken = True
        made = chained(names)
        ready = replace(context, machines=estate)
        return steps(lambda: asyncio.run(Live().run(made, ready)), *ROOMS) / count

    assert counted_failures(4 * FEW) <= 1.05 * counted_failures(FEW)
