"""How an instance is looked at: by its description, and at what is decided and not told with it."""

import base64
from collections.abc import Mapping
from typing import Any

from msgspec.structs import replace

from lasercats.core import content as contents
from lasercats.core.address import Address
from lasercats.core.errors import Refused
from lasercats.core.instruction import Failure
from lasercats.core.kind import Found
from lasercats.core.loose import ODD
from lasercats.core.program import Each, Program
from lasercats.domains.ec2 import instance, looks, unmodelled, volume
from lasercats.domains.ec2.instance import Disk, Instance
from lasercats.domains.ec2.looks import Thing
from lasercats.instructions.aws import Answered, Ask, Describe, tags_of

POWER = {"pending": "running", "running": "running", "stopping": "stopped", "stopped": "stopped"}


class Looking(instance.Deciding):
    """How instances are looked at."""

    def observe(self, machine: str, known: Mapping[Address, Any]) -> Program[Found]:
        """Look at instances, and at what is not told with them only where somebody decided it."""
        answers = yield tuple(self.describe(a, resource) for a, resource in known.items())
        found: dict[Address, Any] = {}
        for (address, resource), answer in zip(known.items(), answers, strict=True):
            thing = self.one(address, answer.found)
            if thing is None:
                found[address] = None if answer.looked else resource
            else:
                closely = address in getattr(known, "again", ())
                found[address] = yield from _look_closer(
                    machine, thing, self.understood(thing, resource), resource, closely=closely
                )
        return found

    def read(self, thing: Thing, known: Instance | None) -> Instance:
        """Return the instance that a description tells of; what it does not tell is as known."""
        known = known or Instance()
        if thing.keys() == {"InstanceId"}:  # predicted: only the id is told
            return replace(known, id=thing["InstanceId"])
        return Instance(
            image=_image(thing["ImageId"], known.image),
            type=thing["InstanceType"],
            subnet=thing.get("SubnetId"),
            security_groups=tuple(group["GroupId"] for group in thing.get("SecurityGroups", ())) or None,
            key=looks.as_known(thing.get("KeyName"), known.key),
            user_data=known.user_data,
            volumes=known.volumes,
            tags=tags_of(thing),
            state=_power_of(thing),  # type: ignore[arg-type]  # as EC2 tells it
            protected=known.protected,
            id=thing["InstanceId"],
            private_ip=thing.get("PrivateIpAddress"),
            public_ip=thing.get("PublicIpAddress"),
            launched=thing.get("LaunchTime"),
            zone=thing.get("Placement", {}).get("AvailabilityZone"),
            unmodelled=_unmodelled(thing, known),
        )

    def discover(self, machine: str) -> Program[Found]:
        """Find all instances of an account and region, with all that can be told of them."""
        listed, volumes = yield (
            Describe(machine=machine, what="instance"),
            Describe(machine=machine, what="volume"),
        )
        found = self.read_all(machine, listed.found)
        things = {a: t for a, t in self.named(machine, listed.found) if isinstance(found[a], Instance)}
        names = ("disableApiTermination", "userData")
        answers = iter(
            (yield Each(_attribute(machine, t["InstanceId"], a) for t in things.values() for a in names))
        )
        for address, thing in things.items():
            pair = (next(answers), next(answers))
            failed = next((answer for answer in pair if isinstance(answer, Failure)), None)
            try:
                found[address] = failed or _whole(found[address], thing, volumes.found, *pair)
            except Refused as refused:
                found[address] = Failure(reason=str(refused))
        return found


def _look_closer(
    machine: str, thing: Thing, seen: Instance, known: Instance | None, *, closely: bool
) -> Program[Instance]:
    """Ask for what is not told with an instance.

    User data can only be changed while an instance is stopped, so it is as known where the instance has run
    on since.
    """
    id_ = thing["InstanceId"]
    if closely or known is None or known.volumes is not None:
        volumes = yield volumes_of(machine, id_)
        if known is None or known.volumes is not None:
            seen = replace(seen, volumes=_disks_of(thing, volumes.found, known))
        seen = _with(seen, Volumes=_kept_of(thing, volumes.found))
    if known is None or known.protected is not None:
        answer = yield _attribute(machine, id_, "disableApiTermination")
        seen = replace(seen, protected=_value(answer, "DisableApiTermination", seen.protected))
    ran_on = known is not None and seen.state == "running" and seen.launched == known.launched
    if known is None or (known.user_data is not None and not ran_on):
        answer = yield _attribute(machine, id_, "userData")
        nothing = None if known is None else ""
        seen = replace(seen, user_data=_data(answer) or nothing if answer.response else seen.user_data)
    return (yield from _look_at_the_rest(machine, thing, seen, known)) if closely else seen


def _look_at_the_rest(
    machine: str, thing: Thing, seen: Instance, known: Instance | None
) -> Program[Instance]:
    """Ask for what nobody decided and a new one in its place is to have; what EC2 does not tell is noted."""
    id_, wanted = thing["InstanceId"], dict(unmodelled.ASKED)
    asks = {name: _attribute(machine, id_, name) for name in wanted}
    if known is not None and known.user_data is None:
        asks["userData"] = _attribute(machine, id_, "userData")
    if str(thing["InstanceType"]).startswith("t"):
        asked = {"InstanceIds": [id_]}
        operation = "DescribeInstanceCreditSpecifications"
        asks["CpuCredits"] = Ask(machine=machine, operation=operation, parameters=asked)
    answers = dict(zip(asks, (yield Each(asks.values())), strict=True))
    members: dict[str, Any] = {
        "NotSeen": sorted(name for name, answer in answers.items() if isinstance(answer, Failure)) or None
    }
    for name, (member, kept) in wanted.items():
        members[member] = (
            kept(_value(answers[name], member, None)) if name not in (members["NotSeen"] or ()) else None
        )
    for name in answers.keys() - {*wanted, *(members["NotSeen"] or ())}:
        members["UserData" if name == "userData" else name] = _rest_of(name, answers[name])
    return _with(seen, **members)


def _rest_of(name: str, answer: Answered) -> str | None:
    if name == "userData":
        return _data(answer) or None if answer.response else None
    listed: Any = answer.response.get("InstanceCreditSpecifications") or ({},)
    credit: str | None = listed[0].get("CpuCredits")
    return credit


def _with(seen: Instance, **members: Any) -> Instance:  # noqa: ANN401
    """Return an instance with more that nobody decides; what is None is not."""
    all_ = {**(seen.unmodelled or {}), **members}
    return replace(seen, unmodelled={n: v for n, v in sorted(all_.items()) if v is not None})


def _kept_of(thing: Thing, volumes: tuple[dict[str, Any], ...]) -> dict[str, Any] | None:
    """Return what is kept of its own volumes, by device."""
    own = devices(thing, volumes)
    kept = {
        device: unmodelled.of_volume(one)
        | {name: one[name] for name in ("Size", "Encrypted") if one.get(name)}
        for device, one in sorted(own.items())
    }
    return kept or None


def _whole(
    seen: Instance,
    thing: Thing,
    volumes: tuple[dict[str, Any], ...],
    protected: Answered,
    data: Answered,
) -> Instance:
    """Return an instance with what is not described with it."""
    fields: Any = {"volumes": _disks_of(thing, volumes, None), "user_data": _data(data) or None}
    fields["protected"] = _value(protected, "DisableApiTermination", None)
    return _with(replace(seen, **fields), Volumes=_kept_of(thing, volumes))


def _unmodelled(thing: Thing, known: Instance) -> dict[str, Any]:
    """Return what is kept of what nobody decides; what is not described with it is as known of it."""
    kept = unmodelled.kept_of(thing, unmodelled.INSTANCE)
    if known.security_groups is None and thing.get("SecurityGroups"):
        kept["SecurityGroups"] = sorted(group["GroupId"] for group in thing["SecurityGroups"])
    if known.key is None and thing.get("KeyName"):
        kept["KeyName"] = thing["KeyName"]
    if known.id == thing["InstanceId"]:
        asked = {member for member, _ in unmodelled.ASKED.values()} | {"Volumes", "UserData", "CpuCredits"}
        kept |= {n: v for n, v in (known.unmodelled or {}).items() if n in asked}
    return dict(sorted(kept.items()))


def _power_of(thing: Thing) -> str:
    """Return the state that an instance is in, or comes to; one that we do not know as it is told.

    Raises:
        KeyError: none is told.

    """
    state: str = thing["State"]["Name"]
    return POWER.get(state, state)


def _image(id_: str, known: str | None) -> str:
    """Return the image, as the parameter by which it was found: EC2 tells what stood in it at the time."""
    return known if known and known.startswith(instance.PARAMETER) else id_


def volumes_of(machine: str, id_: str) -> Describe:
    """Return the look at the volumes that are attached to an instance."""
    return Describe(machine=machine, what="volume", by="attachment.instance-id", value=id_)


def devices(thing: Thing, volumes: tuple[dict[str, Any], ...]) -> dict[str, dict[str, Any]]:
    """Return an instance's own volumes, those that go with it, by device."""
    own: dict[str, dict[str, Any]] = {}
    for one in volumes:
        for attachment in one.get("Attachments", ()):
            if attachment.get("InstanceId") == thing.get("InstanceId") and attachment.get(
                "DeleteOnTermination"
            ):
                device = attachment.get("Device") or ""
                own["root" if device == thing.get("RootDeviceName") else device] = one
    return own


def _disks_of(thing: Thing, volumes: tuple[dict[str, Any], ...], known: Instance | None) -> dict[str, Disk]:
    """Return its own volumes, of those that are known what is decided of them.

    Raises:
        Refused: what is told of one cannot be understood.

    """
    desired = {} if known is None else known.volumes or {}
    disks = {}
    for device, one in devices(thing, volumes).items():
        if known is None or device in desired:
            disk = desired.get(device, Disk(size=1, type=""))
            read = volume.KIND.understood(one, None)
            size = None if disk.size is None else read.size
            disks[device] = Disk(size=size, type=None if disk.type is None else read.type)
    return disks


def _attribute(machine: str, id_: str, name: str) -> Ask:
    parameters = {"InstanceId": id_, "Attribute": name}
    return Ask(machine=machine, operation="DescribeInstanceAttribute", parameters=parameters)


def _data(answer: Answered) -> str:
    """Return user data as content, "" where there is none.

    Raises:
        Refused: what is told is no base64.

    """
    try:
        return contents.encode(
            base64.b64decode(answer.response["UserData"].get("Value") or "", validate=True)
        )
    except ODD as error:
        raise Refused(f"what EC2 tells of its user data cannot be understood ({error})") from None


def _value(answer: Any, name: str, default: Any) -> Any:  # noqa: ANN401
    value = answer.response.get(name)
    return value.get("Value", default) if isinstance(value, dict) else default
