"""Secrets in variables stay with this process."""

import os
import subprocess

import pytest

from lasercats.machines import variables


def test_what_is_started_does_not_get_it(monkeypatch: pytest.MonkeyPatch) -> None:
    """A variable that was read as a secret can be read again, and is in no environment that is handed on."""
    monkeypatch.setenv("A_SECRET", "hunter2")
    assert [variables.take("A_SECRET") for _ in range(2)] == [b"hunter2", b"hunter2"]
    assert "A_SECRET" not in os.environ
    assert b"hunter2" not in subprocess.run(["env"], capture_output=True, check=True).stdout
    monkeypatch.setenv("A_SECRET", "another")
    assert variables.take("A_SECRET") == b"another"


def test_one_that_is_not_set() -> None:
    """A variable that never was there is told as such."""
    with pytest.raises(KeyError):
        variables.take("NEVER_SET")


def test_what_programs_need_stays() -> None:
    """The path is no secret, even where it is named as one."""
    assert variables.take("PATH") == os.environb[b"PATH"]
