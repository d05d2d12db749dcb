"""The same files in a plain table: `python -m benchmarks.plain ENGINE WHAT FILE COUNT`.

ENGINE is `sqlite3` or `duckdb`, WHAT is `fill` (COUNT rows) or `ask` (COUNT times). One row a file, only as
it is now: no history, no log, nothing to unpack. It must not import LaserCats; the DuckDB side runs in the
peers' environment.
"""

import csv
import json
import sys
import time
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any, NamedTuple

MACHINES, VERSIONS = 20, 3
SQL = "SELECT owner, mode, count(*) FROM file{} GROUP BY owner, mode"
OWNERS = ("root", "www-data", "postgres", "backup", "deploy")
MODES = ("0600", "0640", "0644", "0664", "0755", "0750")


class Row(NamedTuple):
    """One file."""

    address: str
    machine: str
    path: str
    content: str
    mode: str
    owner: str
    group: str
    modified: str


_TABLE = "CREATE TABLE file (" + ", ".join(f'"{name}" TEXT' for name in Row._fields) + ")"


def row(number: int, version: int) -> Row:
    """Return one version of one file."""
    machine, path = f"h{number % MACHINES + 1:02}", f"/srv/site/{number:06}.conf"
    return Row(
        address=f"file/{machine}:{path}",
        machine=machine,
        path=path,
        content=f"# {path}, version {version}\nlisten = {8000 + number % 1000}\nworkers = {version}\n",
        mode=MODES[(number * 7 + version) % len(MODES)],
        owner=OWNERS[(number // 7 + version) % len(OWNERS)],
        group="root",
        modified=time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(1_700_000_000 + number * version)),
    )


def main(engine: str, what: str, path: str, count: str) -> None:
    """Fill a new table with so many rows, or ask it so many times and print the seconds and the answer."""
    if what == "fill":
        _FILL[engine](path, (row(number, VERSIONS) for number in range(int(count))))
        return
    db: Any = _CONNECT[engine](path)
    seconds, found = [], []
    for _ in range(int(count)):
        start = time.perf_counter()
        found = db.execute(SQL.format("")).fetchall()
        seconds.append(time.perf_counter() - start)
    print(json.dumps({"seconds": seconds, "rows": sorted(found)}))


def _connect_sqlite3(path: str) -> Any:  # noqa: ANN401
    import sqlite3

    return sqlite3.connect(path)


def _connect_duckdb(path: str) -> Any:  # noqa: ANN401 - it is installed only where the peers are
    import duckdb

    return duckdb.connect(path)


def _fill_sqlite3(path: str, rows: Iterable[Row]) -> None:
    db = _connect_sqlite3(path)
    db.execute(_TABLE)
    db.executemany(f"INSERT INTO file VALUES ({', '.join('?' * len(Row._fields))})", rows)  # noqa: S608
    db.commit()
    db.close()


def _fill_duckdb(path: str, rows: Iterable[Row]) -> None:
    table = Path(path).with_suffix(".csv")
    with table.open("w", newline="") as file:
        csv.writer(file, lineterminator="\n").writerows(rows)
    db = _connect_duckdb(path)
    db.execute(_TABLE)
    db.execute(
        "COPY file FROM ? (FORMAT csv, HEADER false, DELIM ',', QUOTE '\"', ESCAPE '\"')", [str(table)]
    )
    db.close()


_CONNECT: dict[str, Callable[[str], Any]] = {"sqlite3": _connect_sqlite3, "duckdb": _connect_duckdb}
_FILL: dict[str, Callable[[str, Iterable[Row]], None]] = {"sqlite3": _fill_sqlite3, "duckdb": _fill_duckdb}


if __name__ == "__main__":
    main(*sys.argv[1:])
