"""Answers as no machine should give them: spoiled at random, from a seed."""

import json
from collections.abc import Callable, Mapping
from random import Random
from typing import Any

import msgspec

from lasercats.core.instruction import Failure, Instruction
from lasercats.core.registry import Kinds

JUNK: tuple[Callable[[Random], Any], ...] = (
    lambda _r: None,
    lambda r: r.choice([0, -1, 4095, 2**70, 1.5, True]),
    lambda r: r.choice(["", "a\0b", "\ud800", "x" * 3000, "two\nlines", "\x1b[31m", "vm1-2,3", "9" * 5000]),
    lambda r: r.choice([[], {}, [[]], ["set", []], ["set", None], ["map", [["a"]]], ["uuid", 7], ["map", 3]]),
    lambda r: {"error": r.choice(["timed out", None, "odd\0"]), "details": ["\ud800"]},
)


def spoiled(value: Any, random: Random, share: float = 0.02) -> Any:  # noqa: ANN401
    """Return plain data in which some parts are junk, missing, doubled or in another order."""
    if random.random() < share:
        return random.choice(JUNK)(random)
    if isinstance(value, Mapping):
        return {k: spoiled(v, random, share) for k, v in value.items() if random.random() >= share / 2}
    if isinstance(value, list):
        parts = [spoiled(one, random, share) for one in value if random.random() >= share / 2]
        if parts and random.random() < share:
            parts.append(random.choice(parts))
        if random.random() < share:
            random.shuffle(parts)
        return parts
    return value


def cut(data: bytes, random: Random) -> bytes:
    """Return bytes that are cut, doubled, in another order, or have garbage among them."""
    at = random.randrange(len(data) + 1)
    junk = bytes(random.randrange(256) for _ in range(random.randrange(40)))
    return random.choice(
        [
            data[:at],
            data + data,
            data[at:] + data[:at],
            data[:at] + junk + data[at:],
            junk,
            b"",
            data[:at] + data,
        ]
    )


def check_outcome(kinds: Kinds, asked: Instruction, outcome: Any) -> None:  # noqa: ANN401
    """Check that an outcome is one that a log can hold and gives back as it was."""
    raw = msgspec.json.encode(outcome)
    assert b"\\u0000" not in raw, "NUL"
    json.loads(raw)
    assert isinstance(outcome, Failure | asked.answer), outcome
    if isinstance(outcome, Failure):
        assert outcome.reason
        assert "Traceback" not in outcome.reason
        assert len(outcome.reason) < 2000
    assert kinds.decode_outcome(asked, raw) == outcome
