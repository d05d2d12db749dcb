"""The instances, as AWS tells of them and changes them: in time, and not from any state."""

import dataclasses
import http
import sys
import time
import xml.etree.ElementTree as ET
from collections.abc import Collection, Iterator
from typing import Protocol

from lasercats.testing.aws.back import Back
from lasercats.testing.aws.wire import (
    Answer,
    Call,
    Refusal,
    parse,
    set_state,
    without_filter,
    without_state_filters,
    write,
)

_CHANGES = {"StartInstances": "pending", "StopInstances": "stopping", "TerminateInstances": "shutting-down"}
_WHILE_STOPPED = ("InstanceType", "UserData", "EbsOptimized", "Kernel", "Ramdisk")
"""The attributes that AWS changes on a stopped instance only."""
_HIDDEN = {  # what AWS does not tell of an instance in this state, though moto does
    "pending": ("ipAddress", "dnsName"),
    "terminated": (
        *("networkInterfaceSet", "groupSet", "subnetId", "vpcId"),
        *("privateIpAddress", "ipAddress", "privateDnsName", "dnsName"),
    ),
}


class Settings(Protocol):
    """How slow and how small the endpoint is."""

    delay: float
    invisible: float
    max_instances: int | None
    images: set[str]


@dataclasses.dataclass(frozen=True)
class Change:
    """A state that is told until a time, in place of the one that moto has reached at once."""

    state: str
    until: float
    first: bool = False
    uses: frozenset[str] = frozenset()
    """The groups, subnet, network and volumes that an instance keeps until it is terminated."""


class Instances:
    """The instances of an endpoint."""

    def __init__(self, back: Back, settings: Settings) -> None:
        self._back, self._settings = back, settings
        self._types: set[str] = set()
        self._changes: dict[str, Change] = {}
        self._unseen: dict[str, float] = {}
        self._protected: set[str] = set()

    def settle(self) -> None:
        """End the delays that run."""
        self._changes.clear()
        self._unseen.clear()

    def holders(self, name: str) -> list[str]:
        """Return the instances that use something until they are terminated."""
        return [i for i, c in self._changes.items() if name in c.uses and time.monotonic() < c.until]

    # Describing.

    def check_visible(self, call: Call) -> None:
        """Check that the instances which a call names are known by now."""
        unseen = [i for i in call.instances if time.monotonic() < self._unseen.get(i, 0.0)]
        if unseen:
            what = f"ID '{unseen[0]}' does" if len(unseen) == 1 else f"IDs '{', '.join(unseen)}' do"
            raise Refusal("InvalidInstanceID.NotFound", f"The instance {what} not exist")

    def _shown_state(self, instance: str, state: str) -> str:
        change = self._changes.get(instance)
        return change.state if change is not None and time.monotonic() < change.until else state

    def describe(self, call: Call, path: str) -> Answer:
        """Tell the states as they are to be seen; filters by state are ours, as moto's states run ahead."""
        tokens, wider = without_filter(call, "client-token")  # which moto does not know
        wanted, wider = without_state_filters(wider)
        if path == "instanceStatusSet" and call.params.get("IncludeAllInstances") != "true":
            wanted &= {"running"}
        answer = self._back.forward(wider)
        if answer.status != http.HTTPStatus.OK:
            return answer
        root = parse(answer)
        for instances in root.findall(path):
            for item in list(instances):
                seen = time.monotonic() >= self._unseen.get(item.findtext("instanceId", ""), 0.0)
                chosen = tokens is None or item.findtext("clientToken") in tokens
                if not (seen and chosen) or self._tell(item) not in wanted:
                    instances.remove(item)
        for reservations in root.findall("reservationSet"):
            for item in list(reservations):
                if not item.findall("instancesSet/item"):
                    reservations.remove(item)
        return Answer(answer.status, write(root))

    def _tell(self, item: ET.Element) -> str:
        """Rewrite the description of an instance to the state that is shown; return that."""
        state = self._shown_state(item.findtext("instanceId", ""), item.findtext("instanceState/name", ""))
        set_state(item, "instanceState", state)
        for name in _HIDDEN.get(state, ()):
            for child in item.findall(name):
                item.remove(child)
        for status in (*item.findall("instanceStatus"), *item.findall("systemStatus")):
            if state != "running":
                for details in status.findall("details"):
                    status.remove(details)
                status.find("status").text = "not-applicable"  # type: ignore[union-attr]  # always there
        if state == "pending":
            for interface in item.findall("networkInterfaceSet/item"):
                for association in interface.findall("association"):
                    interface.remove(association)
        return state

    def look(self, call: Call, ids: Collection[str] = ()) -> Iterator[tuple[str, str, ET.Element]]:
        """Yield the id, the told state and the description of the named instances, or of all."""
        named = {f"InstanceId.{n}": i for n, i in enumerate(ids, 1)}
        root = self._back.ask(call, "DescribeInstances", **(named or {"MaxResults": "1000"}))
        for item in root.findall("reservationSet/item/instancesSet/item"):
            name = item.findtext("instanceId", "")
            yield name, self._shown_state(name, item.findtext("instanceState/name", "")), item

    # Launching and changing.

    def run(self, call: Call) -> Answer:
        """Launch as many as may be, at least the least."""
        params = call.params
        image, key = params.get("ImageId", ""), params.get("KeyName")
        if image and image not in self._settings.images:
            self._back.ask(call, "DescribeImages", ImageId_1=image)
        if "InstanceType" in params:
            self._check_type(call, params["InstanceType"])
        if key is not None:
            self._back.ask(call, "DescribeKeyPairs", KeyName_1=key)
        self._check_address(call)
        least, most = int(params.get("MinCount", "1")), int(params.get("MaxCount", "1"))
        count = min(most, self._check_quota(call, least))
        # moto launches the least, AWS the most
        answer = self._back.forward(_by_interface(call.having(MinCount=str(count))))
        if answer.status != http.HTTPStatus.OK:
            return answer
        root, now = parse(answer), time.monotonic()
        launched = root.findall("instancesSet/item")
        for n, item in enumerate(launched, 1):
            name = item.findtext("instanceId", "")
            self._changes[name] = Change("pending", now + self._settings.delay, first=True)
            self._unseen[name] = now + self._settings.invisible * n / len(launched)  # not all at once
            if params.get("DisableApiTermination") == "true":  # moto ignores it
                attribute = {"InstanceId": name, "DisableApiTermination.Value": "true"}
                self._back.ask(call, "ModifyInstanceAttribute", **attribute)
                self._protected.add(name)
            self._tell(item)
            set_state(item, "instanceState", "pending")
        return Answer(answer.status, write(root))

    def change(self, call: Call) -> Answer:
        """Start, stop or terminate: all of the instances, or none."""
        before = {name: (state, item) for name, state, item in self.look(call, call.instances)}
        for name, (state, _) in before.items():
            self._check_change(call.action, name, state)
        if call.action == "StartInstances":
            self._check_quota(call, sum(state == "stopped" for state, _ in before.values()))
        answer = self._back.forward(call)
        if answer.status != http.HTTPStatus.OK:
            return answer
        root, now = parse(answer), time.monotonic()
        for changed in root.findall("instancesSet/item"):
            name = changed.findtext("instanceId", "")
            state, item = before[name]
            set_state(changed, "previousState", state)
            if is_there(call.action, state):
                set_state(changed, "currentState", state)
                continue
            uses = uses_of(item) if call.action == "TerminateInstances" else frozenset()
            self._changes[name] = Change(_CHANGES[call.action], now + self._settings.delay, uses=uses)
            if call.action == "TerminateInstances":
                self._drop_interface(call, name)
        return Answer(answer.status, write(root))

    def _check_change(self, action: str, name: str, state: str) -> None:
        first = name in self._changes and self._changes[name].first
        if action == "StopInstances" and state == "pending" and first:
            text = f"Instance '{name}' cannot be stopped as it has never reached the 'running' state."
            raise Refusal("IncorrectInstanceState", text)
        barred = {"StartInstances": ("stopping",), "StopInstances": (), "TerminateInstances": ()}[action]
        gone = ("shutting-down", "terminated") if action != "TerminateInstances" else ()
        if state in (*barred, *gone):
            verb = "started" if action == "StartInstances" else "stopped"
            text = f"The instance '{name}' is not in a state from which it can be {verb}."
            raise Refusal("IncorrectInstanceState", text)
        if action == "TerminateInstances" and name in self._protected:  # moto ends the ones before it first
            text = f"The instance '{name}' may not be terminated. Modify its 'disableApiTermination'"
            raise Refusal("OperationNotPermitted", f"{text} instance attribute and try again.")

    def _drop_interface(self, call: Call, name: str) -> None:
        """Delete the first network interface of a terminated instance, which moto keeps for ever."""
        for item in self._back.find(call, "NetworkInterface", "attachment.instance-id", name):
            if item.findtext("attachment/deviceIndex") == "0":
                which = item.findtext("networkInterfaceId", "")
                self._back.ask(call, "DeleteNetworkInterface", NetworkInterfaceId=which)

    def reboot(self, call: Call) -> Answer:
        """Reboot running instances: all of them, or none."""
        for name, state, _ in self.look(call, call.instances):
            if state != "running":
                text = f"The instance '{name}' is not in a state from which it can be rebooted."
                raise Refusal("IncorrectInstanceState", text)
        return self._back.forward(call)

    def modify(self, call: Call) -> Answer:
        """Change attributes, some of them of a stopped instance only."""
        params, name = call.params, call.params.get("InstanceId", "")
        values = {
            key.removesuffix(".Value"): value for key, value in params.items() if key.endswith(".Value")
        }
        if "Attribute" in params:  # the older form, in lower camel case
            attribute = params["Attribute"]
            values[attribute[:1].upper() + attribute[1:]] = params.get("Value", "")
        if "InstanceType" in values:
            self._check_type(call, values["InstanceType"])
        if any(a in values for a in _WHILE_STOPPED):
            for _, state, _ in self.look(call, [name]):
                if state != "stopped":
                    text = f"The instance '{name}' is not in the 'stopped' state."
                    raise Refusal("IncorrectInstanceState", text)
        answer = self._back.forward(call)
        if answer.status == http.HTTPStatus.OK and "DisableApiTermination" in values:
            self._protected -= {name}
            self._protected |= {name} if values["DisableApiTermination"] == "true" else set()
        groups = {key: value for key, value in params.items() if key.startswith("GroupId.")}
        if answer.status == http.HTTPStatus.OK and groups:
            self._regroup(call, name, groups)
        return answer

    def _regroup(self, call: Call, name: str, groups: dict[str, str]) -> None:
        """Give the interfaces of an instance its groups, which moto forgets."""
        given = {key.replace("GroupId.", "SecurityGroupId."): value for key, value in groups.items()}
        for interface in self._back.find(call, "NetworkInterface", "attachment.instance-id", name):
            id_ = interface.findtext("networkInterfaceId", "")
            self._back.ask(call, "ModifyNetworkInterfaceAttribute", NetworkInterfaceId=id_, **given)

    # Refusing.

    def _check_address(self, call: Call) -> None:
        """Check that nobody has the private address that is asked for, at which moto breaks."""
        wanted, subnet = call.params.get("PrivateIpAddress"), call.params.get("SubnetId")
        for _, state, item in self.look(call) if wanted and subnet else ():
            if state != "terminated" and item.findtext("subnetId") == subnet:
                if item.findtext("privateIpAddress") == wanted:
                    raise Refusal("InvalidIPAddress.InUse", f"Address {wanted} is in use.")

    def _check_type(self, call: Call, name: str) -> None:
        if name not in self._types:
            try:
                self._back.ask(call, "DescribeInstanceTypes", InstanceType_1=name)
            except Refusal:
                raise Refusal("InvalidParameterValue", f"Invalid value '{name}' for InstanceType.") from None
            self._types.add(name)

    def _check_quota(self, call: Call, more: int) -> int:
        """Return how many instances may still be launched."""
        if self._settings.max_instances is None:
            return sys.maxsize
        room = self._settings.max_instances - sum(
            state in ("pending", "running") for _, state, _ in self.look(call)
        )
        if more > room:
            text = f"You have requested more instances ({more}) than your current instance limit of "
            text += f"{self._settings.max_instances} allows for the specified instance type."
            raise Refusal("InstanceLimitExceeded", text)
        return room


def _by_interface(call: Call) -> Call:
    """Return a launch into a subnet as one by an interface that ends with it; else moto keeps its address."""
    params = dict(call.params)
    if not params.get("SubnetId") or any(name.startswith("NetworkInterface") for name in params):
        return call
    first = "NetworkInterface.1."
    moved = {
        n: v for n, v in params.items() if n in ("SubnetId", "PrivateIpAddress")
    }  # groups it takes there
    params = {n: v for n, v in params.items() if n not in moved}
    params |= {f"{first}{name}": value for name, value in moved.items()}
    params |= {f"{first}DeviceIndex": "0", f"{first}DeleteOnTermination": "true"}
    return dataclasses.replace(call, params=params)


def is_there(action: str, state: str) -> bool:
    """Whether an instance in this state has nothing to do for the action."""
    there = {
        "StartInstances": ("pending", "running"),
        "StopInstances": ("stopping", "stopped"),
        "TerminateInstances": ("shutting-down", "terminated"),
    }
    return state in there[action]


def uses_of(item: ET.Element) -> frozenset[str]:
    """Return the ids of what an instance uses."""
    kinds = ("groupId", "subnetId", "vpcId", "volumeId")
    return frozenset(e.text for e in item.iter() if e.text and e.tag in kinds)
