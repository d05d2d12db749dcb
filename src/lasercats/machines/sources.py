"""Where secrets come from: a reference `SORT:NAME` stands for one wherever a secret may be given.

    env:NAME          a variable of the environment
    file:PATH         a file, as it is
    cmd:COMMAND       what a command prints, without the newline at its end; no shell is between
    age:FILE          a file that is encrypted to an age identity of yours
    vault:PATH#FIELD  a field of a secret in HashiCorp Vault
    aws:ID#KEY        a secret in AWS Secrets Manager; a key of it, where it is a JSON object
    secret:NAME       a secret with a name, of this project
    -                 standard input, where a person types the command

Each sort is an entry point of the group `lasercats.secrets`: a function of the name and of what it may use,
that returns bytes or raises `BadInput`. What it raises never holds the secret.
"""

import shlex
import subprocess
from collections.abc import Callable, Sequence
from functools import cache
from importlib.metadata import EntryPoint, entry_points
from pathlib import Path
from typing import NamedTuple

from lasercats.core import content
from lasercats.core.errors import BadInput
from lasercats.machines import variables

GROUP = "lasercats.secrets"
Source = Callable[[str, "Sources"], bytes]


def _run_any(command: Sequence[str]) -> None:
    """Let any command run."""


def _no_names(name: str) -> bytes:
    raise BadInput(f"the secret {name!r} is of a project, and there is none here; name another source")


class Sources(NamedTuple):
    """What sources of secrets may use."""

    folder: Path = Path()
    """Where relative paths begin, and commands run."""
    may_run: Callable[[Sequence[str]], None] = _run_any
    """Raises where a command must not be run."""
    named: Callable[[str], bytes] = _no_names
    """Opens a secret with a name."""
    stdin: Callable[[], bytes] | None = None
    """Reads standard input, where that can be a secret."""

    def read(self, reference: str) -> bytes:
        """Return the secret that a reference stands for.

        Raises:
            BadInput: it is no reference, or the secret cannot be had; neither tells what was given.

        """
        sort, colon, name = reference.partition(":")
        if reference == "-" and self.stdin is not None:
            secret = without_newline(self.stdin())
        elif colon and sort in _points():
            secret = _source(sort)(name, self)
        else:
            more = ", ".join(f"{other}:" for other in sorted(_points()) if other not in ("env", "file"))
            raise BadInput(
                f"a secret is never written in clear; give env:NAME or file:PATH, or one of {more}"
            )
        if len(secret) > content.LIMIT:
            raise BadInput(
                f"{shown(sort, name)} has more than {content.LIMIT} bytes, the most that is kept in the log"
            )
        return secret


HERE = Sources()
"""What sources may use where there is no project."""


def shown(sort: str, name: str) -> str:
    """Return a reference as it may be told; the words of a command may be secret themselves."""
    return f"what {program(name)!r} prints" if sort == "cmd" else name if sort == "file" else f"{sort}:{name}"


def program(command: str) -> str:
    """Return the name of the program of a command."""
    return command.split(maxsplit=1)[0] if command.strip() else ""


def env(name: str, _: Sources) -> bytes:
    """Return a variable.

    Raises:
        BadInput: it is not set.

    """
    try:
        return variables.take(name)
    except KeyError:
        fact = f"the secret is to come from the variable {name}, which is not set; export it"
        raise BadInput(fact) from None


def file(name: str, sources: Sources) -> bytes:
    """Return what is in a file.

    Raises:
        BadInput: it cannot be read, or is too large.

    """
    try:
        path = sources.folder / Path(name).expanduser()
        with path.open("rb") as opened:
            return opened.read(content.LIMIT + 1)  # a device has no end
    except OSError as error:
        raise BadInput(f"{name} cannot be read: {error.strerror}") from None
    except (RuntimeError, ValueError):
        raise BadInput(f"{name} cannot be read: there is no such file") from None


def cmd(command: str, sources: Sources) -> bytes:
    """Return what a command prints; what it has to say to a person goes to the terminal.

    Raises:
        BadInput: it must not run, cannot be run, or fails.

    """
    name = program(command)
    try:
        words = shlex.split(command)
    except ValueError as error:
        raise BadInput(f"the command {name!r} cannot be read: {error}; quote its words") from None
    if not words:
        raise BadInput("cmd: names no command; write cmd:'pass show db'")
    sources.may_run(words)
    try:
        done = subprocess.run(
            words, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, cwd=sources.folder, check=False
        )
    except (OSError, ValueError) as error:
        raise BadInput(f"the command {name!r} cannot be run: {error}") from None
    if done.returncode:
        raise BadInput(
            f"the command {name!r} that is to print a secret failed with status {done.returncode}; "
            "run it by hand to see why"
        )
    return without_newline(done.stdout)


def secret(name: str, sources: Sources) -> bytes:
    """Return a secret with a name.

    Raises:
        BadInput: there is none, or it cannot be opened.

    """
    return sources.named(name)


def without_newline(data: bytes) -> bytes:
    """Return data without the newline at its end, which programs print to end a line."""
    return data.removesuffix(b"\n").removesuffix(b"\r") if data.endswith(b"\n") else data


@cache
def _points() -> dict[str, EntryPoint]:
    return {point.name: point for point in entry_points(group=GROUP)}


def _source(sort: str) -> Source:
    try:
        loaded: Source = _points()[sort].load()
    except (ImportError, AttributeError) as error:
        raise BadInput(f"the source of secrets {sort!r} cannot be loaded: {error}; reinstall it") from None
    return loaded
