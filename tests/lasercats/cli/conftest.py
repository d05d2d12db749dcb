"""The command line as a whole: a project in a folder, two local machines, and a way to run verbs."""

import io
import json
import os
import shutil
import sqlite3
import sys
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

import click
import jsonschema
import pytest

from lasercats.cli import generate, options, printing
from lasercats.cli.main import guarded, root
from lasercats.operate import data


def published(printed: object, verb: click.Command) -> None:
    """Check that what a verb prints as JSON is as one of the schemas says that it names.

    Raises:
        ValidationError: it is not.

    """
    named = [name for option in verb.params if isinstance(option, options.Json) for name in option.prints]
    plain = json.loads(json.dumps(data.plain(printed)))
    for name in named:
        found = jsonschema.Draft202012Validator(data.schema(name, generate.schemas()))
        if name == named[-1] or found.is_valid(plain):
            found.validate(plain)
            return
    assert verb.name == "schema", "a verb prints JSON, and does not say of which schema"


@pytest.fixture(autouse=True)
def _as_published(monkeypatch: pytest.MonkeyPatch) -> None:
    """Check all that verbs print as JSON, in all tests of the command line."""
    print_ = printing.data

    def checked(value: object) -> None:
        if context := click.get_current_context(silent=True):
            published(value, context.command)
        print_(value)

    monkeypatch.setattr(printing, "data", checked)


class Ran(NamedTuple):
    """What came of one command line."""

    code: int
    out: str
    err: str

    @property
    def data(self) -> Any:  # noqa: ANN401
        """Standard output, which must be one JSON value and nothing else."""
        return json.loads(self.out)


class Cli:
    """Runs command lines in a project, in this process."""

    def __init__(
        self, folder: Path, capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """Stand in `folder`."""
        self.folder = folder
        self.path = folder / ".lasercats" / "log.db"
        self._capfd, self._monkeypatch = capfd, monkeypatch

    def __call__(self, *args: str, stdin: str = "") -> Ran:
        """Run one command line; nothing but an exit code and text may come of it."""
        self._monkeypatch.setattr(sys, "stdin", io.StringIO(stdin))
        self._capfd.readouterr()
        code = guarded(lambda: root.main(list(args), prog_name="lasercats", standalone_mode=False))
        out, err = self._capfd.readouterr()
        assert "Traceback" not in err
        assert "unforeseen fault" not in err
        return Ran(code, out, err)

    def patch(self, target: object, name: str, value: object) -> None:
        """Replace something of this process until the test is over."""
        self._monkeypatch.setattr(target, name, value)

    def done(self, *args: str, stdin: str = "") -> Ran:
        """Run one that must succeed."""
        ran = self(*args, stdin=stdin)
        assert ran.code == 0, ran
        return ran

    def refuses(self, *args: str, stdin: str = "") -> str:
        """Run one that must fail in one sentence and leave the log as it is; return the sentence."""
        before = self.head()
        ran = self(*args, stdin=stdin)
        assert ran.code == 1, ran
        assert ran.out == ""
        assert ran.err.count("\n") == 1
        assert ran.err.startswith("lasercats: ")
        assert self.head() == before
        return ran.err.removeprefix("lasercats: ").rstrip("\n")

    def fails(self, *args: str, status: str) -> str:
        """Run one that is accepted and then fails; return what is told of it, without the summary."""
        ran = self(*args)
        assert ran.code == 1, ran
        assert self.log()[-1]["status"] == status
        self.verifies()
        lines = [line for line in ran.err.splitlines() if line.startswith("! ")]
        assert len(lines) == 1, ran
        return lines[0].removeprefix("! ")

    def head(self) -> int:
        """Return the last position of the log, with no help of ours."""
        db = sqlite3.connect(self.path)
        try:
            return int(db.execute("SELECT coalesce(max(position), 0) FROM records").fetchone()[0])
        finally:
            db.close()

    def log(self) -> list[dict[str, Any]]:
        """Return the history."""
        found: list[dict[str, Any]] = self.done("log", "--json").data
        return found

    def verifies(self) -> None:
        """Check that the log is whole."""
        assert "the chain and the fold hold" in self.done("verify").out

    def forget_what_was_seen(self) -> None:
        """Let the log be another one than it was, without this user having seen more of it."""
        shutil.rmtree(Path(os.environ["XDG_STATE_HOME"]) / "lasercats" / "heads", ignore_errors=True)

    def file(self, name: str, text: str) -> str:
        """Write a file beside the project and return its path."""
        path = self.folder / name
        path.write_text(text)
        return str(path)


def as_nobody(run: Callable[[], Ran]) -> Ran:
    """Run a command line in a child that is user nobody; what it imports must be imported by now."""
    there, here = os.pipe()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # a fork among threads: the child does as little as it can
        child = os.fork()
    if child == 0:
        try:
            os.setgroups([])
            os.setgid(65534)
            os.setuid(65534)
            os.write(here, json.dumps(run()).encode())
        finally:
            os._exit(0)
    os.close(here)
    os.waitpid(child, 0)
    with os.fdopen(there) as stream:
        return Ran(*json.load(stream))


@pytest.fixture
def bare(tmp_path: Path, capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> Cli:
    """A command line in a folder without a project."""
    for name in [name for name in os.environ if name.startswith("LASERCATS_")]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("LASERCATS_ACTOR", "tester")
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / ".state"))
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / ".config"))
    monkeypatch.chdir(tmp_path)
    return Cli(tmp_path, capfd, monkeypatch)


@pytest.fixture
def cli(bare: Cli) -> Cli:
    """A command line in a project with the machines a and b, both this machine."""
    bare.done("init")
    bare.done("machine", "add", "a", "local:")
    bare.done("machine", "add", "b", "local:")
    return bare


@pytest.fixture
def place(tmp_path: Path) -> Callable[..., str]:
    """Give `MACHINE:PATH` of a path in a folder of the test."""
    (tmp_path / "t").mkdir()
    return lambda rest="", machine="a": f"{machine}:{tmp_path}/t{'/' if rest else ''}{rest}"
