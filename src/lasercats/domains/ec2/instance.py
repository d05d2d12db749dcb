"""`ec2.instance`: a virtual machine; made by `instance_programs`, looked at by `instance_looks`."""

from collections.abc import Iterable, Iterator, Mapping
from typing import Annotated, Any, ClassVar, Literal

import msgspec
from msgspec import Meta
from msgspec.structs import replace

from lasercats.core import content as contents
from lasercats.core.address import Address
from lasercats.core.change import Change
from lasercats.core.command import LOADS, Command, Effect, Forget
from lasercats.core.errors import Refused
from lasercats.core.loose import Forms, Part
from lasercats.core.program import Known, Program
from lasercats.core.resource import GIVEN, PROTECTS, Resource
from lasercats.core.state import State
from lasercats.domains.ec2 import account
from lasercats.domains.ec2.account import Group, KeyName, Size, Subnet, Tags
from lasercats.domains.ec2.unmodelled import Unmodelled, again, lost
from lasercats.instructions.aws import Call

MOST_DATA = 16384
PARAMETER = "resolve:ssm:"
"""Begins the name of a parameter in which EC2 looks up the id of an image as it launches it."""

Image = Annotated[
    str,
    Meta(pattern=f"^(ami-[0-9a-z]+|{PARAMETER}.+)$", description="the image (AMI), or resolve:ssm:PARAMETER"),
]
Type = Annotated[
    str, Meta(pattern=r"^[A-Za-z0-9-]+\.[A-Za-z0-9.-]+$", description="the instance type, as t3.micro")
]
Groups = Annotated[tuple[Group, ...], Meta(min_length=1, description="the security groups")]
UserData = Annotated[str, Meta(extra=LOADS, description="the user data that it starts with, as text")]
Power = Annotated[Literal["running", "stopped"], Meta(description="running or stopped")]


class Disk(Part, frozen=True, forbid_unknown_fields=True):
    """A volume that is made with an instance and goes with it."""

    size: Size | None = None
    type: Annotated[str, Meta(description="the volume type, as gp3")] | None = None


Disks = Annotated[
    dict[Annotated[str, Meta(pattern="^(/dev/)?[A-Za-z0-9._/-]+$")], Disk],
    Meta(description="its own volumes, by device, as root=size:20,type:gp3"),
]


def user_data(data: str) -> str:
    """Return the one form of user data, whose bytes are held as those of a file are.

    Raises:
        ValueError: it has no form, or is larger than EC2 takes (User Guide, "Instance user data").

    """
    if contents.is_digest(data):
        raise ValueError("only the digest of this user data is known; give the data itself")
    if len(contents.decode(data)) > MOST_DATA:
        raise ValueError(f"user data has at most {MOST_DATA} bytes; let it fetch what is larger")
    return contents.canonical(data)


FORMS: Forms = {
    **account.TAGS,
    "security_groups": lambda groups: tuple(sorted(set(groups))),
    "volumes": lambda disks: dict(sorted(disks.items())),
    "user_data": user_data,
}


class Instance(Resource, frozen=True):
    """A virtual machine on EC2."""

    image: Image | None = None
    type: Type | None = None
    subnet: Subnet | None = None
    security_groups: Groups | None = None
    key: KeyName | None = None
    user_data: UserData | None = None
    volumes: Disks | None = None
    tags: Tags | None = None
    state: Power | None = None
    protected: Annotated[bool, Meta(extra=PROTECTS, description="protected from termination")] | None = None
    id: Annotated[str | None, GIVEN] = None
    private_ip: Annotated[str | None, GIVEN] = None
    public_ip: Annotated[str | None, GIVEN] = None
    launched: Annotated[str | None, GIVEN] = None
    """When it was last started, RFC 3339."""
    zone: Annotated[str | None, GIVEN] = None
    unmodelled: Unmodelled | None = None
    """What EC2 tells of it beside that, and a new one in its place has, too."""

    forms: ClassVar[Forms] = FORMS


class Launch(Command, frozen=True, tag="ec2.launch"):
    """Launch instances. Those that are launched alike are one call; give each its Name by --tags."""

    past: ClassVar[str] = "ec2.instance.launched"
    forms: ClassVar[Forms] = FORMS

    image: Image
    type: Type
    subnet: Subnet | None = None
    security_groups: Groups | None = None
    key: KeyName | None = None
    user_data: UserData | None = None
    volumes: Disks | None = None
    tags: Tags | None = None
    state: Power | None = None
    protected: Annotated[bool, Meta(description="protect it from termination")] | None = None
    unmodelled: Unmodelled | None = None
    """Of one in whose place this is launched: what it had that nobody decided."""

    def decide(self, address: Address, state: State) -> Instance:
        """Return the instance, running unless it is to be stopped."""
        fields = {name: getattr(self, name) for name in FIELDS}
        fields["unmodelled"] = again(self.unmodelled, address, state)
        instance = Instance(**{**fields, "state": self.state or "running"})
        account.check_new(address, state, instance)
        return instance


FIELDS = tuple(field.name for field in msgspec.structs.fields(Launch) if field.name != "on")


class Start(Command, frozen=True, tag="ec2.start"):
    """Start stopped instances."""

    past: ClassVar[str] = "ec2.instance.started"

    def decide(self, address: Address, state: State) -> Instance:
        """Return it running."""
        return replace(_there(address, state), state="running")


class Stop(Command, frozen=True, tag="ec2.stop"):
    """Stop running instances; their volumes and private addresses stay."""

    past: ClassVar[str] = "ec2.instance.stopped"
    announces: ClassVar[tuple[str, ...]] = ("interrupts",)

    def decide(self, address: Address, state: State) -> Instance:
        """Return it stopped."""
        return replace(_there(address, state), state="stopped")


class Reboot(Command, frozen=True, tag="ec2.reboot"):
    """Reboot running instances. It leaves no trace in the state, so it is recorded and never undone."""

    past: ClassVar[str] = "ec2.instance.rebooted"
    effect: ClassVar[Effect] = Effect.OPAQUE
    announces: ClassVar[tuple[str, ...]] = ("interrupts",)
    interrupts: ClassVar[str] = "rebooted"

    def decide(self, address: Address, state: State) -> Instance:
        """Leave it as it is, where it is there and not stopped."""
        instance = _there(address, state)
        if instance.state == "stopped":
            raise Refused("it is stopped; start it instead")
        return instance

    def interpret(self, address: Address, _change: Change[Resource], known: Known) -> Program[Any]:
        """Ask for the reboot; EC2 does not tell when it is over."""
        machine, _ = account.at(address)
        id_ = account.id_of(known, address)
        return (yield Call(machine=machine, operation="RebootInstances", parameters={"InstanceIds": [id_]}))


class ChangeType(Command, frozen=True, tag="ec2.change_type"):
    """Change the instance type; a running instance is stopped for it and started again."""

    past: ClassVar[str] = "ec2.instance.type_changed"
    announces: ClassVar[tuple[str, ...]] = ("interrupts",)

    type: Type

    def decide(self, address: Address, state: State) -> Instance:
        """Return it with this type."""
        return replace(_there(address, state), type=self.type)


class ChangeUserData(Command, frozen=True, tag="ec2.change_user_data"):
    """Change the user data; a running instance is stopped for it and started again."""

    past: ClassVar[str] = "ec2.instance.user_data_changed"
    announces: ClassVar[tuple[str, ...]] = ("interrupts",)
    forms: ClassVar[Forms] = {"user_data": user_data}

    user_data: UserData

    def decide(self, address: Address, state: State) -> Instance:
        """Return it with this user data."""
        return replace(_there(address, state), user_data=self.user_data)


class ChangeGroups(Command, frozen=True, tag="ec2.change_groups"):
    """Put instances into these security groups, and into no others."""

    past: ClassVar[str] = "ec2.instance.groups_changed"

    security_groups: Groups

    def decide(self, address: Address, state: State) -> Instance:
        """Return it in these groups."""
        changed = replace(_there(address, state), security_groups=self.security_groups)
        account.check_references(address, state, changed)
        return changed


class Grow(Command, frozen=True, tag="ec2.grow"):
    """Change size or type of an instance's own volumes; none can become smaller."""

    past: ClassVar[str] = "ec2.instance.volumes_changed"

    volumes: Disks

    def decide(self, address: Address, state: State) -> Instance:
        """Return it with these volumes."""
        instance = _there(address, state)
        disks = dict(instance.volumes or {})
        for device, disk in self.volumes.items():
            old = disks.get(device)
            if old is None:
                if instance.volumes is not None:
                    raise Refused(f"it has no own volume {device}; `lasercats ec2 attach` attaches others")
                old = Disk()
            if old.size and disk.size and disk.size < old.size:
                raise Refused(f"volume {device} has {old.size} GiB and cannot become smaller")
            disks[device] = Disk(size=disk.size or old.size, type=disk.type or old.type)
        return replace(instance, volumes=disks)


class Tag(account.Tag, frozen=True, tag="ec2.tag"):
    """Set tags of instances; others stay."""

    past: ClassVar[str] = "ec2.instance.tagged"


class Untag(account.Untag, frozen=True, tag="ec2.untag"):
    """Remove tags of instances."""

    past: ClassVar[str] = "ec2.instance.untagged"


class Protect(Command, frozen=True, tag="ec2.protect"):
    """Protect instances from termination."""

    past: ClassVar[str] = "ec2.instance.protected"

    def decide(self, address: Address, state: State) -> Instance:
        """Return it protected."""
        return replace(_there(address, state), protected=True)


class Unprotect(Command, frozen=True, tag="ec2.unprotect"):
    """Lift the protection of instances from termination."""

    past: ClassVar[str] = "ec2.instance.unprotected"
    announces: ClassVar[tuple[str, ...]] = ("unprotects",)

    def decide(self, address: Address, state: State) -> Instance:
        """Return it without protection."""
        return replace(_there(address, state), protected=False)


class Terminate(Command, frozen=True, tag="ec2.terminate"):
    """Terminate instances, with their own volumes; ids, addresses and data do not come back."""

    past: ClassVar[str] = "ec2.instance.terminated"

    def decide(self, address: Address, state: State) -> None:
        """Leave nothing, where it is not protected and nothing is attached to it."""
        if state.known_absent(address):
            return
        if _there(address, state).protected:
            raise Refused(protected(address))
        account.check_unused(address, state)


def protected(address: Address) -> str:
    """Return why an instance is not terminated that is protected, and the remedy."""
    return f"it is protected from termination; `lasercats ec2 unprotect {address}` lifts that"


def _there(address: Address, state: State) -> Instance:
    instance: Instance = account.existing(address, state)
    return instance


def converge(address: Address, change: Change[Instance]) -> Iterator[Command]:
    """Launch or terminate it; else change what differs, stopping first and starting last."""
    on, before, after = (address,), change.before, change.after
    if after is None:
        if before is not None and before.protected:
            yield Unprotect(on=on)
        yield Terminate(on=on)
        return
    if before is None:
        yield _launch(on, after)
        return
    differs = {name for name in change.fields if getattr(after, name) is not None}
    if "state" in differs and after.state == "stopped":
        yield Stop(on=on)
    if "type" in differs and after.type is not None:
        yield ChangeType(on=on, type=after.type)
    if "user_data" in differs and after.user_data is not None:
        yield ChangeUserData(on=on, user_data=after.user_data)
    if "security_groups" in differs and after.security_groups is not None:
        yield ChangeGroups(on=on, security_groups=after.security_groups)
    if "volumes" in differs and after.volumes is not None:
        if _undecides(before.volumes or {}, after.volumes):
            yield Forget(on=on, fields=("volumes",))
        yield Grow(on=on, volumes=after.volumes)
    if "protected" in differs:
        yield Protect(on=on) if after.protected else Unprotect(on=on)
    if "tags" in differs:
        yield from account.converge_tags(on, change, Tag, Untag)
    if "state" in differs and after.state == "running":
        yield Start(on=on)


def _undecides(before: Mapping[str, Disk], after: Mapping[str, Disk]) -> bool:
    """Tell whether something that was decided of a volume no longer is."""
    pairs = ((old, after.get(device, old)) for device, old in before.items())
    return any((old.size and not new.size) or (old.type and not new.type) for old, new in pairs)


def _launch(on: tuple[Address, ...], instance: Instance) -> Launch:
    missing = [name for name in ("image", "type") if getattr(instance, name) is None]
    if missing:
        raise Refused(f"{on[0]} cannot be launched without {' and '.join(missing)}")
    return Launch(on=on, **{name: getattr(instance, name) for name in FIELDS})


def replaces(change: Change[Instance]) -> bool:
    """Tell whether a change cannot be made in place: image, subnet, key, other or smaller volumes."""
    before, after = change.before, change.after
    if before is None or after is None:
        return False
    if account.differs(change, "image", "subnet", "key"):
        return True
    if before.volumes is None or after.volumes is None:
        return False
    if before.volumes.keys() != after.volumes.keys():
        return True
    pairs = ((old, after.volumes[device]) for device, old in before.volumes.items())
    return any(old.size and new.size and new.size < old.size for old, new in pairs)


def interrupts(before: Instance, after: Instance | None) -> Iterator[str]:
    """Return how a change of what stays interrupts the work of a running instance."""
    if after is None or before.state == "stopped":
        return
    if after.state == "stopped":
        yield "stopped"
    elif account.differs(Change(before, after), "type", "user_data"):
        yield "stopped and started again"


def rests(instance: Instance) -> Instance | None:
    """Return it stopped, where it runs or nobody knows: its system has let go of its volumes then."""
    return None if instance.state == "stopped" else replace(instance, state="stopped")


def loses(instance: Instance) -> Iterable[str]:
    """Return what does not come back when it is launched again; its private address does, if it is free."""
    for name, told in (("id", "id"), ("public_ip", "public address")):
        value: Any = getattr(instance, name)
        if value is not None:
            yield f"{told} {value}"
    if instance.private_ip is not None and "PrivateIpAddress" not in (instance.unmodelled or {}):
        yield f"private address {instance.private_ip}"
    yield from lost(instance.unmodelled)
    yield "data on its instance store and on its own volumes"
