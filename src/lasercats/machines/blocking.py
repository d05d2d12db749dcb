"""What machines have in common that are reached by a library that blocks: it works in threads of its own."""

from abc import abstractmethod
from collections.abc import Callable, Collection, Sequence
from typing import Any, Generic, TypeVar

from lasercats.core.identity import Who
from lasercats.core.instruction import Batch, Failure, Instruction
from lasercats.core.ports import Sink
from lasercats.instructions.switch import VOCABULARY, Configure, Look, Surveyed, seen
from lasercats.machines.worker import Pool, Stuck, Worker

C = TypeVar("C")
T = TypeVar("T")


class Blocking(Generic[C]):
    """A machine behind a client that blocks; the client is made when it is first used."""

    parallel = False
    vocabulary: Collection[type[Instruction]]

    def __init__(self, name: str, workers: Worker | Pool) -> None:
        """Bind a machine's name; nothing connects yet."""
        self.name, self.trips, self.who = name, 0, Who(name)
        self._workers = workers
        self._client: C | None = None

    async def resolve(self, batch: Batch, token: str = "", *, end: bool = False) -> Sequence[Any | None]:
        """Tell nothing: a look says what became of an instruction."""
        return [None] * len(batch)

    async def close(self) -> None:
        """Disconnect."""
        await self._leave()
        self._workers.end()

    @abstractmethod
    async def _leave(self) -> None:
        """Close the client, where there is one."""

    @property
    def _patience(self) -> float | None:
        """Seconds after which work of the client is given up, if ever: the client keeps to its own times."""
        return None

    def _stuck(self, seconds: float) -> Exception:
        """Give a client up whose work did not end in its time; return what is raised for that."""
        raise NotImplementedError

    async def _thread(self, work: Callable[[], T], seconds: float | None = None) -> T:
        """Work in a thread, for so many seconds at most, by default as long as there is patience."""
        seconds = self._patience if seconds is None else seconds
        try:
            return await self._workers.run(work, seconds)
        except Stuck:
            raise self._stuck(seconds or 0) from None

    def _where(self) -> str:
        return f"machine {self.name}"

    def _count(self) -> None:
        self.trips += 1


class Switch(Blocking[C]):
    """A switch: all that a batch configures is done at once, and all looks are one read."""

    vocabulary: Collection[type[Instruction]] = VOCABULARY

    async def run(self, batch: Batch, sink: Sink | None = None, token: str = "") -> Sequence[Any]:
        """Run a batch: first all that is configured, then one read for all looks.

        Raises:
            MachineError: the switch cannot be used; nothing was done.

        """
        if not batch:
            return []
        asked = [item.instruction for item in batch]
        wanted = [i for i in asked if isinstance(i, Configure)]
        done = iter(await self._configured(wanted, token) if wanted else ())
        there = await self._looked(wanted) if len(wanted) < len(asked) else Surveyed()
        return [next(done) if isinstance(i, Configure) else look(i, there) for i in asked]

    @abstractmethod
    async def _configured(self, wanted: Sequence[Configure], token: str) -> Sequence[Any]:
        """Configure all or nothing; return what each instruction came to."""

    @abstractmethod
    async def _looked(self, done: Sequence[Configure]) -> Surveyed | Failure:
        """Read what there is; once something is done, that it cannot be read is a failure of looks alone."""


def look(instruction: Instruction, there: Surveyed | Failure) -> Any:  # noqa: ANN401 - what it answers
    """Return what a look finds in what was read."""
    if isinstance(instruction, Look) and isinstance(there, Surveyed):
        return seen(there, instruction.what, instruction.name)
    return there


def all_alike(wanted: Sequence[Configure], reason: str, *, in_doubt: bool = False) -> list[Failure]:
    """Return the outcomes of a batch that failed as a whole."""
    return [Failure(reason=reason, in_doubt=in_doubt)] * len(wanted)
