"""`secret set` and `rotate`: new values of secrets, written wherever they stand, and new keys."""

import re
from collections.abc import Mapping, Sequence
from typing import NamedTuple

from msgspec.structs import replace

from lasercats.core.address import Address
from lasercats.core.change import Change, Delta
from lasercats.core.errors import BadInput
from lasercats.core.record import Event, raw_delta
from lasercats.core.resource import Resource
from lasercats.core.secret import NAMED, Sealed, split
from lasercats.core.state import State
from lasercats.machines.vault import Candidate, KeyVault
from lasercats.operate.plan import Plan, plan_delta
from lasercats.operate.project import Project
from lasercats.operate.secret import RESEALED, Secret, meant, places_of, secrets, standing

_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}")


class Rotation(NamedTuple):
    """A new value of a secret, and the plan that writes it wherever the secret stands."""

    candidate: Candidate | None
    """The new version; None where it has that value, and only what is left is to be written."""
    plan: Plan


def set_named(project: Project, name: str, secret: bytes) -> None:
    """Give a name to a secret.

    Raises:
        BadInput: it is no name, or there is such a secret.

    """
    if not _NAME.fullmatch(name):
        raise BadInput(
            f"{name!r} is no name of a secret; use up to 64 letters, digits, '.', '_' and '-', and begin "
            "with a letter or digit"
        )
    if project.vault.keys.last((NAMED + name,)) is not None:
        raise BadInput(
            f"there is a secret {name!r}; `lasercats secret rotate {name} REFERENCE` gives it a new value"
        )
    project.vault.keys.keep(project.vault.candidate([NAMED + name], secret).key)


def rotation(project: Project, target: str, secret: bytes) -> Rotation:
    """Plan to give a secret a new value wherever it stands in the state; nothing is kept of it yet.

    A rotation that did not come to its end goes on where it is given the same value again.

    Raises:
        BadInput: there is no such secret.

    """
    vault, state = project.vault, project.state()
    places = _rotated(project, target, state)
    now = [(at, one) for at, one in standing(state) if (places_of(vault, one) or (at,)) == places]
    known = [one for _, one in now if _is_last(vault, one, places)]
    known += [vault.named(places[0].removeprefix(NAMED))] if places[0].startswith(NAMED) else []
    same = next((one for one in known if vault.holds(one, secret)), None)
    candidate = None if same is not None else vault.candidate(places, secret)
    new = candidate.sealed if candidate is not None else same
    return Rotation(candidate, _written(project, state, {at: new for at, one in now if one != new}))


def keep(project: Project, rotation: Rotation) -> None:
    """Keep a new value, before it is written: so what is not written then is known to be of before."""
    if rotation.candidate is not None:
        project.vault.keys.keep(rotation.candidate.key)


class Resealed(NamedTuple):
    """What was sealed anew."""

    position: int | None
    """Of the event; None where nothing of it stands in the state."""
    names: tuple[str, ...]
    """The secrets that have a new key."""
    problems: Mapping[str, str]
    """The places where it was not possible, and why."""


def reseal(project: Project, targets: Sequence[str] = (), message: str | None = None) -> Resealed:
    """Give secrets new keys, by default all that are in use, and seal anew what stands in the state.

    Values stay as they are, and no machine is touched. What is in the log stays, and is readable.

    Raises:
        BadInput: there is no such secret.
        LogConflict: somebody else is at work on one; the new keys are there, and seal what is new.

    """
    vault, state = project.vault, project.state()
    wanted = {at for target in targets for at in meant(project, target)}
    chosen = [one for one in secrets(project) if _is_in_use(one)]
    chosen = [one for one in chosen if not targets or wanted & {*one.places, *one.used}]
    for one in chosen:
        if one.keys and one.places:
            _new_key(vault, one.places)
    places = {at for one in chosen for at in one.used if one.places or not targets or at in wanted}
    fresh, problems = dict[str, Sealed](), dict[str, str]()
    for at, sealed in standing(state):
        try:
            fresh |= {at: _anew(vault, sealed, at)} if at in places else {}
        except BadInput as error:
            problems[at] = str(error)
    position = _record(project, state, fresh, message) if fresh else None
    names = dict.fromkeys(name for one in chosen for name in (one.places or [*fresh]) if name not in problems)
    return Resealed(position, tuple(names), problems)


def _is_in_use(one: Secret) -> bool:
    """Tell whether a secret stands in the state, or has a name by which it can be used at any time."""
    return bool(one.used) or one.is_named


def _record(project: Project, state: State, fresh: Mapping[str, Sealed], message: str | None) -> int:
    delta = _delta(state, fresh)
    event = Event(type=RESEALED, delta=raw_delta(delta), actor=project.actor, message=message)
    return project.log.append([event], expect={address: state.version(address) for address in delta})


def _new_key(vault: KeyVault, places: tuple[str, ...]) -> None:
    if places[0].startswith(NAMED):
        value = vault.open_named(places[0].removeprefix(NAMED))
        vault.keys.keep(vault.candidate(places, value).key)
    else:
        vault.keys.keep(vault.keys.candidate(places))


def _anew(vault: KeyVault, sealed: Sealed, at: str) -> Sealed:
    """Return a secret of the state, sealed with its last key; one of before gets a key of its own."""
    return vault.renewed(sealed, at) if vault.places(sealed) else vault.owned(sealed, at)


def _written(project: Project, state: State, fresh: Mapping[str, Sealed | None]) -> Plan:
    delta = _delta(state, {at: one for at, one in fresh.items() if one is not None})
    return plan_delta(project.kinds, delta, state)


def _delta(state: State, fresh: Mapping[str, Sealed]) -> Delta:
    """Return the change of a state to other secrets at some places."""
    changes: dict[Address, Change[Resource]] = {}
    for at, sealed in fresh.items():
        address, field = split(at)
        before = state.get(Address(address))
        after = changes[Address(address)].after if Address(address) in changes else before
        if after is not None:
            changes[Address(address)] = Change(before, replace(after, **{field: sealed}))
    return Delta(changes)


def _is_last(vault: KeyVault, sealed: Sealed, places: tuple[str, ...]) -> bool:
    """Tell whether a secret is sealed with the last key of some places."""
    key, last = vault.keys.find(sealed.token), vault.keys.last(places)
    return key is not None and last is not None and key.id == last.id


def _rotated(project: Project, target: str, state: State) -> tuple[str, ...]:
    """Return the places of the secret that is to get a new value."""
    wanted = meant(project, target)
    if wanted[0].startswith(NAMED):
        return wanted
    held = [(at, sealed) for at, sealed in standing(state) if at in wanted]
    if len(held) != 1:
        fact = "holds no secret now" if not held else "holds several secrets"
        raise BadInput(f"{target} {fact}; write what it is to hold with a command or a document")
    places = places_of(project.vault, held[0][1])
    if places and places[0].startswith(NAMED):
        name = places[0].removeprefix(NAMED)
        raise BadInput(
            f"{target} holds the secret {name!r}; `lasercats secret rotate {name} REFERENCE` changes it "
            "wherever it stands"
        )
    return places or (held[0][0],)
