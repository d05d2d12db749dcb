"""Secrets planted by every way there is, and swept for everywhere: none is found."""

import base64
import gzip
import json
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from lasercats.testing.lab import Lab, unavailable
from lasercats.testing.peers import need
from tests.soak import records, verbs
from tests.soak.planted import Planted, needle, secret
from tests.soak.sweep import Sweep
from tests.soak.watch import Watch
from tests.soak.ways import WAYS

pytestmark = [pytest.mark.lab, pytest.mark.slow]
SEEN = "seen-by-the-watch"


@pytest.fixture(scope="module")
def planted(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Planted]:
    """Plant all secrets, call all verbs, and take everything back; what arrived is looked at between."""
    need(unavailable())
    with Lab(hosts=1, log="DEBUG3") as lab, Watch() as watch:
        made = Planted(tmp_path_factory.mktemp("secrets"), lab.hosts[0], watch)
        for name, plant in WAYS.items():
            plant(made, name)
        made.came = made.arrived()
        log = made.project / ".lasercats" / "log.db"
        done = [p for p, kind, _, body in records.read(log) if kind == "accepted"]
        made.run_all([*verbs.calls(made, done[::3])])
        made.run_all([["undo", f"{position}", "--diff"] for position in reversed(done)])
        yield made


@pytest.fixture(scope="module")
def sweep(planted: Planted) -> Sweep:
    """Sweep everything."""
    return planted.sweep()


@pytest.mark.parametrize("name", WAYS)
def test_it_is_nowhere(planted: Planted, sweep: Sweep, name: str) -> None:
    """What came by this way is in no log, output, command line, environment, temporary file or plan."""
    assert not sweep.found[name], "\n".join(sweep.found[name][:20])


def test_they_came_to_their_places(planted: Planted) -> None:
    """The sweep is about secrets that are written: all but those that others replace, or that are refused."""
    gone = {"not_confirmed", "there_before", "by_name", "shredded"}
    assert planted.came == set(WAYS) - gone - {"in_a_url", "given_in_clear"}


def test_no_verb_is_left_out() -> None:
    """Every verb of the command line is called, and every command that takes a secret is given one."""
    assert set(verbs.verbs()) == set(verbs.CALLS)
    assert verbs.takers() == {"file write"}


@pytest.mark.parametrize(
    "hidden",
    [
        needle("x"),
        b"{" + base64.b64encode(b"a" + secret("x")) + b"}",
        secret("x").hex().encode(),
        gzip.compress(b"user data" + secret("x"), mtime=0),
        b"UserData=" + base64.b64encode(gzip.compress(secret("x"), mtime=0)),
        json.dumps({"a": base64.b64encode(b"ab" + secret("x")).decode()}).encode(),
    ],
)
def test_the_sweep_finds_it(hidden: bytes) -> None:
    """What is hidden in any of these forms is found."""
    sweep = Sweep({"x": needle("x")})
    sweep.look(b"before " + hidden + b" after", "here")
    assert sweep.found["x"]


def test_the_watch_sees_it(planted: Planted, tmp_path: Path) -> None:
    """Command lines and environments are seen of what is started here and on a host."""
    canaries = {f"{SEEN}-{where}": f"{SEEN}-{where}".encode() for where in ("local", "web")}
    for where in ("local", "web"):
        argv = ["sh", "-c", f"touch /tmp/{SEEN}; CANARY={SEEN}-{where} sleep 0.5"]
        planted.run("exec", where, "--", *argv)
    time.sleep(0.05)
    sweep = Sweep(canaries)
    planted.watch.look(sweep)
    for where in canaries:
        assert any(place.startswith("environ") for place in sweep.found[where])
        assert any(place.startswith("cmdline") for place in sweep.found[where])
    assert SEEN in (planted.folder / "spied").read_text()
    assert SEEN in planted.host.ssh("cat /var/spies").stdout.decode()
