"""Losses: what a change destroys or interrupts that no undo brings back, and the gate that it must pass.

Every way to change things, a direct command, a document, an undo, a guard, comes to the same decided
targets, and `gate` stands behind them in `live`. What an operator named himself is its own announcement;
anything else must be among the losses that were announced to him and agreed to. So what is not foreseen,
because a machine is not as it was known to be, fails the command that would do it, and nothing is sent.
"""

from collections.abc import Collection, Iterator, Mapping, Sequence
from typing import Literal, NamedTuple, TypeAlias

import msgspec

from lasercats.core.address import Address
from lasercats.core.change import Change
from lasercats.core.command import Command, Effect, Target, decide_all
from lasercats.core.loose import ODD
from lasercats.core.registry import Kinds
from lasercats.core.resource import Resource, StrangeResource, unprotected
from lasercats.core.state import State

Sort: TypeAlias = Literal["loses", "interrupts", "unprotects"]
LOSES: Sort = "loses"
INTERRUPTS: Sort = "interrupts"
UNPROTECTS: Sort = "unprotects"
_WORDS: Mapping[Sort, str] = {
    LOSES: "{} would be lost for good",
    INTERRUPTS: "it would be {}",
    UNPROTECTS: "its protection ({}) would be lifted",
}


class Loss(msgspec.Struct, frozen=True, order=True, gc=False):
    """One thing that a change destroys, interrupts or leaves unprotected."""

    address: Address
    sort: Sort
    what: str
    """`id i-0abc`, `data on it`; `stopped`, `detached from ec2.instance/db`; `protect`."""

    def __str__(self) -> str:
        """Return it in words, without the address."""
        return _WORDS[self.sort].format(self.what)


Agreed: TypeAlias = Collection[Loss] | None
"""The losses that were announced and agreed to; None where all were, by those who ran it first."""


def losses(kinds: Kinds, command: Command, address: Address, change: Change[Resource]) -> Iterator[Loss]:
    """Iterate over what is lost where a command makes a change; nothing where it touches no machine."""
    before, after = change.before, change.after
    if command.interrupts:
        yield Loss(address, INTERRUPTS, command.interrupts)
    if before is None or isinstance(before, StrangeResource) or before == after:
        return
    for name in unprotected(before, after):
        yield Loss(address, UNPROTECTS, name)
    if command.effect is not Effect.STATE:
        return
    kind = kinds.kind(address)
    try:
        gone = [*(kind.loses(before) if after is None else kind.buries(before, after))]
        stopped = [*kind.interrupts(before, after)]
    except ODD:  # nobody foresaw what is there
        gone, stopped = ["what is there, of which this program cannot tell"], []
    yield from (Loss(address, LOSES, what) for what in gone)
    yield from (Loss(address, INTERRUPTS, what) for what in stopped)


def is_named(command: Command, loss: Loss, target: Target) -> bool:
    """Tell whether a command that an operator wrote out is itself the announcement of a loss at a target.

    It is at its own addresses only: where it leaves nothing there, and where its type says so.
    """
    gone = target.change is not None and target.change.after is None and loss.sort != UNPROTECTS
    own = target.by is None or target.address in command.on
    return own and (gone or loss.sort in command.announces)


class Gated(NamedTuple):
    """Decided targets, of which none loses what was not announced."""

    targets: list[Target]
    withheld: Mapping[int, Sequence[Loss]]
    """What was not announced, by the index of the command that is refused for it."""


def gate(
    kinds: Kinds,
    commands: Sequence[Command],
    state: State,
    agreed: Agreed,
    *,
    direct: bool = False,
    decided: Sequence[Target] | None = None,
) -> Gated:
    """Decide commands, and refuse those that lose what was neither announced nor named by themselves.

    A command is refused as a whole, and the others are decided without it. With `direct`, an operator wrote
    out the addresses of the commands. Whoever has `decided` them on the state already spares it that. Pure.
    """
    withheld: dict[int, list[Loss]] = {}
    known = frozenset(agreed or ())
    while True:
        targets = [*decided] if decided and not withheld else _decided(commands, state, withheld)
        more = dict[int, list[Loss]]()
        for target in targets if agreed is not None else ():
            for loss in _unannounced(kinds, commands[target.command], target, known, direct=direct):
                more.setdefault(target.command, []).append(loss)
        if not more:
            return Gated(targets, withheld)
        withheld |= more


def _unannounced(
    kinds: Kinds, command: Command, target: Target, agreed: Collection[Loss], *, direct: bool
) -> Iterator[Loss]:
    if target.change is not None and command.ends:
        for loss in losses(kinds, command, target.address, target.change):
            if loss not in agreed and not (direct and is_named(command, loss, target)):
                yield loss


def _decided(
    commands: Sequence[Command], state: State, withheld: Mapping[int, Sequence[Loss]]
) -> list[Target]:
    kept = [index for index in range(len(commands)) if index not in withheld]
    found, _ = decide_all([commands[index] for index in kept], state)
    targets = [target._replace(command=kept[target.command]) for target in found]
    for index, lost in withheld.items():
        by_address: dict[Address, list[Loss]] = {}
        for loss in lost:
            by_address.setdefault(loss.address, []).append(loss)
        why = {address: why_withheld(mine) for address, mine in by_address.items()}
        elsewhere = f"{lost[0].address}: {why_withheld(lost)}"
        targets += [Target(index, a, None, why.get(a, elsewhere)) for a in commands[index].on]
    return sorted(targets, key=lambda target: target.command) if withheld else targets


def why_withheld(lost: Sequence[Loss]) -> str:
    """Return why a command is refused for what it would lose."""
    remedy = "take it in with `lasercats observe`, so that it is, and agree with --yes"
    return f"{in_words(lost)}; that was not announced, so nothing was done; {remedy}"


def in_words(lost: Sequence[Loss]) -> str:
    """Return what is lost at one address, in words."""
    found: dict[Sort, list[str]] = {}
    for loss in lost:
        found.setdefault(loss.sort, []).append(loss.what)
    return "; ".join(_WORDS[sort].format(_and(what)) for sort, what in found.items())


def _and(words: Sequence[str]) -> str:
    *most, last = words
    return f"{', '.join(most)} and {last}" if most else last


def announced(kinds: Kinds, commands: Sequence[Command], state: State, *, direct: bool = False) -> list[Loss]:
    """Return what commands would lose, as far as the state tells, but for what they name themselves. Pure."""
    targets, _ = decide_all(commands, state)
    found: dict[Loss, None] = {}
    for target in targets:
        found |= dict.fromkeys(_unannounced(kinds, commands[target.command], target, (), direct=direct))
    return list(found)
