"""A switch of Open vSwitch, lines about it in any order, and the eyes of ovs-vsctl."""

import json
import random
import sqlite3
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any, NamedTuple

from lasercats.testing.ovs import OvsLab
from lasercats.testing.unasked import LOSES, Harm, Line, Ran

if TYPE_CHECKING:
    from tests.lasercats.cli.conftest import Cli

PORTS = ("eth1", "eth2", "eth3", "eth4", "eth5")
COLUMNS = ("tag", "trunks", "vlan_mode", "lacp", "bond_mode", "other_config")
UNREPORTED = "untold"
"""What changed at an address of which no event tells."""


class Seen(NamedTuple):
    """The rows of ports, what is kept beside interfaces, and how far the log was."""

    rows: dict[str, dict[str, str]]
    beside: dict[str, str]
    head: int


class Wires:
    """A world of ports and LAGs."""

    def __init__(self, cli: "Cli", ovs: OvsLab, seed: int) -> None:
        """Stand before the switch `sw1`."""
        self.cli, self.log, self.ovs = cli, cli.path, ovs
        self.random = random.Random(seed)  # noqa: S311 - a walk that can be repeated
        self.documents: list[str] = []

    def run(self, line: Line) -> Ran:
        """Run a line; what is held is taken back."""
        ran = self.cli(*line.words)
        if "--confirm-within" in line.words:
            self.cli("confirm", "--reject")
        return ran

    def look(self) -> Seen:
        """See all ports, LAGs among them."""
        beside = {name: row["external_ids"] for name, row in self._table("Interface", "external_ids").items()}
        (head,) = self._rows("SELECT coalesce(max(position), 0) FROM records")[0]
        return Seen(self._table("Port", *COLUMNS), beside, head)

    def _table(self, table: str, *columns: str) -> dict[str, dict[str, str]]:
        names = f"--columns=name,{','.join(columns)}"
        data = json.loads(self.ovs.vsctl("--format=json", names, "list", table))
        rows = [dict(zip(data["headings"], map(json.dumps, row), strict=True)) for row in data["data"]]
        return {json.loads(row.pop("name")): row for row in rows}

    def harm(self, before: object) -> Iterator[Harm]:
        """Tell of settings of others that are gone for good, and of what changed without an event."""
        assert isinstance(before, Seen)
        now = self.look()
        bodies = self._rows("SELECT body FROM records WHERE type = 'event' AND position > ?", before.head)
        deltas = [json.loads(body)["delta"] for (body,) in bodies]
        recorded = {address for delta in deltas for address in delta}
        moved = {
            m for d in deltas for pair in d.values() for one in pair for m in (one or {}).get("members", ())
        }
        for name in {*before.rows, *now.rows}:
            addresses = {f"switch.{kind}/sw1:{name}" for kind in ("port", "lag")}
            old, new = before.rows.get(name), now.rows.get(name)
            if old != new and not addresses & recorded and name not in moved:
                yield Harm(f"switch.port/sw1:{name}", UNREPORTED, f"{old} is {new}")
            if old is not None and "by-hand" in old["other_config"]:
                if "by-hand" not in (new or {}).get("other_config", "") + now.beside.get(name, ""):
                    kind = "lag" if name.startswith("bond") else "port"
                    yield Harm(f"switch.{kind}/sw1:{name}", LOSES, old["other_config"])

    def _rows(self, query: str, *values: int) -> list[Any]:
        db = sqlite3.connect(self.log)
        try:
            return db.execute(query, values).fetchall()
        finally:
            db.close()

    def walk(self, steps: int) -> Iterator[Line]:
        """Iterate over lines, with changes by others between them."""
        makers = [self._direct, self._direct, self._direct, self._document, self._undo, self._undo]
        makers += [self._drift, self._many]
        for n in range(steps):
            if self.random.random() < 0.4:
                self._outside()
            if n % 5 == 0:
                self.documents.append(self.cli.done("document", "--json").out)
            line = self.random.choice(makers)()
            more = [word for word in ("--yes", "--json") if self.random.random() < 0.4]
            yield Line((*line.words, *more), line.names)

    def _outside(self) -> None:
        names = [name for name in self.look().rows if name != "sw1"]
        if not names:
            return
        name = self.random.choice(names)
        self.ovs.vsctl(
            *self.random.choice(
                (
                    ("set", "Port", name, f"tag={self.random.choice((10, 20))}"),
                    ("set", "Port", name, "other_config:by-hand=1"),
                    ("set", "Port", name, "other_config:by-hand=1"),
                    ("set", "Port", name, "lacp=active"),
                    ("del-port", "sw1", name),
                )
            )
        )

    def _direct(self) -> Line:
        port, other = (f"sw1:{name}" for name in self.random.sample(PORTS, 2))
        lag, vlan = "sw1:bond0", self.random.choice(("10", "20"))
        lag_ = ("switch.lag/sw1:bond0", LOSES)
        port_ = (f"switch.port/{port}", LOSES)
        pair = ("--member", port.removeprefix("sw1:"), "--member", other.removeprefix("sw1:"))
        words, *names = self.random.choice(
            (
                (("create-vlan", f"sw1:{vlan}", "--name", f"v{vlan}"),),
                (("delete-vlan", f"sw1:{vlan}"),),
                (("access", port, "--vlan", vlan),),
                (("trunk", port, "--allowed", "10,20"),),
                (("disable", port),),
                (("create-lag", lag, *pair),),
                (("create-lag", lag, *pair),),
                (("join", lag, "--member", port.removeprefix("sw1:")),),
                (("leave", lag, "--member", port.removeprefix("sw1:")),),
                (("delete-lag", lag), lag_),
                (("remove-port", port), port_),
                (("add-port", port),),
            )
        )
        return Line(("switch", *words), frozenset(names))

    def _document(self) -> Line:
        data = json.loads(self.random.choice(self.documents))
        desired = data["resources"]
        for address in [a for a in desired if self.random.random() < 0.2]:
            del desired[address]
        site = self.cli.file("site.json", json.dumps(data))
        return Line(("apply", site, *(["--prune"] if self.random.random() < 0.5 else [])))

    def _undo(self) -> Line:
        far = self.random.randint(0, 5)
        which = self.random.choice((f"HEAD~{far}", f"HEAD~{far}..HEAD", "HEAD"))
        return Line(("undo", which, *(["--partial"] if self.random.random() < 0.5 else [])))

    def _drift(self) -> Line:
        return Line(("drift", self.random.choice(("--revert", "--revert", "--adopt"))))

    def _many(self) -> Line:
        """What an operator did not write out himself: a query, a pattern."""
        return Line(
            self.random.choice(
                (
                    ("for", "SELECT address FROM switch_lag", "switch", "delete-lag"),
                    ("for", "SELECT address FROM switch_port", "switch", "remove-port"),
                    ("switch", "delete-lag", "s*:bond0"),
                    ("switch", "disable", f"s*:{self.random.choice(PORTS)}"),
                )
            )
        )
