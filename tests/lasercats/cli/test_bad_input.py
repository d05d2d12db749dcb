"""What an operator mistypes: one sentence, the nearest name, and nothing in the log."""

from collections.abc import Callable
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from tests.lasercats.cli.conftest import Cli


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ("fil", "no verb is called 'fil'; did you mean 'file'?"),
        ("file wrte a:/x", "no verb is called 'wrte'; did you mean 'write'?"),
        ("zzz", "no verb is called 'zzz'; `lasercats --help` lists them"),
        ("machine ad x local:", "no verb is called 'ad'; did you mean 'add'?"),
        ("observe fil/a:/x", "no kind is called 'fil'; did you mean 'file'?"),
        (
            "file write a:/x --contnt x",
            "No such option '--contnt'. Did you mean '--content'?; see `lasercats file write --help`",
        ),
        ("file write web:/x --content x", "no machine is called 'web'; add it with "),
        ("exec c -- true", "no machine is called 'c'; add it with `lasercats machine add NAME URL`"),
        ("exec q* -- true", "no machine fits 'q*'; `lasercats machine list` shows which there are"),
        ("--env defalt state", "no environment is called 'defalt'; did you mean 'default'?"),
        ("--env prod state", "no environment is called 'prod'; there are: default"),
        (
            "file write a:/x --content x --interpreter lve",
            "no interpreter is called 'lve'; did you mean 'live'?",
        ),
        ("machine remove zz", "no machine is called 'zz'; add it with"),
        ("machine check locl", "no machine is called 'locl'; did you mean 'local'?"),
        ("completion bsh", "'bsh' is not one of 'bash', 'zsh', 'fish'; see `lasercats completion --help`"),
    ],
)
def test_an_unknown_name_is_told_with_the_nearest(cli: "Cli", line: str, message: str) -> None:
    """A name of nothing is refused with the nearest one or the remedy, and nothing is logged."""
    assert message in cli.refuses(*line.split())


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("a:etc/x", "'a:etc/x' is no path on a machine; write MACHINE:/PATH, as in web1:/etc/motd"),
        ("/etc/x", "'/etc/x' is no path on a machine; write MACHINE:/PATH, as in web1:/etc/motd"),
        ("a:/tmp/../x", "path '/tmp/../x' climbs with '..'; write the path that is meant"),
        ("a:/", "'a:/' is the root directory, which cannot be managed"),
        ("a://", "'a://' is the root directory, which cannot be managed"),
        (":/x", "'file/:/x' names no machine before the colon; write MACHINE:REST"),
    ],
)
def test_a_bad_path_is_refused(cli: "Cli", name: str, message: str) -> None:
    """A path that cannot be managed is refused before anything is accepted."""
    assert cli.refuses("file", "write", name, "--content", "x") == message


def test_a_name_of_many_lines_is_one(cli: "Cli", place: Callable[..., str]) -> None:
    """A control character in a path is taken as its escape, so that no name makes up a line."""
    address = cli.done("file", "write", place("x\ny"), "--content", "x", "--check", "--json").data
    assert list(address["results"][0]["delta"]) == [f"file/{place('x')}\\x0ay"]


@pytest.mark.parametrize("mode", ["rwx", "888", "00644", "-1", "0o644"])
def test_a_bad_mode_is_refused(cli: "Cli", mode: str) -> None:
    """A mode that is not one to four octal digits is refused, naming the field."""
    refusal = cli.refuses("file", "write", "a:/x", "--content", "x", f"--mode={mode}")
    assert refusal.startswith("command file.write: field 'mode': ")


@pytest.mark.parametrize("owner", ["", "a:b", "a\nb"])
def test_a_bad_owner_is_refused(cli: "Cli", owner: str) -> None:
    """An owner that can be no name on any host is refused, naming the field."""
    refusal = cli.refuses("file", "write", "a:/x", "--content", "x", f"--owner={owner}")
    assert refusal.startswith("command file.write: field 'owner': ")


@pytest.mark.parametrize("owner", ["a b", "$(id)", "-x", "`id`", "'"])
def test_an_odd_owner_is_one_word(cli: "Cli", place: "Callable[..., str]", owner: str) -> None:
    """An owner that a host can have comes to it as one word, and is no option and no code."""
    failure = cli.fails("file", "write", place("x"), "--content", "x", f"--owner={owner}", status="failed")
    assert "invalid user: " in failure
    assert owner.strip("'") in failure
    assert "uid=" not in failure


def test_content_and_source_exclude_each_other(cli: "Cli") -> None:
    """A content and a source together are refused, and both are named."""
    source = cli.file("s", "x")
    refusal = cli.refuses("file", "write", "a:/x", "--content", "x", "--source", source)
    assert "'content'" in refusal
    assert "'source'" in refusal
    assert "no field of" not in refusal


def test_content_and_source_are_refused_at_all(cli: "Cli") -> None:
    """A content and a source together touch nothing."""
    source = cli.file("s", "x")
    assert "source" in cli.refuses("file", "write", "a:/x", "--content", "x", "--source", source)


def test_a_source_that_is_missing(cli: "Cli") -> None:
    """A source that is not there is told by its name."""
    refusal = cli.refuses("file", "write", "a:/x", "--source", "nope")
    assert refusal == "nope cannot be read: No such file or directory"


SOURCES = "env:NAME or file:PATH, or one of age:, aws:, cmd:, secret:, vault:"
NEVER = f"a secret is never written in clear; give {SOURCES}"


@pytest.mark.parametrize(
    ("secret", "message"),
    [
        ("hunter2", NEVER),
        ("env:LC_NOT_SET", "the secret is to come from the variable LC_NOT_SET, which is not set; export it"),
        ("file:nope", "nope cannot be read: No such file or directory"),
        ("pass:word", NEVER),
        ("-sealed:", NEVER),
    ],
)
def test_a_secret_is_never_taken_in_clear(cli: "Cli", secret: str, message: str) -> None:
    """A secret comes from a file or a variable that is there, or not at all."""
    assert cli.refuses("file", "write", "a:/x", "--secret", secret) == message


def test_a_secret_never_stands_in_the_log(cli: "Cli", monkeypatch: pytest.MonkeyPatch) -> None:
    """What a secret says is neither in the log file nor in what is shown."""
    monkeypatch.setenv("LC_SECRET", "hunter2-hunter2")
    name = f"a:{cli.folder}/secret"
    ran = cli.done("file", "write", name, "--secret", "env:LC_SECRET", "--diff")
    assert (cli.folder / "secret").read_text() == "hunter2-hunter2"
    shown = ran.out + ran.err + cli.done("state").out + cli.done("document").out + cli.done("show", "1").out
    shown += cli.done("log", "--json").out + cli.done("file", "write", name, "--content=x", "--check").out
    assert "hunter2" not in shown
    for file in (cli.folder / ".lasercats").iterdir():
        assert b"hunter2" not in file.read_bytes()


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ("machine add a local:", "machine 'a' is there already (local:); remove it first"),
        ("machine add z bad:", "no machine scheme is called 'bad'; there are: aws, "),
        ("machine add z local:?x=1", "no option of a machine URL is called 'x'; there are: sudo, timeout"),
        ("machine add z ssh://", "'ssh://' names no host; write ssh://user@host:port"),
        ("machine add z ssh://u:p@h", "a machine URL must not carry a password; use a key or an agent"),
        ("machine add a/b local:", "'a/b' is no machine name; use letters, digits, '.', '_' and '-'"),
        ("exec a", "no command is given; write `lasercats exec MACHINE... -- COMMAND ...`"),
        ("exec a --", "no command is given; write `lasercats exec MACHINE... -- COMMAND ...`"),
        ("file write", "Missing argument 'NAME...'; see `lasercats file write --help`"),
        ("file chmod a:/x", "Missing option '--mode'; see `lasercats file chmod --help`"),
        ("log -n 0", "0 is not in the range x>=1; see `lasercats log --help`"),
        ("drift --adopt --revert", "--adopt keeps what was found and --revert puts it back; choose one"),
        (
            "plan x.yaml --interpreter live",
            "a plan changes nothing, so its interpreter is simulate or script",
        ),
        ("observe a:/x", "'a:/x' is not an address; write KIND/NAME, as in file/web1:/etc/motd"),
        ("state file/a:/x", "file/a:/x is not in the state; `lasercats observe file/a:/x` would manage it"),
    ],
)
def test_a_bad_line_is_refused(cli: "Cli", line: str, message: str) -> None:
    """What makes no sense is refused with the remedy, and nothing is logged."""
    assert message in cli.refuses(*line.split())


@pytest.mark.parametrize("url", ["ssh://h?connect_timeout=soon", "local:?timeout=-1", "local:?sudo=maybe"])
def test_an_option_of_a_url_is_checked_when_it_is_given(cli: "Cli", url: str) -> None:
    """A machine whose options have values that make no sense is refused when it is added."""
    assert "option" in cli.refuses("machine", "add", "z", url)


@pytest.mark.parametrize("url", ["local://web1", "local://root@web1", "local:web1", "local:///srv"])
def test_a_local_machine_that_names_a_host_is_refused(cli: "Cli", url: str) -> None:
    """What is meant for another host never acts on this one."""
    assert "names another host; write local:" in cli.refuses("machine", "add", "m", url)


def test_keys_that_mean_nothing_are_said(cli: "Cli") -> None:
    """A misspelt key of lasercats.toml is named, in whatever table; the verb does its work."""
    path = cli.folder / "lasercats.toml"
    path.write_text('lgo = "x"\n' + path.read_text() + '\n[environments.default.machnes]\nb = "local:"\n')
    ran = cli.done("state")
    assert "lasercats.toml has 'lgo', which means nothing" in ran.err
    assert "lasercats.toml has 'environments.default.machnes', which means nothing" in ran.err
