"""Volumes and elastic IP addresses, as AWS tells of them and changes them: in time, and not while in use."""

import copy
import dataclasses
import http
import time
import xml.etree.ElementTree as ET

from lasercats.testing.aws.back import Back
from lasercats.testing.aws.instances import Instances, Settings
from lasercats.testing.aws.wire import Answer, Call, Refusal, parse, write


@dataclasses.dataclass(frozen=True)
class Busy:
    """What is shown of a volume until a time, in place of what moto has done at once."""

    until: float
    members: dict[str, str]
    """Members of its description, by name."""
    attachment: ET.Element | None = None
    """What is left of an attachment that is being made or taken away."""


class Storage:
    """The volumes and addresses of an endpoint."""

    def __init__(self, back: Back, settings: Settings, instances: Instances) -> None:
        self._back, self._settings, self._instances = back, settings, instances
        self._busy: dict[str, Busy] = {}

    def settle(self) -> None:
        """End the delays that run."""
        self._busy.clear()

    # Volumes.

    def describe(self, call: Call) -> Answer:
        """Tell of volumes as they are to be seen, and which of them go with their instance."""
        answer = self._back.forward(call)
        if answer.status != http.HTTPStatus.OK:
            return answer
        root = parse(answer)
        for item in root.findall("volumeSet/item"):
            self._tell(item)
        attachments = root.findall("volumeSet/item/attachmentSet/item")
        going = self._going(call) if attachments else {}
        for attachment in attachments:
            goes = going.get(attachment.findtext("volumeId", ""), "false")
            ET.SubElement(attachment, "deleteOnTermination").text = goes
        return Answer(answer.status, write(root))

    def _tell(self, item: ET.Element) -> None:
        """Rewrite the description of a volume to what is shown of it."""
        busy = self._now(item.findtext("volumeId", ""))
        for name, text in {} if busy is None else busy.members.items():
            for element in item.findall(name):
                element.text = text
        if busy is not None and busy.attachment is not None:
            for held in item.findall("attachmentSet"):
                held[:] = [copy.deepcopy(busy.attachment)]

    def _going(self, call: Call) -> dict[str, str]:
        """Return whether attached volumes go with their instance, which moto tells there."""
        items = [item for _, _, item in self._instances.look(call)]
        disks = [ebs for item in items for ebs in item.findall("blockDeviceMapping/item/ebs")]
        return {e.findtext("volumeId", ""): e.findtext("deleteOnTermination", "false") for e in disks}

    def _now(self, volume: str) -> Busy | None:
        busy = self._busy.get(volume)
        return busy if busy is not None and time.monotonic() < busy.until else None

    def _till(self) -> float:
        return time.monotonic() + self._settings.delay

    def _volume(self, call: Call) -> ET.Element:
        root = self._back.ask(call, "DescribeVolumes", VolumeId_1=call.params.get("VolumeId", ""))
        return root.findall("volumeSet/item")[0]

    def create(self, call: Call) -> Answer:
        """Create a volume; it is available after a while."""
        answer = self._back.forward(call)
        if answer.status != http.HTTPStatus.OK:
            return answer
        root = parse(answer)
        self._busy[root.findtext("volumeId", "")] = Busy(self._till(), {"status": "creating"})
        for status in root.findall("status"):
            status.text = "creating"
        return Answer(answer.status, write(root))

    def attach(self, call: Call) -> Answer:
        """Attach a volume that is available to an instance that is running or stopped, in its zone."""
        name, item = call.params.get("VolumeId", ""), self._volume(call)
        self._tell(item)
        if item.findtext("status") == "in-use":
            raise Refusal("VolumeInUse", f"{name} is already attached to an instance")
        if item.findtext("status") != "available":
            raise Refusal("IncorrectState", f"{name} is not 'available'.")
        for instance, state, holder in self._instances.look(call, call.instances):
            if state not in ("running", "stopped"):
                raise Refusal("IncorrectState", f"Instance '{instance}' is not 'running'.")
            if item.findtext("availabilityZone") != holder.findtext("placement/availabilityZone"):
                text = f"The volume '{name}' is not in the same availability zone as instance '{instance}'"
                raise Refusal("InvalidVolume.ZoneMismatch", text)
            devices = [e.text for e in holder.findall("blockDeviceMapping/item/deviceName")]
            if call.params.get("Device") in devices:
                device = call.params["Device"]
                text = f"Invalid value '{device}' for unixDevice. Attachment point {device} is already in use"
                raise Refusal("InvalidParameterValue", text)
        return self._back.forward(call)

    def detach(self, call: Call) -> Answer:
        """Detach a volume, from whatever it is attached to; it is in use for a while longer."""
        name, item = call.params.get("VolumeId", ""), self._volume(call)
        attachments = item.findall("attachmentSet/item")
        if not attachments:
            raise Refusal("IncorrectState", f"Volume '{name}' is in the 'available' state.")
        if "InstanceId" not in call.params:  # moto needs it
            call = call.having(InstanceId=attachments[0].findtext("instanceId", ""))
        answer = self._back.forward(call)
        if answer.status == http.HTTPStatus.OK:
            for status in attachments[0].findall("status"):
                status.text = "detaching"
            self._busy[name] = Busy(self._till(), {"status": "in-use"}, attachments[0])
        return answer

    def modify(self, call: Call) -> Answer:
        """Change size and type of a volume, which is told after a while; it does not become smaller."""
        name, item = call.params.get("VolumeId", ""), self._volume(call)
        size = int(item.findtext("size", "0"))
        if int(call.params.get("Size", size)) < size:
            text = f"New size cannot be smaller than existing size (VolumeId: {name}, OriginalSize: {size})"
            raise Refusal("InvalidParameterValue", text)
        answer = self._back.forward(call)
        if answer.status == http.HTTPStatus.OK:
            fields = {part: item.findtext(part, "") for part in ("size", "volumeType")}
            self._busy[name] = Busy(self._till(), fields)
        return answer

    def modifications(self, call: Call) -> Answer:
        """Tell of modifications, which are under way as long as the old size is told."""
        answer = self._back.forward(call)
        if answer.status != http.HTTPStatus.OK:
            return answer
        root = parse(answer)
        for item in root.findall("volumeModificationSet/item"):
            if self._now(item.findtext("volumeId", "")) is not None:
                for state in item.findall("modificationState"):
                    state.text = "modifying"
        return Answer(answer.status, write(root))

    def check_detached(self, call: Call) -> None:
        """Check that a volume which is to be deleted is not being attached or detached."""
        name = call.params.get("VolumeId", "")
        busy = self._now(name)
        if busy is not None and busy.attachment is not None:
            holder = busy.attachment.findtext("instanceId")
            raise Refusal("VolumeInUse", f"Volume {name} is currently attached to {holder}")

    # Addresses.

    def associate(self, call: Call) -> Answer:
        """Associate an address; another one of the instance is disassociated."""
        for instance, state, _ in self._instances.look(call, call.instances):
            if state not in ("running", "stopped"):
                text = f"The {state} instance '{instance}' is not in a valid state for this operation."
                raise Refusal("InvalidInstanceID", text)
        answer = self._back.forward(call)
        if answer.status == http.HTTPStatus.OK:
            for instance in call.instances:
                self.disassociate(call, instance, but=call.params.get("AllocationId"))
        return answer

    def disassociate(self, call: Call, instance: str, but: str | None = None) -> None:
        """Disassociate the addresses of an instance, as AWS does when it ends or gets another one."""
        for item in self._back.find(call, "Address", "instance-id", instance):
            if item.findtext("allocationId") != but:
                which = item.findtext("associationId", "")
                self._back.ask(call, "DisassociateAddress", AssociationId=which)

    def check_free(self, call: Call) -> None:
        """Check that an address which is to be released is not associated."""
        for item in self._back.find(call, "Address", "allocation-id", call.params.get("AllocationId", "")):
            if item.findtext("associationId"):
                raise Refusal("InvalidIPAddress.InUse", f"Address {item.findtext('publicIp')} is in use.")
