"""A look at another account, region or EC2 is no look: nothing is recorded as removed, nothing is done."""

import json
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import pytest

from lasercats.testing.aws import MotoServer, StrictEc2

if TYPE_CHECKING:
    from pathlib import Path

    from tests.lasercats.domains.ec2.conftest import Project

pytestmark = pytest.mark.slow
LAUNCH = ("ec2", "launch", "a", "--image", "ami-03cf127a", "--type", "t3.micro")
PROFILES = """\
[profile other]
role_arn = arn:aws:iam::111122223333:role/ops
credential_source = Environment
"""


def identity(project: "Project") -> Any:  # noqa: ANN401
    """Return what the account is known by."""
    (one,) = [m for m in json.loads(project.run("machine", "list", "--json")) if m["name"] == "aws"]
    return one["identity"]


ALL = (
    ("ec2", "stop", "a"),
    ("drift",),
    ("observe", "--json"),
    ("adopt", "aws"),
    ("plan", "--refresh", "site.yaml"),
    ("apply", "--refresh", "--yes", "site.yaml"),
    ("machine", "check", "aws"),
)
"""Verbs that look at a machine, or act on it."""


def refused(project: "Project", differs: str, verbs: Sequence[Sequence[str]] = ALL[:2]) -> None:
    """Check that verbs do nothing and believe nothing, and that each says why and ends with 1."""
    before, there = project.state(), project.there()
    (project.folder / "site.yaml").write_text(project.run("document"))
    project.aws.clear()
    for verb in verbs:
        said = project.run(*verb, fails=True)
        assert differs in said, (verb, said)
        assert "lasercats machine accept aws" in said
        assert "nothing to do" not in said
        assert "all as the state says" not in said
    assert {call for call in project.aws.calls if not call.startswith("Describe")} == set()
    assert (project.state(), project.there()) == (before, there)


@contextmanager
def bound_to(project: "Project", url: str) -> Iterator[None]:
    """Bind the machine to another URL for a while, as an editor does."""
    file: Path = project.folder / "lasercats.toml"
    was = file.read_text()
    (line,) = [line for line in was.splitlines() if "aws://" in line]
    file.write_text(was.replace(line, f'aws = "{url}"'))
    yield
    file.write_text(was)


def test_another_region_is_refused(project: "Project") -> None:
    """One command in the wrong region records and sends nothing; in the right one all is managed."""
    project.run(*LAUNCH)
    known = identity(project)
    assert (known["region"], known["account"], known["partition"]) == ("us-east-1", "123456789012", "aws")
    with bound_to(project, "aws://eu-west-1?poll=0.05"):
        refused(project, "region is eu-west-1 and was us-east-1", ALL)
    project.run("drift", "--detailed-exitcode")
    assert identity(project) == known


def test_another_account_is_refused(project: "Project") -> None:
    """A profile of another account, by an assumed role, is noticed by what STS tells."""
    project.run(*LAUNCH)
    config = project.folder / "aws.config"
    config.write_text(PROFILES)
    project.environment |= {
        "AWS_CONFIG_FILE": str(config),
        "AWS_ENDPOINT_URL_STS": project.aws.endpoint,
    }
    with bound_to(project, "aws://us-east-1?poll=0.05&profile=other"):
        refused(project, "account is 111122223333 and was 123456789012")
    project.run("drift", "--detailed-exitcode")


def test_another_ec2_is_refused(project: "Project") -> None:
    """An EC2 that is not AWS numbers its own accounts: another endpoint is another place."""
    project.run(*LAUNCH)
    with MotoServer() as server, StrictEc2(server) as other:
        project.environment["AWS_ENDPOINT_URL_EC2"] = other.endpoint
        refused(project, f"endpoint is {other.endpoint.removeprefix('http://')}")
        assert set(other.calls) <= {"DescribeInstances"}


def test_whose_account_it_is_is_asked_once(project: "Project") -> None:
    """STS is asked once a connection; where it refuses, that says nothing, and is made up for later."""
    project.aws.sts_barred = True
    project.run(*LAUNCH)
    assert project.aws.sts == {"GetCallerIdentity": 1}
    assert "account" not in identity(project)
    project.run("drift", "--detailed-exitcode")
    project.aws.sts_barred = False
    project.run("ec2", "stop", "a")
    assert project.aws.sts == {"GetCallerIdentity": 3}
    assert identity(project)["account"] == "123456789012"
    with bound_to(project, "aws://us-east-1?poll=0.05&sts=none"):
        project.run("drift", "--detailed-exitcode")
    assert project.aws.sts == {"GetCallerIdentity": 3}


def test_another_is_accepted(project: "Project") -> None:
    """`machine accept` shows both sides and asks; from then on the new place is the one, on record."""
    project.run(*LAUNCH)
    with bound_to(project, "aws://eu-west-1?poll=0.05"):
        assert "not agreed to" in project.run("machine", "accept", "aws", fails=True)
        assert identity(project)["region"] == "us-east-1"
        output = project.run("machine", "accept", "aws", "--yes", "-m", "moved")
        assert "region:      us-east-1 → eu-west-1" in output
        assert "the state holds 1 resource of aws" in output
        assert "1 removed outside" in project.run("drift")
        assert "nothing to accept" in project.run("machine", "accept", "aws")
    log = json.loads(project.run("log", "--json"))
    assert [(one["type"], one.get("message")) for one in log] == [("ec2.launch", None), ("accepted", "moved")]
    rows = json.loads(
        project.run("query", "--json", "SELECT machine, accepted, identity FROM identities ORDER BY position")
    )
    records = rows["rows"] if isinstance(rows, dict) else rows
    assert [bool(row["accepted"] if isinstance(row, dict) else row[1]) for row in records] == [False, True]
    project.run("verify", "--repair")
    assert identity(project)["region"] == "eu-west-1"


def test_nothing_is_recovered_at_the_wrong_place(project: "Project") -> None:
    """What was launched as we died is not judged in another region; in the right one it is found."""
    project.killed_at("RunInstances", *LAUNCH)
    with bound_to(project, "aws://eu-west-1?poll=0.05&grace=1"):
        assert "region is eu-west-1 and was us-east-1" in project.run("recover", fails=True)
    project.run("recover")
    project.check()


def test_a_look_that_is_refused_is_no_look(project: "Project") -> None:
    """Where EC2 refuses a look, a verb says so and ends with 1, and what else it looks at is told."""
    project.run(*LAUNCH)
    file = project.folder / "f"
    project.run("file", "write", f"local:{file}", "--content", "one")
    (project.folder / "site.yaml").write_text(project.run("document"))
    file.write_text("two")
    refusal = ("DescribeInstances", "UnauthorizedOperation", "You are not authorized to perform this.", 403)
    for verb in (("drift",), ("drift", "--json"), ("plan", "--refresh", "site.yaml"), ("observe",)):
        project.aws.fail(*refusal, times=1)
        said = project.run(*verb, fails=True)
        assert "not authorized" in said
        assert "two" in said or "1 changed outside" in said
    project.aws.fail(*refusal, times=1)
    assert "could not be looked at" in project.run("plan", "--refresh", "site.yaml", fails=True)
    assert "ec2.instance/a" in project.state()
