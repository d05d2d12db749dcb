"""`human:`: a technician. A batch is a work order; its outcomes are reported later, by `lasercats work`."""

import shlex
from asyncio import sleep
from collections.abc import Collection, Sequence
from typing import Any, NamedTuple, cast

from lasercats.core.errors import BadInput
from lasercats.core.identity import Who
from lasercats.core.instruction import Batch, Instruction, Later
from lasercats.core.ports import Sink, Vault
from lasercats.instructions.work_order import VOCABULARY, WorkStep, in_order, located, waits


class Person(NamedTuple):
    """Who it is: `human:` or `human:night%20shift`."""

    name: str


class HumanMachine:
    """A technician, or a team of them."""

    parallel = True
    vocabulary: Collection[type[Instruction]] = VOCABULARY

    def __init__(self, name: str, url: Person, vault: Vault | None = None) -> None:
        """Take who it is; nobody is disturbed by that."""
        del vault
        self.trips, self.who = 0, Who(name)
        self._name, self._url = name, url

    @staticmethod
    def check_url(text: str) -> Person:
        """Read `human:NAME`, where the name may be left out.

        Raises:
            BadInput: it has more than that.

        """
        from urllib.parse import unquote  # noqa: PLC0415 - start-up stays light

        name = unquote(text.partition(":")[2])
        if "?" in name or name.startswith("//"):
            raise BadInput(f"{text!r} is no person; write human: or human:NAME, without options")
        return Person(name)

    async def run(self, batch: Batch, sink: Sink | None = None, token: str = "") -> Sequence[Any]:
        """Hand a work order out; what becomes of it is reported later."""
        del sink
        self.trips += bool(batch)
        await sleep(0)
        return [Later() for _ in batch]

    async def resolve(self, batch: Batch, token: str = "", *, end: bool = False) -> Sequence[Any | None]:
        """Tell that it is still to be reported what became of it."""
        await sleep(0)
        return [Later() for _ in batch]

    def script(self, instructions: Sequence[Instruction], *, alone: bool) -> str:
        """Return a script that prints the steps as a checklist; a person is no shell."""
        del alone
        steps = located(cast("Sequence[WorkStep]", instructions))
        lines = [f"[ ] {n}. {steps[i].line()}" for n, i in enumerate(in_order(steps, waits(steps)), 1)]
        text = "\n".join([f"For {self._url.name or self._name}:", *lines])
        return f"printf '%s\\n' {shlex.quote(text)}"

    async def check(self) -> None:
        """Do nothing: nobody is called for that."""
        await sleep(0)

    async def close(self) -> None:
        """Do nothing."""
        await sleep(0)
