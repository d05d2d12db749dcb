"""The verbs of kinds that are made from data, once for all of them: create, set, remove."""

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import click

from lasercats.cli import arguments, options, show
from lasercats.cli.act import act
from lasercats.cli.direct import expand, is_written
from lasercats.cli.opening import opened
from lasercats.cli.request import Request
from lasercats.core.address import kind_of
from lasercats.core.command import tag_of
from lasercats.core.errors import BadInput, LaserCatsError
from lasercats.core.reading import load_yaml
from lasercats.core.resource import alternatives, infos
from lasercats.core.visible import visible
from lasercats.operate.issue import build
from lasercats.operate.project import Project


def _verb(name: str, summary: str, *, fields: bool) -> click.Command:
    """Make one of the verbs."""

    @click.pass_context
    def run(context: click.Context, /, addresses: tuple[str, ...], **values: Any) -> None:  # noqa: ANN401
        _act(context, name, addresses, values)

    about = "Which kinds they are for, `lasercats schema` tells; other kinds have verbs of their own."
    verb = click.Command(name, callback=run, help=f"{summary}\n\n{about}", short_help=summary)
    field = options.option(
        "--field",
        "-f",
        "fields",
        multiple=True,
        metavar="FIELD=VALUE",
        help="A field and its value; of one that holds more than text, as YAML.",
    )
    addressed = options.argument(
        "addresses",
        type=arguments.NAME,
        nargs=-1,
        required=True,
        metavar="KIND/NAME...",
        shell_complete=_complete,
    )
    shared = (options.as_json("results"), options.diff, options.message, options.interpreter)
    for decorate in (*shared, *((field,) if fields else ()), addressed):
        decorate(verb)
    return verb


def _complete(context: click.Context, _parameter: click.Parameter, incomplete: str) -> list[str]:
    """Complete an address from what is in the state, and from the kinds that are made from data."""
    try:
        with opened(context, looking=True, quiet=True) as project:
            made = {kind.name for kind in project.kinds.kinds.values() if kind.generic}
            known = [visible(a) for a, _ in project.state().items() if kind_of(a) in made]
    except LaserCatsError:
        return []
    return sorted(one for one in (*known, *(f"{kind}/" for kind in made)) if one.startswith(incomplete))


def _act(context: click.Context, verb: str, addresses: Sequence[str], values: dict[str, Any]) -> None:
    request, texts = Request.take(values), values.pop("fields", ())
    request = replace(request, direct=is_written(context, addresses))
    with opened(context, looking=request.predicts) as project:
        on: dict[str, list[str]] = {}
        for address in expand(project, addresses):
            on.setdefault(kind_of(project.kinds.address(address)), []).append(address)
        commands = [_built(project, f"{kind}.{verb}", names, texts) for kind, names in on.items()]
        show.print_resealed(project.resealed)
        act(context, project, commands, request)


def _built(project: Project, tag: str, names: Sequence[str], texts: Sequence[str]) -> Any:  # noqa: ANN401
    """Build a command.

    Raises:
        BadInput: its kind has verbs of its own, or a field is not of that form.

    """
    kind = project.kinds.kinds[tag.rpartition(".")[0]]
    if not kind.generic:
        group = tag_of(kind.commands[0]).partition(".")[0]
        raise BadInput(f"{kind.name} has verbs of its own; `lasercats {group} --help` lists them")
    data = {"command": tag, "on": list(names), **dict(_field(kind.resource, text) for text in texts)}
    return build(data, project.kinds, project.inputs(Path(), arguments.secret_input))


def _field(resource: Any, text: str) -> tuple[str, Any]:  # noqa: ANN401
    """Return the name and the value of a field that was given as text.

    Raises:
        BadInput: it is not of the form FIELD=VALUE, or the value is no YAML.

    """
    name, sign, value = text.partition("=")
    if not sign or not name:
        raise BadInput(f"option --field takes FIELD=VALUE, and not {text!r}")
    types = {part for f in infos(resource) if f.name == name for part in alternatives(f.type)}
    return name, value if str in types or not types else load_yaml(value, f"field {name}")[0]


create = _verb("create", "Create resources of kinds that are made from data.", fields=True)


set_ = _verb("set", "Set fields of resources of kinds that are made from data.", fields=True)


remove = _verb("remove", "Remove resources of kinds that are made from data.", fields=False)
