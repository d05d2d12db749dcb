"""`ec2.vpc`: a network of its own in an account and region."""

from collections.abc import Iterator, Mapping
from functools import partial
from typing import Annotated, Any, ClassVar

from lasercats.core.address import Address
from lasercats.core.change import Change
from lasercats.core.command import Command
from lasercats.core.errors import Refused
from lasercats.core.loose import Forms
from lasercats.core.program import Known, Program
from lasercats.core.resource import GIVEN, Resource
from lasercats.core.state import State
from lasercats.domains.ec2 import account, looks, steps
from lasercats.domains.ec2.account import Cidr, Tags
from lasercats.domains.ec2.looks import Looking
from lasercats.instructions.aws import Call, Wait, tags_of


class Vpc(Resource, frozen=True):
    """A network (VPC) on EC2."""

    cidr: Cidr | None = None
    tags: Tags | None = None
    id: Annotated[str | None, GIVEN] = None

    forms: ClassVar[Forms] = account.RANGED


class Create(Command, frozen=True, tag="ec2.create_vpc"):
    """Create networks."""

    past: ClassVar[str] = "ec2.vpc.created"
    forms: ClassVar[Forms] = account.RANGED

    cidr: Cidr
    tags: Tags | None = None

    def decide(self, address: Address, state: State) -> Vpc:
        """Return the network, where there is none."""
        made = Vpc(cidr=self.cidr, tags=self.tags)
        account.check_new(address, state, made)
        return made


class Tag(account.Tag, frozen=True, tag="ec2.tag_vpc"):
    """Set tags of networks; others stay."""

    past: ClassVar[str] = "ec2.vpc.tagged"


class Untag(account.Untag, frozen=True, tag="ec2.untag_vpc"):
    """Remove tags of networks."""

    past: ClassVar[str] = "ec2.vpc.untagged"


class Delete(account.Delete, frozen=True, tag="ec2.delete_vpc"):
    """Delete networks in which nothing is any more."""

    past: ClassVar[str] = "ec2.vpc.deleted"


def act(address: Address, change: Change[Any], known: Known) -> Program[Vpc | None]:
    """Create, change or delete it."""
    wish: Any = change.after
    if change.before is None:
        machine, _ = account.at(address)
        parameters = {"CidrBlock": wish.cidr}
        call = Call(machine=machine, operation="CreateVpc", parameters=parameters, at="Vpc.VpcId")
        return steps.create(address, wish, known, LOOKING, call, partial(_wait, machine))
    if change.after is None:
        return steps.delete(address, change.before, known, "DeleteVpc", "VpcId")
    return steps.change(address, change, known, LOOKING)


def _wait(machine: str, new: Vpc, _known: Known) -> Program[None]:
    yield Wait(machine=machine, what="vpc", id=str(new.id), state="available")


def converge(address: Address, change: Change[Vpc]) -> Iterator[Command]:
    """Create or delete it, or change its tags."""
    on, before, after = (address,), change.before, change.after
    if after is None:
        yield Delete(on=on)
    elif before is None:
        if after.cidr is None:
            raise Refused(f"{address} cannot be created without cidr")
        yield Create(on=on, cidr=after.cidr, tags=after.tags)
    else:
        yield from account.converge_tags(on, change, Tag, Untag)


def replaces(change: Change[Vpc]) -> bool:
    """Tell whether a change cannot be made in place: another range."""
    return account.differs(change, "cidr")


def read(thing: Mapping[str, Any], _known: Vpc | None) -> Vpc:
    """Return the network that a description tells of."""
    return Vpc(cidr=thing["CidrBlock"], tags=tags_of(thing), id=thing["VpcId"])


LOOKING = Looking("ec2.vpc", "vpc", read)
KIND = looks.kind(
    LOOKING,
    Vpc,
    (Create, Tag, Untag, Delete),
    converge,
    act,
    replaces=replaces,
)
