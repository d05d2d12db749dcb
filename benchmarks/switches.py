"""The VLAN of 48 ports of a real Open vSwitch, as whole processes: LaserCats, and ovs-vsctl in two ways.

`ovs-vsctl` once for each port is what a loop in a shell does, and what Ansible's openvswitch_port module does
for each task; `ovs-vsctl` once for all is as few as it gets, and does not look, refuse, record or undo. All
wait until ovs-vswitchd has applied the change. Transactions are those in the database's own log.
"""

import contextlib
import time
from collections.abc import Callable
from statistics import median

from benchmarks.common import lasercats, process, spread, table, timed, verdict, workshop
from lasercats.testing.ovs import OvsLab, why_not

PORTS = [f"eth{n}" for n in range(1, 49)]
ROUNDS, SWITCHES = 5, 10


def run() -> None:
    """Run it, where Open vSwitch is installed."""
    if why_not() is not None:
        print(f"switches: left out, because {why_not()}\n")
        return
    with workshop() as folder, contextlib.ExitStack() as stack:
        labs = [stack.enter_context(OvsLab()) for _ in range(SWITCHES)]
        program = lasercats()
        process(program, "init", folder=folder)
        for number, lab in enumerate(labs):
            lab.add_switch("br0", PORTS)
            process(program, "machine", "add", f"sw{number}", lab.url, folder=folder)
        process(program, "adopt", folder=folder)
        process(program, "switch", "create-vlan", "sw*:10,20", folder=folder)
        one = labs[0]

        def ours(vlan: str) -> float:
            return timed(program, "switch", "access", "sw0:eth1-48", "--vlan", vlan, folder=folder)

        def ours_on_all(vlan: str) -> float:
            return timed(program, "switch", "access", "sw*:eth1-48", "--vlan", vlan, folder=folder)

        def each(vlan: str) -> float:
            start = time.perf_counter()
            for port in PORTS:
                one.vsctl("set", "Port", port, f"tag={vlan}", "vlan_mode=access")
            return time.perf_counter() - start

        def at_once(vlan: str) -> float:
            said = [word for port in PORTS for word in ("--", "set", "Port", port, f"tag={vlan}")]
            start = time.perf_counter()
            one.vsctl(*said)
            return time.perf_counter() - start

        rows, seconds = [], dict[str, float]()
        sides: dict[str, Callable[[str], float]] = {
            "LaserCats, a range": ours,
            "ovs-vsctl for each port": each,
            "ovs-vsctl once": at_once,
            f"LaserCats, {SWITCHES} switches": ours_on_all,
        }
        for name, side in sides.items():
            before = _changes(one)
            figures = [side(vlan) for _ in range(ROUNDS) for vlan in ("20", "10")]
            changes = (_changes(one) - before) / len(figures)
            seconds[name] = median(figures)
            rows.append((name, spread(figures), f"{changes:g}"))
    table("48 ports of a switch get another VLAN", ("", "seconds", "transactions of one switch"), rows)
    ratio = seconds["ovs-vsctl for each port"] / seconds["LaserCats, a range"]
    print(f"  ovs-vsctl for each port takes {ratio:.1f} times as long as LaserCats")
    print(f"  one transaction for 48 ports: {verdict(rows[0][2] == '1')}\n", flush=True)


def _changes(lab: OvsLab) -> int:
    """Return how many transactions were made by hand or by us: those that bear a comment."""
    output = lab.tool("ovsdb-tool", "show-log", f"{lab.folder}/conf.db")
    return sum('"lasercats:' in line or '"ovs-vsctl' in line for line in output.splitlines())
