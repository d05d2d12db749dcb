"""The law that nothing is destroyed unasked, for any kind on any machinery that others can look at.

No verb, in any order, removes, recreates, interrupts or unprotects what it did not announce before. What is
there is seen with other eyes before and after each command line, and what is gone by then is a `Harm`. Either
the words of the line name it, or --yes was given, and it stands in what was printed and in what the log has
as agreed to.

    check_unasked(world, lines)
"""

import json
import re
import sqlite3
from collections.abc import Collection, Iterable
from pathlib import Path
from typing import NamedTuple, Protocol

LOSES = "loses"
INTERRUPTS = "interrupts"
UNPROTECTS = "unprotects"


class Harm(NamedTuple):
    """Something that was destroyed, interrupted or left unprotected, as other eyes see it."""

    address: str
    sort: str
    what: str = ""


class Line(NamedTuple):
    """A command line, and the harm that an operator asks for by these words, as `(address, sort)`."""

    words: tuple[str, ...]
    names: frozenset[tuple[str, str]] = frozenset()


class Ran(Protocol):
    """What came of a command line."""

    @property
    def code(self) -> int:
        """Its exit code."""
        ...

    @property
    def out(self) -> str:
        """Its standard output."""
        ...

    @property
    def err(self) -> str:
        """Its standard error."""
        ...


class World(Protocol):
    """Machinery, a project on it, and eyes that are not ours."""

    @property
    def log(self) -> Path:
        """The file of the log."""
        ...

    def run(self, line: Line) -> Ran:
        """Run a command line, and wait until all that it left at work is over."""
        ...

    def look(self) -> object:
        """Look at all that is there, in a form of its own."""
        ...

    def harm(self, before: object) -> Iterable[Harm]:
        """Tell what was there before and is harmed now."""
        ...


class Checked(NamedTuple):
    """How often there was something to find."""

    lines: int = 0
    harmed: int = 0
    """Lines that did harm that was asked for."""
    spared: int = 0
    """Lines that were refused."""


def check_unasked(world: World, lines: Iterable[Line]) -> Checked:
    """Run command lines one after the other, and check that none does harm that it was not asked for."""
    checked, done = Checked(), list[str]()
    for line in lines:
        before, position = world.look(), _head(world.log)
        ran = world.run(line)
        done.append(f"{' '.join(line.words)}  -> {ran.code}")
        assert ran.code in (0, 1, 2), (done, ran)
        if "--json" in line.words and ran.out:
            json.loads(ran.out)  # one value and nothing else
        harm = {*world.harm(before)}
        agreed = {*_agreed(world.log, position)} if "--yes" in line.words else set()
        for one in sorted(harm):
            asked = (one.address, one.sort)
            assert asked in line.names or asked in agreed, ("unasked", one, done, ran)
            assert asked in line.names or is_announced(one, ran), ("untold", one, done, ran)
        checked = Checked(checked.lines + 1, checked.harmed + bool(harm), checked.spared + (ran.code != 0))
    return checked


def is_announced(harm: Harm, ran: Ran) -> bool:
    """Tell whether what was printed announces harm: as a loss in JSON, or in a line of its address."""
    if ran.out.startswith("{"):
        return [*harm[:2]] in [
            [loss["address"], loss["sort"]] for loss in json.loads(ran.out).get("losses", ())
        ]
    lines = re.findall(
        rf"^! {re.escape(harm.address)}(?: is made anew)?: (.*)$", ran.out + ran.err, re.MULTILINE
    )
    return any(_is_of(harm.sort, line) for line in lines)


_WORDS = {
    LOSES: ("lost for good", "not come back"),
    INTERRUPTS: ("it would be",),
    UNPROTECTS: ("would be lifted",),
}


def _is_of(sort: str, line: str) -> bool:
    return any(words in line for words in _WORDS[sort])


def _head(log: Path) -> int:
    return int(_rows(log, "SELECT coalesce(max(position), 0) FROM records")[0][0])


def _agreed(log: Path, after: int) -> Collection[tuple[str, str]]:
    """Return what the log has as agreed to since a position, with no help of ours."""
    bodies = _rows(log, "SELECT body FROM records WHERE type = 'accepted' AND position > ?", after)
    said = [json.loads(body).get("agreed") or () for (body,) in bodies]
    return [(loss["address"], loss["sort"]) for losses in said for loss in losses]


def _rows(log: Path, query: str, *values: int) -> list[tuple[bytes]]:
    db = sqlite3.connect(log)
    try:
        return db.execute(query, values).fetchall()
    finally:
        db.close()
