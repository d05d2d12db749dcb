"""Nothing is cut off on a real Open vSwitch unannounced, and what is protected can be worked with."""

from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from tests.lasercats.domains.switch.conftest import Switches


@pytest.fixture
def adopted(switches: "Switches") -> "Switches":
    """A switch of four ports, all of them taken in."""
    switches.add("sw1", ("eth1", "eth2", "eth3", "eth4"))
    switches.run("adopt", "sw1")
    return switches


@pytest.mark.parametrize(
    ("before", "asked", "loss"),
    [
        (("disable sw1:eth1",), "enable sw1:eth1", "switch.port/sw1:eth1: it would be shut down"),
        (
            ("create-lag sw1:b --member eth1-2",),
            "join sw1:b --member eth3",
            "switch.lag/sw1:b: it would be left without eth3",
        ),
        ((), "create-lag sw1:b --member eth1-2", "switch.lag/sw1:b: it would be taken apart"),
    ],
)
def test_what_an_undo_cuts_off_is_asked(
    adopted: "Switches", before: tuple[str, ...], asked: str, loss: str
) -> None:
    """An undo that shuts a port, or takes from a LAG, is done only when that is agreed to."""
    for line in (*before, asked):
        adopted.run("switch", *line.split())
    known = adopted.state()
    assert loss in adopted.run("undo", "HEAD", fails=True)
    assert adopted.state() == known
    adopted.run("drift", "--detailed-exitcode")
    assert loss in adopted.run("undo", "HEAD", "--yes")
    assert adopted.state() != known


def test_a_guard_is_not_given_what_it_would_cut_off(adopted: "Switches") -> None:
    """What a guard could take back only by a shutdown is refused in advance; a shutdown is held."""
    adopted.run("switch", "disable", "sw1:eth1")
    output = adopted.run("switch", "enable", "sw1:eth1", "--confirm-within", "1h", fails=True)
    assert "could not be taken back by itself: it would be shut down" in output
    assert adopted.state()["switch.port/sw1:eth1"]["enabled"] is False
    adopted.run("switch", "disable", "sw1:eth2", "--confirm-within", "1h")
    adopted.run("confirm", "--reject")
    assert adopted.state()["switch.port/sw1:eth2"]["enabled"] is True


def test_a_pattern_of_switches_shuts_nothing_unasked(adopted: "Switches") -> None:
    """A shutdown that is written out acts at once; one by a pattern is asked about."""
    assert "it would be shut down" in adopted.run("switch", "disable", "sw*:eth1", fails=True)
    adopted.run("switch", "disable", "sw1:eth1")
    assert adopted.state()["switch.port/sw1:eth1"]["enabled"] is False


def test_what_is_protected_is_made_and_changed(adopted: "Switches") -> None:
    """A document makes what it protects, which is changed later as anything else, and not removed."""
    document = adopted.folder / "site.yaml"
    document.write_text(
        "resources:\n"
        "  switch.port/sw1:v1: {type: internal, protect: true, description: x}\n"
        "  switch.lag/sw1:b: {members: [eth3, eth4], protect: true}\n"
        "  switch.vlan/sw1:30: {name: thirty, protect: true}\n"
    )
    adopted.run("apply", "site.yaml", "--yes")
    assert "nothing to do" in adopted.run("plan", "site.yaml")
    adopted.run("switch", "disable", "sw1:v1")
    adopted.run("switch", "leave", "sw1:b", "--member", "eth4")
    adopted.run("switch", "rename-vlan", "sw1:30", "--name", "dreissig")
    for line in ("remove-port sw1:v1", "delete-lag sw1:b", "delete-vlan sw1:30"):
        assert "it is protected" in adopted.run("switch", *line.split(), fails=True)
    known = adopted.state()
    assert known["switch.lag/sw1:b"]["members"] == ["eth3"]
    assert known["switch.port/sw1:v1"]["enabled"] is False
