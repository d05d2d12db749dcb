"""Carries direct commands out: a name may be a pattern for machines, an option one field of many."""

from collections.abc import Sequence
from dataclasses import replace
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Any

import click
import msgspec

from lasercats.cli import arguments, options, show
from lasercats.cli.act import act
from lasercats.cli.opening import opened
from lasercats.cli.request import Request
from lasercats.cli.shapes import flat, shape
from lasercats.core.address import kind_of, name_of
from lasercats.core.command import Command
from lasercats.core.errors import BadInput, LaserCatsError
from lasercats.core.kind import Kind
from lasercats.core.visible import visible
from lasercats.operate.issue import build
from lasercats.operate.project import Project


def carry_out(
    context: click.Context, tag: str, command: type[Command], names: Sequence[str], values: dict[str, Any]
) -> None:
    """Build a command of the values of its verb, and carry it out."""
    request = replace(Request.take(values), direct=is_written(context, names))
    with opened(context, looking=request.predicts) as project:
        given = {name: v for name, v in values.items() if v is not None and v != ()}
        data: dict[str, Any] = {name: _value(command, name, value) for name, value in given.items()}
        data |= {"command": tag, "on": expand(project, names)}
        built = build(data, project.kinds, project.inputs(Path(), arguments.secret_input))
        show.print_resealed(project.resealed)
        act(context, project, [built], request)


def is_pattern(name: str) -> bool:
    """Tell whether the machine of a name is a pattern for machines."""
    machine, colon, _ = name.partition(":")
    return bool(colon) and any(sign in machine for sign in "*?[")


def is_written(context: click.Context, names: Sequence[str]) -> bool:
    """Tell whether the operator wrote names out: they come of no query, and none is a pattern."""
    return not options.is_queried(context) and not any(map(is_pattern, names))


def expand(project: Project, names: Sequence[str]) -> list[str]:
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


def _is_address(name: str, project: Project) -> bool:
    """Tell whether a name begins with a kind."""
    return name.partition("/")[0] in project.kinds.kinds


def _value(command: type[Command], name: str, value: Any) -> Any:  # noqa: ANN401
    """Return the value of an option as plain data: `KEY=VALUE` as a mapping, `a:1,b:2` as one, too.

    Raises:
        BadInput: one is not of that form.

    """
    field = next((f for f in msgspec.structs.fields(command) if f.name == name), None)
    if field is None or not isinstance(value, tuple):
        return value
    struct = next(
        (p for p in flat(field.type) if isinstance(p, type) and issubclass(p, msgspec.Struct)), None
    )
    if shape(field.type) is not dict:
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
    whole_numbers = {f.name for f in msgspec.structs.fields(struct) if int in flat(f.type)}
    return {n: int(v) if n in whole_numbers and v.isdecimal() else v for n, v in made.items()}


def complete(kinds: Sequence[Kind[Any]], context: click.Context, incomplete: str) -> list[str]:
    """Complete a name from what is in the state of a kind, and from the machines that it may be on."""
    try:
        with opened(context, looking=True, quiet=True) as project:
            first, others = next(iter(kinds), None), {kind.name for kind in kinds[1:]}
            machines = [] if first is None or first.machine else project.machines.names()
            there = [a for a, _ in project.state().items()]
            known = [name_of(a) for a in there if first and kind_of(a) == first.name]
            known += [a for a in there if kind_of(a) in others]
            names = [f"{machine}:" for machine in machines] + sorted(known)
    except LaserCatsError:
        return []
    return [visible(name) for name in names if visible(name).startswith(incomplete)]
