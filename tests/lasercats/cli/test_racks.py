"""Racks from the command line: orders, reports, pictures, and what bad input is told."""

import json
import shlex
import sqlite3
from pathlib import Path
from typing import TYPE_CHECKING, Any
from xml.etree import ElementTree

import pytest

from lasercats.core.errors import LogConflict
from lasercats.instructions.work_order import Done
from lasercats.operate import reports, work
from lasercats.operate.project import Project
from lasercats.testing.running import finish

if TYPE_CHECKING:
    from tests.lasercats.cli.conftest import Cli

LIBRARY = Path(__file__).parent.parent / "racks" / "library"


@pytest.fixture
def room(cli: "Cli") -> "Cli":
    """A project with a technician and a rack of three units."""
    cli.done("machine", "add", "human", "human:")
    cli.done("rack", "create", "r1", "--height", "3", "--max-weight", "100")
    return cli


def order(cli: "Cli") -> int:
    """Return the number of the work order that was handed out last."""
    return int(cli.done("work", "list", "--json").data[-1]["order"])


def mounted(cli: "Cli", *names: str) -> None:
    """Mount devices from the lowest unit on, and report it."""
    for unit, name in enumerate(names, 1):
        cli.done("rack", "mount", name, "--unit", str(unit))
        cli.done("work", "done", str(order(cli)))


def state(cli: "Cli", address: str) -> dict[str, Any]:
    """Return a resource."""
    found: dict[str, Any] = cli.done("state", address, "--json").data["resources"][address]
    return found


def test_a_mount_is_an_order_and_is_done_when_it_is_reported(room: "Cli") -> None:
    """The answer is the checklist; the state knows of it, and who did it, when it is reported."""
    asked = room.done("rack", "mount", "db1", "--unit", "2", "--weight", "30", "-m", "new database")
    assert "1. Mount db1 in rack r1, U2, front; 30 kg, two people" in asked.out
    assert "new database" in asked.out
    assert room.log()[-1]["status"] == "waiting"
    assert "rack.device/db1" not in room.done("state", "--json").data["resources"]
    ran = room.done("work", "done", str(order(room)), "--serial", "SN1", "--note", "upper bolt is worn")
    assert "take it back with `lasercats undo" in ran.err
    assert state(room, "rack.device/db1")["serial"] == "SN1"
    assert room.log()[-1]["status"] == "done"
    (one,) = room.done("work", "list", "--all", "--json").data
    assert one["reports"][0]["actor"] == "tester"
    assert one["steps"][0]["outcome"]["note"] == "upper bolt is worn"
    assert room.done("work", "list", "--json").data == []
    room.verifies()


def test_a_rack_may_be_a_machine_of_its_own(cli: "Cli") -> None:
    """Where a machine has one rack, that needs no naming: `rack mount r1:db1 --unit 12` says all."""
    cli.done("machine", "add", "r1", "human:")
    cli.done("rack", "create", "r1:r1")
    cli.done("rack", "mount", "r1:db1", "--unit", "12")
    cli.done("work", "done", str(order(cli)))
    assert state(cli, "rack.device/r1:db1")["rack"] == "rack/r1:r1"
    assert "db1" in cli.done("rack", "show", "r1").out


def test_an_undo_is_an_order_too(room: "Cli") -> None:
    """What was mounted is taken out by a person; then it is known no more."""
    mounted(room, "db1")
    position = room.log()[-1]["position"]
    assert "Unmount db1 from rack r1, U1, front" in room.done("undo", str(position)).out
    room.done("work", "done", str(order(room)))
    assert "rack.device/db1" not in room.done("state", "--json").data["resources"]


def test_an_undo_never_forgets_what_stands_there(room: "Cli") -> None:
    """A mount is not taken back while a cable is in the device: nobody would know of it any more."""
    mounted(room, "a", "b")
    first = next(c["position"] for c in room.log() if c["type"] == "rack.mount")
    room.done("rack", "connect", "c", "--a", "a:1", "--b", "b:1")
    room.done("work", "done", str(order(room)))
    before = room.head()
    refused = room("undo", str(first))
    assert (refused.code, room.head()) == (1, before)
    assert "cable c is in it; disconnect that first" in refused.err


def test_a_serial_that_is_not_as_decided_is_told(room: "Cli") -> None:
    """What is found is recorded, and the exit code and the log say that it is another than was asked for."""
    room.done("rack", "mount", "db1", "--unit", "1", "--serial", "WANTED")
    ran = room("work", "done", str(order(room)), "--serial", "FOUND")
    assert ran.code == 1
    assert "did not do as asked with serial" in ran.err
    assert state(room, "rack.device/db1")["serial"] == "FOUND"
    assert room.log()[-1]["status"] == "failed"


def test_a_full_rack_says_that_it_needs_a_spare_place(room: "Cli") -> None:
    """A swap in a full rack says who must be put aside; with a free unit it says which that is."""
    mounted(room, "a", "b", "c")
    assert (
        "must be put aside meanwhile: there is no spare place for it"
        in room.done("rack", "swap", "a", "b").err
    )
    room.done("work", "fail", str(order(room)), "--why", "not today")
    room.done("rack", "unmount", "c")
    room.done("work", "done", str(order(room)))
    assert "by way of a spare place: unit 3" in room.done("rack", "swap", "a", "b").err
    room.done("work", "done", str(order(room)))
    assert (state(room, "rack.device/a")["unit"], state(room, "rack.device/b")["unit"]) == (2, 1)


def test_a_failed_step_stops_what_depends_on_it_and_no_more(room: "Cli") -> None:
    """One of two devices cannot be mounted: its cable is skipped, the other is mounted."""
    commands = [
        {"command": "rack.mount", "on": "rack.device/a", "unit": 1},
        {"command": "rack.mount", "on": "rack.device/b", "unit": 2},
        {"command": "rack.connect", "on": "rack.cable/c", "a": "a:1", "b": "a:2"},
    ]
    room.done("issue", "-", stdin="\n".join(map(json.dumps, commands)))
    number = str(order(room))
    ran = room.done("work", "fail", number, "1", "--why", "no screws")
    assert "not done, because step 1 failed: no screws" in ran.out
    room.done("work", "done", number)
    there = room.done("state", "--json").data["resources"]
    assert "rack.device/b" in there
    assert not {"rack.device/a", "rack.cable/c"} & there.keys()
    assert {c["type"]: c["status"] for c in room.log()[-3:]} == {
        "rack.mount": "done",
        "rack.connect": "failed",
    }


def test_a_document_rearranges_and_a_second_plan_is_empty(room: "Cli") -> None:
    """The three devices of a full rack change places by one document."""
    mounted(room, "a", "b", "c")
    document = room.done("document").out
    turned = document
    for name, unit in (("a", 2), ("b", 3), ("c", 1)):
        head, _, tail = turned.partition(f"rack.device/{name}:")
        turned = f"{head}rack.device/{name}:" + tail.replace(
            f"unit: {'abc'.index(name) + 1}", f"unit: {unit}", 1
        )
    file = room.file("site.yaml", turned)
    assert room("plan", file, "--detailed-exitcode").code == 2
    room.done("apply", file, "--yes")
    room.done("work", "done", str(order(room)))
    assert room("plan", file, "--detailed-exitcode").code == 0


def test_rack_show_draws_what_is_pending_and_what_was(room: "Cli") -> None:
    """What will come and go is marked; the past is drawn as it was, and a difference as one."""
    mounted(room, "a")
    head = str(room.log()[-1]["position"])
    room.done("rack", "move", "a", "--unit", "3")
    drawn = room.done("rack", "show", "r1").out
    assert "leaving" in drawn
    assert "planned" in drawn
    room.done("work", "done", str(order(room)))
    assert "leaving" not in room.done("rack", "show", "r1").out
    assert "a" in room.done("rack", "show", "r1", "--as-of", head).out
    difference = room.done("rack", "show", "--diff", head, "HEAD").out
    assert "gone" in difference
    assert "added" in difference
    svg = room.done("rack", "show", "r1", "--svg", "-").out
    assert ElementTree.fromstring(svg).tag.endswith("svg")  # noqa: S314 - our own
    whole = room.done("rack", "show", "r1", "--json").data
    assert whole == room.done("rack", "show", "--json").data


def test_what_hangs_on_a_feed_is_the_same_for_one_rack_and_for_all(room: "Cli") -> None:
    """Load through a PDU is reckoned the same whether one rack is read or the whole state."""
    room.done("rack", "import", str(LIBRARY))
    room.done("rack", "create", "r2")
    room.done("rack", "add-feed", "F", "--rack", "r1", "--phases", "3", "--voltage", "400")
    room.done("rack", "mount", "p", "--rack", "r1", "--type", "voltera-pdu-24-3p")
    room.done("rack", "mount", "s", "--rack", "r2", "--unit", "1", "--type", "acme-rs-1100")
    types = room.done("state", "rack.device_type/*", "--json").data["resources"]
    ports = {slug: {p["sort"]: p["name"] for p in t["ports"]} for slug, t in types.items()}
    pdu, server = ports["rack.device_type/voltera-pdu-24-3p"], ports["rack.device_type/acme-rs-1100"]
    for one in room.done("work", "list", "--json").data:
        room.done("work", "done", str(one["order"]))
    room.done("rack", "connect", "c1", "--a", f"p:{pdu['power-port']}", "--b", "F")
    room.done("work", "done", str(order(room)))
    room.done("rack", "connect", "c2", "--a", f"s:{server['power-port']}", "--b", f"p:{pdu['power-outlet']}")
    room.done("work", "done", str(order(room)))
    one, all_ = room.done("rack", "show", "r1", "--json").data, room.done("rack", "show", "--json").data
    assert one[0]["totals"] == all_[0]["totals"]
    feed = next(line for line in one[0]["totals"] if line.startswith("feed F"))
    assert feed.count(" 0") == 2  # of three phases one is used


def test_names_that_are_escaped_are_found(cli: "Cli") -> None:
    """One rack is drawn with what is in it, and a move tells its cables, also where names hold quotes."""
    cli.done("machine", "add", "human", "human:")
    cli.done("rack", "create", 'r"1')
    for unit, name in enumerate(('a"\\b', "ü"), 1):
        cli.done("rack", "mount", name, "--unit", str(unit))
        cli.done("work", "done", str(order(cli)))
    cli.done("rack", "connect", "c", "--a", 'a"\\b:1', "--b", "ü:1")
    cli.done("work", "done", str(order(cli)))
    one, all_ = cli.done("rack", "show", 'r"1', "--json").data, cli.done("rack", "show", "--json").data
    assert one == all_
    assert {box["name"] for box in one[0]["boxes"]} == {'a"\\b', "ü"}
    assert "pull cable c and put it back" in cli.done("rack", "move", 'a"\\b', "--unit", "9").out


def test_an_order_on_paper(room: "Cli") -> None:
    """Markdown and the page hold every step, and what somebody wrote stays text."""
    name = "<b>db</b> & `x`".replace("/", "-")
    room.done("rack", "mount", name, "--unit", "1", "-m", "<script>alert(1)</script>")
    number = str(order(room))
    page = room.done("work", "show", number, "--html", "-").out
    assert "<script>" not in page
    assert "&lt;b&gt;db&lt;-b&gt; &amp; `x`" in page
    assert "<svg" in page
    text = room.done("work", "show", number, "--markdown").out
    assert "- [ ] **1.** Mount \\<b\\>db" in text
    assert "## Rack r1, front" in text


def test_the_script_of_a_person_is_a_checklist(room: "Cli") -> None:
    """A script prints what would be asked for, and `--check` what would change; nobody is sent."""
    script = room.done("rack", "mount", "db1", "--unit", "1", "--interpreter", "script").out
    assert "[ ] 1. Mount db1 in rack r1, U1, front" in script
    assert "would be: 1 created" in room.done("rack", "mount", "db1", "--unit", "1", "--check").err
    assert room.done("work", "list", "--json").data == []


def test_history_knows_what_waits(room: "Cli") -> None:
    """The log tells a waiting command as one, and the table of instructions its steps as they come back."""
    room.done("rack", "mount", "a", "b", "--rack", "r1", "--height", "0")
    number = order(room)
    room.done("work", "done", str(number), "2")
    assert room.done("log", "--status", "waiting", "--json").data[0]["type"] == "rack.mount"
    shown = room.done("show", str(number)).out
    assert "in the hands of a person" in shown
    rows = room.done("query", "SELECT finished, failed FROM instructions", "--format", "json").data
    assert [row["finished"] is None for row in rows] == [True, False]
    assert [c["status"] for c in json.loads(room.done("recover", "--json").out)] == ["waiting"]
    assert "is in the work order" in room.refuses("undo", "HEAD")


@pytest.mark.parametrize(
    ("words", "message"),
    [
        ("work done 99", "there is no work order 99; `lasercats work list` shows which there are"),
        ("work show 1", "there is no work order 1; `lasercats work list` shows which there are"),
        ("work fail 99 --why x", "there is no work order 99; `lasercats work list` shows which there are"),
        ("work done {order} 7", "work order {order} has no step 7; it has 1 to 1"),
        ("work fail {order} --why ' '", "say why it cannot be done: --why"),
        ("work done {order} --serial x 1 1 2", "work order {order} has no step 2; it has 1 to 1"),
        ("rack show r9", "there is no rack r9; take it into the records with `lasercats rack create`"),
        ("rack show --diff 1 2 --as-of 3", "--diff names both positions itself; leave --as-of out"),
        ("rack swap a a", "rack.device/a cannot change places with itself; name two devices"),
        ("rack swap a b", "rack.device/a is in no rack; `lasercats rack mount` mounts it"),
        (
            "rack mount a:b/c --unit 1",
            "'a:b/c' names nothing in a rack; write NAME or MACHINE:NAME, of at most 64 ",
        ),
        (
            "rack mount x --unit 1.3",
            "command rack.mount: field 'unit': a place is given in halves of a unit, and not as 1.3",
        ),
        ("rack mount x --unit 0.5", "command rack.mount: field 'unit': expected `float` >= 1.0"),
        ("rack create r3 --width 20", "a rack is 10, 19, 21 or 23 inches wide, and not 20"),
        ("rack connect c --a x:1 --b x:1", "both ends are at x:1; a cable has two"),
        (
            "rack connect c --a x/1 --b x:1",
            "'x/1' is no end of a cable; write DEVICE:PORT, or the name of a feed",
        ),
        ("rack import /nowhere", "/nowhere"),
        ("rack mount b --unit 2 --confirm-within 10m", "what is done at rack.device/b is done by a person"),
        (
            "rack mount zz:a --unit 1",
            "no machine is called 'zz'; add it with `lasercats machine add NAME URL`",
        ),
        ("rack mount a:x --unit 1", "machine 'a' (local:) is none for rack; name another"),
        ("machine add night human://x?y=1", "'human://x?y=1' is no person; write human: or human:NAME"),
        ("rack mount held --unit 1", "rack.device/held is in the work order {order} (tester)"),
        ("rack mount other --unit 1", "U1 of rack/r1, front is in the work order {order} (tester)"),
        ("observe rack.device/held", "only a person can look at rack.device/held"),
    ],
)
def test_bad_input_is_told_in_a_sentence(room: "Cli", words: str, message: str) -> None:
    """Each has its sentence and exit code 1, and changes nothing."""
    room.done("rack", "mount", "held", "--unit", "1")
    number = order(room)
    refused = room(*shlex.split(words.format(order=number)))
    assert refused.code == 1
    assert message.format(order=number) in refused.err
    assert refused.err.count("\n") <= 2
    assert [one["order"] for one in room.done("work", "list", "--json").data] == [number]
    room.verifies()


@pytest.mark.parametrize(
    ("words", "message"),
    [
        ("mount x --unit 3 --height 2", "U3-4 is out of rack/r1, which has U1-3"),
        ("mount x --unit 2", "U2 of rack/r1 is taken by rack.device/b"),
        ("mount x --unit 3 --weight 101", "101 kg would be in rack/r1, which takes 100 kg at most"),
        (
            "mount x --rack r9 --unit 1",
            "there is no rack/r9; take it into the records with `lasercats rack create`",
        ),
        (
            "mount x --unit 3 --type none",
            "there is no rack.device_type/none; `lasercats rack import` takes types",
        ),
        ("mount a --unit 3", "it is mounted at U1 of rack/r1; `lasercats rack move` moves it"),
        ("move x --unit 3", "nothing is known of rack.device/x"),
        ("retire a", "it is mounted at U1 of rack/r1; unmount it first"),
        ("delete r1", "rack.device/a is in it; take that out of it first"),
        ("set r1 --height 1", "rack.device/b would be out of it: U2 is out of rack/r1, which has U1-1"),
        ("connect c --a a:1 --b feed", "there is no feed feed; write DEVICE:PORT, or take it in with"),
        ("connect c --a a:1 --b x:1", "nothing is known of rack.device/x"),
        ("disconnect-nothing", "no verb is called 'disconnect-nothing'"),
    ],
)
def test_what_cannot_be_is_refused_with_what_is_in_the_way(room: "Cli", words: str, message: str) -> None:
    """A refusal says what stands there, or what is missing; nobody is sent and nothing changes."""
    mounted(room, "a", "b")
    before = room.done("state", "--json").data
    refused = room("rack", *words.split())
    assert refused.code == 1
    assert message in refused.err
    assert room.done("state", "--json").data == before
    assert room.done("work", "list", "--json").data == []


def test_two_who_report_the_same_step_at_once(room: "Cli") -> None:
    """A report that did not see another is refused, and the step is done once."""
    room.done("rack", "mount", "a", "--unit", "1")
    number = order(room)
    first, second = Project(room.folder), Project(room.folder)
    seen = work.order(second, number)
    finish(first, reports.done(first, number))
    with pytest.raises(LogConflict, match="somebody else has just reported on the work order"):
        finish(second, reports.report(second, seen, {0: Done()}))
    first.close()
    second.close()
    with sqlite3.connect(room.path) as db:
        (count,) = db.execute("SELECT count(*) FROM records WHERE type = 'finished'").fetchone()
    assert count == 1
