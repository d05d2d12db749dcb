"""The parts of a delta in an order that works: what is needed comes first, what is in the way gives way."""

from collections.abc import Collection, Iterator, Mapping, Sequence
from graphlib import CycleError, TopologicalSorter
from typing import NamedTuple

from lasercats.core.address import Address
from lasercats.core.change import Change, Delta
from lasercats.core.circle import fewest
from lasercats.core.errors import Refused
from lasercats.core.reference import is_initial, let_go, moved_at_rest, references
from lasercats.core.registry import Kinds
from lasercats.core.resource import Resource, same
from lasercats.core.state import State


class Part(NamedTuple):
    """One change that is made at once.

    What is replaced is two of them, its end and its new beginning; what lets go of it meanwhile, too.
    """

    address: Address
    change: Change[Resource]


Key = tuple[Address, int]
"""A part: the first of its address, or the second; -1 is the one by which it comes to rest before."""


def ordered(kinds: Kinds, delta: Delta, state: State) -> list[Part]:
    """Return a delta in parts, so that what is needed comes first, goes last, and rivals go before.

    What cannot be changed in place is replaced, and with it what needs it before and after, changed or not;
    what can be without it meanwhile lets go of it and takes it up again. What others wait for, and itself
    waits for them, makes room first, in as few parts as can be.

    Raises:
        Refused: they need each other in a circle.

    """
    return list(sorted_parts(kinds, delta, state)[0].values())


def sorted_parts(kinds: Kinds, delta: Delta, state: State) -> tuple[dict[Key, Part], dict[Key, set[Key]]]:
    """Return the parts of a delta in order, and of each what it cannot go without."""
    again: dict[Address, Replacement] = dict(replaced(kinds, delta, state))
    end = state.apply(delta)
    while True:
        parts = _rested(kinds, _parts(delta, again))
        graph: dict[Key, dict[Key, None]] = {key: {} for key in parts}  # in an order that is always the same
        hard: dict[Key, set[Key]] = {key: set() for key in parts}
        released = _holders(kinds, parts)
        for key in parts:
            resting = list(_at_rest(kinds, parts, key))
            waits = (*_edges(kinds, parts, key), *_after_release(kinds, parts, key, released))
            free = [(first, then) for first, then in waits if (then, first) not in resting]
            for first, then in (*free, *resting):
                graph[then][first] = None
                if (
                    parts[first].change.before is None
                    or parts[first].change.after is None
                    or first[0] == then[0]
                ):
                    hard[then].add(first)
        try:
            order = list(TopologicalSorter(graph).static_order())
            return {key: parts[key] for key in order}, hard
        except CycleError as error:
            circle = list(dict.fromkeys(address for address, _ in error.args[1]))
        opened = _with_room(kinds, parts, again, graph, state, end)
        opened = opened or next(
            (p for p in (_opened(delta, again, a, circle) for a in sorted(circle)) if p), None
        )
        if opened is None:
            path = " → ".join([*circle, circle[0]])
            raise Refused(f"these changes need each other in a circle: {path}; make one of them first")
        again |= opened


def _with_room(
    kinds: Kinds,
    parts: Mapping[Key, Part],
    again: Mapping[Address, "Replacement"],
    graph: Mapping[Key, Collection[Key]],
    state: State,
    end: State,
) -> dict[Address, "Replacement"] | None:
    """Return how all circles are opened, by as few as can be that make room first; None where none can."""
    cost = {
        key: kinds.kind(part.address).effort(part.change.before)
        for key, part in parts.items()
        if part.address not in again and meanwhile_of(kinds, part, state, end) is not None
    }
    made: dict[Address, Replacement] = {}
    for key in (fewest(graph, cost) or ()) if cost else ():
        address, change = parts[key]
        meanwhile = meanwhile_of(kinds, parts[key], state, end)
        state = state.holding(address, meanwhile)
        made[address] = Replacement(change, meanwhile)
    return made or None


def meanwhile_of(kinds: Kinds, part: Part, state: State, end: State) -> Resource | None:
    """Return what a resource is while it makes room; None where it does not."""
    address, change = part
    if change.before is None or change.after is None:
        return None
    meanwhile = kinds.kind(address).aside(address, change, state, end)
    return (
        None
        if meanwhile is None or same(meanwhile, change.before) or same(meanwhile, change.after)
        else meanwhile
    )


def _parts(delta: Delta, again: Mapping[Address, "Replacement"]) -> dict[Key, Part]:
    parts: dict[Key, Part] = {}
    twice = {address: change for address, (change, _) in again.items()}
    for address, change in sorted({**delta, **twice}.items(), key=lambda item: item[0]):
        if address in again:
            parts[address, 0] = Part(address, Change(change.before, again[address].meanwhile))
            parts[address, 1] = Part(address, Change(again[address].meanwhile, change.after))
        else:
            parts[address, 0] = Part(address, change)
    return parts


def _rested(kinds: Kinds, parts: Mapping[Key, Part]) -> dict[Key, Part]:
    """Return the parts, with one more for what comes to rest before it ends, as others let go of it."""
    more = dict(parts)
    for _, change in parts.values():
        for other in moved_at_rest(change.before, change.after)[0]:
            ending = parts.get((Address(other), 0))
            before = None if ending is None or ending.change.after is not None else ending.change.before
            rest = None if before is None else kinds.kind(Address(other)).rests(before)
            if before is not None and rest is not None:
                more[Address(other), -1] = Part(Address(other), Change(before, rest))
                more[Address(other), 0] = Part(Address(other), Change(rest, None))
    return more


def _at_rest(kinds: Kinds, parts: Mapping[Key, Part], key: Key) -> Iterator[tuple[Key, Key]]:
    """Iterate over what is at rest while a part lets go of it or takes it up, and what comes first then."""
    gone, new = moved_at_rest(parts[key].change.before, parts[key].change.after)
    for other in (*gone, *new):
        for first in ((Address(other), n) for n in (-1, 0, 1)):
            sides = parts[first].change if first in parts else None
            if sides is None or sides.before is None or sides.after is None:
                continue
            rests = [kinds.kind(first[0]).rests(side) is not None for side in (sides.before, sides.after)]
            if rests == [True, False] and other in gone:
                yield first, key
            elif rests == [False, True]:
                yield key, first


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


def _edges(kinds: Kinds, parts: Mapping[Key, Part], key: Key) -> Iterator[tuple[Key, Key]]:
    """Iterate over what of two parts comes first, as far as it concerns one of them."""
    address, change = parts[key]
    kind = kinds.kind(address)
    if (address, key[1] - 1) in parts:
        yield (address, key[1] - 1), key
    for need in () if change.after is None else kind.needs(address, change.after):
        maker, remover = _maker(parts, need), _remover(parts, need)
        if maker is not None:
            yield _settled(kinds, parts, maker), key
        elif remover is not None:
            yield key, remover
    left = () if change.before is None else kind.needs(address, change.before)
    yield from ((key, gone) for need in left if (gone := _remover(parts, need)) is not None)
    rivals = kind.rivals(address) if change.before is None else ()
    yield from ((gone, key) for rival in rivals if (gone := _remover(parts, rival)) is not None)


def _holders(kinds: Kinds, parts: Mapping[Key, Part]) -> dict[Address, list[Key]]:
    """Return, for all that resources have to themselves, the parts that let go of it."""
    released: dict[Address, list[Key]] = {}
    for key, (address, change) in parts.items():
        kept = {*kinds.held(address, change.after)}
        for held in kinds.held(address, change.before):
            if held not in kept:
                released.setdefault(held, []).append(key)
    return released


def _after_release(
    kinds: Kinds, parts: Mapping[Key, Part], key: Key, released: Mapping[Address, list[Key]]
) -> Iterator[tuple[Key, Key]]:
    """Iterate over what must let go of something before a part makes what has it to itself."""
    address, change = parts[key]
    if not released or (change.before is not None and not kinds.kind(address).has("aside")):
        return
    kept = {*kinds.held(address, change.before)}
    for held in kinds.held(address, change.after):
        others = () if held in kept else released.get(held, ())
        yield from ((other, key) for other in others if other[0] != address)


def _settled(kinds: Kinds, parts: Mapping[Key, Part], key: Key) -> Key:
    """Return the part after which what only makes room meanwhile is in its place."""
    change, then = parts[key].change, (key[0], 1)
    made_room = then in parts and change.before is not None and kinds.kind(key[0]).has("aside")
    return then if made_room else key


def _maker(parts: Mapping[Key, Part], address: Address) -> Key | None:
    """Return the part after which something is there, where there is one."""
    return next((key for key in _of(parts, address) if parts[key].change.after is not None), None)


def _remover(parts: Mapping[Key, Part], address: Address) -> Key | None:
    """Return the part after which something is not there any more, where there is one."""
    return next((key for key in _of(parts, address) if parts[key].change.after is None), None)


def _of(parts: Mapping[Key, Part], address: Address) -> list[Key]:
    return [key for key in ((address, 0), (address, 1)) if key in parts]
