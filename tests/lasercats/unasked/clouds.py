"""An account on an endpoint as strict as EC2, lines about it in any order, and the eyes of boto3."""

import json
import random
import sqlite3
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Any, NamedTuple, cast

from botocore.exceptions import ClientError

from lasercats.testing.aws import StrictEc2
from lasercats.testing.unasked import INTERRUPTS, LOSES, UNPROTECTS, Harm, Line, Ran

if TYPE_CHECKING:
    from mypy_boto3_ec2 import EC2Client

    from tests.lasercats.cli.conftest import Cli

IMAGE = "ami-03cf127a"
GONE = ("terminated", "shutting-down")
STOPS = ("StopInstances", "RebootInstances")


class Seen(NamedTuple):
    """What an account has, by id, and what the state calls it."""

    instances: dict[str, tuple[str, bool]]
    """State, and whether it is protected."""
    volumes: dict[str, str | None]
    """What each is attached to."""
    elastic_ips: dict[str, str | None]
    others: frozenset[str]
    called: dict[str, str]

    def ids(self) -> set[str]:
        """Return the ids of all that is there."""
        return {*self.instances, *self.volumes, *self.elastic_ips, *self.others}


class Cloud:
    """A world of EC2."""

    def __init__(self, cli: "Cli", aws: StrictEc2, ec2: "EC2Client", seed: int) -> None:
        """Look at an account with a client that nobody else uses."""
        self.cli, self.log, self.aws, self.ec2 = cli, cli.path, aws, ec2
        self.random = random.Random(seed)  # noqa: S311 - a walk that can be repeated
        self.documents: list[str] = []

    def run(self, line: Line) -> Ran:
        """Run a line; what is held is taken back."""
        self.aws.clear()
        ran = self.cli(*line.words)
        if "--confirm-within" in line.words:
            self.cli("confirm", "--reject")
        return ran

    def look(self) -> Seen:
        """See all that an account has."""
        found = [i for r in self.ec2.describe_instances()["Reservations"] for i in r["Instances"]]
        volumes = self.ec2.describe_volumes()["Volumes"]
        addresses = self.ec2.describe_addresses()["Addresses"]
        others = [g["GroupId"] for g in self.ec2.describe_security_groups()["SecurityGroups"]]
        others += [k["KeyPairId"] for k in self.ec2.describe_key_pairs()["KeyPairs"]]
        db = sqlite3.connect(self.log)
        try:
            rows = db.execute("SELECT address, body FROM present WHERE length(body) > 0").fetchall()
        finally:
            db.close()
        return Seen(
            {
                i["InstanceId"]: (i["State"]["Name"], self._protected(i["InstanceId"]))
                for i in found
                if i["State"]["Name"] not in GONE
            },
            {v["VolumeId"]: next((a["InstanceId"] for a in v["Attachments"]), None) for v in volumes},
            {a["AllocationId"]: a.get("InstanceId") or None for a in addresses},
            frozenset(others),
            {json.loads(body).get("id"): address for address, body in rows},
        )

    def _protected(self, id_: str) -> bool:
        described = self.ec2.describe_instance_attribute(InstanceId=id_, Attribute="disableApiTermination")
        return bool(described["DisableApiTermination"]["Value"])

    def harm(self, before: object) -> Iterator[Harm]:
        """Tell what is gone, stopped, taken from what it was attached to, or no longer protected."""
        assert isinstance(before, Seen)
        calls = [(action, params) for action, params in self.aws.log if action in STOPS]
        stopped = {value for _, params in calls for value in params.values()}
        now = self.look()
        for id_ in before.ids() - now.ids():
            if id_ not in before.volumes or id_ in before.called:  # its own go with an instance
                yield Harm(before.called.get(id_, id_), LOSES, id_)
        for id_, (state, protected) in before.instances.items():
            if id_ in now.instances:
                after, still = now.instances[id_]
                if state == "running" and (after != state or id_ in stopped):
                    yield Harm(before.called.get(id_, id_), INTERRUPTS, id_)
                if protected and not still:
                    yield Harm(before.called.get(id_, id_), UNPROTECTS, id_)
        for had, has in ((before.volumes, now.volumes), (before.elastic_ips, now.elastic_ips)):
            for id_, holder in had.items():
                if holder is not None and has.get(id_, holder) != holder and holder in now.instances:
                    yield Harm(before.called.get(id_, id_), INTERRUPTS, f"{id_} of {holder}")

    # An estate, what others do to it, and what an operator types.

    def estate(self) -> None:
        """Make two instances, volumes and addresses, as somebody else would, and take them in."""
        web, db, pet = (self._launch(name) for name in ("web", "db", "pet"))
        self.aws.settle()
        self.ec2.modify_instance_attribute(InstanceId=pet, DisableApiTermination={"Value": True})
        for name, holder in (("data", db), ("spare", None)):
            volume = self.ec2.create_volume(AvailabilityZone="us-east-1a", Size=10)["VolumeId"]
            self._name(volume, name)
            if holder:
                self.ec2.attach_volume(VolumeId=volume, InstanceId=holder, Device="/dev/sdf")
        for name, holder in (("front", web), ("back", db), ("free", None)):
            address = self.ec2.allocate_address(Domain="vpc")["AllocationId"]
            self._name(address, name)
            if holder:
                self.ec2.associate_address(AllocationId=address, InstanceId=holder)
        self.aws.settle()
        self.cli.done("adopt", "aws", "--exclude", "ec2.vpc/*", "--exclude", "ec2.subnet/*")
        self._remember()

    def _launch(self, name: str) -> str:
        tags: Any = [{"ResourceType": "instance", "Tags": [{"Key": "Name", "Value": name}]}]
        placed: Any = {"AvailabilityZone": "us-east-1a"}
        made = self.ec2.run_instances(
            ImageId=IMAGE,
            InstanceType="t3.micro",
            MinCount=1,
            MaxCount=1,
            TagSpecifications=tags,
            Placement=placed,
        )
        return made["Instances"][0]["InstanceId"]

    def _name(self, id_: str, name: str) -> None:
        self.ec2.create_tags(Resources=[id_], Tags=[{"Key": "Name", "Value": name}])

    def _remember(self) -> None:
        self.documents.append(self.cli.done("document").out)

    def walk(self, steps: int) -> Iterator[Line]:
        """Iterate over lines, with changes by others between them."""
        makers = [self._direct, self._direct, self._direct, self._document, self._undo, self._undo]
        makers += [self._drift, self._many]
        for n in range(steps):
            if self.random.random() < 0.3:
                self._outside()
            if n % 5 == 4:
                self._remember()
            line = self.random.choice(makers)()
            more = [w for w in ("--yes", "--json") if self.random.random() < 0.4]
            yield Line((*line.words, *more), line.names)

    def _outside(self) -> None:
        seen = self.look()
        if not (seen.instances and seen.volumes and seen.elastic_ips):
            return
        instance, volume = self.random.choice([*seen.instances]), self.random.choice([*seen.volumes])
        address, ec2 = self.random.choice([*seen.elastic_ips]), self.ec2
        acts: tuple[Callable[[], object], ...] = (
            lambda: ec2.stop_instances(InstanceIds=[instance]),
            lambda: ec2.start_instances(InstanceIds=[instance]),
            lambda: ec2.terminate_instances(InstanceIds=[instance]),
            lambda: ec2.modify_instance_attribute(
                InstanceId=instance,
                DisableApiTermination={"Value": self.random.random() < 0.5},
            ),
            lambda: ec2.modify_volume(VolumeId=volume, Size=self.random.randint(9, 40)),
            lambda: ec2.detach_volume(VolumeId=volume),
            lambda: ec2.attach_volume(VolumeId=volume, InstanceId=instance, Device="/dev/sdg"),
            lambda: ec2.associate_address(AllocationId=address, InstanceId=instance, AllowReassociation=True),
            lambda: self._launch("odd"),
        )
        try:
            self.random.choice(acts)()
        except ClientError:  # the account is not as it should be for that
            return
        finally:
            self.aws.settle()

    def _name_of(self, kind: str) -> str:
        names: dict[str, tuple[str, ...]] = {
            "instance": ("web", "db", "pet", "new"),
            "volume": ("data", "spare"),
            "elastic_ip": ("front", "back", "free"),
        }
        return self.random.choice(names[kind])

    def _direct(self) -> Line:
        i, v, e = (self._name_of(kind) for kind in ("instance", "volume", "elastic_ip"))
        other = f"ec2.instance/{self._name_of('instance')}"
        i_, v_, e_ = f"ec2.instance/{i}", f"ec2.volume/{v}", f"ec2.elastic_ip/{e}"
        words, *names = self.random.choice(
            (
                (("terminate", i), (i_, LOSES)),
                (("stop", i), (i_, INTERRUPTS)),
                (("start", i),),
                (("start", i),),
                (("change-type", i, "--type", self._type()), (i_, INTERRUPTS)),
                (("launch", "new", "--image", IMAGE, "--type", self._type()),),
                (("protect", i),),
                (("unprotect", i), (i_, UNPROTECTS)),
                (("tag", i, "--tag", f"n={self.random.randint(0, 9)}"),),
                (("grow-volume", v, "--size", f"{self.random.randint(11, 40)}"),),
                (("attach", v, "--instance", other, "--device", "/dev/sdh"),),
                (("attach", v, "--instance", other, "--device", "/dev/sdh"),),
                (("detach", v), (v_, INTERRUPTS)),
                (("delete-volume", v), (v_, LOSES)),
                (("associate", e, "--instance", other), (e_, INTERRUPTS)),
                (("associate", e, "--instance", other), (e_, INTERRUPTS)),
                (("disassociate", e), (e_, INTERRUPTS)),
                (("release", e), (e_, LOSES)),
            )
        )
        held = ["--confirm-within", "1h"] if self.random.random() < 0.1 else []
        return Line(("ec2", *cast("tuple[str, ...]", words), *held), frozenset(cast("Any", names)))

    def _type(self) -> str:
        return self.random.choice(("t3.micro", "t3.small", "t3.large"))

    def _document(self) -> Line:
        data = json.loads(json.dumps(_yaml(self.random.choice(self.documents))))
        desired = data["resources"]
        for address in [a for a in desired if self.random.random() < 0.15]:
            del desired[address]
        for address, fields in desired.items():
            if address.startswith("ec2.instance/") and self.random.random() < 0.15:
                fields["type"] = self._type()
        site = self.cli.file("site.yaml", json.dumps(data))
        more = [word for word in ("--prune", "--recreate") if self.random.random() < 0.3]
        return Line(("apply", site, *more))

    def _undo(self) -> Line:
        far = self.random.randint(0, 5)
        which = self.random.choice((f"HEAD~{far}", f"HEAD~{far}..HEAD", "HEAD"))
        more = [word for word in ("--partial", "--recreate") if self.random.random() < 0.4]
        return Line(("undo", which, *more))

    def _drift(self) -> Line:
        more = ["--recreate"] if self.random.random() < 0.2 else []
        return Line(("drift", self.random.choice(("--revert", "--revert", "--adopt")), *more))

    def _many(self) -> Line:
        """What an operator did not write out himself: a query, a pattern, a stream."""
        commands = [
            {"command": "ec2.stop", "on": f"ec2.instance/{self._name_of('instance')}"},
            {"command": "ec2.detach", "on": f"ec2.volume/{self._name_of('volume')}"},
        ]
        stream = self.cli.file("more.jsonl", "\n".join(map(json.dumps, commands)))
        return Line(
            self.random.choice(
                (
                    (
                        "for",
                        "SELECT name FROM ec2_instance",
                        "ec2",
                        self.random.choice(("stop", "terminate")),
                    ),
                    ("for", "SELECT name FROM ec2_elastic_ip", "ec2", "disassociate"),
                    ("ec2", "unprotect", "[a]ws:pet"),
                    ("ec2", "terminate", f"a*:{self._name_of('instance')}"),
                    ("issue", stream),
                )
            )
        )


def _yaml(text: str) -> Any:  # noqa: ANN401
    import yaml

    return yaml.safe_load(text)
