"""Whoever owns a folder gains nothing by what he does in it while we work there.

He acts before and after every single tool that a shell starts, which is more than any race wins.
"""

import os
from pathlib import Path

import pytest

from lasercats.core.instruction import Instruction
from lasercats.instructions.host import MakeDirectory, MakeSymlink, SetAttributes, WriteFile
from tests.lasercats.domains.host.shells import NOBODY, STUBBED, Shell, names, run

pytestmark = pytest.mark.skipif(os.getuid() != 0, reason="needs root to be other users")

SECRET = "hunter2-the-secret"  # noqa: S105
ROOMS = "for r in .lasercats.*; do"
OPEN = "setfacl -d -m u:nobody:rwx ."
TURNS = "{{ rm -rf f; echo x >f; }} || {{ rm -rf f; {}; }}"
DEEDS = {
    "links for names that can be guessed": "rm -f .lasercats.$PID; ln -s ../victim .lasercats.$PID",
    "links for rooms": f"{ROOMS} [ -d $r -a ! -L $r ] && mv $r was.$$ && ln -s ../private $r; done",
    "a folder of root's for rooms": f"{ROOMS} [ -O $r ] || mv $r was.$$ && mv shared $r; done",
    "a folder of his for rooms": f"{ROOMS} mv $r was.$$ && mkdir -m 0777 $r; done",
    "links in rooms": f"{OPEN}; {ROOMS} for f in new old; do ln -s ../../victim $r/$f; done; done",
    "other files in rooms": f"{OPEN}; {ROOMS} for f in new old; do rm -f $r/$f; cp mine $r/$f; done; done",
    "a link for the target": "rm -rf f; ln -s ../victim f",
    "a link for the target now and then": "[ -L f ] && " + TURNS.format("ln -s ../victim f"),
    "a link to a folder for the target": "rm -rf f; ln -s ../private f",
    "a pipe for the target": "rm -rf f; mkfifo f",
    "a pipe for the target now and then": "[ -p f ] && " + TURNS.format("mkfifo f"),
    "a file of his for the target": "rm -rf f; cp mine f; chmod 666 f",
    "a directory for the target": "rm -rf f; mkdir -m 0777 f",
}
ACTS = {
    "write": WriteFile(machine="m", path="f", content="x", mode="0644"),
    "secret": WriteFile(machine="m", path="f", content=SECRET, mode="0600", new=True),
    "attributes": SetAttributes(machine="m", path="f", type="file", mode="0666", owner="nobody"),
    "directory": MakeDirectory(machine="m", path="f", mode="0777", owner="nobody"),
    "symlink": MakeSymlink(machine="m", path="f", target="x"),
    "closed directory": SetAttributes(
        machine="m", path="f", type="directory", mode="0777", owner="nobody", group="nogroup"
    ),
}


@pytest.fixture
def world(tmp_path: Path) -> Path:
    """A folder of another user, beside a file and a folder of ours, with a folder of ours in it."""
    for above in (tmp_path, *tmp_path.parents[:2]):
        above.chmod(0o755)
    folder = tmp_path / "d"
    folder.mkdir()
    (tmp_path / "victim").write_text("root-only")
    (tmp_path / "victim").chmod(0o600)
    (tmp_path / "private").mkdir(mode=0o700)
    (tmp_path / "private" / "f").write_text("root-only")
    (tmp_path / "leak").touch()
    (tmp_path / "leak").chmod(0o666)
    (folder / "f").write_text("x")
    (folder / "mine").write_text("mine")
    for path in (folder, folder / "f", folder / "mine"):
        os.chown(path, NOBODY, NOBODY)
    (folder / "shared").mkdir()
    (folder / "shared").chmod(0o777)
    return tmp_path


def ours(world: Path) -> str:
    """Return all that is ours, by independent eyes."""
    look = "stat -c '%n %a %U %G %s' victim private private/f; cat victim private/f; ls -A private ."
    return run(["sh", "-c", look], cwd=world).stdout


@pytest.mark.parametrize("deed", DEEDS)
@pytest.mark.parametrize("make", STUBBED)
def test_nothing_of_ours_is_changed_or_told(make: str, deed: str, world: Path) -> None:
    """Whatever he plants, swaps or removes: no file of root's changes, and he never reads the secret."""
    shell = Shell(make, world)
    shell.beset(world / "d", world / "tools", DEEDS[deed], SECRET)
    before = ours(world)
    for name, act in ACTS.items():
        shell.run(_in(world / "d", act))
        assert ours(world) == before, name
        assert (world / "leak").read_text() == "", name
        again = "rm -rf f was.* .lasercats.*; echo x >f; chown nobody f; mkdir -p shared; chmod 0777 shared"
        run(["sh", "-c", again], cwd=world / "d")


def _in(folder: Path, act: Instruction) -> Instruction:
    return act.__class__(
        **{name: getattr(act, name) for name in act.__struct_fields__} | {"path": f"{folder}/f"}
    )


@pytest.mark.parametrize("make", STUBBED)
def test_work_in_such_a_folder_is_done(make: str, world: Path) -> None:
    """Where nobody interferes, all of it is done as anywhere, and the owner of the folder keeps his files."""
    shell, folder = Shell(make, world), world / "d"
    for name in ("write", "attributes"):
        ran = shell.run(_in(folder, ACTS[name]))
        assert ran.returncode == 0, ran.stderr
    stat = (folder / "f").stat()
    assert (stat.st_uid, stat.st_mode & 0o777, stat.st_nlink) == (NOBODY, 0o666, 1)
    assert names(folder) == ["f", "mine", "shared"]


@pytest.mark.parametrize("make", STUBBED)
def test_a_way_that_another_user_bent_is_not_gone(make: str, world: Path) -> None:
    """A folder that is reached by another user's link into a folder of ours is not written to."""
    (world / "d" / "way").symlink_to(world / "private")
    os.chown(world / "d" / "way", NOBODY, NOBODY, follow_symlinks=False)
    shell = Shell(make, world)
    act = WriteFile(machine="m", path=f"{world}/d/way/f", content="x", mode="0644")
    ran = shell.run(act)
    assert ran.returncode != 0
    assert "a link that another user made" in ran.stderr
    assert (world / "private" / "f").read_text() == "root-only"
    os.chown(world / "d" / "way", 0, 0, follow_symlinks=False)
    assert shell.run(act).returncode == 0
    assert (world / "private" / "f").read_text() == "x"
