"""Convergence: from a delta to the commands that bring it about, in an order that works."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from graphlib import CycleError, TopologicalSorter
from typing import NamedTuple

from msgspec.structs import replace

from lasercats.core.address import Address, kind_of
from lasercats.core.change import Change, Delta
from lasercats.core.command import Command, Forget, state_after
from lasercats.core.errors import Refused
from lasercats.core.kind import Kinds
from lasercats.core.reference import is_initial, let_go, references
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
    needed = _needed_by(kinds, delta, state)
    for address, change in ordered(kinds, delta, state):
        stays = address in needed and address in delta and delta[address].after is None
        made, state = converge_one(kinds, address, change, state, exact=exact, needed=stays)
        commands += made
    return _together(kinds, commands)


def _together(kinds: Kinds, commands: Sequence[Command]) -> list[Command]:
    """Return commands, as one where they follow each other and say the same of what is told as a range."""
    made: list[tuple[Command, list[Address]]] = []
    for command in commands:
        last, on = made[-1] if made else (None, [])
        if last is not None and _says_the_same(kinds, last, command):
            on += command.on
        else:
            made.append((command, list(command.on)))
    return [c if len(on) == len(c.on) else replace(c, on=tuple(dict.fromkeys(on))) for c, on in made]


def _says_the_same(kinds: Kinds, one: Command, other: Command) -> bool:
    """Tell whether a command says of a range what another says of names on the same machine."""
    sides = {address.partition(":")[0] for address in (*one.on, *other.on)}
    ranged = len(sides) == 1 and kinds.kind(one.on[0]).resource.ranged
    return ranged and type(one) is type(other) and replace(one, on=other.on) == other


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
    state = state_after(made, state)
    if exact and change.after is not None:
        released = _released(state.get(address), change.after)
        if released:
            made.append(Forget(on=(address,), fields=released))
            state = state_after(made[-1:], state)
    return made, state


def _needed_by(kinds: Kinds, delta: Delta, state: State) -> set[Address]:
    """Return what must stay, because something that is there in the end needs it.

    A directory that nobody decides any more, with a file in it that somebody does, is forgotten, not removed.
    """
    if all(change.after is not None for change in delta.values()):
        return set()
    needed: set[Address] = set()
    for address, resource in state.apply(delta).items():
        needed.update(kinds.kind(address).needs(address, resource))
    return needed


class Part(NamedTuple):
    """One change that is made at once.

    What is replaced is two of them, its end and its new beginning; what lets go of it meanwhile, too.
    """

    address: Address
    change: Change[Resource]


_Key = tuple[Address, int]
"""A part: the first of its address, or the second."""


def ordered(kinds: Kinds, delta: Delta, state: State) -> list[Part]:
    """Return a delta in parts, so that what is needed comes first, goes last, and rivals go before.

    What cannot be changed in place is replaced, and with it what needs it before and after, changed or not;
    what can be without it meanwhile lets go of it and takes it up again.

    Raises:
        Refused: they need each other in a circle.

    """
    again = replaced(kinds, delta, state)
    while True:
        parts = _parts(delta, again)
        graph: TopologicalSorter[_Key] = TopologicalSorter()
        released = _holders(kinds, parts)
        for key in parts:
            graph.add(key)
            for first, then in (*_edges(kinds, parts, key), *_after_release(kinds, parts, key, released)):
                graph.add(then, first)
        try:
            return [parts[key] for key in graph.static_order()]
        except CycleError as error:
            circle = list(dict.fromkeys(address for address, _ in error.args[1]))
        opened = next((p for p in (_opened(delta, again, a, circle) for a in sorted(circle)) if p), None)
        if opened is None:
            told = " → ".join([*circle, circle[0]])
            raise Refused(f"these changes need each other in a circle: {told}; make one of them first")
        again |= opened


def _parts(delta: Delta, again: Mapping[Address, "Replacement"]) -> dict[_Key, Part]:
    parts: dict[_Key, Part] = {}
    twice = {address: change for address, (change, _) in again.items()}
    for address, change in sorted({**delta, **twice}.items(), key=lambda item: item[0]):
        if address in again:
            parts[address, 0] = Part(address, Change(change.before, again[address].meanwhile))
            parts[address, 1] = Part(address, Change(again[address].meanwhile, change.after))
        else:
            parts[address, 0] = Part(address, change)
    return parts


def _opened(
    delta: Delta, again: Mapping[Address, "Replacement"], address: Address, circle: Sequence[Address]
) -> dict[Address, "Replacement"] | None:
    """Return how a circle is opened at an address: it is made, or is on its way out, without the others."""
    change = delta.get(address)
    if change is None or address in again or (change.before and change.after):
        return None
    free = whole = change.after or change.before
    for other in circle:
        if free is not None and other != address and any(value == other for _, value in references(free)):
            free = let_go(free, other)
    return None if free is None or free == whole else {address: Replacement(change, free)}


class Replacement(NamedTuple):
    """A change that is made in two parts, and what is there between them."""

    change: Change[Resource]
    meanwhile: Resource | None = None


def replaced(kinds: Kinds, delta: Delta, state: State) -> dict[Address, Replacement]:
    """Return what a delta replaces: what cannot be changed in place, and what cannot stay without that."""
    replaces = ((a, c) for a, c in delta.items() if c.before and c.after and kinds.kind(a).replaces(c))
    found = {address: Replacement(change) for address, change in replaces}
    if not found:
        return {}
    users: dict[Address, list[tuple[Address, Resource]]] = {}
    for address, resource in state.items():
        for need in kinds.kind(address).needs(address, resource):
            if not is_initial(resource, need):
                users.setdefault(need, []).append((address, resource))
    waiting = list(found)
    while waiting:
        need = waiting.pop()
        for address, resource in users.get(need, ()):
            change = delta.get(address, Change(resource, resource))
            still = () if change.after is None else kinds.kind(address).needs(address, change.after)
            if need not in still or (address in found and found[address].meanwhile is None):
                continue
            there = found[address].meanwhile if address in found else change.before
            meanwhile = None if there is None else let_go(there, need)
            found[address] = Replacement(change, meanwhile)
            if meanwhile is None:
                waiting.append(address)
    return found


def _edges(kinds: Kinds, parts: Mapping[_Key, Part], key: _Key) -> Iterator[tuple[_Key, _Key]]:
    """Iterate over what of two parts comes first, as far as it concerns one of them."""
    address, change = parts[key]
    kind = kinds.kind(address)
    if key[1]:
        yield (address, 0), key
    for need in () if change.after is None else kind.needs(address, change.after):
        maker, remover = _maker(parts, need), _remover(parts, need)
        if maker is not None:
            yield maker, key
        elif remover is not None:
            yield key, remover
    for need in () if change.before is None else kind.needs(address, change.before):
        remover = _remover(parts, need)
        if remover is not None:
            yield key, remover
    for rival in kind.rivals(address) if change.before is None else ():
        remover = _remover(parts, rival)
        if remover is not None:
            yield remover, key


def _holders(kinds: Kinds, parts: Mapping[_Key, Part]) -> dict[tuple[str, str], list[_Key]]:
    """Return, for all that a kind's resources have to themselves, the parts that let go of it."""
    released: dict[tuple[str, str], list[_Key]] = {}
    for key, (address, change) in parts.items():
        kind = kinds.kind(address)
        if change.before is not None:
            kept = set(() if change.after is None else kind.holds(change.after))
            for held in kind.holds(change.before):
                if held not in kept:
                    released.setdefault((_lane(kinds, address), held), []).append(key)
    return released


def _after_release(
    kinds: Kinds, parts: Mapping[_Key, Part], key: _Key, released: Mapping[tuple[str, str], list[_Key]]
) -> Iterator[tuple[_Key, _Key]]:
    """Iterate over what must let go of something before a part makes what has it to itself."""
    address, change = parts[key]
    if change.before is None and change.after is not None and released:
        for held in kinds.kind(address).holds(change.after):
            yield from ((other, key) for other in released.get((_lane(kinds, address), held), ()))


def _lane(kinds: Kinds, address: Address) -> str:
    return f"{kind_of(address)}/{kinds.machine_of(address)}"


def _maker(parts: Mapping[_Key, Part], address: Address) -> _Key | None:
    """Return the part after which something is there, where there is one."""
    keys = (key for key in ((address, 0), (address, 1)) if key in parts)
    return next((key for key in keys if parts[key].change.after is not None), None)


def _remover(parts: Mapping[_Key, Part], address: Address) -> _Key | None:
    """Return the part after which something is not there any more, where there is one."""
    keys = (key for key in ((address, 0), (address, 1)) if key in parts)
    return next((key for key in keys if parts[key].change.after is None), None)


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
