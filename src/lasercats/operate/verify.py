"""`verify`: check what can be checked of a log without touching a machine."""

from collections.abc import Iterator

from lasercats.core.address import Address
from lasercats.core.errors import LogCorrupt
from lasercats.core.fold import Fold
from lasercats.core.ports import Log
from lasercats.core.record import FORGOTTEN, NULL, Ended, Event, Late, Record
from lasercats.operate.project import Project


def verify(project: Project, *, repair: bool = False) -> dict[str, int]:
    """Check the chain of hashes, that deltas meet, and that the tables are the fold of the events.

    With `repair`, make the tables anew from the records first, and record of events that came after the end
    of their command, as earlier versions let happen, that they are late: `recover` looks at what is there. No
    record is changed. Returns how many records, events and versions of resources were checked.

    Raises:
        LogCorrupt: something does not hold, with the position or the address.

    """
    log, report = project.log, dict[str, int]()
    report["records"] = log.check_chain()
    if repair:
        log.rebuild()
        _mend(log, project.actor)
    late, fold, report["events"] = {at for one in _lates(log) for at in one.after}, Fold(), 0
    for record in log.read(names=("event",)):
        for address, culprit in _apart(log, fold, record):
            if culprit not in late:
                raise _wrong(address, record.position, culprit)
        fold.add(record.position, record.entry)
        report["events"] += 1
    report["versions"] = log.check_tables()
    if fold.entries != log.fold().entries:
        raise LogCorrupt(
            "what the log says of now is not the fold of its events; run `lasercats verify --repair`"
        )
    fold.state(project.kinds)
    return report


def _wrong(address: Address, position: int, culprit: int | None) -> LogCorrupt:
    fact = f"the event at position {position} starts from another {address} than the events before it left"
    if culprit is not None:
        which = "that" if culprit == position else f"the one at position {culprit}"
        fact += (
            f", as {which} was recorded when its command had ended; `lasercats verify --repair` records "
            "that, and then `lasercats recover` looks at what is there"
        )
    return LogCorrupt(fact)


def _apart(log: Log, fold: Fold, record: Record) -> Iterator[tuple[Address, int | None]]:
    """Iterate over where an event starts from something else than the fold of the events before it.

    Tells the address, and which event there was recorded when its command had ended, if one was: this one, or
    the one before it, which left what was not there.
    """
    assert isinstance(record.entry, Event)  # noqa: S101 - only these were asked for
    for address, (before, _) in record.entry.delta.items():
        known = fold.entries.get(address)
        left = bytes(known.raw) if known is not None and known.raw != FORGOTTEN else bytes(NULL)
        if left != bytes(before):
            near = [record, *(log.read(known.since, known.since) if known is not None else ())]
            late = (one.position for one in near if _is_after_its_end(log, one))
            yield address, next(late, None)


def _is_after_its_end(log: Log, record: Record) -> bool:
    """Tell whether an event was recorded when its command had ended."""
    command = record.entry.cause
    ends = (later for later in log.caused(command) if isinstance(later.entry, Ended)) if command else ()
    return any(end.position < record.position for end in ends)


def _lates(log: Log) -> Iterator[Late]:
    for record in log.read(names=("late",)):
        assert isinstance(record.entry, Late)  # noqa: S101 - only these were asked for
        yield record.entry


def _mend(log: Log, actor: str) -> None:
    """Record of events that came after the end of their command that what they are about is in doubt."""
    known = {at for one in _lates(log) for at in one.after}
    doubt, fold = dict[int, dict[Address, None]](), Fold()
    for record in log.read(names=("event",)):
        for address, culprit in _apart(log, fold, record):
            if culprit is not None and culprit not in known:
                doubt.setdefault(culprit, {})[address] = None
        fold.add(record.position, record.entry)
    late = [
        Late(commands=(_cause(log, position),), on=tuple(on), actor=actor, after=(position,))
        for position, on in doubt.items()
    ]
    if late:
        log.append(late)


def _cause(log: Log, position: int) -> int:
    return next(record.entry.cause or 0 for record in log.read(position, position))
