"""Our own tag is on a thing no longer than until its id is on record, and it costs one call for many."""

from typing import TYPE_CHECKING, Any

import pytest

from lasercats.core.address import Address
from lasercats.core.program import alongside, drive
from lasercats.domains.ec2 import elastic_ip, key_pair, security_group, subnet, volume, vpc
from lasercats.instructions.aws import TOKEN_TAG, Answered, Call, Unmark
from lasercats.testing.aws import StrictEc2
from lasercats.testing.laws import check_replay

if TYPE_CHECKING:
    from tests.lasercats.domains.ec2.conftest import Account, Project

NET = Address("ec2.vpc/net")
SOME = tuple(Address(f"ec2.elastic_ip/ip-{n}") for n in range(30))
KEY = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIOMqqnkVzrm0SdG6UOoqKLsabgH5C9okWi0dh2l9GKJl ada"
COMMANDS = (
    vpc.Create(on=(NET,), cidr="10.0.0.0/16"),
    subnet.Create(on=(Address("ec2.subnet/a"),), vpc=NET, cidr="10.0.1.0/24"),
    security_group.Create(on=(Address("ec2.security_group/g"),), vpc=NET, description="of the test"),
    key_pair.Import(on=(Address("ec2.key_pair/k"),), public_key=KEY),
    volume.Create(on=(Address("ec2.volume/v"),), zone="us-east-1a", size=1, tags={"team": "a"}),
    elastic_ip.Allocate(on=SOME[:1]),
)


def marked(ec2: Any) -> list[str]:  # noqa: ANN401 - a client of boto3
    """Return what has our tag."""
    found = ec2.describe_tags(Filters=[{"Name": "key", "Values": [TOKEN_TAG]}])["Tags"]
    return sorted(tag["ResourceId"] for tag in found)


def test_nothing_has_our_tag_after_a_command(account: "Account") -> None:
    """Whatever is made, the tag by which it would be found after a crash is gone when its command is over."""
    account.do(*COMMANDS)
    assert marked(account.ec2) == []
    (described,) = account.ec2.describe_volumes()["Volumes"]
    assert described["Tags"] == [{"Key": "team", "Value": "a"}]
    check_replay(account.context)


def test_many_are_unmarked_by_one_call(account: "Account") -> None:
    """30 addresses that are allocated together lose their tags by one call."""
    account.do(elastic_ip.Allocate(on=SOME))
    assert account.aws.calls["DeleteTags"] == 1
    assert marked(account.ec2) == []


def test_a_tag_that_stays_fails_nothing_and_is_noted(account: "Account") -> None:
    """Where we may not delete tags, what was made is made, and the result tells what was left."""
    account.aws.fail("DeleteTags", "UnauthorizedOperation", "You are not authorized.", 403, times=9)
    (result,) = account.run(elastic_ip.Allocate(on=SOME[:1]))
    assert result.ok
    assert f"--tags Key={TOKEN_TAG}" in result.notes[SOME[0]]
    assert account.get(SOME[0]).id is not None


@pytest.mark.slow
@pytest.mark.parametrize("action", ["AllocateAddress", "DeleteTags"])
def test_what_a_crash_left_marked_is_found_and_unmarked(
    project: "Project", aws: StrictEc2, action: str
) -> None:
    """Killed before or after its id is on record, it is found by `recover`, and its tag is taken away."""
    project.killed_at(action, "ec2", "allocate", "ip")
    project.run("recover")
    (there,) = project.ec2().describe_addresses()["Addresses"]
    assert project.state()["ec2.elastic_ip/ip"]["id"] == there["AllocationId"]
    assert marked(project.ec2()) == []
    assert aws.calls["AllocateAddress"] == 1


def test_more_goes_along_with_the_first_step() -> None:
    """A program that something goes along with gets its own answers, and ends as it would alone."""
    steps = [Call(machine="m", operation=name, parameters={}) for name in ("A", "B")]

    def program() -> Any:  # noqa: ANN401
        first = yield steps[0]
        second = yield tuple(steps)
        return first, second

    asked: list[str] = []

    def respond(instruction: Any) -> Any:  # noqa: ANN401
        asked.append(getattr(instruction, "operation", "unmark"))
        return Answered({"of": asked[-1]})

    first, second = drive(alongside(Unmark(machine="m", id="i"), program()), respond)
    assert asked == ["unmark", "A", "A", "B"]
    assert first.response == {"of": "A"}
    assert [answered.response["of"] for answered in second] == ["A", "B"]
