"""Instances that LaserCats made, as Terraform sees them: imported, they are what its own words describe."""

import json
import os
import re
import subprocess
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest

from lasercats.testing import terraform as tools
from lasercats.testing.aws import MotoServer, StrictEc2, environment, why_not
from lasercats.testing.peers import need

pytestmark = pytest.mark.slow
LASERCATS = [sys.executable, "-c", "from lasercats.cli.main import main; main()"]
IMAGE = "ami-03cf127a"
PROGRAM = "#!/bin/sh\necho 'hello ${world}' > /etc/motd\n"
TAGS = {"web": {"Name": "web", "team": "blue"}, "db": {"Name": "db", "dot.ted": "zażółć"}}


@pytest.fixture(scope="module")
def aws() -> Iterator[StrictEc2]:
    """An account, where there is a Terraform to look at it; neither it nor its provider is in a registry."""
    need(why_not())
    if tools.why_not() is not None:
        pytest.skip(f"{tools.why_not()}")
    with MotoServer() as moto, StrictEc2(moto) as aws:
        yield aws


class Terraform:
    """A configuration in a folder, with the desired state of the two instances."""

    def __init__(
        self, folder: Path, aws: StrictEc2, desired: Mapping[str, Any], states: Mapping[str, str]
    ) -> None:
        self.folder, self.desired, self.states = folder, desired, states
        folder.mkdir()
        (folder / "tfrc").write_text(tools.configuration())
        kept = {name: value for name, value in os.environ.items() if not name.startswith("TF_")}
        own = {"TF_CLI_CONFIG_FILE": str(folder / "tfrc"), "TF_IN_AUTOMATION": "1"}
        self.environment = kept | environment(aws.endpoint) | own
        self.want()
        self.done("init")

    def want(self, **types: str) -> None:
        """Write the configuration, with other types for some."""
        instances = {
            name: fields | {"instance_type": types.get(name, fields["instance_type"])}
            for name, fields in self.desired.items()
        }
        states = {
            name: {"instance_id": f"${{aws_instance.{name}.id}}", "state": state}
            for name, state in self.states.items()
        }
        skipped = ("credentials_validation", "metadata_api_check", "requesting_account_id")
        configuration = {
            "terraform": {"required_providers": {"aws": {"source": "hashicorp/aws"}}},
            "provider": {"aws": {f"skip_{name}": True for name in skipped}},
            "resource": {"aws_instance": instances, "aws_ec2_instance_state": states},
        }
        (self.folder / "main.tf.json").write_text(json.dumps(configuration))

    def __call__(self, verb: str, *arguments: str) -> "subprocess.CompletedProcess[str]":
        """Run it."""
        command = ["terraform", verb, "-input=false", "-no-color", *arguments]
        return subprocess.run(
            command, cwd=self.folder, env=self.environment, capture_output=True, text=True, check=False
        )

    def done(self, verb: str, *arguments: str) -> None:
        """Run what must succeed."""
        ran = self(verb, *arguments)
        assert ran.returncode == 0, ran.stdout + ran.stderr


@pytest.fixture(scope="module")
def terraform(aws: StrictEc2, tmp_path_factory: pytest.TempPathFactory) -> Terraform:
    """Two instances that LaserCats launched from a document, imported."""
    from boto3.session import Session

    folder = tmp_path_factory.mktemp("eyes")
    ec2 = Session("testing", "testing", region_name="us-east-1").client("ec2", endpoint_url=aws.endpoint)
    subnet = ec2.describe_subnets()["Subnets"][0]
    vpc = subnet["VpcId"]
    group = ec2.create_security_group(GroupName="web", Description="web", VpcId=vpc)["GroupId"]
    web = {"user_data": PROGRAM, "subnet": subnet["SubnetId"], "security_groups": [group]}
    document: dict[str, dict[str, Any]] = {
        "ec2.instance/web": {"type": "t3.micro", "tags": TAGS["web"], "state": "running", **web},
        "ec2.instance/db": {"type": "t3.small", "tags": TAGS["db"], "state": "stopped", "protected": True},
    }
    for fields in document.values():
        fields["image"] = IMAGE
    (folder / "doc.yaml").write_text(json.dumps({"resources": document}))
    kept = {name: value for name, value in os.environ.items() if not name.startswith("LASERCATS_")}
    for command in (
        ("init",),
        ("machine", "add", "aws", f"aws://us-east-1?poll=0.05&endpoint={aws.endpoint}"),
        ("apply", "doc.yaml", "--yes"),
    ):
        subprocess.run([*LASERCATS, *command], cwd=folder, env=kept | environment(aws.endpoint), check=True)
    found = [i for r in ec2.describe_instances()["Reservations"] for i in r["Instances"]]
    ids = {tag["Value"]: i["InstanceId"] for i in found for tag in i["Tags"] if tag["Key"] == "Name"}
    ec2.close()
    desired: dict[str, dict[str, Any]] = {
        "web": {
            "instance_type": "t3.micro",
            "user_data": PROGRAM.replace("${", "$${"),
            "subnet_id": subnet["SubnetId"],
            "vpc_security_group_ids": [group],
        },
        "db": {"instance_type": "t3.small", "disable_api_termination": True},
    }
    for name, fields in desired.items():
        fields |= {"ami": IMAGE, "tags": TAGS[name]}
    made = Terraform(folder / "terraform", aws, desired, {"web": "running", "db": "stopped"})
    for name in desired:
        made.done("import", f"aws_instance.{name}", ids[name])
        made.done("import", f"aws_ec2_instance_state.{name}", ids[name])
    return made


def test_terraform_finds_nothing_to_change(terraform: Terraform) -> None:
    """All that was desired is as Terraform would have made it, a stopped one too."""
    terraform.want()
    ran = terraform("plan", "-detailed-exitcode")
    assert ran.returncode == 0, ran.stdout + ran.stderr


def test_terraform_sees_another_type(terraform: Terraform) -> None:
    """Where the desired state is another one, Terraform tells so: its eyes are open."""
    terraform.want(db="t3.large")
    ran = terraform("plan", "-detailed-exitcode")
    assert ran.returncode == 2, ran.stdout + ran.stderr
    assert re.search('~ instance_type += "t3.small" -> "t3.large"', ran.stdout)
    assert "Plan: 0 to add, 1 to change, 0 to destroy." in ran.stdout
