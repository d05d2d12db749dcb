"""What all plain data has in common: it is frozen, has no other fields, and leaves out what says nothing."""

from collections.abc import Mapping
from typing import Any, TypeAlias

import msgspec

from lasercats.core.address import Address
from lasercats.core.change import Delta
from lasercats.core.command import as_shown

Values: TypeAlias = Any
"""A resource, a command or an instruction as plain data, nothing sealed in it: its kind says what it has."""


class Data(msgspec.Struct, frozen=True, omit_defaults=True, forbid_unknown_fields=True):
    """Plain data with a schema. A field with a default is left out where it has that value."""


class Sides(Data, frozen=True):
    """A change: what was, and what is."""

    before: Values
    """Null where it was not there."""
    after: Values
    """Null where it is not there any more."""


Changes: TypeAlias = Mapping[Address, Sides]


def changes(delta: Delta) -> Changes:
    """Return a delta as plain data."""
    return {a: Sides(as_shown(c.before), as_shown(c.after)) for a, c in delta.items()}


def plain(value: object) -> Any:  # noqa: ANN401 - of any shape that JSON has
    """Return data, or any typed value, as dicts, lists, texts and numbers."""
    return msgspec.to_builtins(value)
