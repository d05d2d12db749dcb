"""An account of EC2, seen by a plain boto3 client."""

import random
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from lasercats.testing.aws import StrictEc2
from tests.soak.peer import Facts, Peer, Ran, Reality, Step

if TYPE_CHECKING:
    from mypy_boto3_ec2 import EC2Client

IMAGE = "ami-03cf127a"
TYPES = ("t3.micro", "t3.small", "t3.large")
GONE = ("terminated", "shutting-down")
KINDS = ("ec2.instance", "ec2.volume", "ec2.elastic_ip")


class Cloud(Peer):
    """Instances, volumes and addresses; each has its name in the state as its tag."""

    whole = False
    url = "aws://us-east-1?poll=0.05&grace=1&attempts=2&timeout=20&read_timeout=5"

    def __init__(self, aws: StrictEc2) -> None:
        super().__init__("aws")
        self._aws = aws

    def client(self) -> "EC2Client":
        """Return a client as anybody has one."""
        from boto3.session import Session

        session = Session("testing", "testing", region_name="us-east-1")
        return session.client("ec2", endpoint_url=self._aws.endpoint)

    def owns(self, address: str) -> bool:
        """Tell whether an address is of EC2."""
        return address.startswith("ec2.")

    def work(self, rng: random.Random, there: Reality) -> list[Step | Ran]:
        """Launch, stop, start, change and terminate; make and delete volumes and addresses."""
        some = rng.sample(range(4), rng.randint(1, 3))
        steps: list[Step | Ran] = [self._instance(rng, f"ec2.instance/i{n}", there) for n in some]
        if rng.random() < 0.4:
            steps.append(self._made("ec2.volume/v", there, "create_volume", zone="us-east-1a", size=8))
        if rng.random() < 0.4:
            steps.append(self._made("ec2.elastic_ip/e", there, "allocate"))
        return steps

    @staticmethod
    def _instance(rng: random.Random, address: str, there: Reality) -> Step:
        facts, tags = there.get(address), {"Name": address.partition("/")[2]}
        if facts is None:
            fields = {"image": IMAGE, "type": "t3.micro", "tags": tags}
            sets = {"type": "t3.micro", "state": "running"}
            return Step({"command": "ec2.launch", "on": address, **fields}, address, sets, makes=True)
        draw = rng.random()
        if draw < 0.4:
            return Step({"command": "ec2.terminate", "on": address}, address, None)
        if draw < 0.7:
            kind = rng.choice(TYPES)
            command = {"command": "ec2.change_type", "on": address, "type": kind}
            return Step(command, address, {"type": kind})
        verb, state = ("stop", "stopped") if facts["state"] == "running" else ("start", "running")
        return Step({"command": f"ec2.{verb}", "on": address}, address, {"state": state})

    @staticmethod
    def _made(address: str, there: Reality, verb: str, **fields: Any) -> Step:  # noqa: ANN401 - as a command has
        if address in there:
            verb = "release" if verb == "allocate" else "delete_volume"
            return Step({"command": f"ec2.{verb}", "on": address}, address, None)
        tags = {"Name": address.partition("/")[2]}
        return Step(
            {"command": f"ec2.{verb}", "on": address, "tags": tags, **fields}, address, {}, makes=True
        )

    def reality(self) -> Reality:
        """Describe all that is there; what has the name of another gets one of its own."""
        self._aws.settle()
        client, found = self.client(), Reality()
        for reservation in client.describe_instances()["Reservations"]:
            for one in reservation["Instances"]:
                if one["State"]["Name"] not in GONE:
                    facts = {"type": one["InstanceType"], "state": one["State"]["Name"]}
                    self._put(found, "instance", one, one["InstanceId"], **facts)
        own = {
            mapping["Ebs"]["VolumeId"]
            for reservation in client.describe_instances()["Reservations"]
            for one in reservation["Instances"]
            for mapping in one.get("BlockDeviceMappings", ())
        }
        for volume in client.describe_volumes()["Volumes"]:
            if volume["VolumeId"] not in own:
                self._put(found, "volume", volume, volume["VolumeId"])
        for address in client.describe_addresses()["Addresses"]:
            self._put(found, "elastic_ip", address, address["AllocationId"])
        client.close()
        return found

    @staticmethod
    def _put(found: Reality, kind: str, thing: Any, id_: str, **facts: str) -> None:  # noqa: ANN401 - as boto3 tells
        names = [tag["Value"] for tag in thing.get("Tags", ()) if tag["Key"] == "Name"]
        address = f"ec2.{kind}/{names[0] if names else id_}"
        found[f"{address} once more: {id_}" if address in found else address] = {"id": id_, **facts}

    def stated(self, address: str, resource: Mapping[str, Any]) -> Facts:
        """Return the id, and of an instance its type and whether it runs."""
        names = ("id", "type", "state") if address.startswith("ec2.instance/") else ("id",)
        return {name: resource.get(name) for name in names}

    def harm(self, rng: random.Random) -> str | None:
        """Lose calls or answers, let credentials expire, or throttle."""
        self.harmed = True
        match rng.randrange(4):
            case 0:
                self._aws.cut("*", "before", 10_000)
                return "nothing reaches it"
            case 1:
                self._aws.cut("*", "after", rng.randint(1, 4))
                return "some answers are lost"
            case 2:
                self._aws.fail("*", "RequestExpired", "Request has expired.", 400, 10_000)
                return "the credentials have expired"
        self._aws.throttle("*", 10_000)
        return "it throttles"

    def heal(self) -> None:
        """Answer again."""
        self._aws.forgive()
        self._aws.settle()
        self.harmed = False
