"""A plan with nothing to change over 10,000 files, and `--help`, as whole processes.

The state is put there through SqliteLog, as a run would have recorded it; the document is what
`lasercats document` prints.
"""

import time
from pathlib import Path
from statistics import median

from benchmarks.common import lasercats, process, spread, table, timed, verdict, workshop
from lasercats.core.address import Address
from lasercats.core.record import NULL, Event, raw
from lasercats.domains.host.file import File
from lasercats.logs.sqlite import SqliteLog

MACHINES, FILES = 10, 1000
PLANS, HELPS = 5, 10
PLAN_GOAL, HELP_GOAL = 2.0, 0.15


def run() -> None:
    """Measure and print."""
    with workshop() as folder:
        _project(folder / "project")
        for form, options in (("yaml", []), ("json", ["--json"])):
            text = process(lasercats(), "-C", "project", "document", *options, folder=folder)
            (folder / f"doc.{form}").write_text(text)
        rows = [
            _row("plan doc.yaml", _plans(folder, "doc.yaml"), PLAN_GOAL),
            _row("plan doc.json", _plans(folder, "doc.json"), PLAN_GOAL),
            _row("--help", [timed(lasercats(), "--help") for _ in range(HELPS + 1)][1:], HELP_GOAL),
        ]
    table(
        f"plan: nothing to change over {MACHINES * FILES:,} files, median of {PLANS}; --help, of {HELPS}",
        ("", "seconds", "goal"),
        rows,
    )


def _row(name: str, figures: list[float], goal: float) -> list[str]:
    return [name, spread(figures, ".3f"), f"{goal:g} {verdict(median(figures) < goal)}"]


def _plans(folder: Path, document: str) -> list[float]:
    command = (lasercats(), "-C", "project", "plan", document, "--detailed-exitcode")  # 2, a failure, if any
    return [timed(*command, folder=folder) for _ in range(PLANS + 1)][1:]


def _project(folder: Path) -> None:
    process(lasercats(), "init", str(folder))
    log = SqliteLog(folder / ".lasercats" / "log.db")
    for machine in (f"h{n:02}" for n in range(1, MACHINES + 1)):
        process(lasercats(), "-C", str(folder), "machine", "add", machine, f"ssh://root@{machine}")
        log.append([_event(machine, n) for n in range(FILES)])
    log.close()


def _event(machine: str, number: int) -> Event:
    address = Address(f"file/{machine}:/srv/bench-{number:04}.conf")
    file = File(
        content=f"# {address}\nlisten = {8000 + number}\n",
        mode="0644",
        owner="root",
        group="root",
        modified=time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(number)),
    )
    return Event(type="file.written", delta={address: (NULL, raw(file))}, actor="ada@desk")
