"""Commands: what an operator asks; typed, imperative, and possibly refused with a reason."""

from collections.abc import Iterable, Iterator, Mapping
from enum import Enum
from typing import Any, ClassVar, NamedTuple

import msgspec
from msgspec.structs import replace

from lasercats.core.address import Address
from lasercats.core.change import Change, Delta, composed
from lasercats.core.errors import Refused
from lasercats.core.loose import ODD, Part
from lasercats.core.program import Known, Program, Step
from lasercats.core.resource import Resource, StrangeResource, decided_fields
from lasercats.core.secret import as_text, shown
from lasercats.core.state import State

LOADS = {"loads": True}
"""`Meta(extra=LOADS)`: a content field; it may also be given as a `source`, a local file."""


class Effect(Enum):
    """Where the effect of a command is seen."""

    STATE = "state"
    """In the state: the machine is looked at, the command decided, the change acted."""
    RECORD = "record"
    """In the state only: no machine is touched."""
    OPAQUE = "opaque"
    """Not in the state: it is carried out and recorded, and never undone silently."""


class Command(Part, frozen=True, kw_only=True, tag_field="command", gc=False):
    """A command over one address or many; its tag is `DOMAIN.VERB`."""

    on: tuple[Address, ...]
    past: ClassVar[str] = ""
    """The type of its event: `file.written`."""
    aliases: ClassVar[Mapping[str, str]] = {}
    """Its other names, each with the one kind that it is for under that name, as it once was."""
    effect: ClassVar[Effect] = Effect.STATE
    whole: ClassVar[bool] = True
    """False where it is decided on attributes alone: the content of what nobody manages yet is not read."""
    amends: ClassVar[bool] = False
    """True where it only sets right what is on record: so does what takes it back."""
    removes: ClassVar[bool] = False
    """True where it leaves nothing there, and the look before it is to tell what goes along."""
    ends: ClassVar[bool] = True
    """False where it is not over when it is carried out: something else ends it."""
    announces: ClassVar[tuple[str, ...]] = ()
    """The sorts of losses at its own addresses that who gives it asks for by its name: see `core/loss.py`.

    That what is there is removed need not be said where it leaves nothing there.
    """
    interrupts: ClassVar[str] = ""
    """How it interrupts the work of what it is on without a trace in the state: `rebooted`."""

    @property
    def elidable(self) -> bool:
        """Whether it only looks, or its effect does not matter: a rewrite of the history may drop it."""
        return False

    def decide(self, address: Address, state: State) -> Resource | None:
        """Return what the address will hold, in a world as in `state`. Pure.

        A command whose effect is not in the state leaves there what is there.

        Raises:
            Refused: the command must not be carried out there, with the reason.

        """
        if self.effect is Effect.OPAQUE:
            return state.get(address)
        raise NotImplementedError

    def displaces(self, address: Address, state: State) -> Iterable[tuple[Address, Resource | None]]:
        """Return what other addresses hold then: what has to itself what this takes lets go of it. Pure.

        It is a part of the command: predicted, claimed, looked at, carried out first, recorded and undone
        with it. What is taken is told by `Kind.holds`; it is asked only where the command is not refused.
        """
        return ()

    def interpret(
        self, address: Address, change: Change[Resource], known: Known
    ) -> "Step | Program[Any] | None":
        """Return the program of the command; None where it is just to make the change, as its kind acts."""
        return None


class Forget(Command, frozen=True, tag="forget"):
    """Take a resource, or the decision on some of its fields, out of the state; touch no machine."""

    past: ClassVar[str] = "forgotten"
    effect: ClassVar[Effect] = Effect.RECORD
    announces: ClassVar[tuple[str, ...]] = ("unprotects",)
    amends: ClassVar[bool] = True

    fields: tuple[str, ...] = ()

    def decide(self, address: Address, state: State) -> Resource | None:
        """Return the resource without those decisions, or nothing at all."""
        resource = state.get(address)
        if resource is None or not self.fields:
            return None
        unknown = set(self.fields) - set(decided_fields(type(resource)))
        if unknown:
            raise Refused(f"{address} has no field {min(unknown)!r} that an operator decides")
        return replace(resource, **dict.fromkeys(self.fields))


class Protect(Command, frozen=True, tag="protect"):
    """Protect resources from being removed or replaced, by whatever asks for it; touch no machine."""

    past: ClassVar[str] = "protected"
    effect: ClassVar[Effect] = Effect.RECORD

    def decide(self, address: Address, state: State) -> Resource:
        """Return the resource, protected."""
        return replace(_recorded(address, state), protect=True)


class Unprotect(Command, frozen=True, tag="unprotect"):
    """Lift the protection of resources from being removed; touch no machine."""

    past: ClassVar[str] = "unprotected"
    effect: ClassVar[Effect] = Effect.RECORD
    announces: ClassVar[tuple[str, ...]] = ("unprotects",)

    def decide(self, address: Address, state: State) -> Resource:
        """Return the resource without protection."""
        return replace(_recorded(address, state), protect=False)


def _recorded(address: Address, state: State) -> Resource:
    resource = state.get(address)
    if resource is None:
        raise Refused(f"{address} is not in the state; `lasercats observe {address}` would manage it")
    return resource


class Hold(Command, frozen=True, tag="hold"):
    """Hold what is changed together with it until somebody confirms it; meanwhile nobody may change it."""

    past: ClassVar[str] = "held"
    effect: ClassVar[Effect] = Effect.RECORD
    ends: ClassVar[bool] = False

    until: int
    """When it is taken back, in microseconds since 1970-01-01 UTC."""

    def decide(self, address: Address, state: State) -> Resource | None:
        """Leave there what is there."""
        return state.get(address)


class StrangeCommand(Command, frozen=True, tag="strange"):
    """What is recorded of a command for which there is no type, because its plugin is not installed.

    It is told of, and never carried out or decided again.
    """

    effect: ClassVar[Effect] = Effect.OPAQUE

    recorded: Any = None

    @property
    def name(self) -> str:
        """The command as it was called: `dns.set`."""
        return str(self.recorded.get("command")) if isinstance(self.recorded, dict) else "unknown"


def as_recorded(value: Any) -> Any:  # noqa: ANN401
    """Return a typed value as plain data, as it can be given; of what is strange, just what was recorded."""
    strange = isinstance(value, StrangeCommand | StrangeResource)
    return msgspec.to_builtins(value.recorded) if strange else as_text(value)


def as_shown(value: Any) -> Any:  # noqa: ANN401
    """Return a typed value as plain data in which nothing that is sealed shows."""
    return shown(value.recorded if isinstance(value, StrangeCommand | StrangeResource) else value)


class Decision(NamedTuple):
    """The prediction for a command: the delta, and the reason for each address that is refused."""

    delta: Delta
    refusals: Mapping[Address, str]


class Target(NamedTuple):
    """One command at one of its addresses, or at one where it displaces something, decided."""

    command: int
    """Index of the command among those that are decided together."""
    address: Address
    change: Change[Resource] | None
    """None where the command is refused."""
    refusal: str | None = None
    by: Address | None = None
    """The address of the command for which it is displaced here."""


def decide_all(commands: Iterable[Command], state: State) -> tuple[list[Target], State]:
    """Decide commands one after another, each address seeing the effect of what came before. Total.

    Where a command is refused, it changes nothing.
    """
    targets = list[Target]()
    for index, command in enumerate(commands):
        for address in command.on:
            try:
                changes, state = effects(command, address, state)
            except Refused as refused:
                targets.append(Target(index, address, None, str(refused)))
            else:
                targets += [Target(index, a, c, by=None if a == address else address) for a, c in changes]
    return targets, state


def decide(command: Command, state: State) -> Decision:
    """Predict a command, address by address, each seeing the effect of the one before. Total."""
    targets, _ = decide_all([command], state)
    delta = composed(Delta({t.address: t.change}) for t in targets if t.change is not None)
    return Decision(delta, {t.address: t.refusal for t in targets if t.refusal is not None})


def state_after(commands: Iterable[Command], state: State) -> State:
    """Return the state after commands, as predicted; where one is refused, it changes nothing."""
    return decide_all(commands, state)[1]


def step(command: Command, address: Address, state: State) -> State:
    """Return the state after a command at one of its addresses, as predicted.

    Raises:
        Refused: the command must not be carried out there.

    """
    return effects(command, address, state)[1]


def effects(
    command: Command, address: Address, state: State
) -> tuple[list[tuple[Address, Change[Resource]]], State]:
    """Return what a command at one of its addresses changes, and the state after it, as predicted.

    What it displaces elsewhere comes first; its own address is always the last, changed or not.

    Raises:
        Refused: the command must not be carried out there.

    """
    changes, after = list[tuple[Address, Change[Resource]]](), _decided(command, address, state)
    for other, left in _displaced(command, address, state):
        changes.append((other, Change(state.get(other), left)))
        state = state.holding(other, left)
    before = state.get(address)
    changes.append((address, Change(before, after)))
    if after == before:
        return changes, state
    forgotten = after is None and isinstance(command, Forget)
    return changes, state.holding(address, after, forgotten=forgotten)


def _displaced(command: Command, address: Address, state: State) -> Iterator[tuple[Address, Resource | None]]:
    """Iterate over what lets go elsewhere.

    Raises:
        Refused: nobody foresaw what is known there.

    """
    try:
        for other, left in command.displaces(address, state):
            if other != address and left != state.get(other):
                yield other, left
    except ODD as error:
        raise Refused(f"it cannot be decided on what is known besides {address}: {error!r}") from None


def _decided(command: Command, address: Address, state: State) -> Resource | None:
    before = state.get(address)
    if isinstance(before, StrangeResource) and (command.effect is Effect.STATE or _takes_fields(command)):
        raise Refused(
            f"what is recorded of {address} is of no kind that is installed; install its plugin, or take it "
            f"out of the state with `lasercats forget {address}`"
        )
    try:
        after = command.decide(address, state)
    except ODD as error:  # nobody foresaw what is known there; what else is decided goes on
        raise Refused(f"it cannot be decided on what is known of {address}: {error!r}") from None
    if after is None and before is not None and before.protect and command.effect is Effect.STATE:
        raise Refused(f"it is protected; `lasercats unprotect {address}` lifts that")
    return after


def _takes_fields(command: Command) -> bool:
    return isinstance(command, Protect | Unprotect) or (isinstance(command, Forget) and bool(command.fields))


def take(command: Command, state: State, delta: Delta) -> State:
    """Return the state after a delta of a command: what is forgotten is not known to be absent."""
    after = state.apply(delta)
    if not isinstance(command, Forget):
        return after
    return after.forget(address for address, change in delta.items() if change.after is None)


def tag_of(struct: msgspec.Struct | type[msgspec.Struct]) -> str:
    """Return the tag of a tagged struct: `file.write`; of a strange command, what it was called."""
    return struct.name if isinstance(struct, StrangeCommand) else str(struct.__struct_config__.tag)
