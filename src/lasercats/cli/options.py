"""Options that many verbs share, and the opening of the project. Each has a `LASERCATS_…` variable."""

import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, TypeVar

import click

from lasercats.cli.arguments import NAME, TEXT
from lasercats.core.visible import visible

if TYPE_CHECKING:
    from lasercats.core.address import Address
    from lasercats.core.registry import Kinds
    from lasercats.operate.project import Project

KINDS = "lasercats.kinds"
"""Under this a context holds the kinds of the project that was opened in it."""
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


as_json = option("--json", "as_json", is_flag=True, help="Print JSON.")
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


def interpreters() -> list[str]:
    """Return the names of the installed interpreters."""
    from lasercats.operate import plugins  # noqa: PLC0415 - start-up stays light

    return plugins.names("interpreters")


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


def is_queried(context: click.Context) -> bool:
    """Tell whether the addresses of a verb came from a query, so that no operator wrote them out."""
    return bool((context.find_root().obj or {}).get("queried"))


def complete_address(context: click.Context, _parameter: click.Parameter, incomplete: str) -> list[str]:
    """Complete an address from what is in the state."""
    from lasercats.core.errors import LaserCatsError  # noqa: PLC0415

    try:
        with opened(context, looking=True, quiet=True) as project:
            return sorted(visible(a) for a, _ in project.state().items() if visible(a).startswith(incomplete))
    except LaserCatsError:
        return []


def complete_machine(context: click.Context, _parameter: click.Parameter, incomplete: str) -> list[str]:
    """Complete the name of a machine."""
    from lasercats.core.errors import LaserCatsError  # noqa: PLC0415

    try:
        with opened(context, looking=True, quiet=True) as project:
            return [name for name in project.machines.names() if name.startswith(incomplete)]
    except LaserCatsError:
        return []


@contextmanager
def opened(context: click.Context, *, looking: bool = False, quiet: bool = False) -> Iterator["Project"]:
    """Open the project that the operator stands in, or that `-C` names.

    A verb that only reads the log says that it is `looking`: no other is carried out in a project of somebody
    else. What else is to be said of the project is not said where it is `quiet`.
    """
    from pathlib import Path  # noqa: PLC0415

    from lasercats.cli import printing  # noqa: PLC0415
    from lasercats.cli.unforeseen import hear_libraries  # noqa: PLC0415
    from lasercats.operate import files, trust  # noqa: PLC0415
    from lasercats.operate.project import Project, find, user  # noqa: PLC0415

    hear_libraries()
    root = context.find_root().params
    folder = files.had(root.get("project") or ".", Path(root.get("project") or ".").resolve)
    actor = os.environ.get("LASERCATS_ACTOR") or user(os.environ.get("SUDO_USER", ""))
    project = Project(find(folder), root.get("env") or "default", looking=looking, actor=actor)
    if not quiet and (warning := trust.looseness(project.root)):
        printing.note(warning, fg="yellow")
    for name in () if quiet else project.absent:
        printing.note(
            f"lasercats.toml has settings for a domain {name!r}, which is not installed", fg="yellow"
        )
    context.meta[KINDS] = project.kinds
    try:
        yield project
    finally:
        project.close()


def kinds_of(context: click.Context) -> "Kinds":
    """Return the kinds of the project that the operator stands in; where there is none, those installed."""
    from lasercats.core.errors import LaserCatsError  # noqa: PLC0415
    from lasercats.operate import plugins  # noqa: PLC0415

    try:
        with opened(context, looking=True, quiet=True) as project:
            return project.kinds
    except LaserCatsError:
        return plugins.kinds()


def is_ranged(address: "Address") -> bool:
    """Tell whether names of the kind of an address are told as a range, in the project that is open."""
    context = click.get_current_context(silent=True)
    kinds: Kinds | None = None if context is None else context.meta.get(KINDS)
    return kinds is not None and kinds.kind(address).ranged
