"""Sealed values: how a secret stands in commands, events, state and documents.

A sealed value is a type, `Sealed`, and never just a text: where a field may hold text, a text that looks like
one is a text. What it holds is a token, made by a vault (`lasercats.machines.vault`) at the edge by an
authenticated, deterministic encryption (AES-SIV, RFC 5297): equal secrets under one key give equal tokens, so
that the core compares, diffs and undoes secrets without ever seeing one.

A token is bound to the places that it was sealed for, and opened nowhere else. A place is a secret field of
an address, `file/web1:/etc/key secret`, or a secret with a name of its own, `secret:db`.

In JSON, as in the log, it is the object `{"sealed:": TOKEN}`; in documents and commands that a person writes,
in a field that holds a secret, the text `sealed:TOKEN`.
"""

from collections.abc import Mapping
from typing import Any

import msgspec

PREFIX = "sealed:"
HIDDEN = "(sealed)"
NAMED = "secret:"
"""Begins the place of a secret with a name of its own."""


class Sealed(msgspec.Struct, frozen=True, gc=False, rename={"token": PREFIX}):
    """A secret that only a vault can open."""

    token: str

    def __str__(self) -> str:
        """Return it as text, as it stands in a secret field of a document."""
        return PREFIX + self.token


def of_text(text: str) -> Sealed | None:
    """Return the sealed value that a text in a secret field stands for; None where it is none."""
    return Sealed(text.removeprefix(PREFIX)) if text.startswith(PREFIX) else None


def place(address: str, field: str) -> str:
    """Return the place of a secret field of an address, to which its sealed value is bound."""
    return f"{address} {field}"


def split(place: str) -> tuple[str, str]:
    """Return the address and the field of a place; no address where it is a secret with a name.

    An address may have spaces in it, and a field has none.
    """
    address, _, field = place.rpartition(" ")
    return address, field


def label(place: str) -> str:
    """Return a place as it is shown: its address, or the name of the secret."""
    return split(place)[0] or place.removeprefix(NAMED)


def check_sealed(field: str, value: object) -> None:
    """Refuse a secret that stands in clear.

    Raises:
        ValueError: the value is neither None nor sealed.

    """
    if value is not None and not isinstance(value, Sealed):
        raise ValueError(f"field {field!r} is secret and must be sealed before it is stored")


def as_text(value: object) -> Any:  # noqa: ANN401
    """Return a typed value as plain data, as a person gives it: what is sealed in its fields is text."""
    data = msgspec.to_builtins(value)
    if isinstance(value, msgspec.Struct):
        names = zip(value.__struct_fields__, value.__struct_encode_fields__, strict=True)
        sealed = {stored: getattr(value, name) for name, stored in names}
    else:
        sealed = dict(value) if isinstance(value, Mapping) else {}
    return data | {n: str(one) for n, one in sealed.items() if isinstance(one, Sealed)} if sealed else data


def shown(value: object) -> Any:  # noqa: ANN401
    """Return a value as plain data that may be shown to a person: nothing that is sealed stands in it."""
    return hidden(msgspec.to_builtins(value))


def hidden(data: Any, *, texts: bool = False) -> Any:  # noqa: ANN401
    """Return plain data without what is sealed; with `texts`, without what might be so in an old log."""
    if isinstance(data, dict):
        if [*data] == [PREFIX]:
            return HIDDEN
        return {name: hidden(value, texts=texts) for name, value in data.items()}
    if isinstance(data, list | tuple):
        return [hidden(value, texts=texts) for value in data]
    return HIDDEN if texts and isinstance(data, str) and data.startswith(PREFIX) else data
