"""The log: commits, batches and replay; SqliteLog beside plain sqlite3 and the eventsourcing library.

plain sqlite3   a table (position, body), WAL, synchronous=FULL, BEGIN - INSERT - COMMIT of ready bytes:
                no encoding, no hash chain, no check of versions; what the disk and SQLite allow
eventsourcing   see `benchmarks/stored.py`
SqliteLog       WAL, synchronous=FULL; encodes, checks, chains by SHA-256, keeps state and history as tables

Every side writes events of about the same size onto the same disk, in turns. A replay is from the file, by
a newly opened log, to decoded resources, event by event; what opening really costs is shown beside: a log
keeps its fold as tables.
"""

import json
import sqlite3
import time
from collections.abc import Callable
from pathlib import Path
from statistics import median
from typing import TypeVar

from benchmarks import sample
from benchmarks.common import peer, process, spread, table, verdict, workshop
from lasercats.core.address import Address
from lasercats.core.fold import Fold
from lasercats.core.record import Event, raw
from lasercats.domains.host.file import File
from lasercats.logs.sqlite import SqliteLog
from lasercats.operate.plugins import kinds

ROUNDS = 5
T = TypeVar("T")
Measure = Callable[[Path], float]


def run() -> None:
    """Measure in turns and print."""
    with workshop() as folder:
        size = {"SqliteLog": _size(folder), **_stored_sizes(folder)}
        print("log: mean size of a body: " + ", ".join(f"{n} {s:.0f} bytes" for n, s in size.items()))
        _commits(folder)
        _batches(folder)
        _replays(folder)


def _commits(folder: Path) -> None:
    sides = {"SqliteLog": _ours(1), "sqlite3": _plain(1), "eventsourcing": _stored("single")}
    rates = _turns(folder, sides, sample.SINGLES)
    _print(
        f"log: single durable commits, {sample.SINGLES} a round, per second, median of {ROUNDS}",
        rates,
        {"sqlite3": 0.5, "eventsourcing": 1.0},
    )


def _batches(folder: Path) -> None:
    sides = {"SqliteLog": _ours(sample.BATCH), "sqlite3": _plain(sample.BATCH)}
    sides["eventsourcing"] = _stored("batched")
    rates = _turns(folder, sides, sample.BATCH * sample.BATCHES)
    _print(
        f"log: batches of {sample.BATCH} events, events per second, median of {ROUNDS}",
        rates,
        {"eventsourcing": 4.0},
    )


def _replays(folder: Path) -> None:
    history, stored = folder / "history.db", folder / "history-stored.db"
    _fill(history)
    _stored("fill")(stored)
    sides: dict[str, Measure] = {
        "SqliteLog": lambda _: _replay(history),
        "from its tables": lambda _: _open(history),
        "es, aggregates": lambda _: _stored("aggregates")(stored),
        "es, by hand": lambda _: _stored("events")(stored),
    }
    rates = _turns(folder, sides, sample.FILES * sample.VERSIONS)
    _print(
        f"log: replay of {sample.FILES * sample.VERSIONS} events of {sample.FILES} files, "
        f"events per second, median of {ROUNDS}",
        rates,
        {"es, aggregates": 8.0, "es, by hand": 8.0},
    )


def _turns(folder: Path, sides: dict[str, Measure], count: int) -> dict[str, list[float]]:
    """Measure each side once a round, each time in a new file; return the rates."""
    rates: dict[str, list[float]] = {name: [] for name in sides}
    for n in range(ROUNDS):
        for name, measure in sides.items():
            rates[name].append(count / measure(folder / f"{name}-{n}-{time.monotonic_ns()}.db"))
    return rates


def _print(title: str, rates: dict[str, list[float]], goals: dict[str, float]) -> None:
    ours = median(rates["SqliteLog"])
    rows = []
    for name, figures in rates.items():
        ratio = ours / median(figures)
        goal = f"{goals[name]:g} {verdict(ratio >= goals[name])}" if name in goals else ""
        rows.append([name, spread(figures, ",.0f"), f"{ratio:.2f}", goal])
    table(title, ("", "a second", "SqliteLog / this", "goal"), rows)


def _event(file: int, version: int = 1) -> Event:
    step = sample.step(file, version)
    sides = (raw(File(**step.before)), raw(File(**step.after)))
    return Event(
        type="file.written", delta={Address(step.address): sides}, command=file + 1, actor="ada@desk"
    )


def _ours(size: int) -> Measure:
    def measure(path: Path) -> float:
        batches = _in_batches(size, _event)
        log = SqliteLog(path, create=True)
        start = time.perf_counter()
        for batch in batches:
            log.append(batch)
        seconds = time.perf_counter() - start
        log.close()
        return seconds

    return measure


def _plain(size: int) -> Measure:
    def measure(path: Path) -> float:
        batches = _in_batches(size, lambda n: (n + 1, raw(_event(n))))
        db = sqlite3.connect(path, isolation_level=None)
        db.execute("PRAGMA journal_mode = WAL")
        db.execute("PRAGMA synchronous = FULL")
        db.execute("CREATE TABLE records (position INTEGER PRIMARY KEY, body BLOB NOT NULL) STRICT")
        start = time.perf_counter()
        for batch in batches:
            db.execute("BEGIN IMMEDIATE")
            db.executemany("INSERT INTO records VALUES (?, ?)", batch)
            db.execute("COMMIT")
        seconds = time.perf_counter() - start
        db.close()
        return seconds

    return measure


def _in_batches(size: int, make: Callable[[int], T]) -> list[list[T]]:
    """Make what is to be written before the clock runs."""
    count = sample.SINGLES if size == 1 else sample.BATCHES
    return [[make(n) for n in range(first, first + size)] for first in range(0, count * size, size)]


def _stored(what: str) -> Measure:
    return lambda path: _ask(what, path)["seconds"]


def _ask(what: str, path: Path) -> dict[str, float]:
    data: dict[str, float] = json.loads(process(peer("python"), "-m", "benchmarks.stored", what, str(path)))
    return data


def _fill(path: Path) -> None:
    log = SqliteLog(path, create=True)
    for version in range(1, sample.VERSIONS + 1):
        log.append([_event(n, version) for n in range(sample.FILES)])
    log.close()


def _replay(path: Path) -> float:
    start = time.perf_counter()
    log, fold = SqliteLog(path), Fold()
    for record in log.read(names=("event",)):
        fold.add(record.position, record.entry)
    state = fold.state(kinds())
    seconds = time.perf_counter() - start
    assert len(state.resources()) == sample.FILES
    log.close()
    return seconds


def _open(path: Path) -> float:
    start = time.perf_counter()
    log = SqliteLog(path)
    state = log.fold().state(kinds())
    seconds = time.perf_counter() - start
    assert len(state.resources()) == sample.FILES
    log.close()
    return seconds


def _size(folder: Path) -> float:
    path = folder / "size.db"
    _ours(1)(path)
    db = sqlite3.connect(path)
    size: float = db.execute("SELECT avg(length(body)) FROM records").fetchone()[0]
    db.close()
    return size


def _stored_sizes(folder: Path) -> dict[str, float]:
    return {"eventsourcing": _ask("single", folder / "size-stored.db")["bytes"]}
