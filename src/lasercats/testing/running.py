"""Runs what the library does for a test that has no loop of its own."""

import asyncio
from collections.abc import Coroutine
from typing import Any, TypeVar

from lasercats.operate.project import Project

T = TypeVar("T")


def finish(project: Project, work: Coroutine[Any, Any, T]) -> T:
    """Run work of an open project to its end, and leave its machines."""

    async def whole() -> T:
        try:
            return await work
        finally:
            await project.machines.close()

    return asyncio.run(whole())
