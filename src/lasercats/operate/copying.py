"""`log copy`: a log is brought to another store, with its id, its records and its hashes as they are."""

from typing import NamedTuple

from lasercats.core.errors import LogConflict, LogCorrupt
from lasercats.core.head import Head
from lasercats.operate.places import place
from lasercats.operate.project import Project
from lasercats.operate.settings import DEFAULT


class Copied(NamedTuple):
    """What was copied."""

    log: str
    """The id of the log."""
    head: Head
    source: str
    target: str


def copy(project: Project, source: str, target: str) -> Copied:
    """Copy the log of the environment of a project from the store that a URL names to another.

    Nobody may be at work on it: what is recorded meanwhile would be in one of the two only. The copy is
    checked, the chain of hashes as well as all that follows from the records.

    Raises:
        LogConflict: a run is at work.
        LogError: there is a log at the target that is not empty, or one of the two cannot be had.
        LogCorrupt: the copy is not as the source is.

    """
    environment = "" if project.environment == DEFAULT else project.environment
    project.check_open()
    one, other = (place(url, project.root, environment) for url in (source, target))
    log = one.open()
    try:
        for run in log.leases():
            raise LogConflict(
                f"run {run} is at work on the log {one.name}",
                remedy="wait for it, or run `lasercats recover` if it died, and copy the log then",
            )
        made, head = other.fill(log.copy(), mode=project.mode), log.mark()
        try:
            made.check_chain()
            made.check_tables()
            if (made.id, made.mark()) != (log.id, head):
                raise LogCorrupt(
                    f"the copy at {other.name} does not end as {one.name} does",
                    remedy="remove it, and copy the log again when nobody works on it",
                )
        finally:
            made.close()
        return Copied(log.id, head, one.name, other.name)
    finally:
        log.close()
