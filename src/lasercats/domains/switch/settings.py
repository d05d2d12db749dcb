"""What the kinds of a switch have in common: names, fields, and the way to the machine and back."""

from collections.abc import Iterable, Iterator, Mapping
from typing import Annotated, Any, ClassVar, NamedTuple, TypeVar, cast

from msgspec import Meta
from msgspec.structs import replace

from lasercats.core import address as addresses
from lasercats.core import setting
from lasercats.core.address import Address
from lasercats.core.change import Change
from lasercats.core.command import Command
from lasercats.core.errors import BadInput, Refused
from lasercats.core.instruction import Failure, PartlyDone
from lasercats.core.kind import Found, Kind, Listed
from lasercats.core.loose import Forms
from lasercats.core.program import Known, Program, Step
from lasercats.core.resource import COMPUTED, Resource, decisions, of_machine
from lasercats.core.state import State
from lasercats.core.text import escape, one_form, unescape
from lasercats.instructions import vlans
from lasercats.instructions.switch import Configure, Look, Seen, Settings, Survey, Surveyed, What
from lasercats.instructions.switch_model import untagged

PORT, VLAN, LAG = "switch.port", "switch.vlan", "switch.lag"
LITERAL = f"{PORT}/"
"""Begins a member whose name looks like a range, so that it is not taken for one."""

_ANY = r"^[^\x00]*$"
"""What some switch may hold; each machine refuses what it cannot be set to, before anything is sent."""
Text = Annotated[str, Meta(pattern=_ANY)]
Description = Annotated[Text, Meta(description='what it is for; "" for nothing')]
Enabled = Annotated[bool, Meta(description="false shuts it down")]
Mode = Annotated[
    str, Meta(min_length=1, pattern=_ANY, description="access or trunk, or another word that the switch has")
]
Vlan = Annotated[int, Meta(ge=0, le=4095, description="the VLAN of an access port")]
Native = Annotated[int, Meta(ge=0, le=4095, description="the VLAN of untagged frames on a trunk, 0 for none")]
Allowed = Annotated[
    str, Meta(description="the VLANs of a trunk: 10,20-30, all or none; 0 for frames that are in none")
]
Speed = Annotated[str, Meta(min_length=1, pattern=_ANY, description="auto, or 100M, 1G, 10G and so on")]
Mtu = Annotated[int, Meta(ge=1, le=65535, description="the largest frame in bytes, without its header")]
Member = Annotated[str, Meta(min_length=1, pattern=_ANY)]
Members = Annotated[
    tuple[Member, ...],
    Meta(description="a port of it, or a range of ports; switch.port/NAME where a name looks like a range"),
]
Lacp = Annotated[
    str,
    Meta(
        min_length=1,
        pattern=_ANY,
        description="active, passive, or off for a static one, or another word that the switch has",
    ),
]
Computed = Annotated[str | None, COMPUTED]


def members(names: tuple[str, ...]) -> tuple[str, ...]:
    """Return the ports of a LAG in their one form: sorted, with ranges told apart.

    Raises:
        ValueError: a range is none.

    """
    try:
        found = {member(port) for name in names for port in _ports(name)}
    except BadInput as error:
        raise ValueError(str(error)) from None
    return tuple(sorted(found))


def _ports(name: str) -> Iterable[str]:
    return (name.removeprefix(LITERAL),) if name.startswith(LITERAL) else vlans.names(name)


def member(port: str) -> str:
    """Return how a port stands among the members of a LAG."""
    try:
        plain = vlans.names(port) == [port] and not port.startswith(LITERAL)
    except BadInput:
        plain = False
    return port if plain else f"{LITERAL}{port}"


def ports(held: tuple[str, ...] | None) -> tuple[str, ...]:
    """Return the names of the members of a LAG, as its machine has them."""
    return tuple(sorted(name.removeprefix(LITERAL) for name in held or ()))


class Switched(Resource, frozen=True):
    """What has VLANs: a port or a LAG. What belongs to the mode that it is not in, is kept."""

    forms: ClassVar[Forms] = {"allowed": vlans.one_form}

    description: Description | None = None
    enabled: Enabled | None = None
    mode: Mode | None = None
    vlan: Vlan | None = None
    native: Native | None = None
    allowed: Allowed | None = None


R = TypeVar("R", bound=Resource)


class SwitchName(NamedTuple):
    """Where a thing is."""

    machine: str
    name: str


def at(address: Address) -> SwitchName:
    """Return the machine and the name of an address, as the machine has it."""
    machine, name = addresses.machine_of(address) or "", addresses.rest_of(address)
    if "\\" in name:
        try:
            name = unescape(name).decode()
        except UnicodeDecodeError:  # no machine here has names that are no text
            return SwitchName(machine, name)
    return SwitchName(machine, name)


def named(machine: str, kind: str, name: str | int) -> Address:
    """Return the address of something on a switch, by the name that it has there."""
    return addresses.make(kind, f"{machine}:{escape(f'{name}'.encode(*_UTF8))}")


_UTF8 = ("utf-8", "surrogatepass")


def sibling(address: Address, kind: str, name: str | int) -> Address:
    """Return the address of another thing on the same switch."""
    return named(at(address).machine, kind, name)


def canonical(name: str) -> str:
    """Check the name of a port or LAG, and give it its one form: any text, in which odd signs are escaped.

    Raises:
        BadInput: it is none.

    """
    machine, colon, rest = name.partition(":")
    if not colon or not machine or not rest or b"\0" in unescape(rest):
        raise BadInput(f"{name!r} names no port; write SWITCH:PORT, as in sw1:eth7 or sw1:eth1-24")
    return f"{machine}:{one_form(rest)}"


def canonical_vlan(name: str) -> str:
    """Check the name of a VLAN, and give the number its one form.

    Raises:
        BadInput: it is none.

    """
    machine, colon, rest = name.partition(":")
    if not colon or not machine:
        raise BadInput(f"{name!r} names no VLAN; write SWITCH:NUMBER, as in sw1:20 or sw1:20-30")
    try:
        return f"{machine}:{vlans.number(rest)}"
    except ValueError as error:
        raise BadInput(str(error)) from None


def existing(address: Address, state: State) -> Any:  # noqa: ANN401 - a resource of the kind of the address
    """Return what is at an address.

    Raises:
        Refused: nothing is, as far as is known.

    """
    found = state.get(address)
    if found is not None:
        return found
    machine, name = at(address)
    for kind in (PORT, LAG):
        other = sibling(address, kind, name)
        if other != address and addresses.kind_of(address) in (PORT, LAG) and state.get(other) is not None:
            raise Refused(f"{name} is a {kind.partition('.')[2]} of {machine}; write {other}")
    fact = f"there is no {addresses.kind_of(address).partition('.')[2]} {name} on {machine}"
    if state.known_absent(address):
        raise Refused(fact)
    raise Refused(f"{fact}, as far as is known; `lasercats adopt {machine}` takes in what there is")


def check_vlan(address: Address, state: State, *numbers: int | None) -> None:
    """Check that VLANs are on a switch, as far as is known.

    Raises:
        Refused: one is known not to be.

    """
    for number in numbers:
        if number is None or not vlans.can_be_absent(number):
            continue
        vlan = sibling(address, VLAN, number)
        if state.known_absent(vlan):
            machine = at(address).machine
            remedy = f"`lasercats switch create-vlan {machine}:{number}` makes it"
            raise Refused(f"there is no VLAN {number} on {machine}; {remedy}")


def check_used(address: Address, state: State, made: Resource) -> None:
    """Check that the VLAN that something gets into is there, as far as is known.

    Raises:
        Refused: it is known not to be.

    """
    found = state.get(address)
    if isinstance(made, Switched) and used(made) != used(found if isinstance(found, Switched) else None):
        check_vlan(address, state, used(made))


def vlan_addresses(address: Address, *numbers: int | None) -> Iterator[Address]:
    """Iterate over the addresses of VLANs that can be absent."""
    return (sibling(address, VLAN, n) for n in numbers if n is not None and vlans.can_be_absent(n))


def used(resource: Switched | None) -> int | None:
    """Return the VLAN of a port's untagged frames."""
    return None if resource is None else untagged(resource)


def on_switch(address: Address, state: State, kind: str) -> Iterator[tuple[Address, Any]]:
    """Iterate over what is known of a kind on the switch of an address."""
    return state.on(f"{kind}/{at(address).machine}")


def holder(address: Address, state: State) -> str | None:
    """Return the LAG that a port is a member of: as the state says of what is managed, else as it is told."""
    name = at(address).name
    lags = dict(on_switch(address, state, LAG))
    for other, lag in lags.items():
        if name in ports(lag.members):
            return at(other).name
    reported = getattr(state.get(address), "lag", None)
    return None if reported is None or sibling(address, LAG, reported) in lags else str(reported)


def check_free(address: Address, state: State) -> None:
    """Check that a port is in no LAG.

    Raises:
        Refused: it is.

    """
    lag = holder(address, state)
    if lag is not None:
        raise Refused(
            f"{at(address).name} is in use by the LAG {lag}; "
            f"change that by writing {sibling(address, LAG, lag)}, or take the port out of it"
        )


def settings(resource: Resource | None, only: Iterable[str] | None = None) -> Settings | None:
    """Return what is decided in a resource as settings, all of it or only some fields."""
    if resource is None:
        return None
    values = decisions(of_machine(resource))
    if "members" in values:
        values["members"] = ports(values["members"])
    return Settings(**{name: value for name, value in values.items() if only is None or name in only})


class Sets(setting.Sets, frozen=True, init=False):
    """Sets fields of what is on a switch."""

    def found(self, address: Address, state: State) -> Resource:
        """Return what is there."""
        there: Resource = existing(address, state)
        return there

    def put(self, found: Resource) -> Resource:
        """Return it with these fields.

        Raises:
            Refused: a field is not one of that kind.

        """
        given = self.given()
        strange = next((field for field in given if field not in found.__struct_fields__), None)
        if strange is not None:
            raise Refused(f"a {type(found).__name__} has no {strange} of its own; its members have")
        return replace(found, **given)

    def admit(self, address: Address, after: Resource, state: State) -> None:
        """Check that the VLAN that it gets into is there, as far as is known."""
        check_used(address, state, after)


class Makes(Sets, setting.Makes, frozen=True, init=False):
    """Makes something on a switch, or sets what is there."""

    def found(self, address: Address, state: State) -> Resource:
        """Return what is there, or a new one."""
        there: Resource = setting.Makes.found(self, address, state)
        return there


class Removes(setting.Removes, frozen=True, init=False):
    """Removes something from a switch."""

    def decide(self, address: Address, state: State) -> None:
        """Leave nothing."""


class SwitchKind(Kind[R]):
    """The family of what is configured on a switch."""

    what: What
    """As which sort of thing a switch knows it."""
    ranged = True

    def canonical(self, name: str) -> str:
        """Check the name of a port or LAG, and give it its one form."""
        return canonical(name)

    def expand(self, name: str) -> Iterator[str]:
        """Iterate over the names that a range stands for: `sw1:eth1-24`, `sw1:10,20-30`.

        Raises:
            BadInput: a range ends before it begins.

        """
        machine, colon, rest = name.partition(":")
        return (f"{machine}{colon}{one}" for one in vlans.names(rest))

    def concerns(self, address: Address, command: Command) -> Iterator[Address]:
        """Return the VLANs and ports that a command is about to refer to, and what has the same name."""
        given = command.given() if isinstance(command, setting.Sets) else {}
        yield from vlan_addresses(address, given.get("vlan"), given.get("native"))
        yield from (sibling(address, PORT, name) for name in ports(given.get("members")))
        if isinstance(command, setting.Makes):
            yield from self.rivals(address)

    def loses(self, resource: R) -> Iterator[str]:
        """Return what does not come back when it is made again: what is not managed."""
        unmodelled = getattr(resource, "other", None)
        if unmodelled is not None:
            yield f"what else is set on it: {unmodelled}"

    def interrupts(self, before: R, after: R | None) -> Iterator[str]:
        """Iterate over how a change cuts off a port or LAG: its shutdown, or members that it loses.

        Where only VLANs change, nothing is told: each change of a trunk would be one.
        """
        if getattr(before, "enabled", None) is not False and getattr(after, "enabled", None) is False:
            yield "shut down"
        old, new = ports(getattr(before, "members", None)), ports(getattr(after, "members", None))
        left = [name for name in old if name not in new]
        if left:
            yield "taken apart" if after is None else f"left without {', '.join(left)}"

    def lag_of(self, address: Address, change: Change[R], known: Known) -> str | None:
        """Return the LAG of which it is known to be a member."""
        return None

    def act(self, address: Address, change: Change[R], known: Known) -> Step:
        """Configure what differs; what a switch is told at once takes effect together or not at all."""
        machine, name = at(address)
        before, after = change.before, change.after
        changed = rest = None
        if before is not None and after is not None:
            changed = change.fields
            rest = settings(after, set(decisions(after)) - set(changed))
        lag = self.lag_of(address, change, known)
        instruction = Configure(
            machine=machine,
            what=self.what,
            name=name,
            before=settings(before, changed),
            after=settings(after, changed),
            rest=None if rest is None else replace(rest, lag=lag),
        )
        return Step(instruction, lambda seen: self._concluded(seen, after))

    def _concluded(self, seen: Seen, desired: R | None) -> R | None:
        """Return what there is now.

        Raises:
            PartlyDone: the switch says what is wrong with it.

        """
        real = self.read(seen.settings) if seen.looked else desired
        if seen.problem is not None:
            raise PartlyDone(Failure(reason=seen.problem), real)
        return real

    def read(self, seen: Settings | None) -> R | None:
        """Return the resource that settings tell of."""
        if seen is None:
            return None
        fields: dict[str, Any] = {name: getattr(seen, name, None) for name in self.resource.__struct_fields__}
        if fields.get("members") is not None:
            fields["members"] = tuple(member(port) for port in fields["members"])
        return cast("R", self.resource(**fields))

    def observe(self, machine: str, known: Mapping[Address, R | None]) -> Program[Found]:
        """Look at addresses; all looks at one switch are one read of it."""
        asked = tuple(Look(machine=at(a).machine, what=self.what, name=at(a).name) for a in known)
        seen = yield asked
        pairs = zip(known.items(), seen, strict=True)
        return {a: self.read(s.settings) if s.looked else was for (a, was), s in pairs}

    def discover(self, machine: str) -> Program[Listed]:
        """Find all of the kind on a switch; all kinds share one read."""
        surveyed: Surveyed = yield Survey(machine=machine)
        there: Mapping[str, Settings] = getattr(surveyed, f"{self.what}s")
        found: dict[Address, Any] = {named(machine, self.name, n): self.read(s) for n, s in there.items()}
        for name, reason in surveyed.strange.items():
            if name.startswith(f"{self.what} "):
                found[named(machine, self.name, name.removeprefix(f"{self.what} "))] = Failure(reason=reason)
        return found
