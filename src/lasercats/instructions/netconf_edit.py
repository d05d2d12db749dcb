"""What is sent to a switch by NETCONF: the `<config>` of an edit, in the standard models."""

import xml.etree.ElementTree as ET
from typing import Any

from lasercats.instructions import vlans
from lasercats.instructions.netconf import (
    AGGREGATE,
    BASE,
    ETHERNET,
    IETF,
    INSTANCE,
    LACP,
    LAG,
    LAG_TYPE,
    OC,
    SPEEDS,
    TYPES,
    VLAN,
    Models,
    _,
    listed,
)
from lasercats.instructions.switch import SWITCHING, Settings, Surveyed, values_of
from lasercats.instructions.switch_model import changed, ports_changed


def configuration(
    before: Surveyed, after: Surveyed, models: Models, data: ET.Element | None = None
) -> ET.Element:
    """Return the `<config>` of an edit-config that gets a switch from one state to another.

    What is in the `<data>` that was read and is not managed stays where its container is replaced.
    """
    config = ET.Element(_(BASE, "config"))
    edit = _Edit(config, models, {} if data is None else listed(data, OC, "interfaces", "interface"))
    for number in changed(before.vlans, after.vlans):
        edit.vlan(number, after.vlans.get(number))
    for name in changed(before.lags, after.lags):
        edit.lag(name, before.lags.get(name), after.lags.get(name))
    for name in ports_changed(before, after):
        edit.port(name, before.ports[name], after.ports[name])
    return config


class _Edit:
    """Gathers what is edited; each container and entry is made once."""

    def __init__(self, config: ET.Element, models: Models, there: dict[str, ET.Element]) -> None:
        self._config, self._models, self._there = config, models, there
        self._made: dict[tuple[str, ...], ET.Element] = {}

    def vlan(self, number: str, settings: Settings | None) -> None:
        instance = self._entry(
            ("network-instances", "network-instance"), INSTANCE, "name", self._models.instance
        )
        above = self._below(instance, INSTANCE, "vlans")
        one = ET.SubElement(above, _(INSTANCE, "vlan"))
        self._leaf(one, INSTANCE, "vlan-id", number)
        if settings is None:
            one.set(_(BASE, "operation"), "delete")
            return
        config = self._below(one, INSTANCE, "config")
        self._leaf(config, INSTANCE, "vlan-id", number)
        self._leaf(config, INSTANCE, "name", settings.name)

    def port(self, name: str, before: Settings, after: Settings) -> None:
        new = _new(before, after)
        self._common(name, before, new)
        if "mtu" in new:
            self._leaf(self._oc(name), OC, "mtu", f"{after.mtu}")
        if "speed" in new or after.lag != before.lag:
            ethernet = self._below(self._interface(name), ETHERNET, "ethernet", "config")
            if "speed" in new:
                self._speed(ethernet, before, after)
            if after.lag != before.lag:
                self._set(ethernet, AGGREGATE, "aggregate-id", after.lag)
        if set(new) & set(SWITCHING):
            self._switching(name, self._below(self._interface(name), ETHERNET, "ethernet"), after)

    def lag(self, name: str, before: Settings | None, after: Settings | None) -> None:
        if after is None:
            self._remove(name, before)
            return
        new = _new(before, after)
        if before is None:
            if self._models.base == IETF:
                kind = ET.SubElement(self._ietf(name), _(IETF, "type"))
                kind.set(f"xmlns:{LAG}", TYPES)
                kind.text = f"{LAG}:{LAG_TYPE}"
            self._oc(name)
        self._common(name, before, new)
        if "lacp" in new or before is None:
            above = self._below(self._interface(name), AGGREGATE, "aggregation", "config")
            self._leaf(above, AGGREGATE, "lag-type", "STATIC" if after.lacp == "off" else "LACP")
            if LACP in self._models.namespaces:
                self._lacp(name, before, after)
        if set(new) & set(SWITCHING) or before is None:
            self._switching(name, self._below(self._interface(name), AGGREGATE, "aggregation"), after)

    def _remove(self, name: str, before: Settings | None) -> None:
        if self._models.base == IETF:
            self._ietf(name).set(_(BASE, "operation"), "delete")
        self._interface(name).set(_(BASE, "operation"), "delete")
        if LACP in self._models.namespaces:
            self._remove_lacp(name, before)

    def _lacp(self, name: str, before: Settings | None, after: Settings) -> None:
        if after.lacp == "off":
            self._remove_lacp(name, before)
            return
        config = self._below(self._lacp_entry(name), LACP, "config")
        self._leaf(config, LACP, "name", name)
        self._leaf(config, LACP, "lacp-mode", (after.lacp or "active").upper())

    def _remove_lacp(self, name: str, before: Settings | None) -> None:
        if before is not None and before.lacp != "off":
            self._lacp_entry(name).set(_(BASE, "operation"), "delete")

    def _lacp_entry(self, name: str) -> ET.Element:
        return self._entry(("lacp", "interfaces", "interface"), LACP, "name", name)

    def _common(self, name: str, before: Settings | None, new: dict[str, Any]) -> None:
        if not {"description", "enabled"} & set(new):
            return
        ietf = self._models.base == IETF
        above, namespace = (self._ietf(name), IETF) if ietf else (self._oc(name), OC)
        if "enabled" in new:
            self._leaf(above, namespace, "enabled", str(new["enabled"]).lower())
        if "description" in new and (new["description"] or (before is not None and before.description)):
            self._set(above, namespace, "description", new["description"] or None)

    def _speed(self, ethernet: ET.Element, before: Settings, after: Settings) -> None:
        auto = after.speed == "auto"
        self._leaf(ethernet, ETHERNET, "auto-negotiate", str(auto).lower())
        if not auto or before.speed != "auto":
            speed = None if auto else SPEEDS.get(after.speed or "", after.speed)
            self._set(ethernet, ETHERNET, "port-speed", speed)

    def _switching(self, name: str, above: ET.Element, after: Settings) -> None:
        """Say all of a port's VLANs: a list is replaced only with what holds it (RFC 6241, 7.2)."""
        config = self._below(above, VLAN, "switched-vlan", "config")
        config.set(_(BASE, "operation"), "replace")
        self._leaf(config, VLAN, "interface-mode", (after.mode or "access").upper())
        if after.native:
            self._leaf(config, VLAN, "native-vlan", f"{after.native}")
        if after.vlan:
            self._leaf(config, VLAN, "access-vlan", f"{after.vlan}")
        if after.allowed not in (None, vlans.ALL):
            for low, high in vlans.spans(sorted(vlans.carried(after.allowed or "") - {vlans.UNTAGGED})):
                text = f"{low}" if low == high else f"{low}..{high}"
                self._leaf(config, VLAN, "trunk-vlans", text)
        own = ("interface-mode", "native-vlan", "access-vlan", "trunk-vlans")
        path = "/".join((above.tag, _(VLAN, "switched-vlan"), _(VLAN, "config")))
        there = self._there[name].find(path) if name in self._there else None
        for other in () if there is None else there:
            if isinstance(other.tag, str) and other.tag not in [_(VLAN, leaf) for leaf in own]:
                config.append(_copied(other))

    def _ietf(self, name: str) -> ET.Element:
        return self._entry(("interfaces", "interface"), IETF, "name", name)

    def _interface(self, name: str) -> ET.Element:
        return self._entry(("interfaces", "interface"), OC, "name", name)

    def _oc(self, name: str) -> ET.Element:
        """Return the configuration of an interface in OpenConfig, which bears its name, too."""
        above = self._interface(name)
        new = above.find(_(OC, "config")) is None
        config = self._below(above, OC, "config")
        if new:
            ET.SubElement(config, _(OC, "name")).text = name
        return config

    def _entry(self, path: tuple[str, ...], namespace: str, key: str, value: str) -> ET.Element:
        """Return an entry of a list."""
        place = (namespace, *path, value)
        if place not in self._made:
            above = self._below(self._config, namespace, *path[:-1])
            self._made[place] = ET.SubElement(above, _(namespace, path[-1]))
            self._leaf(self._made[place], namespace, key, value)
        return self._made[place]

    def _below(self, above: ET.Element, namespace: str, *path: str) -> ET.Element:
        for name in path:
            found = above.find(_(namespace, name))
            above = ET.SubElement(above, _(namespace, name)) if found is None else found
        return above

    def _leaf(self, above: ET.Element, namespace: str, name: str, text: str | None) -> None:
        ET.SubElement(above, _(namespace, name)).text = text

    def _set(self, above: ET.Element, namespace: str, name: str, text: str | None) -> None:
        leaf = ET.SubElement(above, _(namespace, name))
        leaf.text = text
        if text is None:
            leaf.set(_(BASE, "operation"), "delete")


def _copied(one: ET.Element) -> ET.Element:
    """Return an element of any library as one of ours, with the prefix that its text may have."""
    made = ET.Element(one.tag, dict(one.attrib))
    made.text = one.text
    prefix = (one.text or "").strip().partition(":")[0]
    namespace = (getattr(one, "nsmap", None) or {}).get(prefix)
    if namespace is not None:
        made.set(f"xmlns:{prefix}", namespace)
    made.extend(_copied(child) for child in one if isinstance(child.tag, str))
    return made


def _new(before: Settings | None, after: Settings) -> dict[str, Any]:
    old = values_of(before)
    return {field: value for field, value in values_of(after).items() if old.get(field) != value}


def text(element: ET.Element, *, indent: bool = False) -> str:
    """Return XML as text, with the prefixes that people know."""
    prefixes = {BASE: "nc", IETF: "if", OC: "oc-if", ETHERNET: "oc-eth", AGGREGATE: "oc-lag", VLAN: "oc-vlan"}
    for namespace, prefix in {**prefixes, INSTANCE: "oc-netinst", LACP: "oc-lacp"}.items():
        ET.register_namespace(prefix, namespace)
    if indent:
        ET.indent(element)
    return ET.tostring(element, encoding="unicode").replace("\r", "&#13;")  # or it would come back as \n
