"""Sealed tokens: how a secret stands in commands, events, state and documents.

A token is `sealed:` and the base64 of an authenticated, deterministic encryption (AES-SIV, RFC 5297)
of the secret under the project's key. Equal secrets give equal tokens, so that the core compares,
diffs and undoes secrets without ever seeing one. Sealing and unsealing is the work of
`lasercats.machines.vault`, at the edge.
"""

from typing import Any

PREFIX = "sealed:"
HIDDEN = "(sealed)"


def is_sealed(value: object) -> bool:
    """Tell whether a value is a sealed token."""
    return isinstance(value, str) and value.startswith(PREFIX)


def check_sealed(field: str, value: object) -> None:
    """Refuse a secret that stands in clear.

    Raises:
        ValueError: the value is neither None nor a sealed token.

    """
    if value is not None and not is_sealed(value):
        raise ValueError(f"field {field!r} is secret and must be sealed before it is stored")


def hide_all(data: Any) -> Any:  # noqa: ANN401
    """Return plain data as it may be shown to a person."""
    if isinstance(data, dict):
        return {name: hide_all(value) for name, value in data.items()}
    return [hide_all(value) for value in data] if isinstance(data, list | tuple) else hide(data)


def hide(value: object) -> object:
    """Return what may be shown to a person for a value."""
    return HIDDEN if is_sealed(value) else value
