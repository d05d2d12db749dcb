"""`ec2.elastic_ip`: a public address of its own, that an instance may hold and that outlives it."""

from collections.abc import Iterator, Mapping
from typing import Annotated, Any, ClassVar

from msgspec import Meta
from msgspec.structs import replace

from lasercats.core.address import Address
from lasercats.core.change import Change
from lasercats.core.errors import Refused
from lasercats.core.loose import Forms
from lasercats.core.program import Known, Program
from lasercats.core.reference import NOTHING
from lasercats.core.resource import COMPUTED, Resource
from lasercats.core.state import State
from lasercats.domains.ec2 import account, steps
from lasercats.domains.ec2.account import Holder, Tags
from lasercats.domains.ec2.looks import Thing
from lasercats.instructions.aws import Call, Describe, Unmark, tags_of, variable


class ElasticIp(Resource, frozen=True):
    """An elastic IP address on EC2."""

    instance: Holder | None = None
    """What it is associated with; "" for nothing."""
    tags: Tags | None = None
    id: Annotated[str | None, COMPUTED] = None
    public_ip: Annotated[str | None, COMPUTED] = None
    association: Annotated[str | None, COMPUTED] = None
    """The id of its association with the instance."""

    forms: ClassVar[Forms] = account.TAGS


class Allocate(
    account.Makes,
    frozen=True,
    init=False,
    tag="ec2.allocate",
    past="ec2.elastic_ip.allocated",
    of=ElasticIp,
    takes=("tags",),
):
    """Allocate elastic IP addresses, associated with nothing."""

    new: ClassVar[Mapping[str, Any]] = {"instance": NOTHING}


class Disassociate(
    account.LetsGo,
    frozen=True,
    init=False,
    tag="ec2.disassociate",
    past="ec2.elastic_ip.disassociated",
    of=ElasticIp,
):
    """Disassociate elastic IP addresses; they stay allocated."""


class Associate(
    account.Refers,
    frozen=True,
    init=False,
    tag="ec2.associate",
    past="ec2.elastic_ip.associated",
    of=ElasticIp,
    takes=("instance",),
    needs=("instance",),
):
    """Associate an elastic IP address with an instance; another public address of it is gone then."""

    instance: Annotated[Holder, Meta(min_length=1)]

    def found(self, address: Address, state: State) -> Any:  # noqa: ANN401
        """Return what is there, where it is associated with nothing else."""
        there = super().found(address, state)
        if there.instance not in (None, NOTHING, self.instance):
            raise Refused(f"it is associated with {there.instance}; disassociate it first")
        return there

    def displaces(self, address: Address, state: State) -> Iterator[tuple[Address, ElasticIp]]:
        """Let go what the instance has: it holds one elastic IP address, and EC2 takes away another one."""
        for holder in account.called_too(self.instance, state):
            for other, elastic_ip in state.having(_by_holder, holder):
                if other != address and isinstance(elastic_ip, ElasticIp):
                    yield other, replace(elastic_ip, instance=NOTHING)


def _by_holder(_address: Address, resource: Resource) -> tuple[str, ...]:
    return (resource.instance,) if isinstance(resource, ElasticIp) and resource.instance else ()


class Release(
    account.Removes, frozen=True, init=False, tag="ec2.release", past="ec2.elastic_ip.released", of=ElasticIp
):
    """Release elastic IP addresses; another account may then get them."""

    def release(self, address: Address, found: Any, state: State) -> None:  # noqa: ANN401
        """Check that it is associated with nothing."""
        if found.instance:
            raise Refused(f"it is associated with {found.instance}; disassociate it first")


class ElasticIpKind(steps.Held[ElasticIp]):
    """Elastic IP addresses; an instance has a place for one."""

    name = "ec2.elastic_ip"
    resource = ElasticIp
    commands = (Allocate, *account.TAGGING, Disassociate, Associate, Release)
    what = "address"
    deletion = ("ReleaseAddress", "AllocationId")

    def making(self, address: Address, desired: ElasticIp, known: Known) -> Call:
        """Allocate it."""
        machine, _ = account.at(address)
        parameters = {"Domain": "vpc"}
        return Call(machine=machine, operation="AllocateAddress", parameters=parameters, at="AllocationId")

    def create(self, address: Address, desired: ElasticIp, known: Known) -> Program[ElasticIp]:
        """Allocate it; all that there is to know of it is answered."""
        id_, answer = yield from self.made(address, desired, known)
        yield Unmark(machine=account.at(address)[0], id=id_)
        return replace(desired, id=id_, public_ip=answer.get("PublicIp"))

    def alter(
        self, address: Address, change: Change[Any], desired: ElasticIp, known: Known
    ) -> Program[ElasticIp]:
        """Disassociate it from what it should not be associated with, associate it with what it should."""
        before, _ = account.sides(change)
        there: Any = known(address) or before
        association = there.association
        if desired.instance is not None and desired.instance != before.instance:
            if account.lets_go(before, desired.instance):
                yield from _disassociate(account.at(address)[0], there)
                association = None
            if desired.instance:
                association = yield from _associate(address, str(desired.id), desired.instance, known)
        return replace(desired, public_ip=there.public_ip, association=association)

    def holds(self, resource: ElasticIp) -> Iterator[str]:
        """Return what it has to itself: the place that an instance has for one such address."""
        if resource.instance:
            yield f"the elastic IP address of {resource.instance}"

    def alters(self, resource: ElasticIp) -> Iterator[Address]:
        """Return whose public address comes and goes with it."""
        if resource.instance and resource.instance.startswith("ec2.instance/"):
            yield Address(resource.instance)

    def read(self, thing: Thing, known: ElasticIp | None) -> ElasticIp:
        """Return the address that a description tells of."""
        return ElasticIp(
            instance=thing.get("InstanceId") or NOTHING,
            tags=tags_of(thing),
            id=thing["AllocationId"],
            public_ip=thing.get("PublicIp"),
            association=thing.get("AssociationId"),
        )


def _associate(address: Address, id_: str, instance: str, known: Known) -> Program[str]:
    """Associate it, where the instance has no other one that nobody told us to take away.

    Raises:
        Refused: it has one.

    """
    machine, _ = account.at(address)
    holder = account.id_of(known, instance)
    described = yield Describe(machine=machine, what="address", by="instance-id", value=holder)
    for other in described.found:
        if other.get("AllocationId") != id_:
            raise Refused(
                f"{instance} has the elastic IP address {other.get('PublicIp')} "
                f"({other.get('AllocationId')}), which the state does not tell, and EC2 would take it away; "
                f"take it in by `lasercats adopt` or `lasercats drift --adopt`, or disassociate it"
            )
    parameters = {"AllocationId": id_, "InstanceId": holder, "AllowReassociation": False}
    answered = yield Call(
        machine=machine,
        operation="AssociateAddress",
        parameters=parameters,
        gives=variable(f"association of {address}"),
        at="AssociationId",
    )
    return str(answered.response["AssociationId"])


def _disassociate(machine: str, there: ElasticIp) -> Program[None]:
    """Disassociate it, by the association that is known or is found."""
    association = there.association
    if association is None:
        described = yield Describe(machine=machine, what="address", by="allocation-id", value=there.id)
        association = next((a["AssociationId"] for a in described.found if a.get("AssociationId")), None)
    if association is not None:
        parameters = {"AssociationId": association}
        yield Call(machine=machine, operation="DisassociateAddress", parameters=parameters)


KIND = ElasticIpKind()
