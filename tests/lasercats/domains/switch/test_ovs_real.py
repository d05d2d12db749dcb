"""Switches of Open vSwitch from the command line, as plain eyes see them."""

import contextlib
import json
import signal
import time
from collections.abc import Iterator

import pytest

from lasercats.testing.ovs import OvsLab
from tests.lasercats.domains.switch.conftest import Switches

pytestmark = pytest.mark.slow


def ours(lab: OvsLab) -> list[str]:
    """Return what the database's own log says of our transactions."""
    output = lab.tool("ovsdb-tool", "show-log", f"{lab.folder}/conf.db")
    return [line for line in output.splitlines() if "lasercats:" in line]


def test_48_ports_are_one_transaction(switches: Switches) -> None:
    """A command over a range is one command in our log and one transaction in the switch's."""
    switches.add("sw1")
    switches.run("switch", "create-vlan", "sw1:20", "--name", "servers")
    before = len(ours(switches.lab))
    data = json.loads(switches.run("switch", "access", "sw1:eth1-48", "--vlan", "20", "--json"))
    assert len(data["results"]) == 1
    assert len(data["results"][0]["delta"]) == 48
    assert data["round_trips"] == {"sw1": 3}  # a look, the transaction, and what came of it
    assert len(ours(switches.lab)) == before + 1
    for port in ("eth1", "eth24", "eth48"):
        assert switches.column(port, "tag") == "20"
        assert switches.column(port, "vlan_mode") == "access"
    before = len(ours(switches.lab))
    switches.run("undo", "HEAD")
    assert len(ours(switches.lab)) == before + 1
    assert {switches.column(f"eth{n}", "tag") for n in range(1, 49)} == {"[]"}


def test_what_others_see(switches: Switches) -> None:
    """Every verb is seen by ovs-vsctl."""
    switches.add("sw1", ("eth1", "eth2", "eth3"))
    switches.run("switch", "create-vlan", "sw1:20,30-32", "--name", "lab")
    assert "lasercats-vlan-31=lab" in switches.lab.vsctl("get", "Bridge", "sw1", "external_ids")
    switches.run("switch", "trunk", "sw1:eth1", "--allowed", "10,20-22", "--native", "20")
    assert switches.column("eth1", "trunks") == "[10, 20, 21, 22]"
    assert (switches.column("eth1", "tag"), switches.column("eth1", "vlan_mode")) == ("20", "native-untagged")
    switches.run("switch", "allow", "sw1:eth1", "--vlans", "30")
    switches.run("switch", "disallow", "sw1:eth1", "--vlans", "10,21")
    assert switches.column("eth1", "trunks") == "[20, 22, 30]"
    switches.run("switch", "describe", "sw1:eth1", "--description", "to the café")
    assert 'description="to the caf' in switches.external_ids("eth1")
    switches.run("switch", "configure", "sw1:eth1", "--mtu", "1400")
    assert switches.lab.vsctl("get", "Interface", "eth1", "mtu_request") == "1400"
    switches.run(
        "switch", "create-lag", "sw1:bond0", "--member", "eth2-3", "--mode", "access", "--vlan", "20"
    )
    assert switches.column("bond0", "tag") == "20"
    assert switches.column("bond0", "lacp") == "active"
    assert len(switches.column("bond0", "interfaces").split(",")) == 2
    switches.run("switch", "delete-lag", "sw1:bond0")
    assert switches.column("eth2", "tag") == "[]"
    assert switches.state()["switch.port/sw1:eth1"]["allowed"] == "20,22,30"


def test_traffic_goes_as_the_state_says(switches: Switches) -> None:
    """Ports of one VLAN reach each other and no others; a port that is shut down reaches nobody."""
    switches.add("sw1", ("eth1", "eth2", "eth3", "eth4"))
    switches.run("switch", "create-vlan", "sw1:10,20")
    switches.run("switch", "access", "sw1:eth1-2", "--vlan", "10")
    switches.run("switch", "access", "sw1:eth3", "--vlan", "20")
    switches.run("switch", "trunk", "sw1:eth4", "--allowed", "20")
    leaves = switches.lab.leaves
    assert leaves("sw1", "eth1") & {"eth2", "eth3", "eth4"} == {"eth2"}
    assert leaves("sw1", "eth3") & {"eth1", "eth2", "eth4"} == {"eth4"}
    assert leaves("sw1", "eth4", vlan=20) & {"eth1", "eth2", "eth3"} == {"eth3"}
    assert leaves("sw1", "eth4", vlan=10) == set()
    switches.run("switch", "access", "sw1:eth2", "--vlan", "20")
    assert leaves("sw1", "eth1") & {"eth2", "eth3", "eth4"} == set()
    assert leaves("sw1", "eth3") & {"eth1", "eth2", "eth4"} == {"eth2", "eth4"}
    switches.run("switch", "disable", "sw1:eth3")
    assert leaves("sw1", "eth3") == set()
    assert "eth3" not in leaves("sw1", "eth2")
    switches.run("undo", "HEAD")
    assert "eth3" in leaves("sw1", "eth2")
    assert switches.column("eth3", "tag") == "20"


def test_ten_switches_at_once(switches: Switches) -> None:
    """One command on ten switches is one transaction on each, side by side."""
    with contextlib.ExitStack() as stack:
        labs = [stack.enter_context(OvsLab()) for _ in range(10)]
        for n, lab in enumerate(labs):
            lab.add_switch("br0", [f"eth{i}" for i in range(1, 9)])
            switches.run("machine", "add", f"sw{n}", lab.url)
        switches.run("switch", "create-vlan", "sw*:20")
        data = json.loads(switches.run("switch", "access", "sw*:eth1-8", "--vlan", "20", "--json"))
        assert len(data["results"][0]["delta"]) == 80
        assert data["round_trips"] == {f"sw{n}": 3 for n in range(10)}
        for lab in labs:
            assert lab.vsctl("get", "Port", "eth8", "tag") == "20"
            assert len(ours(lab)) == 2


def test_a_document_and_back(switches: Switches) -> None:
    """What is there is adopted, told as a document, and recreated from it on another switch."""
    switches.add("sw1", ("eth1", "eth2", "eth3"))
    switches.lab.vsctl("set", "Port", "eth1", "tag=10", "vlan_mode=access")
    switches.run("adopt", "sw1")
    assert switches.state()["switch.vlan/sw1:10"] == {"name": "VLAN0010"}
    switches.run("switch", "create-lag", "sw1:bond0", "--member", "eth2-3", "--description", "up")
    (switches.folder / "sw1.yaml").write_text(switches.run("document"))
    switches.lab.remove_switch("sw1")
    switches.lab.add_switch("sw1", ())
    assert "5 to create" in switches.run("plan", "sw1.yaml", "--refresh")
    switches.run("apply", "sw1.yaml", "--yes", "--refresh")
    assert switches.column("eth1", "tag") == "10"
    assert len(switches.column("bond0", "interfaces").split(",")) == 2
    switches.run("drift", "--detailed-exitcode")


def test_a_script_does_the_same(switches: Switches) -> None:
    """The script, run by a shell, leaves what the commands would have left."""
    import subprocess

    switches.add("sw1", ("eth1", "eth2", "eth3", "eth4"))
    switches.run("adopt", "sw1")
    document = """
resources:
  switch.vlan/sw1:20: {name: servers}
  switch.vlan/sw1:30: {name: "guests"}
  switch.port/sw1:eth1: {mode: access, vlan: 20, description: "it's \\"café\\" $x"}
  switch.port/sw1:eth2: {enabled: false, mode: trunk, native: 30, allowed: "20,30-32", mtu: 1400}
  switch.port/sw1:p5: {type: dummy, mode: access, vlan: 30}
  switch.lag/sw1:bond0: {members: [eth3, eth4], lacp: "off", mode: trunk, allowed: "20"}
"""
    (switches.folder / "desired.yaml").write_text(document)
    script = switches.run("plan", "desired.yaml", "--interpreter", "script")
    ran = subprocess.run(["/bin/sh"], input=script, capture_output=True, text=True, check=False)
    assert ran.returncode == 0, ran.stderr + script
    switches.run("observe")
    switches.run("adopt", "sw1")
    switches.run("plan", "desired.yaml", "--refresh", "--detailed-exitcode")
    assert "café" in switches.run("state", "switch.port/sw1:eth1")
    assert "lacp: off" in switches.run("state", "switch.lag/sw1:bond0").replace("'", "")


def test_a_script_sets_a_member_of_a_lag_as_live(switches: Switches) -> None:
    """A printed script and a live command keep the same for a member of a LAG that is known to be one."""
    import subprocess

    switches.add("sw1", ("eth1", "eth2", "eth3", "eth4"))
    switches.run("adopt", "sw1")
    switches.run("switch", "create-lag", "sw1:bond0", "--member", "eth1-2")
    switches.run("observe")
    odd = switches.run(
        "switch", "describe", "sw1:eth3", "--description", "x\x7f\x9b1m", "--interpreter", "script"
    )
    assert not set(odd) & {"\x7f", "\x9b"}
    subprocess.run(["/bin/sh"], input=odd, text=True, check=True)
    assert switches.external_ids("eth3") == '{description="x\x7f\x9b1m"}'
    script = switches.run("switch", "disable", "sw1:eth1", "--interpreter", "script")
    ran = subprocess.run(["/bin/sh"], input=script, capture_output=True, text=True, check=False)
    assert ran.returncode == 0, ran.stderr + script
    by_script = switches.external_ids("eth1")
    assert "lasercats-mode=trunk" in by_script
    switches.run("drift", "--adopt")
    assert switches.state()["switch.port/sw1:eth1"]["enabled"] is False
    switches.run("switch", "enable", "sw1:eth1")
    assert switches.external_ids("eth1") != by_script
    switches.run("switch", "disable", "sw1:eth1")
    assert switches.external_ids("eth1") == by_script
    switches.run("switch", "delete-lag", "sw1:bond0")
    script = switches.run("switch", "enable", "sw1:eth1", "--interpreter", "script")
    subprocess.run(["/bin/sh"], input=script, text=True, check=True)
    assert switches.column("eth1", "trunks") == "[]"


@pytest.mark.crash
def test_killed_in_the_middle(switches: Switches) -> None:
    """What was done when the operator's process died is found out by `recover`."""
    switches.add("sw1", ("eth1", "eth2"))
    switches.run("switch", "create-vlan", "sw1:20")
    switches.lab.pause_daemon()  # so that it waits, with the transaction done
    try:
        process = switches.start("switch", "access", "sw1:eth1-2", "--vlan", "20")
        deadline = time.monotonic() + 20
        while switches.column("eth2", "tag") != "20":
            assert time.monotonic() < deadline
            time.sleep(0.02)
        process.send_signal(signal.SIGKILL)
        process.wait()
    finally:
        switches.lab.resume_daemon()
    assert switches.state()["switch.port/sw1:eth1"]["mode"] == "trunk"
    switches.run("recover")
    assert switches.run("recover") == "nothing is open\n"
    assert switches.state()["switch.port/sw1:eth2"]["vlan"] == 20
    switches.run("drift", "--detailed-exitcode")
    switches.run("verify")


def test_nobody_confirms(switches: Switches) -> None:
    """A change that nobody confirms is taken back by itself."""
    switches.add("sw1", ("eth1", "eth2"))
    switches.run("switch", "create-vlan", "sw1:20")
    switches.run("switch", "access", "sw1:eth1", "--vlan", "20", "--confirm-within", "8s")
    assert switches.column("eth1", "tag") == "20"
    deadline = time.monotonic() + 30
    while switches.column("eth1", "tag") != "[]":
        assert time.monotonic() < deadline
        time.sleep(0.1)
    switches.run("switch", "access", "sw1:eth2", "--vlan", "20", "--confirm-within", "1h")
    switches.run("confirm")
    assert switches.run("confirm", "--list").startswith("nothing")
    assert switches.column("eth2", "tag") == "20"


@pytest.fixture(scope="module")
def busy(ovs: OvsLab, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Switches]:
    """Make a switch with a VLAN, a port in it, and a LAG."""
    made = Switches(tmp_path_factory.mktemp("busy"), ovs)
    made.add("swb", ("b1", "b2", "b3"))
    made.run("switch", "create-vlan", "swb:20")
    made.run("switch", "access", "swb:b1", "--vlan", "20")
    made.run("switch", "create-lag", "swb:bond7", "--member", "b2")
    yield made
    ovs.remove_switch("swb")


@pytest.mark.parametrize(
    ("line", "said"),
    [
        ("access swb:b99 --vlan 20", "there is no port b99 on swb"),
        (
            "access swb:b1 --vlan 21",
            "there is no VLAN 21 on swb; `lasercats switch create-vlan swb:21` makes",
        ),
        ("access swb:b1 --vlan 4095", "4094"),
        ("access swb:b2 --vlan 20", "b2 is in use by the LAG bond7"),
        ("access swb:bond7 --vlan 20", "bond7 is a lag of swb; write switch.lag/swb:bond7"),
        ("access b1 --vlan 20", "'b1' names no port; write SWITCH:PORT"),
        ("access swb:b9-1 --vlan 20", "the range 'b9-1' ends before it begins"),
        ("allow swb:b1 --vlans 20", "it is an access port; `lasercats switch trunk switch.port/swb:b1`"),
        ("trunk swb:b1 --allowed 20-x", "'x' is no VLAN; they are numbered from 1 to 4094"),
        ("trunk swb:b1 --allowed 30-20", "the range 30-20 ends before it begins"),
        ("trunk swb:b1 --allowed 5000", "'5000' is no VLAN"),
        ("create-vlan swb:5000", "'5000' is no VLAN"),
        ("delete-vlan swb:20", "switch.port/swb:b1 is in it; take that out of it first"),
        ("delete-vlan swb:1", "VLAN 1 is always there"),
        ("create-lag swb:bond9 --member b2", "b2 is in use by the LAG bond7; take it out of that first"),
        ("create-lag swb:bond9 --member b77", "there is no port b77 on swb"),
        ("create-lag swb:bond9", "a LAG is made of ports; give --member"),
        ("create-lag swb:b1 --member b3", "b1 is a port; give the LAG another name"),
        ("leave swb:bond7 --member b2", "no port would be left in it"),
        ("remove-port swb:b2", "b2 is in use by the LAG bond7"),
        ("remove-port swb:swb", "port swb is the bridge's own"),
        ("configure swb:b1 --speed 1G", "Open vSwitch has no setting for the speed of a port"),
        ("configure switch.lag/swb:bond7 --mtu 1400", "a Lag has no mtu of its own; its members have"),
        ("access nowhere:b1 --vlan 20", "no machine is called 'nowhere'"),
    ],
)
def test_bad_input_changes_nothing(busy: Switches, line: str, said: str) -> None:
    """What cannot be is refused with the reason, and nothing changes."""
    columns = "--columns=name,tag,trunks,vlan_mode,interfaces"
    before = busy.lab.vsctl(columns, "list", "Port")
    assert said in busy.run("switch", *line.split(), fails=True)
    assert busy.lab.vsctl(columns, "list", "Port") == before


def test_a_picture_as_it_is_and_was(switches: Switches) -> None:
    """`switch show` draws what a look finds, what the log says of then, and an SVG; what fails is told."""
    switches.add("sw1", ("eth1", "eth2"))
    switches.run("adopt", "sw1")
    switches.run("switch", "create-vlan", "sw1:20", "--name", "servers")
    switches.run("switch", "access", "sw1:eth1", "--vlan", "20")
    assert "● 20" in switches.run("switch", "show", "sw1").replace("  ", " ")
    assert "servers" not in switches.run("switch", "show", "sw1", "--as-of", "1")
    switches.lab.vsctl("set", "Port", "eth2", "tag=20", "vlan_mode=access")
    assert "20 servers: 2 ports" in switches.run("switch", "show", "sw1")
    assert "20 servers: 1 port\n" in switches.run("switch", "show", "sw1", "--as-of", "HEAD")
    switches.run("switch", "show", "sw1", "--svg", "sw1.svg")
    assert (switches.folder / "sw1.svg").read_text().startswith("<svg")
    assert switches.run("switch", "show", "sw1", "--svg", "-").startswith("<svg")
    assert "cannot be written: No such file" in switches.run(
        "switch", "show", "sw1", "--svg", "no/such/x.svg", fails=True
    )
    assert "machine 'local' (local:) is no switch" in switches.run("switch", "show", "local", fails=True)
    assert "the log knows nothing of sw1" in switches.run(
        "switch", "show", "sw1", "--as-of", "2020-01-01", fails=True
    )
