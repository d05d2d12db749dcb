"""Fixtures: the SSH lab, contexts on real hosts, projects for the command line."""

import os
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings

from lasercats.core.registry import Kinds
from lasercats.domains.host import DOMAIN
from lasercats.interpreters.context import Context
from lasercats.logs.sqlite import SqliteLog
from lasercats.machines.vault import KeyVault
from lasercats.operate.bound import BoundMachines
from lasercats.testing import lab_systemd
from lasercats.testing.debs import Debian
from lasercats.testing.lab import Lab, unavailable
from lasercats.testing.peers import need
from lasercats.testing.postgresql import Server
from lasercats.testing.postgresql import unavailable as postgresql_unavailable

MakeContext = Callable[..., Context]

# How long an example takes tells of the machine and its load, and nothing of what is tested.
# The suite tries the same examples each time, so that it tells of the change; `make explore` tries new ones.
settings.register_profile("explore", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.register_profile("suite", settings.get_profile("explore"), derandomize=True)
settings.load_profile(os.environ.get("EXAMPLES", "suite"))


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Let the tests of a file run in one worker, as they share its fixtures, but for those with a group.

    So no file is the tail that one worker is left with: each page of the documentation is a group.
    """
    for item in items:
        if item.get_closest_marker("xdist_group") is None:
            item.add_marker(pytest.mark.xdist_group(item.nodeid.partition("::")[0]))


@pytest.fixture(scope="session", autouse=True)
def home_of_tests(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """Let what is remembered for a user, and what he decided, be the tests' own, also in their processes."""
    home = tmp_path_factory.mktemp("home")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("XDG_CONFIG_HOME", str(home / "config"))
        patch.setenv("XDG_STATE_HOME", str(home / "state"))
        yield


@pytest.fixture(scope="session")
def lab() -> Iterator[Lab]:
    """Three real SSH hosts; without root a skip with the reason, in CI as root an error."""
    reason = unavailable()
    if reason is not None:
        if os.environ.get("CI") and os.getuid() == 0:
            pytest.fail(reason)
        pytest.skip(reason)
    with Lab(hosts=3) as started:
        yield started


@pytest.fixture(scope="session")
def debian(lab: Lab) -> Iterator[Debian]:
    """A host that systemd booted, with packages of our own in its apt; else a skip with the reason."""
    reason = lab_systemd.unavailable()
    if reason is not None:
        pytest.skip(reason)
    with Lab(hosts=0, systemd=1) as started:
        yield Debian(started.hosts[0])


@pytest.fixture(scope="session")
def postgresql() -> Iterator[Server]:
    """A PostgreSQL server; where there can be none a skip with the reason, in CI an error."""
    need(postgresql_unavailable())
    server = Server()
    yield server
    server.stop()


@pytest.fixture
def kinds() -> Kinds:
    """The built-in kinds."""
    return Kinds([DOMAIN])


@pytest.fixture
def make_context(tmp_path: Path, kinds: Kinds) -> MakeContext:
    """Make contexts with a fresh log, on machines given by name and URL."""

    def make(**urls: str) -> Context:
        machines = BoundMachines(urls or {"m": "local:"}, KeyVault(tmp_path / "key"))
        log = SqliteLog(":memory:", create=True)
        return Context(kinds=kinds, log=log, machines=machines, actor="tester", run="test")

    return make
