"""LaserCats: configuration and infrastructure as an event-sourced log of commands."""

from typing import TYPE_CHECKING

from lasercats.program import __version__

if TYPE_CHECKING:
    from pathlib import Path

    from lasercats.operate.api import Session
__all__ = ["__version__", "open"]


def open(folder: "str | Path" = ".", *, actor: str, environment: str = "default") -> "Session":  # noqa: A001
    """Open the project that a folder lies in: `async with lasercats.open(folder, actor="ci") as project`.

    `actor` is who is recorded with what is done. See `lasercats.operate.api.Session` for what it can do.
    """
    from lasercats.operate.api import Session  # noqa: PLC0415 - the command line starts without it

    return Session(folder, actor=actor, environment=environment)
