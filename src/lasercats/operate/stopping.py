"""How work is asked to end early: by Ctrl-C at the command line, by a guard, by who uses the library."""

from typing import TYPE_CHECKING
from weakref import WeakSet

if TYPE_CHECKING:
    import asyncio


class Stopping:
    """Asked once, it has no further batch sent, now or later; asked twice, work ends where it is."""

    def __init__(self) -> None:
        """Begin with nothing asked."""
        self.asked = False
        self.task: asyncio.Task[object] | None = None
        """The work that is cancelled when it is asked again, where anybody said what that is."""
        self._events = WeakSet["asyncio.Event"]()

    def event(self) -> "asyncio.Event":
        """Return what is set for a piece of work when it is asked to end."""
        import asyncio  # noqa: PLC0415 - a verb that only reads starts without it

        event = asyncio.Event()
        if self.asked:
            event.set()
        self._events.add(event)
        return event

    def ask(self) -> None:
        """Ask all work to end."""
        if self.asked and self.task is not None:
            self.task.cancel()
        self.asked = True
        for event in self._events:
            event.set()
