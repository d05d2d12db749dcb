"""Instructions: steps of some machinery, as data; and what a machine answers.

A vocabulary (`lasercats.instructions.*`) derives from `Instruction`. An instruction can print itself as
a line of script, and say what a machine answers when all goes well.
"""

from typing import Any, ClassVar

import msgspec


class Instruction(msgspec.Struct, frozen=True, kw_only=True, tag_field="do", omit_defaults=True, gc=False):
    """One step for one machine. Equal instructions that only look are run once in a batch."""

    machine: str
    looks: ClassVar[bool] = False
    """True when it changes nothing."""
    alone: ClassVar[bool] = False
    """True when a batch ends with it: it may take long, and what follows must be able to be called off."""
    by_hand: ClassVar[bool] = False
    """True when a person does it, and reports the outcome some time later."""
    early: ClassVar[bool] = False
    """True when it need not wait for what its program waits for, and once is enough for all in a batch.

    Shutting a server down is such a one.
    """
    waits: ClassVar[bool] = False
    """True when it looks until something has come about: it never shares a batch with what does not wait."""
    tidies: ClassVar[bool] = False
    """True when it only takes away what we left for ourselves: no harm is done by it at any time, nor by not
    doing it, so nothing fails with it; where it failed, that is noted.
    """
    answer: ClassVar[Any] = None
    """The type of its outcome."""

    def once(self, token: str) -> "Instruction":
        """Return the instruction with a token by which its machine knows it when it comes again.

        Only what takes one, and would do harm if it were done twice, is changed by that.
        """
        del token
        return self

    @property
    def subject(self) -> str:
        """What it is done to, in any words: by that a step is known again that is worded otherwise."""
        return ""

    @property
    def scripted(self) -> bool:
        """Whether it stands in a script: not what only looks, unless a later line needs its answer."""
        return self.waits or not self.looks

    def line(self) -> str:
        """Return the instruction as a line of script."""
        raise NotImplementedError

    def predict(self) -> Any:  # noqa: ANN401 - each vocabulary has its own answers
        """Return what a machine answers when all goes well: by default, that it tells nothing."""
        return self.answer()


class StrangeInstruction(Instruction, frozen=True, tag="strange"):
    """What is recorded of an instruction for which there is no type: its plugin is not installed."""

    answer: ClassVar[Any] = Any

    recorded: Any = None

    def line(self) -> str:
        """Return what was recorded, as a comment."""
        return f"# {msgspec.json.encode(self.recorded).decode()}"


class Failure(msgspec.Struct, frozen=True, kw_only=True, tag="failure", gc=False):
    """An instruction that did not do its work."""

    reason: str
    """What the machine said, in one line."""
    in_doubt: bool = False
    """True when nobody knows whether it took effect: the connection was lost in the middle."""
    final: bool = False
    """True when nobody can tell any more: what a look finds is what it did."""
    skipped: bool = False
    """True when it was not tried, because one that it depends on failed."""


def not_tried(cause: str = "what it depends on") -> Failure:
    """Return the outcome of what was not tried, because a cause of it failed."""
    return Failure(reason=f"not tried, because {cause} failed", skipped=True)


class Later(msgspec.Struct, frozen=True, tag="later"):
    """Stands for an outcome that is reported later, maybe to another process: a person is at it."""


class Item(msgspec.Struct, frozen=True, gc=False):
    """One instruction in a batch, with the items before it that it depends on."""

    instruction: Instruction
    after: tuple[int, ...] = ()
    """Indices into the batch; when one of these failed, this item is skipped."""


Batch = tuple[Item, ...]
"""What a machine runs at once, in this order. One failure never fails a neighbour."""


class InstructionFailed(Exception):
    """Thrown into a program whose instruction failed."""

    def __init__(self, failure: Failure) -> None:
        """Carry the failure."""
        super().__init__(failure.reason)
        self.failure = failure


class PartlyDone(InstructionFailed):
    """Raised by a program that failed after it had changed something, with what it leaves behind."""

    def __init__(self, failure: Failure, left: Any) -> None:  # noqa: ANN401 - a resource, or None
        """Carry the failure, and the resource as it now is."""
        super().__init__(failure)
        self.left = left
