"""A log for a team: PostgresqlLog beside SqliteLog, and beside the eventsourcing library on PostgreSQL.

eventsourcing   its own application and PostgreSQL recorder, see `benchmarks/stored.py`; "db function" is the
                same with its `enable_db_functions`
PostgresqlLog   one call of the function of the server an append: checks, chain, tables
SqliteLog       as in `benchmarks/log.py`

One server for all, started here, with every commit synced to the same disk that SQLite's files are on. The
sides take turns.
"""

import json
import os
import time
from collections.abc import Callable
from functools import partial
from itertools import count
from pathlib import Path
from statistics import median

from benchmarks import sample
from benchmarks.common import peer, process, spread, table, verdict, workshop
from benchmarks.log import _event, _in_batches
from lasercats.core.address import Address
from lasercats.core.ports import Log
from lasercats.core.record import Event, raw
from lasercats.logs.postgresql import PostgresqlLog
from lasercats.logs.sqlite import SqliteLog
from lasercats.operate.plugins import kinds
from lasercats.testing.logs import forked, joined
from lasercats.testing.postgresql import Server, unavailable
from lasercats.views.query import query

ROUNDS, WRITERS, SECONDS = 5, 8, 2.0
ADDRESSES, VERSIONS = int(os.environ.get("LASERCATS_BENCH_FILES", "100000")), 4
NUMBERS = count(1)
Open = Callable[[], Log]


def run() -> None:
    """Measure in turns and print."""
    missing = unavailable()
    if missing:
        print(f"team: skipped, as {missing}\n")
        return
    with workshop() as folder:
        folder.chmod(0o755)
        server = Server(durable=True, above=folder)
        try:
            _appends(server, folder, 1, sample.SINGLES, {"es": 1.3, "es, db function": 1.0})
            _appends(server, folder, sample.BATCH, sample.BATCH * sample.BATCHES, {"es": 1.5})
            _writers(server, folder)
            _reads(server, folder)
        finally:
            server.stop()


def _ours(server: Server) -> Log:
    return PostgresqlLog(server.url(), f"bench_{next(NUMBERS)}", create=True)


def _sqlite(folder: Path) -> Log:
    return SqliteLog(folder / f"bench-{next(NUMBERS)}.db", create=True)


def _appends(server: Server, folder: Path, size: int, events: int, goals: dict[str, float]) -> None:
    what = "batched" if size > 1 else "single"
    sides: dict[str, Callable[[], float]] = {
        "PostgresqlLog": lambda: _written(_ours(server), size),
        "SqliteLog": lambda: _written(_sqlite(folder), size),
        "es": lambda: _ask(server, what),
        "es, db function": lambda: _ask(server, what, "y"),
    }
    rates: dict[str, list[float]] = {name: [] for name in sides}
    for _ in range(ROUNDS):
        for name, measure in sides.items():
            rates[name].append(events / measure())
    ours, rows = median(rates["PostgresqlLog"]), []
    for name, figures in rates.items():
        ratio = ours / median(figures)
        goal = f"{goals[name]:g} {verdict(ratio >= goals[name])}" if name in goals else ""
        rows.append([name, spread(figures, ",.0f"), f"{ratio:.2f}", goal])
    table(f"team: {what} appends, events per second", ("", "a second", "PostgresqlLog / this", "goal"), rows)


def _written(log: Log, size: int) -> float:
    batches = _in_batches(size, _event)
    log.append([])
    start = time.perf_counter()
    for batch in batches:
        log.append(batch)
    seconds = time.perf_counter() - start
    log.close()
    return seconds


def _ask(server: Server, what: str, function: str = "") -> float:
    path = f"postgresql:{server.folder}:{server.port}:{server.database()}:{function}"
    told: dict[str, float] = json.loads(process(peer("python"), "-m", "benchmarks.stored", what, path))
    return told["seconds"]


def _writers(server: Server, folder: Path) -> None:
    """Let 8 processes append single events of their own for some seconds."""
    schema, path = f"bench_{next(NUMBERS)}", folder / "writers.db"
    sides: dict[str, Open] = {
        "PostgresqlLog": lambda: PostgresqlLog(server.url(), schema, create=True, exist_ok=True),
        "SqliteLog": lambda: SqliteLog(path, create=True, exist_ok=True),
    }
    rows = []
    for name, opened in sides.items():
        opened().close()
        joined(forked(partial(_write, opened, folder / name), WRITERS))
        waits = [json.loads(Path(f"{folder / name}-{n}").read_text()) for n in range(WRITERS)]
        every = sorted(wait for one in waits for wait in one)
        log = opened()
        assert log.check_chain() == log.head() == len(every)
        log.close()
        figures = [1000 * every[int(len(every) * part)] for part in (0.5, 0.99)] + [1000 * every[-1]]
        least, most = min(map(len, waits)), max(map(len, waits))
        told = " / ".join(f"{figure:.1f}" for figure in figures)
        goal = f"p99 50 {verdict(figures[1] < 50)}" if name == "PostgresqlLog" else ""
        rows.append([name, f"{len(every) / SECONDS:,.0f}", f"{least} to {most}", told, goal])
    title = f"team: {WRITERS} writers in {WRITERS} processes for {SECONDS:g} s"
    table(title, ("", "appends a second", "of each", "ms p50 / p99 / max", "goal"), rows)


def _write(opened: Open, path: Path, number: int) -> None:
    log, waits, end = opened(), list[float](), time.perf_counter() + SECONDS
    for n in count():
        begun = time.perf_counter()
        if begun > end:
            break
        log.append([Event(type="observed", delta=_event(n % 1000).delta)])
        waits.append(time.perf_counter() - begun)
    Path(f"{path}-{number}").write_text(json.dumps(waits))
    log.close()


def _reads(server: Server, folder: Path) -> None:
    """Ask both stores for the state, now and then, over many files in several versions."""
    logs: dict[str, Log] = {"PostgresqlLog": _ours(server), "SqliteLog": _sqlite(folder)}
    for log in logs.values():
        for version in range(1, VERSIONS + 1):
            for first in range(0, ADDRESSES, 10_000):
                log.append([_version(n, version) for n in range(first, min(first + 10_000, ADDRESSES))])
    middle = ADDRESSES * VERSIONS // 2
    sql = "SELECT mode, count(*) FROM file {} GROUP BY mode"
    known = kinds()
    work: dict[str, Callable[[Log], object]] = {
        "fold of all, now": lambda log: log.fold(log.head() - 1).entries,
        "fold of all, the middle": lambda log: log.fold(middle).entries,
        "fold of one, the middle": lambda log: log.fold(middle, [Address(sample.step(7).address)]).entries,
        "GROUP BY now": lambda log: query(sql.format(""), known, log, int).rows,
        "GROUP BY AS OF the middle": lambda log: (
            query(sql.format(f"FOR SYSTEM_TIME AS OF {middle}"), known, log, int).rows
        ),
        "read 100,000 records": lambda log: sum(1 for _ in log.read(1, 100_000)),
    }
    rows = []
    for what, action in work.items():
        figures: dict[str, list[float]] = {name: [] for name in logs}
        for _ in range(ROUNDS):
            for name, log in logs.items():
                start = time.perf_counter()
                action(log)
                figures[name].append(1000 * (time.perf_counter() - start))
        ratio = median(figures["PostgresqlLog"]) / median(figures["SqliteLog"])
        goal = f"1.5 {verdict(ratio <= 1.5)}" if "AS OF" in what else ""
        rows.append([what, *(spread(figures[name], ",.1f") for name in logs), f"{ratio:.2f}", goal])
    title = f"team: {ADDRESSES:,} files in {VERSIONS} versions, ms"
    table(title, ("", *logs, "PostgresqlLog / SqliteLog", "goal"), rows)
    for log in logs.values():
        log.close()


def _version(number: int, version: int) -> Event:
    step = sample.step(number, version)
    mode = {"mode": f"0{640 + number % 5}"}
    sides = ({**step.before, **mode}, {**step.after, **mode})
    return Event(type="observed", delta={Address(step.address): (raw(sides[0]), raw(sides[1]))})
