"""`exec`: a raw command on hosts. What it does is not in the state, so it is recorded as opaque."""

from typing import Annotated, Any, ClassVar

from msgspec import Meta

from lasercats.core.address import Address, machine_of
from lasercats.core.change import Change
from lasercats.core.command import Command, Effect
from lasercats.core.program import Known, Step
from lasercats.core.resource import Resource
from lasercats.instructions.host import Execute


class Exec(Command, frozen=True, tag="exec"):
    """Execute a command on hosts, each at an address `exec/MACHINE:`."""

    past: ClassVar[str] = "host.executed"
    effect: ClassVar[Effect] = Effect.OPAQUE

    argv: Annotated[tuple[str, ...], Meta(min_length=1, description="the command and its arguments")]
    elidable: Annotated[
        bool, Meta(description="it only looks, or its effect does not matter: a rewrite may drop it")
    ] = False
    timeout: Annotated[
        Annotated[float, Meta(gt=0)] | None,
        Meta(description="seconds after which it is ended; any time by default"),
    ] = None

    def interpret(self, address: Address, _change: Change[Resource], _known: Known) -> Step:
        """Execute it; the result is how it ended."""
        machine = machine_of(address) or ""
        return Step(Execute(machine=machine, argv=self.argv, timeout=self.timeout), _same)


def _same(result: Any) -> Any:  # noqa: ANN401 - the result of the instruction, as it is
    return result
