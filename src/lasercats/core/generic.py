"""Kinds that are made from data, such as from the schema of a provider, when a project is opened.

There may be hundreds of them. Their resources are made by `msgspec.defstruct`, their commands follow:
`create`, `set` and `remove`, which the command line has once for all, `lasercats create KIND/NAME --field …`.
"""

from typing import Any, ClassVar, TypeVar

from lasercats.core.command import Command
from lasercats.core.errors import BadInput
from lasercats.core.kind import Kind
from lasercats.core.resource import Resource
from lasercats.core.setting import Declared, Makes, Removes, Sets

R = TypeVar("R", bound=Resource)

VERBS: dict[str, tuple[type[Command], str, str]] = {
    "create": (Makes, "created", "Create {}, or give what is there these fields."),
    "set": (Sets, "set", "Set fields of {}."),
    "remove": (Removes, "removed", "Remove {}."),
}
"""What each verb is, how its event is called, and what it does."""


class MadeKind(Kind[R]):
    """The family of kinds that are made from data: `Family(name="dns.record", resource=Record)`."""

    generic: bool = True

    def __init__(self, **facts: Any) -> None:  # noqa: ANN401 - of any attribute
        """Make the kind.

        Raises:
            BadInput: a field of its resource is called as what every command has.

        """
        super().__init__(**facts)
        for name in ("on", "command"):
            if name in self.resource.__struct_fields__:
                raise BadInput(f"a field of {self.name} is called {name!r}, which commands use; rename it")

    _made: ClassVar[dict[type[Resource], tuple[type[Command], ...]]] = {}

    @property
    def commands(self) -> tuple[type[Command], ...]:  # type: ignore[override]  # made when they are wanted
        """Its commands."""
        if self.resource not in self._made:
            self._made[self.resource] = tuple(self._command(verb) for verb in VERBS)
        return self._made[self.resource]

    def _command(self, verb: str) -> Any:  # noqa: ANN401 - a type of commands
        family, past, summary = VERBS[verb]
        return Declared(
            verb.capitalize(),
            (family,),
            {"__doc__": summary.format(self.name), "__module__": __name__},
            of=self.resource,
            frozen=True,
            tag=f"{self.name}.{verb}",
            past=f"{self.name}.{past}",
        )
