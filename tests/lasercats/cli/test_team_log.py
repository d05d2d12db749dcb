"""A project whose log is in PostgreSQL: every verb works as on SQLite, and faults of the server are told."""

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from lasercats.testing.postgresql import Server

if TYPE_CHECKING:
    from tests.lasercats.cli.conftest import Cli

Place = Callable[..., str]
LASERCATS = [sys.executable, "-c", "from lasercats.cli.main import main; main()"]


@pytest.fixture
def url(postgresql: Server) -> str:
    """The URL of an empty database."""
    return postgresql.url(postgresql.database())


@pytest.fixture
def team(bare: "Cli", url: str) -> "Cli":
    """A command line in a project with the machines a and b, and its log on a server."""
    bare.done("init", "--log", url)
    for name in ("a", "b"):
        bare.done("machine", "add", name, "local:")
    return bare


def test_the_verbs_work_on_a_server(team: "Cli", place: Place, tmp_path: Path) -> None:
    """Writing, undo, blame, queries now and then, documents and verify do there what they do on SQLite."""
    assert not (tmp_path / ".lasercats/log.db").exists()
    team.done("file", "write", place("f"), "--content", "one")
    team.done("file", "write", place("f"), "--content", "two")
    at = team.log()[-1]["position"]
    assert [entry["status"] for entry in team.log()] == ["done", "done"]
    blame = json.loads(team.done("blame", f"file/{place('f')}", "--json").out)
    assert json.dumps(blame).count("file.written")
    team.done("undo", str(at))
    assert (tmp_path / "t/f").read_text() == "one"
    now = team.done("query", "SELECT name, content FROM file", "--json").data
    then = team.done("query", "SELECT content FROM file FOR SYSTEM_TIME AS OF 'HEAD~1'", "--json").data
    assert (now, then) == ([{"name": place("f"), "content": "one"}], [{"content": "two"}])
    assert team.done("state", "--as-of", str(at), "--json").data["resources"]
    team.verifies()
    assert team.done("log", "head").out.count(":") == 2
    (tmp_path / "t/f").write_text("changed by hand")
    assert "1 changed outside" in team.done("drift").err
    team.verifies()


def test_a_clone_works_at_once(team: "Cli", place: Place, tmp_path: Path, url: str) -> None:
    """Who has the project's file and may use the server has its log; another environment has its own."""
    team.done("file", "write", place("f"), "--content", "one")
    clone = tmp_path / "clone"
    clone.mkdir()
    (clone / "lasercats.toml").write_text(
        (tmp_path / "lasercats.toml").read_text() + '\n[environments.test.machines]\na = "local:"\n'
    )
    assert "1 created" in team.done("-C", str(clone), "log").out
    assert team.done("-C", str(clone), "--env", "test", "log", "--json").data == []
    team.done("-C", str(clone), "verify")
    assert "has .lasercats/.gitignore" in team.done("init", str(clone)).err
    assert "has the log" in team("init", str(clone), "--log", f"{url}&schema=x").err


def killed_in_the_middle(folder: Path, on: str) -> None:
    """Issue a command that takes long, and kill the process when it is at work."""
    process = subprocess.Popen(
        [
            *LASERCATS,
            "-C",
            str(folder),
            "exec",
            on,
            "--",
            "sh",
            "-c",
            f"echo $$ > {folder}/pid; exec sleep 60",
        ],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        env=os.environ,
    )
    deadline = time.monotonic() + 30
    while not (folder / "pid").exists() or not (folder / "pid").read_text().strip():
        assert process.poll() is None
        assert time.monotonic() < deadline
        time.sleep(0.02)
    process.send_signal(signal.SIGKILL)
    process.wait()
    os.kill(int((folder / "pid").read_text()), signal.SIGKILL)


@pytest.mark.crash
def test_what_a_dead_process_left_is_recovered(team: "Cli", tmp_path: Path) -> None:
    """After kill -9 the command is open on the server, others are told, and `recover` ends it."""
    killed_in_the_middle(tmp_path, "a")
    assert [entry["status"] for entry in team.log()] == ["open"]
    team.done("recover")
    assert [entry["status"] for entry in team.log()] != ["open"]
    assert team.done("recover").err == "nothing is open\n"
    team.verifies()


@pytest.mark.crash
def test_a_server_that_comes_back_is_waited_for(bare: "Cli", place: Place, tmp_path: Path) -> None:
    """A server that is killed and started again while commands run loses nothing that was acknowledged."""
    server = Server(durable=True)
    try:
        bare.done("init", "--log", server.url())
        bare.done("machine", "add", "a", "local:")
        lines = [{"command": "file.write", "on": [place(str(n))], "content": f"{n}"} for n in range(40)]
        commands = tmp_path / "commands.jsonl"
        commands.write_text("".join(json.dumps(line) + "\n" for line in lines))
        process = subprocess.Popen(
            [*LASERCATS, "-C", str(tmp_path), "issue", "--at-a-time", "5", str(commands)], env=os.environ
        )
        while len([*(tmp_path / "t").iterdir()]) < 7:
            assert process.poll() is None
            time.sleep(0.01)
        server.kill()
        time.sleep(0.2)
        server.start()
        assert process.wait(120) == 0
        bare.verifies()
        assert {entry["status"] for entry in bare.log()} == {"done"}
        assert {path.name for path in (tmp_path / "t").iterdir()} >= {str(n) for n in range(40)}
        assert bare.done("recover").err == "nothing is open\n"
        assert "all as the state says" in bare.done("drift").err
    finally:
        server.stop()


@pytest.mark.parametrize(
    ("url", "fact"),
    [
        ("postgresql:db", "is no URL of a log in PostgreSQL"),
        ("postgresql://h:port/db", "is no URL of a log in PostgreSQL"),
        ("postgresql://h/db?schema", "is no URL of a log in PostgreSQL"),
        ("postgresql://u:secret@h/db", "has a password, which others may read in lasercats.toml"),
        ("postgresql://h/db?password=secret", "has a password"),
        ("postgresql://h/db?schema=a-b", "'a-b' is no name of a schema"),
        ("postgresql:///x?host=/nowhere", "the server of the log postgresql:///x?host=/nowhere&schema="),
        ("postgresql://h/x?nonsense=1", "nonsense"),
    ],
)
def test_a_url_of_no_server_is_told(
    bare: "Cli", monkeypatch: pytest.MonkeyPatch, url: str, fact: str
) -> None:
    """What is no URL, and a server that cannot be reached, is said in one sentence without a password."""
    monkeypatch.setattr("lasercats.logs.postgresql_link.FIRST", 0.1)
    ran = bare("init", "--log", url)
    assert (ran.code, ran.err.count("\n")) == (1, 1)
    assert fact in ran.err
    assert "secret" not in ran.err
    assert not (bare.folder / "lasercats.toml").exists()


def test_a_driver_that_is_not_there_is_told(bare: "Cli", url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Without psycopg the extra that brings it is named."""
    monkeypatch.setitem(sys.modules, "psycopg", None)
    assert "install it with `pip install 'lasercats[postgresql]'`" in bare("init", "--log", url).err


def test_who_is_not_let_in_is_told(bare: "Cli", postgresql: Server) -> None:
    """A database or a role that there is not is said, with where to mend it."""
    for url in (postgresql.url("nobase"), postgresql.url(user="nobody")):
        told = bare("init", "--log", url).err
        assert "does not let us in" in told
        assert "does not exist" in told


def test_the_owner_says_who_may_read_and_write(
    team: "Cli", url: str, postgresql: Server, place: Place
) -> None:
    """`init` admits roles, also later; who may only read is told so when he acts."""
    database = url.partition("@/")[2].partition("?")[0]
    postgresql.sql(f"CREATE ROLE ada_{database} LOGIN; CREATE ROLE bob_{database} LOGIN")
    assert "is a file; share it with a group" in team("init", "other", "--grant-reader", "ada").err
    assert "does not exist" in team("init", "--grant-reader", "nobody at all").err
    team.done("init", "--grant-reader", f"ada_{database}", "--grant-writer", f"bob_{database}")
    file = team.folder / "lasercats.toml"
    text = file.read_text()
    file.write_text(text.replace("lab@", f"ada_{database}@"))
    assert team.log() == []
    assert "can only be read here" in team("file", "write", place("f"), "--content", "x").err
    file.write_text(text.replace("lab@", f"bob_{database}@"))
    team.done("file", "write", place("f"), "--content", "x")
    team.verifies()


def test_a_project_moves_to_a_server(cli: "Cli", url: str, place: Place) -> None:
    """`log copy` brings the log over, and the project goes on there where its file says so."""
    cli.done("file", "write", place("f"), "--content", "one")
    before = cli.done("log", "head").out
    assert "and the chain and the fold hold" in cli.done("log", "copy", "sqlite:.lasercats/log.db", url).err
    assert cli.done("log", "copy", url, "sqlite:.lasercats/b.db", "--json").data["position"] == 7
    assert "is not empty" in cli("log", "copy", "sqlite:.lasercats/log.db", url).err
    file = cli.folder / "lasercats.toml"
    file.write_text(f'log = "{url}"\n' + file.read_text())
    assert cli.done("log", "head").out == before
    cli.done("undo", "1")
    cli.verifies()


def test_no_log_on_the_server_is_told(bare: "Cli", url: str) -> None:
    """A project whose log was never made says so; `init` makes it."""
    (bare.folder / "lasercats.toml").write_text(f'log = "{url}"\n[environments.default.machines]\n')
    assert "there is no log at postgresql://" in bare("log").err
    assert "has .lasercats" in (told := bare.done("init").err) or "postgresql" in told
    assert bare.done("log", "--json").data == []


def test_help_needs_no_driver() -> None:
    """The driver and sqlglot are loaded when they are needed, and not before."""
    code = "import sys; from lasercats.cli.main import root; import lasercats.logs.postgresql_place; "
    code += "print({'psycopg', 'sqlglot'} & set(sys.modules))"
    ran = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert ran.stdout == "set()\n"
