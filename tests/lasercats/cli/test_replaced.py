"""One kind gives way to another at the same path, in one run: what was known is found, and comes back."""

import json
from collections.abc import Callable
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from tests.lasercats.cli.conftest import Cli

Place = Callable[[str], str]
MAKE = {
    "file": {"command": "file.write", "content": "theirs"},
    "directory": {"command": "directory.create"},
    "symlink": {"command": "symlink.link", "target": "/nowhere"},
}


@pytest.mark.parametrize(("before", "after"), [(a, b) for a in MAKE for b in MAKE if a != b])
@pytest.mark.parametrize("prelude", [False, True])
def test_a_kind_gives_way(cli: "Cli", place: Place, before: str, after: str, prelude: bool) -> None:
    """Removed and made as another kind in one stream; an undo brings the first back, with all that it was."""
    one, other = f"{before}/{place('x')}", f"{after}/{place('x')}"
    stream = [{**MAKE[before], "on": one}, {"command": f"{before}.remove", "on": one}]
    if not prelude:
        cli.done("issue", cli.file("first.jsonl", json.dumps(stream.pop(0))))
        kept = cli("state", "--json").data["resources"]
    stream.append({**MAKE[after], "on": other})
    ran = cli.done("issue", cli.file("stream.jsonl", "\n".join(map(json.dumps, stream))), "--yes")
    assert "found changed outside" not in ran.err
    assert list(cli("state", "--json").data["resources"]) == [other]
    assert cli("drift", "--detailed-exitcode").code == 0
    if not prelude:
        cli.done("undo", "HEAD~1..HEAD", "--yes")
        assert {a: {**r, "modified": None} for a, r in cli("state", "--json").data["resources"].items()} == {
            a: {**r, "modified": None} for a, r in kept.items()
        }
    cli.done("verify")
