"""Convergence: from a delta to the commands that bring it about, in an order that works."""

from collections.abc import Iterable, Iterator, Mapping
from graphlib import CycleError, TopologicalSorter
from typing import NamedTuple

from msgspec.structs import replace

from lasercats.core.address import Address
from lasercats.core.change import Change, Delta
from lasercats.core.command import Command, Forget, decide, take
from lasercats.core.errors import Refused
from lasercats.core.kind import Kinds
from lasercats.core.resource import Resource, decided_fields, decisions, overlay, same
from lasercats.core.state import State


def wanted(state: State, wish: Mapping[Address, Resource], *, prune: Iterable[Address] = ()) -> Delta:
    """Return the delta from a state to a wish: what the wish does not decide stays as it is."""
    changes: dict[Address, Change[Resource]] = {}
    for address, resource in wish.items():
        before = state.get(address)
        after = overlay(before, resource)
        if not same(before, after):
            changes[address] = Change(before, after)
    for address in prune:
        changes[address] = Change(state.get(address), None)
    return Delta(changes)


def converge(kinds: Kinds, delta: Delta, state: State, *, exact: bool = True) -> list[Command]:
    """Return the commands that, decided one by one from `state`, bring a delta about.

    With `exact`, a field that the target leaves undecided is left undecided (law 2, undo); without it,
    such a field is left as the commands decide it (a document).

    Raises:
        Refused: the changes need each other in a circle.

    """
    commands: list[Command] = []
    needed = needed_by(kinds, delta, state)
    for address in ordered(kinds, delta):
        made, state = converge_one(
            kinds, address, delta[address], state, exact=exact, needed=address in needed
        )
        commands += made
    return commands


def converge_one(
    kinds: Kinds,
    address: Address,
    change: Change[Resource],
    state: State,
    *,
    exact: bool = True,
    needed: bool = False,
) -> tuple[list[Command], State]:
    """Return the commands that bring one change about, and the state after them.

    What is `needed` by something that stays is forgotten, not removed.
    """
    if change.after is None and needed:
        made: list[Command] = [Forget(on=(address,))]
    else:
        made = list(kinds.kind(address).converge(address, change))
    state = after(made, state)
    if exact and change.after is not None:
        released = _released(state.get(address), change.after)
        if released:
            made.append(Forget(on=(address,), fields=released))
            state = after(made[-1:], state)
    return made, state


def after(commands: Iterable[Command], state: State) -> State:
    """Return the state after commands, as far as they are not refused."""
    for command in commands:
        state = take(command, state, decide(command, state).delta)
    return state


def needed_by(kinds: Kinds, delta: Delta, state: State) -> set[Address]:
    """Return what must stay, because something that is there in the end needs it.

    A directory that nobody decides any more, with a file in it that somebody does, is forgotten, not removed.
    """
    if all(change.after is not None for change in delta.values()):
        return set()
    needed: set[Address] = set()
    for address, resource in state.apply(delta).items():
        needed.update(kinds.kind(address).needs(address, resource))
    return needed


def ordered(kinds: Kinds, delta: Delta) -> list[Address]:
    """Return the addresses so that what is needed comes first, goes last, and rivals go before.

    Raises:
        Refused: they need each other in a circle.

    """
    graph: TopologicalSorter[Address] = TopologicalSorter()
    for address, change in sorted(delta.items()):
        graph.add(address)
        for first, then in _edges(kinds, delta, address, change):
            graph.add(then, first)
    try:
        return list(graph.static_order())
    except CycleError as error:
        circle = " → ".join(error.args[1])
        raise Refused(
            f"these changes need each other in a circle: {circle}; make one of them first"
        ) from None


def _edges(
    kinds: Kinds, delta: Delta, address: Address, change: Change[Resource]
) -> Iterator[tuple[Address, Address]]:
    kind = kinds.kind(address)
    if change.after is not None:
        for need in kind.needs(address, change.after):
            if need in delta:
                yield (address, need) if delta[need].after is None else (need, address)
    if change.before is not None:
        for need in kind.needs(address, change.before):
            if need in delta and delta[need].after is None:
                yield address, need
    if change.before is None:
        for rival in kind.rivals(address):
            if rival in delta and delta[rival].after is None:
                yield rival, address


def _released(now: Resource | None, target: Resource) -> tuple[str, ...]:
    undecided = {n for n in decided_fields(type(target)) if getattr(target, n) is None}
    return tuple(name for name in decisions(now) if name in undecided)


class Retraction(NamedTuple):
    """What undoing a delta means now, and what stands in its way."""

    delta: Delta
    conflicts: Mapping[Address, str]


def retract(delta: Delta, state: State) -> Retraction:
    """Return how to take a delta back from a state that went on since.

    Only the fields that the delta changed are taken back. Where something changed them again, that is a
    conflict, and the address is left out.
    """
    changes: dict[Address, Change[Resource]] = {}
    conflicts: dict[Address, str] = {}
    for address, change in delta.items():
        now = state.get(address)
        conflict = _conflict(change, now)
        if conflict is not None:
            conflicts[address] = conflict
        elif not same(now, change.before):
            changes[address] = Change(now, _taken_back(change, now))
    return Retraction(Delta(changes), conflicts)


def _taken_back(change: Change[Resource], now: Resource | None) -> Resource | None:
    if change.before is None or change.after is None or now is None:
        return change.before
    return replace(now, **{name: getattr(change.before, name) for name in change.fields})


def _conflict(change: Change[Resource], now: Resource | None) -> str | None:
    if change.after is None:
        return None if now is None or same(now, change.before) else "something is there again"
    if now is None:
        return None if change.before is None else "it has been removed since"
    if change.before is None:
        return None if same(now, change.after) else _since(Change(change.after, now))
    again = [n for n in change.fields if getattr(now, n) != getattr(change.after, n)]
    if same(now, change.before):
        return None
    return f"{', '.join(again)} changed again since" if again else None


def _since(change: Change[Resource]) -> str:
    return f"{', '.join(change.fields)} changed since"
