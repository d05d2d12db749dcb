"""Volumes and elastic IP addresses on an endpoint as strict as EC2, seen by independent eyes."""

import asyncio
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import pytest
from msgspec.structs import replace

from lasercats.core.address import Address
from lasercats.core.change import Change
from lasercats.core.command import Command
from lasercats.core.instruction import Item
from lasercats.core.kind import Listed
from lasercats.core.program import drive
from lasercats.core.registry import Domain, Kinds
from lasercats.core.resource import Resource
from lasercats.domains.ec2 import elastic_ip, instance, instance_programs, volume
from lasercats.domains.ec2.account import Tag, Untag
from lasercats.instructions.aws import VOCABULARY
from lasercats.interpreters.context import Result
from lasercats.interpreters.live import Live
from lasercats.testing.laws import check_fidelity, check_replay, observed

OWN = (instance_programs.KIND, volume.KIND, elastic_ip.KIND)
KINDS = Kinds([Domain("ec2", kinds=OWN, instructions=VOCABULARY)])
if TYPE_CHECKING:
    from tests.lasercats.domains.ec2.conftest import Account

X, Y = Address("ec2.instance/x"), Address("ec2.instance/y")
DISK, IP = Address("ec2.volume/disk"), Address("ec2.elastic_ip/ip")
LAUNCH = instance.Launch(on=(X, Y), image="ami-03cf127a", type="t3.micro")
CREATE = volume.Create(on=(DISK,), zone="us-east-1a", size=2, type="gp3", tags={"team": "a"})
ATTACH = volume.Attach(on=(DISK,), instance=X, device="/dev/sdf")
ALLOCATE = elastic_ip.Allocate(on=(IP,), tags={"team": "a"})
ASSOCIATE = elastic_ip.Associate(on=(IP,), instance=X)


def volume_of(account: "Account", address: Address = DISK) -> dict[str, Any]:
    """Return what EC2 tells of a volume."""
    found: Any = account.ec2.describe_volumes(VolumeIds=[account.get(address).id])["Volumes"][0]
    return {**found, "at": [(held["InstanceId"], held["Device"]) for held in found["Attachments"]]}


def address_of(account: "Account") -> dict[str, Any]:
    """Return what EC2 tells of the elastic IP address."""
    found: Any = account.ec2.describe_addresses(AllocationIds=[account.get(IP).id])["Addresses"][0]
    return {**found, "at": found.get("InstanceId", "")}


def own_volumes(account: "Account") -> list[str]:
    """Return the volumes that do not go with an instance."""
    found = account.ec2.describe_volumes()["Volumes"]
    return [v["VolumeId"] for v in found if not any(a.get("DeleteOnTermination") for a in v["Attachments"])]


def test_volume_from_beginning_to_end(account: "Account") -> None:
    """A volume is created, attached, grown, tagged, detached and deleted; the prediction holds for each."""
    account.aws.delay = 0.1
    account.do(LAUNCH)
    x = account.get(X).id
    seen = []
    for command in (
        CREATE,
        ATTACH,
        volume.Grow(on=(DISK,), size=5, type="gp2"),
        Tag(on=(DISK,), tags={"env": "b"}),
        Untag(on=(DISK,), keys=("team",)),
        volume.Detach(on=(DISK,)),
    ):
        (result,) = check_fidelity([command], account.context, account.runner)
        assert result.ok, result
        found = volume_of(account)
        account.aws.settle()  # a larger size is told only then
        tags = {tag["Key"]: tag["Value"] for tag in found["Tags"] if tag["Key"] != "lasercats:token"}
        seen.append((found["State"], found["at"], tags))
    attached = [(x, "/dev/sdf")]
    assert seen == [
        ("available", [], {"team": "a"}),
        ("in-use", attached, {"team": "a"}),
        ("in-use", attached, {"team": "a"}),
        ("in-use", attached, {"team": "a", "env": "b"}),
        ("in-use", attached, {"env": "b"}),
        ("available", [], {"env": "b"}),
    ]
    found = volume_of(account)
    assert (found["Size"], found["VolumeType"], found["Encrypted"]) == (5, "gp2", False)
    (result,) = check_fidelity([volume.Delete(on=(DISK,))], account.context, account.runner)
    assert result.ok
    assert own_volumes(account) == []
    assert check_replay(account.context) == 8


def test_address_from_beginning_to_end(account: "Account") -> None:
    """An address is allocated, associated, tagged, moved and released; the prediction holds for each."""
    account.do(LAUNCH)
    x, y = account.get(X).id, account.get(Y).id
    seen = []
    for command in (
        ALLOCATE,
        ASSOCIATE,
        Tag(on=(IP,), tags={"env": "b"}),
        Untag(on=(IP,), keys=("team",)),
        elastic_ip.Disassociate(on=(IP,)),
        elastic_ip.Associate(on=(IP,), instance=Y),
        elastic_ip.Disassociate(on=(IP,)),
    ):
        (result,) = check_fidelity([command], account.context, account.runner)
        assert result.ok, result
        found, known = address_of(account), account.get(IP)
        assert (found["PublicIp"], found.get("AssociationId")) == (known.public_ip, known.association)
        seen.append(found["at"])
    assert seen == ["", x, x, x, "", y, ""]
    assert {t["Key"] for t in address_of(account)["Tags"]} - {"lasercats:token"} == {"env"}
    check_fidelity([elastic_ip.Release(on=(IP,))], account.context, account.runner)
    assert account.ec2.describe_addresses()["Addresses"] == []
    assert check_replay(account.context) == 9


def test_all_in_one_run(account: "Account") -> None:
    """What is made in a run is used in the same run: instances, a volume on one, an address of one."""
    account.aws.delay = 0.1
    retype = volume.Grow(on=(DISK,), type="gp2")
    commands = [LAUNCH, CREATE, ALLOCATE, ATTACH, ASSOCIATE, retype, volume.Detach(on=(DISK,))]
    results = check_fidelity([*commands, elastic_ip.Disassociate(on=(IP,))], account.context, account.runner)
    assert all(result.ok for result in results), results
    assert (volume_of(account)["at"], address_of(account)["at"]) == ([], "")
    assert account.aws.calls["AttachVolume"] == account.aws.calls["AssociateAddress"] == 1
    results = account.run(volume.Delete(on=(DISK,)), elastic_ip.Release(on=(IP,)))
    assert all(result.ok for result in results)
    assert (own_volumes(account), account.ec2.describe_addresses()["Addresses"]) == ([], [])
    check_replay(account.context)


def test_both_move_to_another_instance(account: "Account") -> None:
    """A document that names another instance lets go of the first one; ids and the address stay."""
    account.aws.delay = 0.1
    account.do(LAUNCH, CREATE, ATTACH, ALLOCATE, ASSOCIATE)
    y, disk, ip = account.get(Y).id, account.get(DISK).id, account.get(IP)
    account.turn(DISK, instance=Y)
    account.turn(IP, instance=Y)
    assert (volume_of(account)["at"], address_of(account)["at"]) == ([(y, "/dev/sdf")], y)
    assert (account.get(DISK).id, account.get(IP).id, account.get(IP).public_ip) == (
        disk,
        ip.id,
        ip.public_ip,
    )
    account.turn(DISK, device="/dev/sdg")
    assert volume_of(account)["at"] == [(y, "/dev/sdg")]
    assert account.aws.calls["CreateVolume"] == account.aws.calls["AllocateAddress"] == 1


def test_both_outlive_a_replaced_instance(account: "Account") -> None:
    """An instance gets another image: its volume and address wait for the new one, and stay what they are."""
    account.aws.delay = 0.1
    account.aws.images.add("ami-12345678")
    account.do(LAUNCH, CREATE, ATTACH, ALLOCATE, ASSOCIATE)
    before = [account.get(address).id for address in (X, DISK, IP)]
    address = account.get(IP).public_ip
    account.turn(X, image="ami-12345678")
    after = [account.get(address).id for address in (X, DISK, IP)]
    assert before[0] != after[0]
    assert before[1:] == after[1:]
    assert volume_of(account)["at"] == [(after[0], "/dev/sdf")]
    assert (address_of(account)["at"], address_of(account)["PublicIp"]) == (after[0], address)
    assert (account.get(DISK).instance, account.get(IP).instance) == (X, X)
    check_replay(account.context)


def test_smaller_is_another_volume(account: "Account") -> None:
    """A smaller size, another zone or encryption is a new volume in the place of the old one."""
    account.do(LAUNCH, CREATE, ATTACH)
    ids = {account.get(DISK).id}
    for fields in ({"size": 1}, {"encrypted": True}):
        account.turn(DISK, **fields)
        ids.add(account.get(DISK).id)
        assert own_volumes(account) == [account.get(DISK).id]
    assert len(ids) == 3
    found = volume_of(account)
    assert (found["Size"], found["Encrypted"], found["at"]) == (1, True, [(account.get(X).id, "/dev/sdf")])
    assert volume.KIND.replaces(Change(account.get(DISK), replace(account.get(DISK), zone="us-east-1b")))


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
def test_refusals(account: "Account", command: Command, problem: str) -> None:
    """What must not be done is refused with its reason, and EC2 is asked for nothing."""
    account.do(LAUNCH, CREATE, ATTACH, ALLOCATE, ASSOCIATE)
    account.aws.clear()
    (result,) = account.run(command)
    assert result.status == "refused"
    assert problem in result.problems[command.on[0]]
    assert {action for action in account.aws.calls if not action.startswith("Describe")} == set()


def test_what_ec2_refuses_changes_nothing(account: "Account") -> None:
    """Where EC2 refuses a device that is taken, the volume stays attached to nothing, as the log says."""
    other = Address("ec2.volume/other")
    account.do(LAUNCH, CREATE, ATTACH, replace(CREATE, on=(other,)))
    (result,) = account.run(replace(ATTACH, on=(other,)))
    assert result.status == "failed"
    assert "already in use" in result.problems[other]
    assert (account.get(other).instance, volume_of(account, other)["at"]) == ("", [])


def test_a_volume_that_is_not_waited_for_is_known(account: "Account") -> None:
    """A volume that was created, but could not be waited for, is in the log with its id."""
    account.aws.delay = 600
    hold = account.aws.hold("CreateVolume")

    async def run() -> Sequence[Result]:
        running = asyncio.ensure_future(Live().run([CREATE], account.context))
        assert await asyncio.to_thread(hold.wait)
        account.aws.fail("DescribeVolumes", "UnauthorizedOperation", "You are not authorized.", times=1)
        hold.set()
        return await running

    (result,) = account.runner.run(run())
    assert result.status == "failed"
    assert "You are not authorized" in result.problems[DISK]
    assert own_volumes(account) == [account.get(DISK).id]


def test_drift_is_seen(account: "Account") -> None:
    """What was detached and disassociated by others is found so, by addresses and not by ids."""
    account.do(LAUNCH, CREATE, ATTACH, ALLOCATE, ASSOCIATE)
    y = account.get(Y).id
    account.ec2.detach_volume(VolumeId=account.get(DISK).id)
    account.ec2.disassociate_address(AssociationId=account.get(IP).association)
    account.ec2.associate_address(AllocationId=account.get(IP).id, InstanceId=y)
    found: Any = observed(account.context, [DISK, IP, Y], account.runner)
    assert (found[DISK].instance, found[DISK].device, found[IP].instance) == ("", None, Y)
    account.do(ATTACH)
    (result,) = account.run(ASSOCIATE)
    assert "it is associated with" in result.problems[IP]


def test_discovery(account: "Account") -> None:
    """All volumes and addresses are found, but for the volumes that go with an instance."""
    account.do(LAUNCH, CREATE, ATTACH, replace(CREATE, on=(Address("ec2.volume/b"),), tags={"Name": "b"}))
    account.do(ALLOCATE, ASSOCIATE)

    def respond(request: Any) -> Any:  # noqa: ANN401
        return account.runner.run(account.machines.get("aws").run((Item(request),)))[0]

    assert volume.KIND.has("discover")
    assert elastic_ip.KIND.has("discover")
    volumes: Listed = drive(volume.KIND.discover("aws"), respond)
    addresses: Listed = drive(elastic_ip.KIND.discover("aws"), respond)
    known: dict[Address, Resource | None] = {
        Address(f"ec2.volume/{account.get(DISK).id}"): replace(account.get(DISK), instance=account.get(X).id),
        Address("ec2.volume/b"): replace(account.get(Address("ec2.volume/b"))),
    }
    assert volumes == known
    assert addresses == {
        Address(f"ec2.elastic_ip/{account.get(IP).id}"): replace(account.get(IP), instance=account.get(X).id)
    }


def test_what_is_lost(account: "Account") -> None:
    """It is told what does not come back: ids, the public address, the data."""
    account.do(CREATE, ALLOCATE)
    disk, ip = account.get(DISK), account.get(IP)
    assert list(volume.KIND.loses(disk)) == [f"id {disk.id}", "the data on it"]
    assert list(elastic_ip.KIND.loses(ip)) == [f"id {ip.id}", f"public address {ip.public_ip}"]
