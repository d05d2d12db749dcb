"""What an operator does with racks that takes several commands: a swap."""

from msgspec.structs import replace

from lasercats.core.change import Change, Delta
from lasercats.core.errors import BadInput, Refused
from lasercats.domains.rack.device import PLACE, Device
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
