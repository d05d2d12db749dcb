"""What the work of a person rests on is not taken away from under it."""

from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from tests.lasercats.cli.conftest import Cli


@pytest.fixture
def room(cli: "Cli") -> "Cli":
    """Two devices in a rack with a cable between them, a rack that is empty, a feed, and a type."""
    cli.done("machine", "add", "human", "human:")
    for line in ("create r1 --height 9", "create r2 --height 9", "add-feed F --rack r1"):
        cli.done("rack", *line.split())
    cli.done("rack", "define-type", "blade", "--manufacturer", "Acme", "--model", "Blade")
    for line in ("mount a --rack r1 --unit 1", "mount b --rack r1 --unit 2", "connect ab --a a:1 --b b:1"):
        cli.done("rack", *line.split())
        cli.done("work", "done", order(cli))
    return cli


def order(cli: "Cli") -> str:
    """Return the number of the work order that was handed out last."""
    return str(cli.done("work", "list", "--json").data[-1]["order"])


@pytest.mark.parametrize(
    ("asked", "meanwhile", "what"),
    [
        ("rack mount c --rack r2 --unit 1", "rack delete r2", "rack/r2"),
        ("rack mount c --rack r1 --unit 9 --type blade", "rack remove-type blade", "rack.device_type/blade"),
        ("rack connect p --a F --b a:psu", "rack remove-feed F", "rack.feed/F"),
        ("rack connect n --a a:2 --b b:2", "rack move b --unit 7", "rack.device/b"),
        ("rack connect n --a a:2 --b b:2", "rack unmount b --keep-cables", "rack.device/b"),
        ("rack connect n --a a:2 --b b:2", "rack rename b c", "rack.device/b"),
        ("rack connect n --a a:2 --b b:2", "forget rack.device/b", "rack.device/b"),
        ("rack move b --unit 7", "rack connect n --a a:2 --b b:2", "rack.device/b"),
        ("rack move b --unit 7", "rack disconnect ab", "rack.device/b"),
        ("rack move b --unit 7", "rack correct-cable ab --status planned", "rack.device/b"),
        ("rack unmount b --keep-cables", "rack plan-cable n --a a:2 --b b:2", "rack.device/b"),
    ],
)
def test_nothing_is_taken_from_under_an_order(room: "Cli", asked: str, meanwhile: str, what: str) -> None:
    """What an open order is about, or leads to, is not removed, moved or cabled until it is reported."""
    room.done(*asked.split())
    number, before = order(room), len(room.log())
    refusal = room.refuses(*meanwhile.split())
    assert f"{what} is in the work order {number}" in refusal
    assert len(room.log()) == before
    room.done("work", "fail", number, "--why", "called off")
    room.done(*meanwhile.split())


def test_a_protected_device_is_renamed_with_its_protection(room: "Cli") -> None:
    """Another name is no way around a protection, and the protection no way into half a rename."""
    room.done("protect", "rack.device/b")
    room.done("rack", "rename", "b", "c")
    state = room.done("state", "--json").data["resources"]
    assert "rack.device/b" not in state
    assert (state["rack.device/c"]["protect"], state["rack.device/c"]["unit"]) == (True, 2)
    assert state["rack.cable/ab"]["b"] == "c:1"


@pytest.mark.parametrize(
    "meanwhile",
    [
        "rack mount d --rack r1 --unit 6",
        "rack set r1 --max-weight 500",
        "rack set-device b --serial SN1",
        "rack connect m --a a:3 --b b:3",
    ],
)
def test_what_harms_nobody_goes_on_beside_an_order(room: "Cli", meanwhile: str) -> None:
    """Several orders use one rack and one device, and what is on record of them is set meanwhile."""
    room.done("rack", "mount", "c", "--rack", "r1", "--unit", "5")
    room.done("rack", "connect", "n", "--a", "a:2", "--b", "b:2")
    room.done(*meanwhile.split())


def test_a_cable_that_was_left_out_is_told(room: "Cli") -> None:
    """Where a swap ends halfway, the checklist tells which cable has been pulled and not put back."""
    room.done("rack", "swap", "a", "b")
    number = order(room)
    room.done("work", "done", number, "1-3")
    output = room.done("work", "fail", number, "4-5", "--why", "too heavy").out
    assert "cable ab has been pulled; put it back: a:1 and b:1" in output
