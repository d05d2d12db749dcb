"""The machine of AWS: few calls, nothing twice, and every fault told, on an endpoint as strict as EC2."""

import asyncio
import contextlib
import os
import socket
import socketserver
import threading
import time
from collections.abc import Callable, Coroutine, Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, TypeVar

import pytest

from lasercats.core.errors import BadInput, MachineError, Unreachable
from lasercats.core.instruction import Batch, Failure, Instruction, Item
from lasercats.instructions.aws import Answered, Ask, Call, Describe, Described, Wait
from lasercats.machines.aws import AwsMachine
from lasercats.machines.aws_waiter import Waiter
from lasercats.machines.vault import KeyVault
from lasercats.testing.aws import MotoServer, StrictEc2, environment, why_not
from lasercats.testing.aws.wire import Answer

if TYPE_CHECKING:
    from mypy_boto3_ec2 import EC2Client

T = TypeVar("T")
IMAGE = "ami-03cf127a"
NONE = "i-0123456789abcdef0"
"""The id of no instance."""


@pytest.fixture(scope="module")
def moto() -> Iterator[MotoServer]:
    """One moto for the whole file; where it is not installed, CI fails and others skip."""
    reason = why_not()
    if reason is not None:
        pytest.fail(reason) if os.environ.get("CI") else pytest.skip(reason)
    with MotoServer() as moto:
        yield moto


@pytest.fixture
def aws(moto: MotoServer, monkeypatch: pytest.MonkeyPatch) -> Iterator[StrictEc2]:
    """An empty account, with credentials for it in the environment."""
    moto.reset()
    with StrictEc2(moto) as aws:
        for name, value in environment(aws.endpoint).items():
            monkeypatch.setenv(name, value)
        yield aws


@pytest.fixture
def ec2(aws: StrictEc2) -> Iterator["EC2Client"]:
    """Independent eyes: a plain client."""
    import boto3

    client: EC2Client = boto3.client("ec2", endpoint_url=aws.endpoint)
    yield client
    client.close()


Using = Callable[..., Any]


@pytest.fixture
def using(aws: StrictEc2, tmp_path: Path) -> Iterator[Using]:
    """Give a machine to some work; options change its URL."""
    with asyncio.Runner() as runner:

        def use(work: Callable[[AwsMachine], Coroutine[Any, Any, T]], **options: object) -> T:
            return runner.run(on_machine(work, tmp_path, **{"endpoint": aws.endpoint, **options}))

        yield use


async def on_machine(
    work: Callable[[AwsMachine], Coroutine[Any, Any, T]], folder: Path, **options: object
) -> T:
    """Connect, work, disconnect."""
    options_ = {"poll": 0.02, "grace": 0.4, "timeout": 5, "attempts": 3, **options}
    query = "&".join(f"{name}={value}" for name, value in options_.items())
    url = AwsMachine.check_url(f"aws://us-east-1?{query}")
    machine = AwsMachine("aws", url, KeyVault(folder / "key"))
    try:
        return await work(machine)
    finally:
        await machine.close()


Run = Callable[..., list[Any]]


@pytest.fixture
def run(using: Using) -> Run:
    """Run one batch on a machine of its own."""

    def run(*instructions: Instruction, **options: object) -> list[Any]:
        outcomes: Sequence[Any] = using(lambda machine: machine.run(batch(*instructions)), **options)
        return list(outcomes)

    return run


def batch(*instructions: Instruction) -> Batch:
    """Make a batch of what does not depend on each other."""
    return tuple(map(Item, instructions))


def launch(token: str, type_: str = "t3.micro") -> Call:
    """Return a launch, as a program asks for it."""
    parameters = {"ImageId": IMAGE, "InstanceType": type_, "MinCount": 1, "MaxCount": 1}
    return Call(machine="aws", operation="RunInstances", parameters=parameters, token=token)


def power(operation: str, id_: str) -> Call:
    """Return a start, stop, reboot or termination."""
    return Call(machine="aws", operation=operation, parameters={"InstanceIds": [id_]})


def by_id(id_: str) -> Describe:
    """Return a look at an instance."""
    return Describe(machine="aws", what="instance", by="instance-id", value=id_)


def wait(id_: str, state: str = "running", what: str = "instance") -> Wait:
    """Return a wait."""
    return Wait(machine="aws", what=what, id=id_, state=state)


def allocate(token: str = "t-1") -> Call:  # noqa: S107 - a token of a call
    """Return an allocation of an elastic IP address."""
    parameters = {"Domain": "vpc", "TagSpecifications": [{"ResourceType": "elastic-ip", "Tags": tags("a")}]}
    return Call(machine="aws", operation="AllocateAddress", parameters=parameters, token=token)


def create_vpc(token: str = "t-2") -> Call:  # noqa: S107 - a token of a call
    """Return a creation of a network."""
    return Call(machine="aws", operation="CreateVpc", parameters={"CidrBlock": "10.7.0.0/16"}, token=token)


def tags(name: str) -> list[dict[str, str]]:
    """Return one tag."""
    return [{"Key": "Name", "Value": name}]


def id_of(outcome: Any) -> str:  # noqa: ANN401 - an answer, or a failure
    """Return the id of a launched instance."""
    assert isinstance(outcome, Answered), outcome
    return str(outcome.response["Instances"][0]["InstanceId"])


def states(ec2: "EC2Client") -> dict[str, str]:
    """Return the states of all instances."""
    found = ec2.describe_instances()["Reservations"]
    return {i["InstanceId"]: i["State"]["Name"] for r in found for i in r["Instances"]}


def sent(aws: StrictEc2, action: str) -> list[dict[str, str]]:
    """Return the parameters of the calls of an action."""
    return [params for name, params in aws.log if name == action]


# Few calls.


def test_equal_launches_are_one_call(aws: StrictEc2, ec2: "EC2Client", run: Run) -> None:
    """Ten equal launches are one call, each gets an instance of its own, in the order of the launch."""
    outcomes = run(*(launch(f"t-{n}") for n in range(10)))
    ids = [id_of(outcome) for outcome in outcomes]
    assert aws.calls["RunInstances"] == 1
    assert set(ids) == set(states(ec2))
    assert len(set(ids)) == 10
    assert [o.response["Instances"][0]["AmiLaunchIndex"] for o in outcomes] == list(range(10))
    assert all(set(o.response) == {"Instances"} for o in outcomes)


def test_the_token_of_a_launch_follows_from_the_batch(aws: StrictEc2, ec2: "EC2Client", run: Run) -> None:
    """The same batch gets the same instances again; one with another token gets others."""
    first = run(launch("t-1"), launch("t-2"))
    again = run(launch("t-1"), launch("t-2"))
    assert list(map(id_of, again)) == list(map(id_of, first))
    assert len(states(ec2)) == 2
    assert set(map(id_of, run(launch("t-1"), launch("t-3")))).isdisjoint(map(id_of, first))
    tokens = [params["ClientToken"] for params in sent(aws, "RunInstances")]
    assert tokens[0] == tokens[1] != tokens[2]
    assert all(0 < len(token) <= 64 and "t-1" not in token for token in tokens)


def test_different_launches_are_different_calls(aws: StrictEc2, ec2: "EC2Client", run: Run) -> None:
    """What differs in anything is launched by another call; one that is refused fails no other."""
    small, wrong, large, same = run(
        launch("t-1"), launch("t-2", "t9.huge"), launch("t-3", "t3.large"), launch("t-4")
    )
    assert aws.calls["RunInstances"] == 3
    assert isinstance(wrong, Failure)
    assert wrong.reason.startswith("Invalid value 't9.huge' for InstanceType (InvalidParameterValue); `aws")
    assert not wrong.in_doubt
    types = {
        i["InstanceId"]: i["InstanceType"]
        for r in ec2.describe_instances()["Reservations"]
        for i in r["Instances"]
    }
    assert types == {id_of(small): "t3.micro", id_of(large): "t3.large", id_of(same): "t3.micro"}


def test_lists_are_one_call(aws: StrictEc2, ec2: "EC2Client", run: Run) -> None:
    """Stopping many is one call, of each operation one; the same id is sent once."""
    ids = [id_of(outcome) for outcome in run(*(launch(f"t-{n}") for n in range(4)))]
    outcomes = run(
        *(power("StopInstances", i) for i in [*ids[:3], ids[0]]), power("TerminateInstances", ids[3])
    )
    assert outcomes[:4] == [Answered()] * 4
    assert (aws.calls["StopInstances"], aws.calls["TerminateInstances"]) == (1, 1)
    asked = sent(aws, "StopInstances")[0]
    assert [asked[key] for key in sorted(asked) if key.startswith("InstanceId.")] == ids[:3]
    assert states(ec2) == dict(zip(ids, ["stopped"] * 3 + ["terminated"], strict=True))


def test_one_bad_id_fails_only_itself(aws: StrictEc2, ec2: "EC2Client", run: Run) -> None:
    """Where EC2 refuses a whole list for one of it, the others are done and only that one fails."""
    ids = [id_of(outcome) for outcome in run(*(launch(f"t-{n}") for n in range(3)))]
    outcomes = run(*(power("StopInstances", i) for i in [*ids[:2], NONE, ids[2]]))
    assert [isinstance(outcome, Failure) for outcome in outcomes] == [False, False, True, False]
    assert outcomes[2].reason == f"The instance ID '{NONE}' does not exist (InvalidInstanceID.NotFound)"
    assert set(states(ec2).values()) == {"stopped"}


def test_a_stopped_instance_is_not_rebooted(aws: StrictEc2, run: Run) -> None:
    """A reboot of what does not run fails as EC2 says it, beside one that is done."""
    one, two = (id_of(outcome) for outcome in run(launch("t-1"), launch("t-2")))
    run(power("StopInstances", one))
    failed, done = run(power("RebootInstances", one), power("RebootInstances", two))
    assert failed.reason.startswith(f"The instance '{one}' is not in a state from which it can be rebooted")
    assert "IncorrectInstanceState" in failed.reason
    assert isinstance(done, Answered)


def test_looks_by_id_are_few_calls(aws: StrictEc2, run: Run) -> None:
    """450 looks by id are three calls, of 200 ids at most; each look gets its own and no other."""
    there = id_of(run(launch("t-1"))[0])
    names = [f"i-{n:017x}" for n in range(449)]
    aws.clear()
    outcomes = run(*map(by_id, [*names[:300], there, *names[300:]]))
    assert aws.calls == {"DescribeInstances": 3}
    values = [sum("Value" in key for key in params) for params in sent(aws, "DescribeInstances")]
    assert sorted(values) == [50, 200, 200]
    found = {n: outcome.found[0]["InstanceId"] for n, outcome in enumerate(outcomes) if outcome.found}
    assert found == {300: there}


def test_looks_of_many_sorts_go_side_by_side(aws: StrictEc2, ec2: "EC2Client", run: Run) -> None:
    """Looks by name, by id and at all are each one call; names that are patterns mean only themselves."""
    for name in ("ab", "a*"):
        ec2.create_volume(
            AvailabilityZone="us-east-1a",
            Size=1,
            TagSpecifications=[{"ResourceType": "volume", "Tags": [{"Key": "Name", "Value": name}]}],
        )
    aws.clear()
    named = [Describe(machine="aws", what="volume", by="tag:Name", value=v) for v in ("a*", "ab", "none")]
    everything = Describe(machine="aws", what="volume")
    one, two, none, every, asked, again = run(
        *named, everything, *[Ask(machine="aws", operation="DescribeRegions", parameters={})] * 2
    )
    assert [[v["Tags"][0]["Value"] for v in look.found] for look in (one, two, none)] == [["a*"], ["ab"], []]
    assert len(every.found) == 2
    assert asked == again
    assert asked.response["Regions"]
    assert aws.calls == {"DescribeVolumes": 2, "DescribeRegions": 1}


def test_what_is_gone_is_not_found(aws: StrictEc2, run: Run) -> None:
    """A terminated instance is as good as not there, though EC2 tells of it for an hour."""
    there = id_of(run(launch("t-1"))[0])
    assert run(by_id(there))[0].found[0]["State"]["Name"] == "running"
    run(power("TerminateInstances", there))
    assert run(by_id(there)) == [Described()]


def test_what_depends_on_a_failure_is_skipped(aws: StrictEc2, using: Using) -> None:
    """An item behind another is run after it, or skipped if that failed."""
    items = (
        Item(launch("t-1", "t9.huge")),
        Item(allocate(), after=(0,)),
        Item(create_vpc(), after=(1,)),
        Item(Describe(machine="aws", what="vpc")),
        Item(Describe(machine="aws", what="address"), after=(3,)),
    )
    outcomes = using(lambda machine: machine.run(items))
    assert [getattr(outcome, "skipped", None) for outcome in outcomes] == [False, True, True, None, None]
    assert set(aws.calls) == {"RunInstances", "DescribeVpcs", "DescribeAddresses"}


def test_nothing_is_no_call(aws: StrictEc2, run: Run) -> None:
    """An empty batch asks nothing."""
    assert run() == []
    assert aws.calls == {}


def test_trips_are_counted(aws: StrictEc2, using: Using) -> None:
    """The machine counts its calls."""

    async def work(machine: AwsMachine) -> int:
        await machine.run(batch(launch("t-1"), launch("t-2"), Describe(machine="aws", what="vpc")))
        return machine.trips

    assert using(work) == 2 == sum(aws.calls.values())


# Waiting.


def test_many_waits_share_a_look(aws: StrictEc2, using: Using) -> None:
    """Waits in many batches at once look together, once at a time, and get what each waits for."""
    aws.delay = 600

    def looks(number: int) -> None:
        while aws.calls["DescribeInstances"] < number:
            time.sleep(0.01)

    async def work(machine: AwsMachine) -> list[Any]:
        launched = await machine.run(batch(*(launch(f"t-{n}") for n in range(20))))
        ids = [id_of(outcome) for outcome in launched]
        aws.clear()
        runs = asyncio.gather(*(machine.run(batch(*map(wait, ids[n : n + 5]))) for n in range(0, 20, 5)))
        await asyncio.to_thread(looks, 3)
        assert not runs.done()
        aws.settle()
        waited = [outcome for outcomes in await runs for outcome in outcomes]
        assert [outcome.found[0]["InstanceId"] for outcome in waited] == ids
        return waited

    waited = using(work, poll=0.05)
    assert {outcome.found[0]["State"]["Name"] for outcome in waited} == {"running"}
    assert set(aws.calls) == {"DescribeInstances"}
    assert aws.calls["DescribeInstances"] <= 8
    most = max(sum("Value" in key for key in params) for _, params in aws.log)
    assert most == 20


def test_waits_of_two_sorts_and_states(aws: StrictEc2, ec2: "EC2Client", run: Run) -> None:
    """What is waited for may be a volume, or that something is gone."""
    aws.delay = 0.1
    one, two = (id_of(outcome) for outcome in run(launch("t-1"), launch("t-2")))
    volume = ec2.create_volume(AvailabilityZone="us-east-1a", Size=1)["VolumeId"]
    running, available = run(wait(one), wait(volume, "available", "volume"))
    assert (running.found[0]["State"]["Name"], available.found[0]["State"]) == ("running", "available")
    run(wait(two), power("TerminateInstances", one))
    run(power("StopInstances", two))
    assert run(wait(one, "terminated"))[0] == Described()
    assert run(wait(two, "stopped"))[0].found[0]["InstanceId"] == two
    assert run(wait("vol-0123456789abcdef0", "deleted", "volume")) == [Described()]


def test_a_wait_that_ends_otherwise_fails(aws: StrictEc2, ec2: "EC2Client", using: Using) -> None:
    """An instance that ends while it is waited for fails with the reason; its neighbour is waited for."""
    aws.delay = 600

    async def work(machine: AwsMachine) -> list[Any]:
        one, two = map(id_of, await machine.run(batch(launch("t-1"), launch("t-2"))))
        waiting = asyncio.ensure_future(machine.run(batch(wait(one), wait(two))))
        await asyncio.sleep(0.1)
        await asyncio.to_thread(ec2.terminate_instances, InstanceIds=[one])
        await asyncio.sleep(0.2)
        aws.settle()
        return [one, *await waiting]

    one, failed, done = using(work, poll=0.05)
    assert isinstance(failed, Failure)
    assert failed.reason.startswith(f"{one} went to shutting-down instead of running: ")
    assert not failed.in_doubt
    assert done.found[0]["State"]["Name"] == "running"


def test_a_volume_that_fails_is_not_waited_for() -> None:
    """A volume that EC2 could not make, in the state `error`, ends its wait at once."""

    async def look(_what: str, ids: Sequence[str]) -> list[dict[str, Any]]:
        return [{"VolumeId": name, "State": "error"} for name in ids]

    async def work() -> Any:  # noqa: ANN401 - an outcome
        name = "vol-0123456789abcdef0"
        return await Waiter("volume", look, poll=0.01, timeout=60).until(wait(name, "available", "volume"))

    failed = asyncio.run(work())
    assert failed.reason.startswith("vol-0123456789abcdef0 went to error instead of available")


def test_a_wait_ends_in_time(aws: StrictEc2, run: Run) -> None:
    """What does not come about within the timeout is a failure that says what is."""
    aws.delay = 600
    pending = id_of(run(launch("t-1"))[0])
    failed, unseen = run(wait(pending), wait(NONE), timeout=0.2)
    assert failed.reason == f"{pending} is pending, not running, after 0.2 s"
    assert unseen.reason == f"{NONE} is not to be seen, not running, after 0.2 s"


def test_a_wait_that_may_not_look_fails(aws: StrictEc2, run: Run) -> None:
    """Where the look is refused, all that wait for it fail at once, with what EC2 said."""
    aws.fail("DescribeInstances", "UnauthorizedOperation", "You are not authorized.", 403)
    for failed in run(wait(NONE), wait(f"{NONE[:-1]}1")):
        assert failed.reason.startswith("You are not authorized (UnauthorizedOperation)")


def test_invisible_instances_are_waited_for(aws: StrictEc2, run: Run) -> None:
    """An instance that is not to be seen yet is waited for."""
    aws.invisible = 1.5
    there = id_of(run(launch("t-1"))[0])
    assert run(by_id(there)) == [Described()]
    assert run(wait(there))[0].found[0]["InstanceId"] == there


# Limits.


def test_as_many_as_there_is_room_for(aws: StrictEc2, ec2: "EC2Client", run: Run) -> None:
    """Eight equal launches where five may be: five answers, three failures that name the remedy."""
    aws.max_instances = 5
    outcomes = run(*(launch(f"t-{n}") for n in range(8)))
    assert {id_of(outcome) for outcome in outcomes[:5]} == set(states(ec2))
    assert all(isinstance(outcome, Failure) and not outcome.in_doubt for outcome in outcomes[5:])
    assert outcomes[5].reason.endswith(
        "(InstanceLimitExceeded); ask for a larger quota, or take another type"
    )
    assert aws.calls["RunInstances"] == 2


def test_no_room_at_all(aws: StrictEc2, ec2: "EC2Client", run: Run) -> None:
    """Where there is no room, all fail, and nothing is launched."""
    aws.max_instances = 0
    outcomes = run(launch("t-1"), launch("t-2"))
    assert all("InstanceLimitExceeded" in outcome.reason for outcome in outcomes)
    assert states(ec2) == {}


@pytest.mark.parametrize("call", [launch("t-1"), create_vpc(), Describe(machine="aws", what="vpc")])
def test_throttled_calls_are_tried_again(aws: StrictEc2, run: Run, call: Instruction) -> None:
    """A call that is throttled is tried again, also one that is not repeated otherwise."""
    aws.throttle("*", 2)
    (outcome,) = run(call)
    assert not isinstance(outcome, Failure), outcome
    assert sum(aws.calls.values()) == 3


@pytest.mark.parametrize("call", [launch("t-1"), create_vpc(), Describe(machine="aws", what="vpc")])
def test_throttled_too_often(aws: StrictEc2, run: Run, call: Instruction) -> None:
    """A call that is throttled at every attempt fails and says so; nothing was done."""
    aws.throttle("*", 3)
    (failed,) = run(call)
    assert "AWS throttles our calls (RequestLimitExceeded)" in failed.reason
    assert "try again later" in failed.reason
    assert not failed.in_doubt
    assert sum(aws.calls.values()) == 3


def test_a_throttled_list_is_not_called_for_each(aws: StrictEc2, run: Run) -> None:
    """A list that is throttled is not taken apart into more calls."""
    ids = [id_of(outcome) for outcome in run(*(launch(f"t-{n}") for n in range(4)))]
    aws.throttle("StopInstances", 3)
    outcomes = run(*(power("StopInstances", i) for i in ids))
    assert all("throttles" in outcome.reason for outcome in outcomes)
    assert aws.calls["StopInstances"] == 3


# Connections that are cut.


def test_cut_after_an_allocation(aws: StrictEc2, ec2: "EC2Client", run: Run) -> None:
    """An address that was allocated, though nobody heard it, is found by its token; there is only one."""
    aws.cut("AllocateAddress", "after")
    (outcome,) = run(allocate())
    (there,) = ec2.describe_addresses()["Addresses"]
    assert (outcome.response["AllocationId"], outcome.response["PublicIp"]) == (
        there["AllocationId"],
        there["PublicIp"],
    )
    assert aws.calls["AllocateAddress"] == 1
    assert {tag["Key"] for tag in there["Tags"]} == {"Name", "lasercats:token"}


def test_cut_after_a_network(aws: StrictEc2, ec2: "EC2Client", run: Run) -> None:
    """A network that was made, though nobody heard it, is answered as EC2 would have answered."""
    before = {vpc["VpcId"] for vpc in ec2.describe_vpcs()["Vpcs"]}
    aws.cut("CreateVpc", "after")
    (outcome,) = run(create_vpc())
    (made,) = {vpc["VpcId"] for vpc in ec2.describe_vpcs()["Vpcs"]} - before
    assert outcome.response["Vpc"]["VpcId"] == made
    assert outcome.response["Vpc"]["CidrBlock"] == "10.7.0.0/16"
    assert aws.calls["CreateVpc"] == 1


@pytest.mark.parametrize("call", [allocate(), create_vpc()])
def test_cut_before_is_in_doubt(aws: StrictEc2, run: Run, call: Call) -> None:
    """What was cut before it was done is not found, so it is in doubt, and it is not repeated."""
    aws.cut(call.operation, "before")
    (failed,) = run(call, grace=0.1)
    assert failed.in_doubt
    assert "the connection to machine aws was lost in the middle" in failed.reason
    assert aws.calls[call.operation] == 1


def test_cut_and_then_not_to_be_asked(aws: StrictEc2, run: Run) -> None:
    """Where what became of a call cannot be asked either, it is in doubt."""
    aws.cut("AllocateAddress", "after")
    aws.fail("DescribeAddresses", "UnauthorizedOperation", "You are not authorized.", 403)
    (failed,) = run(allocate())
    assert failed.in_doubt


@pytest.mark.parametrize("code", ["InternalError", "Unavailable"])
def test_an_error_of_aws_itself_is_in_doubt(aws: StrictEc2, ec2: "EC2Client", run: Run, code: str) -> None:
    """When EC2 fails itself, nobody knows what became of the call; so it is asked for, not repeated."""
    aws.fail("AllocateAddress", code, "An internal error has occurred.", 500)
    (failed,) = run(allocate(), grace=0.1)
    assert (failed.in_doubt, aws.calls["AllocateAddress"]) == (True, 1)
    aws.fail("RunInstances", code, "An internal error has occurred.", 500)
    (launched,) = run(launch("t-1"))
    assert set(states(ec2)) == {id_of(launched)}


@pytest.mark.parametrize("when", ["before", "after"])
def test_a_launch_that_is_cut(
    aws: StrictEc2, ec2: "EC2Client", run: Run, when: Literal["before", "after"]
) -> None:
    """A launch whose answer was lost is repeated with its token: nothing is launched twice."""
    aws.cut("RunInstances", when, times=2)
    outcomes = run(*(launch(f"t-{n}") for n in range(3)))
    assert set(map(id_of, outcomes)) == set(states(ec2))
    assert len(states(ec2)) == 3
    assert aws.calls["RunInstances"] == 3
    assert len({params["ClientToken"] for params in sent(aws, "RunInstances")}) == 1


def test_cut_after_every_attempt_to_launch(aws: StrictEc2, ec2: "EC2Client", run: Run) -> None:
    """Where no answer of a launch ever came, its instances are found by the token when they can be seen."""
    aws.invisible = 0.2
    aws.cut("RunInstances", "after", times=3)
    outcomes = run(*(launch(f"t-{n}") for n in range(3)), grace=5)
    assert set(map(id_of, outcomes)) == set(states(ec2))
    assert [o.response["Instances"][0]["AmiLaunchIndex"] for o in outcomes] == [0, 1, 2]


def test_invisible_for_too_long_is_in_doubt(aws: StrictEc2, run: Run) -> None:
    """What is not to be seen within the grace is in doubt, not said to be undone."""
    aws.invisible = 600
    aws.cut("RunInstances", "after", times=3)
    assert [outcome.in_doubt for outcome in run(launch("t-1"), launch("t-2"), grace=0.1)] == [True, True]


def test_cut_after_a_volume(aws: StrictEc2, ec2: "EC2Client", run: Run) -> None:
    """A volume, that takes a client token, is created again by it: once."""
    aws.cut("CreateVolume", "after")
    parameters = {"AvailabilityZone": "us-east-1a", "Size": 1}
    create = Call(machine="aws", operation="CreateVolume", parameters=parameters, token="")
    (outcome,) = run(create.once("t-1"))
    assert [v["VolumeId"] for v in ec2.describe_volumes()["Volumes"]] == [outcome.response["VolumeId"]]
    assert aws.calls["CreateVolume"] == 2


# What became of a batch.


def until(condition: Callable[[], bool]) -> None:
    """Wait until something holds."""
    end = time.monotonic() + 10
    while not condition():
        assert time.monotonic() < end
        time.sleep(0.01)


def test_resolve_of_what_never_came_back(aws: StrictEc2, ec2: "EC2Client", using: Using) -> None:
    """Of a batch that was done and never answered all is found by its tokens, in the order of the launch."""
    calls = batch(*(launch(f"t-{n}") for n in range(3)), by_id(NONE), allocate(), launch("t-9", "t3.large"))
    holds = [aws.hold("RunInstances"), aws.hold("AllocateAddress")]

    async def die(machine: AwsMachine) -> None:
        running = asyncio.ensure_future(machine.run(calls))
        for hold in holds:
            assert await asyncio.to_thread(hold.wait)
        await asyncio.to_thread(until, lambda: aws.calls["RunInstances"] == 2)
        running.cancel()

    using(die)
    for hold in holds:
        hold.set()
    asked = aws.calls["RunInstances"]
    outcomes = using(lambda machine: machine.resolve(calls))
    launched = [id_of(outcome) for outcome in (*outcomes[:3], outcomes[5])]
    assert outcomes[3] is None
    assert outcomes[4].response["AllocationId"] == ec2.describe_addresses()["Addresses"][0]["AllocationId"]
    assert set(launched) == set(states(ec2))
    assert [o.response["Instances"][0]["AmiLaunchIndex"] for o in outcomes[:3]] == [0, 1, 2]
    assert outcomes[5].response["Instances"][0]["InstanceType"] == "t3.large"
    assert aws.calls["RunInstances"] == asked


def test_resolve_of_what_was_never_done(aws: StrictEc2, ec2: "EC2Client", using: Using) -> None:
    """What was never done is told as None, after one grace for all of it, and is not done now."""
    calls = batch(
        launch("t-1"), *(allocate(f"t-{n}") for n in range(20)), create_vpc(), power("StopInstances", NONE)
    )

    async def work(machine: AwsMachine) -> float:
        loop = asyncio.get_running_loop()
        begin = loop.time()
        assert list(await machine.resolve(calls)) == [None] * 23
        return loop.time() - begin

    assert using(work, grace=0.3) < 0.3 * 10
    assert states(ec2) == {}
    assert set(aws.calls) == {"DescribeInstances", "DescribeAddresses", "DescribeVpcs"}


def test_resolve_of_a_launch_for_which_there_was_no_room(
    aws: StrictEc2, ec2: "EC2Client", using: Using
) -> None:
    """Of a launch that got only a part, that part is found, and None for the rest."""
    aws.max_instances = 2
    calls = batch(*(launch(f"t-{n}") for n in range(3)))
    done = using(lambda machine: machine.run(calls))
    outcomes = using(lambda machine: machine.resolve(calls), grace=0.1)
    assert list(map(id_of, outcomes[:2])) == list(map(id_of, done[:2]))
    assert outcomes[2] is None


def test_resolve_where_nobody_answers(tmp_path: Path, aws: StrictEc2) -> None:
    """Where the endpoint cannot be asked, that is an error, and not an answer."""
    work = on_machine(lambda m: m.resolve(batch(launch("t-1"))), tmp_path, endpoint=closed(), attempts=1)
    with pytest.raises(Unreachable):
        asyncio.run(work)


# What cannot be used.


def closed() -> str:
    """Return the URL of a port that nobody listens on."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        return f"http://127.0.0.1:{free.getsockname()[1]}"


def test_endpoint_down(tmp_path: Path, aws: StrictEc2) -> None:
    """Where nobody listens, every instruction fails and none is in doubt; the check says unreachable."""

    async def work(machine: AwsMachine) -> Sequence[Any]:
        outcomes = await machine.run(batch(launch("t-1"), create_vpc(), by_id(NONE), wait(NONE)))
        with pytest.raises(Unreachable, match="machine aws does not answer"):
            await machine.check()
        return outcomes

    outcomes = asyncio.run(on_machine(work, tmp_path, endpoint=closed(), attempts=1))
    assert all("does not answer" in outcome.reason and not outcome.in_doubt for outcome in outcomes)


@pytest.mark.parametrize(
    ("code", "message"),
    [
        ("AuthFailure", r"refuses the credentials: .* check its profile and the clock; a region that is not"),
        ("InvalidClientTokenId", r"refuses the credentials: .* check its profile, or AWS_ACCESS_KEY_ID"),
        ("ExpiredToken", r"says that the credentials have expired: .* renew them, by `aws sso login`"),
        ("RequestExpired", r"says that the request has expired: .* set the clock"),
        ("SignatureDoesNotMatch", r"refuses the secret key.* AWS_SECRET_ACCESS_KEY"),
        ("OptInRequired", r"has no EC2 in this region: .* `aws account enable-region`"),
        ("Blocked", r"the account is blocked: .* ask AWS Support"),
        ("UnauthorizedOperation", r"Said so \(UnauthorizedOperation\); give the credentials the permission"),
        ("Whatever", r"machine aws: Said so \(Whatever\)"),
    ],
)
def test_check(aws: StrictEc2, using: Using, code: str, message: str) -> None:
    """A region that is there passes; why an account cannot be used is told apart, each with its remedy."""
    assert using(lambda machine: machine.check()) is None
    aws.fail("DescribeInstances", code, "Said so.", 401)
    with pytest.raises(MachineError, match=message):
        using(lambda machine: machine.check())


@pytest.mark.parametrize(
    ("answer", "message"),
    [
        (Answer(200, b"<html>Hello</html>", endless=True), "cannot be understood: the answer "),
        (Answer(200, b"Hello"), "cannot be understood: Unable to parse"),
        (
            Answer(404, b"<html>Not Found</html>"),
            "HTTP status 404, with no error code of AWS; is its endpoint",
        ),
    ],
)
def test_what_is_no_ec2(aws: StrictEc2, using: Using, answer: Answer, message: str) -> None:
    """Where something else answers, that is told, and that the endpoint may be wrong."""
    aws.twist("DescribeInstances", lambda _: answer)
    with pytest.raises(MachineError, match=message):
        using(lambda machine: machine.check())


def test_an_answer_that_drips(using: Using, monkeypatch: pytest.MonkeyPatch) -> None:
    """An answer that is never silent and never ends is given up in the end."""
    with socketserver.ThreadingTCPServer(("127.0.0.1", 0), Drip) as server:
        server.daemon_threads = True
        thread = threading.Thread(target=server.serve_forever, args=(0.02,))
        thread.start()
        try:
            endpoint = f"http://127.0.0.1:{server.server_address[1]}"
            with pytest.raises(MachineError, match="the answer does not end"):
                using(lambda machine: machine.check(), endpoint=endpoint, read_timeout=0.1)
        finally:
            server.shutdown()
            thread.join()


class Drip(socketserver.StreamRequestHandler):
    """Says a little, again and again."""

    def handle(self) -> None:
        self.wfile.write(b"HTTP/1.1 200 OK\r\n\r\n")
        with contextlib.suppress(OSError):
            while True:
                self.wfile.write(b" ")
                time.sleep(0.01)


def test_no_such_region(using: Using) -> None:
    """A host that there is not is told as such, as the region is in its name."""
    with pytest.raises(Unreachable, match="no host has that name: check the region"):
        using(lambda machine: machine.check(), endpoint="http://ec2.xx-nowhere-9.invalid", attempts=1)


@pytest.fixture
def bare(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """An environment without credentials."""
    for name in [name for name in os.environ if name.startswith("AWS_")]:
        monkeypatch.delenv(name)
    for name in ("AWS_CONFIG_FILE", "AWS_SHARED_CREDENTIALS_FILE"):
        monkeypatch.setenv(name, str(tmp_path / "none"))
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")


def test_no_credentials(aws: StrictEc2, using: Using, bare: None) -> None:
    """Without credentials nothing is asked, and the error names the remedy."""
    for work in (
        lambda machine: machine.check(),
        lambda machine: machine.run(batch(launch("t-1"))),
        lambda machine: machine.resolve(batch(launch("t-1"))),
    ):
        with pytest.raises(MachineError, match="no AWS credentials are found; run `aws configure`, or set"):
            using(work)
    assert aws.calls == {}


def test_unknown_profile(using: Using, bare: None) -> None:
    """A profile that is not there is an error that names the remedy."""
    with pytest.raises(MachineError, match=r"nobody.*`aws configure list-profiles`"):
        using(lambda machine: machine.check(), profile="nobody")


def test_profile(aws: StrictEc2, using: Using, bare: None, tmp_path: Path) -> None:
    """The profile of the URL gives the credentials."""
    text = "[mine]\naws_access_key_id = PROFILEKEY\naws_secret_access_key = testing\n"
    (tmp_path / "none").write_text(text)
    assert using(lambda machine: machine.check(), profile="mine") is None
    assert aws.calls == {"DescribeInstances": 1}


@pytest.mark.parametrize(
    ("url", "message"),
    [
        ("aws:", "names no region"),
        ("aws://", "names no region"),
        ("aws://?poll=1", "names no region"),
        ("aws://nowhere", "names no region"),
        ("aws://US-EAST-1", "names no region"),
        ("aws://someone@us-east-1", "names more than a region"),
        ("aws://us-east-1:443", "names more than a region"),
        ("aws://us-east-1?polls=1", "did you mean 'poll'"),
        ("aws://us-east-1?poll=0", "must be a positive number of seconds"),
        ("aws://us-east-1?grace=soon", "must be a positive number of seconds"),
        ("aws://us-east-1?timeout=-1", "must be a positive number of seconds"),
        ("aws://us-east-1?attempts=0.5", "must be a whole number"),
        ("aws://us-east-1?attempts=0", "must be a whole number"),
        ("aws://key:secret@us-east-1", "must not carry a password"),
    ],
)
def test_bad_urls(url: str, message: str) -> None:
    """A URL that cannot be used is refused with what is wrong with it."""
    with pytest.raises(BadInput, match=message):
        AwsMachine.check_url(url)


@pytest.mark.parametrize(
    "url", ["aws://us-east-1", "aws://us-gov-west-1?profile=a&attempts=9", "aws://ap-southeast-2"]
)
def test_good_urls(url: str) -> None:
    """Regions as AWS has them are taken."""
    assert AwsMachine.check_url(url).text == url


def test_many_batches_at_once(aws: StrictEc2, ec2: "EC2Client", using: Using) -> None:
    """Batches that are run at the same time do not get into each other's way."""

    async def work(machine: AwsMachine) -> list[str]:
        runs = [machine.run(batch(launch(f"t-{n}"), by_id(NONE), allocate(f"a-{n}"))) for n in range(8)]
        outcomes = await asyncio.gather(*runs)
        assert len({o[2].response["AllocationId"] for o in outcomes}) == 8
        return [id_of(o[0]) for o in outcomes]

    assert set(using(work)) == set(states(ec2))
    assert len(states(ec2)) == 8


def test_close_ends_what_waits(aws: StrictEc2, using: Using) -> None:
    """Closing a machine ends its waits."""
    aws.delay = 600

    async def work(machine: AwsMachine) -> bool:
        (launched,) = await machine.run(batch(launch("t-1")))
        waiting = asyncio.ensure_future(machine.run(batch(wait(id_of(launched)))))
        await asyncio.sleep(0.1)
        await machine.close()
        await asyncio.wait([waiting], timeout=5)
        return waiting.cancelled()

    assert using(work, timeout=600)


EXPIRED = ("ExpiredToken", "The security token included in the request is expired")


@pytest.mark.parametrize("when", ["before", "after"])
def test_an_attempt_that_was_lost_is_not_forgotten(
    aws: StrictEc2, ec2: "EC2Client", run: Run, when: Literal["before", "after"]
) -> None:
    """Where a call is lost and the next attempt refused, nobody says that nothing was done."""
    aws.cut("RunInstances", when)
    aws.fail("*", *EXPIRED, times=100)
    (outcome,) = run(launch("t"))
    assert isinstance(outcome, Failure)
    assert outcome.in_doubt
    assert "a call was lost on its way to machine aws, and then: " in outcome.reason
    aws.forgive()
    assert len(states(ec2)) == (when == "after")


def test_what_a_lost_attempt_did_is_found(aws: StrictEc2, ec2: "EC2Client", run: Run) -> None:
    """What a call made that was lost, and then refused, is asked for by its token."""
    aws.cut("RunInstances", "after")
    aws.fail("RunInstances", *EXPIRED, times=100)
    (outcome,) = run(launch("t"))
    assert [id_of(outcome)] == list(states(ec2))


def test_a_lost_attempt_is_none_of_later_calls(aws: StrictEc2, using: Using) -> None:
    """What is only refused is not in doubt because a call before it was lost."""
    aws.cut("StopInstances", "before")

    async def work(machine: AwsMachine) -> list[Any]:
        return [(await machine.run(batch(power("StopInstances", NONE))))[0] for _ in range(2)]

    lost, refused = using(work)
    assert (lost.in_doubt, refused.in_doubt) == (True, False)
