"""How an instance is launched, changed and terminated: programs over calls of EC2."""

import base64
from collections.abc import Mapping
from contextlib import suppress
from ipaddress import ip_address, ip_network
from typing import Any, NamedTuple

from msgspec.structs import replace

from lasercats.core import content as contents
from lasercats.core.address import Address
from lasercats.core.change import Change
from lasercats.core.errors import Refused
from lasercats.core.instruction import Failure, InstructionFailed
from lasercats.core.loose import ODD
from lasercats.core.program import Each, Known, Program
from lasercats.domains.ec2 import account, instance, looks, steps, unmodelled
from lasercats.domains.ec2.instance import Disk, Instance
from lasercats.domains.ec2.instance_looks import POWER, Looking, devices, volumes_of
from lasercats.instructions.aws import (
    Ask,
    Call,
    Describe,
    Wait,
    state_of,
    tagged,
    variable,
)


class InstanceKind(Looking):
    """Instances."""

    def act(self, address: Address, change: Change[Instance], known: Known) -> Program[Any]:
        """Launch, change or terminate it."""
        if change.before is None:
            return self._launch(address, change.after, known)
        if change.after is None:
            return self._terminate(address, change.before, known)
        return self._change(address, change, known)

    def _launch(self, address: Address, desired: Any, known: Known) -> Program[Any]:  # noqa: ANN401
        machine, _ = account.at(address)
        root = (yield from _root(machine, desired)) if "root" in _own(desired) else Root("", 0)
        kept = yield from _kept(machine, desired, known)
        call = Call(
            machine=machine,
            operation="RunInstances",
            parameters=_parameters(desired, known, root, kept),
            token="",
            gives=variable(address),
            at="Instances[0].InstanceId",
        )
        try:
            answered = yield call
        except InstructionFailed as failed:
            if "PrivateIpAddress" not in kept or "InvalidIPAddress" not in failed.failure.reason:
                raise
            free = {
                n: v for n, v in call.parameters.items() if n != "PrivateIpAddress"
            }  # somebody else has it
            answered = yield replace(call, parameters=free)
        new = replace(desired, id=answered.response["Instances"][0]["InstanceId"])

        def finish() -> Program[Any]:
            if (desired.unmodelled or {}).get("SourceDestCheck") is False:
                yield _modify(machine, str(new.id), SourceDestCheck={"Value": False})
            waited = yield Wait(machine=machine, what="instance", id=new.id, state="running")
            if desired.state == "stopped":
                yield _power(machine, "StopInstances", new.id)
                waited = yield Wait(machine=machine, what="instance", id=new.id, state="stopped")
            return looks.as_desired(
                self.read(waited.found[0] if waited.found else {"InstanceId": new.id}, desired),
                desired,
                known,
            )

        return (yield from account.leaving(str(new.id), finish(), lambda: self._left(address, new, known)))

    def _left(self, address: Address, new: Instance, known: Known) -> Program[Any]:
        """Look at what has been launched; that EC2 does not tell of it yet does not mean that it is gone."""
        found = yield from self.seen(address, new, known, new)
        if found is not None:
            return found
        machine, _ = account.at(address)
        by_id = {"Filters": [{"Name": "instance-id", "Values": [new.id]}]}
        answer = yield Ask(machine=machine, operation="DescribeInstances", parameters=by_id)
        return None if answer.response.get("Reservations") else new  # what has ended is told of for a while

    def _terminate(self, address: Address, before: Instance, known: Known) -> Program[Any]:
        machine, _ = account.at(address)
        id_ = account.own_id(known(address) or before)
        before = replace(before, id=id_)

        def steps() -> Program[None]:
            try:
                yield _power(machine, "TerminateInstances", id_)
            except InstructionFailed as failed:
                if (
                    "OperationNotPermitted" in failed.failure.reason
                ):  # protected outside, or nobody decided it
                    raise Refused(f"{instance.protected(address)} (OperationNotPermitted)") from None
                raise
            yield Wait(machine=machine, what="instance", id=id_, state="terminated")

        return (yield from account.leaving(id_, steps(), lambda: self.seen(address, before, known, before)))

    def _change(self, address: Address, change: Change[Any], known: Known) -> Program[Any]:
        before, after = account.sides(change)
        machine, _ = account.at(address)
        id_ = account.own_id(known(address) or before)
        before = replace(before, id=id_)

        def steps() -> Program[Any]:
            yield from account.change_tags(machine, id_, change)
            yield from _attributes(machine, id_, change, known)
            yield from _disks(machine, address, id_, change)
            yield from _offline(machine, id_, change)
            return (yield from self.seen(address, after, known, before))

        return (yield from account.leaving(id_, steps(), lambda: self.seen(address, after, known, before)))

    def seen(
        self, address: Address, desired: Instance, known: Known, before: Instance | None = None
    ) -> Program[Any]:
        """Look at it, and tell what is there as what is desired says it; at its user data, too."""
        desired = replace(desired, id=(before or desired).id, launched=None)
        return super().seen(address, desired, known, before)


class Root(NamedTuple):
    """The root device of an image."""

    name: str
    size: int
    """The least size of its volume, in GiB; 0 where that is not known."""


def _root(machine: str, desired: Instance) -> Program[Root]:
    """Return the root device of the image, which only EC2 can tell.

    Raises:
        Refused: it does not tell.

    """
    described = yield Describe(machine=machine, what="image", by="image-id", value=desired.image)
    image = described.found[0] if described.found else {}
    root = image.get("RootDeviceName")
    if not root and "root" not in (desired.volumes or {}):
        return Root("", 0)  # nobody decided anything of it, so a launch does not fail for that
    if not root:
        raise Refused(
            f"EC2 tells no root device of {desired.image}; take another image, or name the volume by its "
            "device"
        )
    mapped = [one for one in image.get("BlockDeviceMappings", ()) if one.get("DeviceName") == root]
    sizes = (one.get("Ebs", {}).get("VolumeSize") for one in mapped)
    return Root(str(root), next((size for size in sizes if isinstance(size, int)), 0))


def _kept(machine: str, desired: Instance, known: Known) -> Program[dict[str, Any]]:
    """Return the parameters for what it has of one in whose place it is launched."""
    if desired.unmodelled is None:
        return {}
    subnet = None if desired.subnet is None else account.id_of(known, desired.subnet)
    kept = unmodelled.launched(desired.unmodelled, str(desired.type), subnet)
    if "PrivateIpAddress" in kept and not (yield from _is_free(machine, kept)):
        kept.pop("PrivateIpAddress")
    if "CpuOptions" in kept:  # reported for all types, and taken by those that have any to choose from
        asked = {"InstanceTypes": [desired.type]}
        (answer,) = yield Each([Ask(machine=machine, operation="DescribeInstanceTypes", parameters=asked)])
        types = [] if isinstance(answer, Failure) else answer.response.get("InstanceTypes", [])
        usual = types[0].get("VCpuInfo", {}) if types else {}
        pairs = (("CoreCount", "DefaultCores"), ("ThreadsPerCore", "DefaultThreadsPerCore"))
        if not usual or all(kept["CpuOptions"].get(name) == usual.get(other) for name, other in pairs):
            kept.pop("CpuOptions")
    return kept


def _is_free(machine: str, kept: Mapping[str, Any]) -> Program[bool]:
    """Tell whether a private address is one of its subnet and free, so that a launch there can have it."""
    address, where = kept["PrivateIpAddress"], {"Name": "subnet-id", "Values": [kept["SubnetId"]]}
    filters = [where, {"Name": "private-ip-address", "Values": [address]}]
    described, others = yield (
        Describe(machine=machine, what="subnet", by="subnet-id", value=kept["SubnetId"]),
        Ask(machine=machine, operation="DescribeInstances", parameters={"Filters": filters}),
    )
    if not described.looked:
        return True
    with suppress(*ODD):
        there = [one for r in others.response.get("Reservations", ()) for one in r["Instances"]]
        inside = ip_address(address) in ip_network(described.found[0]["CidrBlock"])
        return inside and all(one.get("PrivateIpAddress") != address for one in there)
    return False


def _parameters(desired: Instance, known: Known, root: Root, kept: Mapping[str, Any]) -> dict[str, Any]:
    parameters: dict[str, Any] = {
        **kept,
        "ImageId": desired.image,
        "InstanceType": desired.type,
        "MinCount": 1,
        "MaxCount": 1,
    }
    if desired.subnet:
        parameters["SubnetId"] = account.id_of(known, desired.subnet)
    if desired.security_groups:
        parameters["SecurityGroupIds"] = [account.id_of(known, group) for group in desired.security_groups]
    if desired.key:
        parameters["KeyName"] = account.id_of(known, desired.key)
    data = (desired.unmodelled or {}).get("UserData") if desired.user_data is None else desired.user_data
    if data:
        parameters["UserData"] = data
    if desired.protected:
        parameters["DisableApiTermination"] = True
    if desired.tags:
        parameters["TagSpecifications"] = [{"ResourceType": "instance", "Tags": tagged(desired.tags)}]
    if _own(desired):
        parameters["BlockDeviceMappings"] = [
            {"DeviceName": root.name if device == "root" else device, "Ebs": _ebs(desired, device, root)}
            for device in _own(desired)
            if device != "root" or root.name
        ]
    return parameters


def _own(desired: Instance) -> list[str]:
    """Return the devices of its own volumes: those that are decided, or those of another where none are."""
    decided = desired.volumes
    return sorted((desired.unmodelled or {}).get("Volumes", {}) if decided is None else decided)


def _ebs(desired: Instance, device: str, root: Root) -> dict[str, Any]:
    """Return the parameters of one of its own volumes, as it is decided, and as it was as to the rest."""
    disk = (desired.volumes or {}).get(device, Disk())
    was = (desired.unmodelled or {}).get("Volumes", {}).get(device, {})
    size, type_ = disk.size or was.get("Size"), disk.type or was.get("VolumeType")
    if disk.size is None and size is not None and device == "root":
        size = max(size, root.size)
    parameters = {"VolumeSize": size, "VolumeType": type_, "DeleteOnTermination": True}
    parameters |= {"Encrypted": was.get("Encrypted")} | unmodelled.ebs(was, size, type_)
    parameters.pop("MultiAttachEnabled", None)
    return {name: value for name, value in parameters.items() if value is not None}


def _power(machine: str, operation: str, id_: str) -> Call:
    return Call(machine=machine, operation=operation, parameters={"InstanceIds": [id_]})


def _modify(machine: str, id_: str, **attribute: Any) -> Call:  # noqa: ANN401 - as the API has it
    parameters = {"InstanceId": id_, **attribute}
    return Call(machine=machine, operation="ModifyInstanceAttribute", parameters=parameters)


def _attributes(machine: str, id_: str, change: Change[Any], known: Known) -> Program[None]:
    """Change what can be changed at any time."""
    _, after = account.sides(change)
    if "security_groups" in change.fields and after.security_groups:
        groups = [account.id_of(known, group) for group in after.security_groups]
        yield _modify(machine, id_, Groups=groups)
    if "protected" in change.fields and after.protected is not None:
        yield _modify(machine, id_, DisableApiTermination={"Value": after.protected})


def _disks(machine: str, address: Address, id_: str, change: Change[Any]) -> Program[None]:
    """Change its own volumes; AWS does that while they are in use."""
    before, after = account.sides(change)
    if "volumes" not in change.fields or not after.volumes:
        return
    volumes = yield volumes_of(machine, id_)
    if not volumes.looked:
        raise Refused(
            "only a look tells the ids of its own volumes, and a script does not look; grow them live"
        )
    described = yield Describe(machine=machine, what="instance", by="instance-id", value=id_)
    ids = devices(described.found[0] if described.found else {}, volumes.found)
    for device, disk in after.volumes.items():
        old = (before.volumes or {}).get(device)
        if disk == old:
            continue
        if device not in ids:
            raise Refused(
                f"it has no own volume {device}; `lasercats observe {address}` takes in those it has"
            )
        parameters = {"VolumeId": ids[device]["VolumeId"], "Size": disk.size, "VolumeType": disk.type}
        parameters = {name: value for name, value in parameters.items() if value is not None}
        yield Call(machine=machine, operation="ModifyVolume", parameters=parameters)
        yield steps.modified(machine, ids[device]["VolumeId"])


def _offline(machine: str, id_: str, change: Change[Any]) -> Program[None]:
    """Start or stop it, and change what can only be changed while it is stopped."""
    before, after = account.sides(change)
    power, wanted = before.state, after.state
    changes = []
    if "type" in change.fields and after.type is not None:
        changes.append(_modify(machine, id_, InstanceType={"Value": after.type}))
    if "user_data" in change.fields and after.user_data is not None:
        encoded = base64.b64encode(contents.decode(after.user_data)).decode()
        changes.append(_modify(machine, id_, Attribute="userData", Value=encoded))
    if power is None and (changes or wanted):
        described = yield Describe(machine=machine, what="instance", by="instance-id", value=id_)
        power = POWER.get(state_of(described.found[0]) or "") if described.found else "running"
    wanted = wanted or power
    if power == "running" and (changes or wanted == "stopped"):
        yield _power(machine, "StopInstances", id_)
        yield Wait(machine=machine, what="instance", id=id_, state="stopped")
        power = "stopped"
    failed: InstructionFailed | None = None
    try:
        for call in changes:  # noqa: UP028 - a list takes no answers
            yield call
    except InstructionFailed as refused:
        if refused.failure.in_doubt:
            raise
        failed = refused
        wanted = before.state or wanted  # as it was: started again, if it was stopped for this
    if power == "stopped" and wanted == "running":
        yield _power(machine, "StartInstances", id_)
        yield Wait(machine=machine, what="instance", id=id_, state="running")
    if failed is not None:
        raise failed


KIND = InstanceKind()
