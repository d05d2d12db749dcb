"""Nothing that exists on EC2 is dropped: every kind, whatever call fails from the n-th on."""

import os
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from functools import cache
from itertools import count
from pathlib import Path
from typing import Any, TypeVar

import pytest

from lasercats.core.command import Command
from lasercats.machines.aws import AwsMachine
from lasercats.machines.aws_client import Client
from lasercats.operate import begin
from lasercats.operate import project as projects
from lasercats.operate.issue import carry_out
from lasercats.operate.project import Project
from lasercats.testing import kept
from lasercats.testing.aws import StrictEc2, environment
from lasercats.testing.aws.faults import Fault
from lasercats.testing.aws.wire import Answer, error
from lasercats.testing.kept import check_kept
from lasercats.testing.running import finish

pytestmark = pytest.mark.slow
IMAGE = "ami-03cf127a"
URL = "aws://us-east-1?poll=0.01&grace=0.05&attempts=1&timeout=5"
ALWAYS = 10**6
FEWEST = 2
"""The fewest places at which anything can fail."""
Said = tuple[dict[str, Any], ...]
T = TypeVar("T")

INSTANCE = {"command": "ec2.launch", "image": IMAGE, "type": "t3.micro"}
VOLUME = {"command": "ec2.create_volume", "zone": "us-east-1a", "size": 8}
VPC: Said = ({"command": "ec2.create_vpc", "on": "n", "cidr": "10.0.0.0/16"},)
SUBNET = {"command": "ec2.create_subnet", "on": "s", "vpc": "ec2.vpc/n", "cidr": "10.0.0.0/24"}
GROUP = {"command": "ec2.create_security_group", "on": "g", "vpc": "ec2.vpc/n", "description": "a group"}
KEY = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIJ7rQFvBhfBdA5oGmMX6Jxq6Yc2Bq0r8hV0Yw6mXz2kE"


def ec2(command: str, on: Any, **fields: Any) -> dict[str, Any]:  # noqa: ANN401
    """Return a command as plain data."""
    return {"command": f"ec2.{command}", "on": on, **fields}


WORK: dict[str, tuple[Said, Said]] = {
    "launch": ((), ({**INSTANCE, "on": ["a", "b"]},)),
    "launch stopped": ((), ({**INSTANCE, "on": "a", "state": "stopped", "tags": {"Name": "a"}},)),
    "change of type": (
        ({**INSTANCE, "on": "a"},),
        (ec2("change_type", "a", type="t3.small"), ec2("tag", "a", tags={"k": "v"})),
    ),
    "terminate and launch": (({**INSTANCE, "on": "a"},), (ec2("terminate", "a"), {**INSTANCE, "on": "a"})),
    "volume": (
        (),
        ({**VOLUME, "on": "v"}, ec2("grow_volume", "v", size=9), ec2("tag_volume", "v", tags={"k": "v"})),
    ),
    "attach": (
        (
            {**INSTANCE, "on": "a"},
            {**VOLUME, "on": ["v", "w"]},
            ec2("attach", "w", instance="ec2.instance/a", device="/dev/sdg"),
        ),
        (
            ec2("attach", "v", instance="ec2.instance/a", device="/dev/sdf"),
            ec2("detach", "w"),
            ec2("delete_volume", "w"),
        ),
    ),
    "address": (
        (
            {**INSTANCE, "on": ["a", "b"]},
            ec2("allocate", "f"),
            ec2("associate", "f", instance="ec2.instance/b"),
        ),
        (
            ec2("allocate", "e"),
            ec2("associate", "e", instance="ec2.instance/a"),
            ec2("disassociate", "f"),
            ec2("release", "f"),
        ),
    ),
    "network": (
        (),
        (
            *VPC,
            {**SUBNET, "public_ips": True},
            {**GROUP, "ingress": [{"protocol": "tcp", "ports": "22", "peer": "10.0.0.0/8"}]},
            {**INSTANCE, "on": "a", "subnet": "ec2.subnet/s", "security_groups": ["ec2.security_group/g"]},
        ),
    ),
    "end of a network": (
        (*VPC, SUBNET, GROUP),
        (ec2("delete_subnet", "s"), ec2("delete_security_group", "g"), ec2("delete_vpc", "n")),
    ),
    "key": (
        (),
        (
            ec2("import_key_pair", "k", public_key=KEY),
            ec2("tag_key_pair", "k", tags={"k": "v"}),
            ec2("delete_key_pair", "k"),
        ),
    ),
}


@pytest.fixture
def make(aws: StrictEc2, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[[Said], Project]:
    """Make a project on an account in which nothing is but what some commands make."""
    numbers = count()
    for name, value in environment(aws.endpoint).items():
        monkeypatch.setenv(name, value)
    connect = cache(lambda _: Client(AwsMachine.check_url(URL), "machine aws", lambda: None, 10))
    monkeypatch.setattr(Client, "close", lambda _: None)  # which takes its time to connect anew
    monkeypatch.setattr("lasercats.machines.aws.Client", lambda *_: connect(0))

    def fresh(ground: Said) -> Project:
        aws.reset()
        folder = tmp_path / f"{next(numbers)}"
        begin.init(folder)
        (folder / projects.FILE).write_text(f'[environments.default.machines]\naws = "{URL}"\n')
        made = Project(folder)
        results = finish(made, carry_out(made, build(made, ground)))
        assert all(result.ok for result in results), results
        return made

    return fresh


def build(project: Project, said: Said) -> list[Command]:
    """Build commands."""
    return [project.kinds.command(command) for command in said]


def faults(aws: StrictEc2) -> dict[str, Callable[[int], Fault]]:
    """Return what may go wrong from a call on, by name."""
    denied = error("UnauthorizedOperation", "You are not authorized to perform this operation.")
    expired = error("ExpiredToken", "The security token included in the request is expired")
    limit = error("RequestLimitExceeded", "Request limit exceeded.")
    broken = error("InternalError", "An internal error has occurred")
    return {
        "cut before": lambda n: Fault("*", ALWAYS, spares=n),
        "cut after": lambda n: Fault("*", ALWAYS, "after", spares=n),
        "expired": lambda n: Fault("*", ALWAYS, answer=Answer(400, expired), spares=n),
        "throttled": lambda n: Fault("*", ALWAYS, answer=Answer(503, limit), spares=n),
        "broken": lambda n: Fault("*", ALWAYS, answer=Answer(500, broken), spares=n),
        "blind": lambda n: Fault("Describe*", ALWAYS, answer=Answer(403, denied), spares=n),
    }


def some(given: Sequence[T], work: str) -> Sequence[T]:
    """Return which faults are tried for some work: one of them, and by `make explore` all."""
    if os.environ.get("EXAMPLES") == "explore":
        return given
    return [given[list(WORK).index(work) % len(given)]]


@pytest.mark.parametrize("work", WORK)
def test_law_whatever_call_fails(make: Callable[[Said], Project], aws: StrictEc2, work: str) -> None:
    """After a call failed, and all later ones, what is there is known as soon as AWS can be asked."""
    ground, said = WORK[work]
    project = make(ground)
    commands = build(project, said)
    project.close()

    def failing(name: str, fault: Callable[[int], Fault]) -> kept.Fault:
        @contextmanager
        def befall(_: Project, n: int) -> Iterator[Callable[[], bool]]:
            befalls = aws.befall(fault(n))
            yield lambda: befalls.struck
            aws.forgive()

        befall.__name__ = name
        return befall

    chosen = [failing(*one) for one in some(list(faults(aws).items()), work)]
    assert check_kept(lambda: make(ground), commands, chosen) >= FEWEST * len(chosen)


@pytest.mark.parametrize("work", WORK)
def test_law_whatever_batch_fails(make: Callable[[Said], Project], work: str) -> None:
    """The same where a batch fails as a whole, or in part."""
    ground, said = WORK[work]
    project = make(ground)
    commands = build(project, said)
    project.close()
    chosen = some(kept.FAULTS, work)
    assert check_kept(lambda: make(ground), commands, chosen) >= FEWEST * len(chosen)
