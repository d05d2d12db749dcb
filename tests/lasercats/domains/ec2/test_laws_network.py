"""The laws of instances, networks, subnets, security groups and key pairs that need no machine."""

from typing import Any, ClassVar

import pytest
from hypothesis import strategies as st

from lasercats.core.address import Address
from lasercats.core.change import Change, Delta
from lasercats.core.command import state_after
from lasercats.core.converge import converge
from lasercats.core.loose import strict
from lasercats.core.registry import Kinds
from lasercats.core.state import State
from lasercats.domains.ec2 import DOMAIN, instance_programs, key_pair, security_group, subnet, vpc
from lasercats.domains.ec2.rule import Rule, ordered
from lasercats.testing.laws import KindLaws

KINDS = Kinds([DOMAIN])
KEY = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIGhvdyBub3cgYnJvd24gY293IGhvdyBub3cgYnJvd24="
OTHER_KEY = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIGhvdyBub3cgYnJvd24gY293IGhvdyBub3cgYnJvd3g="
NAMES = ("a", "b", "c d", "other:e")
GROUND = (
    vpc.Create(on=(Address("ec2.vpc/x"), Address("ec2.vpc/y")), cidr="10.0.0.0/16"),
    vpc.Create(on=(Address("ec2.vpc/other:x"),), cidr="10.0.0.0/16"),
    subnet.Create(on=(Address("ec2.subnet/x"),), vpc="ec2.vpc/x", cidr="10.0.1.0/24"),
    security_group.Create(on=(Address("ec2.security_group/x"),), description="x"),
    key_pair.Import(on=(Address("ec2.key_pair/x"),), public_key=KEY),
)
KEYS = st.sampled_from(["Name", "team", "zażółć"])
PEERS = st.sampled_from(
    [
        "0.0.0.0/0",
        "10.1.2.3/8",
        "2001:db8::1/32",
        "ec2.security_group/x",
        "sg-0123456789abcdef0",
        "pl-0123456789ab",
    ]
)
PORTS = st.sampled_from(["22", "0080", "8000-8080", "443-443"])
RULES = st.lists(
    st.builds(Rule, peer=PEERS, protocol=st.sampled_from(["tcp", "6", "udp"]), ports=PORTS)
    | st.builds(Rule, peer=PEERS, protocol=st.sampled_from(["all", "-1", "icmp", "58", "50"]))
    | st.builds(Rule, peer=PEERS, protocol=st.just("icmp"), ports=st.sampled_from(["8", "3-4"]))
    | st.builds(Rule, peer=PEERS, description=st.sampled_from(["from home", "by (mistake)"])),
    max_size=3,
)
TAGS = {
    "tags": st.dictionaries(KEYS, st.text("aé ", max_size=5), max_size=3),
    "keys": st.lists(KEYS, min_size=1),
}
NETWORK = {
    "vpc": st.sampled_from(
        ["ec2.vpc/x", "ec2.vpc/y", "ec2.vpc/other:x", "ec2.vpc/none", "vpc-0123456789abcdef0"]
    ),
    "cidr": st.sampled_from(["10.0.0.0/16", "10.0.1.7/24", "10.0.2.0/24"]),
    "zone": st.sampled_from(["us-east-1a", "us-east-1b"]),
}


class TestVpc(KindLaws):
    """Networks keep the laws."""

    kinds, kind, names, fields = KINDS, vpc.KIND, NAMES, {**NETWORK, **TAGS}


class TestSubnet(KindLaws):
    """Subnets keep the laws."""

    kinds, kind, names, fields, ground = KINDS, subnet.KIND, NAMES, {**NETWORK, **TAGS}, GROUND


class TestSecurityGroup(KindLaws):
    """Security groups keep the laws."""

    kinds, kind, names, ground = KINDS, security_group.KIND, NAMES, GROUND
    fields: ClassVar[dict[str, Any]] = {
        **NETWORK,
        **TAGS,
        "description": st.sampled_from(["web", "all that is (public)"]),
        "ingress": RULES,
        "egress": RULES,
    }


class TestKeyPair(KindLaws):
    """Key pairs keep the laws."""

    kinds, kind, names = KINDS, key_pair.KIND, NAMES
    fields: ClassVar[dict[str, Any]] = {
        **TAGS,
        "public_key": st.sampled_from([KEY, f"{KEY} ada@desk", OTHER_KEY]),
    }


class TestInstance(KindLaws):
    """Instances keep the laws."""

    kinds, kind, names, ground = KINDS, instance_programs.KIND, NAMES, GROUND
    fields: ClassVar[dict[str, Any]] = {
        **TAGS,
        "image": st.sampled_from(["ami-03cf127a", "ami-12c6146b"]),
        "type": st.sampled_from(["t3.micro", "m5.large"]),
        "subnet": st.sampled_from(["ec2.subnet/x", "subnet-0123456789abcdef0", "ec2.subnet/none"]),
        "security_groups": st.lists(
            st.sampled_from(["ec2.security_group/x", "sg-0123456789abcdef0", "sg-1123456789abcdef0"]),
            min_size=1,
        ),
        "key": st.sampled_from(["ec2.key_pair/x", "by-hand"]),
        "user_data": st.text("a#\n", max_size=9),
        "size": st.integers(8, 11),
        "device": st.sampled_from(["root", "/dev/sdb"]),
        "volumes": st.dictionaries(
            st.sampled_from(["root", "/dev/sdb"]),
            st.fixed_dictionaries(
                {}, optional={"size": st.integers(8, 11), "type": st.sampled_from(["gp2", "gp3"])}
            ),
        ),
    }


@pytest.mark.parametrize(
    ("rule", "form"),
    [
        ({"peer": "10.1.2.3/8", "protocol": "6"}, ("tcp", "0-65535", "10.0.0.0/8")),
        ({"peer": "0.0.0.0/0", "protocol": "udp", "ports": "053"}, ("udp", "53", "0.0.0.0/0")),
        ({"peer": "2001:DB8::1/32", "protocol": "58"}, ("icmpv6", "", "2001:db8::/32")),
        ({"peer": "0.0.0.0/0", "protocol": "tcp", "ports": "80-80"}, ("tcp", "80", "0.0.0.0/0")),
        ({"peer": "0.0.0.0/0", "protocol": "icmp", "ports": "08"}, ("icmp", "8", "0.0.0.0/0")),
        ({"peer": "0.0.0.0/0", "protocol": "icmp", "ports": "03-004"}, ("icmp", "3-4", "0.0.0.0/0")),
        ({"peer": "0.0.0.0/0", "protocol": "icmp", "ports": "3-3"}, ("icmp", "3-3", "0.0.0.0/0")),
        ({"peer": "0.0.0.0/0", "protocol": "050"}, ("50", "", "0.0.0.0/0")),
        ({"peer": "0.0.0.0/0", "protocol": "006"}, ("tcp", "0-65535", "0.0.0.0/0")),
    ],
)
def test_a_rule_has_one_form(rule: dict[str, str], form: tuple[str, str, str]) -> None:
    """As EC2 tells it, however it was written."""
    assert Rule(**rule).key == form


@pytest.mark.parametrize(
    ("rule", "message"),
    [
        ({"peer": "10.1.2.3/88"}, "is no range"),
        ({"peer": "0.0.0.0/0", "ports": "22"}, "protocol all has no ports"),
        ({"peer": "0.0.0.0/0", "protocol": "tcp", "ports": "90-80"}, "ends before it begins"),
        ({"peer": "0.0.0.0/0", "protocol": "tcp", "ports": "70000"}, "out of bounds; the most is 65535"),
        ({"peer": "0.0.0.0/0", "protocol": "icmp", "ports": "300"}, "out of bounds; the most is 255"),
        ({"peer": "0.0.0.0/0", "protocol": "256"}, "protocol 256 is out of bounds; the most is 255"),
    ],
)
def test_a_rule_that_is_none(rule: dict[str, str], message: str) -> None:
    """What EC2 does not take is refused with the reason."""
    with pytest.raises(ValueError, match=message):
        strict(rule, Rule)


def test_a_rule_is_given_once() -> None:
    """Two rules that differ only in what they are for are one rule twice; equal ones are one."""
    one, same, other = (Rule(peer="0.0.0.0/0", description=about) for about in ("a", "a", "b"))
    assert ordered([one, same]) == (one,)
    with pytest.raises(ValueError, match="given twice, for different reasons"):
        ordered([one, other])


@pytest.mark.parametrize("rules", [(), (Rule(peer="10.0.0.0/8"),)])
def test_rules_that_were_not_decided(rules: tuple[Rule, ...]) -> None:
    """They become exactly those that are desired, which may be none; the rest stays undecided."""
    address = Address("ec2.security_group/g")
    before = security_group.SecurityGroup(description="x", id="sg-0123456789abcdef0")
    desired = security_group.SecurityGroup(description="x", ingress=rules, id="sg-0123456789abcdef0")
    state = State().put([(address, before)])
    commands = converge(KINDS, Delta({address: Change(before, desired)}), state)
    assert commands == [security_group.ChangeRules(on=(address,), ingress=rules)]
    assert state_after(commands, state).get(address) == desired
