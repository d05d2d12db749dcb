"""What goes wrong on EC2, by the command line: one clear sentence, one exit code, and a log that is true."""

import json
import re
import signal
import subprocess
from typing import TYPE_CHECKING, Any

import pytest

from lasercats.testing.aws import StrictEc2
from tests.lasercats.domains.ec2.conftest import LASERCATS

if TYPE_CHECKING:
    from tests.lasercats.domains.ec2.conftest import Project

pytestmark = pytest.mark.slow
IMAGE = "ami-03cf127a"
LAUNCH = ("ec2", "launch", "web-1", "web-2", "web-3", "--image", IMAGE, "--type", "t3.micro")


def changed(aws: StrictEc2) -> set[str]:
    """Return what was called beside looks."""
    return {action for action in aws.calls if not action.startswith("Describe")}


@pytest.mark.parametrize(
    ("url", "message"),
    [
        ("aws://", "names no region of AWS; write aws://us-east-1"),
        ("aws://nowhere", "names no region of AWS"),
        ("aws://US-EAST-1", "names no region of AWS"),
        ("aws://key:secret@us-east-1", "password"),
        ("aws://us-east-1?profil=x", "profil"),
        ("aws://us-east-1?attempts=none", "option 'attempts'"),
        ("aws://us-east-1?grace=-1", "grace"),
    ],
)
def test_a_url_that_is_none(project: "Project", url: str, message: str) -> None:
    """It is refused when it is given, with what is wrong with it."""
    assert message in project.run("machine", "add", "other", url, fails=True)
    assert "other" not in project.run("machine", "list")


def test_no_credentials(project: "Project") -> None:
    """Without credentials nothing is asked, and the remedy is named."""
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        del project.environment[name]
    output = project.run(*LAUNCH, fails=True)
    assert "machine aws: no AWS credentials are found; run `aws configure`, or set AWS_PROFILE" in output
    assert "no AWS credentials" in project.run("machine", "check", "aws", fails=True)
    assert not project.aws.calls
    assert "nothing is open" in project.run("recover")


def test_an_unknown_profile(project: "Project") -> None:
    """A profile that there is not is named."""
    project.run("machine", "add", "prod", "aws://us-east-1?profile=nobody")
    output = project.run("ec2", "launch", "prod:x", "--image", IMAGE, "--type", "t3.micro", fails=True)
    assert "The config profile (nobody) could not be found" in output
    assert "aws configure list-profiles" in output


def test_an_endpoint_that_is_down(project: "Project") -> None:
    """Where nothing listens, that is told, nothing was done, and nothing stays open."""
    project.run(
        "machine", "add", "far", "aws://us-east-1?endpoint=http://127.0.0.1:9&attempts=1&connect_timeout=1"
    )
    output = project.run("ec2", "launch", "far:x", "--image", IMAGE, "--type", "t3.micro", fails=True)
    assert "machine far does not answer" in output
    assert "nothing is open" in project.run("recover")
    assert project.state() == {}
    assert "does not answer" in project.run("adopt", "far", fails=True)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (
            ("--image", "ami-0badbad0badbad0ba", "--type", "t3.micro"),
            "(InvalidAMIID.NotFound); an image belongs to one",
        ),
        (
            ("--image", IMAGE, "--type", "t9.nano"),
            "(InvalidParameterValue); `aws ec2 describe-instance-types` lists",
        ),
        (("--image", "debian", "--type", "t3.micro"), "is not of the form"),
        (("--image", IMAGE, "--type", "micro"), "is not of the form"),
        (
            ("--image", IMAGE, "--type", "t3.micro", "--subnet", "ec2.subnet/none"),
            "is not in the state; make it first",
        ),
        (("--image", IMAGE, "--type", "t3.micro", "--key", "none"), "(InvalidKeyPair.NotFound)"),
        (("--image", IMAGE, "--type", "t3.micro", "--volume", "root=size:x"), "expected `int"),
        (("--image", IMAGE, "--type", "t3.micro", "--tag", "Name"), "takes KEY=VALUE, and not 'Name'"),
        (("--image", IMAGE, "--type", "t3.micro", "--tag", "aws:x=y"), "cannot be the key of a tag"),
        (("--image", IMAGE), "Missing option '--type'"),
    ],
)
def test_a_launch_that_cannot_be(project: "Project", options: tuple[str, ...], message: str) -> None:
    """What EC2 does not know, or what is no value at all, is told in one sentence; nothing is launched."""
    said = project.run("ec2", "launch", "x", *options, fails=True)
    assert message in said
    assert project.there() == project.state() == {}
    assert "nothing is open" in project.run("recover")


def test_a_quota(project: "Project") -> None:
    """Of three there is room for two: two are launched and known, the third is told with the remedy."""
    project.aws.max_instances = 2
    output = project.run(*LAUNCH, fails=True)
    assert "ask for a larger quota, or take another type" in output
    assert "2 created; take it back" in output
    assert len(project.check()) == 2
    project.aws.max_instances = None
    missing = next(name for name in LAUNCH[2:5] if f"ec2.instance/{name}" not in project.state())
    project.run("ec2", "launch", missing, *LAUNCH[5:])
    assert len(project.check()) == 3


def test_throttling(project: "Project") -> None:
    """Some throttling is waited out; where it does not end, that is told, and nothing is lost."""
    project.aws.throttle("*", 2)
    project.run(*LAUNCH)
    assert len(project.check()) == 3
    project.aws.throttle("StopInstances", 100)
    output = project.run("ec2", "stop", "web-1", fails=True)
    assert (
        "AWS throttles our calls (RequestLimitExceeded), also after several attempts; try again later"
        in output
    )
    project.aws.forgive()
    assert {r["state"] for r in project.check().values()} == {"running"}


@pytest.mark.parametrize("when", ["before", "after"])
def test_a_connection_that_is_cut(project: "Project", when: Any) -> None:  # noqa: ANN401
    """A launch whose connection is lost comes again with its token, and is not made twice."""
    project.aws.cut("RunInstances", when)
    project.run(*LAUNCH)
    assert len(project.check()) == 3
    assert project.aws.calls["RunInstances"] == 2


@pytest.mark.parametrize("when", ["before", "after"])
def test_a_connection_that_is_always_cut(project: "Project", when: Any) -> None:  # noqa: ANN401
    """What became of a launch that is never answered is asked for by its token."""
    project.aws.cut("RunInstances", when, 100)
    output = project.run(*LAUNCH, fails=when == "before")
    if when == "before":
        assert "the connection to machine aws was lost in the middle" in output
        assert "some outcomes are not known; run `lasercats recover`" in output
        assert project.run("recover").count(": not done\n") == 3
    assert len(project.check()) == (0 if when == "before" else 3)


def test_gone_behind_our_back(project: "Project") -> None:
    """An instance that somebody terminated is found gone by whatever is to be done with it."""
    project.run(*LAUNCH)
    ids = {a: r["id"] for a, r in project.state().items()}
    ec2 = project.ec2()
    ec2.terminate_instances(InstanceIds=[ids["ec2.instance/web-1"], ids["ec2.instance/web-2"]])
    ec2.close()
    project.aws.settle()
    output = project.run("ec2", "stop", "web-1", fails=True)
    assert "found changed outside:" in output
    assert "ec2.instance/web-1: it is not there" in output
    assert "- ec2.instance/web-2" in project.run("observe")
    assert list(project.check()) == ["ec2.instance/web-3"]
    assert "unchanged" in project.run("log") or "nothing changed" in project.run("ec2", "terminate", "web-1")


def test_what_does_not_fit_the_state_it_is_in(project: "Project") -> None:
    """A reboot of what is stopped, a smaller volume, an instance that is protected: the reason is told."""
    project.run("ec2", "launch", "web", "--image", IMAGE, "--type", "t3.micro", "--volume", "root=size:20")
    project.run("ec2", "stop", "web")
    assert "it is stopped; start it instead" in project.run("ec2", "reboot", "web", fails=True)
    assert "cannot become smaller" in project.run(
        "ec2", "grow", "web", "--volume", "root=size:10", fails=True
    )
    project.run("ec2", "protect", "web")
    assert "unprotect" in project.run("ec2", "terminate", "web", fails=True)
    ec2 = project.ec2()
    ec2.modify_instance_attribute(
        InstanceId=project.state()["ec2.instance/web"]["id"], DisableApiTermination={"Value": True}
    )
    ec2.close()
    assert list(project.check()) == ["ec2.instance/web"]


def test_two_of_one_name(project: "Project") -> None:
    """What is named by a tag that two have is refused with their ids."""
    ec2 = project.ec2()
    tags: Any = [{"ResourceType": "instance", "Tags": [{"Key": "Name", "Value": "twin"}]}]
    made = ec2.run_instances(ImageId=IMAGE, MinCount=2, MaxCount=2, TagSpecifications=tags)["Instances"]
    ec2.close()
    output = project.run("observe", "ec2.instance/twin", fails=True)
    assert "2 have the name 'twin'" in output
    assert all(instance["InstanceId"] in output for instance in made)
    project.run("observe", f"ec2.instance/{made[0]['InstanceId']}")
    assert list(project.state()) == [f"ec2.instance/{made[0]['InstanceId']}"]


def test_few_calls(project: "Project") -> None:
    """A hundred equal instances are a launch, and lists; a plan of them that looks is one call."""
    names = [f"n{k}" for k in range(100)]
    project.run("ec2", "launch", *names, "--image", IMAGE, "--type", "t3.micro")
    assert sum(project.aws.calls.values()) <= 10, project.aws.calls
    (project.folder / "all.yaml").write_text(project.run("document"))
    project.aws.clear()
    assert "nothing to do" in project.run("plan", "all.yaml", "--refresh")
    assert sum(project.aws.calls.values()) <= 5, project.aws.calls
    for verb, action in (
        ("stop", "StopInstances"),
        ("start", "StartInstances"),
        ("terminate", "TerminateInstances"),
    ):
        project.aws.clear()
        project.run("ec2", verb, *names)
        assert project.aws.calls[action] == 1
        assert sum(project.aws.calls.values()) <= 8, project.aws.calls
    assert project.there() == {}


def test_a_denied_call(project: "Project") -> None:
    """What the credentials may not do is told with the permission that is missing, and neighbours go on."""
    project.run(*LAUNCH)
    project.aws.fail(
        "CreateTags", "UnauthorizedOperation", "You are not authorized to perform this operation.", 403
    )
    output = project.run("ec2", "tag", "web-1", "--tag", "a=b", fails=True)
    assert "(UnauthorizedOperation); give the credentials the permission for it" in output
    assert json.loads(project.run("log", "--json"))[-1]["status"] == "failed"
    assert not project.check()["ec2.instance/web-1"].get("tags")


def test_nothing_of_the_account_is_in_the_log(project: "Project") -> None:
    """Neither the key nor the secret of the account stands in the log or the project."""
    project.environment["AWS_SECRET_ACCESS_KEY"] = "hush-hush-hush"  # noqa: S105 - of nobody
    project.run(*LAUNCH)
    files = [path for path in project.folder.rglob("*") if path.is_file()]
    assert len(files) > 1
    assert not any(b"hush-hush" in path.read_bytes() for path in files)


EXPIRED = ("ExpiredToken", "The security token included in the request is expired")
SPOKEN = {
    "ec2.instance/a": ("RunInstances", ("launch", "a", "--image", IMAGE, "--type", "t3.micro")),
    "ec2.volume/v": ("CreateVolume", ("create-volume", "v", "--zone", "us-east-1a", "--size", "8")),
    "ec2.vpc/n": ("CreateVpc", ("create-vpc", "n", "--cidr", "10.0.0.0/16")),
}


def expire_after(project: "Project", action: str, *arguments: str) -> str:
    """Run something whose credentials expire once AWS has done an action; return what it printed."""
    hold = project.aws.hold(action)
    process = subprocess.Popen(
        [*LASERCATS, *arguments],
        cwd=project.folder,
        env=project.environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    assert hold.wait(), f"{action} was never called"
    project.aws.fail("*", *EXPIRED, times=100_000)
    hold.set()
    output, _ = process.communicate(timeout=120)
    assert process.returncode == 1, output
    return output


@pytest.mark.parametrize("address", SPOKEN)
def test_what_cannot_be_looked_at_is_not_dropped(project: "Project", address: str) -> None:
    """The id is told at once; the command stays open until somebody can look, and nothing is made twice."""
    action, words = SPOKEN[address]
    output = expire_after(project, action, "ec2", *words)
    assert re.search("(i|vol|vpc)-[0-9a-f]+ cannot be looked at: .*credentials have expired", output)
    assert "what changed is not known" in output
    assert "nothing changed" not in output
    assert "is being changed by command" in project.run("ec2", *words, fails=True)
    for _ in range(2):
        assert "credentials have expired" in project.run("recover", fails=True)
    project.aws.forgive()
    assert f"{address}: done\n" in project.run("recover")
    assert project.state()[address]["id"] in output
    assert "there already" in project.run("ec2", *words, fails=True)
    assert project.aws.calls[action] == 1
    project.check()


def test_a_change_that_is_half_done_is_looked_at_later(project: "Project") -> None:
    """An instance that was stopped to be changed is not said to run; the next plan does the rest."""
    project.run("ec2", "launch", "a", "--image", IMAGE, "--type", "t3.micro")
    document = project.folder / "site.yaml"
    document.write_text(project.run("document").replace("t3.micro", "t3.small"))
    expire_after(project, "StopInstances", "apply", "site.yaml", "--yes")
    project.aws.forgive()
    assert "done in part" in project.run("recover")
    project.aws.settle()
    state = project.check()["ec2.instance/a"]
    assert (state["state"], state["type"]) == ("stopped", "t3.micro")
    project.run("apply", "site.yaml", "--yes")
    state = project.check()["ec2.instance/a"]
    assert (state["state"], state["type"]) == ("running", "t3.small")


def test_ctrl_c_between_two_steps_drops_nothing(project: "Project") -> None:
    """What was made when the operator called it off is looked at, and known."""
    project.run("ec2", "create-vpc", "n", "--cidr", "10.0.0.0/16")
    hold = project.aws.hold("CreateSubnet")
    subnet = ("ec2", "create-subnet", "s", "--vpc", "ec2.vpc/n", "--cidr", "10.0.0.0/24", "--public-ips")
    process = project.start(*subnet)
    assert hold.wait(), "it was never called"
    process.send_signal(signal.SIGINT)
    hold.set()
    process.wait(timeout=60)
    assert project.state()["ec2.subnet/s"]["id"]
    project.check()
