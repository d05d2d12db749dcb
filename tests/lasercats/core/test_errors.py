"""Errors: one sentence for a person, and its parts apart for a program."""

from collections.abc import Sequence

import pytest

from lasercats.core.errors import (
    BadDocument,
    LaserCatsError,
    OtherMachine,
    Refused,
    StillWorking,
    UnknownName,
)

ERRORS: Sequence[tuple[LaserCatsError, str, str, bool]] = (
    (Refused("it is full"), "it is full", "", False),
    (Refused("r1 is full", remedy="name another", subject="r1"), "r1 is full", "r1", True),
    (UnknownName("kind", "fiel", ["file"]), "no kind is called 'fiel'", "fiel", True),
    (BadDocument("a.yaml:3:1", "it is no mapping"), "a.yaml:3:1: it is no mapping", "a.yaml:3:1", False),
    (OtherMachine("web1", "id: a is b"), "machine web1 is another one than was met before", "web1", True),
    (StillWorking("web1", "it is at it"), "machine web1: it is at it", "web1", True),
)


@pytest.mark.parametrize(("error", "fact", "subject", "remedy"), ERRORS)
def test_parts_of_an_error(error: LaserCatsError, fact: str, subject: str, *, remedy: bool) -> None:
    """The sentence is the fact, with the remedy behind it where there is one; the subject stands beside."""
    assert error.fact.startswith(fact)
    assert error.subject == subject
    assert bool(error.remedy) is remedy
    assert str(error) == "; ".join(part for part in (error.fact, error.remedy) if part)
