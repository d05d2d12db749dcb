"""The PostgreSQL log keeps the contract, and what only a server can have or do."""

import hashlib
from collections.abc import Callable
from pathlib import Path

import pytest

from lasercats.logs.postgresql import PostgresqlLog
from lasercats.testing.logs import LogContract
from lasercats.testing.postgresql import Server


class TestContract(LogContract):
    """The contract of log stores."""

    @pytest.fixture(autouse=True)
    def server(self, postgresql: Server) -> None:
        """A server, on which each folder is a schema."""
        self._server, self._user = postgresql, "lab"

    def open(self, folder: Path, *, create: bool, clock: Callable[[], int] | None = None) -> PostgresqlLog:
        """Open the log in the schema of a folder."""
        schema = hashlib.sha256(str(folder).encode()).hexdigest()[:12]
        url = self._server.url(user=self._user)
        return PostgresqlLog(url, schema, create=create, clock=clock)

    def bar(self, folder: Path) -> None:
        """Let it be opened by a role that may only read."""
        schema = hashlib.sha256(str(folder).encode()).hexdigest()[:12]
        self._user = f"reader_{schema}"
        self._server.sql(
            f'CREATE ROLE {self._user} LOGIN; GRANT USAGE ON SCHEMA "{schema}" TO {self._user};'
            f'GRANT SELECT ON ALL TABLES IN SCHEMA "{schema}" TO {self._user};'
            f'GRANT EXECUTE ON FUNCTION "{schema}".at, "{schema}".now TO {self._user}',
        )
