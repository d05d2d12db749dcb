"""A printed script, run by the real `aws` command line, leaves what the live run leaves."""

import base64
import gzip
import os
import re
import shutil
import subprocess
import sys
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from lasercats.testing.aws import MotoServer, StrictEc2, environment, why_not
from lasercats.testing.peers import need
from tests import forks

pytestmark = pytest.mark.slow
LASERCATS = [sys.executable, "-c", "from lasercats.cli.main import main; main()"]
IMAGE = "ami-03cf127a"
COMMANDS = f"""\
- {{command: ec2.launch, on: [web-1, web-2], image: {IMAGE}, type: t3.micro, tags: {{Name: web}}}}
- {{command: ec2.launch, on: web-3, image: {IMAGE}, type: t3.micro, tags: {{Name: web}}, state: stopped}}
- {{command: ec2.change_type, on: [web-1, web-3], type: t3.small}}
- {{command: ec2.tag, on: [web-1, web-3], tags: {{team: "it's $HOME & \\"żółw\\"", tier: front}}}}
- {{command: ec2.untag, on: web-3, keys: [tier]}}
- {{command: ec2.stop, on: web-1}}
- {{command: ec2.start, on: web-3}}
- {{command: ec2.protect, on: [web-1, web-2, web-3]}}
- {{command: ec2.unprotect, on: [web-2, web-3]}}
- {{command: ec2.change_user_data, on: [web-1, web-3], user_data: "#!/bin/sh\\necho 'żółw' $HOME\\n"}}
- {{command: ec2.reboot, on: web-3}}
- {{command: ec2.terminate, on: web-2}}
"""
DATA = "#!/bin/sh\necho 'żółw' $HOME\n"
TEAM = ("team", 'it\'s $HOME & "żółw"')
LEFT = {
    ("t3.small", "stopped", (("Name", "web"), TEAM, ("tier", "front")), True, DATA): 1,
    ("t3.small", "running", (("Name", "web"), TEAM), False, DATA): 1,
    ("t3.micro", "terminated", (("Name", "web"),), False, ""): 1,
}


@pytest.fixture(scope="module")
def motos() -> Iterator[tuple[MotoServer, MotoServer]]:
    """One moto for the live run and one for the script; where there is no `aws`, none."""
    need(why_not())
    if shutil.which("aws") is None:
        pytest.skip("there is no `aws` command line")
    with MotoServer() as one, MotoServer() as other:
        yield one, other


@pytest.fixture
def accounts(motos: tuple[MotoServer, MotoServer]) -> Iterator[tuple[StrictEc2, StrictEc2]]:
    """Two empty accounts, as strict as AWS."""
    for moto in motos:
        moto.reset()
    with StrictEc2(motos[0]) as one, StrictEc2(motos[1]) as other:
        yield one, other


def credentials(aws: StrictEc2) -> dict[str, str]:
    """Return the variables that have the credentials, and neither the region nor the endpoint."""
    variables = {n: value for n, value in os.environ.items() if not n.startswith(("AWS_", "LASERCATS_"))}
    variables |= environment(aws.endpoint)
    del variables["AWS_ENDPOINT_URL_EC2"], variables["AWS_DEFAULT_REGION"]
    return variables


def project(folder: Path, aws: StrictEc2, commands: str = COMMANDS) -> Path:
    """Make a project of an account, with commands to issue, and return its folder."""
    folder.mkdir()
    (folder / "commands.yaml").write_text(commands)
    lasercats(folder, aws, "init")
    lasercats(folder, aws, "machine", "add", "aws", f"aws://us-east-1?poll=0.05&endpoint={aws.endpoint}")
    return folder


def lasercats(folder: Path, aws: StrictEc2, *arguments: str) -> str:
    """Run what must succeed, and return what it printed."""
    code, out, err = forks.run(arguments, folder, credentials(aws))
    assert code == 0, out + err
    return out


def left(aws: StrictEc2) -> Counter[Any]:
    """Return what a plain client finds: how many instances of each type, state, tags, and so on."""
    from boto3.session import Session

    ec2 = Session("testing", "testing", region_name="us-east-1").client("ec2", endpoint_url=aws.endpoint)
    found = [i for r in ec2.describe_instances()["Reservations"] for i in r["Instances"]]
    counts: Counter[Any] = Counter()
    for instance in found:
        tags = tuple(sorted((t["Key"], t["Value"]) for t in instance["Tags"]))
        if instance["ImageId"] == IMAGE:
            id_ = instance["InstanceId"]
            data = ec2.describe_instance_attribute(InstanceId=id_, Attribute="userData")
            text = base64.b64decode(data["UserData"].get("Value", "")).decode()
            protected = ec2.describe_instance_attribute(InstanceId=id_, Attribute="disableApiTermination")
            flag = protected["DisableApiTermination"]["Value"]
            counts[instance["InstanceType"], instance["State"]["Name"], tags, flag, text] += 1
    ec2.close()
    return counts


def test_a_script_leaves_what_the_live_run_leaves(
    accounts: tuple[StrictEc2, StrictEc2], tmp_path: Path
) -> None:
    """Launched, changed, tagged, untagged, stopped, started and terminated: the accounts are alike."""
    one, other = accounts
    lasercats(project(tmp_path / "one", one), one, "issue", "commands.yaml", "--yes")
    folder = project(tmp_path / "other", other)
    script = folder / "script.sh"
    script.write_text(lasercats(folder, other, "issue", "commands.yaml", "--interpreter", "script"))
    assert left(other) == {}, "printing has done something"
    ran = subprocess.run(
        ["sh", script], cwd=tmp_path, env=credentials(other), capture_output=True, text=True, check=False
    )
    assert (ran.returncode, ran.stderr) == (0, "")
    assert left(one) == LEFT
    assert left(other) == LEFT


def test_a_script_does_nothing_to_what_was_not_launched(
    accounts: tuple[StrictEc2, StrictEc2], tmp_path: Path
) -> None:
    """Where a launch fails what follows for it fails, too, and what has nothing to do with it is done."""
    aws, _ = accounts
    commands = COMMANDS.replace(
        "on: [web-1, web-2], image: ami-03cf127a", "on: [web-1, web-2], image: ami-0badbad0"
    )
    folder = project(tmp_path / "one", aws, commands)
    script = folder / "script.sh"
    script.write_text(lasercats(folder, aws, "issue", "commands.yaml", "--interpreter", "script"))
    ran = subprocess.run(
        ["sh", script], cwd=tmp_path, env=credentials(aws), capture_output=True, text=True, check=False
    )
    assert ran.returncode == 1
    assert "lc_ec2_2e_instance_2f_web_2d_1: is not known" in ran.stderr
    assert set(left(aws)) == {key for key in LEFT if key[1] == "running"}


STORAGE = f"""\
- {{command: ec2.launch, on: web, image: {IMAGE}, type: t3.micro, tags: {{Name: web}}}}
- {{command: ec2.launch, on: db, image: {IMAGE}, type: t3.micro, tags: {{Name: db}}}}
- {{command: ec2.create_security_group, on: ops, description: "for ops"}}
- {{command: ec2.change_groups, on: db, security_groups: [ec2.security_group/ops]}}
- {{command: ec2.create_volume, on: [a, b], zone: us-east-1a, size: 2, type: gp3}}
- {{command: ec2.tag_volume, on: a, tags: {{Name: a}}}}
- {{command: ec2.tag_volume, on: b, tags: {{Name: b, gone: "1"}}}}
- {{command: ec2.untag_volume, on: b, keys: [gone]}}
- {{command: ec2.attach, on: a, instance: ec2.instance/web, device: /dev/sdf}}
- {{command: ec2.attach, on: b, instance: ec2.instance/web, device: /dev/sdg}}
- {{command: ec2.grow_volume, on: a, size: 4}}
- {{command: ec2.detach, on: b}}
- {{command: ec2.attach, on: b, instance: ec2.instance/db, device: /dev/sdg}}
- {{command: ec2.detach, on: b}}
- {{command: ec2.delete_volume, on: b}}
- {{command: ec2.allocate, on: [one, two]}}
- {{command: ec2.tag_elastic_ip, on: one, tags: {{Name: one}}}}
- {{command: ec2.associate, on: one, instance: ec2.instance/web}}
- {{command: ec2.associate, on: two, instance: ec2.instance/db}}
- {{command: ec2.disassociate, on: [one, two]}}
- {{command: ec2.associate, on: one, instance: ec2.instance/db}}
- {{command: ec2.release, on: two}}
"""


def found(folder: Path, aws: StrictEc2) -> str:
    """Return the document of all that somebody else finds in an account, without ids."""
    project(folder, aws)
    lasercats(folder, aws, "adopt", "aws", "--exclude", "*/subnet-*", "--exclude", "*/vpc-*")
    return re.sub(r"\b([a-z]+)-[0-9a-f]{17}\b", r"\1-…", lasercats(folder, aws, "document"))


def test_a_script_of_volumes_and_addresses(accounts: tuple[StrictEc2, StrictEc2], tmp_path: Path) -> None:
    """Created, attached, grown, moved, deleted; allocated, associated, released: the accounts are alike."""
    one, other = accounts
    lasercats(project(tmp_path / "one", one, STORAGE), one, "issue", "commands.yaml", "--yes")
    folder = project(tmp_path / "other", other, STORAGE)
    script = folder / "script.sh"
    script.write_text(lasercats(folder, other, "issue", "commands.yaml", "--interpreter", "script"))
    ran = subprocess.run(
        ["sh", script], cwd=tmp_path, env=credentials(other), capture_output=True, text=True, check=False
    )
    assert (ran.returncode, ran.stderr) == (0, "")
    answer = found(tmp_path / "found-one", one)
    assert {line.strip(" :") for line in answer.splitlines() if line.startswith("  ec2")} == {
        "ec2.elastic_ip/one",
        "ec2.instance/db",
        "ec2.instance/web",
        "ec2.security_group/ops",
        "ec2.volume/a",
    }
    assert found(tmp_path / "found-other", other) == answer


BYTES = gzip.compress(b"#cloud-config\n", mtime=0)
DISKS = f"""\
- command: ec2.launch
  on: [web, db]
  image: {IMAGE}
  type: t3.micro
  user_data: "data:;base64,{base64.b64encode(BYTES).decode()}"
  volumes: {{root: {{size: 30}}, xvdf: {{size: 2}}}}
- {{command: ec2.launch, on: text, image: {IMAGE}, type: t3.micro, user_data: "data:;base64,aGk="}}
"""


def disks(aws: StrictEc2) -> Counter[Any]:
    """Return the own volumes of all instances, by device and size, and their user data."""
    from boto3.session import Session

    ec2 = Session("testing", "testing", region_name="us-east-1").client("ec2", endpoint_url=aws.endpoint)
    counts: Counter[Any] = Counter()
    for volume in ec2.describe_volumes()["Volumes"]:
        for held in volume["Attachments"]:
            data = ec2.describe_instance_attribute(InstanceId=held["InstanceId"], Attribute="userData")
            script = base64.b64decode(data["UserData"].get("Value", ""))
            counts[held["Device"], volume["Size"], script] += 1
    ec2.close()
    return counts


def test_a_script_asks_for_the_root_device(accounts: tuple[StrictEc2, StrictEc2], tmp_path: Path) -> None:
    """A script finds the name of the root device by the image, and hands over user data byte for byte."""
    one, other = accounts
    lasercats(project(tmp_path / "one", one, DISKS), one, "issue", "commands.yaml", "--yes")
    folder = project(tmp_path / "other", other, DISKS)
    script = folder / "script.sh"
    script.write_text(lasercats(folder, other, "issue", "commands.yaml", "--interpreter", "script"))
    assert '"DeviceName":"root"' not in script.read_text()
    assert script.read_text().count("aws ec2 describe-images") == 1
    ran = subprocess.run(
        ["sh", script], cwd=tmp_path, env=credentials(other), capture_output=True, text=True, check=False
    )
    assert (ran.returncode, ran.stderr) == (0, "")
    assert disks(one) == disks(other)
    assert disks(other) == {
        ("/dev/sda1", 30, BYTES): 2,
        ("xvdf", 2, BYTES): 2,
        ("/dev/sda1", 8, b"hi"): 1,
    }


def test_a_script_of_an_image_that_is_not_there(
    accounts: tuple[StrictEc2, StrictEc2], tmp_path: Path
) -> None:
    """Where the root device is not told, a script launches nothing."""
    aws, _ = accounts
    folder = project(tmp_path / "one", aws, DISKS.replace(IMAGE, "ami-0badbad0"))
    script = folder / "script.sh"
    script.write_text(lasercats(folder, aws, "issue", "commands.yaml", "--interpreter", "script"))
    ran = subprocess.run(
        ["sh", script], cwd=tmp_path, env=credentials(aws), capture_output=True, text=True, check=False
    )
    assert ran.returncode == 1
    assert "is not known" in ran.stderr
    assert disks(aws) == {}


def test_what_a_script_cannot_say(accounts: tuple[StrictEc2, StrictEc2], tmp_path: Path) -> None:
    """The ids of an instance's own volumes are not known without a look, and that is told."""
    aws, _ = accounts
    folder = project(tmp_path / "one", aws)
    lasercats(folder, aws, "ec2", "launch", "web", "--image", IMAGE, "--type", "t3.micro")
    grow = [*LASERCATS, "ec2", "grow", "web", "--volume", "root=size:12"]
    ran = subprocess.run(
        [*grow, "--interpreter", "script"],
        cwd=folder,
        env=credentials(aws),
        capture_output=True,
        text=True,
        check=False,
    )
    assert ran.returncode == 1
    assert "ec2.instance/web: only a look tells the ids of its own volumes" in ran.stderr
    assert "modify-volume" not in ran.stdout
