"""`ec2.elastic_ip`: a public address of its own, that an instance may hold and that outlives it."""

from collections.abc import Iterable, Iterator, Mapping
from typing import Annotated, Any, ClassVar

from msgspec import Meta
from msgspec.structs import replace

from lasercats.core.address import Address
from lasercats.core.change import Change
from lasercats.core.command import Command
from lasercats.core.errors import Refused
from lasercats.core.loose import Forms
from lasercats.core.program import Known, Program
from lasercats.core.reference import NOTHING
from lasercats.core.resource import GIVEN, Resource
from lasercats.core.state import State
from lasercats.domains.ec2 import account, looks, steps
from lasercats.domains.ec2.account import Holder, Tags
from lasercats.domains.ec2.looks import Looking
from lasercats.instructions.aws import Call, Describe, Unmark, tagged, tags_of, variable


class ElasticIp(Resource, frozen=True):
    """An elastic IP address on EC2."""

    instance: Holder | None = None
    """What it is associated with; "" for nothing."""
    tags: Tags | None = None
    id: Annotated[str | None, GIVEN] = None
    public_ip: Annotated[str | None, GIVEN] = None
    association: Annotated[str | None, GIVEN] = None
    """The id of its association with the instance."""

    forms: ClassVar[Forms] = account.TAGS


class Allocate(Command, frozen=True, tag="ec2.allocate"):
    """Allocate elastic IP addresses, associated with nothing."""

    past: ClassVar[str] = "ec2.elastic_ip.allocated"
    forms: ClassVar[Forms] = account.TAGS

    tags: Tags | None = None

    def decide(self, address: Address, state: State) -> ElasticIp:
        """Return the address, where there is none."""
        elastic_ip = ElasticIp(instance=NOTHING, tags=self.tags)
        account.check_new(address, state, elastic_ip)
        return elastic_ip


class Associate(Command, frozen=True, tag="ec2.associate"):
    """Associate an elastic IP address with an instance; another public address of it is gone then."""

    past: ClassVar[str] = "ec2.elastic_ip.associated"

    instance: Annotated[Holder, Meta(min_length=1)]

    def decide(self, address: Address, state: State) -> ElasticIp:
        """Return it associated, where it is associated with nothing else."""
        elastic_ip = _there(address, state)
        if elastic_ip.instance not in (None, NOTHING, self.instance):
            raise Refused(f"it is associated with {elastic_ip.instance}; disassociate it first")
        associated = replace(elastic_ip, instance=self.instance)
        account.check_references(address, state, associated)
        return associated

    def displaces(self, address: Address, state: State) -> Iterator[tuple[Address, ElasticIp]]:
        """Let go what the instance has: it holds one elastic IP address, and EC2 takes away another one."""
        for holder in account.called_too(self.instance, state):
            for other, elastic_ip in state.having(_by_holder, holder):
                if other != address and isinstance(elastic_ip, ElasticIp):
                    yield other, replace(elastic_ip, instance=NOTHING)


def _by_holder(_address: Address, resource: Resource) -> tuple[str, ...]:
    return (resource.instance,) if isinstance(resource, ElasticIp) and resource.instance else ()


class Disassociate(Command, frozen=True, tag="ec2.disassociate"):
    """Disassociate elastic IP addresses; they stay allocated."""

    past: ClassVar[str] = "ec2.elastic_ip.disassociated"
    announces: ClassVar[tuple[str, ...]] = ("interrupts",)

    def decide(self, address: Address, state: State) -> ElasticIp:
        """Return it associated with nothing."""
        return replace(_there(address, state), instance=NOTHING)


class Tag(account.Tag, frozen=True, tag="ec2.tag_elastic_ip"):
    """Set tags of elastic IP addresses; others stay."""

    past: ClassVar[str] = "ec2.elastic_ip.tagged"


class Untag(account.Untag, frozen=True, tag="ec2.untag_elastic_ip"):
    """Remove tags of elastic IP addresses."""

    past: ClassVar[str] = "ec2.elastic_ip.untagged"


class Release(Command, frozen=True, tag="ec2.release"):
    """Release elastic IP addresses; another account may then get them."""

    past: ClassVar[str] = "ec2.elastic_ip.released"

    def decide(self, address: Address, state: State) -> None:
        """Leave nothing, where it is associated with nothing."""
        if state.known_absent(address):
            return
        elastic_ip = _there(address, state)
        if elastic_ip.instance:
            raise Refused(f"it is associated with {elastic_ip.instance}; disassociate it first")


def _there(address: Address, state: State) -> ElasticIp:
    elastic_ip: ElasticIp = account.existing(address, state)
    return elastic_ip


def act(address: Address, change: Change[Any], known: Known) -> Program[ElasticIp | None]:
    """Allocate, change or release it."""
    if change.before is None:
        return _allocate(address, change.after)
    if change.after is None:
        return steps.delete(address, change.before, known, "ReleaseAddress", "AllocationId")
    return _change(address, change, known)


def _allocate(address: Address, wish: Any) -> Program[Any]:  # noqa: ANN401
    machine, _ = account.at(address)
    parameters: dict[str, Any] = {"Domain": "vpc"}
    if wish.tags:
        parameters["TagSpecifications"] = [{"ResourceType": "elastic-ip", "Tags": tagged(wish.tags)}]
    answered = yield Call(
        machine=machine,
        operation="AllocateAddress",
        parameters=parameters,
        token="",
        gives=variable(address),
        at="AllocationId",
    )
    told = answered.response
    yield Unmark(machine=machine, id=told["AllocationId"])
    return replace(wish, id=told["AllocationId"], public_ip=told.get("PublicIp"))


def _change(address: Address, change: Change[Any], known: Known) -> Program[Any]:
    before, after = account.sides(change)
    machine, _ = account.at(address)
    there: Any = known(address) or before
    id_ = account.own_id(there)

    def all_of_it() -> Program[Any]:
        yield from account.change_tags(machine, id_, change)
        association = there.association
        if after.instance is not None and after.instance != before.instance:
            if before.instance or not after.instance:
                yield from _disassociate(machine, there)
                association = None
            if after.instance:
                association = yield from _associate(address, id_, after.instance, known)
        wish = replace(after, id=id_, public_ip=there.public_ip, association=association)
        return (yield from steps.seen(address, wish, known, LOOKING))

    return (
        yield from account.leaving(
            id_, all_of_it(), lambda: steps.seen(address, replace(after, id=id_), known, LOOKING, before)
        )
    )


def _associate(address: Address, id_: str, instance: str, known: Known) -> Program[str]:
    """Associate it, where the instance has no other one that nobody told us to take away.

    Raises:
        Refused: it has one.

    """
    machine, _ = account.at(address)
    holder = account.id_of(known, instance)
    told = yield Describe(machine=machine, what="address", by="instance-id", value=holder)
    for other in told.found:
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
        told = yield Describe(machine=machine, what="address", by="allocation-id", value=there.id)
        association = next((a["AssociationId"] for a in told.found if a.get("AssociationId")), None)
    if association is not None:
        parameters = {"AssociationId": association}
        yield Call(machine=machine, operation="DisassociateAddress", parameters=parameters)


def converge(address: Address, change: Change[ElasticIp]) -> Iterator[Command]:
    """Allocate or release it; else change what differs; between two instances it is disassociated."""
    on, before, after = (address,), change.before, change.after
    if after is None:
        if before is not None and before.instance:
            yield Disassociate(on=on)
        yield Release(on=on)
        return
    if before is None:
        yield Allocate(on=on, tags=after.tags)
        before = replace(after, instance=NOTHING)
    yield from account.converge_tags(on, Change(before, after), Tag, Untag)
    if after.instance is None or after.instance == before.instance:
        return
    if before.instance or not after.instance:
        yield Disassociate(on=on)
    if after.instance:
        yield Associate(on=on, instance=after.instance)


def holds(elastic_ip: ElasticIp) -> Iterator[str]:
    """Return what it has to itself: the place that an instance has for one such address."""
    if elastic_ip.instance:
        yield f"the elastic IP address of {elastic_ip.instance}"


def aside(_address: Address, change: Change[Any], _state: State, _end: State) -> ElasticIp | None:
    """Return what it is while it makes room, as where two are swapped: associated with nothing."""
    before, after = account.sides(change)
    return replace(before, instance=NOTHING) if before.instance and after.instance else None


def alters(elastic_ip: ElasticIp) -> Iterator[Address]:
    """Return whose public address comes and goes with it."""
    if elastic_ip.instance and elastic_ip.instance.startswith("ec2.instance/"):
        yield Address(elastic_ip.instance)


def loses(elastic_ip: ElasticIp) -> Iterable[str]:
    """Return what does not come back when it is allocated again."""
    for name, told in (("id", "id"), ("public_ip", "public address")):
        value = getattr(elastic_ip, name)
        if value is not None:
            yield f"{told} {value}"


def read(thing: Mapping[str, Any], _known: ElasticIp | None) -> ElasticIp:
    """Return the address that a description tells of."""
    return ElasticIp(
        instance=thing.get("InstanceId") or NOTHING,
        tags=tags_of(thing),
        id=thing["AllocationId"],
        public_ip=thing.get("PublicIp"),
        association=thing.get("AssociationId"),
    )


LOOKING = Looking("ec2.elastic_ip", "address", read)
KIND = looks.kind(
    LOOKING,
    ElasticIp,
    (Allocate, Associate, Disassociate, Tag, Untag, Release),
    converge,
    act,
    loses=loses,
    interrupts=account.let_go_of,
    holds=holds,
    aside=aside,
    alters=alters,
)
