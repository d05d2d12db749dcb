"""Arguments and variables may be any bytes: they enter as text that every log can hold, and lose nothing."""

import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import click
import pytest
from hypothesis import given
from hypothesis import strategies as st

from lasercats.cli.arguments import CONTENT, FILE, NAME, TEXT, Typed
from lasercats.cli.main import root
from lasercats.core import content
from lasercats.core.text import escape, unescape

if TYPE_CHECKING:
    from tests.lasercats.cli.conftest import Cli

MAIN = [sys.executable, "-c", "from lasercats.cli.main import main; main()"]
BYTES = st.binary(max_size=20).map(lambda data: data.replace(b"\0", b"0"))
"""What may stand in a command line."""
ODD = os.fsdecode(b"caf\xe9")


def every_parameter() -> Iterator[tuple[str, click.Parameter]]:
    """Iterate over the parameters of all verbs, with the verb."""
    left: list[tuple[str, click.Command]] = [("lasercats", root)]
    while left:
        path, command = left.pop()
        context = click.Context(command)
        yield from ((path, parameter) for parameter in command.params)
        if isinstance(command, click.Group):
            found = [(name, command.get_command(context, name)) for name in command.list_commands(context)]
            left += [(f"{path} {name}", verb) for name, verb in found if verb is not None]


def test_every_parameter_says_what_it_takes() -> None:
    """No verb takes text as it comes from the shell, so none can let in what no log can hold."""
    plain = [
        (path, parameter.name)
        for path, parameter in every_parameter()
        if isinstance(parameter.type, type(click.STRING))
    ]
    assert plain == []
    assert sum(isinstance(parameter.type, Typed) for _, parameter in every_parameter()) > 200


@given(BYTES)
def test_a_value_can_be_stored_and_told_apart(data: bytes) -> None:
    """A value has no lone surrogate, is itself where it is UTF-8, and else stands for its bytes."""
    value = TEXT.convert(os.fsdecode(data), None, None)
    value.encode()
    try:
        assert value == data.decode()
    except UnicodeDecodeError:
        if b"\\x" not in data.lower():
            assert unescape(value) == data


@given(BYTES)
def test_a_name_is_in_its_one_form(data: bytes) -> None:
    """A name is one line, and the same name where what was made of it is typed again."""
    name = NAME.convert(os.fsdecode(data), None, None)
    name.encode()
    assert "\n" not in name
    assert NAME.convert(name, None, None) == name
    if b"\\x" not in data.lower():
        assert unescape(name) == data


@given(BYTES)
def test_a_content_is_its_bytes(data: bytes) -> None:
    """Content that is typed is the bytes that were typed."""
    typed = CONTENT.convert(os.fsdecode(data), None, None)
    if not data.startswith((b"data:", b"sha256:")):
        assert content.decode(typed) == data


@pytest.mark.parametrize(
    "words",
    [
        [b"\xff"],
        [b"caf\xe9 \xc3\xa9'\"$x`\\n", b"", b"plain"],
        [b"\xff\n7", b"%d\x80"],
        [rb"\xff", "é".encode()],
    ],
)
def test_the_words_of_a_command_are_the_bytes_that_were_typed(cli: "Cli", words: list[bytes]) -> None:
    """A raw command gets the very bytes, also those that look like an escape of ours."""
    shown = cli.folder / "shown"
    line = ["sh", "-c", f"printf '<%s>' \"$@\" >{shown}", "sh", *map(os.fsdecode, words)]
    cli.done("exec", "a", "--", *line)
    assert shown.read_bytes() == b"".join(b"<" + word + b">" for word in words)
    assert cli.log()[-1]["command"]["argv"][4:] == [escape(word, lines=True) for word in words]


def test_bytes_are_no_trouble_anywhere(cli: "Cli", monkeypatch: pytest.MonkeyPatch) -> None:
    """Message, actor, folder, document, source and reason of other bytes are recorded and found again."""
    monkeypatch.setenv("LASERCATS_ACTOR", ODD)
    folder = cli.folder / ODD
    folder.mkdir()
    (folder / ODD).write_bytes(b"\xff")
    cli.done("file", "write", f"a:{cli.folder}/f", "--source", str(folder / ODD), "-m", ODD)
    document = folder / f"{ODD}.yaml"
    document.write_text(f"resources:\n  file/a:{cli.folder}/g: {{source: {cli.folder}/f}}\n")
    cli.done("apply", str(document), "--yes")
    first, second = cli.log()
    assert (first["actor"], first["message"]) == (r"caf\xe9", r"caf\xe9")
    assert r"caf\xe9.yaml" in second["because"]
    assert (cli.folder / "g").read_bytes() == b"\xff"
    assert cli.done("log", "--actor", ODD, "--json").data == [first, second]
    assert cli.done("log", "--grep", ODD, "--json").data == [first, second]
    for word in (ODD, r"caf\xe9"):
        rows = cli.done("query", f"SELECT message FROM events WHERE message = '{word}'").out  # noqa: S608 - ours
        assert rows.split() == ["message", r"caf\xe9"]


def test_a_content_of_bytes(cli: "Cli") -> None:
    """Content of other bytes is written as it was typed."""
    cli.done("file", "write", f"a:{cli.folder}/f", "--content", os.fsdecode(b"\xff\xfe"))
    assert (cli.folder / "f").read_bytes() == b"\xff\xfe"


def test_a_project_in_a_folder_of_bytes(cli: "Cli") -> None:
    """A project may lie in a folder of other bytes, which `-C` and `init` reach and JSON can tell."""
    folder = cli.folder / ODD
    assert cli.done("init", str(folder), "--json").data == {"project": rf"{cli.folder}/caf\xe9"}
    assert (folder / "lasercats.toml").exists()
    assert cli.done("-C", str(folder), "machine", "list").out.splitlines()[1].split() == ["local", "local:"]


def test_a_command_of_bytes(cli: "Cli") -> None:
    """A raw command reaches the very file that was named, and is recorded as text."""
    victim = os.fsencode(cli.folder) + b"/caf\xe9"
    Path(os.fsdecode(victim)).write_text("x")
    cli.done("exec", "a", "--", "rm", os.fsdecode(victim))
    assert not Path(os.fsdecode(victim)).exists()
    assert cli.log()[-1]["status"] == "done"


def test_no_argument_of_bytes_ends_badly(cli: "Cli") -> None:
    """Each verb takes or refuses a word of other bytes in a sentence."""
    for verb in (
        "state",
        "blame",
        "log",
        "show",
        "diff",
        "undo",
        "observe",
        "drift",
        "query",
        "plan",
        "issue",
        ODD,
    ):
        ran = cli(verb, ODD)
        assert ran.code in (0, 1), (verb, ran)
    assert FILE.convert(ODD, None, None) == ODD


@pytest.mark.parametrize(
    "verb", [["plan", "-"], ["issue", "-"], ["query", "-"], ["plan", "f"], ["issue", "f"]]
)
def test_a_text_of_other_bytes_is_refused(cli: "Cli", verb: list[str]) -> None:
    """Documents, commands and queries are UTF-8; others are told so in a sentence."""
    (cli.folder / "f").write_bytes(b"resources: {\xff}\n")
    with (cli.folder / "f").open("rb") as file:
        ran = subprocess.run(
            [*MAIN, *verb], cwd=cli.folder, stdin=file, capture_output=True, text=True, check=False
        )
    assert ran.returncode == 1
    assert ran.stderr.count("\n") == 1
    assert "unforeseen" not in ran.stderr
    assert "utf-8" in ran.stderr.lower()
