"""One of a crowd: issues commands against a log that others write to as well, and tells how it went.

    python crowd.py PROJECT FOLDER NAME COMMANDS SHARED

Half of its commands are about files that all of the crowd write. One that is refused is issued again, until
it is done. What came of each is printed as JSON: `[[path, content, [refusals]], …]`.
"""

import contextlib
import io
import json
import random
import sys
from pathlib import Path

from lasercats.cli.main import guarded, root

MOST = 10_000
"""After how many refusals of one command it gives up."""


def issue(project: str, path: Path, content: str) -> str | None:
    """Write a file by the command line; return why not, where it was not done."""
    said = io.StringIO()
    words = ["-C", project, "file", "write", f"local:{path}", "--content", content]
    with contextlib.redirect_stderr(said), contextlib.redirect_stdout(io.StringIO()):
        code = guarded(lambda: root.main(args=words, prog_name="lasercats", standalone_mode=False))
    return None if code == 0 else said.getvalue().strip()


def main() -> None:
    """Issue them all."""
    project, folder, name, commands, shared = sys.argv[1:]
    rng, issued = random.Random(name), list[tuple[str, str, list[str]]]()  # noqa: S311  # a seed, not a secret
    sys.stdin.read()  # all begin together
    for n in range(int(commands)):
        own = rng.random() < 0.5
        path = Path(folder) / (name if own else f"shared{rng.randrange(int(shared))}")
        refusals: list[str] = []
        while len(refusals) < MOST and (why := issue(project, path, f"{name} {n}")) is not None:
            refusals.append(why)
        issued.append((str(path), f"{name} {n}", refusals))
    json.dump(issued, sys.stdout)


if __name__ == "__main__":
    main()
