"""Volumes and elastic IP addresses on an endpoint as strict as EC2, seen by independent eyes."""

import asyncio
import os
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from msgspec.structs import replace

from lasercats.core.address import Address
from lasercats.core.change import Change, Delta
from lasercats.core.command import Command
from lasercats.core.converge import converge
from lasercats.core.instruction import Item
from lasercats.core.kind import Domain, Found, Kinds
from lasercats.core.program import drive
from lasercats.core.resource import Resource
from lasercats.core.state import State
from lasercats.domains.ec2 import elastic_ip, instance, instance_programs, volume
from lasercats.instructions.aws import VOCABULARY
from lasercats.interpreters.context import Context, Result
from lasercats.interpreters.live import Live
from lasercats.logs.sqlite import SqliteLog
from lasercats.machines.vault import KeyVault
from lasercats.operate.project import BoundMachines
from lasercats.testing import strategies
from lasercats.testing.aws import MotoServer, StrictEc2, environment, why_not
from lasercats.testing.laws import check_fidelity, check_recreate, check_replay, observed

if TYPE_CHECKING:
    from mypy_boto3_ec2 import EC2Client

OWN = (instance_programs.KIND, volume.KIND, elastic_ip.KIND)
KINDS = Kinds([Domain("ec2", kinds=OWN, instructions=VOCABULARY)])
X, Y = Address("ec2.instance/x"), Address("ec2.instance/y")
DISK, IP = Address("ec2.volume/disk"), Address("ec2.elastic_ip/ip")
LAUNCH = instance.Launch(on=(X, Y), image="ami-03cf127a", type="t3.micro")
CREATE = volume.Create(on=(DISK,), zone="us-east-1a", size=2, type="gp3", tags={"team": "a"})
ATTACH = volume.Attach(on=(DISK,), instance=X, device="/dev/sdf")
ALLOCATE = elastic_ip.Allocate(on=(IP,), tags={"team": "a"})
ASSOCIATE = elastic_ip.Associate(on=(IP,), instance=X)


@pytest.fixture(scope="module")
def moto() -> Iterator[MotoServer]:
    """One moto for the whole file; where it is not installed, CI fails and others skip."""
    reason = why_not()
    if reason is not None:
        pytest.fail(reason) if os.environ.get("CI") else pytest.skip(reason)
    with MotoServer() as moto:
        yield moto


@pytest.fixture
def bench(moto: MotoServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator["Bench"]:
    """An empty account."""
    with StrictEc2(moto) as aws, asyncio.Runner() as runner:
        for name, value in environment(aws.endpoint).items():
            monkeypatch.setenv(name, value)
        made = Bench(aws, runner, tmp_path)
        made.fresh()
        yield made
        runner.run(made.machines.close())
        made.ec2.close()


class Bench:
    """An account: a log of it, its machine, and a plain client beside them."""

    def __init__(self, aws: StrictEc2, runner: asyncio.Runner, folder: Path) -> None:
        import boto3

        url = f"aws://us-east-1?poll=0.05&endpoint={aws.endpoint}"
        self.aws, self.runner = aws, runner
        self.machines = BoundMachines({"aws": url}, KeyVault(folder / "key"))
        self.ec2: EC2Client = boto3.client("ec2", endpoint_url=aws.endpoint)

    def fresh(self) -> None:
        """Empty the account and start a new log."""
        self.aws.reset()
        log = SqliteLog(":memory:", create=True)
        self.context = Context(kinds=KINDS, log=log, machines=self.machines, actor="tester", run="test")

    def run(self, *commands: Command) -> Sequence[Result]:
        """Carry commands out in one run."""
        return self.runner.run(Live().run(commands, self.context))

    def do(self, *commands: Command) -> None:
        """Carry commands out, all of them."""
        results = self.run(*commands)
        assert all(result.ok for result in results), results

    def state(self) -> State:
        """Return what the log says."""
        return self.context.log.fold().state(KINDS)

    def get(self, address: Address) -> Any:  # noqa: ANN401 - of the kind of the address
        """Return what the log says of an address."""
        return self.state().get(address)

    def turn(self, address: Address, **fields: Any) -> None:  # noqa: ANN401
        """Bring other values of some fields about, as a document does."""
        state, now = self.state(), self.get(address)
        self.do(*converge(KINDS, Delta({address: Change(now, replace(now, **fields))}), state))

    def volume(self, address: Address = DISK) -> dict[str, Any]:
        """Return what EC2 tells of a volume."""
        found: Any = self.ec2.describe_volumes(VolumeIds=[self.get(address).id])["Volumes"][0]
        return {**found, "at": [(held["InstanceId"], held["Device"]) for held in found["Attachments"]]}

    def address(self) -> dict[str, Any]:
        """Return what EC2 tells of the elastic IP address."""
        found: Any = self.ec2.describe_addresses(AllocationIds=[self.get(IP).id])["Addresses"][0]
        return {**found, "at": found.get("InstanceId", "")}

    def own_volumes(self) -> list[str]:
        """Return the volumes that do not go with an instance."""
        found = self.ec2.describe_volumes()["Volumes"]
        return [
            v["VolumeId"] for v in found if not any(a.get("DeleteOnTermination") for a in v["Attachments"])
        ]


def test_volume_from_beginning_to_end(bench: Bench) -> None:
    """A volume is created, attached, grown, tagged, detached and deleted; the prediction holds for each."""
    bench.aws.delay = 0.1
    bench.do(LAUNCH)
    x = bench.get(X).id
    seen = []
    for command in (
        CREATE,
        ATTACH,
        volume.Grow(on=(DISK,), size=5, type="gp2"),
        volume.Tag(on=(DISK,), tags={"env": "b"}),
        volume.Untag(on=(DISK,), keys=("team",)),
        volume.Detach(on=(DISK,)),
    ):
        (result,) = check_fidelity([command], bench.context, bench.runner)
        assert result.ok, result
        told = bench.volume()
        bench.aws.settle()  # a larger size is told only then
        tags = {tag["Key"]: tag["Value"] for tag in told["Tags"] if tag["Key"] != "lasercats:token"}
        seen.append((told["State"], told["at"], tags))
    attached = [(x, "/dev/sdf")]
    assert seen == [
        ("available", [], {"team": "a"}),
        ("in-use", attached, {"team": "a"}),
        ("in-use", attached, {"team": "a"}),
        ("in-use", attached, {"team": "a", "env": "b"}),
        ("in-use", attached, {"env": "b"}),
        ("available", [], {"env": "b"}),
    ]
    told = bench.volume()
    assert (told["Size"], told["VolumeType"], told["Encrypted"]) == (5, "gp2", False)
    (result,) = check_fidelity([volume.Delete(on=(DISK,))], bench.context, bench.runner)
    assert result.ok
    assert bench.own_volumes() == []
    assert check_replay(bench.context) == 8


def test_address_from_beginning_to_end(bench: Bench) -> None:
    """An address is allocated, associated, tagged, moved and released; the prediction holds for each."""
    bench.do(LAUNCH)
    x, y = bench.get(X).id, bench.get(Y).id
    seen = []
    for command in (
        ALLOCATE,
        ASSOCIATE,
        elastic_ip.Tag(on=(IP,), tags={"env": "b"}),
        elastic_ip.Untag(on=(IP,), keys=("team",)),
        elastic_ip.Disassociate(on=(IP,)),
        elastic_ip.Associate(on=(IP,), instance=Y),
        elastic_ip.Disassociate(on=(IP,)),
    ):
        (result,) = check_fidelity([command], bench.context, bench.runner)
        assert result.ok, result
        told, known = bench.address(), bench.get(IP)
        assert (told["PublicIp"], told.get("AssociationId")) == (known.public_ip, known.association)
        seen.append(told["at"])
    assert seen == ["", x, x, x, "", y, ""]
    assert {t["Key"] for t in bench.address()["Tags"]} - {"lasercats:token"} == {"env"}
    check_fidelity([elastic_ip.Release(on=(IP,))], bench.context, bench.runner)
    assert bench.ec2.describe_addresses()["Addresses"] == []
    assert check_replay(bench.context) == 9


def test_all_in_one_run(bench: Bench) -> None:
    """What is made in a run is used in the same run: instances, a volume on one, an address of one."""
    bench.aws.delay = 0.1
    retype = volume.Grow(on=(DISK,), type="gp2")
    commands = [LAUNCH, CREATE, ALLOCATE, ATTACH, ASSOCIATE, retype, volume.Detach(on=(DISK,))]
    results = check_fidelity([*commands, elastic_ip.Disassociate(on=(IP,))], bench.context, bench.runner)
    assert all(result.ok for result in results), results
    assert (bench.volume()["at"], bench.address()["at"]) == ([], "")
    assert bench.aws.calls["AttachVolume"] == bench.aws.calls["AssociateAddress"] == 1
    results = bench.run(volume.Delete(on=(DISK,)), elastic_ip.Release(on=(IP,)))
    assert all(result.ok for result in results)
    assert (bench.own_volumes(), bench.ec2.describe_addresses()["Addresses"]) == ([], [])
    check_replay(bench.context)


def test_both_move_to_another_instance(bench: Bench) -> None:
    """A document that names another instance lets go of the first one; ids and the address stay."""
    bench.aws.delay = 0.1
    bench.do(LAUNCH, CREATE, ATTACH, ALLOCATE, ASSOCIATE)
    y, disk, ip = bench.get(Y).id, bench.get(DISK).id, bench.get(IP)
    bench.turn(DISK, instance=Y)
    bench.turn(IP, instance=Y)
    assert (bench.volume()["at"], bench.address()["at"]) == ([(y, "/dev/sdf")], y)
    assert (bench.get(DISK).id, bench.get(IP).id, bench.get(IP).public_ip) == (disk, ip.id, ip.public_ip)
    bench.turn(DISK, device="/dev/sdg")
    assert bench.volume()["at"] == [(y, "/dev/sdg")]
    assert bench.aws.calls["CreateVolume"] == bench.aws.calls["AllocateAddress"] == 1


def test_both_outlive_a_replaced_instance(bench: Bench) -> None:
    """An instance gets another image: its volume and address wait for the new one, and stay what they are."""
    bench.aws.delay = 0.1
    bench.aws.images.add("ami-12345678")
    bench.do(LAUNCH, CREATE, ATTACH, ALLOCATE, ASSOCIATE)
    before = [bench.get(address).id for address in (X, DISK, IP)]
    address = bench.get(IP).public_ip
    bench.turn(X, image="ami-12345678")
    after = [bench.get(address).id for address in (X, DISK, IP)]
    assert before[0] != after[0]
    assert before[1:] == after[1:]
    assert bench.volume()["at"] == [(after[0], "/dev/sdf")]
    assert (bench.address()["at"], bench.address()["PublicIp"]) == (after[0], address)
    assert (bench.get(DISK).instance, bench.get(IP).instance) == (X, X)
    check_replay(bench.context)


def test_smaller_is_another_volume(bench: Bench) -> None:
    """A smaller size, another zone or encryption is a new volume in the place of the old one."""
    bench.do(LAUNCH, CREATE, ATTACH)
    ids = {bench.get(DISK).id}
    for fields in ({"size": 1}, {"encrypted": True}):
        bench.turn(DISK, **fields)
        ids.add(bench.get(DISK).id)
        assert bench.own_volumes() == [bench.get(DISK).id]
    assert len(ids) == 3
    told = bench.volume()
    assert (told["Size"], told["Encrypted"], told["at"]) == (1, True, [(bench.get(X).id, "/dev/sdf")])
    assert volume.replaces(Change(bench.get(DISK), replace(bench.get(DISK), zone="us-east-1b")))


@pytest.mark.parametrize(
    ("command", "problem"),
    [
        (volume.Delete(on=(DISK,)), "detach it first"),
        (volume.Attach(on=(DISK,), instance=Y, device="/dev/sdf"), "it is attached to ec2.instance/x"),
        (volume.Attach(on=(DISK,), instance=X, device="/dev/sdg"), "detach it first"),
        (volume.Grow(on=(DISK,), size=1), "cannot become smaller"),
        (volume.Attach(on=(DISK,), instance="ec2.instance/none", device="/dev/sdf"), "detach it first"),
        (elastic_ip.Release(on=(IP,)), "disassociate it first"),
        (elastic_ip.Associate(on=(IP,), instance=Y), "it is associated with ec2.instance/x"),
        (instance.Terminate(on=(X,)), "uses it"),
        (CREATE, "it is there already (vol-"),
        (ALLOCATE, "it is there already (eipalloc-"),
    ],
)
def test_refusals(bench: Bench, command: Command, problem: str) -> None:
    """What must not be done is refused with its reason, and EC2 is asked for nothing."""
    bench.do(LAUNCH, CREATE, ATTACH, ALLOCATE, ASSOCIATE)
    bench.aws.clear()
    (result,) = bench.run(command)
    assert result.status == "refused"
    assert problem in result.problems[command.on[0]]
    assert {action for action in bench.aws.calls if not action.startswith("Describe")} == set()


def test_what_ec2_refuses_changes_nothing(bench: Bench) -> None:
    """Where EC2 refuses a device that is taken, the volume stays attached to nothing, as the log says."""
    other = Address("ec2.volume/other")
    bench.do(LAUNCH, CREATE, ATTACH, replace(CREATE, on=(other,)))
    (result,) = bench.run(replace(ATTACH, on=(other,)))
    assert result.status == "failed"
    assert "already in use" in result.problems[other]
    assert (bench.get(other).instance, bench.volume(other)["at"]) == ("", [])


def test_a_volume_that_is_not_waited_for_is_known(bench: Bench) -> None:
    """A volume that was created, but could not be waited for, is in the log with its id."""
    bench.aws.delay = 600
    hold = bench.aws.hold("CreateVolume")

    async def run() -> Sequence[Result]:
        running = asyncio.ensure_future(Live().run([CREATE], bench.context))
        assert await asyncio.to_thread(hold.wait)
        bench.aws.fail("DescribeVolumes", "UnauthorizedOperation", "You are not authorized.", times=1)
        hold.set()
        return await running

    (result,) = bench.runner.run(run())
    assert result.status == "failed"
    assert "You are not authorized" in result.problems[DISK]
    assert bench.own_volumes() == [bench.get(DISK).id]


def test_drift_is_seen(bench: Bench) -> None:
    """What was detached and disassociated by others is found so, by addresses and not by ids."""
    bench.do(LAUNCH, CREATE, ATTACH, ALLOCATE, ASSOCIATE)
    y = bench.get(Y).id
    bench.ec2.detach_volume(VolumeId=bench.get(DISK).id)
    bench.ec2.disassociate_address(AssociationId=bench.get(IP).association)
    bench.ec2.associate_address(AllocationId=bench.get(IP).id, InstanceId=y)
    found: Any = observed(bench.context, [DISK, IP, Y], bench.runner)
    assert (found[DISK].instance, found[DISK].device, found[IP].instance) == ("", None, Y)
    bench.do(ATTACH)
    (result,) = bench.run(ASSOCIATE)
    assert "it is associated with" in result.problems[IP]


def test_discovery(bench: Bench) -> None:
    """All volumes and addresses are found, but for the volumes that go with an instance."""
    bench.do(LAUNCH, CREATE, ATTACH, replace(CREATE, on=(Address("ec2.volume/b"),), tags={"Name": "b"}))
    bench.do(ALLOCATE, ASSOCIATE)

    def respond(request: Any) -> Any:  # noqa: ANN401
        return bench.runner.run(bench.machines.get("aws").run((Item(request),)))[0]

    assert volume.KIND.discover is not None
    assert elastic_ip.KIND.discover is not None
    volumes: Found = drive(volume.KIND.discover("aws"), respond)
    addresses: Found = drive(elastic_ip.KIND.discover("aws"), respond)
    known: dict[Address, Resource | None] = {
        Address(f"ec2.volume/{bench.get(DISK).id}"): replace(bench.get(DISK), instance=bench.get(X).id),
        Address("ec2.volume/b"): replace(bench.get(Address("ec2.volume/b"))),
    }
    assert volumes == known
    assert addresses == {
        Address(f"ec2.elastic_ip/{bench.get(IP).id}"): replace(bench.get(IP), instance=bench.get(X).id)
    }


def test_what_is_lost(bench: Bench) -> None:
    """It is told what does not come back: ids, the public address, the data."""
    bench.do(CREATE, ALLOCATE)
    disk, ip = bench.get(DISK), bench.get(IP)
    assert list(volume.KIND.loses(disk)) == [f"id {disk.id}", "the data on it"]
    assert list(elastic_ip.KIND.loses(ip)) == [f"id {ip.id}", f"public address {ip.public_ip}"]


def test_law_7_recreate(bench: Bench) -> None:
    """A wish is brought about on an empty account and seen as it is."""
    bench.do(LAUNCH)
    wish: dict[Address, Resource] = {
        DISK: volume.Volume(zone="us-east-1a", size=1, instance=X, device="/dev/sdf", tags={"a": "ż"}),
        IP: elastic_ip.ElasticIp(instance=Y, tags={}),
    }
    check_recreate(wish, bench.context, bench.runner)
    assert (bench.volume()["at"], bench.address()["at"]) == (
        [(bench.get(X).id, "/dev/sdf")],
        bench.get(Y).id,
    )


FIELDS = {
    "instance": st.sampled_from([X, Y]),
    "zone": st.just("us-east-1a"),
    "device": st.sampled_from(["/dev/sdf", "/dev/sdg"]),
    "size": st.integers(1, 4),
    "type": st.sampled_from(["gp2", "gp3"]),
    "tags": st.dictionaries(st.sampled_from(["team", "env"]), st.text("aż <&>\"'", max_size=5), max_size=2),
    "keys": st.lists(st.sampled_from(["team", "env"]), min_size=1, max_size=2),
}
LOGS = strategies.logs([volume.KIND, elastic_ip.KIND], ("only",), FIELDS, size=8)


@settings(max_examples=30, deadline=None, suppress_health_check=list(HealthCheck))
@given(LOGS)
def test_law_6_fidelity_and_law_8_replay(bench: Bench, log: list[Command]) -> None:
    """What is simulated is what EC2 does, and every recorded program runs again the same way."""
    bench.fresh()
    check_fidelity([LAUNCH, *log], bench.context, bench.runner)
    check_replay(bench.context)
