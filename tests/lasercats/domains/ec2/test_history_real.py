"""What a log gives on EC2: a shorter history, an undo that is honest, a plan that replaces openly."""

import base64
import gzip
import json
from typing import TYPE_CHECKING

import pytest

from lasercats.testing.aws import StrictEc2

if TYPE_CHECKING:
    from tests.lasercats.domains.ec2.conftest import Project

pytestmark = pytest.mark.slow
IMAGE, OTHER = "ami-03cf127a", "ami-12c6146b"
HOLDER = ("--instance", "ec2.instance/web")
DOCUMENT = """\
resources:
  ec2.instance/web:
    image: {image}  # as the security team wants it
    type: t3.micro
"""


def launch(project: "Project", name: str = "web", type_: str = "t3.micro") -> str:
    """Launch an instance and return its id."""
    project.run("ec2", "launch", name, "--image", IMAGE, "--type", type_)
    return str(project.state()[f"ec2.instance/{name}"]["id"])


def test_small_and_then_large_is_one_launch(project: "Project", aws: StrictEc2) -> None:
    """The seed's example: launched small and changed to large is rewritten to one launch, which does it."""
    launch(project, "seed", "t3.small")
    project.run("ec2", "change-type", "seed", "--type", "t3.large")
    output = project.run("rewrite", "1..HEAD", "--out", "shorter.jsonl")
    assert "2 commands are 1 now; both end in the same state" in output
    (line,) = [x for x in (project.folder / "shorter.jsonl").read_text().splitlines() if x[0] != "#"]
    assert json.loads(line) == {
        "command": "ec2.launch",
        "image": IMAGE,
        "type": "t3.large",
        "state": "running",
        "on": ["ec2.instance/seed"],
    }
    project.run("ec2", "terminate", "seed")
    aws.clear()
    project.run("issue", "shorter.jsonl", "--yes")
    assert {a: n for a, n in aws.calls.items() if not a.startswith("Describe")} == {"RunInstances": 1}
    (instance,) = project.there().values()
    assert instance["InstanceType"] == "t3.large"


def test_undo_of_a_terminate_tells_what_does_not_come_back(project: "Project", aws: StrictEc2) -> None:
    """Id, public address and data do not: that is told before anything is done, and a new one is made."""
    id_ = launch(project)
    was = project.state()["ec2.instance/web"]
    project.run("ec2", "terminate", "web")
    for arguments in (["undo", "HEAD", "--check"], ["undo", "HEAD", "--yes"]):
        output = project.run(*arguments)
        assert f"ec2.instance/web is made anew: id {id_}, public address {was['public_ip']}" in output
        assert "data on its instance store and on its own volumes do not come back" in output
    now = project.check()["ec2.instance/web"]
    assert (now["id"] != id_, now["type"], now["state"]) == (True, "t3.micro", "running")
    project.run("ec2", "terminate", "web")
    lost = json.loads(project.run("undo", "HEAD", "--check", "--json"))["lost"]
    assert lost["ec2.instance/web"][0] == f"id {now['id']}"
    assert project.there() == {}


def test_undo_of_a_launch_loses_nothing_that_was(project: "Project") -> None:
    """What was made is taken away again, and nothing is said to be lost."""
    launch(project)
    assert "come back" not in project.run("undo", "HEAD", "--yes")
    assert project.check() == {}


def test_another_image_is_a_replacement(project: "Project", aws: StrictEc2) -> None:
    """It is shown as one, with what is lost; neither silence nor --json agrees to it, only --yes does."""
    document = project.folder / "web.yaml"
    document.write_text(DOCUMENT.format(image=IMAGE))
    project.run("apply", str(document), "--yes")
    (old,) = project.there()
    document.write_text(DOCUMENT.format(image=OTHER))
    output = project.run("plan", str(document))
    assert "± ec2.instance/web  (removed and made anew)" in output
    assert f"image: {IMAGE} → {OTHER}" in output
    assert f"ec2.instance/web is made anew: id {old}, " in output
    planned = json.loads(project.run("plan", str(document), "--json"))
    assert planned["replaced"] == ["ec2.instance/web"]
    assert planned["lost"]["ec2.instance/web"][0] == f"id {old}"
    aws.clear()
    for arguments in ([], ["--json"]):
        output = project.run("apply", str(document), *arguments, fails=True)
        assert "agree with --yes" in output
    assert all(call.startswith("Describe") for call in aws.calls)
    assert list(project.there()) == [old]
    assert json.loads(project.run("apply", str(document), "--json", "--yes"))["ok"]
    (new,) = project.check().values()
    assert (new["image"], new["id"] != old) == (OTHER, True)


def test_an_effect_that_is_not_in_the_state(project: "Project") -> None:
    """A reboot is told, recorded, and cannot be undone."""
    launch(project)
    assert project.run("ec2", "reboot", "web") == "1 rebooted\n"
    assert "effect not in the state" in project.run("log")
    assert "cannot be undone" in project.run("undo", "HEAD", fails=True)


def test_only_what_was_given_differs(project: "Project", aws: StrictEc2) -> None:
    """Stopped and started behind our back it has another address, and that is no drift to put back."""
    launch(project)
    (id_,) = project.there()
    ec2 = project.ec2()
    ec2.stop_instances(InstanceIds=[id_])
    aws.settle()
    ec2.start_instances(InstanceIds=[id_])
    aws.settle()
    ec2.close()
    assert "all as the state says" in project.run("drift")
    output = project.run("ec2", "start", "web")
    assert output == "nothing changed\n"


def test_a_machine_of_another_sort(project: "Project") -> None:
    """A command on a machine that cannot run it is refused before anything is accepted."""
    output = project.run("ec2", "launch", "local:web", "--image", IMAGE, "--type", "t3.micro", fails=True)
    assert output == "lasercats: machine 'local' (local:) is none for ec2; name another\n"
    assert "is none for host" in project.run("exec", "aws", "--", "true", fails=True)
    assert "is none for ec2" in project.run("observe", "ec2.instance/local:web", fails=True)
    assert json.loads(project.run("log", "--json")) == []


def test_the_log_reads_as_it_was_typed(project: "Project") -> None:
    """Verbs stand in the log as the command line has them."""
    launch(project)
    project.run("ec2", "change-type", "web", "--type", "t3.small", "-m", "more room")
    assert "ec2 change-type web" in project.run("log")
    output = project.run("blame", "ec2.instance/web")
    assert "more room" in output


def test_a_volume_that_grew_is_waited_for(project: "Project", aws: StrictEc2) -> None:
    """EC2 tells the old size for a while; a look right after the command finds the new one."""
    arguments = ("--image", IMAGE, "--type", "t3.micro", "--volume", "root=size:8")
    project.run("ec2", "launch", "web", *arguments)
    project.run("ec2", "create-volume", "data", "--zone", "us-east-1a", "--size", "1", "--type", "gp2")
    aws.settle()
    aws.delay = 1
    assert "size: 1 → 3" in project.run("ec2", "grow-volume", "data", "--size", "3")
    assert "all as the state says" in project.run("drift")
    assert "volumes.root.size: 8 → 9" in project.run("ec2", "grow", "web", "--volume", "root=size:9")
    assert "all as the state says" in project.run("drift")
    project.check()


def test_what_only_ec2_decides_is_kept_up_to_date(project: "Project") -> None:
    """Every look records the public address as it is; that is no change, and nothing is planned of it."""
    launch(project)
    document = project.folder / "d.yaml"
    document.write_text(project.run("document"))
    looks = (
        ("observe", "--detailed-exitcode"),
        ("drift", "--detailed-exitcode"),
        ("plan", str(document), "--refresh", "--detailed-exitcode"),
        ("ec2", "start", "web"),
    )
    ec2, (id_,) = project.ec2(), project.there()
    address = ec2.allocate_address(Domain="vpc")
    for n, look in enumerate(looks):
        if n % 2:
            ec2.disassociate_address(PublicIp=address["PublicIp"])
        else:
            ec2.associate_address(AllocationId=address["AllocationId"], InstanceId=id_)
        (found,) = project.there().values()
        assert project.state()["ec2.instance/web"].get("public_ip") != found.get("PublicIpAddress")
        project.run(*look)
        assert project.state()["ec2.instance/web"].get("public_ip") == found.get("PublicIpAddress")
        assert "all as the state says" in project.run("drift", "--detailed-exitcode")
    assert project.run("log", "--command", "observed").count("nothing changed outside") == 3
    project.run("verify")


def test_what_is_known_anew_is_planned_on(project: "Project") -> None:
    """A plan that is saved after a look which refreshed a field is not stale for that."""
    launch(project)
    project.run("ec2", "allocate", "e")
    project.run("ec2", "associate", "e", *HOLDER)
    document, plan = project.folder / "d.yaml", str(project.folder / "plan")
    document.write_text(DOCUMENT.format(image=IMAGE) + "    tags: {team: web}\n")
    project.run("plan", str(document), "--refresh", "--out", plan)
    project.run("apply", plan, "--yes")
    assert project.check()["ec2.instance/web"]["tags"] == {"team": "web"}


def test_user_data_of_any_bytes_comes_back(project: "Project") -> None:
    """Gzip, as others launched with it, is taken in, changed and put back, and made anew, byte for byte."""
    data = gzip.compress(b"#cloud-config\n", mtime=0)
    ec2 = project.ec2()
    ec2.run_instances(
        ImageId=IMAGE,
        InstanceType="t3.micro",
        MinCount=1,
        MaxCount=1,
        UserData=data,  # type: ignore[arg-type]  # boto3 takes bytes, too
        TagSpecifications=[{"ResourceType": "instance", "Tags": [{"Key": "Name", "Value": "web"}]}],
    )

    def there() -> bytes:
        (id_,) = project.there()
        described = ec2.describe_instance_attribute(InstanceId=id_, Attribute="userData")
        return base64.b64decode(described["UserData"]["Value"])

    project.run("adopt", "--only", "ec2.instance/*")
    document = project.folder / "d.yaml"
    document.write_text(project.run("document"))
    assert "nothing to do" in project.run("plan", str(document), "--refresh")
    project.run("ec2", "change-user-data", "web", "--user-data", "other")
    assert there() == b"other"
    project.run("undo", "HEAD", "--yes")
    assert there() == data
    document.write_text(document.read_text().replace(IMAGE, OTHER))
    project.run("apply", str(document), "--yes")
    assert there() == data
    ec2.close()
    project.check()


def test_no_removal_lifts_a_protection(project: "Project", aws: StrictEc2) -> None:
    """What is protected is not removed by prune, replacement or undo until a command says so."""
    aws.images.add("ami-12345678")
    project.run("ec2", "launch", "web", "--image", IMAGE, "--type", "t3.micro", "--protected")
    (project.folder / "none.yaml").write_text("resources: {}\n")
    other = "resources:\n  ec2.instance/web: {image: ami-12345678}\n"
    (project.folder / "other.yaml").write_text(other)
    aws.clear()
    for arguments in (
        ("apply", "none.yaml", "--prune", "--yes"),
        ("apply", "other.yaml", "--yes"),
        ("undo", "HEAD", "--yes"),
        ("ec2", "terminate", "web"),
    ):
        assert "`lasercats ec2 unprotect ec2.instance/web` lifts that" in project.run(*arguments, fails=True)
    assert not {"TerminateInstances", "StopInstances", "ModifyInstanceAttribute"} & aws.calls.keys()
    project.run("ec2", "unprotect", "web")
    project.run("apply", "none.yaml", "--prune", "--yes")
    assert not project.there()


def test_a_protection_that_nobody_told_us_of_is_told_with_its_remedy(project: "Project") -> None:
    """EC2 refuses to terminate what was protected outside, and the remedy is told."""
    project.run("ec2", "launch", "web", "--image", IMAGE, "--type", "t3.micro")
    (id_,) = project.there()
    project.ec2().modify_instance_attribute(InstanceId=id_, DisableApiTermination={"Value": True})
    output = project.run("ec2", "terminate", "web", fails=True)
    assert "`lasercats ec2 unprotect ec2.instance/web` lifts that" in output
    assert id_ in project.there()
