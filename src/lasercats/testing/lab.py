"""An SSH lab: real hosts, each with its own file system, network and address, on this machine.

A host is an `sshd` in its own namespaces, on an overlay over the machine's root that lives in memory.
Everything is gone when the lab is left. It needs root, `sshd`, `ip` and `unshare`.

Each has a machine-id of its own, which stays when it is booted again; all have one host key, as hosts have
that were made from one image.

A host may be one of another make: what is on it has only the tools of busybox, as on Alpine and OpenWrt; or
it is booted by systemd (`lasercats.testing.lab_systemd`).

    with Lab(hosts=2) as lab:
        first, second = lab.hosts
        print(first.url, first.ssh("hostname").stdout)
"""

import contextlib
import fcntl
import json
import os
import secrets
import shutil
import signal
import socket
import subprocess
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from types import TracebackType

from lasercats.testing import lab_systemd

SSHD = "/usr/sbin/sshd"
BUSYBOX = "/bin/busybox"
PATIENCE = 15.0
"""Seconds that a host may take to answer."""

_UNSHARE = ("unshare", "--mount", "--pid", "--uts", "--ipc", "--net", "--fork", "--kill-child=SIGKILL")
_PROBE = """\
mount -t tmpfs probe /mnt && mkdir /mnt/upper /mnt/work /mnt/root
mount -t overlay overlay -o lowerdir=/,upperdir=/mnt/upper,workdir=/mnt/work /mnt/root
"""

_INIT = """\
set -e
lab=$1 name=$2 make=$3 root=$1/$2/root
mount --make-rprivate /
mount -t overlay overlay -o lowerdir=/,upperdir=$lab/$name/upper,workdir=$lab/$name/work $root
mount -t proc proc $root/proc
mount -t tmpfs run $root/run
mount -t tmpfs tmp $root/tmp -o mode=1777
mkdir -p $root/full $root/run/sshd
mount -t tmpfs full $root/full -o size=64k
mount -t tmpfs dev $root/dev -o mode=0755
for device in null zero full random urandom tty; do
    : >$root/dev/$device
    mount --bind /dev/$device $root/dev/$device
done
mkdir $root/dev/pts $root/dev/shm
mount -t devpts pts $root/dev/pts -o newinstance,ptmxmode=0666
ln -s pts/ptmx $root/dev/ptmx
ln -s /proc/self/fd $root/dev/fd
hostname $name
[ -s $lab/$name/machine-id ] || tr -d - </proc/sys/kernel/random/uuid >$lab/$name/machine-id
cp $lab/$name/machine-id $root/etc/machine-id
mkdir -p -m 700 $root/root/.ssh
cat $lab/id.pub >$root/root/.ssh/authorized_keys
chmod 600 $root/root/.ssh/authorized_keys
cp $lab/hostkey $root/run/hostkey
chmod 600 $root/run/hostkey
ip link set lo up
inside=none
if [ "$make" = busybox ]; then
    # Its users see a root of their own, in which there is nothing but busybox.
    inside=/busybox
    mkdir -p $root$inside && cd $root$inside
    mkdir -p bin etc root srv proc dev full tmp
    cp /bin/busybox bin/
    chroot . /bin/busybox --install -s /bin
    cp /etc/passwd /etc/group $root/etc/machine-id etc/
    mount -t proc proc proc
    mount --bind $root/full full
    mount -t tmpfs tmp tmp -o mode=1777
    mount --rbind $root/dev dev
    sed -i '/^root:/s,[^:]*$,/bin/sh,' $root/etc/passwd
fi
if [ "$make" = systemd ]; then . $lab/systemd.sh; fi
cd $root
pivot_root . mnt
exec chroot . /bin/sh -c 'umount -l /mnt; exec /usr/sbin/sshd -D -e -f /dev/null -h /run/hostkey \
    -o ChrootDirectory=$0 \
    -o PidFile=none -o UsePAM=no -o PasswordAuthentication=no -o KbdInteractiveAuthentication=no \
    -o PermitRootLogin=prohibit-password -o StrictModes=no -o MaxStartups=500 -o MaxSessions=100 \
    -o LogLevel=$1 -o "Subsystem=sftp internal-sftp"' $inside $4
"""


def unavailable() -> str | None:
    """Return why the lab cannot run here, None when it can."""
    if os.getuid() != 0:
        return "the SSH lab needs root"
    for tool in (SSHD, "ip", "unshare", "nsenter", "ssh", "ssh-keygen", "pivot_root"):
        if shutil.which(tool) is None:
            return f"the SSH lab needs {tool}"
    probe = ["unshare", "--mount", "--pid", "--uts", "--ipc", "--net", "--fork", "sh", "-ec", _PROBE]
    tried = subprocess.run(probe, check=False, capture_output=True, text=True)
    if tried.returncode != 0:
        return f"the SSH lab needs namespaces and overlayfs: {tried.stderr.strip()}"
    return None


class Host:
    """One host of a lab."""

    user = "root"
    port = 22

    def __init__(self, lab: "Lab", name: str, address: str, make: str = "debian") -> None:
        """Describe it; `start` boots it."""
        self.make = make
        self.name, self.address = name, address
        self._lab = lab
        self._process: subprocess.Popen[bytes] | None = None
        self._link = f"{lab.bridge}{name[1:]}"

    @property
    def url(self) -> str:
        """The machine URL, with the lab's key and known hosts."""
        folder = self._lab.directory
        return (
            f"ssh://{self.user}@{self.address}:{self.port}"
            f"?identity={folder}/id&known_hosts={folder}/known_hosts&config={folder}/empty"
        )

    @property
    def upper(self) -> Path:
        """What was written over the machine's root, as seen from outside."""
        return self._lab.directory / self.name / "upper"

    @property
    def root(self) -> Path:
        """All its files as it sees them, those in memory too, from outside; while it runs."""
        assert self._process is not None, f"host {self.name} was not started"
        pid = self._process.pid
        (first, *_) = Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
        return Path(f"/proc/{first}/root")

    def start(self) -> None:
        """Boot, with the disk as it was left, and connect the network."""
        directory = self._lab.directory
        for part in ("upper", "work", "root"):
            (directory / self.name / part).mkdir(parents=True, exist_ok=True)
        home = self.upper / "root"
        if not home.exists():  # a home of its own on the disk: the machine's .bashrc is slow
            home.mkdir(mode=0o700)
            os.setxattr(home, "trusted.overlay.opaque", b"y")
        with (directory / f"{self.name}.log").open("ab") as log:
            booted = self.make == "systemd"
            join = ("sh", str(directory / "join.sh"), self._link) if booted else ()
            self._process = subprocess.Popen(
                [
                    *join,
                    *_UNSHARE,
                    *(["--cgroup"] if booted else []),
                    "sh",
                    str(directory / "init.sh"),
                    str(directory),
                    self.name,
                    self.make,
                    self._lab.log,
                ],
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
            )
        self._connect(self._process.pid)

    def wait(self) -> None:
        """Wait until it answers.

        Raises:
            RuntimeError: it does not.

        """
        deadline = time.monotonic() + PATIENCE
        while time.monotonic() < deadline:
            with contextlib.suppress(OSError), socket.create_connection((self.address, self.port), 0.5) as s:
                if s.recv(4) == b"SSH-":
                    return
            time.sleep(0.01)
        raise RuntimeError(f"host {self.name} does not answer: {self.log()}")

    def stop(self) -> None:
        """Switch it off at once; its disk is kept."""
        if self._process is not None:
            self._process.send_signal(signal.SIGKILL)
            self._process.wait()
            self._process = None
            subprocess.run(["ip", "link", "del", self._link], check=False, capture_output=True)
            lab_systemd.sweep(self._link)

    def cut(self) -> None:
        """Cut its network."""
        _ip("link", "set", self._link, "down")

    def mend(self) -> None:
        """Mend its network."""
        _ip("link", "set", self._link, "up")

    def ssh(self, command: str, data: bytes | None = None) -> subprocess.CompletedProcess[bytes]:
        """Run a command by the plain OpenSSH client: independent eyes."""
        return subprocess.run(
            ["ssh", "-F", str(self._lab.ssh_config), self.name, command],
            input=data,
            capture_output=True,
            check=False,
            timeout=60,
        )

    def log(self) -> str:
        """Return the log of its sshd; each round trip is a line `Starting session`."""
        return (self._lab.directory / f"{self.name}.log").read_text(errors="replace")

    def sessions(self) -> int:
        """Count the round trips that its sshd has served."""
        return self.log().count("Starting session")

    def _connect(self, pid: int) -> None:
        own = Path("/proc/self/ns/net").readlink()
        deadline = time.monotonic() + PATIENCE
        while Path(f"/proc/{pid}/ns/net").readlink() == own:
            if time.monotonic() > deadline:
                raise RuntimeError(f"host {self.name} got no network of its own: {self.log()}")
            time.sleep(0.002)
        # The address fixes the MAC, so that nobody's ARP cache is stale after a reboot.
        mac = "02:00:" + ":".join(f"{int(part):02x}" for part in self.address.split("."))
        peer = ("peer", "name", "eth0", "address", mac, "netns", str(pid))
        _ip("link", "add", self._link, "type", "veth", *peer)
        _ip("link", "set", self._link, "master", self._lab.bridge, "up")
        commands = f"addr add {self.address}/24 dev eth0\nlink set eth0 up\n"
        net = f"--net=/proc/{pid}/ns/net"
        subprocess.run(["nsenter", net, "ip", "-batch", "-"], input=commands.encode(), check=True)


class Lab:
    """A number of hosts on a bridge of their own."""

    def __init__(self, hosts: int = 1, *, busybox: int = 0, systemd: int = 0, log: str = "VERBOSE") -> None:
        """Plan a lab with so many hosts, then some with busybox only, and some with systemd; enter to start.

        `log` is the LogLevel of their sshd.
        """
        self.log = log
        self._makes = ["debian"] * hosts + ["busybox"] * busybox + ["systemd"] * systemd
        self.bridge = f"lc{secrets.token_hex(3)}"
        self.hosts: tuple[Host, ...] = ()
        self.directory = Path()

    @property
    def ssh_config(self) -> Path:
        """A configuration for `ssh -F` that knows the hosts by name."""
        return self.directory / "ssh_config"

    @property
    def known_hosts(self) -> Path:
        """The keys of the hosts."""
        return self.directory / "known_hosts"

    def __enter__(self) -> "Lab":
        """Start all hosts and wait until they answer."""
        reason = unavailable()
        if reason is None and "busybox" in self._makes and not Path(BUSYBOX).exists():
            reason = f"a busybox host needs {BUSYBOX}, of the package busybox-static"
        if reason is None and "systemd" in self._makes:
            reason = lab_systemd.unavailable()
        if reason is not None:
            raise RuntimeError(reason)
        self.directory = Path(tempfile.mkdtemp(prefix="lasercats-lab-"))
        try:
            subprocess.run(["mount", "-t", "tmpfs", "lab", str(self.directory)], check=True)
            network = self._make_bridge()
            names = [(f"h{n:02}", f"{network}.{n + 9}") for n in range(1, len(self._makes) + 1)]
            self._write_files(names)
            self.hosts = tuple(Host(self, *name, make) for name, make in zip(names, self._makes, strict=True))
            for host in self.hosts:
                host.start()
            for host in self.hosts:
                host.wait()
        except BaseException:
            self._take_down()
            raise
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Switch everything off and leave nothing behind."""
        self._take_down()

    def _make_bridge(self) -> str:
        _ip("link", "add", self.bridge, "type", "bridge")
        with (Path(tempfile.gettempdir()) / "lasercats-lab.lock").open("a") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)  # the kernel lets two bridges have one address
            for network in _free_networks():
                _ip("addr", "add", f"{network}.1/24", "dev", self.bridge)
                _ip("link", "set", self.bridge, "up")
                return network
        raise RuntimeError("no free network for the lab")

    def _write_files(self, names: list[tuple[str, str]]) -> None:
        (self.directory / "init.sh").write_text(_INIT)
        (self.directory / "systemd.sh").write_text(lab_systemd.INIT)
        (self.directory / "join.sh").write_text(lab_systemd.JOIN)
        (self.directory / "empty").touch()
        for key in ("hostkey", "id"):
            path = str(self.directory / key)
            subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", path], check=True)
        public = " ".join((self.directory / "hostkey.pub").read_text().split()[:2])
        self.known_hosts.write_text("".join(f"{name},{address} {public}\n" for name, address in names))
        entries = [
            f"Host {name}\n  HostName {address}\n  User root\n  IdentityFile {self.directory}/id\n"
            f"  IdentitiesOnly yes\n  UserKnownHostsFile {self.known_hosts}\n  StrictHostKeyChecking yes\n"
            for name, address in names
        ]
        self.ssh_config.write_text("".join(entries))

    def _take_down(self) -> None:
        for host in self.hosts:
            host.stop()
        subprocess.run(["ip", "link", "del", self.bridge], check=False, capture_output=True)
        subprocess.run(["umount", "-l", str(self.directory)], check=False, capture_output=True)
        shutil.rmtree(self.directory, ignore_errors=True)


def _free_networks() -> Iterator[str]:
    output = subprocess.run(["ip", "-j", "addr"], check=True, capture_output=True).stdout
    used = {a.get("local", "") for link in json.loads(output) for a in link.get("addr_info", ())}
    start = secrets.randbelow(200)
    for n in range(250):
        network = f"10.99.{(start + n) % 250}"
        if f"{network}.1" not in used:
            yield network


def _ip(*arguments: str) -> None:
    subprocess.run(["ip", *arguments], check=True, capture_output=True)
