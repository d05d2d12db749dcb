"""What was decided last, as the log tells, whatever was found changed outside since."""

from collections.abc import Callable
from functools import cache
from typing import Any

from lasercats.core.address import Address
from lasercats.core.change import Change, Delta
from lasercats.core.record import FORGOTTEN, OBSERVED, Event
from lasercats.core.resource import Resource, decisions
from lasercats.operate.moments import record_at
from lasercats.operate.project import Project


def corrective(project: Project, delta: Delta) -> dict[Address, tuple[str, ...]]:
    """Return the fields in which a delta leads back to what was decided last."""
    observed = _observed_at(project)
    found = {a: tuple(_decided_before(project, a, change, observed)) for a, change in delta.items()}
    return {address: names for address, names in found.items() if names}


def _observed_at(project: Project) -> Callable[[int], bool]:
    """Return what tells of a position whether the event there was observed; each is read once."""

    @cache
    def is_observed(position: int) -> bool:
        record = record_at(project.log, position, Event)
        return isinstance(record.entry, Event) and record.entry.type == OBSERVED

    return is_observed


def _decided_before(
    project: Project, address: Address, change: Change[Resource], observed: Callable[[int], bool]
) -> list[str]:
    decided = decided_last(project, address, observed)
    if change.after is None:
        return list(change.fields) if decided == {} else []
    return [n for n in change.fields if decided and decided.get(n) == getattr(change.after, n)]


def decided_last(
    project: Project, address: Address, observed: Callable[[int], bool]
) -> dict[str, Any] | None:
    """Return what was decided last for each field of a resource, whatever was found changed outside since.

    It is empty where the resource was to be gone, and None where nobody ever decided anything. What was taken
    in when nothing was known of it counts as decided.
    """
    decided: dict[str, Any] | None = None
    left: Resource | None = None
    for version in project.log.versions(address):
        came = version.resource(project.kinds, address)
        seen = observed(version.since)
        if version.raw == FORGOTTEN:
            decided = None
        elif not seen:
            fields = Change(left, came).fields
            decided = {} if came is None else {**(decided or {}), **{n: getattr(came, n) for n in fields}}
        elif decided is None:
            decided = dict(decisions(came))
        left = came
    return decided
