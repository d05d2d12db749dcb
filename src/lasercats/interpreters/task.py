"""Tasks: programs on their way, with what they depend on, what they wait for, and what became of them.

What has acted is never given up as if it had not: a program that changed something and then fails, without
telling what it leaves, is in doubt. One that is called off in the middle may still look.
"""

from collections.abc import Iterable
from typing import Any

from msgspec.structs import replace

from lasercats.core.errors import Refused
from lasercats.core.instruction import Failure, Instruction, InstructionFailed, PartlyDone, not_tried
from lasercats.core.loose import ODD
from lasercats.core.program import Program, Request, Step, answer, generator, instructions

CANCELLED = Failure(reason="cancelled before it was sent", skipped=True)


class Task:
    """A program on its way: what it depends on, what it waits for, what became of it."""

    __slots__ = (
        "_given",
        "_outcomes",
        "_program",
        "_request",
        "_token",
        "acted",
        "after",
        "behind",
        "cancelled",
        "deferred",
        "done",
        "failure",
        "left",
        "notes",
        "number",
        "owner",
        "partly",
        "result",
        "sent",
        "single",
        "waiting",
    )

    def __init__(
        self,
        program: "Step | Program[Any]",
        owner: int = 0,
        after: Iterable["Task"] = (),
        token: str = "",
    ) -> None:
        """Run `program` for the command at position `owner`, after other tasks succeeded.

        No other task, of this or any other run, may have the same `token`.
        """
        self._token, self._given = token, 0
        self.owner = owner
        self.after = tuple(after)
        self.number, self.left = 0, 0
        """Its place in the order of its run, and how many that it comes after are not done."""
        self.behind: list[Task] = []
        """What comes after it, as long as it is not done."""
        self.single = isinstance(program, Step)
        self.done = False
        self.deferred = False
        """True when a person has one of its instructions in hand."""
        self.sent: set[int] = set()
        """Which of its instructions are with a machine."""
        self.result: Any = None
        self.failure: Failure | None = None
        self.cancelled = False
        """True when the operator stopped it."""
        self.partly = False
        """True when it failed after it had changed something; its result is then what it leaves."""
        self.acted = False
        """True when a machine did something for it, or may have."""
        self.notes: list[str] = []
        """What machines noted of how they did it."""
        self._program = generator(program)
        self._request: Request = ()
        self.waiting: dict[int, Instruction] = {}
        self._outcomes: dict[int, Any] = {}

    @property
    def blame(self) -> str:
        """What is told to have failed, where others are not tried for its failure."""
        return f"command {self.owner}"

    def stopper(self) -> "Task | None":
        """Return what came before it and failed, so that it is not tried."""
        return next((other for other in self.after if other.failure is not None), None)

    def skip(self, failed: "Task") -> None:
        """Give it up before it is tried."""
        self.fail(not_tried(failed.blame))

    def start(self) -> None:
        """Run to the first instruction."""
        self._advance(lambda: next(self._program))

    def receive(self, index: int, outcome: Any) -> None:  # noqa: ANN401
        """Take the outcome of one instruction; go on when all are there."""
        if self.waiting[index].tidies and isinstance(outcome, Failure):
            self.notes.append(f"{self.waiting[index].line()}: {outcome.reason}")
            outcome = self.waiting[index].predict()
        self._outcomes[index] = outcome
        self.notes += getattr(outcome, "notes", ())
        self.acted = _did(self.waiting.pop(index), outcome) or self.acted
        self.sent.discard(index)
        if self.waiting:
            return
        outcomes = tuple(self._outcomes[i] for i in sorted(self._outcomes))
        try:
            value = answer(self._request, outcomes)
        except InstructionFailed as failed:
            error = failed
            self._advance(lambda: self._program.throw(error))
        else:
            self._advance(lambda: self._program.send(value))

    def _marked(self, instruction: Instruction) -> Instruction:
        self._given += 1
        return instruction.once(f"{self._token}-{self._given}")

    def fail(self, failure: Failure) -> None:
        """Give it up; what it did by then is in doubt until somebody looks."""
        if self.acted and not failure.in_doubt:
            failure = replace(failure, in_doubt=True)
        self._end(failure)

    def call_off(self) -> None:
        """Have nothing more sent for it that acts, or takes its time; it may look at what it leaves."""
        while left := [n for n, i in self.waiting.items() if n not in self.sent and _can_be_left(i)]:
            self.cancelled = True
            for index in left:
                self.receive(index, CANCELLED)

    def _end(self, failure: Failure | None = None, result: Any = None) -> None:  # noqa: ANN401
        """End it; what it was asked and told is kept no longer."""
        self.done, self.failure, self.result = True, failure, result
        self.waiting, self.sent, self._request, self._outcomes = {}, set(), (), {}

    def _advance(self, step: Any) -> None:  # noqa: ANN401
        try:
            self._request = step()
        except StopIteration as stop:
            self._end(result=stop.value)
        except PartlyDone as failed:
            self.partly = True
            self._end(failed.failure, failed.left)
        except InstructionFailed as failed:
            self.fail(failed.failure)
        except Refused as refused:
            self.fail(Failure(reason=str(refused)))
        except ODD as error:  # an answer that its program did not foresee; it fails for itself alone
            self.fail(Failure(reason=f"the answer cannot be understood: {error!r}"))
        else:
            asked = instructions(self._request)
            self.waiting, self._outcomes = dict(enumerate(map(self._marked, asked))), {}
            if not asked:
                self._advance(lambda: self._program.send(()))


def _can_be_left(instruction: Instruction) -> bool:
    """Tell whether an instruction need not be sent any more: it acts, or takes its time."""
    return instruction.waits or not (instruction.looks or instruction.tidies)


def _did(instruction: Instruction, outcome: Any) -> bool:  # noqa: ANN401
    """Tell whether an instruction changed something, or may have; what a person did is what they report."""
    failed = isinstance(outcome, Failure) and not outcome.in_doubt
    return not (failed or instruction.looks or instruction.tidies or instruction.by_hand)
