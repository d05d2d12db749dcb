"""The laws of all kinds of EC2 on an endpoint as strict as EC2."""

from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st

from lasercats.core.address import Address
from lasercats.core.command import Command
from lasercats.core.kind import Kind
from lasercats.core.resource import Resource
from lasercats.domains.ec2 import (
    elastic_ip,
    instance,
    instance_programs,
    key_pair,
    security_group,
    subnet,
    volume,
    vpc,
)
from lasercats.domains.ec2.rule import Rule
from lasercats.testing import strategies
from lasercats.testing.laws import check_fidelity, check_recreate, check_replay

if TYPE_CHECKING:
    from tests.lasercats.domains.ec2.conftest import Account

pytestmark = pytest.mark.slow
IMAGE = "ami-03cf127a"
KEY = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIKS3hN2asqomyPuekKD3rre0IJh6IUdi3ZzhY2wUpA5m"
X, Y = Address("ec2.instance/x"), Address("ec2.instance/y")
NET, PART = Address("ec2.vpc/net"), Address("ec2.subnet/part")
WEB, OPS = Address("ec2.security_group/web"), Address("ec2.key_pair/ops")
GROUND: tuple[Command, ...] = (
    vpc.Create(on=(NET,), cidr="10.0.0.0/16"),
    subnet.Create(on=(PART,), vpc=NET, cidr="10.0.0.0/24", zone="us-east-1a"),
    security_group.Create(on=(WEB,), description="web", vpc=NET),
    key_pair.Import(on=(OPS,), public_key=KEY),
    instance.Launch(on=(X, Y), image=IMAGE, type="t3.micro", subnet=PART, security_groups=(WEB,), key=OPS),
)
TAGS = st.dictionaries(st.sampled_from(["team", "env"]), st.text("aż <&>\"'", max_size=5), max_size=2)
RULES = st.lists(
    st.builds(
        Rule,
        peer=st.sampled_from(["10.1.0.0/16", "2001:db8::/32", WEB]),
        protocol=st.sampled_from(["tcp", "udp"]),
        ports=st.sampled_from(["22", "8000-8080"]),
        description=st.sampled_from([None, "why"]),
    ),
    max_size=2,
).map(tuple)
FIELDS = {
    "image": st.just(IMAGE),
    "instance": st.sampled_from([X, Y]),
    "subnet": st.just(PART),
    "security_groups": st.just((WEB,)),
    "key": st.just(OPS),
    "user_data": st.sampled_from(["#!/bin/sh\n", "żółw"]),
    "volumes": st.just({"root": instance.Disk(size=9)}),
    "zone": st.just("us-east-1a"),
    "device": st.sampled_from(["/dev/sdf", "/dev/sdg"]),
    "size": st.integers(1, 4),
    "tags": TAGS,
    "keys": st.lists(st.sampled_from(["team", "env"]), min_size=1, max_size=2),
    "vpc": st.just(NET),
    "cidr": st.just("10.0.7.0/24"),
    "description": st.just("what for"),
    "ingress": RULES,
    "egress": RULES.map(lambda rules: tuple(r for r in rules if "2001" not in r.peer)),  # moto keeps those
    "public_key": st.just(KEY),
}
STORAGE = [volume.KIND, elastic_ip.KIND]
NETWORK = [subnet.KIND, security_group.KIND, key_pair.KIND]
INSTANCES = [instance_programs.KIND]


def _crosses_networks(log: list[Command]) -> bool:
    """Tell whether a rule may name a group of another network; moto takes it and cannot revoke it."""
    peers = {r.peer for c in log for field in ("ingress", "egress") for r in getattr(c, field, None) or ()}
    return WEB in peers and any(isinstance(c, security_group.Create) and c.vpc is None for c in log)


@pytest.mark.parametrize(
    ("kinds", "types"),
    [(STORAGE, ["gp2", "gp3"]), (NETWORK, [""]), (INSTANCES, ["t3.micro", "t3.small"])],
    ids=["storage", "network", "instances"],
)
def test_law_6_fidelity_and_law_8_replay(
    account: "Account", kinds: list[Kind[Any]], types: list[str]
) -> None:
    """What is simulated is what EC2 does, and every recorded program runs again the same way."""

    @settings(max_examples=20, deadline=None, suppress_health_check=list(HealthCheck))
    @given(strategies.logs(kinds, ("only",), {**FIELDS, "type": st.sampled_from(types)}, size=8))
    def law(log: list[Command]) -> None:
        assume(not _crosses_networks(log))
        account.fresh()
        check_fidelity([*GROUND, *log], account.context, account.runner)
        check_replay(account.context)

    law()


def test_law_7_recreate(account: "Account") -> None:
    """A desired state of every kind is brought about on an empty account and seen as it is."""
    rule = Rule(peer=WEB, protocol="tcp", ports="22", description="from each other")
    desired: dict[Address, Resource] = {
        NET: vpc.Vpc(cidr="10.0.0.0/16", tags={"Name": "net"}),
        PART: subnet.Subnet(vpc=NET, cidr="10.0.0.0/24", zone="us-east-1a", public_ips=True, tags={}),
        WEB: security_group.SecurityGroup(
            description="web", vpc=NET, ingress=(rule,), egress=(), tags={"a": "b"}
        ),
        OPS: key_pair.KeyPair(public_key=KEY, tags={"a": "b"}),
        X: instance.Instance(
            image=IMAGE,
            type="t3.micro",
            subnet=PART,
            security_groups=(WEB,),
            key=OPS,
            user_data="#!/bin/sh\necho ż\n",
            volumes={"root": instance.Disk(size=9, type="gp3")},
            tags={"Name": "x"},
            state="stopped",
            protected=True,
        ),
        Address("ec2.volume/disk"): volume.Volume(
            zone="us-east-1a", size=1, type="gp3", instance=X, device="/dev/sdf", tags={"a": "ż"}
        ),
        Address("ec2.elastic_ip/ip"): elastic_ip.ElasticIp(instance=X, tags={}),
    }
    check_recreate(desired, account.context, account.runner)
