"""Long histories: a fold, the past, a rewrite and SQL over logs as they are after years.

The first log holds a million commands over 20,000 addresses (`benchmarks/churn.py`), of which most were
overwritten later. The second holds 100,000 files that are there, each in its third version; the same rows
are in a plain table of sqlite3 and of DuckDB (`benchmarks/plain.py`), which have no past.

LASERCATS_BENCH_COMMANDS and LASERCATS_BENCH_FILES make them smaller, for a trial.
"""

import json
import os
import random
import sys
import time
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from statistics import median
from typing import Any, NamedTuple

from benchmarks import plain
from benchmarks.common import lasercats, peer, process, spread, table, timed, verdict, workshop
from lasercats.core.address import Address
from lasercats.core.fold import Fold
from lasercats.core.record import NULL
from lasercats.logs.sqlite import SqliteLog
from lasercats.operate import query
from lasercats.operate.project import Project

COMMANDS = int(os.environ.get("LASERCATS_BENCH_COMMANDS", "1000000"))
FILES = int(os.environ.get("LASERCATS_BENCH_FILES", "100000"))
FOLDS, LOOKS, ROUNDS = 3, 20, 5
FOLD_GOAL, LOOK_GOAL = 250_000, 0.2
REWRITE_GOAL, MEMORY_GOAL = 30, 2.0
NOW_GOAL, PAST_GOAL = 1.0, 2.0
NOW, PAST = "lasercats, now", "lasercats, AS OF"
Measure = Callable[[], float]


class Answer(NamedTuple):
    """What was asked again and again: the seconds, and the rows in their order."""

    seconds: list[float]
    rows: list[list[Any]]


def run() -> None:
    """Make the logs, measure and print."""
    with workshop() as folder:
        churn, files = folder / "churn", folder / "files"
        seconds = _make(churn, COMMANDS, "churn")
        print(f"history: {COMMANDS:,} commands written in {seconds:.0f} s", flush=True)
        measure_churn(churn)
        barred = folder / "barred"
        _make(barred, COMMANDS // 5, "barred")
        _rewrite(barred, f"{COMMANDS // 5:,} commands with ten times as many barriers", goals=False)
        _make(files, FILES * plain.VERSIONS, "versions")
        for engine, python in _engines().items():
            process(python, "-m", "benchmarks.plain", engine, "fill", str(folder / engine), str(FILES))
        measure_queries(files, folder)


def measure_churn(project: Path) -> None:
    """Measure the log of many commands; nothing is added to it."""
    _folds(project)
    _looks(project)
    _rewrite(project, f"{COMMANDS:,} commands", goals=True)


def measure_queries(project: Path, tables: Path) -> None:
    """Measure the log of many files beside the plain tables, and check that the answers are the same."""
    log = _log(project)
    past = plain.SQL.format(f" FOR SYSTEM_TIME AS OF {log.head() // 2}")
    log.close()
    questions = {NOW: plain.SQL.format(""), PAST: past}
    processes = {
        name: _timed(lasercats(), "-C", str(project), "query", question)
        for name, question in questions.items()
    }
    for engine in _engines():
        processes[engine] = _timed(*_ask(tables, engine, 1))
    _print_queries("whole process", _turns(processes), {NOW: NOW_GOAL})
    answers = _alone(project, questions)
    assert answers[PAST].rows == _halfway()
    for engine in _engines():
        data = json.loads(process(*_ask(tables, engine, ROUNDS + 1)))
        answers[engine] = Answer(data["seconds"][1:], data["rows"])
        assert answers[engine].rows == answers[NOW].rows
    _print_queries("the query alone", {name: answer.seconds for name, answer in answers.items()}, {})


def _make(folder: Path, commands: int, what: str) -> float:
    return timed(sys.executable, "-m", "benchmarks.churn", str(folder), str(commands), what)


def _ask(tables: Path, engine: str, times: int) -> tuple[str, ...]:
    return _engines()[engine], "-m", "benchmarks.plain", engine, "ask", str(tables / engine), str(times)


def _log(project: Path) -> SqliteLog:
    return SqliteLog(project / ".lasercats" / "log.db")


def _engines() -> dict[str, str]:
    return {"sqlite3": sys.executable, "duckdb": peer("python")}


def _folds(project: Path) -> None:
    rates, events = [], 0
    for _ in range(FOLDS):
        start = time.perf_counter()
        log, fold, events = _log(project), Fold(), 0
        for record in log.read(names=("event",)):
            fold.add(record.position, record.entry)
            events += 1
        rates.append(events / (time.perf_counter() - start))
        log.close()
    rows = [["from nothing", spread(rates, ",.0f"), _goal(FOLD_GOAL, median(rates) >= FOLD_GOAL)]]
    table(f"history: fold of {events:,} events, median of {FOLDS}", ("", "events a second", "goal"), rows)


def _looks(project: Path) -> None:
    """Look at addresses at moments that are spread over the whole log, each time as a process."""
    figures = [
        timed(lasercats(), "-C", str(project), "state", address, "--as-of", str(position))
        for position, address in _moments(project)
    ]
    halves = {"all": figures, "early half": figures[: LOOKS // 2], "late half": figures[LOOKS // 2 :]}
    rows = [
        [name, spread(part, ".3f"), _goal(LOOK_GOAL, median(part) < LOOK_GOAL)]
        for name, part in halves.items()
    ]
    table(
        f"history: `state ADDRESS --as-of POSITION`, {LOOKS} over the whole log, median",
        ("", "seconds", "goal"),
        rows,
    )


def _moments(project: Path) -> list[tuple[int, Address]]:
    """Choose positions, each with an address that holds something there."""
    log, chance = _log(project), random.Random(5)  # noqa: S311 - it is no secret
    head, addresses, chosen = log.head(), sorted(log.fold().entries), list[tuple[int, Address]]()
    for n in range(LOOKS):
        position = head * (2 * n + 1) // (2 * LOOKS)
        address = chance.choice(addresses)
        while not _holds(log, position, address):
            address = chance.choice(addresses)
        chosen.append((position, address))
    log.close()
    return chosen


def _holds(log: SqliteLog, position: int, address: Address) -> bool:
    """Tell whether there is something at an address, wherever in its command the position is."""
    found = [log.fold(at, [address]).entries.get(address) for at in (position, position + 2)]
    return all(version is not None and version.raw != NULL for version in found)


def _rewrite(project: Path, what: str, *, goals: bool) -> None:
    """Rewrite the whole log, as a process of its own."""
    out = project.parent / "rewritten"
    output = process(
        *(sys.executable, "-m", "benchmarks.weigh"),
        *(lasercats(), "-C", str(project), "rewrite", "--out", str(out)),
    )
    seconds, memory = (json.loads(output)[name] for name in ("seconds", "bytes"))
    rows = [
        ["seconds", f"{seconds:.1f}", _goal(REWRITE_GOAL, seconds <= REWRITE_GOAL) if goals else ""],
        [
            "peak memory, GB",
            f"{memory / 1e9:.2f}",
            _goal(MEMORY_GOAL, memory / 1e9 < MEMORY_GOAL) if goals else "",
        ],
        ["commands before", f"{_commands(_log(project)):,}", ""],
        ["commands after", f"{_written(out):,}", ""],
    ]
    table(f"history: `rewrite --out FILE` of {what}, once", ("", "", "goal"), rows)


def _commands(log: SqliteLog) -> int:
    count = sum(1 for _ in log.read(names=("accepted",)))
    log.close()
    return count


def _written(out: Path) -> int:
    """Count the commands of a rewritten log: a line of JSON each, among comments."""
    with out.open("rb") as file:
        return sum(1 for line in file if line.startswith(b"{"))


def _timed(*command: str) -> Measure:
    return lambda: timed(*command)


def _turns(measures: dict[str, Measure]) -> dict[str, list[float]]:
    """Measure each side once a round; the first round only warms up."""
    rounds = [{name: measure() for name, measure in measures.items()} for _ in range(ROUNDS + 1)][1:]
    return {name: [figures[name] for figures in rounds] for name in measures}


def _alone(project: Path, questions: dict[str, str]) -> dict[str, Answer]:
    """Ask within this process, in turns, so that no start is in the figures; the first time only warms up."""
    opened, answers = Project(project), {name: Answer([], []) for name in questions}
    for _ in range(ROUNDS + 1):
        for name, question in questions.items():
            start = time.perf_counter()
            rows = query.ask(opened, question).rows
            answers[name].seconds.append(time.perf_counter() - start)
            answers[name].rows[:] = sorted(list(row) for row in rows)
    opened.close()
    return {name: Answer(answer.seconds[1:], answer.rows) for name, answer in answers.items()}


def _halfway() -> list[list[Any]]:
    """Return what the answer was in the middle of the log: half of the files were in their second version."""
    rows = (plain.row(number, 2 if number < FILES // 2 else 1) for number in range(FILES))
    return [[*key, count] for key, count in sorted(Counter((row.owner, row.mode) for row in rows).items())]


def _print_queries(what: str, figures: dict[str, list[float]], goals: dict[str, float]) -> None:
    now = median(figures[NOW])
    rows = []
    for name, seconds in figures.items():
        ratio = median(seconds) / now
        goal = f"{goals[name]:g} s {verdict(median(seconds) < goals[name])}" if name in goals else ""
        if name == PAST:
            goal = f"{PAST_GOAL:g} times {verdict(ratio <= PAST_GOAL)}"
        rows.append([name, spread(seconds, ".3f"), f"{ratio:.2f}", goal])
    table(
        f"history: GROUP BY over {FILES:,} files, {what}, median of {ROUNDS}",
        ("", "seconds", f"this / {NOW}", "goal"),
        rows,
    )


def _goal(goal: float, reached: bool) -> str:
    return f"{goal:,g} {verdict(reached)}"
