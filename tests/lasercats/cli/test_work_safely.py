"""Work orders that nobody comes to harm by: power, cables, names on boxes, reports at once, corrections."""

import shlex
from collections.abc import Callable, Coroutine
from threading import Thread
from typing import TYPE_CHECKING, Any

import pytest

from lasercats.core.errors import BadInput
from lasercats.operate import reports, work
from lasercats.operate.project import Project
from lasercats.testing.running import finish
from tests.lasercats.cli.test_racks import mounted, order, state

if TYPE_CHECKING:
    from tests.lasercats.cli.conftest import Cli, Ran

TYPES = """\
- command: rack.define_type
  on: rack.device_type/modular
  manufacturer: M
  model: Modular
  ports: [{name: P0, sort: module-bay}, {name: mgmt, sort: interface}]
- command: rack.define_type
  on: rack.device_type/panel
  manufacturer: M
  model: Panel
  ports: [{name: F1, sort: front-port}, {name: R1, sort: rear-port}]
"""


@pytest.fixture
def room(cli: "Cli") -> "Cli":
    """A project with a technician and two racks."""
    cli.done("machine", "add", "human", "human:")
    cli.done("rack", "create", "r1", "--height", "12")
    return cli


def done(cli: "Cli", words: str) -> "Ran":
    """Run a line that must succeed."""
    return cli.done(*shlex.split(words))


def refused(cli: "Cli", words: str) -> str:
    """Run a line that must fail, and return what it tells."""
    ran = cli(*shlex.split(words))
    assert ran.code == 1
    return ran.err


def report(cli: "Cli") -> "Ran":
    """Report that all of the last order is done."""
    return done(cli, f"work done {order(cli)}")


def steps(cli: "Cli") -> dict[str, list[str]]:
    """Return the steps of the last order, each with what is to be minded."""
    return {s["text"]: s["notes"] for s in cli.done("work", "list", "--json").data[-1]["steps"]}


def test_what_gets_its_power_by_modules_is_shut_down_and_a_panel_is_not(room: "Cli") -> None:
    """A type with bays is lifted when it is off; its bay takes a power cable; a panel is just lifted."""
    room.done("issue", room.file("types.yaml", TYPES))
    for name, unit in (("modular", 1), ("panel", 2)):
        done(room, f"rack mount {name} --type {name} --unit {unit}")
        report(room)
    assert "Shut modular (modular) down" in done(room, "rack unmount modular --interpreter script").out
    assert "Shut" not in done(room, "rack unmount panel --interpreter script").out
    done(room, "rack add-feed F --rack r1")
    assert "Connect F (rack r1) to modular:P0" in done(room, "rack connect p --a F --b modular:P0").out


def test_cables_leave_at_the_first_lift_and_come_back_after_the_last(room: "Cli") -> None:
    """Of two that change places, the one by the spare place has its cables put back in its last place."""
    mounted(room, "a", "b", "c")
    for name, cable in (("a", "ca"), ("b", "cb")):
        done(room, f"rack connect {cable} --a {name}:e --b c:{name}")
        report(room)
    done(room, "rack connect ab --a a:x --b b:x")
    report(room)
    done(room, "rack swap a b")
    lifts = [notes for text, notes in steps(room).items() if text.startswith("Move")]
    c = "(rack r1, U3, front)"
    assert lifts == [
        ["pull cable ab: a:x and b:x", f"pull cable cb: b:e and c:b {c}"],
        [f"pull cable ca and put it back: a:e and c:a {c}", "switch it on again"],
        ["put cable ab back: a:x and b:x", f"put cable cb back: b:e and c:b {c}", "switch it on again"],
    ]


def test_kept_cables_are_named_when_the_device_goes_and_when_it_is_back(room: "Cli") -> None:
    """They are pulled with the device, and put back when both of their devices are there again."""
    mounted(room, "a", "b")
    done(room, "rack connect c --a a:1 --b b:1")
    report(room)
    done(room, "rack unmount a --keep-cables")
    kept = "pull cable c, and keep it for when it comes back: a:1 and b:1 (rack r1, U2, front)"
    assert [kept] in steps(room).values()
    report(room)
    done(room, "rack unmount b --keep-cables")
    assert not any("cable c" in note for notes in steps(room).values() for note in notes)
    report(room)
    done(room, "rack mount a --unit 7")
    assert list(steps(room).values()) == [[]]
    report(room)
    done(room, "rack mount b --unit 8")
    assert list(steps(room).values()) == [["put cable c back: a:1 (rack r1, U7, front) and b:1"]]


@pytest.mark.parametrize("absent", ["rack reserve p --unit 3", "rack stock p"])
def test_nothing_is_cabled_to_what_is_not_there(room: "Cli", absent: str) -> None:
    """A cable to what is only planned, or in stock, is planned, and connected when that is mounted."""
    mounted(room, "a")
    done(room, absent)
    assert "so p:1 is not there; mount it first, or plan the cable" in refused(
        room, "rack connect c --a a:1 --b p:1"
    )
    done(room, "rack plan-cable c --a a:1 --b p:1 --color blue")
    assert room.done("work", "list", "--json").data == []
    assert "taken by rack.cable/c" in refused(room, "rack plan-cable d --a a:1 --b p:2")
    done(room, "rack mount p --rack r1 --unit 3")
    report(room)
    done(room, "rack connect c")
    report(room)
    assert state(room, "rack.cable/c") == {"a": "a:1", "b": "p:1", "color": "blue", "status": "connected"}
    done(room, "undo HEAD")
    assert list(steps(room)) == [
        "Disconnect cable c (blue): a:1 (rack r1, U1, front) and p:1 (rack r1, U3, front)"
    ]
    report(room)
    assert state(room, "rack.cable/c")["status"] == "planned"
    done(room, "rack unmount p")
    report(room)
    assert "cable c is in it" in refused(room, "rack retire p")
    room.verifies()


def test_a_document_plans_cables(room: "Cli") -> None:
    """A planned cable of a document needs nobody; with its device mounted and connected it is one order."""
    mounted(room, "a")
    form = (
        "resources:\n  rack.device/p: {{unit: 3, rack: r1, status: {}}}\n"
        "  rack.cable/c: {{a: 'a:1', b: 'p:1', status: {}}}\n"
    )
    room.done("apply", room.file("a.yaml", form.format("planned", "planned")), "--yes")
    assert room.done("work", "list", "--json").data == []
    room.done("apply", room.file("a.yaml", form.format("mounted", "connected")), "--yes")
    assert [text.partition(" ")[0] for text in steps(room)] == ["Mount", "Connect"]
    report(room)
    assert room("plan", room.file("a.yaml", room.done("document").out), "--detailed-exitcode").code == 0


def test_a_step_says_what_is_on_the_box_and_where_both_ends_are(room: "Cli") -> None:
    """Serial number and asset tag, and rack and unit of both ends, also of what the same order mounts."""
    done(room, "rack create r2")
    done(room, "rack mount a --rack r1 --unit 1 --serial SN1 --asset-tag T1")
    report(room)
    done(room, "rack move a --unit 2")
    assert list(steps(room)) == [
        "Shut a (serial SN1, tag T1) down and switch it off, in rack r1, U1, front",
        "Move a (serial SN1, tag T1) from rack r1, U1, front to rack r1, U2, front",
    ]
    report(room)
    desired = "resources:\n  rack.device/b: {rack: r2, unit: 9}\n  rack.cable/c: {a: 'b:1', b: 'a:1'}\n"
    room.done("apply", room.file("a.yaml", desired), "--yes")
    assert "Connect b:1 (rack r2, U9, front) to a:1 (rack r1, U2, front) by cable c" in steps(room)


def test_racks_are_done_one_after_another(room: "Cli") -> None:
    """All of one rack is done before the other, and the paper has a heading for each."""
    done(room, "rack create r2")
    desired = "".join(
        f"  rack.device/{r}{n}: {{rack: {r}, unit: {n}}}\n" for n in (1, 2) for r in ("r1", "r2")
    ) + "".join(f"  rack.cable/{r}: {{a: '{r}1:e', b: '{r}2:e'}}\n" for r in ("r1", "r2"))
    room.done("apply", room.file("a.yaml", f"resources:\n{desired}"), "--yes")
    racks = ["r1" if "rack r1" in text else "r2" for text in steps(room)]
    assert racks == ["r1"] * 3 + ["r2"] * 3
    paper = done(room, f"work show {order(room)} --markdown").out
    assert (
        paper.index("### Rack r1")
        < paper.index("**3.**")
        < paper.index("### Rack r2")
        < paper.index("**4.**")
    )


def test_the_hint_takes_back_what_was_on_record_only(room: "Cli") -> None:
    """After an order that took a device out and had it retired, `undo` as told has it mounted again."""
    mounted(room, "a")
    before = state(room, "rack.device/a")
    done(room, "undo HEAD")
    hint = report(room).err.partition("`lasercats ")[2].partition("`")[0]
    done(room, hint)
    report(room)
    assert state(room, "rack.device/a") == before


@pytest.fixture
def three(room: "Cli") -> Callable[[], Project]:
    """An order of three steps that need not wait for each other, and other processes that look at it."""
    done(room, "rack mount a b c --rack r1 --height 0")
    return lambda: Project(room.folder, actor="tester")


def meanwhile(monkeypatch: pytest.MonkeyPatch, does: Callable[[], Coroutine[Any, Any, object]]) -> None:
    """Have something done after a report has read its order, and before it is recorded."""
    real, left = reports.report, [does]

    async def report_(*args: Any) -> reports.Reported:  # noqa: ANN401
        while left:
            await left.pop()()
        return await real(*args)

    monkeypatch.setattr(reports, "report", report_)


def test_two_who_report_of_different_steps_at_once(
    room: "Cli", three: Callable[[], Project], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Both reports count, and nothing is told twice."""
    number, mine, other = order(room), three(), three()
    meanwhile(monkeypatch, lambda: reports.done(other, number, [2]))
    assert [task.number for task in finish(mine, reports.done(mine, number, [3])).tasks] == [3]
    assert [task.number for task in work.order(mine, number).open] == [1]
    mine.close()
    other.close()
    room.verifies()


def test_who_is_beaten_to_the_lease_waits_for_it(
    room: "Cli", three: Callable[[], Project], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Where another process takes the lease between the look and the taking, that is waited for."""
    number, mine = order(room), three()
    looked, left = mine.log.leases, [True]

    def beaten() -> None:
        other = three()
        finish(other, reports.done(other, number, [2]))
        other.close()

    def leases() -> Any:  # noqa: ANN401
        found = looked()
        while left:
            left.pop()
            other = Thread(target=beaten)
            other.start()
            other.join()
        return found

    monkeypatch.setattr(mine.log, "leases", leases)
    assert [task.number for task in finish(mine, reports.done(mine, number, [3])).tasks] == [3]
    assert [task.number for task in work.order(mine, number).open] == [1]
    mine.close()


@pytest.mark.parametrize("steps_", [(), (range(2, 4),)])
def test_two_who_report_of_the_same_step_at_once(
    room: "Cli", three: Callable[[], Project], monkeypatch: pytest.MonkeyPatch, steps_: reports.Steps
) -> None:
    """Who comes later is told of which step somebody has reported, and who that was; nothing is recorded."""
    number, mine, other = order(room), three(), three()
    meanwhile(monkeypatch, lambda: reports.fail(other, number, [2], why="no rails"))
    with pytest.raises(BadInput, match=r"step 2 of work order \d+ is reported already: failed, by tester"):
        finish(mine, reports.done(mine, number, steps_))
    assert [task.number for task in work.order(mine, number).open] == [1, 3]
    mine.close()
    other.close()


@pytest.mark.parametrize(
    ("words", "steps_"),
    [(["7"], [7]), (["1-3"], [1, 2, 3]), (["1,4-6", "9"], [1, 4, 5, 6, 9]), (["2-2"], [2]), ([], [])],
)
def test_steps_are_told_as_ranges_and_lists(words: list[str], steps_: list[int]) -> None:
    """Numbers, ranges and lists of them name steps."""
    assert [step for span in reports.numbers(words) for step in span] == steps_


@pytest.mark.parametrize("word", ["x", "3-1", "1-", "-2", "1,,2", "", "1..3", "1-2-3"])
def test_what_names_no_step_is_told(word: str) -> None:
    """All else is an error in a sentence."""
    with pytest.raises(BadInput, match="names no step; write a number, a range such as 1-32, or a list"):
        reports.numbers([word])


def test_a_range_is_reported_at_once_and_one_too_long_is_not(room: "Cli") -> None:
    """A range within the order counts; one beyond it is refused, and not counted to its end."""
    done(room, "rack mount a b c --rack r1 --height 0")
    number = order(room)
    assert "has no step 4; it has 1 to 3" in refused(room, f"work done {number} 1-999999999")
    done(room, f"work done {number} 1-2,3")
    assert room.done("work", "list", "--json").data == []


def test_who_reported_is_told_everywhere(room: "Cli", monkeypatch: pytest.MonkeyPatch) -> None:
    """In SQL, the log, `show`, the order and its page, and not for those of whom nobody reported."""
    done(room, "rack mount a b --rack r1 --height 0")
    number = order(room)
    monkeypatch.setenv("LASERCATS_ACTOR", "nora@dc")
    done(room, f"work done {number} 1")
    rows = room.done("query", "SELECT reported_by FROM instructions", "--format", "json").data
    assert [row["reported_by"] for row in rows] == ["nora@dc", None]
    assert "(reported by nora@dc)" in done(room, "log").out.splitlines()[-1]
    assert [c.get("reported_by") for c in room.done("log", "--json").data] == [None, ["nora@dc"]]
    assert "reported by nora@dc" in done(room, "show HEAD").out
    assert done(room, f"work show {number} --markdown").out.count("reported by nora@dc") == 1
    assert done(room, f"work show {number} --html -").out.count("reported by nora@dc") == 1


def test_a_false_report_is_corrected_on_record(room: "Cli") -> None:
    """Place and serial number are set right, and taken back, and nobody is sent for either."""
    mounted(room, "a", "b")
    before = state(room, "rack.device/a")
    done(room, "rack correct a --unit 5 --serial RIGHT --asset-tag T9")
    now = state(room, "rack.device/a")
    assert (now["unit"], now["serial"], now["asset_tag"], now["status"]) == (5, "RIGHT", "T9", "mounted")
    assert room.log()[-1]["type"] == "rack.correct"
    hint = done(room, "undo HEAD").err.partition("`lasercats ")[2].partition("`")[0]
    assert state(room, "rack.device/a") == before
    done(room, hint)
    assert state(room, "rack.device/a") == now
    done(room, "rack correct a --status removed")
    assert "unit" not in state(room, "rack.device/a")
    done(room, "rack correct a --status mounted --rack r1 --unit 7")
    assert room.done("work", "list", "--json").data == []
    room.verifies()


def test_what_was_forgotten_is_put_on_record_again_and_nobody_is_sent(room: "Cli") -> None:
    """`forget` is on record only, and so is its undo, for a device and a cable."""
    mounted(room, "a", "b")
    done(room, "rack connect c --a a:1 --b b:1")
    report(room)
    before = done(room, "document").out
    done(room, "forget rack.cable/c rack.device/a")
    done(room, "undo HEAD")
    assert done(room, "document").out == before
    assert room.done("work", "list", "--json").data == []


def test_a_device_gets_its_right_name_with_its_cables(room: "Cli") -> None:
    """A rename keeps place, size and cables, sends nobody, and is taken back by the hint."""
    mounted(room, "a", "b")
    done(room, "rack connect c --a a:1 --b b:1")
    report(room)
    before = room.done("state", "--json").data["resources"]
    hint = done(room, "rack rename a new").err.partition("`lasercats ")[2].partition("`")[0]
    after = dict(before)
    after["rack.device/new"] = after.pop("rack.device/a")
    after["rack.cable/c"] = {**before["rack.cable/c"], "a": "new:1"}
    assert room.done("state", "--json").data["resources"] == after
    done(room, hint)
    assert room.done("state", "--json").data["resources"] == before
    assert room.done("work", "list", "--json").data == []


@pytest.mark.parametrize(
    ("words", "fact"),
    [
        ("rack disconnect nosuch", "nothing is known of rack.cable/nosuch"),
        ("rack retire nosuch", "nothing is known of rack.device/nosuch"),
        ("rack delete nosuch", "nothing is known of rack/nosuch"),
        ("rack remove-feed nosuch", "nothing is known of rack.feed/nosuch"),
        ("rack remove-type nosuch", "nothing is known of rack.device_type/nosuch"),
        ("rack correct nosuch --serial X", "nothing is known of rack.device/nosuch"),
        ("rack correct-cable nosuch --color blue", "nothing is known of rack.cable/nosuch"),
        ("rack rename nosuch new", "nothing is known of rack.device/nosuch"),
        ("rack rename a b", "rack.device/b is on record already; choose another name"),
        ("rack rename a dc2:a", "rack.device/dc2:a is at another machine than rack.device/a"),
        ("rack connect nosuch", "say what it is between: --a and --b"),
        ("rack correct a --unit 2", "U2 of rack/r1 is taken by rack.device/b"),
        ("rack correct a --status removed --unit 3", "what is removed is in no rack"),
        ("rack mount p --unit 5 --height 0", "it is 0 units high and hangs beside them, so it takes no unit"),
        ("work done {order} nosuch", "'nosuch' names no step"),
    ],
)
def test_a_misspelt_name_is_an_error(room: "Cli", words: str, fact: str) -> None:
    """What is not there is told, exit code 1, and nothing is recorded as done."""
    mounted(room, "a", "b")
    done(room, "rack mount held --unit 9")
    before = room.done("state", "--json").data["resources"]
    assert fact in refused(room, words.format(order=order(room)))
    assert room.done("state", "--json").data["resources"] == before
