"""The EC2 endpoint itself: as strict, slow and unreliable as AWS, and gone afterwards."""

import contextlib
import http.client
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import pytest

from lasercats.testing.aws import MotoServer, StrictEc2, environment, why_not

if TYPE_CHECKING:
    from boto3.session import Session
    from mypy_boto3_ec2 import EC2Client

IMAGE = "ami-03cf127a"
"""One of moto's own."""
AGES = 600.0
"""Seconds of delay that a test ends by `settle`."""


@pytest.fixture(scope="module", autouse=True)
def possible() -> None:
    """Skip where moto is not installed; in CI a missing one is a failure."""
    reason = why_not()
    if reason is not None and os.environ.get("CI"):
        pytest.fail(reason)
    if reason is not None:
        pytest.skip(reason)


@pytest.fixture(scope="module")
def moto(possible: None) -> Iterator[MotoServer]:
    """One moto for the whole file."""
    with MotoServer() as moto:
        yield moto


@pytest.fixture(scope="module")
def session(moto: MotoServer) -> "Session":
    """A session that has read the model of EC2, which takes a while."""
    from boto3.session import Session

    return Session("testing", "testing", region_name="us-east-1")


@pytest.fixture
def aws(moto: MotoServer) -> Iterator[StrictEc2]:
    """A proxy before an empty moto."""
    moto.reset()
    with StrictEc2(moto) as aws:
        yield aws


@pytest.fixture
def ec2(session: "Session", aws: StrictEc2) -> Iterator["EC2Client"]:
    """A client that tries once."""
    client = connect(session, aws, attempts=1)
    yield client
    client.close()


def connect(session: "Session", aws: StrictEc2, attempts: int) -> "EC2Client":
    """Return a client that tries so many times."""
    from botocore.config import Config

    config = Config(retries={"total_max_attempts": attempts}, max_pool_connections=20)
    return session.client("ec2", endpoint_url=aws.endpoint, config=config)


def launch(ec2: "EC2Client", **changes: object) -> str:
    """Launch an instance and return its id."""
    wanted: dict[str, Any] = {
        "ImageId": IMAGE,
        "InstanceType": "t3.micro",
        "MinCount": 1,
        "MaxCount": 1,
        **changes,
    }
    return ec2.run_instances(**wanted)["Instances"][0]["InstanceId"]


def instances(ec2: "EC2Client", **query: Any) -> dict[str, str]:  # noqa: ANN401  # whatever the call takes
    """Return the states of the instances by id."""
    found = ec2.describe_instances(**query)["Reservations"]
    return {i["InstanceId"]: i["State"]["Name"] for r in found for i in r["Instances"]}


def state(ec2: "EC2Client", instance: str) -> str:
    """Return the state of an instance."""
    return instances(ec2, InstanceIds=[instance])[instance]


def statuses(ec2: "EC2Client", **query: Any) -> list[tuple[str, str]]:  # noqa: ANN401  # as above
    """Return the state and the status of each instance that has one."""
    found = ec2.describe_instance_status(**query)["InstanceStatuses"]
    return [(i["InstanceState"]["Name"], i["InstanceStatus"]["Status"]) for i in found]


class Refused:
    """Expect a call to be refused by an error of AWS."""

    def __init__(self, code: str, status: int = 400) -> None:
        self.expected = (code, status)
        self.message = ""

    def __enter__(self) -> "Refused":
        return self

    def __exit__(self, kind: object, error: BaseException | None, trace: object) -> bool:
        from botocore.exceptions import ClientError

        assert isinstance(error, ClientError), f"not refused: {error!r}"
        response = error.response
        assert (response["Error"]["Code"], response["ResponseMetadata"]["HTTPStatusCode"]) == self.expected
        self.message = response["Error"]["Message"]
        return True


# Counting.


def test_calls_are_counted(aws: StrictEc2, ec2: "EC2Client") -> None:
    """Each call is counted by its action and logged with its parameters, until that is cleared."""
    instance = launch(ec2)
    for _ in range(2):
        ec2.describe_instances(InstanceIds=[instance])
    assert aws.calls == {"RunInstances": 1, "DescribeInstances": 2}
    assert [action for action, _ in aws.log] == ["RunInstances", "DescribeInstances", "DescribeInstances"]
    assert aws.log[1][1]["InstanceId.1"] == instance
    aws.clear()
    assert (aws.calls, aws.log) == ({}, [])


def test_calls_at_once_are_all_counted(aws: StrictEc2, ec2: "EC2Client") -> None:
    """Calls from many threads are served and none is lost."""
    with ThreadPoolExecutor(12) as pool:
        launched = list(pool.map(lambda _: launch(ec2), range(24)))
    assert len(set(launched)) == 24
    assert set(instances(ec2)) == set(launched)
    assert aws.calls == {"RunInstances": 24, "DescribeInstances": 1}


def test_environment_leads_to_the_endpoint(aws: StrictEc2, monkeypatch: pytest.MonkeyPatch) -> None:
    """A client made from nothing but the environment talks to the proxy."""
    from boto3.session import Session

    for name, value in environment(aws.endpoint).items():
        monkeypatch.setenv(name, value)
    client = Session().client("ec2")
    client.describe_vpcs()
    client.close()
    assert aws.calls == {"DescribeVpcs": 1}


def test_reset_forgets(aws: StrictEc2, ec2: "EC2Client") -> None:
    """After a reset there are no instances, calls, faults nor client tokens."""
    before = launch(ec2, ClientToken="once")
    aws.fail("DescribeInstances", "AuthFailure", "no", times=5)
    aws.reset()
    assert aws.calls == {}
    assert instances(ec2) == {}
    assert launch(ec2, ClientToken="once") != before


# Client tokens.


def test_token_launches_once(aws: StrictEc2, ec2: "EC2Client") -> None:
    """The same token with the same parameters gets the same instance, another token another."""
    first = launch(ec2, ClientToken="one")
    assert launch(ec2, ClientToken="one") == first
    assert launch(ec2, ClientToken="two") != first
    assert len(instances(ec2)) == 2


def test_token_at_once_launches_once(aws: StrictEc2, ec2: "EC2Client") -> None:
    """Calls with one token at the same time get one instance between them."""
    with ThreadPoolExecutor(8) as pool:
        assert len(set(pool.map(lambda _: launch(ec2, ClientToken="one"), range(8)))) == 1


def test_token_with_other_parameters_is_refused(aws: StrictEc2, ec2: "EC2Client") -> None:
    """A token that was used with other parameters is refused, and nothing is launched."""
    launch(ec2, ClientToken="one")
    with Refused("IdempotentParameterMismatch"):
        launch(ec2, ClientToken="one", InstanceType="t3.small")
    assert len(instances(ec2)) == 1


def test_token_of_a_refused_call_is_free(aws: StrictEc2, ec2: "EC2Client") -> None:
    """A call that was refused has not used its token up."""
    with Refused("InvalidParameterValue"):
        launch(ec2, ClientToken="one", InstanceType="t9.huge")
    launch(ec2, ClientToken="one")


def test_token_creates_a_volume_once(aws: StrictEc2, ec2: "EC2Client") -> None:
    """Volumes are created once for a token as well."""
    ids = {
        ec2.create_volume(AvailabilityZone="us-east-1a", Size=1, ClientToken="one")["VolumeId"]
        for _ in range(2)
    }
    assert len(ids) == 1
    with Refused("IdempotentParameterMismatch"):
        ec2.create_volume(AvailabilityZone="us-east-1a", Size=2, ClientToken="one")


def test_token_holds_in_its_region(session: "Session", aws: StrictEc2, ec2: "EC2Client") -> None:
    """The same token in another region is another launch."""
    other = session.client("ec2", region_name="eu-west-1", endpoint_url=aws.endpoint)
    aws.images.add(IMAGE)  # which moto has in the first region only
    assert launch(ec2, ClientToken="one") != launch(other, ClientToken="one")
    assert len(instances(ec2)) == len(instances(other)) == 1
    other.close()


# Refusals.


@pytest.mark.parametrize(
    ("wrong", "code"),
    [
        ({"InstanceType": "t9.huge"}, "InvalidParameterValue"),
        ({"ImageId": "ami-12345678"}, "InvalidAMIID.NotFound"),
        ({"KeyName": "nobody"}, "InvalidKeyPair.NotFound"),
        ({"SecurityGroupIds": ["sg-12345678"]}, "InvalidGroup.NotFound"),
        ({"SubnetId": "subnet-12345678"}, "InvalidSubnetID.NotFound"),
    ],
)
def test_launch_with_what_is_not_there_is_refused(
    aws: StrictEc2, ec2: "EC2Client", wrong: dict[str, object], code: str
) -> None:
    """An unknown type, image, key, group or subnet is refused, and nothing is launched."""
    with Refused(code):
        launch(ec2, **wrong)
    assert instances(ec2) == {}


def test_images_may_be_added(aws: StrictEc2, ec2: "EC2Client") -> None:
    """An image that the proxy is told of exists, and so does one that was created."""
    aws.images.add("ami-12345678")
    instance = launch(ec2, ImageId="ami-12345678")
    launch(ec2, ImageId=ec2.create_image(InstanceId=instance, Name="mine")["ImageId"])


def test_launch_makes_as_many_as_it_may(aws: StrictEc2, ec2: "EC2Client") -> None:
    """The greater of the two counts is launched, or what the quota leaves of it."""
    assert len(ec2.run_instances(ImageId=IMAGE, MinCount=1, MaxCount=3)["Instances"]) == 3
    aws.max_instances = 5
    assert len(ec2.run_instances(ImageId=IMAGE, MinCount=1, MaxCount=3)["Instances"]) == 2


def test_quota(aws: StrictEc2, ec2: "EC2Client") -> None:
    """Launches and starts beyond the quota are refused; stopped and terminated instances leave room."""
    aws.max_instances = 2
    first, second = launch(ec2), launch(ec2)
    with Refused("InstanceLimitExceeded"):
        launch(ec2)
    ec2.terminate_instances(InstanceIds=[first])
    third = launch(ec2)
    ec2.stop_instances(InstanceIds=[second])
    launch(ec2)
    with Refused("InstanceLimitExceeded"):
        ec2.start_instances(InstanceIds=[second])
    assert state(ec2, second) == "stopped"
    ec2.terminate_instances(InstanceIds=[third])
    ec2.start_instances(InstanceIds=[second])


def test_type_is_changed_while_stopped_only(aws: StrictEc2, ec2: "EC2Client") -> None:
    """The type of a running instance stays, that of a stopped one changes, to a type that there is."""
    instance = launch(ec2)
    with Refused("IncorrectInstanceState"):
        ec2.modify_instance_attribute(InstanceId=instance, InstanceType={"Value": "t3.small"})
    with Refused("IncorrectInstanceState"):
        ec2.modify_instance_attribute(InstanceId=instance, Attribute="instanceType", Value="t3.small")
    ec2.stop_instances(InstanceIds=[instance])
    with Refused("InvalidParameterValue"):
        ec2.modify_instance_attribute(InstanceId=instance, InstanceType={"Value": "t9.huge"})
    ec2.modify_instance_attribute(InstanceId=instance, InstanceType={"Value": "t3.small"})
    described = ec2.describe_instances(InstanceIds=[instance])["Reservations"][0]["Instances"][0]
    assert described["InstanceType"] == "t3.small"


def test_other_attributes_change_while_running(aws: StrictEc2, ec2: "EC2Client") -> None:
    """What AWS changes on a running instance is changed."""
    ec2.modify_instance_attribute(InstanceId=launch(ec2), SourceDestCheck={"Value": False})


def test_terminated_is_the_end(aws: StrictEc2, ec2: "EC2Client") -> None:
    """A terminated instance is neither started nor stopped, it may be terminated again."""
    instance = launch(ec2)
    ec2.terminate_instances(InstanceIds=[instance])
    for change in (ec2.start_instances, ec2.stop_instances):
        with Refused("IncorrectInstanceState"):
            change(InstanceIds=[instance])
    again = ec2.terminate_instances(InstanceIds=[instance])["TerminatingInstances"][0]
    assert [again["PreviousState"]["Name"], again["CurrentState"]["Name"]] == ["terminated", "terminated"]
    assert state(ec2, instance) == "terminated"


def test_terminated_has_no_network(aws: StrictEc2, ec2: "EC2Client") -> None:
    """A terminated instance is told without addresses, network and groups."""
    instance = launch(ec2)
    ec2.terminate_instances(InstanceIds=[instance])
    described = ec2.describe_instances(InstanceIds=[instance])["Reservations"][0]["Instances"][0]
    parts = {
        "NetworkInterfaces",
        "SecurityGroups",
        "SubnetId",
        "VpcId",
        "PrivateIpAddress",
        "PublicIpAddress",
    }
    assert parts & set(described) == set()


def test_change_of_nothing_tells_so(aws: StrictEc2, ec2: "EC2Client") -> None:
    """Starting a running instance and stopping a stopped one leave it as it is, and say so."""
    instance = launch(ec2)
    started = ec2.start_instances(InstanceIds=[instance])["StartingInstances"][0]
    assert started["CurrentState"] == {"Code": 16, "Name": "running"}
    ec2.stop_instances(InstanceIds=[instance])
    stopped = ec2.stop_instances(InstanceIds=[instance])["StoppingInstances"][0]
    assert stopped["CurrentState"] == {"Code": 80, "Name": "stopped"}


@pytest.mark.parametrize("at_launch", [True, False])
def test_protected_is_not_terminated(aws: StrictEc2, ec2: "EC2Client", *, at_launch: bool) -> None:
    """A protected instance is not terminated, nor is its neighbour in the same call, until it is freed."""
    neighbour = launch(ec2)
    instance = launch(ec2, DisableApiTermination=at_launch)
    if not at_launch:
        ec2.modify_instance_attribute(InstanceId=instance, DisableApiTermination={"Value": True})
    described = ec2.describe_instance_attribute(InstanceId=instance, Attribute="disableApiTermination")
    assert described["DisableApiTermination"] == {"Value": True}
    with Refused("OperationNotPermitted"):
        ec2.terminate_instances(InstanceIds=[neighbour, instance])
    assert set(instances(ec2).values()) == {"running"}
    ec2.modify_instance_attribute(InstanceId=instance, DisableApiTermination={"Value": False})
    ec2.terminate_instances(InstanceIds=[neighbour, instance])


def test_unknown_ids_are_refused(aws: StrictEc2, ec2: "EC2Client") -> None:
    """An id that there is not is refused by every call that names it."""
    there = launch(ec2)
    for call in (
        *(ec2.describe_instances, ec2.describe_instance_status),
        *(ec2.start_instances, ec2.stop_instances, ec2.terminate_instances),
    ):
        with Refused("InvalidInstanceID.NotFound"):
            call(InstanceIds=[there, "i-0123456789abcdef0"])
    assert state(ec2, there) == "running"


def test_network_in_use_is_kept(aws: StrictEc2, ec2: "EC2Client") -> None:
    """A group, subnet and network that an instance uses are deleted after it only, from the inside out."""
    vpc = ec2.create_vpc(CidrBlock="10.5.0.0/16")["Vpc"]["VpcId"]
    subnet = ec2.create_subnet(VpcId=vpc, CidrBlock="10.5.1.0/24")["Subnet"]["SubnetId"]
    group = ec2.create_security_group(GroupName="x", Description="x", VpcId=vpc)["GroupId"]
    instance = launch(ec2, SubnetId=subnet, SecurityGroupIds=[group])
    for kind in ("group", "subnet", "vpc"):
        with Refused("DependencyViolation"):
            delete(ec2, kind, {"group": group, "subnet": subnet, "vpc": vpc}[kind])
    aws.delay = AGES
    ec2.terminate_instances(InstanceIds=[instance])
    for kind, name in (("group", group), ("subnet", subnet), ("vpc", vpc)):
        with Refused("DependencyViolation"):  # it is still shutting down
            delete(ec2, kind, name)
    aws.settle()
    delete(ec2, "subnet", subnet)
    with Refused("DependencyViolation") as refused:
        delete(ec2, "vpc", vpc)  # for want of the group
    assert vpc in refused.message
    delete(ec2, "group", group)
    delete(ec2, "vpc", vpc)


def delete(ec2: "EC2Client", kind: str, name: str) -> None:
    """Delete a part of a network."""
    match kind:
        case "group":
            ec2.delete_security_group(GroupId=name)
        case "subnet":
            ec2.delete_subnet(SubnetId=name)
        case "vpc":
            ec2.delete_vpc(VpcId=name)


def test_network_with_a_gateway_is_kept(aws: StrictEc2, ec2: "EC2Client") -> None:
    """A network is deleted when its gateway is detached only."""
    vpc = ec2.create_vpc(CidrBlock="10.5.0.0/16")["Vpc"]["VpcId"]
    gateway = ec2.create_internet_gateway()["InternetGateway"]["InternetGatewayId"]
    ec2.attach_internet_gateway(InternetGatewayId=gateway, VpcId=vpc)
    with Refused("DependencyViolation"):
        ec2.delete_vpc(VpcId=vpc)
    ec2.detach_internet_gateway(InternetGatewayId=gateway, VpcId=vpc)
    ec2.delete_vpc(VpcId=vpc)


def test_group_named_by_another_is_kept(aws: StrictEc2, ec2: "EC2Client") -> None:
    """A group that a rule of another group names is not deleted, one that names itself is."""
    vpc = ec2.create_vpc(CidrBlock="10.5.0.0/16")["Vpc"]["VpcId"]
    one, two = (
        ec2.create_security_group(GroupName=name, Description="x", VpcId=vpc)["GroupId"] for name in "ab"
    )
    for group in (one, two):
        rule: Any = {"IpProtocol": "-1", "UserIdGroupPairs": [{"GroupId": one}]}  # as the stubs name it
        ec2.authorize_security_group_ingress(GroupId=group, IpPermissions=[rule])
    with Refused("DependencyViolation"):
        ec2.delete_security_group(GroupId=one)
    ec2.delete_security_group(GroupId=two)
    ec2.delete_security_group(GroupId=one)


def test_volume_in_use_is_kept(aws: StrictEc2, ec2: "EC2Client") -> None:
    """A volume is attached once, in its own zone, and not deleted while it is."""
    one, two = launch(ec2), launch(ec2)
    near = ec2.create_volume(AvailabilityZone="us-east-1a", Size=1)["VolumeId"]
    far = ec2.create_volume(AvailabilityZone="us-east-1b", Size=1)["VolumeId"]
    ec2.attach_volume(VolumeId=near, InstanceId=one, Device="/dev/sdf")
    with Refused("VolumeInUse"):
        ec2.attach_volume(VolumeId=near, InstanceId=two, Device="/dev/sdf")
    with Refused("InvalidVolume.ZoneMismatch"):
        ec2.attach_volume(VolumeId=far, InstanceId=one, Device="/dev/sdg")
    with Refused("VolumeInUse"):
        ec2.delete_volume(VolumeId=near)
    aws.delay = AGES
    ec2.terminate_instances(InstanceIds=[one])
    with Refused("VolumeInUse"):
        ec2.delete_volume(VolumeId=near)
    aws.settle()
    ec2.delete_volume(VolumeId=near)


def test_reboot_needs_a_running_instance(aws: StrictEc2, ec2: "EC2Client") -> None:
    """A running instance is rebooted, a stopped one is not, nor its neighbour in the same call."""
    one, two = launch(ec2), launch(ec2)
    ec2.reboot_instances(InstanceIds=[one, two])
    ec2.stop_instances(InstanceIds=[two])
    with Refused("IncorrectInstanceState") as refused:
        ec2.reboot_instances(InstanceIds=[one, two])
    assert refused.message == f"The instance '{two}' is not in a state from which it can be rebooted."


def test_volumes_of_an_instance_are_told(aws: StrictEc2, ec2: "EC2Client") -> None:
    """Of an attached volume it is told whether it goes with its instance."""
    instance = launch(ec2)
    volume = ec2.create_volume(AvailabilityZone="us-east-1a", Size=1)["VolumeId"]
    ec2.attach_volume(VolumeId=volume, InstanceId=instance, Device="/dev/sdf")
    goes = {
        held["Device"]: held["DeleteOnTermination"]
        for volume in ec2.describe_volumes()["Volumes"]
        for held in volume["Attachments"]
    }
    assert goes == {"/dev/sda1": True, "/dev/sdf": False}
    with Refused("InvalidParameterValue"):
        other = ec2.create_volume(AvailabilityZone="us-east-1a", Size=1)["VolumeId"]
        ec2.attach_volume(VolumeId=other, InstanceId=instance, Device="/dev/sdf")


def test_volumes_take_time(aws: StrictEc2, ec2: "EC2Client") -> None:
    """A volume is attached when it is available, deleted when it is detached, and told larger in time."""
    instance = launch(ec2)
    aws.delay = AGES
    volume = ec2.create_volume(AvailabilityZone="us-east-1a", Size=1)["VolumeId"]

    def shown() -> tuple[str, int, list[str]]:
        (found,) = ec2.describe_volumes(VolumeIds=[volume])["Volumes"]
        return found["State"], found["Size"], [held["State"] for held in found["Attachments"]]

    def modification() -> str:
        (found,) = ec2.describe_volumes_modifications(VolumeIds=[volume])["VolumesModifications"]
        return found["ModificationState"]

    assert shown() == ("creating", 1, [])
    with Refused("IncorrectState"):
        ec2.attach_volume(VolumeId=volume, InstanceId=instance, Device="/dev/sdf")
    aws.settle()
    ec2.attach_volume(VolumeId=volume, InstanceId=instance, Device="/dev/sdf")
    ec2.modify_volume(VolumeId=volume, Size=2)
    assert shown() == ("in-use", 1, ["attached"])
    assert modification() == "modifying"
    aws.settle()
    assert shown() == ("in-use", 2, ["attached"])
    assert modification() in ("optimizing", "completed")
    with Refused("InvalidParameterValue"):
        ec2.modify_volume(VolumeId=volume, Size=1)
    ec2.detach_volume(VolumeId=volume)
    assert shown() == ("in-use", 2, ["detaching"])
    with Refused("VolumeInUse"):
        ec2.delete_volume(VolumeId=volume)
    aws.settle()
    assert shown() == ("available", 2, [])
    with Refused("IncorrectState"):
        ec2.detach_volume(VolumeId=volume)
    ec2.delete_volume(VolumeId=volume)


def test_address_is_held_by_one(aws: StrictEc2, ec2: "EC2Client") -> None:
    """An instance has one elastic address, loses it when it ends, and none is released before that."""
    instance = launch(ec2)
    one, two = (ec2.allocate_address(Domain="vpc")["AllocationId"] for _ in range(2))

    def held() -> dict[str, str]:
        return {a["AllocationId"]: a.get("InstanceId", "") for a in ec2.describe_addresses()["Addresses"]}

    ec2.associate_address(AllocationId=one, InstanceId=instance)
    with Refused("InvalidIPAddress.InUse"):
        ec2.release_address(AllocationId=one)
    ec2.associate_address(AllocationId=two, InstanceId=instance)
    assert held() == {one: "", two: instance}
    ec2.terminate_instances(InstanceIds=[instance])
    assert held() == {one: "", two: ""}
    aws.delay = AGES
    with Refused("InvalidInstanceID"):
        ec2.associate_address(AllocationId=one, InstanceId=launch(ec2))
    ec2.release_address(AllocationId=one)


def test_launched_are_found_by_their_token(aws: StrictEc2, ec2: "EC2Client") -> None:
    """A filter by client token finds what was launched with it, in its order."""
    first = ec2.run_instances(ImageId=IMAGE, MinCount=3, MaxCount=3, ClientToken="one")["Instances"]
    launch(ec2, ClientToken="two")
    token: Any = {"Name": "client-token", "Values": ["one", "none"]}
    (found,) = ec2.describe_instances(Filters=[token])["Reservations"]
    order = {i["AmiLaunchIndex"]: i["InstanceId"] for i in found["Instances"]}
    assert order == {n: i["InstanceId"] for n, i in enumerate(first)}


def test_dry_run_does_nothing(aws: StrictEc2, ec2: "EC2Client") -> None:
    """A dry run is told that it would have been done, and is not."""
    with Refused("DryRunOperation", 412):
        launch(ec2, DryRun=True, ClientToken="one")
    assert instances(ec2) == {}


# Time.


def test_changes_take_time(aws: StrictEc2, ec2: "EC2Client") -> None:
    """An instance is told pending, stopping and shutting down before it is what it becomes."""
    aws.delay = AGES
    instance = launch(ec2)
    states = [state(ec2, instance)]
    aws.settle()
    states.append(state(ec2, instance))
    for change in (ec2.stop_instances, ec2.start_instances, ec2.terminate_instances):
        change(InstanceIds=[instance])
        states.append(state(ec2, instance))
        aws.settle()
        states.append(state(ec2, instance))
    launched, stopped = ["pending", "running"], ["stopping", "stopped"]
    assert states == [*launched, *stopped, *launched, "shutting-down", "terminated"]


def test_pending_has_no_public_address(aws: StrictEc2, ec2: "EC2Client") -> None:
    """The public address of an instance is known when it runs, not when it is launched."""
    aws.delay = AGES
    launched = ec2.run_instances(ImageId=IMAGE, MinCount=1, MaxCount=1)["Instances"][0]
    assert launched["State"] == {"Code": 0, "Name": "pending"}
    assert "PublicIpAddress" not in launched
    assert "PrivateIpAddress" in launched
    ids = [launched["InstanceId"]]
    pending = ec2.describe_instances(InstanceIds=ids)["Reservations"][0]["Instances"][0]
    assert "PublicIpAddress" not in pending
    aws.settle()
    running = ec2.describe_instances(InstanceIds=ids)["Reservations"][0]["Instances"][0]
    assert running["PublicIpAddress"]


def test_status_follows_the_state(aws: StrictEc2, ec2: "EC2Client") -> None:
    """Only what runs is told to be in good health; the rest is told of on demand."""
    aws.delay = AGES
    launch(ec2)
    assert statuses(ec2) == []
    assert statuses(ec2, IncludeAllInstances=True) == [("pending", "not-applicable")]
    aws.settle()
    assert statuses(ec2) == [("running", "ok")]


def test_filters_see_the_state_that_is_told(aws: StrictEc2, ec2: "EC2Client") -> None:
    """A filter by state finds what is told to be in it, by name and by number, with other filters."""
    aws.delay = AGES
    wanted = launch(ec2)
    running: Any = {"Name": "instance-state-name", "Values": ["running", "stopped"]}
    pending: Any = {"Name": "instance-state-name", "Values": ["pending"]}
    code: Any = {"Name": "instance-state-code", "Values": ["0"]}
    kind: Any = {"Name": "instance-type", "Values": ["t3.small"]}
    assert instances(ec2, Filters=[running]) == {}
    assert instances(ec2, Filters=[pending]) == instances(ec2, Filters=[code]) == {wanted: "pending"}
    assert instances(ec2, Filters=[kind, pending]) == instances(ec2, Filters=[pending, kind]) == {}


def test_refusals_see_the_state_that_is_told(aws: StrictEc2, ec2: "EC2Client") -> None:
    """A launching instance is not stopped, a stopping one neither started nor changed."""
    aws.delay = AGES
    instance = launch(ec2)
    with Refused("IncorrectInstanceState"):
        ec2.stop_instances(InstanceIds=[instance])
    aws.settle()
    ec2.stop_instances(InstanceIds=[instance])
    with Refused("IncorrectInstanceState"):
        ec2.start_instances(InstanceIds=[instance])
    with Refused("IncorrectInstanceState"):
        ec2.modify_instance_attribute(InstanceId=instance, InstanceType={"Value": "t3.small"})
    aws.settle()
    ec2.modify_instance_attribute(InstanceId=instance, InstanceType={"Value": "t3.small"})


def test_delays_end_by_themselves(aws: StrictEc2, ec2: "EC2Client") -> None:
    """The waiters of boto3 see an instance appear and run, each when its time has come."""
    aws.invisible, aws.delay = 0.2, 0.4
    start = time.monotonic()
    ids = [launch(ec2)]
    often: Any = {"Delay": 0, "MaxAttempts": 900}  # of a type that the stubs alone have
    waited = []
    for name in ("instance_exists", "instance_running"):
        ec2.get_waiter(name).wait(InstanceIds=ids, WaiterConfig=often)
        waited.append(time.monotonic() - start)
    assert waited[0] >= 0.2
    assert waited[1] >= 0.4
    assert aws.calls["DescribeInstances"] > 2


def test_launched_is_not_seen_at_once(aws: StrictEc2, ec2: "EC2Client") -> None:
    """A new instance is unknown by its id and left out of lists for a while, an older one is told."""
    older = launch(ec2)
    aws.invisible = AGES
    instance = launch(ec2)
    for call in (lambda: state(ec2, instance), lambda: state_of_tags(ec2, instance)):
        with Refused("InvalidInstanceID.NotFound") as refused:
            call()
        assert instance in refused.message
    assert instances(ec2) == {older: "running"}
    assert statuses(ec2) == [("running", "ok")]
    aws.settle()
    assert set(instances(ec2)) == {older, instance}
    assert state(ec2, instance) == "running"


def state_of_tags(ec2: "EC2Client", instance: str) -> None:
    """Tag an instance."""
    ec2.create_tags(Resources=[instance], Tags=[{"Key": "a", "Value": "b"}])


# Faults.


def test_throttle(aws: StrictEc2, ec2: "EC2Client") -> None:
    """So many calls of the action are throttled and do nothing, other actions and later calls are not."""
    aws.throttle("RunInstances", 2)
    for _ in range(2):
        with Refused("RequestLimitExceeded", 503):
            launch(ec2)
    assert instances(ec2) == {}
    launch(ec2)
    assert aws.calls == {"RunInstances": 3, "DescribeInstances": 1}


def test_fail(aws: StrictEc2, ec2: "EC2Client") -> None:
    """Any error may be answered, in order, to an action or to any."""
    aws.fail("*", "UnauthorizedOperation", "You are not authorized & <so on>.", 403)
    aws.fail("DescribeInstances", "AuthFailure", "AWS was not able to validate", 401)
    with Refused("UnauthorizedOperation", 403) as refused:
        instances(ec2)
    assert refused.message == "You are not authorized & <so on>."
    with Refused("AuthFailure", 401):
        instances(ec2)
    assert instances(ec2) == {}


@pytest.mark.parametrize(("when", "launched"), [("before", 0), ("after", 1)])
def test_cut(aws: StrictEc2, ec2: "EC2Client", when: Literal["before", "after"], launched: int) -> None:
    """A connection is cut without an answer, before the call is done or after it."""
    from botocore.exceptions import ConnectionClosedError

    aws.cut("RunInstances", when)
    with pytest.raises(ConnectionClosedError):
        launch(ec2)
    assert len(instances(ec2)) == launched


def test_token_survives_a_cut(session: "Session", aws: StrictEc2, ec2: "EC2Client") -> None:
    """A launch whose answer was cut is repeated by botocore itself with its token: one instance."""
    aws.cut("RunInstances", "after")
    client = connect(session, aws, attempts=3)
    instance = launch(client)
    client.close()
    assert list(instances(ec2)) == [instance]
    tokens = [params["ClientToken"] for action, params in aws.log if action == "RunInstances"]
    assert len(tokens) == 2
    assert len(set(tokens)) == 1


def test_hold(aws: StrictEc2, ec2: "EC2Client") -> None:
    """A held call is done, its answer comes when it is let go, and later ones are not held."""
    hold = aws.hold("RunInstances")
    with ThreadPoolExecutor(1) as pool:
        launching = pool.submit(launch, ec2)
        assert hold.wait()
        assert len(instances(ec2)) == 1
        assert not launching.done()
        assert not hold.is_set()
        hold.set()
        assert launching.result(10) in instances(ec2)
    launch(ec2)


def test_client_killed_while_held(
    aws: StrictEc2, ec2: "EC2Client", capfd: pytest.CaptureFixture[str]
) -> None:
    """A client that is killed before its answer leaves an instance, and the proxy goes on quietly."""
    hold = aws.hold("RunInstances")
    text = "import boto3; boto3.client('ec2').run_instances(ImageId='ami-03cf127a', MinCount=1, MaxCount=1)"
    variables = {**os.environ, **environment(aws.endpoint)}
    with subprocess.Popen([sys.executable, "-c", text], env=variables) as client:
        assert hold.wait()
        client.send_signal(signal.SIGKILL)
    hold.set()
    assert len(instances(ec2)) == 1
    assert capfd.readouterr().err == ""


# The end.


def test_nothing_is_left(moto: MotoServer, session: "Session") -> None:
    """Leaving a proxy ends its threads, with connections open and an answer held back."""
    from botocore.exceptions import ConnectionClosedError

    before = set(threading.enumerate())
    with ThreadPoolExecutor(2) as pool:
        with StrictEc2(moto) as aws:
            client = connect(session, aws, attempts=1)
            hold = aws.hold("RunInstances")
            launching = pool.submit(launch, client)
            assert hold.wait()
            idle = http.client.HTTPConnection(aws.endpoint.removeprefix("http://"))
            idle.connect()
        left = {t for t in threading.enumerate() if t not in before and "ThreadPool" not in t.name}
        assert left == set()
        with contextlib.suppress(ConnectionClosedError):  # let go in time, or cut
            launching.result(10)
    idle.close()
    client.close()


def test_moto_ends() -> None:
    """The process of moto is gone when it is left, after an error as well."""
    moto = MotoServer()
    seen: list[int] = []

    def fail() -> None:
        with moto:
            assert moto.pid is not None
            seen.append(moto.pid)
            raise LookupError

    with pytest.raises(LookupError):
        fail()
    assert not Path(f"/proc/{seen[0]}").exists()
    assert moto.pid is None


def test_moto_that_does_not_start_tells_why(monkeypatch: pytest.MonkeyPatch) -> None:
    """A server that ends at once is an error with its last words."""
    monkeypatch.setattr(sys, "executable", "/bin/ls")
    with pytest.raises(RuntimeError, match="does not answer") as raised:
        MotoServer().__enter__()
    assert "ls:" in raised.value.__notes__[0]


def test_missing_moto_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    """Without moto there is a reason to skip, and no server."""
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    assert why_not() == "the EC2 endpoint needs moto[ec2,server]"
    with pytest.raises(RuntimeError, match="moto"):
        MotoServer().__enter__()
