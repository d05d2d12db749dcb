"""What the work of a person rests on: it stays until that is reported or called off.

What a person has in hand may take days. Meanwhile others must not take away what it is about: the rack that
a device is carried to, the device or feed that a cable is to be put into. So a command that such work is for
claims what it uses, besides its own addresses. Many may use one thing at the same time; but none may end it,
nor have it go from its place, while another run uses it, nor the other way round.
"""

from collections.abc import Iterator

from lasercats.core.address import Address
from lasercats.core.command import Target
from lasercats.core.registry import Kinds

USES = "uses/"
"""Begins a claim of what must stay."""
LEAVES = "leaves/"
"""Begins a claim of what ends, or goes from its place."""


def resting(kinds: Kinds, target: Target) -> Iterator[Address]:
    """Iterate over the claims of a target that a person brings about: what it uses, and that it goes."""
    address, change = target.address, target.change
    if change is None or not kinds.by_hand(address):
        return
    sides = (change.before, change.after)
    used = (need for side in sides for need in kinds.kind(address).needs(address, side))
    yield from (Address(f"{USES}{need}") for need in used)
    gone = {*kinds.held(address, change.before)} - {*kinds.held(address, change.after)}
    if change.before is not None and (change.after is None or gone):
        yield Address(f"{LEAVES}{address}")


def against(claim: Address) -> Address:
    """Return the claim of another run that a claim cannot stand beside: for most, the very same."""
    if claim.startswith(USES):
        return Address(f"{LEAVES}{claim.removeprefix(USES)}")
    if claim.startswith(LEAVES):
        return Address(f"{USES}{claim.removeprefix(LEAVES)}")
    return claim


def subject(claim: Address) -> str:
    """Return what a claim is about, as it is shown."""
    return claim.removeprefix(USES).removeprefix(LEAVES)
