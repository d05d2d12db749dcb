"""Secrets are set, listed, rotated, given new keys and shredded, and never shown."""

import os
import pty
import sqlite3
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from tests.lasercats.cli.conftest import Cli

VALUES = ("hunter2-one", "hunter2-two", "hunter2-three", "hunter2-four")
ONE, TWO, THREE, FOUR = VALUES
Place = Callable[..., str]


def text(place: str) -> str:
    """Return what a file on this machine holds."""
    return Path(place.partition(":")[2]).read_text()


def rows(cli: "Cli") -> dict[str, Any]:
    """Return what is listed of each secret."""
    return {row["secret"]: row for row in cli.done("secret", "list", "--json").data["secrets"]}


def states(cli: "Cli", name: str) -> list[str]:
    """Return the states of the keys of a secret."""
    return [version["state"] for version in rows(cli)[name]["versions"]]


def test_a_named_secret_is_written_wherever_it_is_named(cli: "Cli", place: Place) -> None:
    """A secret with a name is used by commands and documents, and a new value goes to all of them."""
    cli.done("secret", "set", "db", "-", stdin=f"{ONE}\n")
    cli.done("file", "write", place("f"), "--secret", "secret:db")
    document = cli.file("site.yaml", f"resources:\n  file/{place('g', 'b')}:\n    secret: secret:db\n")
    cli.done("apply", "--yes", document)
    assert text(place("f")) == text(place("g")) == ONE
    assert rows(cli)["secret:db"]["used"] == [f"file/{place('f')} secret", f"file/{place('g', 'b')} secret"]
    ran = cli.done("secret", "rotate", "db", "-", "--yes", stdin=TWO)
    assert "plan: 2 to change" in ran.err
    assert text(place("f")) == text(place("g")) == TWO
    assert "nothing to do" in cli.done("plan", document).err
    assert "outside" not in ran.err
    cli.done("undo", "HEAD~1..HEAD")
    assert text(place("f")) == text(place("g")) == ONE
    assert "1 to change" in cli.done("plan", document).err  # the document means the value of now
    assert cli.log()[-1]["status"] == "done"
    cli.verifies()


def test_a_name_is_set_once(cli: "Cli") -> None:
    """A name that is taken, and what is no name, are refused; a name that is not there is told."""
    cli.done("secret", "set", "db", "-", stdin=ONE)
    assert cli.refuses("secret", "set", "db", "-", stdin=TWO) == (
        "there is a secret 'db'; `lasercats secret rotate db REFERENCE` gives it a new value"
    )
    assert "is no name of a secret" in cli.refuses("secret", "set", "a/b", "-", stdin=TWO)
    assert "no secret is called 'nope'" in cli.refuses("file", "write", "a:/x", "--secret", "secret:nope")
    assert "no secret is called 'nope'" in cli.refuses("secret", "rotate", "nope", "-", stdin=TWO)
    assert "no secret is called 'nope'" in cli.refuses("secret", "shred", "nope", "--yes")


def test_the_secret_of_several_addresses_is_rotated_at_all(cli: "Cli", place: Place) -> None:
    """What one command brought to two addresses is one secret; one of them that got its own is another."""
    cli.done("file", "write", place("f"), place("g"), place("h"), "--secret", "-", stdin=ONE)
    cli.done("file", "write", place("h"), "--secret", "-", stdin=FOUR)
    cli.done("secret", "rotate", f"file/{place('f')}", "-", "--yes", stdin=TWO)
    assert [text(place(name)) for name in "fgh"] == [TWO, TWO, FOUR]
    assert [row["status"] for row in cli.log()] == ["done"] * len(cli.log())


def test_a_rotation_is_shown_and_agreed_to(cli: "Cli", place: Place) -> None:
    """Without agreement, and where it is only predicted, a rotation changes nothing."""
    cli.done("file", "write", place("f"), "--secret", "-", stdin=ONE)
    address = f"file/{place('f')}"
    ran = cli("secret", "rotate", address, "-", stdin=TWO)
    assert ran.code == 1
    assert "agree with --yes" in ran.err
    assert "plan: 1 to change" in ran.err
    cli.done("secret", "rotate", address, "-", "--check", stdin=TWO)
    script = cli.done("secret", "rotate", address, "-", "--interpreter", "script", stdin=TWO)
    assert TWO not in script.out + script.err
    assert text(place("f")) == ONE
    assert states(cli, f"{address} secret") == ["current"]
    assert "is found" in cli.refuses("secret", "rotate", address)
    assert "holds no secret" in cli.refuses("secret", "rotate", f"file/{place('none')}", "-", stdin=ONE)


def test_a_rotation_goes_on_where_it_did_not_come_to_its_end(cli: "Cli", place: Place) -> None:
    """A rotation of which a part failed writes only what is left when it is given the same value again."""
    cli.done("secret", "set", "db", "-", stdin=ONE)
    cli.done("file", "write", place("f"), place("g", "b"), "--secret", "secret:db")
    config = cli.folder / "lasercats.toml"
    good = config.read_text()
    config.write_text(good.replace('b = "local:"', 'b = "ssh://nobody@127.0.0.1:1?connect_timeout=5"'))
    assert cli("secret", "rotate", "db", "-", "--yes", stdin=TWO).code == 1
    assert (text(place("f")), text(place("g"))) == (TWO, ONE)
    config.write_text(good)
    before = states(cli, "secret:db")
    again = cli.done("secret", "rotate", "db", "-", "--yes", stdin=TWO)
    assert text(place("g")) == TWO
    assert f"file/{place('f')}\n" not in again.out
    assert states(cli, "secret:db") == before == ["old", "current"]
    assert "nothing to do" in cli.done("secret", "rotate", "db", "-", "--yes", stdin=TWO).err


def test_a_place_with_a_named_secret_is_rotated_by_its_name(cli: "Cli", place: Place) -> None:
    """The address of a secret that has a name is no place to change it: others have it, too."""
    cli.done("secret", "set", "db", "-", stdin=ONE)
    cli.done("file", "write", place("f"), "--secret", "secret:db")
    refusal = cli.refuses("secret", "rotate", f"file/{place('f')}", "-", "--yes", stdin=TWO)
    assert "holds the secret 'db'; `lasercats secret rotate db REFERENCE`" in refusal


def test_new_keys_change_no_value_and_no_machine(cli: "Cli", place: Place) -> None:
    """After `rotate --key` nothing is to be done, no drift is found, and what was before can be undone."""
    cli.done("file", "write", place("f"), "--secret", "-", stdin=ONE)
    cli.done("file", "write", place("f"), "--secret", "-", stdin=TWO)
    cli.done("secret", "set", "db", "-", stdin=THREE)
    cli.done("file", "write", place("g"), "--secret", "secret:db")
    old = cli.done("document").out
    modified = Path(place("f").partition(":")[2]).stat().st_mtime_ns
    done = cli.done("secret", "rotate", "--key", "-m", "yearly")
    assert "2 secrets with a new key" in done.err
    row = cli.log()[-1]
    assert (row["type"], row["message"], row["actor"]) == ("secret.resealed", "yearly", "tester")
    assert old != cli.done("document").out
    assert "nothing to do" in cli.done("plan", "-", stdin=old).err
    assert "nothing to do" in cli.done("plan", "-", stdin=cli.done("document").out).err
    assert "all as the state says" in cli.done("drift").err
    assert "2 sealed anew" in cli.done("log").out
    assert "sealed anew:" in cli.done("show", str(row["position"])).out
    assert Path(place("f").partition(":")[2]).stat().st_mtime_ns == modified
    first = next(row["position"] for row in cli.log()[1:])
    cli.done("undo", str(first))
    assert text(place("f")) == ONE
    cli.verifies()
    assert "both end in the same state, 2 resources compared" in cli.done("rewrite").err


def test_only_the_named_secret_gets_a_new_key(cli: "Cli", place: Place) -> None:
    """`rotate --key` with a name or an address leaves the others as they are."""
    for name in "fg":
        cli.done("file", "write", place(name), "--secret", "-", stdin=ONE)
    cli.done("secret", "rotate", "--key", f"file/{place('f')}")
    assert states(cli, f"file/{place('f')} secret") == ["old", "current"]
    assert states(cli, f"file/{place('g')} secret") == ["current"]


def test_what_was_shredded_cannot_be_had_again(cli: "Cli", place: Place) -> None:
    """After a rotation and a shred, undo of it is refused with the reason, and all else goes on."""
    address = f"file/{place('f')}"
    cli.done("file", "write", place("f"), "--secret", "-", stdin=ONE)
    cli.done("secret", "rotate", address, "-", "--yes", stdin=TWO)
    document = cli.done("document", "--as-of", "1").out
    ran = cli.done("secret", "shred", address, "--yes")
    assert "version 1 of" in ran.out
    assert "1 past value would be gone for good" in ran.err
    assert "environment default" in ran.err
    assert states(cli, f"{address} secret") == ["destroyed", "current"]
    result = cli("undo", "HEAD")
    assert result.code == 1
    assert f"a past value of {address} secret cannot be read any more" in result.err
    assert "its key was destroyed by tester" in result.err
    assert "its key was destroyed" in cli.refuses("plan", "-", stdin=document)
    for verb in (
        ["log"],
        ["state"],
        ["state", "--as-of", "1"],
        ["document"],
        ["show", "1"],
        ["blame", address],
    ):
        cli.done(*verb)
    cli.verifies()
    assert "all as the state says" in cli.done("drift").err
    cli.done("file", "write", place("f"), "--secret", "-", stdin=THREE)
    cli.done("undo", "HEAD")
    assert text(place("f")) == TWO


def test_nothing_is_shredded_that_is_in_use(cli: "Cli", place: Place) -> None:
    """A key that a state uses, of whatever environment, or a machine's URL, is not destroyed."""
    address = f"file/{place('f')}"
    cli.done("file", "write", place("f"), "--secret", "-", stdin=ONE)
    cli.done("file", "write", place("f"), "--secret", "-", stdin=TWO)
    refusal = cli.refuses("secret", "shred", address, "--yes")
    assert refusal == (
        f"a value that would be destroyed is in use, as it is in the state at {address}; seal that with "
        f"another key first, by `lasercats secret rotate --key {address}`"
    )
    config = cli.folder / "lasercats.toml"
    config.write_text(config.read_text() + '\n[environments.test.machines]\na = "local:"\n')
    cli.done("--env", "test", "file", "write", place("f"), "--secret", "-", stdin=ONE)
    cli.done("secret", "rotate", "--key", address)
    assert "in the state of environment test" in cli.refuses("secret", "shred", address, "--yes")
    cli.done("--env", "test", "secret", "rotate", "--key", address)
    assert "in the state" in cli.refuses("secret", "shred", address, "--yes")  # the second key is of here
    cli.done("secret", "rotate", "--key", address)
    cli.done("--env", "test", "secret", "rotate", "--key", address)
    assert "in the state" in cli.refuses("secret", "shred", address, "--yes")


def test_a_shred_is_agreed_to(cli: "Cli", place: Place) -> None:
    """Without agreement nothing is destroyed, and a secret without a past has nothing to be destroyed."""
    address = f"file/{place('f')}"
    cli.done("file", "write", place("f"), "--secret", "-", stdin=ONE)
    cli.done("secret", "rotate", "--key", address)
    ran = cli("secret", "shred", address)
    assert ran.code == 1
    assert "nothing was destroyed" in ran.err
    assert states(cli, f"{address} secret") == ["old", "current"]
    cli.done("secret", "shred", address, "--yes")
    assert "has no past value" in cli.refuses("secret", "shred", address, "--yes")
    assert "name the secrets" in cli.refuses("secret", "shred", "--yes")


def test_a_name_is_given_up_where_nothing_uses_it(cli: "Cli", place: Place) -> None:
    """`shred --all` takes a named secret away with its present value, unless it stands somewhere."""
    cli.done("secret", "set", "db", "-", stdin=ONE)
    cli.done("file", "write", place("f"), "--secret", "secret:db")
    assert "the secret 'db' is in use" in cli.refuses("secret", "shred", "db", "--all", "--yes")
    cli.done("file", "remove", place("f"))
    assert "has no past value" in cli.refuses("secret", "shred", "db", "--yes")
    cli.done("secret", "shred", "db", "--all", "--yes")
    assert "no secret is called" in cli.refuses("file", "write", place("g"), "--secret", "secret:db")
    assert "its key was destroyed" in cli("undo", "HEAD").err
    cli.done("secret", "set", "db", "-", stdin=TWO)
    cli.done("file", "write", place("g"), "--secret", "secret:db")
    assert text(place("g")) == TWO


SEALED = Path(__file__).parent.parent / "operate" / "sealed"


@pytest.fixture
def of_before(cli: "Cli") -> "Cli":
    """A project with a log of format 4 whose secrets were sealed with the one key of then."""
    cli.path.unlink()
    database = sqlite3.connect(cli.path)
    database.executescript((SEALED / "format-4.sql").read_text())
    database.close()
    key = cli.folder / ".lasercats" / "key"
    key.write_bytes((SEALED / "format-4.key").read_bytes())
    key.chmod(0o600)
    return cli


def test_secrets_of_before_stay_readable(of_before: "Cli", monkeypatch: pytest.MonkeyPatch) -> None:
    """A log with tokens of the one key of a project is read, compared and undone as before."""
    cli = of_before
    monkeypatch.setenv("SAME", "second-fixture")
    assert "nothing to do" in cli.done("plan", "-", stdin=cli.done("document").out).err
    site = "resources:\n  file/local:/tmp/lc-fixture/a:\n    secret: env:SAME\n"
    assert "nothing to do" in cli.done("plan", "-", stdin=site).err
    assert "would be: 1 changed" in cli.done("undo", "8", "--check").err
    (row,) = rows(cli).values()
    assert len(row["used"]) == 3
    cli.verifies()


def test_secrets_of_before_get_keys_of_their_own(of_before: "Cli") -> None:
    """`rotate --key` gives each secret of before its own key, and then the one key can be destroyed."""
    cli = of_before
    before = cli.done("document").out
    assert "in use" in cli.refuses("secret", "shred", "--before", "--yes")
    cli.done("secret", "rotate", "--key")
    assert "nothing to do" in cli.done("plan", "-", stdin=before).err
    assert "would be: 1 changed" in cli.done("undo", "8", "--check").err
    ran = cli.done("secret", "shred", "--before", "--yes")
    assert "past values would be gone" in ran.err
    assert (cli.folder / ".lasercats" / "key").read_bytes() != (SEALED / "format-4.key").read_bytes()
    assert "its key was destroyed" in cli("undo", "8", "--check").err
    assert "its key was destroyed" in cli.refuses("plan", "-", stdin=before)
    assert "nothing to do" in cli.done("plan", "-", stdin=cli.done("document").out).err
    cli.verifies()


def test_no_value_is_found_anywhere(cli: "Cli", place: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whatever is done with secrets, none stands in a file of the project or in what is printed."""
    monkeypatch.setenv("LC_ONE", ONE)
    cli.file("two", TWO)
    printed = list[str]()

    def run(*args: str, stdin: str = "") -> None:
        ran = cli(*args, stdin=stdin)
        printed.extend((ran.out, ran.err))

    run("secret", "set", "db", "env:LC_ONE")
    run("file", "write", place("f"), place("g"), "--secret", "secret:db", "--diff")
    run("file", "write", place("h"), "--secret", "file:two", "--json")
    run("secret", "rotate", "db", "-", "--yes", "--diff", stdin=THREE)
    run("secret", "rotate", f"file/{place('h')}", f"cmd:printf {FOUR}", "--yes", "--json")
    Path(place("h").partition(":")[2]).write_text(TWO)
    run("drift", "--adopt", "--json")
    run("secret", "rotate", "--key", "--json")
    run("undo", "HEAD")
    for verb in ("state", "document", "log", "secret list", "query --tables"):
        run(*verb.split())
        run(*verb.split(), "--json")
    run("query", "SELECT * FROM file")
    run("query", "SELECT body FROM events")
    run("rewrite")
    run("plan", "-", "--out", "saved", stdin=cli.done("document").out)
    run("secret", "shred", "db", "--yes", "--json")
    run("secret", "key", "--to", "file")
    assert text(place("f")) == THREE
    held = [path for path in cli.folder.rglob("*") if path.is_file() and "/t/" not in str(path)]
    for path in held:
        if path.name != "two":
            assert not any(value.encode() in path.read_bytes() for value in VALUES), path
    assert not any(value in one for value in VALUES for one in printed)


def test_a_secret_is_asked_for_at_a_terminal_and_not_shown(cli: "Cli", place: Place) -> None:
    """Typed at a terminal, a secret does not appear there."""
    master, slave = pty.openpty()
    line = [sys.executable, "-m", "lasercats", "secret", "set", "db", "-"]
    if not Path(sys.executable).with_name("lasercats").exists():
        pytest.skip("the command is not installed")
    line = [str(Path(sys.executable).with_name("lasercats")), *line[3:]]
    with subprocess.Popen(
        line, cwd=cli.folder, stdin=slave, stdout=slave, stderr=slave, start_new_session=True
    ) as process:
        os.close(slave)
        said = b""
        while b"The secret: " not in said:
            said += os.read(master, 1000)
        os.write(master, ONE.encode() + b"\n")
        while b"is set" not in said:
            said += os.read(master, 1000)
        assert process.wait() == 0
    os.close(master)
    assert ONE.encode() not in said
    cli.done("file", "write", place("f"), "--secret", "secret:db")
    assert text(place("f")) == ONE


def test_an_address_with_spaces_is_told_whole(
    cli: "Cli", place: Place, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Where a secret stands is told to the end of the address, also where that has spaces."""
    monkeypatch.setenv("LC_ONE", ONE)
    cli.done("secret", "set", "db", "env:LC_ONE")
    cli.done("file", "write", place("a b"), "--secret", "secret:db")
    assert f"file/{place('a b')}\n" in cli.done("secret", "list").out
