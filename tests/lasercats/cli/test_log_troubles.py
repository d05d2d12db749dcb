"""A log or a project that cannot be used: one sentence, and no byte of it is changed."""

import json
import os
import sqlite3
import subprocess
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from lasercats.logs.schema import FORMAT
from lasercats.testing.lab import Lab
from lasercats.testing.logs import as_nobody
from tests.lasercats.logs.test_formats import FORMATS, restore

if TYPE_CHECKING:
    from tests.lasercats.cli.conftest import Cli

VERBS = (["state"], ["log"], ["verify"], ["file", "write", "a:/nope/x", "--content", "x"], ["undo", "1"])

READING = (
    ["state"],
    ["log"],
    ["document"],
    ["show", "1"],
    ["diff", "0"],
    ["query", "SELECT * FROM events"],
    ["verify"],
)


def untouched(cli: "Cli", *args: str) -> str:
    """Run a verb that must fail in one sentence without a change to the log; return the sentence."""
    before = cli.path.read_bytes() if cli.path.exists() else None
    ran = cli(*args)
    assert ran.code == 1, ran
    assert ran.out == ""
    assert ran.err.count("\n") == 1
    assert (cli.path.read_bytes() if cli.path.exists() else None) == before
    return ran.err


def fill(cli: "Cli") -> None:
    """Put some history into the log, all of it in the one file."""
    for n in range(3):
        cli.done("file", "write", f"a:{cli.folder}/x", "--content", f"needle {n}")
    db = sqlite3.connect(cli.path)
    db.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    db.close()


def test_no_project(bare: "Cli") -> None:
    """Outside of a project a verb tells how to make one."""
    ran = bare("state")
    assert ran == (
        1,
        "",
        f"lasercats: {bare.folder} lies in no LaserCats project; make one with `lasercats init`\n",
    )


def test_a_project_is_made_once(cli: "Cli") -> None:
    """A second init is refused and changes nothing."""
    assert "is there already; this is a project" in cli.refuses("init")


def test_a_folder_that_is_a_file(bare: "Cli") -> None:
    """No project is made where a file stands."""
    bare.file("f", "")
    ran = bare("init", "f")
    assert ran.code == 1
    assert ran.err.startswith(f"lasercats: no project can be made in {bare.folder}/f: ")


@pytest.mark.parametrize("verb", VERBS)
def test_a_missing_log(cli: "Cli", verb: list[str]) -> None:
    """A log that is gone is told and not silently made anew."""
    cli.path.unlink()
    assert f"there is no log at {cli.path}" in untouched(cli, *verb)


@pytest.mark.parametrize("verb", VERBS)
def test_a_log_that_is_not_ours(cli: "Cli", verb: list[str]) -> None:
    """A file that is no SQLite file at all is told as damaged."""
    cli.path.write_bytes(b"this is not a log\n" * 100)
    refusal = untouched(cli, *verb)
    assert str(cli.path) in refusal
    assert "restore it from a backup" in refusal


def test_another_database(cli: "Cli") -> None:
    """A database of another program is not taken for a log."""
    cli.path.unlink()
    sqlite3.connect(cli.path).executescript("CREATE TABLE t (x); INSERT INTO t VALUES (1);")
    ran = cli("state")
    assert ran.code == 1
    assert ran.err == f"lasercats: {cli.path} is no LaserCats log; restore it from a backup\n"


def test_an_empty_log(cli: "Cli") -> None:
    """A log of no bytes is told as begun and not finished, and init finishes it."""
    cli.path.write_bytes(b"")
    ran = cli("state")
    assert ran.code == 1
    assert "was begun and not finished; `lasercats init` finishes it" in ran.err
    assert "now has .lasercats/log.db" in cli.done("init").err
    assert cli.done("machine", "list", "--json").data[0]["name"] == "a"
    cli.verifies()


@pytest.mark.parametrize("verb", VERBS)
def test_a_newer_log(cli: "Cli", verb: list[str]) -> None:
    """A log of a later format is told, and nothing is written to it."""
    db = sqlite3.connect(cli.path)
    db.execute("PRAGMA user_version = 99")
    db.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    db.close()
    refusal = untouched(cli, *verb)
    assert refusal == (
        f"lasercats: the log {cli.path} has format 99, this LaserCats reads up to {FORMAT}; upgrade it\n"
    )


def test_a_truncated_log(cli: "Cli") -> None:
    """A log that is cut off is told as damaged."""
    fill(cli)
    cli.path.write_bytes(cli.path.read_bytes()[:6000])
    assert "restore it from a backup" in untouched(cli, "state")


def test_bytes_in_the_middle(cli: "Cli") -> None:
    """Bytes that were overwritten are found by verify, with the records they are in."""
    fill(cli)
    data = cli.path.read_bytes()
    assert data.count(b"needle 1") >= 1
    cli.path.write_bytes(data.replace(b"needle 1", b"noodle 1"))
    refusal = untouched(cli, "verify")
    assert "are not as they were written; restore it from a backup" in refusal


def test_a_page_of_rubbish(cli: "Cli") -> None:
    """A page of rubbish is told as damage, whatever verb meets it."""
    fill(cli)
    data = bytearray(cli.path.read_bytes())
    data[4096:8192] = os.urandom(4096)
    cli.path.write_bytes(data)
    assert "is damaged" in untouched(cli, "verify")


def test_a_record_that_is_gone(cli: "Cli") -> None:
    """A record that was taken out is found by verify."""
    fill(cli)
    db = sqlite3.connect(cli.path)
    db.execute("DELETE FROM records WHERE position = 3")
    db.commit()
    db.close()
    ran = cli("verify")
    assert ran.code == 1
    assert ran.err == f"lasercats: the log {cli.path} has no record 3; restore it from a backup\n"


def test_a_record_that_is_no_json(cli: "Cli") -> None:
    """A record that cannot be decoded is told by every verb that reads it."""
    fill(cli)
    db = sqlite3.connect(cli.path)
    db.execute("UPDATE records SET body = x'00' WHERE position = 1")
    db.commit()
    db.close()
    for verb in ("log", "verify"):
        ran = cli(verb)
        assert ran.code == 1
        assert "the log " in ran.err
        assert "restore it from a backup" in ran.err


@contextmanager
def read_only(folder: Path) -> Iterator[None]:
    """Make the disk under a folder read-only, as root in a lab may."""
    subprocess.run(["mount", "--bind", folder, folder], check=True)
    try:
        subprocess.run(["mount", "-o", "remount,ro,bind", folder], check=True)
        yield
    finally:
        subprocess.run(["umount", "-l", folder], check=True)


def outputs(cli: "Cli") -> list[str]:
    """Return what every verb says that only reads."""
    return [cli.done(*verb).out for verb in READING]


@pytest.mark.lab
@pytest.mark.parametrize("way", ["closed", "wal", "open", "old"])
def test_a_log_on_a_read_only_disk(cli: "Cli", lab: Lab, tmp_path: Path, way: str) -> None:
    """What cannot be written is read by every verb that reads, with all commits, and others tell why not."""
    del lab  # only to be sure that we may mount
    if way == "old":
        restore(FORMATS[-1], cli.path)
    else:
        fill(cli)
    other = sqlite3.connect(cli.path, isolation_level=None)
    if way in ("wal", "open"):
        other.execute("SELECT count(*) FROM records").fetchone()  # while it is open, commits stay in the -wal
        cli.done("file", "write", f"a:{tmp_path}/x", "--content", "only in the -wal")
        assert Path(f"{cli.path}-wal").stat().st_size
    wanted = outputs(cli) if way != "old" else []
    if way == "wal":  # as a backup that was made of the files while the log was open
        kept = {name: Path(f"{cli.path}{name}").read_bytes() for name in ("", "-wal")}
        other.close()
        for name, data in kept.items():
            Path(f"{cli.path}{name}").write_bytes(data)
        Path(f"{cli.path}-shm").unlink(missing_ok=True)
    elif way != "open":
        other.close()
    with read_only(cli.path.parent):
        found = outputs(cli)
        for verb in (["file", "write", f"a:{tmp_path}/y", "--content", "y"], ["verify", "--repair"]):
            ran = cli(*verb)
            assert ran.code == 1
            assert "can only be read here: its disk is read-only" in ran.err
            assert ran.err.count("\n") == 1
        assert not (tmp_path / "y").exists()
    other.close()
    assert found == (wanted or outputs(cli))
    cli.verifies()


def test_a_log_that_this_user_may_not_read(cli: "Cli", tmp_path: Path) -> None:
    """A folder that is closed to this user is told as such."""
    fill(cli)
    cli.path.parent.chmod(0o700)
    with as_nobody(tmp_path):
        ran = cli("state")
    assert ran.code == 1
    assert "may not be read by this user" in ran.err


@pytest.mark.parametrize("what", ["folder", "fifo", "dangling link", "nothing"])
def test_something_else_in_place_of_the_log(cli: "Cli", what: str) -> None:
    """What is no file, or is gone, is told, and nothing waits for it."""
    cli.path.unlink()
    if what == "folder":
        cli.path.mkdir()
    elif what == "fifo":
        os.mkfifo(cli.path)
    elif what == "dangling link":
        cli.path.symlink_to("gone.db")
    for verb in VERBS:
        ran = cli(*verb)
        assert ran.code == 1
        assert str(cli.path) in ran.err
        assert ran.err.count("\n") == 1


def test_rubbish_beside_the_log(cli: "Cli") -> None:
    """A write-ahead log of rubbish holds no commit, so all that was committed is there."""
    fill(cli)
    wanted = outputs(cli)
    for rubbish in (b"", b"x" * 40_000, os.urandom(40_000)):
        Path(f"{cli.path}-wal").write_bytes(rubbish)
        assert outputs(cli) == wanted


def test_a_damaged_resource_does_not_hide_the_others(cli: "Cli") -> None:
    """What is damaged at one address is told by who asks for it; others are read as before."""
    for name in "xy":
        cli.done("file", "write", f"a:{cli.folder}/{name}", "--content", f"needle {name}")
    damage = "UPDATE present SET body = x'7b22ff' WHERE address LIKE '%/x'"
    with closing(sqlite3.connect(cli.path, isolation_level=None)) as db:
        db.execute(damage)
    assert f"file/a:{cli.folder}/x" in cli.refuses("state", f"file/a:{cli.folder}/x")
    assert "needle y" in cli.done("state", f"file/a:{cli.folder}/y").out
    assert len(cli.log()) == 2
    assert "lasercats verify --repair" in cli.refuses("verify")
    cli.done("verify", "--repair")
    assert "needle x" in cli.done("state").out


def test_open_commands_that_cannot_be_told(cli: "Cli") -> None:
    """A table that is damaged keeps nobody from what does not need it, and is made anew."""
    fill(cli)
    with closing(sqlite3.connect(cli.path, isolation_level=None)) as db:
        db.execute("DROP TABLE open")
    assert "needle 2" in cli.done("state").out
    assert cli("file", "write", f"a:{cli.folder}/x", "--content", "y").code == 1
    cli.done("verify", "--repair")
    cli.done("file", "write", f"a:{cli.folder}/x", "--content", "y")


def test_the_clock_was_wrong_once(cli: "Cli", monkeypatch: pytest.MonkeyPatch) -> None:
    """Later commands have their own time, `log` tells where it went back, as of now is what is there."""
    right = time.time_ns
    for content, ahead in (("one", 0), ("two", 400), ("three", 0)):
        monkeypatch.setattr(time, "time_ns", lambda days=ahead: right() + days * 86_400 * 10**9)
        cli.done("file", "write", f"a:{cli.folder}/x", "--content", content)
    ran = cli.done("log")
    days = [line.split()[1][:10] for line in ran.out.splitlines()[1:]]
    assert days[0] == days[2] < days[1]
    assert "the clock went back at position" in ran.err
    assert "three" in cli.done("state", "--as-of", "@{0 seconds ago}").out
    assert "one" in cli.done("state", "--as-of", "7").out
    query = "SELECT substr(time, 1, 10) AS day FROM commands ORDER BY position"
    assert [row["day"] for row in cli.done("query", query, "--json").data] == days


@pytest.mark.parametrize(
    "name", ["log", "LOG", "../evil", "a/b", "", ".", "..", "-x", "a\nb", "x" * 300, "ü"]
)
def test_an_environment_whose_log_would_be_another_file(cli: "Cli", name: str) -> None:
    """A name that is none for an environment is refused, on the command line and in `lasercats.toml`."""
    files = sorted(cli.folder.rglob("*.db"))
    toml = cli.folder / "lasercats.toml"
    refusal = cli.refuses("--env", name, "log") if name else ""
    with toml.open("a") as file:
        file.write(f"\n[environments.{json.dumps(name)}.machines]\nlocal = 'local:'\n")
    refusal = cli.refuses("--env", name, "log") if name else cli.refuses("log")
    assert "environment" in refusal
    assert cli.refuses("state")
    assert sorted(cli.folder.rglob("*.db")) == files
    assert sorted(cli.folder.parent.glob("*.db")) == []


def test_a_project_of_another_shape(cli: "Cli") -> None:
    """A `lasercats.toml` in which something else stands in place of a table is told as malformed."""
    for text in ("environments = 3", "environments.default = 'x'", "environments.default.machines = [1]"):
        cli.file("lasercats.toml", text)
        assert "is malformed" in cli.refuses("state")
