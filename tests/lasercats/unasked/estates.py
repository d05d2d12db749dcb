"""Random estates that Terraform makes, with options that nobody thinks of, and what others do to them."""

import json
import os
import random
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

from lasercats.testing import terraform
from lasercats.testing.aws import environment
from lasercats.testing.unasked import Line, Ran
from tests.lasercats.unasked.clouds import IMAGE, Cloud

if TYPE_CHECKING:
    from mypy_boto3_ec2 import EC2Client

KEY = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIN4xQwTpHVkOmYhLlC3FVSvCUyiwNdbJqDlmCuMOaMMQ odd"
SKIPPED = ("credentials_validation", "metadata_api_check", "requesting_account_id")
NAMES = ("web", "db", "pet")


def configuration(chance: random.Random) -> dict[str, Any]:
    """Return a configuration of a network, groups that name each other, instances, volumes and addresses."""
    resources: dict[str, dict[str, Any]] = {
        "aws_vpc": {"net": {"cidr_block": "10.9.0.0/16", "tags": {"Name": "net"}}},
        "aws_subnet": {
            "a": {
                "vpc_id": "${aws_vpc.net.id}",
                "cidr_block": "10.9.1.0/24",
                "availability_zone": "us-east-1a",
                "tags": {"Name": "a"},
            }
        },
        "aws_key_pair": {"odd": {"key_name": "odd", "public_key": KEY}},
        "aws_security_group": {
            name: {"name": name, "description": name, "vpc_id": "${aws_vpc.net.id}"}
            for name in ("front", "back")
        },
        "aws_security_group_rule": {
            one: {
                "type": "ingress",
                "from_port": 80,
                "to_port": 80,
                "protocol": "tcp",
                "security_group_id": f"${{aws_security_group.{one}.id}}",
                "source_security_group_id": f"${{aws_security_group.{other}.id}}",
            }
            for one, other in (("front", "back"), ("back", "front"))
        },
        "aws_instance": {name: _instance(chance, name) for name in NAMES},
        "aws_ebs_volume": {
            name: {
                "availability_zone": "us-east-1a",
                "size": chance.randint(5, 20),
                "type": chance.choice(("gp2", "gp3")),
                "encrypted": chance.random() < 0.5,
                "tags": {"Name": name},
            }
            for name in ("data", "spare")
        },
        "aws_eip": {name: {"domain": "vpc", "tags": {"Name": name}} for name in ("front", "free")},
        "aws_eip_association": {
            "front": {
                "allocation_id": "${aws_eip.front.id}",
                "instance_id": f"${{aws_instance.{chance.choice(NAMES)}.id}}",
            }
        },
    }
    return {
        "terraform": {"required_providers": {"aws": {"source": "hashicorp/aws"}}},
        "provider": {"aws": {"region": "us-east-1", **{f"skip_{name}": True for name in SKIPPED}}},
        "resource": resources,
    }


def _instance(chance: random.Random, name: str) -> dict[str, Any]:
    fields: dict[str, Any] = {
        "ami": IMAGE,
        "instance_type": chance.choice(("t3.micro", "t3.small")),
        "subnet_id": "${aws_subnet.a.id}",
        "vpc_security_group_ids": [f"${{aws_security_group.{chance.choice(('front', 'back'))}.id}}"],
        "tags": {"Name": name},
    }
    odd: dict[str, Any] = {
        "root_block_device": {"encrypted": True, "volume_size": 12, "volume_type": "gp3"},
        "metadata_options": {"http_tokens": "required", "http_endpoint": "enabled"},
        "key_name": "${aws_key_pair.odd.key_name}",
        "source_dest_check": False,
        "user_data": "#!/bin/sh\necho odd\n",
    }
    fields |= {key: value for key, value in odd.items() if chance.random() < 0.5}
    return fields | ({"disable_api_termination": True} if name == "pet" else {})


class Estate(Cloud):
    """A world that Terraform made, and that was taken in."""

    former = ""
    """The document of before a change, until something has led back to it."""

    def make(self, folder: Path) -> None:
        """Have Terraform make it, and take it in."""
        folder.mkdir()
        (folder / "tfrc").write_text(terraform.configuration())
        (folder / "main.tf.json").write_text(json.dumps(configuration(self.random)))
        kept = {name: value for name, value in os.environ.items() if not name.startswith("TF_")}
        own = {"TF_CLI_CONFIG_FILE": str(folder / "tfrc"), "TF_IN_AUTOMATION": "1"}
        for words in (("init",), ("apply", "-auto-approve")):
            ran = subprocess.run(
                ["terraform", *words, "-input=false", "-no-color"],
                cwd=folder,
                env=kept | environment(self.aws.endpoint) | own,
                capture_output=True,
                text=True,
                check=False,
            )
            assert ran.returncode == 0, ran.stdout + ran.stderr
        self.aws.settle()
        seen = [v for v in self.ec2.describe_volumes()["Volumes"] if not v["Attachments"]]
        data = next(v["VolumeId"] for v in seen if {"Key": "Name", "Value": "data"} in v["Tags"])
        holder = self.random.choice([*self.look().instances])
        self.ec2.attach_volume(VolumeId=data, InstanceId=holder, Device="/dev/sdf")  # Terraform waits 20 s
        self.aws.settle()
        self.cli.done("adopt", "aws")
        self._remember()

    def run(self, line: Line) -> Ran:
        """Run a line; one that leads back is over when all is as it was, or says what was left."""
        ran = super().run(line)
        if line.words[:2] == ("drift", "--revert") and self.former:
            left = self.cli.done("document").out != self.former  # or what stayed is not even recorded
            left = left or self.cli("drift", "--detailed-exitcode").code != 0
            assert left == (ran.code != 0), (line, ran)
            assert not left or "! " in ran.err or "lasercats: " in ran.err, (line, ran)
            self.former = ""
        return ran

    def scenes(self, count: int) -> Iterator[Line]:
        """Iterate over lines: after each change by others a look, and ways back without and with --yes."""
        former = self.cli.file("former.json", self.cli.done("document", "--json").out)
        changes = self.random.sample(self._changes(), count)
        for change in changes:
            self.former = self.cli.done("document").out
            change(self.ec2)
            self.aws.settle()
            for words in (
                ("drift", "--detailed-exitcode"),
                ("drift", "--revert"),
                ("undo", "HEAD"),
                ("apply", former, "--json"),
                ("apply", former, "--prune", "--yes", *self._either("--json")),
                ("drift", "--revert", "--yes", *self._either("--json")),
                ("undo", "HEAD", "--yes", *self._either("--recreate")),
                ("undo", "HEAD~1..HEAD", "--partial"),
            ):
                yield Line(words)

    def _either(self, word: str) -> tuple[str, ...]:
        return (word,) if self.random.random() < 0.5 else ()

    def _changes(self) -> list[Callable[["EC2Client"], object]]:
        seen, pick = self.look(), self.random.choice
        ids = {address: id_ for id_, address in seen.called.items()}
        there = [ids[f"ec2.instance/{name}"] for name in NAMES]
        data, spare = ids["ec2.volume/data"], ids["ec2.volume/spare"]
        free, front = ids["ec2.elastic_ip/free"], ids["ec2.elastic_ip/front"]
        group = next(id_ for address, id_ in ids.items() if address.endswith("security_group/back"))
        roots = [v for v in seen.volumes if v not in (data, spare) and seen.volumes[v] in there]
        web = there[0]
        tag: Any = [{"Key": "by", "Value": "hand"}]
        return [
            lambda ec2: ec2.modify_volume(VolumeId=pick(roots), Size=30),
            lambda ec2: ec2.modify_volume(VolumeId=data, Size=40),
            lambda ec2: ec2.stop_instances(InstanceIds=[pick(there)]),
            lambda ec2: ec2.create_tags(Resources=[pick(there), spare], Tags=tag),
            lambda ec2: ec2.detach_volume(VolumeId=data),
            lambda ec2: ec2.associate_address(
                AllocationId=front, InstanceId=there[1], AllowReassociation=True
            ),
            lambda ec2: ec2.associate_address(AllocationId=free, InstanceId=there[0]),
            lambda ec2: ec2.modify_instance_attribute(InstanceId=web, Groups=[group]),
            lambda ec2: ec2.modify_instance_attribute(
                InstanceId=there[2], DisableApiTermination={"Value": False}
            ),
            lambda ec2: ec2.terminate_instances(InstanceIds=[web]),
        ]
