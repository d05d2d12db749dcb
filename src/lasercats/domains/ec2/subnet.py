"""`ec2.subnet`: a part of a network, in one availability zone."""

from collections.abc import Iterator, Mapping
from functools import partial
from typing import Annotated, Any, ClassVar

from msgspec import Meta
from msgspec.structs import replace

from lasercats.core.address import Address
from lasercats.core.change import Change
from lasercats.core.command import Command
from lasercats.core.errors import Refused
from lasercats.core.loose import Forms
from lasercats.core.program import Known, Program
from lasercats.core.resource import GIVEN, Resource
from lasercats.core.state import State
from lasercats.domains.ec2 import account, looks, steps
from lasercats.domains.ec2.account import Cidr, Tags, Vpc, Zone
from lasercats.domains.ec2.looks import Looking
from lasercats.instructions.aws import Call, Wait, tags_of

PublicIps = Annotated[bool, Meta(description="give instances that are launched in it a public IPv4 address")]


class Subnet(Resource, frozen=True):
    """A subnet on EC2."""

    vpc: Vpc | None = None
    cidr: Cidr | None = None
    zone: Zone | None = None
    public_ips: PublicIps | None = None
    tags: Tags | None = None
    id: Annotated[str | None, GIVEN] = None

    forms: ClassVar[Forms] = account.RANGED


class Create(Command, frozen=True, tag="ec2.create_subnet"):
    """Create subnets of a network."""

    past: ClassVar[str] = "ec2.subnet.created"
    forms: ClassVar[Forms] = account.RANGED

    vpc: Vpc
    cidr: Cidr
    zone: Zone | None = None
    public_ips: PublicIps | None = None
    tags: Tags | None = None

    def decide(self, address: Address, state: State) -> Subnet:
        """Return the subnet, where there is none; it gives public addresses only if that is asked."""
        told = {name: getattr(self, name) for name in ("vpc", "cidr", "zone", "tags")}
        made = Subnet(**told, public_ips=bool(self.public_ips))
        account.check_new(address, state, made)
        return made


class _Public(Command, frozen=True):
    def _decided(self, address: Address, state: State, *, public_ips: bool) -> Subnet:
        found: Subnet = account.existing(address, state)
        return replace(found, public_ips=public_ips)


class EnablePublicIps(_Public, frozen=True, tag="ec2.enable_public_ips"):
    """Give instances that are launched in subnets from now on a public IPv4 address."""

    past: ClassVar[str] = "ec2.subnet.public_ips_enabled"

    def decide(self, address: Address, state: State) -> Subnet:
        """Return it with public addresses."""
        return self._decided(address, state, public_ips=True)


class DisablePublicIps(_Public, frozen=True, tag="ec2.disable_public_ips"):
    """Give instances that are launched in subnets from now on no public IPv4 address."""

    past: ClassVar[str] = "ec2.subnet.public_ips_disabled"

    def decide(self, address: Address, state: State) -> Subnet:
        """Return it without public addresses."""
        return self._decided(address, state, public_ips=False)


class Tag(account.Tag, frozen=True, tag="ec2.tag_subnet"):
    """Set tags of subnets; others stay."""

    past: ClassVar[str] = "ec2.subnet.tagged"


class Untag(account.Untag, frozen=True, tag="ec2.untag_subnet"):
    """Remove tags of subnets."""

    past: ClassVar[str] = "ec2.subnet.untagged"


class Delete(account.Delete, frozen=True, tag="ec2.delete_subnet"):
    """Delete subnets in which nothing is any more."""

    past: ClassVar[str] = "ec2.subnet.deleted"


def act(address: Address, change: Change[Any], known: Known) -> Program[Subnet | None]:
    """Create, change or delete it."""
    machine, _ = account.at(address)
    if change.before is None:
        return _create(machine, address, change.after, known)
    if change.after is None:
        return steps.delete(address, change.before, known, "DeleteSubnet", "SubnetId")
    rest = partial(_publish, machine) if "public_ips" in change.fields else None
    return steps.change(address, change, known, LOOKING, rest)


def _create(machine: str, address: Address, wish: Any, known: Known) -> Program[Any]:  # noqa: ANN401
    def rest(new: Subnet, known: Known) -> Program[None]:
        yield Wait(machine=machine, what="subnet", id=str(new.id), state="available")
        if new.public_ips:
            yield from _publish(machine, new, known)

    parameters = {
        "VpcId": account.id_of(known, wish.vpc or ""),
        "CidrBlock": wish.cidr,
        "AvailabilityZone": wish.zone,
    }
    call = Call(machine=machine, operation="CreateSubnet", parameters=parameters, at="Subnet.SubnetId")
    return (yield from steps.create(address, wish, known, LOOKING, call, rest))


def _publish(machine: str, wish: Subnet, _known: Known) -> Program[None]:
    if wish.public_ips is not None:
        parameters = {"SubnetId": wish.id, "MapPublicIpOnLaunch": {"Value": wish.public_ips}}
        yield Call(machine=machine, operation="ModifySubnetAttribute", parameters=parameters)


def converge(address: Address, change: Change[Subnet]) -> Iterator[Command]:
    """Create or delete it; else change what differs."""
    on, before, after = (address,), change.before, change.after
    if after is None:
        yield Delete(on=on)
        return
    if before is None:
        if after.vpc is None or after.cidr is None:
            raise Refused(f"{address} cannot be created without vpc and cidr")
        told = {name: getattr(after, name) for name in ("zone", "public_ips", "tags")}
        yield Create(on=on, vpc=after.vpc, cidr=after.cidr, **told)
        return
    if after.public_ips is not None and before.public_ips != after.public_ips:
        yield EnablePublicIps(on=on) if after.public_ips else DisablePublicIps(on=on)
    yield from account.converge_tags(on, change, Tag, Untag)


def replaces(change: Change[Subnet]) -> bool:
    """Tell whether a change cannot be made in place: another network, range or zone."""
    return account.differs(change, "vpc", "cidr", "zone")


def read(thing: Mapping[str, Any], _known: Subnet | None) -> Subnet:
    """Return the subnet that a description tells of."""
    return Subnet(
        vpc=thing["VpcId"],
        cidr=thing["CidrBlock"],
        zone=thing["AvailabilityZone"],
        public_ips=thing["MapPublicIpOnLaunch"],
        tags=tags_of(thing),
        id=thing["SubnetId"],
    )


LOOKING = Looking("ec2.subnet", "subnet", read)
KIND = looks.kind(
    LOOKING,
    Subnet,
    (Create, EnablePublicIps, DisablePublicIps, Tag, Untag, Delete),
    converge,
    act,
    replaces=replaces,
)
