"""A process that was taken over, and then launches an instance all the same: its id is never dropped."""

import re
import signal
import subprocess
import time
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from tests.lasercats.domains.ec2.conftest import Project

pytestmark = pytest.mark.crash
LAUNCH = ("ec2", "launch", "web-1", "--image", "ami-03cf127a", "--type", "t3.micro")


def taken_over(project: "Project") -> "subprocess.Popen[bytes]":
    """Start a launch that AWS throttles, stop its process, and take its command over; return the process."""
    project.aws.throttle("RunInstances", 1000)
    process = project.start(*LAUNCH)
    deadline = time.monotonic() + 60
    while not project.aws.calls["RunInstances"] and time.monotonic() < deadline:
        time.sleep(0.01)
    process.send_signal(signal.SIGSTOP)
    assert "not done" in project.run("recover", "--force")
    project.aws.forgive()
    return process


def goes_on(process: "subprocess.Popen[bytes]") -> None:
    """Let the process go on until it has launched, and is refused by the log."""
    process.send_signal(signal.SIGCONT)
    assert process.wait(timeout=120) == 1


def test_what_it_launched_is_taken_into_the_state(project: "Project") -> None:
    """Where nothing else has its name the instance is what the state knows from then on."""
    goes_on(taken_over(project))
    (there,) = project.there()
    assert project.state() == {}
    assert f"{there} is there, and is recorded as observed" in project.run("recover")
    assert project.check()["ec2.instance/web-1"]["id"] == there
    assert "it is there already" in project.run(*LAUNCH, fails=True)


def test_the_next_launch_finds_it(project: "Project") -> None:
    """Nobody launches a second one before what was told late has been looked at."""
    goes_on(taken_over(project))
    assert "it is there already" in project.run(*LAUNCH, fails=True)
    assert len(project.check()) == len(project.there()) == 1


def test_what_stands_beside_another_is_told(project: "Project") -> None:
    """Where another was launched meanwhile the state keeps that one, and the id of the first is told."""
    process = taken_over(project)
    project.run(*LAUNCH)
    (second,) = project.there()
    goes_on(process)
    (first,) = project.there().keys() - {second}
    output = project.run("recover")
    assert re.search(rf"{first} was made as well, and is not in the state", output)
    assert project.state()["ec2.instance/web-1"]["id"] == second
    assert project.run("recover") == "nothing is open\n"
    project.run("verify")
