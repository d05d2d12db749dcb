"""`verify`: check what can be checked of a log without touching a machine."""

from lasercats.core.address import Address
from lasercats.core.errors import LogCorrupt
from lasercats.core.fold import Fold
from lasercats.core.record import FORGOTTEN, NULL, Event
from lasercats.operate.project import Project


def verify(project: Project) -> dict[str, int]:
    """Check the chain of hashes, that deltas meet, and that the fold is the one that is used.

    Returns how many records and events were checked.

    Raises:
        LogCorrupt: something does not hold, with the position.

    """
    log = project.log
    check_chain = getattr(log, "check_chain", None)
    records = int(check_chain()) if check_chain is not None else log.head()
    fold, events = Fold(), 0
    for record in log.read():
        if isinstance(record.entry, Event):
            events += 1
            for address, (before, _) in record.entry.delta.items():
                _check_meets(fold, address, bytes(before), record.position)
        fold.add(record.position, record.entry)
    if {a: (v, bytes(r)) for a, (v, r) in fold.entries.items()} != {
        a: (v, bytes(r)) for a, (v, r) in log.fold().entries.items()
    }:
        raise LogCorrupt(
            "a snapshot of the log is not the fold of its events; delete the snapshots table's rows"
        )
    fold.state(project.kinds)
    return {"records": records, "events": events}


def _check_meets(fold: Fold, address: Address, before: bytes, position: int) -> None:
    known = fold.entries.get(address)
    left = bytes(known[1]) if known is not None and known[1] != FORGOTTEN else bytes(NULL)
    if left != before:
        raise LogCorrupt(
            f"the event at position {position} starts from another {address} than the events before it left"
        )
