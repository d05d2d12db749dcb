"""What is believed after a look: known decisions, found values, and what is learned for the way back."""

from collections.abc import Iterable, Mapping, Sequence

from msgspec.structs import replace

from lasercats.core.address import Address
from lasercats.core.change import Change, Delta
from lasercats.core.command import Target
from lasercats.core.resource import Resource, Role, decided_fields, fields_of, same, settle
from lasercats.core.state import State


def believe(state: State, found: Mapping[Address, Resource | None]) -> State:
    """Return the state with what was found in place of what was known.

    What nobody decided stays undecided. Where only computed fields differ, the new ones are taken.
    """
    return state.put([(address, settle(state.get(address), resource)) for address, resource in found.items()])


def learn(targets: Sequence[Target], state: State, found: Mapping[Address, Resource | None]) -> State:
    """Return the state with the found values of undecided fields that commands are about to decide.

    So the event tells what was there before, and an undo can put it back.
    """
    learned: dict[Address, Resource | None] = {}
    for target in targets:
        known, real = learned.get(target.address) or state.get(target.address), found.get(target.address)
        if target.change is None or target.change.after is None or known is None or real is None:
            continue
        free = [name for name in decided_fields(type(real)) if getattr(known, name) is None]
        names = [name for name in free if getattr(target.change.after, name) is not None]
        if names:  # what is about to be decided may be there as a secret, which was sealed by the look
            names += [name for name in fields_of(type(real), Role.SECRET) if name in free]
        values = {name: getattr(real, name) for name in names}
        if any(value is not None for value in values.values()):
            learned[target.address] = replace(known, **values)
    return state.put(learned.items()) if learned else state


def drift(state: State, believed: State, addresses: Sequence[Address]) -> Delta:
    """Return what was found changed at some addresses, as far as anybody decided it."""
    return _between(state, believed, (a for a in addresses if not same(state.get(a), believed.get(a))))


def renewed(known: Resource | None, found: Resource | None) -> Resource | None:
    """Return what is known with the computed fields of what was found; what anybody decides stays."""
    if known is None or found is None or type(known) is not type(found):
        return known
    return replace(known, **{name: getattr(found, name) for name in fields_of(type(known), Role.COMPUTED)})


def refreshed(state: State, believed: State, addresses: Sequence[Address]) -> Delta:
    """Return what is known anew at some addresses where nothing changed that anybody decided.

    A machine gave other values: that is recorded as what is known now, and is no drift.
    """
    known = (a for a in addresses if state.get(a) is not None)
    return _between(state, believed, (a for a in known if same(state.get(a), believed.get(a))))


def _between(one: State, other: State, addresses: Iterable[Address]) -> Delta:
    return Delta({address: Change(one.get(address), other.get(address)) for address in addresses})
