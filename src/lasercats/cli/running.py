"""Runs what the library does for a verb, with Ctrl-C; the machines are left when it is done."""

import asyncio
import gc
import signal
from collections.abc import Coroutine
from typing import TYPE_CHECKING, Any, TypeVar

from lasercats.core.errors import Interrupted

if TYPE_CHECKING:
    from lasercats.operate.project import Project

T = TypeVar("T")
SELDOM = 50_000
"""How many objects are made until Python looks for circles among them: what a run makes is in none."""


def run(project: "Project", work: Coroutine[Any, Any, T]) -> T:
    """Run work of an open project to its end.

    A first Ctrl-C lets what is under way finish and sends nothing more; a second one stops at once, and
    `lasercats recover` finds out what became of it.

    Raises:
        Interrupted: a second Ctrl-C.

    """

    async def guarded() -> T:
        loop, stopping = asyncio.get_running_loop(), project.stopping
        stopping.task = asyncio.current_task()
        for number in (signal.SIGINT, signal.SIGTERM):
            loop.add_signal_handler(number, stopping.ask)
        try:
            return await work
        finally:
            await project.machines.close()

    gc.set_threshold(SELDOM)
    try:
        return asyncio.run(guarded())
    except asyncio.CancelledError:
        raise Interrupted("stopped in the middle; `lasercats recover` finds out what became of it") from None
