"""The laws of the host kinds on real SSH hosts, seen by independent eyes."""

import asyncio
import hashlib
from collections.abc import Iterator
from pathlib import Path
from posixpath import dirname

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from msgspec.structs import replace

from lasercats.core import content
from lasercats.core.address import Address, rest_of
from lasercats.core.command import Command
from lasercats.core.document import parse, render
from lasercats.core.registry import Kinds
from lasercats.core.secret import Sealed, place
from lasercats.core.text import escape
from lasercats.domains.host import DOMAIN
from lasercats.domains.host import place as places
from lasercats.domains.host.directory import Create, Directory
from lasercats.domains.host.file import File
from lasercats.domains.host.symlink import Symlink
from lasercats.instructions.host import ExecResult, Execute, secret_variable
from lasercats.interpreters.context import Context
from lasercats.interpreters.live import Live
from lasercats.interpreters.script import Script
from lasercats.logs.sqlite import SqliteLog
from lasercats.machines.host import HostMachine
from lasercats.machines.vault import KeyVault
from lasercats.operate.bound import BoundMachines
from lasercats.operate.inputs import LocalInputs
from lasercats.testing import strategies
from lasercats.testing.lab import Host, Lab
from lasercats.testing.laws import check_fidelity, check_recreate, check_replay
from lasercats.testing.machines import batch

pytestmark = pytest.mark.lab
KINDS = Kinds([DOMAIN])
ODD = rb"""-it's a "name" $x: caf""" + b"\xe9\t\x1b[1m\xff" + rb"\xff`id`*"
PLAIN = ("m:/t/a", "m:/t/a/b", "m:/t/a/b/c", "m:/t/-n")
NAMES = (*PLAIN, f"m:/t/a/b/{escape(ODD + bytes([10]))}", f"m:/t/{escape(ODD)}")
FIELDS = {
    "owner": st.sampled_from(["root", "daemon", "0", "nobody"]),
    "group": st.sampled_from(["root", "daemon", "0", "nogroup"]),
    "mode": st.sampled_from(["600", "0644", "755", "4755", "1777", "000", "0062"]),
    "secret": st.sampled_from(["hunter2", "", "two\nlines", "\x00\xff"]).map(Sealed),
    "target": st.binary(min_size=1, max_size=40).map(lambda data: escape(data.replace(b"\0", rb"\xff"))),
    "content": st.one_of(strategies.texts, st.binary(max_size=40).map(content.encode)),
}
GROUND = Create(on=(Address("directory/m:/t"),))
PATHS = [KINDS.kinds[name] for name in places.KINDS]
LOGS = strategies.logs(PATHS, NAMES, FIELDS, size=12)
REAL = settings(max_examples=200, deadline=None, suppress_health_check=list(HealthCheck))
FEW = settings(REAL, max_examples=25)


@pytest.fixture(scope="module")
def bench(lab: Lab, tmp_path_factory: pytest.TempPathFactory) -> Iterator["Bench"]:
    """Two hosts that stay connected from example to example."""
    with asyncio.Runner() as runner:
        made = Bench(lab, runner, tmp_path_factory.mktemp("vault"))
        yield made
        runner.run(made.machines.close())


@pytest.fixture(scope="module")
def busybox(lab: Lab, tmp_path_factory: pytest.TempPathFactory) -> Iterator["Bench"]:
    """Two hosts of busybox; where the lab can run they can, too."""
    with asyncio.Runner() as runner, Lab(hosts=0, busybox=2) as others:
        made = Bench(others, runner, tmp_path_factory.mktemp("vault"))
        yield made
        runner.run(made.machines.close())


class Bench:
    """The hosts `m` and `n`, fresh for each example."""

    def __init__(self, lab: Lab, runner: asyncio.Runner, folder: Path) -> None:
        self.hosts, self.runner = lab.hosts[:2], runner
        urls = {name: host.url for name, host in zip("mn", self.hosts, strict=True)}
        self.vault = KeyVault(folder / "key")
        self.machines = BoundMachines(urls, self.vault)
        self.inputs = LocalInputs(folder, self.vault)

    def sealed(self, log: list[Command]) -> list[Command]:
        """Return commands whose secrets are sealed by the vault of the hosts."""
        return [self._sealed(command) if getattr(command, "secret", None) else command for command in log]

    def _sealed(self, command: Command) -> Command:
        places = [place(address, "secret") for address in command.on]
        secret: Sealed = command.secret  # type: ignore[attr-defined]
        return replace(command, secret=self.vault.seal(secret.token.encode("latin-1"), places))

    def fresh(self) -> Context:
        """Clear both hosts and start a new log."""
        self.runner.run(self._clear())
        log = SqliteLog(":memory:", create=True)
        return Context(kinds=KINDS, log=log, machines=self.machines, actor="tester", run="test")

    async def _clear(self) -> None:
        for name in "mn":
            machine = self.machines.get(name)
            assert isinstance(machine, HostMachine)
            (cleared,) = await machine.run(batch(Execute(machine=name, argv=("rm", "-rf", "/t"))))
            assert cleared == ExecResult(0)


@REAL
@given(LOGS)
def test_law_6_fidelity_and_law_8_replay(bench: Bench, log: list[Command]) -> None:
    """What is simulated is what a real host does, and every recorded program runs again the same way."""
    context = bench.fresh()
    check_fidelity([GROUND, *bench.sealed(log)], context, bench.runner)
    check_replay(context)


@FEW
@given(LOGS)
def test_law_6_one_command_at_a_time(bench: Bench, log: list[Command]) -> None:
    """The prediction holds as well when every command is a run of its own; independent eyes agree."""
    context = bench.fresh()
    for command in [GROUND, *bench.sealed(log)]:
        check_fidelity([command], context, bench.runner)
    _check_with_independent_eyes(bench, context)


@FEW
@given(LOGS)
def test_law_7_recreate(bench: Bench, log: list[Command]) -> None:
    """The document of one host's state makes the same state on another."""
    context = bench.fresh()
    bench.runner.run(Live().run([GROUND, *bench.sealed(log)], context))
    text = render(context.log.fold().state(KINDS).items()).replace("/m:/", "/n:/")
    desired = parse(text, KINDS, bench.inputs)
    assert all(bench.vault.is_for(s, place(a, "secret")) for a, f in desired.items() if (s := _secret(f)))
    check_recreate(desired, context, bench.runner)


@FEW
@given(LOGS)
def test_laws_6_7_and_8_with_busybox(busybox: Bench, log: list[Command]) -> None:
    """The laws hold with busybox: what is simulated is done, runs again, and is made anew elsewhere."""
    context = busybox.fresh()
    check_fidelity([GROUND, *busybox.sealed(log)], context, busybox.runner)
    check_replay(context)
    text = render(context.log.fold().state(KINDS).items()).replace("/m:/", "/n:/")
    check_recreate(parse(text, KINDS, busybox.inputs), context, busybox.runner)


@FEW
@given(LOGS)
def test_the_script_leaves_the_same_files(bench: Bench, log: list[Command]) -> None:
    """What `--interpreter script` prints, run by sh on a fresh host, leaves what the live run leaves."""
    context = bench.fresh()
    log = bench.sealed([command for command in log if "\x00" not in getattr(_secret(command), "token", "")])
    printed: list[str] = []
    context.write = printed.append
    bench.runner.run(Script().run([GROUND, *log], context))
    bench.runner.run(Live().run([GROUND, *log], context))
    secrets = [(command, s) for command in log if (s := _secret(command))]
    opened = {secret_variable(s): bench.vault.open(s, place(c.on[0], "secret")) for c, s in secrets}
    given = b"".join(b"export %s='%s'\n" % (name.encode(), value) for name, value in opened.items())
    ran = bench.hosts[1].ssh("cat >/tmp/script && sh /tmp/script", given + printed[0].encode())
    assert ran.returncode == 0, ran.stderr
    assert _listing(bench.hosts[0]) == _listing(bench.hosts[1])


def _secret(value: object) -> Sealed | None:
    secret = getattr(value, "secret", None)
    return secret if isinstance(secret, Sealed) else None


def _listing(host: Host) -> bytes:
    """List all below /t by plain tools: type, mode, owner, group, path, target; then the digests."""
    fields = "\\001".join(f"%{field}" for field in "ymugpl")
    files = "find /t -type f -exec sha256sum -z {} + | sort -z -k2"
    look = f"find /t -printf '{fields}\\0' | sort -z; printf '\\0'; {files}"
    output = host.ssh(look)
    assert output.returncode == 0, output.stderr
    return output.stdout


def _check_with_independent_eyes(bench: Bench, context: Context) -> None:
    entries, _, digested = _listing(bench.hosts[0]).rpartition(b"\0\0")
    listed = [list(map(escape, entry.split(b"\1", 5))) for entry in entries.split(b"\0")]
    seen = {entry[4]: entry for entry in listed}
    lines = [line.split(b"  ", 1) for line in digested.split(b"\0") if line]
    digests = {escape(path): digest.decode() for digest, path in lines}
    state = context.log.fold().state(KINDS)
    there = {rest_of(address) for address, _ in state.items()}
    assert there == set(seen)
    assert all(dirname(path) in there | {"/"} for path in there)
    for address, resource in state.items():
        path = rest_of(address)
        type_, mode, owner, group, _, target = seen[path]
        match resource:
            case Symlink():
                assert (type_, target) == ("l", resource.target)
            case File() | Directory():
                assert type_ == ("f" if isinstance(resource, File) else "d")
                assert mode.zfill(4) == resource.mode
                assert owner == (resource.owner or owner).replace("0", "root")
                assert group == (resource.group or group).replace("0", "root")
                if isinstance(resource, File):
                    data = content.decode(resource.content or "")
                    if resource.secret is not None:
                        data = bench.vault.open(resource.secret, place(address, "secret"))
                    assert digests[path] == hashlib.sha256(data).hexdigest()
            case _:
                raise AssertionError(resource)
