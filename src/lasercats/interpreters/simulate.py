"""`simulate`: what the commands would do, from the state alone; each sees the effect of the one before."""

from collections.abc import Sequence
from dataclasses import replace

from lasercats.core.address import Address, label
from lasercats.core.change import Change, Delta, composed
from lasercats.core.command import Command, Effect, Target, decide_all
from lasercats.core.instruction import not_tried
from lasercats.core.order import Dependencies, turns
from lasercats.core.registry import Kinds
from lasercats.core.resource import same
from lasercats.core.state import State
from lasercats.interpreters.context import Context, Result


class Simulate:
    """Predicts; touches no machine and no log."""

    async def run(self, commands: Sequence[Command], context: Context) -> Sequence[Result]:
        """Predict what each command would do."""
        state = context.log.fold().state(context.kinds)
        results = simulate(commands, state)[0]
        return in_turns(results, state, context.kinds, context.serial) if context.serial else results


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


def in_turns(results: Sequence[Result], state: State, kinds: Kinds, size: int) -> list[Result]:
    """Return what would be done at so many addresses at a time: no more after a turn where one is refused."""
    targets = decide_all([result.command for result in results], state)[0]
    order, pairs = Dependencies[int](kinds), list[tuple[int, Address, list[int]]]()
    for n, target in enumerate(targets):
        after = _after(order, results[target.command].command, target, n)
        if after is not None:
            pairs.append((n, target.address, after))
    wrong, untried = "", dict[tuple[int, Address], str]()
    for turn in turns(pairs, size):
        ours = [targets[n] for n in turn]
        if wrong:
            untried |= {(t.command, t.address): not_tried(wrong).reason for t in ours}
        refused = next((t for t in ours if t.change is None), None)
        wrong = wrong or ("" if refused is None else label(refused.address))
    return [
        _without(result, {a: w for (i, a), w in untried.items() if i == n})
        for n, result in enumerate(results)
    ]


def _after(order: Dependencies[int], command: Command, target: Target, n: int) -> list[int] | None:
    """Return what of a run a target comes after; None where there is nothing to do at it."""
    if target.change is None:
        return []
    if command.effect is Effect.OPAQUE:
        before = order.barrier(target.address)
        order.set_barrier(target.address, n)
        return before
    idle = same(target.change.before, target.change.after) and not order.after(target.address, target.change)
    if idle or command.effect is Effect.RECORD or not command.ends:
        return None
    return order.add(target.address, target.change, n)


def _without(result: Result, untried: dict[Address, str]) -> Result:
    if not untried:
        return result
    problems = {**result.problems, **untried}
    delta = Delta({a: change for a, change in result.delta.items() if a not in untried})
    status = _status(result.command, delta, problems)
    return replace(result, status=status, delta=delta, problems=problems, untried=set(untried))


def _status(command: Command, delta: Delta, problems: dict[Address, str]) -> str:
    if problems:
        return "refused" if len(problems) == len(command.on) else "failed"
    return "done" if delta or command.effect is Effect.OPAQUE else "unchanged"
