"""Files are replaced whole and keep what was not said, under every shell and with tools of every make."""

import asyncio
import os
import re
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from lasercats.core.instruction import Instruction, Item
from lasercats.core.text import one_form
from lasercats.instructions.host import (
    Execute,
    MakeDirectory,
    MakeSymlink,
    RemovePath,
    SetAttributes,
    WriteFile,
)
from lasercats.instructions.prelude import PRELUDE
from lasercats.machines.local import LocalMachine
from lasercats.machines.vault import KeyVault
from tests.lasercats.domains.host.shells import AS_NOBODY, NOBODY, SHELLS, STUBBED, Shell, names, run

pytestmark = pytest.mark.skipif(os.getuid() != 0, reason="needs root to be other users")


@pytest.fixture(params=SHELLS)
def shell(request: pytest.FixtureRequest, tmp_path: Path) -> Shell:
    """A shell of each make."""
    return Shell(request.param, tmp_path)


@pytest.fixture(params=STUBBED)
def stubbed(request: pytest.FixtureRequest, tmp_path: Path) -> Shell:
    """A shell of each make that starts every tool by the path."""
    return Shell(request.param, tmp_path)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A folder of ours that everybody may enter."""
    made = tmp_path / "d"
    made.mkdir()
    for above in (made, *made.parents[:3]):
        above.chmod(0o755)
    return made


UNSHARED = ("unshare", "-m", "sh", "-c")
ROOM_PID = "pid=$(pwd -P); pid=${pid%.*}; pid=${pid##*.}"
"""Finds the shell that a tool works for, by the name of the room that it works in."""


def write(path: Path, content: str, mode: str | None = None, **more: object) -> WriteFile:
    """Return what writes a file."""
    return WriteFile(machine="m", path=str(path), content=content, mode=mode, **more)  # type: ignore[arg-type]


def facts(path: Path) -> tuple[str, int, int]:
    """Return mode, user and group of a path."""
    stat = path.lstat()
    return f"{stat.st_mode & 0o7777:04o}", stat.st_uid, stat.st_gid


def test_each_function_does_what_it_says(shell: Shell, folder: Path) -> None:
    """Files, directories and links are made with mode and owner as asked, and nothing else is left."""
    ran = shell.run(
        write(folder / "text", "it's $x\n", "0644"),
        write(folder / "closed", "y", "0600"),
        write(folder / "binary", "data:;base64,AP8K", "4755", owner="nobody"),
        write(folder / "again", "1", "0640", group="nogroup"),
        write(folder / "again", "2"),
        MakeDirectory(machine="m", path=f"{folder}/made", mode="2750", owner="nobody"),
        MakeSymlink(machine="m", path=f"{folder}/link", target="a b"),
        MakeSymlink(machine="m", path=f"{folder}/link", target="-c\n"),
        write(folder / "gone", "x", "0644"),
        RemovePath(machine="m", path=f"{folder}/gone", type="file"),
        SetAttributes(machine="m", path=f"{folder}/made", type="directory", mode="0700", group="nogroup"),
    )
    assert ran.returncode == 0, ran.stderr
    assert names(folder) == ["again", "binary", "closed", "link", "made", "text"]
    assert (folder / "text").read_text() == "it's $x\n"
    assert (folder / "binary").read_bytes() == b"\x00\xff\n"
    assert (folder / "again").read_text() == "2"
    assert str((folder / "link").readlink()) == "-c\n"
    found = {name: facts(folder / name) for name in ("text", "closed", "binary", "again", "made")}
    assert found == {
        "text": ("0644", 0, 0),
        "closed": ("0600", 0, 0),
        "binary": ("4755", NOBODY, 0),
        "again": ("0640", 0, NOBODY),
        "made": ("0700", NOBODY, NOBODY),
    }


@pytest.mark.parametrize(
    ("act", "reason"),
    [
        (lambda f: write(f / "none" / "x", "x"), "directory .*/none does not exist"),
        (lambda f: write(f / "dir", "x"), "is a directory"),
        (lambda f: write(f / "x", "x", owner="no-such-user"), "no-such-user"),
        (lambda f: MakeDirectory(machine="m", path=f"{f}/dir"), "File exists"),
        (lambda f: MakeSymlink(machine="m", path=f"{f}/dir", target="x"), "is a directory"),
        (lambda f: SetAttributes(machine="m", path=f"{f}/sym", type="file", mode="0600"), "symbolic link"),
        (lambda f: RemovePath(machine="m", path=f"{f}/dir", type="directory"), "not empty"),
    ],
)
def test_what_cannot_be_done_is_told(
    shell: Shell, folder: Path, act: Callable[[Path], Instruction], reason: str
) -> None:
    """What fails says why in its last line, of its path, and leaves everything as it was."""
    (folder / "dir").mkdir()
    (folder / "dir" / "in").touch()
    (folder / "sym").symlink_to("dir/in")
    ran = shell.run(act(folder))
    assert ran.returncode != 0
    assert re.search(reason, ran.stderr.splitlines()[-1]), ran.stderr
    assert names(folder) == ["dir", "sym"]


def test_a_default_acl_opens_nothing(shell: Shell, folder: Path) -> None:
    """In a folder whose default ACL lets others read, modes are as asked and a secret is nobody's to read."""
    subprocess.run(["setfacl", "-d", "-m", "u:nobody:rwx,g::rwx,o::rwx", folder], check=True)
    for n in range(2):
        ran = shell.run(
            write(folder / f"secret{n}", "hunter2", "0600", new=True),
            write(folder / f"open{n}", "x", "0644", new=True),
            MakeDirectory(machine="m", path=f"{folder}/dir{n}", mode="0750"),
        )
        assert ran.returncode == 0, ran.stderr
        modes = [facts(folder / f"{name}{n}")[0] for name in ("secret", "open", "dir")]
        assert modes == ["0600", "0644", "0750"]
    look = f"cd {folder} && exec {AS_NOBODY} cat secret0"
    assert run(["sh", "-c", look]).stdout == ""


def test_attributes_that_were_not_said_are_kept(shell: Shell, folder: Path) -> None:
    """ACL, extended attributes, security label, owner and mode of a file stay when its content is written."""
    path = folder / "f"
    path.write_text("old")
    os.chown(path, 7, 8)
    subprocess.run(["setfacl", "-m", "u:nobody:r", path], check=True)
    os.setxattr(path, "user.note", b"x\n=")
    os.setxattr(path, "security.selinux", b"system_u:object_r:shadow_t:s0\0")
    before = facts(path), {name: os.getxattr(path, name) for name in os.listxattr(path)}
    ran = shell.run(write(path, "new"))
    assert ran.returncode == 0, ran.stderr
    assert path.read_text() == "new"
    assert (facts(path), {name: os.getxattr(path, name) for name in os.listxattr(path)}) == before


def test_what_cannot_be_kept_is_told(folder: Path) -> None:
    """A host that has no tool to copy attributes says so, as it does nothing silently."""
    root = folder / "root"
    (root / "bin").mkdir(parents=True)
    busybox = shutil.which("busybox") or ""
    subprocess.run(["cp", "-L", busybox, root / "bin" / "busybox"], check=True)
    subprocess.run(["chroot", root, "/bin/busybox", "--install", "-s", "/bin"], check=True)
    (root / "dev").mkdir()
    subprocess.run(["mknod", root / "dev" / "urandom", "c", "1", "9"], check=True)
    (root / "dev" / "null").touch()
    (root / "f").write_text("old")
    script = "\n".join(["{", "".join(PRELUDE), write(Path("/f"), "new", "0600").line(), "exit $?", "}"])
    ran = run(["chroot", root, "/bin/sh"], input=script)
    assert ran.returncode == 0, ran.stderr
    assert (root / "f").read_text() == "new"
    assert "note: /f: what it had of ACLs and extended attributes could not be kept" in ran.stderr
    assert not list(root.glob(".lasercats*"))


def test_what_a_removal_loses_is_told(shell: Shell, folder: Path) -> None:
    """A file or directory that had an ACL or attributes says so as it goes; others say nothing."""
    (folder / "user.dir").mkdir()
    for name in ("user.f", "plain", "user.dir"):
        path = folder / name
        if name != "user.dir":
            path.touch()
        if name != "plain":
            subprocess.run(["setfacl", "-m", "u:nobody:r", path], check=True)
            os.setxattr(path, "user.note", b"x")
    for name in ("user.f", "plain", "user.dir"):
        type_: Any = "directory" if name == "user.dir" else "file"
        ran = shell.run(RemovePath(machine="m", path=f"{folder}/{name}", type=type_))
        assert ran.returncode == 0, ran.stderr
        lost = "had an ACL, the attribute user.note, which is not recorded and does not come back"
        assert ran.stderr == ("" if name == "plain" else f"note: {folder}/{name}: {lost}\n")
    assert names(folder) == []


def test_a_raw_command_of_a_script_meets_nothing_of_ours(folder: Path, tmp_path: Path) -> None:
    """In a printed script a raw command runs where the script was begun, and sees no room."""
    machine = LocalMachine("m", LocalMachine.check_url("local:"), KeyVault(tmp_path / "key"))
    look = Execute(machine="m", argv=("sh", "-c", f"pwd; ls -A {folder}"))
    script = machine.script([write(folder / "f", "x"), look, write(folder / "g", "x"), look], alone=True)
    ran = run(["sh", "-s"], input=script, cwd=tmp_path)
    assert (ran.returncode, ran.stderr) == (0, "")
    assert ran.stdout.split() == [str(tmp_path), "f", str(tmp_path), "f", "g"]
    assert names(folder) == ["f", "g"]


def test_a_hard_link_that_is_broken_is_told(shell: Shell, folder: Path) -> None:
    """Replacing one name of a file says that the others keep the former content."""
    (folder / "one").write_text("old")
    os.link(folder / "one", folder / "two")
    ran = shell.run(write(folder / "one", "new"))
    assert ran.returncode == 0
    assert "note: " in ran.stderr
    assert "hard link" in ran.stderr
    assert ((folder / "one").read_text(), (folder / "two").read_text()) == ("new", "old")
    ran = shell.run(write(folder / "one", "newer"))
    assert (ran.returncode, ran.stderr) == (0, "")


def test_a_hard_link_in_a_folder_of_others_is_left_alone(shell: Shell, folder: Path) -> None:
    """Where others can write, a file with other names is neither replaced nor given another mode."""
    victim = folder.parent / "victim"
    victim.write_text("old")
    os.chown(folder, NOBODY, NOBODY)
    os.link(victim, folder / "f")
    for act in (
        write(folder / "f", "new"),
        SetAttributes(machine="m", path=f"{folder}/f", type="file", mode="0666", owner="nobody"),
    ):
        ran = shell.run(act)
        assert ran.returncode != 0
        assert "hard links" in ran.stderr
    assert (victim.read_text(), facts(victim)) == ("old", ("0644", 0, 0))
    assert names(folder) == ["f"]


def test_a_mount_point_is_written_in_place_and_told(shell: Shell, folder: Path) -> None:
    """A file that something is mounted on, as /etc/hosts in a container, is written, and that is told."""
    (folder / "real").write_text("old, and longer")
    (folder / "bound").write_text("")
    script = "\n".join(["{", "".join(PRELUDE), write(folder / "bound", "new", "0640").line(), "exit $?", "}"])
    mount = f'mount --bind {folder}/real {folder}/bound && exec "$@"'
    ran = run([*UNSHARED, mount, "sh", *shell.argv, "-c", script], env={**os.environ, "PATH": shell.path})
    assert ran.returncode == 0, ran.stderr
    assert "is a mount point, so it was written in place" in ran.stderr
    assert ((folder / "real").read_text(), facts(folder / "real")[0]) == ("new", "0640")
    assert names(folder) == ["bound", "real"]
    os.chown(folder, NOBODY, NOBODY)
    ran = run([*UNSHARED, mount, "sh", *shell.argv, "-c", script], env={**os.environ, "PATH": shell.path})
    assert ran.returncode != 0
    assert "others can write in its folder" in ran.stderr


def test_what_a_dead_shell_left_is_removed(stubbed: Shell, folder: Path, tmp_path: Path) -> None:
    """A shell that is killed before the rename leaves a closed room; the next to write there removes it."""
    tools = tmp_path / "tools"
    tools.mkdir()
    (tools / "mv").write_text(f"#!/bin/sh\n{ROOM_PID}; kill -9 $pid\n")
    (tools / "mv").chmod(0o755)
    path, stubbed.path = stubbed.path, f"{tools}:{stubbed.path}"
    assert stubbed.run(write(folder / "f", "hunter2", "0600")).returncode == -9
    (left,) = names(folder)
    assert facts(folder / left)[0] == "0700"
    stubbed.path = path
    theirs = folder / left.replace(f".{left.split('.')[-2]}.", ".999999999.").replace(left[-4:], "beef")
    theirs.mkdir(mode=0o700)
    os.chown(theirs, NOBODY, NOBODY)
    alive = folder / left.replace(f".{left.split('.')[-2]}.", f".{os.getpid()}.")
    alive.mkdir(mode=0o700)
    (folder / ".lasercats.999999999").write_text("hunter2")
    assert stubbed.run(write(folder / "g", "x")).returncode == 0
    assert names(folder) == sorted(["g", theirs.name, alive.name])


def test_recover_removes_what_a_dead_shell_left(folder: Path, tmp_path: Path) -> None:
    """A machine that is asked what became of a batch removes what is left of it, in any folder."""
    odd = folder / "it's\n \udce9"
    odd.mkdir()
    host = Path("/proc/sys/kernel/hostname").read_text().strip()
    room = odd / f".lasercats.{host}.999999999.{'0' * 32}"
    room.mkdir(mode=0o700)
    (room / "new").write_text("hunter2")
    machine = LocalMachine("m", LocalMachine.check_url("local:"), KeyVault(tmp_path / "key"))
    act = WriteFile(machine="m", path=one_form(f"{odd}/f"), content="x")
    assert asyncio.run(machine.resolve((Item(act),))) == [None]
    assert names(odd) == []


def test_a_directory_can_go_that_a_dead_shell_left_something_in(shell: Shell, folder: Path) -> None:
    """A room of a dead shell does not keep its directory from being removed."""
    host = Path("/proc/sys/kernel/hostname").read_text().strip()
    room = folder / f".lasercats.{host}.999999999.{'0' * 32}"
    room.mkdir(mode=0o700)
    (room / "new").write_text("hunter2")
    ran = shell.run(
        write(folder / "f", "x"),
        RemovePath(machine="m", path=f"{folder}/f", type="file"),
        RemovePath(machine="m", path=str(folder), type="directory"),
    )
    assert ran.returncode == 0, ran.stderr
    assert not folder.exists()


def test_a_shell_that_is_told_to_end_leaves_nothing(stubbed: Shell, folder: Path, tmp_path: Path) -> None:
    """A shell that gets a signal between making a file and putting it in place removes what it made."""
    tools = tmp_path / "tools"
    tools.mkdir()
    (tools / "mv").write_text(f"#!/bin/sh\n{ROOM_PID}; kill -TERM $pid; exit 1\n")
    (tools / "mv").chmod(0o755)
    stubbed.path = f"{tools}:{stubbed.path}"
    assert stubbed.run(write(folder / "f", "hunter2", "0600")).returncode == 143
    assert names(folder) == []


def test_many_files_cost_a_process_each(stubbed: Shell, folder: Path, tmp_path: Path) -> None:
    """New files take one process each and three for their folder, files that are replaced two more."""
    started = stubbed.counting(tmp_path / "tools")
    ran = stubbed.run(*(write(folder / str(n), str(n), "0644", new=True) for n in range(30)))
    assert ran.returncode == 0
    assert sorted(started.read_text().split()) == sorted(["mv"] * 30 + ["mkdir", "stat", "rmdir"])
    started.unlink()
    stubbed.run(*(write(folder / str(n), "new", "0644", owner="root", group="root") for n in range(30)))
    assert len(started.read_text().split()) <= 4 + 3 * 30


def test_files_in_many_folders_cost_two_processes_more(stubbed: Shell, folder: Path, tmp_path: Path) -> None:
    """A file in a folder of its own takes three processes, and one removes what was made on the way."""
    started = stubbed.counting(tmp_path / "tools")
    for n in range(10):
        (folder / f"{n} of 10").mkdir()
    ran = stubbed.run(*(write(folder / f"{n} of 10" / "f", "x", "0644", new=True) for n in range(10)))
    assert ran.returncode == 0
    assert sorted(started.read_text().split()) == sorted(["mkdir", "mv", "stat"] * 10 + ["rmdir"])
    assert {name for n in range(10) for name in names(folder / f"{n} of 10")} == {"f"}
