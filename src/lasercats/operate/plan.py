"""`plan` and `apply`: what would make the state as the documents say, and doing it.

A plan is `diff(state, documents)`, turned into commands by `converge`, with what `simulate` predicts of
them. It does not look at the machines unless asked to: `apply` looks anyway, before it acts.
"""

from collections.abc import Iterable, Mapping, Sequence
from fnmatch import fnmatchcase

import msgspec
from msgspec.structs import replace

from lasercats.core import content
from lasercats.core.address import Address
from lasercats.core.change import Change, Delta, composed
from lasercats.core.command import Command
from lasercats.core.converge import converge, givable, keep_protected, kept_growth, one_way, wanted
from lasercats.core.loss import Loss, announced
from lasercats.core.registry import Kinds
from lasercats.core.resource import Resource, clear_fields
from lasercats.core.secret import place
from lasercats.core.state import State
from lasercats.interpreters.simulate import simulate
from lasercats.operate.decided import corrective
from lasercats.operate.doubt import settle_at
from lasercats.operate.project import Project


class Plan(msgspec.Struct, frozen=True, kw_only=True):
    """Commands, what they are predicted to change, and the versions that this rests on."""

    commands: tuple[Command, ...]
    delta: Delta
    problems: Mapping[Address, str]
    versions: Mapping[Address, int]
    replaced: tuple[Address, ...] = ()
    """What would be removed and made anew."""
    documents: tuple[str, ...] = ()
    lost: Mapping[Address, tuple[str, ...]] = {}
    """What does not come back of that which is made anew."""
    buried: Mapping[Address, tuple[str, ...]] = {}
    """What no undo brings back of that which is changed or removed."""
    withheld: Mapping[Address, Mapping[str, str]] = {}
    """The fields that do not come back, because what was there may not be given to a machine, and why."""
    detours: Mapping[Address, str] = {}
    """What must make room first, and where it is meanwhile."""
    losses: tuple[Loss, ...] = ()
    """What it destroys, interrupts or leaves unprotected, collateral included: what is to be agreed to."""
    corrective: Mapping[Address, tuple[str, ...]] = {}
    """The fields that only come back to what was decided last; the others change by a new decision."""
    unseen: Mapping[Address, str] = {}
    """What was to be looked at first and could not be, and why: the plan takes it for what the state says."""

    @property
    def because(self) -> str:
        """What is recorded as the reason of its commands."""
        return f"apply {' '.join(self.documents)}".rstrip()


async def make(
    project: Project,
    desired: Mapping[Address, Resource],
    *,
    state: State | None = None,
    prune: bool = False,
    only: Sequence[str] = (),
    exclude: Sequence[str] = (),
    documents: Sequence[str] = (),
    recreate: bool = False,
) -> Plan:
    """Make the plan from the state to a desired one, on the addresses that the patterns select.

    What was told late about them is looked at first.

    Raises:
        LogConflict: it cannot be looked at now.

    """
    if state is None:
        await settle_at(project, [*desired, *(project.state().resources() if prune else ())])
    state = project.state() if state is None else state
    desired = _sealed(project, desired, state)
    chosen = {a: r for a, r in desired.items() if selected(a, only, exclude)}
    gone = [a for a, _ in state.items() if a not in desired and selected(a, only, exclude)] if prune else []
    delta = wanted(state, chosen, prune=gone)
    plan = plan_delta(project.kinds, delta, state, documents=documents, recreate=recreate)
    return replace(plan, corrective=corrective(project, plan.delta))


def _sealed(project: Project, desired: Mapping[Address, Resource], state: State) -> dict[Address, Resource]:
    """Return a desired state in which what is clear is sealed, where what is known of it is sealed."""
    sealed = dict(desired)
    for address, resource in desired.items():
        for secret, clear in clear_fields(type(resource)).items():
            value, known = getattr(resource, clear), getattr(state.get(address), secret, None)
            if known is not None and value is not None and not content.is_digest(value):
                token = project.vault.seal(content.decode(value), [place(address, secret)])
                sealed[address] = replace(resource, **{clear: None, secret: token})
    return sealed


def plan_delta(
    kinds: Kinds,
    delta: Delta,
    state: State,
    *,
    exact: bool = False,
    documents: Sequence[str] = (),
    recreate: bool = False,
) -> Plan:
    """Make the plan for a delta: its commands, and what they are predicted to do.

    An `exact` one leads back to what was there, which not all may be given; a document was checked when read.
    What cannot go back in place is a problem, unless it is to be made anew (`recreate`).
    """
    withheld = dict[Address, Mapping[str, str]]()
    stuck = {} if recreate else one_way(delta)
    delta = kept_growth(delta, stuck)
    if exact:
        delta, held_back = givable(kinds, delta)
        withheld |= held_back
    commands, faults = keep_protected(converge(kinds, delta, state, exact=exact), state)
    if exact:
        commands, more = acceptable(kinds, commands)
        faults |= more
    versions = {address: state.version(address) for command in commands for address in command.on}
    plan = predicted(kinds, commands, state, versions, documents)
    return replace(plan, withheld=withheld, problems={**plan.problems, **faults, **cannot_go_back(stuck)})


def cannot_go_back(stuck: Mapping[Address, Mapping[str, str]]) -> dict[Address, str]:
    """Return what is told of what cannot be done in place, by address."""
    remedy = (
        "keep it as it is (`lasercats drift --adopt`, or write that into the document), or let it be removed "
        "and made anew with --recreate"
    )
    return {
        address: f"{'; '.join(f'{path} {why}' for path, why in paths.items())} in place; {remedy}"
        for address, paths in stuck.items()
    }


def acceptable(kinds: Kinds, commands: Iterable[Command]) -> tuple[list[Command], dict[Address, str]]:
    """Return those of some commands that may be given, and why the others may not, by address."""
    made, faults = list[Command](), dict[Address, str]()
    for command in commands:
        fault = kinds.fault(command)
        if fault is None:
            made.append(command)
        else:
            faults |= dict.fromkeys(command.on, f"it cannot be made again as it was: {fault}")
    return made, faults


def made_anew(deltas: Iterable[Delta]) -> tuple[Address, ...]:
    """Return what deltas that follow each other remove and make again."""
    gone, again = set[Address](), dict[Address, None]()
    for delta in deltas:
        gone |= {address for address, change in delta.items() if change.after is None}
        again |= {address: None for address, change in delta.items() if address in gone and change.after}
    return tuple(again)


def detours(kinds: Kinds, deltas: Sequence[Delta]) -> dict[Address, str]:
    """Return what makes room for others before it gets to its own place, and where it is meanwhile."""
    last = composed(deltas)
    ways: dict[Address, str] = {}
    for delta in deltas:
        for address, change in delta.items():
            if (
                not kinds.kind(address).has("aside")
                or address not in last
                or not change.before
                or not change.after
            ):
                continue
            before, held = {*kinds.held(address, change.before)}, {*kinds.held(address, change.after)}
            if not before or held & {*kinds.held(address, last[address].after)}:
                continue
            if not held and last[address].after and {*kinds.held(address, last[address].after)}:
                ways[address] = "must be put aside meanwhile: there is no spare place for it"
            elif held and held != before:
                changed = Change(change.before, change.after).fields
                where = ", ".join(f"{name} {getattr(change.after, name)}" for name in changed)
                ways[address] = f"makes room first, by way of a spare place: {where}"
    return ways


def losses(kinds: Kinds, gone: Mapping[Address, Resource | None]) -> dict[Address, tuple[str, ...]]:
    """Return what does not come back of resources that are made anew, where that is anything."""
    lost = {a: tuple(kinds.kind(a).loses(r)) for a, r in gone.items() if r is not None}
    return {address: what for address, what in lost.items() if what}


def buried(kinds: Kinds, deltas: Iterable[Delta]) -> dict[Address, tuple[str, ...]]:
    """Return what no undo brings back of what some changes change or remove, where that is anything."""
    found: dict[Address, tuple[str, ...]] = {}
    for delta in deltas:
        for address, change in delta.items():
            what = (
                tuple(kinds.kind(address).buries(change.before, change.after))
                if change.before is not None
                else ()
            )
            if what:
                found[address] = what
    return found


def predicted(
    kinds: Kinds,
    commands: Sequence[Command],
    state: State,
    versions: Mapping[Address, int],
    documents: Sequence[str],
) -> Plan:
    """Make a plan of commands, with what `simulate` says of them."""
    results, _ = simulate(commands, state)
    deltas, problems = [result.delta for result in results], dict[Address, str]()
    for result in results:
        problems |= result.problems
    again = made_anew(deltas)
    return Plan(
        commands=tuple(commands),
        delta=composed(deltas),
        problems=problems,
        versions=versions,
        replaced=again,
        detours=detours(kinds, deltas),
        lost=losses(kinds, {address: state.get(address) for address in again}),
        buried=buried(kinds, deltas),
        losses=tuple(announced(kinds, commands, state)),
        documents=tuple(documents),
    )


def selected(address: Address, only: Iterable[str], exclude: Iterable[str]) -> bool:
    """Tell whether an address is one of those that patterns choose."""
    chosen = not only or any(fnmatchcase(address, pattern) for pattern in only)
    return chosen and not any(fnmatchcase(address, pattern) for pattern in exclude)
