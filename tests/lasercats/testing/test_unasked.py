"""The law that nothing is destroyed unasked finds who breaks it."""

import json
import sqlite3
from collections.abc import Iterable
from pathlib import Path
from typing import NamedTuple

import pytest

from lasercats.testing.unasked import LOSES, Harm, Line, check_unasked


class Answer(NamedTuple):
    """What came of a line."""

    code: int = 0
    out: str = ""
    err: str = ""


class Careless:
    """A world that destroys `a/b` by whatever line, and says and records what it is made to."""

    def __init__(self, folder: Path, answer: Answer, agreed: Iterable[str] = ()) -> None:
        self.log, self.answer, self.agreed = folder / "log.db", answer, agreed
        self.db = sqlite3.connect(self.log)
        self.db.execute("CREATE TABLE records (position INTEGER PRIMARY KEY, type TEXT, body BLOB)")

    def run(self, line: Line) -> Answer:
        """Record that it is accepted, with what was agreed to."""
        del line
        losses = [{"address": address, "sort": LOSES, "what": "it"} for address in self.agreed]
        body = json.dumps({"agreed": losses}).encode()
        self.db.execute("INSERT INTO records (type, body) VALUES ('accepted', ?)", (body,))
        self.db.commit()
        return self.answer

    def look(self) -> object:
        """See nothing."""
        return None

    def harm(self, before: object) -> list[Harm]:
        """Tell that it is gone."""
        del before
        return [Harm("a/b", LOSES)]


SAID = Answer(err="! a/b: it would be lost for good\n")
DATA = Answer(out=json.dumps({"losses": [{"address": "a/b", "sort": LOSES, "what": "it"}]}))
YES = Line(("undo", "1", "--yes"))


@pytest.mark.parametrize(
    ("line", "answer", "agreed"),
    [
        (Line(("remove", "a/b"), frozenset([("a/b", LOSES)])), Answer(), ()),
        (YES, SAID, ("a/b",)),
        (YES, DATA, ("a/b",)),
    ],
)
def test_what_was_asked_for_may_go(
    tmp_path: Path, line: Line, answer: Answer, agreed: tuple[str, ...]
) -> None:
    """Harm that the words name, or that was told and agreed to, breaks no law."""
    assert check_unasked(Careless(tmp_path, answer, agreed), [line]).harmed == 1


@pytest.mark.parametrize(
    ("line", "answer", "agreed", "why"),
    [
        (Line(("undo", "1")), SAID, ("a/b",), "unasked"),
        (Line(("remove", "a/c"), frozenset([("a/c", LOSES)])), SAID, ("a/b",), "unasked"),
        (YES, SAID, ("a/c",), "unasked"),
        (YES, Answer(), ("a/b",), "untold"),
        (YES, Answer(err="! a/b: it would be stopped\n"), ("a/b",), "untold"),
        (YES, Answer(out='{"losses": []}'), ("a/b",), "untold"),
    ],
)
def test_what_was_not_is_found(
    tmp_path: Path, line: Line, answer: Answer, agreed: tuple[str, ...], why: str
) -> None:
    """Harm without a word, with the wrong one, or that nobody agreed to is found."""
    with pytest.raises(AssertionError, match=why):
        check_unasked(Careless(tmp_path, answer, agreed), [line])
