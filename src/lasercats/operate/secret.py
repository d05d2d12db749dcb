"""What secrets there are, where they stand, and what of the past can still be read."""

from collections.abc import Iterable, Iterator
from typing import NamedTuple

from msgspec.structs import replace

from lasercats.core.address import Address
from lasercats.core.change import Change, Delta
from lasercats.core.command import Command
from lasercats.core.errors import BadInput
from lasercats.core.resource import Resource, sealed_in
from lasercats.core.secret import NAMED, Sealed, place, split
from lasercats.core.state import State
from lasercats.machines.vault import KeyVault
from lasercats.machines.vault_ring import Key
from lasercats.operate.project import Project

RESEALED = "secret.resealed"
"""The type of the event of secrets that are sealed anew: their values and the machines stay as they are."""


class Secret(NamedTuple):
    """One secret: its keys in versions, and where it stands in the state."""

    places: tuple[str, ...]
    keys: tuple[Key, ...]
    used: tuple[str, ...]
    """The places in the state where it stands."""

    @property
    def name(self) -> str:
        """What it is called: its places."""
        return ", ".join(self.places) or "(all of before)"

    @property
    def is_named(self) -> bool:
        """Tell whether it has a name of its own, and a value."""
        return any(at.startswith(NAMED) for at in self.places) and self.keys[-1].value is not None


def secrets(project: Project) -> list[Secret]:
    """Return all secrets that have keys, or stand in the state, in the order of their names."""
    vault, used = project.vault, dict[str, list[str]]()
    for at, sealed in standing(project.state()):
        key = vault.keys.find(sealed.token)
        used.setdefault(key.id if key else "", []).append(at)
    families: dict[tuple[str, ...], list[Key]] = {}
    for key in vault.keys.all():
        families.setdefault(key.places, []).append(key)
    found = [
        Secret(places, tuple(keys), tuple(at for key in keys for at in used.get(key.id, ())))
        for places, keys in families.items()
    ]
    found += [Secret((at,), (), (at,)) for at in used.get("", ())]
    return sorted(found, key=lambda one: one.places)


def standing(state: State) -> Iterator[tuple[str, Sealed]]:
    """Iterate over what is sealed in a state, each with its place, in the order of addresses."""
    for address, resource in sorted(state.items(), key=lambda item: item[0]):
        for name, sealed in sealed_in(resource):
            yield place(address, name), sealed


def renewed(vault: KeyVault, address: Address, resource: Resource | None) -> Resource | None:
    """Return a resource with its secrets as they are sealed now, so that it compares with those of now."""
    if resource is None:
        return None
    fields = {name: vault.renewed(sealed, place(address, name)) for name, sealed in sealed_in(resource)}
    return replace(resource, **fields) if fields else resource


def renewed_state(vault: KeyVault, state: State) -> State:
    """Return a state with all secrets as they are sealed now."""
    return state.put([(a, renewed(vault, a, r)) for a, r in state.items() if any(sealed_in(r))])


def renewed_delta(vault: KeyVault, delta: Delta) -> Delta:
    """Return a delta with all secrets as they are sealed now."""
    return Delta(
        {a: Change(renewed(vault, a, c.before), renewed(vault, a, c.after)) for a, c in delta.items()}
    )


def lost(vault: KeyVault, change: Change[Resource]) -> str | None:
    """Return why a side of a change cannot be read any more; None where no secret of it was destroyed."""
    sides = (side for side in (change.before, change.after) if side is not None)
    gone = (vault.gone(sealed) for side in sides for _, sealed in sealed_in(side))
    return next((why for why in gone if why), None)


def readable(vault: KeyVault, commands: Iterable[Command]) -> tuple[list[Command], dict[Address, str]]:
    """Return those of some commands whose secrets can be read, and why not those of others, by address."""
    made, problems = list[Command](), dict[Address, str]()
    for command in commands:
        gone = next((why for _, sealed in sealed_in(command) if (why := vault.gone(sealed))), None)
        if gone is None:
            made.append(command)
        else:
            problems |= dict.fromkeys(command.on, gone)
    return made, problems


def places_of(vault: KeyVault, sealed: Sealed) -> tuple[str, ...]:
    """Return the places of a secret; none where its key is not at hand."""
    key = vault.keys.find(sealed.token)
    return () if key is None else key.places


def meant(project: Project, target: str) -> tuple[str, ...]:
    """Return the places that are meant by a name or an address.

    Raises:
        BadInput: there is no such secret.

    """
    if "/" not in target:
        at = NAMED + target.removeprefix(NAMED)
        if not any(key.places == (at,) for key in project.vault.keys.all()):
            raise BadInput(f"no secret is called {target!r}; `lasercats secret list` shows which there are")
        return (at,)
    address = project.recorded(target)
    known = {at for one in secrets(project) for at in (*one.places, *one.used)}
    found = tuple(sorted(at for at in known if split(at)[0] == address))
    if not found:
        raise BadInput(f"{address} holds no secret; `lasercats secret list` shows which there are")
    return found
