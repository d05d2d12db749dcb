"""Packages and services on a real Debian host that systemd booted, seen by dpkg and systemctl."""

import asyncio
from collections.abc import Iterator
from itertools import count
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from lasercats.core.address import Address
from lasercats.core.command import Command
from lasercats.core.errors import BadInput
from lasercats.core.instruction import Failure, Item
from lasercats.core.loss import Loss
from lasercats.core.registry import Kinds
from lasercats.domains.host import DOMAIN, package, service
from lasercats.domains.host.package import Install, Keep, Package, Remove, Unhold
from lasercats.domains.host.service import Disable, Enable, Retire, Service, Start, Stop
from lasercats.instructions.apt import PackageStatus, ReadPackage, SetPackage
from lasercats.instructions.host import PathStatus, WriteFile
from lasercats.instructions.systemd import ReadUnit, SetUnit, UnitStatus
from lasercats.interpreters.context import Context, Result
from lasercats.interpreters.live import Live
from lasercats.logs.sqlite import SqliteLog
from lasercats.machines.vault import KeyVault
from lasercats.operate import begin
from lasercats.operate import project as projects
from lasercats.operate.bound import BoundMachines
from lasercats.operate.issue import carry_out
from lasercats.operate.project import Project
from lasercats.testing import strategies
from lasercats.testing.debs import SERVICE, Debian
from lasercats.testing.kept import LOST, check_kept
from lasercats.testing.lab import Lab
from lasercats.testing.laws import check_fidelity, check_recreate, check_replay
from lasercats.testing.running import finish

pytestmark = pytest.mark.lab
KINDS = Kinds([DOMAIN])
NEWER = "2:1.0~rc1+b2"
FEW = settings(max_examples=4, deadline=None, suppress_health_check=list(HealthCheck))
FIELDS = {"version": st.sampled_from(["1.0", NEWER])}
PACKAGES = strategies.logs([package.KIND], ("m:lc-one", "m:lc-conf"), FIELDS, size=4)
SERVICES = strategies.logs([service.KIND], ("m:lc-x.service", "m:lc-t@1.service"), {}, size=4)


def on(*names: str, kind: str = "package") -> tuple[Address, ...]:
    """Return addresses on the host."""
    return tuple(Address(f"{kind}/m:{name}") for name in names)


class Bench:
    """The host `m`, with a fresh log."""

    def __init__(self, debian: Debian, runner: asyncio.Runner, folder: Path) -> None:
        self.debian, self.runner = debian, runner
        self.machines = BoundMachines({"m": debian.host.url}, KeyVault(folder / "key"))
        self.context = self.fresh()

    def fresh(self) -> Context:
        """Begin afresh."""
        self.debian.fresh()
        log = SqliteLog(":memory:", create=True)
        self.context = Context(kinds=KINDS, log=log, machines=self.machines, actor="tester", run="test")
        return self.context

    def do(self, *commands: Command, agreed: frozenset[Loss] = frozenset()) -> list[Result]:
        """Carry commands out."""
        self.context.agreed = agreed
        return list(self.runner.run(Live().run(commands, self.context)))

    def done(self, *commands: Command) -> None:
        """Carry commands out, which must succeed."""
        assert [result.problems for result in self.do(*commands)] == [{} for _ in commands]

    def state(self, address: Address) -> object:
        """Return what is known at an address."""
        return self.context.log.fold().state(KINDS).get(address)

    def send(self, *instructions: object) -> tuple[list[object], int]:
        """Send a batch; return the outcomes and how many round trips it took."""
        machine = self.machines.get("m")
        before = machine.trips
        items = tuple(Item(instruction) for instruction in instructions)  # type: ignore[arg-type]
        return list(self.runner.run(machine.run(items))), machine.trips - before


@pytest.fixture(scope="module")
def kept(debian: Debian, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Bench]:
    """The host, which stays connected from test to test."""
    with asyncio.Runner() as runner:
        made = Bench(debian, runner, tmp_path_factory.mktemp("vault"))
        yield made
        runner.run(made.machines.close())


@pytest.fixture
def bench(kept: Bench) -> Bench:
    """The host with none of the packages."""
    kept.fresh()
    return kept


@FEW
@given(PACKAGES)
def test_laws_6_and_8_of_packages(kept: Bench, log: list[Command]) -> None:
    """What is simulated of packages is what apt does, and every recorded program runs again the same way."""
    context = kept.fresh()
    context.agreed = None
    check_fidelity(log, context, kept.runner)
    check_replay(context)


@FEW
@given(SERVICES)
def test_laws_6_and_8_of_services(kept: Bench, log: list[Command]) -> None:
    """What is simulated of services is what systemd does, and recorded programs run again the same way."""
    context = kept.fresh()
    units(kept.debian, "lc-x.service", "lc-t@.service")
    both = on("lc-x.service", "lc-t@1.service", kind="service")
    kept.do(Disable(on=both), Stop(on=both))
    context.agreed = None
    check_fidelity(log, context, kept.runner)
    check_replay(context)


def units(debian: Debian, *names: str, text: str = SERVICE) -> None:
    """Put unit files onto the host."""
    for name in names:
        (debian.host.root / "etc/systemd/system" / name).write_text(text)


def test_law_7_recreate(bench: Bench) -> None:
    """A document makes the packages and services that it tells of, on a host without them."""
    bench.context.agreed = None
    desired = {
        on("lc-one")[0]: Package(version="1.0", hold=True),
        on("lc-web")[0]: Package(),
        on("lc-web.service", kind="service")[0]: Service(enabled=True, running=True),
    }
    check_recreate(desired, bench.context, bench.runner)
    assert bench.debian.run("systemctl is-active lc-web; systemctl is-enabled lc-web") == "active\nenabled\n"


def test_one_round_trip_looks_at_300_packages_and_100_services(bench: Bench) -> None:
    """All is asked by one dpkg-query and one systemctl show, and is as they tell by themselves."""
    lines = bench.debian.run("dpkg-query -W -f '${Package} ${Version} ${db:Status-Status}\n'").splitlines()
    there = {n: v for n, v, state in (line.split() for line in lines if len(line.split()) == 3)}
    names = [*there, *(f"no-such-{n}" for n in range(300))][:300]
    units(bench.debian, "lc-t@.service")
    looks = [ReadPackage(machine="m", name=name) for name in names]
    looks += [ReadUnit(machine="m", name=f"lc-t@{n}.service") for n in range(100)]  # type: ignore[misc]
    outcomes, trips = bench.send(*looks)
    assert trips == 1
    assert [outcome.version for outcome in outcomes[:300]] == [there.get(name) for name in names]  # type: ignore[attr-defined]
    assert outcomes[300:] == [UnitStatus("loaded", "inactive", "disabled")] * 100


def test_packages_files_and_services_are_set_in_one_round_trip(bench: Bench) -> None:
    """Five packages are one transaction of apt, in one batch with a file and with the service they bring."""
    before = bench.debian.run("grep -c ^Commandline: /var/log/apt/history.log || true")
    names = ("lc-one", "lc-conf", "lc-app", "lc-other", "lc-web")
    sets = [SetPackage(machine="m", name=name) for name in names]
    file = WriteFile(machine="m", path="/etc/lc-file", content="x")
    start = SetUnit(machine="m", name="lc-web.service", running=True, enabled=True)
    outcomes, trips = bench.send(*sets, file, start)
    assert trips == 1
    assert not any(isinstance(outcome, Failure) for outcome in outcomes), outcomes
    assert set(bench.debian.installed()) == {*names, "lc-library"}
    assert isinstance(outcomes[5], PathStatus)
    assert outcomes[6] == UnitStatus("loaded", "active", "enabled")
    after = bench.debian.run("grep -c ^Commandline: /var/log/apt/history.log || true")
    assert int(after) - int(before or 0) == 1


def test_what_apt_would_remove_along_is_told_and_agreed_to(bench: Bench) -> None:
    """It is refused, as it was not announced; once agreed to it is done first, and recorded."""
    app, rival = on("lc-app", "lc-rival")
    bench.done(Install(on=(app,)))
    (refused,) = bench.do(Install(on=(rival,)))
    assert [loss.address for loss in refused.losses] == [app]
    assert f"{app}: it would be removed along with what is done at {rival}" in refused.problems[rival]
    assert set(bench.debian.installed()) == {"lc-app", "lc-library"}
    (agreed,) = bench.do(Install(on=(rival,)), agreed=frozenset(refused.losses))
    assert agreed.problems == {}
    assert {address: change.after is None for address, change in agreed.delta.items()} == {
        app: True,
        rival: False,
    }
    assert set(bench.debian.installed()) == {"lc-rival", "lc-library"}


def test_what_is_not_managed_and_would_go_along_is_told(bench: Bench) -> None:
    """A package that nobody manages is told as well as one that is, and so is what needs what goes."""
    bench.done(Install(on=on("lc-app")))
    (refused,) = bench.do(Remove(on=on("lc-library")))
    assert [loss.address for loss in refused.losses] == list(on("lc-app"))
    (done,) = bench.do(Remove(on=on("lc-library")), agreed=frozenset(refused.losses))
    assert done.problems == {}
    assert bench.debian.installed() == {}


def test_what_goes_along_is_told_where_it_is_looked_at_for_itself_too(bench: Bench) -> None:
    """A package that another command is about is displaced all the same, in whatever order they come."""
    app, rival = on("lc-app", "lc-rival")
    bench.done(Install(on=(app,)))
    for commands in ([Install(on=(rival,)), Keep(on=(app,))], [Keep(on=(app,)), Install(on=(rival,))]):
        results = {result.command.on[0]: result for result in bench.do(*commands)}
        assert [loss.address for loss in results[rival].losses] == [app]
        bench.done(Unhold(on=(app,)))


def test_what_apt_would_downgrade_along_is_told(bench: Bench) -> None:
    """A downgrade that nobody asked for is a loss that is agreed to, and is recorded with its version."""
    bench.done(Install(on=on("lc-one"), version=NEWER))
    (bench.debian.host.root / "etc/apt/preferences.d/lc").write_text(
        "Package: lc-one\nPin: version 1.0\nPin-Priority: 1001\n"
    )
    (refused,) = bench.do(Install(on=on("lc-older")))
    assert [str(loss) for loss in refused.losses] == [
        "it would be downgraded to 1.0 along with what is done at package/m:lc-older"
    ]
    (done,) = bench.do(Install(on=on("lc-older")), agreed=frozenset(refused.losses))
    assert done.problems == {}
    assert bench.debian.installed() == {"lc-one": "1.0", "lc-older": "1.0"}
    assert bench.state(on("lc-one")[0]) == Package(version="1.0", hold=None, installed="1.0")


def test_what_nobody_foresaw_is_not_removed(bench: Bench) -> None:
    """Where apt would remove something by the time that it acts, nothing is done."""
    bench.send(SetPackage(machine="m", name="lc-app"))
    (outcome,), _ = bench.send(SetPackage(machine="m", name="lc-rival"))
    assert outcome == Failure(reason="apt would also remove or downgrade lc-app")
    assert set(bench.debian.installed()) == {"lc-app", "lc-library"}


def test_taking_an_install_back_removes_what_it_brought(bench: Bench) -> None:
    """What came along goes along, unless something else needs it by then."""
    bench.done(Install(on=on("lc-app")))
    bench.done(Install(on=on("lc-other")))
    bench.done(Remove(on=on("lc-app")))
    assert set(bench.debian.installed()) == {"lc-other", "lc-library"}
    bench.done(Remove(on=on("lc-other")))
    assert set(bench.debian.installed()) == {"lc-library"}  # lc-other found it there, and did not bring it
    bench.done(Remove(on=on("lc-library")))
    bench.done(Install(on=on("lc-app")))
    bench.done(Remove(on=on("lc-app")))
    assert bench.debian.installed() == {}


def test_a_hold_holds(bench: Bench) -> None:
    """A held package is neither set to another version nor removed, unless its hold is said, too."""
    one = on("lc-one")
    bench.done(Install(on=one, version="1.0", hold=True))
    assert bench.debian.run("apt-mark showhold") == "lc-one\n"
    for command in (Install(on=one, version=NEWER), Remove(on=one)):
        (refused,) = bench.do(command)
        assert refused.problems[one[0]] == "it is held; `lasercats package unhold m:lc-one` lifts that"
    bench.done(Install(on=one, version=NEWER, hold=True))
    assert bench.debian.run("apt-mark showhold") == "lc-one\n"
    bench.done(Unhold(on=one), Install(on=one, version="1.0"))
    assert bench.debian.installed() == {"lc-one": "1.0"}
    bench.done(Keep(on=one))
    assert bench.debian.run("apt-mark showhold") == "lc-one\n"


def test_nothing_asks_and_what_was_changed_is_kept(bench: Bench) -> None:
    """A package that would ask meets no input; a configuration file that was changed is kept, and told."""
    bench.done(Install(on=on("lc-asks")), Install(on=on("lc-conf"), version="1.0"))
    (bench.debian.host.root / "etc/lc-conf").write_text("of the operator\n")
    (result,) = bench.do(Install(on=on("lc-conf"), version=NEWER))
    assert result.problems == {}
    assert result.notes == {on("lc-conf")[0]: "/etc/lc-conf was changed on the host and is kept as it was"}
    assert bench.debian.run("cat /etc/lc-conf") == "of the operator\n"


def test_the_lock_of_dpkg_is_waited_for(bench: Bench) -> None:
    """While somebody else installs, apt waits, and then does its work."""
    hold = (
        "import fcntl, time; f = open('/var/lib/dpkg/lock-frontend', 'w'); fcntl.lockf(f, fcntl.LOCK_EX); "
        "open('/tmp/held', 'w'); time.sleep(1)"
    )
    bench.debian.run(
        f'rm -f /tmp/held; nohup python3 -c "{hold}" >/dev/null 2>&1 & '
        "until [ -e /tmp/held ]; do sleep 0.05; done"
    )
    bench.done(Install(on=on("lc-one")))
    assert "lc-one" in bench.debian.installed()


def test_what_cannot_be_installed_fails_alone_with_its_reason(bench: Bench) -> None:
    """An unknown package, an unknown version and a script that fails are told, each at its own address."""
    names = ("lc-no-such", "lc-one", "lc-bad", "lc-conf")
    commands = [Install(on=on(name), version="9" if name == "lc-one" else None) for name in names]
    reasons = [result.problems.get(result.command.on[0]) for result in bench.do(*commands)]
    assert reasons == [
        "apt: Unable to locate package lc-no-such",
        "apt: Version '9' for 'lc-one' was not found",
        "installed lc-bad package post-installation script subprocess returned error exit status 1",
        None,
    ]
    (broken,), _ = bench.send(ReadPackage(machine="m", name="lc-bad"))
    assert broken == Failure(
        reason="it is half-configured; mend it with `dpkg --configure -a` or `apt-get -f install`"
    )


def test_a_service_is_judged_by_what_it_does(bench: Bench) -> None:
    """One that dies at once, one that is static, another name of one, and one that is not there are told."""
    units(bench.debian, "lc-dies.service", text=SERVICE.replace("sleep infinity", "false"))
    units(bench.debian, "lc-static.service", text=SERVICE.partition("[Install]")[0])
    units(bench.debian, "lc-x.service", text=SERVICE + "Alias=lc-alias.service\n")
    bench.done(
        Enable(on=on("lc-x.service", kind="service")), Start(on=on("lc-static.service", kind="service"))
    )
    problems = dict[Address, str]()
    for command in (
        Start(on=on("lc-dies.service", "lc-no-such.service", kind="service")),
        Enable(on=on("lc-static.service", "lc-alias.service", kind="service")),
    ):
        problems |= bench.do(command)[0].problems
    why = {str(address).partition(":")[2]: reason for address, reason in problems.items()}
    assert "ActiveState=failed" in why["lc-dies.service"]
    assert why["lc-no-such.service"] == "there is no unit lc-no-such.service"
    assert why["lc-static.service"] == "it cannot be enabled, because it is static"
    assert why["lc-alias.service"] == "lc-alias.service is another name of lc-x.service; say that one"


def test_a_changed_unit_is_read_before_it_is_started(bench: Bench) -> None:
    """A unit file that is written in the same batch is what is started."""
    text = SERVICE.replace("infinity", "1234")
    file = WriteFile(machine="m", path="/etc/systemd/system/lc-new.service", content=text)
    outcomes, _ = bench.send(file, SetUnit(machine="m", name="lc-new.service", running=True))
    assert outcomes[1] == UnitStatus("loaded", "active", "disabled")
    assert "sleep 1234" in bench.debian.run("systemctl cat lc-new.service")


def test_a_stop_that_nobody_named_is_an_interruption(bench: Bench) -> None:
    """What stops a service that runs is announced; a stop that names it is its own announcement."""
    units(bench.debian, "lc-x.service")
    unit = on("lc-x.service", kind="service")
    bench.done(Start(on=unit))
    bench.context.direct = False
    (refused,) = bench.do(Retire(on=unit))
    assert [str(loss) for loss in refused.losses] == ["it would be stopped"]
    bench.context.direct = True
    bench.done(Stop(on=unit))
    assert bench.debian.run("systemctl is-active lc-x || true") == "inactive\n"


@pytest.mark.parametrize("name", ["m:nginx@", "m:nginx@.service", "m:../x.service", "m:a b.service", "nginx"])
def test_what_is_no_unit_is_refused(name: str) -> None:
    """A template and what can be no name would end the answer for all others."""
    with pytest.raises(BadInput, match="is no unit on a machine"):
        service.KIND.canonical(name)


@pytest.mark.parametrize("name", ["m:Nginx", "m:nginx*", "m:-y", "m:nginx=1", "m:a", "nginx", "m:libc6:i386"])
def test_what_is_no_package_is_refused(name: str) -> None:
    """What dpkg would take for a pattern, an option or a version is no name."""
    with pytest.raises(BadInput, match="is no package on a machine"):
        package.KIND.canonical(name)


def test_a_host_without_apt_or_systemd_says_so(lab: Lab, tmp_path: Path) -> None:
    """One sentence tells what the host lacks, and a file beside it is written."""
    with Lab(hosts=0, busybox=1) as others, asyncio.Runner() as runner:
        machines = BoundMachines({"m": others.hosts[0].url}, KeyVault(tmp_path / "key"))
        batch = (
            SetPackage(machine="m", name="nginx"),
            ReadPackage(machine="m", name="nginx"),
            SetUnit(machine="m", name="nginx.service", running=True),
            ReadUnit(machine="m", name="nginx.service"),
            WriteFile(machine="m", path="/srv/file", content="x"),
        )
        outcomes = list(runner.run(machines.get("m").run(tuple(map(Item, batch)))))
        apt = Failure(reason="it has no apt-get, and packages are only known by apt")
        systemd = Failure(reason="it is not run by systemd, by which services are known")
        assert outcomes[:4] == [apt, apt, systemd, systemd]
        assert isinstance(outcomes[4], PathStatus)
        runner.run(machines.close())


def test_a_status_is_predicted_as_it_is_asked() -> None:
    """What is predicted of an act is what its look would answer, had it gone well."""
    assert SetPackage(machine="m", name="x", version="1", hold=True).predict() == PackageStatus(
        "1", hold=True
    )
    assert SetPackage(machine="m", name="x", absent=True).predict() == PackageStatus()


@pytest.mark.slow
def test_nothing_is_dropped(bench: Bench, tmp_path: Path) -> None:
    """Whatever batch fails, what is there of packages and services is known after a recovery."""
    folders = count()
    url, debian = bench.debian.host.url, bench.debian

    def fresh() -> Project:
        debian.fresh()
        units(debian, "lc-x.service")
        folder = tmp_path / f"{next(folders)}"
        begin.init(folder)
        (folder / projects.FILE).write_text(f'[environments.default.machines]\nm = "{url}"\n')
        made = Project(folder)
        ground = [Install(on=on("lc-conf")), Disable(on=on("lc-x.service", kind="service"))]
        assert all(result.ok for result in finish(made, carry_out(made, ground)))
        return made

    commands = [
        Install(on=on("lc-app")),
        Install(on=on("lc-one"), version="1.0", hold=True),
        Remove(on=on("lc-conf")),
        Start(on=on("lc-x.service", kind="service")),
    ]
    assert check_kept(fresh, commands, (LOST,)) > 1
