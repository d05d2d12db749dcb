"""The SSH lab itself: its hosts are real, apart from each other, and gone afterwards."""

import asyncio
import os
import socket
import subprocess
from collections.abc import Iterator
from pathlib import Path

import asyncssh
import pytest

from lasercats.testing.lab import Host, Lab, unavailable

pytestmark = pytest.mark.lab


@pytest.fixture(scope="module", autouse=True)
def possible() -> None:
    """Skip where the lab cannot run; in CI a missing lab is a failure."""
    reason = unavailable()
    if reason is not None and os.environ.get("CI"):
        pytest.fail(reason)
    if reason is not None:
        pytest.skip(reason)


@pytest.fixture(scope="module")
def lab(possible: None) -> Iterator[Lab]:
    """Two hosts for the whole file; a test leaves them running and connected."""
    with Lab(hosts=2) as lab:
        yield lab


def answers(host: Host) -> bool:
    """Whether a connection to its SSH port opens within half a second."""
    try:
        socket.create_connection((host.address, host.port), 0.5).close()
    except OSError:
        return False
    return True


def traces(lab: Lab) -> list[str]:
    """What this machine still shows of a lab: links, mounts, processes, its directory."""
    links = subprocess.run(["ip", "-br", "link"], check=True, capture_output=True, text=True).stdout
    mounts = Path("/proc/self/mountinfo").read_text()
    processes = subprocess.run(["ps", "-eo", "args"], check=True, capture_output=True, text=True).stdout
    found = [line for line in links.splitlines() if lab.bridge in line]
    found += [line for line in (mounts + processes).splitlines() if str(lab.directory) in line]
    return found + [str(lab.directory)] * lab.directory.exists()


def test_hosts_are_apart(lab: Lab) -> None:
    """Two hosts answer by their own names and do not see each other's files."""
    first, second = lab.hosts
    assert [host.ssh("hostname").stdout for host in lab.hosts] == [b"h01\n", b"h02\n"]
    assert first.ssh("echo mine >/etc/apart").returncode == 0
    assert second.ssh("test -e /etc/apart").returncode == 1
    assert not Path("/etc/apart").exists()


def test_input_and_exit_status_pass_through(lab: Lab) -> None:
    """A command gets its input as bytes and its exit status comes back."""
    ran = lab.hosts[0].ssh("cat; exit 7", b"\x00\xff\n")
    assert (ran.returncode, ran.stdout) == (7, b"\x00\xff\n")


def test_sessions_are_counted(lab: Lab) -> None:
    """Each command is one more session in the log of the host."""
    host = lab.hosts[0]
    before = host.sessions()
    for _ in range(3):
        host.ssh("true")
    assert host.sessions() == before + 3


def test_small_disk_fills_up(lab: Lab) -> None:
    """Writing more than 64 KiB to /full fails for want of space."""
    ran = lab.hosts[0].ssh("head -c 100000 /dev/zero >/full/x; rm /full/x")
    assert b"No space left on device" in ran.stderr


def test_stop_and_start_keep_the_disk(lab: Lab) -> None:
    """After a power cut what was on the disk is there, what was in /tmp is not."""
    host = lab.hosts[0]
    host.ssh("echo kept | tee /etc/kept >/root/kept; echo lost >/tmp/lost")
    host.stop()
    assert not answers(host)
    host.start()
    host.wait()
    assert host.ssh("cat /etc/kept /root/kept").stdout == b"kept\nkept\n"
    assert host.ssh("test -e /tmp/lost").returncode == 1


def test_cut_host_is_out_of_reach(lab: Lab) -> None:
    """A cut host does not answer, its neighbour does, and once mended it answers again."""
    first, second = lab.hosts
    first.cut()
    try:
        assert not answers(first)
        assert answers(second)
    finally:
        first.mend()
    first.wait()
    assert first.ssh("true").returncode == 0


def test_configuration_serves_asyncssh(lab: Lab) -> None:
    """The client configuration is one that asyncssh reads as well."""

    async def hostname() -> object:
        async with asyncssh.connect(
            "h02", config=[str(lab.ssh_config)], known_hosts=str(lab.known_hosts)
        ) as connection:
            return (await connection.run("hostname", check=True)).stdout

    assert asyncio.run(hostname()) == "h02\n"


def test_a_busybox_host_has_busybox_only(possible: None) -> None:
    """Whoever logs in to a host of busybox finds its tools and no others, also after a reboot."""
    with Lab(hosts=1, busybox=1) as other:
        debian, busybox = other.hosts
        for _ in range(2):
            ran = busybox.ssh("stat --help 2>&1 | head -n 1; ls /; ls /usr /lib")
            assert ran.stdout.startswith(b"BusyBox")
            assert ran.returncode != 0
            assert b"sbin" not in ran.stdout
            busybox.stop()
            busybox.start()
            busybox.wait()
        assert b"coreutils" in debian.ssh("stat --version").stdout


def test_two_labs_do_not_collide(lab: Lab) -> None:
    """A second lab at the same time has a bridge and a network of its own."""
    with Lab(hosts=1) as other:
        assert other.bridge != lab.bridge
        assert other.hosts[0].address.rsplit(".", 1)[0] != lab.hosts[0].address.rsplit(".", 1)[0]
        assert all(answers(host) for host in (*lab.hosts, *other.hosts))


def test_nothing_is_left() -> None:
    """After a lab there is no link, mount, process or directory of it."""
    with Lab(hosts=2) as lab:
        assert traces(lab)
    assert traces(lab) == []


def test_nothing_is_left_after_an_error() -> None:
    """An exception inside a lab takes it down as well, even with a host cut and one switched off."""
    lab = Lab(hosts=2)

    def fail() -> None:
        with lab:
            lab.hosts[0].cut()
            lab.hosts[1].stop()
            raise LookupError

    with pytest.raises(LookupError):
        fail()
    assert traces(lab) == []
