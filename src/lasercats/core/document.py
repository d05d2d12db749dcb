"""Documents: the state, or the desired part of it, as YAML (or JSON, which is YAML).

    resources:
      file/web1:/etc/motd:
        content: |
          hello
        mode: "0644"

A key under `resources` is an address; below it stand the fields that are decided. A content field may be
given as `source`, a file beside the document; a secret field as `env:NAME`, `file:PATH` or a sealed token. A
key beside `resources` that begins with `x-` is for anchors, and not read.
"""

import json
from collections.abc import Iterable, Mapping, Sequence
from functools import cache
from typing import Any, NamedTuple

import msgspec

from lasercats.core.address import Address
from lasercats.core.errors import BadDocument, BadInput
from lasercats.core.kind import Kind
from lasercats.core.ports import Inputs
from lasercats.core.reading import load_yaml, where
from lasercats.core.registry import Kinds, convert
from lasercats.core.resource import (
    Resource,
    Role,
    StrangeResource,
    decisions,
    fields_of,
    marked_fields,
    notes,
)
from lasercats.core.secret import Sealed, as_text, place
from lasercats.core.text import clean
from lasercats.core.visible import hides, visible_yaml

HEADER = "# A LaserCats document: `lasercats plan FILE` shows what it would change.\n"


def render(
    resources: Iterable[tuple[Address, Resource]], *, form: str = "yaml", kinds: Kinds | None = None
) -> str:
    """Return the document of some resources, sorted by address; `form` is `yaml` or `json`.

    What machines told and nobody may give is left undecided, and in YAML a comment says so; `kinds` tell.
    """
    written = [_written(a, r, kinds) for a, r in sorted(resources)]
    if form == "json":
        data = {one.address: one.fields for one in written if one.fields is not None}
        return json.dumps({"resources": data}, indent=2, ensure_ascii=False) + "\n"
    return HEADER + _resources(written)


class _Written(NamedTuple):
    """A resource as it stands in a document."""

    address: Address
    fields: dict[str, Any] | None
    """None where it can only be told of."""
    remarks: tuple[str, ...] = ()


def _written(address: Address, resource: Resource, kinds: Kinds | None) -> _Written:
    if isinstance(resource, StrangeResource):
        held = json.dumps(resource.recorded)
        return _Written(address, None, (f"{address} is of no kind that is installed; it holds {held}",))
    data = plain(resource)
    try:
        odd = {} if kinds is None else kinds.odd(resource)
        if kinds is not None:
            kinds.address(address)
    except BadInput as error:
        return _Written(address, None, (f"{address} cannot be told in a document: {error}",))
    remarks = tuple(f"{name} is {json.dumps(data[name])}, left undecided: {why}" for name, why in odd.items())
    return _Written(address, {name: value for name, value in data.items() if name not in odd}, remarks)


def _resources(written: Sequence[_Written]) -> str:
    """Return resources as YAML, each after the remarks on it."""
    if not written or not any(one.remarks for one in written):
        return dump_yaml({"resources": {one.address: one.fields for one in written}})
    lines = ["resources:" if any(one.fields is not None for one in written) else "resources: {}"]
    for one in written:
        lines += [f"  # {' '.join(remark.splitlines())}" for remark in one.remarks]
        if one.fields is not None:
            lines += dump_yaml({"resources": {one.address: one.fields}}).split("\n")[1:-1]
    return "\n".join(lines) + "\n"


def dump_yaml(data: Mapping[Any, Any]) -> str:
    """Return plain data as YAML that a person can read and edit."""
    import yaml  # noqa: PLC0415 - only when YAML is written

    text: str = yaml.dump(data, Dumper=_dumper(), sort_keys=False, allow_unicode=True, width=100)
    if text.endswith("\n...\n"):  # it ends with text that ends with empty lines; more may follow here
        text = text.removesuffix("...\n")
    return visible_yaml(text)


def plain(resource: Resource) -> dict[str, Any]:
    """Return the decided fields as plain data."""
    data: dict[str, Any] = as_text(decisions(resource))
    return data


def parse(text: str, kinds: Kinds, inputs: Inputs, name: str = "document") -> dict[Address, Resource]:
    """Read a document.

    Raises:
        BadDocument: malformed YAML, an unknown key, kind or field, a wrong type; with line and column.

    """
    data, tree = load_yaml(text, name)
    if data is None:
        return {}
    known = {"resources", *(k for k in data if str(k).startswith("x-"))} if isinstance(data, dict) else ()
    if not isinstance(data, dict) or set(data) - set(known):
        strange = next((k for k in data if k not in known), None) if isinstance(data, dict) else None
        fact = f"unknown key {strange!r}" if strange is not None else "this is no document"
        raise BadDocument(
            where(tree, name, [strange] if strange else []),
            f"{fact}; it has one key, 'resources'",
        )
    entries = data.get("resources") or {}
    if not isinstance(entries, dict):
        raise BadDocument(where(tree, name, ["resources"]), "resources must map addresses to fields")
    desired: dict[Address, Resource] = {}
    for key, fields in entries.items():
        try:
            address, resource = _resource(key, fields, kinds, inputs)
        except BadInput as error:
            raise BadDocument(
                where(tree, name, ["resources", key, _culprit(str(error))]), str(error)
            ) from None
        if address in desired:
            raise BadDocument(where(tree, name, ["resources", key]), f"{address} stands here twice")
        desired[address] = resource
    return desired


def _resource(key: Any, fields: Any, kinds: Kinds, inputs: Inputs) -> tuple[Address, Resource]:  # noqa: ANN401
    if not isinstance(key, str):
        raise BadInput(f"{key!r} is no address; write KIND/NAME, as in file/web1:/etc/motd")
    address = kinds.address(key)
    if not isinstance(fields, dict | None):
        raise BadInput(f"{address} must hold fields, or {{}}")
    kind = kinds.kind(address)
    for name in fields_of(kind.resource, Role.COMPUTED):
        if name in (fields or {}):
            raise BadInput(
                f"{address}: field {name!r} is given by the machine and cannot be decided; leave it out"
            )
    return address, convert(fill(kind.resource, fields or {}, inputs, [address]), kind.resource, str(address))


def fill(
    type_: type[msgspec.Struct], fields: Mapping[str, Any], inputs: Inputs, on: Sequence[Address]
) -> dict[str, Any]:
    """Put values in place of what only names them: `source` for a content, a reference for a secret.

    A secret is sealed for the addresses that it is for.

    Raises:
        BadInput: the file or variable that is named is not there.

    """
    filled = dict(fields)
    content = loading_field(type_)
    if content is not None and filled.get("source") is not None:
        if filled.get(content) is not None:
            raise BadInput(f"field {content!r} and 'source' are both given; give one of them")
        filled[content] = inputs.source(str(filled.pop("source")))
    for name in fields_of(type_, Role.SECRET):
        if filled.get(name) is not None:
            filled[name] = inputs.secret(str(filled[name]), [place(address, name) for address in on])
    return filled


@cache
def loading_field(type_: type[msgspec.Struct]) -> str | None:
    """Return the name of the content field of a resource or command type, if it has one."""
    return next(iter(marked_fields(type_, "loads")), None)


def schema(kinds: Kinds) -> dict[str, Any]:
    """Return the JSON Schema (2020-12) of documents, for editors."""
    definitions: dict[str, Any] = {}
    patterns: dict[str, Any] = {}
    for kind in kinds.kinds.values():
        patterns[f"^{kind.name.replace('.', '[.]')}/"] = _kind_schema(kind, definitions)
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "type": "object",
        "additionalProperties": False,
        "patternProperties": {"^x-": {"description": "for anchors; not read"}},
        "properties": {
            "resources": {"type": "object", "additionalProperties": False, "patternProperties": patterns}
        },
        "$defs": definitions,
    }


def _kind_schema(kind: Kind[Any], definitions: dict[str, Any]) -> dict[str, Any]:
    template = f"#/$defs/{kind.name}:{{name}}"
    _, parts = msgspec.json.schema_components([kind.resource], ref_template=template)
    body = definitions[kind.name] = parts.pop(kind.resource.__name__)
    definitions |= {f"{kind.name}:{name}": part for name, part in parts.items() if name != Sealed.__name__}
    for name in fields_of(kind.resource, Role.COMPUTED):
        body["properties"].pop(name, None)
    for field in msgspec.structs.fields(kind.resource):
        if field.name in fields_of(kind.resource, Role.SECRET):
            about = next((n.description for n in notes(field.type) if getattr(n, "description", None)), "")
            text = {"type": "string", "description": f"{about}: where it is found, or sealed"}
            body["properties"][field.name] = {"anyOf": [text, {"type": "null"}], "default": None}
    if loading_field(kind.resource) is not None:
        body["properties"]["source"] = {"type": "string", "description": "a local file with the content"}
    body["additionalProperties"] = False
    return {"$ref": f"#/$defs/{kind.name}"}


def _culprit(message: str) -> str | None:
    """Return the field that an error message quotes, to point at it."""
    for before in ("field ", "is called "):
        _, found, rest = message.partition(before + "'")
        if found:
            return rest.partition("'")[0].split(".")[0].split("[")[0]
    return None


def _dumper() -> Any:  # noqa: ANN401
    import yaml  # noqa: PLC0415

    class Dumper(getattr(yaml, "CSafeDumper", yaml.SafeDumper)):  # type: ignore[misc]
        """Writes text of many lines as a block, so that a person can read and edit it."""

    def text(dumper: Any, value: str) -> Any:  # noqa: ANN401
        block = (
            "\n" in value and "\r" not in value and not any(line.endswith(" ") for line in value.split("\n"))
        )
        style = '"' if hides(value) else "|" if block else None
        return dumper.represent_scalar("tag:yaml.org,2002:str", _encodable(value), style=style)

    Dumper.add_representer(str, text)
    return Dumper


def _encodable(value: str) -> str:
    """Return text that YAML can hold: all but lone surrogates, which no log holds either."""
    try:
        value.encode()
    except UnicodeEncodeError:
        return clean(value)
    return value
