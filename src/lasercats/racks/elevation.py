"""`rack show`: elevations of racks, with what is pending, as they were, or what came and went."""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from lasercats.core.address import Address, kind_of
from lasercats.core.command import state_after
from lasercats.core.errors import BadInput
from lasercats.core.record import beginning
from lasercats.core.resource import Resource
from lasercats.core.state import State
from lasercats.domains.rack import cable as cable_module
from lasercats.domains.rack import place, power
from lasercats.domains.rack.rack import KIND
from lasercats.operate import history, moments
from lasercats.operate.project import Project
from lasercats.racks.drawing import DIFFERENCE, PENDING, Marks, elevation
from lasercats.views.elevation import Elevation

if TYPE_CHECKING:
    from lasercats.operate.work import WorkOrder


def chosen(
    project: Project,
    names: Sequence[str],
    face: str,
    *,
    as_of: str | None = None,
    between: tuple[str, str] | None = None,
) -> list[Elevation]:
    """Return the elevations of racks, by default of all: now, as of a position, or between two.

    Raises:
        BadInput: there is no such rack, or was none then.

    """
    if between is not None:
        first, last = (moments.resolve(project.log, text) for text in between)
        before, after = (_near(project, names, position) for position in (first, last))
        racks = _racks(project, names, [before, after], f"from {between[0]} to {between[1]}")
        caption = f"{face}, from {between[0]} to {between[1]}"
        return [elevation(rack, before, after, DIFFERENCE, caption) for rack in racks]
    if as_of is not None:
        state = _near(project, names, moments.resolve(project.log, as_of))
        racks = _racks(project, names, [state], f"as of {as_of}")
        return [elevation(rack, state, caption=f"{face}, as of {as_of}") for rack in racks]
    state = _near(project, names, None)
    then = pending(project, state)
    return [elevation(rack, state, then, caption=face) for rack in _racks(project, names, [state], "")]


def _near(project: Project, names: Sequence[str], position: int | None) -> State:
    """Return the state as far as it is drawn: of some racks, only what is in them and what hangs on that."""
    racks = [project.kinds.address(name, KIND) for name in names]
    log, kinds = project.log, project.kinds
    there = log.fold(position, racks)
    if not names or any(rack not in there.entries for rack in racks):
        return project.state(position)
    found = there.state(kinds).resources()
    waiting = history.waiting(project) if position is None else []
    in_hand = [address for one in waiting for address in one.command.on]
    found |= log.fold(position, in_hand).state(kinds).resources()
    for rack in racks:
        found |= log.fold(position, holding=beginning(rack) + '"').state(kinds).resources()
    _follow(project, found, position)
    types = {Address(type_) for a, r in found.items() if kind_of(a) == place.DEVICE and (type_ := r.type)}  # type: ignore[attr-defined]
    found |= log.fold(position, sorted(types)).state(kinds).resources()
    return State.of(found, log.head() if position is None else position)


def _follow(project: Project, found: dict[Address, Resource], position: int | None) -> None:
    """Add what hangs on the feeds that were found: cables, and what is at their other ends."""
    waiting = [address for address in found if kind_of(address) == place.FEED]
    followed = set[Address]()
    while waiting:
        address = waiting.pop()
        if address in followed:
            continue
        followed.add(address)
        name = place.name(address)
        text = f'{beginning(name)}"' if kind_of(address) == place.FEED else beginning(f"{name}:")
        state = project.log.fold(position, holding=text).state(project.kinds)
        for cable, resource in state.items():
            if kind_of(cable) != place.CABLE or cable in found:
                continue
            found[cable] = resource
            ends = list(cable_module.KIND.needs(cable, resource))  # type: ignore[arg-type]
            found |= project.log.fold(position, ends).state(project.kinds).resources()
            waiting += [end for end in ends if _hands_on(project, found.get(end), position)]


def _hands_on(project: Project, device: Any, position: int | None) -> bool:  # noqa: ANN401
    """Tell whether a device has outlets, so that others hang on it."""
    if not getattr(device, "type", None):
        return False
    address = Address(device.type)
    type_: Any = project.log.fold(position, [address]).state(project.kinds).get(address)
    return bool(power.ports(type_, "power-outlet"))


def pending(project: Project, state: State) -> State:
    """Return the state as it will be when all work orders are done."""
    return state_after([waiting.command for waiting in history.waiting(project)], state)


def _racks(project: Project, names: Sequence[str], states: Sequence[State], when: str) -> list[Address]:
    there = {a: None for state in states for a, _ in sorted(state.items()) if kind_of(a) == place.RACK}
    found: dict[Address, None] = {}
    for name in names:
        address = project.kinds.address(name, KIND)
        at = [rack for rack in there if place.machine(rack) == name]
        if address in there:
            found[address] = None
        elif at:
            found |= dict.fromkeys(at)
        else:
            raise BadInput(
                f"there is no rack {name}{' ' + when if when else ''}; take it into the records with "
                "`lasercats rack create`"
            )
    if not names and not there:
        raise BadInput("there is no rack; take one into the records with `lasercats rack create`")
    return list(found) if names else list(there)


def svg(drawn: Sequence[Elevation], face: str) -> str:
    """Return a whole SVG document."""
    from lasercats.views.elevation_svg import draw  # noqa: PLC0415 - one of them is used

    return draw(drawn, face)


def terminal(drawn: Elevation, face: str, width: int, *, color: bool) -> str:
    """Return lines for a terminal of some columns."""
    from lasercats.views.elevation_terminal import draw  # noqa: PLC0415

    return draw(drawn, face, width, color=color)


def around(order: "WorkOrder") -> list[tuple[Elevation, Elevation]]:
    """Return the racks of a work order before and after it."""
    before, after = order.before, order.after
    marks = PENDING if order.open else Marks("gone", "added")
    named = dict.fromkeys(
        getattr(task.step, name).rack
        for task in order.tasks
        for name in ("source", "place")
        if hasattr(task.step, name)
    )
    prefix = "" if order.machine == place.MACHINE else f"{order.machine}:"
    racks = [address for name in named if before.get(address := Address(f"{place.RACK}/{prefix}{name}"))]
    return [
        (
            elevation(rack, before, _common(before, after), marks, "before", before),
            elevation(rack, _common(after, before), after, marks, "after", after),
        )
        for rack in racks
    ]


def _common(one: State, other: State) -> State:
    """Return what of a state stands in the same place in another: all else of it has come, or goes."""
    return State.of({a: r for a, r in one.items() if _stays(a, r, other)})


def _stays(address: Address, resource: Any, other: State) -> bool:  # noqa: ANN401
    if kind_of(address) != place.DEVICE:
        return True
    there: Any = other.get(address)
    fields = ("rack", "unit", "face", "height", "status")
    return there is not None and all(getattr(there, f) == getattr(resource, f) for f in fields)
