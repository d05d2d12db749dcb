"""A thread of its own for a library that blocks; what never comes back is given up, and holds nobody up."""

import asyncio
import contextlib
import queue
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any, TypeVar

T = TypeVar("T")
MOST = 64 * 2**20
"""Bytes of one answer that are read; what goes on after that is no answer."""


class Stuck(Exception):
    """Raised when work did not end in its time; it may go on, and nobody waits for it."""


class Worker:
    """One thread that does one piece of work after another."""

    def __init__(self, name: str) -> None:
        """Name it; it begins with the first work."""
        self._name = name
        self._work: queue.SimpleQueue[Callable[[], None] | None] | None = None

    async def run(self, work: Callable[[], T], seconds: float | None = None) -> T:
        """Return what work returns, or raise what it raises.

        Raises:
            Stuck: it did not end within some seconds.

        """
        loop = asyncio.get_running_loop()
        outcome: asyncio.Future[Any] = loop.create_future()

        def do() -> None:
            report: tuple[Callable[[Any], None], Any]
            try:
                report = (outcome.set_result, work())
            except BaseException as error:  # it is raised where it is waited for
                report = (outcome.set_exception, _raisable(error))
            with contextlib.suppress(RuntimeError):  # nobody waits any more
                loop.call_soon_threadsafe(_deliver, outcome, *report)

        self._begun().put(do)
        try:
            done, _ = await asyncio.wait({outcome}, timeout=seconds)
        except asyncio.CancelledError:
            outcome.cancel()  # what comes of it then is nobody's
            raise
        if not done:
            outcome.cancel()
            self.end()
            raise Stuck
        result: T = outcome.result()
        return result

    def end(self) -> None:
        """Let the thread end after the work that it is at; new work begins a new one."""
        if self._work is not None:
            self._work.put(None)
            self._work = None

    def _begun(self) -> "queue.SimpleQueue[Callable[[], None] | None]":
        if self._work is None:
            self._work = queue.SimpleQueue()
            threading.Thread(target=_go, args=(self._work,), name=self._name, daemon=True).start()
        return self._work


class Pool:
    """Some threads that work side by side; what runs in them keeps to times of its own."""

    def __init__(self, name: str, threads: int) -> None:
        """Name it; it begins with the first work."""
        self._name, self._threads = name, threads
        self._pool: ThreadPoolExecutor | None = None

    async def run(self, work: Callable[[], T], seconds: float | None = None) -> T:
        """Return what work returns, or raise what it raises."""
        del seconds
        self._pool = self._pool or ThreadPoolExecutor(self._threads, self._name)
        return await asyncio.get_running_loop().run_in_executor(self._pool, work)

    def end(self) -> None:
        """Begin nothing more; new work begins new threads."""
        if self._pool is not None:
            self._pool.shutdown(wait=False, cancel_futures=True)
            self._pool = None


def _go(todo: "queue.SimpleQueue[Callable[[], None] | None]") -> None:
    while True:
        work = todo.get()
        if work is None:
            return
        work()


def _deliver(outcome: "asyncio.Future[Any]", tell: Callable[[Any], None], what: Any) -> None:  # noqa: ANN401
    if not outcome.done():
        tell(what)


def _raisable(error: BaseException) -> BaseException:
    """Return an error as one that may be raised out of what waits."""
    plain = isinstance(error, Exception) and not isinstance(error, StopIteration)
    return error if plain else RuntimeError(f"{error!r}")
