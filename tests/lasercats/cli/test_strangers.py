"""What somebody types who does not know the program: each is one sentence, and none is our fault."""

import json
import sqlite3
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.lasercats.cli.conftest import Cli

LONG = "x" * 5000


@pytest.mark.parametrize(
    "line",
    [
        ["plan", LONG],
        ["apply", LONG, "--yes"],
        ["issue", LONG],
        ["init", LONG],
        ["-C", LONG, "state"],
        ["file", "write", "a:/x", "--source", LONG],
    ],
)
def test_a_name_that_is_too_long(cli: "Cli", line: list[str]) -> None:
    """A name that no file can have is told in the words of the system."""
    assert cli.refuses(*line).endswith("cannot be read: File name too long")


@pytest.mark.parametrize(
    "line", [["plan", ""], ["issue", ""], ["init", ""], ["-C", "", "state"], ["rewrite", "--out", ""]]
)
def test_an_empty_name_is_not_this_folder(cli: "Cli", line: list[str]) -> None:
    """A variable that is not set stands for no folder, least of all for this one."""
    cli.file("here.yaml", "resources: {}")
    assert cli.refuses(*line).startswith("the name of a file or folder is empty")


def test_a_project_in_a_loop(cli: "Cli") -> None:
    """A loop of symbolic links is told as one."""
    (cli.folder / "loop").symlink_to("loop")
    assert cli.refuses("-C", "loop", "state") == "loop cannot be read: it is a loop of symbolic links"


def test_a_source_of_nobody(cli: "Cli") -> None:
    """`~who` of whom there is nobody, and a name that holds NUL, are told."""
    refusal = cli.refuses("file", "write", "a:/x", "--source", "~nobody-at-all/x")
    assert refusal == "~nobody-at-all/x cannot be read: there is no such home directory"
    nul = cli.file("nul.yaml", 'resources: {"file/a:/x": {source: "a\\0b"}}')
    assert cli.refuses("plan", nul).endswith("its name holds NUL")


def test_commands_that_are_nested_without_end(cli: "Cli") -> None:
    """JSON lines may be as deep as a document may be."""
    deep = cli.file("deep", '{"command":' + "[" * 100_000 + "]" * 100_000 + "}")
    assert cli.refuses("issue", deep).endswith(":1:1: it is nested deeper than 100 times")


@pytest.mark.parametrize("value", ["!!int x", "!!timestamp x", "!!bool 7", "9" * 5000])
def test_a_value_that_is_none(cli: "Cli", value: str) -> None:
    """What is no value of its tag is told in our words, with a remedy."""
    refusal = cli.refuses("plan", cli.file("v.yaml", f"resources: {{file/a:/x: {{content: {value}}}}}"))
    assert refusal.endswith("it is none of its tag or too long; write it in quotes")


@pytest.mark.parametrize("time", ["99999999999999999999m", "9" * 5000 + "d"])
def test_a_time_beyond_all_times(cli: "Cli", time: str) -> None:
    """A time to confirm in may be written with any number of digits, and is then too long."""
    refusal = cli.refuses("file", "write", "a:/x", "--content", "x", "--confirm-within", time)
    assert refusal.endswith("take at least 1s and at most 7d")


def test_numbers_beyond_all_logs(cli: "Cli") -> None:
    """A number that no log reaches is no damage to the log."""
    refusal = cli.refuses("work", "show", "9" * 30)
    assert refusal.startswith(f"there is no work order {'9' * 30}; ")
    assert cli.done("query", "SELECT 1 AS one", "--json", "--max-rows", "9" * 30).data == [{"one": 1}]


def test_a_time_limit_that_is_no_number(cli: "Cli") -> None:
    """A query without end needs a limit that is a number."""
    assert "nan is not a number of seconds" in cli.refuses("query", "SELECT 1", "--timeout", "nan")


def test_infinity_in_json(cli: "Cli") -> None:
    """JSON has no infinity, so it stands as SQL writes it; nothing else in the answer is lost."""

    def never(word: str) -> None:
        raise AssertionError(word)

    out = cli.done("query", "SELECT 1e400 AS a, -1e400 AS b, 1.5 AS c", "--json").out
    assert json.loads(out, parse_constant=never) == [{"a": "9e999", "b": "-9e999", "c": 1.5}]


def test_a_value_beyond_all_memory(cli: "Cli") -> None:
    """A value that would take longer to make than a query may is refused before it is made."""
    refusal = cli.refuses("query", "SELECT zeroblob(1000000000)")
    assert refusal.startswith("the query has a value of more than 256 MiB; make it simpler, or allow more")


def test_a_sentence_has_an_end(cli: "Cli") -> None:
    """What was given is told at its beginning and end, and the remedy is never lost behind it."""
    refusal = cli.refuses("state", "--as-of", "x" * 100_000)
    assert len(refusal) < 10_000
    assert refusal.startswith("'xxx")
    assert refusal.endswith("or @{10 minutes ago}")


@pytest.fixture
def saved(cli: "Cli", place: "Callable[..., str]") -> dict[str, Any]:
    """A saved plan of one file, as data."""
    document = cli.file("site.yaml", json.dumps({"resources": {f"file/{place('x')}": {"content": "x"}}}))
    cli.done("plan", document, "--out", str(cli.folder / "site.plan"))
    data: dict[str, Any] = json.loads((cli.folder / "site.plan").read_text())
    return data


@pytest.mark.parametrize("on", [["no address"], ["file/\x1b[2J"], ["file/a:relative"], ["file/a:/x/.."], []])
def test_a_saved_plan_on_what_is_nowhere(cli: "Cli", saved: dict[str, Any], on: list[str]) -> None:
    """What a saved plan is on is checked as what is typed, and ends, whatever it is."""
    saved["commands"][0]["on"] = on
    saved["versions"] = dict.fromkeys(on, 0)
    refusal = cli.refuses("apply", cli.file("other.plan", json.dumps(saved)), "--yes")
    assert "holds a command that cannot be read" in refusal
    assert refusal.endswith("make the plan again")


def test_a_saved_plan_that_rests_on_nothing(cli: "Cli", saved: dict[str, Any]) -> None:
    """A saved plan from which a version was taken is not carried out, as it would be on any state."""
    saved["versions"] = {}
    refusal = cli.refuses("apply", cli.file("other.plan", json.dumps(saved)), "--yes")
    assert "does not say which version of file/a:" in refusal


def test_a_saved_plan_is_not_its_document(cli: "Cli", place: "Callable[..., str]") -> None:
    """A plan is never written over the document that it was made of."""
    text = json.dumps({"resources": {f"file/{place('x')}": {"content": "x"}}})
    document = cli.file("site.yaml", text)
    refusal = cli.refuses("plan", document, "--out", f"{cli.folder}/../{cli.folder.name}/site.yaml")
    assert "which is a document of it" in refusal
    assert (cli.folder / "site.yaml").read_text() == text


def test_a_folder_that_is_closed(cli: "Cli", monkeypatch: pytest.MonkeyPatch) -> None:
    """A project in a folder of somebody else is told as such, where the system refuses even a look."""

    def closed(self: Path) -> bool:
        raise PermissionError(13, "Permission denied", str(self))

    monkeypatch.setattr(Path, "is_file", closed)
    assert cli.refuses("state").endswith("cannot be read: Permission denied")


def test_a_position_of_sqlite_has_an_end() -> None:
    """The bound that stands for the end of a log is one that SQLite takes."""
    from lasercats.logs.sqlite_base import END

    assert sqlite3.connect(":memory:").execute("SELECT ?", (END,)).fetchone() == (END,)


@pytest.mark.parametrize("line", [[], ["file"], ["machine"], ["work"]])
def test_no_verb_is_a_question(bare: "Cli", line: list[str]) -> None:
    """Who names no verb gets the list of them, line by line."""
    ran = bare(*line)
    assert ran.code == 1
    assert ran.out == ""
    assert ran.err.startswith(f"Usage: {' '.join(['lasercats', *line])} ")
    assert ran.err.count("\n") > 5


def _into(cli: "Cli", where: str, line: str) -> "subprocess.CompletedProcess[str]":
    main = "from lasercats.cli.main import main; main()"
    shell = f'"$1" -c "$2" {line} {where}'
    command = ["sh", "-c", shell, "sh", sys.executable, main]
    return subprocess.run(command, cwd=cli.folder, capture_output=True, text=True, check=False)


@pytest.mark.parametrize("line", ["--help", "file write --help", "schema", "query 'SELECT 1'"])
def test_a_disk_that_is_full(cli: "Cli", line: str) -> None:
    """Whatever is printed on a disk that is full, one sentence tells it, and nothing fails later."""
    ran = _into(cli, ">/dev/full", line)
    assert (ran.returncode, ran.stderr) == (
        1,
        "lasercats: the output cannot be written: No space left on device\n",
    )


@pytest.mark.parametrize("line", ["--help", "query 'SELECT 1'", "query 'SELECT 1' --format csv", "state"])
def test_an_output_that_is_closed(cli: "Cli", line: str) -> None:
    """Where there is no standard output, nothing is printed there, and nothing fails for it."""
    ran = _into(cli, ">&-", line)
    assert ran.returncode == 0
    assert "unforeseen" not in ran.stderr
