"""Many machines of no cost: what LaserCats itself takes for each command, whatever the number of machines.

The machines keep their files in memory and answer at once (`lasercats.testing.estate`); the log is a real one
on a real disk. On each there are 20 files. Every size is a process of its own, which writes them live, looks
for drift, and plans a document with nothing to change. Steps are lines of Python that ran in the interpreters
and the core; they are counted in further processes, as counting takes long.

`LASERCATS_BENCH_MACHINES` names other sizes, such as `100,1000,10000`.
"""

import asyncio
import gc
import json
import os
import resource
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from benchmarks.common import lasercats, process, table, verdict, workshop
from lasercats.cli.running import SELDOM
from lasercats.core.address import Address
from lasercats.domains.host.file import File, Write
from lasercats.interpreters.live import Live
from lasercats.operate import plan
from lasercats.operate.observe import observe
from lasercats.operate.project import Project
from lasercats.testing.estate import Estate, steps

FILES, SIZES, COUNTED = 20, (100, 1000, 3000), (25, 100)
FLAT, COMMANDS, SECONDS, GIBIBYTES = 1.5, 200_000, 60, 1.5
WORK = ("live", "drift", "plan")


def run() -> None:
    """Measure each size in a process of its own, and print."""
    sizes = [int(n) for n in os.environ.get("LASERCATS_BENCH_MACHINES", "").split(",") if n] or SIZES
    told = {size: _child(size) for size in sizes}
    counted = {size: _child(size, "count") for size in COUNTED}
    rows = [[f"{size:,}", f"{size * FILES:,}", *_cells(told[size])] for size in sizes]
    head = ["machines", "commands", *(f"{name} s" for name in WORK)]
    table(
        f"scale: {FILES} files on each of so many machines of no cost",
        [*head, *(f"{name} µs each" for name in WORK), "live, processor s", "memory GiB"],
        rows,
    )
    table(
        "scale: is it flat, from the least to the most?",
        ("", "", "times", f"goal {FLAT}"),
        _flat(told, counted),
    )
    last = told[sizes[-1]]
    if sizes[-1] * FILES >= COMMANDS:
        print(f"  {COMMANDS:,} commands in {SECONDS} s: {verdict(last['live'] <= SECONDS)}")
        print(f"  and {GIBIBYTES} GiB: {verdict(last['memory'] <= GIBIBYTES)}\n")


def _cells(told: dict[str, float]) -> list[str]:
    seconds = [f"{told[name]:.2f}" for name in WORK]
    return [
        *seconds,
        *(f"{told[name] / told['commands'] * 1e6:.0f}" for name in WORK),
        f"{told['processor']:.2f}",
        f"{told['memory']:.2f}",
    ]


def _flat(told: dict[int, dict[str, float]], counted: dict[int, dict[str, float]]) -> list[list[str]]:
    rows = []
    for what, found in (("time", told), ("steps", counted)):
        sizes = list(found)
        for name in WORK:
            least, most = (found[size][name] / found[size]["commands"] for size in (sizes[0], sizes[-1]))
            rows.append([what, name, f"{most / least:.2f}", verdict(most <= FLAT * least)])
    return rows


def _child(size: int, *more: str) -> dict[str, float]:
    with workshop() as folder:
        process(lasercats(), "init", str(folder / "project"))
        printed = process(sys.executable, "-m", "benchmarks.scale", str(size), str(folder / "project"), *more)
    found: dict[str, float] = json.loads(printed)
    return found


def _timed(work: Callable[[], object]) -> float:
    start = time.perf_counter()
    work()
    return time.perf_counter() - start


def _counted(work: Callable[[], object]) -> float:
    return float(steps(work, "interpreters/", "core/"))


def main(size: int, folder: Path, measure: Callable[[Callable[[], object]], float]) -> None:
    """Write files on so many machines, look for drift, plan; print what each took, and the memory, in GiB."""
    gc.set_threshold(SELDOM)  # as the command line has it
    project: Any = Project(folder)
    project.machines = Estate()
    names = [Address(f"file/m{n:05}:/etc/app/{f:02}.conf") for n in range(size) for f in range(FILES)]
    commands = [Write(on=(name,), content=f"# {name}\n") for name in names]
    found: dict[str, float] = {"commands": len(commands)}

    def live() -> None:
        with project.log.beating():
            results = asyncio.run(Live().run(commands, project.context()))
        assert all(result.status == "done" for result in results)

    begin = time.process_time()
    found["live"] = measure(live)
    found["processor"] = time.process_time() - begin
    found["memory"] = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20
    found["drift"] = measure(lambda: _check(asyncio.run(observe(project))))
    wish = {name: File(content=f"# {name}\n") for name in names}
    found["plan"] = measure(lambda: _check_plan(asyncio.run(plan.make(project, wish))))
    project.close()
    print(json.dumps(found))


def _check(seen: Any) -> None:  # noqa: ANN401
    assert not seen.drift
    assert not seen.unseen


def _check_plan(made: Any) -> None:  # noqa: ANN401
    assert not made.commands


if __name__ == "__main__":
    main(int(sys.argv[1]), Path(sys.argv[2]), _counted if len(sys.argv) > 3 else _timed)
