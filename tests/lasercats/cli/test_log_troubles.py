"""A log or a project that cannot be used: one sentence, and no byte of it is changed."""

import os
import sqlite3
import subprocess
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from lasercats.testing.lab import Lab

if TYPE_CHECKING:
    from tests.lasercats.cli.conftest import Cli

VERBS = (["state"], ["log"], ["verify"], ["file", "write", "a:/nope/x", "--content", "x"], ["undo", "1"])


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
    told = untouched(cli, *verb)
    assert str(cli.path) in told
    assert "restore it from a backup" in told


def test_another_database(cli: "Cli") -> None:
    """A database of another program is not taken for a log."""
    cli.path.unlink()
    sqlite3.connect(cli.path).executescript("CREATE TABLE t (x); INSERT INTO t VALUES (1);")
    ran = cli("state")
    assert ran.code == 1
    assert ran.err == f"lasercats: {cli.path} is no LaserCats log; restore it from a backup\n"


def test_an_empty_log(cli: "Cli") -> None:
    """A log of no bytes is told as none."""
    cli.path.write_bytes(b"")
    ran = cli("state")
    assert ran.code == 1
    assert "is no LaserCats log" in ran.err


@pytest.mark.parametrize("verb", VERBS)
def test_a_newer_log(cli: "Cli", verb: list[str]) -> None:
    """A log of a later format is told, and nothing is written to it."""
    db = sqlite3.connect(cli.path)
    db.execute("PRAGMA user_version = 99")
    db.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    db.close()
    told = untouched(cli, *verb)
    assert told == f"lasercats: the log {cli.path} has format 99, this LaserCats reads up to 3; upgrade it\n"


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
    told = untouched(cli, "verify")
    assert "are not as they were written; restore it from a backup" in told


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


@pytest.mark.lab
def test_a_log_on_a_read_only_disk(cli: "Cli", lab: Lab, tmp_path: Path) -> None:
    """A log that cannot be written is told as such, and nothing is done."""
    del lab  # only to be sure that we may mount
    fill(cli)
    folder = str(cli.path.parent)
    subprocess.run(["mount", "--bind", folder, folder], check=True)
    try:
        subprocess.run(["mount", "-o", "remount,ro,bind", folder], check=True)
        ran = cli("file", "write", f"a:{tmp_path}/y", "--content", "y")
    finally:
        subprocess.run(["umount", "-l", folder], check=True)
    assert ran.code == 1
    assert ran.err.startswith(f"lasercats: the log {cli.path} cannot be used: ")
    assert ran.err.count("\n") == 1
    assert not (tmp_path / "y").exists()
    cli.verifies()
