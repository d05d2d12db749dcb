"""`ec2.volume`: a volume (EBS) of its own, that an instance may hold and that outlives it."""

from collections.abc import Iterable, Iterator, Mapping
from typing import Annotated, Any, ClassVar

from msgspec import Meta

from lasercats.core.address import Address
from lasercats.core.change import Change
from lasercats.core.command import Command
from lasercats.core.errors import Refused
from lasercats.core.loose import Forms
from lasercats.core.program import Known, Program
from lasercats.core.reference import NOTHING
from lasercats.core.resource import COMPUTED, Resource
from lasercats.core.state import State
from lasercats.domains.ec2 import account, looks, steps, unmodelled
from lasercats.domains.ec2.account import Attached, Holder, Size, Tags, Zone
from lasercats.domains.ec2.looks import Thing
from lasercats.domains.ec2.unmodelled import Unmodelled, ebs, of_volume
from lasercats.instructions.aws import Call, Wait, tags_of

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
    id: Annotated[str | None, COMPUTED] = None
    unmodelled: Unmodelled | None = None
    """What EC2 tells of it beside that, and a new one in its place has, too."""

    forms: ClassVar[Forms] = account.TAGS

    def __post_init__(self) -> None:
        """Sort the tags; what is attached to nothing has no device."""
        super().__post_init__()
        if self.instance == NOTHING:
            self._set("device", None)


class Create(
    unmodelled.Makes,
    frozen=True,
    init=False,
    tag="ec2.create_volume",
    past="ec2.volume.created",
    of=Volume,
    takes=("zone", "size", "type", "encrypted", "tags", "unmodelled"),
    needs=("zone", "size"),
):
    """Create empty volumes, attached to nothing."""

    new: ClassVar[Mapping[str, Any]] = {"encrypted": False, "instance": NOTHING}

    unmodelled: Unmodelled | None = None
    """Of one in whose place this is created: what it had that nobody decided."""


class Grow(
    account.Sets,
    frozen=True,
    init=False,
    tag="ec2.grow_volume",
    past="ec2.volume.grown",
    of=Volume,
    takes=("size", "type"),
):
    """Change size or type of volumes, in use or not; none can become smaller."""

    def found(self, address: Address, state: State) -> Any:  # noqa: ANN401
        """Return what is there, where it does not become smaller."""
        there = super().found(address, state)
        if self.size and there.size and self.size < there.size:
            raise Refused(f"it has {there.size} GiB and cannot become smaller")
        return there


class Detach(
    account.LetsGo, frozen=True, init=False, tag="ec2.detach", past="ec2.volume.detached", of=Volume
):
    """Detach volumes; unmount them first, as EC2 does not tell the system of the instance."""


class Attach(
    account.Refers,
    frozen=True,
    init=False,
    tag="ec2.attach",
    past="ec2.volume.attached",
    of=Volume,
    takes=("instance", "device"),
    needs=("instance", "device"),
):
    """Attach volumes to an instance in the same zone."""

    instance: Annotated[Holder, Meta(min_length=1)]

    def found(self, address: Address, state: State) -> Any:  # noqa: ANN401
        """Return what is there, where it is attached to nothing else."""
        there = super().found(address, state)
        wanted = (self.instance, self.device)
        if there.instance and (there.instance, there.device or self.device) != wanted:
            raise Refused(f"it is attached to {there.instance} as {there.device}; detach it first")
        return there


class Delete(
    account.Removes, frozen=True, init=False, tag="ec2.delete_volume", past="ec2.volume.deleted", of=Volume
):
    """Delete volumes; their data does not come back."""

    def release(self, address: Address, found: Any, state: State) -> None:  # noqa: ANN401
        """Check that it is attached to nothing."""
        if found.instance:
            raise Refused(f"it is attached to {found.instance}; detach it first")


class VolumeKind(steps.Held[Volume]):
    """Volumes; what goes with an instance is no volume of its own."""

    name = "ec2.volume"
    resource = Volume
    commands = (Create, Grow, *account.TAGGING, Detach, Attach, Delete)
    what = "volume"
    fixed = ("zone", "encrypted")
    ready = "available"
    deletion = ("DeleteVolume", "VolumeId")

    def converge(self, address: Address, change: Change[Volume]) -> Iterable[Command]:
        """Change what differs; to be attached, it needs a device."""
        before, after = change.before, change.after
        commands = super().converge(address, change)
        if after is not None and after.instance and after.device is None:
            if before is None or after.instance != before.instance:
                raise Refused(f"{address} cannot be attached without a device, as /dev/sdf")
        return commands

    def replaces(self, change: Change[Volume]) -> bool:
        """Tell whether a change cannot be made in place: another zone, encryption, or a smaller size."""
        before, after = change.before, change.after
        smaller = before and after and before.size and after.size and after.size < before.size
        return bool(smaller) or super().replaces(change)

    def making(self, address: Address, desired: Volume, known: Known) -> Call:
        """Create it."""
        machine, _ = account.at(address)
        parameters = {"AvailabilityZone": desired.zone, "Size": desired.size}
        parameters |= {"VolumeType": desired.type, "Encrypted": desired.encrypted}
        parameters |= ebs(desired.unmodelled or {}, desired.size, desired.type, encrypted=desired.encrypted)
        return Call(machine=machine, operation="CreateVolume", parameters=parameters, at="VolumeId")

    def alter(self, address: Address, change: Change[Any], desired: Volume, known: Known) -> Program[None]:
        """Change its size and type, and what it is attached to."""
        machine, _ = account.at(address)
        names = {"Size": "size", "VolumeType": "type"}
        grown = {member: getattr(desired, name) for member, name in names.items() if name in change.fields}
        grown = {member: value for member, value in grown.items() if value is not None}
        if grown:
            yield Call(
                machine=machine, operation="ModifyVolume", parameters={"VolumeId": desired.id, **grown}
            )
            yield steps.modified(machine, str(desired.id))
        yield from _move(machine, str(desired.id), change, known)

    def holds(self, resource: Volume) -> Iterator[str]:
        """Return what it has to itself: the device of the instance that it is attached to."""
        if resource.instance and resource.device:
            yield f"device {resource.device} of {resource.instance}"

    def loses(self, resource: Volume) -> Iterator[str]:
        """Return what does not come back when it is created again."""
        yield from super().loses(resource)
        yield "the data on it"

    def counts(self, thing: Thing) -> bool:
        """Tell whether it does not go with an instance."""
        return not any(held.get("DeleteOnTermination") for held in thing.get("Attachments", ()))

    def read(self, thing: Thing, known: Volume | None) -> Volume:
        """Return the volume that a description tells of."""
        held: Thing = next(iter(thing.get("Attachments", ())), {})
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


def _move(machine: str, id_: str, change: Change[Any], known: Known) -> Program[None]:
    """Detach it from what it is attached to, attach it to what it should be."""
    before, after = account.sides(change)
    detaches = account.lets_go(before, after.instance, after.device)
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


KIND = VolumeKind()
