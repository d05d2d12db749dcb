"""What an operator does with racks that takes several commands: a swap, and another name."""

from collections.abc import Iterator
from typing import Any

from msgspec.structs import replace

from lasercats.core.address import Address
from lasercats.core.change import Change, Delta
from lasercats.core.command import Command, Protect, Unprotect
from lasercats.core.errors import BadInput, Refused
from lasercats.core.resource import decisions, of_machine
from lasercats.core.setting import existing
from lasercats.core.state import State
from lasercats.domains.rack import place, power
from lasercats.domains.rack.cable import CorrectCable
from lasercats.domains.rack.device import PLACE, REMOVED, Correct, Device, Retire
from lasercats.domains.rack.device_programs import KIND
from lasercats.operate.plan import Plan, plan_delta
from lasercats.operate.project import Project


def swapped(project: Project, one: str, other: str) -> Plan:
    """Plan to let two devices change places.

    Raises:
        BadInput: both are the same, or one is of another kind.
        Refused: one is in no rack, or does not fit in the place of the other.

    """
    addresses = [project.kinds.address(name, KIND) for name in (one, other)]
    if addresses[0] == addresses[1]:
        raise BadInput(f"{addresses[0]} cannot change places with itself; name two devices")
    state = project.state()
    devices = []
    for address in addresses:
        found = state.get(address)
        if not isinstance(found, Device) or found.rack is None:
            raise Refused(f"{address} is in no rack; `lasercats rack mount` mounts it")
        devices.append(found)
    changes = {}
    for address, device, partner in zip(addresses, devices, reversed(devices), strict=True):
        placed = replace(device, **{name: getattr(partner, name) for name in PLACE})
        changes[address] = Change(device, placed)
    made = plan_delta(project.kinds, Delta(changes), state, exact=True)
    for address, why in made.problems.items():
        raise Refused(f"{address}: {why}; nothing was done")
    return made


def renamed(project: Project, old: str, new: str) -> list[Command]:
    """Return the commands that give a device another name on record, with its cables; nobody is sent.

    Raises:
        Refused: there is no such device, or one of the new name.
        BadInput: one name is none, or they are of different machines.

    """
    one, other = (project.kinds.address(name, KIND) for name in (old, new))
    if place.machine(one) != place.machine(other):
        raise BadInput(f"{other} is at another machine than {one}; name one at the same")
    state = project.state()
    device = existing(one, state, Device)
    if state.get(other) is not None:
        raise Refused(f"{other} is on record already; choose another name")
    return list(_renamed(one, other, device, state))


def _renamed(one: Address, other: Address, device: Device, state: State) -> Iterator[Command]:
    """Iterate over the commands: the place is given up before it is taken, and the cables go over."""
    if device.status != REMOVED:
        yield Correct(on=(one,), status=REMOVED)
    aside = replace(device, **dict.fromkeys(PLACE), status=REMOVED)
    yield from KIND.converge(other, Change(None, of_machine(aside)))
    where = {n: v for n, v in decisions(device).items() if n in (*PLACE, "status")}
    if device.status != REMOVED:
        yield Correct(on=(other,), **where)
    for address, cable in sorted(power.cables_at(one, state)):
        yield CorrectCable(on=(address,), **_ends(cable, place.name(one), place.name(other)))
    if device.protect:  # it is the same device, so its protection goes over with it
        yield Protect(on=(other,))
        yield Unprotect(on=(one,))
    yield Retire(on=(one,))


def _ends(cable: Any, old: str, new: str) -> dict[str, Any]:  # noqa: ANN401
    """Return the ends of a cable that are at a device, under its new name."""
    ends = {"a": str(cable.a), "b": str(cable.b)}
    return {n: f"{new}:{end.partition(':')[2]}" for n, end in ends.items() if end.startswith(f"{old}:")}
