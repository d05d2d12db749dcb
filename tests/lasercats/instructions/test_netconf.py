"""What is read of NETCONF is kept where it is written beside."""

import xml.etree.ElementTree as ET

import pytest
from lxml import etree  # type: ignore[import-untyped]
from msgspec.structs import replace

from lasercats.core.errors import Refused
from lasercats.instructions.netconf import (
    AGGREGATE,
    BASE,
    ETHERNET,
    HARDWARE,
    IETF,
    INSTANCE,
    LACP,
    OC,
    PLATFORM,
    VLAN,
    Models,
    filters,
    identity,
    read,
)
from lasercats.instructions.netconf_edit import configuration, text
from lasercats.instructions.switch import Settings, Surveyed

ALL = Models({IETF, OC, ETHERNET, AGGREGATE, VLAN, INSTANCE, LACP})
THEIRS = "urn:vendor:vlan"
DATA = f"""<data xmlns="{BASE}"><interfaces xmlns="{IETF}">
<interface><name>eth1</name><description> two&#13;
lines </description></interface></interfaces>
<interfaces xmlns="{OC}"><interface><name>eth1</name>
<ethernet xmlns="{ETHERNET}"><config><port-speed xmlns:oc="{ETHERNET}">oc:SPEED_1600GB</port-speed></config>
<switched-vlan xmlns="{VLAN}"><config><interface-mode>QINQ</interface-mode><access-vlan>20</access-vlan>
<trunk-vlans>10..20</trunk-vlans><trunk-vlans>7</trunk-vlans>
<learning xmlns="{THEIRS}" xmlns:v="{THEIRS}">v:off</learning></config></switched-vlan></ethernet>
</interface></interfaces></data>"""


def test_what_is_not_modelled_stays_in_a_container_that_is_replaced() -> None:
    """A leaf of another module, with its prefix, is among what the VLANs of a port are replaced with."""
    data = etree.fromstring(DATA)
    before = read(data, ALL)
    ports = {"eth1": replace(before.ports["eth1"], allowed="7,10-21")}
    sent = text(configuration(before, Surveyed(ports, {}, {}), ALL, data))
    config = next(etree.fromstring(sent).iter(f"{{{VLAN}}}config"))
    theirs = config.find(f"{{{THEIRS}}}learning")
    assert theirs.text == "v:off"
    assert theirs.nsmap["v"] == THEIRS
    assert [one.text for one in config.findall(f"{{{VLAN}}}trunk-vlans")] == ["7", "10..21"]
    assert config.findtext(f"{{{VLAN}}}interface-mode") == "QINQ"


def test_words_of_the_switch_and_texts_are_read_as_they_are() -> None:
    """A speed and a mode that are none of ours, and a text with spaces and ends of lines, come back."""
    one = read(etree.fromstring(DATA), ALL).ports["eth1"]
    assert (one.speed, one.mode, one.description) == ("SPEED_1600GB", "qinq", " two\r\nlines ")
    empty = Surveyed({"eth1": Settings()}, {}, {})
    sent = text(configuration(empty, Surveyed({"eth1": one}, {}, {}), ALL))
    back = ET.fromstring(sent)  # noqa: S314 - our own
    assert back.findtext(f".//{{{IETF}}}description") == one.description
    assert back.findtext(f".//{{{ETHERNET}}}port-speed") == "SPEED_1600GB"


@pytest.mark.parametrize(
    "desired",
    [
        Settings(description="a\x1bb"),
        Settings(vlan=0),
        Settings(native=4095),
        Settings(allowed="0,10"),
        Settings(speed="fast"),
        Settings(type="internal"),
    ],
    ids=repr,
)
def test_what_has_no_form_is_refused(desired: Settings) -> None:
    """What XML or the models cannot say is refused before anything is sent."""
    with pytest.raises(Refused):
        ALL.check("eth1", desired)


def test_a_switch_is_known_by_the_serial_of_its_chassis() -> None:
    """The serial numbers of chassis are told, by either module, in one order; no other ones are."""
    part = "<component><class>{}</class><serial-num>{}</serial-num></component>"
    parts = "".join(
        part.format(*one) for one in (("ianahw:chassis", "B2 "), ("ianahw:fan", "F"), ("chassis", "A1"))
    )
    state = "<component><state><type>oc:CHASSIS</type><serial-no>C3</serial-no></state></component>"
    data = ET.fromstring(  # noqa: S314 - our own
        f'<data><hardware xmlns="{HARDWARE}">{parts}</hardware><components xmlns="{PLATFORM}">{state}'
        "</components></data>"
    )
    assert identity(data) == {"serial": "A1 B2 C3"}
    assert identity(ET.fromstring("<data/>")) == {}  # noqa: S314 - our own
    assert f'<hardware xmlns="{HARDWARE}">' in filters(Models({IETF, HARDWARE}))
