"""What EC2 tells may hold anything; what an operator gives is checked."""

import types
from typing import Annotated, Any, Literal, Union, get_args, get_origin, get_type_hints

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lasercats.core.address import Address, make, parse, rest_of
from lasercats.core.change import Change, Delta
from lasercats.core.command import decide
from lasercats.core.converge import converge
from lasercats.core.errors import LaserCatsError
from lasercats.core.kind import Kind
from lasercats.core.loose import strict
from lasercats.core.registry import Kinds
from lasercats.core.resource import Resource
from lasercats.core.state import State
from lasercats.domains.ec2 import DOMAIN, account, instance_programs, security_group, volume
from lasercats.domains.ec2.instance import ChangeUserData, Instance, Launch
from lasercats.domains.ec2.rule import Rule, permissions, read

KINDS = Kinds([DOMAIN])
TEXT = st.text(st.characters(exclude_categories=["Cs"]), max_size=12)
SCALARS: dict[Any, st.SearchStrategy[Any]] = {
    str: TEXT
    | st.sampled_from(["", "-1", "٣", "10.0.0.1/8", "ec2.vpc/", "x/y", "tcp", "data:;base64,!", "sha256:"]),
    bool: st.booleans(),
    int: st.integers(-(2**63), 2**63 - 1),
}
SCALARS[Any] = st.recursive(
    st.none() | st.one_of(list(SCALARS.values())),
    lambda one: st.lists(one) | st.dictionaries(TEXT, one),
    max_leaves=4,
)


def any_of(annotation: Any) -> st.SearchStrategy[Any]:  # noqa: ANN401 - a type of any form
    """Return values of the right JSON types, whatever else the annotation asks."""
    if get_origin(annotation) is Annotated:
        return any_of(get_args(annotation)[0])
    if get_origin(annotation) in (Union, types.UnionType):
        return st.one_of([any_of(part) for part in get_args(annotation)])
    if annotation in (None, type(None)):
        return st.none()
    if get_origin(annotation) is Literal:
        return SCALARS[str]
    if get_origin(annotation) is dict:
        return st.dictionaries(*(any_of(part) for part in get_args(annotation)), max_size=3)
    if get_origin(annotation) is tuple:
        return st.lists(any_of(get_args(annotation)[0]), max_size=3).map(tuple)
    if isinstance(annotation, type) and issubclass(annotation, msgspec.Struct):
        hints = get_type_hints(annotation, include_extras=True)
        fields = {name: any_of(hints[name]) for name in annotation.__struct_fields__}
        return st.fixed_dictionaries(fields).map(lambda values: annotation(**values))
    return SCALARS[annotation]


@pytest.mark.parametrize("kind", DOMAIN.kinds, ids=lambda kind: str(kind.name))
def test_any_value_is_kept(kind: Kind[Any]) -> None:
    """Whatever stands in its fields, a resource is built, comes back from the log, and is converged."""
    address = make(kind.name, "x")
    sides = st.none() | any_of(kind.resource)

    @settings(deadline=None)
    @given(sides, sides)
    def law(before: Resource | None, after: Resource | None) -> None:
        for side in (before, after):
            raw = msgspec.json.encode(side)
            assert KINDS.decode_resource(address, raw) == side
            assert msgspec.json.encode(KINDS.decode_resource(address, raw)) == raw
        state = State().put([(address, before)])
        try:
            commands = converge(KINDS, Delta({address: Change(before, after)}), state)
        except LaserCatsError:
            commands = []  # refused, with the reason
        for command in commands:
            assert KINDS.decode_command(msgspec.json.encode(command)) == command
            decide(command, state)
        for side in filter(None, (before, after)):
            assert all(isinstance(lost, str) for lost in kind.loses(side))

    law()


@settings(deadline=None)
@given(TEXT.filter(lambda name: bool(name.strip())), st.sampled_from(["aws", "prod"]))
def test_any_name_has_an_address(name: str, machine: str) -> None:
    """A Name with any character stands in an address that can be typed, and is found by it again."""
    thing = {"InstanceId": "i-0123456789abcdef0", "Tags": [{"Key": "Name", "Value": name}]}
    ((address, _),) = instance_programs.KIND.named(machine, (thing,))
    assert parse(address) == address
    assert KINDS.address(address) == address
    if account.ID.fullmatch(name) is None:
        assert account.at(address) == (machine, name)


@pytest.mark.parametrize("names", [[""], ["  "], ["same", "same"], ["i-0123456789abcdef9"], [None]])
def test_what_no_name_tells(names: list[str | None]) -> None:
    """What has no name of its own stands at its id."""
    things = tuple(
        {"InstanceId": f"i-0000000{n}", "Tags": [] if name is None else [{"Key": "Name", "Value": name}]}
        for n, name in enumerate(names)
    )
    found = [rest_of(address) for address, _ in instance_programs.KIND.named("aws", things)]
    assert found == [thing["InstanceId"] for thing in things]


@pytest.mark.parametrize(
    "tags",
    [
        {"oncall": "👩‍💻 Ada"},
        {"a\u200bb": "tab\there\nand below"},
        {"\u202e": "\x85"},
        {"AWSome": ""},
        {"k" * 128: "v" * 256},
    ],
)
def test_a_tag_of_any_character(tags: dict[str, str]) -> None:
    """What EC2 takes in a tag can be given."""
    assert strict({"on": ["ec2.instance/a"], "tags": tags}, KINDS.commands["ec2.tag"]).tags == tags


@pytest.mark.parametrize(
    ("tags", "why"),
    [
        ({"aws:x": "y"}, "cannot be the key of a tag"),
        ({"AWS:x": "y"}, "cannot be the key of a tag"),
        ({"lasercats:token": "y"}, "cannot be the key of a tag"),
        ({"": "y"}, "cannot be the key of a tag"),
        ({"k" * 129: "y"}, "cannot be the key of a tag"),
        ({"a\0": "y"}, "cannot be the key of a tag"),
        ({"x": "y" * 257}, "longer than 256"),
        ({"x": "\x1b[31m"}, "cannot tell of"),
    ],
)
@pytest.mark.parametrize("command", ["ec2.tag", "ec2.tag_vpc", "ec2.allocate"])
def test_a_tag_that_ec2_does_not_take(tags: dict[str, str], why: str, command: str) -> None:
    """It is refused as it is given, with the reason; one that is on record is not."""
    with pytest.raises(LaserCatsError, match=why):
        KINDS.command(
            {"command": command, "on": "ec2.elastic_ip/a" if "alloc" in command else "a", "tags": tags}
        )
    assert Instance(tags=tags).tags == tags


@pytest.mark.parametrize("device", ["xvdf", "sdf", "/dev/xvdba", "/dev/sda1", "xvdb"])
def test_a_device_of_any_name(device: str) -> None:
    """A volume is attached as any device that EC2 knows, with or without /dev/."""
    attach = KINDS.command({"command": "ec2.attach", "on": "a", "instance": "i-01234567", "device": device})
    assert isinstance(attach, volume.Attach)
    disks = {device: {"size": 1}}
    KINDS.command(
        {"command": "ec2.launch", "on": "a", "image": "ami-0", "type": "u-6tb1.metal", "volumes": disks}
    )


@pytest.mark.parametrize(
    "zone", ["us-east-1a", "us-west-2-lax-1a", "us-east-1-wl1-bos-wlz-1", "eusc-de-east-1a"]
)
def test_a_zone_of_any_name(zone: str) -> None:
    """Local zones and those of Wavelength are zones."""
    KINDS.command({"command": "ec2.create_volume", "on": "a", "zone": zone, "size": 1})


def test_user_data_is_bytes() -> None:
    """Bytes that are no text are given as a data URL; at most 16 KiB are, however long that is."""
    most = strict({"on": ["ec2.instance/a"], "user_data": "data:;base64," + "/w==" * 1}, ChangeUserData)
    assert most.user_data == "data:;base64,/w=="
    text = strict({"on": ["ec2.instance/a"], "user_data": "data:;base64,aGk="}, ChangeUserData)
    assert text.user_data == "hi"
    given = {"on": ["ec2.instance/a"], "image": "ami-0", "type": "t3.micro"}
    strict({**given, "user_data": "data:;base64," + "////" * 5461}, Launch)
    for data, why in (
        ("data:;base64," + "////" * 5462, "at most 16384 bytes"),
        ("ż" * 8193, "at most 16384 bytes"),
        ("data:;base64,!", "not valid base64"),
        ("sha256:00", "only the digest"),
    ):
        with pytest.raises(ValueError, match=why):
            strict({**given, "user_data": data}, Launch)


PEERS: list[tuple[dict[str, Any], str]] = [
    ({"UserIdGroupPairs": [{"GroupId": "sg-1", "UserId": "111122223333"}]}, "sg-1"),
    ({"UserIdGroupPairs": [{"GroupId": "sg-1", "UserId": "444455556666"}]}, "444455556666/sg-1"),
    (
        {"UserIdGroupPairs": [{"GroupName": "amazon-elb-sg", "UserId": "amazon-elb"}]},
        "amazon-elb/amazon-elb-sg",
    ),
    ({"PrefixListIds": [{"PrefixListId": "pl-63a5400a"}]}, "pl-63a5400a"),
    ({"Ipv6Ranges": [{"CidrIpv6": "::/0"}]}, "::/0"),
    ({"IpRanges": [{"CidrIp": "10.0.0.0/8", "Description": "two\nlines"}]}, "10.0.0.0/8"),
]


@pytest.mark.parametrize(("described", "peer"), PEERS)
@pytest.mark.parametrize("protocol", ["tcp", "50", "icmp"])
def test_a_peer_of_any_form(described: dict[str, Any], peer: str, protocol: str) -> None:
    """A rule that is told is authorized again as it was, with the account where that is another."""
    ports = {} if protocol == "50" else {"FromPort": 8, "ToPort": 9}
    (rule,) = read([{"IpProtocol": protocol, **ports, **described}], "111122223333")
    assert (rule.peer, rule.protocol) == (peer, protocol)
    (again,) = permissions([rule], lambda reference: reference, described=True)
    expected = {"IpProtocol": protocol, **ports, **described}
    if peer == "sg-1":
        del expected["UserIdGroupPairs"][0]["UserId"]
    assert again == expected
    expected.setdefault("UserIdGroupPairs", []) and expected["UserIdGroupPairs"][0].setdefault(
        "UserId", "111122223333"
    )


def test_one_that_cannot_be_understood_fails_alone() -> None:
    """Of volumes that are listed, the odd one is told with its id and the reason; the others are found."""
    good = {
        "VolumeId": "vol-00000001",
        "AvailabilityZone": "z",
        "Size": 1,
        "VolumeType": "gp3",
        "Encrypted": False,
    }
    odd = {**good, "VolumeId": "vol-00000002", "Size": "huge"}
    nameless = {**good, "VolumeId": None}
    found = volume.KIND.read_all("aws", (good, odd, nameless))
    assert found[Address("ec2.volume/vol-00000001")] == volume.KIND.read(good, None)
    assert "vol-00000002 cannot be understood" in found[Address("ec2.volume/vol-00000002")].reason
    assert "cannot be understood" in found[Address("ec2.volume/aws:")].reason


def test_rules_that_were_recorded_twice() -> None:
    """A group on record with one rule for two reasons stays as it is, and can be left with one."""
    twice = tuple(Rule(peer="10.0.0.0/8", description=about) for about in "ba")
    group = security_group.SecurityGroup(ingress=twice)
    assert group.ingress == twice
    address = Address("ec2.security_group/g")
    desired = security_group.SecurityGroup(ingress=twice[:1])
    state = State().put([(address, group)])
    assert converge(KINDS, Delta({address: Change(group, desired)}), state)
