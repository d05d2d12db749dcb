"""The toy cloud: every kind in it comes from a schema, which the project names.

[domains.toy]
schema = "schema.json"      # {"record": {"ttl": "integer", "value": "string"}, …}
"""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import msgspec

from lasercats.core.address import Address, kind_of, rest_of
from lasercats.core.change import Change
from lasercats.core.errors import BadInput
from lasercats.core.generic import MadeKind
from lasercats.core.kind import Found
from lasercats.core.program import Known, Program, Step
from lasercats.core.registry import Domain
from lasercats.core.resource import Resource, decisions
from lasercats_toy.instructions import VOCABULARY, Get, Put

TYPES: dict[str, Any] = {"string": str, "integer": int, "boolean": bool, "map": dict[str, str]}


class ToyKind(MadeKind[Resource]):
    """The family of all of them."""

    machine = "toy"

    def act(self, address: Address, change: Change[Resource], known: Known) -> Step:
        """Put it there, or take it away."""
        fields = None if change.after is None else decisions(change.after)
        put = Put(machine="toy", name=f"{kind_of(address)}/{rest_of(address)}", fields=fields)
        return Step(put, lambda answer: self._read(answer.fields))

    def observe(self, machine: str, known: Mapping[Address, Resource | None]) -> Program[Found]:
        """Get each."""
        answers = yield tuple(Get(machine=machine, name=f"{kind_of(a)}/{rest_of(a)}") for a in known)
        return {address: self._read(one.fields) for address, one in zip(known, answers, strict=True)}

    def _read(self, fields: Mapping[str, Any] | None) -> Resource | None:
        return None if fields is None else self.resource(**fields)


def domain(root: Path, settings: Mapping[str, Any]) -> Domain:
    """Return the domain of a project."""
    if "schema" not in settings:
        return Domain("toy", (), VOCABULARY)
    try:
        schema = json.loads((root / settings["schema"]).read_text())
    except OSError as error:
        raise BadInput(f"the schema {settings['schema']!r} cannot be read: {error.strerror}") from None
    return Domain("toy", tuple(_kind(name, fields) for name, fields in schema.items()), VOCABULARY)


def _kind(name: str, fields: Mapping[str, str]) -> ToyKind:
    annotated: list[Any] = [(field, TYPES[type_] | None, None) for field, type_ in fields.items()]
    made = msgspec.defstruct(
        name.title().replace("_", ""),
        annotated,
        bases=(Resource,),
        frozen=True,
        namespace={"__doc__": f"A {name}."},
    )
    return ToyKind(name=f"toy.{name}", resource=made)
