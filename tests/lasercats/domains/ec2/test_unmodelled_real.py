"""What nobody decides of an instance or a volume, a new one in its place has, too, or it is told as lost."""

from typing import TYPE_CHECKING, Any

import pytest

from lasercats.domains.ec2 import unmodelled
from lasercats.domains.ec2.instance import Instance
from lasercats.domains.ec2.instance_programs import KIND
from lasercats.testing.aws import StrictEc2

if TYPE_CHECKING:
    from tests.lasercats.domains.ec2.conftest import Project

pytestmark = pytest.mark.slow
IMAGE, OTHER = "ami-03cf127a", "ami-12c6146b"


def foreign(project: "Project") -> str:
    """Launch an instance as somebody else does, with all that we have no field for; return its id."""
    ec2 = project.ec2()
    vpc = ec2.create_vpc(CidrBlock="10.0.0.0/16")["Vpc"]["VpcId"]
    subnet = ec2.create_subnet(VpcId=vpc, CidrBlock="10.0.1.0/24")["Subnet"]["SubnetId"]
    root: Any = {"VolumeSize": 30, "VolumeType": "gp3", "Encrypted": True, "DeleteOnTermination": True}
    (made,) = ec2.run_instances(
        MinCount=1,
        MaxCount=1,
        ImageId=IMAGE,
        InstanceType="t3.micro",
        SubnetId=subnet,
        PrivateIpAddress="10.0.1.77",
        MetadataOptions={"HttpTokens": "required", "HttpPutResponseHopLimit": 3},
        Monitoring={"Enabled": True},
        EbsOptimized=True,
        DisableApiStop=True,
        InstanceInitiatedShutdownBehavior="terminate",
        BlockDeviceMappings=[{"DeviceName": "/dev/sda1", "Ebs": root}],
        TagSpecifications=[{"ResourceType": "instance", "Tags": [{"Key": "Name", "Value": "web"}]}],
    )["Instances"]
    ec2.modify_instance_attribute(InstanceId=made["InstanceId"], SourceDestCheck={"Value": False})
    project.run("adopt", "aws", "--exclude", "*subnet*", "--exclude", "*vpc*", "--exclude", "*group*")
    return made["InstanceId"]


def described(project: "Project") -> dict[str, Any]:
    """Return what EC2 tells of the one instance, and of its volume."""
    ((id_, thing),) = project.there().items()
    ec2 = project.ec2()
    (disk,) = ec2.describe_volumes(Filters=[{"Name": "attachment.instance-id", "Values": [id_]}])["Volumes"]
    asked = {
        name: ec2.describe_instance_attribute(InstanceId=id_, Attribute=name[:1].lower() + name[1:])  # type: ignore[arg-type]
        for name in ("DisableApiStop", "InstanceInitiatedShutdownBehavior", "SourceDestCheck")
    }
    return {
        **{name: answer[name]["Value"] for name, answer in asked.items()},  # type: ignore[literal-required]
        "address": thing["PrivateIpAddress"],
        "subnet": thing["SubnetId"],
        "tokens": [thing["MetadataOptions"][n] for n in ("HttpTokens", "HttpPutResponseHopLimit")],
        "monitoring": thing["Monitoring"]["State"],
        "optimized": thing["EbsOptimized"],
        "disk": (disk["Encrypted"], disk.get("KmsKeyId"), disk["Size"], disk["VolumeType"]),
    }


def test_a_replaced_instance_keeps_what_nobody_decided(project: "Project") -> None:
    """An adopted instance gets another image, and is in all else what it was, its private address too."""
    id_ = foreign(project)
    before = described(project)
    document = project.run("document").replace(IMAGE, OTHER)
    (project.folder / "site.yaml").write_text(document)
    assert "private address" not in project.run("apply", "site.yaml", "--yes")
    assert described(project) == before
    assert before["disk"][0] is True
    assert id_ not in project.there()
    project.check()


def test_an_instance_that_comes_back_keeps_what_nobody_decided(project: "Project", aws: StrictEc2) -> None:
    """An undone termination launches what was there, if need be at another address; a new launch does not."""
    foreign(project)
    before = described(project)
    project.run("ec2", "terminate", "web")
    aws.fail("RunInstances", "InvalidIPAddress.InUse", "Address 10.0.1.77 is in use.")
    aws.clear()
    project.run("undo", "HEAD")
    after, asked = described(project), ("DisableApiStop", "InstanceInitiatedShutdownBehavior")
    launches = [params for action, params in aws.log if action == "RunInstances"]
    assert [params.get("PrivateIpAddress") for params in launches] == ["10.0.1.77", None]
    but = {"address": None, **dict.fromkeys(asked)}
    assert {**after, **but} == {**before, **but}
    project.run("ec2", "terminate", "web")
    project.run("ec2", "launch", "web", "--image", IMAGE, "--type", "t3.micro")
    (thing,) = project.there().values()
    assert (thing["MetadataOptions"]["HttpTokens"], thing["EbsOptimized"]) == ("optional", False)


def test_a_replaced_volume_keeps_what_nobody_decided(project: "Project") -> None:
    """A volume that is made anew in another zone has the key and the speed of the first."""
    ec2 = project.ec2()
    key = "arn:aws:kms:us-east-1:123456789012:key/abc"
    tags: Any = [{"ResourceType": "volume", "Tags": [{"Key": "Name", "Value": "disk"}]}]
    ec2.create_volume(
        AvailabilityZone="us-east-1a",
        Size=100,
        VolumeType="gp3",
        Iops=5000,
        Throughput=250,
        Encrypted=True,
        KmsKeyId=key,
        TagSpecifications=tags,
    )
    project.run("adopt", "aws", "--only", "ec2.volume/*")
    document = project.run("document").replace("us-east-1a", "us-east-1b")
    (project.folder / "site.yaml").write_text(document)
    project.run("apply", "site.yaml", "--yes")
    (volume,) = ec2.describe_volumes()["Volumes"]
    kept = [volume[n] for n in ("AvailabilityZone", "Iops", "Throughput", "KmsKeyId", "Encrypted")]
    assert kept == ["us-east-1b", 5000, 250, key, True]


def test_what_makes_sense_for_one_type_only_is_not_said_of_another() -> None:
    """Another instance type is launched without what was said for the first."""
    was = {"InstanceType": "t3.micro", "CpuOptions": {"CoreCount": 1}, "EbsOptimized": True}
    was |= {"MetadataOptions": {"HttpTokens": "required"}, "CpuCredits": "unlimited"}
    assert unmodelled.launched(was, "t3.micro", None).keys() == {
        *("CpuOptions", "EbsOptimized", "MetadataOptions", "CreditSpecification")
    }
    assert unmodelled.launched(was, "m5.large", None) == {"MetadataOptions": {"HttpTokens": "required"}}


def test_a_private_address_stays_in_its_subnet() -> None:
    """It is kept where the subnet is, and in no other."""
    was = {"InstanceType": "t3.micro", "SubnetId": "subnet-1", "PrivateIpAddress": "10.0.0.7"}
    assert unmodelled.launched(was, "t3.micro", "subnet-1")["PrivateIpAddress"] == "10.0.0.7"
    assert unmodelled.launched(was, "t3.micro", None)["SubnetId"] == "subnet-1"
    assert unmodelled.launched(was, "t3.micro", "subnet-2") == {}


def test_what_no_launch_takes_is_told_as_lost() -> None:
    """A spot request, further interfaces and what could not be looked at are told before anything ends."""
    thing = {
        "InstanceId": "i-1",
        "InstanceLifecycle": "spot",
        "SpotInstanceRequestId": "sir-1",
        "NetworkInterfaces": [{}, {}],
        "Ipv6Address": "2001:db8::1",
    }
    fields = {**unmodelled.kept_of(thing, unmodelled.INSTANCE), "NotSeen": ["userData"]}
    lost = "; ".join(KIND.loses(Instance(id="i-1", unmodelled=fields)))
    for words in ("spot request sir-1", "1 further network interface", "2001:db8::1", "userData"):
        assert words in lost
    assert unmodelled.launched(fields, "t3.micro", None) == {"InstanceMarketOptions": {"MarketType": "spot"}}


def test_odd_values_hide_nothing() -> None:
    """A member that cannot be understood is left out, and the others are kept."""
    odd = {"MetadataOptions": "None", "Monitoring": [], "Placement": 7, "EbsOptimized": True}
    assert unmodelled.kept_of(odd, unmodelled.INSTANCE) == {"EbsOptimized": True}


def test_a_volume_has_no_more_speed_than_its_size_allows() -> None:
    """A smaller volume is asked for with what it can have, one of another type with nothing of it."""
    was = {"VolumeType": "gp3", "Iops": 16000, "Throughput": 500, "KmsKeyId": "key"}
    assert unmodelled.ebs(was, 100, None) == {"Iops": 16000, "Throughput": 500, "KmsKeyId": "key"}
    assert unmodelled.ebs(was, 10, "gp3")["Iops"] == 5000
    assert unmodelled.ebs(was, 1, "gp3")["Iops"] == 3000
    assert unmodelled.ebs(was, 100, "gp2", encrypted=False) == {}
