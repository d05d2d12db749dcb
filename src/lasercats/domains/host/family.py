"""The family of what is on a host: one look tells of it, one act changes it."""

from collections.abc import Mapping
from typing import Any, TypeVar

from lasercats.core.address import Address
from lasercats.core.change import Change
from lasercats.core.instruction import Instruction
from lasercats.core.kind import Found, Kind, Knowledge
from lasercats.core.program import Known, Program, Step
from lasercats.core.resource import Resource

R = TypeVar("R", bound=Resource)


class OnHost(Kind[R]):
    """What is on a host; all looks at one are one round trip, and so are all acts."""

    def looks(self, machine: str, address: Address, knowledge: Knowledge) -> Instruction:
        """Return the look at an address, given what is known, and what is about to be made."""
        raise NotImplementedError

    def acts(self, address: Address, change: Change[Any]) -> Instruction:
        """Return the instruction that makes, changes or removes it; its answer is that of a look."""
        raise NotImplementedError

    def read(self, answer: Any, known: R | None) -> R | None:  # noqa: ANN401 - of the instruction
        """Return the resource that an answer tells of, where `known` is what was expected."""
        raise NotImplementedError

    def act(self, address: Address, change: Change[R], known: Known) -> Step:
        """Make, change or remove it."""
        return Step(self.acts(address, change), lambda answer: self.read(answer, change.after))

    def observe(self, machine: str, known: Mapping[Address, R | None]) -> Program[Found]:
        """Look at all of them at once."""
        if not known:
            return {}
        knowledge = known if isinstance(known, Knowledge) else Knowledge(known)
        answers = yield tuple(self.looks(machine, address, knowledge) for address in known)
        found: dict[Address, Resource | None] = {}
        for address, answer in zip(known, answers, strict=True):
            desired: Any = knowledge.expected.get(address)
            found |= self.finds(address, answer, known[address] or desired)
        return found

    def finds(self, address: Address, answer: Any, known: R | None) -> Mapping[Address, Resource | None]:  # noqa: ANN401
        """Return what the look at an address found there, and what it met beside it."""
        return {address: self.read(answer, known)}
