"""`lasercats log`: what each filter finds, alone and with others, and what the graph draws."""

import re
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from tests.lasercats.cli.conftest import Cli

Place = Callable[..., str]


@pytest.fixture
def busy(cli: "Cli", place: Place, monkeypatch: pytest.MonkeyPatch) -> "Cli":
    """A log of every sort of command, by two actors, with two observations."""

    def by(actor: str, *line: str, code: int = 0) -> None:
        monkeypatch.setenv("LASERCATS_ACTOR", actor)
        assert cli(*line).code == code

    by("ada@desk", "file", "write", place("f"), "--content", "Grüße", "-m", "ticket 4711")  # 1
    by("ada@desk", "directory", "create", place("d"))  # 8
    by("bob@site", "file", "write", place("d/one"), place("d/two"), "--content", "x")  # 15
    by("bob@site", "file", "chmod", place("none"), "--mode", "0600", code=1)  # 22, refused
    by("bob@site", "exec", "a", "--", "sh", "-c", "echo Seen; exit 3", code=1)  # 26, failed
    by("ada@desk", "undo", "1")  # 31
    by("ada@desk", "file", "write", place("f"), "--content", "again")  # 38
    Path(place("f").partition(":")[2]).write_text("by hand")
    by("bob@site", "file", "chmod", place("f"), "--mode", "0600")  # finds it changed outside
    Path(place("f").partition(":")[2]).write_text("by hand again")
    by("ada@desk", "drift", "--adopt", "-m", "Ticket 4712")
    by("ada@desk", "file", "write", place("f"), "--content", "by hand again")  # unchanged
    monkeypatch.setenv("LASERCATS_ACTOR", "tester")
    return cli


ALL = (
    "file.write",
    "directory.create",
    "file.write",
    "file.chmod",
    "exec",
    "file.remove",
    "file.write",
    "file.chmod",
    "observed",
    "file.write",
)
"""What the fixture's history is, line by line."""


def lines(cli: "Cli", *filters: str) -> list[int]:
    """Return which lines of the whole history some filters choose."""
    whole = [h["position"] for h in cli.log()]
    return [whole.index(h["position"]) for h in cli.done("log", *filters, "--json").data]


def test_without_a_filter(busy: "Cli") -> None:
    """All is shown, and the actor of the one who looks is no filter."""
    assert tuple(h["type"] for h in busy.log()) == ALL
    assert len(busy.done("log").out.splitlines()) == 1 + len(ALL)


def test_by_address(busy: "Cli", place: Place) -> None:
    """An address finds what is about it: also what was refused on it, and what was observed of it."""
    assert lines(busy, "--address", f"file/{place('f')}") == [0, 5, 6, 7, 8, 9]
    assert lines(busy, "--address", f"file/{place('none')}") == [3]
    assert lines(busy, "--address", f"file/{place('d/two')}") == [2]
    assert lines(busy, "--address", "file/*/d/*") == [2]
    assert lines(busy, "--address", "exec/*", "--address", "directory/*") == [1, 4]
    assert lines(busy, "--address", "file/b:*") == []
    assert lines(busy, "--address", f"file/{place('F')}") == []


def test_a_command_that_failed_is_found_by_its_address(cli: "Cli", place: Place) -> None:
    """A write that the machine could not do is found, though nothing of it is in the state."""
    assert cli("file", "write", place("missing/f"), "--content", "x").code == 1
    (found,) = cli.done("log", "--address", f"file/{place('missing/f')}", "--json").data
    assert found["status"] == "failed"


def test_by_actor(busy: "Cli", monkeypatch: pytest.MonkeyPatch) -> None:
    """A pattern finds the actor; of observations too; it has a variable of its own."""
    assert lines(busy, "--actor", "bob@site") == [2, 3, 4, 7]
    assert lines(busy, "--actor", "*@desk") == [0, 1, 5, 6, 8, 9]
    assert lines(busy, "--actor", "bob") == []
    monkeypatch.setenv("LASERCATS_ACTOR", "bob@site")
    assert lines(busy) == list(range(len(ALL)))
    monkeypatch.setenv("LASERCATS_LOG_ACTOR", "bob@*")
    assert len(busy.done("log", "--json").data) == 4


def test_by_kind(busy: "Cli") -> None:
    """A kind finds what is about resources of it."""
    assert lines(busy, "--kind", "directory") == [1]
    assert lines(busy, "--kind", "file") == [0, 2, 3, 5, 6, 7, 8, 9]
    assert lines(busy, "--kind", "symlink") == []


def test_an_unknown_kind(busy: "Cli") -> None:
    """A kind that is none is refused with the nearest."""
    assert busy.refuses("log", "--kind", "flie") == "no kind is called 'flie'; did you mean 'file'?"
    assert "there are: directory, ec2." in busy.refuses("log", "--kind", "zzz")


def test_by_command(busy: "Cli") -> None:
    """A pattern finds the command, or observations."""
    assert lines(busy, "--command", "file.write") == [0, 2, 6, 9]
    assert lines(busy, "--command", "file.*") == [0, 2, 3, 5, 6, 7, 9]
    assert lines(busy, "--command", "*.create") == [1]
    assert lines(busy, "--command", "observed") == [8]
    assert lines(busy, "--command", "write") == []


def test_by_text(busy: "Cli") -> None:
    """A text is found in the message, the reason, the content and the name, in any case."""
    assert lines(busy, "--grep", "TICKET") == [0, 8]
    assert lines(busy, "--grep", "4711") == [0]
    assert lines(busy, "--grep", "undo 1") == [5]
    assert lines(busy, "--grep", "GRÜSSE") == [0]
    assert lines(busy, "--grep", "echo seen") == [4]
    assert lines(busy, "--grep", "/D/TWO") == [2]
    assert lines(busy, "--grep", "nowhere") == []
    assert lines(busy, "--grep", ".*") == []


@pytest.mark.parametrize("content", ['say "hi"', "one\n\ttwo", "back\\slash"])
def test_by_a_text_with_signs_that_json_escapes(cli: "Cli", place: Place, content: str) -> None:
    """A text is found as the operator wrote it, not as it is stored."""
    cli.done("file", "write", place("f"), "--content", content)
    assert lines(cli, "--grep", content) == [0]


def test_by_the_words_of_a_raw_command(cli: "Cli") -> None:
    """A raw command is found by its words as they were typed."""
    cli.done("exec", "a", "--", "echo", "restart", "nginx")
    assert lines(cli, "--grep", "restart nginx") == [0]


@pytest.mark.parametrize("text", ["content", "null", '"on"', "argv"])
def test_the_form_of_the_record_is_no_text(cli: "Cli", place: Place, text: str) -> None:
    """The names of fields, and what holds a record together, stand in no command."""
    cli.done("file", "write", place("f"), "--content", "x")
    cli.done("exec", "a", "--", "true")
    assert lines(cli, "--grep", text) == []


def test_by_status(busy: "Cli") -> None:
    """A status finds how it ended; an unknown one is refused."""
    assert lines(busy, "--status", "refused") == [3]
    assert lines(busy, "--status", "failed") == [4]
    assert lines(busy, "--status", "unchanged") == [9]
    assert lines(busy, "--status", "done") == [0, 1, 2, 5, 6, 7, 8]
    assert lines(busy, "--status", "open") == []
    assert "'broken' is not one of" in busy.refuses("log", "--status", "broken")


def test_the_last_of_those_that_fit(busy: "Cli") -> None:
    """-n counts what fits the filters, from the end."""
    assert lines(busy, "-n", "2") == [8, 9]
    assert lines(busy, "-n", "2", "--command", "file.write") == [6, 9]
    assert lines(busy, "-n", "1", "--status", "failed") == [4]
    assert lines(busy, "-n", "9", "--kind", "directory") == [1]
    assert "limit" in busy.refuses("log", "-n", "0")


def test_filters_are_combined(busy: "Cli", place: Place) -> None:
    """What fits all of them is shown."""
    assert lines(busy, "--actor", "ada@*", "--command", "file.write") == [0, 6, 9]
    assert lines(busy, "--actor", "ada@*", "--command", "file.write", "--status", "done") == [0, 6]
    assert lines(busy, "--kind", "file", "--status", "refused", "--grep", "0600") == [3]
    assert lines(busy, "--kind", "file", "--status", "refused", "--grep", "0644") == []
    own = ["--address", f"file/{place('f')}"]
    assert lines(busy, *own, "--actor", "bob@*") == [7]
    assert lines(busy, *own, "--grep", "ticket", "--command", "observed", "-n", "5") == [8]


def test_a_range_of_positions(busy: "Cli") -> None:
    """Filters choose from a range."""
    at = [str(h["position"]) for h in busy.log()]
    assert lines(busy, f"{at[1]}..{at[4]}") == [1, 2, 3, 4]
    assert lines(busy, f"{at[1]}..{at[4]}", "--actor", "bob@*", "-n", "2") == [3, 4]
    assert lines(busy, f"{at[6]}..") == [6, 7, 8, 9]
    assert lines(busy, f"..{at[0]}", "--kind", "directory") == []
    assert lines(busy, "HEAD") == [9]


def test_a_range_of_times(busy: "Cli") -> None:
    """A range can be written in times, and filters choose from it too."""
    everything = list(range(len(ALL)))
    assert lines(busy, "@{1 hour ago}..") == everything
    assert lines(busy, "..@{1 hour ago}") == []
    assert lines(busy, "2020-01-01..2100-01-01") == everything
    assert lines(busy, "2020-01-01..2100-01-01", "--kind", "directory") == [1]
    assert lines(busy, "2099-01-01..") == []


def test_nothing_fits(busy: "Cli") -> None:
    """Where nothing fits there is a head and no line, an empty list, an empty graph."""
    ran = busy.done("log", "--grep", "nowhere")
    assert ran.out.split() == ["POSITION", "TIME", "ACTOR", "COMMAND", "STATUS", "EFFECT"]
    assert busy.done("log", "--grep", "nowhere", "--json").data == []
    assert busy.done("log", "--grep", "nowhere", "--graph").out == ""


TIME = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ")


def drawn(cli: "Cli", *filters: str) -> list[str]:
    """Return the lines of a graph, with the folder and the times left out."""
    text = cli.done("log", "--graph", *filters).out.replace(f"{cli.folder}/t", "")
    return TIME.sub("TIME", text).splitlines()


def test_the_graph(busy: "Cli") -> None:
    """A command stands with its events, its error, and by what it was taken back."""
    at = [h["position"] for h in busy.log()]
    assert drawn(busy)[:16] == [
        f"● {at[0]} file write a:/f  done  ada@desk  TIME  (ticket 4711)",
        f"├─ {at[0] + 5} file.written: 1 resource",
        f"└─ taken back by {at[5]}",
        f"● {at[1]} directory create a:/d  done  ada@desk  TIME",
        f"└─ {at[1] + 5} directory.created: 1 resource",
        f"● {at[2]} file write a:/d/one and 1 more  done  bob@site  TIME",
        f"└─ {at[2] + 5} file.written: 2 resources",
        f"● {at[3]} file chmod a:/none  refused  bob@site  TIME",
        "└─ file/a:/none: it does not exist; make it with `lasercats file write`",
        f"● {at[4]} exec a  failed  bob@site  TIME",
        f"├─ {at[4] + 3} host.executed: effect not in the state",
        "└─ exec/a: exit status 3",
        "● undo 1  ada@desk  TIME",
        f"└─ {at[5]} file remove a:/f  done",
        f"   └─ {at[5] + 5} file.removed: 1 resource",
        f"● {at[6]} file write a:/f  done  ada@desk  TIME",
    ]


def test_the_graph_of_what_was_observed(busy: "Cli") -> None:
    """What a command found changed is an event of it; an observation of its own stands alone."""
    *_, chmod, seen, last = [h["position"] for h in busy.log()]
    assert drawn(busy, f"{chmod}..") == [
        f"● {chmod} file chmod a:/f  done  bob@site  TIME",
        f"├─ {chmod + 3} observed: 1 resource",
        f"└─ {chmod + 6} file.mode_changed: 1 resource",
        f"● {seen} observed  done  ada@desk  TIME  (Ticket 4712)",
        f"● {last} file write a:/f  unchanged  ada@desk  TIME",
    ]


def test_the_graph_of_a_run(cli: "Cli", place: Place) -> None:
    """Commands that were issued together hang on one line, which tells why or how many."""
    lines_ = [
        f"- {{command: directory.create, on: '{place('d')}'}}",
        f"- {{command: file.write, on: '{place('d/f')}', content: x}}",
        f"- {{command: file.chmod, on: '{place('nothing')}', mode: '0600'}}",
    ]
    assert cli("issue", cli.file("commands.yaml", "\n".join(lines_))).code == 1
    first, second, third = [h["position"] for h in cli.log()]
    cli.done("undo", str(first), str(second))
    back = [h["position"] for h in cli.log()][3:]
    graph = drawn(cli)
    assert graph[0] == "● 3 commands at once  tester  TIME"
    assert graph[1] == f"├─ {first} directory create a:/d  done"
    assert graph[2].startswith("│  ├─ ")
    taken = f"taken back by {', '.join(map(str, back))}"
    assert graph[3] == f"│  └─ {taken}"
    assert graph[4] == f"├─ {second} file write a:/d/f  done"
    assert graph[6] == f"│  └─ {taken}"
    assert graph[7:9] == [
        f"└─ {third} file chmod a:/nothing  refused",
        "   └─ file/a:/nothing: it does not exist; make it with `lasercats file write`",
    ]
    assert graph[9] == f"● undo {first}..{second}  tester  TIME"
    assert [line[:3] for line in graph[10::2]] == ["├─ ", "└─ "]


def test_the_graph_of_a_filter(busy: "Cli", place: Place) -> None:
    """The graph draws what fits the filters and nothing else."""
    graph = drawn(busy, "--kind", "directory")
    assert len(graph) == 2
    assert "directory create a:/d  done" in graph[0]


def test_the_data_of_a_line(busy: "Cli", place: Place) -> None:
    """--json tells of each line all that is known, with both sides of what changed."""
    (found,) = busy.done("log", "--grep", "4711", "--json").data
    address = f"file/{place('f')}"
    assert found["command"] == {"command": "file.write", "content": "Grüße", "on": [address]}
    assert found["delta"][address]["before"] is None
    assert found["delta"][address]["after"]["content"] == "Grüße"
    assert (found["actor"], found["status"], found["message"]) == ("ada@desk", "done", "ticket 4711")
