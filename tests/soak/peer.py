"""What a peer of the storm does, and how it is judged without our code."""

import random
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

Facts = Mapping[str, Any]
"""What is compared of one thing: `{"sha256": …, "mode": "0644"}`."""
Reality = dict[str, Facts]
"""Address → what is really there."""


@dataclass(frozen=True)
class Step:
    """A command that the storm issues, and what it sets where it is done."""

    command: Mapping[str, Any]
    """As a line of a file of commands."""
    address: str
    sets: Facts | None
    """What is so at the address then, as far as it is told of; None where nothing is there."""
    makes: bool = False
    """Whether it makes what is not there; else it is refused then."""


@dataclass(frozen=True)
class Ran:
    """A raw command that leaves a mark each time it runs; it must never run twice."""

    command: Mapping[str, Any]
    mark: str


def outcomes(before: Facts | None, steps: Sequence[tuple[Step, bool]]) -> list[Facts | None]:
    """Return all that may be there after steps of one address, of which some were surely done."""
    if not steps:
        return [before]
    (step, done), *rest = steps
    found = [] if done else outcomes(before, rest)
    if step.sets is None:
        found += outcomes(None, rest)
    elif before is not None or step.makes:
        found += outcomes({**(before or {}), **step.sets}, rest)
    return found


def fits(predicted: Facts | None, real: Facts | None) -> bool:
    """Tell whether reality is as it was predicted."""
    if predicted is None or real is None:
        return predicted is real
    return all(name in real and real[name] == value for name, value in predicted.items())


class Peer:
    """A machine in the storm: work for it, its troubles, and plain eyes on it."""

    whole = True
    """Whether each command is done as a whole or not at all, so that nothing between can be seen."""

    def __init__(self, name: str) -> None:
        self.name = name
        self.harmed = False
        """Whether it cannot be reached now."""

    @property
    def url(self) -> str:
        """The URL of its machine."""
        raise NotImplementedError

    def begin(self, run: Callable[..., str]) -> None:
        """Make by quiet commands what the storm begins with."""

    def owns(self, address: str) -> bool:
        """Tell whether an address of the state is on this machine."""
        return address.partition("/")[2].startswith(f"{self.name}:")

    def work(self, rng: random.Random, there: Reality) -> list[Step | Ran]:
        """Return some commands for what is there now."""
        raise NotImplementedError

    def reality(self) -> Reality:
        """Return what is really there, as tools tell that are not ours."""
        raise NotImplementedError

    def stated(self, address: str, resource: Mapping[str, Any]) -> Facts:
        """Return the same facts of what the state says of an address."""
        raise NotImplementedError

    def times(self, mark: str) -> int:
        """Return how often a raw command really ran."""
        raise NotImplementedError

    def harm(self, rng: random.Random) -> str | None:
        """Do something bad to it, and say what; None where nothing can happen to it."""
        return None

    def heal(self) -> None:
        """Make it healthy again."""

    def orphans(self) -> list[str]:
        """Return what was left behind on it that nobody needs."""
        return []

    def sweep(self, run: Callable[..., str]) -> None:
        """Work where the next work cleans up what could not be cleaned when power was lost."""
