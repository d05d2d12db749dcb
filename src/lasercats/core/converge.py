"""Convergence: from a delta to the commands that bring it about, in an order that works."""

from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from typing import Any, NamedTuple

from msgspec.structs import replace

from lasercats.core.address import Address
from lasercats.core.change import Change, Delta
from lasercats.core.command import Command, Forget, Protect, Unprotect, state_after, step
from lasercats.core.errors import Refused
from lasercats.core.loose import ODD
from lasercats.core.parts import Key, Part, meanwhile_of, sorted_parts
from lasercats.core.registry import Kinds
from lasercats.core.resource import (
    Resource,
    StrangeResource,
    decided_fields,
    decisions,
    keeps,
    of_machine,
    overlay,
    same,
    shrinks,
    unprotected,
)
from lasercats.core.state import State


def wanted(state: State, desired: Mapping[Address, Resource], *, prune: Iterable[Address] = ()) -> Delta:
    """Return the delta from a state to a desired one: what that does not decide stays as it is."""
    changes: dict[Address, Change[Resource]] = {}
    for address, resource in desired.items():
        before = state.get(address)
        if before is not None and keeps(before, resource):
            continue  # as mostly all is, so nothing is made for it
        after = overlay(before, resource)
        if not same(before, after):
            changes[address] = Change(before, after)
    for address in prune:
        changes[address] = Change(state.get(address), None)
    return Delta(changes)


def converge(
    kinds: Kinds, delta: Delta, state: State, *, exact: bool = True, amends: bool = False
) -> list[Command]:
    """Return the commands that, decided one by one from `state`, bring a delta about.

    With `exact`, a field that the target leaves undecided is left undecided (law 2, undo); without it,
    such a field is left as the commands decide it (a document). With `amends`, only the records are set
    right, where a kind has commands for that.

    Raises:
        Refused: the changes need each other in a circle.

    """
    needed = _needed_by(kinds, delta, state)
    gone = {a for a in needed if a in delta and delta[a].after is None and kinds.kind(a).has("observe")}
    schedule = _Schedule(kinds, gone, exact=exact, amends=amends)
    schedule.go(*sorted_parts(kinds, delta, state), state, state.apply(delta))
    return _together(kinds, [command for _, commands in schedule.made for command in commands])


def keep_protected(commands: Sequence[Command], state: State) -> tuple[list[Command], dict[Address, str]]:
    """Return commands without those that remove what is protected, and why, by address.

    To converge is to go the whole way, as a rewritten history does: protections are lifted on it. But nobody
    who asks for a plan has asked for that.
    """
    lifted, kept, now = set[Address](), dict[Address, str](), state
    for command in commands:
        for address in command.on:
            before = now.get(address)
            with suppress(Refused):
                now = step(command, address, now)
            after = now.get(address)
            if before is not None and unprotected(before, after):
                lifted.add(address)
            if address in lifted and before is not None and after is None:
                kept[address] = _why_not(command, address, state)
    left = [replace(c, on=tuple(a for a in c.on if a not in kept)) for c in commands] if kept else commands
    return [command for command in left if command.on], kept


def _why_not(command: Command, address: Address, state: State) -> str:
    """Return why a command is refused before what it is about is no longer protected."""
    try:
        step(command, address, state)
    except Refused as refused:
        return str(refused)
    return "it is protected; lift that first"


def arranged(kinds: Kinds, delta: Delta, state: State) -> list[Part]:
    """Return a delta in parts, in an order in which none is refused, where there is one.

    Raises:
        Refused: the changes need each other in a circle.

    """
    parts, after = sorted_parts(kinds, delta, state)
    if not any(kinds.kind(address).has("aside") for address in delta):
        return list(parts.values())
    schedule = _Schedule(kinds, (), exact=True)
    schedule.go(parts, after, state, state.apply(delta))
    return [part for part, _ in schedule.made]


class _Schedule:
    """Brings parts about one after another; what is refused as things are then is tried again later.

    So what is limited in common, as the weight that a rack carries, is given up before it is taken.
    """

    def __init__(self, kinds: Kinds, gone: Collection[Address], *, exact: bool, amends: bool = False) -> None:
        self.made: list[tuple[Part, list[Command]]] = []
        self._kinds, self._gone, self._exact, self._amends = kinds, gone, exact, amends

    def go(
        self,
        parts: Mapping[Key, Part],
        after: Mapping[Key, Collection[Key]],
        state: State,
        end: State,
    ) -> None:
        """Schedule parts, each after those that it needs, from a state to the one in the end."""
        left, state = self._progress(dict(parts), after, state)
        start, made, then = dict(left), len(self.made), state
        for key in start:
            meanwhile = meanwhile_of(self._kinds, left[key], state, end) if key in left else None
            if meanwhile is None:
                continue
            address, change = left[key]
            out = self._try(Part(address, Change(change.before, meanwhile)), state)
            if out is not None:
                left[key] = Part(address, Change(meanwhile, change.after))
                left, state = self._progress(left, after, out)
        if left:  # in vain: they are said as they are, and the plan tells what is refused
            del self.made[made:]
            for part in start.values():
                self.made.append((part, self._one(part, then).commands))

    def _progress(
        self, left: dict[Key, Part], after: Mapping[Key, Collection[Key]], state: State
    ) -> tuple[dict[Key, Part], State]:
        """Bring about what can be, as long as anything can; return what is left."""
        while left:
            refused: dict[Key, Part] = {}
            for key, part in left.items():
                waits = refused and any(other in refused for other in after.get(key, ()))
                done = None if waits else self._try(part, state)
                if done is None:
                    refused[key] = part
                else:
                    state = done
            if len(refused) == len(left):
                break
            left = refused
        return left, state

    def _try(self, part: Part, state: State) -> State | None:
        """Bring a part about and return the state after it; None where that is refused now."""
        one = self._one(part, state)
        if one.refused:
            return None
        self.made.append((part, one.commands))
        return one.state

    def _one(self, part: Part, state: State) -> "One":
        address, change = part
        needed = change.after is None and address in self._gone
        return converge_one(
            self._kinds, address, change, state, exact=self._exact, needed=needed, amends=self._amends
        )


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
    ranged = len(sides) == 1 and kinds.kind(one.on[0]).ranged
    return ranged and type(one) is type(other) and replace(one, on=other.on) == other


class One(NamedTuple):
    """How one change is brought about."""

    commands: list[Command]
    state: State
    """What there is after them."""
    refused: bool
    """True where one of them is refused."""


def converge_one(
    kinds: Kinds,
    address: Address,
    change: Change[Resource],
    state: State,
    *,
    exact: bool = True,
    needed: bool = False,
    amends: bool = False,
) -> One:
    """Return the commands that bring one change about, and the state after them.

    What is `needed` by something that stays is forgotten, not removed.
    """
    kind = kinds.kind(address)
    if change.after is None and needed:
        made: list[Command] = [Forget(on=(address,))]
    else:
        brings = kind.amend if amends and kind.has("amend") else kind.converge
        by_kind = _by_kind(brings, address, change)
        made = [*_lift(address, change), *by_kind, *_by_mark(address, change)]
    refused = False
    for command in made:
        for on in command.on:
            try:
                state = step(command, on, state)
            except Refused:
                refused = True
    if exact and change.after is not None:
        released = _released(state.get(address), change.after)
        if released:
            made.append(Forget(on=(address,), fields=released))
            state = state_after(made[-1:], state)
    return One(made, state, refused)


def _by_kind(
    converge: Callable[[Address, Change[Any]], Iterable[Command]], address: Address, change: Change[Resource]
) -> Iterable[Command]:
    """Return the commands of a kind; it knows nothing of what is kept on record only."""
    change = Change(of_machine(change.before), of_machine(change.after))
    return () if change.before == change.after else converge(address, change)


def _lift(address: Address, change: Change[Resource]) -> Iterator[Command]:
    """Iterate over the command that lifts the protection of what goes."""
    if change.after is None and change.before is not None and change.before.protect:
        yield Unprotect(on=(address,))


def _by_mark(address: Address, change: Change[Resource]) -> Iterator[Command]:
    """Iterate over the command that protects what is there from then on, or lifts that."""
    before, after = change.before, change.after
    if after is None or after.protect is None or after.protect == getattr(before, "protect", None):
        return
    yield Protect(on=(address,)) if after.protect else Unprotect(on=(address,))


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


def _released(now: Resource | None, target: Resource) -> tuple[str, ...]:
    undecided = {n for n in decided_fields(type(target)) if getattr(target, n) is None}
    return tuple(name for name in decisions(now) if name in undecided)


def one_way(delta: Delta) -> dict[Address, dict[str, str]]:
    """Return what of a delta cannot be done in place, as it leads back what only grows; by field, and why."""
    found = dict[Address, dict[str, str]]()
    for address, change in delta.items():
        if change.before is not None and change.after is not None:
            paths = {path: f"cannot go {sizes}" for path, sizes in shrinks(change.before, change.after)}
            if paths:
                found[address] = paths
    return found


def kept_growth(delta: Delta, stuck: Mapping[Address, Iterable[str]]) -> Delta:
    """Return a delta without what cannot be done in place: those fields stay as they are."""
    changes = dict[Address, Change[Resource]]()
    for address, change in delta.items():
        names = {path.partition(".")[0] for path in stuck.get(address, ())}
        if names and change.before is not None and change.after is not None:
            stays = {name: getattr(change.before, name) for name in names}
            change = Change(change.before, replace(change.after, **stays))  # noqa: PLW2901
        changes[address] = change
    return Delta({a: c for a, c in changes.items() if not same(c.before, c.after)})


class Givable(NamedTuple):
    """A delta as far as its other side may be given to machines."""

    delta: Delta
    withheld: Mapping[Address, Mapping[str, str]]
    """The fields that stay as they are, because what was there may not be given, each with the reason.

    Under no name (`""`) the whole resource, where no command leads there.
    """


def givable(kinds: Kinds, delta: Delta) -> Givable:
    """Return a delta that leads back to what machines told, without the values that nobody may give.

    A machine may hold what its own interface refuses, or what we cannot say; the rest comes back.
    """
    changes, withheld = dict[Address, Change[Resource]](), dict[Address, Mapping[str, str]]()
    for address, change in delta.items():
        changes[address] = change
        if change.after is None or isinstance(change.after, StrangeResource):
            continue
        odd = {name: why for name, why in kinds.odd(change.after).items() if name in change.fields}
        if odd:
            withheld[address] = odd
            stays = {name: getattr(change.before, name, None) for name in odd}
            changes[address] = Change(change.before, replace(change.after, **stays))
        why = _unreachable(kinds, address, changes[address])
        if why is not None:
            withheld[address] = {"": why}
            del changes[address]
    return Givable(Delta(changes), withheld)


def _unreachable(kinds: Kinds, address: Address, change: Change[Resource]) -> str | None:
    """Return why no command leads to the other side of a change; None where one does."""
    kind = kinds.kind(address)
    try:
        anew = change.before is not None and change.after is not None and kind.replaces(change)
        for part in (Change(change.before, None), Change(None, change.after)) if anew else (change,):
            list(_by_kind(kind.converge, address, part))
    except (Refused, *ODD) as error:
        return str(error)
    return None


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
    if any(isinstance(side, StrangeResource) for side in (change.before, change.after, now)):
        return "it is of no kind that is installed; install its plugin"
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
