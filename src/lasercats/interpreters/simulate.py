"""`simulate`: what the commands would do, from the state alone; each sees the effect of the one before."""

from collections.abc import Sequence

from lasercats.core.address import Address
from lasercats.core.change import Change, Delta, composed
from lasercats.core.command import Command, Effect
from lasercats.core.resource import same
from lasercats.core.settle import decide_all
from lasercats.core.state import State
from lasercats.interpreters.context import Context, Result


class Simulate:
    """Predicts; touches no machine and no log."""

    async def run(self, commands: Sequence[Command], context: Context) -> Sequence[Result]:
        """Predict what each command would do."""
        return simulate(commands, context.log.fold().state(context.kinds))[0]


def simulate(commands: Sequence[Command], state: State) -> tuple[list[Result], State]:
    """Predict commands on a state; return what each would do, and the state they would leave. Pure."""
    targets, state = decide_all(commands, state)
    by_command: dict[int, list[tuple[Address, Change | None, str | None]]] = {}  # type: ignore[type-arg]
    for target in targets:
        by_command.setdefault(target.command, []).append(target[1:4])
    results = []
    for index, command in enumerate(commands):
        deltas, problems = list[Delta](), dict[Address, str]()
        for address, change, refusal in by_command.get(index, ()):
            if change is None:
                problems[address] = refusal or "refused"
            elif not same(change.before, change.after):
                deltas.append(Delta({address: change}))
        delta = composed(deltas)
        results.append(Result(command, _status(command, delta, problems), delta, problems=problems))
    return results, state


def _status(command: Command, delta: Delta, problems: dict[Address, str]) -> str:
    if problems:
        return "refused" if len(problems) == len(command.on) else "failed"
    return "done" if delta or command.effect is Effect.OPAQUE else "unchanged"
