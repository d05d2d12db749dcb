"""What is in use is not deleted."""

from lasercats.testing.aws.back import Back
from lasercats.testing.aws.instances import Instances
from lasercats.testing.aws.wire import Call, Refusal

_CANNOT = "has dependencies and cannot be deleted."
_USERS: dict[str, tuple[str, str, tuple[tuple[str, str], ...]]] = {
    "DeleteSecurityGroup": (
        "GroupId",
        "resource {} has a dependent object",
        (("NetworkInterface", "group-id"), ("SecurityGroup", "ip-permission.group-id")),
    ),
    "DeleteSubnet": ("SubnetId", f"The subnet '{{}}' {_CANNOT}", (("NetworkInterface", "subnet-id"),)),
    "DeleteVpc": (
        "VpcId",
        f"The vpc '{{}}' {_CANNOT}",
        (("InternetGateway", "attachment.vpc-id"), ("SecurityGroup", "vpc-id")),
    ),
    "DeleteVolume": ("VolumeId", "", ()),
}
"""By what a thing is named, how AWS refuses to delete it, and which kinds use it by which filter."""


class Uses:
    """Who uses what."""

    def __init__(self, back: Back, instances: Instances) -> None:
        self._back, self._instances = back, instances

    def check(self, call: Call) -> None:
        """Check that what is to be deleted is used by nothing."""
        parameter, message, users = _USERS[call.action]
        name = call.params.get(parameter, "")
        holders = self._instances.holders(name)
        if holders and call.action == "DeleteVolume":
            raise Refusal("VolumeInUse", f"Volume {name} is currently attached to {holders[0]}")
        if holders or any(self._is_used(call, kind, by, name) for kind, by in users):
            raise Refusal("DependencyViolation", message.format(name))

    def _is_used(self, call: Call, kind: str, by: str, name: str) -> bool:
        found = self._back.find(call, kind, by, name)
        if kind == "SecurityGroup":  # the default group goes with its network, a group may name itself
            return any(name != i.findtext("groupId") and i.findtext("groupName") != "default" for i in found)
        return bool(found)
