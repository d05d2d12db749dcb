"""Logs on a PostgreSQL server."""

from collections.abc import Callable
from itertools import count
from typing import Any

import pytest

from lasercats.logs.postgresql import PostgresqlLog
from lasercats.testing.postgresql import Server

NUMBERS = count(1)


@pytest.fixture
def schema() -> str:
    """A name of a schema that nobody has."""
    return f"log_{next(NUMBERS)}"


@pytest.fixture
def make(postgresql: Server, schema: str) -> Callable[..., PostgresqlLog]:
    """Open the log of the test; the first call makes it."""

    def opened(**more: Any) -> PostgresqlLog:  # noqa: ANN401
        url = postgresql.url(user=more.pop("user", "lab"))
        return PostgresqlLog(url, schema, create=True, exist_ok=True, **more)

    return opened
