"""The commands that we tell an operator to type: they mean the same as they are printed, where he stands."""

import shlex
from collections.abc import Iterable, Mapping, Sequence

import click

from lasercats.core.address import Address
from lasercats.core.change import Delta
from lasercats.interpreters.context import Result
from lasercats.operate.project import Project
from lasercats.operate.spans import UNDER_WAY, words


def line(words: Sequence[str]) -> str:
    """Return a command line of ours, in the project and environment that this one was given by option."""
    root = click.get_current_context().find_root()
    given = {"-C": "project", "--env": "env"}
    options = [
        part
        for option, name in given.items()
        if root.params.get(name) and root.get_parameter_source(name) is click.core.ParameterSource.COMMANDLINE
        for part in (option, str(root.params[name]))
    ]
    return f"`{shlex.join(['lasercats', *options, *words])}`"


def back(project: Project, deltas: Mapping[int, Delta], buried: Iterable[Address] = ()) -> str:
    """Return how commands that are over and changed this are taken back; nothing where they cannot."""
    said = words(project, deltas, buried)
    return f"take it back with {line(said)}" if said else ""


def back_of(project: Project, results: Sequence[Result], buried: Iterable[Address]) -> str:
    """Return how results are taken back, as far as they are over and nothing at their addresses is not."""
    busy = {a for result in results if result.status in UNDER_WAY for a in result.command.on}
    done = {r.position: r.delta for r in results if r.position is not None and not busy & {*r.command.on}}
    return back(project, done, buried)
