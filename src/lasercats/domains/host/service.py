"""`service`: a unit of systemd, whether it starts at boot and whether it runs."""

import re
from collections.abc import Iterator, Mapping
from typing import Annotated, Any, ClassVar

from msgspec import Meta
from msgspec.structs import replace

from lasercats.core.address import Address, machine_of, rest_of
from lasercats.core.change import Change
from lasercats.core.command import Command
from lasercats.core.errors import BadInput, Refused
from lasercats.core.kind import Found, Kind
from lasercats.core.program import Known, Program, Step
from lasercats.core.resource import GIVEN, Resource
from lasercats.core.state import State
from lasercats.instructions.systemd import ReadUnit, SetUnit, UnitStatus

UNIT = re.compile(r"[A-Za-z0-9:_.\\-]+(@[A-Za-z0-9:_.\\-]+)?\.(service|socket|timer|path|mount|target)")
FIXED = ("static", "generated", "transient", "masked", "masked-runtime", "bad")
"""What becomes of a unit at boot where nobody can enable it."""
RUNS = ("active", "reloading", "activating", "refreshing")


class Service(Resource, frozen=True):
    """A unit of systemd on a host."""

    enabled: Annotated[bool, Meta(description="started at boot")] | None = None
    running: Annotated[bool, Meta(description="running now")] | None = None
    file: Annotated[str | None, GIVEN] = None
    """What systemd says of its file: `enabled`, `disabled`, `static`, `masked`."""
    active: Annotated[str | None, GIVEN] = None
    """What systemd says of it: `active`, `inactive`, `failed`."""


class Setting(Command, frozen=True):
    """What sets one thing of a service."""

    field: ClassVar[str]
    value: ClassVar[bool]

    def decide(self, address: Address, state: State) -> Service:
        """Return the service with that; whether there is one is seen where what brings it is there."""
        service = state.get(address)
        service = service if isinstance(service, Service) else Service()
        if self.field == "enabled" and self.value and service.file in FIXED:
            raise Refused(f"it cannot be enabled, because it is {service.file}")
        if self.field == "running" and self.value and service.file in ("masked", "masked-runtime"):
            raise Refused("it cannot be started, because it is masked")
        return replace(service, **{self.field: self.value})


class Enable(Setting, frozen=True, tag="service.enable"):
    """Have services start at boot."""

    past: ClassVar[str] = "service.enabled"
    field: ClassVar[str] = "enabled"
    value: ClassVar[bool] = True


class Disable(Setting, frozen=True, tag="service.disable"):
    """Have services not start at boot."""

    past: ClassVar[str] = "service.disabled"
    field: ClassVar[str] = "enabled"
    value: ClassVar[bool] = False


class Start(Setting, frozen=True, tag="service.start"):
    """Start services."""

    past: ClassVar[str] = "service.started"
    field: ClassVar[str] = "running"
    value: ClassVar[bool] = True


class Stop(Setting, frozen=True, tag="service.stop"):
    """Stop services."""

    past: ClassVar[str] = "service.stopped"
    announces: ClassVar[tuple[str, ...]] = ("interrupts",)
    field: ClassVar[str] = "running"
    value: ClassVar[bool] = False


class Retire(Command, frozen=True, tag="service.retire"):
    """Stop services, have them not start at boot, and manage them no more; their units stay."""

    past: ClassVar[str] = "service.retired"

    def decide(self, address: Address, state: State) -> None:
        """Leave nothing."""


def canonical(name: str) -> str:
    """Return `MACHINE:UNIT`, a service where no sort of unit is said.

    Raises:
        BadInput: no machine, what can be the name of no unit, or a template, of which there is none itself.

    """
    machine, colon, unit = name.partition(":")
    if "." not in unit and not unit.endswith("@"):
        unit += ".service"
    if not colon or not UNIT.fullmatch(unit):
        raise BadInput(f"{name!r} is no unit on a machine; write MACHINE:UNIT, as in web1:nginx.service")
    return f"{machine}:{unit}"


def act(address: Address, change: Change[Any], _known: Known) -> Step:
    """Enable, disable, start or stop it."""
    machine, name, after = machine_of(address) or "", rest_of(address), change.after
    if after is None:
        gone = SetUnit(machine=machine, name=name, enabled=False, running=False)
        return Step(gone, lambda _: None)
    unit = SetUnit(machine=machine, name=name, enabled=after.enabled, running=after.running)
    return Step(unit, resource)


def converge(address: Address, change: Change[Service]) -> Iterator[Command]:
    """Retire it, or set what differs."""
    on, before, after = (address,), change.before or Service(), change.after
    if after is None:
        yield Retire(on=on)
        return
    if after.enabled is not None and after.enabled != before.enabled:
        yield Enable(on=on) if after.enabled else Disable(on=on)
    if after.running is not None and after.running != before.running:
        yield Start(on=on) if after.running else Stop(on=on)


def observe(machine: str, known: Mapping[Address, Service | None]) -> Program[Found]:
    """Look at units."""
    found = yield tuple(ReadUnit(machine=machine, name=rest_of(address)) for address in known)
    return dict(zip(known, map(resource, found), strict=True))


def resource(status: UnitStatus) -> Service | None:
    """Return the service that a status tells of."""
    if status.load == "not-found":
        return None
    enabled = True if status.file.startswith("enabled") else None if status.file in FIXED[:3] else False
    return Service(
        enabled=enabled, running=status.active in RUNS, file=status.file or None, active=status.active or None
    )


def interrupts(before: Service, after: Service | None) -> Iterator[str]:
    """Return how a change interrupts its work."""
    if before.running and not (after and after.running):
        yield "stopped"


KIND = Kind(
    name="service",
    resource=Service,
    commands=(Enable, Disable, Start, Stop, Retire),
    converge=converge,
    act=act,
    observe=observe,
    canonical=canonical,
    interrupts=interrupts,
    form="MACHINE:UNIT",
)
