"""Programs: generators that yield instructions and receive their outcomes.

A program never does anything; it says what it wants done and goes on with the answer, so it is a pure
function of what it was made from and of the outcomes: with the same outcomes it runs again the same way.
`yield (a, b)` has both done at once and receives both answers.
"""

from collections.abc import Callable, Generator
from functools import partial
from typing import Any, TypeAlias, TypeVar

from lasercats.core.address import Address
from lasercats.core.instruction import Failure, Instruction, InstructionFailed
from lasercats.core.resource import Resource

T = TypeVar("T")

Request: TypeAlias = Instruction | tuple[Instruction, ...]
Program: TypeAlias = Generator[Request, Any, T]
Known: TypeAlias = Callable[[Address], Resource | None]
"""What is known at an address when a program asks: what an earlier program made, else the state."""


class Each(tuple[Instruction, ...]):
    """Instructions that are done at once; where one fails, its `Failure` is received as its answer."""

    __slots__ = ()


class Step:
    """A program that knows its instructions beforehand: do them in order, and make the result of the answer.

    Saying so lets the live interpreter put what depends on it into the same batch, behind it: a
    directory and the files in it are made in one round trip.
    """

    __slots__ = ("conclude", "instruction")

    def __init__(self, instruction: Request, conclude: Callable[[Any], Any]) -> None:
        """Do `instruction`, or several, each after the one before it; the result is `conclude(answer)`."""
        self.instruction = instruction
        self.conclude = conclude

    def __iter__(self) -> "Program[Any]":
        """Run as any program."""
        return self.program()

    def program(self) -> "Program[Any]":
        """Return the generator of it."""
        return self.conclude((yield self.instruction))


def alongside(extra: Instruction, program: "Program[T]") -> "Program[T]":
    """Run a program, and do something more together with the first that it wants done."""
    more: tuple[Instruction, ...] = (extra,)
    step: Callable[[], Request] = partial(next, program)
    while True:
        try:
            request = step()
        except StopIteration as stop:
            if more:
                yield extra
            result: T = stop.value
            return result
        own, more = more, ()
        shape = type(request) if isinstance(request, tuple) else tuple
        try:
            value = yield shape((*own, *instructions(request))) if own else request
        except InstructionFailed as failed:
            step = partial(program.throw, failed)
        else:
            step = partial(program.send, answer(request, value[1:]) if own else value)


def instructions(request: Request) -> tuple[Instruction, ...]:
    """Return the instructions of a request."""
    return request if isinstance(request, tuple) else (request,)


def generator(program: "Step | Program[T]") -> "Program[T]":
    """Return the generator of a program, however it was written."""
    return program.program() if isinstance(program, Step) else program


def answer(request: Request, outcomes: tuple[Any, ...]) -> Any:  # noqa: ANN401
    """Shape the outcomes as the program that made the request expects them.

    Raises:
        InstructionFailed: one of the outcomes is a failure.

    """
    for outcome in () if isinstance(request, Each) else outcomes:
        if isinstance(outcome, Failure):
            raise InstructionFailed(outcome)
    return outcomes if isinstance(request, tuple) else outcomes[0]


def drive(program: "Program[T]", respond: Callable[[Instruction], Any]) -> T:
    """Run a program to its end with a function that answers each instruction.

    Raises:
        InstructionFailed: an answer was a failure and the program did not handle it.

    """
    try:
        request = next(program)
        while True:
            try:
                value = answer(request, tuple(map(respond, instructions(request))))
            except InstructionFailed as failed:
                request = program.throw(failed)
            else:
                request = program.send(value)
    except StopIteration as stop:
        result: T = stop.value
        return result
