"""A log in PostgreSQL works behind PgBouncer in transaction mode, where no session is one's own."""

import os
import shutil
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from lasercats.core.errors import LogConflict
from lasercats.core.record import Ended
from lasercats.core.registry import Kinds
from lasercats.logs.postgresql import PostgresqlLog
from lasercats.testing.logs import A, B, accepted, event, in_processes
from lasercats.testing.peers import need
from lasercats.testing.postgresql import USER, Server
from lasercats.views.query import query

PGBOUNCER = Path("/usr/sbin/pgbouncer")


@pytest.fixture
def pooled(postgresql: Server) -> Iterator[str]:
    """The URL of an empty database behind a pooler with two connections for all."""
    need(None if PGBOUNCER.exists() else "PgBouncer is not installed (apt-get install pgbouncer)")
    name = postgresql.database()
    folder = postgresql.folder / f"pooler-{name}"
    folder.mkdir()
    (folder / "ini").write_text(
        f"[databases]\n{name} = host={postgresql.folder} port={postgresql.port}\n[pgbouncer]\n"
        f"pool_mode = transaction\ndefault_pool_size = 2\nauth_type = trust\nauth_file = {folder}/users\n"
        f"unix_socket_dir = {folder}\nlisten_port = 6432\nlogfile = {folder}/log\npidfile = {folder}/pid\n"
    )
    (folder / "users").write_text('"lab" ""\n')
    as_user = []
    if os.geteuid() == 0:
        shutil.chown(folder, USER, USER)
        as_user = ["setpriv", f"--reuid={USER}", f"--regid={USER}", "--init-groups"]
    process = subprocess.Popen([*as_user, str(PGBOUNCER), "-q", f"{folder}/ini"], cwd="/")
    deadline = time.monotonic() + 20
    while not (folder / ".s.PGSQL.6432").exists():
        assert process.poll() is None
        assert time.monotonic() < deadline
        time.sleep(0.02)
    yield f"postgresql://lab@/{name}?host={folder}&port=6432"
    process.terminate()
    process.wait()


def test_it_works_behind_a_pooler(pooled: str) -> None:
    """Appends of many processes, leases, beats, queries and checks need no session of their own."""
    log = PostgresqlLog(pooled, create=True)
    log.append([accepted("one", A)], run="one", holder="me")

    def work(number: int) -> None:
        own = PostgresqlLog(pooled)
        for n in range(20):
            own.append([event(B, f"{number} {n}")])
        with pytest.raises(LogConflict, match="is being changed by command 1"):
            own.append([accepted("two", A)], run="two", holder="you")
        own.close()

    with log.beating(0.01):
        in_processes(work, 4)
        first = log.leases()["one"]
    assert (first.token, first.age < 5) == (1, True)
    log.append([Ended(command=1, status="done")], run="one")
    assert log.leases() == {}
    assert query("SELECT count(*) FROM events", Kinds([]), log, int).rows == [(80,)]
    assert log.check_chain() == log.head() == 82
    log.rebuild()
    assert log.check_tables() == 80
    assert PostgresqlLog(pooled).head() == 82
