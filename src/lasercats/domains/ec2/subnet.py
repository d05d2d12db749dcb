"""`ec2.subnet`: a part of a network, in one availability zone."""

from collections.abc import Mapping
from typing import Annotated, Any, ClassVar

from msgspec import Meta

from lasercats.core.address import Address
from lasercats.core.change import Change
from lasercats.core.loose import Forms
from lasercats.core.program import Known, Program
from lasercats.core.resource import COMPUTED, Resource
from lasercats.domains.ec2 import account, steps
from lasercats.domains.ec2.account import Cidr, Tags, Vpc, Zone
from lasercats.domains.ec2.looks import Thing
from lasercats.instructions.aws import Call, tags_of

PublicIps = Annotated[bool, Meta(description="give instances that are launched in it a public IPv4 address")]


class Subnet(Resource, frozen=True):
    """A subnet on EC2."""

    vpc: Vpc | None = None
    cidr: Cidr | None = None
    zone: Zone | None = None
    public_ips: PublicIps | None = None
    tags: Tags | None = None
    id: Annotated[str | None, COMPUTED] = None

    forms: ClassVar[Forms] = account.RANGED


class Create(
    account.Makes,
    frozen=True,
    init=False,
    tag="ec2.create_subnet",
    past="ec2.subnet.created",
    of=Subnet,
    needs=("vpc", "cidr"),
):
    """Create subnets of a network."""

    new: ClassVar[Mapping[str, Any]] = {"public_ips": False}


class EnablePublicIps(
    account.Sets,
    frozen=True,
    init=False,
    tag="ec2.enable_public_ips",
    past="ec2.subnet.public_ips_enabled",
    of=Subnet,
    takes=(),
    constant={"public_ips": True},
):
    """Give instances that are launched in subnets from now on a public IPv4 address."""


class DisablePublicIps(
    account.Sets,
    frozen=True,
    init=False,
    tag="ec2.disable_public_ips",
    past="ec2.subnet.public_ips_disabled",
    of=Subnet,
    takes=(),
    constant={"public_ips": False},
):
    """Give instances that are launched in subnets from now on no public IPv4 address."""


class Delete(
    account.Delete, frozen=True, init=False, tag="ec2.delete_subnet", past="ec2.subnet.deleted", of=Subnet
):
    """Delete subnets in which nothing is any more."""


class SubnetKind(steps.Made[Subnet]):
    """Subnets."""

    name = "ec2.subnet"
    resource = Subnet
    commands = (Create, EnablePublicIps, DisablePublicIps, *account.TAGGING, Delete)
    what = "subnet"
    fixed = ("vpc", "cidr", "zone")
    ready = "available"
    born: ClassVar[Mapping[str, Any]] = {"public_ips": False}
    deletion = ("DeleteSubnet", "SubnetId")

    def making(self, address: Address, desired: Subnet, known: Known) -> Call:
        """Create it."""
        machine, _ = account.at(address)
        vpc = account.id_of(known, desired.vpc or "")
        parameters = {"VpcId": vpc, "CidrBlock": desired.cidr, "AvailabilityZone": desired.zone}
        return Call(machine=machine, operation="CreateSubnet", parameters=parameters, at="Subnet.SubnetId")

    def alter(self, address: Address, change: Change[Any], desired: Subnet, known: Known) -> Program[None]:
        """Have it give public addresses, or not any more."""
        if "public_ips" in change.fields and desired.public_ips is not None:
            parameters = {"SubnetId": desired.id, "MapPublicIpOnLaunch": {"Value": desired.public_ips}}
            machine, _ = account.at(address)
            yield Call(machine=machine, operation="ModifySubnetAttribute", parameters=parameters)

    def read(self, thing: Thing, known: Subnet | None) -> Subnet:
        """Return the subnet that a description tells of."""
        return Subnet(
            vpc=thing["VpcId"],
            cidr=thing["CidrBlock"],
            zone=thing["AvailabilityZone"],
            public_ips=thing["MapPublicIpOnLaunch"],
            tags=tags_of(thing),
            id=thing["SubnetId"],
        )


KIND = SubnetKind()
