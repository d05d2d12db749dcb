"""A disk that gets full in the middle of the work: what was done is told, and `recover` gets it right."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from lasercats.core.errors import LogError, Unrecorded
from lasercats.operate.issue import carry_out
from lasercats.operate.project import Project
from lasercats.operate.recover import recover
from lasercats.operate.verify import verify
from lasercats.testing.running import finish
from tests.lasercats.operate.conftest import interfered

LONG = "x" * 100_000
"""A content that needs more room than is left in the file of the log."""


def fill(project: Project) -> Callable[[], None]:
    """Return what lets the log grow no more: SQLite tells it as it tells a full disk."""

    def full() -> None:
        db: Any = project.log
        (pages,) = db._db.execute("PRAGMA page_count").fetchone()
        db._db.execute(f"PRAGMA max_page_count = {pages}")

    return full


def free(project: Project) -> None:
    """Let it grow again."""
    log: Any = project.log
    log._db.execute("PRAGMA max_page_count = 1073741823")


def test_what_was_done_is_told(project: Project, tmp_path: Path) -> None:
    """Where a machine did it and the log cannot take it, that is said, and it is recovered as done."""
    command = project.kinds.command({"command": "file.write", "on": f"a:{tmp_path}/f", "content": LONG})
    with (
        interfered(project, before=True, do=fill(project), apart=False),
        pytest.raises(
            Unrecorded, match=rf"is full; .*{tmp_path}/f is done, which is not recorded; .*recover"
        ),
    ):
        finish(project, carry_out(project, [command]))
    assert (tmp_path / "f").read_text() == LONG
    free(project)
    (found,) = finish(project, recover(project))
    assert found.status == "done"
    assert len(project.state().resources()) == 1
    verify(project)


def test_what_failed_and_what_is_not_known_is_told_apart(project: Project, tmp_path: Path) -> None:
    """One that was done, one that the machine refused, and a raw command each end as what they are."""
    commands = [
        project.kinds.command({"command": "file.write", "on": f"a:{tmp_path}/f", "content": LONG}),
        project.kinds.command({"command": "directory.create", "on": f"a:{tmp_path}/no/such/d"}),
        project.kinds.command({"command": "exec", "on": ["exec/a:"], "argv": ["true"]}),
    ]
    with (
        interfered(project, before=True, do=fill(project), apart=False),
        pytest.raises(Unrecorded) as raised,
    ):
        finish(project, carry_out(project, commands))
    assert "nothing was done" not in str(raised.value)
    free(project)
    assert next(found.status for found in finish(project, recover(project))) == "done"
    assert finish(project, recover(project)) == []
    verify(project)


def test_where_nothing_was_sent_nothing_was_changed(project: Project, tmp_path: Path) -> None:
    """Where it is full before a command is accepted, or before it acts, no machine is touched."""
    command = project.kinds.command({"command": "file.write", "on": f"a:{tmp_path}/f", "content": LONG})
    fill(project)()
    with pytest.raises(LogError, match="is full; nothing was written"):
        finish(project, carry_out(project, [command]))
    free(project)
    assert project.log.head() == 0
    look = project.machines.get("a").run

    async def filling(*arguments: Any) -> Any:  # noqa: ANN401
        fill(project)()
        return await look(*arguments)

    project.machines.get("a").run = filling  # type: ignore[method-assign, assignment]
    with pytest.raises(Unrecorded, match="nothing was changed; run the command again"):
        finish(project, carry_out(project, [command]))
    assert not (tmp_path / "f").exists()
    free(project)
    (found,) = finish(project, recover(project))
    assert list(found.facts.values()) == ["not done"]
    verify(project)
