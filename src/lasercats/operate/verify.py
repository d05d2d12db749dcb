"""`verify`: check what can be checked of a log without touching a machine."""

from lasercats.core.address import Address
from lasercats.core.errors import LogCorrupt
from lasercats.core.fold import Fold
from lasercats.core.record import FORGOTTEN, NULL, Event
from lasercats.operate.project import Project


def verify(project: Project, *, repair: bool = False) -> dict[str, int]:
    """Check the chain of hashes, that deltas meet, and that the tables are the fold of the events.

    With `repair`, make the tables anew from the records first. Returns how many records, events and
    versions of resources were checked.

    Raises:
        LogCorrupt: something does not hold, with the position or the address.

    """
    log, report = project.log, dict[str, int]()
    check_chain = getattr(log, "check_chain", None)
    report["records"] = int(check_chain()) if check_chain is not None else log.head()
    if repair:
        rebuild = getattr(log, "rebuild", None)
        if rebuild is not None:
            rebuild()
    fold, report["events"] = Fold(), 0
    for record in log.read(names=("event",)):
        assert isinstance(record.entry, Event)  # noqa: S101 - only these were asked for
        report["events"] += 1
        for address, (before, _) in record.entry.delta.items():
            _check_meets(fold, address, bytes(before), record.position)
        fold.add(record.position, record.entry)
    check_tables = getattr(log, "check_tables", None)
    if check_tables is not None:
        report["versions"] = int(check_tables())
    if fold.entries != log.fold().entries:
        raise LogCorrupt(
            "what the log says of now is not the fold of its events; run `lasercats verify --repair`"
        )
    fold.state(project.kinds)
    return report


def _check_meets(fold: Fold, address: Address, before: bytes, position: int) -> None:
    known = fold.entries.get(address)
    left = bytes(known.raw) if known is not None and known.raw != FORGOTTEN else bytes(NULL)
    if left != before:
        raise LogCorrupt(
            f"the event at position {position} starts from another {address} than the events before it left"
        )
