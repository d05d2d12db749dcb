"""An estate that somebody else made is taken in as it is, and written down."""

import json
from typing import TYPE_CHECKING, Any

import pytest

from lasercats.testing.aws import StrictEc2

if TYPE_CHECKING:
    from mypy_boto3_ec2 import EC2Client

    from tests.lasercats.domains.ec2.conftest import Project

pytestmark = pytest.mark.slow
IMAGE = "ami-03cf127a"


def launch(ec2: "EC2Client", name: str, count: int = 1, **more: Any) -> list[str]:  # noqa: ANN401
    """Launch instances as somebody else would."""
    tags: Any = [{"ResourceType": "instance", "Tags": [{"Key": "Name", "Value": name}]}]
    made = ec2.run_instances(
        ImageId=IMAGE, InstanceType="t3.micro", MinCount=count, MaxCount=count, TagSpecifications=tags, **more
    )
    return sorted(instance["InstanceId"] for instance in made["Instances"])


@pytest.fixture
def estate(project: "Project", aws: StrictEc2) -> dict[str, Any]:
    """Make an estate: a front with a volume and an address of its own, and two of one name."""
    ec2 = project.ec2()
    (front,) = launch(ec2, "front", UserData="#!/bin/sh\necho hi\n")
    pool = launch(ec2, "pool", 2)
    volume = ec2.create_volume(AvailabilityZone="us-east-1a", Size=10)["VolumeId"]
    aws.settle()
    ec2.create_tags(Resources=[volume], Tags=[{"Key": "Name", "Value": "data"}])
    ec2.attach_volume(VolumeId=volume, InstanceId=front, Device="/dev/sdf")
    address = ec2.allocate_address(Domain="vpc")["AllocationId"]
    ec2.associate_address(AllocationId=address, InstanceId=front)
    ec2.close()
    aws.settle()
    aws.clear()
    return {"front": front, "pool": pool, "volume": volume, "address": address}


ONLY = ("--only", "ec2.instance/*", "--only", "ec2.volume/*", "--only", "ec2.elastic_ip/*")


def adopted(project: "Project") -> dict[str, Any]:
    """Adopt what a test made, and return what is managed."""
    project.run("adopt", "aws", *ONLY)
    return project.state()


def test_an_estate_is_taken_in(project: "Project", estate: dict[str, Any]) -> None:
    """By its Name tag, or by its id where that does not tell it apart, and with what refers to what."""
    state = adopted(project)
    assert {a: r["id"] for a, r in state.items()} == {
        "ec2.instance/front": estate["front"],
        "ec2.volume/data": estate["volume"],
        f"ec2.elastic_ip/{estate['address']}": estate["address"],
        **{f"ec2.instance/{name}": name for name in estate["pool"]},
    }
    assert state["ec2.instance/front"]["user_data"] == "#!/bin/sh\necho hi\n"
    assert state["ec2.volume/data"]["instance"] == "ec2.instance/front"
    assert state[f"ec2.elastic_ip/{estate['address']}"]["instance"] == "ec2.instance/front"
    project.check()


def test_its_document_is_what_is_there(project: "Project", estate: dict[str, Any]) -> None:
    """The document of what was taken in asks for nothing, and rebuilds the estate when it is gone."""
    state = adopted(project)
    document = project.folder / "estate.yaml"
    document.write_text(project.run("document"))
    assert "nothing to do" in project.run("plan", str(document), "--refresh")
    project.run("ec2", "disassociate", estate["address"])
    project.run("ec2", "detach", "data")
    project.run("ec2", "terminate", "front")
    assert "(corrective)" not in project.run("plan", str(document))
    project.run("apply", str(document), "--yes")
    again = project.check()
    assert again.keys() == state.keys()
    assert again["ec2.instance/front"]["id"] != estate["front"]
    assert again["ec2.volume/data"]["instance"] == "ec2.instance/front"


def test_only_what_is_new_is_taken_in(project: "Project", estate: dict[str, Any]) -> None:
    """What is managed is left alone; what has the name of something else is named by its id."""
    adopted(project)
    assert "nothing to take in" in project.run("adopt", *ONLY)
    ec2 = project.ec2()
    (other,) = launch(ec2, "front")
    ec2.create_tags(Resources=[estate["front"]], Tags=[{"Key": "Name", "Value": "was-front"}])
    ec2.close()
    data = json.loads(project.run("adopt", "--check", "--json", *ONLY))
    assert (list(data["new"]), data["managed"], data["position"]) == ([f"ec2.instance/{other}"], 5, None)
    assert f"ec2.instance/{other}" not in project.state()
    assert f"ec2.instance/{other}" in adopted(project)


def test_the_machine_is_only_looked_at(project: "Project", estate: dict[str, Any], aws: StrictEc2) -> None:
    """Neither taking in nor taking it back changes anything; undo forgets."""
    adopted(project)
    output = project.run("undo", "1")
    assert "5 forgotten" in output
    assert project.state() == {}
    assert {action for action in aws.calls if not action.startswith("Describe")} == set()
    assert len(project.there()) == 3
    assert len(adopted(project)) == 5


def test_what_was_changed_outside_is_corrective(project: "Project", estate: dict[str, Any]) -> None:
    """What leads back to what was decided is told apart from what is decided anew, seen or recorded."""
    adopted(project)
    document = project.folder / "estate.yaml"
    document.write_text(project.run("document").replace("t3.micro", "t3.small", 1))
    first, second = estate["pool"]
    ec2 = project.ec2()
    ec2.create_tags(Resources=[first], Tags=[{"Key": "team", "Value": "x"}])
    ec2.terminate_instances(InstanceIds=[second])
    ec2.close()
    project.aws.settle()
    for look in (("--refresh",), ()):
        data = json.loads(project.run("plan", str(document), "--json", *look).partition("\nfound")[0])
        assert data["corrective"].keys() == {f"ec2.instance/{first}", f"ec2.instance/{second}"}
        assert data["corrective"][f"ec2.instance/{first}"] == ["tags"]
        text = project.run("plan", str(document), *look)
        assert f"~ ec2.instance/{first}  (corrective)" in text
        assert f"+ ec2.instance/{second}  (corrective)" in text
        assert "(2 corrective, 1 intentional)" in text
        project.run("observe", "aws")
    project.run("ec2", "tag", first, "--tag", "team=y")
    assert "(1 corrective, 2 intentional)" in project.run("plan", str(document))


def test_a_host_cannot_list(project: "Project") -> None:
    """A machine that cannot list what is on it is refused, with what can be done."""
    assert "cannot list what is on it; `lasercats observe ADDRESS`" in project.run(
        "adopt", "local", fails=True
    )
    assert "no machine is called 'nowhere'" in project.run("adopt", "nowhere", fails=True)


def test_the_account_cannot_be_asked(project: "Project", aws: StrictEc2) -> None:
    """Where AWS refuses one sort, that is told, and the others are taken in."""
    launch(project.ec2(), "front")
    aws.fail("DescribeAddresses", "UnauthorizedOperation", "You are not authorized to do this.", 403, times=9)
    output = project.run("adopt", *ONLY, fails=True)
    assert "ec2.elastic_ip/aws: You are not authorized" in output
    assert list(project.state()) == ["ec2.instance/front"]
