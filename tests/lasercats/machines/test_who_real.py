"""Another host behind the same name is noticed: by real SSH hosts, through the command line."""

import asyncio
import os
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from lasercats.core.errors import OtherMachine
from lasercats.core.identity import MOST, Identity
from lasercats.core.instruction import Failure, Instruction
from lasercats.instructions.host import Execute, ReadPath
from lasercats.machines.ssh import SshMachine
from lasercats.machines.vault import KeyVault
from lasercats.testing.lab import Host, Lab
from lasercats.testing.machines import batch
from tests import forks

pytestmark = [pytest.mark.lab, pytest.mark.slow]
LASERCATS = [sys.executable, "-c", "from lasercats.cli.main import main; main()"]
ODD = {
    "missing": "rm /etc/machine-id",
    "empty": ": >/etc/machine-id",
    "not made yet": "echo uninitialized >/etc/machine-id",
    "a folder": "rm /etc/machine-id && mkdir /etc/machine-id",
    "a pipe": "rm /etc/machine-id && mkfifo /etc/machine-id",
}
"""What makes a host tell no machine-id."""
LIES = {
    "huge": r"head -c 9000000 /dev/zero | tr '\0' x >/etc/machine-id",
    "controls": r"printf 'a\033[31m\007\377' >/etc/machine-id",
    "a pattern": "echo '*' >/etc/machine-id",
    "code": "echo '$(touch${IFS}/tmp/ran);*)touch${IFS}/tmp/ran;;' >/etc/machine-id",
}
"""What makes it tell something odd."""


class Project:
    """A project with one host, `web`."""

    def __init__(self, folder: Path, host: Host) -> None:
        self.folder = folder
        self.run("init")
        self.run("machine", "add", "web", host.url)

    def run(self, *arguments: str, fails: bool = False) -> str:
        """Run what must succeed, or fail, and return what it printed."""
        code, out, err = forks.run(arguments, self.folder, os.environ)
        assert (code != 0) == fails, out + err
        return out + err

    def bind(self, host: Host) -> None:
        """Let the name lead to a host, as an editor or a DNS does."""
        file = self.folder / "lasercats.toml"
        lines = (
            f'web = "{host.url}"' if "ssh://" in line else line for line in file.read_text().splitlines()
        )
        file.write_text("\n".join(lines) + "\n")


@pytest.fixture
def host(lab: Lab) -> Iterator[Host]:
    """The first host, whose machine-id is put back at the end."""
    host = lab.hosts[0]
    was = host.ssh("rm -rf /tmp/who /tmp/ran; cat /etc/machine-id").stdout
    yield host
    host.ssh("rm -rf /etc/machine-id && cat >/etc/machine-id", was)


@pytest.fixture
def project(host: Host, tmp_path: Path) -> Project:
    """A project on the first host."""
    return Project(tmp_path, host)


def test_another_host_is_refused(project: Project, lab: Lab) -> None:
    """On another host nothing is done or run, and what is not there is not taken for removed."""
    one, other = lab.hosts[:2]
    project.run("file", "write", "web:/tmp/who", "--content", "x")
    project.bind(other)
    for verb in (
        ("exec", "web", "--", "touch", "/tmp/who"),  # noqa: S108 - on a host of the lab
        ("file", "chmod", "web:/tmp/who", "--mode", "0600"),
        ("drift",),
    ):
        trips = other.sessions()
        said = project.run(*verb, fails=True)
        assert "machine web is another one than was met before (machine-id is" in said
        assert other.sessions() == trips + 1
    assert other.ssh("test -e /tmp/who").returncode == 1
    project.bind(one)
    project.run("drift", "--detailed-exitcode")
    project.bind(other)
    project.run("machine", "accept", "web", "--yes")
    assert "1 removed outside" in project.run("drift")


def identity_of(host: Host, folder: Path, known: Identity, *items: Instruction) -> Identity:
    """Return who a host says that it is, where it has to be something, and do something there."""

    async def whole() -> Identity:
        machine = SshMachine("web", SshMachine.check_url(host.url), KeyVault(folder / "key"))
        machine.who.known = known
        try:
            outcomes = await machine.run(batch(ReadPath(machine="web", path="/"), *items))
            assert not any(isinstance(outcome, Failure) for outcome in outcomes)
        finally:
            await machine.close()
        return machine.who.reported

    return asyncio.run(whole())


@pytest.mark.parametrize("how", ODD)
def test_a_machine_id_that_cannot_be_told_is_unknown(host: Host, tmp_path: Path, how: str) -> None:
    """A host that tells no machine-id, now or ever, is known by its host key, and is not another one."""
    known = identity_of(host, tmp_path, {})
    assert set(known) == {"machine-id", "ssh-ed25519"}
    assert host.ssh(ODD[how]).returncode == 0
    assert set(identity_of(host, tmp_path, known)) == {"ssh-ed25519"}


@pytest.mark.parametrize("how", LIES)
def test_an_odd_machine_id_is_data(host: Host, tmp_path: Path, how: str) -> None:
    """Whatever a host says its machine-id is, it is compared and kept as a bounded text, and never run."""
    assert host.ssh(LIES[how]).returncode == 0
    command = Execute(machine="web", argv=("touch", "/tmp/who"))  # noqa: S108 - on a host of the lab
    known = identity_of(host, tmp_path, {}, command)
    assert known["machine-id"].isprintable()
    assert len(known["machine-id"]) < MOST
    assert identity_of(host, tmp_path, known, command) == known
    assert host.ssh("rm /tmp/who; echo another >/etc/machine-id").returncode == 0
    with pytest.raises(OtherMachine, match="machine-id is another and was "):
        identity_of(host, tmp_path, known, command)
    assert host.ssh("test -e /tmp/who || test -e /tmp/ran").returncode == 1


def test_names_of_one_host_are_told(project: Project, lab: Lab) -> None:
    """Several names may lead to one machine: `machine check` and `machine list` say so, and it works."""
    project.run("machine", "add", "www", lab.hosts[0].url)
    text = "web, www are one machine, as far as they tell: ssh-ed25519 SHA256:"
    assert text in project.run("machine", "check", "web", "www")
    assert text in project.run("machine", "list")
    project.run("machine", "add", "crew", "human:")
    assert "machine crew tells nothing by which it is known" in project.run("machine", "check", "crew")
