"""What the kinds of EC2 share: names, references, tags, and what they refuse.

A name is the `Name` tag of what it names, or its id: `ec2.instance/web-1`, `ec2.instance/i-0abc…`; key pairs
and security groups have a name of their own. It is in the account and region of the machine `aws` where it
names no other: `ec2.instance/prod:web-1`.
"""

import re
from collections.abc import Callable, Iterator, Mapping
from ipaddress import ip_network
from typing import Annotated, Any, ClassVar

from msgspec import Meta
from msgspec.structs import replace

from lasercats.core import address as addresses
from lasercats.core import setting, text
from lasercats.core.address import Address, machine_of, rest_of
from lasercats.core.change import Change
from lasercats.core.errors import BadInput, Refused
from lasercats.core.instruction import Failure, InstructionFailed, PartlyDone
from lasercats.core.loose import Forms
from lasercats.core.program import Known, Program
from lasercats.core.reference import NOTHING, references, refers
from lasercats.core.resource import GROWS, Resource
from lasercats.core.setting import differing
from lasercats.core.state import State
from lasercats.instructions.aws import Call, hidden, tagged

MACHINE = "aws"
ID = re.compile(r"(i|vpc|subnet|sg|vol|eipalloc|key)-[0-9a-f]{8,32}")
"""Ids as EC2 gives them."""
IDENTITY: dict[str, str] = {}
"""What a reference may be the address of: by kind, the computed field by which others refer to one."""

MOST_KEY, MOST_VALUE = 128, 256
"""How many characters the key and the value of a tag may have (EC2 User Guide, "Tag restrictions")."""

Tags = Annotated[dict[str, str], Meta(description="tags, each as KEY=VALUE")]
Vpc = Annotated[
    str,
    refers(
        "ec2.vpc",
        pattern="^(ec2[.]vpc/.+|vpc-[0-9a-z]+)$",
        description="the network: ec2.vpc/NAME, or an id",
    ),
]
Subnet = Annotated[
    str,
    refers(
        "ec2.subnet",
        pattern="^(ec2[.]subnet/.+|subnet-[0-9a-z]+)$",
        description="the subnet: ec2.subnet/NAME, or an id",
    ),
]
Group = Annotated[
    str,
    refers(
        "ec2.security_group",
        loose=True,
        pattern="^(ec2[.]security_group/.+|sg-[0-9a-z]+)$",
        description="a security group: ec2.security_group/NAME, or an id",
    ),
]
KeyName = Annotated[
    str,
    refers(
        "ec2.key_pair",
        initial=True,
        description="the key pair: ec2.key_pair/NAME, or the name of one that is not managed",
    ),
]
Holder = Annotated[
    str,
    refers(
        "ec2.instance",
        loose=True,
        pattern="^(ec2[.]instance/.+|i-[0-9a-z]+|)$",
        description="the instance: ec2.instance/NAME, or an id",
    ),
]
Attached = Annotated[
    str,
    refers(
        "ec2.instance",
        loose=True,
        resting=True,
        pattern="^(ec2[.]instance/.+|i-[0-9a-z]+|)$",
        description="the instance: ec2.instance/NAME, or an id",
    ),
]
Zone = Annotated[str, Meta(pattern="^[A-Za-z0-9-]+$", description="the availability zone")]
Cidr = Annotated[str, Meta(pattern="^[0-9a-fA-F.:]+/[0-9]+$", description="the range, as 10.0.0.0/16")]
Size = Annotated[int, Meta(ge=1, le=65536, extra=GROWS, description="the size, in GiB")]


def ordered_tags(tags: Mapping[str, str]) -> dict[str, str]:
    """Return tags in their one order, once they keep the rules of EC2 (User Guide, "Tag restrictions").

    Any character may stand in a tag that XML can hold, in which EC2 tells of it (XML 1.0, section 2.2).

    Raises:
        ValueError: one breaks them.

    """
    for key, value in tags.items():
        if not 1 <= len(key) <= MOST_KEY or hidden(key) or _NO_XML.search(key):
            raise ValueError(f"{key!r} cannot be the key of a tag")
        if len(value) > MOST_VALUE:
            raise ValueError(f"the value of tag {key!r} is longer than {MOST_VALUE} characters")
        if _NO_XML.search(value):
            raise ValueError(f"the value of tag {key!r} holds a character that EC2 cannot tell of")
    return dict(sorted(tags.items()))


_NO_XML = re.compile("[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")
TAGS: Forms = {"tags": ordered_tags}
TAGGED = ("volume", "elastic_ip", "vpc", "subnet", "security_group", "key_pair")
"""The kinds that had commands of their own for tags, beside instances; their names and verbs are aliases."""
"""The forms of what has nothing else than tags."""


def canonical(name: str) -> str:
    """Return the one form of a name; a control character in it is written as its escape.

    Raises:
        BadInput: it is empty.

    """
    machine, colon, rest = name.partition(":")
    if not colon:
        machine, rest = MACHINE, name
    if not rest.strip():
        raise BadInput(f"{name!r} names nothing; a name is a Name tag or an id")
    addresses.check_machine_name(machine)
    return called(machine, text.one_form(rest))


def called(machine: str, name: str) -> str:
    """Return how the name of something on a machine stands in its address."""
    return name if machine == MACHINE and ":" not in name else f"{machine}:{name}"


def at(address: Address) -> tuple[str, str]:
    """Return the machine that an address is on, and the name on it, as EC2 has it."""
    name = rest_of(address)
    if "\\" in name:
        name = text.unescape(name).decode(errors="replace")
    return machine_of(address) or MACHINE, name


# Deciding.


def existing(address: Address, state: State) -> Any:  # noqa: ANN401 - of the kind of the address
    """Return the resource that a command needs to be there.

    Raises:
        Refused: it is not.

    """
    found = state.get(address)
    if found is None:
        raise Refused("it is not there; see `aws ec2` for what is, and `lasercats adopt` to manage it")
    return found


def check_new(address: Address, state: State, resource: Resource) -> None:
    """Check that nothing is at an address, and that all is there that a new resource refers to.

    Raises:
        Refused: something is there already, or what it refers to is not.

    """
    there = state.get(address)
    if there is not None:
        id_ = getattr(there, "id", None)
        raise Refused("it is there already" + (f" ({id_})" if id_ else ""))
    check_references(address, state, resource)


def check_references(address: Address, state: State, resource: Resource) -> None:
    """Check that all is there that a resource refers to.

    Raises:
        Refused: something is not, or is on another machine.

    """
    for kind, value in references(resource):
        if not value.startswith(f"{kind}/"):
            continue
        other = Address(value)
        if other != address and state.get(other) is None:
            raise Refused(f"{other} is not in the state; make it first, or `lasercats observe {other}`")
        if at(other)[0] != at(address)[0]:
            raise Refused(f"{other} is on another machine ({at(other)[0]}) than this ({at(address)[0]})")


def called_too(reference: str, state: State) -> Iterator[str]:
    """Iterate over the references that mean the same as one: the address of what is managed, and its id."""
    yield reference
    if reference.partition("/")[0] in IDENTITY:
        id_ = getattr(state.get(Address(reference)), "id", None)
        if id_ is not None:
            yield str(id_)
    else:
        yield from (address for address, _ in state.having(_by_id, reference))


def _by_id(_address: Address, resource: Resource) -> tuple[str, ...]:
    id_ = getattr(resource, "id", None)
    return (id_,) if isinstance(id_, str) else ()


def check_unused(address: Address, state: State) -> None:
    """Check that nothing in a state refers to an address.

    Raises:
        Refused: something does.

    """
    for other, resource in state.items():
        if other != address and any(value == address for _, value in references(resource, lasting=True)):
            raise Refused(f"{other} uses it; take that away from it first")


class Sets(setting.Sets, frozen=True, init=False):
    """Sets fields of what is there."""

    def found(self, address: Address, state: State) -> Any:  # noqa: ANN401 - of its kind
        """Return what is there."""
        return existing(address, state)


class Refers(Sets, frozen=True, init=False):
    """Sets fields that refer to what must be there."""

    def admit(self, address: Address, after: Resource, state: State) -> None:
        """Check that all is there that it refers to."""
        check_references(address, state, after)


class LetsGo(
    Sets, frozen=True, init=False, takes=(), constant={"instance": NOTHING}, announces=("interrupts",)
):
    """Takes something from its instance."""

    @classmethod
    def sets(cls, before: Resource, desired: Mapping[str, Any]) -> frozenset[str]:
        """Return the fields for which it must be let go of on the way to what is desired."""
        gone = lets_go(before, desired.get("instance"), desired.get("device"))
        return differing(before, desired) & {"instance", "device"} if gone else frozenset()


class Makes(setting.Makes, frozen=True, init=False):
    """Makes what is not there."""

    over: ClassVar[bool] = False

    def found(self, address: Address, state: State) -> Resource:
        """Return a new one."""
        return self.fresh()

    def admit(self, address: Address, after: Resource, state: State) -> None:
        """Check that it is not there, and that all is there that it refers to."""
        check_new(address, state, after)


class Removes(setting.Removes, frozen=True, init=False):
    """Removes what is there."""

    def found(self, address: Address, state: State) -> Any:  # noqa: ANN401 - of its kind
        """Return what is there."""
        return existing(address, state)


class Delete(Removes, frozen=True, init=False):
    """Deletes what nothing uses any more."""

    def release(self, address: Address, found: Resource, state: State) -> None:
        """Check that nothing uses it."""
        check_unused(address, state)


class Tag(Sets, frozen=True, init=False, takes=(), tag="ec2.tag", past="ec2.tagged"):
    """Set tags; others stay."""

    aliases: ClassVar[Mapping[str, str]] = {f"ec2.tag_{kind}": f"ec2.{kind}" for kind in TAGGED}
    forms: ClassVar[Forms] = TAGS

    tags: Tags
    only: Annotated[bool, Meta(description="these tags and no others")] = False

    def put(self, found: Any) -> Any:  # noqa: ANN401 - of any kind
        """Return the resource with these tags."""
        others = {} if self.only else found.tags or {}
        return replace(found, tags={**others, **self.tags})

    @classmethod
    def sets(cls, before: Any, desired: Mapping[str, Any]) -> frozenset[str]:  # noqa: ANN401 - of any kind
        """Return the tags, where some are new or have another value, or nobody knew of any."""
        new = before.tags is None or changed_tags(before, desired)[1]
        return differing(before, desired) & {"tags"} if new else frozenset()

    @classmethod
    def bring(cls, on: tuple[Address, ...], before: Any, desired: Mapping[str, Any]) -> Iterator["Tag"]:  # noqa: ANN401
        """Set those that differ; of what nobody knew, none is to stay."""
        yield cls(on=on, tags=changed_tags(before, desired)[1], only=before.tags is None)


class Untag(Sets, frozen=True, init=False, takes=(), tag="ec2.untag", past="ec2.untagged"):
    """Remove tags."""

    aliases: ClassVar[Mapping[str, str]] = {f"ec2.untag_{kind}": f"ec2.{kind}" for kind in TAGGED}

    keys: Annotated[tuple[str, ...], Meta(min_length=1, description="the keys of the tags")]

    def put(self, found: Any) -> Any:  # noqa: ANN401 - of any kind
        """Return the resource without these tags."""
        return replace(found, tags={k: v for k, v in (found.tags or {}).items() if k not in self.keys})

    @classmethod
    def sets(cls, before: Any, desired: Mapping[str, Any]) -> frozenset[str]:  # noqa: ANN401 - of any kind
        """Return the tags, where some are no more."""
        return frozenset({"tags"} if changed_tags(before, desired)[0] else ())

    @classmethod
    def bring(cls, on: tuple[Address, ...], before: Any, desired: Mapping[str, Any]) -> Iterator["Untag"]:  # noqa: ANN401
        """Remove those that are no more."""
        yield cls(on=on, keys=changed_tags(before, desired)[0])


TAGGING = (Untag, Tag)
"""The commands of tags, for all kinds; what nothing is to be left of is taken away first."""


def changed_tags(before: Any, desired: Mapping[str, Any]) -> tuple[tuple[str, ...], dict[str, str]]:  # noqa: ANN401
    """Return the keys of the tags that are no more, and those tags that are new or have another value."""
    old, tags = before.tags or {}, desired.get("tags")
    if tags is None:
        return (), {}
    new = {key: value for key, value in tags.items() if old.get(key) != value}
    return tuple(sorted(old.keys() - tags.keys())), new


def network(cidr: str) -> str:
    """Return the one form of a range of addresses, as EC2 tells it: without the bits of a host.

    Raises:
        ValueError: it is none.

    """
    try:
        return str(ip_network(cidr, strict=False))
    except ValueError:
        raise ValueError(f"{cidr!r} is no range of IP addresses, as 10.0.0.0/16") from None


RANGED: Forms = {**TAGS, "cidr": network}
"""The forms of what has a range of addresses, and tags."""


def differs(change: Change[Any], *fields: str) -> bool:
    """Tell whether one of some fields is decided otherwise than before, or for the first time."""
    if change.before is None or change.after is None:
        return False
    pairs = ((getattr(change.before, name), getattr(change.after, name)) for name in fields)
    return any(after is not None and before != after for before, after in pairs)


def lets_go(before: Any, instance: str | None, device: str | None = None) -> bool:  # noqa: ANN401
    """Tell whether something is taken from its instance on the way to another, or to another device of it.

    What nobody knows to be attached is not.
    """
    if instance != before.instance:
        return instance == NOTHING or (instance is not None and bool(before.instance))
    return bool(instance and device) and getattr(before, "device", None) not in (None, device)


# Acting.


def sides(change: Change[Any]) -> tuple[Any, Any]:
    """Return both sides of a change of something that was there and stays."""
    return change.before, change.after


def id_of(known: Known, reference: str) -> str:
    """Return the id of what a reference means.

    Raises:
        Refused: it is an address at which no id is known.

    """
    if reference.partition("/")[0] not in IDENTITY:
        return reference  # an id, or a name that holds a slash
    address = Address(reference)
    field = IDENTITY[addresses.kind_of(address)]
    found = getattr(known(address), field, None)
    if field == "name":
        return str(found or at(address)[1])
    if found is None:
        raise Refused(f"the id of {reference} is not known; `lasercats observe {reference}` finds it")
    return str(found)


def own_id(resource: Any) -> str:  # noqa: ANN401
    """Return the id of a resource that is to be changed.

    Raises:
        Refused: nobody knows it.

    """
    if getattr(resource, "id", None) is None:
        raise Refused("its id is not known; `lasercats observe` finds it")
    return str(resource.id)


def change_tags(machine: str, id_: str, change: Change[Any]) -> Program[None]:
    """Make the tags of something as they should be."""
    old, desired = sides(change)
    gone, new = changed_tags(old, {"tags": desired.tags})
    if new:
        parameters = {"Resources": [id_], "Tags": tagged(new)}
        yield Call(machine=machine, operation="CreateTags", parameters=parameters)
    if gone:
        parameters = {"Resources": [id_], "Tags": [{"Key": key} for key in gone]}
        yield Call(machine=machine, operation="DeleteTags", parameters=parameters)


def leaving(id_: str, steps: Program[Any], look: Callable[[], Program[Any]]) -> Program[Any]:
    """Run steps on what has an id; when one fails, look at what they leave behind, so that it is recorded.

    Raises:
        PartlyDone: a step failed, or turned out to make no sense; it carries what is there now.
        InstructionFailed: it cannot be looked at either.

    """
    try:
        return (yield from steps)
    except InstructionFailed as failed:
        if failed.failure.in_doubt and not failed.failure.final:
            raise
        failure = failed.failure
    except Refused as refused:
        failure = Failure(reason=str(refused))
    try:
        left = yield from look()
    except InstructionFailed as unseen:
        why = f"{id_} cannot be looked at: {unseen.failure.reason}"
        raise InstructionFailed(replace(unseen.failure, reason=why)) from None
    raise PartlyDone(failure, left)
