"""Options that many verbs share. Each has a `LASERCATS_…` variable."""

from collections.abc import Callable, Mapping
from typing import Any, TypeVar

import click

from lasercats.cli.arguments import NAME, TEXT

F = TypeVar("F", bound=Callable[..., Any])


def option(*names: str, **more: Any) -> Callable[[F], F]:  # noqa: ANN401
    """Make an option whose variable is named after it: `--as-of` is LASERCATS_AS_OF."""
    long = next(name for name in names if name.startswith("--")).split("/")[0]
    more.setdefault("envvar", "LASERCATS_" + long[2:].upper().replace("-", "_"))
    if not more.get("is_flag"):
        more.setdefault("type", TEXT)
    return click.option(*names, **more)


def argument(*names: str, **more: Any) -> Callable[[F], F]:  # noqa: ANN401
    """Make an argument; what it takes is a value, unless its type is given."""
    more.setdefault("type", TEXT)
    return click.argument(*names, **more)


class Json(click.Option):
    """The option `--json`: it knows what its verb then prints, by the name of a schema."""

    def __init__(self, *more: Any, prints: Mapping[str, Any], **others: Any) -> None:  # noqa: ANN401
        """Take the names; the type behind one is given where it is not of `operate.data`, as a plugin's."""
        super().__init__(*more, **others)
        self.prints = prints


def as_json(*names: str, **own: Any) -> Callable[[F], F]:  # noqa: ANN401
    """Add `--json`, which prints data of one of these names: of `operate.data`, or of its own type."""
    prints = {**dict.fromkeys(names), **own}
    return option("--json", "as_json", is_flag=True, help="Print JSON.", cls=Json, prints=prints)


message = option("-m", "--message", help="Why: recorded with the command.")
diff = option("--diff", "show_diff", is_flag=True, help="Show both sides of every change.")
yes = option("--yes", is_flag=True, help="Do not ask: agree to what is announced.")
recreate = option(
    "--recreate",
    is_flag=True,
    help="Remove and make anew what cannot go back in place, with its data.",
)
detailed = option(
    "--detailed-exitcode", "detailed", is_flag=True, help="Exit with 2 where changes are pending."
)
only = option(
    "--only", multiple=True, type=NAME, metavar="PATTERN", help="Only addresses that match, as file/web1:*."
)
exclude = option("--exclude", multiple=True, type=NAME, metavar="PATTERN", help="No addresses that match.")

max_size = option(
    "--max-size",
    type=click.IntRange(1, 1_000_000),
    default=32,
    show_default=True,
    metavar="MIB",
    help="How large what is read may be.",
)
as_of = option("--as-of", metavar="POSITION", help="A number, a time, HEAD~3, @{10 minutes ago}.")


serial = option(
    "--serial",
    "--at-a-time",
    "at_a_time",
    metavar="N",
    envvar="LASERCATS_AT_A_TIME",
    help="At N addresses at a time, as 5 or 30%, and no more after one that fails.",
)


def interpreter(function: F) -> F:
    """Add `--interpreter`, `--check`, `--confirm-within`, `--serial` and `--yes`."""
    choose = option(
        "--interpreter",
        default="live",
        show_default=True,
        metavar="NAME",
        help="What to do with it: live, simulate, script, trace, or one of a plugin.",
    )
    check = option("--check", is_flag=True, help="The same as --interpreter simulate.")
    within = option(
        "--confirm-within",
        metavar="TIME",
        help="Take it back by itself, unless `confirm` is run in this time, as 10m.",
    )
    return choose(check(within(serial(yes(function)))))


def acting(*names: str, **own: Any) -> Callable[[F], F]:  # noqa: ANN401
    """Add what every verb that acts takes: `--json`, `--diff`, `--message`, and how it is to be done."""
    return lambda function: as_json(*names, **own)(diff(message(interpreter(function))))


def is_queried(context: click.Context) -> bool:
    """Tell whether the addresses of a verb came from a query, so that no operator wrote them out."""
    return bool((context.find_root().obj or {}).get("queried"))
