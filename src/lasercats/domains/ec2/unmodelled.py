"""What EC2 tells of instances and volumes that nobody decides here, and a new one in their place has, too.

It stands in the computed field `unmodelled`, in the words of EC2, as far as it is not as EC2 makes it by
itself. So it is recorded when something is looked at or adopted, and never compared. Where one is made anew,
because it cannot be changed in place or its removal is undone, it goes into the call that makes it, by the
tables here; what no call takes is told as lost.
"""

from collections.abc import Callable, Iterator, Mapping
from contextlib import suppress
from typing import Annotated, Any, NamedTuple

from msgspec.structs import replace

from lasercats.core.address import Address
from lasercats.core.loose import ODD
from lasercats.core.resource import COMPUTED, Resource
from lasercats.core.state import State
from lasercats.domains.ec2 import account

Unmodelled = Annotated[dict[str, Any], COMPUTED]
Members = Mapping[str, Any]
ODDLY_BOUND = ("CpuOptions", "EbsOptimized", "EnclaveOptions", "HibernationOptions", "CpuCredits")
"""What makes sense for the instance type only for which it was said."""


def _picked(*names: str) -> Callable[[Any], Any]:
    """Return what picks some members, those that are there."""
    return lambda value: {name: value[name] for name in names if value.get(name) not in (None, "")} or None


def _only(value: Any) -> Callable[[Any], Any]:  # noqa: ANN401
    """Return what keeps one value alone: others are as EC2 makes them by itself."""
    return lambda fields: value if fields == value else None


def _on(member: str) -> Callable[[Any], Any]:
    return lambda value: {member: True} if value.get(member) is True else None


class Taken(NamedTuple):
    """How a member of a description goes into the call that makes a new one."""

    parameter: str | None
    """Of the call; None where it is none of its own."""
    kept: Callable[[Any], Any]
    """What is kept of the member, as the parameter has it; None for what EC2 makes by itself."""


def _monitored(value: Any) -> Any:  # noqa: ANN401
    return {"Enabled": True} if value.get("State") in ("enabled", "pending") else None


def _placed(value: Any) -> Any:  # noqa: ANN401
    names = ("Affinity", "GroupName", "HostId", "HostResourceGroupArn", "PartitionNumber")
    tenancy = {} if value.get("Tenancy") in (None, "default") else {"Tenancy": value["Tenancy"]}
    return (tenancy | (_picked(*names)(value) or {})) or None


INSTANCE: Mapping[str, Taken] = {
    "EbsOptimized": Taken("EbsOptimized", _only(value=True)),
    "Monitoring": Taken("Monitoring", _monitored),
    "IamInstanceProfile": Taken("IamInstanceProfile", _picked("Arn")),
    "MetadataOptions": Taken(
        "MetadataOptions",
        _picked(
            *("HttpTokens", "HttpPutResponseHopLimit", "HttpEndpoint", "HttpProtocolIpv6"),
            "InstanceMetadataTags",
        ),
    ),
    "Placement": Taken("Placement", _placed),
    "HibernationOptions": Taken("HibernationOptions", _on("Configured")),
    "EnclaveOptions": Taken("EnclaveOptions", _on("Enabled")),
    "CpuOptions": Taken("CpuOptions", _picked("CoreCount", "ThreadsPerCore", "AmdSevSnp")),
    "MaintenanceOptions": Taken(
        "MaintenanceOptions",
        lambda value: _only({"AutoRecovery": "disabled"})(_picked("AutoRecovery")(value)),
    ),
    "PrivateDnsNameOptions": Taken(
        "PrivateDnsNameOptions",
        _picked("HostnameType", "EnableResourceNameDnsARecord", "EnableResourceNameDnsAAAARecord"),
    ),
    "CapacityReservationSpecification": Taken(
        "CapacityReservationSpecification",
        lambda value: (
            None
            if value.get("CapacityReservationPreference") == "open"
            else _picked("CapacityReservationPreference", "CapacityReservationTarget")(value)
        ),
    ),
    "Licenses": Taken("LicenseSpecifications", lambda value: value or None),
    "InstanceLifecycle": Taken(None, _only("spot")),
    "SpotInstanceRequestId": Taken(None, lambda value: value or None),
    "SourceDestCheck": Taken(None, _only(value=False)),
    "InstanceType": Taken(None, lambda value: value or None),
    "SubnetId": Taken(None, lambda value: value or None),
    "PrivateIpAddress": Taken(None, lambda value: value or None),
    "Ipv6Address": Taken(None, lambda value: value or None),
    "NetworkInterfaces": Taken(None, lambda value: len(value) if len(value) > 1 else None),
}
"""What is kept of an instance, by the member of its description; with the parameter of `RunInstances`."""
ASKED = {
    "disableApiStop": ("DisableApiStop", _only(value=True)),
    "instanceInitiatedShutdownBehavior": ("InstanceInitiatedShutdownBehavior", _only("terminate")),
}
"""What its description lacks, and is asked for where it is made again, by attribute; and what is kept."""
VOLUME: Mapping[str, Taken] = {
    "KmsKeyId": Taken("KmsKeyId", lambda value: value or None),
    "MultiAttachEnabled": Taken("MultiAttachEnabled", _only(value=True)),
    "Iops": Taken("Iops", lambda value: value or None),
    "Throughput": Taken("Throughput", lambda value: value or None),
    "VolumeType": Taken(None, lambda value: value or None),
}
"""What is kept of a volume, with the parameter of `CreateVolume`, and of `Ebs` in a launch."""
MOST_IOPS = {"gp3": 500, "io1": 50, "io2": 1000}
"""How many operations a second a volume of a type may have for each GiB, where that can be said at all."""


def of_volume(thing: Members) -> dict[str, Any]:
    """Return what is kept of the description of a volume; what its type brings by itself is not."""
    kept, kind = kept_of(thing, VOLUME), thing.get("VolumeType")
    usual = {"Iops": 3000, "Throughput": 125} if kind == "gp3" else {}
    no = ("Iops", "Throughput") if kind not in MOST_IOPS else ()
    return {n: v for n, v in kept.items() if n not in no and usual.get(n) != v}


def kept_of(thing: Members, table: Mapping[str, Taken]) -> dict[str, Any]:
    """Return what is kept of a description; what cannot be understood is not."""
    kept = dict[str, Any]()
    for name, taken in table.items():
        with suppress(*ODD):
            kept[name] = None if thing.get(name) is None else taken.kept(thing[name])
    return {name: value for name, value in sorted(kept.items()) if value is not None}


def parameters_of(kept: Members, table: Mapping[str, Taken]) -> dict[str, Any]:
    """Return the parameters of a call that what is kept goes into as it is."""
    pairs = ((taken.parameter, kept.get(name)) for name, taken in table.items())
    return {parameter: value for parameter, value in pairs if parameter is not None and value is not None}


class Makes(account.Makes, frozen=True, init=False):
    """Makes what is not there, or something in the place of what was there."""

    def decide(self, address: Address, state: State) -> Resource:
        """Return a new one; what nobody decides is as the command says, or as it was when the old one ended.

        None of that where it is to make one that has nothing to do with what was there before.
        """
        made = super().decide(address, state)
        was = getattr(state.formerly(address), "unmodelled", None)
        return made if self.unmodelled is None else replace(made, unmodelled=dict(was or self.unmodelled))


def ebs(
    was: Members, size: int | None, type_: str | None, *, encrypted: bool | None = None
) -> dict[str, Any]:
    """Return the parameters of a volume that is made again, in another size, type or encryption maybe."""
    kept = parameters_of(was, VOLUME)
    kind = type_ or was.get("VolumeType")
    if encrypted is False:
        kept.pop("KmsKeyId", None)
    most = MOST_IOPS.get(str(kind))
    if kind != was.get("VolumeType") or most is None:
        kept = {name: value for name, value in kept.items() if name not in ("Iops", "Throughput")}
    elif size and "Iops" in kept:
        kept["Iops"] = min(kept["Iops"], max(most * size, 3000 if kind == "gp3" else 100))
    return kept


def launched(was: Members, type_: str, subnet: str | None) -> dict[str, Any]:
    """Return the parameters of a launch that what is kept goes into, for an instance type and a subnet."""
    fits = was.get("InstanceType") == type_
    kept = parameters_of({n: v for n, v in was.items() if fits or n not in ODDLY_BOUND}, INSTANCE)
    kept |= {parameter: was[parameter] for parameter, _ in ASKED.values() if parameter in was}
    if was.get("InstanceLifecycle") == "spot":
        kept["InstanceMarketOptions"] = {"MarketType": "spot"}
    if fits and "CpuCredits" in was:
        kept["CreditSpecification"] = {"CpuCredits": was["CpuCredits"]}
    if "Licenses" in was:
        names = [one.get("LicenseConfigurationArn") for one in was["Licenses"]]
        kept["LicenseSpecifications"] = [{"LicenseConfigurationArn": name} for name in names]
    kept |= {
        parameter: was[name]
        for name, parameter in (("SecurityGroups", "SecurityGroupIds"), ("KeyName", "KeyName"))
        if name in was
    }
    if "SubnetId" in was and subnet in (None, was["SubnetId"]):
        own = {"SubnetId": was["SubnetId"], "PrivateIpAddress": was.get("PrivateIpAddress")}
        kept |= {name: value for name, value in own.items() if value is not None}
    return kept


def lost(kept: Members | None) -> Iterator[str]:
    """Return what of an instance no launch takes."""
    kept = kept or {}
    if "SpotInstanceRequestId" in kept:
        yield f"spot request {kept['SpotInstanceRequestId']}, with its price and when it is interrupted"
    if "Ipv6Address" in kept:
        yield f"IPv6 address {kept['Ipv6Address']}"
    if "NetworkInterfaces" in kept:
        yield f"{kept['NetworkInterfaces'] - 1} further network interfaces"
    if kept.get("NotSeen"):
        yield f"what it has of {', '.join(kept['NotSeen'])}, which could not be looked at"
