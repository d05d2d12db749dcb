"""Killed for real in the middle of work on EC2: no instance is lost, none is made twice."""

import json
import random
import signal
import time
from collections import Counter
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from tests.lasercats.domains.ec2.conftest import Project

pytestmark = pytest.mark.crash
IMAGE = "ami-03cf127a"
LAUNCH = ("ec2", "launch", "web-1", "web-2", "web-3", "--image", IMAGE, "--type", "t3.micro")


def test_killed_while_a_launch_is_under_way(project: "Project") -> None:
    """Instances of which nobody heard are found by their token, and are not launched again."""
    project.killed_at("RunInstances", *LAUNCH)
    assert len(project.there()) == 3
    assert "is being changed by command" in project.run(*LAUNCH, fails=True)
    output = project.run("recover")
    assert output.count(": done\n") == 4
    state = project.check()
    assert {r["state"] for r in state.values()} == {"running"}
    assert project.aws.calls["RunInstances"] == 1
    assert "it is there already" in project.run(*LAUNCH, fails=True)
    assert len(project.there()) == 3


def test_killed_before_a_launch_was_seen(project: "Project") -> None:
    """Where the call never came to AWS nothing is there, and recover does not make it."""
    project.aws.throttle("RunInstances", 1000)
    process = project.start(*LAUNCH)
    deadline = time.monotonic() + 30
    while not project.aws.calls["RunInstances"] and time.monotonic() < deadline:
        time.sleep(0.01)
    process.kill()
    process.wait()
    assert project.run("recover").count(": not done\n") == 3
    assert project.check() == {}


def test_killed_while_instances_are_not_seen_yet(project: "Project") -> None:
    """What is launched and not yet listed is waited for, within the grace of the machine."""
    project.aws.invisible = 0.7
    project.killed_at("RunInstances", *LAUNCH)
    assert project.run("recover").count(": done\n") == 4
    assert len(project.check()) == 3


def test_killed_while_it_waits(project: "Project") -> None:
    """Killed while they start: the ids are on record, and recover waits for the rest."""
    project.aws.delay = 1.5
    process = project.start(*LAUNCH)
    deadline = time.monotonic() + 30
    while project.aws.calls["DescribeInstances"] < 3 and time.monotonic() < deadline:
        time.sleep(0.01)
    process.kill()
    process.wait()
    assert project.run("recover").count(": done\n") == 4
    assert {r["state"] for r in project.check().values()} == {"running"}
    assert project.aws.calls["RunInstances"] == 1


def test_killed_between_launch_and_stop(project: "Project") -> None:
    """A stopped instance is launched and then stopped: killed between, it is told as it is."""
    project.aws.delay = 1
    process = project.start(*LAUNCH, "--state", "stopped")
    deadline = time.monotonic() + 30
    while project.aws.calls["DescribeInstances"] < 3 and time.monotonic() < deadline:
        time.sleep(0.01)
    process.kill()
    process.wait()
    assert not project.aws.calls["StopInstances"]
    output = project.run("recover")
    assert output.count("done in part: the next step was never sent") == 3
    assert {r["state"] for r in project.check().values()} == {"running"}
    project.run("ec2", "stop", "web-1", "web-2", "web-3")
    project.check()


def test_killed_while_the_type_changes(project: "Project") -> None:
    """Killed when it was stopped for a new type: it is told as stopped, and the command comes again."""
    project.run(*LAUNCH)
    project.killed_at("StopInstances", "ec2", "change-type", "web-2", "--type", "t3.large")
    project.run("recover")
    project.aws.settle()
    seen = project.run("observe", "aws")
    state = project.check()["ec2.instance/web-2"]
    assert (state["type"], state["state"]) == ("t3.micro", "stopped"), seen


def test_killed_while_it_is_terminated(project: "Project") -> None:
    """Killed while it goes: it is gone, and the log says so."""
    project.run(*LAUNCH)
    project.killed_at("TerminateInstances", "ec2", "terminate", "web-2")
    assert "done" in project.run("recover")
    assert sorted(project.check()) == ["ec2.instance/web-1", "ec2.instance/web-3"]


@pytest.mark.parametrize(
    ("action", "arguments"),
    [
        ("CreateVolume", ("ec2", "create-volume", "data", "--zone", "us-east-1a", "--size", "10")),
        ("AllocateAddress", ("ec2", "allocate", "front")),
    ],
)
def test_killed_while_something_else_is_made(
    project: "Project", action: str, arguments: tuple[str, ...]
) -> None:
    """A volume or address of which nobody heard is found, too."""
    project.killed_at(action, *arguments)
    assert ": done\n" in project.run("recover")
    (resource,) = project.check().values()
    assert resource["id"]
    assert project.aws.calls[action] == 1


def test_killed_while_a_later_step_is_under_way(project: "Project") -> None:
    """What was made by the step before it is known by its id, though nothing has its name."""
    project.run("ec2", "create-vpc", "v", "--cidr", "10.0.0.0/16")
    subnet = ("ec2", "create-subnet", "s", "--vpc", "ec2.vpc/v", "--cidr", "10.0.0.0/24", "--public-ips")
    project.killed_at("ModifySubnetAttribute", *subnet)
    assert "ec2.subnet/s: done\n" in project.run("recover")
    assert project.state()["ec2.subnet/s"]["public_ips"] is True
    project.killed_at("StopInstances", *LAUNCH, "--state", "stopped")
    assert project.run("recover").count(": done\n") == 4
    project.aws.settle()
    assert {r.get("state") for a, r in project.check().items() if "instance" in a} == {"stopped"}


def test_killed_when_a_later_step_was_not_done(project: "Project") -> None:
    """Where the call never came to AWS, that is told, and what was made before it is known."""
    project.run("ec2", "create-vpc", "v", "--cidr", "10.0.0.0/16")
    project.aws.throttle("ModifySubnetAttribute", 1000)
    subnet = ("ec2", "create-subnet", "s", "--vpc", "ec2.vpc/v", "--cidr", "10.0.0.0/24", "--public-ips")
    process = project.start(*subnet)
    deadline = time.monotonic() + 30
    while not project.aws.calls["ModifySubnetAttribute"] and time.monotonic() < deadline:
        time.sleep(0.01)
    process.kill()
    process.wait()
    assert "done in part: nobody knows whether the last step was done" in project.run("recover")
    assert project.state()["ec2.subnet/s"]["public_ips"] is False
    project.aws.forgive()
    project.run("ec2", "enable-public-ips", "s")
    project.check()


def test_the_endpoint_is_down_when_it_recovers(project: "Project") -> None:
    """While AWS cannot be asked, a command stays open; later it is found out."""
    project.killed_at("RunInstances", *LAUNCH)
    project.aws.throttle("*", 100)
    output = project.run("recover", fails=True)
    assert "throttles our calls" in output
    project.aws.forgive()
    assert project.run("recover").count(": done\n") == 4
    assert len(project.check()) == 3


def commands(turn: int) -> list[dict[str, Any]]:
    """Return commands that launch much, change and terminate some of it, and hand out addresses."""
    made: list[dict[str, Any]] = []
    for k in range(8):
        name, ip = f"n{turn}-{k}", f"ip{turn}-{k}"
        tags, type_ = {"Name": name}, ("small", "large")[k % 2]
        made.append({"command": "ec2.launch", "on": [name], "image": IMAGE, "type": "t3.micro", "tags": tags})
        made.append({"command": "ec2.change_type", "on": [name], "type": f"t3.{type_}"})
        if k % 3 == 0:
            made.append({"command": "ec2.allocate", "on": [ip], "tags": {"Name": ip}})
            made.append({"command": "ec2.associate", "on": [ip], "instance": f"ec2.instance/{name}"})
        elif k % 2 == 0:
            made.append({"command": "ec2.terminate", "on": [name]})
    return made


def test_killed_at_any_moment(project: "Project") -> None:
    """Killed again and again while much goes on, nothing is lost or made twice."""
    project.aws.delay = 0.1
    rng, killed = random.Random(11), 0  # noqa: S311 - a seed, not a secret
    file = project.folder / "commands.jsonl"
    for turn in range(6):
        file.write_text("".join(json.dumps(command) + "\n" for command in commands(turn)))
        process, calls = project.start("issue", str(file), "--yes"), sum(project.aws.calls.values())
        deadline = time.monotonic() + 30
        while sum(project.aws.calls.values()) == calls and time.monotonic() < deadline:
            time.sleep(0.005)
        time.sleep(rng.uniform(0.05, 1.2))
        process.send_signal(signal.SIGKILL)
        killed += process.wait() == -signal.SIGKILL
        project.run("recover")
        project.aws.settle()
        project.run("observe", "aws")
        project.check()
        tags = [tag for i in project.there().values() for tag in i["Tags"] if tag["Key"] == "Name"]
        assert max(Counter(tag["Value"] for tag in tags).values(), default=1) == 1
    assert killed >= 3
