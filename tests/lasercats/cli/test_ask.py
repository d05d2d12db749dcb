"""Questions in SQL, and commands on what they give."""
# ruff: noqa: S608 - queries are what is tested

import csv
import io
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from tests.lasercats.cli.conftest import Cli

Place = Callable[..., str]
RUNAWAY = "WITH RECURSIVE c(x) AS (SELECT 1 UNION ALL SELECT x + 1 FROM c) SELECT x FROM c"


@pytest.fixture
def files(cli: "Cli", place: Place) -> "Cli":
    """A project with the files f, g and h, of which the first two were opened to everyone."""
    for name in "fgh":
        cli.done("file", "write", place(name), "--content", f"{name}|\n")
    cli.done("file", "chmod", place("f"), place("g"), "--mode", "0666", "-m", "quick fix")
    return cli


OPEN = "SELECT name FROM file WHERE mode = '0666'"


def mode(place: Place, name: str) -> int:
    """Return the permission bits that a file really has."""
    return Path(place(name).partition(":")[2]).stat().st_mode & 0o777


def test_every_format(files: "Cli", place: Place) -> None:
    """The same rows stand in a table, in JSON, in CSV and in Markdown; only the table is counted."""
    sql = "SELECT name, content, owner, length(mode) AS n FROM file ORDER BY name LIMIT 1"
    ran = files.done("query", sql)
    head, row = ran.out.splitlines()
    assert head.split() == ["name", "content", "owner", "n"]
    assert row.split() == [place("f"), "f|\\n", "NULL", "4"]
    assert ran.err == "1 row\n"
    desired = [{"name": place("f"), "content": "f|\n", "owner": None, "n": 4}]
    assert files.done("query", sql, "--json").data == desired
    assert files.done("query", sql, "--format", "json").data == desired
    ran = files.done("query", sql, "--format", "csv")
    assert list(csv.reader(io.StringIO(ran.out))) == [
        ["name", "content", "owner", "n"],
        [place("f"), "f|\n", "", "4"],
    ]
    assert ran.err == ""
    assert files.done("query", sql, "--format", "markdown").out == (
        f"| name | content | owner | n |\n| --- | --- | --- | --- |\n| {place('f')} | f\\|\\n | NULL | 4 |\n"
    )


def test_an_answer_without_rows(files: "Cli") -> None:
    """No rows are an empty list, or a head alone."""
    sql = "SELECT name FROM symlink"
    assert files.done("query", sql, "--json").data == []
    ran = files.done("query", sql)
    assert (ran.out, ran.err) == ("name\n", "0 rows\n")


def test_a_query_from_standard_input(files: "Cli") -> None:
    """`-` reads the query from standard input."""
    assert files.done("query", "-", "--json", stdin="SELECT count(*) AS n FROM file\n;").data == [{"n": 3}]


def test_bytes_and_equal_names(files: "Cli") -> None:
    """Bytes are written as in SQL, and a name that is there already is numbered."""
    assert files.done("query", "SELECT x'00ff', 1 AS a, 2 AS a", "--json").data == [
        {"x'00ff'": "x'00ff'", "a": 1, "a_2": 2}
    ]


def test_a_difference_between_two_times(files: "Cli", place: Place) -> None:
    """A join across times tells what changed between them, positions being as everywhere else."""
    sql = """SELECT coalesce(old.name, new.name) AS name, old.mode AS was, new.mode AS is_
        FROM file FOR SYSTEM_TIME AS OF {} old FULL JOIN file new USING (address)
        WHERE old.mode IS NOT new.mode ORDER BY name"""
    both = [{"name": place(name), "was": "0644", "is_": "0666"} for name in "fg"]
    assert files.done("query", sql.format("'HEAD~1'"), "--json").data == both
    third = files.log()[2]["position"]
    assert files.done("query", sql.format(third), "--json").data == both
    assert len(files.done("query", sql.format(0), "--json").data) == 3
    assert files.done("query", sql.format("'@{0 seconds ago}'"), "--json").data == []


def test_as_of(files: "Cli") -> None:
    """--as-of is the time of every table that names none."""
    assert files.done("query", OPEN, "--as-of", "HEAD~1", "--json").data == []
    assert len(files.done("query", "SELECT * FROM file, commands", "--as-of", "HEAD~2", "--json").data) == 4


def test_who_changed_what(files: "Cli", place: Place) -> None:
    """Events and commands are tables too."""
    sql = """SELECT e.address, c.actor, c.message, e.before ->> '$.mode' AS was FROM events e
        JOIN commands c ON c.position = e.command WHERE c.type = 'file.chmod' ORDER BY 1"""
    assert files.done("query", sql, "--json").data == [
        {"address": f"file/{place(name)}", "actor": "tester", "message": "quick fix", "was": "0644"}
        for name in "fg"
    ]
    sql = "SELECT count(*) AS n FROM instructions WHERE failed = 0 AND machine = 'a' AND type = 'host.write'"
    assert files.done("query", sql, "--json").data == [{"n": 3}]


def test_the_list_of_tables(cli: "Cli") -> None:
    """--tables lists every table with its columns and their types."""
    data = cli.done("query", "--tables", "--json").data
    assert set(data) >= {"file", "directory", "symlink", "events", "commands", "instructions"}
    assert data["file"]["mode"] == "text"
    assert ["events", "before", "json"] in [
        line.split() for line in cli.done("query", "--tables").out.splitlines()
    ]


def test_a_secret_is_not_shown(cli: "Cli", place: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    """No format and no table shows a secret or its token."""
    monkeypatch.setenv("WORD", "hunter2")
    cli.done("file", "write", place("f"), "--secret", "env:WORD")
    for table, count in (("file", 1), ("events", 1), ("commands", 1), ("instructions", 2)):
        out = cli.done("query", f"SELECT * FROM {table}", "--json").out
        assert "sealed:" not in out
        assert "hunter2" not in out
        assert out.count("(sealed)") == count


@pytest.mark.parametrize(
    ("line", "message"),
    [
        (("SELECT * FORM file",), "at line 1, column 10, near 'FORM'; did you mean FROM?"),
        (("SELECT * FROM fil",), "no table at line 1, column 15 is called 'fil'; did you mean 'file'?"),
        (("SELECT naem FROM file",), "no column at line 1, column 8 is called 'naem'; did you mean 'name'?"),
        (("SELECT * FROM records",), "is called 'records'"),
        (("ATTACH '/tmp/x' AS x",), "ATTACH is not allowed: a query only reads"),
        (("DELETE FROM file",), "DELETE is not allowed"),
        (("SELECT load_extension('/tmp/x')",), "load_extension() is not allowed"),
        (("SELECT 1; SELECT 2",), "a second statement begins at line 1, column 11"),
        (
            ("SELECT * FROM file FOR SYSTEM_TIME AS OF 999",),
            "there is no position 999; the log goes from 1 to",
        ),
        (("SELECT * FROM file FOR SYSTEM_TIME AS OF 'x'",), "'x' is no position; write a number, HEAD~3"),
        (("SELECT 1", "--as-of", "HEAD~99"), "HEAD~99 is before the first command"),
        (
            (f"SELECT count(*) FROM ({RUNAWAY})", "--timeout", "0.5"),
            "longer than 0.5 seconds; make it simpler",
        ),
        ((RUNAWAY, "--max-rows", "5"), "more than 5 rows; add a LIMIT, or allow more with --max-rows"),
        ((RUNAWAY,), "more than 100000 rows"),
        (("SELECT 1", "--max-rows", "0"), "max-rows"),
        (("SELECT 1", "--timeout", "0"), "timeout"),
        (("SELECT 1", "--format", "xml"), "xml"),
        ((), "no query is given"),
        (("",), "the query is empty"),
    ],
)
def test_what_is_refused(files: "Cli", line: tuple[str, ...], message: str) -> None:
    """A query that cannot be answered is refused in one line, and nothing is printed."""
    assert message in files.refuses("query", *line)


def test_for_a_field_command(files: "Cli", place: Place) -> None:
    """A command is run once, with all names that a query gives."""
    before = len(files.log())
    ran = files.done("for", OPEN, "file", "chmod", "--mode", "0644", "-m", "closed again")
    assert "2 changed" in ran.err
    assert [mode(place, name) for name in "fgh"] == [0o644] * 3
    last = files.log()[-1]
    assert (len(files.log()), last["message"]) == (before + 1, "closed again")
    assert set(last["delta"]) == {f"file/{place(name)}" for name in "fg"}
    ran = files.done("for", OPEN, "file", "chmod", "--mode", "0644")
    assert (ran.out, ran.err) == ("", "nothing to do: the query gave no rows\n")


@pytest.mark.parametrize("index", [1, 2, 4, 6])
def test_for_with_check(files: "Cli", place: Place, index: int) -> None:
    """--check, wherever it stands, only shows what the command would do."""
    line = ["for", OPEN, "file", "chmod", "--mode", "0644"]
    line.insert(index, "--check")
    before = files.head()
    ran = files.done(*line)
    assert "would be: 2 changed" in ran.err
    assert (files.head(), mode(place, "f")) == (before, 0o666)


def test_for_exec(files: "Cli") -> None:
    """Where the command has a `--`, the names stand before it; each once."""
    ran = files.done("for", "SELECT machine FROM file UNION ALL SELECT NULL", "exec", "--", "echo", "here")
    assert ran.out == "here\n"
    assert "executed on 1 machine" in ran.err
    ran = files.done("for", "--check", "SELECT DISTINCT machine FROM file", "exec", "--", "echo", "here")
    assert "here" not in ran.out.splitlines()


def test_for_takes_addresses_first(files: "Cli", place: Place) -> None:
    """The column address is taken before name, and name before the first."""
    sql = "SELECT mode, name, address FROM file WHERE mode = '0666'"
    assert "2 forgotten" in files.done("for", sql, "forget").err
    assert (
        "1 changed" in files.done("for", "SELECT mode, name FROM file", "file", "chmod", "--mode", "0600").err
    )
    assert mode(place, "h") == 0o600


def test_for_keeps_the_project_and_the_environment(
    files: "Cli", tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The command is run in the same project and environment as the query."""
    monkeypatch.chdir("/")
    files.done("-C", str(tmp_path), "for", OPEN, "file", "chmod", "--mode", "0644")
    assert files.done("-C", str(tmp_path), "query", OPEN, "--json").data == []
    message = files("-C", str(tmp_path), "--env", "none", "for", OPEN, "forget").err
    assert "no environment is called 'none'" in message


def test_for_passes_the_exit_code_on(files: "Cli", place: Place) -> None:
    """What goes wrong in the command is told by its exit code."""
    Path(place("h").partition(":")[2]).unlink()
    sql = "SELECT name FROM file WHERE mode = '0644'"
    ran = files("for", sql, "file", "chmod", "--mode", "0600")
    assert ran.code == 1
    assert "! file/" in ran.err


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ((OPEN,), "no command is given; write `lasercats for SQL COMMAND ...`"),
        ((OPEN, "--check"), "no command is given"),
        (("SELECT naem FROM file", "forget"), "is called 'naem'; did you mean 'name'?"),
        (("SELECT * FORM file", "forget"), "did you mean FROM?"),
        (("DELETE FROM file", "forget"), "DELETE is not allowed"),
        ((OPEN, "fiel", "chmod"), "no verb is called 'fiel'; did you mean 'file'?"),
        ((OPEN, "file", "chmod", "--mode", "nine"), "mode"),
        (("SELECT '--force'", "forget"), "the query gave '--force', which is no name"),
        (("--max-rows", "1", OPEN, "forget"), "more than 1 rows"),
        (("--timeout", "0.2", f"SELECT max(x) FROM ({RUNAWAY})", "forget"), "longer than 0.2 seconds"),
        ((), "Missing argument 'SQL'"),
    ],
)
def test_for_what_is_refused(files: "Cli", line: tuple[str, ...], message: str) -> None:
    """Without a command, or with a query or command that fails, nothing is done."""
    assert message in files.refuses("for", *line)
