"""`blame`: for each field of a resource its value, since when, by which command, by whom and why."""

from typing import Any, NamedTuple

from lasercats.core.address import Address
from lasercats.core.errors import BadInput, UnknownName
from lasercats.core.record import Accepted, Event
from lasercats.core.resource import Resource, roles_of
from lasercats.operate.moments import record_at
from lasercats.operate.project import Project


class Blame(NamedTuple):
    """What is known of one field."""

    field: str
    value: Any
    role: str
    """`specified`, `computed` or `secret`."""
    position: int
    """The event that gave it this value."""
    time: int
    """Microseconds since 1970-01-01 UTC."""
    type: str
    """Of the event."""
    actor: str
    command: int | None
    """The command that caused the event; None for an observation."""
    message: str | None
    because: str | None


def blame(project: Project, address: Address, position: int | None = None) -> list[Blame]:
    """Tell of each field that holds something who gave it its value, as of a position or now.

    What it costs depends on how often the resource changed, not on the length of the log.

    Raises:
        UnknownName: the log never spoke of the address, or not before the position.
        BadInput: nothing was there then.

    """
    versions = [v for v in project.log.versions(address) if position is None or v.since <= position]
    if not versions:
        raise UnknownName("resource", address, project.log.fold(position).entries)
    resources = [(v.since, v.resource(project.kinds, address)) for v in versions]
    since, now = resources[-1]
    if now is None:
        event = _caused(project, since)
        text = f"{address} is not there: {event['type']} at position {since} by {event['actor']}"
        # An event is the moment after itself; a command, as the record before might be, that of its end.
        there = [position for position, resource in resources if resource is not None]
        raise BadInput(f"{text}; look at it before with --as-of {there[-1]}" if there else text)
    return [
        Blame(name, value, role.value, at, **_caused(project, at))
        for name, role in roles_of(type(now)).items()
        if (value := getattr(now, name)) is not None
        for at in [_since(name, value, resources)]
    ]


def _since(name: str, value: object, resources: list[tuple[int, Resource | None]]) -> int:
    """Return the position from which on a field has held the value that it holds in the end."""
    since = resources[-1][0]
    for position, resource in reversed(resources):
        if resource is None or getattr(resource, name) != value:
            break
        since = position
    return since


def _caused(project: Project, position: int) -> dict[str, Any]:
    """Return what is recorded of an event and of the command that caused it."""
    record = record_at(project.log, position, Event)
    event = record.entry
    assert isinstance(event, Event)  # noqa: S101 - it was just asked for
    facts: dict[str, Any] = {"time": record.time, "type": event.type, "command": event.command}
    facts |= {"actor": event.actor or "", "message": event.message, "because": None}
    if event.command is not None:
        command = record_at(project.log, event.command, Accepted).entry
        assert isinstance(command, Accepted)  # noqa: S101 - it was just asked for
        facts |= {"actor": command.actor, "message": command.message, "because": command.because}
    return facts
