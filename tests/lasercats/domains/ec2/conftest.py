"""An account on moto, as strict as AWS, and a project on it that the command line drives."""

import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from lasercats.testing.aws import MotoServer, StrictEc2, environment, why_not

if TYPE_CHECKING:
    from mypy_boto3_ec2 import EC2Client

LASERCATS = [sys.executable, "-c", "from lasercats.cli.main import main; main()"]


@pytest.fixture(scope="module")
def moto() -> Iterator[MotoServer]:
    """Run moto."""
    if why_not() is not None:
        pytest.fail(f"{why_not()}") if os.environ.get("CI") else pytest.skip(f"{why_not()}")
    with MotoServer() as server:
        yield server


@pytest.fixture
def aws(moto: MotoServer) -> Iterator[StrictEc2]:
    """Run an empty account, as strict as AWS."""
    moto.reset()
    with StrictEc2(moto) as proxy:
        yield proxy


class Project:
    """A project on an account, driven by the command line."""

    def __init__(self, folder: Path, aws: StrictEc2) -> None:
        self.folder, self.aws = folder, aws
        self.environment = {**os.environ, **environment(aws.endpoint)}
        self.run("init")
        self.run("machine", "add", "aws", "aws://us-east-1?poll=0.05&grace=1")

    def run(self, *arguments: str, fails: bool = False) -> str:
        """Run what must succeed, or fail, and return what it printed."""
        ran = subprocess.run(
            [*LASERCATS, *arguments],
            cwd=self.folder,
            env=self.environment,
            capture_output=True,
            text=True,
            check=False,
            timeout=120,
        )
        assert (ran.returncode != 0) == fails, ran.stdout + ran.stderr
        assert "Traceback" not in ran.stderr
        return ran.stdout + ran.stderr

    def start(self, *arguments: str) -> subprocess.Popen[bytes]:
        """Start what is going to be killed."""
        return subprocess.Popen(
            [*LASERCATS, *arguments],
            cwd=self.folder,
            env=self.environment,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )

    def killed_at(self, action: str, *arguments: str) -> None:
        """Run something and kill it while AWS has done an action and its answer is not there."""
        hold = self.aws.hold(action)
        process = self.start(*arguments)
        try:
            assert hold.wait(), f"{action} was never called"
        finally:
            process.send_signal(signal.SIGKILL)
            hold.set()
        assert process.wait() == -signal.SIGKILL

    def ec2(self) -> "EC2Client":
        """Return a plain client, as anybody else has one."""
        from boto3.session import Session

        session = Session("testing", "testing", region_name="us-east-1")
        return session.client("ec2", endpoint_url=self.aws.endpoint)

    def there(self) -> dict[str, Any]:
        """Return the instances that a plain client finds, by id."""
        ec2 = self.ec2()
        found = [i for r in ec2.describe_instances()["Reservations"] for i in r["Instances"]]
        ec2.close()
        return {
            i["InstanceId"]: i for i in found if i["State"]["Name"] not in ("terminated", "shutting-down")
        }

    def state(self) -> dict[str, Any]:
        """Return what the log says there is."""
        told: dict[str, Any] = json.loads(self.run("state", "--json"))["resources"]
        return told

    def check(self) -> dict[str, Any]:
        """Check that nothing is open, the log is whole, and AWS has what it says and nothing else."""
        assert self.run("recover") == "nothing is open\n"
        self.run("verify")
        self.run("drift", "--detailed-exitcode")
        state = self.state()
        assert sorted(r["id"] for a, r in state.items() if a.startswith("ec2.instance/")) == sorted(
            self.there()
        )
        return state


@pytest.fixture
def project(aws: StrictEc2, tmp_path: Path) -> Project:
    """Make a project on the account."""
    return Project(tmp_path, aws)
