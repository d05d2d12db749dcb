"""Beats: a thread that says again and again that the holder of leases lives, beside what he does."""

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from threading import Event, Thread


@contextmanager
def beating(
    ready: Callable[[], AbstractContextManager[Callable[[], object]]], every: float
) -> Iterator[None]:
    """Say it every so many seconds, as long as the context lasts.

    What is `ready` gives what says it, and is entered in the thread before the first beat: work that is over
    before costs nothing.
    """
    over = Event()

    def beat() -> None:
        if over.wait(every):
            return
        with ready() as say:
            while True:
                say()
                if over.wait(every):
                    return

    thread = Thread(target=beat, name="lasercats-beat", daemon=True)
    thread.start()
    try:
        yield
    finally:
        over.set()
        thread.join()
