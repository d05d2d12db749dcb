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
from lasercats.core.kind import Knowledge
from lasercats.core.program import Known, Step
from lasercats.core.resource import COMPUTED, PROTECTS, Resource
from lasercats.core.setting import Makes, Removes, Sets
from lasercats.core.state import State
from lasercats.domains.host.family import OnHost
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
    installed: Annotated[str | None, COMPUTED] = None
    """The version that is installed."""
    brought: Annotated[tuple[str, ...] | None, COMPUTED] = None
    """What was installed along with it, and goes with it where nothing needs it any more."""
    yields_to: Annotated[Address | None, COMPUTED] = None
    """What it makes way for, as the last look found."""
    becomes: Annotated[str | None, COMPUTED] = None
    """The version that it has then; none where it goes."""


def _along(_command: Command, address: Address, state: State) -> Iterator[tuple[Address, Package | None]]:
    """Let go what cannot be beside a package, or without it."""
    for other, package in state.having(_by_cause, address):
        if other != address and isinstance(package, Package):
            left = replace(package, version=package.becomes, yields_to=None, becomes=None)
            yield other, left if package.becomes else None


def _by_cause(_address: Address, resource: Resource) -> tuple[str, ...]:
    return (resource.yields_to,) if isinstance(resource, Package) and resource.yields_to else ()


class Install(Makes, frozen=True, init=False, tag="package.install", past="package.installed", of=Package):
    """Install packages; at the newest version where none is said and they are not there."""

    whole: ClassVar[bool] = False
    displaces = _along

    def found(self, address: Address, state: State) -> Package:
        """Return the package; one that is held stays unless its hold is said, too."""
        package: Package = super().found(address, state)
        if package.hold and self.hold is None and self.version not in (None, package.version):
            raise Refused(f"it is held; `lasercats package unhold {rest(address)}` lifts that")
        return package


class Remove(Removes, frozen=True, tag="package.remove", past="package.removed", of=Package):
    """Remove packages, with what they brought and nothing needs any more; configuration files stay."""

    whole: ClassVar[bool] = False
    removes: ClassVar[bool] = True
    displaces = _along

    def decide(self, address: Address, state: State) -> None:
        """Leave nothing, where it is not held."""
        package = state.get(address)
        if isinstance(package, Package) and package.hold:
            raise Refused(f"it is held; `lasercats package unhold {rest(address)}` lifts that")


class _Holds(Sets, frozen=True, init=False, of=Package, takes=()):
    whole: ClassVar[bool] = False

    def found(self, address: Address, state: State) -> Package:
        """Return the package."""
        package = state.get(address)
        if not isinstance(package, Package):
            raise Refused(f"it is not installed; `lasercats package install {rest(address)}` does it")
        return package


class Keep(_Holds, frozen=True, init=False, tag="package.hold", past="package.held", constant={"hold": True}):
    """Hold packages: they are kept as they are by whatever upgrades."""


class Unhold(
    _Holds,
    frozen=True,
    init=False,
    tag="package.unhold",
    past="package.unheld",
    constant={"hold": False},
    announces=("unprotects",),
):
    """Lift the hold of packages."""


def rest(address: Address) -> str:
    """Return `MACHINE:NAME`."""
    return f"{machine_of(address)}:{rest_of(address)}"


class PackageKind(OnHost[Package]):
    """Packages."""

    name = "package"
    resource = Package
    commands = (Install, Remove, Keep, Unhold)
    form = "MACHINE:NAME"

    def canonical(self, name: str) -> str:
        """Return `MACHINE:NAME`.

        Raises:
            BadInput: no machine, or what can be the name of no package.

        """
        machine, colon, package = name.partition(":")
        if not colon or not NAME.fullmatch(package):
            raise BadInput(f"{name!r} is no package on a machine; write MACHINE:NAME, as in web1:nginx")
        return f"{machine}:{package}"

    def converge(self, address: Address, change: Change[Package]) -> Iterator[Command]:
        """Lift the hold of what goes; what is held says so where its version changes."""
        before, after = change.before, change.after
        if after is None and before is not None and before.hold:
            yield Unhold(on=(address,))
        elif before is not None and after is not None and after.version not in (None, before.version):
            hold = before.hold if after.hold is None else after.hold
            change = Change(before, replace(after, hold=hold))
        yield from super().converge(address, change)

    def acts(self, address: Address, change: Change[Any]) -> SetPackage:
        """Set or remove the package."""
        machine, name = machine_of(address) or "", rest_of(address)
        before, after = change.before, change.after
        if after is None:
            brought = (before and before.brought) or ()
            return SetPackage(machine=machine, name=name, absent=True, brought=brought)
        return SetPackage(machine=machine, name=name, version=after.version, hold=after.hold)

    def act(self, address: Address, change: Change[Package], known: Known) -> Step:
        """Set or remove the package; what it once brought is known on."""
        was = change.before if change.after is not None else None
        return Step(self.acts(address, change), lambda status: self.read(status, was))

    def looks(self, machine: str, address: Address, knowledge: Knowledge) -> ReadPackage:
        """Look at a package; where it is about to be set or to go, at what would go along, too."""
        desired = knowledge.expected.get(address)
        goes = desired is None if address in knowledge.expected else None
        version = desired.version if isinstance(desired, Package) else None
        return ReadPackage(machine=machine, name=rest_of(address), version=version, goes=goes)

    def finds(
        self, address: Address, answer: PackageStatus, known: Package | None
    ) -> Mapping[Address, Resource | None]:
        """Return the package, and what would go along with it."""
        found = dict(super().finds(address, answer, known))
        for name, version, hold, becomes in answer.along:
            other = make("package", f"{machine_of(address)}:{name}")
            found[other] = Package(
                version=version, hold=hold, installed=version, yields_to=address, becomes=becomes or None
            )
        return found

    def read(self, answer: PackageStatus, known: Package | None) -> Package | None:
        """Return the package that a status tells of, with what it is known to have brought."""
        if answer.version is None:
            return None
        brought = answer.brought or (known.brought if known else None) or None
        return Package(version=answer.version, hold=answer.hold, installed=answer.version, brought=brought)

    def interrupts(self, before: Package, after: Package | None) -> Iterator[str]:
        """Return what becomes of a package that makes way for another."""
        if before.yields_to and (after is None or after.version == before.becomes):
            what = f"downgraded to {before.becomes}" if after else "removed"
            yield f"{what} along with what is done at {before.yields_to}"


KIND = PackageKind()
