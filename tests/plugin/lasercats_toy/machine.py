"""`toy:FILE`: a cloud that is a file of JSON."""

import json
from asyncio import sleep
from collections.abc import Collection, Sequence
from pathlib import Path
from typing import Any

from lasercats.core.identity import Who
from lasercats.core.instruction import Batch, Failure, Instruction
from lasercats.core.ports import Sink, Vault
from lasercats_toy.instructions import VOCABULARY, Get, Put, There


class ToyMachine:
    """The cloud."""

    parallel = False
    vocabulary: Collection[type[Instruction]] = VOCABULARY

    def __init__(self, name: str, url: Path, vault: Vault | None = None) -> None:
        """Take where it is."""
        del vault
        self.trips, self.who, self._path = 0, Who(name), url

    @staticmethod
    def check_url(text: str) -> Path:
        """Read `toy:FILE`."""
        return Path(text.partition(":")[2])

    async def run(self, batch: Batch, sink: Sink | None = None, token: str = "") -> Sequence[Any]:
        """Read or write the file."""
        del sink, token
        await sleep(0)
        self.trips += 1
        things = json.loads(self._path.read_text()) if self._path.exists() else {}
        outcomes = [self._one(item.instruction, things) for item in batch]
        self._path.write_text(json.dumps(things))
        return outcomes

    def _one(self, instruction: Instruction, things: dict[str, Any]) -> There | Failure:
        if isinstance(instruction, Get):
            return There(things.get(instruction.name))
        if isinstance(instruction, Put) and instruction.fields is not None:
            things[instruction.name] = instruction.fields
            return There(instruction.fields)
        return There(things.pop(getattr(instruction, "name", ""), None) and None)

    async def resolve(self, batch: Batch, token: str = "", *, end: bool = False) -> Sequence[Any | None]:
        """Say nothing: a look tells."""
        del token, end
        await sleep(0)
        return [None for _ in batch]

    def script(self, instructions: Sequence[Instruction], *, alone: bool) -> str:
        """Return the lines."""
        del alone
        return "\n".join(one.line() for one in instructions)

    async def check(self) -> None:
        """Do nothing."""
        await sleep(0)

    async def close(self) -> None:
        """Do nothing."""
        await sleep(0)
