"""Rewriting history: from what commands did, an equivalent and shorter log of commands.

    deeds ──chains──▶ net change of each address ──converge──▶ commands ──gather──▶ commands over many

A *chain* is all that happened to one address between two barriers. Its net change is what composition leaves
of it: settings that were overwritten are gone, and what was made and removed is nothing at all. `converge`
says the net change in as few commands as it takes; where the original ones are no more, they are kept. Then
what is independent of each other commutes, so that equal commands gather into one over many addresses.

A *barrier* is a command whose effect is not in the state, or that takes something out of it without touching
the machine. It stays as it is, and what came before it in its lane (its machine) stays before it.

Nothing here is trusted: `evidence` decides the new commands one by one and compares where they end.
"""

from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import suppress
from graphlib import TopologicalSorter
from heapq import heappop, heappush
from itertools import pairwise
from typing import NamedTuple

import msgspec
from msgspec.structs import replace

from lasercats.core.address import Address, kind_of
from lasercats.core.change import Change, Delta
from lasercats.core.command import Command, Forget, effects, state_after, step, take
from lasercats.core.converge import arranged, converge_one, givable
from lasercats.core.errors import Refused
from lasercats.core.order import Dependencies, Lane, touched
from lasercats.core.record import NULL, OBSERVED, Event
from lasercats.core.registry import Kinds
from lasercats.core.resource import Resource, Role, StrangeResource, decisions, fields_of, same
from lasercats.core.state import State

FEW = 8
"""A chain of more commands than this is never kept as it was."""


class Deed(NamedTuple):
    """One event of the log, as far as rewriting is concerned."""

    command: int | None
    """The position of its command; None for an observation."""
    delta: dict[Address, tuple[msgspec.Raw, msgspec.Raw]]
    barrier: bool = False
    kept: bool = False
    """True for a command that stays whatever it is, because the operator wants it."""


class Rewritten(NamedTuple):
    """One command of the new log, and the positions of the original ones that it stands for."""

    command: Command
    stands_for: tuple[int, ...]


class Rewriting(NamedTuple):
    """The new log, before anything proved it."""

    commands: list[Rewritten]
    elided: tuple[int, ...]
    """Commands whose effect is not in the state, and that were marked as elidable."""
    withheld: "Withheld"
    """What no command can say, because nobody may give it or no installed kind knows it."""


Withheld = Mapping[Address, Mapping[str, str]]
"""What no command can say, with the reason: fields by name, and under no name (`""`) the whole resource."""
NONE: Withheld = {}


def deed(event: Event) -> Deed:
    """Return what an event of a log means here."""
    forgets = event.type == Forget.past and any(after == NULL for _, after in event.delta.values())
    command = None if event.type == OBSERVED else event.command
    return Deed(command, event.delta, event.opaque or forgets)


def rewrite(
    kinds: Kinds, deeds: Callable[[], Iterable[Deed]], fetch: Callable[[int], Command], start: State
) -> Rewriting:
    """Rewrite what was done from a state on; `fetch` gives the command of a position.

    The deeds are gone through more than once if need be, so they are given as a function. Pure otherwise.

    Raises:
        Refused: there are observations that need each other in a circle.

    """
    lane: Lane = kinds.machine_of
    work = _Rewriter(kinds, fetch, start, lane)
    if not work.run(deeds()):  # something needs what is on another machine
        lane = _one_lane
        work = _Rewriter(kinds, fetch, start, lane)
        work.run(deeds())
    made = work.gathered()
    if len(made) > work.count and not work.observed:
        plain = _Rewriter(kinds, fetch, start, lane, absorbing=False)
        plain.run(deeds())
        made = plain.gathered()
    return Rewriting(made, tuple(work.elided), work.withheld)


def evidence(commands: Iterable[Command], start: State, end: State) -> Address | None:
    """Return the first address where commands, decided one by one, do not end as they should, or None."""
    return difference(state_after(commands, start), end)


def difference(one: State, other: State, but: Withheld = NONE) -> Address | None:
    """Return the first address at which two states differ in what an operator decides and can say."""
    left, right = dict(one.items()), dict(other.items())

    def differs(address: Address) -> bool:
        sides, fields = (left.get(address), right.get(address)), but.get(address, {})
        if "" in fields or any(isinstance(side, StrangeResource) for side in sides):
            return False
        decided = [{n: v for n, v in decisions(side).items() if n not in fields} for side in sides]
        return (sides[0] is None) is not (sides[1] is None) or decided[0] != decided[1]

    differing = (a for a in left.keys() | right.keys() if not same(left.get(a), right.get(a)))
    return min(filter(differs, differing), default=None)


class _Chain:
    """What happened to one address between two barriers."""

    __slots__ = ("commands", "first", "last", "places", "sides")

    def __init__(self, before: msgspec.Raw) -> None:
        self.first = bytes(before)
        self.last = self.first
        self.commands: list[int | None] = []
        self.places: list[int] = []
        self.sides: list[bytes] = []

    def add(self, place: int, command: int | None, after: msgspec.Raw) -> None:
        self.last = bytes(after)
        self.commands.append(command)
        self.places.append(place)
        if len(self.sides) < FEW:
            self.sides.append(self.last)

    @property
    def originals(self) -> tuple[int, ...]:
        return tuple(sorted({c for c in self.commands if c is not None}))


class _Node:
    """One command at one address, or a barrier, on its way into the new log."""

    __slots__ = ("barrier", "command", "done", "originals", "place")

    def __init__(self, command: Command, place: int, originals: tuple[int, ...], *, barrier: bool) -> None:
        self.command, self.place, self.originals, self.barrier = command, place, originals, barrier
        self.done = False


class _Rewriter:
    """Goes through the deeds once."""

    def __init__(
        self,
        kinds: Kinds,
        fetch: Callable[[int], Command],
        start: State,
        lane: Lane,
        *,
        absorbing: bool = True,
    ) -> None:
        self._kinds, self._fetch, self._state, self._lane = kinds, fetch, start, lane
        self._absorbing = absorbing
        self._open = defaultdict[str | None, dict[Address, _Chain]](dict)
        self._nodes: list[_Node] = []
        self._sorter = TopologicalSorter[int]()
        self._order = Dependencies[int](kinds, lane)
        self._barriers: set[int] = set()
        self._effective: set[int | None] = set()
        self._crosses, self._place = False, 0
        self.elided: list[int] = []
        self.withheld: dict[Address, Mapping[str, str]] = {}
        self.observed = False

    @property
    def count(self) -> int:
        """How many commands had an effect."""
        return len(self._effective - {None})

    def run(self, deeds: Iterable[Deed]) -> bool:
        """Go through; return False where something needs what is in another lane."""
        lane_of, opened, effective, kinds = self._lane, self._open, self._effective, self._kinds.kinds
        place = 0
        for command, delta, opaque, kept in deeds:
            self._place = place = place + 1
            strange = [address for address in delta if kind_of(address) not in kinds]
            self.withheld |= {address: {"": "its kind is not installed"} for address in strange}
            barrier = opaque or bool(strange)
            if (barrier or kept) and command is not None:
                self._barrier(command, delta, place, kept=kept)
                continue
            effective.add(command)
            for address, (before, after) in delta.items():
                if address in strange:
                    continue
                chains = opened[lane_of(address)]
                chain = chains.get(address)
                if chain is None:
                    chain = chains[address] = _Chain(before)
                place += 1
                chain.add(place, command, after)
        for lane in list(opened):
            self._close(lane)
        self.observed = None in effective
        return not self._crosses

    def gathered(self) -> list[Rewritten]:
        """Return the commands in an order that works; equal ones that can be one command become one.

        A command over many is decided address by address, so one of its addresses may wait for another.
        """
        alike = [b"%d" % n if node.barrier else _key(node.command) for n, node in enumerate(self._nodes)]
        ready: list[tuple[int, int]] = []
        waiting: dict[bytes, list[int]] = {}
        result: list[Rewritten] = []

        def offer() -> None:
            for n in self._sorter.get_ready():
                heappush(ready, (self._nodes[n].place, n))
                waiting.setdefault(alike[n], []).append(n)

        self._sorter.prepare()
        offer()
        while ready:
            _, chosen = heappop(ready)
            if self._nodes[chosen].done:
                continue
            together: dict[tuple[Address, ...], _Node] = {}
            while wave := self._next(waiting, alike[chosen], together):
                for node in map(self._nodes.__getitem__, wave):
                    together[node.command.on], node.done = node, True
                self._sorter.done(*wave)
                offer()
            result.append(_together(list(together.values())))
        return result

    def _next(
        self, waiting: dict[bytes, list[int]], key: bytes, taken: Mapping[tuple[Address, ...], _Node]
    ) -> list[int]:
        """Take the nodes that may join a command now, sorted by address; no address joins it twice."""
        found = waiting.pop(key, [])
        free = [n for n in found if self._nodes[n].command.on not in taken]
        if len(free) < len(found):
            waiting[key] = [n for n in found if self._nodes[n].command.on in taken]
        return sorted(free, key=lambda n: self._nodes[n].command.on)

    def _barrier(
        self, position: int, delta: dict[Address, tuple[msgspec.Raw, msgspec.Raw]], place: int, *, kept: bool
    ) -> None:
        if position in self._barriers:
            return  # one command over many machines, of which each has its event
        self._barriers.add(position)
        command = self._fetch(position)
        if command.elidable and not kept:
            self.elided.append(position)
            return
        self._effective.add(position)
        for lane in dict.fromkeys(map(self._lane, command.on)):
            self._close(lane)
        node = self._add(_Node(command, place, (position,), barrier=True))
        self._sorter.add(node, *{n for address in command.on for n in self._order.barrier(address)})
        for address in command.on:
            self._order.set_barrier(address, node)
        self._state = take(command, self._state, self._kinds.decode_delta(delta))

    def _close(self, lane: str | None) -> None:
        """Make nodes of what happened in a lane since its last barrier."""
        chains = self._open.pop(lane, {})
        delta = Delta({address: change for address, change in self._net(chains) if change is not None})
        self._crosses = self._crosses or any(
            self._lane(other) != lane and self._is_managed(other)
            for address, change in delta.items()
            for other in touched(self._kinds, address, change)
        )
        start = self._state
        try:
            made = self._absorbed(chains, delta) if self._absorbing else None
        except Refused:
            made = None
        known = all(None not in chain.commands for chain in chains.values())
        if made is None or (known and len(made) > sum(len(chain.commands) for chain in chains.values())):
            if not known:
                raise Refused("what was observed here cannot be told as commands; rewrite a shorter range")
            self._state = start
            made = self._as_they_were(chains)
        for node, address, change in made:
            number = self._add(node)
            self._sorter.add(number, *(n for n in self._order.add(address, change, number) if n != number))

    def _is_managed(self, address: Address) -> bool:
        return self._state.get(address) is not None or address in self._open.get(self._lane(address), {})

    def _net(self, chains: dict[Address, _Chain]) -> Iterator[tuple[Address, Change[Resource] | None]]:
        decode = self._kinds.decode_resource
        for address, chain in chains.items():
            if chain.first != chain.last:
                change = Change(decode(address, chain.first), decode(address, chain.last))
                yield address, None if same(change.before, change.after) else self._sayable(address, change)

    def _sayable(self, address: Address, change: Change[Resource]) -> Change[Resource] | None:
        """Return a change as far as commands can say it."""
        if isinstance(change.before, StrangeResource) or isinstance(change.after, StrangeResource):
            self.withheld[address] = {"": "what is recorded of it cannot be read"}
            return None
        if (
            change.before is None and change.after is not None
        ):  # made for the first time, as far as this tells
            nothing = dict.fromkeys(fields_of(type(change.after), Role.COMPUTED))
            change = Change(None, replace(change.after, **nothing))
        delta, withheld = givable(self._kinds, Delta({address: change}))
        self.withheld |= withheld
        return delta.get(address)

    def _absorbed(
        self, chains: dict[Address, _Chain], delta: Delta
    ) -> list[tuple[_Node, Address, Change[Resource]]]:
        """Say each net change in as few commands as it takes, in an order that works."""
        made: list[tuple[_Node, Address, Change[Resource]]] = []
        for address, change in arranged(self._kinds, delta, self._state):
            chain, state = chains.get(address), self._state
            whole = chain is not None and delta.get(address) == change
            one = chain is not None and len(chain.commands) == 1
            kept = self._kept(address, chain, change) if chain and whole and one else None
            if kept is None:
                self._state = state
                fewest = self._fewest(address, change)
                then, self._state = self._state, state
                stays = chain and whole and self._may_stay(address, chain, change, len(fewest))
                kept = self._kept(address, chain, change) if chain and stays else None
            if kept is None:
                self._state, kept = then, list(self._anew(chain, fewest, address, change, state))
            if chain and None in chain.commands and not same(self._state.get(address), change.after):
                self.withheld[address] = {"": "no command makes it as it was found"}
                self._state, kept = state, []
            made += kept
        return made

    def _may_stay(self, address: Address, chain: _Chain, change: Change[Resource], fewest: int) -> bool:
        """Tell whether a chain of several commands is as good as it was."""
        return 1 < len(chain.commands) <= min(fewest, FEW) and self._is_plain(address, chain, change)

    def _anew(
        self,
        chain: _Chain | None,
        commands: list[Command],
        address: Address,
        change: Change[Resource],
        state: State,
    ) -> Iterator[tuple[_Node, Address, Change[Resource]]]:
        """Give the commands of a net change, each with its own part of it."""
        places, originals = (chain.places, chain.originals) if chain else ([self._place], ())
        place = places[-1 if change.before is None else 0]  # of a replacement, where it ended and began anew
        observed = chain is not None and None in chain.commands
        for command in commands:
            if len(commands) > 1:
                before, state = state.get(address), state_after([command], state)
                change = Change(before, state.get(address))
            fault = self._kinds.fault(command) if observed or address in self.withheld else None
            if fault is not None:
                self.withheld[address] = {"": fault}
                continue
            yield _Node(command, place, originals, barrier=False), address, change

    def _fewest(self, address: Address, change: Change[Resource]) -> list[Command]:
        """Return the commands of a net change; what others still need is forgotten, not removed."""
        state = self._state
        made, self._state, _ = converge_one(self._kinds, address, change, state)
        if change.after is None and self._state.get(address) is not None:
            made, self._state, _ = converge_one(self._kinds, address, change, state, needed=True)
        return made

    def _kept(
        self, address: Address, chain: _Chain, change: Change[Resource]
    ) -> list[tuple[_Node, Address, Change[Resource]]] | None:
        """Return the commands as they were, if they do here what they did; None if not."""
        kept = []
        for place, position, side in zip(chain.places, chain.commands, chain.sides, strict=True):
            if position is None:
                return None
            command = self._fetch(position)
            if address not in command.on:  # it displaced what was here, or altered what is given
                return None
            command = replace(command, on=(address,))
            before = self._state.get(address)
            try:
                self._state = step(command, address, self._state)
            except Refused:
                return None
            now = self._state.get(address)
            there = change.after if side is chain.last else self._kinds.decode_resource(address, side)
            if not same(now, there):
                return None
            kept.append((_Node(command, place, (position,), barrier=False), address, Change(before, now)))
        return kept

    def _is_plain(self, address: Address, chain: _Chain, change: Change[Resource]) -> bool:
        """Tell whether a chain, on its way, is nothing to its neighbours that its ends are not."""
        needs = self._kinds.kind(address).needs
        allowed = {
            n for side in (change.before, change.after) if side is not None for n in needs(address, side)
        }
        sides = [self._kinds.decode_resource(address, side) for side in chain.sides]
        presence = [side is not None for side in (change.before, *sides)]
        turns = sum(one != other for one, other in pairwise(presence))
        return turns <= 1 and all(set(needs(address, side)) <= allowed for side in sides if side is not None)

    def _as_they_were(self, chains: dict[Address, _Chain]) -> list[tuple[_Node, Address, Change[Resource]]]:
        """Return all commands at each address, in the order in which they were carried out."""
        steps = sorted(
            (place, address, position)
            for address, chain in chains.items()
            for place, position in zip(chain.places, chain.commands, strict=True)
        )
        made = []
        for place, address, position in steps:
            assert position is not None  # noqa: S101 - observations do not come here
            command = self._fetch(position)
            if address not in command.on:
                continue  # it comes with what the command does at its own addresses
            command = replace(command, on=(address,))
            node = _Node(command, place, (position,), barrier=False)
            with suppress(Refused):
                changes, self._state = effects(command, address, self._state)
                made += [(node, a, c) for a, c in changes if not same(c.before, c.after)]
        return made

    def _add(self, node: _Node) -> int:
        if not self._nodes or self._nodes[-1] is not node:  # one that displaces something comes for that, too
            self._nodes.append(node)
        return len(self._nodes) - 1


def _together(nodes: list[_Node]) -> Rewritten:
    if len(nodes) == 1:
        return Rewritten(nodes[0].command, nodes[0].originals)
    on = tuple(address for node in nodes for address in node.command.on)
    originals = sorted({position for node in nodes for position in node.originals})
    return Rewritten(replace(nodes[0].command, on=on), tuple(originals))


def _key(command: Command) -> bytes:
    return msgspec.json.encode(replace(command, on=()))


def _one_lane(_address: Address) -> None:
    return None
