"""What the benchmarks share: clean processes, the peers' environment, and tables."""

import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from statistics import median

ROOT = Path(__file__).parent.parent


def cores() -> int:
    """Return how many processors this process may use."""
    return len(os.sched_getaffinity(0))


def lasercats() -> str:
    """Return the `lasercats` program that belongs to this interpreter."""
    return str(Path(sys.executable).parent / "lasercats")


def peer(program: str) -> str:
    """Return a program of the peers' environment, or the one beside this interpreter.

    Raises:
        RuntimeError: it is in neither.

    """
    named = os.environ.get("LASERCATS_BENCH_VENV")
    environments = [Path(named)] if named else [ROOT / ".venv-bench", Path(sys.executable).parent.parent]
    for environment in environments:
        if (environment / "bin" / program).exists():
            return str(environment / "bin" / program)
    raise RuntimeError(f"there is no {program}; `make bench` installs it, or set LASERCATS_BENCH_VENV")


def environment() -> dict[str, str]:
    """Return the variables of an operator's machine, where Python keeps its compiled modules."""
    strange = ("PYTHONDONTWRITEBYTECODE", "PYTHONUNBUFFERED", "LASERCATS_PROJECT", "LASERCATS_ENV")
    return {name: value for name, value in os.environ.items() if name not in strange}


def process(*command: str, folder: Path | None = None) -> str:
    """Run a whole process and return what it printed.

    Raises:
        RuntimeError: it failed.

    """
    ran = subprocess.run(
        command, cwd=folder or ROOT, env=environment(), capture_output=True, text=True, check=False
    )
    if ran.returncode != 0:
        raise RuntimeError(f"{' '.join(command)} failed:\n{ran.stdout}{ran.stderr}")
    return ran.stdout


def timed(*command: str, folder: Path | None = None) -> float:
    """Run a whole process and return the seconds that it took."""
    start = time.perf_counter()
    process(*command, folder=folder)
    return time.perf_counter() - start


@contextmanager
def workshop() -> Iterator[Path]:
    """Make a folder on a real disk for a while: `/var/tmp`, or LASERCATS_BENCH_DIR."""
    above = os.environ.get("LASERCATS_BENCH_DIR", "/var/tmp")  # noqa: S108 - it is made by mkdtemp
    with tempfile.TemporaryDirectory(prefix="lasercats-bench-", dir=above) as folder:
        yield Path(folder)


def spread(figures: Sequence[float], form: str = ".2f") -> str:
    """Show the median of some figures with the least and the greatest."""
    return f"{median(figures):{form}} ({min(figures):{form}} to {max(figures):{form}})"


def verdict(reached: bool) -> str:
    """Say whether a goal is reached."""
    return "reached" if reached else "MISSED"


def table(title: str, head: Sequence[str], rows: Sequence[Sequence[str]]) -> None:
    """Print a table."""
    widths = [max(len(row[n]) for row in (head, *rows)) for n in range(len(head))]
    print(title)
    for row in (head, ["-" * width for width in widths], *rows):
        print("  " + "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip())
    print(flush=True)
