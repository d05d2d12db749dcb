"""Waiting for states: one look, again and again, for all that wait for things of one sort."""

import asyncio
import time
from typing import Any

from lasercats.core.instruction import Failure
from lasercats.instructions.aws import SORTS, Described, Wait, state_of


class Waiter:
    """Waits for things of one sort: one look, again and again, for all that wait."""

    def __init__(self, what: str, look: Any, poll: float, timeout: float) -> None:  # noqa: ANN401
        self._what, self._look, self._poll, self._timeout = what, look, poll, timeout
        self._waits: dict[asyncio.Future[Any], tuple[Wait, float]] = {}
        self._task: asyncio.Task[None] | None = None

    async def until(self, wait: Wait) -> Any:  # noqa: ANN401
        """Return what is described once it is in the state that is waited for, or a failure."""
        future: asyncio.Future[Any] = asyncio.get_running_loop().create_future()
        self._waits[future] = (wait, time.monotonic())
        if self._task is None or self._task.done():
            self._task = asyncio.create_task(self._watch())
        try:
            return await future
        finally:
            self._waits.pop(future, None)

    def stop(self) -> None:
        """Wait no longer."""
        if self._task is not None:
            self._task.cancel()
        for future in self._waits:
            future.cancel()

    async def _watch(self) -> None:
        """Look at once, and then ever less often, up to ten times the first pause."""
        from lasercats.machines.aws_errors import failure  # noqa: PLC0415

        pause = self._poll / 4
        while self._waits:
            await asyncio.sleep(pause)
            pause = min(max(pause * 1.5, self._poll), 10 * self._poll)
            ids = list(dict.fromkeys(wait.id for wait, _ in self._waits.values()))
            try:
                found = {
                    thing.get(SORTS[self._what].id): thing for thing in await self._look(self._what, ids)
                }
            except Exception as error:
                failed = failure(error, changes=False, where="AWS")
                for future in [f for f in self._waits if not f.done()]:
                    future.set_result(failed)
                return
            for future, (wait, since) in list(self._waits.items()):
                outcome = self._outcome(wait, found.get(wait.id), time.monotonic() - since)
                if outcome is not None and not future.done():
                    future.set_result(outcome)
                    self._waits.pop(future, None)

    def _outcome(self, wait: Wait, thing: dict[str, Any] | None, waited: float) -> Any:  # noqa: ANN401
        state, gone = None if thing is None else state_of(thing), SORTS[self._what].gone
        if state in wait.state.split("|") or (state is None and wait.state in gone):
            return Described(() if thing is None or state in gone else (thing,))
        if state in ("error", "failed") or (state in gone and wait.state not in gone):
            why = ((thing or {}).get("StateReason") or {}).get("Message", "nobody tells why")
            return Failure(reason=f"{wait.id} went to {state} instead of {wait.state}: {why}")
        if waited > self._timeout:
            now = state or "not to be seen"
            return Failure(reason=f"{wait.id} is {now}, not {wait.state}, after {self._timeout:g} s")
        return None
