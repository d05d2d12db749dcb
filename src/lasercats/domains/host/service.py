"""`service`: a unit of systemd, whether it starts at boot and whether it runs."""

import re
from collections.abc import Iterable, Iterator
from typing import Annotated, Any

from msgspec import Meta

from lasercats.core.address import Address, machine_of, rest_of
from lasercats.core.change import Change
from lasercats.core.command import Command
from lasercats.core.errors import BadInput, Refused
from lasercats.core.kind import Knowledge
from lasercats.core.program import Known, Step
from lasercats.core.resource import COMPUTED, Resource
from lasercats.core.setting import Removes, Sets
from lasercats.core.state import State
from lasercats.domains.host.family import OnHost
from lasercats.instructions.systemd import ReadUnit, SetUnit, UnitStatus

UNIT = re.compile(r"[A-Za-z0-9:_.\\-]+(@[A-Za-z0-9:_.\\-]+)?\.(service|socket|timer|path|mount|target)")
FIXED = ("static", "generated", "transient", "masked", "masked-runtime", "bad")
"""What becomes of a unit at boot where nobody can enable it."""
RUNS = ("active", "reloading", "activating", "refreshing")


class Service(Resource, frozen=True):
    """A unit of systemd on a host."""

    enabled: Annotated[bool, Meta(description="started at boot")] | None = None
    running: Annotated[bool, Meta(description="running now")] | None = None
    file: Annotated[str | None, COMPUTED] = None
    """What systemd says of its file: `enabled`, `disabled`, `static`, `masked`."""
    active: Annotated[str | None, COMPUTED] = None
    """What systemd says of it: `active`, `inactive`, `failed`."""


class _Sets(Sets, frozen=True, init=False, of=Service, takes=()):
    def found(self, address: Address, state: State) -> Service:
        """Return the service; whether there is one is seen where what brings it is there."""
        service = state.get(address)
        service = service if isinstance(service, Service) else Service()
        if self.constant.get("enabled") and service.file in FIXED:
            raise Refused(f"it cannot be enabled, because it is {service.file}")
        if self.constant.get("running") and service.file in ("masked", "masked-runtime"):
            raise Refused("it cannot be started, because it is masked")
        return service


class Enable(
    _Sets, frozen=True, init=False, tag="service.enable", past="service.enabled", constant={"enabled": True}
):
    """Have services start at boot."""


class Disable(
    _Sets,
    frozen=True,
    init=False,
    tag="service.disable",
    past="service.disabled",
    constant={"enabled": False},
):
    """Have services not start at boot."""


class Start(
    _Sets, frozen=True, init=False, tag="service.start", past="service.started", constant={"running": True}
):
    """Start services."""


class Stop(
    _Sets,
    frozen=True,
    init=False,
    tag="service.stop",
    past="service.stopped",
    constant={"running": False},
    announces=("interrupts",),
):
    """Stop services."""


class Retire(Removes, frozen=True, tag="service.retire", past="service.retired", of=Service):
    """Stop services, have them not start at boot, and manage them no more; their units stay."""

    def decide(self, address: Address, state: State) -> None:
        """Leave nothing."""


class ServiceKind(OnHost[Service]):
    """Services, and other units of systemd."""

    name = "service"
    resource = Service
    commands = (Enable, Disable, Start, Stop, Retire)
    form = "MACHINE:UNIT"

    def canonical(self, name: str) -> str:
        """Return `MACHINE:UNIT`, a service where no sort of unit is said.

        Raises:
            BadInput: no machine, what can be the name of no unit, or a template, which is none itself.

        """
        machine, colon, unit = name.partition(":")
        if "." not in unit and not unit.endswith("@"):
            unit += ".service"
        if not colon or not UNIT.fullmatch(unit):
            raise BadInput(f"{name!r} is no unit on a machine; write MACHINE:UNIT, as in web1:nginx.service")
        return f"{machine}:{unit}"

    def converge(self, address: Address, change: Change[Service]) -> Iterable[Command]:
        """Retire it, or set what differs: nothing makes a unit but what brings it."""
        return super().converge(address, Change(change.before or Service(), change.after))

    def looks(self, machine: str, address: Address, knowledge: Knowledge) -> ReadUnit:
        """Look at a unit."""
        return ReadUnit(machine=machine, name=rest_of(address))

    def acts(self, address: Address, change: Change[Any]) -> SetUnit:
        """Enable, disable, start or stop it."""
        desired = change.after or Service(enabled=False, running=False)
        machine, name = machine_of(address) or "", rest_of(address)
        return SetUnit(machine=machine, name=name, enabled=desired.enabled, running=desired.running)

    def act(self, address: Address, change: Change[Service], known: Known) -> Step:
        """Act on it; what is retired is managed no more, though its unit is there."""
        step = super().act(address, change, known)
        return step if change.after is not None else Step(step.instruction, lambda _: None)

    def read(self, answer: UnitStatus, known: Service | None) -> Service | None:
        """Return the service that a status tells of."""
        if answer.load == "not-found":
            return None
        enabled = True if answer.file.startswith("enabled") else None if answer.file in FIXED[:3] else False
        running = answer.active in RUNS
        return Service(
            enabled=enabled, running=running, file=answer.file or None, active=answer.active or None
        )

    def interrupts(self, before: Service, after: Service | None) -> Iterator[str]:
        """Return how a change interrupts its work."""
        if before.running and not (after and after.running):
            yield "stopped"


KIND = ServiceKind()
