"""`ec2.instance`: a virtual machine; made by `instance_programs`, looked at by `instance_looks`."""

from collections.abc import Iterable, Iterator, Mapping
from typing import Annotated, Any, ClassVar, Literal

from msgspec import Meta
from msgspec.structs import replace

from lasercats.core import content as contents
from lasercats.core.address import Address
from lasercats.core.change import Change
from lasercats.core.command import LOADS, Command, Effect, Forget
from lasercats.core.errors import Refused
from lasercats.core.loose import Forms, Part
from lasercats.core.program import Known, Program
from lasercats.core.resource import COMPUTED, PROTECTS, Resource
from lasercats.core.setting import settable
from lasercats.core.state import State
from lasercats.domains.ec2 import account, looks, unmodelled
from lasercats.domains.ec2.account import Group, KeyName, Size, Subnet, Tags
from lasercats.domains.ec2.unmodelled import Unmodelled
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
    id: Annotated[str | None, COMPUTED] = None
    private_ip: Annotated[str | None, COMPUTED] = None
    public_ip: Annotated[str | None, COMPUTED] = None
    launched: Annotated[str | None, COMPUTED] = None
    """When it was last started, RFC 3339."""
    zone: Annotated[str | None, COMPUTED] = None
    unmodelled: Unmodelled | None = None
    """What EC2 tells of it beside that, and a new one in its place has, too."""

    forms: ClassVar[Forms] = FORMS


class Launch(
    unmodelled.Makes,
    frozen=True,
    init=False,
    tag="ec2.launch",
    past="ec2.instance.launched",
    of=Instance,
    takes=(*settable(Instance), "unmodelled"),
    needs=("image", "type"),
):
    """Launch instances. Those that are launched alike are one call; give each its Name by --tags."""

    new: ClassVar[Mapping[str, Any]] = {"state": "running"}

    protected: Annotated[bool, Meta(description="protect it from termination")] | None = None
    unmodelled: Unmodelled | None = None
    """Of one in whose place this is launched: what it had that nobody decided."""


class Stop(
    account.Sets,
    frozen=True,
    init=False,
    tag="ec2.stop",
    past="ec2.instance.stopped",
    of=Instance,
    takes=(),
    constant={"state": "stopped"},
    announces=("interrupts",),
):
    """Stop running instances; their volumes and private addresses stay."""


class Reboot(
    account.Sets,
    frozen=True,
    init=False,
    tag="ec2.reboot",
    past="ec2.instance.rebooted",
    of=Instance,
    takes=(),
    announces=("interrupts",),
):
    """Reboot running instances. It leaves no trace in the state, so it is recorded and never undone."""

    effect: ClassVar[Effect] = Effect.OPAQUE
    interrupts: ClassVar[str] = "rebooted"

    def admit(self, address: Address, after: Any, state: State) -> None:  # noqa: ANN401 - an instance
        """Check that it is not stopped."""
        if after.state == "stopped":
            raise Refused("it is stopped; start it instead")

    def interpret(self, address: Address, _change: Change[Resource], known: Known) -> Program[Any]:
        """Ask for the reboot; EC2 does not tell when it is over."""
        machine, _ = account.at(address)
        id_ = account.id_of(known, address)
        return (yield Call(machine=machine, operation="RebootInstances", parameters={"InstanceIds": [id_]}))


class ChangeType(
    account.Sets,
    frozen=True,
    init=False,
    tag="ec2.change_type",
    past="ec2.instance.type_changed",
    of=Instance,
    takes=("type",),
    needs=("type",),
    announces=("interrupts",),
):
    """Change the instance type; a running instance is stopped for it and started again."""


class ChangeUserData(
    account.Sets,
    frozen=True,
    init=False,
    tag="ec2.change_user_data",
    past="ec2.instance.user_data_changed",
    of=Instance,
    takes=("user_data",),
    needs=("user_data",),
    announces=("interrupts",),
):
    """Change the user data; a running instance is stopped for it and started again."""


class ChangeGroups(
    account.Refers,
    frozen=True,
    init=False,
    tag="ec2.change_groups",
    past="ec2.instance.groups_changed",
    of=Instance,
    takes=("security_groups",),
    needs=("security_groups",),
):
    """Put instances into these security groups, and into no others."""

    forms: ClassVar[Forms] = {}
    """It is recorded as it is given."""


class Grow(
    account.Sets,
    frozen=True,
    init=False,
    tag="ec2.grow",
    past="ec2.instance.volumes_changed",
    of=Instance,
    takes=("volumes",),
    needs=("volumes",),
):
    """Change size or type of an instance's own volumes; none can become smaller."""

    forms: ClassVar[Forms] = {}
    """It is recorded as it is given."""

    def found(self, address: Address, state: State) -> Any:  # noqa: ANN401
        """Return what is there, where it has these volumes and none becomes smaller."""
        there = super().found(address, state)
        for device, disk in self.volumes.items():
            old = (there.volumes or {}).get(device, Disk())
            if there.volumes is not None and device not in there.volumes:
                raise Refused(f"it has no own volume {device}; `lasercats ec2 attach` attaches others")
            if old.size and disk.size and disk.size < old.size:
                raise Refused(f"volume {device} has {old.size} GiB and cannot become smaller")
        return there

    def put(self, found: Any) -> Any:  # noqa: ANN401 - an instance
        """Return it with these volumes; others, and what is not said of these, stay."""
        disks = dict(found.volumes or {})
        for device, disk in self.volumes.items():
            old = disks.get(device, Disk())
            disks[device] = Disk(size=disk.size or old.size, type=disk.type or old.type)
        return replace(found, volumes=disks)


class Protect(
    account.Sets,
    frozen=True,
    init=False,
    tag="ec2.protect",
    past="ec2.instance.protected",
    of=Instance,
    takes=(),
    constant={"protected": True},
):
    """Protect instances from termination."""


class Unprotect(
    account.Sets,
    frozen=True,
    init=False,
    tag="ec2.unprotect",
    past="ec2.instance.unprotected",
    of=Instance,
    takes=(),
    constant={"protected": False},
    announces=("unprotects",),
):
    """Lift the protection of instances from termination."""


class Start(
    account.Sets,
    frozen=True,
    init=False,
    tag="ec2.start",
    past="ec2.instance.started",
    of=Instance,
    takes=(),
    constant={"state": "running"},
):
    """Start stopped instances."""


class Terminate(
    account.Delete, frozen=True, init=False, tag="ec2.terminate", past="ec2.instance.terminated", of=Instance
):
    """Terminate instances, with their own volumes; ids, addresses and data do not come back."""

    def release(self, address: Address, found: Any, state: State) -> None:  # noqa: ANN401 - an instance
        """Check that it is not protected, and that nothing is attached to it."""
        if found.protected:
            raise Refused(protected(address))
        super().release(address, found, state)


def protected(address: Address) -> str:
    """Return why an instance is not terminated that is protected, and the remedy."""
    return f"it is protected from termination; `lasercats ec2 unprotect {address}` lifts that"


def _undecides(before: Mapping[str, Disk], after: Mapping[str, Disk]) -> bool:
    """Tell whether something that was decided of a volume no longer is."""
    pairs = ((old, after.get(device, old)) for device, old in before.items())
    return any((old.size and not new.size) or (old.type and not new.type) for old, new in pairs)


class Deciding(looks.InAccount[Instance]):
    """What is decided of instances; `instance_looks` and `instance_programs` say the rest of their kind."""

    name = "ec2.instance"
    resource = Instance
    commands = (
        *(Launch, Stop, Reboot, ChangeType, ChangeUserData, ChangeGroups, Grow),
        *(Protect, Unprotect, *account.TAGGING, Start, Terminate),
    )
    what = "instance"
    fixed = ("image", "subnet", "key")
    free: ClassVar[Mapping[str, Any]] = {"protected": False}

    def converge(self, address: Address, change: Change[Instance]) -> Iterable[Command]:
        """Change what differs; what is no more decided of its volumes is forgotten first."""
        before, after = change.before or Instance(), change.after or Instance()
        for command in super().converge(address, change):
            if isinstance(command, Grow) and _undecides(before.volumes or {}, after.volumes or {}):
                yield Forget(on=(address,), fields=("volumes",))
            yield command

    def replaces(self, change: Change[Instance]) -> bool:
        """Tell whether a change cannot be made in place: image, subnet, key, other or smaller volumes."""
        before, after = (side.volumes if side is not None else None for side in (change.before, change.after))
        if super().replaces(change) or before is None or after is None:
            return super().replaces(change)
        pairs = ((old, after.get(device, old)) for device, old in before.items())
        smaller = any(old.size and new.size and new.size < old.size for old, new in pairs)
        return before.keys() != after.keys() or smaller

    def interrupts(self, before: Instance, after: Instance | None) -> Iterator[str]:
        """Return how a change of what stays interrupts the work of a running instance."""
        if after is None or before.state == "stopped":
            return
        if after.state == "stopped":
            yield "stopped"
        elif account.differs(Change(before, after), "type", "user_data"):
            yield "stopped and started again"

    def rests(self, resource: Instance) -> Instance | None:
        """Return it stopped, where it runs or nobody knows: its system has let go of its volumes then."""
        return None if resource.state == "stopped" else replace(resource, state="stopped")

    def loses(self, resource: Instance) -> Iterator[str]:
        """Return what does not come back when it is launched again; a private address may, if it is free."""
        yield from super().loses(resource)
        if resource.private_ip is not None and "PrivateIpAddress" not in (resource.unmodelled or {}):
            yield f"private address {resource.private_ip}"
        yield from unmodelled.lost(resource.unmodelled)
        yield "data on its instance store and on its own volumes"
