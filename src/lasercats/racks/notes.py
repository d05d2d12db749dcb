"""What is to be minded at the steps of a work order: cables that stay with what is lifted, and power."""

from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from lasercats.core.address import Address
from lasercats.core.instruction import Failure
from lasercats.core.record import beginning
from lasercats.core.resource import Resource
from lasercats.domains.rack import cable as cables
from lasercats.domains.rack import device_programs, place, power
from lasercats.domains.rack.device import MOUNTED
from lasercats.instructions.work_order import Disconnect, Mount, Move, PowerDown, Unmount

if TYPE_CHECKING:
    from lasercats.operate.project import Project
    from lasercats.operate.work import WorkItem, WorkOrder

Lifts = Mapping[str, Sequence["WorkItem"]]
"""The steps by which each device is taken out, moved and mounted, in the order of the checklist."""


def notes(project: "Project", order: "WorkOrder") -> dict[int, tuple[str, ...]]:
    """Return what is to be minded at steps, by their numbers."""
    lifts: dict[str, list[WorkItem]] = {}
    downs: dict[str, WorkItem] = {}
    for task in order.tasks:
        if isinstance(task.step, PowerDown):
            downs.setdefault(task.step.device, task)
        elif isinstance(task.step, Move | Unmount | Mount):
            lifts.setdefault(task.step.device, []).append(task)
    found: dict[int, list[str]] = {}
    for number, note in _cable_notes(project, order, lifts):
        found.setdefault(number, []).append(note)
    for device, same in lifts.items():
        for task in same:
            found.setdefault(task.number, []).extend(_power(device, task, same, downs.get(device)))
    return {number: tuple(lines) for number, lines in found.items()}


def _power(
    device: str, task: "WorkItem", same: Sequence["WorkItem"], down: "WorkItem | None"
) -> Iterator[str]:
    """Iterate over what is said of power at one of the steps at the same device."""
    if down is None:
        return
    if isinstance(task.outcome, Failure) and not isinstance(task.step, Mount):
        if down.status == "done":
            yield f"{device} has been shut down; switch it on again"
    elif task is same[-1] and _comes(same):
        yield "switch it on again"


def _comes(same: Sequence["WorkItem"]) -> bool:
    """Tell whether a device stands in a rack after its steps."""
    return not isinstance(same[-1].step, Unmount)


def _cable_notes(project: "Project", order: "WorkOrder", lifts: Lifts) -> Iterator[tuple[int, str]]:
    """Iterate over the steps at which cables are pulled and put back that stay with what is lifted.

    A cable leaves at the first step at either of its devices and comes back at the last one of both. So it is
    not carried to a spare place, and waits where one of its devices does not come back yet.
    """
    gone = {task.step.cable for task in order.tasks if isinstance(task.step, Disconnect)}
    found = {a: c for a, c in _cables(project, order, lifts).items() if place.name(a) not in gone}
    there = _around(project, order, found)
    for address, cable in sorted(found.items()):
        name, ends = place.name(address), (cable.a, cable.b)
        devices = dict.fromkeys(end.partition(":")[0] for end in ends if ":" in end)
        steps = sorted(task.number for device in devices for task in lifts.get(device, ()))
        was = all(_stands(device, lifts, there, address, last=False) for device in devices)
        is_ = all(_stands(device, lifts, there, address, last=True) for device in devices)
        words = " and ".join(_end(address, end, lifts, there) for end in ends)
        if was and is_ and len(steps) == 1:
            yield steps[0], f"pull cable {name} and put it back: {words}"
            continue
        if was:
            kept = "" if is_ else ", and keep it for when it comes back"
            yield steps[0], f"pull cable {name}{kept}: {words}"
        if is_:
            left = was and _is_left_out(order, steps)
            back = f"cable {name} has been pulled; put it back" if left else f"put cable {name} back"
            yield steps[-1], f"{back}: {words}"


def _is_left_out(order: "WorkOrder", steps: Sequence[int]) -> bool:
    """Tell whether a cable was pulled at the first of some steps, and the last failed that puts it back."""
    tasks = {task.number: task for task in order.tasks}
    return tasks[steps[0]].status == "done" and isinstance(tasks[steps[-1]].outcome, Failure)


def _cables(project: "Project", order: "WorkOrder", lifts: Lifts) -> dict[Address, Any]:
    """Return the cables that are in what is lifted, as they were when the order was handed out."""
    found: dict[Address, Any] = {}
    for name in lifts:
        device = project.kinds.address(f"{order.machine}:{name}", device_programs.KIND)
        near = project.log.fold(order.number, holding=beginning(f"{name}:")).state(project.kinds)
        found |= {a: c for a, c in power.cables_at(device, near) if cables.is_connected(c)}
    return found


def _around(
    project: "Project", order: "WorkOrder", found: Mapping[Address, Any]
) -> Mapping[Address, Resource]:
    """Return what is at the ends of cables, and the racks of that, as they were then."""
    ends = sorted({end for address, cable in found.items() for end in cables.KIND.needs(address, cable)})
    there = project.log.fold(order.number, ends).state(project.kinds).resources()
    racks = sorted({Address(rack) for one in there.values() if (rack := getattr(one, "rack", None))})
    return {**there, **project.log.fold(order.number, racks).state(project.kinds).resources()}


def _stands(device: str, lifts: Lifts, there: Mapping[Address, Any], near: Address, *, last: bool) -> bool:
    """Tell whether a device is in a rack before its steps, or after the last."""
    same = lifts.get(device)
    if same:
        return _comes(same) if last else not isinstance(same[0].step, Mount)
    found = there.get(place.sibling(near, place.DEVICE, device))
    return found is not None and found.status == MOUNTED


def _end(near: Address, end: str, lifts: Lifts, there: Mapping[Address, Any]) -> str:
    """Return an end in words; where its device stays, with where that is."""
    spot = None if end.partition(":")[0] in lifts else place.spot_of_end(near, end, there.get)
    return end if spot is None else f"{end} ({spot})"
