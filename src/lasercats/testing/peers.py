"""Peers that a test needs and that not every machine can have."""

import os

import pytest


def need(missing: str | None) -> None:
    """Skip a test for what is missing here; in CI, where nothing may be, fail it."""
    if missing is not None:
        pytest.fail(missing) if os.environ.get("CI") else pytest.skip(missing)
