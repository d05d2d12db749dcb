"""What is secret stays sealed: in the log, in documents, and in front of hosts that know tokens."""

from collections.abc import Callable
from pathlib import Path

import pytest

from tests.lasercats.cli.conftest import Cli

Place = Callable[[str], str]
WORD = "hunter2-and-more"


@pytest.fixture(autouse=True)
def word(monkeypatch: pytest.MonkeyPatch) -> None:
    """Have a secret in the environment."""
    monkeypatch.setenv("WORD", WORD)


@pytest.fixture
def folder(place: Place, tmp_path: Path) -> Path:
    """Return the folder of the places."""
    assert place("x")
    return tmp_path / "t"


def written(cli: Cli) -> bytes:
    """Return all bytes that the project's folder holds."""
    return b"".join(p.read_bytes() for p in (cli.folder / ".lasercats").iterdir() if p.is_file())


def token(cli: Cli, address: str) -> str:
    """Return the token of a secret as a document holds it."""
    document = cli.done("document", "--json").data
    text: str = document["resources"][address]["secret"]
    return text


def test_a_host_that_knows_a_token_gets_no_secret(cli: Cli, place: Place, folder: Path) -> None:
    """A token that stands in a file whose content is managed is text: observed, undone and written."""
    cli.done("file", "write", place("db"), "--secret", "env:WORD")
    known = token(cli, f"file/{place('db')}")
    cli.done("file", "write", place("motd"), "--content", "Welcome")
    (folder / "motd").write_text(known)
    cli.done("file", "write", place("motd"), "--content", "Hello")
    cli.done("undo", "HEAD")
    assert (folder / "motd").read_text() == known
    (folder / "motd").write_text("odd")
    cli.done("drift", "--revert")
    assert (folder / "motd").read_text() == known


@pytest.mark.parametrize("text", ["sealed:", "sealed: the jar", "sealed:QUJDREVGR0hJSktMTU5PUA=="])
def test_a_text_that_looks_sealed_is_a_text(cli: Cli, place: Place, folder: Path, text: str) -> None:
    """It is written, shown, told in a document and put back like any other."""
    cli.done("file", "write", place("jar"), "--content", text)
    assert (folder / "jar").read_text() == text
    assert cli.done("state", "--json").data["resources"][f"file/{place('jar')}"]["content"] == text
    (folder / "site.yaml").write_text(cli.done("document").out)
    cli.done("file", "write", place("jar"), "--content", "open")
    cli.done("apply", str(folder / "site.yaml"), "--yes")
    assert (folder / "jar").read_text() == text
    cli.verifies()


@pytest.mark.parametrize("mode", [0o600, 0o640, 0o644, 0o755])
def test_what_is_there_when_a_secret_is_written_is_sealed(
    cli: Cli, place: Place, folder: Path, mode: int
) -> None:
    """The password that was there, in whatever file, stands nowhere in clear, and undo puts it back."""
    (folder / "db").write_text("the-old-password")
    (folder / "db").chmod(mode)
    ran = cli.done("file", "write", place("db"), "--secret", "env:WORD", "--diff")
    assert "the-old" not in ran.out + ran.err
    cli.done("undo", "HEAD")
    assert (folder / "db").read_text() == "the-old-password"
    assert b"the-old" not in written(cli)


def test_a_secret_that_is_there_already_is_no_change(cli: Cli, place: Place, folder: Path) -> None:
    """Taking over a file that holds the secret writes nothing, and reads nothing of it."""
    (folder / "db").write_text(WORD)
    (folder / "db").chmod(0o600)
    cli.done("file", "write", place("db"), "--secret", "env:WORD")
    assert cli.log()[-1]["status"] == "unchanged"
    assert WORD.encode() not in written(cli)


def test_a_managed_content_that_becomes_a_secret_is_sealed(cli: Cli, place: Place, folder: Path) -> None:
    """What others put meanwhile into a file that gets a secret now is read sealed."""
    cli.done("file", "write", place("db"), "--content", "password = changeme")
    (folder / "db").write_text("the-old-password")
    cli.done("file", "write", place("db"), "--secret", "env:WORD")
    assert b"the-old" not in written(cli)
    cli.done("undo", "HEAD")
    assert (folder / "db").read_text() == "the-old-password"


@pytest.mark.parametrize("verb", [("chmod", "--mode", "0600"), ("chown", "--group", "daemon")])
def test_attributes_are_changed_without_reading(
    cli: Cli, place: Place, folder: Path, verb: tuple[str, ...]
) -> None:
    """Nothing of the content of what nobody manages comes over where only attributes are changed."""
    for name in ("open", "closed"):
        (folder / name).write_text("the-old-password")
    (folder / "closed").chmod(0o640)
    cli.done("file", verb[0], place("open"), place("closed"), *verb[1:])
    assert b"the-old" not in written(cli)
    cli.done("undo", "HEAD")
    assert (folder / "closed").stat().st_mode & 0o777 == 0o640


def test_what_not_everybody_may_read_is_observed_sealed(cli: Cli, place: Place, folder: Path) -> None:
    """Keys and passwords enter the state sealed, what all may read in clear; `--in-clear` has all so."""
    for name, mode in (("all", 0o644), ("group", 0o640), ("own", 0o600), ("odd", 0o604)):
        (folder / name).write_text(f"the-content-of-{name}")
        (folder / name).chmod(mode)
    names = [f"file/{place(name)}" for name in ("all", "group", "own", "odd")]
    cli.done("observe", *names)
    state = cli.done("state", "--json").data["resources"]
    assert [("secret" in state[name], "content" in state[name]) for name in names] == [
        (False, True),
        (True, False),
        (True, False),
        (False, True),
    ]
    assert b"the-content-of-group" not in written(cli)
    assert b"the-content-of-own" not in written(cli)
    cli.done("forget", *names)
    cli.done("observe", "--in-clear", *names)
    state = cli.done("state", "--json").data["resources"]
    assert {state[name]["content"] for name in names} >= {"the-content-of-group", "the-content-of-own"}


def test_what_is_removed_unmanaged_comes_back(cli: Cli, place: Place, folder: Path) -> None:
    """A closed file that nobody manages is removed with its content sealed, and undo brings it back."""
    (folder / "key").write_text("the-old-key")
    (folder / "key").chmod(0o600)
    cli.done("file", "remove", place("key"))
    assert b"the-old-key" not in written(cli)
    cli.done("undo", "HEAD")
    assert (folder / "key").read_text() == "the-old-key"


def test_a_clear_value_for_what_is_sealed_is_compared_sealed(cli: Cli, place: Place, folder: Path) -> None:
    """After observe, the document with the clear content has nothing to do; another value is sealed too."""
    (folder / "key").write_text("the-old-key")
    (folder / "key").chmod(0o600)
    cli.done("observe", f"file/{place('key')}")
    site = folder / "site.yaml"
    site.write_text(f"resources:\n  file/{place('key')}:\n    content: the-old-key\n    mode: '0600'\n")
    assert "nothing to do" in cli.done("plan", str(site)).err
    site.write_text(site.read_text().replace("the-old-key", "the-new-key"))
    ran = cli.done("apply", str(site), "--yes", "--diff")
    assert (folder / "key").read_text() == "the-new-key"
    assert "the-new-key" not in ran.out + ran.err
    assert b"the-new-key" not in written(cli)
    assert "nothing to do" in cli.done("plan", str(site)).err


def test_a_document_makes_a_content_a_secret(cli: Cli, place: Place, folder: Path) -> None:
    """Where the state has the content in clear, a document that gives a secret takes its place."""
    cli.done("file", "write", place("db"), "--content", "clear")
    site = folder / "site.yaml"
    site.write_text(f"resources:\n  file/{place('db')}:\n    secret: env:WORD\n")
    cli.done("apply", str(site), "--yes")
    assert (folder / "db").read_text() == WORD
    assert "nothing to do" in cli.done("plan", str(site)).err


def test_a_dry_run_shows_no_secret_of_others(cli: Cli, place: Place, folder: Path) -> None:
    """A plan that looks at what nobody manages yet reads it sealed where it is to hold a secret."""
    (folder / "db").write_text("the-old-password")
    site = folder / "site.yaml"
    site.write_text(f"resources:\n  file/{place('db')}:\n    secret: env:WORD\n")
    for verb in (("plan", "--refresh", "--diff"), ("plan", "--refresh", "--json")):
        ran = cli(*verb, str(site))
        assert "the-old" not in ran.out + ran.err
    ran = cli("file", "write", place("db"), "--secret", "env:WORD", "--check", "--diff")
    assert "the-old" not in ran.out + ran.err


def test_a_token_for_another_address_is_sealed_again_on_record(cli: Cli, place: Place, folder: Path) -> None:
    """A document may give a secret to another address; it is told, recorded, and has a token of its own."""
    cli.done("file", "write", place("db"), "--secret", "env:WORD")
    first = token(cli, f"file/{place('db')}")
    site = folder / "site.yaml"
    site.write_text(f"resources:\n  file/{place('copy')}:\n    secret: {first}\n")
    text = f"the secret of file/{place('db')} is sealed again for file/{place('copy')}"
    assert text in cli.done("plan", str(site)).err
    assert text in cli.done("apply", str(site), "--yes").err
    assert (folder / "copy").read_text() == WORD
    assert token(cli, f"file/{place('copy')}") != first
    shown = cli.done("show", "HEAD", "--json").data
    assert shown["resealed"] == {f"file/{place('copy')} secret": f"file/{place('db')}"}
    again = cli.done("plan", str(site))
    assert "nothing to do" in again.err
    assert "sealed again" not in again.err


def test_a_forged_token_is_refused(cli: Cli, place: Place) -> None:
    """What no key of the project sealed is told, and nothing is done."""
    cli.done("file", "write", place("db"), "--secret", "env:WORD")
    known = token(cli, f"file/{place('db')}")
    for forged in (known[:-6] + "AAAAAA", "sealed:AAAA", "sealed:"):
        assert "seal" in cli.refuses("file", "write", place("db"), "--secret", forged)
