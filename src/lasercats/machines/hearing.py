"""Hearing what a host prints: as it comes, for as long as it gets on, and no more of it than is wanted."""

import asyncio
import re
from collections.abc import Callable
from types import TracebackType

PROGRESS = 4096
"""Bytes of output after which a host that tells nothing whole is held to be getting on."""


class TooMuch(Exception):
    """A host printed more than can be an answer."""


class Hearing:
    """What a host prints on one channel, and when to stop hearing it."""

    def __init__(self, mark: bytes, patience: float | None, most: int | None) -> None:
        """Hear at most so many bytes, and wait so many seconds for any progress, if there are limits.

        Progress is a mark, or a fair number of bytes: a host that trickles does not get on.
        """
        self.output, self.messages = bytearray(), bytearray()
        self._mark, self._most, self.patience = mark, most, patience
        self._since = 0
        self._clock = asyncio.timeout(patience)
        self.ended: str | None = None
        """Why it was not heard to its end."""
        self.way = "given up"
        """What then was done to it."""

    def out(self, data: bytes) -> None:
        """Hear standard output.

        Raises:
            TooMuch: it is more than can be an answer.

        """
        self.output += data
        self._heard(data)

    def err(self, data: bytes) -> None:
        """Hear standard error.

        Raises:
            TooMuch: it is more than can be an answer.

        """
        self.messages += data
        self._heard(data)

    async def __aenter__(self) -> "Hearing":
        """Start the clock."""
        await self._clock.__aenter__()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> bool:
        """Stop the clock; tell what it stopped for instead of raising it."""
        try:
            await self._clock.__aexit__(kind, error, trace)
        except TimeoutError:
            self.ended = self._silence()
            return True
        if isinstance(error, BaseExceptionGroup):
            error = next(iter((error.subgroup(TooMuch) or error).exceptions), None)
        if isinstance(error, TooMuch):
            self.ended = str(error)
        return isinstance(error, TooMuch)

    @property
    def begun(self) -> bool:
        """True when the script has begun: all before it is no answer."""
        return self._mark in self.output

    @property
    def pid(self) -> int | None:
        """The number of the shell's process on the host, once it has begun."""
        found = re.search(
            re.escape(self._mark) + rb"=begin" + re.escape(self._mark) + rb"\.(\d+)", self.output
        )
        return int(found[1]) if found else None

    def before(self) -> tuple[bytes, bytes]:
        """Return what was printed, and what was said, before the script began."""
        return tuple(bytes(said.partition(self._mark)[0].strip()) for said in (self.output, self.messages))  # type: ignore[return-value]

    def _silence(self) -> str:
        return f"the host told nothing for {self.patience:g} s"

    def _heard(self, data: bytes) -> None:
        self._since += len(data)
        if self.patience is not None and (self._since >= PROGRESS or self._mark in data):
            self._since = 0
            if not self._clock.expired():
                self._clock.reschedule(asyncio.get_running_loop().time() + self.patience)
        if self._most is not None and len(self.output) + len(self.messages) > self._most:
            raise TooMuch(f"the host printed more than {self._most // 2**20} MiB")


class Streaming(Hearing):
    """The output of a command, passed on as it comes; of it only the last part is kept."""

    KEPT = 64 * 1024
    """Bytes that are kept for the log."""

    def __init__(
        self, mark: bytes, patience: float | None, limit: float | None, receive: Callable[[bytes], object]
    ) -> None:
        """Wait so many seconds for the command to begin, and so many for its end if there is a limit."""
        super().__init__(mark, patience, None)
        self._limit, self._receive = limit, receive
        self.preface = b""
        """What was printed before the command began."""
        self._pid: int | None = None

    @property
    def begun(self) -> bool:
        """True when the command has begun."""
        return self._pid is not None

    @property
    def pid(self) -> int | None:
        """The number of the shell's process on the host, once it has begun."""
        return self._pid

    def out(self, data: bytes) -> None:
        """Pass on what the command prints."""
        self.output += data
        if self._pid is None:
            begin = re.search(re.escape(self._mark) + rb"(\d{1,10});", self.output)
            if begin:
                self.preface = bytes(self.output[: begin.start()])
                self._begin(int(begin[1]))
                data = bytes(self.output[begin.end() :])
                self.output = bytearray(data)
        if self._pid is not None and data:
            self._receive(bytes(data))
        del self.output[: -self.KEPT]

    def err(self, data: bytes) -> None:
        """Keep what is said beside it: by the shell that could not be started."""
        self.messages += data
        del self.messages[: -self.KEPT]

    def _begin(self, pid: int) -> None:
        self._pid = pid
        if not self._clock.expired():
            loop = asyncio.get_running_loop()
            self._clock.reschedule(None if self._limit is None else loop.time() + self._limit)

    def _silence(self) -> str:
        if self._pid is not None and self._limit is not None:
            self.way = "ended"
            return f"it ran longer than {self._limit:g} s"
        return super()._silence()
