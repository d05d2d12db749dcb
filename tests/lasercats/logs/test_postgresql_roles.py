"""Who may read a log in PostgreSQL, and who may append to it, the server itself sees to."""
# ruff: noqa: S608 - SQL is what is tested

import time
from collections.abc import Callable

import pytest

from lasercats.core.errors import LogError
from lasercats.core.head import Signature
from lasercats.core.registry import Kinds
from lasercats.logs.postgresql import PostgresqlLog
from lasercats.testing.logs import B, accepted, event
from lasercats.testing.postgresql import Server
from lasercats.views.query import query

Make = Callable[..., PostgresqlLog]


def test_a_role_may_do_what_it_was_admitted_to(make: Make, postgresql: Server, schema: str) -> None:
    """A reader reads and asks, a writer appends by the function alone, and nobody else sees anything."""
    log = make()
    log.append([event()])
    reader, writer, nobody = (f"{name}_{schema}" for name in ("reader", "writer", "nobody"))
    postgresql.sql("".join(f"CREATE ROLE {role} LOGIN;" for role in (reader, writer, nobody)))
    log.admit([reader], [writer])
    for role in (reader, writer):
        other = make(user=role)
        assert (other.head(), len(other.fold().entries), other.at(2**60)) == (1, 1, 1)
        assert query("SELECT time, after FROM events", Kinds([]), other, int).rows
        other.leases()
    with pytest.raises(LogError, match="can only be read here"):
        make(user=reader).append([event()])
    other = make(user=writer, clock=lambda: 2**60)
    assert other.append([accepted("r", B)], run="r", holder="me") == 2
    assert abs([*log.read()][-1].time / 1e6 - time.time()) < 600, "the clock of a client was taken"
    other.release("r")
    other.take("r", "you")
    other.sign(Signature(1, "ssh:x", b"x", 1, b"y"))
    with pytest.raises(LogError, match="can only be read here"):
        other.rebuild()
    with pytest.raises(LogError, match="may not be read by this role"):
        make(user=nobody)
    tables = ("records", "present", "head", "leases", "about")
    statements = [f"{what} {schema}.{table}" for table in tables for what in ("DELETE FROM", "TRUNCATE")]
    statements += [f"UPDATE {schema}.head SET position = 1", f"CREATE TABLE {schema}.x ()"]
    calls = (
        "take_in(1, NULL, NULL, NULL, '{}')",
        "give('r', 'h', 1, '')",
        "admit('x', true)",
        "use('', 'x', 1)",
    )
    for statement in [*statements, *(f"SELECT {schema}.{call}" for call in calls)]:
        with pytest.raises(RuntimeError, match="permission denied"):
            postgresql.sql(f"SET ROLE {writer}; {statement}")


def test_functions_of_others_are_not_called(make: Make, postgresql: Server, schema: str) -> None:
    """What a writer puts into its search path is not called by the function that may write."""
    log, role = make(), f"sly_{schema}"
    postgresql.sql(f"CREATE ROLE {role} LOGIN; CREATE SCHEMA {role} AUTHORIZATION {role}")
    log.admit([], [role])
    own = f"CREATE FUNCTION {role}.sha256(bytea) RETURNS bytea LANGUAGE sql AS 'SELECT $1'"
    postgresql.sql(f"SET ROLE {role}; {own}")
    postgresql.sql(f"ALTER ROLE {role} SET search_path = {role}, pg_catalog")
    make(user=role).append([event()])
    assert log.check_chain() == 1
