"""Accepting: commands are recorded before anything is done for them, with what they claim."""

from collections.abc import Iterable, Sequence

from lasercats.core.address import Address
from lasercats.core.command import Command, Effect, Target, decide_all
from lasercats.core.record import Accepted, raw
from lasercats.core.resting import resting
from lasercats.core.secret import split
from lasercats.interpreters.context import Context
from lasercats.interpreters.run import Run


def predicted(run: Run) -> Sequence[Target]:
    """Return what is known to come before anybody looked, where commands may reach beyond their addresses.

    They do where they may take something for themselves, or have an effect elsewhere.
    """
    kinds = run.kinds
    ons = (a for c in run.commands if c.effect is Effect.STATE for a in c.on)
    if any(kinds.holding(a) or kinds.altering(a) or kinds.clinging(a) for a in ons) or any(
        kinds.by_hand(a) for c in run.commands for a in c.on
    ):
        return decide_all(run.commands, run.state)[0]
    return ()


def accept(run: Run, targets: Sequence[Target]) -> None:
    """Record the commands of a run, unless they are; each claims its addresses, and what it reaches beyond.

    Raises:
        LogConflict: an address moved since the state was read, or is claimed by others.

    """
    positions = run.journal.positions or _accepted(run, targets)
    for one, position in zip(run.progress, positions, strict=True):
        one.position = position
    run.journal.begin(dict(zip(positions, run.commands, strict=True)))


def _accepted(run: Run, targets: Sequence[Target]) -> Sequence[int]:
    entries, expect = list[Accepted](), dict[Address, int]()
    taken, elsewhere = _taken(run, targets), _elsewhere(run, targets)
    resealed = dict[Address, dict[str, str]]()
    for place, others in run.context.resealed.items():
        resealed.setdefault(Address(split(place)[0]), {})[place] = others
    for index, command in enumerate(run.commands):
        claims = () if command.effect is Effect.OPAQUE else _places(run, command)
        claims = tuple(dict.fromkeys((*claims, *elsewhere.get(index, ()))))
        expect |= {address: run.state.version(address) for address in claims}
        claims += tuple(taken.get(index, ()))
        own = {p: o for a in command.on if a in resealed for p, o in resealed[a].items()} if resealed else {}
        entries.append(_entry(command, run.context, claims, own))
    return run.journal.accept(entries, expect)


def _entry(command: Command, context: Context, claims: tuple[Address, ...], own: dict[str, str]) -> Accepted:
    return Accepted(
        command=raw(command),
        actor=context.actor,
        run=context.run,
        process=context.process,
        message=context.message,
        because=context.because,
        undoes=context.undoes if command.ends else (),
        agreed=None if context.agreed is None else tuple(sorted(context.agreed)),
        direct=context.direct,
        claims=claims,
        resealed=own,
        held=not command.ends,
        serial=context.serial,
    )


def _places(run: Run, command: Command) -> tuple[Address, ...]:
    """Return the addresses of a command, and those of what cannot be there at the same time."""
    rivals = (rival for address in command.on for rival in run.kinds.rivals(address))
    return tuple(dict.fromkeys((*command.on, *rivals)))


def _taken(run: Run, targets: Sequence[Target]) -> dict[int, list[Address]]:
    """Return, for each command by its index, what it takes for itself, and what it rests on."""
    kinds, taken = run.kinds, dict[int, list[Address]]()
    for index, address, change, *_ in targets:
        if change is not None:
            held = {*kinds.held(address, change.before)}
            taken.setdefault(index, []).extend(h for h in kinds.held(address, change.after) if h not in held)
    for target in targets:
        taken.setdefault(target.command, []).extend(resting(kinds, target))
    return taken


def _elsewhere(run: Run, targets: Iterable[Target]) -> dict[int, list[Address]]:
    """Return, for each command by its index, what else it changes: what it displaces, and alters."""
    found: dict[int, list[Address]] = {}
    for target in targets:
        displaced = () if target.by is None else (target.address,)
        found.setdefault(target.command, []).extend((*displaced, *run.altered(target)))
    return found
