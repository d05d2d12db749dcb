"""The direct commands, `DOMAIN VERB NAME… --field value`, made from the command types."""

from collections.abc import Callable, Iterable, Iterator, Sequence
from fnmatch import fnmatchcase
from functools import cache, partial
from inspect import cleandoc
from typing import TYPE_CHECKING, Any, get_args, get_origin

import click
import msgspec

from lasercats.cli import arguments, options
from lasercats.cli.picture import make_show
from lasercats.core.command import Command
from lasercats.core.document import loading_field
from lasercats.core.errors import BadInput
from lasercats.core.kind import Kind
from lasercats.core.registry import Kinds
from lasercats.core.resource import Role, fields_of, notes
from lasercats.core.visible import visible
from lasercats.operate import plugins

if TYPE_CHECKING:
    from lasercats.operate.project import Project


def groups(kinds: Kinds) -> dict[str, dict[str, type[Command]]]:
    """Return the command types by the word that they are under, and by name."""
    found: dict[str, dict[str, type[Command]]] = {}
    for group, verb, command in kinds.verbs():
        found.setdefault(group, {})[f"{group}.{verb}"] = command
    return found


def verb_of(tag: str) -> str:
    """Return the verb of a command as it is typed: `change-type`."""
    return tag.rpartition(".")[2].replace("_", "-")


def make_group(name: str, kinds: Kinds, base: type[click.Group]) -> click.Group:
    """Make the group of a word, with a verb for each of its commands; each is made when it is wanted."""
    commands = groups(kinds)[name]
    makers: dict[str, Callable[[], click.Command]] = {
        verb_of(tag): cache(partial(_make_verb, tag, command, kinds.kinds_for(tag)))
        for tag, command in commands.items()
    }
    if name in plugins.names("pictures"):
        makers["show"] = cache(partial(make_show, name))
    if name in plugins.names("verbs"):
        more: Sequence[click.Command] = plugins.load("verbs", name, "set of verbs")()
        makers |= {str(verb.name): partial(_same, verb) for verb in more}

    class Verbs(base):  # type: ignore[misc, valid-type]
        def list_commands(self, ctx: click.Context) -> list[str]:
            return sorted(makers)

        def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
            return makers[cmd_name]() if cmd_name in makers else None

    return Verbs(name, help=_about(commands.values(), kinds))


def _same(verb: click.Command) -> click.Command:
    return verb


def _about(commands: Iterable[type[Command]], kinds: Kinds) -> str:
    """Return the help of a group: what its kinds are."""
    about = {k: cleandoc(k.resource.__doc__ or "") for c in commands for k in kinds.kinds_for(c)}
    if len(about) == 1:
        return next(iter(about.values()))
    return "\n\n".join(f"{kind.name}: {doc.splitlines()[0]}" for kind, doc in about.items())


def _names(kinds: Sequence[Kind[Any]]) -> str:
    """Return what the names are that a verb of some kinds takes."""
    kind = next(iter(kinds), None)
    if kind is not None and kind.machine is not None:
        text = (
            f"NAME is a name of {kind.name} on the machine {kind.machine!r}; on another it is MACHINE:NAME, "
            "and that machine may be a pattern, as in 'prod*:web'."
        )
    else:
        form = kind.form if kind else "MACHINE:REST"
        text = f"NAME is {form}; the machine may be a pattern, as in 'web*:…'."
    others = " or ".join(f"{other.name}/NAME" for other in kinds[1:])
    return f"{text} Of another kind it is written as {others}." if others else text


def _make_verb(tag: str, command: type[Command], kinds: Sequence[Kind[Any]]) -> click.Command:
    doc = cleandoc(command.__doc__ or "")
    complete = partial(_complete, kinds)
    names = click.Argument(
        ["names"], nargs=-1, required=True, type=arguments.NAME, metavar="NAME...", shell_complete=complete
    )
    verb = click.Command(
        verb_of(tag),
        callback=_callback(tag, command),
        params=[names, *_field_options(tag, command)],
        help=f"{doc}\n\n{_names(kinds)}",
        short_help=doc.splitlines()[0],
    )
    fields = [*verb.params]
    own = {spelling for parameter in fields for spelling in parameter.opts}
    for decorate in (options.as_json, options.diff, options.message, options.interpreter):
        decorate(verb)
    for shared in verb.params[len(fields) :]:  # what a field is called is its own, as `rack mount --serial`
        shared.opts = [spelling for spelling in shared.opts if spelling not in own]
    return verb


def _callback(tag: str, command: type[Command]) -> Any:  # noqa: ANN401
    @click.pass_context
    def run(context: click.Context, /, names: tuple[str, ...], **values: Any) -> None:  # noqa: ANN401
        from dataclasses import replace  # noqa: PLC0415
        from pathlib import Path  # noqa: PLC0415

        from lasercats.cli import show  # noqa: PLC0415 - start-up stays light
        from lasercats.cli.act import Request, act  # noqa: PLC0415 - as above
        from lasercats.operate.issue import build  # noqa: PLC0415

        request = replace(Request.take(values), direct=is_written(context, names))
        with options.opened(context, looking=request.predicts) as project:
            given = {name: v for name, v in values.items() if v is not None and v != ()}
            data: dict[str, Any] = {name: _value(command, name, value) for name, value in given.items()}
            data |= {"command": tag, "on": expand(project, names)}
            built = build(data, project.kinds, project.inputs(Path(), arguments.secret_input))
            show.print_resealed(project.resealed)
            act(context, project, [built], request)

    return run


def is_pattern(name: str) -> bool:
    """Tell whether the machine of a name is a pattern for machines."""
    machine, colon, _ = name.partition(":")
    return bool(colon) and any(sign in machine for sign in "*?[")


def is_written(context: click.Context, names: Sequence[str]) -> bool:
    """Tell whether the operator wrote names out: they come of no query, and none is a pattern."""
    return not options.is_queried(context) and not any(map(is_pattern, names))


def expand(project: "Project", names: Sequence[str]) -> list[str]:
    """Put the machines in place of a pattern for them.

    Raises:
        BadInput: a pattern fits no machine.

    """
    expanded = []
    for name in names:
        kinds, slash, plain = name.partition("/") if _is_address(name, project) else ("", "", name)
        machine, colon, rest = plain.partition(":")
        if not is_pattern(name):
            expanded.append(name)
            continue
        fitting = [m for m in project.machines.names() if fnmatchcase(m, machine)]
        if not fitting:
            raise BadInput(f"no machine fits {machine!r}; `lasercats machine list` shows which there are")
        expanded += [f"{kinds}{slash}{m}{colon}{rest}" for m in fitting]
    return expanded


def _is_address(name: str, project: "Project") -> bool:
    """Tell whether a name begins with a kind."""
    return name.partition("/")[0] in project.kinds.kinds


def _field_options(tag: str, command: type[Command]) -> list[click.Parameter]:
    made: list[click.Parameter] = []
    secret, given = fields_of(command, Role.SECRET), fields_of(command, Role.COMPUTED)
    loads = loading_field(command)
    for field in msgspec.structs.fields(command):
        if field.name == "on" or field.name in given:
            continue
        text, required = description(field.type), field.required and field.name != loads
        variable = "LASERCATS_" + f"{tag}_{field.name}".replace(".", "_").upper()
        more: dict[str, Any] = {"help": _sentence(text), "envvar": variable, "required": required}
        more["type"] = arguments.CONTENT if field.name == loads else arguments.TEXT
        if bool in _flat(field.type):
            more |= {"is_flag": True, "default": None, "type": bool}
        elif _shape(field.type) is not None:
            more |= {"multiple": True, "metavar": "KEY=VALUE" if _shape(field.type) is dict else "VALUE"}
        elif float in _flat(field.type):
            more |= {"type": float}
        elif int in _flat(field.type):
            more |= {"type": int}
        if field.name in secret:
            more |= {"metavar": "env:NAME|file:PATH|…", "help": _sentence(f"{text}; never written in clear")}
            more["type"] = arguments.BYTES
        spelled = _spellings(field.name, multiple="multiple" in more)
        if bool in _flat(field.type) and field.default is None:
            spelled = [f"{spelled[0]}/--no-{spelled[0][2:]}"]  # undecided is neither
        made.append(click.Option([field.name, *spelled], **more))
        if field.name == loads:
            help_ = f"A local file with {text.removesuffix(', as text')}, any bytes."
            source: dict[str, Any] = {"type": arguments.FILE, "metavar": "FILE", "help": help_}
            made.append(click.Option(["--source"], envvar=f"{variable}_SOURCE", **source))
    return made


def _spellings(name: str, *, multiple: bool) -> list[str]:
    """Return how an option is written: one that may be given many times also in the singular."""
    dashed = f"--{name.replace('_', '-')}"
    return [dashed.removesuffix("s"), dashed] if multiple and dashed.endswith("s") else [dashed]


def _shape(annotation: Any) -> type | None:  # noqa: ANN401
    """Return `dict` or `tuple` for the option that may be given many times, None for a plain one."""
    return next((get_origin(part) for part in _flat(annotation) if get_origin(part) in (dict, tuple)), None)


def _value(command: type[Command], name: str, value: Any) -> Any:  # noqa: ANN401
    """Return the value of an option as plain data: `KEY=VALUE` as a mapping, `a:1,b:2` as one, too.

    Raises:
        BadInput: one is not of that form.

    """
    field = next((f for f in msgspec.structs.fields(command) if f.name == name), None)
    if field is None or not isinstance(value, tuple):
        return value
    struct = next(
        (p for p in _flat(field.type) if isinstance(p, type) and issubclass(p, msgspec.Struct)), None
    )
    if _shape(field.type) is not dict:
        return list(value) if struct is None else [_fields(struct, text, text) for text in value]
    made: dict[str, Any] = {}
    for text in value:
        key, sign, rest = text.partition("=")
        if not sign or not key:
            raise BadInput(f"option --{name.replace('_', '-')} takes KEY=VALUE, and not {text!r}")
        made[key] = rest if struct is None else _fields(struct, rest, text)
    return made


def _fields(struct: type[msgspec.Struct], text: str, whole: str) -> dict[str, Any]:
    """Return `a:1,b:2` as a mapping; a comma in what is not of that form belongs to the value before it."""
    names = struct.__struct_encode_fields__
    made: dict[str, Any] = {}
    last = ""
    for part in text.split(","):
        name, sign, value = part.partition(":")
        if sign and (name in names or not last or " " not in part):
            made[name], last = value, name
        elif last:
            made[last] += f",{part}"
        else:
            raise BadInput(
                f"{whole!r} is not of the form {'KEY=' if whole != text else ''}FIELD:VALUE,FIELD:VALUE"
            )
    whole_numbers = {f.name for f in msgspec.structs.fields(struct) if int in _flat(f.type)}
    return {n: int(v) if n in whole_numbers and v.isdecimal() else v for n, v in made.items()}


def _flat(annotation: Any) -> Iterator[Any]:  # noqa: ANN401
    yield annotation
    for part in get_args(annotation):
        yield from _flat(part)


def _sentence(text: str) -> str:
    return f"{text[:1].upper()}{text[1:]}." if text else ""


def description(annotation: Any) -> str:  # noqa: ANN401
    """Return the description in a field's annotation."""
    return next((str(n.description) for n in notes(annotation) if getattr(n, "description", None)), "")


def _complete(
    kinds: Sequence[Kind[Any]], context: click.Context, _parameter: click.Parameter, incomplete: str
) -> list[str]:
    """Complete a name from what is in the state of a kind, and from the machines that it may be on."""
    from lasercats.core.address import kind_of, name_of  # noqa: PLC0415
    from lasercats.core.errors import LaserCatsError  # noqa: PLC0415

    try:
        with options.opened(context, looking=True, quiet=True) as project:
            first, others = next(iter(kinds), None), {kind.name for kind in kinds[1:]}
            machines = [] if first is None or first.machine else project.machines.names()
            there = [a for a, _ in project.state().items()]
            known = [name_of(a) for a in there if first and kind_of(a) == first.name]
            known += [a for a in there if kind_of(a) in others]
            names = [f"{machine}:" for machine in machines] + sorted(known)
    except LaserCatsError:
        return []
    return [visible(name) for name in names if visible(name).startswith(incomplete)]
