"""Open vSwitch, seen by `ovs-vsctl`, and a NETCONF server, seen by a plain NETCONF client."""

import json
import random
import xml.etree.ElementTree as ET
from collections.abc import Callable, Mapping
from typing import Any

from lasercats.testing.netconf import NetconfLab
from lasercats.testing.ovs import OvsLab
from tests.soak.peer import Facts, Peer, Ran, Reality, Step

PORTS = tuple(f"eth{n}" for n in range(1, 7))
VLANS = (10, 20, 30)


class Switch(Peer):
    """Ports in VLANs, and VLANs that come and go."""

    def begin(self, run: Callable[..., str]) -> None:
        """Take the ports in, and put each into a VLAN."""
        run("adopt", self.name)
        run("switch", "create-vlan", f"{self.name}:{','.join(map(str, VLANS))}")
        run("switch", "access", f"{self.name}:eth1-6", "--vlan", "10")

    def work(self, rng: random.Random, there: Reality) -> list[Step | Ran]:
        """Put ports into VLANs and describe them; make and remove VLANs that nobody uses."""
        steps: list[Step | Ran] = []
        for name in rng.sample(PORTS, rng.randint(1, len(PORTS))):
            address = f"switch.port/{self.name}:{name}"
            for _ in range(rng.randint(1, 2)):
                field, value = "vlan", f"{rng.choice(VLANS)}"
                if rng.random() < 0.5:
                    field, value = "description", rng.choice(("", f"to {rng.getrandbits(20):x}"))
                given: Facts = {field: int(value) if field == "vlan" else value}
                command = {"command": "switch.access" if field == "vlan" else "switch.describe"}
                steps.append(Step({**command, "on": address, **given}, address, given))
        if rng.random() < 0.4:
            address = f"switch.vlan/{self.name}:{rng.choice((40, 41))}"
            if address in there:
                steps.append(Step({"command": "switch.delete_vlan", "on": address}, address, None))
            else:
                command = {"command": "switch.create_vlan", "on": address, "name": "storm"}
                steps.append(Step(command, address, {"name": "storm"}, makes=True))
        return steps

    def stated(self, address: str, resource: Mapping[str, Any]) -> Facts:
        """Return the VLAN and what it is for of a port, the name of a VLAN."""
        names = ("name",) if address.startswith("switch.vlan/") else ("vlan", "description")
        return {name: resource[name] for name in names}


class Ovs(Switch):
    """A bridge of Open vSwitch."""

    def __init__(self, name: str, lab: OvsLab) -> None:
        super().__init__(name)
        self._lab, self._stopped = lab, False
        lab.add_switch(name, PORTS)

    @property
    def url(self) -> str:
        """The URL of the bridge."""
        return f"{self._lab.url}?bridge={self.name}&timeout=6"

    def owns(self, address: str) -> bool:
        """Tell whether an address is on it, but for the port of the bridge itself, which is left alone."""
        return super().owns(address) and address != f"switch.port/{self.name}:{self.name}"

    def _table(self, name: str, *columns: str) -> list[dict[str, Any]]:
        data = json.loads(self._lab.vsctl("--format=json", f"--columns={','.join(columns)}", "list", name))
        return [dict(zip(data["headings"], row, strict=True)) for row in data["data"]]

    def reality(self) -> Reality:
        """List ports, interfaces and what the bridge keeps."""
        found: Reality = {}
        notes = {
            row["name"]: dict(row["external_ids"][1])
            for row in self._table("Interface", "name", "external_ids")
        }
        for row in self._table("Port", "name", "tag"):
            if row["name"] != self.name:
                facts = {"vlan": row["tag"], "description": notes[row["name"]].get("description", "")}
                found[f"switch.port/{self.name}:{row['name']}"] = facts
        for row in self._table("Bridge", "name", "external_ids"):
            for key, value in row["external_ids"][1]:
                if key.startswith("lasercats-vlan-"):
                    number = key.removeprefix("lasercats-vlan-")
                    found[f"switch.vlan/{self.name}:{number}"] = {"name": value}
        return found

    def orphans(self) -> list[str]:
        """Return interfaces that are in no port."""
        names = {row["name"] for row in self._table("Interface", "name")}
        return sorted(names - {self.name, *PORTS})

    def harm(self, rng: random.Random) -> str | None:
        """Kill its database server, or let its daemon stand still."""
        self.harmed, self._stopped = True, rng.random() < 0.6
        if self._stopped:
            self._lab.stop_server()
            return "its database server is killed"
        self._lab.pause_daemon()
        return "its daemon stands still"

    def heal(self) -> None:
        """Start the server again, or let the daemon go on."""
        self._lab.start_server() if self._stopped else self._lab.resume_daemon()
        self.harmed = False


IETF = "{urn:ietf:params:xml:ns:yang:ietf-interfaces}"
OPEN = "{http://openconfig.net/yang/interfaces}"
TAGS = "{http://openconfig.net/yang/vlan}"
INSTANCE = "{http://openconfig.net/yang/network-instance}"


class Netconf(Switch):
    """A switch that speaks NETCONF."""

    def __init__(self, name: str, lab: NetconfLab) -> None:
        super().__init__(name)
        self._lab = lab

    @property
    def url(self) -> str:
        """The URL of the server."""
        return f"{self._lab.url}&timeout=6&connect_timeout=3"

    def _running(self) -> ET.Element:
        from ncclient import manager

        key = {"key_filename": str(self._lab.key), "hostkey_verify": False}
        own = {"allow_agent": False, "look_for_keys": False}
        with manager.connect(host="127.0.0.1", port=self._lab.port, username="root", **key, **own) as session:
            return ET.fromstring(session.get_config("running").data_xml.encode())  # noqa: S314  # our server's

    def reality(self) -> Reality:
        """Read the running configuration."""
        running, found = self._running(), dict[str, dict[str, Any]]()
        for port in running.iter(f"{IETF}interface"):
            name = port.findtext(f"{IETF}name")
            if name in PORTS:
                facts = {"vlan": 1, "description": port.findtext(f"{IETF}description") or ""}
                found[f"switch.port/{self.name}:{name}"] = facts
        for port in running.iter(f"{OPEN}interface"):
            address = f"switch.port/{self.name}:{port.findtext(f'{OPEN}name')}"
            for vlan in port.iter(f"{TAGS}access-vlan"):
                if address in found:
                    found[address]["vlan"] = int(vlan.text or 0)
        for vlan in running.iter(f"{INSTANCE}vlan"):
            number, name = vlan.findtext(f"{INSTANCE}vlan-id"), vlan.findtext(f".//{INSTANCE}name")
            found[f"switch.vlan/{self.name}:{number}"] = {"name": name}
        return {**found}

    def owns(self, address: str) -> bool:
        """Tell whether an address is on it, but for the ports that are left alone."""
        return super().owns(address) and not address.endswith((":eth7", ":eth8"))

    def harm(self, rng: random.Random) -> str | None:
        """Kill the server."""
        self._lab.stop_daemon()
        self.harmed = True
        return "its server is killed"

    def heal(self) -> None:
        """Start the server again, from what it saved."""
        self._lab.start_daemon()
        self.harmed = False
