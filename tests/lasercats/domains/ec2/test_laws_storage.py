"""The laws of volumes and elastic IP addresses that need no machine."""

from hypothesis import strategies as st

from lasercats.core.address import Address
from lasercats.core.registry import Domain, Kinds
from lasercats.domains.ec2 import elastic_ip, instance_programs, volume
from lasercats.domains.ec2.instance import Launch
from lasercats.instructions.aws import VOCABULARY
from lasercats.testing.laws import KindLaws

KINDS = Kinds(
    [Domain("ec2", kinds=(instance_programs.KIND, volume.KIND, elastic_ip.KIND), instructions=VOCABULARY)]
)
NAMES = ("a", "b", "c d", "other:e")
HOLDERS = ("ec2.instance/x", "ec2.instance/y")
GROUND = (
    Launch(on=tuple(map(Address, HOLDERS)), image="ami-03cf127a", type="t3.micro"),
    Launch(on=(Address("ec2.instance/other:x"),), image="ami-03cf127a", type="t3.micro"),
)
INSTANCES = st.sampled_from([*HOLDERS, "ec2.instance/other:x", "ec2.instance/none", "i-0123456789abcdef0"])
KEYS = st.sampled_from(["Name", "team", "zażółć"])
FIELDS = {
    "instance": INSTANCES,
    "zone": st.sampled_from(["us-east-1a", "us-east-1b"]),
    "device": st.sampled_from(["/dev/sdf", "/dev/xvdg"]),
    "size": st.integers(1, 4),
    "type": st.sampled_from(["gp2", "gp3", "st1"]),
    "tags": st.dictionaries(KEYS, st.text(max_size=5), max_size=3),
    "keys": st.lists(KEYS, min_size=1, max_size=2),
}


class TestVolume(KindLaws):
    """Volumes keep the laws."""

    kinds, kind = KINDS, volume.KIND
    names, fields, ground = NAMES, FIELDS, GROUND


class TestElasticIp(KindLaws):
    """Elastic IP addresses keep the laws."""

    kinds, kind = KINDS, elastic_ip.KIND
    names, fields, ground = NAMES, FIELDS, GROUND
