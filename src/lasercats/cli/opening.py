"""Opens the project that an operator stands in, for a verb or for the completion of a name."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import click

from lasercats.cli import printing
from lasercats.cli.unforeseen import hear_libraries
from lasercats.core.address import Address
from lasercats.core.errors import LaserCatsError
from lasercats.core.registry import Kinds
from lasercats.core.visible import visible
from lasercats.operate import files, plugins, trust
from lasercats.operate.project import Project, find, user

KINDS = "lasercats.kinds"
"""Under this a context holds the kinds of the project that was opened in it."""


def complete_address(context: click.Context, _parameter: click.Parameter, incomplete: str) -> list[str]:
    """Complete an address from what is in the state."""
    try:
        with opened(context, looking=True, quiet=True) as project:
            return sorted(visible(a) for a, _ in project.state().items() if visible(a).startswith(incomplete))
    except LaserCatsError:
        return []


def complete_machine(context: click.Context, _parameter: click.Parameter, incomplete: str) -> list[str]:
    """Complete the name of a machine."""
    try:
        with opened(context, looking=True, quiet=True) as project:
            return [name for name in project.machines.names() if name.startswith(incomplete)]
    except LaserCatsError:
        return []


@contextmanager
def opened(context: click.Context, *, looking: bool = False, quiet: bool = False) -> Iterator[Project]:
    """Open the project that the operator stands in, or that `-C` names.

    A verb that only reads the log says that it is `looking`: no other is carried out in a project of somebody
    else. What else is to be said of the project is not said where it is `quiet`.
    """
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
    for key in () if quiet else project.unknown:
        printing.note(f"lasercats.toml has {key!r}, which means nothing: is it misspelt?", fg="yellow")
    context.meta[KINDS] = project.kinds
    try:
        yield project
    finally:
        project.close()


def kinds_of(context: click.Context) -> Kinds:
    """Return the kinds of the project that the operator stands in; where there is none, those installed."""
    try:
        with opened(context, looking=True, quiet=True) as project:
            return project.kinds
    except LaserCatsError:
        return plugins.kinds()


def is_ranged(address: Address) -> bool:
    """Tell whether names of the kind of an address are told as a range, in the project that is open."""
    context = click.get_current_context(silent=True)
    kinds: Kinds | None = None if context is None else context.meta.get(KINDS)
    return kinds is not None and kinds.kind(address).ranged
