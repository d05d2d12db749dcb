"""`init`: killed at any moment it is finished by the next one; what it makes is for its user, or a group."""

import os
import resource
import signal
import sqlite3
import stat
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from lasercats.logs.sqlite import SqliteLog
from tests.lasercats.cli.conftest import as_nobody
from tests.lasercats.cli.test_trust import NOBODY, needs_root

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.lasercats.cli.conftest import Cli

LASERCATS = [sys.executable, "-c", "from lasercats.cli.main import main; main()"]
KILLED = """
import os, signal, sys
from lasercats.cli.main import main
left = int(sys.argv.pop(1))

def hear(event, given):
    global left
    ours = "lasercats.toml" in repr(given) or ".lasercats" in repr(given)
    if ours and event.startswith(("open", "os.", "sqlite3")):
        left -= 1
        if not left:
            os.kill(os.getpid(), signal.SIGKILL)

sys.addaudithook(hear)
main()
"""


def mode(path: Path) -> int:
    """Return the mode of a file."""
    return stat.S_IMODE(path.stat().st_mode)


@pytest.mark.crash
def test_it_is_killed_at_any_moment(bare: "Cli") -> None:
    """Before each file that it opens and makes it is killed; what is left is told, and init finishes it."""
    for moment in range(1, 50):
        folder = bare.folder / str(moment)
        folder.mkdir()
        line = [sys.executable, "-c", KILLED, str(moment), "init", str(folder)]
        killed = subprocess.run(line, capture_output=True, check=False).returncode == -signal.SIGKILL
        if not killed:
            break
        ran = bare("-C", str(folder), "state")
        if (folder / "lasercats.toml").exists():
            assert ran.code == 0 or "`lasercats init` finishes it" in ran.err
        else:
            assert "`lasercats init`" in ran.err
        bare("init", str(folder))
        bare.done("-C", str(folder), "file", "write", f"local:{folder}/x", "--content", "x")
        bare.done("-C", str(folder), "verify")
        assert sorted(p.name for p in folder.iterdir()) == [".lasercats", "lasercats.toml", "x"]
    assert moment > 5
    assert not killed


@pytest.mark.parametrize("most", [0, 60, 5000, 40_000])
def test_the_disk_is_full(bare: "Cli", most: int) -> None:
    """Where not all of it can be written it is told, and the next init finishes it."""

    def limit() -> None:
        resource.setrlimit(resource.RLIMIT_FSIZE, (most, most))

    ran = subprocess.run(
        [*LASERCATS, "init"], cwd=bare.folder, preexec_fn=limit, capture_output=True, text=True, check=False
    )
    assert ran.returncode == 1
    assert ran.stderr.count("\n") == 1
    assert ran.stderr.startswith("lasercats: ")
    assert "unforeseen" not in ran.stderr
    bare.done("init")
    bare.done("file", "write", f"local:{bare.folder}/x", "--content", "x")
    bare.verifies()


def test_a_log_that_was_only_begun(bare: "Cli") -> None:
    """A file that SQLite had opened and nothing was in yet is finished, and keeps its mode."""
    (bare.folder / ".lasercats").mkdir(mode=0o700)
    db = sqlite3.connect(bare.path)
    db.execute("PRAGMA journal_mode = WAL")
    db.close()
    assert "was begun and not finished; `lasercats init` finishes it" in bare("log").err
    assert "a project in" in bare.done("init").err
    bare.verifies()


def test_a_file_that_is_still_empty(bare: "Cli") -> None:
    """An init that died before it wrote a word into its file is finished."""
    (bare.folder / "lasercats.toml").touch()
    assert "a project in" in bare.done("init").err
    assert "local" in bare.done("machine", "list").out


def test_a_clone_without_its_log(bare: "Cli") -> None:
    """A clone has no log: it is told, and init makes one and leaves the machines as they are."""
    file = bare.folder / "lasercats.toml"
    file.write_text('[environments.default.machines]\nweb1 = "ssh://web1"\n')
    message = bare("log").err
    assert f"there is no log at {bare.path}; make one with `lasercats init`, or bring" in message
    assert "now has .lasercats/log.db and .lasercats/.gitignore; a new log knows" in bare.done("init").err
    assert file.read_text() == '[environments.default.machines]\nweb1 = "ssh://web1"\n'
    assert bare.done("log", "--json").data == []
    assert "is there already; this is a project" in bare.refuses("init")


def test_a_log_without_its_project(cli: "Cli") -> None:
    """Where only `lasercats.toml` is gone, the log is kept as it is."""
    cli.done("file", "write", f"local:{cli.folder}/x", "--content", "x")
    (cli.folder / "lasercats.toml").unlink()
    head = cli.head()
    cli.done("init")
    assert cli.head() == head
    assert len(cli.log()) == 1


def test_only_one_part_is_missing(bare: "Cli") -> None:
    """What is missing is made, and told; with --json it is the project that is told."""
    assert bare.done("init", "--json").data == {"project": str(bare.folder)}
    (bare.folder / ".lasercats" / ".gitignore").unlink()
    assert "now has .lasercats/.gitignore\n" in bare.done("init").err
    assert (bare.folder / ".lasercats" / ".gitignore").read_text() == "*\n"


def test_two_at_once(bare: "Cli") -> None:
    """Of several that begin one project at once none spoils what another made."""
    line = [*LASERCATS, "init", str(bare.folder / "p")]
    started = [subprocess.Popen(line, stderr=subprocess.PIPE, text=True) for _ in range(4)]
    errors = [one.communicate()[1] for one in started]
    assert any("a project in" in one for one in errors)
    assert "Traceback" not in "".join(errors)
    bare.done("-C", "p", "file", "write", f"local:{bare.folder}/x", "--content", "x")
    bare.done("-C", "p", "verify")


def test_an_environment_that_is_begun_by_many(cli: "Cli") -> None:
    """The log of another environment is made when it is first needed, once."""
    file = cli.folder / "lasercats.toml"
    file.write_text(file.read_text() + '\n[environments.staging.machines]\na = "local:"\n')
    (cli.folder / ".lasercats" / "staging.db").touch()  # as whoever made it was killed
    lines = [
        [*LASERCATS, "--env", "staging", "file", "write", f"a:{cli.folder}/{n}", "--content", "x"]
        for n in range(3)
    ]
    for one in [subprocess.Popen(line, cwd=cli.folder) for line in lines]:
        assert one.wait() == 0
    assert len(cli.done("--env", "staging", "log", "--json").data) == 3


@pytest.fixture(params=[0o000, 0o022, 0o077], ids=oct)
def umask(request: pytest.FixtureRequest) -> "Iterator[int]":
    """A umask."""
    before = os.umask(request.param)
    yield request.param
    os.umask(before)


def test_what_it_makes_is_its_users(bare: "Cli", umask: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whatever the umask is: logs with what SQLite makes beside them, keys and the guard's words are 0600."""
    monkeypatch.setenv("WORD", "hunter2")
    bare.folder = bare.folder / "p"
    bare.done("init", "p")
    os.chdir("p")
    text = (bare.folder / "lasercats.toml").read_text()
    (bare.folder / "lasercats.toml").write_text(f"{text}[environments.staging.machines]\n")
    bare.done("file", "write", f"local:{bare.folder}/x", "--secret", "env:WORD", "--confirm-within", "1h")
    bare.done("confirm")
    bare.done("--env", "staging", "log")
    inner = bare.folder / ".lasercats"
    log = SqliteLog(inner / "log.db")
    made = {path.name: mode(path) for path in inner.iterdir()}
    log.close()
    assert {"log.db", "log.db-wal", "log.db-shm", "staging.db", "key", "guard.log"} <= {*made}
    assert set(made.values()) == {0o600}
    assert mode(inner) == 0o700
    assert mode(bare.folder / "lasercats.toml") == 0o664 & ~umask


def test_a_looser_folder_is_told(cli: "Cli") -> None:
    """Where others can enter the folder of the log, each run says so, once, with the remedy."""
    inner = cli.folder / ".lasercats"
    for verb in (["log"], ["for", "SELECT name FROM file", "file", "chmod", "--mode", "0600"]):
        inner.chmod(0o755)
        cli.done("file", "write", f"a:{cli.folder}/x", "--content", "x")
        text = f"(mode 0755); close it with `chmod 700 {inner}`"
        assert cli.done(*verb).err.count(text) == 1
        inner.chmod(0o700)
        assert "others can enter" not in cli.done(*verb).err


@pytest.fixture
def shared(bare: "Cli", tmp_path_factory: pytest.TempPathFactory) -> "Iterator[Path]":
    """A project that root shares with a group of nobody's, where both can get."""
    with tempfile.TemporaryDirectory(prefix="lasercats-shared-") as name:
        top = Path(name).resolve()
        top.chmod(0o755)
        with pytest.MonkeyPatch.context() as patch:
            for kind in ("STATE", "CONFIG"):
                (top / kind).mkdir()
                (top / kind).chmod(0o755)
                (top / kind / "nobody").mkdir()
                os.chown(top / kind / "nobody", NOBODY, NOBODY)
                patch.setenv(f"XDG_{kind}_HOME", f"{top}/{kind}/root")
            bare.done("init", str(top / "p"), "--shared", str(NOBODY))
            yield top / "p"


@needs_root
def test_what_is_shared_is_the_groups(bare: "Cli", shared: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """All that is made in it, now and later, is 0660 and 2770 and of the group."""
    monkeypatch.setenv("WORD", "hunter2")
    monkeypatch.chdir(shared)
    bare.done("machine", "add", "a", "local:")
    bare.done("file", "write", f"a:{shared}/x", "--secret", "env:WORD", "--confirm-within", "1h")
    bare.done("confirm")
    inner = shared / ".lasercats"
    log = SqliteLog(inner / "log.db")
    found = {path.name: (mode(path), path.stat().st_gid) for path in inner.iterdir()}
    log.close()
    assert {"log.db", "log.db-wal", "log.db-shm", "key", "guard.log"} <= {*found}
    assert set(found.values()) == {(0o660, NOBODY)}
    assert mode(inner) == 0o2770
    file = shared / "lasercats.toml"
    assert (mode(file), file.stat().st_gid) == (0o664, NOBODY)
    assert mode(shared) == 0o2775
    assert "others can enter" not in bare.done("log").err


@needs_root
def test_a_member_works_in_it(bare: "Cli", shared: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A member trusts it once and then works in it; its owner goes on with what the member made."""
    monkeypatch.chdir(shared)
    bare.done("file", "write", f"local:{shared}/root", "--content", "x")
    for kind in ("STATE", "CONFIG"):
        monkeypatch.setenv(f"XDG_{kind}_HOME", f"{shared.parent}/{kind}/nobody")
    write = ("file", "write", f"local:{shared}/x", "--content", "x")
    assert f"{shared} belongs to root, so " in as_nobody(lambda: bare(*write)).err
    assert as_nobody(lambda: bare("project", "trust")).code == 0
    assert as_nobody(lambda: bare(*write)).err.startswith("1 created")
    assert as_nobody(lambda: bare("machine", "add", "more", "local:")).code == 0
    assert (shared / "lasercats.toml").stat().st_uid == NOBODY
    for kind in ("STATE", "CONFIG"):
        monkeypatch.setenv(f"XDG_{kind}_HOME", f"{shared.parent}/{kind}/root")
    assert bare.done("file", "write", f"more:{shared}/y", "--content", "y").err.startswith("1 created")
    assert bare.done("project", "list", "--json").data == []


@needs_root
def test_a_project_that_is_there_is_shared_later(cli: "Cli") -> None:
    """What was made for one user is given to a group, and the folder that was there before is left to him."""
    ran = cli.done("init", "--shared", "users")
    assert f"let them with `chgrp users {cli.folder} && chmod g+rwxs {cli.folder}`" in ran.err
    assert mode(cli.folder / ".lasercats") == 0o2770
    assert mode(cli.path) == 0o660
    assert mode(cli.folder) == 0o700
    assert "no group is called 'nope'" in cli.refuses("init", "--shared", "nope")


@needs_root
def test_what_somebody_began_is_not_finished(bare: "Cli") -> None:
    """In a folder for all, what another user put there for us to find is no project of ours."""
    bare.folder.chmod(0o1777)
    inner = bare.folder / ".lasercats"
    inner.mkdir()
    os.chown(inner, NOBODY, NOBODY)
    assert f"{inner} belongs to nobody, so " in bare("init").err
    assert not (bare.folder / "lasercats.toml").exists()
