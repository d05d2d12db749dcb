"""Of which types an annotation is made: by that an option is made of a field, and its value is read."""

from collections.abc import Iterator
from typing import Any, get_args, get_origin


def shape(annotation: Any) -> type | None:  # noqa: ANN401
    """Return `dict` or `tuple` for the option that may be given many times, None for a plain one."""
    return next((get_origin(part) for part in flat(annotation) if get_origin(part) in (dict, tuple)), None)


def flat(annotation: Any) -> Iterator[Any]:  # noqa: ANN401
    """Iterate over an annotation and all of which it is made."""
    yield annotation
    for part in get_args(annotation):
        yield from flat(part)
