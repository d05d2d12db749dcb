"""`lasercats bisect`: checks that are commands or queries, and what is told of the one that is found."""
# ruff: noqa: S608 - queries are what is tested

import json
import shlex
import sys
from collections.abc import Callable
from math import ceil, log2
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from tests.lasercats.cli.conftest import Cli

Place = Callable[..., str]
LASERCATS = shlex.join([sys.executable, "-c", "from lasercats.cli.main import main; main()"])
"""The real program, as a check calls it."""


@pytest.fixture
def worn(cli: "Cli", place: Place) -> "Cli":
    """A file was written ten times, as 0 to 9, each with a message."""
    for n in range(10):
        cli.done("file", "write", place("f"), "--content", str(n), "-m", f"change {n}")
    return cli


def python(code: str) -> str:
    """Return a check that is a piece of Python."""
    return shlex.join([sys.executable, "-c", code])


def last_line(cli: "Cli", *line: str) -> str:
    """Return the last line that a search tells that does not succeed."""
    before = cli.head()
    ran = cli("bisect", *line)
    assert (ran.code, ran.out, cli.head()) == (1, "", before)
    return ran.err.splitlines()[-1].removeprefix("lasercats: ")


def test_a_command(worn: "Cli", place: Place) -> None:
    """A command finds the culprit; it is told with who, when and why, and with what it changed."""
    ran = worn.done("bisect", "--run", "! grep -Eq 'content: .?[6-9]' state.yaml")
    culprit = worn.log()[6]
    at = culprit["position"]
    assert ran.out.splitlines() == [
        f"{at}  file write {place('f')}  is the first after which the check fails",
        f"time:    {culprit['time']}",
        "actor:   tester",
        "why:     (change 6)",
        f"~ file/{place('f')}",
        "    content: 5 → 6",
    ]
    first, second, *more = ran.err.splitlines()
    assert (first, second) == (
        "position 0: good (about 5 more)",
        f"position {worn.head()}: fails (about 4 more)",
    )
    assert len(more) <= ceil(log2(10))
    assert f"position {at + 5}: fails" in ran.err


def test_every_culprit_by_a_query(worn: "Cli") -> None:
    """A query that gives rows fails; each of ten commands is found."""
    for n, happened in enumerate(worn.log()):
        sql = f"SELECT name FROM file WHERE content >= '{n}'"
        data = worn.done("bisect", "--query", sql, "--json").data
        assert data["first"] == happened
        assert len(data["steps"]) <= 2 + ceil(log2(10))


def test_the_data(worn: "Cli") -> None:
    """--json gives the event, the command, the steps and what was skipped, and nothing else is printed."""
    ran = worn.done("bisect", "--run", "echo noise; ! grep -Eq 'content: .?9' state.yaml", "--json")
    last = worn.log()[-1]
    data = ran.data
    assert (data["position"], data["first"], data["skipped"]) == (last["position"] + 5, last, [])
    assert data["steps"][0] == {"position": 0, "good": True, "left": 5}
    assert data["steps"][1]["good"] is False
    assert {*ran.err.splitlines()} == {"noise"}


def test_the_form_of_the_state(worn: "Cli") -> None:
    """With --form json there is a state.json, whose path the check is told too."""
    code = (
        "import json, os, pathlib; path = pathlib.Path('state.json').resolve();"
        " assert str(path) == os.path.realpath(os.environ['LASERCATS_STATE']);"
        " found = json.loads(path.read_text())['resources'].values();"
        " raise SystemExit(any(int(r['content']) > 3 for r in found))"
    )
    data = worn.done("bisect", "--run", python(code), "--form", "json", "--json").data
    assert data["first"] == worn.log()[4]


def test_a_folder_of_its_own(worn: "Cli") -> None:
    """Each check runs in an empty folder that is gone afterwards, and knows project and environment."""
    out = worn.folder / "seen"
    check = f"ls; pwd; echo $LASERCATS_PROJECT $LASERCATS_ENV; ! grep -Eq 'content: .?9' state.yaml) >> {out}"
    data = worn.done("bisect", "--run", f"({check}", "--json").data
    lines = out.read_text().splitlines()
    assert len(lines) == 3 * len(data["steps"])
    assert {*lines[::3]} == {"state.yaml"}
    assert not any(Path(folder).exists() for folder in lines[1::3])
    assert {*lines[2::3]} == {f"{worn.folder} default"}


@pytest.mark.parametrize(
    "verb", ["state --json", "document --json", "query 'SELECT content FROM file' --json"]
)
def test_lasercats_in_a_check(worn: "Cli", verb: str) -> None:
    """`lasercats` in a check tells of then; before the first command there is nothing, which is no error."""
    check = f'out=$({LASERCATS} {verb}) || exit 1; case "$out" in *\'"7"\'*) exit 1;; esac'
    data = worn.done("bisect", f"..{worn.log()[7]['position']}", "--run", check, "--json").data
    assert data["first"] == worn.log()[7]


def test_lasercats_in_a_check_of_a_range(worn: "Cli", monkeypatch: pytest.MonkeyPatch) -> None:
    """Within a range too, wherever the operator stands, and in the environment of the search."""
    with (worn.folder / "lasercats.toml").open("a") as file:
        file.write('[environments.other.machines]\na = "local:"\n')
    for n in range(4):
        worn.done("--env", "other", "file", "write", f"a:{worn.folder}/g", "--content", f"other {n}")
    monkeypatch.chdir("/")
    check = f"out=$({LASERCATS} state --json) || exit 1; case $out in *'other 2'*) exit 1;; esac"
    given = ["-C", str(worn.folder), "--env", "other"]
    history = worn.done(*given, "log", "--json").data
    span = f"{history[1]['position']}..{history[2]['position']}"
    data = worn.done(*given, "bisect", span, "--run", check, "--json").data
    assert data["first"] == history[2]


def test_a_range(worn: "Cli") -> None:
    """Only what is in the range is looked at, and the state before it must be good."""
    at = [h["position"] for h in worn.log()]
    check = "! grep -Eq 'content: .?[37]' state.yaml"
    assert worn.done("bisect", f"{at[1]}..{at[3]}", "--run", check, "--json").data["first"] == worn.log()[3]
    data = worn.done("bisect", f"{at[5]}..{at[7]}", "--run", check, "--json").data
    assert data["first"] == worn.log()[7]
    assert [step["position"] for step in data["steps"][:2]] == [at[5] - 2, at[7] + 6]
    assert last_line(worn, f"{at[4]}..{at[7]}", "--run", check) == (
        f"the check does not hold before position {at[4]}; begin where it still held"
    )
    assert "there is no position 999" in last_line(worn, "1..999", "--run", check)
    nothing = last_line(worn, "2001-01-01..2001-01-02", "--run", check)
    assert nothing.startswith("nothing changed from 1 to 0; choose a wider range")
    assert last_line(worn, f"{at[7]}..{at[1]}", "--run", check) == (
        f"the range '{at[7]}..{at[1]}' ends before it begins; write the earlier side first"
    )


@pytest.mark.parametrize(
    ("check", "fact"),
    [
        (["--run", "true"], "the check does not fail at position {head}; end where it fails"),
        (["--run", "false"], "the check does not hold before position 1; begin where it still held"),
        (["--run", "exit 125"], "the check cannot tell before position 1; begin where it still held"),
        (["--run", "test $LASERCATS_AS_OF = 0 || exit 125"], "the check cannot tell at position {head};"),
        (["--run", "exit 127"], "the check 'exit 127' cannot be run (exit status 127); correct it"),
        (["--run", "/nope/check"], "the check '/nope/check' cannot be run (exit status 127); correct it"),
        (["--run", "/etc/passwd"], "the check '/etc/passwd' cannot be run (exit status 126); correct it"),
        (["--run", "kill -TERM $$"], "cannot be run (exit status -15); correct it"),
        (["--query", "SELECT 1"], "the check does not hold before position 1; begin where it still held"),
        (["--query", "SELECT 1 WHERE 0"], "the check does not fail at position {head}; end where it fails"),
        (["--query", "SELECT * FORM file"], "near 'FORM'; did you mean FROM?"),
        (["--query", "SELECT naem FROM file"], "is called 'naem'; did you mean 'name'?"),
        (["--query", "DELETE FROM file"], "DELETE is not allowed"),
        (["--query", ""], "the query is empty"),
        (["--run", ""], "give a check: either --run CMD or --query SQL"),
        ([], "give a check: either --run CMD or --query SQL"),
        (["--run", "true", "--query", "SELECT 1"], "give a check: either --run CMD or --query SQL"),
        (["--run", "true", "--form", "xml"], "'xml' is not one of"),
    ],
)
def test_a_check_that_finds_nothing(worn: "Cli", check: list[str], fact: str) -> None:
    """A check that does not change, cannot be run or has a mistake is told in one sentence."""
    assert fact.format(head=worn.head()) in last_line(worn, *check)


def test_an_empty_log(cli: "Cli") -> None:
    """Where nothing happened there is nothing to find."""
    assert cli.refuses("bisect", "--run", "true") == "nothing changed from 1 to 0; choose a wider range"


def test_a_check_that_cannot_tell_everywhere(worn: "Cli") -> None:
    """What could not be told of is named, as it may be one of those."""
    check = "grep -Eq 'content: .?[345]' state.yaml && exit 125; ! grep -Eq 'content: .?[6-9]' state.yaml"
    ran = worn.done("bisect", "--run", check)
    log = worn.log()
    assert ran.out.startswith(f"{log[6]['position']}  file write ")
    doubtful = [h["position"] + 5 for h in log[3:6]]
    assert ran.err.splitlines()[-1] == (
        f"the check could not tell at {', '.join(map(str, doubtful))}, so it may be one of those"
    )
    assert f"position {doubtful[1]}: cannot tell" in ran.err
    assert worn.done("bisect", "--run", check, "--json").data["skipped"] == doubtful


def test_an_observation(worn: "Cli", place: Place) -> None:
    """A change from outside that was adopted is found, with who adopted it and why."""
    Path(place("f").partition(":")[2]).write_text("by hand")
    worn.done("drift", "--adopt", "-m", "found in the morning")
    worn.done("file", "chmod", place("f"), "--mode", "0600")
    seen = worn.log()[-2]
    ran = worn.done("bisect", "--query", "SELECT 1 FROM file WHERE content = 'by hand'")
    assert ran.out.splitlines() == [
        f"{seen['position']}  observed  is the first after which the check fails",
        f"time:    {seen['time']}",
        "actor:   tester",
        "why:     (found in the morning)",
        f"~ file/{place('f')}",
        "    content: 9 → by hand",
    ]


def test_commands_of_one_run(cli: "Cli", place: Place) -> None:
    """Of commands that were issued at once, each over many files, the right one is found."""
    names = [f"{machine}{n}" for machine in "ab" for n in range(5)]
    commands = [
        {"command": "file.write", "on": [place(n, n[0]) for n in names], "content": "x"},
        {"command": "file.chmod", "on": [place(n, n[0]) for n in names[3:]], "mode": "0600"},
        {"command": "file.write", "on": [place(n, n[0]) for n in names], "content": "y"},
    ]
    cli.done("issue", cli.file("commands.jsonl", "".join(json.dumps(c) + "\n" for c in commands)))
    first, second, third = cli.log()
    for where, culprit in (
        (f"name = '{place('a4')}'", first),
        (f"name = '{place('b4', 'b')}' AND mode = '0600'", second),
        (f"name = '{place('b4', 'b')}' AND content = 'y'", third),
        (f"name = '{place('a0')}' AND content = 'y'", third),
    ):
        sql = f"SELECT 1 FROM file WHERE {where}"
        assert cli.done("bisect", "--query", sql, "--json").data["first"] == culprit


def test_a_variable_for_each_option(worn: "Cli", monkeypatch: pytest.MonkeyPatch) -> None:
    """What the operator's variables give to the search does not disturb `lasercats` in the check."""
    check = f"out=$({LASERCATS} query 'SELECT max(content) AS c FROM file') || exit 1; "
    monkeypatch.setenv("LASERCATS_RUN", check + 'case "$out" in *7*|*8*|*9*) exit 1;; esac')
    monkeypatch.setenv("LASERCATS_FORM", "json")
    assert worn.done("bisect", "--json").data["first"] == worn.log()[7]
