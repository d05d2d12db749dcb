"""What a query sees of secrets: that there is one, and nothing else of it.

A token stands as text in the secret fields of resources and commands, and as an object with the only key
`sealed` elsewhere. It is replaced where the JSON is read, before any expression of the query gets hold of it:
so neither its length nor what it is equal to can be told.
"""

import json
from collections.abc import Mapping, Sequence
from typing import Any

from lasercats.core.secret import HIDDEN, PREFIX

KEY = "sealed"
Schemas = Mapping[str, Sequence[Sequence[str]]]
"""For a kind, or `command TAG`: the names of its secret fields, and of all others."""
COMMAND = "command "
"""Stands before the tag of a command in the keys of schemas, as kinds may have the same names."""


def veil(text: str | None, schema: Sequence[Sequence[str]] | None) -> str | None:
    """Return JSON without its tokens; what cannot be read is hidden as a whole.

    In what is of a `schema`, its own fields are as they are, but for those that are secret. All else might
    hold a token anywhere.
    """
    if text is None:
        return None
    try:
        data = json.loads(text)
        if schema is not None and isinstance(data, dict):
            secret, plain = schema
            data = {
                name: HIDDEN
                if name in secret and value is not None
                else value
                if name in plain
                else _hidden(value)
                for name, value in data.items()
            }
        else:
            data = _hidden(data)
        veiled = json.dumps(data, ensure_ascii=False, separators=(",", ":"))
        veiled.encode()
        return veiled
    except (ValueError, RecursionError):
        return json.dumps(HIDDEN)


def _hidden(data: Any) -> Any:  # noqa: ANN401
    """Return data without what is, or might be, a token."""
    if isinstance(data, dict):
        if data.keys() == {KEY}:
            return HIDDEN
        return {name: _hidden(value) for name, value in data.items()}
    if isinstance(data, list):
        return [_hidden(value) for value in data]
    return HIDDEN if isinstance(data, str) and data.startswith(PREFIX) else data
