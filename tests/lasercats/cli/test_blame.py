"""`lasercats blame`: of each field its value, since when, by which command, by whom and why."""

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from tests.lasercats.cli.conftest import Cli

Place = Callable[..., str]


def blamed(cli: "Cli", name: str, *more: str) -> dict[str, dict[str, Any]]:
    """Return what is told of each field of a file."""
    return {row["field"]: row for row in cli.done("blame", f"file/{name}", *more, "--json").data}


def path(name: str) -> Path:
    """Return the path in a name."""
    return Path(name.partition(":")[2])


def test_each_field(cli: "Cli", place: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    """Each field tells of the command that gave it its value, who that was and what he said."""
    name = place("f")
    cli.done("file", "write", name, "--content", "one", "-m", "as agreed")
    monkeypatch.setenv("LASERCATS_ACTOR", "bob@site")
    cli.done("file", "chmod", name, "--mode", "0600", "-m", "ticket 4711")
    monkeypatch.setenv("LASERCATS_ACTOR", "eve@home")
    cli.done("exec", "a", "--", "true")
    write, chmod, _ = cli.log()
    found = blamed(cli, name)
    assert list(found) == ["content", "mode", "modified"]
    content, mode = found["content"], found["mode"]
    assert (content["value"], content["actor"], content["message"]) == ("one", "tester", "as agreed")
    assert (content["command"], content["type"], content["because"]) == (
        write["position"],
        "file.written",
        None,
    )
    assert content["position"] == write["position"] + 5
    assert write["time"] <= content["time"] <= chmod["time"]
    assert (mode["value"], mode["actor"], mode["message"]) == ("0600", "bob@site", "ticket 4711")
    assert (mode["command"], mode["type"]) == (chmod["position"], "file.mode_changed")
    roles = (content["role"], mode["role"], found["modified"]["role"])
    assert roles == ("specified", "specified", "computed")


def test_the_table(cli: "Cli", place: Place) -> None:
    """A line for each field; long content is cut; the reason and the message stand behind the command."""
    name = place("f")
    cli.file("site.yaml", f"resources:\n  file/{name}:\n    content: |\n      one\n      two\n")
    cli.done("apply", "site.yaml", "--yes", "-m", "as agreed")
    head, content, mode, modified = cli.done("blame", f"file/{name}").out.splitlines()
    at = cli.log()[0]["position"]
    assert head.split() == ["FIELD", "VALUE", "SINCE", "ACTOR", "BY"]
    assert content.split()[:4] == ["content", "one…", "(8", "bytes)"]
    assert mode.split()[:2] == ["mode", "0644"]
    assert modified.split()[0] == "modified"
    for line in (content, mode, modified):
        assert line.endswith(f"  tester  file.written {at}  (apply site.yaml; as agreed)")


def test_because_of_an_undo(cli: "Cli", place: Place) -> None:
    """What an undo put back is blamed on the undo, with what it took back; the rest is as before."""
    name = place("f")
    cli.done("file", "write", name, "--content", "one")
    cli.done("file", "write", name, "--content", "two")
    first, second = [h["position"] for h in cli.log()]
    cli.done("undo", str(second), "-m", "sorry")
    found = blamed(cli, name)
    undo = cli.log()[-1]["position"]
    assert (found["content"]["command"], found["content"]["because"]) == (undo, f"undo {second}")
    assert found["content"]["message"] == "sorry"
    assert (found["mode"]["command"], found["mode"]["because"]) == (first, None)


def test_changed_and_changed_back(cli: "Cli", place: Place) -> None:
    """A field that was changed and changed back is blamed on the change back."""
    name = place("f")
    for mode in ("0600", "0640", "0600"):
        cli.done("file", "write", name, "--content", "x", "--mode", mode)
    cli.done("file", "write", name, "--content", "y", "--mode", "0600")
    first, _, third, fourth = [h["position"] for h in cli.log()]
    found = blamed(cli, name)
    assert (found["content"]["command"], found["mode"]["command"]) == (fourth, third)
    assert blamed(cli, name, "--as-of", str(third))["content"]["command"] == first


def test_a_command_without_effect_is_not_blamed(cli: "Cli", place: Place) -> None:
    """One that found all as desired gave nothing its value."""
    name = place("f")
    cli.done("file", "write", name, "--content", "x")
    cli.done("file", "write", name, "--content", "x", "--mode", "0644")
    assert cli.log()[-1]["status"] == "unchanged"
    assert {row["command"] for row in blamed(cli, name).values()} == {cli.log()[0]["position"]}


def test_given_fields(cli: "Cli", place: Place) -> None:
    """What the machine gave is blamed on the command after which it gave it."""
    name = place("f")
    cli.done("file", "write", name, "--content", "x")
    cli.done("file", "chmod", name, "--mode", "0600")
    first, second = [h["position"] for h in cli.log()]
    found = blamed(cli, name)
    state = cli.done("state", "--json").data["resources"][f"file/{name}"]
    assert (found["modified"]["value"], found["modified"]["command"]) == (state["modified"], first)
    assert found["mode"]["command"] == second


@pytest.mark.parametrize("form", [[], ["--json"]])
def test_a_secret_is_never_shown(
    cli: "Cli", place: Place, monkeypatch: pytest.MonkeyPatch, form: list[str]
) -> None:
    """Of a secret it is told since when, and neither what it is nor its token."""
    monkeypatch.setenv("WORD", "hunter2")
    cli.done("file", "write", place("f"), "--secret", "env:WORD")
    cli.done("file", "chmod", place("f"), "--mode", "0640")
    ran = cli.done("blame", f"file/{place('f')}", *form)
    assert "hunter2" not in ran.out + ran.err
    assert "sealed:" not in ran.out + ran.err
    assert "(sealed)" in ran.out
    found = blamed(cli, place("f"))["secret"]
    assert (found["role"], found["command"]) == ("secret", cli.log()[0]["position"])


def test_another_secret_is_another_value(cli: "Cli", place: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    """Secrets that look alike are still told apart."""
    for word in ("hunter2", "hunter3"):
        monkeypatch.setenv("WORD", word)
        cli.done("file", "write", place("f"), "--secret", "env:WORD")
    assert blamed(cli, place("f"))["secret"]["command"] == cli.log()[-1]["position"]


def test_what_was_removed(cli: "Cli", place: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    """Of what is not there any more it is told who removed it, and how to look before that."""
    name = place("f")
    cli.done("file", "write", name, "--content", "x")
    monkeypatch.setenv("LASERCATS_ACTOR", "bob@site")
    cli.done("file", "remove", name)
    written, removed = [h["position"] + 5 for h in cli.log()]
    refusal = cli.refuses("blame", f"file/{name}")
    assert refusal == (
        f"file/{name} is not there: file.removed at position {removed} by bob@site; "
        f"look at it before with --as-of {written}"
    )
    assert blamed(cli, name, "--as-of", str(written))["content"]["value"] == "x"
    assert blamed(cli, name, "--as-of", str(removed - 1))["content"]["value"] == "x"
    assert cli.refuses("blame", f"file/{name}", "--as-of", str(removed)) == refusal


def test_what_was_forgotten(cli: "Cli", place: Place) -> None:
    """What was forgotten is told of like what was removed."""
    name = place("f")
    cli.done("file", "write", name, "--content", "x")
    cli.done("forget", f"file/{name}")
    refusal = cli.refuses("blame", f"file/{name}")
    assert refusal.startswith(f"file/{name} is not there: forgotten at position ")
    before = refusal.rpartition(" ")[2]
    assert blamed(cli, name, "--as-of", before)["content"]["value"] == "x"


@pytest.mark.parametrize("end", [["file", "remove"], ["forget"]])
def test_created_again(cli: "Cli", place: Place, end: list[str]) -> None:
    """What was removed or forgotten and came again, the same as before, is blamed on its return."""
    name = place("f")
    cli.done("file", "write", name, "--content", "x", "--mode", "0600")
    cli.done(*end, f"file/{name}")
    cli.done("file", "write", name, "--content", "x", "--mode", "0600")
    cli.done("file", "chmod", name, "--mode", "0640")
    first, _, again, chmod = [h["position"] for h in cli.log()]
    found = blamed(cli, name)
    assert found["content"]["command"] == again
    assert found["mode"]["command"] == chmod
    assert blamed(cli, name, "--as-of", str(first))["content"]["command"] == first


def test_an_unknown_address(cli: "Cli", place: Place) -> None:
    """An address that the log never spoke of is refused with the nearest."""
    cli.done("file", "write", place("motd"), "--content", "x")
    refusal = cli.refuses("blame", f"file/{place('mtd')}")
    assert refusal == f"no resource is called 'file/{place('mtd')}'; did you mean 'file/{place('motd')}'?"
    assert "is not an address; write KIND/NAME" in cli.refuses("blame", place("motd"))
    assert "no kind is called 'flie'; did you mean 'file'?" in cli.refuses("blame", "flie/a:/f")


def test_not_yet_there(cli: "Cli", place: Place) -> None:
    """Before its first command an address is unknown."""
    cli.done("file", "write", place("f"), "--content", "x")
    cli.done("file", "write", place("g"), "--content", "x")
    first = str(cli.log()[0]["position"])
    refusal = cli.refuses("blame", f"file/{place('g')}", "--as-of", first)
    assert refusal == f"no resource is called 'file/{place('g')}'; did you mean 'file/{place('f')}'?"
    refusal = cli.refuses("blame", f"file/{place('g')}", "--as-of", "2020-01-01")
    assert refusal == f"no resource is called 'file/{place('g')}'; there are none"
    assert "there is no position 999" in cli.refuses("blame", f"file/{place('g')}", "--as-of", "999")


def test_an_adopted_change(cli: "Cli", place: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    """What was changed outside is blamed on the observation, on whoever adopted it; the rest is not."""
    name = place("f")
    cli.done("file", "write", name, "--content", "x")
    path(name).write_text("by hand")
    monkeypatch.setenv("LASERCATS_ACTOR", "bob@site")
    cli.done("drift", "--adopt", "-m", "was agreed on the phone")
    write, seen = cli.log()
    found = blamed(cli, name)
    content = found["content"]
    assert (content["value"], content["type"], content["position"]) == (
        "by hand",
        "observed",
        seen["position"],
    )
    assert (content["actor"], content["message"], content["command"]) == (
        "bob@site",
        "was agreed on the phone",
        None,
    )
    assert found["mode"]["command"] == write["position"]
    line = cli.done("blame", f"file/{name}").out.splitlines()[1]
    assert line.endswith(f"bob@site  observed {seen['position']}  (was agreed on the phone)")


def test_a_change_that_a_command_met(cli: "Cli", place: Place) -> None:
    """What a command found changed is told as observed, apart from what the command did itself."""
    name = place("f")
    cli.done("file", "write", name, "--content", "x")
    path(name).write_text("by hand")
    cli.done("file", "chmod", name, "--mode", "0600")
    chmod = cli.log()[-1]["position"]
    found = blamed(cli, name)
    assert (found["content"]["type"], found["content"]["command"]) == ("observed", chmod)
    assert (found["mode"]["type"], found["mode"]["command"]) == ("file.mode_changed", chmod)
    assert found["content"]["position"] < found["mode"]["position"]


def test_one_of_many(cli: "Cli", place: Place) -> None:
    """Of one command over many each is blamed on its own; another kind works as well."""
    cli.done("directory", "create", place("d"))
    cli.done("file", "write", place("d/f"), place("d/g"), "--content", "x")
    cli.done("file", "chmod", place("d/f"), "--mode", "0600")
    made, wrote, chmod = [h["position"] for h in cli.log()]
    assert blamed(cli, place("d/f"))["mode"]["command"] == chmod
    assert blamed(cli, place("d/g"))["mode"]["command"] == wrote
    (mode,) = cli.done("blame", f"directory/{place('d')}", "--json").data
    assert (mode["field"], mode["value"], mode["command"]) == ("mode", "0755", made)


def test_as_of_head(cli: "Cli", place: Place) -> None:
    """--as-of takes whatever a position is written as."""
    name = place("f")
    for text in "123":
        cli.done("file", "write", name, "--content", text)
    values = [blamed(cli, name, "--as-of", f"HEAD~{n}")["content"]["value"] for n in (2, 1, 0)]
    assert values == ["1", "2", "3"]
