"""What an operator does when all is well."""

import json
import os
import subprocess
from collections.abc import Callable
from typing import TYPE_CHECKING

import pytest

from lasercats.cli.main import root

if TYPE_CHECKING:
    from tests.lasercats.cli.conftest import Cli

Place = Callable[..., str]


def site(cli: "Cli", **contents: str) -> str:
    """Write a document with files below t."""
    desired = {f"file/a:{cli.folder}/t/{name}": {"content": text} for name, text in contents.items()}
    return cli.file("site.yaml", json.dumps({"resources": desired}))


def test_every_verb_prints_one_json_value(cli: "Cli", place: Place) -> None:
    """With --json every verb prints one JSON value on standard output and nothing else."""
    on, file = place("f"), site(cli, g="x")
    lines = [
        ["machine", "add", "c", "local:"],
        ["machine", "list"],
        ["machine", "check", "c"],
        ["machine", "remove", "c"],
        ["directory", "create", place("d")],
        ["directory", "chmod", place("d"), "--mode", "700"],
        ["directory", "chown", place("d"), "--owner", str(os.getuid())],
        ["directory", "remove", place("d")],
        ["file", "write", on, "--content", "1"],
        ["file", "chmod", on, "--mode", "600"],
        ["file", "chown", on, "--group", str(os.getgid())],
        ["file", "write", on, "--content", "2", "--check"],
        ["file", "write", on, "--content", "2", "--interpreter", "trace"],
        ["file", "write", on, "--content", "3", "--interpreter", "script"],
        ["symlink", "link", place("l"), "--target", "f"],
        ["symlink", "remove", place("l")],
        ["plan", file],
        ["apply", file, "--yes"],
        ["apply", file, "--yes"],
        ["observe"],
        ["drift"],
        ["state"],
        ["document"],
        ["log"],
        ["show", "HEAD"],
        ["diff", "0"],
        ["verify"],
        ["undo", "HEAD~1"],
        ["forget", f"file/{on}"],
        ["recover"],
        ["issue", file],
    ]
    cli.file("site.json", "[]")
    for line in lines:
        if line[0] == "issue":
            line[1] = "site.json"
        ran = cli(*line, "--json")
        assert ran.code == 0, (line, ran)
        assert ran.data is not None, line
    assert cli.done("init", "other", "--json").data == {"project": f"{cli.folder}/other"}
    assert cli.done("exec", "a", "--json", "--", "true").data["ok"] is True
    assert "properties" in cli.done("schema").data


def test_a_file_from_birth_to_end(cli: "Cli", place: Place) -> None:
    """A file is written, changed, undone and removed, and the history tells of it."""
    on, path = place("f"), cli.folder / "t/f"
    assert cli.done("file", "write", on, "--content", "1", "-m", "why").err.startswith(
        "1 created; take it back"
    )
    assert path.read_text() == "1"
    both = cli.done("file", "write", on, "--content", "2", "--mode", "600", "--diff").out
    assert both == f"~ file/{on}\n    content: 1 → 2\n    mode: 0644 → 0600\n"
    assert cli.done("undo", "HEAD").err.startswith("1 changed; ")
    assert path.read_text() == "1"
    assert path.stat().st_mode & 0o777 == 0o644
    assert cli.done("file", "write", on, "--content", "1").err == "nothing changed\n"
    cli.done("file", "remove", on)
    assert not path.exists()
    cli.done("undo", "HEAD")
    assert path.read_text() == "1"
    assert [h["type"] for h in cli.log()][:2] == ["file.write", "file.write"]
    assert cli.log()[0]["message"] == "why"
    assert "message: why" in cli.done("show", "1").out
    cli.verifies()


def test_machines_by_a_pattern(cli: "Cli", place: Place) -> None:
    """A pattern stands for every machine that fits it, and several addresses are one command."""
    rest = place("f").partition(":")[2]
    ran = cli.done("file", "write", f"[ab]:{rest}", "--content", "x", "--json")
    assert set(ran.data["results"][0]["delta"]) == {f"file/a:{rest}", f"file/b:{rest}"}
    assert set(ran.data["round_trips"]) == {"a", "b"}
    out = cli.done("exec", "[ab]", "--", "echo", "hi").out
    assert sorted(out.splitlines()) == ["a: hi", "b: hi"]


@pytest.mark.parametrize("how", [["--check"], ["--interpreter", "simulate"], ["--interpreter", "script"]])
def test_a_prediction_changes_nothing(cli: "Cli", place: Place, how: list[str]) -> None:
    """A check, and a script that is printed, touch neither machine nor log."""
    before = cli.head()
    ran = cli.done("file", "write", place("f"), "--content", "needle", *how)
    assert "needle" in ran.out
    assert cli.head() == before
    assert not (cli.folder / "t/f").exists()


def test_the_trace(cli: "Cli", place: Place) -> None:
    """The trace does it, and shows each batch with its instructions and outcomes."""
    out = cli.done("file", "write", place("f"), "--content", "x", "--interpreter", "trace").out
    assert "a  one batch, 1 instruction, " in out
    assert "└─ host.write: lc_create " in out
    assert (cli.folder / "t/f").read_text() == "x"


def test_detailed_exit_codes(cli: "Cli", place: Place) -> None:
    """With --detailed-exitcode 2 tells of pending changes and 0 of none."""
    file = site(cli, f="x")
    assert cli("plan", file, "--detailed-exitcode").code == 2
    assert cli("plan", file).code == 0
    cli.done("apply", file, "--yes")
    assert cli("plan", file, "--detailed-exitcode").code == 0
    assert cli("drift", "--detailed-exitcode").code == 0
    (cli.folder / "t/f").write_text("mine")
    assert cli("drift", "--detailed-exitcode").code == 2
    assert cli("diff", "HEAD", "HEAD", "--detailed-exitcode").code == 0
    assert cli("diff", "0", "--detailed-exitcode").code == 2


def test_plan_and_apply(cli: "Cli", place: Place) -> None:
    """A saved plan is carried out once; prune removes what no document has; only and exclude choose."""
    cli.done("plan", site(cli, f="1", g="1", h="1"), "--out", "p", "--exclude", "*/h")
    assert cli.done("apply", "p", "--yes").err.splitlines()[-1].startswith("2 created; ")
    assert "is stale" in cli.refuses("apply", "p", "--yes")
    assert cli.done("apply", site(cli, f="2", g="2"), "--yes", "--only", "*/f").out.count("~ file/") == 1
    assert (cli.folder / "t/g").read_text() == "1"
    assert cli.done("apply", site(cli, f="2"), "--yes", "--prune").out.startswith(f"- file/{place('g')}\n")
    assert not (cli.folder / "t/g").exists()
    assert cli.done("apply", site(cli, f="2"), "--yes").err.startswith("nothing to do")
    assert cli.log()[-1]["because"].startswith("apply ")
    text = cli.done("document").out
    assert cli.done("plan", "-", stdin=text).err.startswith("nothing to do")


def test_drift_is_adopted_or_reverted(cli: "Cli", place: Place) -> None:
    """What changed outside is shown, and only recorded or put back when that is asked for."""
    path = cli.folder / "t/f"
    cli.done("file", "write", place("f"), "--content", "1")
    path.write_text("2")
    before = cli.head()
    assert "1 changed outside; --adopt records it" in cli.done("drift").err
    assert cli.head() == before
    cli.done("drift", "--revert")
    assert path.read_text() == "1"
    path.write_text("3")
    assert "1 changed outside; recorded at position" in cli.done("observe").err
    assert cli.done("drift").err == "looked at 1: all as the state says\n"
    cli.done("undo", str(cli.head()))
    assert path.read_text() == "1"
    cli.verifies()


@pytest.mark.parametrize("text", ['{"command": "file.write", "on": "%s", "content": "x"}\n' * 2, None])
def test_commands_from_a_file(cli: "Cli", place: Place, text: str | None) -> None:
    """Commands come as JSON lines or as a YAML list."""
    yaml = "- command: file.write\n  'on': %s\n  content: x\n"
    cli.done("issue", "-", stdin=(text or yaml).replace("%s", place("f")))
    assert (cli.folder / "t/f").read_text() == "x"


def test_forget_touches_no_machine(cli: "Cli", place: Place) -> None:
    """What is forgotten is out of the state and stays on the machine."""
    cli.done("file", "write", place("f"), "--content", "x", "--mode", "600")
    cli.done("forget", f"file/{place('f')}", "--field", "mode")
    assert "mode" not in cli.done("document").out
    cli.done("forget", f"file/{place('f')}")
    assert cli.done("state", "--json").data == {"resources": {}}
    assert (cli.folder / "t/f").read_text() == "x"


def test_the_past(cli: "Cli", place: Place) -> None:
    """State, document and diff tell of any time."""
    for text in ("1", "2"):
        cli.done("file", "write", place("f"), "--content", text)
    address = f"file/{place('f')}"
    for position, text in (("1", "1"), ("HEAD~1", "1"), ("HEAD", "2"), ("2100-01-01", "2")):
        assert cli.done("state", "--as-of", position, "--json").data["resources"][address]["content"] == text
        assert f"content: '{text}'" in cli.done("document", "--as-of", position).out
    assert cli.done("state", "--as-of", "2000-01-01", "--json").data == {"resources": {}}
    assert "content: 1 → 2" in cli.done("diff", "1", "HEAD").out


def test_variables(cli: "Cli", place: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    """Every option may come from a variable; NO_COLOR takes the colours away."""
    monkeypatch.setenv("LASERCATS_CHECK", "1")
    monkeypatch.setenv("LASERCATS_FILE_WRITE_CONTENT", "from a variable")
    monkeypatch.setenv("NO_COLOR", "1")
    ran = cli.done("file", "write", place("f"))
    assert ran.err == "would be: 1 created\n"
    assert "content: from a variable" in ran.out
    assert "\x1b" not in ran.out
    monkeypatch.chdir("/")
    monkeypatch.setenv("LASERCATS_PROJECT", str(cli.folder))
    assert cli.done("machine", "list", "--json").data[0] == {
        "name": "a",
        "url": "local:",
        "identity": {},
        "shared": [],
    }


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_completion(cli: "Cli", shell: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """The completion script of each shell names the program."""
    if shell == "bash":
        monkeypatch.setattr(
            "click.shell_completion.BashComplete._check_version", staticmethod(lambda: None), raising=False
        )
    assert "_LASERCATS_COMPLETE" in cli.done("completion", shell).out


def test_bash_takes_an_address_for_one_word(cli: "Cli", monkeypatch: pytest.MonkeyPatch) -> None:
    """What the script of bash sets keeps its completion from breaking words at colons."""
    monkeypatch.setattr(
        "click.shell_completion.BashComplete._check_version", staticmethod(lambda: None), raising=False
    )
    script = cli.done("completion", "bash").out
    ran = subprocess.run(
        ["bash", "-c", f'{script}\nprintf %s "$COMP_WORDBREAKS"'], capture_output=True, text=True, check=True
    )
    assert ":" not in ran.stdout


@pytest.mark.parametrize("verb", [["blame"], ["state"], ["document"], ["forget"], ["file", "chmod"]])
def test_names_in_the_state_are_completed(cli: "Cli", place: Place, verb: list[str]) -> None:
    """Where a verb takes an address or a name, what is in the state is offered; elsewhere, nothing."""
    from click.shell_completion import ShellComplete

    cli.done("file", "write", place("one"), place("two"), "--content", "x")
    kind = "" if verb[0] == "file" else "file/"
    shell = ShellComplete(root, {}, "lasercats", "_LASERCATS_COMPLETE")
    found = [item.value for item in shell.get_completions(verb, f"{kind}{place()}/o")]
    assert found == [f"{kind}{place('one')}"]
    outside = ["-C", "/", *verb]
    assert shell.get_completions(outside, f"{kind}{place()}/o") == []
