"""The last net: what nobody foresaw is one sentence, and the details are in a file of the operator's."""

import os
import re
import stat
import subprocess
import sys
from pathlib import Path

import click
import pytest

from lasercats.cli import unforeseen
from lasercats.cli.main import guarded, root

VALUE = "correct horse battery staple"
PLANTED = f"""
import sys, threading
import lasercats.operate.project as project
from lasercats.cli.main import main

def broken(*given, **more):
    password = {VALUE!r}
    HOW

project.find = broken
main()
"""


def run(tmp_path: Path, how: str, **env: str) -> "subprocess.CompletedProcess[str]":
    """Run `lasercats state` with a fault in it."""
    home = {"HOME": str(tmp_path), "PATH": os.environ["PATH"], **env}
    line = [sys.executable, "-c", PLANTED.replace("HOW", how), "state"]
    return subprocess.run(line, cwd=tmp_path, env=home, capture_output=True, text=True, check=False)


@pytest.mark.parametrize(
    ("how", "message"),
    [
        ("raise type('Panic', (BaseException,), {})('index')", "Panic (index)"),
        ("raise KeyError('x')", "KeyError ('x')"),
        ("broken()", "RecursionError"),
        ("raise MemoryError", "MemoryError"),
        (
            "raise ExceptionGroup('many', [ValueError(1), TypeError(2)])",
            "ExceptionGroup (many (2 sub-exceptions))",
        ),
        ("raise ValueError('\\x1b]0;x\\x07\\nb')", r"ValueError (\x1b]0;x\x07\nb)"),
        ("raise UnicodeEncodeError('ascii', '\\udcff', 0, 1, 'no')", "UnicodeEncodeError"),
        ("raise type('Mute', (Exception,), {'__str__': lambda self: 1 / 0})", "Mute"),
    ],
)
def test_one_sentence_and_a_file(tmp_path: Path, how: str, message: str) -> None:
    """Any exception is one line that names the verb, the fault and the file; the file holds no value."""
    ran = run(tmp_path, how)
    assert ran.returncode == 1
    assert ran.stdout == ""
    assert ran.stderr.count("\n") == 1
    assert ran.stderr.startswith(f"lasercats: an unforeseen fault in `lasercats state`: {message}")
    (path,) = (tmp_path / ".local" / "state" / "lasercats").iterdir()
    assert str(path) in ran.stderr
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    details = path.read_text(errors="surrogateescape")
    assert "in broken" in details
    assert VALUE not in details


def test_the_folder_for_it_may_be_elsewhere(tmp_path: Path) -> None:
    """Details go where the operator keeps such things."""
    run(tmp_path, "raise KeyError", XDG_STATE_HOME=str(tmp_path / "kept"))
    assert len(list((tmp_path / "kept" / "lasercats").iterdir())) == 1


def test_details_that_cannot_be_written(tmp_path: Path) -> None:
    """Where no file can be made, the sentence says how to see the details, and then they are shown."""
    (tmp_path / "f").write_text("")
    ran = run(tmp_path, "raise KeyError('x')", XDG_STATE_HOME=str(tmp_path / "f"))
    assert ran.stderr.endswith("with LASERCATS_DEBUG=1 it shows the details\n")
    ran = run(tmp_path, "raise KeyError('x\\x1b')", LASERCATS_DEBUG="1")
    assert "Traceback (most recent call last):" in ran.stderr
    assert "\x1b" not in ran.stderr


def test_only_so_many_are_kept(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The oldest details make room."""
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path))
    for _ in range(unforeseen.KEPT + 3):
        unforeseen.sentence(ValueError("x"))
    assert len(list((tmp_path / "lasercats").iterdir())) == unforeseen.KEPT


def test_what_fails_beside_us_is_not_printed(tmp_path: Path) -> None:
    """A thread that fails and a library that logs are kept for a report, and print nothing."""
    how = (
        "t = threading.Thread(target=lambda: 1 / 0); t.start(); t.join(); "
        "import logging; logging.getLogger('lib').error('x', exc_info=ValueError('y')); "
        "import warnings; warnings.warn('\x1b[2J'); sys.exit(0)"
    )
    ran = run(tmp_path, how)
    assert (ran.stdout, ran.stderr) == ("", "")
    found = [path.read_text() for path in (tmp_path / ".local" / "state" / "lasercats").iterdir()]
    assert sorted(re.findall(r"^(?:ZeroDivision|Value)Error", "\n".join(found), re.MULTILINE)) == [
        "ValueError",
        "ZeroDivisionError",
    ]


def test_what_is_told_on_purpose_is_told_as_ever(capfd: pytest.CaptureFixture[str]) -> None:
    """Stopping, leaving and misuse pass the net untouched."""

    def stop() -> None:
        raise KeyboardInterrupt

    def misuse() -> None:
        raise click.UsageError("wrong.")

    assert guarded(stop) == 130
    assert guarded(misuse) == 1
    assert capfd.readouterr().err == "lasercats: stopped\nlasercats: wrong\n"


def test_a_fault_as_a_project_is_closed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What fails as the log is closed ends in the net, too."""
    from lasercats.operate.project import Project

    def broken(self: Project) -> None:
        raise OSError(5, "Input/output error")

    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path))
    monkeypatch.chdir(tmp_path)
    assert guarded(lambda: root.main(["init"], standalone_mode=False)) == 0
    monkeypatch.setattr(Project, "close", broken)
    assert guarded(lambda: root.main(["state"], standalone_mode=False)) == 1


def test_a_reader_that_goes_away(tmp_path: Path) -> None:
    """A pipe that is closed early is no fault, and nothing is told of it."""
    line = "import sys; sys.argv = ['lasercats', 'schema']; from lasercats.cli.main import main; main()"
    ran = subprocess.run(
        ["sh", "-c", '"$1" -c "$2" | head -n 1', "sh", sys.executable, line],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=False,
    )
    assert (ran.stdout, ran.stderr) == ("{\n", "")
