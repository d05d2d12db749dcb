"""The driver batches by machine, drops repeated looks, and keeps failures apart."""

import asyncio
from collections.abc import Generator, Sequence
from dataclasses import replace
from typing import Any, ClassVar

import pytest

from lasercats.core.errors import MachineError, Refused
from lasercats.core.instruction import Batch, Failure, Instruction, InstructionFailed, PartlyDone
from lasercats.core.program import Step
from lasercats.core.registry import Domain
from lasercats.interpreters.context import Context
from lasercats.interpreters.driver import Driver
from lasercats.interpreters.task import Task


class Ask(Instruction, frozen=True, tag="test.ask"):
    """A look."""

    looks: ClassVar[bool] = True
    what: str


class Do(Instruction, frozen=True, tag="test.do"):
    """A change."""

    what: str


class Await(Instruction, frozen=True, tag="test.await"):
    """A look that waits."""

    looks: ClassVar[bool] = True
    waits: ClassVar[bool] = True
    what: str


class Make(Instruction, frozen=True, tag="test.make"):
    """A change that takes a token."""

    what: str

    def once(self, token: str) -> "Make":
        """Tell it apart by the token."""
        return Make(machine=self.machine, what=f"{self.what} {token}")


class Recorder:
    """A machine that remembers its batches and fails what is called `bad`."""

    vocabulary = ()

    def __init__(self, *, broken: bool = False, parallel: bool = False) -> None:
        self.batches: list[list[str]] = []
        self.trips, self._broken, self.parallel = 0, broken, parallel
        self.over = asyncio.Event()

    async def run(self, batch: Batch, sink: object = None, token: str = "") -> Sequence[Any]:
        self.batches.append([item.instruction.what for item in batch])  # type: ignore[attr-defined]
        self.trips += 1
        await asyncio.sleep(0)
        if any(isinstance(item.instruction, Await) for item in batch):
            await self.over.wait()
        if any(item.instruction.what == "end" for item in batch):  # type: ignore[attr-defined]
            self.over.set()
        if self._broken:
            raise MachineError("it is broken")
        outcomes: list[Any] = []
        for item in batch:
            what = item.instruction.what  # type: ignore[attr-defined]
            if any(isinstance(outcomes[i], Failure) for i in item.after):
                outcomes.append(Failure(reason="skipped", skipped=True))
            else:
                outcomes.append(Failure(reason="it is bad") if what == "bad" else f"{what}!")
        return outcomes


class Park:
    """The machines of a test."""

    def __init__(self, **machines: Recorder) -> None:
        self.machines = machines

    def check(self, name: str, domain: Domain | None = None) -> None:
        """Know them all."""

    def get(self, name: str) -> Any:  # noqa: ANN401
        return self.machines[name]

    def url(self, name: str) -> str:
        return f"test:{name}"

    def news(self, name: str) -> dict[str, dict[str, str]]:
        return {}


@pytest.fixture
def context(make_context: Any) -> Context:  # noqa: ANN401
    """A context on two recorders."""
    made: Context = make_context()
    return replace(made, machines=Park(m=Recorder(), n=Recorder()))


def program(*requests: Any) -> Generator[Any, Any, list[Any]]:  # noqa: ANN401
    """Yield requests one after another and return the answers."""
    answers = []
    for request in requests:
        answer = yield request
        answers += [answer]
    return answers


def run(context: Context, *tasks: Task) -> None:
    """Run tasks to their end."""
    asyncio.run(Driver(context).run(tasks))


def batches(context: Context, name: str) -> list[list[str]]:
    """Return what a machine was given."""
    machine: Recorder = context.machines.get(name)  # type: ignore[assignment]
    return machine.batches


def do(what: str, machine: str = "m") -> Do:
    """Make a change."""
    return Do(machine=machine, what=what)


def ask(what: str, machine: str = "m") -> Ask:
    """Make a look."""
    return Ask(machine=machine, what=what)


def test_a_hundred_programs_are_two_batches(context: Context) -> None:
    """Programs of two steps on one machine are two round trips, however many they are."""
    tasks = [Task(program(ask(f"a{n}"), do(f"d{n}"))) for n in range(100)]
    run(context, *tasks)
    assert [len(batch) for batch in batches(context, "m")] == [100, 100]
    assert tasks[7].result == ["a7!", "d7!"]


def test_equal_looks_are_made_once(context: Context) -> None:
    """A look that many programs want is sent once and answered to all; changes never are."""
    tasks = [Task(program(ask("same"), do("same"))) for _ in range(3)]
    run(context, *tasks)
    assert batches(context, "m") == [["same"], ["same", "same", "same"]]
    assert [task.result for task in tasks] == [["same!", "same!"]] * 3


def test_both_at_once(context: Context) -> None:
    """A pair of instructions for two machines is answered as a pair."""
    task = Task(program((ask("x", "m"), ask("y", "n"))))
    run(context, task)
    assert task.result == [("x!", "y!")]


def test_steps_that_depend_go_into_one_batch(context: Context) -> None:
    """Programs of one step stand in one batch in their order; a failure skips what depends on it."""
    first = Task(Step(do("bad"), str))
    second = Task(Step(do("second"), str), after=[first])
    other = Task(Step(do("other"), str))
    run(context, first, second, other)
    assert batches(context, "m") == [["bad", "second", "other"]]
    assert first.failure is not None
    assert second.failure is not None
    assert second.failure.skipped
    assert other.result == "other!"


def test_a_step_waits_for_another_machine(context: Context) -> None:
    """What depends on another machine waits until that one has answered, and is not sent if it failed."""
    first = Task(Step(do("one", "n"), str))
    second = Task(Step(do("two"), str), after=[first])
    bad = Task(Step(do("bad", "n"), str))
    never = Task(Step(do("never"), str), after=[bad])
    run(context, first, second, bad, never)
    assert batches(context, "m") == [["two"]]
    assert never.failure is not None


def test_an_answer_that_nobody_foresaw_fails_for_itself_alone(context: Context) -> None:
    """A program that stumbles over what it is told fails; what it did is in doubt, others go on."""

    def stumbling(instruction: Do | Ask) -> Generator[Any, Any, int]:
        return int((yield instruction))

    looking, acting, other = Task(stumbling(ask("a"))), Task(stumbling(do("b"))), Task(program(do("c")))
    run(context, looking, acting, other)
    assert looking.failure is not None
    assert "cannot be understood" in looking.failure.reason
    assert not looking.failure.in_doubt
    assert acting.failure is not None
    assert acting.failure.in_doubt
    assert other.result == ["c!"]


@pytest.mark.parametrize("answered", [KeyError("odd"), [], ["too", "many", "answers"]])
def test_a_machine_that_stumbles_takes_no_other_along(context: Context, answered: Any) -> None:  # noqa: ANN401
    """Whatever a machine raises or answers in the wrong number is a failure of its batch, and of no other."""

    async def run_(batch: Batch, sink: Any = None, token: str = "") -> Any:  # noqa: ANN401
        if isinstance(answered, Exception):
            raise answered
        return answered

    context.machines.get("m").run = run_  # type: ignore[method-assign]
    act, look, other = Task(program(do("a"))), Task(program(ask("b"))), Task(program(do("c", "n")))
    run(context, act, look, other)
    assert act.failure is not None
    assert act.failure.in_doubt
    assert look.failure is not None
    assert not look.failure.in_doubt
    assert other.result == ["c!"]


def test_a_program_can_handle_a_failure(context: Context) -> None:
    """A failure is thrown into the program, which may go on."""

    def careful() -> Generator[Any, Any, str]:
        try:
            yield do("bad")
        except InstructionFailed as failed:
            answer = yield do("repair")
            return f"{failed.failure.reason}, {answer}"
        return "fine"

    task = Task(careful())
    run(context, task)
    assert task.result == "it is bad, repair!"


def test_a_broken_machine_fails_only_its_own(context: Context) -> None:
    """When a machine cannot be used its programs fail and others go on."""
    context.machines.machines["n"] = Recorder(broken=True)  # type: ignore[attr-defined]
    good, bad = Task(program(do("x", "m"))), Task(program(do("x", "n")))
    run(context, good, bad)
    assert good.result == ["x!"]
    assert bad.failure is not None
    assert bad.failure.reason == "it is broken"


def test_nothing_more_is_sent_after_stop(context: Context) -> None:
    """Once the operator wants to stop, what is not sent is cancelled."""
    context.stop.set()
    task = Task(program(do("x")))
    run(context, task)
    assert batches(context, "m") == []
    assert task.failure is not None
    assert task.failure.reason.startswith("cancelled")


def test_who_waits_holds_up_nobody(context: Context) -> None:
    """On a machine that takes batches side by side, waiting is a batch of its own while others go on."""
    recorder = context.machines.machines["m"] = Recorder(parallel=True)  # type: ignore[attr-defined]
    waiting = [Task(program(Await(machine="m", what=f"w{n}"))) for n in range(2)]
    acting = Task(program(do("one"), do("two"), do("end")))
    run(context, *waiting, acting)
    assert recorder.batches == [["w0", "w1"], ["one"], ["two"], ["end"]]
    assert acting.result == ["one!", "two!", "end!"]
    assert [task.result for task in waiting] == [["w0!"], ["w1!"]]


def test_each_instruction_gets_a_token_of_its_own(context: Context) -> None:
    """What must not be done twice is told apart by task and turn; other instructions are left as they are."""
    make = Make(machine="m", what="x")
    run(context, Task(program(make, make), token="1"), Task(program(make, do("y")), token="2"))  # noqa: S106 - not a password
    assert batches(context, "m") == [["x 1-1", "x 2-1"], ["x 1-2", "y"]]


def test_a_program_may_fail_and_leave_something(context: Context) -> None:
    """What a program leaves behind when it fails is its result, and it failed all the same."""

    def half() -> Generator[Any, Any, str]:
        try:
            yield do("bad")
        except InstructionFailed as failed:
            raise PartlyDone(failed.failure, "half of it") from None
        return "all of it"

    task = Task(half())
    run(context, task)
    assert (task.partly, task.result) == (True, "half of it")
    assert task.failure == Failure(reason="it is bad")


def make_and_look(*requests: Any) -> Generator[Any, Any, None]:  # noqa: ANN401
    """Look at what is left when a request fails, and fail with that."""
    try:
        yield from program(*requests)
    except InstructionFailed as failed:
        raise PartlyDone(failed.failure, (yield Ask(machine="m", what="left"))) from None


@pytest.mark.parametrize("last", [do("bad"), Ask(machine="m", what="bad")])
def test_what_has_acted_and_fails_is_in_doubt(context: Context, last: Instruction) -> None:
    """Whatever fails after something was done, nobody says that nothing was; before that, that is so."""
    acted, refused = Task(program(do("x"), last)), Task(program(Ask(machine="m", what="y"), last))
    run(context, acted, refused)
    assert acted.failure == Failure(reason="it is bad", in_doubt=True)
    assert refused.failure == Failure(reason="it is bad")


def test_what_has_acted_and_is_refused_is_in_doubt(context: Context) -> None:
    """What a program makes of the answers may make no sense; what it did stays done."""

    def refuses() -> Generator[Any, Any, None]:
        yield do("x")
        raise Refused("that makes no sense")

    task = Task(refuses())
    run(context, task)
    assert task.failure == Failure(reason="that makes no sense", in_doubt=True)


def test_a_program_that_is_called_off_looks_at_what_it_leaves(context: Context) -> None:
    """Once the operator wants to stop, what has acted sends nothing more that acts or waits, but looks."""
    stop, recorder = context.stop, context.machines.get("m")
    sent = recorder.run

    async def stopping(batch: Batch, sink: object = None, token: str = "") -> Sequence[Any]:
        stop.set()
        return await sent(batch)

    recorder.run = stopping  # type: ignore[method-assign]
    task = Task(make_and_look(do("x"), (Await(machine="m", what="w"), do("y")), do("z")))
    run(context, task)
    assert batches(context, "m") == [["x"], ["left"]]
    assert (task.partly, task.result) == (True, "left!")
    assert task.failure is not None
    assert task.failure.skipped
