"""The side of the `eventsourcing` library: `python -m benchmarks.stored WHAT FILE` prints its seconds.

It runs in the peers' environment and must not import LaserCats. Its own application and its recorders are
used as documented. SQLITE_DBNAME names the file; the recorder sets journal_mode = WAL itself and leaves
`synchronous` at SQLite's default, FULL, so each save is synced to disk as ours is. In place of a file
`postgresql:FOLDER:PORT:DATABASE:` is a database of a server; with a `y` at the end functions of the server
are used. JSON is its default transcoder; there is no compression, cipher or cache. An event carries the
same before and after as ours.
"""

import json
import os
import sys
import time
from collections.abc import Callable
from typing import Any
from uuid import UUID

from eventsourcing.application import Application
from eventsourcing.domain import Aggregate

from benchmarks import sample


class File(Aggregate):  # type: ignore[misc]
    """A file, with its latest version."""

    class Created(Aggregate.Created):  # type: ignore[misc]
        """The file was written for the first time."""

        address: str
        before: dict[str, str]
        after: dict[str, str]

    class Written(Aggregate.Event):  # type: ignore[misc]
        """The file was written again."""

        before: dict[str, str]
        after: dict[str, str]

        def apply(self, aggregate: "File") -> None:
            """Take the new version."""
            aggregate.after = self.after

    def __init__(self, address: str, before: dict[str, str], after: dict[str, str]) -> None:
        """Keep what the first event tells."""
        self.address, self.after = address, after
        del before


def main(what: str, path: str) -> None:
    """Measure one thing and print it as JSON."""
    if path.startswith("postgresql:"):
        host, port, database, function = path.split(":")[1:]
        told = {"HOST": host, "PORT": port, "DBNAME": database, "USER": "lab", "PASSWORD": "none"}
        os.environ |= {f"POSTGRES_{name}": value for name, value in told.items()}
        os.environ["POSTGRES_ENABLE_DB_FUNCTIONS"] = function
        os.environ["PERSISTENCE_MODULE"] = "eventsourcing.postgres"
    else:
        os.environ["SQLITE_DBNAME"] = path
        os.environ["PERSISTENCE_MODULE"] = "eventsourcing.sqlite"
    app = Application()
    work: dict[str, Callable[[Any], dict[str, float]]] = {
        "single": _single,
        "batched": _batched,
        "fill": _fill,
        "aggregates": _aggregates,
        "events": _events,
    }
    print(json.dumps(work[what](app)))


def _single(app: Any) -> dict[str, float]:  # noqa: ANN401
    return _written(app, sample.SINGLES, 1)


def _batched(app: Any) -> dict[str, float]:  # noqa: ANN401
    return _written(app, sample.BATCHES * sample.BATCH, sample.BATCH)


def _written(app: Any, count: int, size: int) -> dict[str, float]:  # noqa: ANN401
    """Save one more event of each file, so many files a save; the events are made before the clock runs."""
    files = [File(*sample.step(n)) for n in range(count)]
    for first in range(0, count, sample.BATCH):  # its PostgreSQL recorder stalls over 10,000 at once
        app.save(*files[first : first + sample.BATCH])
    for n, file in enumerate(files):
        _change(file, n, 2)
    start = time.perf_counter()
    for first in range(0, count, size):
        app.save(*files[first : first + size])
    return {"seconds": time.perf_counter() - start, "bytes": _size(app, count + 1)}


def _change(file: File, number: int, version: int) -> None:
    change = sample.step(number, version)
    file.trigger_event(File.Written, before=change.before, after=change.after)


def _fill(app: Any) -> dict[str, float]:  # noqa: ANN401
    """Write the history that is to be replayed."""
    files = [File(*sample.step(n)) for n in range(sample.FILES)]
    app.save(*files)
    for version in range(2, sample.VERSIONS + 1):
        for n, file in enumerate(files):
            _change(file, n, version)
        app.save(*files)
    return {"seconds": 0}


def _aggregates(app: Any) -> dict[str, float]:  # noqa: ANN401
    """Replay as its users do: get each aggregate from the repository."""
    names = _names(app)
    start = time.perf_counter()
    files = [app.repository.get(name) for name in names]
    seconds = time.perf_counter() - start
    _check(files)
    return {"seconds": seconds}


def _events(app: Any) -> dict[str, float]:  # noqa: ANN401
    """Replay faster than its users do: read all events in their order at once, and fold them by hand."""
    start = time.perf_counter()
    files: dict[UUID, Any] = {}
    for stored in app.recorder.select_notifications(1, sample.FILES * sample.VERSIONS):
        event = app.mapper.to_domain_event(stored)
        files[event.originator_id] = event.mutate(files.get(event.originator_id))
    seconds = time.perf_counter() - start
    _check(list(files.values()))
    return {"seconds": seconds}


def _check(files: list[Any]) -> None:
    assert len(files) == sample.FILES
    assert all(file.after == sample.step(0, sample.VERSIONS).after for file in files)


def _names(app: Any) -> list[UUID]:  # noqa: ANN401
    stored = app.recorder.select_notifications(1, sample.FILES * sample.VERSIONS)
    return list(dict.fromkeys(notification.originator_id for notification in stored))


def _size(app: Any, first: int) -> float:  # noqa: ANN401
    """Return the mean size of the bodies of the events from the first on."""
    stored = app.recorder.select_notifications(first, 500)
    return sum(len(notification.state) for notification in stored) / len(stored)


if __name__ == "__main__":
    main(*sys.argv[1:])
