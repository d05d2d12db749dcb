"""What machines, files, messages and actors say, at a real terminal: each verb shows it and none obeys."""

import json
import os
import pty
import re
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from lasercats.core.visible import hides

if TYPE_CHECKING:
    from tests.lasercats.cli.conftest import Cli

MAIN = [sys.executable, "-c", "from lasercats.cli.main import main; main()"]
BAD = "\x1b]52;c;aGFja2Vk\x07\x1b[1A\x1b[38;5;199m\x1b[2K\x9b31m\u202eevil\u2066\x7f\r\u2028\u200b\U000e0041"
"""Sets the clipboard, moves up, colours, clears, turns direction, and hides text; no line."""
HIDDEN = "\x9b31m\u202eevil\u2066\u2028\u200b\U000e0041"
"""What fields that take no control characters of ASCII take."""
FORGED = f"{BAD}\nFORGED 1 root@prod file remove local:/etc/passwd done"
"""And makes up a row."""
OURS = re.compile(r"\x1b\[(?:\d|3\d|38;2(?:;\d+){3}|48;2(?:;\d+){3};38;2(?:;\d+){3})?m")
"""The colours that we add: of 16 those of the front, and direct ones in pictures."""


def at_a_terminal(folder: Path, line: Sequence[str], answer: str = "") -> str:
    """Run a command line at a pseudo-terminal and return all that it wrote there, with plain newlines."""
    pid, terminal = pty.fork()
    if pid == 0:
        os.chdir(folder)
        os.execv(MAIN[0], [*MAIN, *line])  # noqa: S606 - a child of fork becomes it
    os.write(terminal, answer.encode())
    written = b""
    try:
        while data := os.read(terminal, 65536):
            written += data
    except OSError:  # the other side is closed
        pass
    os.waitpid(pid, 0)
    os.close(terminal)
    return written.decode().replace("\r\n", "\n")


def is_harmless(written: str) -> bool:
    """Tell whether only lines, tabs and our own colours reached the terminal."""
    lines = OURS.sub("", written)
    return not hides(lines) and not any(line.startswith("FORGED") for line in lines.split("\n"))


@pytest.fixture
def hostile(cli: "Cli", monkeypatch: pytest.MonkeyPatch) -> "Cli":
    """A project with files whose content, name, message, actor and change from outside are hostile."""
    monkeypatch.setenv("LASERCATS_ACTOR", FORGED)
    monkeypatch.setenv("XDG_STATE_HOME", str(cli.folder / "home"))
    cli.done("file", "write", f"a:{cli.folder}/plain", "--content", "one\ntwo\n", "-m", FORGED)
    cli.done("file", "write", f"a:{cli.folder}/n\u202e\x9b", "--content", f"one\n{BAD}\n", "-m", FORGED)
    (cli.folder / "plain").write_text(f"one\n{BAD}\ntwo\n")
    return cli


PATH = "{folder}/plain"
VERBS = [
    "file write a:{folder}/new\u202e --content {bad} -m {forged}",
    "file write a:{folder}/plain --content {bad} --diff",
    "file write a:{folder}/plain --content {bad} --check",
    "file write a:{folder}/plain --content {bad} --interpreter trace",
    "file write a:{folder}/plain --content {bad} --interpreter script",
    "file write a:{folder}/plain --content {bad} --confirm-within 1m",
    "file chown a:{folder}/{bad} --owner {bad}",
    "file {bad}",
    "{bad}",
    "state --{bad}",
    "drift",
    "drift --diff",
    "drift --revert",
    "drift --adopt",
    "observe --diff",
    "state",
    "state --json",
    "state {bad}",
    "document",
    "document --json",
    "plan {folder}/site.yaml",
    "plan {folder}/site.yaml --diff --refresh",
    "plan {folder}/{bad}",
    "plan {folder}/site.yaml --interpreter script",
    "apply {folder}/site.yaml",
    "apply {folder}/site.yaml --yes --diff",
    "log",
    "log --graph",
    "log --json",
    "log --kind {bad}",
    "show 1",
    "show 8",
    "diff 0",
    "blame file/a:{folder}/plain",
    "trace 8",
    "replay 8",
    "rewrite",
    "verify",
    "undo 1..8 --check --diff",
    "forget file/a:{folder}/plain",
    "query {sql}",
    "query {sql} --format csv",
    "query {sql} --format markdown",
    "query {sql} --json",
    "query {bad}",
    "for {names} file chmod --check --mode 0600",
    "bisect --query {sql}",
    "machine add {bad} local:",
    "machine check a b",
    "recover",
    "-C {folder}/{bad} log",
    "--env {bad} log",
    "issue {folder}/commands",
]


@pytest.mark.parametrize("verb", VERBS)
def test_nothing_of_it_reaches_the_terminal(hostile: "Cli", verb: str) -> None:
    """Whatever is shown, nobody else's control character is, and nobody makes up a row."""
    address = f"file/a:{hostile.folder}/plain"
    hostile.file("site.yaml", json.dumps({"resources": {address: {"content": f"other\n{BAD}"}}}))
    hostile.file("commands", json.dumps({"command": "file.write", "on": [address], "content": FORGED}))
    words = {
        "{folder}": str(hostile.folder),
        "{bad}": BAD,
        "{forged}": FORGED,
        "{sql}": "SELECT * FROM file, events",
        "{names}": "SELECT name FROM file",
    }
    line = verb.split(" ")
    for word, value in words.items():
        line = [part.replace(word, value) for part in line]
    written = at_a_terminal(hostile.folder, line, "n\n")
    assert written
    assert is_harmless(written), repr(written)
    assert "Traceback" not in written
    assert "unforeseen" not in written


def test_a_work_order_obeys_nothing(hostile: "Cli") -> None:
    """What is asked of a technician, and what the technician reports, is shown as text in every form."""
    hostile.done("machine", "add", "human", "human:")
    hostile.done("rack", "create", "r1", "--height", "3", "--location", HIDDEN)
    hostile.done("rack", "mount", "db1", "--unit", "1", "--serial", HIDDEN, "-m", FORGED)
    number = hostile.done("work", "list", "--json").data[-1]["order"]
    for line in (
        ["work", "list"],
        ["work", "show", f"{number}"],
        ["work", "show", f"{number}", "--markdown"],
        ["work", "show", f"{number}", "--html", "-"],
        ["work", "show", f"{number}", "--json"],
        ["work", "done", f"{number}", "--note", FORGED, "--asset-tag", HIDDEN],
        ["work", "show", f"{number}"],
        ["rack", "show"],
        ["rack", "show", "--svg", "-"],
        ["state"],
    ):
        written = at_a_terminal(hostile.folder, line)
        assert is_harmless(written), (line, written)


def test_the_stream_of_a_command_is_raw(cli: "Cli") -> None:
    """What a raw command prints is passed on to the last byte: its operator asked for it."""
    assert "\x1b[5m" in at_a_terminal(cli.folder, ["exec", "a", "--", "printf", r"\033[5mx"])


def test_a_value_for_a_program_is_exact(hostile: "Cli") -> None:
    """Rows for another program hold what is stored, where the same at a terminal shows it as text."""
    hostile.done("observe")
    out = hostile.done("query", "SELECT content FROM file WHERE rest LIKE '%/plain'", "--format", "csv").out
    assert BAD.replace("\r", "") in out.replace("\r", "")


def test_a_document_comes_back(hostile: "Cli") -> None:
    """The document of hostile contents is printable, and a plan of it finds nothing to do."""
    hostile.done("observe")
    text = hostile.done("document").out
    assert not hides(text)
    assert "nothing to do" in hostile.done("plan", hostile.file("again.yaml", text)).err
    again = hostile.done("document", "--json").out
    assert not hides(again)
    assert "nothing to do" in hostile.done("plan", hostile.file("again.json", again)).err


def test_a_rewritten_log_comes_back(hostile: "Cli") -> None:
    """A rewritten log of hostile contents is printable, and can be issued."""
    hostile.done("observe")
    text = hostile.done("rewrite").out
    assert not hides(text)
    assert "unchanged" not in hostile.done("issue", hostile.file("again", text), "--check").err


def test_no_colours_are_none(hostile: "Cli") -> None:
    """A message in colours loses them, and shows that it had them."""
    out = hostile.done("log").out
    assert r"\x1b[38;5;199m" in out
    assert r"\nFORGED" in out
    assert out.count("\n") == 3
