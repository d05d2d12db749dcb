"""What `query` and `for` have in common: the limits of a query, and its text."""

import math
from collections.abc import Callable
from typing import Any, TypeVar

import click

from lasercats.cli import arguments, options
from lasercats.core.errors import BadInput

F = TypeVar("F", bound=Callable[..., Any])


class Seconds(click.FloatRange):
    """A number of seconds; what is no number is none, though it is in any range."""

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:  # noqa: ANN401
        """Read a number."""
        number = super().convert(value, param, ctx)
        return self.fail("nan is not a number of seconds", param, ctx) if math.isnan(number) else number


def limits(function: F) -> F:
    """Add `--as-of`, `--timeout`, `--max-rows` and `--max-memory`."""
    timeout = options.option(
        "--timeout",
        type=Seconds(0, min_open=True),
        default=30.0,
        show_default=True,
        metavar="SECONDS",
        help="How long it may take.",
    )
    max_rows = options.option(
        "--max-rows",
        type=click.IntRange(1),
        default=100_000,
        show_default=True,
        metavar="N",
        help="How many rows it may give.",
    )
    max_memory = options.option(
        "--max-memory",
        type=click.IntRange(1, 1_000_000),
        default=512,
        show_default=True,
        metavar="MIB",
        help="How much memory it may take, and how large its answer may be.",
    )
    return options.as_of(timeout(max_rows(max_memory(function))))


def text(sql: str | None) -> str:
    """Return a query: as it was given, or from standard input.

    Raises:
        BadInput: there is none.

    """
    if sql is None:
        raise BadInput('no query is given; write `lasercats query "SELECT ..."`, or see --tables')
    return arguments.standard_input() if sql == "-" else sql
