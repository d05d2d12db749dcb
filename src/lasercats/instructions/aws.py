"""The vocabulary of AWS: describe what is there, call an operation, wait for a state.

Operations, parameters and answers are those of the EC2 API (version 2016-11-15), so that what is recorded
can be read with its reference beside it. A line of script is a call of the `aws` command line.
"""

import json
import re
import shlex
from collections.abc import Iterable, Mapping
from typing import Any, ClassVar, NamedTuple

import msgspec
from msgspec.structs import replace

from lasercats.core import content as contents
from lasercats.core.instruction import Instruction
from lasercats.core.text import identifier

TOKEN_TAG = "lasercats:token"  # noqa: S105 - the key of a tag
"""Marks what was made by an operation that takes no client token."""


class Sort(NamedTuple):
    """How EC2 lists one sort of thing, and tells one from another."""

    operation: str
    """The operation that describes it."""
    path: tuple[str, ...]
    """The way to the list in the answer."""
    id: str
    """The member that holds the id."""
    by_id: str
    """The filter for ids."""
    members: frozenset[str]
    """What is kept of a description; the rest is not looked at."""
    gone: frozenset[str] = frozenset()
    """States in which it is as good as not there."""
    by_name: str = "tag:Name"
    """The filter for names."""
    asks: Mapping[str, Any] = {}
    """Parameters of the operation that have it tell more."""


def _members(text: str) -> frozenset[str]:
    return frozenset(text.split())


SORTS: Mapping[str, Sort] = {
    "instance": Sort(
        "DescribeInstances",
        ("Reservations", "Instances"),
        "InstanceId",
        "instance-id",
        _members(
            "InstanceId ImageId InstanceType SubnetId VpcId SecurityGroups KeyName LaunchTime Placement "
            "PrivateIpAddress PublicIpAddress State StateReason Tags RootDeviceName AmiLaunchIndex "
            "ClientToken EbsOptimized Monitoring IamInstanceProfile MetadataOptions HibernationOptions "
            "EnclaveOptions CpuOptions MaintenanceOptions PrivateDnsNameOptions Licenses InstanceLifecycle "
            "CapacityReservationSpecification SpotInstanceRequestId SourceDestCheck Ipv6Address "
            "NetworkInterfaces"
        ),
        gone=frozenset(("shutting-down", "terminated")),
    ),
    "volume": Sort(
        "DescribeVolumes",
        ("Volumes",),
        "VolumeId",
        "volume-id",
        _members(
            "VolumeId AvailabilityZone Size VolumeType Iops Throughput Encrypted KmsKeyId MultiAttachEnabled "
            "State Attachments Tags"
        ),
        gone=frozenset(("deleting", "deleted")),
    ),
    "modification": Sort(
        "DescribeVolumesModifications",
        ("VolumesModifications",),
        "VolumeId",
        "volume-id",
        _members("VolumeId ModificationState"),
    ),
    "vpc": Sort("DescribeVpcs", ("Vpcs",), "VpcId", "vpc-id", _members("VpcId CidrBlock State Tags")),
    "subnet": Sort(
        "DescribeSubnets",
        ("Subnets",),
        "SubnetId",
        "subnet-id",
        _members("SubnetId VpcId CidrBlock AvailabilityZone MapPublicIpOnLaunch State Tags"),
    ),
    "security_group": Sort(
        "DescribeSecurityGroups",
        ("SecurityGroups",),
        "GroupId",
        "group-id",
        _members("GroupId GroupName Description OwnerId VpcId IpPermissions IpPermissionsEgress Tags"),
        by_name="group-name",
    ),
    "key_pair": Sort(
        "DescribeKeyPairs",
        ("KeyPairs",),
        "KeyPairId",
        "key-pair-id",
        _members("KeyPairId KeyName KeyFingerprint KeyType PublicKey Tags"),
        by_name="key-name",
        asks={"IncludePublicKey": True},
    ),
    "address": Sort(
        "DescribeAddresses",
        ("Addresses",),
        "AllocationId",
        "allocation-id",
        _members("AllocationId PublicIp InstanceId AssociationId Tags"),
    ),
    "image": Sort(
        "DescribeImages",
        ("Images",),
        "ImageId",
        "image-id",
        _members("ImageId RootDeviceName BlockDeviceMappings State"),
    ),
}
"""What can be described, by the names that `Describe.what` takes."""

BLOBS = {"ImportKeyPair": "PublicKeyMaterial", "RunInstances": "UserData"}
"""The parameters that hold bytes, by operation; they are told as the content of a file is."""
_VARIABLE = re.compile(r"\$\{lc_([^}$]*)\}?")
"""A variable of a script, in a text."""
_ROOT = "Images[0].RootDeviceName || ''"

_FOUND_BY: Mapping[str, tuple[str, ...]] = {
    "client-token": ("ClientToken",),
    "attachment.instance-id": ("Attachments", "InstanceId"),
    "instance-id": ("InstanceId",),
    "key-name": ("KeyName",),
    "group-name": ("GroupName",),
    "vpc-id": ("VpcId",),
}
"""Where a filter finds its value, beside the ids and the tags."""


class Described(msgspec.Struct, frozen=True):
    """What a look found, as the service tells it, with times as text (RFC 3339)."""

    found: tuple[dict[str, Any], ...] = ()
    looked: bool = True
    """False where nobody looked: this is a prediction, and all is as expected."""


class Answered(msgspec.Struct, frozen=True):
    """What an operation answered, as the service tells it, with times as text (RFC 3339)."""

    response: dict[str, Any] = {}


class Describe(Instruction, frozen=True, tag="aws.describe"):
    """Look at what a filter finds; all that look for the same in a batch share a call."""

    looks: ClassVar[bool] = True
    answer: ClassVar[Any] = Described

    what: str
    """One of `SORTS`."""
    by: str | None = None
    """The name of a filter: `instance-id`, `tag:Name`; None finds all."""
    value: str | None = None

    def line(self) -> str:
        """Return the call of the `aws` command line."""
        call = f"aws ec2 {dashed(SORTS[self.what].operation)}"
        if self.by is None:
            return call
        filters = quote(_json([{"Name": self.by, "Values": [literal(self.value or "")]}]))
        call = f"{call} --filters {filters}"
        return f"{self._root}=$({call} --query {quote(_ROOT)} --output text)" if self.scripted else call

    @property
    def scripted(self) -> bool:
        """A script asks what the root device of an image is called, as a later line needs that."""
        return self.what == "image"

    @property
    def _root(self) -> str:
        return variable(f"root device of {self.value}")

    def predict(self) -> Described:
        """Expect what is expected: nobody looks; a root device is told by a variable of the script."""
        found = ({"ImageId": self.value, "RootDeviceName": f"${{{self._root}}}"},) if self.scripted else ()
        return Described(found, looked=False)

    def fits(self, thing: Mapping[str, Any]) -> bool:
        """Tell whether a description is one of those that are looked for."""
        return self.by is None or self.value in values_of(thing, self.what, self.by)


class Ask(Instruction, frozen=True, tag="aws.ask"):
    """Call an operation that only tells something: `DescribeInstanceAttribute`."""

    looks: ClassVar[bool] = True
    answer: ClassVar[Any] = Answered

    operation: str
    parameters: dict[str, Any]

    def __hash__(self) -> int:
        """Hash by what it says; equal questions are asked once."""
        return hash((self.operation, _json(self.parameters)))

    def line(self) -> str:
        """Return the call of the `aws` command line."""
        return f"aws ec2 {dashed(self.operation)} --cli-input-json {quote(_json(self.parameters))}"


class Call(Instruction, frozen=True, tag="aws.call"):
    """Call an operation that changes something."""

    answer: ClassVar[Any] = Answered

    operation: str
    """As `RunInstances`."""
    parameters: dict[str, Any]
    token: str | None = None
    """By which it is known when it comes again: None where the operation needs none, "" until it has one."""
    gives: str | None = None
    """The name of a shell variable in which a script keeps the new id."""
    at: str | None = None
    """Where the id stands in the answer (JMESPath): `Vpc.VpcId`."""

    def once(self, token: str) -> "Call":
        """Return the call with a token, where it takes one."""
        return self if self.token is None else replace(self, token=token)

    def line(self) -> str:
        """Return the call of the `aws` command line."""
        call = self._call()
        if self.gives is None:
            return f"{call} >/dev/null"
        return f"{self.gives}=$({call} --query {quote(self.at or '')} --output text)"

    def _call(self) -> str:
        """Return the call; what the command line wants in base64 or as bytes, by its version, as bytes."""
        blob, rest = BLOBS.get(self.operation, ""), dict(self.parameters)
        begin = end = ""
        if blob in rest:
            form, data = contents.shell_form(contents.decode(str(rest.pop(blob))))
            if form == "text" and self.operation == "RunInstances":
                rest[blob] = data  # which both versions take as text
            else:
                begin = f"printf %s {quote(data)} | " + ("base64 -d | " if form == "base64" else "")
                end = f" --{dashed(blob)} fileb:///dev/stdin"
        return f"{begin}aws ec2 {dashed(self.operation)} --cli-input-json {quote(_json(rest))}{end}"

    def predict(self) -> Answered:
        """Expect an answer in which the new id is what a script calls it."""
        if self.gives is None or self.at is None:
            return Answered()
        value: Any = f"${{{self.gives}}}"
        for part in reversed(self.at.split(".")):
            name, listed, _ = part.partition("[")
            value = {name: [value] if listed else value}
        return Answered(value)


class Unmark(Instruction, frozen=True, tag="aws.unmark"):
    """Take our tag away from what was made by an operation that takes no client token.

    It comes when the id is on record, so that nothing needs the tag any more.
    """

    tidies: ClassVar[bool] = True
    answer: ClassVar[Any] = Answered

    id: str

    @property
    def scripted(self) -> bool:
        """It stands in no script, which makes nothing that has the tag."""
        return False

    def line(self) -> str:
        """Return the call of the `aws` command line."""
        return f"aws ec2 delete-tags --resources {quote(self.id)} --tags Key={TOKEN_TAG}"


class Wait(Instruction, frozen=True, tag="aws.wait"):
    """Wait until something is in a state; all that wait for things of one sort share one look."""

    looks: ClassVar[bool] = True
    waits: ClassVar[bool] = True
    answer: ClassVar[Any] = Described

    what: str
    """`instance`, `volume`, `vpc`, `subnet`, or `modification` of a volume."""
    id: str
    state: str
    """`running`, `stopped`, `terminated`; `available`, `in-use`, `deleted`; or several apart by `|`."""

    def line(self) -> str:
        """Return the call of the `aws` command line, or a loop where it cannot wait for that."""
        if self.what == "modification":
            query = "--query 'VolumesModifications[0].ModificationState' --output text"
            look = f"aws ec2 describe-volumes-modifications --volume-ids {quote(self.id)} {query}"
            return f"for _ in $(seq 120); do {look} | grep -qE '{self.state}' && break; sleep 5; done"
        return f"aws ec2 wait {self.what}-{self.state} --{self.what}-ids {quote(self.id)}"

    def predict(self) -> Described:
        """Expect that it comes to it; nothing else is told."""
        return Described(looked=False)


def values_of(thing: Mapping[str, Any], what: str, by: str) -> list[str]:
    """Return the values that a description has for a filter."""
    sort = SORTS[what]
    if by.startswith("tag:"):
        return [tag.get("Value", "") for tag in thing.get("Tags", ()) if tag.get("Key") == by[4:]]
    path = (sort.id,) if by == sort.by_id else _FOUND_BY[by]
    values: list[Any] = [thing]
    for member in path:
        found = [value.get(member) for value in values if isinstance(value, dict)]
        values = [v for value in found for v in (value if isinstance(value, list) else [value])]
    return [value for value in values if value is not None]


def tagged(tags: Mapping[str, str] | None) -> list[dict[str, str]]:
    """Return tags as the API wants them."""
    return [{"Key": key, "Value": value} for key, value in sorted((tags or {}).items())]


def tags_of(thing: Mapping[str, Any]) -> dict[str, str]:
    """Return the tags of a description, without those of AWS and of our own."""
    tags = {tag["Key"]: tag.get("Value", "") for tag in thing.get("Tags", ())}
    return {key: value for key, value in sorted(tags.items()) if not hidden(key)}


def hidden(key: str) -> bool:
    """Tell whether a tag is none that an operator decides: those of AWS cannot be set, and one is our own."""
    return key.lower().startswith("aws:") or key == TOKEN_TAG


def literal(value: str) -> str:
    """Return the value of a filter that finds just that (EC2 User Guide, "Filter your resources")."""
    return "".join(f"\\{sign}" if sign in "\\*?" else sign for sign in value)


def quote(text: str) -> str:
    """Quote text for a shell, but for the variables `${…}` of a script in it; an empty one is a failure."""
    parts = _VARIABLE.split(text)
    return "".join(
        f'"${{lc_{part}:?is not known}}"' if n % 2 else shlex.quote(part)
        for n, part in enumerate(parts)
        if n % 2 or part or len(parts) == 1
    )


def variable(address: str) -> str:
    """Return the shell variable for the id of what is at an address, one of its own for each."""
    return f"lc_{identifier(address)}"


def dashed(operation: str) -> str:
    """Return an operation as the `aws` command line calls it: `run-instances`."""
    return "".join(f"-{c.lower()}" if c.isupper() else c for c in operation).lstrip("-")


def trimmed(what: str, thing: Mapping[str, Any]) -> dict[str, Any]:
    """Return what is kept of a description."""
    members = SORTS[what].members
    return {name: _short(name, value) for name, value in thing.items() if name in members}


def _short(name: str, value: Any) -> Any:  # noqa: ANN401
    """Return a member as it is kept: of network interfaces, which are long, only which there are."""
    if name != "NetworkInterfaces" or not isinstance(value, list):
        return value
    return [
        {"NetworkInterfaceId": one.get("NetworkInterfaceId")} for one in value if isinstance(one, Mapping)
    ]


def present(what: str, things: Iterable[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """Return those of some descriptions that are there, and not as good as gone."""
    gone = SORTS[what].gone
    return [dict(thing) for thing in things if state_of(thing) not in gone]


def state_of(thing: Mapping[str, Any]) -> str | None:
    """Return the state of a described thing: `running`, `available`."""
    state = thing.get("State", thing.get("ModificationState"))
    name: str | None = state.get("Name") if isinstance(state, dict) else state
    return name


def _json(value: Any) -> str:  # noqa: ANN401
    return json.dumps(value, ensure_ascii=False, sort_keys=True, separators=(",", ":"))


VOCABULARY: tuple[type[Instruction], ...] = (Describe, Ask, Call, Unmark, Wait)
