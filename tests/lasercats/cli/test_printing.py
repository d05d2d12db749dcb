"""One place prints, and nothing that it prints commands a terminal or makes up a line."""

import ast
import contextlib
import io
import json
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import click
import pytest
from hypothesis import given
from hypothesis import strategies as st

import lasercats
from lasercats.cli import printing
from lasercats.core.errors import LaserCatsError
from lasercats.core.visible import hides

ANY = st.text(st.characters(exclude_categories=()))
SOURCE = Path(lasercats.__file__).parent
PRINTER = SOURCE / "cli" / "printing.py"
ENGINE = SOURCE / "views" / "engine.py"
OF_CLICK = {"echo", "secho", "style", "confirm", "prompt", "pause", "progressbar", "echo_via_pager"}
WIDTH = shutil.get_terminal_size().columns
MAIN = [sys.executable, "-c", "from lasercats.cli.main import main; main()"]


def printed(*parts: str) -> str:
    """Return what a line of parts is on standard output."""
    with contextlib.redirect_stdout(io.StringIO()) as out:
        printing.fact(*parts)
    return out.getvalue()


def test_nothing_else_prints() -> None:
    """No module but one calls what writes to a terminal, so no verb can forget to make data visible."""
    found = [place for path in SOURCE.rglob("*.py") if path != PRINTER for place in _prints(path)]
    assert found == []


def _prints(path: Path) -> Iterator[str]:
    """Iterate over the places where a module writes by itself; the test kit is no part of the program.

    Nor does the process of a query write to a terminal: it answers on a pipe.
    """
    if path.is_relative_to(SOURCE / "testing") or path == ENGINE:
        return
    tree = ast.parse(path.read_text())
    asked = {id(n.value) for n in ast.walk(tree) if isinstance(n, ast.Attribute) and n.attr == "isatty"}
    handed = {id(k.value) for n in ast.walk(tree) if isinstance(n, ast.Call) for k in n.keywords}
    for node in ast.walk(tree):
        named = isinstance(node, ast.Name) and node.id in ("print", "Console")
        if isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name):
            owner = (node.value.id, node.attr)
            named |= owner[0] == "click" and owner[1] in OF_CLICK
            named |= owner[0] == "sys" and owner[1].strip("_") in ("stdout", "stderr")
        named |= isinstance(node, ast.ImportFrom) and node.module == "click" and node.level == 0
        if named and id(node) not in asked | handed:
            yield f"{path.relative_to(SOURCE)}:{getattr(node, 'lineno', 0)}"


@given(st.lists(ANY, max_size=4))
def test_data_is_one_line(parts: list[str]) -> None:
    """Whatever data is printed, one line comes out, and nothing in it is a control character."""
    out = printed(*parts)
    assert out.endswith("\n")
    assert not hides(out)
    assert (out.count("\n"), out.count("\t")) == (1, 0)


@given(ANY)
def test_only_our_colours_come_through(text: str) -> None:
    """Data in a colour keeps the colour and loses its own; a style that was forgotten shows as text."""
    styled = printing.style(text, fg="red")
    assert styled.startswith("\x1b[31m")
    assert styled.endswith("\x1b[0m")
    assert not hides(styled.removeprefix("\x1b[31m").removesuffix("\x1b[0m"))
    assert not hides(printing.seen(f"- {styled}"))


@given(ANY)
def test_a_picture_has_colours_and_lines(text: str) -> None:
    """Of what a view draws only lines and colours reach the terminal."""
    with contextlib.redirect_stdout(io.StringIO()) as out:
        printing.picture(text)
    assert not hides(re.sub(r"\x1b\[[0-9;]*m", "", out.getvalue()))


@given(st.lists(st.lists(ANY, min_size=2, max_size=2), max_size=3))
def test_a_table_has_a_line_a_row(rows: list[list[str]]) -> None:
    """No cell makes up a row."""
    with contextlib.redirect_stdout(io.StringIO()) as out:
        printing.table(rows, ("A", "B"))
    assert out.getvalue().count("\n") == 1 + len(rows)


def test_columns_of_wide_characters_stand_below_each_other() -> None:
    """A sign that takes two columns counts as two, and a mark above another as none."""
    with contextlib.redirect_stdout(io.StringIO()) as out:
        printing.table([("漢字", "x"), ("u\u0308", "x"), ("abcde", "x")], ("A", "B"))
    assert out.getvalue().splitlines()[1:] == ["漢字   x", "u\u0308      x", "abcde  x"]


class Terminal(io.StringIO):
    """Standard error where a person reads it."""

    def isatty(self) -> bool:
        return True


def test_a_bar_makes_room_and_goes_away(monkeypatch: pytest.MonkeyPatch) -> None:
    """What is shown meanwhile stands in a line of its own, the bar is below it again, and nothing is left."""
    terminal = Terminal()
    monkeypatch.setattr(sys, "stderr", terminal)
    bar = printing.Bar(4)
    bar.name("web1\x1b[2J" + "x" * 200)
    bar.advance()
    bar.aside(lambda: printing.note("hello"))
    bar.close()
    text = terminal.getvalue()
    before, _, after = text.partition("\r\x1b[Khello\n")
    assert "0%" in before
    assert "25%" in before
    assert "web1\\x1b[2J" in after
    assert "\x1b[2J" not in text
    assert max(map(len, re.sub(r"\x1b\[[?0-9]*[a-zA-Z]", "", text).replace("\n", "\r").split("\r"))) <= WIDTH
    assert text.endswith("\n\x1b[A\r\x1b[K")


@given(ANY)
def test_json_is_valid_and_visible(text: str) -> None:
    """JSON of any text is printed, read again, and holds no control character as it is."""
    with contextlib.redirect_stdout(io.StringIO()) as out:
        printing.data({"text": text})
    assert not hides(out.getvalue())
    json.loads(out.getvalue())["text"].encode()


@pytest.mark.parametrize("encoding", ["ascii", "latin-1", "utf-8"])
@given(text=ANY)
def test_no_encoding_is_an_error(encoding: str, text: str) -> None:
    """What a terminal cannot show is escaped for it, JSON as JSON does, and a document is UTF-8 anyhow."""
    with contextlib.redirect_stdout(io.TextIOWrapper(io.BytesIO(), encoding=encoding)) as out:
        printing.fact(text)
        printing.data([text])
        printing.exact(text)
        written = out.buffer.getvalue()
    rest = written.split(b"\n", 1)[1]
    json.loads(rest[: rest.index(b"\n]\n") + 3])


def test_what_a_program_reads_is_exact(capfdbinary: pytest.CaptureFixture[bytes]) -> None:
    """A value that goes to another program is what it is, to the last byte."""
    printing.exact("a\x1b[31m\u202e\tb\r\n")
    assert capfdbinary.readouterr().out == "a\x1b[31m\u202e\tb\r\n".encode()


def test_a_full_disk_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    """Where standard output takes no more, that is told in a sentence."""
    with Path("/dev/full").open("w") as full, contextlib.redirect_stdout(full):
        with pytest.raises(LaserCatsError, match="the output cannot be written: No space left on device"):
            printing.fact("x")
        monkeypatch.setattr(sys, "stdout", sys.__stdout__)
        with contextlib.suppress(OSError):
            full.close()


def test_a_full_disk_ends_in_a_sentence(tmp_path: Path) -> None:
    """A verb whose output cannot be written says so, and nothing more."""
    with Path("/dev/full").open("w") as full:
        ran = subprocess.run(
            [*MAIN, "schema"], cwd=tmp_path, stdout=full, stderr=subprocess.PIPE, text=True, check=False
        )
    assert ran.stderr == "lasercats: the output cannot be written: No space left on device\n"
    assert ran.returncode == 1


@pytest.mark.parametrize("coding", ["ascii", "latin-1", "utf-8"])
def test_a_locale_without_unicode(tmp_path: Path, coding: str) -> None:
    """Bytes that are no UTF-8 in a folder, a name and a message are no trouble where there is only ASCII."""
    folder = os.fsencode(tmp_path) + b"/caf\xe9"
    Path(os.fsdecode(folder)).mkdir()
    env = {**os.environ, "LC_ALL": "C", "PYTHONIOENCODING": coding, "PYTHONCOERCECLOCALE": "0"}
    env |= {"PYTHONUTF8": "0", "XDG_STATE_HOME": str(tmp_path)}
    for line in (
        ["init"],
        [
            "file",
            "write",
            f"local:{tmp_path}/f",
            "--content",
            "\u00e9",
            "-m",
            b"\xff\xc3\xa9 \xe2\x86\x92",
        ],
        ["log"],
        ["state", "--json"],
        ["document"],
        ["state", b"file/local:/caf\xe9"],
    ):
        ran = subprocess.run([*MAIN, *line], cwd=folder, env=env, capture_output=True, check=False)
        assert b"Traceback" not in ran.stderr
        assert b"unforeseen" not in ran.stderr, ran
        assert ran.returncode == (1 if line[-1] == b"file/local:/caf\xe9" else 0), ran
        if line == ["state", "--json"]:
            assert [r["content"] for r in json.loads(ran.stdout)["resources"].values()] == ["\u00e9"]


def test_colours_are_those_of_click() -> None:
    """A style is what click makes of it, as long as the text is harmless."""
    assert printing.style("a", fg="green", bold=True) == click.style("a", fg="green", bold=True)
