"""A project of somebody else, found upwards or named: it is looked at, and nothing of it is ever done."""

import gc
import os
import sqlite3
import stat
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from lasercats.core.address import Address
from lasercats.core.errors import LogError, Untrusted
from lasercats.core.record import Event, raw
from lasercats.logs.sqlite import SqliteLog
from lasercats.operate import own, trust
from lasercats.operate.project import Project
from tests.lasercats.cli.conftest import as_nobody

if TYPE_CHECKING:
    from tests.lasercats.cli.conftest import Cli

NOBODY = 65534
needs_root = pytest.mark.skipif(os.geteuid() != 0, reason="needs root, who can make files of others")
LOOKING = [
    ["state"],
    ["document"],
    ["log"],
    ["log", "--graph"],
    ["show", "1"],
    ["diff", "1", "1"],
    ["blame", "file/web1:/etc/motd"],
    ["verify"],
    ["rewrite"],
    ["query", "SELECT name FROM file"],
    ["bisect", "--query", "SELECT 1 FROM file"],
    ["machine", "list"],
    ["work", "list"],
    ["confirm", "--list"],
    ["plan", "{site}"],
    ["file", "write", "web1:/x", "--content", "x", "--check"],
]
ACTING = [
    ["drift"],
    ["observe"],
    ["adopt"],
    ["plan", "{site}", "--refresh"],
    ["plan", "{site}", "--interpreter", "script"],
    ["apply", "{site}", "--yes"],
    ["file", "write", "web1:/x", "--content", "x"],
    ["file", "write", "local:{out}/x", "--content", "x", "--confirm-within", "1s"],
    ["file", "write", "local:{out}/x", "--secret", "env:PATH", "--check"],
    ["exec", "web1", "--", "true"],
    ["exec", "local", "--", "touch", "{out}/x"],
    ["issue", "{commands}"],
    ["for", "SELECT name FROM file", "file", "chmod", "--mode", "0600"],
    ["forget", "file/web1:/etc/motd"],
    ["undo", "1"],
    ["recover", "--yes"],
    ["confirm"],
    ["confirm", "--reject", "--yes"],
    ["work", "done", "1", "--yes"],
    ["machine", "add", "more", "local:"],
    ["machine", "remove", "local"],
    ["machine", "check"],
    ["verify", "--repair"],
    ["bisect", "--run", "touch {out}/x"],
    ["init"],
    ["init", "--shared", "users"],
]


def found(address: str) -> Event:
    """Return the record of something that was found on a machine."""
    return Event(type="observed", delta={Address(address): (raw(None), raw({"content": "x"}))})


def snapshot(folder: Path) -> dict[str, tuple[object, ...]]:
    """Return all that is in a folder, with what tells that it was touched."""
    all_: dict[str, tuple[object, ...]] = {}
    for path in sorted(folder.rglob("*")):
        seen = path.lstat()
        all_[str(path)] = (seen.st_mode, seen.st_uid, seen.st_size, seen.st_mtime_ns, seen.st_ino)
    return all_


def acts(cli: "Cli", planted: Path) -> bool:
    """Tell whether something is done in a project."""
    written = planted.parent / "written"
    ran = cli("file", "write", f"local:{written}", "--content", "x")
    assert written.exists() == (ran.code == 0)
    return written.exists()


def give(path: Path, user: int = NOBODY) -> None:
    """Give a user all of a folder, or one file."""
    for one in (path, *(path.rglob("*") if path.is_dir() and not path.is_symlink() else ())):
        os.chown(one, user, user, follow_symlinks=False)


@pytest.fixture
def planted(bare: "Cli") -> Iterator[Path]:
    """A project in a folder above, whose machine runs a program as soon as somebody talks to it.

    The command line stands in a folder below.
    """
    with tempfile.TemporaryDirectory(prefix="lasercats-trust-") as name:
        top = Path(name).resolve()
        shared = top / "shared"
        bare.done("init", str(shared))
        (shared / "ssh.cfg").write_text(f"Host *\n  ProxyCommand sh -c 'touch {top}/EXECUTED'\n")
        url = f"ssh://web1?config={shared}/ssh.cfg&connect_timeout=2"
        bare.done("-C", str(shared), "machine", "add", "web1", url)
        log = SqliteLog(shared / ".lasercats" / "log.db")
        log.append([found("file/web1:/etc/motd")])
        log.close()
        (top / "site.yaml").write_text("resources: {file/web1:/etc/motd: {content: y}}")
        (top / "commands").write_text('{"command": "file.write", "on": "file/web1:/x", "content": "x"}')
        (shared / "below").mkdir()
        os.chdir(shared / "below")
        yield shared


def filled(line: list[str], planted: Path) -> list[str]:
    """Put the files of the test into a command line."""
    top = planted.parent
    names = {"site": top / "site.yaml", "commands": top / "commands", "out": top}
    return [word.format(**names) if "{" in word else word for word in line]


@needs_root
@pytest.mark.parametrize("line", ACTING, ids=" ".join)
def test_nothing_of_it_is_done(bare: "Cli", planted: Path, line: list[str]) -> None:
    """No verb talks to its machines, runs a program, opens a secret, or writes a byte in its folder."""
    give(planted)
    if line[0] == "init":
        os.chdir(planted)
    before = snapshot(planted)
    ran = bare(*filled(line, planted))
    assert ran.code == 1
    assert ran.err.endswith(
        f"{planted} belongs to nobody, so the project in {planted} can only be looked at; where you trust "
        f"all who can write to it, mark it with `lasercats project trust {planted}`\n"
    )
    assert snapshot(planted) == before
    assert not (planted.parent / "EXECUTED").exists()
    assert not (planted.parent / "x").exists()


@needs_root
@pytest.mark.parametrize("line", LOOKING, ids=" ".join)
def test_it_can_be_looked_at(bare: "Cli", planted: Path, line: list[str]) -> None:
    """What only reads the log is answered, and leaves nothing in the folder, not even what SQLite makes."""
    give(planted)
    before = snapshot(planted)
    assert bare(*filled(line, planted)).code == 0
    assert snapshot(planted) == before
    assert not (planted.parent / "EXECUTED").exists()


@needs_root
def test_it_is_looked_at_while_its_owner_is_at_work(bare: "Cli", planted: Path) -> None:
    """What stands only in the write-ahead log is seen as well, and that is not touched either."""
    log = SqliteLog(planted / ".lasercats" / "log.db")
    log.append([found("file/web1:/new")])
    give(planted)
    before = snapshot(planted)
    assert "file/web1:/new" in bare.done("state").out
    assert snapshot(planted) == before
    log.close()


@needs_root
@pytest.mark.parametrize(
    "part",
    ["", "lasercats.toml", ".lasercats", ".lasercats/log.db", ".lasercats/key", ".lasercats/deep/file"],
)
def test_each_part_must_be_ours(bare: "Cli", planted: Path, part: str) -> None:
    """One part that is another's is enough: the folder, its file, the log, a key."""
    path = planted / part
    path.parent.mkdir(exist_ok=True)
    if not path.exists():
        path.write_text("")
    os.chown(path, NOBODY, NOBODY)
    assert bare.done("log")
    assert f"{path} belongs to nobody, so " in bare("drift").err
    assert not (planted.parent / "EXECUTED").exists()


@needs_root
@pytest.mark.parametrize("owner", ["of the link", "of what it leads to"])
def test_a_link_counts_on_both_ends(bare: "Cli", planted: Path, owner: str) -> None:
    """A symbolic link must be ours, and what it leads to."""
    file, other = planted / "lasercats.toml", planted.parent / "other.toml"
    file.rename(other)
    file.symlink_to(other)
    assert acts(bare, planted)
    os.chown(file if owner == "of the link" else other, NOBODY, NOBODY, follow_symlinks=False)
    assert "belongs to nobody" in bare("drift").err
    assert not (planted.parent / "EXECUTED").exists()


@pytest.mark.parametrize("part", ["", "lasercats.toml", ".lasercats", ".lasercats/log.db"])
def test_what_everybody_can_write_is_everybodys(bare: "Cli", planted: Path, part: str) -> None:
    """What is ours and can be written by everybody is as good as theirs; marked, it acts."""
    path = planted / part
    path.chmod(path.stat().st_mode | stat.S_IWOTH)
    assert f"everybody can write to {path}, so " in bare("drift").err
    assert not (planted.parent / "EXECUTED").exists()
    bare.done("project", "trust")
    assert acts(bare, planted)


@needs_root
@pytest.mark.parametrize("part", ["", "lasercats.toml"])
def test_what_a_group_can_write_is_the_groups(bare: "Cli", planted: Path, part: str) -> None:
    """So is what a group can write, unless the group is just its owner's own."""
    path = planted / part
    path.chmod(path.stat().st_mode | stat.S_IWGRP)
    assert acts(bare, planted)  # it is root's own group
    os.chown(path, -1, 100)
    assert f"the group users can write to {path}, so " in bare("drift").err


def test_ours_in_a_folder_for_all(bare: "Cli", tmp_path: Path) -> None:
    """In a folder as /tmp, where nobody replaces what is ours, a project of ours acts."""
    tmp_path.chmod(0o1777)
    bare.done("init")
    bare.done("file", "write", f"local:{tmp_path}/x", "--content", "x")


@needs_root
@pytest.mark.parametrize("way", ["-C", "LASERCATS_PROJECT"])
def test_one_that_is_named(bare: "Cli", planted: Path, way: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """A project that is named is asked for its owner as one that is found."""
    give(planted)
    os.chdir("/")
    if way == "-C":
        message = bare("-C", str(planted), "drift").err
    else:
        monkeypatch.setenv(way, str(planted))
        message = bare("drift").err
    assert "belongs to nobody, so " in message


@needs_root
@pytest.mark.parametrize(("caller", "does"), [("65534", True), ("12345", False), ("x", False), ("", False)])
def test_root_by_sudo(
    bare: "Cli", planted: Path, caller: str, does: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    """For a root by sudo a project of who called it is his own, and of nobody else."""
    monkeypatch.setenv("SUDO_UID", caller)
    give(planted)
    assert acts(bare, planted) == does


@needs_root
def test_another_user_claims_to_be_root_by_sudo() -> None:
    """The variable of sudo says nothing where we are not root."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("SUDO_UID", "0")
        patch.setattr(os, "geteuid", lambda: NOBODY)
        assert own.users() == {NOBODY}


@needs_root
@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")
def test_its_program_would_have_been_run(bare: "Cli", planted: Path) -> None:
    """What is planted works: where the folder is trusted, a look at its machine runs its program."""
    give(planted)
    bare.done("project", "trust")
    bare("drift")
    gc.collect()  # the process of the proxy, of which asyncio warns, goes while that is ignored
    assert (planted.parent / "EXECUTED").exists()


@needs_root
def test_it_is_trusted_until_it_is_not(bare: "Cli", planted: Path) -> None:
    """A folder is marked in the user's own configuration, listed with its reason, and taken out again."""
    give(planted)
    assert f"{planted} is trusted" in bare.done("project", "trust").err
    data = bare.done("project", "list", "--json").data
    assert data == [{"project": str(planted), "why": f"{planted} belongs to nobody"}]
    bare.done("file", "write", f"local:{planted}/x", "--content", "x")
    assert (planted / "x").exists()
    bare.done("project", "untrust", str(planted))
    assert "belongs to nobody" in bare("file", "write", f"local:{planted}/x", "--content", "y").err
    data = bare("project", "untrust", str(planted)).err
    assert data.endswith("is not marked; `lasercats project list` shows which are\n")


@needs_root
def test_trust_is_for_that_folder(bare: "Cli", planted: Path) -> None:
    """A marked folder says nothing of those below it, beside it or above it."""
    give(planted)
    for other in (planted.parent, planted / "below", planted.parent / "shared2"):
        other.mkdir(exist_ok=True)
        bare.done("project", "trust", str(other))
    assert "belongs to nobody" in bare("drift").err


@needs_root
@pytest.mark.parametrize("whose", ["of another", "of all"])
def test_a_configuration_of_others(bare: "Cli", planted: Path, whose: str) -> None:
    """A configuration that another wrote, or all can, marks nothing, and that is told."""
    give(planted)
    bare.done("project", "trust")
    config = trust.config_file()
    assert config is not None
    if whose == "of another":
        os.chown(config, NOBODY, NOBODY)
    else:
        config.chmod(0o666)
    message = bare("drift").err
    assert "belongs to nobody" in message
    assert "so your configuration is not read; make it yours alone" in message
    assert bare.done("state")


def test_what_else_is_in_the_configuration_stays(bare: "Cli") -> None:
    """Marking leaves comments and other tables as they are; the file is the user's alone."""
    config = trust.config_file()
    assert config is not None
    config.parent.mkdir(parents=True)
    config.write_text("# mine\n[other]\nx = 1\n")
    config.chmod(0o644)
    bare.done("project", "trust", "/")
    assert config.read_text().startswith("# mine\n[other]\nx = 1\n")
    assert 'trusted = ["/"]' in config.read_text()
    config.write_text("[projects]\ntrusted = 7\n")
    assert "`trusted` in `[projects]` must be a list" in bare("project", "list").err


@needs_root
def test_who_opens_it_without_the_command_line(planted: Path) -> None:
    """The same holds for a program that uses ours: its machines, secrets and log are shut."""
    give(planted)
    with pytest.raises(Untrusted):
        Project(planted)
    project = Project(planted, looking=True)
    with pytest.raises(Untrusted):
        project.machines.get("local")
    with pytest.raises(LogError, match=r"can only be read here: .* belongs to nobody"):
        project.log.append([Event(type="observed", delta={})])
    project.close()


@needs_root
def test_a_log_with_a_schema_of_its_own(bare: "Cli", planted: Path) -> None:
    """A view in the place of a table calls no function that could do harm."""
    db = sqlite3.connect(planted / ".lasercats" / "log.db")
    db.executescript("DROP TABLE stretches; CREATE VIEW stretches AS SELECT load_extension('x') AS first")
    db.close()
    give(planted)
    ran = bare("log")
    assert ran.code == 1
    assert "unsafe use" in ran.err or "is damaged" in ran.err


@needs_root
def test_a_user_in_a_project_of_root(bare: "Cli", planted: Path) -> None:
    """It is not the name of root that counts: a user does nothing in a project of root's either."""
    planted.parent.chmod(0o755)
    ran = as_nobody(lambda: bare("drift"))
    assert f"{planted} belongs to root" in ran.err
    assert ran.code == 1
    assert not (planted.parent / "EXECUTED").exists()
