"""The direct commands, `DOMAIN VERB NAME… --field value`, made from the command types."""

from collections.abc import Callable, Iterable, Sequence
from functools import cache, partial
from inspect import cleandoc
from typing import Any

import click
import msgspec

from lasercats.cli import arguments, options
from lasercats.cli.shapes import flat, shape
from lasercats.core.command import Command
from lasercats.core.document import loading_field
from lasercats.core.kind import Kind
from lasercats.core.registry import Kinds
from lasercats.core.resource import Role, fields_of, notes
from lasercats.operate import plugins


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
        makers["show"] = cache(partial(_picture, name))
    if name in plugins.names("verbs"):
        makers |= {str(verb.name): partial(_same, verb) for verb in _more(name)}

    class Verbs(base):  # type: ignore[misc, valid-type]
        def list_commands(self, ctx: click.Context) -> list[str]:
            return sorted(makers)

        def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
            return makers[cmd_name]() if cmd_name in makers else None

    return Verbs(name, help=_about(commands.values(), kinds))


def _more(name: str) -> Sequence[click.Command]:
    """Return the verbs that a plugin has under a word."""
    more: Sequence[click.Command] = plugins.load("verbs", name, "set of verbs")()
    return more


def schemas() -> dict[str, Any]:
    """Return the types of data that only verbs of plugins print, by the names of their schemas."""
    verbs = [verb for name in plugins.names("verbs") for verb in _more(name)]
    printing = [option for verb in verbs for option in verb.params if isinstance(option, options.Json)]
    return {name: type_ for option in printing for name, type_ in option.prints.items() if type_ is not None}


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
    for decorate in (options.as_json("results"), options.diff, options.message, options.interpreter):
        decorate(verb)
    for shared in verb.params[len(fields) :]:  # what a field is called is its own, as `rack mount --serial`
        shared.opts = [spelling for spelling in shared.opts if spelling not in own]
    return verb


def _callback(tag: str, command: type[Command]) -> Any:  # noqa: ANN401
    @click.pass_context
    def run(context: click.Context, /, names: tuple[str, ...], **values: Any) -> None:  # noqa: ANN401
        from lasercats.cli.direct import carry_out  # noqa: PLC0415 - help is made without

        carry_out(context, tag, command, names, values)

    return run


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
        if bool in flat(field.type):
            more |= {"is_flag": True, "default": None, "type": bool}
        elif shape(field.type) is not None:
            more |= {"multiple": True, "metavar": "KEY=VALUE" if shape(field.type) is dict else "VALUE"}
        elif float in flat(field.type):
            more |= {"type": float}
        elif int in flat(field.type):
            more |= {"type": int}
        if field.name in secret:
            more |= {"metavar": "env:NAME|file:PATH|…", "help": _sentence(f"{text}; never written in clear")}
            more["type"] = arguments.BYTES
        spelled = _spellings(field.name, multiple="multiple" in more)
        if bool in flat(field.type) and field.default is None:
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


def _sentence(text: str) -> str:
    return f"{text[:1].upper()}{text[1:]}." if text else ""


def description(annotation: Any) -> str:  # noqa: ANN401
    """Return the description in a field's annotation."""
    return next((str(n.description) for n in notes(annotation) if getattr(n, "description", None)), "")


def _complete(
    kinds: Sequence[Kind[Any]], context: click.Context, _parameter: click.Parameter, incomplete: str
) -> list[str]:
    from lasercats.cli.direct import complete  # noqa: PLC0415 - as above

    return complete(kinds, context, incomplete)


def _picture(domain: str) -> click.Command:
    from lasercats.cli.picture import make_show  # noqa: PLC0415 - as above

    return make_show(domain)
