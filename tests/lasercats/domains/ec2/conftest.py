"""An account on moto, as strict as AWS, and a project on it that the command line drives."""

import asyncio
import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from msgspec.structs import replace

from lasercats.core.address import Address
from lasercats.core.change import Change, Delta
from lasercats.core.command import Command
from lasercats.core.converge import converge
from lasercats.core.registry import Kinds
from lasercats.core.state import State
from lasercats.domains.ec2 import DOMAIN
from lasercats.interpreters.context import Context, Result
from lasercats.interpreters.live import Live
from lasercats.logs.sqlite import SqliteLog
from lasercats.machines.vault import KeyVault
from lasercats.operate.bound import BoundMachines
from lasercats.testing.aws import MotoServer, StrictEc2, environment, why_not
from lasercats.testing.peers import need
from tests import forks

if TYPE_CHECKING:
    from mypy_boto3_ec2 import EC2Client

KINDS = Kinds([DOMAIN])
LASERCATS = [sys.executable, "-c", "from lasercats.cli.main import main; main()"]


@pytest.fixture(scope="module")
def moto() -> Iterator[MotoServer]:
    """Run moto."""
    need(why_not())
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
        code, out, err = forks.run(arguments, self.folder, self.environment)
        assert (code != 0) == fails, out + err
        assert "Traceback" not in err
        return out + err

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
        data: dict[str, Any] = json.loads(self.run("state", "--json"))["resources"]
        return data

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


@pytest.fixture
def account(
    aws: StrictEc2, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, request: pytest.FixtureRequest
) -> Iterator["Account"]:
    """Drive the account without the command line; a test may give options of its machine."""
    with asyncio.Runner() as runner:
        for name, value in environment(aws.endpoint).items():
            monkeypatch.setenv(name, value)
        made = Account(aws, runner, tmp_path, getattr(request, "param", ""))
        made.fresh()
        yield made
        runner.run(made.machines.close())
        made.ec2.close()


class Account:
    """An account that is driven without the command line: its machine, a log of it, and a plain client."""

    def __init__(self, aws: StrictEc2, runner: asyncio.Runner, folder: Path, options: str = "") -> None:
        import boto3

        url = f"aws://us-east-1?poll=0.05{options}&endpoint={aws.endpoint}"
        self.aws, self.runner = aws, runner
        self.machines = BoundMachines({"aws": url}, KeyVault(folder / "key"))
        self.ec2: EC2Client = boto3.client("ec2", endpoint_url=aws.endpoint)

    def fresh(self) -> None:
        """Empty the account and start a new log."""
        self.aws.reset()
        log = SqliteLog(":memory:", create=True)
        self.context = Context(
            kinds=KINDS, log=log, machines=self.machines, actor="tester", run="test", agreed=None
        )

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
