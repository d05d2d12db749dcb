"""What the toy cloud is told."""

import shlex
from typing import Any, ClassVar

import msgspec

from lasercats.core.instruction import Instruction


class There(msgspec.Struct, frozen=True):
    """What is there: fields, or nothing."""

    fields: dict[str, Any] | None = None


class Get(Instruction, frozen=True, tag="toy.get"):
    """Read one thing."""

    looks: ClassVar[bool] = True
    answer: ClassVar[Any] = There

    name: str

    def line(self) -> str:
        """Return the line of a script."""
        return shlex.join(["toy", "get", self.name])

    def predict(self) -> There:
        """Return that nothing is there."""
        return There()


class Put(Instruction, frozen=True, tag="toy.put"):
    """Make one thing so; without fields, remove it."""

    answer: ClassVar[Any] = There

    name: str
    fields: dict[str, Any] | None = None

    def line(self) -> str:
        """Return the line of a script."""
        return shlex.join(["toy", "put", self.name, msgspec.json.encode(self.fields).decode()])

    def predict(self) -> There:
        """Return what is there then."""
        return There(self.fields)


VOCABULARY = (Get, Put)
