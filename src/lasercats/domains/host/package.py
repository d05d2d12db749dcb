"""`package`: a package of a host, at a version or at any, held or not; by apt.

What apt would remove or downgrade along is looked at together with it, and is a part of the command: told,
agreed to, carried out first, and undone with it.
"""

import re
from collections.abc import Iterator, Mapping
from typing import Annotated, Any, ClassVar

from msgspec import Meta
from msgspec.structs import replace

from lasercats.core.address import Address, machine_of, make, rest_of
from lasercats.core.change import Change
from lasercats.core.command import Command
from lasercats.core.errors import BadInput, Refused
from lasercats.core.kind import Found, Kind, Knowledge
from lasercats.core.program import Known, Program, Step
from lasercats.core.resource import GIVEN, PROTECTS, Resource
from lasercats.core.state import State
from lasercats.instructions.apt import PackageStatus, ReadPackage, SetPackage

NAME = re.compile(r"[a-z0-9][a-z0-9+.-]+")
Version = Annotated[
    str, Meta(pattern=r"^[0-9][A-Za-z0-9.+:~-]*$", description="the version; any where none is said")
]
Held = Annotated[bool, Meta(extra=PROTECTS, description="kept as it is by whatever upgrades")]


class Package(Resource, frozen=True):
    """A package that is installed on a host."""

    version: Version | None = None
    hold: Held | None = None
    installed: Annotated[str | None, GIVEN] = None
    """The version that is installed."""
    brought: Annotated[tuple[str, ...] | None, GIVEN] = None
    """What was installed along with it, and goes with it where nothing needs it any more."""
    yields_to: Annotated[Address | None, GIVEN] = None
    """What it makes way for, as the last look found."""
    becomes: Annotated[str | None, GIVEN] = None
    """The version that it has then; none where it goes."""


class Set(Command, frozen=True):
    """What sets a package: it takes along what apt would remove or downgrade for it."""

    whole: ClassVar[bool] = False

    def displaces(self, address: Address, state: State) -> Iterator[tuple[Address, Package | None]]:
        """Let go what cannot be beside it, or without it."""
        for other, package in state.having(_by_cause, address):
            if other != address and isinstance(package, Package):
                left = replace(package, version=package.becomes, yields_to=None, becomes=None)
                yield other, left if package.becomes else None


def _by_cause(_address: Address, resource: Resource) -> tuple[str, ...]:
    return (resource.yields_to,) if isinstance(resource, Package) and resource.yields_to else ()


class Install(Set, frozen=True, tag="package.install"):
    """Install packages; at the newest version where none is said and they are not there."""

    past: ClassVar[str] = "package.installed"

    version: Version | None = None
    hold: Held | None = None

    def decide(self, address: Address, state: State) -> Package:
        """Return the package; one that is held stays unless its hold is said, too."""
        package = state.get(address)
        package = package if isinstance(package, Package) else Package()
        if package.hold and self.hold is None and self.version not in (None, package.version):
            raise Refused(f"it is held; `lasercats package unhold {rest(address)}` lifts that")
        hold = package.hold if self.hold is None else self.hold
        return replace(package, version=self.version or package.version, hold=hold)


class Remove(Set, frozen=True, tag="package.remove"):
    """Remove packages, with what they brought and nothing needs any more; configuration files stay."""

    past: ClassVar[str] = "package.removed"
    removes: ClassVar[bool] = True

    def decide(self, address: Address, state: State) -> None:
        """Leave nothing, where it is not held."""
        package = state.get(address)
        if isinstance(package, Package) and package.hold:
            raise Refused(f"it is held; `lasercats package unhold {rest(address)}` lifts that")


class Holding(Command, frozen=True):
    """What holds a package or lets it go."""

    whole: ClassVar[bool] = False
    hold: ClassVar[bool]

    def decide(self, address: Address, state: State) -> Package:
        """Return it held, or not."""
        package = state.get(address)
        if not isinstance(package, Package):
            raise Refused(f"it is not installed; `lasercats package install {rest(address)}` does it")
        return replace(package, hold=self.hold)


class Keep(Holding, frozen=True, tag="package.hold"):
    """Hold packages: they are kept as they are by whatever upgrades."""

    past: ClassVar[str] = "package.held"
    hold: ClassVar[bool] = True


class Unhold(Holding, frozen=True, tag="package.unhold"):
    """Lift the hold of packages."""

    past: ClassVar[str] = "package.unheld"
    announces: ClassVar[tuple[str, ...]] = ("unprotects",)
    hold: ClassVar[bool] = False


def rest(address: Address) -> str:
    """Return `MACHINE:NAME`."""
    return f"{machine_of(address)}:{rest_of(address)}"


def canonical(name: str) -> str:
    """Return `MACHINE:NAME`.

    Raises:
        BadInput: no machine, or what can be the name of no package.

    """
    machine, colon, package = name.partition(":")
    if not colon or not NAME.fullmatch(package):
        raise BadInput(f"{name!r} is no package on a machine; write MACHINE:NAME, as in web1:nginx")
    return f"{machine}:{package}"


def act(address: Address, change: Change[Any], _known: Known) -> Step:
    """Set or remove the package."""
    machine, name, before, after = machine_of(address) or "", rest_of(address), change.before, change.after
    if after is None:
        brought = (before and before.brought) or ()
        gone = SetPackage(machine=machine, name=name, absent=True, brought=brought)
        return Step(gone, resource)
    instruction = SetPackage(machine=machine, name=name, version=after.version, hold=after.hold)
    was = before.brought if before else None
    return Step(instruction, lambda status: resource(status, status.brought or was))


def converge(address: Address, change: Change[Package]) -> Iterator[Command]:
    """Remove it, lifting its hold before; or install it, or change its hold alone."""
    on, before, after = (address,), change.before, change.after
    if after is None:
        if before is not None and before.hold:
            yield Unhold(on=on)
        yield Remove(on=on)
    elif before is None or after.version not in (None, before.version):
        hold = after.hold if after.hold is not None or before is None else before.hold
        yield Install(on=on, version=after.version, hold=hold)
    elif after.hold is not None and after.hold != before.hold:
        yield Keep(on=on) if after.hold else Unhold(on=on)


def observe(machine: str, known: Mapping[Address, Package | None]) -> Program[Found]:
    """Look at packages; where one is about to be set or to go, at what would go along, too."""
    told = known if isinstance(known, Knowledge) else Knowledge(known)
    found = dict[Address, Resource | None]()
    looks = tuple(_look(machine, address, told) for address in known)
    for address, status in zip(known, (yield looks), strict=True):
        was = known[address]
        found[address] = resource(status, was.brought if was else None)
        for name, version, hold, becomes in status.along:
            other = make("package", f"{machine}:{name}")
            found[other] = Package(
                version=version, hold=hold, installed=version, yields_to=address, becomes=becomes or None
            )
    return found


def _look(machine: str, address: Address, told: Knowledge) -> ReadPackage:
    wish = told.expected.get(address)
    goes = wish is None if address in told.expected else None
    version = wish.version if isinstance(wish, Package) else None
    return ReadPackage(machine=machine, name=rest_of(address), version=version, goes=goes)


def resource(status: PackageStatus, brought: tuple[str, ...] | None = None) -> Package | None:
    """Return the package that a status tells of."""
    if status.version is None:
        return None
    return Package(
        version=status.version, hold=status.hold, installed=status.version, brought=brought or None
    )


def interrupts(before: Package, after: Package | None) -> Iterator[str]:
    """Return what becomes of a package that makes way for another."""
    if before.yields_to and (after is None or after.version == before.becomes):
        what = f"downgraded to {before.becomes}" if after else "removed"
        yield f"{what} along with what is done at {before.yields_to}"


KIND = Kind(
    name="package",
    resource=Package,
    commands=(Install, Remove, Keep, Unhold),
    converge=converge,
    act=act,
    observe=observe,
    canonical=canonical,
    interrupts=interrupts,
    form="MACHINE:NAME",
)
