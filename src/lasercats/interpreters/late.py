"""What is recorded, and what is told, where the log refuses or cannot take what a run did.

A run that another process took over may not record events any more. What machines told it is recorded as
`Late`.
"""

from collections.abc import Collection, Mapping, Sequence

from lasercats.core.address import Address, label
from lasercats.core.command import Command, Effect
from lasercats.core.record import OBSERVED, AnyEntry, Event, Finished, Late

_SHOWN = 5
"""How many addresses are named in a sentence."""


def late_record(
    entries: Sequence[AnyEntry],
    sent: Mapping[int, Sequence[int]],
    commands: Mapping[int, Command],
    actor: str,
) -> Late | None:
    """Return what of entries that were refused is worth a look; None where nothing is.

    `sent` are the batches that do not only look, each with the commands that it served.
    """
    finished = tuple(e for e in entries if isinstance(e, Finished) and e.started in sent)
    events = tuple(e for e in entries if isinstance(e, Event) and e.type != OBSERVED and e.command)
    asked = dict.fromkeys(c for back in finished for c in sent[back.started])
    served = [*asked, *(e.command or 0 for e in events)]
    if not served:
        return None
    on = [address for event in events for address in event.delta]
    for position in asked:
        command = commands.get(position)
        on += command.on if command is not None and command.effect is Effect.STATE else ()
    return Late(
        commands=tuple(dict.fromkeys(served)),
        on=tuple(dict.fromkeys(on)),
        actor=actor,
        finished=finished,
        events=events,
    )


def named(addresses: Collection[Address]) -> str:
    """Return addresses in words, the first few of many."""
    some = [label(address) for address in dict.fromkeys(addresses)]
    more = len(some) - _SHOWN
    return ", ".join(some[:_SHOWN]) + (f" and {more} more" if more > 0 else "")


def interrupted(error: Exception, done: Collection[Address], doubtful: Collection[Address]) -> str:
    """Return what is told where the log cannot be written after something was sent."""
    facts = [f"{named(done)} {'is' if len(done) == 1 else 'are'} done, which is not recorded"] if done else []
    if doubtful:
        facts.append(f"what became of {named(doubtful)} is not known")
    more = "; ".join(facts or ["what was done until then is on record"])
    return f"{error}; {more}; run `lasercats recover` when the log can be written again"
