"""`ec2.volume`: a volume (EBS) of its own, that an instance may hold and that outlives it."""

from collections.abc import Iterable, Iterator, Mapping
from typing import Annotated, Any, ClassVar

from msgspec import Meta
from msgspec.structs import replace

from lasercats.core.address import Address
from lasercats.core.change import Change
from lasercats.core.command import Command
from lasercats.core.errors import Refused
from lasercats.core.kind import Found
from lasercats.core.loose import Forms
from lasercats.core.program import Known, Program
from lasercats.core.reference import NOTHING
from lasercats.core.resource import GIVEN, Resource
from lasercats.core.state import State
from lasercats.domains.ec2 import account, looks, steps
from lasercats.domains.ec2.account import Attached, Holder, Size, Tags, Zone
from lasercats.domains.ec2.looks import Looking
from lasercats.domains.ec2.unmodelled import Unmodelled, again, ebs, of_volume
from lasercats.instructions.aws import Call, Describe, Wait, tags_of

Type = Annotated[str, Meta(pattern="^[A-Za-z0-9-]+$", description="the volume type, as gp3")]
Device = Annotated[
    str, Meta(pattern="^(/dev/)?[A-Za-z0-9._/-]+$", description="the device name, as /dev/sdf or xvdf")
]
Encrypted = Annotated[bool, Meta(description="encrypted by the key of the account")]


class Volume(Resource, frozen=True):
    """A volume on EC2."""

    zone: Zone | None = None
    size: Size | None = None
    type: Type | None = None
    encrypted: Encrypted | None = None
    instance: Attached | None = None
    """What it is attached to; "" for nothing."""
    device: Device | None = None
    tags: Tags | None = None
    id: Annotated[str | None, GIVEN] = None
    unmodelled: Unmodelled | None = None
    """What EC2 tells of it beside that, and a new one in its place has, too."""

    forms: ClassVar[Forms] = account.TAGS

    def __post_init__(self) -> None:
        """Sort the tags; what is attached to nothing has no device."""
        super().__post_init__()
        if self.instance == NOTHING:
            self._set("device", None)


class Create(Command, frozen=True, tag="ec2.create_volume"):
    """Create empty volumes, attached to nothing."""

    past: ClassVar[str] = "ec2.volume.created"
    forms: ClassVar[Forms] = account.TAGS

    zone: Zone
    size: Size
    type: Type | None = None
    encrypted: Encrypted | None = None
    tags: Tags | None = None
    unmodelled: Unmodelled | None = None
    """Of one in whose place this is created: what it had that nobody decided."""

    def decide(self, address: Address, state: State) -> Volume:
        """Return the volume, where there is none; it is encrypted only if that is asked."""
        told = {name: getattr(self, name) for name in ("zone", "size", "type", "tags")}
        told["unmodelled"] = again(self.unmodelled, address, state)
        volume = Volume(**told, encrypted=bool(self.encrypted), instance=NOTHING)
        account.check_new(address, state, volume)
        return volume


class Attach(Command, frozen=True, tag="ec2.attach"):
    """Attach volumes to an instance in the same zone."""

    past: ClassVar[str] = "ec2.volume.attached"

    instance: Annotated[Holder, Meta(min_length=1)]
    device: Device

    def decide(self, address: Address, state: State) -> Volume:
        """Return it attached, where it is attached to nothing else."""
        volume = _there(address, state)
        attached = replace(volume, instance=self.instance, device=self.device)
        wanted = (self.instance, self.device)
        if volume.instance and (volume.instance, volume.device or self.device) != wanted:
            raise Refused(f"it is attached to {volume.instance} as {volume.device}; detach it first")
        account.check_references(address, state, attached)
        return attached


class Detach(Command, frozen=True, tag="ec2.detach"):
    """Detach volumes; unmount them first, as EC2 does not tell the system of the instance."""

    past: ClassVar[str] = "ec2.volume.detached"
    announces: ClassVar[tuple[str, ...]] = ("interrupts",)

    def decide(self, address: Address, state: State) -> Volume:
        """Return it attached to nothing."""
        return replace(_there(address, state), instance=NOTHING, device=None)


class Grow(Command, frozen=True, tag="ec2.grow_volume"):
    """Change size or type of volumes, in use or not; none can become smaller."""

    past: ClassVar[str] = "ec2.volume.grown"

    size: Size | None = None
    type: Type | None = None

    def decide(self, address: Address, state: State) -> Volume:
        """Return it with this size and type."""
        volume = _there(address, state)
        if self.size and volume.size and self.size < volume.size:
            raise Refused(f"it has {volume.size} GiB and cannot become smaller")
        return replace(volume, size=self.size or volume.size, type=self.type or volume.type)


class Tag(account.Tag, frozen=True, tag="ec2.tag_volume"):
    """Set tags of volumes; others stay."""

    past: ClassVar[str] = "ec2.volume.tagged"


class Untag(account.Untag, frozen=True, tag="ec2.untag_volume"):
    """Remove tags of volumes."""

    past: ClassVar[str] = "ec2.volume.untagged"


class Delete(Command, frozen=True, tag="ec2.delete_volume"):
    """Delete volumes; their data does not come back."""

    past: ClassVar[str] = "ec2.volume.deleted"

    def decide(self, address: Address, state: State) -> None:
        """Leave nothing, where it is attached to nothing."""
        if state.known_absent(address):
            return
        volume = _there(address, state)
        if volume.instance:
            raise Refused(f"it is attached to {volume.instance}; detach it first")


def _there(address: Address, state: State) -> Volume:
    volume: Volume = account.existing(address, state)
    return volume


def act(address: Address, change: Change[Any], known: Known) -> Program[Volume | None]:
    """Create, change or delete it."""
    machine, _ = account.at(address)
    if change.before is None:
        return _create(machine, address, change.after, known)
    if change.after is None:
        return steps.delete(address, change.before, known, "DeleteVolume", "VolumeId")
    return _change(machine, address, change, known)


def _create(machine: str, address: Address, wish: Any, known: Known) -> Program[Any]:  # noqa: ANN401
    def rest(new: Volume, known: Known) -> Program[None]:
        yield _wait(machine, str(new.id), "available")
        yield from _move(machine, str(new.id), Change(replace(new, instance=NOTHING), new), known)

    told = {"AvailabilityZone": wish.zone, "Size": wish.size}
    told |= {"VolumeType": wish.type, "Encrypted": wish.encrypted}
    told |= ebs(wish.unmodelled or {}, wish.size, wish.type, encrypted=wish.encrypted)
    call = Call(machine=machine, operation="CreateVolume", parameters=told, at="VolumeId")
    return (yield from steps.create(address, wish, known, LOOKING, call, rest))


def _change(machine: str, address: Address, change: Change[Any], known: Known) -> Program[Any]:
    _, after = account.sides(change)
    grown = {name: getattr(after, name) for name in ("size", "type") if name in change.fields}
    grown = {name: value for name, value in grown.items() if value is not None}

    def rest(wish: Volume, known: Known) -> Program[None]:
        if grown:
            told = {"VolumeId": wish.id, "Size": grown.get("size"), "VolumeType": grown.get("type")}
            parameters = {name: value for name, value in told.items() if value is not None}
            yield Call(machine=machine, operation="ModifyVolume", parameters=parameters)
            yield steps.modified(machine, str(wish.id))
        yield from _move(machine, str(wish.id), change, known)

    return (yield from steps.change(address, change, known, LOOKING, rest))


def _move(machine: str, id_: str, change: Change[Any], known: Known) -> Program[None]:
    """Detach it from what it is attached to, attach it to what it should be."""
    before, after = account.sides(change)
    detaches = _lets_go(before, after)
    if detaches:
        parameters = {"VolumeId": id_, "InstanceId": account.id_of(known, before.instance)}
        yield Call(machine=machine, operation="DetachVolume", parameters=parameters)
        yield _wait(machine, id_, "available")
    if after.instance and (detaches or before.instance != after.instance):
        holder = account.id_of(known, after.instance)
        parameters = {"VolumeId": id_, "InstanceId": holder, "Device": after.device}
        yield Call(machine=machine, operation="AttachVolume", parameters=parameters)
        yield _wait(machine, id_, "in-use")


def _wait(machine: str, id_: str, state: str) -> Wait:
    return Wait(machine=machine, what="volume", id=id_, state=state)


def converge(address: Address, change: Change[Volume]) -> Iterator[Command]:
    """Create or delete it; else change what differs; between two instances it is detached."""
    on, before, after = (address,), change.before, change.after
    if after is None:
        if before is not None and before.instance:
            yield Detach(on=on)
        yield Delete(on=on)
        return
    if before is None:
        yield _new(on, after)
        before = replace(after, instance=NOTHING)
    differs = {name for name in Change(before, after).fields if getattr(after, name) is not None}
    if differs & {"size", "type"}:
        yield Grow(on=on, size=after.size, type=after.type)
    if "tags" in differs:
        yield from account.converge_tags(on, Change(before, after), Tag, Untag)
    if _lets_go(before, after):
        yield Detach(on=on)
    if after.instance and differs & {"instance", "device"}:
        if after.device is None:
            raise Refused(f"{address} cannot be attached without a device, as /dev/sdf")
        yield Attach(on=on, instance=after.instance, device=after.device)


def _lets_go(before: Volume, after: Volume) -> bool:
    """Tell whether it is detached on the way; what nobody knows to be attached is not."""
    if after.instance != before.instance:
        return after.instance == NOTHING or (after.instance is not None and bool(before.instance))
    moves = after.device != before.device and None not in (before.device, after.device)
    return bool(after.instance) and moves


def _new(on: tuple[Address, ...], volume: Volume) -> Create:
    if volume.zone is None or volume.size is None:
        raise Refused(f"{on[0]} cannot be created without zone and size")
    told = {name: getattr(volume, name) for name in ("type", "encrypted", "tags", "unmodelled")}
    return Create(on=on, zone=volume.zone, size=volume.size, **told)


def replaces(change: Change[Volume]) -> bool:
    """Tell whether a change cannot be made in place: another zone, encryption, or a smaller size."""
    before, after = change.before, change.after
    if before is None or after is None:
        return False
    smaller = bool(before.size and after.size and after.size < before.size)
    return smaller or account.differs(change, "zone", "encrypted")


def holds(volume: Volume) -> Iterator[str]:
    """Return what it has to itself: the device of the instance that it is attached to."""
    if volume.instance and volume.device:
        yield f"device {volume.device} of {volume.instance}"


def aside(_address: Address, change: Change[Any], _state: State, _end: State) -> Volume | None:
    """Return what it is while it makes room, as where two are swapped: attached to nothing."""
    before, after = account.sides(change)
    away = before.instance and after.instance
    return replace(before, instance=NOTHING, device=None) if away else None


def loses(volume: Volume) -> Iterable[str]:
    """Return what does not come back when it is created again."""
    yield from () if volume.id is None else (f"id {volume.id}",)
    yield "the data on it"


def discover(machine: str) -> Program[Found]:
    """Find all volumes of an account and region, but for those that go with an instance."""
    answer = yield Describe(machine=machine, what="volume")
    own = tuple(
        volume
        for volume in answer.found
        if not any(held.get("DeleteOnTermination") for held in volume.get("Attachments", ()))
    )
    return looks.read_all(machine, own, LOOKING)


def read(thing: Mapping[str, Any], _known: Volume | None) -> Volume:
    """Return the volume that a description tells of."""
    held: Mapping[str, Any] = next(iter(thing.get("Attachments", ())), {})
    return Volume(
        zone=thing["AvailabilityZone"],
        size=looks.whole(thing, "Size"),
        type=thing["VolumeType"],
        encrypted=thing["Encrypted"],
        instance=held.get("InstanceId", NOTHING),
        device=held.get("Device"),
        tags=tags_of(thing),
        id=thing["VolumeId"],
        unmodelled=of_volume(thing),
    )


LOOKING = Looking("ec2.volume", "volume", read)
KIND = looks.kind(
    LOOKING,
    Volume,
    (Create, Attach, Detach, Grow, Tag, Untag, Delete),
    converge,
    act,
    replaces=replaces,
    loses=loses,
    interrupts=account.let_go_of,
    discover=discover,
    holds=holds,
    aside=aside,
)
