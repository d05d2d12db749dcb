"""What was issued together: commands of one run that one append accepted."""

from collections.abc import Sequence
from itertools import takewhile

from lasercats.core.errors import BadInput
from lasercats.core.ports import Log
from lasercats.core.record import Accepted, Event, Record
from lasercats.operate.moments import record_at


def together(log: Log, position: int) -> list[tuple[Record, Accepted]]:
    """Return the acceptances of one append, that of a position among them."""
    record = record_at(log, position, Accepted, Event)
    if not isinstance(record.entry, Accepted):
        raise BadInput(f"position {position} is an observation; only commands can be replayed")
    run = record.entry.run

    def mine(records: Sequence[Record]) -> list[tuple[Record, Accepted]]:
        pairs = ((r, r.entry) for r in records)
        same = takewhile(lambda p: isinstance(p[1], Accepted) and p[1].run == run, pairs)
        return [(r, entry) for r, entry in same if isinstance(entry, Accepted)]

    before = mine(log.read(1, position - 1, backwards=True))  # type: ignore[arg-type]
    return [*reversed(before), *mine(log.read(position))]  # type: ignore[arg-type]
