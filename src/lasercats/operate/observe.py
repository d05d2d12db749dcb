"""`observe` and `drift`: look at the machines, and take in or put back what changed outside."""

from collections.abc import Mapping, Sequence
from typing import NamedTuple

from lasercats.core.address import Address
from lasercats.core.change import NO_CHANGES, Delta
from lasercats.core.errors import BadInput, LogError
from lasercats.core.record import OBSERVED, Event, raw_delta
from lasercats.core.resource import Resource
from lasercats.core.settle import believe, drift, refreshed
from lasercats.core.state import State
from lasercats.interpreters.context import Watcher
from lasercats.interpreters.looking import look
from lasercats.operate.project import Project


class Observation(NamedTuple):
    """What a look at the machines found."""

    drift: Delta
    """From the state to what is there, as far as anybody decided it."""
    unseen: Mapping[Address, str]
    """What could not be looked at, and why."""
    looked: int
    """How many addresses were looked at."""
    state: State
    """The state as it is believed to be."""
    position: int | None = None
    """Where the drift was recorded."""
    found: Mapping[Address, Resource | None] = {}
    """What was seen, also of what nobody decided."""
    refreshed: Delta = NO_CHANGES
    """What machines gave anew where nothing changed that anybody decided; it is no drift."""


async def observe(
    project: Project,
    targets: Sequence[str] = (),
    *,
    also: Mapping[Address, Resource | None] | None = None,
    watcher: Watcher | None = None,
    in_clear: bool = False,
) -> Observation:
    """Look at what is managed on machines, or at addresses, managed or not, and at others; record nothing.

    Those others are given with what is desired there. What nobody manages and not everybody there may read is
    sealed, unless it is wanted `in_clear`.

    Raises:
        BadInput: a target is neither a bound machine nor an address.

    """
    state = project.state()
    others = (address for address in also or () if _is_seen(project, address))
    addresses = list(dict.fromkeys((*select(project, targets, state), *others)))
    context = project.context()
    if watcher is not None:
        context.watcher = watcher
    context.stop = project.stopping.event()
    found, unseen = await look(dict.fromkeys(addresses, 0), state, context, expected=also, in_clear=in_clear)
    asked = set(addresses)
    believed = believe(state, {a: r for a, r in found.items() if a in asked})
    seen = Observation(drift(state, believed, addresses), unseen, len(addresses) - len(unseen), believed)
    return seen._replace(found=found, refreshed=refreshed(state, believed, addresses))


def record(project: Project, seen: Observation, message: str | None = None) -> Observation:
    """Record what was found changed, and what is known anew; from now on it is the state.

    Raises:
        LogConflict: an address was changed by a command while we looked; nothing was recorded.

    """
    position = _append(project, Delta({**seen.refreshed, **seen.drift}), message)
    return seen._replace(position=position if seen.drift else None)


def refresh(project: Project, seen: Observation) -> Observation:
    """Record only what is known anew, where the log can be written; what changed outside is not recorded."""
    try:
        position = _append(project, seen.refreshed, None)
    except LogError:  # somebody is at work there, or it is only for reading: the next look finds it again
        return seen
    return seen if position is None else seen._replace(state=seen.state.apply(seen.refreshed, position))


def _append(project: Project, delta: Delta, message: str | None) -> int | None:
    """Record an observation, if it is one, and return its position."""
    if not delta:
        return None
    state = project.state()
    expect = {address: seen_version(state, address, delta) for address in delta}
    met = {name: dict(identity) for name, identity in project.machines.all_news().items()}
    event = Event(type=OBSERVED, delta=raw_delta(delta), actor=project.actor, message=message, met=met)
    return project.log.append([event], expect=expect)


def seen_version(state: State, address: Address, delta: Delta) -> int:
    """Return the version at which an address was looked at: of the state, unless it moved since."""
    return state.version(address) if state.get(address) == delta[address].before else -1


def select(project: Project, targets: Sequence[str], state: State) -> list[Address]:
    """Return the addresses that targets mean: machines by name, addresses by themselves."""
    if not targets:
        return [address for address, _ in state.items() if _is_seen(project, address)]
    chosen: dict[Address, None] = {}
    for target in targets:
        if "/" in target:
            address = project.kinds.address(target)
            if not _is_seen(project, address):
                raise BadInput(
                    f"only a person can look at {address}; what was reported is what is known of it"
                )
            project.machines.check(project.kinds.machine_of(address) or "", project.kinds.domain(address))
            chosen[address] = None
        elif ":" in target:
            raise BadInput(f"{target!r} is neither a machine nor an address; write KIND/MACHINE:REST")
        else:
            project.machines.check(target)
            chosen |= {
                address: None
                for address, _ in state.items()
                if project.kinds.machine_of(address) == target and _is_seen(project, address)
            }
    return list(chosen)


def _is_seen(project: Project, address: Address) -> bool:
    """Tell whether anything but a person can look at an address."""
    return project.kinds.kind(address).has("observe")
