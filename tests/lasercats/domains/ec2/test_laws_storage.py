"""The laws of volumes and elastic IP addresses that need no machine."""

from hypothesis import given
from hypothesis import strategies as st

from lasercats.core.address import Address
from lasercats.core.command import Command
from lasercats.core.kind import Domain, Kinds
from lasercats.core.resource import Resource, same
from lasercats.core.state import State
from lasercats.domains.ec2 import elastic_ip, instance_programs, volume
from lasercats.domains.ec2.instance import Launch
from lasercats.instructions.aws import VOCABULARY
from lasercats.interpreters.script import instructions_of
from lasercats.interpreters.simulate import simulate
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


class StorageLaws(KindLaws):
    """The laws, where the programs of a log find the ids that those before them predict."""

    def test_simulated_programs_end_as_decided(self) -> None:
        """A program whose answers are as expected results in what was decided."""

        @given(self._logs())
        def law(log: list[Command]) -> None:
            made = dict[Address, Resource | None]()
            for result in simulate([*self.ground, *log], State())[0]:
                instructions_of(result, self.kinds, State(), made)
                for address, change in result.delta.items():
                    assert same(made[address], change.after), result

        law()


class TestVolume(StorageLaws):
    """Volumes keep the laws."""

    kinds, kind = KINDS, volume.KIND
    names, fields, ground = NAMES, FIELDS, GROUND


class TestElasticIp(StorageLaws):
    """Elastic IP addresses keep the laws."""

    kinds, kind = KINDS, elastic_ip.KIND
    names, fields, ground = NAMES, FIELDS, GROUND
