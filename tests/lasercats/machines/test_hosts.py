"""Local and SSH hosts keep one contract."""

import asyncio
import contextlib
import os
import re
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from lasercats.core import content as contents
from lasercats.core.errors import BadInput, MachineError, Unreachable
from lasercats.core.instruction import Batch, Failure
from lasercats.core.ports import Machine
from lasercats.instructions.host import (
    ExecResult,
    Execute,
    MakeSymlink,
    ReadPath,
    SetAttributes,
    WriteFile,
)
from lasercats.machines.local import LocalMachine
from lasercats.machines.ssh import SshMachine
from lasercats.machines.url import parse
from lasercats.machines.vault import KeyVault
from lasercats.testing.lab import Host, Lab
from lasercats.testing.machines import HostContract, batch


class Silent(NamedTuple):
    """A tool of a host that does not what it should, and what is told of it."""

    stat: str
    reason: str


BROKEN = {
    "endless": Silent("exec yes 'a line that says nothing at all'", "the host printed more than 64 MiB"),
    "endless messages": Silent("exec yes 'no such thing' >&2", "a tool is|answer|cannot|such thing"),
    "silent": Silent("exec sleep 300", "the host told nothing for 0.5 s"),
    "trickling": Silent("while echo; do sleep 0.1; done", "the host told nothing for 0.5 s"),
    "missing": Silent("exit 127", "answer otherwise|did not tell"),
    "garbage": Silent("head -c 5000 /dev/urandom", "answer otherwise|did not tell|changed"),
}


class TestLocal(HostContract):
    """This machine."""

    knows_itself = Path("/etc/machine-id").is_file() and Path("/etc/machine-id").stat().st_size > 0

    @pytest.fixture(autouse=True)
    def _place(self, tmp_path: Path) -> None:
        self._tmp = tmp_path
        (tmp_path / "work").mkdir()

    def vault(self) -> KeyVault:
        """Keep the key outside the folder."""
        return KeyVault(self._tmp / "key")

    def connect(self) -> LocalMachine:
        """Use the shell of this machine."""
        return LocalMachine("m", LocalMachine.check_url("local:"), self.vault())

    def folder(self) -> str:
        """Use a temporary folder."""
        return str(self._tmp / "work")

    @pytest.mark.parametrize("how", BROKEN)
    def test_a_broken_tool_is_told(self, how: str, monkeypatch: pytest.MonkeyPatch) -> None:
        """A tool that prints for ever, nothing, or nonsense fails what it was called for, and ends."""
        broken, tools = BROKEN[how], self._tmp / "tools"
        tools.mkdir()
        (tools / "stat").write_text(f"#!/bin/sh\n{broken.stat}\n")
        (tools / "stat").chmod(0o755)
        monkeypatch.setenv("PATH", f"{tools}:{os.environ['PATH']}")
        url = f"local:?timeout={30 if how.startswith('endless') else 0.5}"
        machine = LocalMachine("m", LocalMachine.check_url(url), self.vault())
        (self._tmp / "work" / "f").touch()
        looks = batch(*(ReadPath(machine="m", path=f"{self.folder()}/{name}") for name in ("f", "none")))
        outcomes = asyncio.run(machine.run(looks))
        assert all(isinstance(one, Failure) for one in outcomes), outcomes
        assert re.search(broken.reason, outcomes[0].reason), outcomes

    @pytest.mark.skipif(os.getuid() != 0, reason="needs root to become another user")
    def test_sudo_is_asked_for(self) -> None:
        """With sudo=true the batch runs as root by sudo."""
        machine = LocalMachine("m", LocalMachine.check_url("local:?sudo=true"), self.vault())
        (outcome,) = asyncio.run(
            machine.run(batch(Execute(machine="m", argv=("sh", "-c", "echo $SUDO_USER"))))
        )
        assert outcome.output.strip()


@pytest.fixture(scope="module")
def busybox(lab: Lab) -> Iterator[Lab]:
    """A host of busybox; where the lab can run it can, too."""
    with Lab(hosts=0, busybox=1) as started:
        yield started


class SshContract(HostContract):
    """A host by SSH: it is alone, so that it may be broken, and its processes can be counted."""

    _host: Host
    _tmp: Path

    def vault(self) -> KeyVault:
        """Keep the key here."""
        return KeyVault(self._tmp / "key")

    def connect(self, url: str | None = None) -> SshMachine:
        """Use the lab's host."""
        return SshMachine("m", SshMachine.check_url(url or self._host.url), self.vault())

    def folder(self) -> str:
        """Use a folder in its root."""
        return "/contract"

    def test_a_thousand_paths_take_few_processes(self) -> None:
        """A look at thousands of paths, as expected or absent, starts about as many processes as at ten."""
        make = "for n in $(seq 1000); do echo x >/contract/$n; done"
        self.run(Execute(machine="m", argv=("sh", "-c", make)))
        expect = contents.digest("x\n")
        there = [
            ReadPath(machine="m", path=f"/contract/{n}", whole=True, expect=expect) for n in range(1, 1001)
        ]
        gone = [
            ReadPath(machine="m", path=f"/contract/no{n}", whole=True, expect=expect) for n in range(1000)
        ]

        async def count(machine: Machine, looks: list[ReadPath]) -> int:
            before = await self._started(machine)
            outcomes = await machine.run(batch(*looks))
            assert {(one.type, one.same) for one in outcomes} <= {("file", True), ("absent", False)}
            return await self._started(machine) - before

        async def both(machine: Machine) -> tuple[int, int]:
            return await count(machine, there[:5] + gone[:5]), await count(machine, there + gone)

        few, many = self.using(both)
        assert many <= few * 3, (few, many)

    async def _started(self, machine: Machine) -> int:
        """Return how many processes the host has started: the last number that one got."""
        (outcome,) = await machine.run(batch(Execute(machine="m", argv=("cat", "/proc/loadavg"))))
        return int(outcome.output.split()[-1])

    def test_owners_of_a_directory_service_are_told(self) -> None:
        """Owners and groups with any characters are given and told; numbers stand for the nameless."""
        users = "corp\\\\bob:x:4001:4001::/:/bin/sh\nann@corp:x:4002:4001::/:/bin/sh\n"
        self._host.ssh(f"printf '{users}' >>/etc/passwd; printf 'domain users:x:4001:\n' >>/etc/group")
        path = "/contract/owned"
        made = self.run(
            WriteFile(machine="m", path=path, content="x", owner="corp\\bob", group="domain users"),
            SetAttributes(machine="m", path=path, type="file", owner="ann@corp"),
            SetAttributes(machine="m", path=path, type="file", owner="4777", group="4778"),
        )
        assert [(one.owner, one.group) for one in made] == [
            ("corp\\bob", "domain users"),
            ("ann@corp", "domain users"),
            ("4777", "4778"),
        ]

    def test_any_time_is_told(self) -> None:
        """Modification times before 1970 and beyond the year 9999 are told in seconds."""
        for seconds in (-86400, 253402300800):
            self._host.ssh(f"touch -d @{seconds} /contract/t 2>/dev/null || touch /contract/t")
            want = int(self._host.ssh("stat -c %Y /contract/t").stdout)
            assert self.run(ReadPath(machine="m", path="/contract/t"))[0].modified == want

    async def _run_and_close(self, machine: Machine, items: Batch) -> list[Any]:
        try:
            return list(await machine.run(items))
        finally:
            await machine.close()


@pytest.mark.lab
class TestBusybox(SshContract):
    """A host with the tools of busybox only."""

    @pytest.fixture(autouse=True)
    def _place(self, busybox: Lab, tmp_path: Path) -> None:
        self._host, self._tmp = busybox.hosts[0], tmp_path
        self._host.ssh("rm -rf /contract /contract.out; mkdir /contract")

    def test_check_answers(self) -> None:
        """It passes its check, which tells what its sshd prints before us, and that it has no flock."""
        answer = str(self.using(lambda machine: machine.check()))
        assert "prints 'Changed root directory" in answer
        assert "it has no flock, so that only /proc can tell" in answer


@pytest.mark.lab
class TestSsh(SshContract):
    """A host by SSH, with the tools of Debian."""

    @pytest.fixture(autouse=True)
    def _place(self, lab: Lab, tmp_path: Path) -> None:
        self._host, self._tmp = lab.hosts[2], tmp_path
        self._host.ssh("rm -rf /contract /contract.out; mkdir /contract")

    def test_trips_are_sessions(self) -> None:
        """The round trips that a machine counts are the sessions that sshd counts."""
        before = self._host.sessions()

        async def work(machine: Machine) -> int:
            for _ in range(3):
                await machine.run(batch(ReadPath(machine="m", path="/etc")))
            return machine.trips

        trips = self.using(work)
        assert trips == self._host.sessions() - before == 3

    def test_a_command_that_ends_at_once_is_not_lost(self) -> None:
        """A program that ends before its input is read has ended, and no connection was lost."""

        async def work(machine: Machine) -> list[Any]:
            return [(await machine.run(batch(Execute(machine="m", argv=("true",)))))[0] for _ in range(60)]

        assert self.using(work) == [ExecResult(0)] * 60

    def test_a_shell_that_prints_is_passed_over_and_told(self) -> None:
        """What a login shell prints first is no part of an answer; check tells of it, and does not fail."""
        self._host.ssh("echo 'echo Welcome; echo careful >&2' >/root/.bashrc")
        try:
            (wrote,) = self.run(WriteFile(machine="m", path="/contract/f", content="x"))
            (ran,) = self.run(Execute(machine="m", argv=("echo", "done")))
            answer = self.using(lambda machine: machine.check())
        finally:
            self._host.ssh("rm /root/.bashrc")
        assert wrote.type == "file"
        assert ran == ExecResult(0, "done\n")
        assert "prints 'Welcome'" in str(answer)

    @pytest.mark.parametrize("how", BROKEN)
    def test_a_broken_tool_is_told(self, how: str) -> None:
        """A tool that prints for ever, nothing, or nonsense fails what it was called for, and ends."""
        broken = BROKEN[how]
        self.run(WriteFile(machine="m", path="/contract/f", content="x"))
        url = f"{self._host.url}&timeout={30 if how.startswith('endless') else 0.5}"
        looks = batch(ReadPath(machine="m", path="/contract/f"), ReadPath(machine="m", path="/contract/none"))
        with self._instead("stat", broken.stat):
            machine = self.connect(url)
            outcomes = asyncio.run(self._run_and_close(machine, looks))
        assert all(isinstance(one, Failure) for one in outcomes), outcomes
        assert re.search(broken.reason, outcomes[0].reason), outcomes
        assert self._host.ssh("pidof yes sleep").stdout == b""

    def test_a_change_by_a_broken_tool_is_in_doubt(self) -> None:
        """A host that falls silent in the middle of a change leaves it in doubt."""
        first = WriteFile(machine="m", path="/contract/a", content="x")
        second = MakeSymlink(machine="m", path="/contract/b", target="x")
        with self._instead("ln", "exec sleep 300"):
            machine = self.connect(f"{self._host.url}&timeout=1")
            outcomes = asyncio.run(self._run_and_close(machine, batch(first, second)))
        assert outcomes[1] == Failure(reason="the host told nothing for 1 s, and was given up", in_doubt=True)

    @pytest.mark.parametrize(
        ("tool", "instead", "message"),
        [
            ("mv", "echo 'mv: illegal option -- T' >&2; exit 64", "lacks mv -T;"),
            ("stat", "echo 'stat: illegal option -- c' >&2; exit 1", "lacks stat -c;"),
            ("base64", "echo 'base64: invalid option -- d' >&2; exit 1", "lacks base64;"),
            ("sha256sum", "exit 127", "lacks sha256sum;"),
        ],
    )
    def test_check_tells_which_tool_is_missing(self, tool: str, instead: str, message: str) -> None:
        """A host with the tools of another make is told by what it lacks."""
        with self._instead(tool, instead), pytest.raises(MachineError, match=message):
            self.using(lambda machine: machine.check())

    @contextlib.contextmanager
    def _instead(self, tool: str, script: str) -> Iterator[None]:
        """Put something else before a tool on the host."""
        place = self._host.ssh("echo ${PATH%%:*}").stdout.decode().strip()
        program = f"#!/bin/sh\n{script}\n".encode()
        made = self._host.ssh(f"mkdir -p {place}; cat >{place}/{tool}; chmod 755 {place}/{tool}", program)
        assert made.returncode == 0, made.stderr
        try:
            yield
        finally:
            self._host.ssh(f"rm {place}/{tool}")

    @pytest.mark.parametrize("shell", ["bash", "dash", "tcsh", "fish"])
    def test_the_login_shell_may_be_any(self, shell: str) -> None:
        """With any login shell files are written, and a command gets exactly its words."""
        path = shutil.which(shell)
        if path is None and shell == "fish":  # not in Debian's smallest set; the others are
            pytest.skip("fish is not installed")
        url = self._user(shell, str(path))
        items = (
            WriteFile(machine="m", path=f"/home/{shell}/f", content="x"),
            Execute(machine="m", argv=("printf", "[%s]", "a\\\\b", "!x", "2", "$x", "~")),
        )
        wrote, ran = asyncio.run(self._run_and_close(self.connect(url), batch(*items)))
        assert (wrote.type, wrote.owner) == ("file", shell)
        assert ran == ExecResult(0, "[a\\\\b][!x][2][$x][~]")

    @pytest.mark.parametrize("shell", ["zsh", "tcsh", "fish", "bash", "perl"])
    @pytest.mark.parametrize("sudo", ["false", "true"])
    def test_a_shell_that_nobody_asked_for_runs_nothing(self, shell: str, sudo: str) -> None:
        """Where a startup file starts another shell in place of ours, it is told, and nothing is run."""
        if shutil.which(shell) is None:
            pytest.skip(f"{shell} is not installed")
        url = f"{self._user('rick', '/bin/bash')}&sudo={sudo}"
        self._host.ssh(f"echo 'exec {shell}' >/home/rick/.bashrc")
        items = (WriteFile(machine="m", path="/srv/f", content="x"), Execute(machine="m", argv=("id",)))
        for failed in asyncio.run(self._run_and_close(self.connect(url), batch(*items))):
            assert isinstance(failed, Failure)
            assert not failed.in_doubt
            assert shell != "zsh" or "another than it was told" in failed.reason
        assert self._host.ssh("ls /srv/f").returncode == 2

    def test_a_command_is_ended_where_there_is_no_proc(self) -> None:
        """What a command has started is ended with it, also on a host without /proc."""
        argv = ("sh", "-c", "sleep 9753 & sleep 9754")
        self._host.ssh("umount -l /proc")
        try:
            (ended,) = self.run(Execute(machine="m", argv=argv, timeout=0.3))
        finally:
            self._host.ssh("mount -t proc proc /proc")
        assert "was ended" in ended.reason
        assert self._host.ssh("ps ax").stdout.count(b"sleep 975") == 0

    def test_sudo_that_wants_a_password_is_told(self) -> None:
        """Where sudo asks for a password, check and work tell so, and nothing is in doubt."""
        url = self._user("pat", "/bin/bash") + "&sudo=true"
        self._host.ssh("echo 'pat ALL=(ALL) ALL' >/etc/sudoers.d/pat; chmod 440 /etc/sudoers.d/pat")
        with pytest.raises(MachineError, match="sudo wants a password"):
            asyncio.run(self._check(self.connect(url)))
        write = batch(WriteFile(machine="m", path="/contract/f", content="x"))
        (failed,) = asyncio.run(self._run_and_close(self.connect(url), write))
        assert "sudo wants a password" in failed.reason
        assert not failed.in_doubt

    def _user(self, name: str, shell: str) -> str:
        """Make a user with a login shell, and return the URL of the host for it."""
        self._host.ssh(
            f"id {name} || useradd -m -s {shell} {name}; usermod -p '*' {name}; "
            f"cp -r /root/.ssh /home/{name}/; chown -R {name} /home/{name}/.ssh"
        )
        return self._host.url.replace("root@", f"{name}@")

    @pytest.mark.parametrize("new", ["x" * 100_000, contents.encode(b"\xff" * 100_000)])
    def test_no_space_left_leaves_the_old_file(self, new: str) -> None:
        """A write that does not fit fails with the reason, and the file is as it was."""
        self.run(WriteFile(machine="m", path="/full/f", content="old", mode="0644"))
        (failed,) = self.run(WriteFile(machine="m", path="/full/f", content=new, mode="0644"))
        assert "No space left on device" in failed.reason
        assert self._host.ssh("cat /full/f; ls -A /full").stdout == b"oldf\n"

    def test_an_unreachable_host_is_told(self) -> None:
        """No answer within the time is an Unreachable with the machine's name."""
        machine = self.connect(
            self._host.url.replace(self._host.address, "10.99.255.1") + "&connect_timeout=0.3"
        )
        with pytest.raises(Unreachable, match=r"machine m .* cannot be reached"):
            asyncio.run(machine.check())

    def test_a_wrong_host_key_is_told(self) -> None:
        """A host whose key is not the known one is not spoken to."""
        other = self._tmp / "known_hosts"
        other.write_text(f"{self._host.address} ssh-ed25519 {'A' * 68}\n")
        url = self._host.url.split("known_hosts=")[0] + f"known_hosts={other}"
        with pytest.raises(Unreachable, match=r"host key is not the known one|cannot be reached"):
            asyncio.run(self.connect(url).check())

    def test_no_key_is_told(self) -> None:
        """A host that accepts none of our keys is told as such."""
        url = self._host.url.replace("root@", "nobody@")
        with pytest.raises(Unreachable, match="lets this user in with none of the keys"):
            asyncio.run(self.connect(url).check())

    def test_the_ssh_config_is_honoured(self, lab: Lab, monkeypatch: pytest.MonkeyPatch) -> None:
        """Host name, user, key and known hosts come from ~/.ssh/config; `none` knows no host."""
        monkeypatch.setenv("HOME", str(self._tmp))
        config = self._tmp / ".ssh" / "config"
        config.parent.mkdir()
        text = lab.ssh_config.read_text().replace(f"Host {self._host.name}\n", "Host alias\n")
        config.write_text(text)
        assert asyncio.run(self._check(self.connect("ssh://alias"))) is None
        config.write_text(text.replace(str(lab.known_hosts), "none"))
        with pytest.raises(Unreachable, match="its host key is unknown"):
            asyncio.run(self._check(self.connect("ssh://alias")))

    async def _check(self, machine: Machine) -> None:
        try:
            await machine.check()
        finally:
            await machine.close()

    def test_a_lost_connection_is_in_doubt(self) -> None:
        """When the host dies in the middle, a change is in doubt and a look has failed."""

        async def work(machine: Machine) -> list[object]:
            running = asyncio.create_task(
                machine.run(batch(Execute(machine="m", argv=("sh", "-c", "kill -9 $PPID; sleep 3"))))
            )
            return list(await running)

        (outcome,) = self.using(work)
        assert getattr(outcome, "in_doubt", False) or getattr(outcome, "status", 0)


@pytest.mark.parametrize(
    ("url", "message"),
    [
        ("ssh://", "names no host"),
        ("ssh://h:port", "is no machine URL"),
        ("ssh://user:secret@h", "must not carry a password"),
        ("ssh://h?timout=3", "did you mean 'timeout'"),
        ("nonsense", "is no machine URL"),
    ],
)
def test_a_bad_url_is_told(url: str, message: str) -> None:
    """A malformed URL is refused with the reason."""
    with pytest.raises(BadInput, match=message):
        SshMachine.check_url(url)


@pytest.mark.parametrize(
    ("url", "user", "host", "path"),
    [
        (r"ssh://corp%5Cbob@h", "corp\\bob", "h", ""),
        ("ssh://ann%40corp.example@h", "ann@corp.example", "h", ""),
        ("ssh://root@[fe80::1%25eth0]:22", "root", "fe80::1%eth0", ""),
        ("ovsdb:///run/my%20vswitch/db.sock", None, None, "/run/my vswitch/db.sock"),
    ],
)
def test_the_parts_of_a_url_are_decoded(url: str, user: str | None, host: str | None, path: str) -> None:
    """What RFC 3986 and RFC 6874 write by percent signs is decoded in every part."""
    parsed = parse(url)
    assert (parsed.user, parsed.host, parsed.path) == (user, host, path)


def test_a_plus_in_an_option_is_a_plus() -> None:
    """An option is decoded by its percent signs alone."""
    assert parse("ssh://h?identity=/a+b%20c%26d").options == {"identity": "/a+b c&d"}


@pytest.mark.parametrize("url", ["ssh://a%00b@h", "ssh://h?identity=%0A", "ssh://a%3Ab:c@h"])
def test_what_a_url_cannot_hold_is_refused(url: str) -> None:
    """A control character and a password are refused in any part."""
    with pytest.raises(BadInput):
        parse(url)


def test_seconds_must_be_positive(tmp_path: Path) -> None:
    """A timeout that is no positive number is refused."""
    with pytest.raises(BadInput, match="positive number of seconds"):
        SshMachine("m", SshMachine.check_url("ssh://h?timeout=no"), KeyVault(tmp_path / "key"))
