"""Whatever EC2 answers: our own errors only, neighbours unharmed, the log true, and all within bounds."""

import json
import subprocess
import sys
from collections.abc import Callable
from random import Random
from typing import TYPE_CHECKING, Any

import pytest

from lasercats.core.address import Address, kind_of
from lasercats.core.command import Command
from lasercats.core.kind import Kind
from lasercats.core.settle import believe, drift
from lasercats.domains.ec2 import DOMAIN, elastic_ip, instance, key_pair, security_group, subnet, volume, vpc
from lasercats.domains.ec2.account import Tag
from lasercats.interpreters.driver import Driver
from lasercats.interpreters.looking import look
from lasercats.interpreters.task import Task
from lasercats.testing.aws import StrictEc2
from lasercats.testing.aws.mangle import mangled
from lasercats.testing.aws.wire import Answer

if TYPE_CHECKING:
    from tests.lasercats.domains.ec2.conftest import Account, Project

pytestmark = pytest.mark.slow
IMAGE = "ami-03cf127a"
KEY = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIKS3hN2asqomyPuekKD3rre0IJh6IUdi3ZzhY2wUpA5m"
MADE: tuple[Command, ...] = (
    vpc.Create(on=(Address("ec2.vpc/v"),), cidr="10.0.0.0/16", tags={"Name": "v"}),
    subnet.Create(on=(Address("ec2.subnet/s"),), vpc="ec2.vpc/v", cidr="10.0.1.0/24", tags={"Name": "s"}),
    security_group.Create(on=(Address("ec2.security_group/g"),), description="g"),
    key_pair.Import(on=(Address("ec2.key_pair/k"),), public_key=KEY),
    instance.Launch(
        on=(Address("ec2.instance/a"),),
        image=IMAGE,
        type="t3.micro",
        tags={"Name": "a"},
        user_data="hi",
        protected=False,
    ),
    instance.Launch(on=(Address("ec2.instance/b"),), image=IMAGE, type="t3.small", tags={"Name": "b"}),
    volume.Create(on=(Address("ec2.volume/d"),), zone="us-east-1a", size=1, tags={"Name": "d"}),
    elastic_ip.Allocate(on=(Address("ec2.elastic_ip/e"),), tags={"Name": "e"}),
)
LOOKS = {
    "DescribeInstances": "ec2.instance",
    "DescribeInstanceAttribute": "ec2.instance",
    "DescribeVolumes": "ec2.volume",
    "DescribeAddresses": "ec2.elastic_ip",
    "DescribeVpcs": "ec2.vpc",
    "DescribeSubnets": "ec2.subnet",
    "DescribeSecurityGroups": "ec2.security_group",
    "DescribeKeyPairs": "ec2.key_pair",
}
SEEDS = 200
impatient = pytest.mark.parametrize("account", ["&attempts=1&timeout=1&grace=0.1"], indirect=True)
Twist = Callable[[Answer], Answer]


def damaged(seed: int) -> tuple[Random, Twist]:
    """Return what chooses by a seed, and damages answers by it."""
    random = Random(seed)  # noqa: S311 - it must come the same way again
    return random, lambda answer: mangled(random, answer)


async def discovered(account: "Account", kinds: tuple[Kind[Any], ...]) -> dict[str, Task]:
    """Find all of some kinds on the account."""
    tasks = {kind.name: Task(kind.discover("aws")) for kind in kinds if kind.has("discover")}
    await Driver(account.context).run(list(tasks.values()))
    return tasks


@impatient
def test_looks_at_garbage(account: "Account") -> None:
    """A look whose answer is damaged fails for what it is about, with a reason, and for nothing else."""
    account.do(*MADE)
    state = account.state()
    wanted = {address: 0 for address, _ in state.items()}
    failed = 0
    for seed in range(SEEDS):
        random, twist = damaged(seed)
        action = random.choice(sorted(LOOKS))
        account.aws.twist(action, twist, times=random.choice((1, 9)))
        found, unseen = account.runner.run(look(wanted, state, account.context))
        listed = account.runner.run(discovered(account, DOMAIN.kinds))
        account.aws.forgive()
        assert found.keys() | unseen.keys() == wanted.keys(), seed
        others = [a for a in wanted if kind_of(a) not in (LOOKS[action], "ec2.instance")]
        assert not drift(state, believe(state, found), others), seed
        fails = {name for name, task in listed.items() if task.failure is not None}
        assert fails <= {LOOKS[action], "ec2.instance"}, seed
        assert all(reason.strip() and len(reason) < 2000 for reason in unseen.values()), seed
        failed += bool(unseen or fails)
    assert failed > SEEDS / 4, "the answers were hardly damaged"
    assert failed < SEEDS, "nothing was ever understood"


@impatient
def test_commands_that_are_answered_with_garbage(account: "Account") -> None:
    """A command whose answers are damaged ends with our own error or in doubt; others beside it are done."""
    account.do(*MADE)
    actions = ["CreateTags", "DescribeInstances", "RunInstances", "CreateVolume", "AllocateAddress"]
    for seed in range(40):
        random, twist = damaged(seed)
        action, name = random.choice(actions), f"n{seed}"
        account.aws.twist(action, twist, times=random.choice((1, 9)))
        results = account.run(
            Tag(on=(Address("ec2.instance/a"),), tags={"seed": str(seed)}),
            instance.Launch(on=(Address(f"ec2.instance/{name}"),), image=IMAGE, type="t3.micro"),
            volume.Create(on=(Address(f"ec2.volume/{name}"),), zone="us-east-1a", size=1),
            elastic_ip.Allocate(on=(Address(f"ec2.elastic_ip/{name}"),)),
            Tag(on=(Address("ec2.subnet/s"),), tags={"seed": str(seed)}),
        )
        account.aws.forgive()
        assert {r.status for r in results} <= {"done", "failed", "open", "refused", "unchanged"}, seed
        assert results[-1].ok or action == "CreateTags", (seed, results[-1])
        assert all(r.ok or r.problems for r in results), seed
        if any(r.status == "open" for r in results):
            account.fresh()  # as after `recover`, which has tests of its own
            account.do(*MADE)
    assert account.context.log.fold().state(account.context.kinds).resources()


def endless(answer: Answer) -> Answer:
    """Return an answer that does not end."""
    return Answer(answer.status, b"<item>" + b"x" * 65536 + b"</item>", endless=True)


def paged(answer: Answer) -> Answer:
    """Return a page after which there is always the same one."""
    return Answer(
        answer.status, answer.body.replace(b"</Describe", b"<nextToken>again</nextToken></Describe", 1)
    )


MEASURED = """
import atexit
from pathlib import Path
from lasercats.cli.main import main
peak = lambda: next(l for l in Path("/proc/self/status").read_text().splitlines() if l.startswith("VmHWM:"))
atexit.register(lambda: print(peak()))
main()
"""
"""Tells its peak of memory at its end; what a parent is told of it counts what the parent had, too."""


def measured(project: "Project", *arguments: str) -> tuple[int, str, int]:
    """Run something; return its exit code, what it printed, and its peak of memory in MiB."""
    ran = subprocess.run(
        [sys.executable, "-c", MEASURED, *arguments],
        cwd=project.folder,
        env=project.environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        check=False,
    )
    output, _, peak = ran.stdout.rpartition("VmHWM:")
    return ran.returncode, output, int(peak.split()[0]) // 1024


@pytest.mark.parametrize(
    ("twist", "why"), [(endless, "the answer has more"), (paged, "its pages do not end")]
)
def test_an_answer_without_end(project: "Project", aws: StrictEc2, twist: Twist, why: str) -> None:
    """What does not end is given up within bounds, and told; what stands beside it is looked at."""
    project.run("ec2", "launch", "a", "--image", IMAGE, "--type", "t3.micro")
    project.run("ec2", "create-volume", "d", "--zone", "us-east-1a", "--size", "1")
    aws.twist("DescribeVolumes", twist, times=99)
    code, output, peak = measured(project, "observe")
    assert code == 1
    assert "Traceback" not in output
    assert f"ec2.volume/d: what machine aws answers cannot be understood: {why}" in output
    assert "looked at 1" in output
    assert peak < 400
    aws.forgive()
    project.check()


def test_what_is_odd_in_many_ways(project: "Project") -> None:
    """An estate whose names have any form is taken in, written down, and is as the document says."""
    ec2 = project.ec2()
    names = (
        "team/ops: web",
        " padded ",
        "corp\\bob",
        "a*",
        "ab",
        "naïve\u200d👩\u200d💻",
        "tab\there",
        "a'\"$`b",
        "-x",
        "i-x",
    )
    for name in names:
        ec2.create_volume(
            AvailabilityZone="us-east-1a",
            Size=1,
            TagSpecifications=[{"ResourceType": "volume", "Tags": [{"Key": "Name", "Value": name}]}],
        )
        ec2.create_security_group(
            GroupName=f"g {name}".strip(), Description="any: text"
        ) if name.isascii() and "\t" not in name else None
    ec2.close()
    project.run("adopt", "--exclude", "*subnet*", "--exclude", "*vpc*")
    document = project.folder / "estate.yaml"
    document.write_text(project.run("document"))
    assert "nothing to do" in project.run("plan", str(document), "--refresh")
    assert json.loads(project.run("drift", "--json", "--detailed-exitcode"))["drift"] == {}
    state = project.state()
    for name in names:
        address = next(a for a, r in state.items() if (r.get("tags") or {}).get("Name") == name)
        project.run("ec2", "tag-volume", "--tag", "seen=yes", "--", address)
        assert project.state()[address]["tags"] == {"Name": name, "seen": "yes"}
    project.check()
