"""The laws of racks, devices, cables and feeds."""

from typing import ClassVar

from hypothesis import strategies as st

from lasercats.core.address import Address
from lasercats.core.command import Command
from lasercats.core.registry import Kinds
from lasercats.domains.rack import DOMAIN, cable, device, device_programs, feed, rack
from lasercats.domains.rack.device_type import Define, PortType
from lasercats.testing.laws import KindLaws
from lasercats.testing.strategies import Fields

KINDS = Kinds([DOMAIN])
SERVER = Define(
    on=(Address("rack.device_type/server"),),
    manufacturer="Acme",
    model="Server",
    u_height=1,
    weight=10,
    ports=(
        PortType(name="PSU1", sort="power-port", maximum_draw=300),
        PortType(name="eth0", sort="interface"),
        PortType(name="eth1", sort="interface"),
    ),
)
SHELF = Define(
    on=(Address("rack.device_type/shelf"),),
    manufacturer="Acme",
    model="Shelf",
    u_height=0.5,
    is_full_depth=False,
)
PDU = Define(
    on=(Address("rack.device_type/pdu"),),
    manufacturer="Acme",
    model="PDU",
    u_height=0,
    ports=(
        PortType(name="in", sort="power-port"),
        PortType(name="1", sort="power-outlet", power_port="in", feed_leg="A"),
        PortType(name="2", sort="power-outlet", power_port="in", feed_leg="B"),
    ),
)
TYPES: tuple[Command, ...] = (SERVER, SHELF, PDU)
RACKS: tuple[Command, ...] = (
    rack.Create(on=(Address("rack/r1"),), height=4, max_weight=35, max_power=1000),
    rack.Create(on=(Address("rack/r2"),), height=3, numbering="above"),
)
FIELDS: Fields = {
    "rack": st.sampled_from(["r1", "rack/r2"]),
    "unit": st.sampled_from([1, 1.5, 2, 3, 3.5, 4]),
    "face": st.sampled_from(["front", "rear"]),
    "height": st.sampled_from([0.5, 1, 2]),
    "depth": st.sampled_from(["full", "half"]),
    "type": st.sampled_from(["server", "shelf"]),
    "weight": st.sampled_from([5, 12.5, 20]),
    "draw": st.sampled_from([100, 400]),
    "serial": st.sampled_from(["S1", "S2"]),
    "asset_tag": st.sampled_from(["T1"]),
    "machine": st.sampled_from(["web1", ""]),
}


class TestDevice(KindLaws):
    """Devices, in two small racks in which there is seldom room."""

    kinds, kind = KINDS, device_programs.KIND
    names: ClassVar = ("a", "b", "c", "d", "e")
    fields = FIELDS
    ground = (*TYPES, *RACKS)


class TestRack(KindLaws):
    """Racks, empty ones."""

    kinds, kind = KINDS, rack.KIND
    names: ClassVar = ("r1", "r2", "dc2:r1")
    fields: ClassVar[Fields] = {
        "height": st.sampled_from([1, 42, 48]),
        "numbering": st.sampled_from(["below", "above"]),
        "width": st.sampled_from([10, 19, 23]),
        "max_weight": st.sampled_from([0, 12.5, 1000]),
        "max_power": st.sampled_from([0, 3680]),
    }


class TestCable(KindLaws):
    """Cables between ports of servers, a PDU and a feed."""

    kinds, kind = KINDS, cable.KIND
    names: ClassVar = ("c1", "c2", "c3", "c4")
    ground = (
        *TYPES,
        *RACKS,
        device.MountDevice(on=(Address("rack.device/s1"),), rack="r1", unit=1, type="server"),
        device.MountDevice(on=(Address("rack.device/s2"),), rack="r1", unit=2, type="server"),
        device.MountDevice(on=(Address("rack.device/p"),), rack="r1", type="pdu"),
        device.MountDevice(on=(Address("rack.device/x"),), rack="r2", unit=1),
        feed.Add(on=(Address("rack.feed/A"),), rack="r1", amperage=2, phases=3, voltage=400),
    )
    fields: ClassVar[Fields] = {
        "a": st.sampled_from(["s1:eth0", "s1:PSU1", "p:in", "s2:PSU1", "s1:eth1"]),
        "b": st.sampled_from(["s2:eth0", "p:1", "A", "x:port:7", "p:2"]),
        "type": st.sampled_from(["cat6a", "power"]),
        "color": st.sampled_from(["blue", "#0055aa"]),
        "length": st.sampled_from([1, 2.5]),
        "label": st.sampled_from(["", "A-17"]),
        "status": st.sampled_from(["planned", "connected"]),
    }


class TestFeed(KindLaws):
    """Feeds."""

    kinds, kind = KINDS, feed.KIND
    names: ClassVar = ("A", "B", "dc2:A")
    ground = RACKS
    fields: ClassVar[Fields] = {
        "rack": st.sampled_from(["rack/r1", "rack/r2"]),
        "voltage": st.sampled_from([230, 400]),
        "amperage": st.sampled_from([16, 32]),
        "phases": st.sampled_from([1, 3]),
        "utilization": st.sampled_from([80, 100]),
    }
