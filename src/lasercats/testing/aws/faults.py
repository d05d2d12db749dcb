"""What goes wrong on demand: errors, cut connections, answers held back."""

import dataclasses
import threading
from collections.abc import Callable
from fnmatch import fnmatchcase
from typing import Literal

from lasercats.testing.aws.moto import PATIENCE
from lasercats.testing.aws.wire import Answer


@dataclasses.dataclass
class Fault:
    """What befalls the next calls of an action."""

    action: str
    """May be a pattern: `*`, `Describe*`."""
    left: int
    when: Literal["before", "after"] = "before"
    answer: Answer | None = None
    """None: the connection is cut."""
    twist: Callable[[Answer], Answer] | None = None
    """What becomes of the answer on its way, after the call is done."""
    spares: int = 0
    """How many calls go well before it begins."""
    struck: bool = False
    """Whether it has befallen a call."""

    def takes(self, action: str) -> bool:
        """Tell whether it befalls a call of an action, and count that."""
        if not self.left or not fnmatchcase(action, self.action):
            return False
        if self.spares:
            self.spares -= 1
            return False
        self.left, self.struck = self.left - 1, True
        return True


class Hold:
    """Answers held back: moto has done the calls, the callers do not know."""

    def __init__(self) -> None:
        """Hold from now on."""
        self._reached, self._released = threading.Event(), threading.Event()

    def wait(self, timeout: float = PATIENCE) -> bool:
        """Wait until a call is done and its answer held; return whether one is."""
        return self._reached.wait(timeout)

    def is_set(self) -> bool:
        """Whether the answers are let go."""
        return self._released.is_set()

    def set(self) -> None:
        """Let the answers go, these and all later ones."""
        self._released.set()

    def pass_by(self) -> None:
        """Wait as an answer does."""
        if not self._released.is_set():
            self._reached.set()
            self._released.wait()
