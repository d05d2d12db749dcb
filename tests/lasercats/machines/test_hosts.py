"""Local and SSH hosts keep one contract."""

import asyncio
import os
from pathlib import Path

import pytest

from lasercats.core.errors import BadInput, Unreachable
from lasercats.core.ports import Machine
from lasercats.instructions.host import Execute, ReadPath, WriteFile
from lasercats.machines.local import LocalMachine
from lasercats.machines.ssh import SshMachine
from lasercats.machines.vault import KeyVault
from lasercats.testing.lab import Lab
from lasercats.testing.machines import HostContract, batch


class TestLocal(HostContract):
    """This machine."""

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

    @pytest.mark.skipif(os.getuid() != 0, reason="needs root to become another user")
    def test_sudo_is_asked_for(self) -> None:
        """With sudo=true the batch runs as root by sudo."""
        machine = LocalMachine("m", LocalMachine.check_url("local:?sudo=true"), self.vault())
        (outcome,) = asyncio.run(
            machine.run(batch(Execute(machine="m", argv=("sh", "-c", "echo $SUDO_USER"))))
        )
        assert outcome.output.strip()


@pytest.mark.lab
class TestSsh(HostContract):
    """A host by SSH."""

    @pytest.fixture(autouse=True)
    def _place(self, lab: Lab, tmp_path: Path) -> None:
        self._host, self._tmp = lab.hosts[2], tmp_path
        self._host.ssh("rm -rf /contract /contract.out; mkdir /contract")

    def vault(self) -> KeyVault:
        """Keep the key here."""
        return KeyVault(self._tmp / "key")

    def connect(self, url: str | None = None) -> SshMachine:
        """Use the lab's host."""
        return SshMachine("m", SshMachine.check_url(url or self._host.url), self.vault())

    def folder(self) -> str:
        """Use a folder in its root."""
        return "/contract"

    def test_trips_are_sessions(self) -> None:
        """The round trips that a machine counts are the sessions that sshd counts."""
        before = self._host.sessions()

        async def work(machine: Machine) -> int:
            for _ in range(3):
                await machine.run(batch(ReadPath(machine="m", path="/etc")))
            return machine.trips

        trips = self.using(work)
        assert trips == self._host.sessions() - before == 3

    def test_no_space_left_leaves_the_old_file(self) -> None:
        """A write that does not fit fails with the reason, and the file is as it was."""
        self.run(WriteFile(machine="m", path="/full/f", content="old", mode="0644"))
        (failed,) = self.run(WriteFile(machine="m", path="/full/f", content="x" * 100_000, mode="0644"))
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
        assert asyncio.run(self._check_alias()) is None
        config.write_text(text.replace(str(lab.known_hosts), "none"))
        with pytest.raises(Unreachable, match="its host key is unknown"):
            asyncio.run(self._check_alias())

    async def _check_alias(self) -> None:
        machine = self.connect("ssh://alias")
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


def test_seconds_must_be_positive(tmp_path: Path) -> None:
    """A timeout that is no positive number is refused."""
    with pytest.raises(BadInput, match="positive number of seconds"):
        SshMachine("m", SshMachine.check_url("ssh://h?timeout=no"), KeyVault(tmp_path / "key"))
