"""How a batch of instructions becomes few API calls: equal launches one, lists one, looks of a sort one."""

import hashlib
import json
from collections.abc import Iterator, Sequence
from typing import Any, NamedTuple

from lasercats.core.instruction import Batch, Instruction
from lasercats.instructions.aws import Ask, Call, Describe, Unmark, Wait

MOST_VALUES = 200
"""The most values in one filter (EC2 API reference, Filter)."""
MOST_LAUNCHES = 500
"""The most instances that are asked for in one call."""
MOST_IDS = 500
"""The most ids in one list."""
LISTS = {"StartInstances", "StopInstances", "TerminateInstances", "RebootInstances"}
"""Operations on `InstanceIds` that take many."""
REPEATABLE = {*LISTS, "ModifyInstanceAttribute", "ModifySubnetAttribute", "ModifyVpcAttribute"} | {
    "CreateTags",
    "DeleteTags",
    "RunInstances",
    "CreateVolume",
}
"""What does no harm, and tells no other answer, when it comes twice: by its nature, or by its token."""


class Create(NamedTuple):
    """An operation that makes something and takes no client token, or none that one can ask for."""

    what: str
    """The sort of what it makes."""
    resource: str
    """The type that its tags are for."""
    wraps: str | None = None
    """The member of its answer that describes what was made; None where that is the answer itself."""


CREATES = {
    "CreateVpc": Create("vpc", "vpc", "Vpc"),
    "CreateSubnet": Create("subnet", "subnet", "Subnet"),
    "CreateSecurityGroup": Create("security_group", "security-group"),
    "ImportKeyPair": Create("key_pair", "key-pair"),
    "AllocateAddress": Create("address", "elastic-ip"),
    "CreateVolume": Create("volume", "volume"),
}


class Group(NamedTuple):
    """Instructions of a batch that are one call, by their indices."""

    indices: tuple[int, ...]
    instructions: tuple[Instruction, ...]

    @property
    def first(self) -> Any:  # noqa: ANN401 - the instructions of a group are of one type
        """The first of them; the others are like it."""
        return self.instructions[0]

    @property
    def token(self) -> str:
        """A token for all of them, that says nothing and can be told again from their own."""
        own = "\n".join(i.token or "" for i in self.instructions if isinstance(i, Call))
        return hashlib.sha256(own.encode()).hexdigest()[:48]


def groups(batch: Batch, indices: Sequence[int]) -> Iterator[Group]:
    """Iterate over the calls that some items of a batch are."""
    alike: dict[Any, list[int]] = {}
    for index in indices:
        alike.setdefault(_likeness(batch[index].instruction, index), []).append(index)
    for together in alike.values():
        most = _most(batch[together[0]].instruction)
        for start in range(0, len(together), most):
            chosen = tuple(together[start : start + most])
            yield Group(chosen, tuple(batch[i].instruction for i in chosen))


def _likeness(instruction: Instruction, index: int) -> Any:  # noqa: ANN401
    """Return a key that instructions share which can be one call."""
    match instruction:
        case Wait():
            return "wait"
        case Describe():
            return "describe", instruction.what, instruction.by
        case Ask():
            return "ask", instruction
        case Unmark():
            return "unmark"
        case Call(operation="RunInstances"):
            return "run", json.dumps(instruction.parameters, sort_keys=True)
        case Call() if instruction.operation in LISTS and instruction.parameters.keys() == {"InstanceIds"}:
            return "list", instruction.operation
        case _:
            return "single", index


def _most(instruction: Instruction) -> int:
    match instruction:
        case Describe():
            return MOST_VALUES
        case Call(operation="RunInstances"):
            return MOST_LAUNCHES
        case Call() | Unmark():
            return MOST_IDS
        case _:
            return 100_000
