"""`--serial` on EC2: a change of type of many goes in turns, and stops before the rest when one fails."""

import json
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from tests.lasercats.domains.ec2.conftest import Project

pytestmark = pytest.mark.slow
NAMES = [f"web-{n}" for n in range(5)]
CHANGE = ("ec2", "change-type", *NAMES, "--type", "t3.large")


@pytest.fixture
def five(project: "Project") -> "Project":
    """A project with five instances."""
    project.run("ec2", "launch", *NAMES, "--image", "ami-03cf127a", "--type", "t3.micro")
    project.aws.settle()
    project.run("observe", "aws")
    project.aws.clear()
    return project


def types(project: "Project") -> list[tuple[str, str]]:
    """Return type and state of the instances as a plain client sees them, in order of their names."""
    there, state = project.there(), project.state()
    ids = [state[f"ec2.instance/{name}"]["id"] for name in NAMES]
    return [(there[id_]["InstanceType"], there[id_]["State"]["Name"]) for id_ in ids]


def test_those_after_a_failure_are_neither_stopped_nor_changed(five: "Project") -> None:
    """The first turn is done, the one that fails ends it, the others run on as they were; then it goes on."""
    five.aws.twist("ModifyInstanceAttribute", lambda answer: answer, times=2)
    five.aws.fail("ModifyInstanceAttribute", "InsufficientInstanceCapacity", "none of that type is left")
    output = five.run(*CHANGE, "--serial", "2", "--json", fails=True)
    (result,) = json.loads(output[: output.rindex("}") + 1])["results"]
    assert result["untried"] == ["ec2.instance/web-4"]
    five.aws.settle()
    found = types(five)
    assert found[:2] == [("t3.large", "running")] * 2
    assert found[4] == ("t3.micro", "running")
    stopped = [id_ for action, params in five.aws.log if action == "StopInstances" for id_ in params.values()]
    assert five.state()["ec2.instance/web-4"]["id"] not in stopped
    assert five.aws.calls["StopInstances"] == 2
    five.run(*CHANGE, "--serial", "2")
    five.aws.settle()
    assert {type_ for type_, _ in types(five)} == {"t3.large"}


def test_killed_in_its_first_turn(five: "Project") -> None:
    """What became of the first turn is found out, and those of the others are as they were."""
    five.killed_at("ModifyInstanceAttribute", *CHANGE, "--serial", "1")
    five.run("recover")
    five.aws.settle()
    five.run("observe", "aws")
    assert [type_ for type_, _ in types(five)][1:] == ["t3.micro"] * 4
    five.run(*CHANGE, "--serial", "2")
    five.aws.settle()
    assert {type_ for type_, _ in types(five)} == {"t3.large"}
