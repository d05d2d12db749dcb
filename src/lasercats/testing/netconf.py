"""A real NETCONF server for tests: netconfd of Debian behind an sshd of its own, on loopback.

It has ports eth1 to eth8 by ietf-interfaces, and VLANs and LAGs by OpenConfig modules that are reduced to
what is used (`testing/yang`). netconfd is a datastore without a switch behind it: it tells of no links.
"""

import contextlib
import os
import shutil
import signal
import socket
import subprocess
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path
from types import TracebackType
from typing import Self

from lasercats.testing.ovs import free_port

NETCONFD, SUBSYSTEM, SSHD = "/usr/sbin/netconfd", "/usr/sbin/netconf-subsystem", "/usr/sbin/sshd"
MODULES = Path("/usr/share/yuma/modules/ietf")
IETF = ("iana-if-type@2014-05-08", "ietf-interfaces@2014-05-08")
OPENCONFIG = (
    "openconfig-interfaces",
    "openconfig-if-ethernet",
    "openconfig-if-aggregate",
    "openconfig-vlan",
    "openconfig-lacp",
    "openconfig-network-instance",
)
PATIENCE = 15.0
"""Seconds that it may take to answer."""
EMPTY = '<config xmlns="urn:ietf:params:xml:ns:netconf:base:1.0"/>'
STARTUP = """\
<config xmlns="urn:ietf:params:xml:ns:netconf:base:1.0">
<interfaces xmlns="urn:ietf:params:xml:ns:yang:ietf-interfaces">{ports}</interfaces>
</config>
"""
PORT = (
    '<interface><name>{name}</name><type xmlns:ianaift="urn:ietf:params:xml:ns:yang:iana-if-type">'
    "ianaift:ethernetCsmacd</type></interface>"
)


def why_not() -> str | None:
    """Return why this machine cannot run it, None where it can."""
    if os.getuid() != 0:
        return "a NETCONF server needs root"
    missing = [tool for tool in (NETCONFD, SUBSYSTEM, SSHD) if not Path(tool).exists()]
    return f"netconfd or openssh-server is not installed: {', '.join(missing)}" if missing else None


class NetconfLab:
    """One server, used as a context manager."""

    def __init__(self, *, vlans: bool = True, target: str = "candidate") -> None:
        """Say whether it has the models of OpenConfig, and which datastore is edited."""
        self._vlans, self._target = vlans, target
        self.ports = [f"eth{n}" for n in range(1, 9)]
        self.folder = Path(tempfile.mkdtemp(prefix="lasercats-netconf-"))
        self.port = free_port()
        self._daemon: subprocess.Popen[bytes] | None = None
        self._sshd: subprocess.Popen[bytes] | None = None

    @property
    def key(self) -> Path:
        """The file of the private key that it lets in."""
        return self.folder / "id"

    @property
    def known_hosts(self) -> Path:
        """The file with its host key."""
        return self.folder / "known_hosts"

    @property
    def url(self) -> str:
        """The URL of its machine."""
        return f"netconf://root@127.0.0.1:{self.port}?key={self.key}&known_hosts={self.known_hosts}"

    def __enter__(self) -> Self:
        """Start it."""
        Path("/run/sshd").mkdir(mode=0o755, exist_ok=True)
        for name in ("hostkey", "id"):
            generate = ["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", str(self.folder / name)]
            subprocess.run(generate, check=True, stdin=subprocess.DEVNULL)
        host = (self.folder / "hostkey.pub").read_text().split()
        self.known_hosts.write_text(f"[127.0.0.1]:{self.port} {host[0]} {host[1]}\n")
        config = self.folder / "sshd.conf"
        config.write_text(
            f"Port {self.port}\nListenAddress 127.0.0.1\nHostKey {self.folder}/hostkey\nPidFile none\n"
            f"AuthorizedKeysFile {self.folder}/id.pub\nPermitRootLogin prohibit-password\n"
            "PasswordAuthentication no\nKbdInteractiveAuthentication no\nUsePAM no\nStrictModes no\n"
            "MaxStartups 200\nMaxSessions 100\n"
            f"Subsystem netconf {SUBSYSTEM} --ncxserver-sockname={self.port}@{self.folder}/ncx.sock\n"
        )
        self._sshd = self._start([SSHD, "-D", "-e", "-f", str(config)], "sshd.log")
        try:
            self.reset()
        except BaseException:
            self.__exit__(None, None, None)
            raise
        return self

    def start_daemon(self) -> None:
        """Start netconfd, from what is saved."""
        yang = Path(__file__).parent / "yang"
        modules = [str(MODULES / f"{name}.yang") for name in IETF]
        modules += [str(yang / f"{name}.yang") for name in OPENCONFIG] if self._vlans else []
        (self.folder / "ncx.sock").unlink(missing_ok=True)
        shutil.rmtree(self.folder / ".yuma", ignore_errors=True)
        self._daemon = self._start(
            [
                NETCONFD,
                f"--target={self._target}",
                "--superuser=root",
                f"--port={self.port}",
                f"--modpath={yang}:{MODULES}:{MODULES.parent}",
                *(f"--module={module}" for module in modules),
                f"--ncxserver-sockname={self.folder}/ncx.sock",
                f"--startup={self.folder}/startup.xml",
                "--log-level=info",
            ],
            "netconfd.log",
        )
        deadline = time.monotonic() + PATIENCE
        while not self._answers():
            log = (self.folder / "netconfd.log").read_text(errors="replace")
            assert time.monotonic() < deadline and self._daemon.poll() is None, log  # noqa: PT018
            time.sleep(0.02)

    def _answers(self) -> bool:
        with contextlib.suppress(OSError), socket.socket(socket.AF_UNIX) as own, socket.socket() as ssh:
            own.connect(f"{self.folder}/ncx.sock")
            ssh.connect(("127.0.0.1", self.port))
            return True
        return False

    def reset(self) -> None:
        """Start netconfd anew, with its ports and nothing else."""
        self.stop_daemon()
        ports = "".join(PORT.format(name=name) for name in self.ports)
        (self.folder / "startup.xml").write_text(STARTUP.format(ports=ports))
        self.start_daemon()

    def stop_daemon(self) -> None:
        """End netconfd at once."""
        _end(self._daemon)

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """End it."""
        _end(self._daemon)
        _end(self._sshd)
        shutil.rmtree(self.folder, ignore_errors=True)

    def _start(self, command: Sequence[str], log: str) -> subprocess.Popen[bytes]:
        with (self.folder / log).open("wb") as file:
            return subprocess.Popen(
                command,
                stdin=subprocess.DEVNULL,
                stdout=file,
                stderr=file,
                cwd=self.folder,
                start_new_session=True,
                env={**os.environ, "HOME": str(self.folder)},  # where netconfd keeps a file of its own
            )


def _end(process: subprocess.Popen[bytes] | None) -> None:
    """End a process and what it started."""
    if process is not None and process.poll() is None:
        os.killpg(process.pid, signal.SIGKILL)
        process.wait()
