"""How a verb that acts was asked to do it."""

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from lasercats.core.address import Address
from lasercats.core.loss import Loss
from lasercats.operate import data

PREDICTING = ("simulate", "script")


def _as_they_are(results: data.acts.Results) -> data.Data:
    return results


@dataclass(frozen=True)
class Request:
    """How a verb that acts was asked to do it."""

    interpreter: str = "live"
    message: str | None = None
    as_json: bool = False
    show_diff: bool = False
    because: str | None = None
    undoes: Sequence[int] = ()
    """What is taken back, by position."""
    lost: Mapping[Address, Sequence[str]] = field(default_factory=dict)
    """What does not come back; told by `--json`, which says nothing in advance."""
    withheld: Mapping[Address, Mapping[str, str]] = field(default_factory=dict)
    """The fields that do not come back; told as what is lost is."""
    form: Callable[[data.acts.Results], data.Data] = _as_they_are
    """What `--json` makes of the results: puts what was found before, and led to them, beside them."""
    unseen: Mapping[Address, str] = field(default_factory=dict)
    """What could not be looked at before, and why; told as what is lost is."""
    confirm_within: str | None = None
    yes: bool = False
    """True where the operator agrees to whatever is announced."""
    direct: bool = False
    """True where the operator wrote out the addresses, so that commands announce their own losses."""
    agreed: Collection[Loss] | None = None
    """What was announced with a plan and agreed to; None where that is still to be asked."""
    at_a_time: str | None = None
    """At how many addresses at a time, as it was written."""
    again: str = "run the same again"
    """How to go on where it stopped."""
    brief: bool = False
    """True when the operator has seen the changes already, as a plan."""

    @property
    def predicts(self) -> bool:
        """True where nothing is done, and it is only told what would be."""
        return self.interpreter in PREDICTING

    @classmethod
    def take(cls, values: dict[str, Any]) -> "Request":
        """Take the shared options out of the values of a verb."""
        chosen = values.pop("interpreter", "live")
        return cls(
            interpreter="simulate" if values.pop("check", False) else chosen,
            message=values.pop("message", None),
            as_json=values.pop("as_json", False),
            show_diff=values.pop("show_diff", False),
            confirm_within=values.pop("confirm_within", None),
            yes=values.pop("yes", False),
            at_a_time=values.pop("at_a_time", None),
        )
