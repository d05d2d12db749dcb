"""What is written to the logs: versions of files. It needs nothing but Python; every side imports it."""

from typing import Any, NamedTuple

SINGLES, BATCH, BATCHES = 500, 1000, 10
FILES, VERSIONS = 2000, 10


class Step(NamedTuple):
    """One file changes from one version to the next."""

    address: str
    before: dict[str, Any]
    after: dict[str, Any]


def step(file: int, version: int = 1) -> Step:
    """Return the change that brings a file to a version."""
    return Step(f"file/h{file % 10:02}:/srv/bench-{file:05}.conf", _version(version - 1), _version(version))


def _version(version: int) -> dict[str, Any]:
    return {"content": f"listen = {8000 + version}\n", "mode": "0644", "owner": "root"}
