"""Writes docs/reference/ from the code; with --check, tells which file is out of date and exits with 1."""

import argparse
import ast
import inspect
import json
import sys
import textwrap
from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import pairwise
from pathlib import Path
from types import NoneType, UnionType
from typing import Annotated, Any, Literal, Union, get_args, get_origin

import click
import msgspec

import lasercats
from lasercats.cli.generate import schemas as plugin_schemas
from lasercats.cli.main import VERBS, root
from lasercats.cli.options import Json
from lasercats.cli.verbs.log import Log
from lasercats.core import errors
from lasercats.core.command import Command, tag_of
from lasercats.core.document import loading_field, schema
from lasercats.core.instruction import Instruction
from lasercats.core.kind import Kind
from lasercats.core.registry import Domain, Kinds
from lasercats.core.resource import Role, notes, roles_of
from lasercats.core.secret import Sealed
from lasercats.operate import data
from lasercats.operate.api import Session
from lasercats.operate.plugins import kinds as installed

FOLDER = Path(__file__).parent.parent / "docs" / "reference"
NOTE = "<!-- Written by scripts/reference.py from the code. Do not edit. -->"
EXAMPLES = {
    "package": """\
resources:
  package/web1:nginx: {} # at any version
  package/web1:postgresql-15:
    version: 15.6-0+deb12u1
    hold: true
""",
    "service": """\
resources:
  service/web1:nginx.service:
    enabled: true
    running: true
""",
    "rack": """\
resources:
  rack/r1:
    height: 48
    numbering: below
    width: 19
    max_weight: 1000
    max_power: 7360
    location: hall 2, row C
""",
    "rack.device_type": """\
resources:
  rack.device_type/acme-rs-1100:
    manufacturer: Acme
    model: RS-1100
    u_height: 1
    is_full_depth: true
    weight: 17.5
    ports:
    - {name: PSU1, sort: power-port, type: iec-60320-c14, maximum_draw: 450}
    - {name: eth0, sort: interface, type: 1000base-t}
""",
    "rack.device": """\
resources:
  rack.device/db1:
    rack: rack/r1
    unit: 12
    face: front
    type: rack.device_type/acme-rs-1100
    serial: SN-0017
    asset_tag: A-4711
    machine: web1
  rack.device/dc2:db9: # at another site, reserved only
    rack: rack/dc2:r1
    unit: 1.5
    height: 0.5
    depth: half
    status: planned
""",
    "rack.cable": """\
resources:
  rack.cable/c17:
    a: db1:eth0
    b: sw1:eth7
    type: cat6a
    color: blue
    length: 2.5
    label: A-17
  rack.cable/p1:
    a: pdu1:Power Port 1
    b: feed-a # a feed has no port
    type: power
""",
    "rack.feed": """\
resources:
  rack.feed/feed-a:
    rack: rack/r1
    voltage: 400
    amperage: 16
    phases: 3
    utilization: 80
""",
    "switch.port": """\
resources:
  switch.port/sw1:eth7:
    description: web-1
    mode: access
    vlan: 20
  switch.port/sw1:eth48:
    mode: trunk
    native: 1
    allowed: 10,20-30
""",
    "switch.vlan": """\
resources:
  switch.vlan/sw1:20:
    name: servers
""",
    "switch.lag": """\
resources:
  switch.lag/sw1:bond0:
    members: [eth46, eth47]
    lacp: active
    mode: trunk
    allowed: all
""",
    "file": """\
resources:
  file/web1:/etc/motd:
    content: |
      hello
    mode: "0644"
    owner: root
  file/web1:/etc/app/password:
    secret: env:APP_PASSWORD
    mode: "0600"
""",
    "directory": """\
resources:
  directory/web1:/etc/app:
    mode: "0750"
    owner: root
    group: adm
""",
    "symlink": """\
resources:
  symlink/web1:/srv/current:
    target: /srv/release-7
""",
    "ec2.instance": """\
resources:
  ec2.instance/web-1:
    image: ami-0abcdef1234567890
    type: t3.micro
    subnet: ec2.subnet/a
    security_groups: [ec2.security_group/web]
    key: ec2.key_pair/ada
    user_data: |
      #!/bin/sh
      apt-get install -y nginx
    volumes:
      root: {size: 20, type: gp3}
    tags: {Name: web-1, team: web}
    state: running
    protected: true
  ec2.instance/prod:batch: # in the account of another machine, by ids
    image: ami-0abcdef1234567890
    type: c7g.large
    subnet: subnet-0123456789abcdef0
""",
    "ec2.volume": """\
resources:
  ec2.volume/data:
    zone: us-east-1a
    size: 100
    type: gp3
    encrypted: true
    instance: ec2.instance/web-1 # "" for nothing
    device: /dev/sdf
    tags: {Name: data}
""",
    "ec2.elastic_ip": """\
resources:
  ec2.elastic_ip/front:
    instance: ec2.instance/web-1
    tags: {Name: front}
""",
    "ec2.vpc": """\
resources:
  ec2.vpc/main:
    cidr: 10.0.0.0/16
    tags: {Name: main}
""",
    "ec2.subnet": """\
resources:
  ec2.subnet/a:
    vpc: ec2.vpc/main
    cidr: 10.0.1.0/24
    zone: us-east-1a
    public_ips: true
    tags: {Name: a}
""",
    "ec2.security_group": """\
resources:
  ec2.security_group/web:
    description: the web
    vpc: ec2.vpc/main
    ingress:
    - {protocol: tcp, ports: "443", peer: 0.0.0.0/0}
    - {protocol: tcp, ports: 8000-8080, peer: ec2.security_group/web, description: each other}
    - {protocol: icmp, ports: "8", peer: 10.0.0.0/8}
    egress:
    - {peer: 0.0.0.0/0}
""",
    "ec2.key_pair": """\
resources:
  ec2.key_pair/ada:
    public_key: ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIKS3hN2asqomyPuekKD3rre0IJh6IUdi3ZzhY2wUpA5m ada@desk
""",
}
"""A document for each built-in kind; the tests parse them."""

Struct = type[msgspec.Struct]


def pages(kinds: Kinds) -> dict[str, str]:
    """Return the text of every file of the reference, by its name."""
    return {
        "commands.md": page("Commands", commands()),
        "kinds.md": page("Kinds", kinds_page(kinds)),
        "instructions.md": page("Instructions", instructions_page(kinds.domains)),
        "errors.md": page("Errors and exit codes", errors_page()),
        "python.md": page("Python API", python_page()),
        "json.md": page("JSON that verbs print", json_page()),
        "json-schemas.json": json.dumps(json_schemas(), indent=2, ensure_ascii=False) + "\n",
        "document-schema.json": json.dumps(schema(kinds), indent=2, ensure_ascii=False) + "\n",
    }


def page(title: str, parts: Iterable[str]) -> str:
    """Return a page of Markdown, its parts apart by empty lines."""
    return "\n\n".join([f"# {title}", NOTE, *(part.strip("\n") for part in parts if part)]) + "\n"


def table(heads: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """Return a table of Markdown, or nothing when it has no rows."""
    lines = ["| " + " | ".join(cell.replace("|", "\\|") for cell in row) + " |" for row in rows]
    if not lines:
        return ""
    return "\n".join(["| " + " | ".join(heads) + " |", "|" + " --- |" * len(heads), *lines])


def doc(thing: object) -> str:
    """Return a docstring, its `Raises:` part left out."""
    return inspect.cleandoc(getattr(thing, "__doc__", None) or "").partition("\n\nRaises:")[0]


def sentence(text: str) -> str:
    """Return a text that begins large and ends with a full stop."""
    text = text.strip().removesuffix(".")
    return f"{text[:1].upper()}{text[1:]}." if text else ""


# Commands


def commands() -> Iterator[str]:
    """Describe every verb, walking the tree of the command line."""
    yield (
        "Every option can also be given by the variable that stands beside it. An option on the command line "
        "wins over its variable. Options before the verb belong to `lasercats` itself."
    )
    context = click.Context(root, info_name="lasercats")
    yield from command(context, "lasercats", 2)


def command(context: click.Context, path: str, depth: int) -> Iterator[str]:
    """Describe one verb, then those under it."""
    here = context.command
    yield f"{'#' * depth} {path}"
    usage = " ".join([path, *here.collect_usage_pieces(context)])
    yield f"```text\n{usage}\n```"
    yield inspect.cleandoc(here.help or "")
    yield table(("Option", "Variable", "Meaning"), map(option_row, options_of(here)))
    for name, below in below_of(context):
        yield from command(
            click.Context(below, info_name=name, parent=context), f"{path} {name}", min(depth + 1, 4)
        )


def below_of(context: click.Context) -> Iterator[tuple[str, click.Command]]:
    """Iterate over the verbs that stand below one, with their names."""
    here = context.command
    if isinstance(here, click.Group):
        found = ((name, here.get_command(context, name)) for name in here.list_commands(context))
        yield from ((name, below) for name, below in found if below is not None)
    elif isinstance(here, Log):
        yield from here.below.items()


def options_of(verb: click.Command) -> list[click.Option]:
    """Return the options of a verb."""
    return [parameter for parameter in verb.params if isinstance(parameter, click.Option)]


def option_row(option: click.Option) -> tuple[str, str, str]:
    """Describe an option: its names and value, its variable, its help."""
    value = "" if option.is_flag else f" {option.metavar or option.type.name.upper()}"
    names = ", ".join(f"`{name}{value if name.startswith('--') else ''}`" for name in option.opts)
    variable = option.envvar if isinstance(option.envvar, str) else ""
    default = f" Default: `{option.default}`." if option.show_default else ""
    required = " Required." if option.required else ""
    many = " May be given many times." if option.multiple else ""
    help_ = sentence(option.help or "") + required + many + default
    return names, f"`{variable}`" if variable else "", help_.strip()


# Kinds


def kinds_page(kinds: Kinds) -> Iterator[str]:
    """Describe every kind that is installed."""
    yield (
        "A field is *specified* (the operator decides it), *secret* (decided too, but kept sealed) or "
        "*computed* (the machine assigns it; a plan never compares it). A field that is left out is not "
        "decided: it stays as the machine has it."
    )
    for name, kind in sorted(kinds.kinds.items()):
        yield f"## {name}"
        yield doc(kind.resource)
        yield table(("Field", "Role", "Type", "Meaning"), resource_rows(kind.resource))
        yield "As a document:"
        yield f"```yaml\n{EXAMPLES[name]}```" if name in EXAMPLES else "(no example)"
        yield from commands_of(kind)
    for domain in kinds.domains:
        for free in domain.commands:
            yield f"## Command {tag_of(free)}"
            yield "It belongs to no kind."
            yield from command_type(free)


def commands_of(kind: Kind[Any]) -> Iterator[str]:
    """Describe the commands of a kind."""
    for made in kind.commands:
        yield f"### {tag_of(made)}"
        yield from command_type(made)


def command_type(made: type[Command]) -> Iterator[str]:
    """Describe a command: its event and its fields."""
    yield f"{doc(made)}\n\nIts event is `{made.past}`."
    if made.aliases:
        names = ", ".join(f"`{alias}`" for alias in sorted(made.aliases))
        yield f"Other names, each for one kind: {names}."
    yield table(("Field", "Type", "Needed", "Meaning"), field_rows(made, skip=("on",)))


def resource_rows(resource: Struct) -> Iterator[tuple[str, str, str, str]]:
    """Describe the fields of a resource, and the `source` that may stand for its content."""
    docs = attribute_docs(resource)
    for field in msgspec.structs.fields(resource):
        role: Role = roles_of(resource)[field.name]
        meaning = sentence(meaning_of(field.type) or docs.get(field.name, ""))
        yield f"`{field.name}`", role.value, type_text(field.type), meaning
    if loading_field(resource):
        yield "`source`", "specified", "text", "In a document: a local file with the content."


def field_rows(struct: Struct, skip: Sequence[str] = ()) -> Iterator[tuple[str, str, str, str]]:
    """Describe the fields of a command, an instruction or an outcome."""
    docs = attribute_docs(struct)
    for field in msgspec.structs.fields(struct):
        if field.name in skip:
            continue
        meaning = sentence(meaning_of(field.type) or docs.get(field.name, ""))
        yield f"`{field.name}`", type_text(field.type), "yes" if field.required else "", meaning


def meaning_of(annotation: Any) -> str:  # noqa: ANN401 - an annotation is of any type
    """Return the description that an annotation carries."""
    return next((str(n.description) for n in notes(annotation) if getattr(n, "description", None)), "")


def attribute_docs(struct: Struct) -> dict[str, str]:
    """Return the strings that stand below the fields of a class, and of those that it derives from."""
    docs: dict[str, str] = {}
    for class_ in reversed(struct.__mro__):
        if issubclass(class_, msgspec.Struct) and class_.__module__.startswith("lasercats."):
            docs |= own_attribute_docs(class_)
    return docs


def own_attribute_docs(class_: type) -> dict[str, str]:
    """Return the strings below the fields of one class."""
    (tree,) = ast.parse(textwrap.dedent(inspect.getsource(class_))).body
    body = tree.body if isinstance(tree, ast.ClassDef) else []
    docs: dict[str, str] = {}
    for one, next_ in pairwise(body):
        if isinstance(one, ast.AnnAssign) and isinstance(one.target, ast.Name):
            if isinstance(next_, ast.Expr) and isinstance(next_.value, ast.Constant):
                docs[one.target.id] = " ".join(str(next_.value.value).split())
    return docs


TYPE_WORDS = {
    Any: "value",
    Sealed: "sealed",
    str: "text",
    int: "whole number",
    float: "number",
    bool: "true or false",
}


def type_text(annotation: Any) -> str:  # noqa: ANN401 - an annotation is of any type
    """Return a type in words, with the constraints on it."""
    origin, arguments = get_origin(annotation), get_args(annotation)
    if origin is Annotated:
        return ", ".join([type_text(arguments[0]), *constraints(arguments[1:])])
    if origin in (Union, UnionType):
        return " or ".join(type_text(part) for part in arguments if part is not NoneType)
    if origin is Literal:
        return " or ".join(f"`{value}`" for value in arguments)
    if origin in (tuple, list, Sequence):
        return f"list of {type_text(arguments[0])}"
    if origin in (dict, Mapping):
        return f"object of {type_text(arguments[1])}"
    return TYPE_WORDS.get(annotation, getattr(annotation, "__name__", str(annotation)))


def constraints(metas: Iterable[Any]) -> Iterator[str]:
    """Put the constraints of an annotation in words."""
    words = {
        "pattern": "of the form `{}`",
        "min_length": "at least {} long",
        "max_length": "at most {} long",
        "ge": "{} or more",
        "gt": "more than {}",
        "le": "{} or less",
        "lt": "less than {}",
        "multiple_of": "a multiple of {}",
    }
    for meta in metas:
        for name, text in words.items():
            value = getattr(meta, name, None)
            if value is not None:
                yield text.format(value)


# Instructions


def instructions_page(domains: Iterable[Domain]) -> Iterator[str]:
    """Describe the vocabulary of every domain."""
    yield (
        "An instruction is one step for one machine, as data. `lasercats show POSITION` lists those of a "
        "command, `--interpreter trace` prints them while they run, `--interpreter script` prints them as a "
        "script."
    )
    for domain in sorted(domains, key=lambda domain: domain.name):
        yield f"## Vocabulary of the domain {domain.name}"
        for made in domain.instructions:
            yield from instruction(made)
        for answer in dict.fromkeys(made.answer for made in domain.instructions):
            if answer is not None:
                yield f"### Outcome {answer.__name__}"
                yield doc(answer)
                yield table(("Field", "Type", "Always", "Meaning"), field_rows(answer))


def instruction(made: type[Instruction]) -> Iterator[str]:
    """Describe an instruction: what it does, its fields, its outcome."""
    yield f"### {tag_of(made)}"
    yield doc(made)
    facts = ["Only looks." if made.looks else "Changes something."]
    facts += ["A batch ends with it."] if made.alone else []
    facts += [f"Its outcome is {made.answer.__name__}, or a failure."] if made.answer else []
    yield " ".join(facts)
    yield table(("Field", "Type", "Needed", "Meaning"), field_rows(made, skip=("machine",)))


# Errors


def errors_page() -> Iterator[str]:
    """Describe the tree of errors, and every exit code."""
    yield (
        "An error is one sentence on standard error that begins with `lasercats:`: the fact, the subject, "
        "the remedy."
    )
    codes = [
        ("0", "Done, or nothing to do."),
        ("1", "An error or a refusal, or not everything could be done."),
        ("2", "Changes are pending; only with `--detailed-exitcode`."),
        ("130", "Stopped by Ctrl-C."),
    ]
    yield table(("Exit code", "Meaning"), codes)
    yield "## The errors"
    yield "```text\n" + "\n".join(tree(errors.LaserCatsError)) + "\n```"
    rows = ((f"`{e.__name__}`", str(e.exit_code), doc(e)) for e in family(errors.LaserCatsError))
    yield table(("Error", "Exit code", "Meaning"), rows)


def family(error: type[errors.LaserCatsError]) -> Iterator[type[errors.LaserCatsError]]:
    """Iterate over an error and those that derive from it, in the core."""
    yield error
    for below in children(error):
        yield from family(below)


def children(error: type[errors.LaserCatsError]) -> list[type[errors.LaserCatsError]]:
    """Return what derives straight from an error, in the order of the code."""
    known = [e for e in vars(errors).values() if isinstance(e, type)]
    return [e for e in known if issubclass(e, errors.LaserCatsError) and e.__base__ is error]


def tree(error: type[errors.LaserCatsError], indent: str = "") -> Iterator[str]:
    """Draw an error with those that derive from it."""
    yield indent + error.__name__
    for below in children(error):
        yield from tree(below, indent + "    ")


# Files


def python_page() -> Iterator[str]:
    """Describe the library: how it is opened, and what an open project can do."""
    yield "How it is used is told in [Use LaserCats from Python](../howto/python.md)."
    for name, thing in [("lasercats.open", lasercats.open), *session()]:
        yield f"## {name}"
        signature = inspect.signature(thing)
        shown = signature.replace(parameters=[p for p in signature.parameters.values() if p.name != "self"])
        said = "async " if inspect.iscoroutinefunction(thing) else ""
        yield f"```python\n{said}{name}{shown}\n```"
        text, _, raises = inspect.cleandoc(thing.__doc__ or "").partition("\n\nRaises:\n")
        yield text
        errors_ = [line.strip().partition(": ") for line in raises.splitlines() if line.strip()]
        if errors_:
            yield table(("Raises", "Where"), [(f"`{error}`", why) for error, _, why in errors_])


def session() -> Iterator[tuple[str, Any]]:
    """Iterate over the public methods of an open project, in the order in which they stand."""
    for name, thing in vars(Session).items():
        if inspect.isfunction(thing) and not name.startswith("_"):
            yield f"project.{name}", thing


# JSON


def json_schemas() -> dict[str, Any]:
    """Return the schema of all that `--json` prints, by its name."""
    more = plugin_schemas()
    return {name: data.schema(name, more) for name in (*data.SCHEMAS, *more)}


def json_page() -> Iterator[str]:
    """Describe what `--json` prints: of which verbs, and the fields of each part."""
    yield (
        "With `--json` a verb prints one JSON value. `lasercats schema --of NAME` prints its schema; all are "
        "in [json-schemas.json](json-schemas.json). Where *needed* is empty, a field is left out when it "
        "says nothing. The library makes the same by `lasercats.operate.data`: see [Use LaserCats from "
        "Python](../howto/python.md). A *value* is a resource, a command or the like, with the fields that "
        "its [kind](kinds.md) has."
    )
    verbs = printers(click.Context(root, info_name="lasercats"), "lasercats")
    by_name: dict[str, dict[str, None]] = {}
    for name, path in verbs:
        by_hand = path.split()[1] in VERBS or name != "results"
        by_name.setdefault(name, {})[f"`{path}`" if by_hand else "direct commands"] = None
    types = {**data.SCHEMAS, **plugin_schemas()}
    yield table(
        ("Name", "What it is", "Printed by"),
        [(f"`{name}`", type_text(one), ", ".join(by_name[name])) for name, one in types.items()],
    )
    for struct in sorted(parts_of(types.values()), key=lambda struct: struct.__name__):
        yield f"## {struct.__name__}"
        yield doc(struct)
        yield table(("Field", "Type", "Needed", "Meaning"), field_rows(struct))


def printers(context: click.Context, path: str) -> Iterator[tuple[str, str]]:
    """Iterate over the names of schemas, and the verbs that print such data."""
    for option in context.command.params:
        if isinstance(option, Json):
            yield from ((name, path) for name in option.prints)
    for name, below in below_of(context):
        yield from printers(click.Context(below, info_name=name, parent=context), f"{path} {name}")


def parts_of(types: Iterable[Any]) -> set[Struct]:
    """Return the structs of which types are made."""
    found: set[Struct] = set()
    left = list(types)
    while left:
        one = left.pop()
        left += get_args(one)
        if isinstance(one, type) and issubclass(one, msgspec.Struct) and one not in found:
            found.add(one)
            left += [field.type for field in msgspec.structs.fields(one)]
    return found


def stale(folder: Path, texts: dict[str, str]) -> list[str]:
    """Return the names of the files that are not as the code says, one that nothing writes any more too."""
    there = {path.name: path.read_text() for path in sorted(folder.glob("*")) if path.is_file()}
    return sorted(name for name in {*there, *texts} if there.get(name) != texts.get(name))


def write(folder: Path, texts: dict[str, str]) -> None:
    """Write every file, and remove those that nothing writes any more."""
    folder.mkdir(parents=True, exist_ok=True)
    for name in stale(folder, texts):
        if name in texts:
            (folder / name).write_text(texts[name])
        else:
            (folder / name).unlink()


def main() -> int:
    """Write the reference, or check it."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--check", action="store_true", help="write nothing; exit with 1 if a file is stale")
    texts = pages(installed())
    if not parser.parse_args().check:
        write(FOLDER, texts)
        return 0
    names = stale(FOLDER, texts)
    for name in names:
        print(f"docs/reference/{name} is out of date; write it with `make docs`", file=sys.stderr)
    return 1 if names else 0


if __name__ == "__main__":
    sys.exit(main())
