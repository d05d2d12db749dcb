"""Commands by declaration: what makes a resource, sets fields of it, or removes it.

Their fields are those of the resource, so a field stands once. What they decide follows from it, and so do
the commands that a change takes: the one that makes, the one that removes, or as few as set what differs.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from functools import cache
from types import NoneType
from typing import TYPE_CHECKING, Any, ClassVar, Union, get_args

import msgspec

from lasercats.core.address import Address
from lasercats.core.change import Change
from lasercats.core.command import Command
from lasercats.core.errors import Refused
from lasercats.core.resource import (
    Resource,
    decided_fields,
    decisions,
    infos,
    marked_fields,
    of_machine,
    overlay,
)
from lasercats.core.state import State


class Declared(msgspec.StructMeta):
    """Gives a command the fields of the resource that it is declared `of`, or those that it `takes`.

    Those that it `needs` must be given. Both may be said by a family, without a resource. What stands in its
    own body is as it stands there. `past`, `announces` and `constant` are facts of the command; `init=False`
    says to a type checker, which cannot see those fields, that they are given by name.
    """

    def __new__(  # noqa: D102 - as the class says
        mcls,
        name: str,
        bases: tuple[type, ...],
        body: dict[str, Any],
        *,
        of: type[Resource] | None = None,
        takes: Sequence[str] | None = None,
        needs: Sequence[str] = (),
        past: str | None = None,
        announces: tuple[str, ...] | None = None,
        constant: Mapping[str, Any] | None = None,
        init: bool = True,  # noqa: ARG004 - said to type checkers
        **options: Any,  # noqa: ANN401 - of structs
    ) -> Any:  # noqa: ANN401
        family: Any = bases[0]
        takes = getattr(family, "takes", None) if takes is None else tuple(takes)
        needs = tuple(needs) or getattr(family, "needs", ())
        if of is not None:
            takes = settable(of) if takes is None else takes
            fields = {field.name: field for field in infos(of)}
            own = body.pop("__annotations__", {})
            body["__annotations__"] = {**_types(fields, takes, needs), **own}
            forms = {**family.forms, **{n: form for n, form in of.forms.items() if n in takes}}
            body = {"forms": forms, **{name: None for name in takes if name not in needs}, **body, "of": of}
        facts = {"past": past, "announces": announces, "constant": constant}
        body |= {"takes": takes, "needs": needs} | {n: v for n, v in facts.items() if v is not None}
        return super().__new__(mcls, name, bases, body, **options)


def _types(fields: Mapping[str, Any], taken: Iterable[str], needs: Sequence[str]) -> dict[str, Any]:
    return {name: _present(fields[name].type) if name in needs else fields[name].type for name in taken}


def _present(annotation: Any) -> Any:  # noqa: ANN401
    """Return the type of a field without None."""
    return Union[tuple(part for part in get_args(annotation) if part is not NoneType)]  # noqa: UP007


@cache
def settable(of: type[Resource]) -> tuple[str, ...]:
    """Return the fields of a resource that commands of its kind set: not those that are on record only."""
    return tuple(name for name in decided_fields(of) if name not in marked_fields(of, "on_record"))


class Sets(Command, frozen=True, metaclass=Declared):
    """Sets fields of what is there."""

    of: ClassVar[type[Resource]] = Resource
    takes: ClassVar[tuple[str, ...]]
    """Those fields of the resource that it has; of a family that does not say it, all."""
    needs: ClassVar[tuple[str, ...]]
    """Those that must be given."""
    constant: ClassVar[Mapping[str, Any]] = {}
    """What it sets by its name: `{"state": "running"}`."""

    if TYPE_CHECKING:

        def __init__(self, *, on: Sequence[Address], **fields: Any) -> None: ...  # noqa: ANN401
        def __getattr__(self, name: str) -> Any: ...  # noqa: ANN401

    def check(self) -> None:
        """Check the fields as the resource does.

        Raises:
            ValueError: they must not be given.

        """
        super().check()
        self.of(**self.given()).check()

    def given(self) -> dict[str, Any]:
        """Return the fields that are given, and what it sets by its name."""
        values = {name: getattr(self, name) for name in self.takes}
        return {name: value for name, value in values.items() if value is not None} | dict(self.constant)

    def decide(self, address: Address, state: State) -> Resource:
        """Return what is there, with these fields."""
        after: Resource = self.put(self.found(address, state))
        self.admit(address, after, state)
        return after

    def found(self, address: Address, state: State) -> Any:  # noqa: ANN401 - of its type of resource
        """Return what is there.

        Raises:
            Refused: nothing is.

        """
        return existing(address, state, self.of)

    def put(self, found: Any) -> Any:  # noqa: ANN401 - as above
        """Return a resource with what is given put into it."""
        return overlay(found, self.of(**self.given()))

    def admit(self, address: Address, after: Any, state: State) -> None:  # noqa: ANN401 - as above
        """Check that a resource can be there as it is to be.

        Raises:
            Refused: it cannot.

        """

    @classmethod
    def sets(cls, before: Resource, desired: Mapping[str, Any]) -> frozenset[str]:
        """Return the fields that it brings from one resource to what is desired."""
        if not all(name in desired for name in cls.needs):
            return frozenset()
        if any(desired.get(name) != value for name, value in cls.constant.items()):
            return frozenset()
        return differing(before, desired) & {*cls.takes, *cls.constant}

    @classmethod
    def bring(cls, on: tuple[Address, ...], before: Resource, desired: Mapping[str, Any]) -> Iterator["Sets"]:
        """Iterate over the commands of this sort that set what it can of what is desired."""
        names = cls.sets(before, desired) | {*cls.needs}
        yield cls(on=on, **{name: desired[name] for name in cls.takes if name in names})


class Makes(Sets, frozen=True, init=False):
    """Makes a resource, or gives an existing one these fields."""

    over: ClassVar[bool] = True
    """False where it only makes what is not there."""
    new: ClassVar[Mapping[str, Any]] = {}
    """What is decided of one that is made and of which nothing else is said."""
    again: ClassVar[bool] = False
    """True where it also sets just what differs of one that is there."""

    def found(self, address: Address, state: State) -> Any:  # noqa: ANN401 - as above
        """Return what is there, or a new one."""
        there = state.get(address)
        return there if isinstance(there, self.of) else self.fresh()

    def fresh(self) -> Resource:
        """Return one that is made, before what is given is put into it."""
        return self.of(**self.new)

    @classmethod
    def agrees(cls, decided: Mapping[str, Any]) -> bool:
        """Tell whether what it sets by its name is not decided otherwise."""
        return all(decided.get(name, value) == value for name, value in cls.constant.items())

    @classmethod
    def complete(cls, on: tuple[Address, ...], desired: Mapping[str, Any]) -> "Makes":
        """Return the command that says all that is desired, as far as it takes it."""
        return cls(on=on, **{name: desired[name] for name in cls.takes if name in desired})


class Removes(Command, frozen=True, metaclass=Declared, takes=()):
    """Removes what is there."""

    of: ClassVar[type[Resource]] = Resource

    def decide(self, address: Address, state: State) -> None:
        """Leave nothing, where it may go."""
        if not state.known_absent(address):
            self.release(address, self.found(address, state), state)

    def found(self, address: Address, state: State) -> Any:  # noqa: ANN401 - as above
        """Return what is there.

        Raises:
            Refused: nothing is.

        """
        return existing(address, state, self.of)

    def release(self, address: Address, found: Any, state: State) -> None:  # noqa: ANN401 - as above
        """Check that what is there may go.

        Raises:
            Refused: it may not.

        """


def existing(address: Address, state: State, of: type[Resource]) -> Any:  # noqa: ANN401 - of that type
    """Return the resource at an address.

    Raises:
        Refused: there is none of that type.

    """
    found = state.get(address)
    if not isinstance(found, of):
        raise Refused(f"nothing is known of {address}")
    return found


def differing(before: Resource, desired: Mapping[str, Any]) -> frozenset[str]:
    """Return the fields that are to be otherwise than they are."""
    return frozenset(name for name, value in desired.items() if getattr(before, name) != value)


def converge(commands: Iterable[type[Command]], address: Address, change: Change[Any]) -> Iterator[Command]:
    """Iterate over the commands of a kind that, decided one by one from `before`, end in `after`.

    What is not there is made, and then set as far as what makes it does not say it. Of what is there, as few
    commands as can be set what differs; where they cannot set something, the one that makes it says all anew.

    Raises:
        Refused: no command leads there.

    """
    sorts = [sort for sort in commands if not sort.amends]
    on, now, desired = (address,), change.before, decisions(of_machine(change.after))
    if change.after is None:
        yield next(sort for sort in sorts if issubclass(sort, Removes))(on=on)
        return
    decided = {**decisions(now), **desired}
    make = next((sort for sort in sorts if issubclass(sort, Makes) and sort.agrees(decided)), None)
    setters = [s for s in sorts if issubclass(s, Sets) and (s is not make or (now is not None and s.again))]
    short = now is None or not differing(now, desired) <= {
        n for sort in setters for n in sort.sets(now, desired)
    }
    if now is None or (short and (make is None or make.over)):
        made = _made(make, address, change.after, desired)
        yield made
        now = made.put(made.fresh() if now is None else now)
    yield from _set(setters, on, now, desired)


def _made(make: type[Makes] | None, address: Address, after: Resource, desired: Mapping[str, Any]) -> Makes:
    """Return the command that makes what is to be.

    Raises:
        Refused: there is none, or it needs what is not decided.

    """
    if make is None:
        raise Refused(f"no command makes {address} as it is to be")
    lacking = [name for name in make.needs if name not in desired]
    if lacking:
        verb = make.past.rpartition(".")[2]
        raise Refused(f"{address} cannot be {verb} without {' and '.join(lacking)}")
    values = {name: getattr(after, name) for name in make.takes}
    return make.complete((address,), {name: value for name, value in values.items() if value is not None})


def _set(
    setters: Sequence[type[Sets]], on: tuple[Address, ...], now: Resource, desired: Mapping[str, Any]
) -> Iterator[Command]:
    """Iterate over as few commands as set what differs; of those that set as much, the first of the kind."""
    left = list(setters)
    while left:
        best = max(left, key=lambda sort: len(sort.sets(now, desired)))
        if not best.sets(now, desired):
            return
        for command in best.bring(on, now, desired):
            yield command
            now = command.put(now)
        left.remove(best)
