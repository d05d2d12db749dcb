"""What a batch of instructions makes of a switch, as a whole, and why it cannot be."""

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from msgspec.structs import replace

from lasercats.core.instruction import Failure
from lasercats.instructions import vlans
from lasercats.instructions.switch import (
    COMPUTED_FIELDS,
    SORTS,
    Configure,
    Settings,
    Surveyed,
    What,
    values_of,
)

TRUNKS = ("trunk", "native-tagged", "native-untagged")
"""The modes in which untagged frames are of the native VLAN."""


class Wrong(Exception):
    """Why one instruction cannot be carried out."""

    def __init__(self, index: int, reason: str) -> None:
        """Carry the place of the instruction among all, and the reason."""
        super().__init__(reason)
        self.index, self.reason = index, reason


class Made(NamedTuple):
    """What a batch makes of a switch."""

    after: Surveyed
    between: list[Settings | None]
    """For each instruction, what it is about, as it is after that and before the next."""


def made(before: Surveyed, wanted: Sequence[Configure], *, virtual: bool = False) -> Made:
    """Return a switch after instructions; where it is `virtual`, ports can be made and removed.

    Raises:
        Wrong: one of them cannot be, or what was read for it has changed since.

    """
    there = {what: dict(before.of(what)) for what in SORTS}
    between: list[Settings | None] = []
    for index, configure in enumerate(wanted):
        things, name = there[configure.what], configure.name
        odd = before.strange.get(f"{configure.what} {name}")
        if odd is not None:
            raise Wrong(index, f"{configure.what} {name}: {odd}")
        _check(index, configure, things, there, virtual=virtual)
        if configure.after is None:
            del things[name]
        else:
            things[name] = replace(things.get(name, Settings()), **values_of(configure.after))
        between.append(things.get(name))
    ports, numbered, lags = (with_lags(there[what], there["lag"]) for what in SORTS)
    after = Surveyed(ports, numbered, lags, before.strange)
    for index, configure in enumerate(wanted):
        _check_whole(index, configure, after)
    return Made(after, between)


def outcomes_of(wanted: Sequence[Configure], made: Made, there: Surveyed) -> list[Settings | None]:
    """Return what each instruction of a batch that took effect as a whole came to.

    What is configured again later in the batch was never seen as it is between; the last is told as it is.
    """
    last = {(c.what, c.name): index for index, c in enumerate(wanted)}
    return [
        there.of(c.what).get(c.name) if last[c.what, c.name] == index else made.between[index]
        for index, c in enumerate(wanted)
    ]


def with_lags(things: Mapping[str, Settings], lags: Mapping[str, Settings]) -> dict[str, Settings]:
    """Return ports, each with the LAG that it is a member of."""
    members = {port: name for name, lag in lags.items() for port in lag.members or ()}
    return {
        name: one if one.lag == members.get(name) else replace(one, lag=members.get(name))
        for name, one in things.items()
    }


def _check(
    index: int,
    configure: Configure,
    things: Mapping[str, Settings],
    there: Mapping[What, Mapping[str, Settings]],
    *,
    virtual: bool,
) -> None:
    """Check that what an instruction is about is there, or is not, and is as it was read.

    Raises:
        Wrong: it is otherwise.

    """
    what, name, found = configure.what, configure.name, things.get(configure.name)
    if configure.before is None:
        if found is not None:
            raise Wrong(index, f"{what} {name} is there already; somebody else made it meanwhile")
        other: What = "lag" if what == "port" else "port"
        if what != "vlan" and name in there[other]:
            raise Wrong(index, f"{name} is a {other} already")
    elif found is None:
        raise Wrong(index, f"there is no {what} {name}")
    if what == "port" and not virtual and (configure.before is None or configure.after is None):
        raise Wrong(index, f"port {name}: the ports of this switch come with its hardware")
    changed = stale(found, configure.before)
    if changed is not None and found is not None:
        reported, read = getattr(found, changed), getattr(configure.before, changed)
        raise Wrong(index, f"{what} {name} changed meanwhile: {changed} is {reported!r}, not {read!r}")


def stale(found: Settings | None, read: Settings | None) -> str | None:
    """Return the field in which something differs from what was read of it."""
    if found is None:
        return None
    fields = (f for f in values_of(read) if f not in COMPUTED_FIELDS)
    return next((f for f in fields if getattr(found, f) != getattr(read, f)), None)


def _check_whole(index: int, configure: Configure, after: Surveyed) -> None:
    """Check that what an instruction makes fits to all else.

    Raises:
        Wrong: a VLAN or a port is not there, or is still needed.

    """
    name, settings = configure.name, after.of(configure.what).get(configure.name)
    if configure.what == "vlan":
        user = None if settings is not None else _user(int(name), after)
        if user is not None:
            raise Wrong(index, f"VLAN {name} is in use by {user}")
        return
    if settings is None:
        lag = next((n for n, lag in after.lags.items() if name in (lag.members or ())), None)
        if configure.what == "port" and lag is not None:
            raise Wrong(index, f"port {name} is in use by the LAG {lag}")
        return
    vlan = untagged(settings)
    if vlans.can_be_absent(vlan) and f"{vlan}" not in after.vlans and f"vlan {vlan}" not in after.strange:
        raise Wrong(index, f"there is no VLAN {vlan}")
    for member in settings.members or ():
        if member not in after.ports and f"port {member}" not in after.strange:
            raise Wrong(index, f"there is no port {member}")
        others = [n for n, lag in after.lags.items() if n != name and member in (lag.members or ())]
        if others:
            raise Wrong(index, f"port {member} is in use by the LAG {others[0]}")


def untagged(settings: Any) -> int | None:  # noqa: ANN401 - settings, or a resource with these fields
    """Return the VLAN of untagged frames."""
    vlan: int | None = settings.native if settings.mode in TRUNKS else settings.vlan
    return vlan


def _user(vlan: int, after: Surveyed) -> str | None:
    users = [(f"port {name}", one) for name, one in after.ports.items()]
    users += [(f"LAG {name}", one) for name, one in after.lags.items()]
    return next((user for user, one in users if untagged(one) == vlan and one.lag is None), None)


def changed(before: Mapping[str, Settings], after: Mapping[str, Settings]) -> list[str]:
    """Return the names of what differs in what can be set, sorted."""
    names = sorted(before.keys() | after.keys())
    return [name for name in names if plain(before.get(name)) != plain(after.get(name))]


def differs(one: Surveyed, other: Surveyed) -> bool:
    """Tell whether two states of a switch differ in what can be set."""
    return any(changed(one.of(what), other.of(what)) for what in SORTS)


def ports_changed(before: Surveyed, after: Surveyed) -> list[str]:
    """Return the names of ports that differ in what can be set, or in the LAG that they are in, sorted."""
    both = before.ports.keys() & after.ports.keys()
    moved = {name for name in both if before.ports[name].lag != after.ports[name].lag}
    return sorted({*changed(before.ports, after.ports), *moved})


def plain(settings: Settings | None) -> dict[str, Any] | None:
    """Return what can be set, by field; None where there is nothing."""
    if settings is None:
        return None
    return {field: value for field, value in values_of(settings).items() if field not in COMPUTED_FIELDS}


def all_failed(wanted: int, culprit: int, reason: str, about: str) -> list[Failure]:
    """Return the outcomes of a batch that failed as a whole because of one in it."""
    other = Failure(reason=f"not done, because the batch failed: {about}: {reason}")
    return [Failure(reason=reason) if index == culprit else other for index in range(wanted)]
