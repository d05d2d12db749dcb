"""Ports, VLANs and LAGs as XML of NETCONF (RFC 6241), in the standard models.

What a port is for and whether it is enabled stands in ietf-interfaces (RFC 8343) where a device has that,
else in openconfig-interfaces; VLANs, speeds, MTUs and LAGs stand in the modules of OpenConfig. What no module
of a device carries is told as None, and cannot be configured.
"""

import re
import xml.etree.ElementTree as ET
from collections.abc import Collection
from functools import partial
from typing import Any

from msgspec.structs import replace

from lasercats.core.errors import Refused
from lasercats.core.identity import facts
from lasercats.instructions import vlans
from lasercats.instructions.switch import SWITCHING, Settings, Surveyed, understood, values_of
from lasercats.instructions.switch_model import with_lags

BASE = "urn:ietf:params:xml:ns:netconf:base:1.0"
IETF = "urn:ietf:params:xml:ns:yang:ietf-interfaces"
TYPES = "urn:ietf:params:xml:ns:yang:iana-if-type"
OC = "http://openconfig.net/yang/interfaces"
ETHERNET = f"{OC}/ethernet"
AGGREGATE = f"{OC}/aggregate"
VLAN = "http://openconfig.net/yang/vlan"
INSTANCE = "http://openconfig.net/yang/network-instance"
LACP = "http://openconfig.net/yang/lacp"
HARDWARE = "urn:ietf:params:xml:ns:yang:ietf-hardware"
PLATFORM = "http://openconfig.net/yang/platform"
LAG_TYPE, LAG = "ieee8023adLag", "lag"
SPEEDS = {
    "10M": "SPEED_10MB",
    "100M": "SPEED_100MB",
    "1G": "SPEED_1GB",
    "2.5G": "SPEED_2500MB",
    "5G": "SPEED_5GB",
    "10G": "SPEED_10GB",
    "25G": "SPEED_25GB",
    "40G": "SPEED_40GB",
    "50G": "SPEED_50GB",
    "100G": "SPEED_100GB",
    "200G": "SPEED_200GB",
    "400G": "SPEED_400GB",
    "800G": "SPEED_800GB",
}
_SPEED_OF = {name: speed for speed, name in SPEEDS.items()}
MODULES = {
    **dict.fromkeys(("description", "enabled"), ("ietf-interfaces", (IETF, OC))),
    "mtu": ("openconfig-interfaces", (OC,)),
    "speed": ("openconfig-if-ethernet", (ETHERNET,)),
    **dict.fromkeys(SWITCHING, ("openconfig-vlan", (VLAN,))),
    **dict.fromkeys(("members", "lacp"), ("openconfig-if-aggregate", (AGGREGATE,))),
    "name": ("openconfig-network-instance", (INSTANCE,)),
}
"""The module that carries a field, and the namespaces of those that do."""


class Models:
    """The models that a device has."""

    def __init__(self, namespaces: Collection[str], instance: str = "default") -> None:
        """Take their namespaces, and the network instance whose VLANs are meant."""
        self.namespaces = frozenset(namespaces)
        self.instance = instance

    def has(self, field: str) -> bool:
        """Tell whether some model carries a field."""
        return not self.namespaces.isdisjoint(MODULES[field][1]) if field in MODULES else False

    @property
    def base(self) -> str | None:
        """The namespace in which ports are listed."""
        return next((namespace for namespace in (IETF, OC) if namespace in self.namespaces), None)

    def check(self, name: str, settings: Settings | None, before: Settings | None = None) -> None:
        """Check that what is to be set, and was something before, can be said in the models.

        Raises:
            Refused: it cannot, with the module that is missing.

        """
        for field, value in values_of(settings).items():
            if field in MODULES and not self.has(field):
                raise Refused(f"{name}: this switch has no model for {field} ({MODULES[field][0]})")
            if _UNHEARD.search(f"{name}{value}"):
                raise Refused(f"{name}: XML cannot hold a control character, as in {field}")
            if field == "speed" and value not in (*SPEEDS, "auto") and not value.startswith("SPEED_"):
                raise Refused(f"{name}: OpenConfig has no speed {value!r}")
            if (field, value) in (("native", 0), ("allowed", vlans.NONE)):
                raise Refused(f"{name}: OpenConfig cannot say {field} {value}; shut it down, or name a VLAN")
            if field in ("vlan", "native", "allowed"):
                _check_vlans(name, f"{value}", before if field == "allowed" else None)
            if field == "type" and value:
                raise Refused(f"{name}: the ports of this switch come with its hardware")


def _check_vlans(name: str, text: str, before: Settings | None) -> None:
    """Check that VLANs have numbers that OpenConfig knows.

    Raises:
        Refused: they have not.

    """
    try:
        vlans.tagged(text, None if before is None else before.allowed)
    except ValueError as error:
        raise Refused(f"{name}: {error}") from None


_UNHEARD = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\ufffe\uffff]")
"""What XML 1.0 has no form for (2.2)."""


def filters(models: Models) -> str:
    """Return the subtree filter of a `<get>` that reads all (RFC 6241, 6)."""
    return "".join(top.format(ns) for ns, top in _TOPS.items() if ns in models.namespaces)


_TOPS = {
    IETF: '<interfaces xmlns="{}"/>',
    OC: '<interfaces xmlns="{}"/>',
    INSTANCE: (
        '<network-instances xmlns="{}"><network-instance><vlans/></network-instance></network-instances>'
    ),
    LACP: '<lacp xmlns="{}"><interfaces/></lacp>',
    HARDWARE: '<hardware xmlns="{}"><component><class/><serial-num/></component></hardware>',
    PLATFORM: (
        '<components xmlns="{}"><component><state><type/><serial-no/></state></component></components>'
    ),
}
"""What is read of each module."""
_CHASSIS = {
    HARDWARE: (("hardware", "component"), "class", "serial-num"),
    PLATFORM: (("components", "component", "state"), "type", "serial-no"),
}
"""Where each module lists parts, what sort each is, and its serial number."""


def identity(data: ET.Element) -> dict[str, str]:
    """Return who a switch is by the `<data>` of a `<get>`: the serial numbers of its chassis.

    They stand in ietf-hardware (RFC 8348) or openconfig-platform, where a device has one of them.
    """
    serials = [
        (_find(one, module, sort), _find(one, module, serial))
        for module, (path, sort, serial) in _CHASSIS.items()
        for one in data.findall("/".join(_(module, part) for part in path))
    ]
    chassis = {serial for type_, serial in serials if serial and "chassis" in (type_ or "").lower()}
    return facts(serial=" ".join(sorted(chassis)))


def read(data: ET.Element, models: Models) -> Surveyed:
    """Return what is on a switch by the `<data>` of a `<get>`."""
    ietf, oc = listed(data, IETF, "interfaces", "interface"), listed(data, OC, "interfaces", "interface")
    lacp = listed(data, LACP, "lacp", "interfaces", "interface")
    found, members = Surveyed(), dict[str, list[str]]()
    path = f"{_(ETHERNET, 'ethernet')}/{_(ETHERNET, 'config')}/{_(AGGREGATE, 'aggregate-id')}"
    for name, own in oc.items():
        lag = own.findtext(path)
        if lag:
            members.setdefault(lag, []).append(name)
    for name in ietf if models.base == IETF else oc:
        one, more = ietf.get(name), oc.get(name)
        if _is_lag(one, more):
            of = tuple(sorted(members.get(name, ())))
            make = partial(_lag, one, more, of, lacp.get(name), models)
            understood(found, "lag", name, make)
        else:
            understood(found, "port", name, partial(_port, one, more, models))
    _vlans(found, data, models)
    return replace(found, ports=with_lags(found.ports, found.lags))


def listed(data: ET.Element, namespace: str, *path: str) -> dict[str, ET.Element]:
    """Return the entries of a list by name."""
    found = data.findall("/".join(_(namespace, part) for part in path))
    named = ((one.findtext(_(namespace, "name")), one) for one in found)
    return {name: one for name, one in named if name}


def _is_lag(one: ET.Element | None, more: ET.Element | None) -> bool:
    types = [_find(one, IETF, "type"), _find(more, OC, "config", "type")]
    aggregated = more is not None and _find(more, AGGREGATE, "aggregation", "config", "lag-type") is not None
    return aggregated or any(LAG_TYPE in (type_ or "") for type_ in types)


def _common(one: ET.Element | None, more: ET.Element | None, models: Models) -> dict[str, Any]:
    if models.base == IETF:
        enabled, description = _find(one, IETF, "enabled"), _said(one, IETF, "description")
        link, mac = _find(one, IETF, "oper-status"), _find(one, IETF, "phys-address")
    else:
        enabled, description = _find(more, OC, "config", "enabled"), _said(more, OC, "config", "description")
        link, mac = _find(more, OC, "state", "oper-status"), None
    return {
        "enabled": enabled != "false",
        "description": description or "",
        "link": None if link is None else "up" if link.lower() == "up" else "down",
        "mac": mac and mac.lower(),
    }


def _said(element: ET.Element | None, namespace: str, *path: str) -> str | None:
    """Return a text as it is, with the spaces around it."""
    return None if element is None else element.findtext("/".join(_(namespace, name) for name in path))


def _port(one: ET.Element | None, more: ET.Element | None, models: Models) -> Settings:
    fields = _common(one, more, models)
    if models.has("mtu"):
        fields["mtu"] = int(_find(more, OC, "config", "mtu") or 1500)
    if models.has("speed"):
        speed = (_find(more, ETHERNET, "ethernet", "config", "port-speed") or "auto").rpartition(":")[2]
        fields["speed"] = _SPEED_OF.get(speed, speed)
    return Settings(**fields, **_switching(more, ETHERNET, "ethernet", models))


def _lag(
    one: ET.Element | None,
    more: ET.Element | None,
    members: tuple[str, ...],
    lacp: ET.Element | None,
    models: Models,
) -> Settings:
    fields = _common(one, more, models)
    fields.pop("mac")
    static = _find(more, AGGREGATE, "aggregation", "config", "lag-type") == "STATIC"
    mode = (_find(lacp, LACP, "config", "lacp-mode") or "ACTIVE").lower()
    fields |= {"members": members, "lacp": "off" if static else mode}
    return Settings(**fields, **_switching(more, AGGREGATE, "aggregation", models))


def _switching(more: ET.Element | None, namespace: str, container: str, models: Models) -> dict[str, Any]:
    if not models.has("mode"):
        return {}
    above = None if more is None else more.find(f"{_(namespace, container)}/{_(VLAN, 'switched-vlan')}")
    config = None if above is None else above.find(_(VLAN, "config"))
    carried = [] if config is None else [one.text or "" for one in config.findall(_(VLAN, "trunk-vlans"))]
    return {
        "mode": (_find(config, VLAN, "interface-mode") or "ACCESS").lower(),
        "vlan": int(_find(config, VLAN, "access-vlan") or 1),
        "native": int(_find(config, VLAN, "native-vlan") or 1),
        "allowed": vlans.one_form(",".join(one.replace("..", "-") for one in carried))
        if carried
        else vlans.ALL,
    }


def _vlans(found: Surveyed, data: ET.Element, models: Models) -> None:
    named: dict[int, str] = {}
    for instance in data.iter(_(INSTANCE, "network-instance")):
        ours = (_find(instance, INSTANCE, "name") or "") == models.instance
        for one in instance.iter(_(INSTANCE, "vlan")) if ours else ():
            id_ = _find(one, INSTANCE, "vlan-id") or ""
            try:
                number = vlans.number(id_)
            except ValueError as error:
                found.strange[f"vlan {id_[:40]}"] = f"{error}"
                continue
            named[number] = _said(one, INSTANCE, "config", "name") or vlans.default_name(number)
    for number, name in sorted(named.items()):
        understood(found, "vlan", f"{number}", lambda name=name: Settings(name=name))  # type: ignore[misc]


def _find(element: ET.Element | None, namespace: str, *path: str) -> str | None:
    found = _said(element, namespace, *path)
    return None if found is None else found.strip()


def _(namespace: str, name: str) -> str:
    """Return a name in a namespace, as the libraries write it."""
    return f"{{{namespace}}}{name}"
