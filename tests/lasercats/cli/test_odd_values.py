"""Whatever machines told, every verb of the project works on it."""

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st
from msgspec.structs import replace

from lasercats.core.address import Address, kind_of, make
from lasercats.core.change import Change, Delta
from lasercats.core.record import OBSERVED, Event, raw_delta
from lasercats.core.resource import Resource, Role, fields_of
from lasercats.logs.sqlite import SqliteLog
from lasercats.operate.plugins import kinds
from lasercats.testing.strategies import odd_resources

if TYPE_CHECKING:
    from tests.lasercats.cli.conftest import Cli

PHASES = (Phase.reuse, Phase.generate)
"""A failing example is whole verbs long, so it is not made smaller."""
NAMES = {
    "file": "a:/t/f",
    "directory": "a:/t/d",
    "symlink": "a:/t/l",
    "package": "a:nginx",
    "service": "a:nginx.service",
    "switch.port": "a:eth1",
    "switch.lag": "a:bond0",
    "switch.vlan": "a:20",
    "rack.device_type": "acme-1",
}
"""A name of each kind; of the others any word will do."""


def address(kind: str) -> Address:
    """Return an address of a kind."""
    return make(kind, NAMES.get(kind, "x"))


def odd_states(domain: str) -> st.SearchStrategy[dict[Address, Resource]]:
    """Return a strategy for what machines tell of one thing of some kinds of a domain."""
    (found,) = (one for one in kinds().domains if one.name == domain)
    parts = {address(kind.name): odd_resources(kind).map(_without_secrets) for kind in found.kinds}
    return st.fixed_dictionaries({}, optional=parts)


def _without_secrets(resource: Resource) -> Resource:
    """Return a resource without tokens: nobody has the key of what was made up."""
    return replace(resource, **dict.fromkeys(fields_of(type(resource), Role.SECRET)))


def observe(path: Path, before: dict[Address, Resource], after: dict[Address, Resource]) -> int:
    """Record that machines told something else than before."""
    log = SqliteLog(path)
    changes = {a: Change(before.get(a), after.get(a)) for a in before.keys() | after.keys()}
    position = log.append([Event(type=OBSERVED, delta=raw_delta(Delta(changes)), actor="tester")])
    log.close()
    return position


@pytest.mark.slow
@pytest.mark.parametrize("domain", ["ec2", "host", "rack", "switch"])
def test_whatever_is_told_every_verb_works(bare: "Cli", domain: str) -> None:
    """It is shown, queried, documented, rewritten, taken back and forgotten; what is printed is accepted."""
    bare.done("init")
    empty, count = bare.path.read_bytes(), 0

    @settings(max_examples=25, deadline=None, phases=PHASES, suppress_health_check=list(HealthCheck))
    @given(one=odd_states(domain), other=odd_states(domain))
    def law(one: dict[Address, Resource], other: dict[Address, Resource]) -> None:
        nonlocal count
        count += 1
        for rest in bare.path.parent.glob("log.db*"):
            rest.unlink()
        bare.path.write_bytes(empty)
        bare.forget_what_was_seen()
        first, last = observe(bare.path, {}, one), observe(bare.path, one, other)
        shows(bare, first, last, other)
        accepts(bare)
        goes_back(bare, last, other)

    law()
    assert count > 1


def shows(cli: "Cli", first: int, last: int, there: Mapping[Address, Resource]) -> None:
    """Every verb that shows something shows it."""
    for verb in ("state", "log", f"show {last}", f"diff {first} {last}", "verify"):
        cli.done(*verb.split())
        cli.done(*verb.split(), "--json")
    for at in there:
        cli.done("blame", at)
        table = kind_of(at).replace(".", "_")
        cli.done("query", f"SELECT * FROM {table} FOR SYSTEM_TIME ALL")  # noqa: S608 - a name of ours


def accepts(cli: "Cli") -> None:
    """What is printed as a document and as a rewritten log is taken again."""
    for form in ((), ("--json",)):
        text = cli.done("document", *form).out
        assert "lasercats: " not in cli("plan", "-", stdin=text).err, text
    cli.done("rewrite", "--out", "short.jsonl")
    assert "lasercats: " not in cli("issue", "short.jsonl", "--check").err


def goes_back(cli: "Cli", last: int, there: Mapping[Address, Resource]) -> None:
    """It is taken back as far as it can be, and forgotten."""
    predicted = cli("undo", str(last), "--check", "--partial")
    assert "lasercats: " not in predicted.err, predicted
    if there:
        cli.done("forget", *there)
    assert "the state is empty" in cli.done("state").err
    cli.verifies()
