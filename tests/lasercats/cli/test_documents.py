"""Documents that are wrong: told with file, line and column, and nothing is done."""

import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from tests.lasercats.cli.conftest import Cli


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("resources:\n  file/a:/x: {content: [}\n", "2:25: malformed YAML: "),
        ("resources:\n\tx: 1\n", "2:1: malformed YAML: "),
        ("resources: 'x\n", "malformed YAML: "),
        ("resource: {}\n", "1:1: unknown key 'resource'; it has one key, 'resources'"),
        ("- 1\n", "1:1: this is no document; it has one key, 'resources'"),
        ("resources: [1]\n", "1:1: resources must map addresses to fields"),
        ("resources:\n  fil/a:/x: {}\n", "2:3: no kind is called 'fil'; did you mean 'file'?"),
        ("resources:\n  file/a:x: {}\n", "2:3: 'a:x' is no path on a machine; write MACHINE:/PATH"),
        ("resources:\n  1: {}\n", "2:3: 1 is no address; write KIND/NAME, as in file/web1:/etc/motd"),
        ("resources:\n  file/a:/x: hi\n", "2:3: file/a:/x must hold fields, or {}"),
        (
            "resources:\n  file/a:/x:\n    contnt: x\n",
            "3:5: no field of file/a:/x is called 'contnt'; did you mean 'content'?",
        ),
        ("resources:\n  file/a:/x:\n    content: x\n    mode: 644\n", "4:5: file/a:/x: field 'mode': "),
        ("resources:\n  file/a:/x:\n    content: x\n    mode: 'rw'\n", "4:5: file/a:/x: field 'mode': "),
        ("resources:\n  file/a:/x:\n    content: 7\n", "3:5: file/a:/x: field 'content': "),
        ("resources:\n  file/a:/x: {}\n  file/a:/x: {}\n", "3:3: the key 'file/a:/x' stands twice"),
        (
            "resources:\n  file/a:/x:\n    content: a\n    content: b\n",
            "4:5: the key 'content' stands twice",
        ),
        ("resources:\n  file/a:/x: {}\n  file/a://x: {}\n", "3:3: file/a:/x stands here twice"),
        (
            "resources:\n  file/a:/x:\n    modified: now\n",
            "3:5: file/a:/x: field 'modified' is given by the machine and cannot be decided; leave it out",
        ),
        ("resources:\n  file/a:/x:\n    source: nope\n", "nope cannot be read: No such file or directory"),
        pytest.param(
            "resources:\n  file/a:/x:\n    secret: hunter2\n",
            "a secret is never written in clear; give env:NAME or file:PATH",
        ),
        ('{"resources": {"file/a:/x": {}, "file/a:/x": {}}}', "the key 'file/a:/x' stands twice"),
    ],
)
def test_a_wrong_document_is_told_with_its_place(cli: "Cli", text: str, reason: str) -> None:
    """A document that cannot be read is refused by plan and apply alike, with file, line and column."""
    file = cli.file("site.yaml", text)
    for verb in (["plan"], ["apply", "--yes"]):
        message = cli.refuses(*verb, file)
        assert message.startswith(f"{file}:")
        assert reason in message
        assert "hunter2" not in message


def test_a_mode_without_quotes_says_what_to_write(cli: "Cli") -> None:
    """A mode that YAML reads as a number is refused with a hint to quote it."""
    file = cli.file("site.yaml", "resources:\n  file/a:/x:\n    content: x\n    mode: 644\n")
    refusal = cli.refuses("plan", file)
    assert "quote" in refusal.removeprefix(file)


def test_content_and_source_exclude_each_other_in_a_document(cli: "Cli") -> None:
    """A content and a source in one resource are refused, and the message names both."""
    cli.file("s", "x")
    file = cli.file("site.yaml", "resources:\n  file/a:/x:\n    content: x\n    source: s\n")
    refusal = cli.refuses("plan", file)
    assert "content" in refusal
    assert "source" in refusal
    assert "no field of" not in refusal


def test_a_document_that_is_missing_or_no_text(cli: "Cli") -> None:
    """A file that is not there, an empty folder and bytes that are no text are told as such."""
    assert cli.refuses("plan", "nope.yaml") == "nope.yaml: cannot be read: No such file or directory"
    (cli.folder / "empty").mkdir()
    assert cli.refuses("plan", "empty") == "empty: there is no YAML or JSON file in this folder"
    (cli.folder / "bytes.yaml").write_bytes(b"\xff\xfe\x00")
    assert cli.refuses("plan", "bytes.yaml") == "bytes.yaml: this is not UTF-8 text"


def test_an_address_in_two_documents(cli: "Cli") -> None:
    """An address in two documents is refused, because the second would silently win."""
    one, two = (cli.file(f"{n}.yaml", "resources:\n  file/a:/x: {content: x}\n") for n in (1, 2))
    assert cli.refuses("plan", one, two) == f"{two}: file/a:/x stands in another of the documents too"


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ('{"command": "file.write", "on": "a:/x"\n', "standard input:1:39: malformed JSON: "),
        (
            '{"command": "file.wrte", "on": "a:/x"}\n',
            "standard input:1:1: no command is called 'file.wrte'; did you mean 'file.write'?",
        ),
        (
            '{"command": "file.remove", "on": "a:/x"}\n{"command": "file.write"}\n',
            "standard input:2:1: command file.write needs 'on', the address or addresses it is about",
        ),
        ('{"on": "a:/x"}\n', "standard input:1:1: a command needs a field 'command'"),
        ("- 1\n", "standard input:1:3: a command is a mapping with the key 'command'"),
        ("x: 1\n", "standard input: a file of commands is a list of them, or JSON lines"),
        ("- command: file.write\n  on: [a:/x\n", "standard input:3:1: malformed YAML: "),
        pytest.param(
            "- command: file.write\n  'on': a:/x\n  secret: hunter2\n",
            "standard input:1:3: a secret is never written in clear; give env:NAME or file:PATH",
        ),
        (
            "- {command: file.chmod, 'on': a:/x, mode: 420}\n",
            "standard input:1:3: command file.chmod: field 'mode': ",
        ),
    ],
)
def test_wrong_commands_are_told_with_their_place(cli: "Cli", text: str, reason: str) -> None:
    """A file of commands with one that is wrong is refused as a whole, with its line."""
    message = cli.refuses("issue", "-", stdin=text)
    assert message.startswith(reason)
    assert "hunter2" not in message


def test_on_needs_no_quotes_in_yaml(cli: "Cli") -> None:
    """A YAML list of commands may name its addresses by the plain key `on`."""
    text = f"- command: directory.create\n  on: a:{cli.folder}/new\n"
    assert cli("issue", "-", stdin=text).err.startswith("1 created; ")


def test_a_file_of_commands_that_is_missing(cli: "Cli") -> None:
    """A file of commands that is not there is told in one sentence."""
    assert cli.refuses("issue", "nope").startswith("nope cannot be read: ")


@pytest.mark.parametrize("text", ["x = [", "[environments]\n", "[environments.default.machines]\na = 1\n"])
def test_a_wrong_project_file(cli: "Cli", text: str) -> None:
    """A `lasercats.toml` that is malformed is told in one sentence."""
    (cli.folder / "lasercats.toml").write_text(text)
    assert cli.refuses("state")


def test_anchors_have_a_place_of_their_own(cli: "Cli", place: Callable[..., str]) -> None:
    """What stands at the top under `x-…` is not read itself; its fields are merged where it is named."""
    text = f"""\
x-base: &base {{content: base, mode: '0600'}}
x-anything: [1, {{no: field}}]
resources:
  file/{place("a")}: *base
  file/{place("b")}:
    <<: *base
    content: own
"""
    cli.done("apply", cli.file("site.yaml", text), "--yes")
    state = cli.done("state", "--json").data["resources"]
    parts = {name: (fields["content"], fields["mode"]) for name, fields in state.items()}
    assert parts == {f"file/{place('a')}": ("base", "0600"), f"file/{place('b')}": ("own", "0600")}


def test_a_fault_in_what_is_merged(cli: "Cli", place: Callable[..., str]) -> None:
    """A field that there is not is told of where it is written, though another place names it."""
    text = f"x-b: &b\n  content: x\n  mdoe: '0644'\nresources:\n  file/{place('a')}: {{<<: *b}}\n"
    refusal = cli.refuses("plan", cli.file("site.yaml", text))
    assert "site.yaml:3:3: " in refusal
    assert "did you mean 'mode'?" in refusal


def test_what_is_too_large_is_not_read(cli: "Cli", monkeypatch: pytest.MonkeyPatch) -> None:
    """What is beyond the limit is refused, also where it never ends; the limit can be raised."""
    comment = cli.file("large.yaml", "#" * (2 << 20))
    for verb in ("plan", "apply", "issue"):
        assert "has more than 1 MiB" in cli.refuses(verb, comment, "--max-size", "1")
        cli.done(verb, comment, "--max-size", "2")
        assert "/dev/zero has more than 1 MiB" in cli.refuses(verb, "/dev/zero", "--max-size", "1")
    monkeypatch.setenv("LASERCATS_MAX_SIZE", "1")
    assert "large.yaml has more than 1 MiB" in cli.refuses("plan", comment)


MAIN = "from lasercats.cli.main import main; main()"


def test_standard_input_that_never_ends(cli: "Cli") -> None:
    """It is read up to the limit, and no further."""
    with Path("/dev/zero").open("rb") as zeros:
        ran = subprocess.run(
            [sys.executable, "-c", MAIN, "-C", cli.folder, "plan", "-", "--max-size", "1"],
            stdin=zeros,
            capture_output=True,
            text=True,
            check=False,
        )
    assert ran.returncode == 1
    assert "standard input has more than 1 MiB" in ran.stderr


def test_a_command_that_says_one_thing_twice(cli: "Cli", place: Callable[..., str]) -> None:
    """A line of JSON is read as strictly as a document."""
    line = f'{{"command":"file.write","on":["file/{place("x")}"],"content":"a","content":"b"}}'
    assert "the key 'content' stands twice" in cli.refuses("issue", cli.file("c.jsonl", line))
    line = f'{{"command":"file.write","on":["file/{place("x")}"],"content":{"9" * 5000}}}'
    assert "a number in it is too long" in cli.refuses("issue", cli.file("c.jsonl", line))
