"""The proxy: as strict, slow and unreliable as AWS, or as it is told to be."""

import dataclasses
import http
import sys
import threading
import time
import xml.etree.ElementTree as ET
from collections import Counter
from collections.abc import Collection, Iterator
from types import TracebackType
from typing import Literal
from urllib.parse import parse_qsl, urlencode

from lasercats.testing.aws.faults import Fault, Hold
from lasercats.testing.aws.moto import HOST, MotoServer
from lasercats.testing.aws.web import Web
from lasercats.testing.aws.wire import (
    Answer,
    Call,
    Refusal,
    error,
    parse,
    set_state,
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


@dataclasses.dataclass(frozen=True)
class Change:
    """A state that is told until a time, in place of the one that moto has reached at once."""

    state: str
    until: float
    first: bool = False
    uses: frozenset[str] = frozenset()
    """The groups, subnet, network and volumes that an instance keeps until it is terminated."""


class StrictEc2:
    """A proxy before moto, in threads of this process, as strict, slow and unreliable as it is told to be.

    The settings may be changed at any time: `delay` (seconds that a change of state takes), `invisible`
    (seconds until a launched instance is known to other calls), `max_instances` (pending and running, in
    a region) and `images` (that exist besides moto's own).
    """

    def __init__(
        self,
        server: MotoServer,
        *,
        delay: float = 0.0,
        invisible: float = 0.0,
        max_instances: int | None = None,
        images: Collection[str] = (),
    ) -> None:
        """Plan a proxy before a running server; entering it starts it."""
        self.delay, self.invisible, self.max_instances = delay, invisible, max_instances
        self.images = set(images)
        self.calls: Counter[str] = Counter()
        self.log: list[tuple[str, dict[str, str]]] = []
        self._moto = server
        self._turn = threading.RLock()  # one call at a time: what is checked holds while it is done
        self._types: set[str] = set()
        self._web: Web | None = None
        self._forget()

    def _forget(self) -> None:
        self._faults: list[Fault] = []
        self._holds: dict[str, Hold] = {}
        self._tokens: dict[tuple[str, str, str], tuple[dict[str, str], Answer]] = {}
        self._changes: dict[str, Change] = {}
        self._unseen: dict[str, float] = {}
        self._protected: set[str] = set()

    @property
    def endpoint(self) -> str:
        """The URL to give to clients."""
        assert self._web is not None, "the endpoint is not entered"
        return f"http://{HOST}:{self._web.server_port}"

    def __enter__(self) -> "StrictEc2":
        """Listen on a free port."""
        self._web = Web(self)
        self._thread = threading.Thread(target=self._web.serve_forever, args=(0.02,), name="strict-ec2")
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Let held answers go, close every connection and join every thread."""
        assert self._web is not None
        self._web.shutdown()
        self._thread.join()
        self._release()
        self._web.hang_up()
        self._web.server_close()
        self._web = None

    def clear(self) -> None:
        """Forget the calls counted so far."""
        with self._turn:
            self.calls.clear()
            self.log.clear()

    def reset(self) -> None:
        """Forget everything but the settings, here and in moto."""
        self._release()
        with self._turn:
            self.clear()
            self._forget()
            self._moto.reset()

    def settle(self) -> None:
        """End the delays that run: every change is done, every launched instance known."""
        with self._turn:
            self._changes.clear()
            self._unseen.clear()

    def throttle(self, action: str, times: int = 1) -> None:
        """Answer the next calls of an action by RequestLimitExceeded; the action `*` is any."""
        self.fail(action, "RequestLimitExceeded", "Request limit exceeded.", 503, times)

    def fail(self, action: str, code: str, message: str, status: int = 400, times: int = 1) -> None:
        """Answer the next calls of an action by an error, and do nothing."""
        with self._turn:
            self._faults.append(Fault(action, times, "before", Answer(status, error(code, message))))

    def cut(self, action: str, when: Literal["before", "after"] = "before", times: int = 1) -> None:
        """Close the connection of the next calls of an action, before or after the call is done."""
        with self._turn:
            self._faults.append(Fault(action, times, when))

    def hold(self, action: str) -> Hold:
        """Do the calls of an action, and hold their answers back until `set` is called or the proxy ends."""
        with self._turn:
            if action in self._holds:
                self._holds[action].set()
            self._holds[action] = hold = Hold()
        return hold

    def answer(self, body: bytes, headers: dict[str, str]) -> Answer | None:
        """Answer a request; None is to close its connection."""
        call = Call(dict(parse_qsl(body.decode(), keep_blank_values=True)), headers)
        with self._turn:
            self.calls[call.action] += 1
            self.log.append((call.action, call.params))
            fault = self._take(call.action)
            if fault is not None and fault.when == "before":
                return fault.answer
            answer = self._once(call)
            hold = self._holds.get(call.action)
        if hold is not None:
            hold.pass_by()
        return answer if fault is None else None

    def _release(self) -> None:
        with self._turn:
            for hold in self._holds.values():
                hold.set()

    def _take(self, action: str) -> Fault | None:
        for fault in self._faults:
            if fault.action in (action, "*"):
                fault.left -= 1
                if fault.left <= 0:
                    self._faults.remove(fault)
                return fault
        return None

    def _once(self, call: Call) -> Answer:
        """Do a call, or tell again what its client token has got."""
        try:
            self._check_visible(call)
            token = call.params.get("ClientToken", "")
            if not token or call.dry:
                return self._do(call)
            key = (call.region, call.action, token)
            if key in self._tokens:
                params, answer = self._tokens[key]
                if params == call.params:
                    return answer
                text = "Arguments on this idempotent request are inconsistent with arguments used in previous"
                raise Refusal("IdempotentParameterMismatch", f"{text} request(s).")
            answer = self._do(call)
        except Refusal as refusal:
            return refusal.answer
        if answer.status == http.HTTPStatus.OK:
            self._tokens[key] = (call.params, answer)
        return answer

    def _do(self, call: Call) -> Answer:
        if call.dry:
            return self._forward(call)
        match call.action:
            case "DescribeInstances":
                return self._describe(call, "reservationSet/item/instancesSet")
            case "DescribeInstanceStatus":
                return self._describe(call, "instanceStatusSet")
            case "RunInstances":
                return self._run(call)
            case "StartInstances" | "StopInstances" | "TerminateInstances" if call.instances:
                return self._change(call)
            case "ModifyInstanceAttribute":
                return self._modify(call)
            case "DeleteSecurityGroup" | "DeleteSubnet" | "DeleteVpc" | "DeleteVolume":
                self._check_unused(call)
            case "AttachVolume":
                self._check_attachable(call)
        return self._forward(call)

    def _forward(self, call: Call) -> Answer:
        return Answer(*self._moto.post("/", call.headers, urlencode(call.params).encode()))

    def _ask(self, call: Call, action: str, **params: str) -> ET.Element:
        """Ask moto on our own account, in the region of a call; its refusal is ours."""
        version = {"Version": call.params.get("Version", "2016-11-15")}
        dotted = {key.replace("_", "."): value for key, value in params.items()}
        answer = self._forward(Call({"Action": action, **version, **dotted}, call.headers))
        if answer.status != http.HTTPStatus.OK:
            refusal = Refusal("InternalError", "")
            refusal.answer = answer
            raise refusal
        return parse(answer)

    # Describing.

    def _check_visible(self, call: Call) -> None:
        unseen = [i for i in call.instances if time.monotonic() < self._unseen.get(i, 0.0)]
        if unseen:
            what = f"ID '{unseen[0]}' does" if len(unseen) == 1 else f"IDs '{', '.join(unseen)}' do"
            raise Refusal("InvalidInstanceID.NotFound", f"The instance {what} not exist")

    def _told(self, instance: str, state: str) -> str:
        change = self._changes.get(instance)
        return change.state if change is not None and time.monotonic() < change.until else state

    def _describe(self, call: Call, path: str) -> Answer:
        """Tell the states as they are to be seen; filters by state are ours, as moto's states run ahead."""
        wanted, wider = without_state_filters(call)
        if path == "instanceStatusSet" and call.params.get("IncludeAllInstances") != "true":
            wanted &= {"running"}
        answer = self._forward(wider)
        if answer.status != http.HTTPStatus.OK:
            return answer
        root = parse(answer)
        for instances in root.findall(path):
            for item in list(instances):
                seen = time.monotonic() >= self._unseen.get(item.findtext("instanceId", ""), 0.0)
                if not seen or self._tell(item) not in wanted:
                    instances.remove(item)
        for reservations in root.findall("reservationSet"):
            for item in list(reservations):
                if not item.findall("instancesSet/item"):
                    reservations.remove(item)
        return Answer(answer.status, write(root))

    def _tell(self, item: ET.Element) -> str:
        """Rewrite the description of an instance to the state that is told; return that."""
        state = self._told(item.findtext("instanceId", ""), item.findtext("instanceState/name", ""))
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

    def _look(self, call: Call, ids: Collection[str] = ()) -> Iterator[tuple[str, str, ET.Element]]:
        """Yield the id, the told state and the description of the named instances, or of all."""
        named = {f"InstanceId.{n}": i for n, i in enumerate(ids, 1)}
        root = self._ask(call, "DescribeInstances", **(named or {"MaxResults": "1000"}))
        for item in root.findall("reservationSet/item/instancesSet/item"):
            name = item.findtext("instanceId", "")
            yield name, self._told(name, item.findtext("instanceState/name", "")), item

    # Launching and changing.

    def _run(self, call: Call) -> Answer:
        params = call.params
        image, key = params.get("ImageId", ""), params.get("KeyName")
        if image and image not in self.images:
            self._ask(call, "DescribeImages", ImageId_1=image)
        if "InstanceType" in params:
            self._check_type(call, params["InstanceType"])
        if key is not None:
            self._ask(call, "DescribeKeyPairs", KeyName_1=key)
        least, most = int(params.get("MinCount", "1")), int(params.get("MaxCount", "1"))
        count = min(most, self._check_quota(call, least))
        answer = self._forward(call.having(MinCount=str(count)))  # moto launches the least, AWS the most
        if answer.status != http.HTTPStatus.OK:
            return answer
        root, now = parse(answer), time.monotonic()
        for item in root.findall("instancesSet/item"):
            name = item.findtext("instanceId", "")
            self._changes[name] = Change("pending", now + self.delay, first=True)
            self._unseen[name] = now + self.invisible
            if params.get("DisableApiTermination") == "true":  # moto ignores it
                attribute = {"InstanceId": name, "DisableApiTermination.Value": "true"}
                self._ask(call, "ModifyInstanceAttribute", **attribute)
                self._protected.add(name)
            self._tell(item)
            set_state(item, "instanceState", "pending")
        return Answer(answer.status, write(root))

    def _change(self, call: Call) -> Answer:
        """Start, stop or terminate: all of the instances, or none."""
        before = {name: (state, item) for name, state, item in self._look(call, call.instances)}
        for name, (state, _) in before.items():
            self._check_change(call.action, name, state)
        if call.action == "StartInstances":
            self._check_quota(call, sum(state == "stopped" for state, _ in before.values()))
        answer = self._forward(call)
        if answer.status != http.HTTPStatus.OK:
            return answer
        root, now = parse(answer), time.monotonic()
        for told in root.findall("instancesSet/item"):
            name = told.findtext("instanceId", "")
            state, item = before[name]
            set_state(told, "previousState", state)
            if is_there(call.action, state):
                set_state(told, "currentState", state)
                continue
            uses = uses_of(item) if call.action == "TerminateInstances" else frozenset()
            self._changes[name] = Change(_CHANGES[call.action], now + self.delay, uses=uses)
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
        for item in self._find(call, "NetworkInterface", "attachment.instance-id", name):
            if item.findtext("attachment/deviceIndex") == "0":
                which = item.findtext("networkInterfaceId", "")
                self._ask(call, "DeleteNetworkInterface", NetworkInterfaceId=which)

    def _modify(self, call: Call) -> Answer:
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
            for _, state, _ in self._look(call, [name]):
                if state != "stopped":
                    text = f"The instance '{name}' is not in the 'stopped' state."
                    raise Refusal("IncorrectInstanceState", text)
        answer = self._forward(call)
        if answer.status == http.HTTPStatus.OK and "DisableApiTermination" in values:
            self._protected -= {name}
            self._protected |= {name} if values["DisableApiTermination"] == "true" else set()
        return answer

    # Refusing.

    def _check_type(self, call: Call, name: str) -> None:
        if name not in self._types:
            try:
                self._ask(call, "DescribeInstanceTypes", InstanceType_1=name)
            except Refusal:
                raise Refusal("InvalidParameterValue", f"Invalid value '{name}' for InstanceType.") from None
            self._types.add(name)

    def _check_quota(self, call: Call, more: int) -> int:
        """Return how many instances may still be launched."""
        if self.max_instances is None:
            return sys.maxsize
        room = self.max_instances - sum(state in ("pending", "running") for _, state, _ in self._look(call))
        if more > room:
            text = f"You have requested more instances ({more}) than your current instance limit of "
            text += f"{self.max_instances} allows for the specified instance type."
            raise Refusal("InstanceLimitExceeded", text)
        return room

    def _check_unused(self, call: Call) -> None:
        parameter, message, users = _USERS[call.action]
        name, now = call.params.get(parameter, ""), time.monotonic()
        holders = [i for i, c in self._changes.items() if name in c.uses and now < c.until]
        if holders and call.action == "DeleteVolume":
            raise Refusal("VolumeInUse", f"Volume {name} is currently attached to {holders[0]}")
        if holders or any(self._is_used(call, kind, by, name) for kind, by in users):
            raise Refusal("DependencyViolation", message.format(name))

    def _is_used(self, call: Call, kind: str, by: str, name: str) -> bool:
        found = self._find(call, kind, by, name)
        if kind == "SecurityGroup":  # the default group goes with its network, a group may name itself
            return any(name != i.findtext("groupId") and i.findtext("groupName") != "default" for i in found)
        return bool(found)

    def _find(self, call: Call, kind: str, by: str, value: str) -> list[ET.Element]:
        found = self._ask(call, f"Describe{kind}s", **{"Filter.1.Name": by, "Filter.1.Value.1": value})
        return [item for items in found if items.tag != "requestId" for item in items]

    def _check_attachable(self, call: Call) -> None:
        volume = call.params.get("VolumeId", "")
        for item in self._ask(call, "DescribeVolumes", VolumeId_1=volume).findall("volumeSet/item"):
            if item.findtext("status") == "in-use":
                raise Refusal("VolumeInUse", f"{volume} is already attached to an instance")
            for name, _, instance in self._look(call, call.instances):
                if item.findtext("availabilityZone") != instance.findtext("placement/availabilityZone"):
                    text = f"The volume '{volume}' is not in the same availability zone as instance '{name}'"
                    raise Refusal("InvalidVolume.ZoneMismatch", text)


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
