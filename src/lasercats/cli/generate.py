"""The direct commands, `DOMAIN VERB NAME… --field value`, made from the command types."""

from collections.abc import Sequence
from fnmatch import fnmatchcase
from inspect import cleandoc
from typing import TYPE_CHECKING, Any, get_args

import click
import msgspec

from lasercats.cli import options
from lasercats.core.command import Command
from lasercats.core.document import loading_field
from lasercats.core.errors import BadInput
from lasercats.core.kind import Kind, Kinds, tag_of
from lasercats.core.resource import Role, fields_of, notes

if TYPE_CHECKING:
    from lasercats.operate.project import Project


def groups(kinds: Kinds) -> dict[str, list[type[Command]]]:
    """Return the command types by the word that they are under."""
    found: dict[str, list[type[Command]]] = {}
    for group, _, command in kinds.verbs():
        found.setdefault(group, []).append(command)
    return found


def make_group(name: str, kinds: Kinds, base: type[click.Group]) -> click.Group:
    """Make the group of a word, with a verb for each of its commands."""
    commands = groups(kinds)[name]
    kind = kinds.kind_for(commands[0])
    doc = cleandoc((kind.resource if kind else commands[0]).__doc__ or "")
    group = base(name, help=doc, short_help=doc.splitlines()[0])
    for command in commands:
        group.add_command(_make_verb(command, kinds.kind_for(command)))
    return group


def _make_verb(command: type[Command], kind: Kind | None) -> click.Command:
    doc = cleandoc(command.__doc__ or "")
    names = click.Argument(["names"], nargs=-1, required=True, metavar="NAME...", shell_complete=_complete)
    verb = click.Command(
        tag_of(command).rpartition(".")[2],
        callback=_callback(command, kind),
        params=[names, *_field_options(command)],
        help=f"{doc}\n\nNAME is MACHINE:REST; the machine may be a pattern, as in 'web*:/etc/motd'.",
        short_help=doc.splitlines()[0],
    )
    for decorate in (options.as_json, options.diff, options.message, options.interpreter):
        decorate(verb)
    return verb


def _callback(command: type[Command], kind: Kind | None) -> Any:  # noqa: ANN401
    @click.pass_context
    def run(context: click.Context, /, names: tuple[str, ...], **values: Any) -> None:  # noqa: ANN401
        from pathlib import Path  # noqa: PLC0415

        from lasercats.cli.act import Request, act  # noqa: PLC0415 - start-up stays light
        from lasercats.operate.issue import build  # noqa: PLC0415
        from lasercats.operate.project import LocalInputs  # noqa: PLC0415

        request = Request.take(values)
        with options.opened(context) as project:
            data: dict[str, Any] = {name: v for name, v in values.items() if v not in (None, (), False)}
            data |= {"command": tag_of(command), "on": expand(project, names, kind)}
            inputs = LocalInputs(Path(), project.vault)
            act(context, project, [build(data, project.kinds, inputs)], request)

    return run


def expand(project: "Project", names: Sequence[str], kind: Kind | None) -> list[str]:
    """Put the machines in place of a pattern for them.

    Raises:
        BadInput: a pattern fits no machine.

    """
    expanded = []
    for name in names:
        plain = name.removeprefix(f"{kind.name}/") if kind else name
        machine, colon, rest = plain.partition(":")
        if not any(sign in machine for sign in "*?["):
            expanded.append(plain)
            continue
        fitting = [m for m in project.machines.names() if fnmatchcase(m, machine)]
        if not fitting:
            raise BadInput(f"no machine fits {machine!r}; `lasercats machine list` shows which there are")
        expanded += [f"{m}{colon}{rest}" for m in fitting]
    return expanded


def _field_options(command: type[Command]) -> list[click.Parameter]:
    made: list[click.Parameter] = []
    secret = fields_of(command, Role.SECRET)
    loads = loading_field(command)
    for field in msgspec.structs.fields(command):
        if field.name == "on":
            continue
        text, required = description(field.type), field.required
        variable = "LASERCATS_" + f"{tag_of(command)}_{field.name}".replace(".", "_").upper()
        more: dict[str, Any] = {"help": _sentence(text), "envvar": variable, "required": required}
        if bool in (field.type, *get_args(field.type)):
            more |= {"is_flag": True, "default": None}
        if field.name in secret:
            more |= {"metavar": "env:NAME|file:PATH", "help": _sentence(f"{text}; never written in clear")}
        made.append(click.Option([f"--{field.name.replace('_', '-')}"], **more))
        if field.name == loads:
            help_ = f"A local file with {text.removesuffix(', as text')}, any bytes."
            made.append(click.Option(["--source"], metavar="FILE", help=help_, envvar=f"{variable}_SOURCE"))
    return made


def _sentence(text: str) -> str:
    return f"{text[:1].upper()}{text[1:]}." if text else ""


def description(annotation: Any) -> str:  # noqa: ANN401
    """Return the description in a field's annotation."""
    return next((str(n.description) for n in notes(annotation) if getattr(n, "description", None)), "")


def _complete(context: click.Context, _parameter: click.Parameter, incomplete: str) -> list[str]:
    """Complete a name from the machines and from what is in the state."""
    from lasercats.core.address import kind_of, name_of  # noqa: PLC0415
    from lasercats.core.errors import LaserCatsError  # noqa: PLC0415

    kind = context.parent.info_name if context.parent else None
    try:
        with options.opened(context) as project:
            known = [name_of(a) for a, _ in project.state().items() if kind_of(a) == kind]
            names = [f"{machine}:" for machine in project.machines.names()] + sorted(known)
    except LaserCatsError:
        return []
    return [name for name in names if name.startswith(incomplete)]
