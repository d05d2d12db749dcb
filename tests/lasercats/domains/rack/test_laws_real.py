"""The laws on the real machinery of racks: orders that are handed out, and reports that come later."""

import asyncio
from random import Random

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from lasercats.core.address import Address
from lasercats.core.command import Command
from lasercats.core.converge import converge
from lasercats.core.document import parse, render
from lasercats.core.record import Accepted
from lasercats.core.state import State, diff
from lasercats.domains.rack import cable, device_programs, feed, rack
from lasercats.domains.rack.device import MountDevice
from lasercats.interpreters.simulate import simulate
from lasercats.operate import reports, work
from lasercats.operate.replay import replay_command
from lasercats.operate.verify import verify
from lasercats.testing import strategies
from lasercats.testing.laws import NoInputs, decided
from lasercats.testing.running import finish
from tests.lasercats.domains.rack import test_laws
from tests.lasercats.domains.rack.conftest import Site

pytestmark = pytest.mark.slow
GROUND: tuple[Command, ...] = (
    *test_laws.TYPES,
    *test_laws.RACKS,
    feed.Add(on=(Address("rack.feed/A"),), rack="r1", amperage=2, phases=3, voltage=400),
)
DEVICES = strategies.commands(device_programs.KIND, ("a", "b", "c", "d"), test_laws.FIELDS)
CABLES = strategies.commands(
    cable.KIND,
    ("c1", "c2"),
    {
        **test_laws.TestCable.fields,
        "a": st.sampled_from(["a:eth0", "a:PSU1", "b:eth0"]),
        "b": st.sampled_from(["b:eth1", "c:eth0", "A"]),
    },
)
RACKS = strategies.commands(
    rack.KIND, ("r1",), {**test_laws.TestRack.fields, "height": st.sampled_from([2, 4])}
)
LOGS = st.lists(st.one_of(DEVICES, DEVICES, CABLES, RACKS), min_size=1, max_size=10)
QUICK = settings(max_examples=60, deadline=None, suppress_health_check=list(HealthCheck))


def check_replay(site: Site) -> None:
    """Law 8: every command, run again from what was reported, asks, changes and ends as it did."""
    log = site.project.log
    for record in list(log.read(names=("accepted",))):
        replayed = asyncio.run(replay_command(log, site.project.kinds, record.position))
        assert not replayed.differences, replayed


def test_law_6_fidelity_and_law_8_replay(site: Site) -> None:
    """What is simulated is what has come about when all is reported, in any order and by other processes."""

    @QUICK
    @given(LOGS, st.randoms())
    def law(log: list[Command], random: Random) -> None:
        site.fresh()
        site.do(*GROUND)
        _, wanted = simulate(log, site.state)
        site.do(*log)
        site.reopened()
        site.finish(random.choice)
        assert decided(site.state) == decided(wanted)
        assert not site.project.log.open()
        check_replay(site)
        verify(site.project)

    law()


def test_what_fails_changes_nothing_and_stops_no_more_than_it_must(site: Site) -> None:
    """Whatever fails, all is over in the end, the log holds, and what did not depend on it was done."""

    @QUICK
    @given(LOGS, st.randoms())
    def law(log: list[Command], random: Random) -> None:
        site.fresh()
        site.do(*GROUND)
        site.do(*log)
        while ready := site.ready():
            order, task = random.choice(ready)
            before = site.state
            if random.random() < 0.3:
                report = finish(
                    site.project, reports.fail(site.project, order.number, [task.number], why="no screws")
                )
                assert not report.delta
                assert site.state == before
                skipped = [later for later in report.tasks if later.status == "skipped"]
                assert all(later.after or later.step.early for later in skipped)
            else:
                finish(site.project, reports.done(site.project, order.number, [task.number]))
        assert not site.project.log.open()
        check_replay(site)
        verify(site.project)

    law()


def test_law_7_recreate(site: Site) -> None:
    """The document of a state, applied where nothing is, ends as that state when all is reported."""

    @QUICK
    @given(LOGS)
    def law(log: list[Command]) -> None:
        site.fresh()
        _, wanted = simulate([*GROUND, *log], State())
        text = render(wanted.items())
        desired = State.of(parse(text, site.project.kinds, NoInputs()))
        site.do(*converge(site.project.kinds, diff(State(), desired), State(), exact=False))
        site.finish()
        there = decided(site.state)
        assert {a: {n: there[a].get(n) for n in fields} for a, fields in decided(desired).items()} == decided(
            desired
        )
        assert there.keys() == decided(desired).keys()

    law()


def test_orders_of_two_sites_are_apart(site: Site) -> None:
    """One command over devices at two sites is two orders, and is over when both are."""
    site.do(rack.Create(on=(Address("rack/r1"), Address("rack/dc2:r1"))))
    mount = MountDevice(on=(Address("rack.device/a"), Address("rack.device/dc2:a")), unit=1)
    (result,) = site.do(mount)
    assert result.status == "waiting"
    first, second = work.orders(site.project)
    assert {first.machine, second.machine} == {"human", "dc2"}
    report = finish(site.project, reports.done(site.project, first.number))
    assert len(report.delta) == 1
    assert [order.number for order in work.orders(site.project)] == [second.number]
    finish(site.project, reports.done(site.project, second.number))
    assert not site.project.log.open()
    (accepted,) = [r for r in site.project.log.read(names=("accepted",)) if r.position == result.position]
    assert isinstance(accepted.entry, Accepted)
