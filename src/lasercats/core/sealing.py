"""What a query sees of secrets: that there is one, and nothing else of it.

A token stands in an object with the only key `sealed:` (`lasercats.core.secret`), and in old logs as text in
secret fields. It is replaced where the JSON is read, before any expression of the query gets hold of it: so
neither its length nor what it is equal to can be told.
"""

import json
from collections.abc import Mapping, Sequence

from lasercats.core.secret import HIDDEN, hidden

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
                else hidden(value, texts=name not in plain)
                for name, value in data.items()
            }
        else:
            data = hidden(data, texts=True)
        veiled = json.dumps(data, ensure_ascii=False, separators=(",", ":"))
        veiled.encode()
        return veiled
    except (ValueError, RecursionError):
        return json.dumps(HIDDEN)
