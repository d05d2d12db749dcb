"""`ec2.vpc`: a network of its own in an account and region."""

from typing import Annotated, ClassVar

from lasercats.core.address import Address
from lasercats.core.loose import Forms
from lasercats.core.program import Known
from lasercats.core.resource import COMPUTED, Resource
from lasercats.domains.ec2 import account, steps
from lasercats.domains.ec2.account import Cidr, Tags
from lasercats.domains.ec2.looks import Thing
from lasercats.instructions.aws import Call, tags_of


class Vpc(Resource, frozen=True):
    """A network (VPC) on EC2."""

    cidr: Cidr | None = None
    tags: Tags | None = None
    id: Annotated[str | None, COMPUTED] = None

    forms: ClassVar[Forms] = account.RANGED


class Create(
    account.Makes,
    frozen=True,
    init=False,
    tag="ec2.create_vpc",
    past="ec2.vpc.created",
    of=Vpc,
    needs=("cidr",),
):
    """Create networks."""


class Delete(account.Delete, frozen=True, init=False, tag="ec2.delete_vpc", past="ec2.vpc.deleted", of=Vpc):
    """Delete networks in which nothing is any more."""


class VpcKind(steps.Made[Vpc]):
    """Networks; nothing of one but its tags can be changed."""

    name = "ec2.vpc"
    resource = Vpc
    commands = (Create, *account.TAGGING, Delete)
    what = "vpc"
    fixed = ("cidr",)
    ready = "available"
    deletion = ("DeleteVpc", "VpcId")

    def making(self, address: Address, desired: Vpc, known: Known) -> Call:
        """Create it."""
        machine, _ = account.at(address)
        parameters = {"CidrBlock": desired.cidr}
        return Call(machine=machine, operation="CreateVpc", parameters=parameters, at="Vpc.VpcId")

    def read(self, thing: Thing, known: Vpc | None) -> Vpc:
        """Return the network that a description tells of."""
        return Vpc(cidr=thing["CidrBlock"], tags=tags_of(thing), id=thing["VpcId"])


KIND = VpcKind()
