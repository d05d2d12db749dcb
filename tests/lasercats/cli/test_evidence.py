"""What tells that a log is not what it was: what this user saw, heads that were noted, and signed ones."""

import json
import os
import shutil
import sqlite3
import stat
import subprocess
import sys
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from pathlib import Path

import pytest

from lasercats.core.errors import LogRewound
from lasercats.logs.sqlite import SqliteLog
from lasercats.operate import seen
from lasercats.operate.begin import init
from lasercats.testing.logs import event
from tests.lasercats.cli.conftest import Cli

Place = Callable[..., str]


def write(cli: Cli, place: Place, text: str) -> None:
    """Act once."""
    cli.done("file", "write", place("f"), "--content", text)


def cut(cli: Cli, to: int) -> None:
    """Cut off the end of the log, with all that follows from it, as somebody does who knows its format."""
    with closing(sqlite3.connect(cli.path)) as db:
        db.execute("DELETE FROM records WHERE position > ?", (to,))
        db.commit()
    SqliteLog(cli.path).rebuild()


def keep(cli: Cli) -> Path:
    """Keep a copy of the log, with what is not in its file yet."""
    with closing(sqlite3.connect(cli.path)) as db, closing(sqlite3.connect(cli.folder / "kept.db")) as to:
        db.backup(to)
    return cli.folder / "kept.db"


def bring_back(cli: Cli, copy: Path) -> None:
    """Put a copy in the place of the log."""
    for name in ("log.db", "log.db-wal", "log.db-shm"):
        (cli.path.parent / name).unlink(missing_ok=True)
    shutil.copy(copy, cli.path)


@pytest.fixture
def two(cli: Cli, place: Place) -> Cli:
    """A project in which this user acted twice; the first ended at 7."""
    write(cli, place, "one")
    write(cli, place, "two")
    return cli


def test_a_cut_end_is_noticed(two: Cli, place: Place) -> None:
    """What was cut off is missed by `verify` and by what acts, and may be done without knowingly."""
    cut(two, 7)
    refusal = two.refuses("verify")
    assert "ends at position 7, but this user saw it end at 14" in refusal
    assert "`lasercats verify --accept`" in refusal
    assert two.refuses("file", "write", place("f"), "--content", "three") == refusal
    assert two.refuses("verify") == refusal
    two.done("log")
    two.done("verify", "--accept")
    two.done("verify")
    write(two, place, "three")


def test_an_older_copy_is_noticed(cli: Cli, place: Place) -> None:
    """It is no other than a cut end, also after it went on longer than what was there."""
    write(cli, place, "one")
    copy = keep(cli)
    write(cli, place, "two")
    bring_back(cli, copy)
    assert "an older copy was brought back" in cli.refuses("verify")
    state = os.environ["XDG_STATE_HOME"]
    os.environ["XDG_STATE_HOME"] = str(cli.folder / "elsewhere")  # another user goes on
    write(cli, place, "other")
    write(cli, place, "others")
    os.environ["XDG_STATE_HOME"] = state
    assert "is not as this user saw it at position 14" in cli.refuses("verify")
    assert "is not as this user saw it" in cli.refuses("file", "write", place("f"), "--content", "x")


def test_another_log_in_its_place_is_noticed(two: Cli, place: Place) -> None:
    """A log with an id of its own is not the one that stood there; a project that is made anew is."""
    shutil.copytree(two.path.parent, two.folder / "aside")
    shutil.rmtree(two.path.parent)
    other = two.folder / "other"
    init(other)
    bring_back_folder = two.path.parent
    shutil.copytree(other / ".lasercats", bring_back_folder)
    assert "is another one than this user saw there" in two.refuses("verify")
    assert "is another one" in two.refuses("file", "write", place("f"), "--content", "x")
    shutil.rmtree(two.path.parent)
    (two.folder / "lasercats.toml").unlink()
    two.done("init")
    two.done("verify")


def test_a_longer_log_is_as_it_was(two: Cli, place: Place) -> None:
    """What others appended meanwhile is nothing to tell of, and is noted with the next command."""
    state = os.environ["XDG_STATE_HOME"]
    os.environ["XDG_STATE_HOME"] = str(two.folder / "elsewhere")
    write(two, place, "theirs")
    os.environ["XDG_STATE_HOME"] = state
    two.done("verify")
    cut(two, 14)
    assert "saw it end at 21" in two.refuses("verify")


def test_a_copy_is_not_gone_on_with(two: Cli) -> None:
    """A copy can be verified, with a word on the other; nothing is done by it unless it is accepted."""
    copy = two.folder / "copy"
    copy.mkdir()
    (copy / ".lasercats").mkdir(mode=0o700)
    shutil.copy(two.folder / "lasercats.toml", copy)
    shutil.copy(keep(two), copy / ".lasercats" / "log.db")
    two.done("file", "write", f"a:{two.folder}/g", "--content", "more")
    ran = two.done("-C", str(copy), "verify")
    assert f"the one at {two.path} are two copies of one log" in ran.err
    assert "and the other went on to position 21" in ran.err
    more = ("file", "write", f"a:{two.folder}/g", "--content", "other")
    assert "go on in that one" in two("-C", str(copy), *more).err
    assert "found changed outside" not in two.done("file", "write", f"a:{two.folder}/g", "--content", "1").err
    two.done("-C", str(copy), "verify", "--accept")
    assert "found changed outside" in two.done("-C", str(copy), *more).err
    assert "went another way" in two.refuses(*more) or "went on" in two.refuses(*more)
    shutil.rmtree(copy)
    two.done(*more)


def test_a_project_that_was_moved_is_no_copy(two: Cli) -> None:
    """It goes on at its new place."""
    one, other, path = two.folder / "one", two.folder / "other", f"local:{two.folder}/g"
    two.done("init", str(one))
    two.done("-C", str(one), "file", "write", path, "--content", "1")
    for before, after, text in ((one, other, "2"), (other, one, "3")):
        before.rename(after)
        assert (
            "changed outside" not in two.done("-C", str(after), "file", "write", path, "--content", text).err
        )


def test_what_was_seen_is_kept_for_this_user_alone(two: Cli) -> None:
    """The file and its folders are readable by nobody else, and what is damaged in them counts as nothing."""
    folder = Path(os.environ["XDG_STATE_HOME"]) / "lasercats"
    (file,) = folder.glob("heads/*")
    assert [stat.S_IMODE(p.stat().st_mode) for p in (folder, folder / "heads", file)] == [0o700, 0o700, 0o600]
    assert json.loads(file.read_text())["position"] == 14
    file.write_bytes(b"{")
    two.done("verify")
    assert json.loads(file.read_text())["position"] == 14


def test_where_nothing_can_be_noted_all_goes_on(
    two: Cli, place: Place, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Without a folder of one's own, no command fails, and nothing is written to one of somebody else."""
    (two.folder / "file").write_text("")
    monkeypatch.setenv("XDG_STATE_HOME", str(two.folder / "file" / "x"))
    monkeypatch.setenv("HOME", str(two.folder / "file"))
    monkeypatch.setattr("pwd.getpwuid", {}.__getitem__)
    write(two, place, "three")
    two.done("verify")


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can give a folder away")
def test_a_folder_of_somebody_else_is_not_used(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Under sudo the home of who called it stays untouched; nor is one taken that others may write."""
    home, loose = tmp_path / "home", tmp_path / "loose"
    home.mkdir()
    os.chown(home, 65534, 65534)
    monkeypatch.delenv("XDG_STATE_HOME", raising=False)
    monkeypatch.setenv("HOME", str(home))
    assert seen.state_folder() == Path("~root/.local/state/lasercats").expanduser()
    (loose / "lasercats").mkdir(parents=True)
    (loose / "lasercats").chmod(0o777)
    monkeypatch.setenv("XDG_STATE_HOME", str(loose))
    assert seen.state_folder() == Path("~root/.local/state/lasercats").expanduser()


def test_many_note_at_once(tmp_path: Path) -> None:
    """Of those who act side by side the latest head stays, whoever notes it last."""
    log = SqliteLog(tmp_path / "log.db", create=True)
    place = tmp_path / "log.db"

    def act(_: int) -> None:
        own = SqliteLog(place)
        own.append([event()])
        seen.remember(own, place)
        own.close()

    with ThreadPoolExecutor(8) as threads:
        list(threads.map(act, range(40)))
    known = seen.recall(place)
    assert known is not None
    assert known.position == 40 == log.head()
    seen.check(log, place)
    (folder,) = {file.parent for file in Path(os.environ["XDG_STATE_HOME"]).rglob("heads/*")}
    assert not list(folder.glob("*.new"))


KILLED = """
import os, signal, sys
from pathlib import Path
from lasercats.logs.sqlite import SqliteLog
from lasercats.operate import seen
from lasercats.testing.logs import event
log = SqliteLog(Path(sys.argv[1]))
log.append([event()])
Path.replace = lambda *_: os.kill(os.getpid(), signal.SIGKILL)
seen.remember(log, Path(sys.argv[1]))
"""


@pytest.mark.crash
def test_who_dies_while_noting_harms_nobody(tmp_path: Path) -> None:
    """What was noted before stands, its lock is gone with the process, and the next one notes."""
    place = tmp_path / "log.db"
    log = SqliteLog(place, create=True)
    log.append([event()])
    seen.remember(log, place)
    assert subprocess.run([sys.executable, "-c", KILLED, place], check=False).returncode == -9
    known = seen.recall(place)
    assert known is not None
    assert known.position == 1
    seen.remember(log, place)
    known = seen.recall(place)
    assert known is not None
    assert known.position == 2


def test_a_head_is_printed_and_pinned(two: Cli, place: Place) -> None:
    """What `log head` prints, or a part of it, is found again by `verify` as long as the log holds it."""
    noted = two.done("log", "head").out.strip()
    data = two.done("log", "head", "--json").data
    assert noted == f"{data['log']}:{data['position']}:{data['hash']}"
    pins = (noted, f"{data['position']}:{data['hash']}", data["hash"], data["hash"].upper())
    write(two, place, "three")
    for pin in pins:
        two.done("verify", "--head", pin)
    cut(two, 7)
    two.done("verify", "--accept")
    assert "ends at position 7, before 14" in two.refuses("verify", "--head", pins[0])
    assert "ends at position 7, before 14" in two.refuses("verify", "--accept", "--head", pins[1])
    assert "never had the hash" in two.refuses("verify", "--head", pins[2])
    write(two, place, "another")
    assert "has another hash at position 14" in two.refuses("verify", "--head", pins[1])


@pytest.mark.parametrize("pin", ["", "HEAD", "7", "7:", "7:abc", "g" * 64, ":" + "a" * 64, "x:7:" + "a" * 64])
def test_what_is_no_head_is_told(two: Cli, pin: str) -> None:
    """Only a whole hash is taken."""
    assert "is no head of a log" in two.refuses("verify", "--head", pin)


def test_the_head_of_another_log(two: Cli, bare: Cli) -> None:
    """A pin names its log."""
    hash_ = two.done("log", "head", "--json").data["hash"]
    assert "this is the log" in two.refuses("verify", "--head", f"{'a' * 32}:14:{hash_}")


def test_an_empty_log_has_no_head(cli: Cli) -> None:
    """There is nothing to note yet."""
    assert "the log is empty" in cli.refuses("log", "head")
    assert "the log is empty" in cli.refuses("verify", "--sign", "key")


@pytest.fixture
def key(tmp_path: Path) -> Path:
    """An ssh key without a passphrase."""
    path = tmp_path / "id"
    subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", path], check=True)
    return path


def allow(key: Path, who: str = "ada@desk") -> str:
    """Write a file of allowed signers with a key."""
    file = key.with_suffix(".allowed")
    file.write_text(f"{who} {key.with_suffix('.pub').read_text()}")
    return str(file)


def test_heads_are_signed(two: Cli, key: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whoever verifies sees whose key signed which head, and who that is by the file of allowed signers."""
    monkeypatch.setenv("XDG_CONFIG_HOME", str(two.folder / "config"))
    out = two.done("verify", "--sign", str(key)).out
    fingerprint = subprocess.run(
        ["ssh-keygen", "-lf", key], check=True, capture_output=True, text=True
    ).stdout
    signer = f"ssh:{fingerprint.split()[1]}"
    assert f"signed at 14 by {signer}, who is none of the allowed signers" in out
    assert two.done("verify", "--signers", allow(key)).out.endswith(f"signed at 14 by ada@desk ({signer})\n")
    signers = two.folder / "config" / "lasercats" / "allowed_signers"
    signers.parent.mkdir(parents=True)
    signers.write_text(Path(allow(key)).read_text())
    (signature,) = two.done("verify", "--json").data["signed"]
    assert (signature["position"], signature["signer"], signature["who"]) == (14, signer, "ada@desk")


def test_who_must_have_signed(two: Cli, key: Path, tmp_path: Path) -> None:
    """Where signers are named, a log without a head of theirs is refused; a key of somebody else is none."""
    assert "nobody of" in two.refuses("verify", "--signers", allow(key))
    other = tmp_path / "other"
    subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", other], check=True)
    two.done("verify", "--sign", str(other))
    assert "nobody of" in two.refuses("verify", "--signers", allow(key))
    two.done("verify", "--sign", str(key), "--signers", allow(key))
    assert "is not there" in two.refuses("verify", "--signers", str(tmp_path / "none"))


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ("UPDATE heads SET hash = zeroblob(32)", "has another hash at position 14"),
        ("UPDATE heads SET position = 99", "ends at position 14, before 99"),
        ("UPDATE heads SET signer = 'ssh:SHA256:ada'", "is not one of this head"),
        ("UPDATE heads SET signature = x'00'", "is not one of this head"),
    ],
)
def test_a_forged_signature_is_noticed(two: Cli, key: Path, change: str, message: str) -> None:
    """Whatever is changed about a signed head, it does not hold any more."""
    two.done("verify", "--sign", str(key))
    with closing(sqlite3.connect(two.path)) as db:
        db.execute(change)
        db.commit()
    assert message in two.refuses("verify")


def test_a_signed_end_that_was_cut_off(two: Cli, key: Path) -> None:
    """A signature of a later head tells, also to somebody who never saw it."""
    two.done("verify", "--sign", str(key))
    cut(two, 7)
    shutil.rmtree(os.environ["XDG_STATE_HOME"])
    assert "ends at position 7, before 14" in two.refuses("verify")


def test_what_cannot_sign_is_told(two: Cli, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """No key, or one that is none, is a sentence, and nothing is kept."""
    monkeypatch.setenv("HOME", str(tmp_path))
    (tmp_path / "id").write_text("no key")
    assert "there is no key in" in two.refuses("verify", "--sign")
    assert "cannot be signed with" in two.refuses("verify", "--sign", str(tmp_path / "id"))
    monkeypatch.setenv("PATH", "")
    assert "ssh-keygen cannot be run" in two.refuses("verify", "--sign", str(tmp_path / "id"))
    assert "signed" not in two.done("verify").out


def test_a_log_that_was_seen_is_checked_before_anything_is_done(tmp_path: Path) -> None:
    """The check is one of the log, not of the command line."""
    log = SqliteLog(tmp_path / "log.db", create=True)
    log.append([event()])
    seen.remember(log, tmp_path / "log.db")
    other = SqliteLog(tmp_path / "other.db", create=True)
    with pytest.raises(LogRewound, match="is another one"):
        seen.check(other, tmp_path / "log.db")
